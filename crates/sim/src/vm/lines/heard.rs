//! What the guest has said so far. Pure: it is told words and times.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vigia_core::board::Level;
use vigia_core::time::Instant;

use crate::vm::clock::GuestClock;
use crate::vm::wire::{Answer, Edge, GuestTime, LineId, Word};

/// Hours of a machine that beats; then the oldest is forgotten.
const TOLD_LEN_MAX: usize = 2_000_000;
/// The clock is the best of so many questions: it follows a guest's clock that drifts.
const CLOCKS_LEN_MAX: usize = 16;
const MARK_EVERY: Duration = Duration::from_millis(40);
/// While K0 waits for a heartbeat: [`K0_HOLDS`](crate::plant::K0_HOLDS).
const MARKS_OF_K0: u32 = 8;
/// Answers that nobody has fetched.
const ANSWERS_LEN_MAX: usize = 1024;

/// A place in what was told: everything from here on comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

/// Something that happened in the guest, or to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Counted from 1.
    pub boot: u32,
    /// When the host heard of it.
    pub heard: Instant,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A guest has come up, its lines like this.
    Up {
        at: GuestTime,
        levels: Vec<Level>,
    },
    /// The machine has no power any more: every line is where its pull takes it.
    Gone,
    Edge(Edge),
    /// Somebody made a line an output, or an input; the level it has then.
    Turned {
        line: LineId,
        drives: bool,
        level: Level,
        at: GuestTime,
    },
}

/// All of it.
#[derive(Debug)]
pub(super) struct Heard {
    pulls: Vec<Level>,
    pub levels: Vec<Level>,
    /// So many guests have come up.
    pub boots: u32,
    pub is_up: bool,
    told: VecDeque<Told>,
    first: u64,
    /// All that happened in the guest before this moment has been told.
    pub mark: Option<GuestTime>,
    /// The longest time between two marks of one guest: the agent sets one each 40 ms, before anything else runs. Or
    /// what several stops took together, while K0 waits for a heartbeat. Or how long the host heard nothing of them.
    pub stood_still: Duration,
    marks: VecDeque<GuestTime>,
    pub last_word: Instant,
    clocks: VecDeque<GuestClock>,
    asked: BTreeMap<u32, Instant>,
    answers: BTreeMap<u32, (GuestTime, Answer)>,
    /// Lines that nobody understood: none but the last words of a guest that was cut off.
    pub garbled: u32,
    /// How often the kernel's trace ran over.
    pub lost: u32,
}

impl Heard {
    pub fn new(pulls: Vec<Level>, now: Instant) -> Self {
        Self {
            levels: pulls.clone(),
            pulls,
            boots: 0,
            is_up: false,
            told: VecDeque::new(),
            first: 0,
            mark: None,
            stood_still: Duration::ZERO,
            marks: VecDeque::new(),
            last_word: now,
            clocks: VecDeque::new(),
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            garbled: 0,
            lost: 0,
        }
    }

    /// Returns whether a guest has come up.
    pub fn hear(&mut self, line: &str, now: Instant) -> bool {
        let silence = now.since(std::mem::replace(&mut self.last_word, now));
        let Ok(word) = line.parse() else {
            self.garbled += 1;
            return false;
        };
        match word {
            Word::Hello { at, levels, .. } => {
                self.up(at, levels, now);
                return true;
            }
            Word::Edge(edge) => {
                if let Some(level) = self.levels.get_mut(usize::from(edge.line.0)) {
                    *level = edge.level;
                    self.tell(now, What::Edge(edge));
                }
            }
            Word::Turned { line, drives, at } => {
                if let Some(&level) = self.levels.get(usize::from(line.0)) {
                    self.tell(now, What::Turned { line, drives, level, at });
                }
            }
            Word::Mark(at) => self.marked(at, silence),
            Word::Lost => self.lost += 1,
            Word::Answer { number, at, answer } => self.answered(number, at, answer, now),
        }
        false
    }

    fn marked(&mut self, at: GuestTime, silence: Duration) {
        let silence = if self.mark.is_some() { silence } else { Duration::ZERO };
        let gap = self.mark.map_or(Duration::ZERO, |last| at.since(last));
        self.marks.push_back(at);
        let together = match self.marks.front() {
            Some(&first) if self.marks.len() > MARKS_OF_K0 as usize => {
                self.marks.pop_front();
                at.since(first).saturating_sub(MARK_EVERY * MARKS_OF_K0)
            }
            _ => Duration::ZERO,
        };
        self.stood_still = self.stood_still.max(gap).max(together).max(silence);
        self.mark = Some(at);
    }

    fn up(&mut self, at: GuestTime, levels: Vec<Level>, now: Instant) {
        self.forget_guest();
        self.boots += 1;
        self.is_up = true;
        self.levels.clone_from(&levels);
        self.levels.resize(self.pulls.len(), Level::Low);
        self.tell(now, What::Up { at, levels });
    }

    /// The machine has lost its power.
    pub fn gone(&mut self, now: Instant) {
        if self.is_up {
            self.forget_guest();
            self.levels.clone_from(&self.pulls);
            self.tell(now, What::Gone);
        }
    }

    fn forget_guest(&mut self) {
        self.is_up = false;
        self.mark = None;
        self.marks.clear();
        self.clocks.clear();
        self.asked.clear();
        self.answers.clear();
    }

