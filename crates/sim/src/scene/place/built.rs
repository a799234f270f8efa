//! Places between buildings: a yard, a street, a car park, a quay.

use core::f32::consts::{PI, TAU};

use glam::{Vec2, Vec3};

use super::Site;
use super::floor::Area;
use super::outdoors::{fence, few, grow, horizon, skin};
use super::props::{self, WALLS, house, lamp_post, power_line, sign};
use super::skin::{Ink, Pattern, Skin, pick, range};
use super::sky::Ridge;
use super::thing::{Block, Thing};

const PAVED: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Asphalt, [88, 88, 90], [72, 72, 76], 5.0),
    (Pattern::Asphalt, [112, 108, 104], [90, 88, 86], 6.0),
    (Pattern::Slabs, [150, 146, 138], [92, 88, 84], 2.5),
    (Pattern::Slabs, [132, 122, 112], [84, 78, 72], 0.5),
    (Pattern::Mottled, [150, 144, 134], [118, 112, 104], 4.0),
    (Pattern::Gravel, [146, 138, 126], [112, 106, 98], 3.0),
    (Pattern::Mottled, [132, 110, 86], [106, 90, 72], 3.0),
    (Pattern::Slabs, [156, 106, 84], [96, 76, 66], 0.3),
    (Pattern::Mottled, [206, 208, 212], [120, 116, 112], 4.0),
];

/// A line of paint, worn.
fn paint(site: &mut Site, rng: &mut fastrand::Rng, centre: Vec2, half: Vec2, colour: Ink) {
    let skin = Skin::new(rng, Pattern::Mottled, colour, [120, 118, 112], 0.6);
    let cover = range(rng, 0.45, 0.95);
    site.floor.areas.push(Area { centre, half, yaw: 0.0, fray: 0.02, cover, skin });
}

/// Oil, dirt and mended places.
fn stains(site: &mut Site, rng: &mut fastrand::Rng, count: usize) {
    for _ in 0..count {
        let (low, high) = site.ground;
        let centre = Vec2::new(range(rng, low.x, high.x), range(rng, low.z, high.z));
        let half = Vec2::new(range(rng, 0.3, 2.5), range(rng, 0.3, 1.6));
        let dark = pick(rng, &[[52, 50, 48], [84, 74, 62], [120, 116, 110], [110, 76, 56]]);
        let skin = Skin::new(rng, Pattern::Mottled, dark, [90, 86, 80], 1.0);
        let (yaw, cover) = (range(rng, 0.0, PI), range(rng, 0.15, 0.5));
        let fray = half.min_element();
        site.floor.areas.push(Area { centre, half, yaw, fray, cover, skin });
    }
}

/// Houses along a line, side by side.
fn row(site: &mut Site, rng: &mut fastrand::Rng, from: Vec3, to: Vec3, storeys: (f32, f32)) {
    let way = (to - from).normalize_or_zero();
    let back = Vec3::Y.cross(way);
    let (mut at, end) = (0.0, (to - from).length());
    let yaw = libm::atan2f(-way.z, way.x);
    while at < end {
        let half = Vec2::new(range(rng, 4.0, 9.0), range(rng, 3.5, 6.0));
        let foot = from + way * (at + half.x) - back * (half.y + range(rng, 0.0, 1.5));
        let tall = range(rng, storeys.0, storeys.1).round();
        let block = house(rng, foot, half, tall, yaw, WALLS);
        if site.block(block) && rng.bool() {
            let front = foot + back * (half.y + 0.06);
            let size = Vec2::new(range(rng, 0.5, 1.6), range(rng, 0.2, 0.6));
            let slide = way * range(rng, -0.6, 0.6) * half.x;
            let high = Vec3::Y * range(rng, 2.2, 3.4);
            sign(site, rng, front + slide + high, back, size, false);
            door(site, rng, front - slide * 0.5, way, back);
        }
        at += half.x * 2.0 + if rng.f32() < 0.6 { 0.0 } else { range(rng, 1.5, 6.0) };
    }
}

