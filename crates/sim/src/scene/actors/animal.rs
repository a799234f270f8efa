//! Dogs, cats, deer, cows, horses and birds: what moves and is neither a person nor a vehicle.

use core::f32::consts::{PI, TAU};

use fastrand::Rng;
use glam::{Vec2, Vec3};

use super::super::canvas::Texel;
use super::super::light::rgb;
use super::super::noise::{smoothstep, value2};
use super::body::joint;
use super::brush::{Brush, Hit, off_line};
use super::path::Pose;

/// Proportions of a four-legged animal, in metres, or of a bird.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// From breast to rump.
    long: f32,
    /// Height of the back.
    tall: f32,
    /// Radius of the breast.
    thick: f32,
    leg: f32,
    neck: f32,
    /// How steep the neck is held, in radians.
    held: f32,
    head: f32,
    tail: f32,
    horns: bool,
    wings: bool,
}

/// An animal.
#[derive(Clone, Debug)]
pub struct Animal {
    shape: Shape,
    coat: Vec3,
    spots: Option<Vec3>,
    phase: f32,
    seed: u32,
}

const fn shape(sizes: [f32; 8], horns: bool, wings: bool) -> Shape {
    let [long, tall, thick, leg, neck, held, head, tail] = sizes;
    Shape { long, tall, thick, leg, neck, held, head, tail, horns, wings }
}

const SHAPES: [Shape; 6] = [
    shape([0.62, 0.55, 0.12, 0.032, 0.2, 0.8, 0.075, 0.3], false, false),
    shape([0.32, 0.26, 0.068, 0.018, 0.08, 0.6, 0.05, 0.26], false, false),
    shape([1.0, 0.95, 0.19, 0.04, 0.5, 1.0, 0.09, 0.12], true, false),
    shape([1.55, 1.38, 0.36, 0.075, 0.45, 0.25, 0.16, 0.75], true, false),
    shape([1.5, 1.5, 0.3, 0.065, 0.75, 0.8, 0.13, 0.7], false, false),
    shape([0.26, 0.14, 0.065, 0.012, 0.06, 0.4, 0.04, 0.14], false, true),
];

const COATS: [(u8, u8, u8); 9] = [
    (30, 26, 24),
    (60, 44, 32),
    (96, 70, 46),
    (140, 104, 66),
    (178, 150, 112),
    (214, 206, 196),
    (90, 88, 88),
    (120, 64, 36),
    (44, 42, 44),
];

impl Animal {
    pub fn new(rng: &mut Rng) -> Self {
        let mut shape = SHAPES[[0, 0, 0, 1, 1, 2, 3, 4, 5, 5][rng.usize(0..10)]];
        let size = 0.75 + 0.45 * rng.f32();
        for part in [&mut shape.long, &mut shape.tall, &mut shape.thick, &mut shape.leg, &mut shape.neck] {
            *part *= size * (0.92 + 0.16 * rng.f32());
        }
        shape.head *= size;
        shape.tail *= size;
        let mut colour = || {
            let (r, g, b) = COATS[rng.usize(0..COATS.len())];
            rgb(r, g, b) * (0.8 + 0.4 * rng.f32())
        };
        let (coat, other) = (colour(), colour());
        let spots = (rng.f32() < 0.4).then_some(other);
        Self { shape, coat, spots, phase: rng.f32() * 6.0, seed: rng.u32(..) }
    }

    /// Length, width and height in metres.
    pub fn size(&self) -> (f32, f32, f32) {
        let s = &self.shape;
        if s.wings {
            return (s.long * 1.5, s.long * 2.4, s.tall);
        }
        let up = s.tall + (s.neck * libm::sinf(s.held)).max(0.0) + s.head;
        (s.long + s.neck + s.head * 2.0, s.thick * 2.2, up)
    }

