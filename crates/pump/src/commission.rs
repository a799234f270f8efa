//! Commissioning by hand: one relay at a time, the watchdog relay by itself, contacts live.
//!
//! It has the lines to itself, as the program has: where `vigia-pump` runs, and so may be armed,
//! nothing here can be opened. No order of its own: at most one relay is on, for a bounded time,
//! and all are at rest when a [`Commissioning`] is dropped.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use thiserror::Error;
use vigia_core::board::{BankName, Lines};
use vigia_core::pump::{Output, RelayImage, SensorImage};
use vigia_core::time::Instant;

use crate::bank::{BankError, Gpio};
use crate::clock;
use crate::run::{RunError, lock};
use crate::settings::{self, SettingsError};

/// From look to look.
const EVERY: Duration = Duration::from_millis(2);
/// Longer than any relay takes.
const PATIENCE: Duration = Duration::from_secs(1);
/// A relay is on for so long, at most.
pub const HOLD_MAX: Duration = Duration::from_secs(5);

/// Why it cannot be begun, or went wrong.
#[derive(Debug, Error)]
pub enum CommissionError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{file}: lines.bank is simulated: there is nothing to be clicked; name the board's own file")]
    Simulated { file: String },
    #[error("vigia-pump is running, and may be armed: stop it first (systemctl stop vigia-pump)")]
    Armed,
    #[error(transparent)]
    Folder(RunError),
    #[error("{file}")]
    Bank { file: String, source: BankError },
    #[error("the lines can't be written or read")]
    Lines(#[source] Errno),
    #[error("the board has no relay {0}")]
    NoRelay(&'static str),
    #[error(
        "the watchdog relay K0 does not come with the heartbeat, so nothing behind it can be clicked: \
             is the stop released, the selector at AUTO, K0's supply there?"
    )]
    NoMaster,
    #[error("stopped")]
    Stopped,
}

/// What a click showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Click {
    /// The line read as it was written, on and off.
    pub line_follows: bool,
    /// The relay's own contact; `None` where none is fitted.
    pub contact: Option<Contact>,
}

/// How long a contact took; `None`: it did not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    pub comes: Option<Duration>,
    pub leaves: Option<Duration>,
}

/// What the watchdog relay showed; `None`: not in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Master {
    /// From the first edge.
    pub comes: Option<Duration>,
    /// From the last edge, which left the line low.
    pub falls_low: Option<Duration>,
    /// The same, and it left the line high.
    pub falls_high: Option<Duration>,
}

/// The board's lines, in the hands of a technician.
#[derive(Debug)]
pub struct Commissioning {
    gpio: Gpio,
    lines: Lines,
    stop: Arc<AtomicBool>,
    _lock: File,
}

impl Commissioning {
    /// `stop`: becomes true when the technician wants to end, e.g. by Ctrl-C.
    ///
    /// # Errors
    /// `vigia-pump` runs, or something is wrong with the board's file or lines.
    pub fn open(hardware: &Path, run: &Path, stop: Arc<AtomicBool>) -> Result<Self, CommissionError> {
        let lines = settings::load_board(hardware)?;
        let file = hardware.display().to_string();
        if lines.bank == BankName::Simulated {
            return Err(CommissionError::Simulated { file });
        }
        let lock = lock(run).map_err(|e| match e {
            RunError::Running(_) => CommissionError::Armed,
            other => CommissionError::Folder(other),
        })?;
        let gpio =
            Gpio::open(&lines, clock::now()).map_err(|source| CommissionError::Bank { file, source })?;
        Ok(Self { gpio, lines, stop, _lock: lock })
    }

    #[must_use]
    pub const fn lines(&self) -> &Lines {
        &self.lines
    }

    /// All contacts at this moment.
    pub fn contacts(&mut self) -> SensorImage {
        self.gpio.sensors(clock::now())
    }

    /// Waits for a change of a contact, or for so long.
    pub fn wait(&self, time: Duration) {
        let wakes = self.gpio.wakes_by();
        let mut fds = [PollFd::new(&wakes, PollFlags::IN)];
        // A signal ends it early, and that is as well.
        let _ = poll(&mut fds, Some(&clock::timespec(time)));
    }

