//! Places under a roof: a warehouse, a room, and what all halls are made of.

use core::f32::consts::PI;

use glam::{Vec2, Vec3};

use super::built::door;
use super::floor::Area;
use super::outdoors::skin;
use super::props::{self, Prop, sign};
use super::skin::{Ink, Pattern, Skin, pick, range};
use super::thing::Thing;
use super::{Eye, Lamp, Site};
use crate::scene::canvas::Texel;
use crate::scene::noise::smoothstep;

/// The inside of a box: walls, ceiling, and the light through its windows.
#[derive(Clone, Debug)]
pub struct Hall {
    half: Vec2,
    height: f32,
    walls: Skin,
    /// Colour of the lower part of the walls, and how high it reaches.
    lower: (Vec3, f32),
    ceiling: Skin,
    /// What a window throws onto the floor.
    pub beam: Vec3,
}

impl Hall {
    pub(super) fn height(&self) -> f32 {
        self.height
    }

    /// Corners and edges are darker.
    #[must_use]
    pub fn corner(&self, p: Vec3) -> f32 {
        let wall = (self.half.x - p.x.abs()).min(self.half.y - p.z.abs()).max(0.0);
        let level = p.y.min(self.height - p.y).max(0.0);
        let near = |d: f32| 0.65 + 0.35 * smoothstep(0.0, 0.9, d);
        if wall < 0.01 { near(level) } else { near(wall) }
    }

    /// What a ray from inside meets.
    #[must_use]
    pub fn wall_at(&self, eye: &Eye, ray: Vec3) -> Option<(f32, Texel)> {
        let from = eye.view.position;
        let along = |start: f32, step: f32, low: f32, high: f32| {
            if step.abs() < 1e-7 { f32::MAX } else { ((if step > 0.0 { high } else { low }) - start) / step }
        };
        let x = along(from.x, ray.x, -self.half.x, self.half.x);
        let y = along(from.y, ray.y, 0.0, self.height);
        let z = along(from.z, ray.z, -self.half.y, self.half.y);
        let depth = x.min(y).min(z).max(0.05);
        let p = from + ray * depth;
        let (normal, uv, skin) = if y <= x && y <= z {
            let up = if ray.y < 0.0 { Vec3::Y } else { -Vec3::Y };
            (up, Vec2::new(p.x, p.z), if ray.y < 0.0 { None } else { Some(&self.ceiling) })
        } else if x <= z {
            (-Vec3::X * ray.x.signum(), Vec2::new(p.z, p.y), Some(&self.walls))
        } else {
            (-Vec3::Z * ray.z.signum(), Vec2::new(p.x + 50.0, p.y), Some(&self.walls))
        };
        let foot = eye.foot(p, normal);
        let mut albedo = skin.map_or_else(|| eye.site.floor.albedo(uv, foot), |s| s.at(uv, foot));
        if normal.y.abs() < 0.5 && p.y < self.lower.1 {
            albedo *= self.lower.0;
        }
        let mut light = eye.site.lit(p, normal);
        if normal.y > 0.5 {
            // A floor is a little glossy.
            light *= 1.0 + 0.25 * (1.0 - normal.dot(-ray.normalize())).powi(4);
        }
        Some((depth, Texel::lit(albedo, light)))
    }
}

pub(super) const WALLS: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Mottled, [202, 196, 184], [186, 180, 168], 3.0),
    (Pattern::Mottled, [190, 176, 148], [172, 158, 134], 3.0),
    (Pattern::Mottled, [162, 176, 178], [146, 160, 164], 3.0),
    (Pattern::Mottled, [178, 134, 108], [160, 120, 98], 2.5),
    (Pattern::Mottled, [150, 158, 136], [136, 144, 124], 2.5),
    (Pattern::Brick, [150, 96, 76], [160, 150, 140], 0.24),
    (Pattern::Brick, [186, 184, 178], [150, 148, 144], 0.4),
    (Pattern::Corrugated, [164, 168, 170], [130, 110, 92], 0.3),
    (Pattern::Planks, [158, 122, 84], [128, 98, 68], 0.16),
    (Pattern::Slabs, [196, 196, 192], [150, 148, 144], 0.3),
    (Pattern::Slabs, [150, 148, 144], [104, 102, 100], 1.5),
];

