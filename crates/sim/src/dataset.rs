//! A training set: rendered pictures as JPEG files, and a list of what is where in them.
//!
//! Image `n` shows moment `n % 3` of camera `n / 3 % 2` of scene `n / 6`, so what it shows depends
//! on the parameters alone, not on the number of threads. `labels.jsonl` has a line per image;
//! `dataset.json` is written last and says that the set is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use std::sync::Arc;

use fastrand::Rng;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use serde::Serialize;
use serde_json::{Value, json};

use crate::crew;
use crate::scene::{Bbox, Frame, Plot, Scene, Split};

/// Moments that each camera of a scene takes.
pub const MOMENTS: usize = 3;
/// Images of one scene.
pub const PER_SCENE: usize = Scene::CAMERAS * MOMENTS;
/// Between two lines about the progress.
const NEWS: Duration = Duration::from_secs(2);

/// What to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub images: usize,
    pub split: Split,
    pub first_seed: u64,
    pub size: (u32, u32),
}

/// What keeps a data set from being written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot encode a picture of {width}x{height}: {what}")]
    Encode { width: u32, height: u32, what: String },
    #[error("{} holds another data set; take another folder", folder.display())]
    Other { folder: PathBuf },
}

/// One image to take: which camera, when, and how it is compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Take {
    pub camera: usize,
    pub t: f32,
    /// Of the JPEG, 25 to 95.
    pub quality: u8,
}

/// What a seed's scene is about: fires often, because they are what it is all for.
#[must_use]
pub fn plot_of(seed: u64) -> Plot {
    match Rng::with_seed(seed ^ 0x0007_1075).f32() {
        share if share < 0.55 => Plot::Fire,
        share if share < 0.82 => Plot::Friends,
        _ => Plot::Quiet,
    }
}

/// The scene of a seed and the images to take of it. Every second image of a fire is taken while
/// it grows.
#[must_use]
pub fn takes(seed: u64, split: Split) -> (Arc<Scene>, [Take; PER_SCENE]) {
    let scene = Scene::new(seed, split, plot_of(seed));
    let mut rng = Rng::with_seed(seed ^ 0x7a4e5);
    let mut number = 0;
    let takes = [(); PER_SCENE].map(|()| {
        let (any, young, quality) = (rng.f32(), rng.bool(), rng.u8(25..=95));
        let t = match scene.ignition() {
            Some(starts) if young => starts + 15.0 * any,
            _ => Scene::LENGTH_S * any,
        };
        number += 1;
        Take { camera: (number - 1) / MOMENTS, t, quality }
    });
    (Arc::new(scene), takes)
}

/// The frame as a JPEG file, with half the resolution for colours as cameras have it.
///
/// # Errors
/// [`DatasetError::Encode`] for sides that JPEG can't have.
pub fn jpeg(rgb: &[u8], (width, height): (u32, u32), quality: u8) -> Result<Vec<u8>, DatasetError> {
    let refuse = |what: String| DatasetError::Encode { width, height, what };
    let side = |side: u32| u16::try_from(side).map_err(|_| refuse("a side is too long".to_owned()));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(rgb, side(width)?, side(height)?, ColorType::Rgb).map_err(|e| refuse(e.to_string()))?;
    Ok(bytes)
}

/// A line of `labels.jsonl`.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    width: u32,
    height: u32,
    scene: u64,
    place: &'static str,
    objects: Vec<Object>,
    ignore: Vec<Bbox>,
}

#[derive(Debug, Serialize)]
struct Object {
    class: usize,
    #[serde(rename = "box")]
    bbox: Bbox,
}

impl Line {
    fn new(file: String, scene: &Scene, frame: &Frame) -> Self {
        let object = |l: &crate::scene::Label| Object { class: l.class.id(), bbox: l.bbox };
        Self {
            file,
            width: frame.width,
            height: frame.height,
            scene: scene.seed,
            place: scene.site.place.name(),
            objects: frame.labels.iter().map(object).collect(),
            ignore: frame.ignored.clone(),
        }
    }
}

/// An image in memory.
type Image = (Line, Vec<u8>);

