//! Places in the open: hills, a forest, a field, a farm.

use core::f32::consts::{PI, TAU};

use glam::{Vec2, Vec3};

use super::Site;
use super::floor::Area;
use super::plant::{PLANTS, Plant};
use super::props::{self, Prop, house, power_line};
use super::skin::{Ink, Pattern, Skin, pick, range, tint};
use super::sky::Ridge;
use super::thing::Thing;

/// What covers the ground.
const GROUNDS: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Grass, [102, 112, 64], [132, 126, 82], 6.0),
    (Pattern::Grass, [84, 100, 54], [108, 114, 66], 9.0),
    (Pattern::Grass, [160, 142, 96], [126, 114, 74], 5.0),
    (Pattern::Grass, [180, 158, 106], [142, 118, 78], 8.0),
    (Pattern::Mottled, [128, 104, 78], [104, 84, 62], 3.0),
    (Pattern::Mottled, [150, 128, 98], [126, 116, 84], 4.0),
    (Pattern::Leaves, [96, 78, 58], [150, 100, 54], 2.0),
    (Pattern::Leaves, [84, 74, 56], [128, 104, 70], 2.0),
    (Pattern::Mottled, [206, 210, 216], [150, 146, 138], 5.0),
    (Pattern::Gravel, [142, 136, 126], [116, 108, 98], 4.0),
];

const TRACKS: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Mottled, [142, 122, 96], [116, 100, 80], 1.5),
    (Pattern::Gravel, [150, 144, 134], [126, 116, 104], 2.0),
    (Pattern::Asphalt, [92, 92, 92], [78, 78, 80], 4.0),
    (Pattern::Mottled, [160, 130, 98], [134, 104, 80], 2.0),
];

const SLOPES: &[(Ink, Ink)] = &[
    ([62, 76, 50], [92, 96, 62]),
    ([48, 62, 46], [66, 78, 54]),
    ([128, 114, 80], [86, 90, 58]),
    ([146, 122, 88], [110, 92, 68]),
    ([118, 96, 70], [84, 72, 54]),
    ([112, 84, 54], [70, 66, 44]),
];

/// A skin like one of the rows.
pub fn skin(rng: &mut fastrand::Rng, rows: &[(Pattern, Ink, Ink, f32)]) -> Skin {
    let (pattern, a, b, size) = pick(rng, rows);
    Skin::new(rng, pattern, a, b, size)
}

/// Rows of hills or trees around everything, near ones first.
pub fn horizon(site: &mut Site, rng: &mut fastrand::Rng, near: f32, height: f32, trees: f32) {
    let mut distance = near * range(rng, 0.8, 1.3);
    let mut top = height;
    for n in 0..rng.usize(2..5) {
        let inks = pick(rng, SLOPES);
        let tall = top * range(rng, 0.6, 1.4);
        let trees = if n == 0 { trees } else { trees * 0.7 + rng.f32() * 0.3 };
        site.ridges.push(Ridge::new(rng, distance, tall, trees, inks));
        distance *= range(rng, 1.8, 3.2);
        top *= range(rng, 1.7, 2.8);
    }
}

/// A track across, with two wheel ruts, that cars may use.
fn track(site: &mut Site, rng: &mut fastrand::Rng, yaw: f32, at: Vec2) {
    let body = skin(rng, TRACKS);
    let half = range(rng, 1.5, 2.6);
    let long = 300.0;
    site.floor.areas.push(Area {
        centre: at,
        half: Vec2::new(half, long),
        yaw,
        fray: 0.6,
        cover: 0.9,
        skin: body,
    });
    let way = Vec2::new(libm::sinf(yaw), libm::cosf(yaw));
    let side = Vec2::new(way.y, -way.x);
    for rut in [-0.75, 0.75] {
        let dark = Skin { a: body.a * 0.7, b: body.b * 0.8, pattern: Pattern::Mottled, ..body };
        let half = Vec2::new(0.22, long);
        site.floor.areas.push(Area {
            centre: at + side * rut,
            half,
            yaw,
            fray: 0.25,
            cover: 0.6,
            skin: dark,
        });
    }
    let reach = site.ground.1.z + 12.0;
    let point = |t: f32| Vec3::new(at.x + way.x * t, 0.0, at.y + way.y * t);
    site.lanes.push(vec![point(-reach), point(0.0), point(reach)]);
}

