//! False friends: what a careless detector takes for a fire.

use fastrand::Rng;
use glam::{Vec2, Vec3};

use super::canvas::{Canvas, Texel};
use super::light::{Light, rgb};
use super::noise::{fbm2, fbm3, lattice_of, smoothstep, value2};
use super::place::Site;
use super::plume::Plume;
use super::view::View;

/// A thing that isn't burning.
#[derive(Clone, Debug)]
pub struct Friend {
    at: Vec3,
    /// Metres.
    width: f32,
    height: f32,
    colour: Vec3,
    second: Vec3,
    seed: u32,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// A cloth over something or on a line; the wind plays with it.
    Tarpaulin,
    /// Leaves on a bush or in a heap.
    Leaves,
    /// Leaves that come down.
    Falling,
    /// A light; flashes per second, 0 if it is steady.
    Lamp(f32),
    /// Traffic cones.
    Cones,
    Flag,
    /// The low sun on metal, glass or wet ground.
    Glint,
    /// A lit window or a screen.
    Panel,
    /// A heap of something in warm colours: sand, fruit, bricks, tyres.
    Heap,
    /// A column or a post, often with warning stripes: upright like a person.
    Pillar,
    /// A barrier with warning stripes.
    Barrier,
}

const SHAPES: [Shape; 13] = [
    Shape::Tarpaulin,
    Shape::Leaves,
    Shape::Falling,
    Shape::Lamp(0.0),
    Shape::Lamp(1.2),
    Shape::Cones,
    Shape::Flag,
    Shape::Glint,
    Shape::Panel,
    Shape::Heap,
    Shape::Pillar,
    Shape::Pillar,
    Shape::Barrier,
];

/// Red, orange and yellow things, as they are sold and as they grow.
const WARM: [(u8, u8, u8); 14] = [
    (196, 40, 26),
    (224, 78, 20),
    (240, 120, 24),
    (247, 160, 32),
    (250, 200, 60),
    (178, 70, 34),
    (150, 48, 30),
    (206, 122, 50),
    (216, 160, 70),
    (232, 60, 40),
    (255, 98, 0),
    (190, 90, 20),
    (120, 60, 30),
    (255, 230, 120),
];

impl Friend {
    /// Something that looks a bit like fire, somewhere on the free ground of `site`.
    #[must_use]
    pub fn new(rng: &mut Rng, site: &Site) -> Self {
        let shape = SHAPES[rng.usize(..SHAPES.len())];
        Self::of(shape, rng, site)
    }

    /// A column or a post, as halls and yards have several.
    #[must_use]
    pub fn pillar(rng: &mut Rng, site: &Site) -> Self {
        Self::of(Shape::Pillar, rng, site)
    }

    fn of(shape: Shape, rng: &mut Rng, site: &Site) -> Self {
        let mut warm = || {
            let (r, g, b) = WARM[rng.usize(..WARM.len())];
            rgb(r, g, b)
        };
        let (colour, second) = (warm(), warm());
        let far = if site.place.indoors() { 14.0 } else { 45.0 };
        let at = site.spot(rng, far);
        let (low, high) = match shape {
            Shape::Lamp(_) => (0.08, 0.4),
            Shape::Glint => (0.2, 1.5),
            Shape::Cones => (0.3, 0.5),
            Shape::Pillar => (0.12, 0.9),
            Shape::Barrier => (1.0, 2.8),
            _ => (0.5, 2.6),
        };
        let width = low + (high - low) * rng.f32();
        let height = match shape {
            Shape::Pillar => (0.8 + 3.5 * rng.f32()).min(site.ceiling()),
            Shape::Barrier => 0.5 + 0.7 * rng.f32(),
            _ => width * (0.5 + 0.9 * rng.f32()),
        };
        let mut friend = Self { at, width, height, colour, second, seed: rng.u32(..), shape };
        if matches!(shape, Shape::Lamp(_) | Shape::Panel | Shape::Glint) {
            friend.at.y += 0.3 + 2.5 * rng.f32();
        }
        friend
    }

