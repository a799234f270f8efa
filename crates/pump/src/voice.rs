//! Lines on stderr, one for each event and each change of what stands around the machine.
//!
//! The control thread hands over values of a fixed size and goes on; a thread of its own
//! makes text of them. When that thread cannot keep up, lines are left out and counted: the
//! events themselves are in the [book](crate::book).

use std::fmt;
use std::io::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rustix::io::Errno;
use vigia_core::link::{Detection, FrameError, Numbered, Refused};
use vigia_core::time::Instant;

use crate::cycle::Failure;

/// Lines under way.
const LINES_LEN_MAX: usize = 256;

/// What is said.
#[derive(Debug, Clone, Copy)]
pub enum Line {
    Event(Numbered),
    Note(Note),
}

/// What is not the machine's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    Started {
        plan: u64,
        next_event: u64,
        simulated: bool,
    },
    SelfTest(Result<(), Failure>),
    WatchdogRelay {
        has_failed: bool,
    },
    MemoryNotLocked(Errno),
    Connected {
        pid: i32,
        uid: u32,
    },
    /// Somebody who may not.
    TurnedAway {
        uid: u32,
        why: Refused,
    },
    Gone {
        why: Departure,
    },
    FrameRefused {
        why: FrameError,
        so_far: u32,
    },
    FrameUnwanted {
        why: Refused,
        so_far: u32,
    },
    Detection(Detection),
    LedgerFails(Errno),
    LedgerWrites,
    BookFails(Errno),
    EventsLost {
        so_far: u32,
    },
    Relays(Errno),
    Stopping,
    Stopped {
        in_order: bool,
    },
    Left {
        lines: u32,
    },
}

/// Why a client is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It closed the socket, or died.
    Closed,
    NoGreeting,
    Silent,
    /// It takes nothing in.
    Slow,
    Version,
    Socket(Errno),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Started { plan, next_event, simulated } => {
                write!(f, "started: plan {plan:016x}, next event {next_event}")?;
                if simulated {
                    f.write_str("; THE RELAYS ARE SIMULATED: NO WATER WILL FLOW")?;
                }
                Ok(())
            }
            Self::SelfTest(Ok(())) => f.write_str("self-test passed"),
            Self::SelfTest(Err(why)) => write!(f, "self-test failed: {why}"),
            Self::WatchdogRelay { has_failed: true } => {
                f.write_str("the watchdog relay K0 does not do what the heartbeat says: see to it")
            }
            Self::WatchdogRelay { has_failed: false } => f.write_str("the watchdog relay K0 is well again"),
            Self::MemoryNotLocked(e) => {
                write!(f, "memory cannot be locked ({e}): under load a cycle may wait for the disk")
            }
            Self::Connected { pid, uid } => write!(f, "vigia is here: process {pid}, user {uid}"),
            Self::TurnedAway { uid, why } => write!(f, "turned away user {uid}: {why:?}"),
            Self::Gone { why } => write!(f, "vigia is gone: {why:?}"),
            Self::FrameRefused { why, so_far } => write!(f, "frame refused: {why} ({so_far} so far)"),
            Self::FrameUnwanted { why, so_far } => write!(f, "frame refused: {why:?} ({so_far} so far)"),
            Self::Detection(Detection::Whole) => f.write_str("fires are being looked for"),
            Self::Detection(Detection::Impaired) => f.write_str("some fires would not be found"),
            Self::Detection(Detection::Silent) => f.write_str("nobody is looking for fires"),
            Self::LedgerFails(e) => write!(f, "the ledger cannot be written: {e}"),
            Self::LedgerWrites => f.write_str("the ledger is being written again"),
            Self::BookFails(e) => write!(f, "events cannot be kept over a crash: {e}"),
            Self::EventsLost { so_far } => write!(f, "events lost, the book is full: {so_far} so far"),
            Self::Relays(e) => write!(f, "the relays cannot be written or read: {e}"),
            Self::Stopping => f.write_str("told to end: everything off, in order"),
            Self::Stopped { in_order: true } => f.write_str("ended, everything is off"),
            Self::Stopped { in_order: false } => f.write_str("ended, and something was still on"),
            Self::Left { lines } => write!(f, "{lines} lines were left out"),
        }
    }
}

/// The control thread's end.
#[derive(Debug, Clone)]
pub struct Voice {
    lines: SyncSender<(Instant, Line)>,
    left: u32,
}

/// The thread's end. Dropping all [`Voice`]s ends it.
#[derive(Debug)]
pub struct Speaker {
    thread: JoinHandle<()>,
}

impl Voice {
    /// # Errors
    /// No thread can be started.
    pub fn start() -> std::io::Result<(Self, Speaker)> {
        let (lines, heard) = sync_channel(LINES_LEN_MAX);
        let thread = std::thread::Builder::new().name("voice".into()).spawn(move || speak(&heard))?;
        Ok((Self { lines, left: 0 }, Speaker { thread }))
    }

    /// Never waits.
    pub fn say(&mut self, now: Instant, line: Line) {
        if self.left > 0 {
            let left = Line::Note(Note::Left { lines: self.left });
            if self.lines.try_send((now, left)).is_ok() {
                self.left = 0;
            }
        }
        match self.lines.try_send((now, line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.left = self.left.saturating_add(1);
            }
        }
    }

    pub fn note(&mut self, now: Instant, note: Note) {
        self.say(now, Line::Note(note));
    }
}

impl Speaker {
    /// Waits for the last line. Only at the end of the program.
    pub fn finish(self) {
        // A thread that panicked has nothing more to say.
        let _ = self.thread.join();
    }
}

fn speak(heard: &Receiver<(Instant, Line)>) {
    while let Ok((at, line)) = heard.recv() {
        let (s, ms) = (at.0 / 1_000_000_000, at.0 / 1_000_000 % 1000);
        let mut stderr = std::io::stderr().lock();
        // Nobody reads: nothing to be done about it.
        let _ = match line {
            Line::Note(note) => writeln!(stderr, "[{s}.{ms:03}] {note}"),
            Line::Event(Numbered { number, event, after, .. }) => {
                writeln!(stderr, "[{s}.{ms:03}] event {number} ({:?}): {event:?}", after.state)
            }
        };
    }
}
