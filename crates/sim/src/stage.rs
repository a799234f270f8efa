//! Which rendered scene to show, and from which of its cameras.

use std::sync::Arc;

use crate::scene::place::Place;
use crate::scene::{Plot, Scene, Shot, Split};

/// A scene by its seed, at a place, seen by one of its cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    pub seed: u64,
    pub plot: Plot,
    pub place: Where,
    pub camera: usize,
}

/// Where a scene happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// At this place.
    At(Place),
    /// At one of these; the seed says which.
    Among(Split),
}

impl Stage {
    /// The seed's scene at a place that no detector was trained at, from the first camera.
    #[must_use]
    pub fn new(seed: u64, plot: Plot) -> Self {
        Self { seed, plot, place: Where::Among(Split::HeldOut), camera: 0 }
    }

    #[must_use]
    pub fn scene(&self) -> Arc<Scene> {
        Arc::new(match self.place {
            Where::At(place) => Scene::at(place, self.seed, self.plot),
            Where::Among(split) => Scene::new(self.seed, split, self.plot),
        })
    }

    /// The camera, ready to paint pictures of this size.
    #[must_use]
    pub fn shot(&self, size: (u32, u32)) -> Shot {
        self.scene().shot(self.camera, size)
    }
}

/// The plot of this name.
#[must_use]
pub fn plot_named(name: &str) -> Option<Plot> {
    Plot::ALL.into_iter().find(|p| p.name() == name)
}

/// The place of this name, whether detectors are trained there or not.
#[must_use]
pub fn place_named(name: &str) -> Option<Place> {
    places().find(|p| p.name() == name)
}

/// All places.
pub fn places() -> impl Iterator<Item = Place> {
    Place::TRAINING.iter().chain(&Place::HELD_OUT).copied()
}

/// Width and height of `640x360`.
#[must_use]
pub fn sides(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}
