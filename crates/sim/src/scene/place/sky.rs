//! The sky, the weather, and the ridges at the horizon.

use glam::{Vec2, Vec3};

use super::skin::{Ink, range, tint};
use crate::scene::light::Light;
use crate::scene::noise::{fbm2, smoothstep, value2};

/// One kind of weather: ranges from which a site draws.
#[derive(Clone, Copy, Debug)]
struct Weather {
    weight: u32,
    /// Degrees above the horizon.
    sun_height: (f32, f32),
    sun: [f32; 3],
    ambient: [f32; 3],
    zenith: [f32; 3],
    horizon: [f32; 3],
    /// Near the sun.
    glow: [f32; 3],
    cloud: ([f32; 3], [f32; 3]),
    cover: (f32, f32),
    /// Metres seen through the haze.
    seen: (f32, f32),
    night: f32,
}

#[rustfmt::skip]
const WEATHERS: [Weather; 9] = [
    // Clear.
    Weather { weight: 24, sun_height: (18.0, 62.0), sun: [0.86, 0.80, 0.70], ambient: [0.26, 0.30, 0.38], zenith: [0.10, 0.22, 0.50], horizon: [0.50, 0.60, 0.72], glow: [0.5, 0.45, 0.35], cloud: ([0.95, 0.94, 0.92], [0.50, 0.53, 0.58]), cover: (0.0, 0.55), seen: (2500.0, 9000.0), night: 0.0 },
    // Low sun in haze.
    Weather { weight: 10, sun_height: (8.0, 22.0), sun: [0.72, 0.56, 0.36], ambient: [0.24, 0.25, 0.28], zenith: [0.22, 0.32, 0.50], horizon: [0.72, 0.66, 0.56], glow: [0.9, 0.7, 0.45], cloud: ([0.95, 0.85, 0.70], [0.50, 0.48, 0.50]), cover: (0.1, 0.6), seen: (500.0, 2500.0), night: 0.0 },
    // Overcast.
    Weather { weight: 18, sun_height: (30.0, 60.0), sun: [0.05, 0.05, 0.05], ambient: [0.46, 0.48, 0.50], zenith: [0.50, 0.53, 0.57], horizon: [0.62, 0.64, 0.66], glow: [0.1, 0.1, 0.1], cloud: ([0.72, 0.74, 0.76], [0.38, 0.40, 0.44]), cover: (0.7, 1.0), seen: (800.0, 5000.0), night: 0.0 },
    // Sunset.
    Weather { weight: 12, sun_height: (0.5, 7.0), sun: [0.42, 0.20, 0.07], ambient: [0.11, 0.10, 0.13], zenith: [0.08, 0.11, 0.24], horizon: [0.42, 0.24, 0.16], glow: [1.3, 0.48, 0.10], cloud: ([1.05, 0.36, 0.12], [0.16, 0.10, 0.13]), cover: (0.3, 0.8), seen: (1200.0, 6000.0), night: 0.2 },
    // Sunrise.
    Weather { weight: 6, sun_height: (0.5, 9.0), sun: [0.40, 0.24, 0.13], ambient: [0.15, 0.15, 0.19], zenith: [0.14, 0.20, 0.36], horizon: [0.62, 0.42, 0.34], glow: [1.1, 0.6, 0.25], cloud: ([1.0, 0.55, 0.40], [0.28, 0.24, 0.30]), cover: (0.1, 0.7), seen: (300.0, 2500.0), night: 0.1 },
    // Night.
    Weather { weight: 11, sun_height: (20.0, 60.0), sun: [0.004, 0.005, 0.007], ambient: [0.014, 0.015, 0.020], zenith: [0.003, 0.004, 0.010], horizon: [0.022, 0.018, 0.016], glow: [0.004, 0.004, 0.005], cloud: ([0.022, 0.019, 0.018], [0.006, 0.006, 0.009]), cover: (0.0, 1.0), seen: (900.0, 5000.0), night: 1.0 },
    // Deep night.
    Weather { weight: 4, sun_height: (20.0, 60.0), sun: [0.003, 0.004, 0.006], ambient: [0.004, 0.005, 0.007], zenith: [0.001, 0.001, 0.003], horizon: [0.004, 0.004, 0.006], glow: [0.002, 0.002, 0.003], cloud: ([0.005, 0.005, 0.007], [0.001, 0.001, 0.002]), cover: (0.0, 1.0), seen: (900.0, 5000.0), night: 1.0 },
    // Rain.
    Weather { weight: 7, sun_height: (40.0, 60.0), sun: [0.01, 0.01, 0.01], ambient: [0.26, 0.28, 0.31], zenith: [0.28, 0.30, 0.34], horizon: [0.36, 0.38, 0.41], glow: [0.02, 0.02, 0.02], cloud: ([0.40, 0.42, 0.45], [0.20, 0.21, 0.24]), cover: (0.9, 1.0), seen: (250.0, 1200.0), night: 0.1 },
    // Fog.
    Weather { weight: 8, sun_height: (20.0, 50.0), sun: [0.06, 0.06, 0.05], ambient: [0.40, 0.41, 0.42], zenith: [0.48, 0.50, 0.52], horizon: [0.50, 0.51, 0.52], glow: [0.15, 0.14, 0.12], cloud: ([0.55, 0.56, 0.57], [0.46, 0.47, 0.49]), cover: (0.4, 1.0), seen: (35.0, 200.0), night: 0.0 },
];