impl Dataset {
    /// Renders into `folder`. Returns without work if the same set is there already.
    ///
    /// # Errors
    /// [`DatasetError`]; what was written so far stays.
    pub fn write(&self, folder: &Path, threads: usize) -> Result<(), DatasetError> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let marker = folder.join("dataset.json");
        let whole = self.parameters()?;
        if let Ok(text) = fs::read_to_string(&marker) {
            if serde_json::from_str::<Value>(&text).is_ok_and(|found| found == whole) {
                eprintln!("dataset: {} is complete", folder.display());
                return Ok(());
            }
            return Err(DatasetError::Other { folder: folder.to_owned() });
        }
        let scenes = self.images.div_ceil(PER_SCENE);
        let mut lines = vec![String::new(); self.images];
        let mut news = News::new(self.images);
        crew::each(
            scenes,
            threads,
            || |n| self.scene(n, folder),
            |n, written| {
                let written = written?;
                news.tell(written.len());
                lines.iter_mut().skip(n * PER_SCENE).zip(written).for_each(|(line, text)| *line = text);
                Ok(())
            },
        )?;
        put(&folder.join("labels.jsonl"), lines.concat().as_bytes())?;
        put(&marker, format!("{whole:#}\n").as_bytes())
    }

    /// What makes this set: its parameters and what the renderer makes of its first scene.
    fn parameters(&self) -> Result<Value, DatasetError> {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for (_, bytes) in self.images_of(0)? {
            bytes.iter().for_each(|b| hash = (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
        }
        let (width, height) = self.size;
        let split = match self.split {
            Split::Training => "training",
            Split::HeldOut => "held-out",
        };
        Ok(json!({
            "images": self.images, "split": split, "first_seed": self.first_seed,
            "width": width, "height": height, "first_scene_fnv1a": format!("{hash:016x}"),
        }))
    }

    /// Renders and writes the images of one scene; their lines.
    fn scene(&self, number: usize, folder: &Path) -> Result<Vec<String>, DatasetError> {
        let write = |(line, bytes): Image| {
            put(&folder.join(&line.file), &bytes)?;
            let text = serde_json::to_string(&line);
            Ok(text.map_err(|e| failed(folder)(e.into()))? + "\n")
        };
        self.images_of(number)?.into_iter().map(write).collect()
    }

    fn images_of(&self, number: usize) -> Result<Vec<Image>, DatasetError> {
        let (scene, takes) = takes(self.first_seed + number as u64, self.split);
        let left = self.images - (number * PER_SCENE).min(self.images);
        let mut images = Vec::with_capacity(PER_SCENE);
        let mut shot = scene.shot(0, self.size);
        for (n, take) in takes.iter().enumerate().take(left) {
            if take.camera > 0 && n % MOMENTS == 0 {
                shot = scene.shot(take.camera, self.size);
            }
            let frame = shot.frame(take.t);
            let file = format!("{:06}.jpg", number * PER_SCENE + n);
            let bytes = jpeg(&frame.rgb, self.size, take.quality)?;
            images.push((Line::new(file, &scene, frame), bytes));
        }
        Ok(images)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DatasetError {
    move |source| DatasetError::Write { path: path.to_owned(), source }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), DatasetError> {
    fs::write(path, bytes).map_err(failed(path))
}

/// Says from time to time how far the work is.
struct News {
    done: usize,
    all: usize,
    start: Instant,
    last: Duration,
}

impl News {
    #[expect(clippy::disallowed_methods, reason = "tells a person how long it takes")]
    fn new(all: usize) -> Self {
        Self { done: 0, all, start: Instant::now(), last: Duration::ZERO }
    }

    fn tell(&mut self, more: usize) {
        self.done += more;
        let spent = self.start.elapsed();
        if spent - self.last < NEWS && self.done < self.all {
            return;
        }
        self.last = spent;
        let pace = self.done as f64 / spent.as_secs_f64().max(1e-3);
        let left = (self.all - self.done) as f64 / pace;
        eprintln!("dataset: {} of {} images, {pace:.0} a second, {left:.0} s left", self.done, self.all);
    }
}
