//! The ground: one base, areas of other surfaces on it, and where the sun and the sky reach it.

use glam::{Vec2, Vec3};

use super::skin::{Skin, grain, soft};
use super::thing::Thing;
use super::{Solid, plant::Growth};
use crate::scene::noise::{fbm2, smoothstep, value2};

/// A rectangle of another surface.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    pub centre: Vec2,
    pub half: Vec2,
    pub yaw: f32,
    /// Metres that its edge is frayed.
    pub fray: f32,
    /// 1 hides what is below, less lets it shine through.
    pub cover: f32,
    pub skin: Skin,
}

/// All of the ground.
#[derive(Clone, Debug)]
pub struct Floor {
    pub base: Skin,
    pub areas: Vec<Area>,
    /// Share of the ground under puddles.
    pub puddles: f32,
    /// Beyond this z there is water.
    pub water: f32,
    pub seed: u32,
}

impl Area {
    fn share(&self, p: Vec2, seed: u32, foot: f32) -> f32 {
        let reach = self.half.length() + self.fray + foot;
        if p.distance_squared(self.centre) > reach * reach {
            return 0.0;
        }
        let (sin, cos) = (libm::sinf(self.yaw), libm::cosf(self.yaw));
        let d = p - self.centre;
        let q = Vec2::new(d.x * cos - d.y * sin, d.x * sin + d.y * cos);
        let inside = self.half - q.abs();
        let mut edge = inside.x.min(inside.y);
        if edge < -self.fray - foot {
            return 0.0;
        }
        if self.fray > 0.0 {
            let wide = self.fray.max(0.3);
            edge += (fbm2(seed ^ self.skin.seed, p / wide.min(1.5), 3) - 0.5) * 2.0 * self.fray;
            return smoothstep(-0.25 * self.fray - foot, 0.25 * self.fray + foot, edge) * self.cover;
        }
        soft(edge, foot) * self.cover
    }
}

impl Floor {
    /// The colour at a point.
    #[must_use]
    pub fn albedo(&self, p: Vec2, foot: f32) -> Vec3 {
        let mut last = None;
        for (i, area) in self.areas.iter().enumerate().rev() {
            if area.share(p, self.seed, foot) >= 0.999 {
                last = Some(i);
                break;
            }
        }
        let mut colour = last.map_or_else(|| self.base.at(p, foot), |i| self.areas[i].skin.at(p, foot));
        for area in &self.areas[last.map_or(0, |i| i + 1)..] {
            let share = area.share(p, self.seed, foot);
            if share > 0.0 {
                colour = colour.lerp(area.skin.at(p, foot), share);
            }
        }
        // Dirt, wear and what is spilt, the same over all surfaces.
        let dirt = fbm2(self.seed ^ 51, p * 0.23, 2) - 0.5;
        let scuff = grain(self.seed ^ 52, Vec2::new(p.x * 0.3, p.y) * 1.7, 0.5, foot);
        let grit = grain(self.seed ^ 53, p, 0.05, foot);
        colour * (1.0 + 0.38 * dirt + 0.22 * scuff + 0.3 * grit)
    }

    /// How much of a puddle is here.
    #[must_use]
    pub fn puddle(&self, p: Vec2) -> f32 {
        if self.puddles <= 0.0 {
            return 0.0;
        }
        let need = 0.78 - 0.16 * self.puddles;
        smoothstep(need, need + 0.08, fbm2(self.seed ^ 31, p * 0.45, 4)) * 0.9
    }

    /// The normal of water with ripples.
    #[must_use]
    pub fn ripples(&self, p: Vec2, foot: f32) -> Vec3 {
        let q = p * Vec2::new(0.9, 1.7);
        let tilt = |s: u32| fbm2(self.seed ^ s, q, 3) - 0.5;
        let strength = 0.22 / (1.0 + foot * 1.2);
        Vec3::new(tilt(41) * strength, 1.0, tilt(42) * strength).normalize()
    }
}

/// Seen from above: where the sun reaches the ground, and how open it is to the sky.
#[derive(Clone, Debug)]
pub struct Shadows {
    low: Vec2,
    cell: f32,
    side: usize,
    /// Sun and sky, 0..1.
    map: Vec<Vec2>,
}

