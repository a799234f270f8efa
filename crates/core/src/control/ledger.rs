//! Requests that have been seen, and what was answered: a request is carried out once,
//! and asked again it gets the same answer.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::envelope::RequestId;
use super::refusal::{Code, Refusal};
use crate::event::Utc;

pub const LEDGER_LEN_MAX: usize = 4_096;
/// Of all stored answers together.
pub const LEDGER_BYTES_MAX: usize = 8 << 20;
pub const LEDGER_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun<'l> {
    /// Never seen; from now on it is in progress.
    New,
    /// Its answer is still to come, once.
    InProgress,
    /// The final answer, to be sent again.
    Done(&'l str),
    /// Another command had this id, or there is no room.
    Refused(Refusal),
}

/// One request, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub request_id: String,
    /// Of command and parameters: [`super::Envelope::digest`].
    pub digest: u64,
    pub at: Utc,
    /// The final answer; none while in progress.
    pub ack: Option<String>,
}

/// Bounded in entries, bytes and age; the oldest answered ones go first.
#[derive(Debug, Default)]
pub struct Ledger {
    /// In the order of arrival.
    entries: BTreeMap<u64, Entry>,
    /// Place of each id.
    places: BTreeMap<String, u64>,
    next: u64,
    bytes: usize,
}

impl Ledger {
    /// What the journal kept, oldest first.
    pub fn restore(entries: impl IntoIterator<Item = Entry>, now: Utc) -> Self {
        let mut ledger = Self::default();
        entries.into_iter().for_each(|entry| ledger.insert(entry));
        ledger.prune(now);
        ledger
    }

    /// Before a command is carried out.
    pub fn begin(&mut self, now: Utc, id: &RequestId, digest: u64) -> Begun<'_> {
        self.prune(now);
        if let Some(place) = self.places.get(id.as_str()) {
            return self.entries.get(place).map_or(Begun::InProgress, |entry| known(entry, digest));
        }
        if self.entries.len() >= LEDGER_LEN_MAX && !self.evict() {
            return Begun::Refused(Refusal::new(Code::Overloaded, "too many requests are in progress"));
        }
        self.insert(Entry { request_id: id.as_str().to_owned(), digest, at: now, ack: None });
        Begun::New
    }

    /// Keeps the final answer. The first one counts; an unknown id is ignored.
    pub fn finish(&mut self, id: &RequestId, ack: String) {
        let entry = self.places.get(id.as_str()).and_then(|place| self.entries.get_mut(place));
        if let Some(entry) = entry.filter(|entry| entry.ack.is_none()) {
            self.bytes += ack.len();
            entry.ack = Some(ack);
        }
        while self.bytes > LEDGER_BYTES_MAX && self.evict() {}
    }

    /// Oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Without an answer: after a restart, what the process died over.
    pub fn unfinished(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| entry.ack.is_none())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn insert(&mut self, entry: Entry) {
        if let Some(old) = self.places.insert(entry.request_id.clone(), self.next) {
            self.forget(old);
        }
        self.bytes += entry.ack.as_ref().map_or(0, String::len);
        self.entries.insert(self.next, entry);
        self.next += 1;
    }

    fn forget(&mut self, place: u64) -> Option<Entry> {
        let entry = self.entries.remove(&place)?;
        self.bytes -= entry.ack.as_ref().map_or(0, String::len);
        Some(entry)
    }

    /// Drops the oldest answered request. Whether there was one.
    fn evict(&mut self) -> bool {
        let oldest = self.entries.iter().find(|(_, entry)| entry.ack.is_some()).map(|(place, _)| *place);
        let entry = oldest.and_then(|place| self.forget(place));
        entry.is_some_and(|entry| self.places.remove(&entry.request_id).is_some())
    }

    fn prune(&mut self, now: Utc) {
        let age_max = i128::try_from(LEDGER_AGE_MAX.as_nanos()).unwrap_or(i128::MAX);
        let is_old = |entry: &Entry| now.as_unix_ns() - entry.at.as_unix_ns() > age_max;
        while self.entries.values().find(|entry| entry.ack.is_some()).is_some_and(is_old) && self.evict() {}
        while (self.entries.len() > LEDGER_LEN_MAX || self.bytes > LEDGER_BYTES_MAX) && self.evict() {}
    }
}

fn known(entry: &Entry, digest: u64) -> Begun<'_> {
    match &entry.ack {
        _ if entry.digest != digest => {
            let message = format!("request_id was used at {} for another command", entry.at);
            Begun::Refused(Refusal::new(Code::RequestIdReused, message))
        }
        Some(ack) => Begun::Done(ack),
        None => Begun::InProgress,
    }
}
