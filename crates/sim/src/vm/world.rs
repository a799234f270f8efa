//! The loop that closes it: lines drive the plant, the plant's contacts pull lines.
//!
//! Its time is the host's. Edges come with the guest's, and count from when they were; the plant is never
//! taken further than to where the guest has told everything. A guest that has said nothing for half a second
//! is frozen: its lines stand still, and the world goes on without it.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::board::Level;
use vigia_core::pump::{Reading, RelayImage};
use vigia_core::time::Instant;

use super::clock::now;
use super::k0::{Change, ContactDelay, K0, K0_HOLDS};
use super::lines::{Lines, Place, Told, What};
use super::wire::LineId;
use super::wiring::{ContactWire, Switch, Wiring, other};
use crate::plant::Plant;

mod turning;

pub use turning::Turning;

/// Marks come each 40 ms; without a word for so long the guest is frozen, or has no power.
const SILENT: Duration = Duration::from_millis(500);
/// The guest's clock is looked at again so often.
const ASK_TIME: Duration = Duration::from_secs(1);
/// A flow meter gives twice the pulses that count as flow, and not fewer than this.
const PULSES_PER_S_MIN: u32 = 4;
/// A day of a pump that is never still.
const STORY_LEN_MAX: usize = 100_000;

/// What was really under power from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub at: Instant,
    /// What the lines ask for.
    pub asked: RelayImage,
    /// What the coils get.
    pub coils: RelayImage,
    pub is_k0_pulled: bool,
}

/// Plant, watchdog relay and wires around one board.
#[derive(Debug)]
pub struct World {
    pub plant: Plant,
    lines: Arc<Lines>,
    wiring: Wiring,
    place: Place,
    levels: Vec<Level>,
    k0: K0,
    delay: ContactDelay,
    /// Contacts on their way.
    due: Vec<(Instant, LineId, Level)>,
    /// How each line was pulled last.
    pulled: Vec<Option<Level>>,
    asked_time: Instant,
    story: Vec<Moment>,
}

impl World {
    /// Contacts stand as the plant's do from the first turn on.
    #[must_use]
    pub fn new(plant: Plant, wiring: Wiring, lines: Arc<Lines>, seed: u64) -> Self {
        let now = now();
        let levels = lines.layout().pulls();
        let mut world = Self {
            plant,
            wiring,
            place: lines.place(),
            pulled: vec![None; levels.len()],
            levels,
            lines,
            k0: K0::default(),
            delay: ContactDelay::new(seed),
            due: Vec::new(),
            asked_time: now,
            story: Vec::new(),
        };
        world.plant.pass(now);
        // Nothing beats yet.
        world.plant.heartbeat(Instant(0), false);
        if let Some(feedback) = world.master() {
            world.pull(feedback.line, other(feedback.active));
        }
        world.relays_at(now);
        world
    }

    /// What was under power since when, oldest first.
    #[must_use]
    pub fn story(&self) -> &[Moment] {
        &self.story
    }

    #[must_use]
    pub const fn is_k0_pulled(&self) -> bool {
        self.k0.is_pulled()
    }

    /// Takes in what the guest has told, lets time pass, and moves the contacts.
    pub fn turn(&mut self, now: Instant) {
        let (told, place) = self.lines.since(self.place);
        self.place = place;
        for told in told {
            self.take(&told);
        }
        let until = self.known_until(now);
        if let Some(change) = self.k0.passed(until) {
            self.master_changes(change);
        }
        self.plant.pass(until);
        self.feedback(until);
        self.contacts(now);
        self.deliver(now);
        if now.since(self.asked_time) >= ASK_TIME {
            self.asked_time = now;
            // Nobody there: asked again in a second.
            let _ = self.lines.ask_time();
        }
    }

    /// Up to when nothing more can come from the guest.
    fn known_until(&self, now: Instant) -> Instant {
        let (_, is_up) = self.lines.boots();
        if !is_up || now.since(self.lines.last_word()) >= SILENT {
            return now;
        }
        let mark = self.lines.clock().zip(self.lines.mark()).map(|(clock, mark)| clock.host(mark));
        mark.map_or(Instant(0), |mark| mark.min(now))
    }

    fn take(&mut self, told: &Told) {
        match &told.what {
            What::Up { levels, .. } => self.stand(&levels.clone(), told.heard),
            What::Gone => self.stand(&self.lines.layout().pulls(), told.heard),
            What::Turned { .. } => {}
            What::Edge(edge) => {
                let at = self.lines.clock().map_or(told.heard, |clock| clock.host(edge.at).min(told.heard));
                self.line(edge.line, edge.level, at);
            }
        }
    }

