//! A vehicle: painted metal, glass that mirrors the sky, wheels and lamps.

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

    fn metal(&self, lamp: &Lamp, block: &Block, (point, own): (Vec3, Vec3), normal: Vec3, way: Way) -> Texel {
        if self.glass(block, own, normal, way) {
            return lamp.glass(point, normal, self.v.seed);
        }
        let cabin = block.stuff == Stuff::Cabin;
        let m = &self.v.model;
        // Sides are round: they look up above and down below.
        let belt = block.sections.iter().map(|s| s.high).fold(0.0, f32::max);
        let round = if way == Way::Side && !cabin { (own.y / belt.min(1.2) - 0.6) * 0.9 } else { 0.0 };
        let normal = (normal + Vec3::Y * round).normalize_or(normal);
        let grime = fbm2(self.v.seed, Vec2::new(own.x * 1.6 + own.z, own.y * 2.5), 2);
        let low = smoothstep(0.8, 0.2, own.y);
        let dirt = self.v.dirt * (0.25 + 0.9 * low) * grime;
        let mut colour = self.v.paint.lerp(Vec3::new(0.16, 0.13, 0.1), dirt.min(0.8));
        if !cabin {
            colour *= self.seams(own, way);
        }
        let mut texel = lamp.gloss(point, normal, colour, 1.0 - dirt);
        if cabin {
            return texel;
        }
        let l = m.length * 0.5;
        if way == Way::Side && self.arch(own) || own.y < block.sections[1].low + 0.09 {
            texel = Texel::lit(Vec3::splat(0.018), lamp.light.shaded(normal) * 0.7);
        }
        if own.x > l - 0.28 && way != Way::Top {
            texel = self.front(lamp, own, way, texel);
        } else if own.x < -l + 0.25 {
            texel = self.tail_lamp(lamp, own, texel);
            if way == Way::Rear {
                texel = self.plate(lamp, own, normal, texel);
            }
        }
        texel
    }

    /// Whether there is a window.
    fn glass(&self, block: &Block, own: Vec3, normal: Vec3, way: Way) -> bool {
        let m = &self.v.model;
        let pillar = |wide: f32| m.doors.iter().any(|d| (own.x - d).abs() < wide);
        if block.stuff == Stuff::Cabin {
            let low = block.sections[0].low;
            let (top, half) = outline(block, own.x);
            return match way {
                Way::Side => own.y > low + 0.05 && own.y < top - 0.1 && !pillar(0.045),
                Way::Top => {
                    normal.y < 0.9 && own.z.abs() < half - 0.07 && own.y > low + 0.06 && top > low + 0.06
                }
                Way::Front | Way::Rear => true,
            };
        }
        let (low, high) = block.panes;
        if low > 8.0 {
            return false;
        }
        let half = outline(block, own.x).1;
        match way {
            Way::Side => {
                let (top, _) = outline(block, own.x);
                own.x > block.panes_to
                    && own.y > low
                    && own.y < high.min(top - 0.12)
                    && !pillar(0.06)
                    && own.x < m.length * 0.5 - 0.2
            }
            Way::Top => {
                let steep = normal.y < 0.88 && own.x > 0.0 && own.y > low - 0.05;
                steep && own.z.abs() < half - 0.08 && own.y < m.height.min(high + 0.3) - 0.1
            }
            Way::Rear => {
                own.y > low + 0.05 && own.y < high && own.z.abs() < half - 0.15 && own.z.abs() > 0.04
            }
            Way::Front => false,
        }
    }

    /// Gaps of doors, darker lines.
    fn seams(&self, own: Vec3, way: Way) -> f32 {
        if way != Way::Side {
            return 1.0;
        }
        let wide = 0.012_f32.max(0.4 / self.scale);
        let strength = 0.75 * (0.012 / wide);
        let near = self.v.model.doors.iter().map(|d| (own.x - d).abs()).fold(f32::MAX, f32::min);
        let handle = self.v.model.doors.iter().any(|d| {
            let off = own.x - d;
            (0.08..0.24).contains(&off) && (own.y - self.v.model.lamps.1 * 1.02).abs() < 0.02
        });
        if near < wide {
            1.0 - strength
        } else if handle {
            0.6
        } else {
            1.0
        }
    }

    /// Within the dark of a wheel arch.
    fn arch(&self, own: Vec3) -> bool {
        self.v.model.wheels.iter().any(|w| {
            let off = Vec2::new(own.x - w.at, own.y - w.radius);
            off.length_squared() < (w.radius + 0.06) * (w.radius + 0.06)
        })
    }

    fn front(&self, lamp: &Lamp, own: Vec3, way: Way, texel: Texel) -> Texel {
        let m = &self.v.model;
        let half = m.width * 0.5;
        let out = own.z.abs() / half;
        let (at, tall) = (m.lamps.0, 0.085 * (m.height / 1.5).min(1.4));
        if out > 0.46 && (own.y - at).abs() < tall && own.x > m.length * 0.5 - 0.3 {
            let glass = 0.35 + 0.4 * value2(self.v.seed, Vec2::new(own.z, own.y) * 25.0);
            let mut lens = Texel::lit(Vec3::splat(glass), lamp.light.on(self.ahead));
            if self.v.awake && lamp.light.night > 0.4 {
                lens.emit = Vec3::new(5.0, 4.7, 4.1) * if (out - 0.68).abs() < 0.17 { 1.0 } else { 0.25 };
            }
            return lens;
        }
        if way != Way::Front {
            return texel;
        }
        let dark = Texel::lit(Vec3::splat(0.02), lamp.light.shaded(self.ahead));
        if out < 0.4 && (own.y - at).abs() < tall * 0.8 {
            let bar = (own.y * 22.0).rem_euclid(1.0) < 0.3;
            return if bar { Texel::lit(Vec3::splat(0.16), dark.light) } else { dark };
        }
        if own.y < at - tall * 3.0 && out < 0.6 {
            return dark;
        }
        self.plate(lamp, own, self.ahead, texel)
    }

    fn plate(&self, lamp: &Lamp, own: Vec3, normal: Vec3, texel: Texel) -> Texel {
        let at = if own.x > 0.0 { self.v.model.lamps.0 - 0.2 } else { self.v.model.lamps.1 - 0.18 };
        let off = Vec2::new(own.z, own.y - at).abs();
        if off.x > 0.26 || off.y > 0.06 {
            return texel;
        }
        let letters =
            off.y < 0.035 && off.x < 0.22 && value2(self.v.seed, Vec2::new(own.z * 30.0, own.y * 9.0)) > 0.55;
        let colour = Vec3::splat(if letters { 0.05 } else { 0.7 });
        Texel::lit(colour, lamp.light.on(normal))
    }

    fn tail_lamp(&self, lamp: &Lamp, own: Vec3, texel: Texel) -> Texel {
        let m = &self.v.model;
        let out = own.z.abs() / (m.width * 0.5);
        let off = own.y - m.lamps.1;
        if out < 0.62 || off.abs() > 0.12 {
            return texel;
        }
        let mut lens = Texel::lit(Vec3::new(0.26, 0.012, 0.01), lamp.light.on(-self.ahead));
        let amber = off < -0.05;
        if amber {
            lens.albedo = Vec3::new(0.45, 0.16, 0.02);
        }
        let right = own.z > 0.0;
        if amber
            && self.v.blinks
            && right == self.v.seed.is_multiple_of(2)
            && (self.t * 1.5).rem_euclid(1.0) < 0.5
        {
            lens.emit = Vec3::new(2.2, 0.8, 0.05);
        } else if self.v.awake && !amber {
            let brake = if self.moving { 0.0 } else { 1.6 };
            let night = if lamp.light.night > 0.4 { 0.9 } else { 0.0 };
            lens.emit = Vec3::new(1.0, 0.03, 0.02) * (brake + night);
        }
        lens
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

/// Light and eye, for what mirrors.
struct Lamp {
    light: super::super::light::Light,
    eye: Vec3,
}

impl Lamp {
    /// What a mirror shows: the sky above, the ground below, trees and walls between.
    fn mirrored(&self, way: Vec3, seed: u32) -> Vec3 {
        let flat = Vec2::new(way.x, way.z) / (way.x.abs() + way.z.abs()).max(1e-3);
        let skyline = 0.08 + 0.3 * value2(seed, flat * 3.0 + 9.0);
        let sky = smoothstep(skyline - 0.06, skyline + 0.06, way.y);
        self.light.sky * (0.16 + sky * (0.75 + 0.35 * (1.0 - way.y)))
    }

    fn bounce(&self, point: Vec3, normal: Vec3) -> (Vec3, f32) {
        let look = (point - self.eye).normalize_or(Vec3::Z);
        let cos = -look.dot(normal);
        let glance = (1.0 - cos).clamp(0.0, 1.0);
        (look + normal * (2.0 * cos), glance * glance * glance * glance)
    }

    /// Varnished metal.
    fn gloss(&self, point: Vec3, normal: Vec3, colour: Vec3, clean: f32) -> Texel {
        let (way, glance) = self.bounce(point, normal);
        let sharp = way.dot(self.light.sun_at).max(0.0);
        let sun = self.light.sun * (libm::powf(sharp, 40.0) * 0.9 * clean);
        let emit = self.mirrored(way, 11) * ((0.05 + 0.5 * glance) * clean) + sun;
        Texel { albedo: colour, light: self.light.on(normal), emit }
    }

    fn glass(&self, point: Vec3, normal: Vec3, seed: u32) -> Texel {
        let (way, glance) = self.bounce(point, normal);
        let sharp = way.dot(self.light.sun_at).max(0.0);
        let sun = self.light.sun * (libm::powf(sharp, 90.0) * 3.0);
        let inside = 0.012 + 0.03 * value2(seed ^ 3, Vec2::new(point.x + point.z, point.y * 2.0) * 2.5);
        let emit = self.mirrored(way, seed) * (0.12 + 0.75 * glance) + sun;
        Texel { albedo: Vec3::splat(inside), light: self.light.on(normal), emit }
    }
}
