//! Delays between attempts: doubling, capped, with jitter the caller provides.

use core::time::Duration;

/// Delays from `least` to `most`, doubling.
#[derive(Debug, Clone)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    #[must_use]
    pub fn new(least: Duration, most: Duration) -> Self {
        Self { least, most: most.max(least), next: least }
    }

    /// The next delay. `jitter` in 0..=1 scales it between a half and the whole.
    pub fn delay(&mut self, jitter: f64) -> Duration {
        let whole = self.next.min(self.most);
        self.next = (whole * 2).min(self.most);
        whole.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }

    /// Starts again from the shortest delay.
    pub fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_limit() {
        let s = Duration::from_secs;
        let mut b = Backoff::new(s(1), s(30));
        let got = [0; 7].map(|_| b.delay(1.0).as_secs());
        assert_eq!(got, [1, 2, 4, 8, 16, 30, 30]);
        b.reset();
        assert_eq!(b.delay(0.0), Duration::from_millis(500));
    }
}
