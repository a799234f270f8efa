//! The settings of the consensus, valid by construction. Made by [`check`](super::check).

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use super::raw::{Boxes, Smoke};

use super::ids::{CameraId, SectorId, ZoneId};

/// All settings, complete and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// At least one; names and streams are unique.
    pub cameras: Vec<Camera>,
    /// At least one; each has as many cameras as must agree.
    pub sectors: Vec<Sector>,
    /// Names of water zones.
    pub zones: Vec<String>,
    pub rules: Rules,
}

/// What holds for all cameras.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How far back growth is looked for.
    pub window: Duration,
    pub cooldown: Duration,
    /// Least confidence, 0..=1.
    pub confidence: f32,
    /// Shares of the picture: `area_min < large_area <= area_max`.
    pub area_min: f32,
    pub area_max: f32,
    pub large_area: f32,
    /// How long a large fire must be seen.
    pub large_for: Duration,
    /// At least 1.
    pub growth_ratio: f32,
    /// Share of steps that must not fall, 0..=1.
    pub growth_steady: f32,
    /// How long a vote outlives the growth it came from.
    pub keep: Duration,
    pub camera_timeout: Duration,
    pub blind_hold: Duration,
    pub heartbeat: Duration,
    pub smoke: Smoke,
    pub zone_activation: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Camera {
    pub name: String,
    pub origin: Origin,
    pub zones: Vec<ZoneId>,
    pub pace: Pace,
}

/// Who speaks for a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This box: messages can't speak for it (C9).
    Own { source_id: u32 },
    /// Messages from outside.
    Outside { frame: Option<FrameSize>, boxes: Boxes },
}

/// What can be asked of a camera's samples, by how often it gives some.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Samples whose median is compared: W of spec 2.4, 1..=10. One where updates are sparse (C6).
    pub samples: usize,
    /// From the first sample to the last.
    pub span: Duration,
    /// How long an object may go unseen and still vote.
    pub lapse: Duration,
}

/// Width and height in pixels of the picture that boxes refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameSize {
    pub width: u32,
    pub height: u32,
}

impl FrameSize {
    /// For boxes whose coordinates are shares of the picture already.
    pub const UNIT: Self = Self { width: 1, height: 1 };
}

/// Cameras that watch the same ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Sector {
    pub name: String,
    /// In ascending order, each once.
    pub cameras: Vec<CameraId>,
    /// How many must agree: 1 to the number of cameras.
    pub needed: usize,
    /// How long one camera must vote where one is enough.
    pub single: Duration,
}

impl Config {
    /// The camera that a stream of this box is.
    #[must_use]
    pub fn camera_of_source(&self, source_id: u32) -> Option<CameraId> {
        self.find(|camera| camera.origin == Origin::Own { source_id })
    }

    /// The camera of this name.
    #[must_use]
    pub fn camera_named(&self, name: &str) -> Option<CameraId> {
        self.find(|camera| camera.name == name)
    }

    fn find(&self, is: impl Fn(&Camera) -> bool) -> Option<CameraId> {
        self.cameras.iter().position(is).and_then(|at| u16::try_from(at).ok()).map(CameraId)
    }

    /// The name of a camera, or a question mark for one of another configuration.
    #[must_use]
    pub fn camera_name(&self, id: CameraId) -> &str {
        self.cameras.get(id.index()).map_or("?", |camera| &camera.name)
    }

    #[must_use]
    pub fn sector_name(&self, id: SectorId) -> &str {
        self.sectors.get(id.index()).map_or("?", |sector| &sector.name)
    }

    #[must_use]
    pub fn zone_name(&self, id: ZoneId) -> &str {
        self.zones.get(id.index()).map_or("?", |zone| zone)
    }

    pub fn sector_ids(&self) -> impl Iterator<Item = SectorId> + use<> {
        (0..self.sectors.len()).filter_map(|at| u16::try_from(at).ok()).map(SectorId)
    }

    pub fn camera_ids(&self) -> impl Iterator<Item = CameraId> + use<> {
        (0..self.cameras.len()).filter_map(|at| u16::try_from(at).ok()).map(CameraId)
    }
}
