//! What a vehicle's faces are made of: metal, glass, lamps, plates.

use super::*;

impl Parked<'_> {
    pub(super) fn metal(
        &self,
        lamp: &Lamp,
        block: &Block,
        (point, own): (Vec3, Vec3),
        normal: Vec3,
        way: Way,
    ) -> Texel {
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
    pub(super) fn glass(&self, block: &Block, own: Vec3, normal: Vec3, way: Way) -> bool {
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
    pub(super) fn seams(&self, own: Vec3, way: Way) -> f32 {
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
    pub(super) fn arch(&self, own: Vec3) -> bool {
        self.v.model.wheels.iter().any(|w| {
            let off = Vec2::new(own.x - w.at, own.y - w.radius);
            off.length_squared() < (w.radius + 0.06) * (w.radius + 0.06)
        })
    }

    pub(super) fn front(&self, lamp: &Lamp, own: Vec3, way: Way, texel: Texel) -> Texel {
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

    pub(super) fn plate(&self, lamp: &Lamp, own: Vec3, normal: Vec3, texel: Texel) -> Texel {
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

    pub(super) fn tail_lamp(&self, lamp: &Lamp, own: Vec3, texel: Texel) -> Texel {
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
}

/// Light and eye, for what mirrors.
pub(super) struct Lamp {
    pub(super) light: super::super::super::light::Light,
    pub(super) eye: Vec3,
}

impl Lamp {
    /// What a mirror shows: the sky above, the ground below, trees and walls between.
    pub(super) fn mirrored(&self, way: Vec3, seed: u32) -> Vec3 {
        let flat = Vec2::new(way.x, way.z) / (way.x.abs() + way.z.abs()).max(1e-3);
        let skyline = 0.08 + 0.3 * value2(seed, flat * 3.0 + 9.0);
        let sky = smoothstep(skyline - 0.06, skyline + 0.06, way.y);
        self.light.sky * (0.16 + sky * (0.75 + 0.35 * (1.0 - way.y)))
    }

    pub(super) fn bounce(&self, point: Vec3, normal: Vec3) -> (Vec3, f32) {
        let look = (point - self.eye).normalize_or(Vec3::Z);
        let cos = -look.dot(normal);
        let glance = (1.0 - cos).clamp(0.0, 1.0);
        (look + normal * (2.0 * cos), glance * glance * glance * glance)
    }

    /// Varnished metal.
    pub(super) fn gloss(&self, point: Vec3, normal: Vec3, colour: Vec3, clean: f32) -> Texel {
        let (way, glance) = self.bounce(point, normal);
        let sharp = way.dot(self.light.sun_at).max(0.0);
        let sun = self.light.sun * (libm::powf(sharp, 40.0) * 0.9 * clean);
        let emit = self.mirrored(way, 11) * ((0.05 + 0.5 * glance) * clean) + sun;
        Texel { albedo: colour, light: self.light.on(normal), emit }
    }

    pub(super) fn glass(&self, point: Vec3, normal: Vec3, seed: u32) -> Texel {
        let (way, glance) = self.bounce(point, normal);
        let sharp = way.dot(self.light.sun_at).max(0.0);
        let sun = self.light.sun * (libm::powf(sharp, 90.0) * 3.0);
        let inside = 0.012 + 0.03 * value2(seed ^ 3, Vec2::new(point.x + point.z, point.y * 2.0) * 2.5);
        let emit = self.mirrored(way, seed) * (0.12 + 0.75 * glance) + sun;
        Texel { albedo: Vec3::splat(inside), light: self.light.on(normal), emit }
    }
}
