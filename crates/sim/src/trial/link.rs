//! The socket between vigia and its pump program, and everything that can happen to a frame.
//!
//! It is worse than a local socket can be: frames are lost, late, doubled and overtaken. Two things
//! it has in common with the real one: whoever dies takes with him what was under way, and an order
//! is never said again to a pump program that was started after it was given, since nobody knows
//! whether the one before carried it out.

use std::time::Duration;

use vigia_core::pump::{Order, Role, Source};
use vigia_core::time::Instant;

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    Demand {
        id: u64,
        source: Source,
        seen: Instant,
        persists: bool,
        authorised: bool,
        retained: bool,
    },
    Order {
        id: u64,
        order: Order,
        role: Role,
        given: Instant,
        retained: bool,
    },
    /// From the pump: it has heard this demand, whatever it made of it.
    Taken {
        id: u64,
    },
}

/// How bad it is: each of 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weather {
    pub lost: u8,
    pub doubled: u8,
    pub late: u8,
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    under_way: Vec<(Instant, Frame)>,
    pub weather: Weather,
    /// Nothing passes until then.
    pub broken_until: Instant,
}

impl Link {
    pub fn new(weather: Weather) -> Self {
        Self { under_way: Vec::with_capacity(64), weather, broken_until: Instant(0) }
    }

    pub fn send(&mut self, now: Instant, frame: Frame, rng: &mut fastrand::Rng) {
        if now < self.broken_until || rng.u8(..) < self.weather.lost {
            return;
        }
        let copies = if rng.u8(..) < self.weather.doubled { 2 } else { 1 };
        for _ in 0..copies {
            let late = rng.u8(..) < self.weather.late;
            let ms = if late { rng.u64(20..4000) } else { rng.u64(0..3) };
            // A flood is cut off; who sends repeats.
            if self.under_way.len() < self.under_way.capacity() {
                self.under_way.push((now.after(Duration::from_millis(ms)), frame));
            }
        }
    }

    pub fn next_at(&self) -> Option<Instant> {
        self.under_way.iter().map(|(at, _)| *at).min()
    }

    pub fn arrived(&mut self, now: Instant) -> Option<Frame> {
        let first = self.under_way.iter().enumerate().filter(|(_, (at, _))| *at <= now);
        let (place, _) = first.min_by_key(|(_, (at, _))| *at)?;
        Some(self.under_way.swap_remove(place).1)
    }

    /// Somebody died.
    pub fn cut(&mut self) {
        self.under_way.clear();
    }
}
