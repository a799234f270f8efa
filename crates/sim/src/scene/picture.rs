//! The light that reaches a camera, and what of it comes from what.

use glam::Vec3;

use super::Bbox;
use super::canvas::Canvas;
use super::lens::display;
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

/// What can be seen of something in the air: the pixels that it changes for the eye.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub extent: Extent,
    gain: f32,
    least: f32,
}

impl Seen {
    /// `gain` is the camera's (see `lens`), `least` the change of brightness that counts, of white.
    pub fn new(gain: f32, least: f32) -> Self {
        Self { extent: Extent::default(), gain, least }
    }

    pub fn look(&mut self, (x, y): (usize, usize), (before, after): (Vec3, Vec3)) {
        let change = display(after * self.gain) - display(before * self.gain);
        if change.abs() > self.least {
            self.extent.add(x, y);
        }
    }
}

/// A box that grows around pixels.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    low: (usize, usize),
    high: (usize, usize),
    pub pixels: u32,
}

impl Default for Extent {
    fn default() -> Self {
        Self { low: (usize::MAX, usize::MAX), high: (0, 0), pixels: 0 }
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

    pub fn join(&mut self, other: &Self) {
        self.low = (self.low.0.min(other.low.0), self.low.1.min(other.low.1));
        self.high = (self.high.0.max(other.high.0), self.high.1.max(other.high.1));
        self.pixels += other.pixels;
    }

    /// Whether the boxes overlap, or nearly.
    pub fn touches(&self, other: &Self) -> bool {
        let near = |a: (usize, usize), b: (usize, usize)| a.0 <= b.1 + 2 && b.0 <= a.1 + 2;
        near((self.low.0, self.high.0), (other.low.0, other.high.0))
            && near((self.low.1, self.high.1), (other.low.1, other.high.1))
    }
}
