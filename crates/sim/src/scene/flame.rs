//! Flames: light without a surface, torn upwards.
//!
//! A flame is a tongue whose edge is eaten by noise that rises faster than the flame is tall. Its
//! colour is that of glowing soot at every brightness; the yellow and white in its middle come, as
//! in a real camera, from channels that are full (see `lens`).

use glam::{Vec2, Vec3};

use super::canvas::{Canvas, board_bounds};
use super::light::Light;
use super::noise::{fbm3, smoothstep, value3};
use super::picture::{Picture, Seen};
use super::view::View;

/// A fire on the ground: it starts, grows and burns on.
#[derive(Clone, Debug)]
pub struct Fire {
    pub at: Vec3,
    /// Metres across and high, when grown.
    pub width: f32,
    pub height: f32,
    /// Seconds: when it starts, and how long it takes to grow to two thirds.
    pub starts: f32,
    pub growth: f32,
    /// Brightness in the middle; the noon sun on white is 1.
    pub heat: f32,
    /// Share of green and of blue in its light; red is 1.
    pub tint: (f32, f32),
    /// How far the tip leans to the east, per height.
    pub lean: f32,
    /// How ragged, 0.6 to 1.4.
    pub turbulence: f32,
    pub seed: u32,
}

impl Fire {
    /// How large it is at `t`, 0 to 1.
    #[must_use]
    pub fn size(&self, t: f32) -> f32 {
        let age = t - self.starts;
        if age <= 0.0 {
            return 0.0;
        }
        let grown = 1.0 - libm::expf(-age / self.growth);
        0.08 + 0.92 * grown
    }

    /// Its unrest: how bright it is at the moment, around 1.
    fn flicker(&self, t: f32) -> f32 {
        0.72 + 0.56
            * value3(self.seed, Vec3::new(t * 7.0, 0.5, 0.5))
            * value3(self.seed, Vec3::new(t * 2.3, 9.5, 0.5))
            * 2.0
    }

    /// The light that it throws around itself.
    pub fn light_up(&self, canvas: &mut Canvas, view: &View, t: f32) {
        let size = self.size(t);
        if size <= 0.0 {
            return;
        }
        let (width, height) = (self.width * size, self.height * size);
        let from = self.at + Vec3::Y * (height * 0.4);
        let strength = self.heat * self.flicker(t) * (width * height).sqrt().min(4.0) * 0.22;
        canvas.glow(view, from, self.colour() * strength, 3.0 + 4.0 * height.max(width));
        // What it stands on is burnt.
        canvas.shade(view, self.at, width * 0.7, 0.55);
    }

    fn colour(&self) -> Vec3 {
        Vec3::new(1.0, self.tint.0, self.tint.1)
    }

    /// Adds its light to `picture` where nothing nearer hides it, and marks what can be seen of it.
    pub(super) fn paint(
        &self,
        canvas: &Canvas,
        view: &View,
        light: &Light,
        t: f32,
        picture: &mut Picture,
        seen: &mut Seen,
    ) {
        let size = self.size(t);
        if size <= 0.0 {
            return;
        }
        let (width, height) = (self.width * size, self.height * size);
        // The board is larger than the flame: tongues reach beyond it.
        let board = (width * 2.0, height * 1.5);
        let Some((low, high, depth)) = board_bounds(view, self.at - Vec3::Y * 0.03 * height, board) else {
            return;
        };
        let clear = light.clear(depth);
        let heat = self.heat * self.flicker(t) * clear;
        let lean = self.lean * view.right().x.signum() * (1.0 + 0.5 * libm::sinf(t * 1.3));
        let area = canvas.area(low, high);
        let tongue = Tongue::new(self, (width, height), t, lean);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let index = y * canvas.width + x;
                if canvas.depth[index] < depth - width * 0.5 {
                    continue;
                }
                let at = (Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - low) / (high - low);
                let density = tongue.density(Vec2::new(at.x * 4.0 - 2.0, (1.0 - at.y) * 1.5));
                if density <= 0.002 {
                    continue;
                }
                // Soot hides a little of what is behind; most of it is light on top.
                let glow = self.colour() * (heat * density * (0.3 + 1.3 * density * density));
                seen.look((x, y), picture.cover(index, 0.45 * density.min(1.0), glow));
            }
        }
    }
}

/// A flame at a moment.
struct Tongue<'a> {
    fire: &'a Fire,
    t: f32,
    lean: f32,
    /// Features of the noise per half width and per height.
    grain: Vec2,
    rise: f32,
}

impl<'a> Tongue<'a> {
    fn new(fire: &'a Fire, (width, height): (f32, f32), t: f32, lean: f32) -> Self {
        // Tongues are about as wide as half a small fire; a wide one has many of them.
        let feature = (0.45 * width.min(height)).clamp(0.06, 0.9);
        let grain = Vec2::new(width * 0.5 / feature, height * 0.42 / feature);
        // Hot gas rises with about the square root of its height.
        let rise = 2.2 * height.sqrt() / feature;
        Self { fire, t, lean, grain, rise: rise * 0.42 }
    }

    /// How much glowing soot is seen at a place: -1..1 across the fire's foot, 0..1 up.
    fn density(&self, at: Vec2) -> f32 {
        let (seed, t, up) = (self.fire.seed, self.t, at.y);
        let drift = up * self.grain.y - t * self.rise;
        // Tongues sway, the more the higher.
        let sway = value3(seed ^ 0x51, Vec3::new(at.x * self.grain.x * 0.7, drift * 0.55, t * 0.9)) - 0.5;
        let across = at.x - self.lean * up * up - sway * (0.25 + 0.9 * up) / self.grain.x.max(0.8);
        let p = Vec3::new(across * self.grain.x, drift, t * 1.1);
        let torn = fbm3(seed, p, 4);
        let fine = fbm3(seed ^ 0x77, p * Vec3::new(2.6, 1.5, 1.4), 2);
        // Each place along the foot burns to its own height.
        let reach = 0.30 + 0.95 * value3(seed ^ 0x33, Vec3::new(across * self.grain.x * 0.8, t * 0.8, 7.0));
        let above = 1.0 - up / reach;
        let side = 1.0 - across.abs() / (0.35 + 0.65 * above.max(0.0).sqrt());
        let body = (side * 1.4).min(above * 1.2);
        let eaten = (torn - 0.5) * 2.0 * self.fire.turbulence * (0.4 + up) + (fine - 0.5) * 0.6;
        let foot = smoothstep(0.0, 0.05, up);
        smoothstep(0.0, 0.85, body + eaten) * foot * (0.45 + 0.75 * smoothstep(0.25, 0.75, torn))
    }
}