/// A door or a roller gate in a wall.
pub fn door(site: &mut Site, rng: &mut fastrand::Rng, middle: Vec3, way: Vec3, front: Vec3) {
    let gate = rng.bool();
    let (half, height) = if gate { (range(rng, 1.2, 2.0), range(rng, 2.2, 3.4)) } else { (0.5, 2.1) };
    let colour = pick(
        rng,
        &[[96, 74, 56], [70, 84, 98], [134, 136, 136], [128, 60, 48], [60, 78, 62], [168, 164, 156]],
    );
    let pattern = if gate { Pattern::Corrugated } else { Pattern::Planks };
    let skin = Skin::new(rng, pattern, colour, [92, 80, 70], 0.2);
    let foot = Vec3::new(middle.x, 0.0, middle.z) + front * 0.02;
    let (side, up) = (way * half, Vec3::Y * height);
    let corners = [foot - side, foot + side, foot + side + up, foot - side + up];
    site.things.push(Thing::Panel { corners, skin, emit: Vec3::ZERO });
}

/// Roofs and blocks far away.
fn skyline(site: &mut Site, rng: &mut fastrand::Rng) {
    let inks = pick(
        rng,
        &[
            ([128, 116, 106], [98, 96, 98]),
            ([110, 104, 98], [140, 120, 104]),
            ([96, 98, 104], [120, 116, 112]),
        ],
    );
    let (distance, height) = (range(rng, 120.0, 220.0), range(rng, 8.0, 26.0));
    let mut ridge = Ridge::new(rng, distance, height, 0.0, inks);
    ridge.roofs = rng.bool();
    site.ridges.push(ridge);
    let (trees, height) = (rng.f32(), range(rng, 15.0, 60.0));
    horizon(site, rng, distance * 2.5, height, trees);
}

fn litter(site: &mut Site, rng: &mut fastrand::Rng, list: &[props::Prop], count: usize, out: (f32, f32)) {
    for _ in 0..count {
        let mut foot = site.around(rng, out);
        let yaw = if rng.bool() { pick(rng, &[0.0, 0.5 * PI]) } else { range(rng, 0.0, TAU) };
        let prop = pick(rng, list);
        for _ in 0..rng.usize(1..4) {
            let yaw = yaw + range(rng, -0.1, 0.1);
            prop.put(site, rng, foot, yaw);
            foot += Vec3::new(range(rng, -1.4, 1.4), 0.0, range(rng, -1.4, 1.4));
        }
    }
}

/// A yard between sheds, with goods at its edges.
pub fn yard(site: &mut Site, rng: &mut fastrand::Rng) {
    site.floor.base = skin(rng, PAVED);
    let centre = Vec2::new(range(rng, -10.0, 10.0), range(rng, -10.0, 10.0));
    let half = Vec2::new(range(rng, 6.0, 20.0), range(rng, 6.0, 20.0));
    let fray = if rng.bool() { 0.0 } else { 1.5 };
    let second = skin(rng, PAVED);
    site.floor.areas.push(Area { centre, half, yaw: 0.0, fray, cover: 1.0, skin: second });
    stains(site, rng, 9);
    skyline(site, rng);
    let reach = site.ground.1.x + 10.0;
    let storeys = (1.0, pick(rng, &[2.0, 3.0, 5.0]));
    for (from, to) in [
        ((-1.0, 1.0), (1.0, 1.0)),
        ((1.0, 1.0), (1.0, -1.0)),
        ((1.0, -1.0), (-1.0, -1.0)),
        ((-1.0, -1.0), (-1.0, 1.0)),
    ] {
        if rng.f32() < 0.75 {
            let out = reach + range(rng, -2.0, 9.0);
            let corner = |c: (f32, f32)| Vec3::new(c.0 * out, 0.0, c.1 * out);
            row(site, rng, corner(from), corner(to), storeys);
        }
    }
    let count = rng.usize(8..22);
    litter(site, rng, props::YARD, count, (-2.5, 6.0));
    let plants = few(rng, &[0, 1, 2, 3, 4, 6, 7, 8]);
    grow(site, rng, &plants, 8, (2.0, 25.0));
    grow(site, rng, &[9, 10, 7], 12, (0.0, 8.0));
    if rng.bool() {
        fence(site, rng, 2.5);
    }
    for _ in 0..rng.usize(1..4) {
        let foot = site.around(rng, (0.5, 3.0));
        lamp_post(site, rng, foot, Vec3::ZERO);
    }
    let x = range(rng, -6.0, 6.0);
    site.lanes.push(vec![Vec3::new(x, 0.0, -18.0), Vec3::new(x * 0.5, 0.0, 0.0), Vec3::new(-x, 0.0, 18.0)]);
}

