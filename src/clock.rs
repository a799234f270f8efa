//! The only file that reads time, and which boot it counts from.

use rustix::time::{ClockId, clock_gettime};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

/// Time since boot, suspend included.
#[must_use]
pub fn now() -> Instant {
    Instant(u64::try_from(read(ClockId::Boottime)).unwrap_or(0))
}

/// The wall clock, for display and expiry only.
#[must_use]
pub fn utc() -> Utc {
    Utc::from_unix_ns(read(ClockId::Realtime))
}

/// The kernel's name of this boot.
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Processor time of this process so far, all threads, in nanoseconds.
#[must_use]
pub fn cpu_ns() -> u64 {
    u64::try_from(read(ClockId::ProcessCPUTime)).unwrap_or(0)
}

fn read(clock: ClockId) -> i128 {
    let t = clock_gettime(clock);
    i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec)
}
