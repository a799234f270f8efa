//! Where the joints of a person are: walking, standing, crouching, with the hands at something.

use core::f32::consts::{PI, TAU};

use glam::Vec3;

use super::path::Pose;

/// What the arms do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arms {
    Swing,
    Pockets,
    Phone,
    Call,
    Box,
    Folded,
    Umbrella,
    /// A bag in the right hand.
    Bag,
    /// Something long in both hands, like a broom or a rake.
    Tool,
    Point,
}

/// How a body is built and held.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    pub height: f32,
    /// 1 is slim, 1.5 is heavy.
    pub girth: f32,
    /// Shoulders against hips: above 1 broad shoulders.
    pub broad: f32,
    pub head: f32,
    pub arms: Arms,
    /// Crouches when it stands.
    pub low: bool,
    /// How far it leans forward.
    pub lean: f32,
    pub phase: f32,
    /// Metres per second when it walks.
    pub speed: f32,
}

/// The joints in the world; left is 0, right is 1.
#[derive(Clone, Copy, Debug)]
pub struct Bones {
    /// Ahead and to the right of the body, and along the spine.
    pub ahead: Vec3,
    pub side: Vec3,
    pub spine: Vec3,
    pub pelvis: Vec3,
    pub neck: Vec3,
    pub head: Vec3,
    /// Where the face looks.
    pub gaze: Vec3,
    pub shoulders: [Vec3; 2],
    pub elbows: [Vec3; 2],
    pub hands: [Vec3; 2],
    pub hips: [Vec3; 2],
    pub knees: [Vec3; 2],
    pub ankles: [Vec3; 2],
    pub toes: [Vec3; 2],
}

const SIDES: [f32; 2] = [-1.0, 1.0];

impl Build {
    /// How far apart the steps of one foot are when it walks.
    fn stride(&self) -> f32 {
        let speed = self.speed * 1.75 / self.height;
        self.height * (0.42 + 0.29 * speed).clamp(0.5, 1.5)
    }

    pub fn bones(&self, pose: &Pose, t: f32) -> Bones {
        let h = self.height;
        let (sin, cos) = (libm::sinf(pose.heading), libm::cosf(pose.heading));
        let (ahead, side) = (Vec3::new(sin, 0.0, cos), Vec3::new(cos, 0.0, -sin));
        let step = TAU * pose.walked / self.stride() + self.phase;
        let swing = libm::asinf((self.stride() / (1.92 * h)).min(0.72));
        let mut b = Bones::upright(ahead, side);
        let crouches = self.low && !pose.moving;
        if crouches || !pose.moving {
            self.stand(&mut b, pose.at, if crouches { 0.27 } else { 0.515 }, t);
        } else {
            self.walk(&mut b, pose.at, step, swing);
        }
        let run = ((self.speed - 2.2) * 0.5).clamp(0.0, 1.0);
        let lean = self.lean
            + if crouches {
                0.55
            } else if pose.moving {
                0.04 + 0.16 * run
            } else {
                0.0
            };
        let twist = if pose.moving { 0.02 * h * libm::sinf(step) } else { 0.0 };
        self.trunk(&mut b, lean, twist, t);
        let moving = if pose.moving { swing } else { 0.0 };
        self.hands(&mut b, step, moving, run, t);
        b
    }

    fn walk(&self, b: &mut Bones, at: Vec3, step: f32, swing: f32) {
        let h = self.height;
        let mut lowest = f32::MAX;
        let bend = 0.62 + 0.5 * swing;
        for (k, sign) in SIDES.iter().enumerate() {
            let phase = step + PI * k as f32;
            let hip = swing * libm::sinf(phase) + 0.06;
            let lift = libm::cosf(phase + 0.45).max(0.0);
            let shin = hip - 0.1 - bend * lift * lift.sqrt();
            let reach = |angle: f32| b.ahead * libm::sinf(angle) - Vec3::Y * libm::cosf(angle);
            b.hips[k] = b.side * (sign * 0.05 * h * self.girth.min(1.2));
            b.knees[k] = b.hips[k] + reach(hip) * (0.245 * h);
            b.ankles[k] = b.knees[k] + reach(shin) * (0.235 * h);
            let pitch = (shin + 0.3).min(0.0) * 0.9 + (shin - 0.12).max(0.0) * 0.9;
            let foot = b.ahead * libm::cosf(pitch) + Vec3::Y * libm::sinf(pitch);
            b.toes[k] = b.ankles[k] + foot * (0.088 * h) - Vec3::Y * (0.018 * h);
            lowest = lowest.min(b.ankles[k].y - 0.04 * h).min(b.toes[k].y - 0.014 * h);
        }
        b.lift(at - Vec3::Y * lowest);
    }

    /// Both feet on the ground, the pelvis at `up` shares of the height.
    fn stand(&self, b: &mut Bones, at: Vec3, up: f32, t: f32) {
        let h = self.height;
        let sway = 0.008 * h * libm::sinf(t * 0.6 + self.phase);
        b.pelvis = at + Vec3::Y * (up * h) + b.side * sway;
        let apart = 0.05 + 0.03 * libm::sinf(self.phase * 3.0).abs();
        for (k, sign) in SIDES.iter().enumerate() {
            b.hips[k] = b.pelvis + b.side * (sign * 0.05 * h * self.girth.min(1.2));
            let fore = sign * 0.035 * libm::sinf(self.phase * 5.0) + if up < 0.4 { sign * 0.08 } else { 0.0 };
            let foot = at + b.side * (sign * apart * h) + b.ahead * (fore * h);
            b.ankles[k] = foot + Vec3::Y * (0.04 * h);
            let out = b.ahead + b.side * (sign * 0.3);
            b.toes[k] = foot + out * (0.085 * h) + Vec3::Y * (0.02 * h);
            b.knees[k] = joint(b.hips[k], b.ankles[k], (0.245 * h, 0.235 * h), out);
        }
    }

