//! Whether the watchdog relay K0 still does what it is there for, and its weekly drop.

use std::time::Duration;

use vigia_core::time::Instant;

/// It comes within this time of the first heartbeat.
const COMES: Duration = Duration::from_secs(1);
/// It falls within 300 ms of the last one (reliability 2.4), its contact a little later.
pub const FALLS: Duration = Duration::from_millis(500);
/// From drop test to drop test; each start of the program is one.
const EVERY: Duration = Duration::from_hours(7 * 24);
/// Longer than [`FALLS`], so that a relay that hangs is found.
const DROP: Duration = Duration::from_millis(600);

/// What a cycle knows of it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// A heartbeat was given in this cycle.
    pub is_fed: bool,
    /// Its contact; `None` without a watchdog relay.
    pub is_pulled: Option<bool>,
    /// The stop button or the selector may hold it down.
    pub may_be_cut: bool,
}

#[derive(Debug, Default)]
pub struct Watchdog {
    is_fed: bool,
    /// Since when it is fed, or is not.
    since: Option<Instant>,
    has_failed: bool,
    next_drop: Option<Instant>,
    dropping: Option<Instant>,
    /// The level at which the line stands still in the next test: a fault of the relay's circuit
    /// may show at one of the two only.
    stops_high: bool,
}

impl Watchdog {
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// At the end of each cycle: whether it has failed or is well again, when that is new.
    pub fn look(&mut self, now: Instant, seen: Seen) -> Option<bool> {
        let since = match self.since {
            Some(since) if self.is_fed == seen.is_fed => since,
            _ => now,
        };
        (self.is_fed, self.since) = (seen.is_fed, Some(since));
        let lasted = now.since(since);
        let is_wrong = match (seen.is_pulled?, seen.is_fed) {
            (true, false) => lasted >= FALLS,
            (false, true) => lasted >= COMES && !seen.may_be_cut,
            (true, true) | (false, false) => false,
        };
        // Right is what has had the time to be wrong.
        let is_right = !is_wrong && lasted >= COMES;
        let is_new = (is_wrong && !self.has_failed) || (is_right && self.has_failed);
        self.has_failed = is_wrong || (self.has_failed && !is_right);
        is_new.then_some(self.has_failed)
    }

    /// Whether the heartbeat is withheld for the weekly test. Only while nothing is to be done;
    /// a fire ends the test at once.
    pub fn withholds(&mut self, now: Instant, is_at_rest: bool, is_high: Option<bool>) -> bool {
        let due = *self.next_drop.get_or_insert(now.after(EVERY));
        if !is_at_rest {
            self.dropping = None;
            return false;
        }
        match self.dropping {
            None if now >= due && is_high.is_none_or(|is| is == self.stops_high) => self.dropping = Some(now),
            Some(since) if now.since(since) >= DROP => {
                self.dropping = None;
                self.next_drop = Some(now.after(EVERY));
                self.stops_high = !self.stops_high;
            }
            None | Some(_) => {}
        }
        self.dropping.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    fn seen(is_fed: bool, is_pulled: bool) -> Seen {
        Seen { is_fed, is_pulled: Some(is_pulled), may_be_cut: false }
    }

    /// ms, fed, pulled: what is new.
    #[test]
    fn a_relay_that_fell_or_hangs_is_told_once_and_told_well() {
        let mut k0 = Watchdog::default();
        let rows = [
            (0, true, false, None),
            (999, true, false, None),
            (1000, true, false, Some(true)),
            (1050, true, false, None),
            (1100, true, true, Some(false)),
            (2000, false, true, None),
            (2499, false, true, None),
            (2500, false, true, Some(true)),
            (2550, false, false, None),
            (3000, false, false, Some(false)),
        ];
        for (ms, is_fed, is_pulled, new) in rows {
            assert_eq!(k0.look(at(ms), seen(is_fed, is_pulled)), new, "{ms}");
        }
    }

    #[test]
    fn a_stop_that_cuts_its_coil_is_no_failure() {
        let mut k0 = Watchdog::default();
        for ms in [0, 1000, 60_000] {
            let cut = Seen { may_be_cut: true, ..seen(true, false) };
            assert_eq!(k0.look(at(ms), cut), None, "{ms}");
        }
        let none = Seen { is_fed: true, is_pulled: None, may_be_cut: false };
        assert_eq!(k0.look(at(90_000), none), None, "a board without one");
    }

    #[test]
    fn it_is_dropped_once_a_week_and_never_in_a_fire() {
        const WEEK_MS: u64 = 7 * 24 * 3_600_000;
        let mut k0 = Watchdog::default();
        let mut withholds = |ms: u64, is_at_rest, is_high| k0.withholds(at(ms), is_at_rest, is_high);
        let (low, high) = (Some(false), Some(true));
        assert!(!withholds(0, true, low));
        assert!(!withholds(WEEK_MS - 1, true, low));
        assert!(!withholds(WEEK_MS, false, low), "a fire");
        assert!(!withholds(WEEK_MS + 50, true, high), "the line is high, and is to stand low");
        assert!(withholds(WEEK_MS + 100, true, low));
        assert!(!withholds(WEEK_MS + 150, false, low), "a fire ends the test");
        assert!(withholds(WEEK_MS + 200, true, low));
        assert!(withholds(WEEK_MS + 799, true, low));
        assert!(!withholds(WEEK_MS + 800, true, low));
        assert!(!withholds(2 * WEEK_MS + 799, true, high));
        assert!(!withholds(2 * WEEK_MS + 800, true, low), "now it is to stand high");
        assert!(withholds(2 * WEEK_MS + 850, true, high));
        assert!(!withholds(2 * WEEK_MS + 1450, true, high));
        assert!(withholds(3 * WEEK_MS + 1450, true, None), "where nobody knows, at once");
    }
}
