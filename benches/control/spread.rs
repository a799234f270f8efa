//! How measured values lie, and how far a step is.

use std::time::Duration;

use serde::Serialize;
use vigia::clock;
use vigia_core::time::Instant;

/// Of all values: how many, the middle one, the one that 99 of 100 don't pass, the largest.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut all: Vec<_> = values.into_iter().collect();
        all.sort_unstable_by(f64::total_cmp);
        let at = |per_cent: usize| all.get(all.len().saturating_sub(1) * per_cent / 100);
        let at = |per_cent| at(per_cent).copied().unwrap_or(f64::NAN);
        Self { count: all.len(), p50: at(50), p99: at(99), max: at(100) }
    }
}

/// Says every ten seconds how far a step is.
pub struct Progress {
    what: &'static str,
    of: usize,
    begun: Instant,
    next: Duration,
}

impl Progress {
    pub fn start(what: &'static str, of: usize) -> Self {
        Self { what, of, begun: clock::now(), next: Duration::ZERO }
    }

    pub fn is_at(&mut self, count: usize) {
        let spent = clock::now().since(self.begun);
        if spent >= self.next || count == self.of {
            eprintln!("  {}: {count} of {} after {:.0} s", self.what, self.of, spent.as_secs_f64());
            self.next = spent + Duration::from_secs(10);
        }
    }
}
