//! What hangs in the air: smoke, steam, dust.
//!
//! A plume is a row of puffs let go one after the other, which rise, drift with the wind, grow and
//! thin out. Their sum is one field per pixel, which noise that moves along makes ragged.

use glam::{Vec2, Vec3};

use super::canvas::Canvas;
use super::light::Light;
use super::noise::{fbm3, lattice_of, smoothstep};
use super::picture::{Picture, Veiled};
use super::view::View;

/// A source of smoke, steam or dust.
#[derive(Clone, Debug)]
pub struct Plume {
    pub from: Vec3,
    /// Metres: radius of a fresh puff.
    pub radius: f32,
    /// Radius gained per metre of way.
    pub spread: f32,
    /// Metres per second upwards at first; it slows down.
    pub rise: f32,
    pub wind: Vec3,
    /// Seconds: the first puff, the time to full strength, the life of a puff.
    pub starts: f32,
    pub growth: f32,
    pub life: f32,
    /// Puffs end at this time.
    pub ends: f32,
    /// Smoke spreads below it; infinity outdoors.
    pub ceiling: f32,
    /// Share of light swallowed in the middle of a fresh puff.
    pub thickness: f32,
    /// Share of light that it throws back, linear.
    pub colour: Vec3,
    /// Light that falls onto it.
    pub shine: Vec3,
    /// Light from the fire below, at the source.
    pub lit_by: Vec3,
    pub seed: u32,
}

/// The field is made for every other pixel: it has no sharp edges.
const STEP: usize = 2;
const PUFFS_MAX: usize = 90;
/// Memory to paint plumes in, kept from frame to frame.
#[derive(Debug, Default)]
pub struct Field {
    width: usize,
    height: usize,
    /// Optical thickness, and the same weighted with depth and with age.
    thick: Vec<f32>,
    depth: Vec<f32>,
    young: Vec<f32>,
}

struct Puff {
    centre: Vec3,
    radius: f32,
    thick: f32,
    /// 1 when fresh, 0 at the end.
    young: f32,
}

impl Plume {
    /// How strong the source is at `t`, 0 to 1.
    fn strength(&self, t: f32) -> f32 {
        if t < self.starts || t > self.ends {
            return 0.0;
        }
        0.15 + 0.85 * (1.0 - libm::expf(-(t - self.starts) / self.growth.max(0.1)))
    }