impl Shadows {
    /// All open, around the origin. `sun` is what it starts with.
    pub fn new(reach: f32, sun: f32) -> Self {
        const SIDE: usize = 320;
        let cell = 2.0 * reach / SIDE as f32;
        Self { low: Vec2::splat(-reach), cell, side: SIDE, map: vec![Vec2::new(sun, 1.0); SIDE * SIDE] }
    }

    /// Sun and sky at a point.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    pub fn at(&self, p: Vec2) -> Vec2 {
        let q = (p - self.low) / self.cell - 0.5;
        let last = self.side as f32 - 2.0;
        if q.x < 0.0 || q.y < 0.0 || q.x > last || q.y > last {
            return self.map[0];
        }
        let (x, y, t) = (q.x as usize, q.y as usize, q - q.floor());
        let i = y * self.side + x;
        let above = self.map[i].lerp(self.map[i + 1], t.x);
        above.lerp(self.map[i + self.side].lerp(self.map[i + self.side + 1], t.x), t.y)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn each(&mut self, low: Vec2, high: Vec2, mut change: impl FnMut(Vec2, &mut Vec2)) {
        let end = Vec2::splat(self.side as f32);
        let from = ((low - self.low) / self.cell).clamp(Vec2::ZERO, end);
        let to = ((high - self.low) / self.cell).ceil().clamp(Vec2::ZERO, end);
        for y in from.y as usize..to.y as usize {
            for x in from.x as usize..to.x as usize {
                let p = self.low + (Vec2::new(x as f32, y as f32) + 0.5) * self.cell;
                change(p, &mut self.map[y * self.side + x]);
            }
        }
    }

    /// Lets a box shade the ground. `way` is how far its shadow falls per metre of height.
    pub fn solid(&mut self, s: &Solid, way: Vec2, hard: f32) {
        let tip = way * s.top;
        let radius = s.half.length() + 1.0;
        let low = (s.centre.min(s.centre + tip)) - radius;
        let high = (s.centre.max(s.centre + tip)) + radius;
        self.each(low, high, |p, v| {
            if s.crosses(p, p - tip) {
                v.x *= 1.0 - hard;
            }
            let near = (s.outside(p) / 0.9).clamp(0.0, 1.0);
            v.y *= 1.0 - 0.55 * (1.0 - near) * (1.0 - near);
        });
    }

    /// Lets a plant shade the ground.
    pub fn plant(&mut self, thing: &Thing, way: Vec2, hard: f32) {
        let Thing::Plant(plant) = thing else { return };
        let foot = Vec2::new(plant.foot.x, plant.foot.z);
        let bare = plant.growth == Growth::Bare;
        let radius = plant.width * 0.5;
        let (from, to) = (foot + way * plant.height * 0.25, foot + way * plant.height * 0.9);
        self.each(foot.min(to) - radius * 1.3, foot.max(to) + radius * 1.3, |p, v| {
            let along = to - from;
            let t = ((p - from).dot(along) / along.length_squared().max(1e-4)).clamp(0.0, 1.0);
            let off = (p - from - along * t).length() / radius;
            let leaves = value2(7, p * 1.3) * 0.5 + value2(8, p * 3.1) * 0.5;
            let shade = smoothstep(1.05, 0.6, off + (leaves - 0.5) * 0.9);
            v.x *= 1.0 - hard * shade * if bare { 0.35 } else { 0.85 };
            let near = (p - foot).length() / radius.max(0.2);
            if near < 1.2 && !bare {
                v.y *= 1.0 - 0.5 * (1.0 - near / 1.2);
            }
        });
    }

    /// Lets a beam from a window light the floor: a slanted rectangle.
    pub fn beam(&mut self, centre: Vec2, half: Vec2, slant: f32) {
        let wide = half.x + half.y * slant.abs() + 0.3;
        self.each(centre - Vec2::new(wide, half.y + 0.2), centre + Vec2::new(wide, half.y + 0.2), |p, v| {
            let d = p - centre;
            let x = d.x - d.y * slant;
            let bar = soft(x.abs() - 0.06, 0.05);
            v.x = v.x.max(soft(half.x - x.abs(), 0.12) * soft(half.y - d.y.abs(), 0.12) * bar);
        });
    }
}
