//! The agent in the guest: makes the lines, watches them, pulls them, runs commands.
//!
//! It runs with real-time priority above the product, so that what it measures is the product and
//! not the agent's own turn; its memory stays where it is. Three kinds of threads: the one that reads
//! orders, the [watch](watch), and one for each command that runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::time::{ClockId, clock_gettime};
use thiserror::Error;

use super::layout::{Layout, LayoutError};
use super::wire::{Answer, Ask, Feed, GuestTime, LineId, Order, Word};

mod chips;
mod jitter;
mod jobs;
mod port;
pub mod status;
mod trace;
mod watch;

use chips::Chips;
use port::Port;
use watch::Watch;

/// What keeps the agent from its work.
#[derive(Debug, Error)]
pub enum AgentError {
    #[error("{what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{0}")]
    Layout(#[from] LayoutError),
    #[error("the kernel shows no {what} below {}: is gpio-sim loaded, and from the kernel this was built for?", path.display())]
    Missing { what: &'static str, path: PathBuf },
    #[error("there is no serial port {0}: the machine was started without it")]
    NoPort(&'static str),
    #[error("a thread can't be started: {0}")]
    Thread(#[source] io::Error),
}

impl AgentError {
    /// Says what was being done with which file.
    fn at(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// Works until the guest ends.
///
/// # Errors
/// The lines or the port cannot be had.
pub fn run(layout: &Path) -> Result<(), AgentError> {
    // Without the right to lock memory it is only less exact.
    let _ = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT);
    let text = std::fs::read_to_string(layout).map_err(AgentError::at("can't read", layout))?;
    let layout: Layout = text.parse()?;
    let port = Arc::new(Port::open()?);
    let chips = Chips::make(&layout)?;
    let trace = trace::Trace::open()?;
    let watch = Arc::new(Mutex::new(Watch::new(chips, Arc::clone(&port))?));
    lock(&watch).hello();
    watch::start(Arc::clone(&watch), trace).map_err(AgentError::Thread)?;
    let agent = Agent {
        may_start: std::cell::Cell::new(false),
        port: Arc::clone(&port),
        watch,
        jobs: jobs::Jobs::default(),
    };
    let mut feed = Feed::default();
    port.read(|bytes| feed.take(bytes, |line| agent.obey(line)))
}

struct Agent {
    /// The host has said that all contacts stand as they should. What it asked a former guest that hung
    /// comes before that, and is not for this one.
    may_start: std::cell::Cell<bool>,
    port: Arc<Port>,
    watch: Arc<Mutex<Watch>>,
    jobs: jobs::Jobs,
}

impl Agent {
    fn obey(&self, line: &str) {
        match line.parse() {
            Ok(Order { number, ask }) => self.obey_one(number, ask),
            Err(garbled) => eprintln!("vigia-lines: {garbled}"),
        }
    }

    fn obey_one(&self, number: u32, ask: Ask) {
        match ask {
            Ask::Now => self.port.answer(number, now(), Answer::Done),
            Ask::Go => {
                self.may_start.set(true);
                port::tell_systemd();
                self.port.answer(number, now(), Answer::Done);
            }
            Ask::Pull { line, to } => self.pull(number, line, to),
            Ask::Run { .. } | Ask::Leave { .. } | Ask::Jitter { .. } if !self.may_start.get() => {
                let why = "this guest has only just come up".to_owned();
                self.port.answer(number, now(), Answer::Refused(why));
            }
            Ask::Run { limit, command } => self.jobs.run(&self.port, number, command, limit),
            Ask::Leave { command } => self.port.answer(number, now(), jobs::leave(&command)),
            Ask::Jitter { samples } => jitter::start(&self.port, number, samples),
        }
    }

    fn pull(&self, number: u32, line: LineId, to: vigia_core::board::Level) {
        let (at, answer) = match lock(&self.watch).pull(line, to) {
            Ok(at) => (at, Answer::Done),
            Err(e) => (now(), Answer::Refused(e.to_string())),
        };
        self.port.answer(number, at, answer);
    }
}

impl Port {
    fn answer(&self, number: u32, at: GuestTime, answer: Answer) {
        self.say(&Word::Answer { number, at, answer });
    }
}

/// The guest's `CLOCK_MONOTONIC`.
fn now() -> GuestTime {
    let time = clock_gettime(ClockId::Monotonic);
    // It counts from the boot and is never negative.
    let (s, ns) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    GuestTime(s * 1_000_000_000 + ns)
}

/// What a thread left behind when it panicked is still the lines' state.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread with a stack that locked memory can afford.
fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    const STACK_LEN: usize = 256 * 1024;
    std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_LEN).spawn(work).map(drop)
}
