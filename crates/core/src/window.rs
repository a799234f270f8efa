//! Rates and means over the last 64 samples (spec nvr 1.5).

use core::time::Duration;

use crate::time::Instant;

const LEN: usize = 64;
/// Silence this much longer than three usual distances is no slow stream but the end of one.
const DEAD_AFTER: Duration = Duration::from_secs(5);

/// The last 64 values.
#[derive(Debug, Clone)]
pub struct Window<T> {
    values: [T; LEN],
    next: usize,
    len: usize,
}

impl<T: Copy + Default> Default for Window<T> {
    fn default() -> Self {
        Self { values: [T::default(); LEN], next: 0, len: 0 }
    }
}

impl<T: Copy> Window<T> {
    pub fn push(&mut self, value: T) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % LEN;
        self.len = (self.len + 1).min(LEN);
    }

    fn values(&self) -> &[T] {
        &self.values[..self.len]
    }

    /// The oldest value kept.
    fn first(&self) -> Option<T> {
        let at = if self.len == LEN { self.next } else { 0 };
        self.values().get(at).copied()
    }
}

impl Window<f32> {
    /// Mean of the values, if there are any.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 64 values")]
    pub fn mean(&self) -> Option<f32> {
        let v = self.values();
        (!v.is_empty()).then(|| v.iter().sum::<f32>() / v.len() as f32)
    }
}

/// Frames per second over the last 64 frames.
#[derive(Debug, Clone, Default)]
pub struct Rate(Window<Instant>);

impl Rate {
    pub fn tick(&mut self, now: Instant) {
        self.0.push(now);
    }

    /// Events per second up to `now`; falls towards zero when nothing comes any more. `None`
    /// before the second tick.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 64 values")]
    pub fn per_second(&self, now: Instant) -> Option<f32> {
        let first = self.0.first()?;
        if self.0.len < 2 {
            return None;
        }
        let last = self.0.values[(self.0.next + LEN - 1) % LEN];
        let intervals = (self.0.len - 1) as f32;
        let usual = last.since(first) / u32::try_from(self.0.len - 1).unwrap_or(1);
        // Silence counts once it is longer than the usual distance between two ticks.
        let waited = now.since(last);
        if waited > usual * 3 + DEAD_AFTER {
            return Some(0.0);
        }
        let span = last.since(first) + waited.saturating_sub(usual);
        (span > Duration::ZERO).then(|| intervals / span.as_secs_f32())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_of_the_last_64() {
        let mut w = Window::default();
        assert_eq!(w.mean(), None);
        (0..100u8).for_each(|i| w.push(f32::from(i)));
        assert_eq!(w.mean(), Some((36.0 + 99.0) / 2.0));
    }

    #[test]
    fn rate_of_a_steady_stream_and_of_a_dead_one() {
        let mut r = Rate::default();
        let at = |ms: u64| Instant(ms * 1_000_000);
        assert_eq!(r.per_second(at(0)), None);
        (0..200).for_each(|i| r.tick(at(i * 40)));
        let last = 199 * 40;
        assert!((r.per_second(at(last)).expect("rate") - 25.0).abs() < 0.01);
        assert!((r.per_second(at(last + 40)).expect("rate") - 25.0).abs() < 0.01);
        let late = r.per_second(at(last + 5_000)).expect("rate");
        assert!(late > 8.0 && late < 9.0, "{late}");
        assert_eq!(r.per_second(at(last + 5_200)), Some(0.0));
    }
}
