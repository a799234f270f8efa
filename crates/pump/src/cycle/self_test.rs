//! The lines' own test: with everything off they must say so, and the watchdog relay must be
//! fallen without heartbeats and come with them.

use std::fmt;
use std::time::Duration;

use vigia_core::time::Instant;

/// For this long all must be as it should: longer than any feedback takes.
const GOOD: Duration = Duration::from_millis(250);
/// What is not so by then has failed.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the lines say while nothing is energised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// All read as they were written.
    pub are_same: bool,
    /// The watchdog relay's contact; `None` without one.
    pub is_pulled: Option<bool>,
    /// Its coil hangs on the stop button and the selector, too, and they may hold it down.
    pub may_be_cut: bool,
}

/// Why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A line does not read as it was written.
    Lines,
    /// The watchdog relay is pulled without heartbeats.
    StaysPulled,
    /// It does not come with them.
    StaysFallen,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines do not read as they were written",
            Self::StaysPulled => "the watchdog relay K0 is pulled without a heartbeat",
            Self::StaysFallen => "the watchdog relay K0 does not come with the heartbeat",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Nothing beats, nothing is on.
    #[default]
    Rest,
    /// Heartbeats, still nothing on.
    Pull,
    Passed,
}

#[derive(Debug, Default)]
pub struct SelfTest {
    stage: Stage,
    /// When the stage began.
    since: Option<Instant>,
    good_since: Option<Instant>,
    said: Option<Result<(), Failure>>,
}

impl SelfTest {
    pub const fn has_passed(&self) -> bool {
        matches!(self.stage, Stage::Passed)
    }

    /// Whether the heartbeat line must be toggled for the test to go on.
    pub const fn asks_for_beats(&self) -> bool {
        matches!(self.stage, Stage::Pull)
    }

    /// After each write of nothing: a verdict, when there is a new one. A test that failed is
    /// repeated, so that a repair can be reset; one that passed is over.
    pub fn look(&mut self, now: Instant, lines: Lines) -> Option<Result<(), Failure>> {
        let wrong = match self.stage {
            Stage::Passed => return None,
            _ if !lines.are_same => Some(Failure::Lines),
            Stage::Rest => (lines.is_pulled == Some(true)).then_some(Failure::StaysPulled),
            Stage::Pull => {
                (lines.is_pulled == Some(false) && !lines.may_be_cut).then_some(Failure::StaysFallen)
            }
        };
        let since = *self.since.get_or_insert(now);
        let Some(why) = wrong else {
            let good_since = *self.good_since.get_or_insert(now);
            if now.since(good_since) < GOOD {
                return None;
            }
            // Without a watchdog relay there is nothing to pull.
            let next = match self.stage {
                Stage::Rest if lines.is_pulled.is_some() => Stage::Pull,
                Stage::Rest | Stage::Pull | Stage::Passed => Stage::Passed,
            };
            self.enter(next);
            return if self.has_passed() { self.say(Ok(())) } else { None };
        };
        self.good_since = None;
        if now.since(since) <= PATIENCE {
            return None;
        }
        // What failed under heartbeats is looked at from rest again.
        self.enter(Stage::Rest);
        self.say(Err(why))
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        (self.since, self.good_since) = (None, None);
    }

    fn say(&mut self, verdict: Result<(), Failure>) -> Option<Result<(), Failure>> {
        let is_new = self.said != Some(verdict);
        self.said = Some(verdict);
        is_new.then_some(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    const SAME: Lines = Lines { are_same: true, is_pulled: None, may_be_cut: false };
    const OTHER: Lines = Lines { are_same: false, ..SAME };
    const FALLEN: Lines = Lines { is_pulled: Some(false), ..SAME };
    const PULLED: Lines = Lines { is_pulled: Some(true), ..SAME };

    /// When, what, the verdict, and whether the test then asks for heartbeats.
    type Row = (u64, Lines, Option<Result<(), Failure>>, bool);

    fn run(rows: &[Row]) -> SelfTest {
        let mut test = SelfTest::default();
        for (ms, lines, verdict, beats) in rows {
            assert_eq!(test.look(at(*ms), *lines), *verdict, "{ms}");
            assert_eq!(test.asks_for_beats(), *beats, "{ms}");
        }
        test
    }

    #[test]
    fn lines_pass_fail_and_are_repaired() {
        let test = run(&[
            (0, SAME, None, false),
            (100, OTHER, None, false),
            (1101, OTHER, Some(Err(Failure::Lines)), false),
            (1200, OTHER, None, false),
            (1300, SAME, None, false),
            (1549, SAME, None, false),
            (1550, SAME, Some(Ok(())), false),
            (9000, OTHER, None, false),
        ]);
        assert!(test.has_passed(), "from there on the machine looks");
    }

    #[test]
    fn the_watchdog_relay_falls_and_comes_before_anything_is_driven() {
        // It hangs on from before the program's death for 300 ms at most.
        let test = run(&[
            (0, PULLED, None, false),
            (300, FALLEN, None, false),
            (550, FALLEN, None, true),
            (600, FALLEN, None, true),
            (750, PULLED, None, true),
            (999, PULLED, None, true),
            (1000, PULLED, Some(Ok(())), false),
        ]);
        assert!(test.has_passed());
    }

    #[test]
    fn a_watchdog_relay_that_is_welded_or_dead_arms_nothing() {
        let welded = run(&[
            (0, PULLED, None, false),
            (1000, PULLED, None, false),
            (1001, PULLED, Some(Err(Failure::StaysPulled)), false),
        ]);
        assert!(!welded.has_passed());
        let dead = run(&[
            (0, FALLEN, None, false),
            (250, FALLEN, None, true),
            (300, FALLEN, None, true),
            (1301, FALLEN, Some(Err(Failure::StaysFallen)), false),
            (1400, FALLEN, None, false),
            (1650, FALLEN, None, true),
            (1700, FALLEN, None, true),
            (2800, FALLEN, None, false),
        ]);
        assert!(!dead.has_passed());
    }

    /// The stop button opens its coil: it comes when it is released, and the machine is stopped until then.
    #[test]
    fn a_pressed_stop_is_no_failure() {
        let cut = Lines { may_be_cut: true, ..FALLEN };
        let test = run(&[
            (0, cut, None, false),
            (250, cut, None, true),
            (300, cut, None, true),
            (550, cut, Some(Ok(())), false),
        ]);
        assert!(test.has_passed());
    }
}
