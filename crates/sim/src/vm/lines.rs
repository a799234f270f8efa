//! The host's end of the lines: pulls, commands, and every edge with its time.
//!
//! It outlives the machine: one guest after the other comes up, says how its lines stand, and is told at
//! once how the world pulls them. Only then do the guest's own programs start.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;
use vigia_core::board::Level;
use vigia_core::time::Instant;

use super::clock::GuestClock;
use super::layout::Layout;
use super::wire::{Answer, Ask, Edge, GuestTime, LineId, Ran, Spread};

mod heard;
mod shared;

use heard::Heard;
pub use heard::{Place, Told, What};
use shared::{Shared, lock};

/// Under emulation, beside a busy host, an answer may take its time.
const ANSWER: Duration = Duration::from_secs(20);
/// Why something could not be asked or was not seen.
#[derive(Debug, Error)]
pub enum LinesError {
    #[error("can't listen on {}: {source}", path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("no guest is up: start the machine and wait for it")]
    NotUp,
    #[error("the guest went away over it")]
    Cut,
    #[error("no answer within {} s: the guest hangs, or the host is too busy", .0.as_secs())]
    Silent(Duration),
    #[error("the guest refuses: {0}")]
    Refused(String),
    #[error("the guest's answer does not fit the question")]
    Strange,
    #[error("{what} was not seen within {:.1} s", limit.as_secs_f64())]
    NotSeen { what: String, limit: Duration },
}

/// The other end of the guest's agent.
#[derive(Debug)]
pub struct Lines {
    shared: Arc<Shared>,
    socket: PathBuf,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    /// Listens for the machine, which is to be started with this socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(socket: &Path, layout: Layout) -> Result<Self, LinesError> {
        let failed = |source| LinesError::Listen { path: socket.to_owned(), source };
        // One that a killed run left behind.
        let _ = fs::remove_file(socket);
        let listener = UnixListener::bind(socket).map_err(failed)?;
        let shared = Arc::new(Shared::new(layout));
        let reading = Arc::clone(&shared);
        let reader = thread::Builder::new().name("lines".to_owned()).spawn(move || reading.accept(&listener));
        Ok(Self { shared, socket: socket.to_owned(), reader: Some(reader.map_err(failed)?) })
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    /// Pulls a line as the world does, and says when by the guest's clock.
    ///
    /// # Errors
    /// No guest is up, it goes away, or it does not answer.
    pub fn pull(&self, line: LineId, to: Level) -> Result<GuestTime, LinesError> {
        let number = self.shared.pull(line, to)?.ok_or(LinesError::NotUp)?;
        match self.answer(number, ANSWER)? {
            (at, Answer::Done) => Ok(at),
            (_, other) => Err(strange(other)),
        }
    }

    /// As [`Lines::pull`], without waiting; the next guest learns it in any case.
    ///
    /// # Errors
    /// The guest goes away at this moment.
    pub fn push(&self, line: LineId, to: Level) -> Result<(), LinesError> {
        self.shared.pull(line, to).map(drop)
    }

    /// Runs a command of the guest's shell to its end, and kills it after `limit`.
    ///
    /// # Errors
    /// No guest is up, it goes away, or it does not answer in time.
    pub fn run(&self, command: &str, limit: Duration) -> Result<Ran, LinesError> {
        let number = self.shared.send(Ask::Run { limit, command: command.to_owned() })?;
        match self.answer(number, limit + ANSWER)? {
            (_, Answer::Ran(ran)) => Ok(ran),
            (_, other) => Err(strange(other)),
        }
    }

    /// Starts a command that goes on by itself. It leads a process group of its own.
    ///
    /// # Errors
    /// As of [`Lines::run`].
    pub fn leave(&self, command: &str) -> Result<u32, LinesError> {
        let number = self.shared.send(Ask::Leave { command: command.to_owned() })?;
        match self.answer(number, ANSWER)? {
            (_, Answer::Left { pid }) => Ok(pid),
            (_, other) => Err(strange(other)),
        }
    }

    /// For a command after which there is no guest to answer.
    ///
    /// # Errors
    /// No guest is up.
    pub fn throw(&self, command: &str) -> Result<(), LinesError> {
        self.shared.send(Ask::Leave { command: command.to_owned() }).map(drop)
    }

    /// How late the guest wakes after sleeps of 1 ms, so many times.
    ///
    /// # Errors
    /// As of [`Lines::run`].
    pub fn jitter(&self, samples: u32) -> Result<Spread, LinesError> {
        let number = self.shared.send(Ask::Jitter { samples })?;
        // A starved emulator takes many times a millisecond for each.
        let limit = ANSWER + Duration::from_millis(20) * samples;
        match self.answer(number, limit)? {
            (_, Answer::Jitter(spread)) => Ok(spread),
            (_, other) => Err(strange(other)),
        }
    }

    /// Asks the guest for its time, and says it. The clock gets better by it.
    ///
    /// # Errors
    /// As of [`Lines::run`].
    pub fn time(&self) -> Result<GuestTime, LinesError> {
        let number = self.shared.ask_time()?;
        self.answer(number, ANSWER).map(|(at, _)| at)
    }

