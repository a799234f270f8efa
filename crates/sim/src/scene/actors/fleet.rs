//! The shapes of vehicles: blocks between cross sections, and wheels.

use fastrand::Rng;

/// A cross section of a block, `at` metres ahead of the middle.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub at: f32,
    pub low: f32,
    pub high: f32,
    /// Half the width below and above.
    pub half: (f32, f32),
}

/// What a block is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuff {
    /// Painted body with lights at both ends if it reaches there.
    Body,
    /// Glass with pillars and a painted roof.
    Cabin,
    /// A van's or a lorry's box or trailer.
    Cargo,
    /// Frame and other dark things.
    Dark,
}

/// Cross sections from the front to the rear, joined by flat faces.
#[derive(Clone, Debug)]
pub struct Block {
    pub stuff: Stuff,
    pub sections: Vec<Section>,
    /// Side windows between these heights (a cabin's are between its edges).
    pub panes: (f32, f32),
    /// Side windows only ahead of here.
    pub panes_to: f32,
}

#[derive(Clone, Copy, Debug)]
pub struct Wheel {
    pub at: f32,
    /// Outer side, to the right.
    pub out: f32,
    pub radius: f32,
    pub thick: f32,
}

/// A vehicle without its colours.
#[derive(Clone, Debug)]
pub struct Model {
    pub length: f32,
    pub width: f32,
    pub height: f32,
    pub blocks: Vec<Block>,
    pub wheels: Vec<Wheel>,
    /// Height of head lamps and tail lamps.
    pub lamps: (f32, f32),
    /// Where pillars and door gaps are.
    pub doors: Vec<f32>,
    pub mirrors: (f32, f32),
}

fn sections(list: &[(f32, f32, f32, f32, f32)]) -> Vec<Section> {
    let section = |&(at, low, high, half, top): &(f32, f32, f32, f32, f32)| Section {
        at,
        low,
        high,
        half: (half, top),
    };
    list.iter().map(section).collect()
}

fn block(stuff: Stuff, list: &[(f32, f32, f32, f32, f32)]) -> Block {
    Block { stuff, sections: sections(list), panes: (9.0, 9.0), panes_to: -99.0 }
}

fn pairs(at: &[f32], half: f32, radius: f32, thick: f32) -> Vec<Wheel> {
    at.iter().flat_map(|&at| [-half, half].map(|out| Wheel { at, out, radius, thick })).collect()
}

impl Model {
    pub fn new(rng: &mut Rng) -> Self {
        match rng.f32() {
            x if x < 0.22 => car(rng, 4.6, 1.44, 0.2, -1.25, 0.45),
            x if x < 0.42 => car(rng, 4.05, 1.5, 0.2, -1.9, 0.3),
            x if x < 0.50 => car(rng, 4.6, 1.48, 0.2, -2.15, 0.4),
            x if x < 0.66 => car(rng, 4.5, 1.7, 0.28, -2.1, 0.35),
            x if x < 0.73 => pickup(rng),
            x if x < 0.84 => van(rng),
            x if x < 0.93 => lorry(rng),
            x if x < 0.96 => bus(rng),
            _ => tractor(rng),
        }
    }
}

