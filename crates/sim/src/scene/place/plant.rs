//! Trees, bushes, tufts and rocks: upright pictures cut out by noise.

use glam::{Vec2, Vec3};

use super::Eye;
use super::skin::{Ink, pick, range, tint};
use crate::scene::canvas::{Canvas, Texel};
use crate::scene::noise::{fbm2, smoothstep, value2};

/// What grows, and rocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    Broadleaf,
    Conifer,
    Bush,
    Tuft,
    Bare,
    Rock,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    pub growth: Growth,
    pub foot: Vec3,
    pub height: f32,
    pub width: f32,
    leaf: (Vec3, Vec3),
    bark: Vec3,
    seed: u32,
}

/// Kind, height, width to height, leaves bright and dark.
type Row = (Growth, (f32, f32), (f32, f32), Ink, Ink);

#[rustfmt::skip]
pub const PLANTS: [Row; 13] = [
    (Growth::Broadleaf, (5.0, 13.0), (0.55, 0.9), [104, 118, 62], [48, 62, 30]),
    (Growth::Broadleaf, (6.0, 16.0), (0.5, 0.8), [86, 104, 58], [38, 54, 30]),
    (Growth::Broadleaf, (4.0, 9.0), (0.6, 1.0), [150, 112, 48], [92, 58, 28]),
    (Growth::Broadleaf, (4.0, 9.0), (0.5, 0.9), [158, 82, 42], [92, 44, 26]),
    (Growth::Conifer, (7.0, 20.0), (0.3, 0.45), [66, 84, 54], [30, 42, 30]),
    (Growth::Conifer, (5.0, 14.0), (0.35, 0.55), [84, 94, 70], [40, 50, 38]),
    (Growth::Bare, (4.0, 12.0), (0.5, 0.9), [96, 84, 72], [60, 52, 46]),
    (Growth::Bush, (0.7, 2.2), (1.0, 2.0), [96, 108, 58], [46, 56, 30]),
    (Growth::Bush, (0.6, 1.8), (1.0, 1.8), [140, 106, 62], [84, 60, 36]),
    (Growth::Tuft, (0.25, 0.8), (0.9, 1.8), [126, 126, 70], [70, 76, 38]),
    (Growth::Tuft, (0.3, 1.0), (0.8, 1.6), [176, 156, 104], [110, 92, 58]),
    (Growth::Rock, (0.2, 1.2), (1.2, 2.2), [140, 134, 124], [92, 86, 80]),
    (Growth::Rock, (0.3, 1.8), (1.1, 1.9), [128, 108, 92], [84, 70, 60]),
];

impl Plant {
    /// One like a row of the table.
    pub fn new(rng: &mut fastrand::Rng, row: &Row, foot: Vec3) -> Self {
        let height = range(rng, row.1.0, row.1.1);
        let width = height * range(rng, row.2.0, row.2.1);
        let leaf = (tint(rng, row.3), tint(rng, row.4));
        let base = pick(rng, &[[92, 78, 64], [70, 60, 52], [128, 120, 108], [84, 64, 48]]);
        let bark = tint(rng, base);
        Self { growth: row.0, foot, height, width, leaf, bark, seed: rng.u32(..) }
    }

    fn trunk(&self) -> f32 {
        match self.growth {
            Growth::Broadleaf => 0.2 + 0.15 * value2(self.seed, Vec2::splat(0.0)),
            Growth::Conifer => 0.08,
            _ => 0.0,
        }
    }

    /// Where leaves are: above 0 inside. `p` is -1..1 across and 0..1 up.
    fn shape(&self, p: Vec2) -> f32 {
        let base = self.trunk();
        match self.growth {
            Growth::Conifer => {
                let up = (p.y - base) / (1.0 - base);
                let tier = (up * 9.0 + p.x.abs() * 1.5).rem_euclid(1.0);
                (1.0 - up) * (0.78 + 0.3 * (1.0 - tier)) - p.x.abs() - if up < 0.0 { 1.0 } else { 0.0 }
            }
            Growth::Tuft => {
                let blade = value2(self.seed ^ 2, Vec2::new(p.x * 16.0 + p.x * p.y * 9.0, p.y * 0.8));
                (1.0 - p.x * p.x) * (0.25 + 0.9 * blade) - p.y
            }
            Growth::Rock => {
                let bump = fbm2(self.seed ^ 2, Vec2::new(p.x * 1.6, 0.0), 2);
                (1.0 - p.x.abs().powi(3)) * (0.55 + 0.5 * bump) - p.y
            }
            _ => {
                let low = if self.growth == Growth::Bush { -0.15 } else { base };
                let y = (p.y - low) / (1.0 - low) * 2.0 - 1.0;
                let lobes = fbm2(self.seed ^ 2, p * Vec2::new(2.1, 4.0) + 7.0, 2) - 0.5;
                1.0 - (p.x * p.x + y * y).sqrt() + lobes * 0.95 - 0.1
            }
        }
    }

