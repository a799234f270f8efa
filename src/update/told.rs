//! A file in memory in which `vigia` says something of itself, by the clock of the boot: written when it changes and now
//! and then, so that whoever reads it knows whether `vigia` still lives.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vigia_core::time::Instant;

use super::{read, write};
use crate::clock;

/// The file is written when it changes, and this often.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Whoever did not write it for this long is dead.
const STALE_AFTER: Duration = Duration::from_secs(15);

/// What is in such a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told<T> {
    boot_id: String,
    /// Nanoseconds since the boot.
    at: u64,
    pub told: T,
}

impl<T: DeserializeOwned> Told<T> {
    /// Whoever said it, and whenever.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&read(path).ok()?).ok()
    }

    /// Of one of this boot, who may be dead.
    pub fn of_this_boot(path: &Path) -> Option<Self> {
        // Of another boot, or from the future: not of this clock.
        Self::read(path).filter(|told| told.boot_id == clock::boot_id() && told.at <= clock::now().0)
    }

    /// Of one who lives.
    pub fn now(path: &Path) -> Option<Self> {
        Self::of_this_boot(path).filter(|told| clock::now().since(Instant(told.at)) <= STALE_AFTER)
    }
}

/// Writes it.
#[derive(Debug)]
pub(super) struct Teller<T> {
    path: Option<PathBuf>,
    boot_id: String,
    last: Option<(Instant, T)>,
    /// What comes of it when the file can't be written: whoever reads it takes us for dead.
    otherwise: &'static str,
    failed: bool,
}

impl<T: Serialize + PartialEq> Teller<T> {
    pub fn new(path: Option<PathBuf>, otherwise: &'static str) -> Self {
        Self { path, boot_id: clock::boot_id(), last: None, otherwise, failed: false }
    }

    pub fn tell(&mut self, what: T) {
        let Some(path) = &self.path else { return };
        let now = clock::now();
        let is_told = |(at, last): &(Instant, T)| *last == what && now.since(*at) < TOLD_EVERY;
        if self.last.as_ref().is_some_and(is_told) {
            return;
        }
        let told = Told { boot_id: self.boot_id.clone(), at: now.0, told: what };
        match write(path, &serde_json::to_string(&told).unwrap_or_default(), 0o644) {
            Ok(()) => (self.last, self.failed) = (Some((now, told.told)), false),
            Err(error) if !self.failed => {
                self.failed = true;
                let path = path.display();
                tracing::error!(component = "update", event = "not_told", %path, %error, "{}", self.otherwise);
            }
            Err(_) => {}
        }
    }
}

/// Where the unit lets `vigia` leave such a file; without it nothing is left.
pub(super) fn place(name: &str) -> Option<PathBuf> {
    std::env::var_os("RUNTIME_DIRECTORY").map(|dir| PathBuf::from(dir).join(name))
}
