//! The only file that reads time. There is no wall clock in this program.

use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;
use vigia_core::link::BootId;
use vigia_core::time::Instant;

/// Time since boot, suspend included.
#[must_use]
pub fn now() -> Instant {
    let t = clock_gettime(ClockId::Boottime);
    let ns = i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec);
    Instant(u64::try_from(ns).unwrap_or(0))
}

/// For `poll`.
#[must_use]
pub fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(d.subsec_nanos()) }
}

/// A name for this start of the program, which no other start has.
#[must_use]
pub fn draw_id() -> BootId {
    let mut id = [0; 16];
    // Right after boot there may be no randomness yet. Time and process will do: the id keeps
    // starts apart, it keeps no secret.
    if !matches!(getrandom(&mut id, GetRandomFlags::NONBLOCK), Ok(16)) {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let mut bytes = now().0.to_le_bytes().into_iter().chain(pid.to_le_bytes());
        id.iter_mut().for_each(|slot| *slot = bytes.next().unwrap_or_default());
    }
    BootId(id)
}
