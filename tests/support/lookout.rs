//! A model on rendered scenes, through vigia's own code: from YUV frames to suppressed boxes.

use std::path::Path;
use std::sync::Arc;

use gst_video::{VideoFormat, VideoInfo};
use vigia::clock;
use vigia::detect::Suppression;
use vigia::detect::engine::{self, EngineOptions, Mode};
use vigia::detect::manifest;
use vigia::detect::network::Network;
use vigia::frame::{Frame as Captured, Surface};
use vigia_core::config::Engine as Choice;
use vigia_core::detection::Detection;
use vigia_sim::scene::{Class, Frame, Plot, Scene, Split};
use vigia_sim::{dataset, yuv};

use super::score::{Bbox, Tally, area, iou};

/// Seeds from here on were never trained with, at whatever place.
pub const UNSEEN: u64 = 9_000_000_000;
/// The first scene of [`Model::fire`] and of [`Model::friends`]; the others follow.
pub const FIRES: u64 = UNSEEN + 1_000_000;
pub const FRIENDS: u64 = UNSEEN + 2_000_000;
/// What the cameras here give.
pub const SIZE: (u32, u32) = (640, 360);
/// From this confidence on, vigia reports a detection if nobody says otherwise.
pub const SURE: f32 = 0.5;
/// From here on a confidence tells how near a false fire came, or a fire that was missed.
const NEARLY: f32 = 0.2;
/// Average precision asks for nearly everything.
const ANY: f32 = 0.001;

/// A fire counts from this share of the picture on ...
const FIRE_AREA: f32 = 0.005;
/// ... and must be found within this time, in seconds ...
const FIRE_WITHIN: f32 = 3.0;
/// ... by a box that overlaps it at least so much.
const FIRE_TOUCH: f32 = 0.1;
/// Where nothing burns, a frame of each camera is looked at this often, in seconds.
pub const LOOK_EVERY: usize = 4;
/// Two cameras that see fire within this time agree, in seconds.
const AGREED_WITHIN: usize = 10;

/// What a detector says about a frame.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub class: Class,
    pub confidence: f32,
    pub bbox: Bbox,
}

/// A model with one thread of its own.
#[derive(Debug)]
pub struct Watcher {
    network: Network,
    /// Least confidence.
    floor: f32,
    /// What the model's ids mean; it may know more than we ask for.
    classes: Vec<Option<Class>>,
    info: VideoInfo,
    size: (u32, u32),
}

impl Watcher {
    /// Opens a model for detections from `floor` on, in frames of `size`.
    pub fn open(models: &Path, model: &str, floor: f32, size: (u32, u32)) -> Self {
        Self::on(Choice::Auto, models, model, floor, size)
    }

    /// The same on the engine of choice.
    pub fn on(choice: Choice, models: &Path, model: &str, floor: f32, size: (u32, u32)) -> Self {
        gst::init().expect("GStreamer is installed");
        let located = manifest::locate(models, model).unwrap_or_else(|e| panic!("{e}"));
        let options = EngineOptions {
            choice,
            mode: Mode::Latency,
            threads: Some(1),
            openvino_dir: openvino(),
            width: located.manifest.input.width,
            height: located.manifest.input.height,
        };
        let engine = engine::open(&located.onnx, &options).unwrap_or_else(|e| panic!("{e}")).engine;
        let known = |name: &String| Class::ALL.into_iter().find(|c| c.name() == name);
        let classes = located.manifest.classes.iter().map(known).collect();
        // As in configs/defaults.yaml.
        let suppression = Suppression { iou: 0.45, detections_max: 300 };
        let network = Network::new(engine, Arc::new(located.manifest), suppression);
        let info = VideoInfo::builder(VideoFormat::I420, size.0, size.1);
        let colour = yuv::COLORIMETRY.parse().expect("GStreamer knows it");
        let info = info.colorimetry(&colour).build().expect("a picture format");
        Self { network, floor, classes, info, size }
    }