    /// Paints it as part of the backdrop.
    pub fn paint(&self, canvas: &mut Canvas, view: &View, light: &Light, t: f32) {
        match self.shape {
            Shape::Tarpaulin => self.cloth(canvas, view, light, t, 0.15),
            Shape::Flag => self.cloth(canvas, view, light, t, 1.0),
            Shape::Leaves | Shape::Heap => self.heap(canvas, view, light, t),
            Shape::Falling => self.falling(canvas, view, light, t),
            Shape::Lamp(rate) => self.lamp(canvas, view, t, rate),
            Shape::Cones => self.cones(canvas, view, light),
            Shape::Glint => self.glint(canvas, view, light, t),
            Shape::Panel => self.panel(canvas, view, light),
            Shape::Pillar | Shape::Barrier => self.striped(canvas, view, light),
        }
    }

    /// A cloth with folds that move.
    fn cloth(&self, canvas: &mut Canvas, view: &View, light: &Light, t: f32, wave: f32) {
        let up = if wave > 0.5 { 1.5 } else { 0.0 };
        let foot = self.at + Vec3::Y * up;
        let lit = light.on((-view.ahead() + Vec3::Y * 0.5).normalize());
        if up > 0.0 {
            let grey = Texel::lit(Vec3::splat(0.3), light.shaded(Vec3::Y));
            let pole = self.at - view.right() * (self.width * 0.5);
            canvas.capsule(view, (pole, 0.04), (pole + Vec3::Y * (up + self.height), 0.04), 0, |_, _| grey);
        } else {
            canvas.shade(view, self.at, self.width * 0.7, 0.5);
        }
        canvas.board(view, foot, (self.width, self.height), 0, |at| {
            let p = Vec3::new(at.x * 2.0 - t * wave * 2.0, at.y * 1.2 + at.x * 0.5, t * (0.3 + wave));
            let fold = fbm3(self.seed, p, 3);
            let edge = 0.08 * (value2(self.seed, Vec2::new(at.x * 2.5 + t * wave, 1.0)) - 0.5);
            // Hung cloth sags; thrown cloth bulges.
            let top = if up > 0.0 { 1.0 } else { 0.9 - 0.45 * at.x * at.x };
            let inside = at.y < top + edge && at.x.abs() < 0.97 + edge;
            let stripe = self.seed.is_multiple_of(3) && at.y > 0.4 && at.y < 0.55;
            let colour = if stripe { self.second } else { self.colour };
            (f32::from(u8::from(inside)), Texel::lit(colour, lit * (0.35 + 1.3 * fold)))
        });
    }

    /// Leaves on a bush, or a heap: blotches of warm colours with a ragged edge.
    fn heap(&self, canvas: &mut Canvas, view: &View, light: &Light, t: f32) {
        canvas.shade(view, self.at, self.width * 0.8, 0.5);
        let moves = if self.shape == Shape::Leaves { 0.4 } else { 0.0 };
        let grain = if self.shape == Shape::Leaves { 9.0 } else { 5.0 };
        let (lit, shaded) = (light.on(Vec3::Y), light.shaded(Vec3::Y));
        canvas.board(view, self.at, (self.width, self.height), 0, |at| {
            let p = Vec2::new(at.x, at.y) * grain;
            let sway = Vec2::new(libm::sinf(t * 2.1 + at.y * 5.0), 0.0) * moves * 0.3;
            let leaf = value2(self.seed, (p + sway) * 1.7);
            let clump = fbm2(self.seed ^ 0x99, p * 0.35, 3);
            let body = 1.0 - (at.x * at.x + (at.y - 0.1).powi(2)).sqrt() * 1.05;
            let cover = smoothstep(0.0, 0.12, body + (leaf - 0.5) * 0.5 + (clump - 0.5) * 0.6);
            let colour = self.colour.lerp(self.second, smoothstep(0.3, 0.7, leaf));
            let light = shaded.lerp(lit, smoothstep(0.2, 0.8, clump + 0.4 * at.y - 0.2));
            (cover, Texel::lit(colour * (0.4 + 0.9 * leaf), light))
        });
    }

