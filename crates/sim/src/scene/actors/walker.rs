//! A person, painted limb by limb.

mod head;

use fastrand::Rng;
use glam::{Vec2, Vec3};

use super::super::canvas::Texel;
use super::super::noise::{fbm2, smoothstep};
use super::body::{Arms, Bones, Build};
use super::brush::{Brush, End, Hit, off_line};
use super::dress::{Dress, Hat, Legs, Print};
use super::path::{Path, Pose};

/// Someone who walks about.
#[derive(Clone, Debug)]
pub struct Walker {
    build: Build,
    dress: Dress,
    seed: u32,
}

impl Walker {
    pub fn new(rng: &mut Rng, path: &Path) -> Self {
        let child = rng.f32() < 0.12;
        let height = if child { 1.1 + 0.35 * rng.f32() } else { 1.52 + 0.2 * (rng.f32() + rng.f32()) };
        let arms = match rng.f32() {
            x if x < 0.50 => Arms::Swing,
            x if x < 0.60 => Arms::Pockets,
            x if x < 0.68 => Arms::Phone,
            x if x < 0.72 => Arms::Call,
            x if x < 0.78 => Arms::Box,
            x if x < 0.82 => Arms::Folded,
            x if x < 0.85 => Arms::Umbrella,
            x if x < 0.93 => Arms::Bag,
            x if x < 0.97 => Arms::Tool,
            _ => Arms::Point,
        };
        let heavy = rng.f32();
        let build = Build {
            height,
            girth: 0.9 + 0.5 * heavy * heavy,
            broad: 0.92 + 0.16 * rng.f32(),
            head: if child { 1.0 + (1.5 - height) * 0.7 } else { 0.97 + 0.07 * rng.f32() },
            arms,
            low: rng.f32() < 0.1,
            lean: 0.12 * rng.f32() * rng.f32(),
            phase: rng.f32() * 6.0,
            speed: path.speed,
        };
        Self { build, dress: Dress::new(rng), seed: rng.u32(..) }
    }

    /// Length, width and height in metres.
    pub fn size(&self) -> (f32, f32, f32) {
        (0.3 * self.build.height, 0.32 * self.build.height, self.build.height)
    }

    pub fn paint(&self, brush: &mut Brush, pose: &Pose, t: f32) {
        let bones = self.build.bones(pose, t);
        let scale = brush.scale(bones.pelvis);
        self.shadow(brush, &bones, pose.at);
        let figure = Figure {
            b: &bones,
            h: self.build.height,
            build: &self.build,
            dress: &self.dress,
            seed: self.seed,
            fine: smoothstep(14.0, 40.0, scale),
        };
        figure.legs(brush);
        figure.trunk(brush);
        figure.arms(brush);
        figure.head(brush);
        figure.load(brush);
    }

    fn shadow(&self, brush: &mut Brush, b: &Bones, at: Vec3) {
        let h = self.build.height;
        let flat = |p: Vec3| Vec2::new(p.x, p.z);
        let (feet, toes) = (b.ankles.map(flat), b.toes.map(flat));
        let sunny = brush.sunny();
        let cast = |p: Vec3| if sunny { brush.thrown(p, at.y) } else { flat(at) };
        let (hip, neck, top) = (cast(b.pelvis), cast(b.neck), cast(b.head + Vec3::Y * (0.03 * h)));
        let (knees, grounds) = (b.knees.map(cast), b.ankles.map(cast));
        let (elbows, hands, shoulders) = (b.elbows.map(cast), b.hands.map(cast), b.shoulders.map(cast));
        let centre = flat(at);
        let (mut low, mut high) = (centre - 0.5, centre + 0.5);
        for p in [hip, neck, top, elbows[0], elbows[1]] {
            (low, high) = (low.min(p - 0.2), high.max(p + 0.2));
        }
        let girth = h * self.build.girth;
        brush.darken(Vec3::new(low.x, at.y, low.y), Vec3::new(high.x, at.y, high.y), |p| {
            let foot = (0..2).map(|k| off_line(p, feet[k], toes[k])).fold(f32::MAX, f32::min);
            let near = 0.62 * (1.0 - foot / 0.16).max(0.0) + 0.22 * (1.0 - p.distance(centre) / 0.5).max(0.0);
            if !sunny {
                return (near, 0.0);
            }
            let mut off = off_line(p, hip, neck) - 0.085 * girth;
            off = off.min(p.distance(top) - 0.055 * h);
            for k in 0..2 {
                off = off.min(off_line(p, hip, knees[k]) - 0.05 * girth);
                off = off.min(off_line(p, knees[k], grounds[k]) - 0.035 * girth);
                off = off.min(off_line(p, shoulders[k], elbows[k]) - 0.035 * h);
                off = off.min(off_line(p, elbows[k], hands[k]) - 0.025 * h);
            }
            (near, 0.9 * (1.0 - smoothstep(-0.02, 0.035, off)))
        });
    }
}