pub(super) const FLOORS: &[(Pattern, Ink, Ink, f32)] = &[
    (Pattern::Planks, [156, 118, 80], [124, 92, 62], 0.14),
    (Pattern::Planks, [118, 92, 70], [92, 70, 54], 0.12),
    (Pattern::Slabs, [180, 174, 164], [120, 114, 108], 0.4),
    (Pattern::Slabs, [150, 104, 82], [110, 84, 72], 0.3),
    (Pattern::Mottled, [140, 138, 134], [118, 116, 112], 3.0),
    (Pattern::Mottled, [110, 118, 122], [96, 102, 106], 2.0),
    (Pattern::Mottled, [128, 92, 82], [112, 82, 74], 1.5),
    (Pattern::Slabs, [152, 150, 146], [100, 98, 96], 4.0),
];

/// What the light inside is like.
pub(super) struct Mood {
    pub lamps: bool,
    /// From windows, 0..1.
    day: f32,
}

pub(super) fn mood(site: &mut Site, rng: &mut fastrand::Rng) -> Mood {
    let night = site.light.night > 0.5;
    let day = if night { 0.0 } else { range(rng, 0.15, 1.0) };
    let lamps = if night { rng.f32() < 0.8 } else { rng.f32() < 0.65 };
    let sky = site.light.sky;
    let bounce = sky.lerp(Vec3::splat(sky.element_sum() / 3.0), 0.4) * day * 0.6;
    site.light.sky = bounce + Vec3::splat(0.004);
    site.light.haze_density = 1.0 / range(rng, 400.0, 4000.0);
    site.light.haze = bounce + Vec3::splat(0.02);
    Mood { lamps, day }
}

/// Puts up the box. `margin` is how far the walls are from the free ground.
pub(super) fn hall(
    site: &mut Site,
    rng: &mut fastrand::Rng,
    margin: f32,
    height: f32,
    walls: &[(Pattern, Ink, Ink, f32)],
) {
    let half = Vec2::new(site.ground.1.x + margin, site.ground.1.z + margin);
    let ceiling = pick(
        rng,
        &[
            (Pattern::Mottled, [206, 204, 198], [190, 188, 182], 3.0),
            (Pattern::Slabs, [200, 198, 192], [150, 150, 148], 0.6),
            (Pattern::Corrugated, [130, 134, 136], [110, 100, 92], 0.5),
            (Pattern::Mottled, [132, 128, 122], [112, 110, 106], 2.0),
            (Pattern::Planks, [150, 120, 88], [120, 96, 70], 0.2),
        ],
    );
    let ceiling = Skin::new(rng, ceiling.0, ceiling.1, ceiling.2, ceiling.3);
    let tone = Vec3::new(range(rng, 0.4, 1.0), range(rng, 0.4, 1.0), range(rng, 0.4, 1.0));
    let lower = if rng.bool() { (tone, range(rng, 0.1, 1.4)) } else { (Vec3::splat(0.5), 0.1) };
    let beam = site.light.sun * site.light.sun_at.y.max(0.3);
    site.hall = Some(Hall { half, height, walls: skin(rng, walls), lower, ceiling, beam });
    for stand in &mut site.stands {
        stand.at.x = stand.at.x.clamp(0.15 - half.x, half.x - 0.15);
        stand.at.z = stand.at.z.clamp(0.15 - half.y, half.y - 0.15);
        stand.at.y = stand.at.y.min(height - 0.12);
    }
}

/// Where a wall is: a point on it, along it, into the room.
fn side(half: Vec2, n: usize, share: f32) -> (Vec3, Vec3, Vec3) {
    match n % 4 {
        0 => (Vec3::new(share * half.x, 0.0, half.y), Vec3::X, -Vec3::Z),
        1 => (Vec3::new(half.x, 0.0, share * half.y), Vec3::Z, -Vec3::X),
        2 => (Vec3::new(share * half.x, 0.0, -half.y), Vec3::X, Vec3::Z),
        _ => (Vec3::new(-half.x, 0.0, share * half.y), Vec3::Z, Vec3::X),
    }
}

