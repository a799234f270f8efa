//! Places under a low ceiling: a cellar, and a garage, which is held out.

use glam::{Vec2, Vec3};

use super::Site;
use super::floor::Area;
use super::indoors::{FLOORS, WALLS, furnish, hall, lamps, mood, pictures, windows};
use super::outdoors::skin;
use super::props;
use super::skin::{Ink, Pattern, Skin, pick, range};
use super::thing::{Block, Thing};

/// A cellar: pillars or none, pipes under a low ceiling, what people store.
pub fn cellar(site: &mut Site, rng: &mut fastrand::Rng) {
    let height = range(rng, 2.2, 3.4);
    let mut mood = mood(site, rng);
    site.light.sky *= range(rng, 0.1, 0.8);
    mood.lamps = true;
    hall(site, rng, 1.2, height, WALLS);
    site.floor.base = skin(rng, &FLOORS[2..]);
    pillars(site, rng, height);
    if rng.f32() < 0.4 {
        windows(site, rng, &mood, height - 0.8, height - 0.3);
    }
    let grid = pick(rng, &[(1, 2), (2, 3), (2, 4)]);
    let strip = rng.bool();
    lamps(site, rng, &mood, grid, strip);
    for _ in 0..rng.usize(0..7) {
        let (x, y) = (range(rng, -8.0, 8.0), height - range(rng, 0.08, 0.4));
        let base = pick(rng, &[[150, 54, 44], [140, 142, 144], [90, 92, 94], [176, 150, 60], [60, 90, 70]]);
        let colour = super::skin::tint(rng, base);
        let thick = range(rng, 0.03, 0.22);
        let (a, b) = (Vec3::new(x, y, -13.0), Vec3::new(x, y, 13.0));
        site.things.push(Thing::Rod { from: (a, thick), to: (b, thick), colour });
    }
    let (shelves, stores) = (rng.usize(0..12), rng.usize(4..16));
    furnish(site, rng, &[props::SHELF], shelves, (0.5, 0.9));
    furnish(site, rng, props::STORE, stores, (0.6, 3.5));
    pictures(site, rng, 5);
}

/// Two rows of posts that carry the ceiling, square and painted at the foot, or not.
fn pillars(site: &mut Site, rng: &mut fastrand::Rng, height: f32) {
    let apart = range(rng, 3.5, 8.0);
    let thick = range(rng, 0.12, 0.35);
    let body = skin(rng, WALLS);
    let foot_of = pick(
        rng,
        &[([186, 52, 42], [212, 210, 204]), ([60, 84, 120], [60, 84, 120]), ([204, 166, 56], [204, 166, 56])],
    );
    let wide = range(rng, 0.2, 0.6);
    let band = Skin::new(rng, Pattern::Stripes, foot_of.0, foot_of.1, wide);
    let (painted, tall) = (rng.bool(), range(rng, 0.3, 1.6));
    let side = range(rng, 2.5, 5.0);
    let rows = if rng.f32() < 0.75 { 4i8 } else { 0 };
    for n in 0..rows {
        for x in [-side, side] {
            let foot = Vec3::new(x, 0.0, (f32::from(n) - 1.5) * apart);
            let half = Vec2::splat(thick);
            let post =
                Block { foot, half, height, yaw: 0.0, skin: body, top: body, gable: 0.0, openings: None };
            if site.block(post) && painted {
                let ring = Block { half: half * 1.05, height: tall, skin: band, ..post };
                site.things.push(Thing::Block(ring));
            }
        }
    }
}

/// A garage under a house: pillars, a low ceiling, marked bays. Held out.
pub fn garage(site: &mut Site, rng: &mut fastrand::Rng) {
    const CONCRETE: &[(Pattern, Ink, Ink, f32)] = &[
        (Pattern::Slabs, [150, 150, 146], [110, 110, 108], 2.4),
        (Pattern::Mottled, [168, 166, 160], [138, 136, 132], 1.6),
    ];
    let height = range(rng, 2.5, 3.1);
    let mut mood = mood(site, rng);
    site.light.sky *= 0.15;
    mood.lamps = true;
    hall(site, rng, 2.0, height, CONCRETE);
    site.floor.base = skin(
        rng,
        &[
            (Pattern::Mottled, [112, 120, 114], [94, 100, 96], 3.0),
            (Pattern::Asphalt, [104, 104, 106], [86, 86, 88], 4.0),
            (Pattern::Mottled, [134, 128, 126], [112, 108, 106], 2.0),
        ],
    );
    let main = pick(rng, &[[214, 212, 204], [206, 176, 62]]);
    let line = Skin::new(rng, Pattern::Mottled, main, [130, 128, 120], 0.6);
    let band = Skin::new(rng, Pattern::Stripes, [206, 168, 44], [34, 34, 34], 0.5);
    let body = skin(rng, CONCRETE);
    for n in -6i8..7 {
        for side in [-1.0, 1.0] {
            let z = f32::from(n) * 2.7;
            let (centre, half) = (Vec2::new(side * 9.6, z), Vec2::new(2.4, 0.06));
            site.floor.areas.push(Area { centre, half, yaw: 0.0, fray: 0.02, cover: 0.8, skin: line });
            if n % 2 == 0 {
                let foot = Vec3::new(side * 6.8, 0.0, z);
                let half = Vec2::splat(0.28);
                let pillar =
                    Block { foot, half, height, yaw: 0.0, skin: body, top: body, gable: 0.0, openings: None };
                if site.block(pillar) {
                    let ring = Block { half: Vec2::splat(0.3), height: 1.0, skin: band, ..pillar };
                    site.things.push(Thing::Block(ring));
                }
            }
        }
    }
    lamps(site, rng, &mood, (2, 4), true);
    for x in [-9.0, -3.0, 3.0, 8.0] {
        let y = height - 0.2;
        let (a, b) = (Vec3::new(x, y, -20.0), Vec3::new(x, y, 20.0));
        let base = pick(rng, &[[150, 54, 44], [140, 142, 144], [90, 92, 94]]);
        let colour = super::skin::tint(rng, base);
        site.things.push(Thing::Rod { from: (a, 0.06), to: (b, 0.06), colour });
    }
    pictures(site, rng, 8);
    furnish(site, rng, &[props::BIN, props::CABINET, props::BARRIER, props::BOLLARD], 6, (0.5, 0.8));
    site.lanes.push(vec![Vec3::new(0.0, 0.0, -16.0), Vec3::new(0.0, 0.0, 0.0), Vec3::new(0.0, 0.0, 16.0)]);
}