    pub fn paint(&self, brush: &mut Brush, pose: &Pose, t: f32) {
        let (sin, cos) = (libm::sinf(pose.heading), libm::cosf(pose.heading));
        let (ahead, side) = (Vec3::new(sin, 0.0, cos), Vec3::new(cos, 0.0, -sin));
        let s = &self.shape;
        let flies = s.wings && (pose.at.y > 0.5 || pose.moving);
        let lift = if flies && pose.at.y <= 0.5 { 2.5 + libm::sinf(t * 0.8 + self.phase) } else { 0.0 };
        let middle = pose.at + Vec3::Y * (lift + s.tall - s.thick);
        let (rump, breast) = (middle - ahead * (s.long * 0.42), middle + ahead * (s.long * 0.42));
        if !flies {
            self.shadow(brush, pose.at, rump, breast);
        }
        let fur = |brush: &Brush, hit: Hit, part: u32| self.fur(brush, hit, part);
        brush.rod((rump, s.thick * 0.92), (breast, s.thick), true, |brush, hit| fur(brush, hit, 0));
        if s.wings {
            self.wings(brush, middle, ahead, side, if flies { t } else { 0.0 }, flies);
        } else {
            self.legs(brush, pose, (rump, breast), (ahead, side));
        }
        self.head(brush, pose, breast, (ahead, side), t);
        let wag = libm::sinf(t * 5.0 + self.phase) * 0.25;
        let root = rump - ahead * (s.thick * 0.8) + Vec3::Y * (s.thick * 0.4);
        let droop = if s.wings { 0.0 } else { 0.7 };
        let tip = root - ahead * (s.tail * 0.6) + side * (s.tail * wag) - Vec3::Y * (s.tail * droop);
        brush.rod((root, s.leg * 0.7), (tip, s.leg * 0.5), true, |brush, hit| fur(brush, hit, 5));
    }

    fn fur(&self, brush: &Brush, hit: Hit, part: u32) -> Texel {
        let at = Vec2::new(hit.u * 1.3, hit.v * 2.6);
        let colour = match self.spots {
            Some(other) if value2(self.seed.wrapping_add(part), at) > 0.56 => other,
            _ => self.coat,
        };
        let fine = 0.85 + 0.3 * value2(self.seed ^ 7, at * 5.0);
        // Most bellies are paler than the back, and in the shade.
        let belly = 1.0 + 0.5 * (-hit.normal.y).max(0.0);
        Texel::lit(colour * (fine * belly), brush.soft(hit.normal))
    }

    fn legs(&self, brush: &mut Brush, pose: &Pose, ends: (Vec3, Vec3), (ahead, side): (Vec3, Vec3)) {
        let s = &self.shape;
        let step = TAU * pose.walked / (s.tall * 1.25) + self.phase;
        for k in 0..4_u8 {
            let (fore, right) = (k >= 2, k % 2 == 1);
            let out = side * (s.thick * if right { 0.55 } else { -0.55 });
            let hip = if fore { ends.1 } else { ends.0 } + out - Vec3::Y * (s.thick * 0.3);
            let phase = step + PI * f32::from(u8::from(fore == right)) + if fore { 0.4 } else { 0.0 };
            let (swing, lift) = if pose.moving {
                (libm::sinf(phase) * s.tall * 0.27, libm::cosf(phase).max(0.0) * s.tall * 0.13)
            } else {
                (0.03 * s.tall * libm::sinf(f32::from(k) + self.phase), 0.0)
            };
            let foot = Vec3::new(hip.x, pose.at.y + s.leg * 0.5 + lift, hip.z) + ahead * swing;
            let half = (hip.y - pose.at.y) * 0.54;
            let knee = joint(hip, foot, (half, half), if fore { ahead } else { -ahead });
            let thigh = s.leg * if fore { 1.35 } else { 2.0 };
            brush.rod((hip, thigh), (knee, s.leg), true, |brush, hit| self.fur(brush, hit, 1));
            brush.rod((knee, s.leg), (foot, s.leg * 0.65), true, |brush, hit| self.fur(brush, hit, 2));
        }
    }

