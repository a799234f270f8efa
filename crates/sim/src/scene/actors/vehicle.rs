//! A vehicle: painted metal, glass that mirrors the sky, wheels and lamps.

mod bodywork;

use core::f32::consts::TAU;

use fastrand::Rng;
use glam::{Vec2, Vec3};

use super::super::canvas::Texel;
use super::super::light::rgb;
use super::super::noise::{fbm2, smoothstep, value2};
use super::brush::{Brush, normal_of};
use super::dress::hue;
use super::fleet::{Block, Model, Section, Stuff, Wheel};
use super::path::{Path, Pose};
use bodywork::Lamp;

/// A car, a van, a lorry, a bus or a tractor.
#[derive(Clone, Debug)]
pub struct Vehicle {
    model: Model,
    paint: Vec3,
    cargo: Vec3,
    rim: f32,
    dirt: f32,
    /// Lamps are on at night.
    awake: bool,
    blinks: bool,
    seed: u32,
}

/// Which way a face looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Front,
    Rear,
    Side,
    Top,
}

/// A vehicle at a place.
struct Parked<'a> {
    v: &'a Vehicle,
    at: Vec3,
    ahead: Vec3,
    side: Vec3,
    moving: bool,
    t: f32,
    /// Pixels per metre.
    scale: f32,
    walked: f32,
}

impl Vehicle {
    pub fn new(rng: &mut Rng, path: &Path) -> Self {
        let model = Model::new(rng);
        let awake = path.moves() || rng.f32() < 0.15;
        let cargo = if rng.bool() { rgb(220, 220, 216) } else { hue(rng.f32() * 6.0, 0.6, 0.6) };
        Self {
            model,
            paint: paint(rng),
            cargo,
            rim: 0.06 + 0.4 * rng.f32(),
            dirt: 0.1 + 0.6 * rng.f32() * rng.f32(),
            awake,
            blinks: rng.f32() < 0.1,
            seed: rng.u32(..),
        }
    }

    /// Length, width and height in metres.
    pub fn size(&self) -> (f32, f32, f32) {
        (self.model.length, self.model.width, self.model.height)
    }

    pub fn paint(&self, brush: &mut Brush, pose: &Pose, t: f32) {
        let (sin, cos) = (libm::sinf(pose.heading), libm::cosf(pose.heading));
        let parked = Parked {
            v: self,
            at: pose.at,
            ahead: Vec3::new(sin, 0.0, cos),
            side: Vec3::new(cos, 0.0, -sin),
            moving: pose.moving,
            t,
            scale: brush.scale(pose.at + Vec3::Y * 0.5).max(1.0),
            walked: pose.walked,
        };
        parked.shadow(brush);
        for block in &self.model.blocks {
            parked.block(brush, block);
        }
        for wheel in &self.model.wheels {
            parked.wheel(brush, wheel);
        }
        parked.mirrors(brush);
        parked.beams(brush);
    }
}

/// Most cars are white, black or grey.
fn paint(rng: &mut Rng) -> Vec3 {
    const COMMON: [(u8, u8, u8); 16] = [
        (236, 236, 234),
        (228, 230, 232),
        (214, 216, 218),
        (24, 24, 26),
        (32, 33, 36),
        (20, 22, 30),
        (70, 72, 76),
        (92, 95, 100),
        (120, 124, 128),
        (150, 153, 156),
        (178, 181, 184),
        (140, 24, 26),
        (110, 20, 30),
        (28, 52, 110),
        (40, 74, 130),
        (96, 88, 76),
    ];
    if rng.f32() < 0.12 {
        return hue(rng.f32() * 6.0, 0.5 + 0.4 * rng.f32(), 0.4 + 0.4 * rng.f32());
    }
    let (r, g, b) = COMMON[rng.usize(0..COMMON.len())];
    rgb(r, g, b) * (0.85 + 0.25 * rng.f32())
}

