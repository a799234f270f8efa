//! The lines' own test: with everything off, they must say so.

use std::time::Duration;

use vigia_core::time::Instant;

/// For this long all lines must read as they were written: longer than any feedback takes.
const GOOD: Duration = Duration::from_millis(250);
/// A line that does not agree by then has failed.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct SelfTest {
    good_since: Option<Instant>,
    since: Option<Instant>,
    verdict: Option<bool>,
}

impl SelfTest {
    pub const fn has_passed(&self) -> bool {
        matches!(self.verdict, Some(true))
    }

    /// After each write of nothing: a verdict, when there is a new one. A test that failed is
    /// repeated, so that a repair can be reset; one that passed is over.
    pub fn look(&mut self, now: Instant, is_same: bool) -> Option<bool> {
        if self.has_passed() {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        self.good_since = is_same.then(|| self.good_since.unwrap_or(now));
        let verdict = if self.good_since.is_some_and(|since| now.since(since) >= GOOD) {
            Some(true)
        } else if now.since(since) > PATIENCE {
            Some(false)
        } else {
            None
        };
        if verdict.is_none() || verdict == self.verdict {
            return None;
        }
        self.verdict = verdict;
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_pass_fail_and_are_repaired() {
        let at = |ms: u64| Instant(ms * 1_000_000);
        let mut test = SelfTest::default();
        assert_eq!(test.look(at(0), true), None);
        assert_eq!(test.look(at(100), false), None);
        assert_eq!(test.look(at(1100), false), Some(false));
        assert_eq!(test.look(at(1200), false), None, "said once");
        assert_eq!(test.look(at(1300), true), None);
        assert_eq!(test.look(at(1549), true), None);
        assert!(!test.has_passed());
        assert_eq!(test.look(at(1550), true), Some(true));
        assert!(test.has_passed());
        assert_eq!(test.look(at(9000), false), None, "from here on the machine looks");
    }
}