    /// All lines at once.
    fn stand(&mut self, levels: &[Level], at: Instant) {
        for (line, level) in (0..).map(LineId).zip(levels) {
            self.line(line, *level, at);
        }
    }

    fn line(&mut self, line: LineId, level: Level, at: Instant) {
        let Some(last) = self.levels.get_mut(usize::from(line.0)).filter(|last| **last != level) else {
            return;
        };
        *last = level;
        if self.wiring.master.as_ref().is_some_and(|master| master.heartbeat == line) {
            self.k0.edge(at).into_iter().flatten().for_each(|change| self.master_changes(change));
        }
        self.relays_at(at);
    }

    fn master_changes(&mut self, change: Change) {
        let (at, is_pulled) = match change {
            Change::Pulls(at) => (at, true),
            Change::Drops(at) => (at, false),
        };
        // The plant has a K0 of its own, which counts from the last edge.
        let since = if is_pulled { at } else { Instant(at.0.saturating_sub(Self::HOLDS_NS)) };
        self.plant.pass(at);
        self.plant.heartbeat(since, is_pulled);
        if let Some(feedback) = self.master() {
            let level = if is_pulled { feedback.active } else { other(feedback.active) };
            let due = self.delay.after(at);
            self.due.push((due, feedback.line, level));
        }
        self.relays_at(at);
    }

    #[expect(clippy::cast_possible_truncation, reason = "300 ms")]
    const HOLDS_NS: u64 = K0_HOLDS.as_nanos() as u64;

    fn master(&self) -> Option<Switch> {
        self.wiring.master.as_ref().map(|master| master.feedback)
    }

    fn relays_at(&mut self, at: Instant) {
        let is_k0_pulled = self.wiring.master.is_none() || self.k0.is_pulled();
        let asked = self.wiring.asked(&self.levels);
        let coils = self.wiring.coils(asked, is_k0_pulled);
        self.plant.advance(at, &asked);
        let moment = Moment { at, asked, coils, is_k0_pulled };
        let is_new = self.story.last().is_none_or(|last| Moment { at, ..*last } != moment);
        if is_new && self.story.len() < STORY_LEN_MAX {
            self.story.push(moment);
        }
    }

    /// The relays' own contacts follow their coils.
    fn feedback(&mut self, at: Instant) {
        let closed = self.plant.feedback();
        let relays = self.wiring.relays.iter().filter_map(|w| Some((w.output, w.feedback?)));
        let wanted: Vec<_> = relays
            .map(|(output, f)| (f.line, if closed.is_on(output) { f.active } else { other(f.active) }))
            .collect();
        for (line, level) in wanted {
            let last = self.due.iter().rev().find(|(_, l, _)| *l == line).map(|(.., level)| *level);
            if last.or_else(|| self.pulled(line)) != Some(level) {
                let due = self.delay.after(at);
                self.due.push((due, line, level));
            }
        }
    }

    fn contacts(&mut self, now: Instant) {
        let image = self.plant.sensors();
        for place in 0..self.wiring.contacts.len() {
            let wire = self.wiring.contacts[place];
            let reading = image.get(wire.sensor);
            let (level, complement) = wire.levels(reading);
            let level = if reading == Reading::Active { pulse(&wire, level, now) } else { level };
            self.pull(wire.switch.line, level);
            if let Some(line) = wire.complement {
                self.pull(line, complement);
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        let (ready, waiting) = self.due.iter().partition(|(due, ..)| *due <= now);
        self.due = waiting;
        let ready: Vec<(Instant, LineId, Level)> = ready;
        for (_, line, level) in ready {
            self.pull(line, level);
        }
    }

    fn pulled(&self, line: LineId) -> Option<Level> {
        self.pulled.get(usize::from(line.0)).copied().flatten()
    }

    fn pull(&mut self, line: LineId, level: Level) {
        if let Some(last) = self.pulled.get_mut(usize::from(line.0)).filter(|last| **last != Some(level)) {
            *last = Some(level);
            // A guest that goes away at this moment: the next one is told.
            let _ = self.lines.push(line, level);
        }
    }
}

/// A contact that gives pulses is closed half of the time.
fn pulse(wire: &ContactWire, active: Level, now: Instant) -> Level {
    let Some(least) = wire.pulses_per_s_min else { return active };
    let half_ns = 1_000_000_000 / (u64::from((2 * least).max(PULSES_PER_S_MIN)) * 2);
    if (now.0 / half_ns).is_multiple_of(2) { active } else { other(active) }
}

#[cfg(test)]
mod tests;
