//! The way an actor takes.

use core::f32::consts::{PI, TAU};

use glam::{Vec2, Vec3};

use super::super::noise;

/// Where an actor is when: straight legs between way points at a speed, with pauses; at the end it
/// goes back the way it came.
#[derive(Clone, Debug)]
pub struct Path {
    points: Vec<Vec3>,
    /// Metres per second.
    pub(super) speed: f32,
    start: f32,
    /// For who doesn't move.
    heading: f32,
}

/// Where an actor is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    pub at: Vec3,
    /// Radians from north to east.
    pub heading: f32,
    pub moving: bool,
    /// Metres along the way so far, which drive the gait; they shrink in reverse.
    pub walked: f32,
}

/// One leg of a round trip.
struct Leg {
    from: Vec3,
    to: Vec3,
    /// On the way back.
    back: bool,
}

impl Path {
    /// `speed` in metres per second; `start` is where in the round trip it is at 0, in seconds.
    #[must_use]
    pub fn new(points: Vec<Vec3>, speed: f32, start: f32) -> Self {
        Self { points, speed: speed.max(0.0), start, heading: 0.0 }
    }

    /// Someone who stays, like a parked car.
    #[must_use]
    pub fn standing(at: Vec3, heading: f32) -> Self {
        Self { points: vec![at], speed: 0.0, start: 0.0, heading }
    }

    /// The place at `t` seconds for who looks where it goes.
    #[must_use]
    pub fn at(&self, t: f32) -> Pose {
        self.place(t, false)
    }

    /// The place at `t` seconds for who goes back in reverse.
    pub(super) fn driven(&self, t: f32) -> Pose {
        self.place(t, true)
    }

    /// Whether it ever moves.
    pub(super) fn moves(&self) -> bool {
        self.points.len() > 1 && self.speed > 0.0
    }

    fn place(&self, t: f32, reverse: bool) -> Pose {
        let first = self.points.first().copied().unwrap_or(Vec3::ZERO);
        let still = Pose { at: first, heading: self.heading, moving: false, walked: 0.0 };
        if !self.moves() {
            return still;
        }
        let round: f32 = self.legs().map(|leg| self.seconds(&leg)).sum();
        if round <= 0.01 {
            return still;
        }
        let mut left = (t + self.start).rem_euclid(round);
        let mut walked = 0.0;
        let mut before = None;
        for leg in self.legs() {
            let length = leg.from.distance(leg.to);
            let seconds = self.seconds(&leg);
            let heading = leg.heading(reverse);
            if left > seconds {
                left -= seconds;
                walked += if reverse && leg.back { -length } else { length };
                before = Some(heading);
                continue;
            }
            let gone = (left * self.speed).min(length);
            let old = before.unwrap_or_else(|| self.last_heading(reverse));
            let turned = noise::smoothstep(0.0, 1.0, left / if reverse { 1.2 } else { 0.6 });
            return Pose {
                at: leg.from.lerp(leg.to, gone / length.max(1e-3)),
                heading: old + short_way(heading - old) * turned,
                moving: gone < length,
                walked: walked + if reverse && leg.back { -gone } else { gone },
            };
        }
        still
    }

    /// All legs there and back.
    fn legs(&self) -> impl Iterator<Item = Leg> + '_ {
        let there = self.points.windows(2).map(|p| Leg { from: p[0], to: p[1], back: false });
        let back = self.points.windows(2).rev().map(|p| Leg { from: p[1], to: p[0], back: true });
        there.chain(back)
    }

    /// How long a leg takes, with the pause after it.
    fn seconds(&self, leg: &Leg) -> f32 {
        let end = Some(&leg.to) == self.points.last() || Some(&leg.to) == self.points.first();
        let dice = noise::value2(977, Vec2::new(leg.to.x, leg.to.z) * 3.1);
        let pause = if end { 0.8 + 3.0 * dice } else { (dice - 0.6).max(0.0) * 14.0 };
        leg.from.distance(leg.to) / self.speed + pause
    }

    fn last_heading(&self, reverse: bool) -> f32 {
        self.legs().last().map_or(self.heading, |leg| leg.heading(reverse))
    }
}

impl Leg {
    fn heading(&self, reverse: bool) -> f32 {
        let mut way = self.to - self.from;
        if reverse && self.back {
            way = -way;
        }
        libm::atan2f(way.x, way.z)
    }
}

/// The same turn, at most half a round.
fn short_way(turn: f32) -> f32 {
    (turn + PI).rem_euclid(TAU) - PI
}
