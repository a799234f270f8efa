//! What others are told: status, and what stands around the machine.

use vigia_core::link::{
    ALIVE_EVERY, Detection, Keeping, PanelImage, SILENT_MAX, SeenImage, Status, WatchdogRelay,
};
use vigia_core::pump::{Condition, Event, Fault, Purpose, RelayImage, SensorImage, StateName};
use vigia_core::time::Instant;

use super::Owner;
use super::watchdog::Seen;
use crate::voice::Note;

/// What was said last.
#[derive(Debug, Default)]
pub struct Published {
    /// Without anything new.
    next: Option<Instant>,
    face: Option<Face>,
    pub is_due: bool,
}

/// The part of the status whose change is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Face {
    state: StateName,
    epoch: u32,
    purpose: Option<Purpose>,
    fault: Option<Fault>,
    relays: RelayImage,
    read_back: RelayImage,
    sensors: SensorImage,
    seen: SeenImage,
    panel: PanelImage,
    armed: bool,
    self_tested: bool,
    watchdog_fed: bool,
    watchdog: WatchdogRelay,
    detection: Detection,
    failing: bool,
}

impl Owner {
    /// How well fires are looked for, and what is wrong with ledger and book.
    pub(super) fn look_around(&mut self, now: Instant) {
        let parts = &mut self.parts;
        parts.desk.look_after(now, &mut parts.voice);
        let detection = match parts.desk.alive() {
            Some((at, alive)) if now.since(at) <= SILENT_MAX => {
                if alive.is_whole() {
                    Detection::Whole
                } else {
                    Detection::Impaired
                }
            }
            Some(_) | None => Detection::Silent,
        };
        if detection != self.detection {
            self.detection = detection;
            parts.voice.note(now, Note::Detection(detection));
        }
        let error = parts.keeper.error();
        if error.is_some() != self.has_ledger_failed {
            self.has_ledger_failed = error.is_some();
            parts.voice.note(now, error.map_or(Note::LedgerWrites, Note::LedgerFails));
        }
        if let Some(e) = parts.book.take_error() {
            parts.voice.note(now, Note::BookFails(e));
        }
        self.look_at_watchdog(now);
        self.look_at_gap(now);
    }

    /// The relay that makes the pump safe without this program: broken, it is missed only then.
    fn look_at_watchdog(&mut self, now: Instant) {
        if !self.self_test.has_passed() {
            return;
        }
        let (is_fed, is_pulled) = (self.beats, self.parts.bank.is_pulled());
        let seen = Seen { is_fed, is_pulled, may_be_cut: self.may_be_cut() };
        let Some(has_failed) = self.watchdog.look(now, seen) else { return };
        let condition = Condition::WatchdogRelay;
        self.parts.voice.note(now, Note::WatchdogRelay { has_failed });
        let event = if has_failed { Event::Raised { condition } } else { Event::Restored { condition } };
        self.enter(now, event, self.moment());
    }

    /// Events were lost: raised when it begins, over when everything since was acknowledged.
    fn look_at_gap(&mut self, now: Instant) {
        let condition = Condition::EventsLost;
        let lost = self.parts.book.lost();
        if lost > self.lost_seen && !self.has_gap {
            self.has_gap = true;
            self.parts.voice.note(now, Note::EventsLost { so_far: lost });
            self.enter(now, Event::Raised { condition }, self.moment());
        } else if self.has_gap && self.parts.book.waiting_len() == 0 {
            self.has_gap = false;
            self.enter(now, Event::Restored { condition }, self.moment());
        }
        self.lost_seen = self.parts.book.lost();
    }

    pub(super) fn publish(&mut self, now: Instant) {
        let answered = std::mem::take(&mut self.answers.len);
        for slot in self.answers.list.iter_mut().take(answered) {
            if let Some(answer) = slot.take() {
                self.parts.desk.answer(now, answer, &mut self.parts.voice);
            }
        }
        let status = self.status(now);
        let face = face(&status);
        let is_news = self.published.face != Some(face);
        let is_due = self.published.is_due || self.published.next.is_none_or(|at| at <= now);
        let said = (is_news || is_due).then_some(&status);
        self.parts.desk.publish(now, &self.parts.book, said);
        if said.is_some() {
            let next = Some(now.after(ALIVE_EVERY));
            self.published = Published { next, face: Some(face), is_due: false };
        }
    }

    fn status(&self, now: Instant) -> Status {
        let machine = &self.parts.machine;
        let panel = PanelImage::from(machine.panel());
        let panel = if self.has_gap { panel.raising(Condition::EventsLost) } else { panel };
        let panel = if self.watchdog.has_failed() { panel.raising(Condition::WatchdogRelay) } else { panel };
        let keeping = self.parts.keeper.state(now);
        Status {
            at: now,
            now: self.moment(),
            purpose: machine.status().purpose,
            panel,
            sensors: self.sensors,
            read_back: self.read,
            bank: self.parts.bank.kind(),
            self_tested: self.self_test.has_passed(),
            watchdog_fed: self.beats,
            detection: self.detection,
            ledger: keeping,
            runs: machine.ledger().runs(),
            starts_spent: u8::try_from(machine.ledger().starts_spent()).unwrap_or(u8::MAX),
            last_event: self.parts.book.last(),
            events_unacknowledged: self.parts.book.waiting_len(),
            events_lost: self.parts.book.lost(),
            frames_refused: self.parts.desk.refused(),
            late_us_p999: self.lateness.p999_us(),
            late_us_max: self.lateness.max_us(),
            late_cycles: self.late_cycles,
            cycles: self.cycles,
            watchdog: match self.parts.bank.is_pulled() {
                None => WatchdogRelay::NotFitted,
                Some(false) => WatchdogRelay::Fallen,
                Some(true) => WatchdogRelay::Pulled,
            },
            memory_locked: self.parts.privileges.memory_locked,
            realtime: self.parts.privileges.realtime,
        }
    }
}

fn face(status: &Status) -> Face {
    Face {
        state: status.now.state,
        epoch: status.now.epoch,
        purpose: status.purpose,
        fault: status.now.fault,
        relays: status.now.relays,
        read_back: status.read_back,
        sensors: status.sensors,
        seen: status.now.seen,
        panel: status.panel,
        armed: status.now.armed,
        self_tested: status.self_tested,
        watchdog_fed: status.watchdog_fed,
        watchdog: status.watchdog,
        detection: status.detection,
        failing: matches!(status.ledger, Keeping::Behind | Keeping::Failing),
    }
}