    /// What is found in rows of red, green and blue.
    pub fn look(&mut self, rgb: &[u8]) -> Vec<Found> {
        let buffer = gst::Buffer::from_slice(yuv::i420(rgb, self.size));
        let frame = Captured {
            source_id: 0,
            picture: 0,
            captured: clock::utc(),
            captured_at: clock::now(),
            pts_ms: 0.0,
            surface: Surface::System { buffer, info: self.info.clone() },
        };
        let found = self.network.look(&frame, self.floor).unwrap_or_else(|e| panic!("{e}"));
        let named = |d: &Detection| {
            let class = self.classes.get(usize::from(d.class_id)).copied().flatten()?;
            let bbox = [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2];
            Some(Found { class, confidence: d.confidence, bbox })
        };
        found.iter().filter_map(named).collect()
    }
}

/// Where OpenVINO lies, if it does.
pub fn openvino() -> Option<std::path::PathBuf> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/openvino/openvino/libs");
    Some(std::env::var_os("VIGIA_OPENVINO_DIR").map_or_else(usual, Into::into))
}

/// A model by its folder and id.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    pub folder: &'a Path,
    pub id: &'a str,
}

/// One tally per class.
pub type Tallies = [Tally; Class::ALL.len()];

impl<'a> Model<'a> {
    /// A worker that scores the frames of one held-out scene, taken and compressed as in training.
    pub fn frames(self) -> impl FnMut(usize) -> Tallies + use<'a> {
        let mut watcher = Watcher::open(self.folder, self.id, ANY, SIZE);
        move |job| {
            let (scene, takes) = dataset::takes(UNSEEN + job as u64, Split::HeldOut);
            let mut tallies = Tallies::default();
            for camera in 0..Scene::CAMERAS {
                let mut shot = scene.shot(camera, SIZE);
                for take in takes.iter().filter(|t| t.camera == camera) {
                    let frame = shot.frame(take.t);
                    let found = watcher.look(&through_jpeg(&frame.rgb, take.quality));
                    tally(&mut tallies, frame, &found);
                }
            }
            tallies
        }
    }

    /// A worker that watches one held-out fire; none if it never was large enough.
    pub fn fire(self) -> impl FnMut(usize) -> Option<FireFound> + use<'a> {
        let mut watcher = Watcher::open(self.folder, self.id, NEARLY, SIZE);
        move |job| {
            let scene = Arc::new(Scene::new(FIRES + job as u64, Split::HeldOut, Plot::Fire));
            let mut shot = scene.shot(0, SIZE);
            let mut since = None;
            let mut told = FireFound { late: f32::INFINITY, best: 0.0 };
            for half in 0..120_u8 {
                let t = f32::from(half) * 0.5;
                let frame = shot.frame(t);
                let fires = || frame.labels.iter().filter(|l| l.class == Class::Fire).map(|l| &l.bbox);
                let least = FIRE_AREA * (SIZE.0 * SIZE.1) as f32;
                if since.is_none() && !fires().any(|f| area(f) >= least) {
                    continue;
                }
                let late = t - *since.get_or_insert(t);
                if late > FIRE_WITHIN {
                    return Some(told);
                }
                let touches =
                    |d: &Found| d.class == Class::Fire && fires().any(|f| iou(f, &d.bbox) > FIRE_TOUCH);
                let found = watcher.look(&frame.rgb);
                let best = found.iter().filter(|d| touches(d)).map(|d| d.confidence);
                told.best = best.fold(told.best, f32::max);
                if told.best >= SURE {
                    told.late = told.late.min(late);
                }
            }
            // Never large enough, or the scene ended before its time was over.
            None
        }
    }

    /// A worker that watches `seconds` of a scene without fire from both cameras, a frame every
    /// [`LOOK_EVERY`]. Every second scene is at a held-out place.
    pub fn friends(self, seconds: u8) -> impl FnMut(usize) -> FalseAlarms + use<'a> {
        let mut watcher = Watcher::open(self.folder, self.id, NEARLY, SIZE);
        move |job| {
            let split = if job % 2 == 0 { Split::HeldOut } else { Split::Training };
            let scene = Arc::new(Scene::new(FRIENDS + job as u64, split, Plot::Friends));
            let mut alarms = FalseAlarms::default();
            let mut seen = [(); Scene::CAMERAS].map(|()| [Vec::new(), Vec::new()]);
            for (camera, seen) in seen.iter_mut().enumerate() {
                let mut shot = scene.shot(camera, SIZE);
                for second in (0..seconds).step_by(LOOK_EVERY) {
                    let found = watcher.look(&shot.frame(f32::from(second)).rgb);
                    alarms.frames += 1;
                    let fires = found.iter().filter(|d| d.class == Class::Fire);
                    alarms.nearly_fire.extend(fires.map(|d| d.confidence).reduce(f32::max));
                    for (class, seen) in [Class::Fire, Class::Smoke].iter().zip(seen.iter_mut()) {
                        if found.iter().any(|d| d.class == *class && d.confidence >= SURE) {
                            seen.push(usize::from(second));
                        }
                    }
                }
            }
            let [[fire, smoke], [other_fire, other_smoke]] = &seen;
            alarms.fire = fire.len() + other_fire.len();
            alarms.smoke = smoke.len() + other_smoke.len();
            alarms.scenes_agreed_fire = usize::from(agree(fire, other_fire));
            alarms.scenes_agreed_smoke = usize::from(agree(smoke, other_smoke));
            alarms
        }
    }
}

