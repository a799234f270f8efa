//! Rendered camera scenes: places, people, vehicles, fire and what looks like fire.
//!
//! The same seed gives the same frames. A [`Scene`] is a small world in metres: a place, what moves
//! in it, what burns in it. A [`Shot`] is one camera of it; [`Shot::frame`] paints a moment and says
//! exactly where each object is. From top to bottom: `plot` decides what happens, `place` and
//! `actors` stand there, `flame` and `plume` hang in the air, `lens` is the camera.

pub mod actors;
pub mod canvas;
pub mod flame;
pub mod friends;
pub mod lens;
pub mod light;
pub mod noise;
pub mod overlay;
pub mod place;
pub mod plot;
pub mod plume;
pub mod shot;
pub mod view;

pub use plot::{Plot, Scene, Split};
pub use shot::{Frame, Label, Shot};

/// What the detector tells apart, in the order of its class ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    Fire,
    Smoke,
    Person,
    Vehicle,
}

impl Class {
    pub const ALL: [Self; 4] = [Self::Fire, Self::Smoke, Self::Person, Self::Vehicle];

    /// The detector's class id.
    #[must_use]
    pub fn id(self) -> usize {
        self as usize
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::Smoke => "smoke",
            Self::Person => "person",
            Self::Vehicle => "vehicle",
        }
    }
}

/// A box in pixels: left, top, right, bottom.
pub type Bbox = [f32; 4];

/// A box that grows around pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    low: (usize, usize),
    high: (usize, usize),
    pub(super) pixels: u32,
}

impl Default for Extent {
    fn default() -> Self {
        Self { low: (usize::MAX, usize::MAX), high: (0, 0), pixels: 0 }
    }
}

impl Extent {
    pub(super) fn add(&mut self, x: usize, y: usize) {
        self.low = (self.low.0.min(x), self.low.1.min(y));
        self.high = (self.high.0.max(x), self.high.1.max(y));
        self.pixels += 1;
    }

    /// The box around what was added, if it was anything.
    pub(super) fn bbox(&self) -> Option<Bbox> {
        let edge = |v: usize| v as f32;
        (self.pixels > 0).then(|| {
            [edge(self.low.0), edge(self.low.1), edge(self.high.0 + 1), edge(self.high.1 + 1)]
        })
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.low = (self.low.0.min(other.low.0), self.low.1.min(other.low.1));
        self.high = (self.high.0.max(other.high.0), self.high.1.max(other.high.1));
        self.pixels += other.pixels;
    }

    /// Whether the boxes overlap, or nearly.
    pub(super) fn touches(&self, other: &Self) -> bool {
        let near = |a: (usize, usize), b: (usize, usize)| a.0 <= b.1 + 2 && b.0 <= a.1 + 2;
        near((self.low.0, self.high.0), (other.low.0, other.high.0))
            && near((self.low.1, self.high.1), (other.low.1, other.high.1))
    }
}
