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
pub mod picture;
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