/// What is above.
#[derive(Clone, Debug)]
pub struct Sky {
    zenith: Vec3,
    pub horizon: Vec3,
    glow: Vec3,
    sun_at: Vec3,
    disc: Vec3,
    cloud: (Vec3, Vec3),
    cover: f32,
    scale: f32,
    stars: f32,
    seed: u32,
    /// Wet ground.
    pub wet: bool,
    /// Lamps may be out in a deep night.
    pub dark: bool,
}

/// Draws a weather: its light and its sky.
pub fn weather(rng: &mut fastrand::Rng) -> (Light, Sky) {
    let total: u32 = WEATHERS.iter().map(|w| w.weight).sum();
    let mut left = rng.u32(..total);
    let mut which = 0;
    while left >= WEATHERS[which].weight {
        left -= WEATHERS[which].weight;
        which += 1;
    }
    let w = WEATHERS[which];
    let height = range(rng, w.sun_height.0, w.sun_height.1).to_radians();
    let turn = range(rng, 0.0, core::f32::consts::TAU);
    let flat = libm::cosf(height);
    let sun_at = Vec3::new(flat * libm::sinf(turn), libm::sinf(height), flat * libm::cosf(turn));
    let level = range(rng, 0.75, 1.2);
    let mut v = |c: [f32; 3], wide: f32| {
        let hue = Vec3::new(range(rng, 1.0 - wide, 1.0 + wide), 1.0, range(rng, 1.0 - wide, 1.0 + wide));
        Vec3::from_array(c) * level * hue
    };
    let horizon = v(w.horizon, 0.12);
    let (sun, ambient) = (v(w.sun, 0.06), v(w.ambient, 0.08));
    let (zenith, glow, cloud) = (v(w.zenith, 0.15), v(w.glow, 0.2), (v(w.cloud.0, 0.12), v(w.cloud.1, 0.12)));
    let cover = range(rng, w.cover.0, w.cover.1);
    let haze_density = 1.0 / range(rng, w.seen.0, w.seen.1);
    let haze = horizon * 0.92;
    let sun = sun * (1.0 - 0.35 * cover);
    let light = Light { sun_at, sun, sky: ambient, haze, haze_density, night: w.night };
    let disc = if w.night > 0.9 { Vec3::splat(0.5) } else { sun * 30.0 };
    let sky = Sky {
        zenith,
        horizon,
        glow,
        sun_at,
        disc,
        cloud,
        cover,
        scale: range(rng, 0.5, 1.6),
        stars: if w.night > 0.9 && cover < 0.5 { 0.15 } else { 0.0 },
        seed: rng.u32(..),
        wet: which == 7,
        dark: which == 6,
    };
    (light, sky)
}

impl Sky {
    /// Without clouds, for reflections; `dir` has length one.
    #[must_use]
    pub fn gradient(&self, dir: Vec3) -> Vec3 {
        let low = 1.0 - dir.y.clamp(0.0, 1.0);
        let low4 = low * low * low * low;
        let base = self.zenith.lerp(self.horizon, low4);
        let near = (dir.dot(self.sun_at) * 0.5 + 0.5).clamp(0.0, 1.0);
        let wide = near.powi(6) * low4;
        base.lerp(self.glow.max(base), 0.75 * wide)
            + self.glow * (near.powi(60) * 0.35 + near.powi(500) * 0.5)
    }

