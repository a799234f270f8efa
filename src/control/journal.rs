//! What survives a crash: the desired state, the answers given, and who did what.
//!
//! One SQLite file with one writer. A change is one transaction, synced to the disk before anybody
//! is told that it is done. The audit is a chain: each row carries the SHA-256 of itself and of the
//! row before, so that a row that was changed or taken out is noticed. Addresses with passwords lie in
//! a table of their own, and only the owner can read the file.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Rows kept of the audit; older ones go, and the chain begins at the oldest kept.
const AUDIT_ROWS_MAX: i64 = 100_000;
/// Answers kept for senders that ask again.
const ANSWERS_MAX: i64 = 4_096;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS desired (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS secrets (source_id INTEGER PRIMARY KEY, address TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS answers (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE, answer TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL, hash BLOB NOT NULL);
";

/// Why the journal can't be read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("the journal {}: {source}", .path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the journal {}: {source}", .path.display())]
    Make { path: PathBuf, source: std::io::Error },
    #[error("the journal can't be written: {0}")]
    Write(#[source] rusqlite::Error),
    #[error("the journal can't be read: {0}")]
    Read(#[source] rusqlite::Error),
    #[error("the journal's thread can't be started: {0}")]
    Thread(#[source] std::io::Error),
}

/// What changes together.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The desired state from now on, as JSON, and the addresses that it must not show, by stream.
    pub desired: Option<(String, BTreeMap<u32, String>)>,
    /// A request, and what the ledger knows of it, as JSON.
    pub answer: Option<(String, String)>,
    /// What to remember of it.
    pub audit: Option<Value>,
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    db: Connection,
    /// Hash of the newest row of the audit.
    head: Vec<u8>,
}

impl Journal {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// [`JournalError`] if it is no journal, is damaged, or can't be written.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        if path != Path::new(":memory:") {
            let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            made.map_err(|source| JournalError::Make { path: path.into(), source })?;
        }
        let failed = |source| JournalError::Open { path: path.into(), source };
        let db = Connection::open(path).map_err(failed)?;
        // The journal of SQLite itself, and a sync at each commit: a power cut loses nothing told.
        let set_up = || -> Result<Vec<u8>, rusqlite::Error> {
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "FULL")?;
            db.execute_batch(TABLES)?;
            let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if sound != "ok" {
                return Err(rusqlite::Error::InvalidColumnName(format!("it is damaged: {sound}")));
            }
            newest(&db)
        };
        let head = set_up().map_err(failed)?;
        Ok(Self { db, head })
    }

    /// A journal that ends with the process.
    ///
    /// # Errors
    /// [`JournalError::Open`] if there is no memory.
    pub fn in_memory() -> Result<Self, JournalError> {
        Self::open(Path::new(":memory:"))
    }

    /// Writes all of `entry` or nothing, down to the disk.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let transaction = self.db.transaction().map_err(JournalError::Write)?;
        let head = put(&transaction, entry, &self.head).map_err(JournalError::Write)?;
        transaction.commit().map_err(JournalError::Write)?;
        self.head = head;
        Ok(())
    }

    /// The desired state as it was last written.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn desired(&self) -> Result<Option<String>, JournalError> {
        let row = self.db.query_row("SELECT state FROM desired", [], |row| row.get(0));
        row.optional().map_err(JournalError::Read)
    }

    /// The addresses that the desired state does not show, by stream.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn secrets(&self) -> Result<BTreeMap<u32, String>, JournalError> {
        let read = || -> Result<BTreeMap<u32, String>, rusqlite::Error> {
            let mut query = self.db.prepare("SELECT source_id, address FROM secrets")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(JournalError::Read)
    }

    /// All requests with what the ledger knew of them, the oldest first.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn answers(&self) -> Result<Vec<(String, String)>, JournalError> {
        let read = || -> Result<Vec<(String, String)>, rusqlite::Error> {
            let mut query = self.db.prepare("SELECT request_id, answer FROM answers ORDER BY seq")?;
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(JournalError::Read)
    }

    /// The newest `limit` rows of the audit that `wanted` picks, the newest first.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn history(&self, limit: usize, wanted: impl Fn(&Value) -> bool) -> Result<Vec<Value>, JournalError> {
        let read = || -> Result<Vec<Value>, rusqlite::Error> {
            let mut query = self.db.prepare("SELECT entry FROM audit ORDER BY seq DESC")?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while found.len() < limit
                && let Some(row) = rows.next()?
            {
                let entry: Value = serde_json::from_str(row.get_ref(0)?.as_str()?).unwrap_or(Value::Null);
                if wanted(&entry) {
                    found.push(entry);
                }
            }
            Ok(found)
        };
        read().map_err(JournalError::Read)
    }

    /// The number of the first row of the audit that was changed, or comes after one that was taken
    /// out; nothing if the chain holds.
    ///
    /// # Errors
    /// [`JournalError::Read`].
    pub fn broken_at(&self) -> Result<Option<i64>, JournalError> {
        let read = || -> Result<Option<i64>, rusqlite::Error> {
            let mut query = self.db.prepare("SELECT seq, entry, hash FROM audit ORDER BY seq")?;
            let mut rows = query.query([])?;
            let mut before: Option<(i64, Vec<u8>)> = None;
            while let Some(row) = rows.next()? {
                let (seq, hash): (i64, Vec<u8>) = (row.get(0)?, row.get(2)?);
                let entry = row.get_ref(1)?.as_str()?;
                // The oldest row kept follows one that is gone: it vouches for itself only.
                if let Some((last, head)) = before
                    && (seq != last + 1 || hash != chained(&head, entry))
                {
                    return Ok(Some(seq));
                }
                before = Some((seq, hash));
            }
            Ok(None)
        };
        read().map_err(JournalError::Read)
    }
}

