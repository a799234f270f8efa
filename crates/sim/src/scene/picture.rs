//! The light that reaches a camera, and what of it comes from what.

use glam::Vec3;

use super::Bbox;
use super::canvas::Canvas;
use super::lens::{display, shown};
use super::light::Light;

/// The light of each pixel, row by row from the top.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub light: Vec<Vec3>,
    /// Share of the light of surfaces that gets through smoke and flames.
    pub clear: Vec<f32>,
}

impl Picture {
    /// Starts anew with what the canvas shows.
    pub fn take(&mut self, canvas: &Canvas, light: &Light) {
        canvas.develop(light, &mut self.light);
        self.clear.clear();
        self.clear.resize(self.light.len(), 1.0);
    }

    /// Puts something in front of a pixel: it lets `1 - alpha` of the light through and adds
    /// `own`. Returns the light before and after.
    pub fn cover(&mut self, index: usize, alpha: f32, own: Vec3) -> (Vec3, Vec3) {
        let before = self.light[index];
        let after = before * (1.0 - alpha) + own;
        self.light[index] = after;
        self.clear[index] *= 1.0 - alpha;
        (before, after)
    }
}

/// What can be seen of flames: the pixels that they change for the eye.
#[derive(Clone, Debug)]
pub struct Seen {
    gain: f32,
    least: f32,
    pixels: u32,
    /// Sums of the change of brightness.
    columns: Vec<f32>,
    rows: Vec<f32>,
}

/// Share of the change beyond each side of a box: tips have no edge that two people would agree on.
const TIPS: f32 = 0.03;

impl Seen {
    /// `gain` is the camera's (see `lens`), `least` the change of brightness that counts, of white.
    pub fn new(gain: f32, least: f32, (width, height): (usize, usize)) -> Self {
        Self { gain, least, pixels: 0, columns: vec![0.0; width], rows: vec![0.0; height] }
    }

    pub fn look(&mut self, (x, y): (usize, usize), (before, after): (Vec3, Vec3)) {
        let change = (display(after * self.gain) - display(before * self.gain)).abs();
        if change > self.least {
            self.pixels += 1;
            self.columns[x] += change;
            self.rows[y] += change;
        }
    }

    /// The box that holds nearly all of the change.
    pub fn extent(&self) -> Extent {
        let change: f32 = self.columns.iter().sum();
        if self.pixels == 0 {
            return Extent::default();
        }
        let (x, y) = (between(&self.columns, change * TIPS), between(&self.rows, change * TIPS));
        Extent { low: (x.0, y.0), high: (x.1, y.1), pixels: self.pixels, change }
    }
}

/// What can be seen of smoke: the blocks of the picture that it veils.
#[derive(Clone, Debug)]
pub struct Veiled {
    gain: f32,
    /// Pixels along a block's side, and blocks in a row.
    side: usize,
    across: usize,
    blocks: Vec<Extent>,
    /// Sums of the share of light that it swallows.
    swallowed: Vec<f32>,
}

/// Blocks in a row of the picture.
const BLOCKS: usize = 80;
/// A block is veiled if smoke swallows this share of its light, and changes it by so much of white.
const VEILED: f32 = 0.33;
const VISIBLE: f32 = 0.045;
/// Patches of less than this share of the largest are wisps.
const WISPS: f32 = 0.2;

impl Veiled {
    /// `gain` is the camera's (see `lens`).
    pub fn new(gain: f32, (width, height): (usize, usize)) -> Self {
        let side = width.div_ceil(BLOCKS);
        let (across, down) = (width.div_ceil(side), height.div_ceil(side));
        let blocks = vec![Extent::default(); across * down];
        Self { gain, side, across, blocks, swallowed: vec![0.0; across * down] }
    }

    pub fn look(&mut self, (x, y): (usize, usize), alpha: f32, (before, after): (Vec3, Vec3)) {
        let place = y / self.side * self.across + x / self.side;
        let block = &mut self.blocks[place];
        block.add(x, y);
        block.change += (shown(after * self.gain) - shown(before * self.gain)).abs().max_element();
        self.swallowed[place] += alpha;
    }

