//! Movable things by table, houses, fences, lamps and poles.

use glam::{Vec2, Vec3};

use super::skin::{Ink, Pattern, Skin, ink, pick, range, tint};
use super::thing::{Block, Openings, Thing};
use super::{Lamp, Site};

/// A kind of thing. Half width and half depth, height; a round one takes its half width as radius.
#[derive(Clone, Copy, Debug)]
pub struct Prop {
    half: (f32, f32),
    height: (f32, f32),
    round: Round,
    pattern: Pattern,
    size: f32,
    inks: &'static [Ink],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    No,
    Upright,
    Lying,
}

const BRIGHT: &[Ink] =
    &[[158, 52, 40], [186, 96, 38], [48, 78, 124], [54, 96, 66], [186, 150, 54], [120, 122, 120]];
const WOOD: &[Ink] = &[[150, 122, 86], [124, 98, 68], [168, 146, 112], [110, 100, 88]];
const METAL: &[Ink] = &[[142, 144, 146], [98, 102, 106], [176, 176, 170], [84, 96, 88], [120, 88, 68]];
const DULL: &[Ink] = &[[74, 78, 76], [58, 70, 60], [90, 84, 76], [62, 64, 72], [120, 116, 108]];
const STRAW: &[Ink] = &[[186, 160, 100], [160, 136, 84], [142, 124, 88]];
const WARN: &[Ink] = &[[206, 96, 36], [196, 164, 48], [176, 48, 40], [200, 196, 188]];

macro_rules! props {
    ($($name:ident: $half:expr, $height:expr, $round:ident, $pattern:ident, $size:expr, $inks:expr;)*) => {
        $(pub const $name: Prop = Prop {
            half: $half, height: $height, round: Round::$round, pattern: Pattern::$pattern, size: $size, inks: $inks,
        };)*
    };
}

props! {
    CONTAINER: (3.0, 1.22), (2.6, 2.6), No, Corrugated, 0.28, BRIGHT;
    CRATE: (0.5, 0.5), (0.5, 1.3), No, Planks, 0.14, WOOD;
    PALLETS: (0.6, 0.5), (0.15, 1.5), No, Brick, 0.4, WOOD;
    BARREL: (0.3, 0.3), (0.88, 0.92), Upright, Plain, 0.6, BRIGHT;
    BIN: (0.32, 0.38), (1.0, 1.2), No, Plain, 0.7, DULL;
    SKIP: (1.6, 0.9), (1.1, 1.5), No, Corrugated, 0.6, BRIGHT;
    CABINET: (0.5, 0.3), (1.0, 2.0), No, Plain, 0.8, METAL;
    MACHINE: (1.1, 0.8), (1.2, 2.2), No, Plain, 0.7, METAL;
    BENCH: (0.9, 0.25), (0.42, 0.5), No, Planks, 0.1, WOOD;
    BOLLARD: (0.1, 0.1), (0.8, 1.1), Upright, Stripes, 0.5, WARN;
    TANK: (1.1, 2.0), (2.2, 2.2), Lying, Plain, 1.2, METAL;
    BALE: (0.65, 0.6), (1.3, 1.3), Lying, Leaves, 0.6, STRAW;
    SQUARE_BALE: (1.0, 0.5), (0.8, 1.8), No, Leaves, 0.5, STRAW;
    SILO: (1.6, 1.6), (6.0, 12.0), Upright, Corrugated, 0.3, METAL;
    TROUGH: (1.0, 0.35), (0.5, 0.7), No, Mottled, 1.0, METAL;
    CARTONS: (0.5, 0.4), (0.4, 1.6), No, Goods, 0.4, WOOD;
    BARRIER: (1.2, 0.2), (0.75, 0.9), No, Stripes, 0.6, WARN;
    RUBBLE: (1.2, 0.9), (0.3, 0.6), No, Gravel, 1.0, DULL;
    TARP: (1.0, 0.8), (0.5, 1.2), No, Mottled, 0.8, BRIGHT;
    IBC: (0.6, 0.5), (1.1, 1.2), No, Slabs, 0.15, METAL;
    SHELF: (1.4, 0.5), (2.2, 4.6), No, Goods, 0.7, BRIGHT;
    RACK: (0.9, 0.3), (1.6, 2.1), No, Goods, 0.35, BRIGHT;
    TABLE: (0.8, 0.45), (0.7, 0.8), No, Planks, 0.3, WOOD;
    SOFA: (1.0, 0.45), (0.45, 0.8), No, Mottled, 0.8, BRIGHT;
    LOCKERS: (1.2, 0.25), (1.7, 2.0), No, Slabs, 0.4, METAL;
}

/// What is left behind in yards, around buildings and on quays.
pub const YARD: &[Prop] =
    &[CONTAINER, CRATE, PALLETS, BARREL, BIN, SKIP, CABINET, RUBBLE, TARP, IBC, TANK, BARRIER];