/// A road between houses.
pub fn street(site: &mut Site, rng: &mut fastrand::Rng) {
    let road = range(rng, 3.2, 4.4);
    site.floor.base = skin(rng, &PAVED[2..8]);
    let asphalt = skin(rng, &PAVED[..2]);
    let half = Vec2::new(road, 400.0);
    site.floor.areas.push(Area { centre: Vec2::ZERO, half, yaw: 0.0, fray: 0.0, cover: 1.0, skin: asphalt });
    for side in [-1.0, 1.0] {
        paint(site, rng, Vec2::new(side * (road + 0.1), 0.0), Vec2::new(0.1, 400.0), [158, 154, 148]);
        if rng.bool() {
            paint(site, rng, Vec2::new(side * (road - 0.25), 0.0), Vec2::new(0.06, 400.0), [210, 208, 200]);
        }
    }
    let line = pick(rng, &[[212, 210, 202], [206, 170, 70]]);
    let mut z = -58.0;
    while z < 60.0 {
        paint(site, rng, Vec2::new(0.0, z), Vec2::new(0.07, 1.5), line);
        z += 6.0;
    }
    if rng.bool() {
        let z = range(rng, -15.0, 15.0);
        for n in -3i8..4 {
            paint(site, rng, Vec2::new(f32::from(n) * road / 3.6, z), Vec2::new(0.25, 1.6), [212, 210, 204]);
        }
    }
    stains(site, rng, 8);
    skyline(site, rng);
    let storeys = pick(rng, &[(1.0, 2.0), (2.0, 3.0), (2.0, 6.0), (4.0, 9.0)]);
    let set = road + range(rng, 2.8, 8.0);
    row(site, rng, Vec3::new(-set, 0.0, -90.0), Vec3::new(-set, 0.0, 90.0), storeys);
    row(site, rng, Vec3::new(set, 0.0, 90.0), Vec3::new(set, 0.0, -90.0), storeys);
    let sides = [-1.0, 1.0];
    let gap = range(rng, 16.0, 28.0);
    for n in -2i8..3 {
        let side = sides[usize::from(n.rem_euclid(2) == 1)];
        let foot = Vec3::new(side * (road + 0.7), 0.0, f32::from(n) * gap);
        lamp_post(site, rng, foot, Vec3::new(0.0, 0.0, foot.z));
        let foot = Vec3::new(-side * (road + 1.0), 0.0, f32::from(n) * gap + range(rng, -6.0, 6.0));
        match rng.usize(..3) {
            0 => {
                sign(site, rng, foot + Vec3::Y * 2.3, Vec3::new(0.0, 0.0, side), Vec2::new(0.35, 0.35), true)
            }
            1 => _ = pick(rng, props::ROADSIDE).put(site, rng, foot, 0.5 * PI),
            _ => {}
        }
    }
    let trees = few(rng, &[0, 1, 2, 3, 4, 6, 7]);
    let count = rng.usize(0..14);
    grow(site, rng, &trees, count, (-0.5, 6.0));
    if rng.bool() {
        let x = road + 1.5;
        power_line(site, rng, Vec3::new(x, 0.0, -80.0), Vec3::new(x, 0.0, 80.0));
    }
    for side in sides {
        let x = side * road * 0.5;
        site.lanes.push(vec![Vec3::new(x, 0.0, -45.0), Vec3::new(x, 0.0, 0.0), Vec3::new(x, 0.0, 45.0)]);
    }
}