    /// Energises one relay for `hold`, with K0 pulled if it hangs behind that.
    ///
    /// # Errors
    /// There is no such relay, K0 does not come, the lines cannot be written, or it was stopped.
    /// The relay is at rest in each case.
    pub fn click(&mut self, output: Output, hold: Duration) -> Result<Click, CommissionError> {
        if !self.lines.relays.iter().any(|relay| relay.output == output) {
            return Err(CommissionError::NoRelay(output.name()));
        }
        let beats = self.lines.watchdog.as_ref().is_some_and(|w| w.behind.contains(&output));
        let outcome = self.pull(beats).and_then(|()| self.clicked(output, hold.min(HOLD_MAX), beats));
        // In any case, and before anybody is asked anything.
        let rest = self.gpio.write(clock::now(), RelayImage::NONE).map_err(CommissionError::Lines);
        outcome.and_then(|click| rest.map(|()| click))
    }

    fn pull(&mut self, beats: bool) -> Result<(), CommissionError> {
        if beats && self.until(RelayImage::NONE, true, |this| this.gpio.is_pulled() == Some(true))?.is_none()
        {
            return Err(CommissionError::NoMaster);
        }
        Ok(())
    }

    fn clicked(&mut self, output: Output, hold: Duration, beats: bool) -> Result<Click, CommissionError> {
        let on = RelayImage::read_back(|o| o == output);
        let has_contact = self.gpio.contact(output).is_some();
        let comes = self.until(on, beats, |this| this.gpio.contact(output) != Some(false))?;
        let begin = clock::now();
        while clock::now().since(begin) < hold {
            self.turn(on, beats)?;
        }
        let was_on = self.line_is(output)?;
        let leaves = self.until(RelayImage::NONE, beats, |this| this.gpio.contact(output) != Some(true))?;
        let is_off = !self.line_is(output)?;
        let contact = has_contact.then_some(Contact { comes, leaves });
        Ok(Click { line_follows: was_on && is_off, contact })
    }

    /// By its line alone where no contact is fitted, by its contact else.
    fn line_is(&mut self, output: Output) -> Result<bool, CommissionError> {
        Ok(self.gpio.read_back(clock::now()).map_err(CommissionError::Lines)?.is_on(output))
    }

    /// Lets K0 come and fall, with the heartbeat line at rest at one level and at the other.
    ///
    /// # Errors
    /// The lines cannot be written, or it was stopped.
    pub fn master(&mut self) -> Result<Option<Master>, CommissionError> {
        if self.gpio.is_pulled().is_none() {
            return Ok(None);
        }
        let comes = self.comes()?;
        let falls_low = self.falls(false)?;
        self.comes()?;
        let falls_high = self.falls(true)?;
        Ok(Some(Master { comes, falls_low, falls_high }))
    }

    fn comes(&mut self) -> Result<Option<Duration>, CommissionError> {
        self.until(RelayImage::NONE, true, |this| this.gpio.is_pulled() == Some(true))
    }

    /// From the edge that left the line at `high`.
    fn falls(&mut self, high: bool) -> Result<Option<Duration>, CommissionError> {
        self.until(RelayImage::NONE, true, |this| this.gpio.is_beat_high() != Some(high))?;
        self.until(RelayImage::NONE, true, |this| this.gpio.is_beat_high() == Some(high))?;
        self.until(RelayImage::NONE, false, |this| this.gpio.is_pulled() == Some(false))
    }

    /// How long it took until `is` held; `None`: not in [`PATIENCE`].
    fn until(
        &mut self,
        image: RelayImage,
        beats: bool,
        is: impl Fn(&Self) -> bool,
    ) -> Result<Option<Duration>, CommissionError> {
        let begin = clock::now();
        loop {
            let now = self.turn(image, beats)?;
            if is(self) {
                return Ok(Some(now.since(begin)));
            }
            if now.since(begin) > PATIENCE {
                return Ok(None);
            }
        }
    }

    fn turn(&mut self, image: RelayImage, beats: bool) -> Result<Instant, CommissionError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(CommissionError::Stopped);
        }
        let now = clock::now();
        self.gpio.write(now, image).map_err(CommissionError::Lines)?;
        self.gpio.heartbeat(now, beats);
        self.wait(EVERY);
        let now = clock::now();
        let _contacts = self.gpio.sensors(now);
        Ok(now)
    }
}

impl Drop for Commissioning {
    fn drop(&mut self) {
        // What cannot be written cannot be helped; K0 falls by itself.
        let _ = self.gpio.write(clock::now(), RelayImage::NONE);
    }
}
