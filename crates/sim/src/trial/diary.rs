//! What happened, for whoever must understand a failure.

use std::fmt;
use std::time::Duration;

use vigia_core::consensus::Sight;
use vigia_core::pump::{Event, RelayImage};
use vigia_core::time::Instant;

use super::script::Deed;

/// How many entries a report keeps where nobody asked for all of them.
const KEPT_LEN: usize = 30;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note {
    Deed(Deed),
    Pump(Event),
    Relays(RelayImage),
    PumpStarts,
    PumpDies,
    VigiaStarts,
    VigiaDies,
    Sight { camera: usize, sight: Sight },
    Confirmed(u64),
    Ended(u64),
    Acknowledged(u64),
    Quorum(bool),
    Everything(&'static str),
}

/// One line of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Of the trial, counted from one.
    pub step: u64,
    pub at: Instant,
    pub note: Note,
}

/// The last entries, or all of them.
#[derive(Debug, Clone)]
pub(super) struct Diary {
    all: bool,
    entries: Vec<Entry>,
    next: usize,
}

impl Diary {
    pub fn new(all: bool) -> Self {
        Self { all, entries: Vec::with_capacity(KEPT_LEN), next: 0 }
    }

    pub fn write(&mut self, step: u64, at: Instant, note: Note) {
        let entry = Entry { step, at, note };
        if self.all || self.entries.len() < KEPT_LEN {
            self.entries.push(entry);
        } else if let Some(slot) = self.entries.get_mut(self.next) {
            *slot = entry;
            self.next = (self.next + 1) % KEPT_LEN;
        }
    }

    /// In the order of time.
    pub fn read(mut self) -> Vec<Entry> {
        self.entries.rotate_left(self.next);
        self.entries
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Duration::from_nanos(self.at.0).as_secs_f64();
        write!(f, "{:>6} {at:>10.2} s  ", self.step)?;
        match self.note {
            Note::Deed(deed) => write!(f, "     world  {deed:?}"),
            Note::Pump(event) => write!(f, "      pump  {event:?}"),
            Note::Relays(image) => write!(f, "    relays  {image:?}"),
            Note::PumpStarts => f.write_str("      pump  starts"),
            Note::PumpDies => f.write_str("      pump  dies"),
            Note::VigiaStarts => f.write_str("     vigia  starts"),
            Note::VigiaDies => f.write_str("     vigia  dies"),
            Note::Sight { camera, sight } => write!(f, "     vigia  camera {camera} {}", sight.words()),
            Note::Confirmed(id) => write!(f, "     vigia  FIRE {id}"),
            Note::Ended(id) => write!(f, "     vigia  fire {id} ended"),
            Note::Acknowledged(id) => write!(f, "     vigia  fire {id} taken over"),
            Note::Quorum(is) => write!(f, "     vigia  quorum {is}"),
            Note::Everything(what) => write!(f, "         -  {what}"),
        }
    }
}