    /// As [`Lines::time`], without waiting.
    ///
    /// # Errors
    /// No guest is up.
    pub fn ask_time(&self) -> Result<(), LinesError> {
        self.shared.ask_time().map(drop)
    }

    /// The guest's clock; `None` until it has answered once.
    #[must_use]
    pub fn clock(&self) -> Option<GuestClock> {
        self.heard().clock()
    }

    /// Up to when by the guest's clock everything has been told.
    #[must_use]
    pub fn mark(&self) -> Option<GuestTime> {
        self.heard().mark
    }

    /// How long the guest's most urgent thread did not run, at worst, since this was asked for last: the emulator's
    /// time, or the host's, and nothing that a program in the guest could do.
    #[must_use]
    pub fn take_stall(&self) -> Duration {
        std::mem::take(&mut self.heard().stood_still)
    }

    /// The guest's last word, of whatever kind: marks come each 40 ms.
    #[must_use]
    pub fn last_word(&self) -> Instant {
        self.heard().last_word
    }

    /// So many guests have come up, and whether one is up now.
    #[must_use]
    pub fn boots(&self) -> (u32, bool) {
        let heard = self.heard();
        (heard.boots, heard.is_up)
    }

    /// Edges that are missing, and words that nobody understood: none, unless power was cut.
    #[must_use]
    pub fn troubles(&self) -> (u32, u32) {
        let heard = self.heard();
        (heard.lost, heard.garbled)
    }

    #[must_use]
    pub fn level(&self, line: LineId) -> Option<Level> {
        self.heard().levels.get(usize::from(line.0)).copied()
    }

    /// From now on.
    #[must_use]
    pub fn place(&self) -> Place {
        self.heard().place()
    }

    /// What was told from a place on, and the place after it.
    #[must_use]
    pub fn since(&self, place: Place) -> (Vec<Told>, Place) {
        let heard = self.heard();
        (heard.since(place).cloned().collect(), heard.place())
    }

    /// The first that fits of what was and will be told from a place on.
    ///
    /// # Errors
    /// It did not come within `limit`; `what` is for the message.
    pub fn wait<T>(
        &self,
        from: Place,
        what: &str,
        limit: Duration,
        fits: impl Fn(&Told) -> Option<T>,
    ) -> Result<T, LinesError> {
        self.wait_until(limit, |heard| heard.since(from).find_map(&fits))
            .ok_or_else(|| LinesError::NotSeen { what: what.to_owned(), limit })
    }

    /// The first edge of a line to this level from a place on.
    ///
    /// # Errors
    /// It did not come within `limit`.
    pub fn wait_for(
        &self,
        line: LineId,
        level: Level,
        from: Place,
        limit: Duration,
    ) -> Result<Edge, LinesError> {
        let what = format!("{} {}", self.layout().name(line), level.name());
        self.wait(from, &what, limit, |told| match &told.what {
            What::Edge(edge) if edge.line == line && edge.level == level => Some(*edge),
            _ => None,
        })
    }

    /// Waits for the guest after the first `boots` ones, and for its clock. Says when it came up.
    ///
    /// # Errors
    /// It did not within `limit`.
    pub fn wait_up(&self, boots: u32, limit: Duration) -> Result<GuestTime, LinesError> {
        let up = self.wait_until(limit, |heard| {
            let is = heard.is_up && heard.boots > boots && heard.clock().is_some();
            let last = |told: &Told| match told.what {
                What::Up { at, .. } if told.boot == heard.boots => Some(at),
                _ => None,
            };
            is.then(|| heard.all().rev().find_map(last)).flatten()
        });
        up.ok_or_else(|| LinesError::NotSeen { what: "a guest that is up".to_owned(), limit })
    }

    fn answer(&self, number: u32, limit: Duration) -> Result<(GuestTime, Answer), LinesError> {
        let (boots, _) = self.boots();
        let answer = self.wait_until(limit, |heard| {
            let is_gone = !heard.is_up || heard.boots != boots;
            heard.answer(number).map(Ok).or_else(|| is_gone.then_some(Err(LinesError::Cut)))
        });
        answer.unwrap_or(Err(LinesError::Silent(limit)))
    }

    fn wait_until<T>(&self, limit: Duration, mut is: impl FnMut(&mut Heard) -> Option<T>) -> Option<T> {
        let mut found = None;
        let waits = |heard: &mut Heard| {
            found = is(heard);
            found.is_none()
        };
        let heard = self.heard();
        let _ = self.shared.changed.wait_timeout_while(heard, limit, waits);
        found
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.shared.heard)
    }
}

fn strange(answer: Answer) -> LinesError {
    match answer {
        Answer::Refused(why) => LinesError::Refused(why),
        Answer::Done | Answer::Ran(_) | Answer::Left { .. } | Answer::Jitter(_) => LinesError::Strange,
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.shared.end();
        // Wakes the one who waits for machines.
        let _ = UnixStream::connect(&self.socket);
        let _ = self.reader.take().map(JoinHandle::join);
        let _ = fs::remove_file(&self.socket);
    }
}