fn newest(db: &Connection) -> Result<Vec<u8>, rusqlite::Error> {
    let row = db.query_row("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| row.get(0));
    Ok(row.optional()?.unwrap_or_default())
}

/// Returns the hash of the newest row of the audit.
fn put(db: &Connection, entry: &Entry, head: &[u8]) -> Result<Vec<u8>, rusqlite::Error> {
    if let Some((state, secrets)) = &entry.desired {
        db.prepare_cached("INSERT OR REPLACE INTO desired VALUES (1, ?1)")?.execute([state])?;
        db.prepare_cached("DELETE FROM secrets")?.execute([])?;
        for (source_id, address) in secrets {
            db.prepare_cached("INSERT INTO secrets VALUES (?1, ?2)")?.execute(params![source_id, address])?;
        }
    }
    if let Some((request_id, answer)) = &entry.answer {
        db.prepare_cached("INSERT OR REPLACE INTO answers (request_id, answer) VALUES (?1, ?2)")?
            .execute([request_id, answer])?;
        db.prepare_cached("DELETE FROM answers WHERE seq <= ?1")?
            .execute([db.last_insert_rowid() - ANSWERS_MAX])?;
    }
    let Some(audit) = &entry.audit else { return Ok(head.to_vec()) };
    let text = audit.to_string();
    let hash = chained(head, &text);
    db.prepare_cached("INSERT INTO audit (entry, hash) VALUES (?1, ?2)")?.execute(params![text, hash])?;
    db.prepare_cached("DELETE FROM audit WHERE seq <= ?1")?
        .execute([db.last_insert_rowid() - AUDIT_ROWS_MAX])?;
    Ok(hash)
}

fn chained(head: &[u8], entry: &str) -> Vec<u8> {
    Sha256::new().chain_update(head).chain_update(entry).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(n: u32) -> Entry {
        Entry {
            desired: Some((format!("state {n}"), BTreeMap::from([(n, format!("rtsp://u:p{n}@camera"))]))),
            answer: Some((format!("request {n}"), format!("answer {n}"))),
            audit: Some(json!({ "n": n, "command": if n.is_multiple_of(2) { "pause" } else { "resume" } })),
        }
    }

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("journal.db");
        let mut journal = Journal::open(&path).expect("opens");
        for n in 0..5 {
            journal.write(&entry(n)).expect("writes");
        }
        // As after a kill: the file is opened again without having been closed.
        let again = Journal::open(&path).expect("opens");
        assert_eq!(again.desired().expect("reads").as_deref(), Some("state 4"));
        assert_eq!(again.secrets().expect("reads"), BTreeMap::from([(4, "rtsp://u:p4@camera".to_owned())]));
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("is there").permissions());
        assert_eq!(mode & 0o777, 0o600, "only its owner reads the passwords");
        assert_eq!(again.answers().expect("reads").len(), 5);
        let pauses = again.history(2, |e| e["command"] == "pause").expect("reads");
        assert_eq!(pauses.iter().map(|e| e["n"].as_u64()).collect::<Vec<_>>(), [Some(4), Some(2)]);
        assert_eq!(again.broken_at().expect("reads"), None);
    }

    #[test]
    fn the_chain_shows_what_was_changed_or_taken_out() {
        for tampering in ["UPDATE audit SET entry = '{}' WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"] {
            let mut journal = Journal::in_memory().expect("opens");
            for n in 0..6 {
                journal.write(&entry(n)).expect("writes");
            }
            assert_eq!(journal.broken_at().expect("reads"), None);
            journal.db.execute(tampering, []).expect("it is only a file");
            let broken = journal.broken_at().expect("reads").expect("noticed");
            assert!((3..=4).contains(&broken), "{tampering}: {broken}");
        }
    }

    #[test]
    fn old_answers_give_way() {
        let mut journal = Journal::in_memory().expect("opens");
        for n in 0..5_000 {
            let answer = Some((format!("{n}"), String::new()));
            journal.write(&Entry { answer, ..Entry::default() }).expect("writes");
        }
        let answers = journal.answers().expect("reads");
        assert_eq!((answers.len(), answers[0].0.as_str()), (4_096, "904"));
    }

    #[test]
    fn what_is_no_journal_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("journal.db");
        std::fs::write(&path, "this is no database, but quite a text about other things").expect("writes");
        let said = Journal::open(&path).expect_err("refused").to_string();
        assert!(said.contains("journal.db") && said.contains("not a database"), "{said}");
    }
}