    /// The box that somebody would draw who leaves out the wisps; where all is thin, around all.
    pub fn extent(&self) -> Extent {
        let pixels = (self.side * self.side) as f32;
        let looked = self.blocks.iter().zip(&self.swallowed).filter(|(block, _)| block.pixels > 0);
        let veiled = looked
            .clone()
            .filter(|(block, swallowed)| **swallowed > VEILED * pixels && block.change > VISIBLE * pixels);
        let patches = patches(veiled.map(|(block, _)| *block));
        let largest = patches.iter().map(|patch| patch.pixels).max().unwrap_or(0);
        let main = patches.iter().filter(|patch| patch.pixels as f32 >= WISPS * largest as f32);
        if largest == 0 { joined(looked.map(|(block, _)| block)) } else { joined(main) }
    }
}

/// Blocks that touch, taken together.
fn patches(blocks: impl Iterator<Item = Extent>) -> Vec<Extent> {
    let mut patches: Vec<Extent> = Vec::new();
    for mut patch in blocks {
        while let Some(near) = patches.iter().position(|other| other.touches(&patch)) {
            patch.join(&patches.swap_remove(near));
        }
        patches.push(patch);
    }
    patches
}

fn joined<'a>(parts: impl Iterator<Item = &'a Extent>) -> Extent {
    parts.fold(Extent::default(), |mut all, part| {
        all.join(part);
        all
    })
}

/// The first and the last place before and behind which the sum is at most `least`.
fn between(sums: &[f32], least: f32) -> (usize, usize) {
    let reached = |sum: &mut f32, v: &f32| {
        *sum += v;
        Some(*sum > least)
    };
    let low = sums.iter().scan(0.0, reached).take_while(|r| !r).count();
    let behind = sums.iter().rev().scan(0.0, reached).take_while(|r| !r).count();
    (low, (sums.len() - 1).saturating_sub(behind))
}

/// A box that grows around pixels.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    low: (usize, usize),
    high: (usize, usize),
    pub pixels: u32,
    /// Of brightness, summed over the pixels, of white.
    pub change: f32,
}

impl Default for Extent {
    fn default() -> Self {
        Self { low: (usize::MAX, usize::MAX), high: (0, 0), pixels: 0, change: 0.0 }
    }
}

impl Extent {
    pub fn add(&mut self, x: usize, y: usize) {
        self.low = (self.low.0.min(x), self.low.1.min(y));
        self.high = (self.high.0.max(x), self.high.1.max(y));
        self.pixels += 1;
    }

    /// The box around what was added, if it was anything.
    pub fn bbox(&self) -> Option<Bbox> {
        let edge = |v: usize| v as f32;
        (self.pixels > 0)
            .then(|| [edge(self.low.0), edge(self.low.1), edge(self.high.0 + 1), edge(self.high.1 + 1)])
    }

    /// The share of the box that was added; more than 1 where parts overlap.
    pub fn fill(&self) -> f32 {
        self.bbox().map_or(0.0, |[x1, y1, x2, y2]| self.pixels as f32 / ((x2 - x1) * (y2 - y1)))
    }

    pub fn join(&mut self, other: &Self) {
        self.low = (self.low.0.min(other.low.0), self.low.1.min(other.low.1));
        self.high = (self.high.0.max(other.high.0), self.high.1.max(other.high.1));
        self.pixels += other.pixels;
        self.change += other.change;
    }

    /// Whether the boxes overlap, or nearly.
    pub fn touches(&self, other: &Self) -> bool {
        let near = |a: (usize, usize), b: (usize, usize)| a.0 <= b.1 + 2 && b.0 <= a.1 + 2;
        near((self.low.0, self.high.0), (other.low.0, other.high.0))
            && near((self.low.1, self.high.1), (other.low.1, other.high.1))
    }
}
