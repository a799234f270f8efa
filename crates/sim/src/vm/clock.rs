//! The host's time, and how the guest's relates to it.

use std::sync::mpsc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use vigia_core::time::Instant;

use super::wire::GuestTime;

/// The host's `CLOCK_MONOTONIC`.
#[must_use]
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    // It counts from the boot and is never negative.
    let (s, ns) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    Instant(s * 1_000_000_000 + ns)
}

/// Lets time pass.
pub fn rest(span: Duration) {
    let (_open, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}

/// The guest's clock of one boot, as the host knows it: from the quickest of some questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestClock {
    /// What the host's clock shows more than the guest's.
    ahead_ns: i128,
    /// The true difference is within half of this.
    pub round_trip: Duration,
}

impl GuestClock {
    /// From one question: asked and answered by the host's clock, and what the guest said.
    #[must_use]
    pub fn of(asked: Instant, answered: Instant, said: GuestTime) -> Self {
        let middle = (i128::from(asked.0) + i128::from(answered.0)) / 2;
        Self { ahead_ns: middle - i128::from(said.0), round_trip: answered.since(asked) }
    }

    /// The better one of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if other.round_trip < self.round_trip { other } else { self }
    }

    /// When that was by the host's clock.
    #[must_use]
    pub fn host(&self, at: GuestTime) -> Instant {
        let host = i128::from(at.0) + self.ahead_ns;
        Instant(u64::try_from(host.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_answer_tells_best() {
        let slow = GuestClock::of(Instant(1_000), Instant(9_000), GuestTime(100));
        let quick = GuestClock::of(Instant(20_000), Instant(20_200), GuestTime(15_100));
        assert_eq!(slow.or(quick), quick);
        assert_eq!(quick.or(slow), quick);
        assert_eq!(quick.host(GuestTime(15_100)), Instant(20_100));
        assert_eq!(quick.round_trip, Duration::from_nanos(200));
        let young = GuestClock::of(Instant(0), Instant(10), GuestTime(1_000));
        assert_eq!(young.host(GuestTime(0)), Instant(0));
    }
}
