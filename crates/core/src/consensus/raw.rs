//! The section of the configuration file, as people write it: nothing is checked yet.
//!
//! The numbers in [`Default`] are the only defaults there are; those of spec wildfire 2.6 keep
//! their values. The first line of a field's doc is the schema's description.

use alloc::string::String;
use alloc::vec::Vec;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// When several cameras are believed that something burns.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Consensus {
    /// Cameras that may vote; an empty list takes every stream of this box.
    #[schemars(length(max = limits::CAMERAS_LEN_MAX))]
    pub cameras: Vec<Camera>,
    /// Groups of cameras that watch the same ground; an empty list puts all cameras into one.
    #[schemars(length(max = limits::SECTORS_LEN_MAX))]
    pub sectors: Vec<Sector>,
    /// Cameras that must agree, where a sector says nothing itself, e.g. 2.
    #[schemars(range(min = limits::NEEDED_MIN, max = limits::NEEDED_MAX))]
    pub cameras_needed: i64,
    /// Seconds that one camera alone must vote, where one camera is enough, e.g. 10.
    #[schemars(range(min = limits::SINGLE_S_MIN, max = limits::SINGLE_S_MAX))]
    pub single_camera_s: f64,
    /// Seconds of the past in which growth is looked for, e.g. 30.
    #[schemars(range(min = limits::WINDOW_S_MIN, max = limits::WINDOW_S_MAX))]
    pub window_s: f64,
    /// Seconds after the acknowledgement of a fire in which no new one is announced, e.g. 300.
    #[schemars(range(min = 0, max = limits::COOLDOWN_S_MAX))]
    pub cooldown_s: f64,
    /// Least confidence of a detection that counts, e.g. 0.7.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
    /// Least share of the picture that a fire covers, e.g. 0.001.
    #[schemars(range(min = 0, max = 1))]
    pub area_min: f64,
    /// Largest share of the picture in which growth is measured, e.g. 0.8.
    #[schemars(range(min = 0, max = 1))]
    pub area_max: f64,
    /// How many times larger a fire must have become, e.g. 1.2.
    #[schemars(range(min = limits::GROWTH_MIN, max = limits::GROWTH_MAX))]
    pub growth_ratio: f64,
    /// Samples whose median is compared, at the start and at the end, e.g. 3.
    #[schemars(range(min = limits::SAMPLES_MIN, max = limits::SAMPLES_MAX))]
    pub growth_samples: i64,
    /// Least seconds from the first sample to the last, e.g. 3.
    #[schemars(range(min = limits::SPAN_S_MIN, max = limits::SPAN_S_MAX))]
    pub growth_span_s: f64,
    /// Share of steps from one moving mean to the next that must not fall, e.g. 0.7; 0 asks for none.
    #[schemars(range(min = 0, max = 1))]
    pub growth_steady: f64,
    /// Seconds that a fire which grew keeps its vote without growing on, e.g. 300.
    #[schemars(range(min = 0, max = limits::KEEP_S_MAX))]
    pub keep_s: f64,
    /// Seconds that an object may be out of view before its vote rests, e.g. 5.
    #[schemars(range(min = limits::LAPSE_S_MIN, max = limits::LAPSE_S_MAX))]
    pub lapse_s: f64,
    /// Share of the picture above which a fire need not grow, e.g. 0.25.
    #[schemars(range(min = 0, max = 1))]
    pub large_area: f64,
    /// Seconds that such a large fire must be seen, e.g. 10.
    #[schemars(range(min = limits::LARGE_S_MIN, max = limits::LARGE_S_MAX))]
    pub large_s: f64,
    /// Seconds without a good picture after which a camera counts as blind, e.g. 60.
    #[schemars(range(min = limits::TIMEOUT_S_MIN, max = limits::TIMEOUT_S_MAX))]
    pub camera_timeout_s: f64,
    /// Seconds that a fire counts as burning on after it blinded the camera, e.g. 60.
    #[schemars(range(min = 0, max = limits::BLIND_S_MAX))]
    pub blind_hold_s: f64,
    /// Seconds between reports that a fire persists, e.g. 10.
    #[schemars(range(min = limits::HEARTBEAT_S_MIN, max = limits::HEARTBEAT_S_MAX))]
    pub heartbeat_s: f64,
    /// What smoke without fire is good for. It never starts water by itself.
    pub smoke: Smoke,
    /// Whether a fire names the water zones of the cameras that saw it.
    pub zone_activation: bool,
}

impl Default for Consensus {
    fn default() -> Self {
        Self {
            cameras: Vec::new(),
            sectors: Vec::new(),
            cameras_needed: 2,
            single_camera_s: 10.0,
            window_s: 30.0,
            cooldown_s: 300.0,
            confidence: 0.7,
            area_min: 0.001,
            area_max: 0.8,
            growth_ratio: 1.2,
            growth_samples: 3,
            growth_span_s: 3.0,
            growth_steady: 0.0,
            keep_s: 300.0,
            lapse_s: 5.0,
            large_area: 0.25,
            large_s: 10.0,
            camera_timeout_s: 60.0,
            blind_hold_s: 60.0,
            heartbeat_s: 10.0,
            smoke: Smoke::Alarm,
            zone_activation: false,
        }
    }
}

/// What smoke without fire is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Smoke {
    /// Nothing.
    Ignore,
    /// A supervisory alarm; no vote.
    Alarm,
    /// The alarm, and half a vote beside a camera that sees fire.
    Half,
}

/// A camera that may vote: a stream of this box, or one that others speak for.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Camera {
    /// Its name; for an outside camera the one its messages use.
    pub name: String,
    /// The stream of this box that it is, e.g. 3; null for an outside camera.
    pub source_id: Option<i64>,
    /// Water zones that it watches, e.g. [yard].
    pub zones: Vec<String>,
    /// Outside camera: width in pixels of the picture that its boxes refer to, e.g. 1280.
    pub width: Option<i64>,
    /// Outside camera: height in pixels of the picture that its boxes refer to, e.g. 720.
    pub height: Option<i64>,
    /// Outside camera: what the four numbers of its boxes are.
    pub boxes: Option<Boxes>,
    /// Outside camera: how often it speaks of an object.
    pub updates: Option<Updates>,
}

/// What the four numbers of a box are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Boxes {
    /// Left, top, right, bottom.
    #[default]
    Corners,
    /// Left, top, width, height.
    Size,
}

/// How often an outside camera speaks of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Updates {
    /// With every frame it looks at.
    #[default]
    Frames,
    /// Only now and then, as Frigate does: two samples are enough, and silence is no end.
    Sparse,
}

/// Cameras that watch the same ground, and how many of them must agree.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sector {
    /// Its name, e.g. east slope.
    pub name: String,
    /// Names of its cameras.
    pub cameras: Vec<String>,
    /// Cameras that must agree; null takes the general number.
    pub cameras_needed: Option<i64>,
    /// Seconds that one camera alone must vote; null takes the general time.
    pub single_camera_s: Option<f64>,
}
