//! How late cycles begin: a histogram that never grows.

use std::time::Duration;

/// Eight steps to each doubling of a microsecond: within 13 %.
const PER_DOUBLING: u32 = 8;
const BUCKETS_LEN: usize = 33 * PER_DOUBLING as usize;

/// Since the start.
#[derive(Debug, Clone)]
pub struct Lateness {
    buckets: [u32; BUCKETS_LEN],
    count: u32,
    max_us: u32,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS_LEN], count: 0, max_us: 0 }
    }
}

impl Lateness {
    pub fn note(&mut self, late: Duration) {
        let us = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        self.max_us = self.max_us.max(us);
        self.count = self.count.saturating_add(1);
        if let Some(bucket) = self.buckets.get_mut(index(us)) {
            *bucket = bucket.saturating_add(1);
        }
    }

    #[must_use]
    pub const fn max_us(&self) -> u32 {
        self.max_us
    }

    /// The upper end of the bucket below which 999 of 1,000 lie, in microseconds.
    #[must_use]
    pub fn p999_us(&self) -> u32 {
        let above = self.count / 1000;
        let mut seen = 0_u32;
        for (at, bucket) in self.buckets.iter().enumerate().rev() {
            seen = seen.saturating_add(*bucket);
            if seen > above {
                return upper_us(at).min(self.max_us);
            }
        }
        0
    }
}

/// Exact below eight, then the leading four bits.
fn index(us: u32) -> usize {
    let doublings = us.checked_ilog2().unwrap_or(0).saturating_sub(3);
    let within = us >> doublings;
    (doublings * PER_DOUBLING + within) as usize
}

fn upper_us(at: usize) -> u32 {
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    if at < 2 * PER_DOUBLING {
        return at;
    }
    let doublings = at / PER_DOUBLING - 1;
    let within = u64::from(at % PER_DOUBLING + PER_DOUBLING + 1);
    u32::try_from((within << doublings) - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lateness_has_its_bucket() {
        for us in (0..100_000).chain([u32::MAX / 2, u32::MAX - 1, u32::MAX]) {
            let at = index(us);
            assert!(at < BUCKETS_LEN, "{us}");
            assert!(upper_us(at) >= us, "{us} is above {}", upper_us(at));
            assert!(at == 0 || upper_us(at - 1) < us, "{us} belongs below");
        }
    }

    #[test]
    fn one_in_a_thousand_is_above() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.p999_us(), 0);
        (0..9_990).for_each(|_| lateness.note(Duration::from_micros(100)));
        (0..10).for_each(|_| lateness.note(Duration::from_millis(40)));
        assert!((100..=115).contains(&lateness.p999_us()), "{}", lateness.p999_us());
        assert_eq!(lateness.max_us(), 40_000);
        lateness.note(Duration::from_millis(41));
        assert!(lateness.p999_us() > 39_000, "{}", lateness.p999_us());
    }
}