/// Beside roads.
pub const ROADSIDE: &[Prop] = &[BIN, BENCH, BOLLARD, BARRIER, CABINET, CRATE, SKIP];
/// In halls.
pub const STORE: &[Prop] = &[CRATE, PALLETS, CARTONS, BARREL, MACHINE, IBC, CABINET, RACK];
/// In fields.
pub const RURAL: &[Prop] = &[BALE, SQUARE_BALE, TROUGH, TANK, TARP, PALLETS, CRATE];
/// In rooms.
pub const HOME: &[Prop] = &[TABLE, SOFA, CABINET, RACK, LOCKERS, CARTONS, BENCH];

impl Prop {
    /// One on the floor, with its long side at `yaw`. Tells whether it fitted.
    pub fn put(&self, site: &mut Site, rng: &mut fastrand::Rng, foot: Vec3, yaw: f32) -> bool {
        let other = pick(rng, &[[84, 60, 44], [60, 58, 56], [150, 146, 138]]);
        let main = pick(rng, self.inks);
        let skin = Skin::new(rng, self.pattern, main, other, self.size);
        let height = range(rng, self.height.0, self.height.1);
        let scale = range(rng, 0.85, 1.2);
        let half = Vec2::new(self.half.0, self.half.1) * scale;
        match self.round {
            Round::No => {
                let top = Skin { a: skin.a * 0.9, b: skin.b, pattern: self.lid(), ..skin };
                site.block(Block { foot, half, height, yaw, skin, top, gable: 0.0, openings: None })
            }
            Round::Upright => {
                let to = foot + Vec3::Y * height;
                site.round(foot, half.x, height, Thing::Drum { from: foot, to, radius: half.x, skin })
            }
            Round::Lying => {
                let way = Vec3::new(libm::sinf(yaw), 0.0, libm::cosf(yaw)) * half.y;
                let middle = foot + Vec3::Y * half.x;
                let thing = Thing::Drum { from: middle - way, to: middle + way, radius: half.x, skin };
                site.round(foot, half.x, half.x * 2.0, thing)
            }
        }
    }

    fn lid(&self) -> Pattern {
        match self.pattern {
            Pattern::Goods | Pattern::Brick | Pattern::Slabs => Pattern::Mottled,
            other => other,
        }
    }
}

/// Walls, roofs and frames of houses.
pub const WALLS: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Brick, [140, 84, 66], [168, 160, 148], 0.24),
    (Pattern::Brick, [168, 140, 110], [150, 144, 134], 0.26),
    (Pattern::Mottled, [196, 188, 172], [170, 160, 144], 2.0),
    (Pattern::Mottled, [182, 156, 118], [160, 134, 102], 2.5),
    (Pattern::Mottled, [170, 120, 94], [146, 104, 84], 2.0),
    (Pattern::Mottled, [150, 150, 148], [122, 122, 120], 3.0),
    (Pattern::Corrugated, [150, 156, 160], [120, 90, 70], 0.3),
    (Pattern::Corrugated, [108, 122, 134], [104, 80, 64], 0.25),
    (Pattern::Corrugated, [156, 84, 62], [96, 60, 44], 0.3),
    (Pattern::Planks, [120, 94, 70], [86, 66, 52], 0.2),
    (Pattern::Planks, [172, 168, 156], [140, 134, 122], 0.18),
    (Pattern::Slabs, [148, 144, 138], [96, 94, 90], 1.8),
];

const ROOFS: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Brick, [138, 76, 56], [84, 50, 40], 0.3),
    (Pattern::Brick, [92, 84, 80], [60, 56, 54], 0.3),
    (Pattern::Corrugated, [126, 130, 132], [110, 80, 60], 0.35),
    (Pattern::Brick, [116, 66, 52], [72, 46, 38], 0.28),
];

fn skin_of(rng: &mut fastrand::Rng, rows: &[(Pattern, Ink, Ink, f32)]) -> Skin {
    let (pattern, a, b, size) = pick(rng, rows);
    Skin::new(rng, pattern, a, b, size)
}

/// A building with storeys of windows.
pub fn house(
    rng: &mut fastrand::Rng,
    foot: Vec3,
    half: Vec2,
    storeys: f32,
    yaw: f32,
    walls: &[(Pattern, Ink, Ink, f32)],
) -> Block {
    let storey = range(rng, 2.6, 3.2);
    let height = storeys * storey;
    let skin = skin_of(rng, walls);
    let mut top = skin_of(rng, ROOFS);
    let gable = if storeys < 4.0 && rng.f32() < 0.7 { half.y * range(rng, 0.4, 0.9) } else { 0.0 };
    if gable <= 0.0 {
        top.pattern = Pattern::Mottled;
    }
    let base = pick(rng, &[[190, 188, 182], [92, 70, 54], [70, 74, 80], [130, 60, 46]]);
    let frame = tint(rng, base);
    let openings = Openings {
        cell: Vec2::new(half.x * 2.0 / (half.x * 2.0 / range(rng, 1.8, 3.6)).round().max(1.0), storey),
        glass: Vec2::new(range(rng, 0.35, 0.75), range(rng, 0.4, 0.8)),
        frame,
        share: range(rng, 0.3, 1.0),
        lit: range(rng, 0.05, 0.6),
        seed: rng.u32(..),
    };
    Block { foot, half, height, yaw, skin, top, gable, openings: Some(openings) }
}

