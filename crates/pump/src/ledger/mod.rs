//! Keeps the machine's ledger over crashes and power cuts, and never lets anybody wait.
//!
//! - The control thread writes each record at once to `--run` (memory): that outlives a kill.
//! - A thread of its own writes the newest record to `--state` and syncs it: that outlives the
//!   power. Two slots in turn, each with a generation and a checksum, so a cut leaves the one
//!   before whole.
//! - At the start the newest whole record of both places counts. None at all is a lost ledger,
//!   unless the box is marked as new ([`commission`]); the mark goes when the first record is
//!   on the disk.

mod slot;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use thiserror::Error;
use vigia_core::link::Keeping;
use vigia_core::pump::{LEDGER_BYTES, Ledger, Restored};
use vigia_core::time::Instant;

use slot::{Slots, newest};
use writer::Writer;

/// Says that a box has never run.
const NEW_BOX: &str = "new-box";
/// What is not on the disk by then is behind.
const BEHIND: Duration = Duration::from_secs(1);

/// Keeps records from now on.
#[derive(Debug)]
pub struct Keeper {
    /// `None`: memory refuses.
    near: Option<Slots>,
    writer: Writer,
    generation: u64,
    /// When the oldest record that is not on the disk was made.
    since: Option<Instant>,
    /// A record that the writer could not be given yet.
    waiting: Option<[u8; LEDGER_BYTES]>,
}

/// Why a box cannot be marked as new.
#[derive(Debug, Error)]
pub enum CommissionError {
    #[error("{0} holds a ledger: this box is not new; remove its files if they belong to another one")]
    NotNew(PathBuf),
    #[error("{path} cannot be written")]
    Io { path: PathBuf, source: std::io::Error },
}

/// Marks a box as new: its next start needs no ledger.
pub fn commission(state: &Path) -> Result<(), CommissionError> {
    let io = |source| CommissionError::Io { path: state.to_owned(), source };
    std::fs::create_dir_all(state).map_err(io)?;
    if slot::exist(state) {
        return Err(CommissionError::NotNew(state.to_owned()));
    }
    std::fs::write(state.join(NEW_BOX), "This box has never run.\n").map_err(io)?;
    std::fs::File::open(state).and_then(|dir| dir.sync_all()).map_err(io)
}

/// What there was before this start, and who keeps what comes.
///
/// # Errors
/// No thread can be started.
pub fn open(state: &Path, run: &Path, now: Instant) -> std::io::Result<(Keeper, Restored)> {
    let found = newest([state, run]);
    let generation = found.as_ref().map_or(0, |(generation, _)| *generation);
    let ledger = found.and_then(|(_, record)| Ledger::from_bytes(&record, now).ok());
    let restored = match ledger {
        Some(ledger) => Restored::Found(ledger),
        None if state.join(NEW_BOX).exists() && !slot::exist(state) && !slot::exist(run) => Restored::Fresh,
        None => Restored::Lost,
    };
    let writer = Writer::start(state.to_owned(), state.join(NEW_BOX))?;
    let near = Slots::open(run).ok();
    Ok((Keeper { near, writer, generation, since: None, waiting: None }, restored))
}

impl Keeper {
    /// Takes a record in. Afterwards it outlives this program; soon, the power.
    pub fn keep(&mut self, now: Instant, record: [u8; LEDGER_BYTES]) {
        self.generation += 1;
        if let Some(near) = &self.near {
            // Memory that refuses is shown by the book, which lies beside it.
            let _ = near.write(self.generation, &record);
        }
        self.since.get_or_insert(now);
        self.waiting = Some(record);
        self.hand_over();
    }

    /// Each cycle: hands over what could not be handed over.
    pub fn tend(&mut self) {
        if self.waiting.is_some() {
            self.hand_over();
        }
        if self.waiting.is_none() && self.writer.written() >= self.generation {
            self.since = None;
        }
    }

    fn hand_over(&mut self) {
        if let Some(record) = self.waiting.take()
            && !self.writer.offer(self.generation, record)
        {
            self.waiting = Some(record);
        }
    }

    #[must_use]
    pub fn state(&self, now: Instant) -> Keeping {
        match self.since {
            _ if self.error().is_some() => Keeping::Failing,
            None => Keeping::Written,
            Some(since) if now.since(since) > BEHIND => Keeping::Behind,
            Some(_) => Keeping::Pending,
        }
    }

    /// Why the disk refuses.
    #[must_use]
    pub fn error(&self) -> Option<Errno> {
        self.writer.error()
    }

    /// At the end of the program: waits for the disk, at most so long. Whether all is written.
    pub fn finish(mut self, at_most: Duration) -> bool {
        self.hand_over();
        self.writer.finish(self.generation, at_most)
    }
}