/// A person in one pose.
struct Figure<'a> {
    b: &'a Bones,
    h: f32,
    build: &'a Build,
    dress: &'a Dress,
    seed: u32,
    /// Whether one sees the cloth: 0 from afar, 1 from near.
    fine: f32,
}

impl Figure<'_> {
    /// Cloth with folds and dirt.
    fn cloth(&self, brush: &Brush, hit: Hit, colour: Vec3, part: u32) -> Texel {
        if self.fine <= 0.0 {
            return Texel::lit(colour, brush.soft(hit.normal));
        }
        let at = Vec2::new(hit.u * 1.7 + hit.v * 0.8, hit.v * 3.2 - hit.u * 0.5);
        let fold = (fbm2(self.seed.wrapping_add(part), at, 2) - 0.5) * self.fine;
        let normal =
            (hit.normal + brush.right * (fold * 0.5) - Vec3::Y * (fold * 0.8)).normalize_or(hit.normal);
        Texel::lit(colour * (1.0 + 0.45 * fold), brush.soft(normal) * (1.0 + 0.3 * fold))
    }

    /// A ring of a flattened body at `at`, `a` wide to the sides and `b` to the front.
    fn ring(&self, brush: &Brush, at: Vec3, (a, b): (f32, f32)) -> End {
        let seen = |d: Vec3| (a * self.b.side.dot(d)).hypot(b * self.b.ahead.dot(d)) * self.h;
        End { at, wide: seen(brush.right), deep: seen(brush.back) }
    }

    fn legs(&self, brush: &mut Brush) {
        let (b, h, d) = (self.b, self.h, self.dress);
        let girth = 0.6 + 0.4 * self.build.girth;
        let cut = if d.legs == Legs::Trousers { d.loose } else { 0.94 };
        for k in 0..2 {
            let part = 10 + u32::from(k == 1);
            let (thigh, knee, shin) =
                (0.05 * h * girth * cut, 0.037 * h * girth * cut, 0.029 * h * girth * cut);
            let bare = d.legs != Legs::Trousers;
            // The inner side of the legs gets less light.
            let inner = b.side * if k == 0 { 1.0 } else { -1.0 };
            let dim = |hit: Hit, texel: Texel| Texel {
                light: texel.light * (1.0 - 0.35 * hit.normal.dot(inner).max(0.0)),
                ..texel
            };
            brush_rod(brush, (b.hips[k], thigh), (b.knees[k], knee), |brush, hit| {
                let colour = if d.legs == Legs::Skirt { d.skin } else { d.bottom };
                dim(hit, self.cloth(brush, hit, colour, part))
            });
            let calf = b.knees[k].lerp(b.ankles[k], 0.35) - b.ahead * (0.008 * h);
            let below = |brush: &Brush, hit: Hit| {
                let colour = if bare { d.skin } else { d.bottom };
                dim(hit, self.cloth(brush, hit, colour, part + 2))
            };
            brush_rod(brush, (b.knees[k], knee * 0.98), (calf, knee * 0.95), below);
            brush_rod(
                brush,
                (calf, knee * 0.95),
                (b.ankles[k], if bare { shin * 0.75 } else { shin }),
                below,
            );
            let heel = b.ankles[k] - b.ahead * (0.018 * h) - Vec3::Y * (0.016 * h);
            brush_rod(brush, (heel, 0.023 * h), (b.toes[k], 0.018 * h), |brush, hit| {
                Texel::lit(d.shoes, brush.soft(hit.normal))
            });
        }
    }

    fn trunk(&self, brush: &mut Brush) {
        let (b, h, d) = (self.b, self.h, self.dress);
        let (girth, broad) = (self.build.girth, self.build.broad);
        let loose = d.loose;
        let belly = 1.0 + (girth - 1.0) * 1.5;
        let rings = [
            (-0.045, 0.082 * girth, 0.066 * girth),
            (0.0, 0.092 * girth / broad, 0.072 * belly),
            (0.075, 0.08 * girth * loose, 0.062 * belly * loose),
            (0.17, 0.094 * girth * broad * loose, 0.07 * girth * loose),
            (0.245, 0.108 * broad * (0.8 + 0.2 * girth), 0.064 * girth),
            (0.285, 0.088 * broad, 0.05),
            (0.32, 0.036, 0.036),
        ];
        for (i, pair) in rings.windows(2).enumerate() {
            let end = |r: (f32, f32, f32)| self.ring(brush, b.pelvis + b.spine * (r.0 * h), (r.1, r.2));
            let (from, to) = (end(pair[0]), end(pair[1]));
            let view: &mut Brush = brush;
            loft(view, from, to, |brush, hit| {
                let up = pair[0].0 + (pair[1].0 - pair[0].0) * hit.v;
                let hit = Hit { v: up * 5.0, normal: self.sloped(hit.normal, i), ..hit };
                self.trunk_at(brush, hit, up)
            });
        }
        if d.legs == Legs::Skirt || d.hem > 0.07 {
            self.skirt(brush);
        }
        brush_rod(brush, (b.neck - b.spine * (0.02 * h), 0.032 * h), (b.head, 0.034 * h), |brush, hit| {
            Texel::lit(d.skin, brush.soft(hit.normal) * 0.8)
        });
    }

    /// The chest looks up a little, the belly down, the shoulders up.
    fn sloped(&self, normal: Vec3, ring: usize) -> Vec3 {
        let slope = [-0.25, -0.1, -0.12, 0.1, 0.55, 0.9][ring.min(5)];
        (normal + self.b.spine * slope).normalize_or(normal)
    }

    /// What is worn at `up` shares of the height above the hips.
    fn trunk_at(&self, brush: &Brush, hit: Hit, up: f32) -> Texel {
        let d = self.dress;
        if up < 0.02 - d.hem {
            return self.cloth(brush, hit, d.bottom, 3);
        }
        let (front, side) = (hit.normal.dot(self.b.ahead), hit.normal.dot(self.b.side));
        let vest = d.print == Print::Vest;
        if vest
            && ((0.055..0.085).contains(&up)
                || (0.13..0.16).contains(&up)
                || (up > 0.16 && (side.abs() - 0.55).abs() < 0.12))
        {
            let shine = Vec3::splat(0.62);
            return Texel::lit(shine, brush.soft(hit.normal));
        }
        let colour = match d.print {
            Print::Open if front > 0.3 && side.abs() < 0.26 => d.second,
            Print::Yoke if up > 0.19 => d.second,
            Print::Bands if (up * 14.0).rem_euclid(1.0) < 0.5 => d.second,
            Print::Vest if up < 0.0 => d.second,
            _ => d.top,
        };
        let collar = if up > 0.29 { 0.75 } else { 1.0 };
        self.cloth(brush, hit, colour * collar, 1)
    }

    /// A skirt, or the lower part of a coat.
    fn skirt(&self, brush: &mut Brush) {
        let (b, h, d) = (self.b, self.h, self.dress);
        let coat = d.hem > 0.07;
        let (drop, colour) = if coat { (d.hem, d.top) } else { (0.22, d.bottom) };
        let apart = (b.knees[0] - b.knees[1]).dot(b.ahead).abs() / h * (drop / 0.25);
        let middle = b.knees[0].midpoint(b.knees[1]);
        let hem = b.pelvis + (middle - b.pelvis) * (drop / 0.25).min(1.1);
        let girth = self.build.girth;
        let from = self.ring(brush, b.pelvis + b.spine * (0.05 * h), (0.086 * girth, 0.072 * girth));
        let to = self.ring(brush, hem, (0.105 * girth, 0.075 * girth + 0.45 * apart));
        loft(brush, from, to, |brush, hit| {
            let colour = if coat && d.print == Print::Open && hit.normal.dot(b.ahead) > 0.97 {
                d.bottom
            } else {
                colour
            };
            self.cloth(brush, Hit { v: hit.v * 0.9, ..hit }, colour * (1.0 - 0.15 * hit.v), 4)
        });
    }

    fn arms(&self, brush: &mut Brush) {
        let (b, h, d) = (self.b, self.h, self.dress);
        let girth = 0.7 + 0.3 * self.build.girth;
        let sleeve = if d.print == Print::Vest { d.second } else { d.top };
        for k in 0..2 {
            let part = 20 + u32::from(k == 1);
            let wide = if d.sleeves > 1.0 { d.loose } else { 0.95 };
            let (top, elbow, wrist) = (0.031 * h * girth * wide, 0.026 * h * girth * wide, 0.02 * h * wide);
            let side = b.side * if k == 0 { 1.0 } else { -1.0 };
            let dim = |hit: Hit, texel: Texel| Texel {
                light: texel.light * (1.0 - 0.3 * hit.normal.dot(side).max(0.0)),
                ..texel
            };
            let at = |place: f32| if place < d.sleeves { sleeve } else { d.skin };
            brush_rod(brush, (b.shoulders[k], top), (b.elbows[k], elbow), |brush, hit| {
                dim(hit, self.cloth(brush, hit, at(hit.v), part))
            });
            brush_rod(brush, (b.elbows[k], elbow), (b.hands[k], wrist), |brush, hit| {
                dim(hit, self.cloth(brush, hit, at(1.0 + hit.v), part + 2))
            });
            if self.build.arms != Arms::Pockets {
                let hand = b.hands[k] + (b.hands[k] - b.elbows[k]).normalize_or_zero() * (0.04 * h);
                brush_rod(brush, (b.hands[k], 0.019 * h), (hand, 0.017 * h), |brush, hit| {
                    Texel::lit(d.skin, brush.soft(hit.normal))
                });
            }
        }
    }
}

/// A rod with round ends whose surface may look at the light.
fn brush_rod(
    brush: &mut Brush,
    from: impl Into<End>,
    to: impl Into<End>,
    surface: impl Fn(&Brush, Hit) -> Texel,
) {
    brush.rod(from, to, true, surface);
}

/// A rod with open ends.
fn loft(brush: &mut Brush, from: End, to: End, surface: impl Fn(&Brush, Hit) -> Texel) {
    brush.rod(from, to, false, surface);
}

/// A box around `middle` with these half axes.
fn block(brush: &mut Brush, middle: Vec3, axes: [Vec3; 3], colour: Vec3) {
    for (i, axis) in axes.iter().enumerate() {
        let out = if axis.dot(brush.view.position - middle) > 0.0 { *axis } else { -*axis };
        let (p, q) = (axes[(i + 1) % 3], axes[(i + 2) % 3]);
        let centre = middle + out;
        let corners = [centre + p + q, centre - p + q, centre - p - q, centre + p - q];
        let light = brush.soft(out.normalize_or(Vec3::Y));
        brush.face(&corners, |_| Texel::lit(colour, light));
    }
}