/// Windows in one wall, bright by day, and their light on the floor.
pub(super) fn windows(site: &mut Site, rng: &mut fastrand::Rng, mood: &Mood, low: f32, high: f32) {
    let Some(half) = site.hall.as_ref().map(|h| h.half) else { return };
    let wall = rng.usize(..4);
    let count = rng.usize(1..4);
    let wide = range(rng, 0.4, 1.1);
    let outside = site.sky.horizon.lerp(site.light.sun, 0.3) * range(rng, 0.6, 1.6);
    let main = pick(rng, &[[190, 188, 182], [92, 72, 56]]);
    let frame = Skin::new(rng, Pattern::Plain, main, [90, 88, 84], 0.5);
    let slant = range(rng, -0.8, 0.8);
    for n in 0..count {
        let share = (n as f32 + 0.5) / count as f32 * 1.6 - 0.8;
        let (foot, along, into) = side(half, wall, share);
        let (x, a, b) = (along * wide, Vec3::Y * low, Vec3::Y * high);
        let rect = |grow: f32, off: f32| {
            let (g, u) = (along * grow, Vec3::Y * grow);
            let f = foot + into * off;
            [f - x - g + a - u, f + x + g + a - u, f + x + g + b + u, f - x - g + b + u]
        };
        site.things.push(Thing::Panel { corners: rect(0.07, 0.01), skin: frame, emit: Vec3::ZERO });
        let view = Skin::new(rng, Pattern::Mottled, [220, 222, 226], [150, 160, 150], 0.8);
        site.things.push(Thing::Panel { corners: rect(0.0, 0.02), skin: view, emit: outside });
        let bar = (foot + into * 0.04 + a, foot + into * 0.04 + b);
        site.things.push(Thing::Rod { from: (bar.0, 0.025), to: (bar.1, 0.025), colour: frame.a });
        if mood.day > 0.3 && site.light.sun.element_sum() > 0.4 {
            let at = foot + into * (low + high) * 0.6;
            let reach = (high - low) * 0.6;
            let size = if wall.is_multiple_of(2) { Vec2::new(wide, reach) } else { Vec2::new(reach, wide) };
            site.shadows.beam(Vec2::new(at.x, at.z), size, slant);
        }
        if mood.day > 0.0 {
            let colour = outside * 0.35 * mood.day;
            let at = foot + into * 0.5 + Vec3::Y * (low + high) * 0.5;
            site.lamps.push(Lamp { at, colour, radius: half.max_element() });
        }
    }
}

/// Lamps in a grid under the ceiling; some may be off.
pub(super) fn lamps(site: &mut Site, rng: &mut fastrand::Rng, mood: &Mood, (nx, nz): (i8, i8), strip: bool) {
    let Some((half, height)) = site.hall.as_ref().map(|h| (h.half, h.height)) else { return };
    let tone = pick(rng, &[[255, 214, 160], [255, 238, 214], [236, 244, 255], [255, 188, 120]]);
    let skin = Skin::new(rng, Pattern::Plain, [230, 230, 226], [200, 200, 196], 1.0);
    let tone = super::skin::ink(tone).lerp(Vec3::ONE, range(rng, 0.2, 0.7));
    let power = range(rng, 0.35, 1.0) * 2.2 / f32::from(nx * nz).sqrt().max(1.0);
    for i in 0..nx {
        for j in 0..nz {
            let share = |n: i8, of: i8| (f32::from(n) + 0.5) / f32::from(of) * 2.0 - 1.0;
            let at = Vec3::new(share(i, nx) * half.x, height - 0.08, share(j, nz) * half.y);
            let (w, l) = if strip { (0.09, 0.7) } else { (0.3, 0.3) };
            let on = mood.lamps && rng.f32() < 0.88;
            let (x, z) = (Vec3::X * w, Vec3::Z * l);
            let emit = if on { tone * 2.2 } else { Vec3::ZERO };
            let corners = [at - x - z, at + x - z, at + x + z, at - x + z];
            site.things.push(Thing::Panel { corners, skin, emit });
            if on {
                let radius = (height * 3.2).max(half.max_element() * 0.7);
                let at = at - Vec3::Y * 0.3;
                site.lamps.push(Lamp { at, colour: tone * power, radius });
            }
        }
    }
    if mood.lamps {
        site.light.sky += tone * power * 0.25;
    }
}