    fn head(&self, brush: &mut Brush, pose: &Pose, breast: Vec3, (ahead, side): (Vec3, Vec3), t: f32) {
        let s = &self.shape;
        // Who stands still often grazes or sniffs.
        let low =
            if pose.moving || s.wings { 0.0 } else { smoothstep(0.0, 0.4, libm::sinf(t * 0.3 + self.phase)) };
        let held = s.held - 1.5 * low + 0.06 * libm::sinf(t * 1.3 + self.phase);
        let way = ahead * libm::cosf(held) + Vec3::Y * libm::sinf(held);
        let root = breast + Vec3::Y * (s.thick * 0.35) + ahead * (s.thick * 0.4);
        let poll = root + way * s.neck;
        let muzzle = (ahead - Vec3::Y * (0.35 + 0.6 * low)).normalize_or(ahead);
        brush.rod((root, s.thick * 0.62), (poll, s.head * 0.85), true, |brush, hit| self.fur(brush, hit, 3));
        let nose = poll + muzzle * (s.head * 2.1);
        brush.rod((poll, s.head), (nose, s.head * 0.52), true, |brush, hit| {
            let texel = self.fur(brush, hit, 4);
            if hit.v > 1.1 { Texel { albedo: texel.albedo * 0.25, ..texel } } else { texel }
        });
        for sign in [-1.0, 1.0] {
            if s.wings {
                continue;
            }
            let ear = poll + side * (sign * s.head * 0.7) + Vec3::Y * (s.head * 0.6);
            let tip = ear + (side * (sign * 0.5) + Vec3::Y * 0.8 - ahead * 0.3) * (s.head * 1.1);
            brush.rod((ear, s.head * 0.34), (tip, s.head * 0.1), true, |brush, hit| self.fur(brush, hit, 6));
            if s.horns {
                let end = ear + (side * (sign * 0.7) + Vec3::Y * 1.2) * (s.head * 2.0);
                brush.rod((ear, s.head * 0.16), (end, s.head * 0.08), true, |brush, hit| {
                    Texel::lit(Vec3::new(0.3, 0.25, 0.18), brush.soft(hit.normal))
                });
            }
        }
    }

    fn wings(&self, brush: &mut Brush, middle: Vec3, ahead: Vec3, side: Vec3, t: f32, flies: bool) {
        if !flies {
            return;
        }
        let s = &self.shape;
        let beat = 0.7 * libm::sinf(t * 22.0 + self.phase);
        for sign in [-1.0, 1.0] {
            let tip =
                middle + side * (sign * s.long * 1.2) + Vec3::Y * (s.long * beat) - ahead * (s.long * 0.2);
            let corners = [middle + ahead * (s.long * 0.25), tip, middle - ahead * (s.long * 0.3)];
            let light = brush.soft(Vec3::Y);
            brush.face(&corners, |_| Texel::lit(self.coat * 0.9, light));
        }
    }

    fn shadow(&self, brush: &mut Brush, at: Vec3, rump: Vec3, breast: Vec3) {
        let s = &self.shape;
        let flat = |p: Vec3| Vec2::new(p.x, p.z);
        let sunny = brush.sunny();
        let cast = |p: Vec3| if sunny { brush.thrown(p, at.y) } else { flat(p) };
        let (a, b, from, to) = (flat(rump), flat(breast), cast(rump), cast(breast));
        let grow = s.thick * 1.6;
        let (low, high) = (a.min(b).min(from).min(to) - grow, a.max(b).max(from).max(to) + grow);
        brush.darken(Vec3::new(low.x, at.y, low.y), Vec3::new(high.x, at.y, high.y), |p| {
            let near = 0.4 * (1.0 - off_line(p, a, b) / grow).max(0.0);
            let body = off_line(p, from, to) - s.thick;
            let legs = off_line(p, a, from).min(off_line(p, b, to)) - s.leg * 1.5;
            let off = body.min(legs);
            (near, if sunny { 0.9 * (1.0 - smoothstep(-0.02, 0.05, off)) } else { 0.0 })
        });
    }
}