    /// Paints it, with light from the eye's site.
    pub fn paint(&self, canvas: &mut Canvas, eye: &Eye) {
        if self.growth == Growth::Bare {
            return self.branches(canvas, eye);
        }
        let up = Vec3::Y;
        if self.trunk() > 0.0 {
            let (thick, top) = (self.height * 0.02 + 0.05, self.foot + up * self.height * 0.7);
            let middle = self.foot + up * self.height * 0.2;
            let light = eye.site.lit(middle, (eye.view.position - self.foot).normalize_or_zero());
            let right = eye.view.right().dot(eye.site.light.sun_at);
            canvas.capsule(eye.view, (self.foot, thick), (top, thick * 0.4), 0, |normal, along| {
                let bark = value2(self.seed ^ 5, Vec2::new(normal.dot(eye.view.right()) * 4.0, along * 40.0));
                let side = 0.75 + 0.35 * normal.dot(eye.view.right()) * right;
                Texel::lit(self.bark * (0.6 + 0.8 * bark), light * side)
            });
        }
        let foot = (self.foot - eye.view.position).length() * eye.pixel;
        self.leaves(canvas, eye, foot);
    }

    fn leaves(&self, canvas: &mut Canvas, eye: &Eye, foot: f32) {
        let rock = self.growth == Growth::Rock;
        let clump = if rock { 0.5 } else { (self.height * 0.06).clamp(0.1, 0.6) };
        let octaves = if foot > clump * 0.5 { 2 } else { 4 };
        let scale = Vec2::new(self.width * 0.5, self.height) / clump;
        let sun = eye.site.light.sun_at;
        let to_sun = Vec2::new(eye.view.right().dot(sun), sun.y).normalize_or_zero();
        let step = to_sun * clump * 0.7 / Vec2::new(self.width * 0.5, self.height);
        let front = (eye.view.position - self.foot).normalize_or_zero();
        let middle = self.foot + Vec3::Y * self.height * 0.5;
        let lamps = eye.site.lamp_light(middle, front);
        let shaded = eye.site.light.shaded(Vec3::Y * 0.2);
        let backlit = 0.45 + 0.55 * (0.5 + 0.5 * front.dot(sun));
        let ragged = if rock { 0.1 } else { 0.55 };
        canvas.board(eye.view, self.foot, (self.width, self.height), 0, |p| {
            let inside = self.shape(p);
            if inside < -0.3 {
                return (0.0, Texel::lit(Vec3::ZERO, Vec3::ZERO));
            }
            let leaf = fbm2(self.seed, p * scale, octaves);
            let cover = smoothstep(0.0, 0.12, inside + (leaf - 0.5) * ragged);
            if cover <= 0.0 {
                return (0.0, Texel::lit(Vec3::ZERO, Vec3::ZERO));
            }
            let beyond = fbm2(self.seed, (p + step) * scale, 2);
            let open = (0.5 + 1.6 * (leaf - beyond) + 0.5 * p.dot(to_sun)).clamp(0.05, 1.0);
            let deep = (0.45 + 0.75 * p.y).min(1.0) * (0.55 + 0.9 * (leaf - 0.2)).clamp(0.3, 1.2);
            let tone = smoothstep(0.3, 0.7, leaf + 0.3 * (open - 0.5));
            let albedo = self.leaf.1.lerp(self.leaf.0, tone);
            let light = (shaded + lamps) * deep + eye.site.light.sun * open * deep * backlit;
            (cover, Texel::lit(albedo, light))
        });
    }

    fn branches(&self, canvas: &mut Canvas, eye: &Eye) {
        let front = (eye.view.position - self.foot).normalize_or_zero();
        let light = eye.site.lit(self.foot + Vec3::Y * self.height * 0.5, front);
        let mut rng = fastrand::Rng::with_seed(u64::from(self.seed));
        let start = (self.foot, Vec3::Y * self.height * 0.35, self.height * 0.016 + 0.04, 0);
        let mut open = vec![start];
        while let Some((from, way, thick, level)) = open.pop() {
            let to = from + way;
            canvas.capsule(eye.view, (from, thick), (to, thick * 0.65), 0, |normal, _| {
                Texel::lit(self.bark, light * (0.7 + 0.3 * normal.y))
            });
            if level < 4 {
                for _ in 0..rng.usize(2..4) {
                    let mut side = || range(&mut rng, -0.75, 0.75);
                    let turn = Vec3::new(side(), side() * 0.5 + 0.1, side()) * way.length();
                    open.push((to, (way + turn) * 0.62, thick * 0.6, level + 1));
                }
            }
        }
    }
}