/// Frayed patches of other ground.
fn patches(site: &mut Site, rng: &mut fastrand::Rng, count: usize) {
    for _ in 0..count {
        let half = Vec2::new(range(rng, 1.0, 9.0), range(rng, 1.0, 7.0));
        let (low, high) = site.ground;
        let centre = Vec2::new(range(rng, low.x, high.x), range(rng, low.z, high.z)) * 1.4;
        let (yaw, fray) = (range(rng, 0.0, PI), half.min_element() * 0.8);
        let cover = range(rng, 0.4, 1.0);
        let skin = skin(rng, GROUNDS);
        site.floor.areas.push(Area { centre, half, yaw, fray, cover, skin });
    }
}

/// Plants of the table's rows around the free ground.
pub fn grow(site: &mut Site, rng: &mut fastrand::Rng, rows: &[usize], count: usize, out: (f32, f32)) {
    for _ in 0..count {
        let foot = site.around(rng, out);
        let row = rows[rng.usize(..rows.len())];
        let plant = Plant::new(rng, &PLANTS[row], foot);
        site.plant(plant);
    }
}

/// Two or three kinds of a list, so that a place is not a collection.
pub fn few(rng: &mut fastrand::Rng, rows: &[usize]) -> Vec<usize> {
    (0..rng.usize(1..4)).map(|_| rows[rng.usize(..rows.len())]).collect()
}

fn scatter(site: &mut Site, rng: &mut fastrand::Rng, props: &[Prop], count: usize, out: (f32, f32)) {
    for _ in 0..count {
        let foot = site.around(rng, out);
        let yaw = range(rng, 0.0, TAU);
        pick(rng, props).put(site, rng, foot, yaw);
    }
}

/// A fence along one side, with or without gaps.
pub fn fence(site: &mut Site, rng: &mut fastrand::Rng, out: f32) {
    let base = pick(rng, &[[130, 116, 96], [110, 112, 114], [86, 72, 58], [60, 82, 64]]);
    let colour = tint(rng, base);
    let (height, gap) = (range(rng, 1.0, 2.0), range(rng, 0.15, 2.5));
    let half = site.ground.1 + Vec3::splat(out);
    let along = rng.bool();
    let sign = if rng.bool() { 1.0 } else { -1.0 };
    for n in -4i8..4 {
        let (a, b) = (f32::from(n) / 4.0 * 1.6, f32::from(n + 1) / 4.0 * 1.6);
        let at = |t: f32| {
            if along {
                Vec3::new(sign * half.x, 0.0, t * half.z)
            } else {
                Vec3::new(t * half.x, 0.0, sign * half.z)
            }
        };
        let middle = at((a + b) * 0.5);
        if site.stands.iter().all(|s| (s.at - middle).length() > 6.0) {
            site.things.push(Thing::Mesh { from: at(a), to: at(b), height, gap, colour });
        }
    }
}

/// A lookout over a valley.
pub fn hills(site: &mut Site, rng: &mut fastrand::Rng) {
    site.floor.base = skin(rng, GROUNDS);
    site.floor.puddles = 0.0;
    patches(site, rng, 14);
    let (yaw, at) = (range(rng, -0.6, 0.6), Vec2::new(range(rng, -10.0, 10.0), 0.0));
    track(site, rng, yaw, at);
    let trees = rng.f32();
    let (near, height) = (range(rng, 130.0, 350.0), range(rng, 15.0, 70.0));
    horizon(site, rng, near, height, trees);
    let trees = few(rng, &[0, 1, 2, 3, 4, 5, 6]);
    let count = rng.usize(15..60);
    grow(site, rng, &trees, count, (0.0, 60.0));
    grow(site, rng, &[7, 8, 11, 12], 40, (-25.0, 40.0));
    if rng.bool() {
        let foot = site.around(rng, (5.0, 40.0));
        let (half, yaw) = (Vec2::new(range(rng, 4.0, 8.0), range(rng, 3.0, 5.0)), range(rng, 0.0, PI));
        let house = house(rng, foot, half, 1.0, yaw, props::WALLS);
        site.block(house);
    }
    if rng.bool() {
        let x = range(rng, 25.0, 60.0);
        power_line(site, rng, Vec3::new(-x, 0.0, -120.0), Vec3::new(x, 0.0, 150.0));
    }
}

/// A clearing between trees.
pub fn forest(site: &mut Site, rng: &mut fastrand::Rng) {
    site.floor.base = skin(rng, &[GROUNDS[1], GROUNDS[4], GROUNDS[6], GROUNDS[7], GROUNDS[6], GROUNDS[8]]);
    patches(site, rng, 10);
    if rng.bool() {
        let (yaw, at) = (range(rng, -0.7, 0.7), Vec2::new(range(rng, -4.0, 4.0), 0.0));
        track(site, rng, yaw, at);
    }
    horizon(site, rng, 75.0, 14.0, 1.0);
    let trees = few(rng, &[0, 1, 1, 2, 3, 4, 4, 5, 6]);
    let near = rng.usize(35..70);
    grow(site, rng, &trees, near, (0.3, 14.0));
    grow(site, rng, &trees, 50, (12.0, 40.0));
    let low = few(rng, &[7, 8, 9, 10, 11, 12]);
    grow(site, rng, &low, 40, (-8.0, 14.0));
    if rng.bool() {
        scatter(site, rng, &[props::BENCH, props::CRATE, props::BALE], 3, (-3.0, 2.0));
    }
}

