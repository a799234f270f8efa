//! The one thread that writes the journal, so that nobody else waits for a disk.

use std::collections::BTreeMap;
use std::path::Path;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::Value;
use vigia_core::event::Utc;

use super::journal::{Entry, Journal, JournalError};

/// Entries that may wait for the disk; who gives more waits, too.
const WAITING_MAX: usize = 256;

/// Gives entries to the journal's thread.
#[derive(Debug)]
pub struct Scribe {
    jobs: Option<Sender<(u64, Job)>>,
    /// What came of them, in their order.
    pub done: Receiver<(u64, Result<Vec<Value>, JournalError>)>,
    thread: Option<std::thread::JoinHandle<()>>,
    next: u64,
}

#[derive(Debug)]
enum Job {
    Write(Entry),
    Read { limit: usize, since: Option<Utc>, command: Option<&'static str> },
}

/// What the journal held when it was opened.
#[derive(Debug)]
pub struct Kept {
    pub desired: Option<String>,
    /// Addresses that it does not show, by stream.
    pub secrets: BTreeMap<u32, String>,
    pub answers: Vec<(String, String)>,
    /// The first row of the audit that somebody tampered with.
    pub broken_at: Option<i64>,
}

impl Scribe {
    /// Opens the journal at `path`, or one in memory, and starts its thread.
    ///
    /// # Errors
    /// [`JournalError`] with the path.
    pub fn open(path: Option<&str>) -> Result<(Self, Kept), JournalError> {
        let journal = match path {
            Some(path) => Journal::open(Path::new(path))?,
            None => Journal::in_memory()?,
        };
        let kept = Kept {
            desired: journal.desired()?,
            secrets: journal.secrets()?,
            answers: journal.answers()?,
            broken_at: journal.broken_at()?,
        };
        let (jobs, inbox) = bounded(WAITING_MAX);
        // As many as jobs; the app reads them as they come.
        let (told, done) = unbounded();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || work(journal, &inbox, &told))
            .map_err(JournalError::Thread)?;
        Ok((Self { jobs: Some(jobs), done, thread: Some(thread), next: 0 }, kept))
    }

    /// Returns the number under which [`Self::done`] tells that it is on the disk.
    pub fn write(&mut self, entry: Entry) -> u64 {
        self.give(Job::Write(entry))
    }

    /// The newest audit entries, the newest first.
    pub fn read(&mut self, limit: u32, since: Option<Utc>, command: Option<&'static str>) -> u64 {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.give(Job::Read { limit, since, command })
    }

    fn give(&mut self, job: Job) -> u64 {
        self.next += 1;
        if let Some(jobs) = &self.jobs {
            // The thread ends only after this sender has.
            let _ = jobs.send((self.next, job));
        }
        self.next
    }

    /// Everything given is written before this returns.
    pub fn close(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.close();
    }
}

type Told = Sender<(u64, Result<Vec<Value>, JournalError>)>;

fn work(mut journal: Journal, jobs: &Receiver<(u64, Job)>, told: &Told) {
    for (number, job) in jobs {
        let outcome = match job {
            Job::Write(entry) => journal.write(&entry).map(|()| Vec::new()),
            Job::Read { limit, since, command } => journal.history(limit, |e| wanted(e, since, command)),
        };
        // The app may have gone.
        let _ = told.send((number, outcome));
    }
}

fn wanted(entry: &Value, since: Option<Utc>, command: Option<&str>) -> bool {
    let at = || serde_json::from_value::<Utc>(entry["at"].clone()).ok();
    command.is_none_or(|name| entry["command"] == name)
        && since.is_none_or(|since| at().is_some_and(|at| at >= since))
}
