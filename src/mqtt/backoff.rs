//! How long to wait before the next connection attempt.

use std::time::Duration;

/// Doubling delays with full jitter: uniform between zero and the doubled value, so that a
/// site's worth of boxes does not come back in step. Never less than a tenth of the
/// minimum, so that bad luck cannot make a hot loop.
#[derive(Debug)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), attempts: 0 }
    }

    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Delay before the next attempt. `share` is the jitter, 0..=1; `steady` keeps at least
    /// half of the delay (used while another client contends for our id).
    pub(super) fn next(&mut self, share: f64, steady: bool) -> Duration {
        let ceiling = self.min.saturating_mul(1 << self.attempts.min(16)).min(self.max);
        self.attempts = self.attempts.saturating_add(1);
        let share = share.clamp(0.0, 1.0);
        let share = if steady { 0.5 + share / 2.0 } else { share };
        ceiling.mul_f64(share).max(self.min / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_maximum_and_starts_again() {
        let mut b = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let full: Vec<u64> = (0..7).map(|_| b.next(1.0, false).as_secs()).collect();
        assert_eq!(full, [1, 2, 4, 8, 16, 30, 30]);
        b.reset();
        assert_eq!(b.next(0.0, false), Duration::from_millis(100));
        assert_eq!(b.next(0.0, true), Duration::from_secs(1));
        for _ in 0..100 {
            assert!(b.next(1.0, true) <= Duration::from_secs(30));
        }
    }
}
