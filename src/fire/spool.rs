//! What must reach somebody although this program is killed: confirmed fires nobody has taken over,
//! and messages that the broker does not have yet.
//!
//! One SQLite file beside the journal with one writer, synced at each commit. Numbers of fires are
//! given out in blocks that are written before they are used, so that no number comes twice.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;
use vigia_core::link::BootId;
use vigia_core::time::Instant;

/// Messages that may wait for the broker; beyond it the pump keeps its events itself.
pub const WAITING_MAX: u64 = 50_000;
/// Books of events that are remembered.
const BOOKS_MAX: i64 = 16;
/// Fires in a block.
const BLOCK: u64 = 1_000;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS outgoing (
        number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL, fire INTEGER);
    CREATE TABLE IF NOT EXISTS heard (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, book BLOB NOT NULL UNIQUE, number INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS fires (id INTEGER PRIMARY KEY, boot TEXT NOT NULL, evidence INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS block (id INTEGER PRIMARY KEY CHECK (id = 1), next INTEGER NOT NULL);
";

/// Why it can't be read or written.
#[derive(Debug, Error)]
pub enum SpoolError {
    #[error("the spool {}: {source}", .path.display())]
    Make { path: PathBuf, source: std::io::Error },
    #[error("the spool {}: {source}", .path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the spool can't be written: {0}")]
    Write(#[source] rusqlite::Error),
}

/// A message that the broker is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub number: u64,
    pub topic: String,
    pub payload: Vec<u8>,
    /// The fire that it tells of.
    pub fire: Option<u64>,
}

/// A fire that nobody has taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub id: u64,
    /// Of the machine; the clock of another boot says nothing.
    pub boot: String,
    pub evidence: Instant,
}

/// What was left by the life before.
#[derive(Debug, Default)]
pub struct Left {
    /// In their order.
    pub letters: Vec<Letter>,
    pub fires: Vec<Open>,
    /// The number of the next fire.
    pub next_fire: u64,
}

/// What changes together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A fire; again with newer evidence.
    Fire(Open),
    /// Somebody has it.
    Taken(u64),
    Letter {
        topic: String,
        payload: Vec<u8>,
        fire: Option<u64>,
    },
    /// An event of the pump's; one that was heard before changes nothing.
    Event {
        book: BootId,
        number: u64,
        topic: String,
        payload: Vec<u8>,
    },
    /// The broker has it.
    Delivered(u64),
}

/// The open file.
#[derive(Debug)]
pub struct Spool {
    db: Connection,
}

impl Spool {
    /// The file that belongs to a journal.
    #[must_use]
    pub fn beside(journal: &Path) -> PathBuf {
        journal.with_extension("fire.db")
    }

    /// Opens or makes it; `None` is one in memory, which ends with the process.
    ///
    /// # Errors
    /// [`SpoolError`] with the path.
    pub fn open(path: Option<&Path>) -> Result<(Self, Left), SpoolError> {
        let shown = path.unwrap_or(Path::new(":memory:"));
        if let Some(path) = path {
            let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            made.map_err(|source| SpoolError::Make { path: path.into(), source })?;
        }
        let failed = |source| SpoolError::Open { path: shown.into(), source };
        let db = Connection::open(shown).map_err(failed)?;
        let set_up = || -> Result<Left, rusqlite::Error> {
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "FULL")?;
            db.execute_batch(TABLES)?;
            let next = db.query_row("SELECT next FROM block", [], |row| row.get(0)).optional()?;
            let next_fire: u64 = next.unwrap_or(1);
            reserve(&db, next_fire.saturating_add(BLOCK))?;
            Ok(Left { letters: letters(&db)?, fires: fires(&db)?, next_fire })
        };
        let left = set_up().map_err(failed)?;
        Ok((Self { db }, left))
    }

    /// Writes all changes or none, down to the disk. Returns the letters among them with their numbers.
    ///
    /// # Errors
    /// [`SpoolError::Write`].
    pub fn write(&mut self, changes: &[Change]) -> Result<Vec<Letter>, SpoolError> {
        let transaction = self.db.transaction().map_err(SpoolError::Write)?;
        let mut letters = Vec::new();
        for change in changes {
            letters.extend(put(&transaction, change).map_err(SpoolError::Write)?);
        }
        transaction.commit().map_err(SpoolError::Write)?;
        Ok(letters)
    }
}

fn reserve(db: &Connection, next: u64) -> Result<(), rusqlite::Error> {
    db.prepare_cached("INSERT OR REPLACE INTO block VALUES (1, ?1)")?.execute([next]).map(drop)
}

fn letters(db: &Connection) -> Result<Vec<Letter>, rusqlite::Error> {
    let mut query = db.prepare("SELECT number, topic, payload, fire FROM outgoing ORDER BY number")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Letter { number: row.get(0)?, topic: row.get(1)?, payload: row.get(2)?, fire: row.get(3)? })
    };
    query.query_map([], read)?.collect()
}