/// Things along the walls.
pub(super) fn furnish(
    site: &mut Site,
    rng: &mut fastrand::Rng,
    list: &[Prop],
    count: usize,
    gap: (f32, f32),
) {
    let Some(half) = site.hall.as_ref().map(|h| h.half) else { return };
    for _ in 0..count {
        let n = rng.usize(..4);
        let (foot, _, into) = side(half, n, range(rng, -0.9, 0.9));
        let yaw = if n.is_multiple_of(2) { 0.0 } else { 0.5 * PI };
        let at = foot + into * range(rng, gap.0, gap.1);
        pick(rng, list).put(site, rng, at, yaw);
    }
}

/// Posters, signs and screens on the walls.
pub(super) fn pictures(site: &mut Site, rng: &mut fastrand::Rng, count: usize) {
    let Some(half) = site.hall.as_ref().map(|h| h.half) else { return };
    for _ in 0..count {
        let (foot, along, into) = side(half, rng.usize(..4), range(rng, -0.85, 0.85));
        if rng.f32() < 0.25 {
            door(site, rng, foot, along, into);
            continue;
        }
        let size = Vec2::new(range(rng, 0.2, 0.7), range(rng, 0.2, 0.5));
        let high = Vec3::Y * range(rng, 1.3, 2.0);
        sign(site, rng, foot + into * 0.03 + high, into, size, false);
    }
}

/// A room to live or work in.
pub fn room(site: &mut Site, rng: &mut fastrand::Rng) {
    let height = range(rng, 2.5, 3.2);
    let mood = mood(site, rng);
    hall(site, rng, 0.9, height, WALLS);
    site.floor.base = skin(rng, FLOORS);
    if rng.bool() {
        let rug = skin(
            rng,
            &[
                (Pattern::Slabs, [150, 62, 50], [186, 160, 120], 0.5),
                (Pattern::Mottled, [96, 104, 122], [120, 116, 110], 0.6),
                (Pattern::Print, [168, 120, 80], [96, 60, 50], 0.4),
            ],
        );
        let half = Vec2::new(range(rng, 0.8, 1.6), range(rng, 1.0, 2.2));
        let centre = Vec2::new(range(rng, -1.0, 1.0), range(rng, -1.0, 1.0));
        site.floor.areas.push(Area {
            centre,
            half,
            yaw: range(rng, -0.2, 0.2),
            fray: 0.0,
            cover: 1.0,
            skin: rug,
        });
    }
    for _ in 0..rng.usize(1..3) {
        windows(site, rng, &mood, 0.9, 2.1);
    }
    let strip = rng.bool();
    let grid = pick(rng, &[(1, 1), (1, 2), (2, 2)]);
    lamps(site, rng, &mood, grid, strip);
    let count = rng.usize(10..24);
    furnish(site, rng, props::HOME, count, (0.35, 0.6));
    pictures(site, rng, 7);
}

/// A hall with shelves.
pub fn warehouse(site: &mut Site, rng: &mut fastrand::Rng) {
    let height = range(rng, 5.0, 8.5);
    let mood = mood(site, rng);
    hall(site, rng, 3.0, height, &WALLS[5..]);
    site.floor.base = skin(rng, &FLOORS[4..]);
    let yellow = Skin::new(rng, Pattern::Mottled, [204, 166, 56], [140, 128, 96], 0.8);
    for x in [-7.0, 7.0] {
        let half = Vec2::new(0.06, 14.0);
        site.floor.areas.push(Area {
            centre: Vec2::new(x, 0.0),
            half,
            yaw: 0.0,
            fray: 0.02,
            cover: 0.7,
            skin: yellow,
        });
    }
    if rng.bool() {
        windows(site, rng, &mood, height * 0.55, height * 0.85);
    }
    lamps(site, rng, &mood, (2, 4), true);
    furnish(site, rng, &[props::SHELF], 26, (0.7, 1.6));
    furnish(site, rng, props::STORE, 26, (1.5, 4.5));
    pictures(site, rng, 8);
    for n in 0..7u8 {
        let z = f32::from(n) * 5.0 - 15.0;
        let y = height - 0.4;
        let colour = Vec3::splat(0.16);
        let (a, b) = (Vec3::new(-11.0, y, z), Vec3::new(11.0, y, z));
        site.things.push(Thing::Rod { from: (a, 0.14), to: (b, 0.14), colour });
    }
    site.lanes.push(vec![Vec3::new(0.0, 0.0, -13.0), Vec3::new(0.0, 0.0, 0.0), Vec3::new(0.0, 0.0, 13.0)]);
}