/// A car whose rear window begins `tail` metres behind the middle and leans by `rake`.
fn car(rng: &mut Rng, length: f32, height: f32, clear: f32, tail: f32, rake: f32) -> Model {
    let size = 0.95 + 0.1 * rng.f32();
    let l = length * 0.5;
    let half = 0.88 + 0.06 * rng.f32();
    let height = height * (0.97 + 0.06 * rng.f32());
    let belt = height * 0.62;
    let nose = belt * (0.84 + 0.06 * rng.f32());
    let cowl = l - 1.15 - 0.15 * rng.f32();
    let roof = cowl - 0.62 - 0.2 * rng.f32();
    let boot = belt * if tail > -1.6 { 1.0 } else { 1.02 };
    let mut body = vec![
        (l, clear + 0.1, nose * 0.8, half * 0.72, half * 0.66),
        (l - 0.16, clear, nose * 0.93, half * 0.95, half * 0.86),
        (l - 0.5, clear, nose, half, half * 0.93),
        (cowl, clear, belt, half, half * 0.95),
    ];
    if tail > -1.6 {
        body.push((tail - rake, clear, boot, half, half * 0.95));
    }
    body.extend([
        (-l + 0.22, clear + 0.02, boot * 0.98, half * 0.98, half * 0.9),
        (-l, clear + 0.12, boot * 0.86, half * 0.86, half * 0.78),
    ]);
    let top = half * 0.74;
    let mut body = block(Stuff::Body, &body);
    let mut cabin = block(
        Stuff::Cabin,
        &[
            (cowl + 0.05, belt - 0.02, belt, half * 0.9, half * 0.9),
            (roof, belt - 0.02, height - 0.03, half * 0.94, top),
            (roof * 0.4 + (tail + rake) * 0.6, belt - 0.02, height, half * 0.94, top),
            (tail + rake * 0.6, belt - 0.02, height - 0.06, half * 0.93, top * 0.97),
            ((tail - rake * 0.5).max(-l + 0.1), belt - 0.02, belt, half * 0.88, half * 0.85),
        ],
    );
    let wheels = [l - 0.82, -l + 0.85];
    let doors = vec![cowl - 0.25, (cowl + tail) * 0.5 + 0.12, tail.max(wheels[1] + 0.2) + 0.2];
    let radius = if clear > 0.25 { 0.36 } else { 0.315 };
    for part in [&mut body, &mut cabin] {
        part.sections.iter_mut().for_each(|s| s.at *= size);
    }
    Model {
        length: length * size,
        width: half * 2.0,
        height,
        blocks: vec![body, cabin],
        wheels: pairs(&wheels.map(|w| w * size), half, radius, 0.21),
        lamps: (nose * 0.76, boot * 0.78),
        doors: doors.into_iter().map(|d| d * size).collect(),
        mirrors: ((cowl - 0.3) * size, belt + 0.08),
    }
}

fn pickup(rng: &mut Rng) -> Model {
    let (half, long) = (0.92, 2.65 + 0.1 * rng.f32());
    let body = [
        (long, 0.45, 0.95, 0.8, 0.75),
        (long - 0.12, 0.36, 1.08, 0.92, 0.84),
        (1.2, 0.36, 1.15, half, half * 0.95),
        (-0.6, 0.36, 1.12, half, half * 0.95),
        (-long + 0.1, 0.4, 1.12, half, half * 0.95),
        (-long, 0.5, 1.08, half * 0.95, half * 0.93),
    ];
    let cabin = [
        (1.25, 1.1, 1.14, 0.84, 0.84),
        (0.55, 1.1, 1.76, 0.86, 0.7),
        (-0.6, 1.1, 1.78, 0.86, 0.7),
        (-0.85, 1.1, 1.14, 0.84, 0.84),
    ];
    Model {
        length: long * 2.0,
        width: half * 2.0,
        height: 1.78,
        blocks: vec![block(Stuff::Body, &body), block(Stuff::Cabin, &cabin)],
        wheels: pairs(&[long - 0.9, -long + 1.15], half, 0.39, 0.25),
        lamps: (0.86, 0.9),
        doors: vec![0.95, 0.1, -0.75],
        mirrors: (0.9, 1.22),
    }
}

fn van(rng: &mut Rng) -> Model {
    let (high, long) = (1.95 + 0.6 * rng.f32(), 2.4 + 0.5 * rng.f32());
    let half = 0.96;
    let list = [
        (long, 0.4, 0.85, 0.84, 0.8),
        (long - 0.15, 0.28, 1.02, half, 0.88),
        (long - 0.7, 0.28, 1.22, half, 0.9),
        (long - 1.45, 0.28, high - 0.06, half, 0.82),
        (long - 1.9, 0.28, high, half, 0.82),
        (-long + 0.1, 0.3, high, half, 0.84),
        (-long, 0.4, high - 0.1, half * 0.97, 0.82),
    ];
    let mut body = block(Stuff::Body, &list);
    body.panes = (1.12, (high - 0.25).min(1.75));
    body.panes_to = if rng.bool() { long - 2.2 } else { -long + 0.35 };
    Model {
        length: long * 2.0,
        width: half * 2.0,
        height: high,
        blocks: vec![body],
        wheels: pairs(&[long - 0.85, -long + 0.95], half, 0.34, 0.22),
        lamps: (0.78, 0.95),
        doors: vec![long - 1.25, long - 2.15, long - 3.4],
        mirrors: (long - 1.2, 1.3),
    }
}