impl Parked<'_> {
    /// From the vehicle's own axes (ahead, up, right) to the world.
    fn world(&self, at: f32, up: f32, right: f32) -> Vec3 {
        self.at + self.ahead * at + Vec3::Y * up + self.side * right
    }

    /// And back.
    fn own(&self, point: Vec3) -> Vec3 {
        let off = point - self.at;
        Vec3::new(off.dot(self.ahead), off.y, off.dot(self.side))
    }

    fn shadow(&self, brush: &mut Brush) {
        let (length, width, height) = self.v.size();
        let (l, w) = (length * 0.5, width * 0.5);
        let sunny = brush.sunny();
        let top = self.at + Vec3::Y * (height * 0.92);
        let shift = brush.thrown(top, self.at.y) - Vec2::new(self.at.x, self.at.z);
        let (ahead, side) = (Vec2::new(self.ahead.x, self.ahead.z), Vec2::new(self.side.x, self.side.z));
        let shift = if sunny { Vec2::new(shift.dot(ahead), shift.dot(side)) } else { Vec2::ZERO };
        let centre = Vec2::new(self.at.x, self.at.z);
        let reach = l + w + 0.6 + shift.length();
        let (low, high) = (centre - reach, centre + reach);
        let boxed = |p: Vec2, l: f32, w: f32| {
            let off = p.abs() - Vec2::new(l, w);
            off.max(Vec2::ZERO).length() + off.max_element().min(0.0)
        };
        brush.darken(Vec3::new(low.x, self.at.y, low.y), Vec3::new(high.x, self.at.y, high.y), |p| {
            let p = Vec2::new((p - centre).dot(ahead), (p - centre).dot(side));
            let near = 0.82 * (1.0 - smoothstep(-0.45, 0.35, boxed(p, l, w)));
            if !sunny {
                return (near, 0.0);
            }
            // The shadow gets shorter above the belt, as bonnet and boot are lower than the roof.
            let mut off = boxed(p, l, w);
            for (share, inset) in [(0.3, 0.05), (0.6, 0.1), (0.8, 0.22), (1.0, 0.3)] {
                let inset = if height > 1.9 { 0.03 } else { inset };
                off = off.min(boxed(p - shift * share, l * (1.0 - inset), w));
            }
            (near, 0.92 * (1.0 - smoothstep(-0.05, 0.06, off)))
        });
    }

    fn block(&self, brush: &mut Brush, block: &Block) {
        let corners = |s: &Section| {
            [
                self.world(s.at, s.low, -s.half.0),
                self.world(s.at, s.high, -s.half.1),
                self.world(s.at, s.high, s.half.1),
                self.world(s.at, s.low, s.half.0),
            ]
        };
        let (Some(first), Some(last)) = (block.sections.first(), block.sections.last()) else { return };
        self.face(brush, block, &corners(first), Way::Front);
        self.face(brush, block, &corners(last), Way::Rear);
        for pair in block.sections.windows(2) {
            let (a, b) = (corners(&pair[0]), corners(&pair[1]));
            self.face(brush, block, &[a[0], a[1], b[1], b[0]], Way::Side);
            self.face(brush, block, &[a[3], a[2], b[2], b[3]], Way::Side);
            self.face(brush, block, &[a[1], a[2], b[2], b[1]], Way::Top);
        }
    }

    fn face(&self, brush: &mut Brush, block: &Block, corners: &[Vec3; 4], way: Way) {
        let Some(mut normal) = normal_of(corners) else { return };
        let outward = match way {
            Way::Front => self.ahead,
            Way::Rear => -self.ahead,
            Way::Side => self.side * (corners[0] - self.at).dot(self.side),
            Way::Top => Vec3::Y,
        };
        if normal.dot(outward) < 0.0 {
            normal = -normal;
        }
        if normal.dot(brush.view.position - corners[0]) <= 0.0 {
            return;
        }
        let eye = brush.view.position;
        let lamp = Lamp { light: brush.light.clone(), eye };
        brush.face(corners, |point| {
            let own = self.own(point);
            match block.stuff {
                Stuff::Dark => Texel::lit(Vec3::splat(0.025), lamp.light.shaded(normal)),
                Stuff::Cargo => self.cargo(&lamp, own, normal, way),
                Stuff::Body | Stuff::Cabin => self.metal(&lamp, block, (point, own), normal, way),
            }
        });
    }

    fn cargo(&self, lamp: &Lamp, own: Vec3, normal: Vec3, way: Way) -> Texel {
        let dirt = fbm2(self.v.seed, Vec2::new(own.x + own.z, own.y * 0.7) * 1.3, 3);
        let rib = if way == Way::Side && own.x.rem_euclid(0.6) < 0.05 { 0.85 } else { 1.0 };
        let gap = if way == Way::Rear && own.z.abs() < 0.03 { 0.3 } else { 1.0 };
        let colour = self.v.cargo * (rib * gap * (1.0 - self.v.dirt * 0.5 * dirt));
        let mut texel = Texel::lit(colour, lamp.light.on(normal));
        if way == Way::Rear && own.y < 1.15 {
            texel = self.tail_lamp(lamp, own, texel);
        }
        texel
    }

    fn wheel(&self, brush: &mut Brush, wheel: &Wheel) {
        let sign = wheel.out.signum();
        let r = wheel.radius;
        let spot = |k: u8, right: f32| {
            let angle = TAU * f32::from(k) / 12.0;
            self.world(wheel.at + r * libm::sinf(angle), r + r * libm::cosf(angle), right)
        };
        let out = wheel.out + sign * 0.012;
        let inner = out - sign * wheel.thick;
        let light = brush.light.clone();
        for k in 0..12 {
            let middle = TAU * (f32::from(k) + 0.5) / 12.0;
            let normal = self.ahead * libm::sinf(middle) + Vec3::Y * libm::cosf(middle);
            let corners = [spot(k, out), spot(k + 1, out), spot(k + 1, inner), spot(k, inner)];
            if normal.dot(brush.view.position - corners[0]) > 0.0 {
                let shade = light.shaded(normal) * 0.5;
                brush.face(&corners, |_| Texel::lit(Vec3::splat(0.022), shade));
            }
        }
        let normal = self.side * sign;
        let disc: [Vec3; 12] = core::array::from_fn(|k| spot(u8::try_from(k).unwrap_or(0), out));
        if normal.dot(brush.view.position - disc[0]) <= 0.0 {
            return;
        }
        let lit = light.on(normal);
        let turned = self.walked / r;
        brush.face(&disc, |point| {
            let own = self.own(point) - Vec3::new(wheel.at, r, 0.0);
            let off = Vec2::new(own.x, own.y);
            let far = off.length() / r;
            let bright = if far > 0.66 {
                0.022
            } else if far > 0.6 {
                self.v.rim * 0.6
            } else {
                let angle = libm::atan2f(off.x, off.y) - turned;
                let spoke = libm::cosf(angle * 5.0) > -0.2 || far < 0.2;
                if spoke { self.v.rim } else { 0.03 }
            };
            Texel::lit(Vec3::splat(bright), lit * if off.y > 0.3 * r { 0.7 } else { 0.95 })
        });
    }

    fn mirrors(&self, brush: &mut Brush) {
        let m = &self.v.model;
        for sign in [-1.0, 1.0] {
            let at = self.world(m.mirrors.0, m.mirrors.1, sign * (m.width * 0.5 - 0.02));
            let end = at + self.side * (sign * 0.14);
            let tall = if m.height > 2.4 { 0.12 } else { 0.065 };
            brush.rod((at, tall * 0.7), (end, tall), true, |brush, hit| {
                Texel::lit(self.v.paint * 0.8, brush.soft(hit.normal))
            });
        }
    }

    /// What the head lamps light.
    fn beams(&self, brush: &mut Brush) {
        let m = &self.v.model;
        if !self.v.awake || brush.light.night < 0.4 {
            return;
        }
        let strength = 0.35 * brush.light.night;
        for (ahead, radius) in [(2.2, 3.0), (5.5, 5.0), (10.0, 7.0)] {
            let from = self.world(m.length * 0.5 + ahead, 0.4, 0.0);
            brush.canvas.glow(brush.view, from, Vec3::new(1.0, 0.95, 0.82) * strength, radius);
        }
        let rear = self.world(-m.length * 0.5 - 0.5, 0.4, 0.0);
        brush.canvas.glow(brush.view, rear, Vec3::new(0.2, 0.01, 0.008) * brush.light.night, 1.8);
    }
}

/// Height and half width of a block's upper edge at a place.
fn outline(block: &Block, at: f32) -> (f32, f32) {
    // An end face lies on the edge, or a rounding error beside it.
    let ends = (block.sections.first(), block.sections.last());
    let at = if let (Some(front), Some(rear)) = ends { at.min(front.at).max(rear.at) } else { at };
    let Some(pair) = block.sections.windows(2).find(|pair| at <= pair[0].at && at >= pair[1].at) else {
        return (0.0, 0.0);
    };
    let share = (pair[0].at - at) / (pair[0].at - pair[1].at).max(1e-4);
    let mix = |a: f32, b: f32| a + (b - a) * share;
    (mix(pair[0].high, pair[1].high), mix(pair[0].half.1, pair[1].half.1))
}
