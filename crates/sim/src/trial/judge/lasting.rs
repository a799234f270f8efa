//! What the judge counts by itself: how long something has been so, how much of it lately, and
//! what is owed.

use std::time::Duration;

use vigia_core::pump::plan::Pump;
use vigia_core::time::Instant;

/// Since when something has been so, without a pause.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lasting(Option<Instant>);

impl Lasting {
    /// Seconds until `now`; zero if it is not so.
    pub fn seconds(&mut self, now: Instant, is: bool) -> f64 {
        if !is {
            self.0 = None;
            return 0.0;
        }
        now.since(*self.0.get_or_insert(now)).as_secs_f64()
    }
}

const PIECES_LEN: usize = 20;

/// How much of a growing total fell into a window: never more than it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recent {
    window: Duration,
    /// The total at moments a twentieth of the window apart, oldest first.
    marks: [(Instant, f64); PIECES_LEN],
    len: usize,
}

impl Recent {
    pub fn new(window: Duration) -> Self {
        Self { window, marks: [(Instant(0), 0.0); PIECES_LEN], len: 0 }
    }

    pub fn note(&mut self, now: Instant, total: f64) {
        let every = self.window / 20;
        let newest = self.len.checked_sub(1).and_then(|at| self.marks.get(at));
        if newest.is_some_and(|(at, _)| now.since(*at) < every) {
            return;
        }
        if self.len == PIECES_LEN {
            self.marks.rotate_left(1);
            self.len -= 1;
        }
        if let Some(slot) = self.marks.get_mut(self.len) {
            *slot = (now, total);
            self.len += 1;
        }
    }

    /// At least so much within the window that ends now.
    pub fn least(&self, now: Instant, total: f64) -> f64 {
        let young = self.marks.iter().take(self.len).find(|(at, _)| now.since(*at) <= self.window);
        young.map_or(0.0, |(_, before)| total - before)
    }
}

/// What is owed to the tank, by a count of its own: seconds of refill.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    due_s: f64,
}

impl Account {
    /// Time passes; `runs`: water is being used.
    pub fn pass(&mut self, passed: Duration, runs: bool, pump: &Pump) {
        let Some(refill) = pump.refill else { return };
        if runs {
            let more = passed.as_secs_f64() * f64::from(refill.per_mille) / 1000.0;
            self.due_s = (self.due_s + more).min(refill.cycle_max.as_secs_f64());
        }
    }

    /// The machine says that it owes so much, the tap having been open or the float full: what it
    /// paid is paid.
    pub fn paid(&mut self, passed: Duration, is_open: bool, is_full: bool) {
        if is_full {
            self.due_s = 0.0;
        } else if is_open {
            self.due_s = (self.due_s - passed.as_secs_f64()).max(0.0);
        }
    }

    /// How much less than it should is owed, beyond rounding. `each`: what one death may cost.
    pub fn is_short(&self, owed: Duration, deaths: u32, each_s: f64) -> Option<f64> {
        let due = self.due_s - f64::from(deaths) * each_s - 2.0;
        (owed.as_secs_f64() < due).then_some(self.due_s)
    }

    pub fn forget(&mut self) {
        self.due_s = 0.0;
    }
}
