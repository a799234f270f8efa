//! Relays and contacts.
//!
//! A bank is told the whole relay image each cycle and says what the lines and the contacts
//! say. It never decides anything, and never blocks. Real lines join here as another variant;
//! what they need is drawn by [`Bank`]'s functions: open before anything is driven, sensors,
//! write, read back, heartbeat, and a file descriptor that wakes the cycle on an edge.

mod drill;
mod simulated;

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use thiserror::Error;
use vigia_core::board::{BankName, Lines};
use vigia_core::link::BankKind;
use vigia_core::pump::{Plan, RelayImage, SensorImage};
use vigia_core::time::Instant;

pub use drill::{Drill, DrillError, Trouble};
use simulated::Simulated;

/// Why there are no relays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BankError {
    #[error(
        "lines.bank is gpio: real lines come with the gpio bank of this build, which is not built in; \
         say --bank simulated to run without any relay"
    )]
    NotBuiltIn,
    #[error("--fault is for the simulated bank only")]
    DrillOnReal,
}

/// What the relays hang on.
#[derive(Debug)]
pub enum Bank {
    /// Asked for by name. No relay moves.
    Simulated(Box<Simulated>),
}

impl Bank {
    /// # Errors
    /// There is no such bank, or a drill was asked for on real relays.
    pub fn open(lines: &Lines, plan: &Plan, drills: &[Drill], now: Instant) -> Result<Self, BankError> {
        match lines.bank {
            BankName::Simulated => Ok(Self::Simulated(Box::new(Simulated::new(plan, drills, now)))),
            BankName::Gpio if !drills.is_empty() => Err(BankError::DrillOnReal),
            BankName::Gpio => Err(BankError::NotBuiltIn),
        }
    }

    #[must_use]
    pub const fn kind(&self) -> BankKind {
        match self {
            Self::Simulated(_) => BankKind::Simulated,
        }
    }

    /// All contacts at this moment, polarity applied.
    pub fn sensors(&mut self, now: Instant) -> SensorImage {
        match self {
            Self::Simulated(bank) => bank.sensors(now),
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
        }
    }

    /// What the lines, or the relays' own contacts, say.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read_back(&mut self, now: Instant) -> Result<RelayImage, Errno> {
        match self {
            Self::Simulated(bank) => Ok(bank.read_back(now)),
        }
    }

    /// After each complete healthy cycle; holds the watchdog relay.
    pub fn heartbeat(&mut self, now: Instant, beats: bool) {
        match self {
            Self::Simulated(bank) => bank.heartbeat(now, beats),
        }
    }

    /// Becomes readable when a contact changes, so that a stop need not wait for the next cycle.
    #[must_use]
    pub const fn wakes_by(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Simulated(_) => None,
        }
    }
}
