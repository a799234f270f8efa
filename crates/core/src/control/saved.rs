//! The desired state as the journal keeps it: what commands changed, and who is silent.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::overlay::Overlay;
use super::pauses::{Pauses, Until};
use crate::event::Utc;
use crate::time::Instant;

/// One record of the journal; the newest counts. Holds no password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub overlay: Overlay,
    pub pauses: Vec<SavedPause>,
    pub saved_at: Utc,
}

/// A pause, in wall time, since the monotonic clock does not outlive the machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SavedPause {
    /// `None`: all streams.
    pub source_id: Option<u32>,
    /// `None`: until resumed.
    pub until: Option<Utc>,
}

impl Saved {
    /// `now` and `wall` are the same moment on two clocks.
    #[must_use]
    pub fn new(overlay: Overlay, pauses: &Pauses, now: Instant, wall: Utc) -> Self {
        let pause = |(source_id, until): (Option<u32>, Until)| SavedPause {
            source_id,
            until: until.map(|until| later(wall, until.since(now))),
        };
        Self { overlay, pauses: pauses.entries().map(pause).collect(), saved_at: wall }
    }

    /// Those not over yet. With a clock that was set back, none becomes longer than it was.
    #[must_use]
    pub fn pauses(&self, now: Instant, wall: Utc) -> Pauses {
        let left = |until: Utc| between(wall, until).min(between(self.saved_at, until));
        let pause = |saved: &SavedPause| match saved.until.map(left) {
            None => Some((saved.source_id, None)),
            Some(left) => (!left.is_zero()).then(|| (saved.source_id, Some(now.after(left)))),
        };
        self.pauses.iter().filter_map(pause).collect()
    }
}

fn later(wall: Utc, time: Duration) -> Utc {
    Utc::from_unix_ns(wall.as_unix_ns().saturating_add(i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)))
}

/// Zero if `to` does not lie after `from`.
fn between(from: Utc, to: Utc) -> Duration {
    let ns = to.as_unix_ns().saturating_sub(from.as_unix_ns());
    Duration::from_nanos(u64::try_from(ns.max(0)).unwrap_or(u64::MAX))
}
