//! Who knows at any moment how each line stands, and says each change once.
//!
//! The kernel's trace wakes it and is exact. Letting go of a line leaves no trace: so every 20 ms it looks at
//! those lines that somebody has driven, and in turn at a tenth of the others, which only a pull moves. Under
//! emulation each look costs 70 us of the one processor that the product has, too.

use std::io;
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::Timespec;
use vigia_core::board::Level;

use super::chips::Chips;
use super::port::{Port, rest_ms};
use super::trace::{Event, Trace, What};
use super::{AgentError, GuestTime, LineId, Word, lock, now, thread};
use crate::vm::wire::{Edge, Seen};

const LOOK_NS: u64 = 20_000_000;
/// The others are looked at once in so many looks.
const TURNS: usize = 10;
/// A mark with every second look: 40 ms.
const LOOKS_PER_MARK: usize = 2;
/// From the trace of a write to the write.
const WRITE_MS: u32 = 2;
/// An output that only pulls one way is let go within this of its write.
const LET_GO_NS: u64 = 1_000_000;

/// All lines as they were said last.
#[derive(Debug)]
pub struct Watch {
    chips: Chips,
    levels: Vec<Level>,
    /// Somebody has made them outputs.
    driven: Vec<bool>,
    port: Arc<Port>,
}

impl Watch {
    /// # Errors
    /// A line cannot be looked at.
    pub fn new(chips: Chips, port: Arc<Port>) -> Result<Self, AgentError> {
        let all = (0..chips.len()).filter_map(|n| u16::try_from(n).ok()).map(LineId);
        let levels: io::Result<Vec<Level>> = all.map(|line| chips.level(line)).collect();
        let levels = levels.map_err(AgentError::at("can't look at", std::path::Path::new("a line")))?;
        Ok(Self { driven: vec![false; levels.len()], chips, levels, port })
    }

    /// The first word to the host.
    pub fn hello(&self) {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let (boot, levels) = (boot.trim().to_owned(), self.levels.clone());
        self.port.say(&Word::Hello { at: now(), boot, levels });
    }

    /// Pulls a line as the world does. The time is that just before.
    pub fn pull(&mut self, line: LineId, to: Level) -> io::Result<GuestTime> {
        let at = now();
        self.chips.pull(line, to)?;
        let level = self.chips.level(line)?;
        self.note(line, level, at, Seen::Pull);
        Ok(at)
    }

    fn note(&mut self, line: LineId, level: Level, at: GuestTime, seen: Seen) {
        let Some(last) = self.levels.get_mut(usize::from(line.0)).filter(|last| **last != level) else {
            return;
        };
        *last = level;
        self.port.say(&Word::Edge(Edge { line, level, at, seen }));
    }

    fn happened(&mut self, events: &[Event]) {
        for (place, event) in events.iter().enumerate() {
            let Some(line) = self.chips.of_number(event.number) else { continue };
            match event.what {
                // The level that was asked for is not that of a line that is let go.
                What::Set(_) if is_let_go(event, &events[place + 1..]) => {}
                What::Set(level) => self.note(line, level, event.at, Seen::Trace),
                What::Turned { drives } => {
                    self.port.say(&Word::Turned { line, drives, at: event.at });
                    if let Some(driven) = self.driven.get_mut(usize::from(line.0)) {
                        *driven |= drives;
                    }
                    if let (false, Ok(level)) = (drives, self.chips.level(line)) {
                        self.note(line, level, event.at, Seen::Trace);
                    }
                }
            }
        }
    }

    /// Lines that are not as they were said last, of those whose turn it is.
    fn strange(&self, look: usize) -> Vec<(LineId, Level)> {
        let all = (0..).map(LineId).zip(self.levels.iter().zip(&self.driven)).enumerate();
        let due = all.filter(|(place, (_, (_, driven)))| **driven || place % TURNS == look % TURNS);
        let seen = due.filter_map(|(_, (line, (last, _)))| Some((line, *last, self.chips.level(line).ok()?)));
        seen.filter(|(_, last, level)| last != level).map(|(line, _, level)| (line, level)).collect()
    }
}

/// Open drain and open source: a write that is followed by letting go.
fn is_let_go(set: &Event, later: &[Event]) -> bool {
    let next = later.iter().take_while(|e| e.at.0 - set.at.0 < LET_GO_NS).find(|e| e.number == set.number);
    next.is_some_and(|next| next.what == What::Turned { drives: false })
}

/// Watches for ever, in a thread of its own.
///
/// # Errors
/// There is no thread to be had.
pub fn start(watch: Arc<Mutex<Watch>>, mut trace: Trace) -> io::Result<()> {
    thread("watch", move || {
        let (mut next, mut looks) = (now().0, 0_usize);
        loop {
            wait(&trace, next);
            turn(&watch, &mut trace, &mut next, &mut looks);
        }
    })
}

fn turn(watch: &Mutex<Watch>, trace: &mut Trace, next: &mut u64, looks: &mut usize) {
    let mut watch = lock(watch);
    let begun = now();
    tell_events(&mut watch, trace);
    if begun.0 < *next {
        return;
    }
    *next = (*next + LOOK_NS).max(begun.0 + LOOK_NS / 2);
    *looks = looks.wrapping_add(1);
    // What was written between the trace and the look is in the trace now. And the trace comes before the write:
    // who was stopped between the two by this very thread gets his turn first.
    if !watch.strange(*looks).is_empty() {
        rest_ms(WRITE_MS);
        tell_events(&mut watch, trace);
        let at = now();
        for (line, level) in watch.strange(*looks) {
            watch.note(line, level, at, Seen::Look);
        }
    }
    if looks.is_multiple_of(LOOKS_PER_MARK) {
        watch.port.say(&Word::Mark(begun));
    }
}

fn tell_events(watch: &mut Watch, trace: &mut Trace) {
    let mut events = Vec::new();
    if trace.drain(&mut events) {
        watch.port.say(&Word::Lost);
    }
    watch.happened(&events);
}

/// Until something happens or it is time to look.
fn wait(trace: &Trace, next: u64) {
    let left = i64::try_from(next.saturating_sub(now().0)).unwrap_or(0);
    let left = Timespec { tv_sec: left / 1_000_000_000, tv_nsec: left % 1_000_000_000 };
    let mut on = [PollFd::from_borrowed_fd(trace.wakes_by(), PollFlags::IN)];
    // An error is an early look.
    let _ = poll(&mut on, Some(&left));
}