/// A lamp post with an arm towards `to`; it lights the ground at night.
pub fn lamp_post(site: &mut Site, rng: &mut fastrand::Rng, foot: Vec3, to: Vec3) {
    let height = range(rng, 4.5, 8.5);
    if !site.clear(foot) {
        return;
    }
    let top = foot + Vec3::Y * height;
    let head = top + (to - foot).normalize_or_zero() * range(rng, 0.4, 1.8);
    let base = pick(rng, &[[120, 124, 126], [70, 80, 74], [64, 64, 66], [150, 146, 140]]);
    let colour = tint(rng, base);
    site.things.push(Thing::Rod { from: (foot, 0.09), to: (top, 0.055), colour });
    site.things.push(Thing::Rod { from: (top, 0.05), to: (head, 0.09), colour });
    let warm = pick(rng, &[[255, 176, 84], [255, 206, 150], [236, 240, 255], [255, 150, 60]]);
    let on = site.light.night > 0.05 && !site.sky.dark && rng.f32() < 0.85;
    if on {
        let colour = ink(warm).lerp(Vec3::splat(0.7), range(rng, 0.15, 0.5)) * range(rng, 0.6, 1.3);
        site.things.push(Thing::Bulb { at: head, radius: 0.2, emit: colour * 2.6 });
        site.lamps.push(Lamp { at: head, colour, radius: range(rng, 16.0, 28.0) });
    }
}

/// A sign on a post or on a wall: a coloured panel facing `front`.
pub fn sign(site: &mut Site, rng: &mut fastrand::Rng, middle: Vec3, front: Vec3, half: Vec2, post: bool) {
    if post && !site.clear(middle) {
        return;
    }
    let field = pick(
        rng,
        &[[176, 44, 38], [206, 162, 40], [204, 98, 36], [44, 80, 140], [214, 210, 202], [46, 108, 70]],
    );
    let text = pick(rng, &[[220, 218, 210], [30, 30, 32], [206, 170, 60]]);
    let size = half.y * range(rng, 0.6, 1.6);
    let skin = Skin::new(rng, Pattern::Print, field, text, size);
    let side = Vec3::Y.cross(front).normalize_or_zero() * half.x;
    let up = Vec3::Y * half.y;
    let corners = [middle - side - up, middle + side - up, middle + side + up, middle - side + up];
    let on = site.light.night > 0.5 && !site.sky.dark && rng.f32() < 0.3;
    let emit = Vec3::splat(if on { 0.7 } else { 0.0 });
    site.things.push(Thing::Panel { corners, skin, emit });
    if post {
        let foot = Vec3::new(middle.x, 0.0, middle.z) - front * 0.06;
        let colour = Vec3::splat(0.22);
        site.things.push(Thing::Rod { from: (foot, 0.04), to: (middle - front * 0.06, 0.04), colour });
    }
}

/// Poles with wires along a line.
pub fn power_line(site: &mut Site, rng: &mut fastrand::Rng, from: Vec3, to: Vec3) {
    let count = rng.u32(3..6) as f32;
    let height = range(rng, 6.5, 9.0);
    let base = pick(rng, &[[104, 86, 68], [136, 132, 126]]);
    let colour = tint(rng, base);
    let across = Vec3::Y.cross(to - from).normalize_or_zero() * 0.8;
    let mut last: Option<Vec3> = None;
    let mut n = 0.0;
    while n <= count {
        let foot = from.lerp(to, n / count);
        let top = foot + Vec3::Y * height;
        if site.clear(foot) {
            site.things.push(Thing::Rod { from: (foot, 0.14), to: (top, 0.09), colour });
            let arm = top - Vec3::Y * 0.4;
            site.things.push(Thing::Rod { from: (arm - across, 0.05), to: (arm + across, 0.05), colour });
        }
        if let Some(last) = last {
            for side in [-1.0, 0.0, 1.0] {
                let (a, b) = (last - Vec3::Y * 0.3 + across * side, top - Vec3::Y * 0.3 + across * side);
                site.things.push(Thing::Wire { from: a, to: b, sag: range(rng, 0.3, 0.9) });
            }
        }
        last = Some(top);
        n += 1.0;
    }
}