    fn tell(&mut self, heard: Instant, what: What) {
        if self.told.len() >= TOLD_LEN_MAX {
            self.told.pop_front();
            self.first += 1;
        }
        self.told.push_back(Told { boot: self.boots, heard, what });
    }

    fn answered(&mut self, number: u32, at: GuestTime, answer: Answer, now: Instant) {
        if let Some(asked) = self.asked.remove(&number) {
            self.clocks.push_back(GuestClock::of(asked, now, at));
            if self.clocks.len() > CLOCKS_LEN_MAX {
                self.clocks.pop_front();
            }
        }
        self.answers.insert(number, (at, answer));
        if self.answers.len() > ANSWERS_LEN_MAX {
            self.answers.pop_first();
        }
    }

    /// The guest is asked for its time now.
    pub fn asks_time(&mut self, number: u32, now: Instant) {
        self.asked.insert(number, now);
    }

    pub fn answer(&mut self, number: u32) -> Option<(GuestTime, Answer)> {
        self.answers.remove(&number)
    }

    pub fn clock(&self) -> Option<GuestClock> {
        self.clocks.iter().copied().reduce(GuestClock::or)
    }

    pub fn place(&self) -> Place {
        Place(self.first + self.told.len() as u64)
    }

    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.told.iter()
    }

    /// What was told from there on.
    pub fn since(&self, place: Place) -> impl Iterator<Item = &Told> {
        let skipped = usize::try_from(place.0.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.told.iter().skip(skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::wire::Seen;

    fn heard() -> Heard {
        let mut heard = Heard::new(vec![Level::High, Level::Low], Instant(0));
        assert!(heard.hear("hello 1 100 b 10", Instant(1_000)));
        heard
    }

    #[test]
    fn edges_are_told_in_order_from_any_place() {
        let mut heard = heard();
        let place = heard.place();
        heard.hear("edge 1 1 200 trace", Instant(2_000));
        heard.hear("edge 0 0 300 look", Instant(3_000));
        heard.hear("edge 7 0 300 look", Instant(3_000));
        assert_eq!(heard.levels, [Level::Low, Level::High]);
        let told: Vec<_> = heard.since(place).map(|t| t.what.clone()).collect();
        let edge =
            |line, level, at, seen| What::Edge(Edge { line: LineId(line), level, at: GuestTime(at), seen });
        assert_eq!(told, [edge(1, Level::High, 200, Seen::Trace), edge(0, Level::Low, 300, Seen::Look)]);
        assert_eq!(heard.since(heard.place()).count(), 0);
    }

    #[test]
    fn without_power_lines_are_where_their_pulls_take_them() {
        let mut heard = heard();
        heard.hear("edge 0 0 200 trace", Instant(2_000));
        heard.hear("mark 250", Instant(2_000));
        heard.gone(Instant(3_000));
        heard.gone(Instant(4_000));
        assert_eq!((heard.is_up, heard.mark), (false, None));
        assert_eq!(heard.levels, [Level::High, Level::Low]);
        assert_eq!(heard.since(Place(0)).filter(|t| t.what == What::Gone).count(), 1);
        assert!(heard.hear("hello 1 50 c 11", Instant(5_000)));
        assert_eq!((heard.boots, heard.levels.as_slice()), (2, &[Level::High, Level::High][..]));
    }

    #[test]
    fn several_stops_within_the_patience_of_k0_are_one() {
        let stood = |gaps_ms: &[u64]| {
            let (mut heard, mut at) = (heard(), 0);
            for gap in gaps_ms {
                at += gap * 1_000_000;
                heard.hear(&format!("mark {at}"), Instant(1_000 + at));
            }
            heard.stood_still.as_millis()
        };
        assert_eq!(stood(&[40; 30]), 40);
        assert_eq!(stood(&[40, 40, 190, 40, 40]), 190);
        assert_eq!(stood(&[40, 40, 40, 120, 40, 120, 40, 40, 40, 40]), 160);
        // So far apart that K0 is fed between them.
        assert_eq!(stood(&[40, 120, 40, 40, 40, 40, 40, 40, 40, 40, 120, 40]), 120);
    }

    #[test]
    fn what_the_host_hears_late_is_a_stop_too() {
        let mut heard = heard();
        for (at_ms, heard_ms) in [(40, 41), (80, 82), (120, 330), (160, 331)] {
            heard.hear(&format!("mark {}", at_ms * 1_000_000), Instant(heard_ms * 1_000_000));
        }
        assert_eq!(heard.stood_still.as_millis(), 248);
    }

    #[test]
    fn an_answer_to_when_sets_the_clock_and_one_of_another_boot_does_not() {
        let mut heard = heard();
        heard.asks_time(5, Instant(2_000));
        heard.hear("5 300 done", Instant(2_200));
        assert_eq!(heard.clock().map(|c| c.host(GuestTime(300))), Some(Instant(2_100)));
        assert_eq!(heard.answer(5), Some((GuestTime(300), Answer::Done)));
        assert_eq!(heard.answer(5), None);
        heard.asks_time(6, Instant(3_000));
        heard.hear("hello 1 50 c 11", Instant(4_000));
        heard.hear("6 60 done", Instant(4_100));
        assert_eq!(heard.clock(), None);
    }

    #[test]
    fn what_a_cut_off_guest_stammers_is_counted() {
        let mut heard = heard();
        heard.hear("edge 1 1 20", Instant(2_000));
        assert_eq!((heard.garbled, heard.levels[1]), (1, Level::Low));
    }
}
