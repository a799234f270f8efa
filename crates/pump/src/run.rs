//! From the command line to the last line.

use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::event::poll;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use thiserror::Error;
use vigia_core::board::BankName;
use vigia_core::pump::{Machine, RelayImage};

use crate::bank::{Bank, BankError, Drill, Gpio};
use crate::book::Book;
use crate::clock;
use crate::cycle::{Owner, Parts};
use crate::desk::{Desk, DeskError};
use crate::ledger;
use crate::notify::Notify;
use crate::privileges;
use crate::settings::{self, Settings, SettingsError};
use crate::voice::{Note, Voice};

/// The socket's name below `--run`.
pub const SOCKET: &str = "pump.sock";

/// What to run with.
#[derive(Debug, Clone)]
pub struct Options {
    pub hardware: PathBuf,
    pub site: PathBuf,
    /// On a disk: the ledger.
    pub state: PathBuf,
    /// In memory: socket, book, lock.
    pub run: PathBuf,
    pub bank: Option<BankName>,
    pub drills: Vec<Drill>,
}

/// Why it does not run.
#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{file}")]
    Bank { file: String, source: BankError },
    #[error("{0} belongs to another vigia-pump that is running")]
    Running(PathBuf),
    #[error("{path} cannot be used")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error("a thread or signal cannot be set up")]
    Start(#[source] std::io::Error),
}

/// Both files, and a bank that exists. Nothing is driven.
///
/// # Errors
/// Everything that is wrong with them.
pub fn check(hardware: &Path, site: &Path, bank: Option<BankName>) -> Result<Settings, RunError> {
    let settings = settings::load(hardware, site, bank)?;
    if settings.lines.bank == BankName::Gpio {
        Gpio::check(&settings.lines).map_err(|source| of_bank(hardware, source))?;
    }
    Ok(settings)
}

/// Runs until SIGTERM or SIGINT and everything is off; whether it was.
///
/// # Errors
/// It did not start.
pub fn run(options: &Options) -> Result<bool, RunError> {
    let Options { hardware, site, state, run, bank, drills } = options;
    let settings = settings::load(hardware, site, *bank)?;
    let bank = open_bank(hardware, &settings, drills)?;
    // Held until the end: two programs on the same relays would be one too many.
    let _lock = lock(run)?;
    let stop = stop_signals().map_err(RunError::Start)?;
    let (mut voice, speaker) = Voice::start().map_err(RunError::Start)?;
    let now = clock::now();
    let boot = clock::draw_id();
    let (keeper, restored) = ledger::open(state, run, now).map_err(RunError::Start)?;
    let book = Book::open(run, boot);
    let desk = Desk::open(&run.join(SOCKET), boot)?;
    voice.note(
        now,
        Note::Started {
            plan: settings.fingerprint,
            next_event: book.last() + 1,
            simulated: bank.kind().is_simulated(),
        },
    );
    let machine = Machine::new(settings.plan, restored, now);
    let notify = Notify::from_environment();
    let (privileges, refused) = privileges::take();
    if let Some(e) = refused {
        voice.note(now, Note::MemoryNotLocked(e));
    }
    let fingerprint = settings.fingerprint;
    let mut owner =
        Owner::new(Parts { machine, bank, book, keeper, desk, voice, notify, fingerprint, privileges });
    let in_order = owner.run(&stop);
    drop(owner.finish(in_order));
    speaker.finish();
    Ok(in_order)
}

/// Drives every relay of the board to rest, once: for after the death of the program, when its
/// lines keep their last level. Those that are still on.
///
/// # Errors
/// The lines cannot be had, or the program runs.
pub fn off(hardware: &Path, run: &Path) -> Result<RelayImage, RunError> {
    let mut lines = settings::load_board(hardware)?;
    // A pad that nobody can look at is no reason to leave its relay on.
    lines.pads = None;
    // An edge of the heartbeat's line could pull K0 once more.
    lines.watchdog = None;
    if lines.bank == BankName::Simulated {
        return Ok(RelayImage::NONE);
    }
    let _lock = lock(run)?;
    let of_bank = |source| of_bank(hardware, source);
    let mut gpio = Gpio::open(&lines, clock::now()).map_err(of_bank)?;
    // The request has set them all at rest; a contact needs its time to follow.
    let delay = lines.relays.iter().filter_map(|relay| Some(relay.feedback.as_ref()?.delay)).max();
    // Nothing wakes it before its time.
    let _ = poll(&mut [], Some(&clock::timespec(delay.unwrap_or_default())));
    let now = clock::now();
    let _contacts = gpio.sensors(now);
    gpio.read_back(now).map_err(|e| of_bank(BankError::ReadBack(e)))
}

fn open_bank(hardware: &Path, settings: &Settings, drills: &[Drill]) -> Result<Bank, RunError> {
    Bank::open(&settings.lines, &settings.plan, drills, clock::now())
        .map_err(|source| of_bank(hardware, source))
}

fn of_bank(hardware: &Path, source: BankError) -> RunError {
    RunError::Bank { file: hardware.display().to_string(), source }
}

/// Makes the folder if it is missing, and is the only one in it.
///
/// # Errors
/// The program runs, or the folder cannot be made.
pub fn lock(run: &Path) -> Result<std::fs::File, RunError> {
    let folder = |source| RunError::Folder { path: run.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(run).map_err(folder)?;
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(run.join("pump.lock"))
        .map_err(folder)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(RunError::Running(run.to_owned())),
        Err(e) => Err(folder(e.into())),
    }
}

/// Readable from the first SIGTERM or SIGINT on.
fn stop_signals() -> std::io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, theirs.try_clone()?)?;
    }
    Ok(ours)
}