/// A car park with bays; no cars stand there.
pub fn parking(site: &mut Site, rng: &mut fastrand::Rng) {
    site.floor.base = skin(rng, &PAVED[..6]);
    let colour = pick(rng, &[[214, 212, 206], [206, 172, 70], [200, 200, 196]]);
    for x in [-16.0, -1.0, 1.0, 16.0f32] {
        let inner = x.abs() < 2.0;
        let mid = if inner { x * 3.5 } else { x * 0.84 };
        for n in -7i8..8 {
            paint(site, rng, Vec2::new(mid, f32::from(n) * 2.6), Vec2::new(2.5, 0.06), colour);
        }
    }
    paint(site, rng, Vec2::ZERO, Vec2::new(0.06, 18.3), colour);
    let grass = Skin::new(rng, Pattern::Grass, [96, 104, 62], [126, 116, 74], 4.0);
    for side in [-1.0, 1.0] {
        let centre = Vec2::new(side * 21.0, 0.0);
        site.floor.areas.push(Area {
            centre,
            half: Vec2::new(2.0, 24.0),
            yaw: 0.0,
            fray: 0.1,
            cover: 1.0,
            skin: grass,
        });
    }
    stains(site, rng, 14);
    skyline(site, rng);
    for (side, turn) in [(1.0, 0.0), (-1.0, 0.0), (1.0, 0.5 * PI), (-1.0, 0.5 * PI)] {
        if rng.f32() < 0.6 {
            let out = range(rng, 32.0, 50.0) * side;
            let foot = if turn > 0.0 { Vec3::new(out, 0.0, 0.0) } else { Vec3::new(0.0, 0.0, out) };
            let half = Vec2::new(range(rng, 12.0, 26.0), range(rng, 5.0, 10.0));
            let tall = range(rng, 1.0, 7.0).round();
            let block = house(rng, foot, half, tall, turn, WALLS);
            site.block(block);
        }
    }
    let trees = few(rng, &[0, 1, 2, 3, 4, 6, 7, 8]);
    let count = rng.usize(4..24);
    grow(site, rng, &trees, count, (3.0, 9.0));
    litter(site, rng, props::ROADSIDE, 6, (-1.0, 3.0));
    for _ in 0..rng.usize(2..5) {
        let foot = site.around(rng, (0.3, 2.0));
        lamp_post(site, rng, foot, Vec3::ZERO);
        let at = site.around(rng, (0.5, 2.0));
        sign(site, rng, at + Vec3::Y * 2.2, -at.normalize_or_zero(), Vec2::new(0.4, 0.4), true);
    }
    for x in [-9.5, 9.5] {
        site.lanes.push(vec![Vec3::new(x, 0.0, -22.0), Vec3::new(x, 0.0, 0.0), Vec3::new(x, 0.0, 22.0)]);
    }
}

/// A quay: water, cranes, boats, stacks of containers. Held out.
pub fn quay(site: &mut Site, rng: &mut fastrand::Rng) {
    const STONE: &[(Pattern, Ink, Ink, f32)] = &[
        (Pattern::Slabs, [126, 124, 118], [76, 74, 72], 1.2),
        (Pattern::Planks, [124, 112, 98], [94, 84, 74], 0.25),
        (Pattern::Slabs, [104, 104, 102], [66, 66, 66], 3.5),
    ];
    let edge = site.ground.1.z + 2.0;
    site.floor.base = skin(rng, STONE);
    site.floor.water = edge;
    paint(site, rng, Vec2::new(0.0, edge - 0.4), Vec2::new(300.0, 0.25), [190, 160, 62]);
    for x in [-3.0, -1.5] {
        paint(site, rng, Vec2::new(x, 0.0), Vec2::new(0.05, 60.0), [84, 74, 68]);
    }
    stains(site, rng, 10);
    horizon(site, rng, 500.0, 14.0, 0.2);
    for side in [-1.0, 1.0] {
        for n in 0..rng.u32(2..6) {
            let foot = Vec3::new(side * range(rng, 15.0, 24.0), 0.0, range(rng, -20.0, 16.0));
            let _ = n;
            for level in 0..rng.u32(1..3) {
                let foot = foot + Vec3::Y * (2.6 * level as f32);
                if !props::CONTAINER.put(site, rng, foot, 0.5 * PI) {
                    break;
                }
            }
        }
    }
    for _ in 0..rng.usize(1..4) {
        crane(site, rng, edge);
    }
    for _ in 0..rng.usize(1..5) {
        boat(site, rng, edge);
    }
    let mut x = -36.0;
    while x < 36.0 {
        let foot = Vec3::new(x, 0.0, edge - 1.0);
        props::BOLLARD.put(site, rng, foot, 0.0);
        x += 8.0;
    }
    litter(site, rng, &[props::BARREL, props::CRATE, props::TARP, props::IBC], 9, (-2.0, 3.0));
    for _ in 0..2 {
        let foot = Vec3::new(range(rng, -20.0, 20.0), 0.0, edge - 2.0);
        lamp_post(site, rng, foot, Vec3::ZERO);
    }
    site.lanes.push(vec![Vec3::new(4.0, 0.0, -30.0), Vec3::new(4.0, 0.0, 0.0), Vec3::new(4.0, 0.0, 19.0)]);
}

