//! The thread that looks whether the others live, and tells the service manager.
//!
//! `WATCHDOG=1` is held back while somebody stands whom a new start would help. If nobody restarts the process
//! from outside, because no service manager watches it, it ends by itself after twice the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use vigia_core::event::Utc;

use crate::clock;
use crate::liveness::{Judge, Roster, Rows, Turn, ms};
use crate::logging;
use crate::notify::Notify;

/// How often it looks at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A build or a measurement that says nothing for so long before `READY=1` is none that goes on.
const SILENT_MAX: Duration = Duration::from_secs(600);
/// Of a process that ended because somebody in it stood.
const EXIT_CODE: i32 = 1;

/// The app's end. Dropping it ends the thread.
#[derive(Debug)]
pub struct Watchdog {
    words: Option<Sender<Word>>,
    board: Arc<Board>,
    is_heard: bool,
    /// What was last said to be done.
    doing: String,
    thread: Option<JoinHandle<()>>,
}

/// What the thread leaves for the app.
#[derive(Debug, Default)]
struct Board {
    rows: ArcSwap<Rows>,
    /// Somebody turned from going to standing, or back.
    turned: AtomicBool,
}

/// For the service manager.
#[derive(Debug)]
enum Word {
    /// The start takes long, and goes on.
    GoesOn,
    Ready,
    /// What it does, in one short line.
    Doing(String),
    Stopping,
}

impl Watchdog {
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(roster: Roster) -> std::io::Result<Self> {
        let notify = Notify::from_environment();
        let (is_heard, board) = (notify.is_heard(), Arc::<Board>::default());
        // Words are few: of each step of a start, one at the end, and lines that differ from the one before.
        let (words, inbox) = unbounded();
        let looker = Looker {
            every: notify.watchdog_every().unwrap_or(LOOK_EVERY).min(LOOK_EVERY),
            notify,
            roster,
            judge: Judge::default(),
            board: board.clone(),
            stage: Stage::Starting,
            line: "starting".to_owned(),
            said: String::new(),
        };
        let thread =
            std::thread::Builder::new().name("liveness".into()).spawn(move || looker.work(&inbox))?;
        Ok(Self { words: Some(words), board, is_heard, doing: String::new(), thread: Some(thread) })
    }

    /// Whether a service manager listens.
    pub fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// A plan is being built or measured: until [`Self::ready`] the manager waits for it, not for its own limit.
    pub fn goes_on(&self) {
        self.say(Word::GoesOn);
    }

    /// The model is loaded, the cameras are started.
    pub fn ready(&self) {
        self.say(Word::Ready);
    }

    pub fn doing(&mut self, line: String) {
        if line != self.doing {
            self.doing.clone_from(&line);
            self.say(Word::Doing(line));
        }
    }

    pub fn stopping(&self) {
        self.say(Word::Stopping);
    }

    fn say(&self, word: Word) {
        if let Some(words) = &self.words {
            // The thread ends only after this sender has.
            let _ = words.send(word);
        }
    }

    /// How the parts are, for the status.
    pub fn rows(&self) -> Arc<Rows> {
        self.board.rows.load_full()
    }

    /// Whether [`Self::rows`] tells of a turn that was not asked for yet.
    pub fn has_turned(&self) -> bool {
        self.board.turned.swap(false, Ordering::AcqRel)
    }
}

/// The process ends after `limit` at the latest: what is lost may hang in any call, also in those of its end.
///
/// # Errors
/// If the operating system gives no thread.
pub fn end_within(limit: Duration) -> std::io::Result<()> {
    let end = move || {
        let _ = crossbeam_channel::after(limit).recv();
        logging::flush();
        signal_hook::low_level::exit(EXIT_CODE)
    };
    std::thread::Builder::new().name("last-end".into()).spawn(end).map(drop)
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.words.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How far the service manager was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    /// To be told, and again until the manager takes it.
    Ready,
    Running,
    Stopping,
}

struct Looker {
    every: Duration,
    notify: Notify,
    roster: Roster,
    judge: Judge,
    board: Arc<Board>,
    stage: Stage,
    line: String,
    /// The line that was told last.
    said: String,
}

impl Looker {
    fn work(mut self, words: &Receiver<Word>) {
        loop {
            match words.recv_timeout(self.every) {
                Ok(Word::GoesOn) if self.stage == Stage::Starting => {
                    // One that is lost does no harm: the next step says it again.
                    self.notify.tell(&format!("EXTEND_TIMEOUT_USEC={}", SILENT_MAX.as_micros()));
                }
                Ok(Word::GoesOn) => {}
                Ok(Word::Ready) => self.stage = Stage::Ready,
                Ok(Word::Doing(line)) => self.line = line,
                Ok(Word::Stopping) => {
                    self.stage = Stage::Stopping;
                    self.line = "stopping".to_owned();
                    self.notify.tell("STOPPING=1");
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let turns = self.judge.look(clock::now(), &self.roster.signs());
        self.board.rows.store(Arc::new(self.judge.rows()));
        for turn in &turns {
            log(turn);
        }
        if !turns.is_empty() {
            self.board.turned.store(true, Ordering::Release);
        }
        if let Some(standing) = self.judge.given_up() {
            self.end(&standing);
        }
        self.tell();
    }

    fn tell(&mut self) {
        match self.stage {
            Stage::Ready if self.notify.tell("READY=1") => self.stage = Stage::Running,
            Stage::Running if self.notify.watchdog_every().is_some() && self.judge.is_alive() => {
                // One that is lost does no harm: the next comes within a third of the limit.
                self.notify.tell("WATCHDOG=1");
            }
            Stage::Starting | Stage::Ready | Stage::Running | Stage::Stopping => {}
        }
        let rows = self.board.rows.load();
        let stalled: Vec<&str> = rows.iter().filter(|(_, row)| !row.ok).map(|(name, _)| *name).collect();
        let line = match stalled[..] {
            [] => self.line.clone(),
            _ => format!("{}; stalled: {}", self.line, stalled.join(", ")),
        };
        if line != self.said && self.notify.tell(&format!("STATUS={line}")) {
            self.said = line;
        }
    }

    /// Whoever supervises starts it anew. What hangs may hold any lock, so nobody is waited for and no
    /// destructor runs; the broker says the last will.
    fn end(&self, who: &Turn) -> ! {
        let (part, source_id) = (who.part.name(), who.source_id);
        let (age_ms, limit_ms) = (ms(who.age), ms(who.part.limit()));
        self.notify.tell(&format!("STATUS=ending: {who} gave no sign of life for {} s", who.age.as_secs()));
        tracing::error!(
            component = "liveness",
            event = "given_up",
            part,
            source_id,
            age_ms,
            limit_ms,
            "{who}: no sign of life, and only a new start helps: ending with code {EXIT_CODE}"
        );
        logging::flush();
        signal_hook::low_level::exit(EXIT_CODE)
    }
}

fn log(turn: &Turn) {
    let (part, source_id) = (turn.part.name(), turn.source_id);
    if !turn.stands {
        tracing::warn!(component = "liveness", event = "recovered", part, "{part}: goes on");
        return;
    }
    let (age_ms, limit_ms) = (ms(turn.age), ms(turn.part.limit()));
    let since = Utc::from_unix_ns(clock::utc().as_unix_ns() - i128::from(age_ms) * 1_000_000);
    tracing::error!(
        component = "liveness",
        event = "stalled",
        part,
        source_id,
        %since,
        age_ms,
        limit_ms,
        "{turn}: no sign of life"
    );
}