fn lorry(rng: &mut Rng) -> Model {
    let long = 3.2 + 2.3 * rng.f32();
    let (half, cab) = (1.2, 2.5 + 0.5 * rng.f32());
    let mut head = block(
        Stuff::Body,
        &[
            (long, 0.5, 1.35, half * 0.96, half * 0.95),
            (long - 0.12, 0.42, 1.55, half, half * 0.96),
            (long - 0.4, 0.42, cab - 0.12, half, half * 0.93),
            (long - 0.8, 0.42, cab, half, half * 0.93),
            (long - 1.95, 0.5, cab, half, half * 0.93),
        ],
    );
    head.panes = (1.5, cab - 0.35);
    head.panes_to = long - 1.5;
    let frame = block(Stuff::Dark, &[(long - 1.9, 0.5, 0.95, 0.45, 0.45), (-long, 0.55, 0.95, 0.45, 0.45)]);
    let top = if rng.f32() < 0.7 { 2.8 + 0.9 * rng.f32() } else { 1.5 };
    let cargo = block(
        Stuff::Cargo,
        &[(long - 2.15, 0.95, top, half + 0.04, half + 0.04), (-long, 0.95, top, half + 0.04, half + 0.04)],
    );
    let mut axles = vec![long - 1.2, -long + 1.1];
    if long > 4.2 {
        axles.push(-long + 2.2);
    }
    Model {
        length: long * 2.0,
        width: half * 2.0 + 0.08,
        height: top.max(cab),
        blocks: vec![frame, head, cargo],
        wheels: pairs(&axles, half, 0.48, 0.32),
        lamps: (0.72, 0.8),
        doors: vec![long - 0.5, long - 1.6],
        mirrors: (long - 0.35, 1.75),
    }
}

fn bus(rng: &mut Rng) -> Model {
    let long = 4.0 + 2.0 * rng.f32();
    let (half, high) = (1.25, 2.85 + 0.3 * rng.f32());
    let mut body = block(
        Stuff::Body,
        &[
            (long, 0.4, 1.15, half * 0.97, half * 0.97),
            (long - 0.25, 0.35, high - 0.1, half, half * 0.97),
            (long - 0.6, 0.35, high, half, half * 0.97),
            (-long + 0.2, 0.35, high, half, half * 0.97),
            (-long, 0.45, high - 0.15, half * 0.98, half * 0.95),
        ],
    );
    body.panes = (1.2, high - 0.55);
    let count = 6_u8;
    Model {
        length: long * 2.0,
        width: half * 2.0,
        height: high,
        blocks: vec![body],
        wheels: pairs(&[long - 2.4, -long + 2.6], half, 0.48, 0.3),
        lamps: (0.8, 1.0),
        doors: (0..count)
            .map(|k| long - 1.2 - (2.0 * long - 1.6) * f32::from(k) / f32::from(count))
            .collect(),
        mirrors: (long + 0.1, 2.0),
    }
}

fn tractor(rng: &mut Rng) -> Model {
    let size = 0.9 + 0.25 * rng.f32();
    let s = |list: &[(f32, f32, f32, f32, f32)]| {
        let grown: Vec<_> =
            list.iter().map(|p| (p.0 * size, p.1 * size, p.2 * size, p.3 * size, p.4 * size)).collect();
        grown
    };
    let hood = [(2.0, 0.8, 1.35, 0.34, 0.3), (1.85, 0.7, 1.55, 0.38, 0.32), (0.2, 0.7, 1.7, 0.4, 0.34)];
    let low = [(0.3, 0.6, 1.3, 0.5, 0.5), (-1.5, 0.6, 1.3, 0.5, 0.5)];
    let cabin = [
        (0.25, 1.3, 1.4, 0.7, 0.7),
        (0.05, 1.3, 2.65, 0.72, 0.66),
        (-1.1, 1.3, 2.65, 0.72, 0.66),
        (-1.4, 1.3, 1.4, 0.7, 0.7),
    ];
    let mut wheels = pairs(&[-0.9 * size], 0.95 * size, 0.82 * size, 0.45);
    wheels.extend(pairs(&[1.4 * size], 0.85 * size, 0.52 * size, 0.3));
    Model {
        length: 4.1 * size,
        width: 1.9 * size,
        height: 2.65 * size,
        blocks: vec![
            block(Stuff::Dark, &s(&low)),
            block(Stuff::Body, &s(&hood)),
            block(Stuff::Cabin, &s(&cabin)),
        ],
        wheels,
        lamps: (1.15 * size, 1.2 * size),
        doors: vec![-0.5 * size],
        mirrors: (0.2 * size, 1.9 * size),
    }
}