    /// All of it.
    #[must_use]
    pub fn colour(&self, dir: Vec3) -> Vec3 {
        let mut colour = self.gradient(dir);
        let to_sun = dir.dot(self.sun_at);
        let mut thin = 1.0;
        if dir.y > 0.01 && self.cover > 0.02 {
            let p = Vec2::new(dir.x, dir.z) / (dir.y + 0.1) * self.scale;
            let density = fbm2(self.seed, p, 5);
            let need = 0.78 - 0.5 * self.cover;
            let cover = smoothstep(need, need + 0.16, density);
            let thick = fbm2(self.seed, p + Vec2::new(self.sun_at.x, self.sun_at.z) * 0.25, 2);
            let shade = smoothstep(need - 0.1, need + 0.35, 0.5 * (density + thick));
            let near = (to_sun * 0.5 + 0.5).max(0.0);
            let bright = self.cloud.0.lerp(self.horizon, 0.5 * (1.0 - near));
            let cloud = bright.lerp(self.cloud.1, shade) + self.glow * near.powi(24) * 0.3;
            let share = cover * smoothstep(0.0, 0.1, dir.y) * 0.95;
            colour = colour.lerp(cloud, share);
            thin = 1.0 - share;
        }
        if to_sun > 0.9995 {
            colour += self.disc * smoothstep(0.9995, 0.9999, to_sun) * (0.1 + 0.9 * thin);
        }
        if self.stars > 0.0 {
            let p = Vec2::new(dir.x, dir.z) / (dir.y.abs() + 0.4) * 160.0;
            colour += Vec3::splat(self.stars * smoothstep(0.95, 1.0, value2(self.seed ^ 77, p)) * thin);
        }
        colour
    }
}

/// A row of hills, trees or roofs at the horizon.
#[derive(Clone, Copy, Debug)]
pub struct Ridge {
    pub distance: f32,
    pub height: f32,
    /// Waves around the whole horizon.
    pub waves: f32,
    /// 0: smooth hills, 1: single tree tops.
    pub trees: f32,
    /// Straight roofs in place of waves.
    pub roofs: bool,
    pub a: Vec3,
    pub b: Vec3,
    pub seed: u32,
}

impl Ridge {
    /// One of a table's inks, at a distance.
    pub fn new(rng: &mut fastrand::Rng, distance: f32, height: f32, trees: f32, inks: (Ink, Ink)) -> Self {
        let (a, b) = (tint(rng, inks.0), tint(rng, inks.1));
        let waves = range(rng, 1.5, 5.0);
        Self { distance, height, waves, trees, roofs: false, a, b, seed: rng.u32(..) }
    }

    /// How high it is in a direction, in metres.
    fn top(&self, flat: Vec2) -> f32 {
        if self.roofs {
            let p = Vec2::new((flat.x * 40.0).floor(), (flat.y * 40.0).floor());
            return self.height * (0.35 + 0.65 * value2(self.seed, p));
        }
        let wave = fbm2(self.seed, flat * self.waves, 3);
        let tops = fbm2(self.seed ^ 3, flat * self.distance * 0.22, 3) - 0.4;
        self.height * (0.1 + 1.1 * wave * wave * 1.6) + self.trees * tops * 9.0
    }

    /// Its colour and light where a ray from `height` metres meets it. `dir` has length one.
    #[must_use]
    pub fn hit(&self, light: &Light, height: f32, dir: Vec3) -> Option<(Vec3, Vec3)> {
        let level = Vec2::new(dir.x, dir.z);
        let length = level.length().max(1e-4);
        let flat = level / length;
        let y = height + dir.y / length * self.distance;
        let top = self.top(flat);
        if y > top || y < -2.0 {
            return None;
        }
        let at = Vec2::new(libm::atan2f(flat.x, flat.y) * self.distance, y * 1.7);
        let wave = 0.08 + 0.16 / (1.0 + self.distance * 0.004);
        let field = fbm2(self.seed ^ 9, at * 0.012, 4);
        let crowns = fbm2(self.seed ^ 11, at * wave * 1.8, 3);
        let lit = fbm2(self.seed ^ 11, (at + Vec2::new(0.8, 1.6)) * wave * 1.8, 3);
        let relief = (0.75 + 2.2 * (crowns - lit) + 0.9 * (crowns - 0.5)).clamp(0.25, 1.7);
        let albedo = self.a.lerp(self.b, smoothstep(0.38, 0.62, field)) * relief;
        let normal = Vec3::new(-flat.x, 0.7, -flat.y).normalize();
        let rise = smoothstep(0.0, 0.4 * top.max(1.0), y);
        Some((albedo, light.on(normal) * (0.55 + 0.45 * rise)))
    }
}
