//! The watchdog relay K0, outside of everything that software can break: two edges of the heartbeat line pull it, one
//! alone never does (hardware/wiring.md), and it lets go 300 ms after the last one (reliability 2.4).
//!
//! Times are the host's. Where the guest's word comes late, what came before it is still judged by when
//! it was: [`K0::passed`] is told only up to when nothing more can come.

use std::time::Duration;

use vigia_core::time::Instant;

pub use crate::plant::K0_HOLDS;

/// The relay's coil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct K0 {
    last_edge: Option<Instant>,
    is_pulled: bool,
}

/// The coil changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Pulls(Instant),
    Drops(Instant),
}

impl K0 {
    #[must_use]
    pub const fn is_pulled(&self) -> bool {
        self.is_pulled
    }

    /// The heartbeat's last edge.
    #[must_use]
    pub const fn last_edge(&self) -> Option<Instant> {
        self.last_edge
    }

    /// An edge of the heartbeat line, whichever way: up to two changes, in order.
    #[must_use]
    pub fn edge(&mut self, at: Instant) -> [Option<Change>; 2] {
        let dropped = self.passed(at);
        let follows = self.last_edge.is_some_and(|last| at.since(last) < K0_HOLDS);
        self.last_edge = Some(at);
        let pulls = follows && !self.is_pulled;
        self.is_pulled |= pulls;
        [dropped, pulls.then_some(Change::Pulls(at))]
    }

    /// There was no edge up to `now`.
    #[must_use]
    pub fn passed(&mut self, now: Instant) -> Option<Change> {
        let last = self.last_edge.filter(|_| self.is_pulled)?;
        if now.since(last) < K0_HOLDS {
            return None;
        }
        self.is_pulled = false;
        Some(Change::Drops(last.after(K0_HOLDS)))
    }
}

/// The contact that says where a relay stands follows its coil.
#[derive(Debug, Clone)]
pub struct ContactDelay {
    rng: fastrand::Rng,
}

impl ContactDelay {
    pub const MIN: Duration = Duration::from_millis(10);
    pub const MAX: Duration = Duration::from_millis(20);

    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed) }
    }

    /// When a contact stands where its coil went at `at`.
    pub fn after(&mut self, at: Instant) -> Instant {
        let spread = Self::MAX.saturating_sub(Self::MIN).mul_f64(self.rng.f64());
        at.after(Self::MIN + spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Edges at these milliseconds, and a last look; expected are pulls `+` and drops `-`.
    fn check(edges: &[u64], look: u64, expected: &[(char, u64)]) {
        let mut k0 = K0::default();
        let mut seen = Vec::new();
        for at in edges {
            seen.extend(k0.edge(Instant(at * MS)).into_iter().flatten());
        }
        seen.extend(k0.passed(Instant(look * MS)));
        let told: Vec<(char, u64)> = seen
            .into_iter()
            .map(|change| match change {
                Change::Pulls(at) => ('+', at.0 / MS),
                Change::Drops(at) => ('-', at.0 / MS),
            })
            .collect();
        assert_eq!(told, expected, "{edges:?}, {look}");
        assert_eq!(k0.is_pulled(), expected.last().is_some_and(|(sign, _)| *sign == '+'));
    }

    #[test]
    fn two_edges_pull_it_and_one_never_does() {
        check(&[], 10_000, &[]);
        check(&[1000], 9000, &[]);
        check(&[1000, 1050], 1349, &[('+', 1050)]);
        check(&[1000, 1299], 1300, &[('+', 1299)]);
        check(&[1000, 1300], 9000, &[]);
        check(&[1000, 5000, 9000], 9100, &[]);
    }

    #[test]
    fn it_holds_for_300_ms_after_the_last_edge() {
        check(&[1000, 1050, 1100], 1399, &[('+', 1050)]);
        check(&[1000, 1050, 1100], 1400, &[('+', 1050), ('-', 1400)]);
        check(&[1000, 1050, 1349, 1648], 1947, &[('+', 1050)]);
    }

    #[test]
    fn a_line_that_stood_still_pulls_it_with_two_edges_again() {
        check(&[1000, 1050, 1350], 9000, &[('+', 1050), ('-', 1350)]);
        check(&[1000, 1050, 5000], 9000, &[('+', 1050), ('-', 1350)]);
        check(&[1000, 1050, 5000, 5050], 9000, &[('+', 1050), ('-', 1350), ('+', 5050), ('-', 5350)]);
    }

    /// Two edges may be told with the same time, and a look may come twice.
    #[test]
    fn nothing_is_said_twice() {
        check(&[1000, 1000], 1000, &[('+', 1000)]);
        let mut k0 = K0::default();
        let _ = [k0.edge(Instant(950 * MS)), k0.edge(Instant(1000 * MS))];
        assert_eq!(k0.passed(Instant(2000 * MS)), Some(Change::Drops(Instant(1300 * MS))));
        assert_eq!(k0.passed(Instant(3000 * MS)), None);
        assert!(!k0.is_pulled());
    }

    #[test]
    fn contacts_follow_within_10_to_20_ms() {
        let mut delay = ContactDelay::new(7);
        let all: Vec<u64> = (0..1000).map(|_| delay.after(Instant(0)).0 / 1000).collect();
        assert!(all.iter().all(|us| (10_000..=20_000).contains(us)), "{all:?}");
        assert!(all.iter().any(|us| *us < 11_000) && all.iter().any(|us| *us > 19_000));
    }
}