fn fires(db: &Connection) -> Result<Vec<Open>, rusqlite::Error> {
    let mut query = db.prepare("SELECT id, boot, evidence FROM fires ORDER BY id")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Open { id: row.get(0)?, boot: row.get(1)?, evidence: Instant(row.get(2)?) })
    };
    query.query_map([], read)?.collect()
}

fn put(db: &Connection, change: &Change) -> Result<Option<Letter>, rusqlite::Error> {
    match change {
        Change::Fire(fire) => {
            db.prepare_cached("INSERT OR REPLACE INTO fires VALUES (?1, ?2, ?3)")?.execute(params![
                fire.id,
                fire.boot,
                fire.evidence.0
            ])?;
            // Half a block ahead of what is in use.
            let next: u64 = db.query_row("SELECT next FROM block", [], |row| row.get(0))?;
            if fire.id.saturating_add(BLOCK / 2) > next {
                reserve(db, fire.id.saturating_add(BLOCK))?;
            }
            Ok(None)
        }
        Change::Taken(id) => {
            db.prepare_cached("DELETE FROM fires WHERE id = ?1")?.execute([id])?;
            Ok(None)
        }
        Change::Letter { topic, payload, fire } => letter(db, topic, payload, *fire).map(Some),
        Change::Event { book, number, topic, payload } => {
            let heard = db
                .prepare_cached("SELECT number FROM heard WHERE book = ?1")?
                .query_row([book.0.as_slice()], |row| row.get::<_, u64>(0))
                .optional()?;
            if heard.is_some_and(|heard| heard >= *number) {
                return Ok(None);
            }
            db.prepare_cached(
                "INSERT INTO heard (book, number) VALUES (?1, ?2)
                 ON CONFLICT (book) DO UPDATE SET number = excluded.number",
            )?
            .execute(params![book.0.as_slice(), number])?;
            db.prepare_cached("DELETE FROM heard WHERE seq <= (SELECT MAX(seq) FROM heard) - ?1")?
                .execute([BOOKS_MAX])?;
            letter(db, topic, payload, None).map(Some)
        }
        Change::Delivered(number) => {
            db.prepare_cached("DELETE FROM outgoing WHERE number = ?1")?.execute([number])?;
            Ok(None)
        }
    }
}

fn letter(
    db: &Connection,
    topic: &str,
    payload: &[u8],
    fire: Option<u64>,
) -> Result<Letter, rusqlite::Error> {
    db.prepare_cached("INSERT INTO outgoing (topic, payload, fire) VALUES (?1, ?2, ?3)")?
        .execute(params![topic, payload, fire])?;
    let number = u64::try_from(db.last_insert_rowid()).unwrap_or_default();
    Ok(Letter { number, topic: topic.to_owned(), payload: payload.to_vec(), fire })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(book: u8, number: u64) -> Change {
        let payload = number.to_string().into_bytes();
        Change::Event { book: BootId([book; 16]), number, topic: "t".into(), payload }
    }

    #[test]
    fn what_was_written_is_there_after_a_kill_and_only_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Spool::beside(&dir.path().join("journal.db"));
        let (mut spool, left) = Spool::open(Some(&path)).expect("opens");
        assert_eq!((left.next_fire, left.letters.len()), (1, 0));
        let written = spool.write(&[event(1, 1), event(1, 2), event(1, 2), event(2, 1)]).expect("writes");
        assert_eq!(written.len(), 3, "an event that comes again is no other");
        let open = Open { id: 1, boot: "b".into(), evidence: Instant(7) };
        spool.write(&[Change::Fire(open.clone()), Change::Delivered(written[0].number)]).expect("writes");
        // As after a kill: opened again without having been closed.
        let (mut spool, left) = Spool::open(Some(&path)).expect("opens");
        assert_eq!(left.letters, written[1..]);
        assert_eq!(left.fires, [open]);
        assert_eq!(left.next_fire, 1_001, "numbers of the life before may have been in use");
        assert_eq!(spool.write(&[event(1, 2)]).expect("writes"), [], "known over a restart, too");
        spool.write(&[Change::Taken(1)]).expect("writes");
        assert_eq!(Spool::open(Some(&path)).expect("opens").1.fires, []);
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("is there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn numbers_are_reserved_before_they_run_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.fire.db");
        let (mut spool, _) = Spool::open(Some(&path)).expect("opens");
        for id in [1, 400, 600, 5_000] {
            let open = Open { id, boot: String::new(), evidence: Instant(0) };
            spool.write(&[Change::Fire(open)]).expect("writes");
            let next = Spool::open(Some(&path)).expect("opens").1.next_fire;
            assert!(next > id, "{next} after {id}");
        }
    }

    #[test]
    fn what_is_no_spool_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.fire.db");
        std::fs::write(&path, "this is no database, but quite a text about other things").expect("writes");
        let said = Spool::open(Some(&path)).expect_err("refused").to_string();
        assert!(said.contains("x.fire.db"), "{said}");
    }
}