    fn falling(&self, canvas: &mut Canvas, view: &View, light: &Light, t: f32) {
        let lit = light.on(Vec3::Y);
        for i in 0..26 {
            let i = i as f32;
            let draw = |n: u32| lattice_of(self.seed.wrapping_add(n), i);
            let (fall, period) = (0.7 + 0.6 * draw(1), 4.0 + 3.0 * draw(2));
            let age = (t + draw(3) * period) % period;
            let y = (fall * (period - age)).max(0.01);
            let swing = libm::sinf(age * 3.0 + i) * 0.4;
            let spread = 6.0 * Vec3::new(draw(4) - 0.5, 0.0, draw(5) - 0.5);
            let place = self.at + spread + Vec3::new(swing, y, 0.0);
            let colour = self.colour.lerp(self.second, draw(6));
            canvas.ball(view, place, 0.03 + 0.03 * draw(7), 0, |_| Texel::lit(colour, lit));
        }
    }

    fn lamp(&self, canvas: &mut Canvas, view: &View, t: f32, rate: f32) {
        let on = rate == 0.0 || (t * rate + lattice_of(self.seed, 1.0)).fract() < 0.35;
        let bright = if on { 2.0 + 6.0 * lattice_of(self.seed, 2.0) } else { 0.1 };
        let colour = Vec3::new(1.0, 0.35 + 0.4 * lattice_of(self.seed, 3.0), 0.1) * bright;
        canvas.ball(view, self.at, self.width * 0.4, 0, |_| Texel::shining(colour));
        let post = Texel::lit(Vec3::splat(0.1), Vec3::splat(0.1));
        let foot = Vec3::new(self.at.x, 0.0, self.at.z);
        canvas.capsule(view, (foot, 0.04), (self.at - Vec3::Y * self.width * 0.4, 0.04), 0, |_, _| post);
        if on {
            canvas.glow(view, self.at, colour * 0.25, 4.0);
        }
    }

    fn cones(&self, canvas: &mut Canvas, view: &View, light: &Light) {
        let count = 2 + self.seed % 4;
        for i in 0..count {
            let i = i as f32;
            let way = Vec3::new(lattice_of(self.seed, 4.0) - 0.5, 0.0, lattice_of(self.seed, 5.0) - 0.5);
            let foot = self.at + way.normalize_or_zero() * (1.5 * i);
            canvas.shade(view, foot, 0.35, 0.4);
            let top = foot + Vec3::Y * 0.7;
            canvas.capsule(view, (foot + Vec3::Y * 0.12, 0.17), (top, 0.03), 0, |normal, along| {
                let white = (0.45..0.62).contains(&along) || (0.75..0.85).contains(&along);
                let colour = if white { Vec3::splat(0.75) } else { rgb(240, 84, 20) };
                Texel::lit(colour, light.on(normal))
            });
        }
    }

    fn glint(&self, canvas: &mut Canvas, view: &View, light: &Light, t: f32) {
        let twinkle = 0.6 + 0.8 * lattice_of(self.seed, (t * 6.0).floor()) * lattice_of(self.seed, 7.0);
        let bright = (light.sun + light.sky * 0.5).max(Vec3::splat(0.05)) * (2.5 * twinkle);
        canvas.board(view, self.at, (self.width, self.height * 0.4), 0, |at| {
            let ripple = fbm2(self.seed, Vec2::new(at.x * 3.0, at.y * 9.0), 3);
            let off = at.x * at.x + (at.y * 2.0 - 1.0).powi(2);
            let cover = smoothstep(0.0, 0.5, 1.0 - off + (ripple - 0.5) * 1.2);
            (cover * 0.9, Texel::shining(bright * Vec3::new(1.0, 0.85, 0.6)))
        });
    }