    fn trunk(&self, b: &mut Bones, lean: f32, twist: f32, t: f32) {
        let h = self.height;
        b.spine = b.ahead * libm::sinf(lean) + Vec3::Y * libm::cosf(lean);
        b.neck = b.pelvis + b.spine * (0.315 * h);
        let look = match self.arms {
            Arms::Phone | Arms::Tool => 0.5,
            _ => 0.08,
        };
        let turn = 0.5 * libm::sinf(t * 0.37 + self.phase * 7.0) * libm::sinf(t * 0.23 + self.phase);
        let gaze = b.ahead * libm::cosf(turn) + b.side * libm::sinf(turn);
        b.gaze = (gaze - Vec3::Y * look).normalize_or(b.ahead);
        b.head =
            b.neck + (b.spine * 0.6 + Vec3::Y * 0.4) * (0.098 * h) + b.ahead * ((0.012 + 0.02 * look) * h);
        for (k, sign) in SIDES.iter().enumerate() {
            let wide = 0.093 * h * self.broad * (0.85 + 0.15 * self.girth);
            b.shoulders[k] =
                b.pelvis + b.spine * (0.268 * h) + b.side * (sign * wide) + b.ahead * (sign * twist);
        }
    }

    fn hands(&self, b: &mut Bones, step: f32, swing: f32, run: f32, t: f32) {
        let h = self.height;
        let (upper, fore) = (0.17 * h, 0.16 * h);
        for (k, sign) in SIDES.iter().enumerate() {
            let at = |f: f32, s: f32, up: f32| {
                b.pelvis + b.ahead * (f * h) + b.side * (s * h) + b.spine * (up * h)
            };
            let out = -b.ahead * 0.8 + b.side * (sign * 0.6) - Vec3::Y * 0.4;
            let right = k == 1;
            let target = match self.arms {
                Arms::Pockets => Some(at(0.035, sign * 0.115 * self.girth, 0.015)),
                Arms::Phone if right => Some(at(0.16, 0.03, 0.2)),
                Arms::Call if right => Some(at(0.04, 0.07, 0.39)),
                Arms::Box => Some(at(0.19, sign * 0.1, 0.11)),
                Arms::Folded => Some(at(0.1 * self.girth, -sign * 0.06, 0.185 + sign * 0.012)),
                Arms::Umbrella if right => Some(at(0.1, 0.07, 0.22)),
                Arms::Tool => {
                    let sweep = 0.06 * libm::sinf(t * 3.0 + self.phase);
                    Some(at(0.14 + 0.06 * sign + sweep, 0.08 - sign * 0.03, 0.12 - sign * 0.06))
                }
                Arms::Point if right => Some(at(0.28, 0.14 + 0.05 * libm::sinf(t * 0.9), 0.27)),
                _ => None,
            };
            if let Some(hand) = target {
                b.elbows[k] = joint(b.shoulders[k], hand, (upper, fore), out);
                b.hands[k] = b.elbows[k] + (hand - b.elbows[k]).clamp_length_max(fore);
                continue;
            }
            let loaded = if self.arms == Arms::Bag && right { 0.3 } else { 1.0 };
            let angle = 0.05 - loaded * (0.85 * swing + 0.2 * run) * libm::sinf(step + PI * k as f32);
            let flex = 0.16 + 1.3 * run + 0.5 * angle.max(0.0);
            let reach = |angle: f32, wide: f32| {
                b.ahead * libm::sinf(angle) - b.spine * libm::cosf(angle) + b.side * (sign * wide)
            };
            b.elbows[k] = b.shoulders[k] + reach(angle, 0.03 + 0.07 * self.girth) * upper;
            b.hands[k] = b.elbows[k] + reach(angle + flex, 0.02) * fore;
        }
    }
}

impl Bones {
    fn upright(ahead: Vec3, side: Vec3) -> Self {
        let none = [Vec3::ZERO; 2];
        let zero = Vec3::ZERO;
        Self {
            ahead,
            side,
            spine: Vec3::Y,
            pelvis: zero,
            neck: zero,
            head: zero,
            gaze: ahead,
            shoulders: none,
            elbows: none,
            hands: none,
            hips: none,
            knees: none,
            ankles: none,
            toes: none,
        }
    }

    fn lift(&mut self, by: Vec3) {
        self.pelvis += by;
        for points in [&mut self.hips, &mut self.knees, &mut self.ankles, &mut self.toes] {
            for point in points {
                *point += by;
            }
        }
    }
}

/// Where the joint between two bones of these lengths is, bent towards `hint`.
pub fn joint(from: Vec3, to: Vec3, (upper, lower): (f32, f32), hint: Vec3) -> Vec3 {
    let way = to - from;
    let length = way.length().clamp((upper - lower).abs() + 1e-4, (upper + lower) * 0.999);
    let along = way.normalize_or(Vec3::NEG_Y);
    let share = (length * length + upper * upper - lower * lower) / (2.0 * length);
    let off = (upper * upper - share * share).max(0.0).sqrt();
    let aside = (hint - along * hint.dot(along)).normalize_or(Vec3::Z);
    from + along * share + aside * off
}