/// Grass or crops, with a track, bales and a few trees.
pub fn field(site: &mut Site, rng: &mut fastrand::Rng) {
    site.floor.base = skin(rng, &GROUNDS[..6]);
    patches(site, rng, 8);
    let (yaw, at) = (range(rng, -0.5, 0.5), Vec2::new(range(rng, -6.0, 6.0), 0.0));
    track(site, rng, yaw, at);
    let trees = rng.f32();
    let (near, height) = (range(rng, 90.0, 260.0), range(rng, 5.0, 25.0));
    horizon(site, rng, near, height, trees);
    let trees = few(rng, &[0, 1, 2, 3, 5, 6]);
    let count = rng.usize(2..18);
    grow(site, rng, &trees, count, (2.0, 40.0));
    let low = few(rng, &[7, 8, 9, 10, 9, 10]);
    grow(site, rng, &low, 45, (-12.0, 10.0));
    let count = rng.usize(0..8);
    scatter(site, rng, &[props::BALE, props::SQUARE_BALE, props::TROUGH], count, (-6.0, 30.0));
    if rng.bool() {
        fence(site, rng, 4.0);
    }
    if rng.bool() {
        let x = range(rng, 22.0, 50.0);
        power_line(site, rng, Vec3::new(x, 0.0, -90.0), Vec3::new(-x, 0.0, 110.0));
    }
}

/// A farmyard: barns, silos, troughs and bales. Held out.
pub fn farm(site: &mut Site, rng: &mut fastrand::Rng) {
    const BARNS: &[(Pattern, Ink, Ink, f32)] = &[
        (Pattern::Planks, [122, 56, 46], [92, 44, 38], 0.22),
        (Pattern::Planks, [104, 88, 72], [76, 64, 54], 0.25),
        (Pattern::Slabs, [158, 146, 122], [112, 102, 88], 0.6),
        (Pattern::Corrugated, [128, 136, 118], [112, 84, 62], 0.4),
    ];
    const SOIL: &[(Pattern, Ink, Ink, f32)] = &[
        (Pattern::Mottled, [124, 96, 72], [92, 72, 56], 2.5),
        (Pattern::Leaves, [120, 98, 70], [176, 150, 96], 3.0),
        (Pattern::Slabs, [146, 140, 128], [92, 88, 80], 4.0),
    ];
    site.floor.base = skin(rng, &GROUNDS[..3]);
    let half = Vec2::new(19.0, 21.0);
    let yard = Area { centre: Vec2::ZERO, half, yaw: 0.0, fray: 2.5, cover: 1.0, skin: skin(rng, SOIL) };
    site.floor.areas.push(yard);
    track(site, rng, 0.15, Vec2::new(5.0, 0.0));
    horizon(site, rng, 170.0, 10.0, 0.8);
    for (x, z, turn) in [(-22.0, 4.0, 0.5 * PI), (3.0, 26.0, 0.0), (24.0, -8.0, 0.5 * PI), (-5.0, -27.0, 0.0)]
    {
        let foot = Vec3::new(x + range(rng, -2.0, 2.0), 0.0, z + range(rng, -2.0, 2.0));
        let half = Vec2::new(range(rng, 6.0, 12.0), range(rng, 4.0, 6.0));
        let storeys = range(rng, 1.2, 2.0);
        let yaw = turn + range(rng, -0.06, 0.06);
        let mut barn = house(rng, foot, half, storeys, yaw, BARNS);
        barn.gable = half.y * range(rng, 0.5, 0.9);
        if let Some(o) = barn.openings.as_mut() {
            o.share = 0.35;
        }
        site.block(barn);
    }
    for _ in 0..rng.usize(1..4) {
        let foot = site.around(rng, (3.0, 14.0));
        props::SILO.put(site, rng, foot, 0.0);
    }
    scatter(site, rng, props::RURAL, 16, (-3.0, 6.0));
    fence(site, rng, 3.0);
    grow(site, rng, &[0, 2, 5, 6, 7], 8, (6.0, 30.0));
    grow(site, rng, &[9, 10], 25, (-1.0, 8.0));
    let to = Vec3::ZERO;
    let foot = site.around(rng, (0.5, 1.5));
    props::lamp_post(site, rng, foot, to);
}