    /// A box with warning stripes on all of it, on its lower part, or nowhere.
    fn striped(&self, canvas: &mut Canvas, view: &View, light: &Light) {
        let draw = |n: u32| lattice_of(self.seed, n as f32);
        let deep = if self.shape == Shape::Pillar { self.width } else { 0.15 };
        let turn = draw(11) * 3.0;
        let (sin, cos) = (libm::sinf(turn), libm::cosf(turn));
        let along = Vec3::new(cos, 0.0, sin) * (self.width * 0.5);
        let across = Vec3::new(-sin, 0.0, cos) * (deep * 0.5);
        let bodies = [rgb(150, 148, 142), rgb(205, 203, 196), rgb(96, 94, 90), rgb(170, 150, 120)];
        let body = bodies[(self.seed as usize >> 3) % bodies.len()];
        let pairs = [(rgb(238, 190, 20), rgb(24, 24, 24)), (rgb(200, 30, 24), rgb(235, 235, 230))];
        let (bright, dark) = pairs[usize::from(draw(12) < 0.35)];
        let top = [0.0, 1.1, 1.1, f32::MAX][(self.seed as usize >> 7) % 4];
        canvas.shade(view, self.at, self.width, 0.5);
        for (side, normal) in [(across, across), (-across, -across), (along, along), (-along, -along)] {
            let normal = normal.normalize_or_zero();
            if normal.dot(view.position - self.at - side) <= 0.0 {
                continue;
            }
            let half = if side == across || side == -across { along } else { across };
            let up = Vec3::Y * self.height;
            let foot = self.at + side;
            let lit = light.on(normal);
            canvas.polygon(view, &[foot - half, foot + half, foot + half + up, foot - half + up], 0, |p| {
                let grain = fbm2(self.seed, Vec2::new(p.x + p.z, p.y) * 4.0, 3);
                let stripe = ((p - foot).dot(half.normalize_or_zero()) + p.y) / (0.18 + 0.3 * draw(13));
                let colour = match (p.y < top, stripe.rem_euclid(2.0) < 1.0) {
                    (true, true) => bright,
                    (true, false) => dark,
                    (false, _) => body,
                };
                Texel::lit(colour * (0.65 + 0.7 * grain), lit)
            });
        }
    }

    /// A lit window or a screen with bars and blotches.
    fn panel(&self, canvas: &mut Canvas, view: &View, light: &Light) {
        let bright = 0.35 + 1.2 * light.night + 0.6 * lattice_of(self.seed, 8.0);
        let frame = Texel::lit(Vec3::splat(0.05), light.shaded(Vec3::Y));
        canvas.board(view, self.at, (self.width, self.height), 0, |at| {
            let bar = (at.x * 2.0).fract().abs() < 0.06 || at.x.abs() > 0.94 || at.y < 0.05 || at.y > 0.95;
            let spot = fbm2(self.seed, Vec2::new(at.x * 1.5, at.y * 2.0), 2);
            let colour = self.colour.lerp(self.second, spot).max(Vec3::new(0.25, 0.12, 0.03));
            (1.0, if bar { frame } else { Texel::shining(colour * bright * (0.6 + 0.8 * spot)) })
        });
    }
}

/// Steam from a vent or a kettle: white, thick, soon gone.
#[must_use]
pub fn steam(rng: &mut Rng, site: &Site) -> Plume {
    let at = site.spot(rng, 25.0);
    let life = 1.2 + 1.6 * rng.f32();
    Plume {
        from: at + Vec3::Y * (0.5 + 3.0 * rng.f32()),
        radius: 0.12 + 0.2 * rng.f32(),
        spread: 0.16 + 0.1 * rng.f32(),
        rise: 0.8 + 1.0 * rng.f32(),
        wind: site.wind * 0.5,
        starts: -60.0,
        growth: 0.5,
        life,
        ends: f32::MAX,
        ceiling: site.ceiling(),
        thickness: 0.9 + 0.6 * rng.f32(),
        colour: Vec3::splat(0.95),
        shine: site.in_air(at + Vec3::Y * 1.5),
        lit_by: Vec3::ZERO,
        seed: rng.u32(..),
    }
}

/// Dust that the wind or a machine raises: brown and low.
#[must_use]
pub fn dust(rng: &mut Rng, site: &Site) -> Plume {
    let at = site.spot(rng, 40.0);
    let colour = rgb(188, 160, 120).lerp(rgb(150, 140, 125), rng.f32());
    Plume {
        from: at + Vec3::Y * 0.2,
        radius: 0.6 + 0.8 * rng.f32(),
        spread: 0.25,
        rise: 0.15,
        wind: site.wind * 1.2 + Vec3::new(rng.f32() - 0.5, 0.0, rng.f32() - 0.5),
        starts: 20.0 * rng.f32() - 10.0,
        growth: 1.0,
        life: 3.0 + 3.0 * rng.f32(),
        ends: 60.0,
        ceiling: f32::INFINITY,
        thickness: 0.25 + 0.3 * rng.f32(),
        colour,
        shine: site.in_air(at + Vec3::Y * 1.5),
        lit_by: Vec3::ZERO,
        seed: rng.u32(..),
    }
}
