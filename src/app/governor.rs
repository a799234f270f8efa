//! How many commands are looked at: a flood must not take the processor from the frames.

use vigia_core::time::Instant;

/// Commands a second, and at once after a rest. People and orchestrators stay far below.
const RATE: f64 = 200.0;
const BURST: f64 = 400.0;

/// A bucket of permits that fills with time.
#[derive(Debug)]
pub struct Governor {
    permits: f64,
    filled: Instant,
    /// Messages that were not looked at.
    pub ignored: u64,
}

impl Governor {
    pub fn new(now: Instant) -> Self {
        Self { permits: BURST, filled: now, ignored: 0 }
    }

    /// Whether a message that comes now is looked at.
    pub fn admits(&mut self, now: Instant) -> bool {
        let since = now.since(self.filled).as_secs_f64();
        self.filled = now;
        self.permits = (self.permits + RATE * since).min(BURST);
        if self.permits < 1.0 {
            self.ignored += 1;
            return false;
        }
        self.permits -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_the_rate_and_a_burst_is_not() {
        let mut governor = Governor::new(Instant(0));
        // Ten seconds of 10,000 a second.
        let admitted = (0..100_000_u64).filter(|n| governor.admits(Instant(n * 100_000))).count();
        assert!((2_390..=2_410).contains(&admitted), "{admitted}");
        assert_eq!(governor.ignored, 100_000 - admitted as u64);
        // After a rest a batch of them is served.
        let later = Instant(20_000_000_000);
        assert_eq!((0..500).filter(|_| governor.admits(later)).count(), 400);
    }
}