/// How a fire was found.
#[derive(Debug, Clone, Copy)]
pub struct FireFound {
    /// Seconds from when it was large enough; infinite if it was not found in time.
    pub late: f32,
    /// The highest confidence within that time.
    pub best: f32,
}

/// What was seen where nothing burns.
#[derive(Debug, Clone, Default)]
pub struct FalseAlarms {
    pub frames: usize,
    /// Frames with fire in them.
    pub fire: usize,
    pub smoke: usize,
    /// The highest confidence of each frame with something like a fire.
    pub nearly_fire: Vec<f32>,
    /// Scenes in which both cameras said fire at about the same time.
    pub scenes_agreed_fire: usize,
    pub scenes_agreed_smoke: usize,
}

impl FalseAlarms {
    pub fn join(&mut self, other: Self) {
        self.frames += other.frames;
        self.fire += other.fire;
        self.smoke += other.smoke;
        self.nearly_fire.extend(other.nearly_fire);
        self.scenes_agreed_fire += other.scenes_agreed_fire;
        self.scenes_agreed_smoke += other.scenes_agreed_smoke;
    }
}

/// Whether a second of one list is near one of the other.
fn agree(one: &[usize], other: &[usize]) -> bool {
    one.iter().any(|a| other.iter().any(|b| a.abs_diff(*b) <= AGREED_WITHIN))
}

fn tally(tallies: &mut Tallies, frame: &Frame, found: &[Found]) {
    for (class, tally) in Class::ALL.into_iter().zip(tallies) {
        let wanted: Vec<_> = frame.labels.iter().filter(|l| l.class == class).map(|l| l.bbox).collect();
        let found: Vec<_> =
            found.iter().filter(|d| d.class == class).map(|d| (d.confidence, d.bbox)).collect();
        tally.add(&wanted, &frame.ignored, &found);
    }
}

/// The picture after compression.
fn through_jpeg(rgb: &[u8], quality: u8) -> Vec<u8> {
    let bytes = dataset::jpeg(rgb, SIZE, quality).expect("it can be encoded");
    let mut decoder = zune_jpeg::JpegDecoder::new(zune_jpeg::zune_core::bytestream::ZCursor::new(bytes));
    decoder.decode().expect("it was encoded just now")
}
