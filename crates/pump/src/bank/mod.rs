//! Relays and contacts.
//!
//! A bank is told the whole relay image each cycle and says what the lines and the contacts
//! say. It never decides anything, and never blocks.

mod drill;
mod gpio;
mod simulated;

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use thiserror::Error;
use vigia_core::board::{BankName, Lines};
use vigia_core::link::BankKind;
use vigia_core::pump::{Plan, RelayImage, SensorImage};
use vigia_core::time::Instant;

pub use drill::{Drill, DrillError, Trouble};
pub use gpio::{CONSUMER, Gpio, LineError, PadError, Place, SeenChip, SeenLine, find, look};
use simulated::Simulated;

/// Why there are no relays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BankError {
    #[error("--fault is for the simulated bank only")]
    DrillOnReal,
    #[error("the GPIO chips of this machine can't be looked at")]
    Look(#[source] gpiocdev::Error),
    #[error("{}", each(.0))]
    Lines(Vec<LineError>),
    #[error("{}", each(.0))]
    Pads(Vec<PadError>),
    #[error("the lines of {chip} can't be had")]
    Request { chip: String, source: gpiocdev::Error },
    #[error("relays can't be read back")]
    ReadBack(#[source] Errno),
    #[error("contacts can't be watched")]
    Wake(#[source] Errno),
}

fn each<E: ToString>(all: &[E]) -> String {
    all.iter().map(E::to_string).collect::<Vec<_>>().join("\n")
}

/// What the relays hang on.
#[derive(Debug)]
pub enum Bank {
    /// Asked for by name. No relay moves.
    Simulated(Box<Simulated>),
    Gpio(Box<Gpio>),
}

impl Bank {
    /// # Errors
    /// Lines cannot be had, or a drill was asked for on real relays.
    pub fn open(lines: &Lines, plan: &Plan, drills: &[Drill], now: Instant) -> Result<Self, BankError> {
        match lines.bank {
            BankName::Simulated => Ok(Self::Simulated(Box::new(Simulated::new(plan, drills, now)))),
            BankName::Gpio if !drills.is_empty() => Err(BankError::DrillOnReal),
            BankName::Gpio => Gpio::open(lines, now).map(|bank| Self::Gpio(Box::new(bank))),
        }
    }

    #[must_use]
    pub const fn kind(&self) -> BankKind {
        match self {
            Self::Simulated(_) => BankKind::Simulated,
            Self::Gpio(_) => BankKind::Gpio,
        }
    }

    /// All contacts at this moment, polarity applied.
    pub fn sensors(&mut self, now: Instant) -> SensorImage {
        match self {
            Self::Simulated(bank) => bank.sensors(now),
            Self::Gpio(bank) => bank.sensors(now),
        }
    }

    /// Writes all relays.
    ///
    /// # Errors
    /// The lines cannot be written; what they do then is unknown.
    pub fn write(&mut self, now: Instant, image: RelayImage) -> Result<(), Errno> {
        match self {
            Self::Simulated(bank) => {
                bank.write(now, image);
                Ok(())
            }
            Self::Gpio(bank) => bank.write(now, image),
        }
    }

    /// What the lines, or the relays' own contacts, say.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read_back(&mut self, now: Instant) -> Result<RelayImage, Errno> {
        match self {
            Self::Simulated(bank) => Ok(bank.read_back(now)),
            Self::Gpio(bank) => bank.read_back(now),
        }
    }

    /// After each complete healthy cycle; holds the watchdog relay.
    pub fn heartbeat(&mut self, now: Instant, beats: bool) {
        match self {
            Self::Simulated(bank) => bank.heartbeat(now, beats),
            Self::Gpio(bank) => bank.heartbeat(now, beats),
        }
    }

    /// Whether the watchdog relay is pulled, by its own contact. `None`: there is none.
    #[must_use]
    pub fn is_pulled(&self) -> Option<bool> {
        match self {
            Self::Simulated(bank) => Some(bank.is_pulled()),
            Self::Gpio(bank) => bank.is_pulled(),
        }
    }

    /// The level of the heartbeat line; `None`: there is none.
    #[must_use]
    pub fn is_beat_high(&self) -> Option<bool> {
        match self {
            Self::Simulated(_) => None,
            Self::Gpio(bank) => bank.is_beat_high(),
        }
    }

    /// Becomes readable when a contact changes, so that a stop need not wait for the next cycle.
    #[must_use]
    pub fn wakes_by(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Simulated(_) => None,
            Self::Gpio(bank) => Some(bank.wakes_by()),
        }
    }
}
