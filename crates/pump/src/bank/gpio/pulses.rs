//! A flow meter that gives pulses, read as a contact.

use std::time::Duration;

use vigia_core::time::Instant;

const BUCKET: Duration = Duration::from_millis(100);
/// Two seconds: one pulse more or less must not make the contact flap.
const BUCKETS_LEN: usize = 20;

const LAPS: u64 = BUCKETS_LEN as u64;

fn place(bucket: u64) -> usize {
    usize::try_from(bucket % LAPS).unwrap_or_default()
}

/// Pulses of the last two seconds.
#[derive(Debug)]
pub struct Pulses {
    per_s_min: u32,
    buckets: [u32; BUCKETS_LEN],
    /// The bucket that is being filled, counted from the start of time.
    filling: u64,
}

impl Pulses {
    pub const fn new(per_s_min: u32) -> Self {
        Self { per_s_min, buckets: [0; BUCKETS_LEN], filling: 0 }
    }

    pub fn note(&mut self, now: Instant) {
        let at = self.forget(now);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket = bucket.saturating_add(1);
        }
    }

    pub fn are_enough(&mut self, now: Instant) -> bool {
        self.forget(now);
        let sum = self.buckets.iter().fold(0_u32, |sum, bucket| sum.saturating_add(*bucket));
        sum >= self.per_s_min.saturating_mul(2)
    }

    /// Empties what is older than two seconds; the place of the bucket of now.
    fn forget(&mut self, now: Instant) -> usize {
        let current = now.0 / u64::try_from(BUCKET.as_nanos()).unwrap_or(u64::MAX);
        let first = (self.filling + 1).max(current.saturating_sub(LAPS - 1));
        for passed in first..=current {
            if let Some(bucket) = self.buckets.get_mut(place(passed)) {
                *bucket = 0;
            }
        }
        self.filling = self.filling.max(current);
        place(self.filling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn water_flows_while_pulses_come() {
        let at = |ms: u64| Instant(ms * 1_000_000);
        let mut pulses = Pulses::new(2);
        assert!(!pulses.are_enough(at(50_000)));
        // Two a second, from 50.0 s on: four in two seconds at 51.5 s.
        for (ms, is_enough) in [(50_000, false), (50_500, false), (51_000, false), (51_500, true)] {
            pulses.note(at(ms));
            assert_eq!(pulses.are_enough(at(ms)), is_enough, "{ms}");
        }
        pulses.note(at(52_000));
        assert!(pulses.are_enough(at(52_399)));
        assert!(pulses.are_enough(at(52_499)), "four are left");
        assert!(!pulses.are_enough(at(52_500)), "the one at 50.5 s is two seconds old");
        assert!(!pulses.are_enough(at(60_000)));
        assert!(!pulses.are_enough(at(51_000)), "time that goes back brings nothing back");
    }
}