fn crane(site: &mut Site, rng: &mut fastrand::Rng, edge: f32) {
    let base = pick(rng, &[[186, 134, 44], [150, 60, 48], [70, 96, 130], [120, 124, 126]]);
    let colour = super::skin::tint(rng, base);
    let (x, height) = (range(rng, -60.0, 60.0), range(rng, 14.0, 28.0));
    let z = edge + if rng.bool() { -1.5 } else { range(rng, 90.0, 200.0) };
    let rod = |a: Vec3, b: Vec3, r: f32| Thing::Rod { from: (a, r), to: (b, r), colour };
    for (dx, dz) in [(-3.0, 0.0), (3.0, 0.0), (-3.0, 5.0), (3.0, 5.0)] {
        let foot = Vec3::new(x + dx, 0.0, z - dz);
        site.things.push(rod(foot, Vec3::new(x, height, z - 2.5), 0.3));
    }
    let top = Vec3::new(x, height, z - 2.5);
    let tip = top + Vec3::new(range(rng, -8.0, 8.0), range(rng, 2.0, 12.0), 18.0);
    site.things.push(rod(top, tip, 0.25));
    site.things.push(rod(top, top - (tip - top) * 0.3, 0.4));
    site.things.push(rod(top + Vec3::Y * 5.0, tip, 0.06));
    site.things.push(rod(top, top + Vec3::Y * 5.0, 0.2));
}

fn boat(site: &mut Site, rng: &mut fastrand::Rng, edge: f32) {
    let hull = pick(rng, &[[40, 58, 84], [136, 50, 42], [186, 184, 178], [54, 72, 60], [60, 60, 62]]);
    let skin = Skin::new(rng, Pattern::Plain, hull, [110, 76, 56], 1.5);
    let deck = Skin::new(rng, Pattern::Planks, [150, 130, 100], [110, 96, 80], 0.2);
    let long = range(rng, 3.0, 12.0);
    let foot = Vec3::new(range(rng, -30.0, 30.0), -0.3, edge + range(rng, 3.0, 45.0));
    let yaw = range(rng, -0.3, 0.3);
    let half = Vec2::new(long, long * 0.22);
    let height = long * 0.22 + 0.3;
    site.things.push(Thing::Block(Block {
        foot,
        half,
        height,
        yaw,
        skin,
        top: deck,
        gable: 0.0,
        openings: None,
    }));
    let cabin = foot + Vec3::Y * height - Vec3::X * long * 0.4;
    let mut house = house(
        rng,
        cabin,
        Vec2::new(long * 0.25, long * 0.15),
        1.0,
        yaw,
        &[(Pattern::Plain, [190, 188, 180], [120, 116, 110], 1.0)],
    );
    house.gable = 0.0;
    house.height = long * 0.2 + 0.8;
    site.things.push(Thing::Block(house));
    let mast = foot + Vec3::Y * height;
    let colour = Vec3::splat(0.3);
    site.things.push(Thing::Rod { from: (mast, 0.08), to: (mast + Vec3::Y * long * 0.9, 0.04), colour });
}