    fn puffs(&self, t: f32) -> impl Iterator<Item = Puff> + '_ {
        // Puffs overlap: one each time the plume has moved half a radius.
        let speed = (self.rise + self.wind.length()).max(0.2);
        let wanted = speed * self.life / (self.radius * 0.7);
        let count = wanted.clamp(12.0, PUFFS_MAX as f32);
        let period = self.life / count;
        let newest = (t / period).floor();
        (0..PUFFS_MAX).filter_map(move |i| {
            let number = newest - i as f32;
            let born = number * period;
            let age = t - born;
            let strength = self.strength(born);
            (age < self.life && strength > 0.0).then(|| self.puff(number, age, strength))
        })
    }

    fn puff(&self, number: f32, age: f32, strength: f32) -> Puff {
        let draw = |n: u32| lattice_of(self.seed.wrapping_add(n), number) - 0.5;
        // Buoyancy is used up by the air that is drawn in.
        let rise = self.rise * age / (1.0 + 0.12 * age);
        let gust = 1.0 + 0.5 * draw(1);
        let way = Vec3::Y * rise + self.wind * (age * gust);
        let swirl = Vec3::new(draw(2), draw(3) * 0.5, draw(4)) * (self.radius + 0.16 * way.length());
        let radius =
            self.radius * (0.75 + 0.5 * (draw(5) + 0.5)) * strength.sqrt() + self.spread * way.length();
        let young = 1.0 - age / self.life;
        let fresh = smoothstep(0.0, 0.06, age / self.life);
        // The same smoke in a larger puff is thinner.
        let thin = (self.radius / radius.max(1e-3)).powi(2).sqrt();
        let thick = self.thickness * strength * thin * young.sqrt() * fresh * (0.6 + 0.8 * (draw(6) + 0.5));
        let centre = self.under_ceiling(self.from + way + swirl, radius, draw(7));
        Puff { centre, radius, thick, young }
    }

    /// What would rise through the ceiling spreads below it instead, to one side (-0.5..0.5 of a turn).
    fn under_ceiling(&self, centre: Vec3, radius: f32, side: f32) -> Vec3 {
        let above = centre.y - (self.ceiling - 0.3 * radius);
        if above <= 0.0 {
            return centre;
        }
        let turn = side * std::f32::consts::TAU;
        centre + Vec3::new(libm::sinf(turn) * above * 0.9, -above, libm::cosf(turn) * above * 0.9)
    }

    /// Paints it into `picture` and marks what can be seen of it.
    #[allow(clippy::too_many_arguments, reason = "a painter needs its canvas, its eye and its light")]
    pub(super) fn paint(
        &self,
        canvas: &Canvas,
        view: &View,
        light: &Light,
        t: f32,
        field: &mut Field,
        picture: &mut Picture,
        seen: &mut Veiled,
    ) {
        let Some((low, high)) = field.gather(self, canvas, view, t) else { return };
        let source = view.project(self.from).map_or(Vec2::ZERO, |s| s.at);
        // One feature of the noise per radius of a fresh puff, where the plume is.
        let scale = view.project(self.from).map_or(20.0, |s| s.scale * self.radius * 1.6).max(9.0);
        let drift = Vec2::new(view.right().dot(self.wind), -self.rise * 0.8) * t / (self.radius * 1.6);
        let area = canvas.area(low, high);
        for y in (area.y.0 & !1..area.y.1).step_by(STEP) {
            for x in (area.x.0 & !1..area.x.1).step_by(STEP) {
                let cell = field.index(x, y);
                if field.thick[cell] < 0.01 {
                    continue;
                }
                let at = (Vec2::new(x as f32, y as f32) - source) / scale - drift;
                let veil = self.veil(field, cell, at, t, light);
                self.lay(canvas, (x, y), &veil, picture, seen);
            }
        }
    }

    /// What the plume is at a place of the picture.
    fn veil(&self, field: &Field, cell: usize, at: Vec2, t: f32, light: &Light) -> Veil {
        let thick = field.thick[cell];
        let (depth, young) = (field.depth[cell] / thick, field.young[cell] / thick);
        let p = Vec3::new(at.x, at.y, t * 0.22);
        let billow = fbm3(self.seed, p, 4);
        // The same a bit further towards the light: where it is less, this side is lit.
        let over = fbm3(self.seed, p + Vec3::new(0.25 * light.sun_at.x, -0.3, 0.0), 3);
        let ragged = smoothstep(0.18, 0.72, billow) * 1.7;
        let alpha = (1.0 - libm::expf(-thick * ragged)) * light.clear(depth * 0.5);
        let relief = 1.0 + 1.6 * (billow - over) - 0.16 * thick.min(2.0);
        let lit = self.colour * self.shine * relief.clamp(0.35, 1.7) + self.lit_by * libm::powf(young, 7.0);
        Veil { alpha, depth, light: light.haze.lerp(lit, light.clear(depth)) }
    }

    fn lay(
        &self,
        canvas: &Canvas,
        (x, y): (usize, usize),
        veil: &Veil,
        picture: &mut Picture,
        seen: &mut Veiled,
    ) {
        for y in y..(y + STEP).min(canvas.height) {
            for x in x..(x + STEP).min(canvas.width) {
                let index = y * canvas.width + x;
                if canvas.depth[index] < veil.depth {
                    continue;
                }
                let change = picture.cover(index, veil.alpha, veil.light * veil.alpha);
                if veil.alpha > 0.12 {
                    seen.look((x, y), veil.alpha, change);
                }
            }
        }
    }
}

struct Veil {
    alpha: f32,
    depth: f32,
    light: Vec3,
}

impl Field {
    fn index(&self, x: usize, y: usize) -> usize {
        (y / STEP) * self.width + x / STEP
    }

    /// Sums up the puffs; returns the part of the picture that they touch.
    fn gather(&mut self, plume: &Plume, canvas: &Canvas, view: &View, t: f32) -> Option<(Vec2, Vec2)> {
        (self.width, self.height) = (canvas.width.div_ceil(STEP), canvas.height.div_ceil(STEP));
        let cells = self.width * self.height;
        for layer in [&mut self.thick, &mut self.depth, &mut self.young] {
            layer.clear();
            layer.resize(cells, 0.0);
        }
        let mut bounds: Option<(Vec2, Vec2)> = None;
        for puff in plume.puffs(t) {
            let Some(spot) = view.project(puff.centre) else { continue };
            let reach = (puff.radius * spot.scale).min(view.width as f32);
            let (low, high) = (spot.at - reach, spot.at + reach);
            self.add(canvas, &puff, (spot.at, reach, spot.depth));
            bounds = Some(bounds.map_or((low, high), |(l, h)| (l.min(low), h.max(high))));
        }
        bounds
    }

    fn add(&mut self, canvas: &Canvas, puff: &Puff, (at, reach, depth): (Vec2, f32, f32)) {
        let area = canvas.area(at - reach, at + reach);
        for y in (area.y.0 & !1..area.y.1).step_by(STEP) {
            for x in (area.x.0 & !1..area.x.1).step_by(STEP) {
                let near =
                    (Vec2::new(x as f32 + 1.0, y as f32 + 1.0) - at).length_squared() / (reach * reach);
                if near >= 1.0 {
                    continue;
                }
                let thick = puff.thick * (1.0 - near) * (1.0 - near);
                let cell = self.index(x, y);
                self.thick[cell] += thick;
                self.depth[cell] += thick * depth;
                self.young[cell] += thick * puff.young;
            }
        }
    }
}
