//! What a board has: a line for each relay and each contact, and how it is wired.
//!
//! The board's file (`hardware/*.yaml`, key `lines`) names lines; the site's plan names
//! relays and contacts. [`check`] brings both together: every relay and contact of the plan
//! has a line, no line has two jobs, and what the plan says about a cut wire is what the
//! wiring makes of it.

mod check;
mod raw;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use check::{check, read};
pub use raw::{
    BankName, Bias, Drive, Level, RawContact, RawFeedback, RawHeartbeat, RawLines, RawMaster, RawPad,
    RawPads, RawPlace, RawRelay, RawWatchdog,
};

use crate::pump::{Output, Sensor};

/// A relay that takes longer to say where it stands has failed: the machine waits 250 ms.
pub const FEEDBACK_MS_MAX: i64 = 200;

/// The kernel's own debouncing; longer is the plan's `debounce_ms`.
pub const DEBOUNCE_MS_MAX: i64 = 200;
/// Faster is no flow switch.
pub const PULSES_PER_S_MAX: i64 = 1000;

/// One line of one chip.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// `None`: the name is the only one on this board.
    pub chip: Option<String>,
    pub name: String,
    /// What its number must be.
    pub offset: Option<u32>,
}

/// A relay's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    pub output: Output,
    pub line: Line,
    /// The level that energises it.
    pub active: Level,
    pub drive: Drive,
    pub feedback: Option<Feedback>,
    pub pad: Option<RawPad>,
}

/// The contact by which a relay says where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    pub line: Line,
    pub active: Level,
    /// From the coil to the contact.
    pub delay: Duration,
}

/// A contact's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub sensor: Sensor,
    pub line: Line,
    pub active: Level,
    pub bias: Bias,
    pub debounce: Duration,
    /// Says the opposite; both the same is a cut or shorted wire.
    pub complement: Option<Line>,
    pub pulses_per_s_min: Option<u32>,
}

/// The watchdog relay K0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    pub heartbeat: Line,
    pub pad: Option<RawPad>,
    pub feedback: Line,
    /// The level at which it is pulled.
    pub active: Level,
    pub behind: Vec<Output>,
}

/// All lines, checked. Made by [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    pub bank: BankName,
    pub relays: Vec<Relay>,
    pub contacts: Vec<Contact>,
    pub watchdog: Option<Watchdog>,
    /// Folder of the pin controller.
    pub pads: Option<String>,
}
