//! The inference thread: gather, pre-process, infer, decode, track, hand on.
//!
//! One thread owns the engine. It keeps every request slot busy while frames are there, oldest
//! frame first, and finishes them in order. Results carry their stream's id and the model's name
//! from birth.

pub mod engine;
pub mod import;
pub mod manifest;
pub mod rten;
pub mod surface;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use vigia_accel::preprocess::{Letterbox, PreprocessError, Preprocessor};
use vigia_core::config::{Stream, Tracker as TrackerChoice};
use vigia_core::detection::head::{Decoder, HeadError};
use vigia_core::detection::{BBox, Detection, nms};
use vigia_core::event::Utc;
use vigia_core::time::Instant;
use vigia_core::tracking::{Tracker, TrackerConfig};

use crate::camera::latest::Latest;
use crate::clock;
use crate::frame::Frame;
use engine::{Engine, EngineError};
use manifest::Manifest;
use surface::SurfaceError;

/// This many failures in a row and the engine is given up.
const FAILURES_MAX: u32 = 10;
/// How long the thread waits for a frame before it looks whether it shall stop.
const PATIENCE: Duration = Duration::from_millis(200);
/// What a tracker wants to see, whatever the stream's threshold is.
const TRACKER_FLOOR: f32 = 0.1;

/// What one frame gave. Borrows from the detector.
#[derive(Debug, Clone, Copy)]
pub struct Detected<'a> {
    pub source_id: u32,
    /// Processed frames of this source, from 1.
    pub frame_id: u64,
    pub picture: u64,
    pub captured: Utc,
    pub captured_at: Instant,
    pub pts_ms: f64,
    /// Frame size in pixels.
    pub width: u32,
    pub height: u32,
    /// From the start of the request to its end.
    pub inference: Duration,
    pub model_id: &'a str,
    pub classes: &'a [String],
    pub detections: &'a [Detection],
}

/// Why detection stopped.
#[derive(Debug, Error)]
pub enum DetectError {
    #[error("the engine failed {FAILURES_MAX} times in a row: {0}")]
    Engine(#[source] FrameError),
    #[error("the model's input can't be prepared: {0}")]
    Preprocess(#[from] PreprocessError),
}

/// Why one frame gave no result.
#[derive(Debug, Error)]
pub enum FrameError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    #[error(transparent)]
    Surface(#[from] SurfaceError),
}

/// Limits of suppression.
#[derive(Debug, Clone, Copy)]
pub struct Suppression {
    pub iou: f32,
    pub detections_max: usize,
}

/// The engine with everything it needs to turn frames into detections.
#[derive(Debug)]
pub struct Detector {
    engine: Engine,
    manifest: Arc<Manifest>,
    decoder: Decoder,
    suppression: Suppression,
    lanes: BTreeMap<u32, Lane>,
    found: Vec<Detection>,
    jobs: VecDeque<Job>,
    free: Vec<usize>,
    failures: u32,
    dropped: Arc<std::sync::atomic::AtomicU64>,
}

/// What the detector keeps per stream.
#[derive(Debug)]
struct Lane {
    pre: Preprocessor,
    tracker: Option<Tracker>,
    confidence: f32,
    /// By class id; empty keeps all.
    keep: Vec<bool>,
    frame_id: u64,
}

/// A request in flight.
#[derive(Debug)]
struct Job {
    slot: usize,
    started: Instant,
    source_id: u32,
    picture: u64,
    captured: Utc,
    captured_at: Instant,
    pts_ms: f64,
    letterbox: Letterbox,
    width: u32,
    height: u32,
}

impl Detector {
    /// # Errors
    /// [`DetectError::Preprocess`] if the manifest asks for an impossible input.
    pub fn new(
        engine: Engine,
        manifest: Arc<Manifest>,
        streams: &[Stream],
        suppression: Suppression,
    ) -> Result<Self, DetectError> {
        let (width, height) = (manifest.input.width as usize, manifest.input.height as usize);
        let decoder = Decoder::new(manifest.head, manifest.classes.len(), width, height);
        let lanes = streams
            .iter()
            .map(|s| Ok((s.source_id, Lane::new(s, &manifest)?)))
            .collect::<Result<_, PreprocessError>>()?;
        let free = (0..engine.slots()).rev().collect();
        Ok(Self {
            engine,
            manifest,
            decoder,
            suppression,
            lanes,
            found: Vec::new(),
            jobs: VecDeque::new(),
            free,
            failures: 0,
            dropped: Arc::default(),
        })
    }

    /// Frames that gave no result because something failed.
    #[must_use]
    pub fn dropped(&self) -> Arc<std::sync::atomic::AtomicU64> {
        self.dropped.clone()
    }

    /// Works until `stop`, then finishes what is in flight.
    ///
    /// # Errors
    /// [`DetectError::Engine`] when the engine is beyond use.
    pub fn run(
        &mut self,
        frames: &Latest,
        stop: &AtomicBool,
        mut emit: impl FnMut(&Detected),
    ) -> Result<(), DetectError> {
        while !stop.load(Ordering::Acquire) {
            self.step(frames, PATIENCE, &mut emit)?;
        }
        while !self.jobs.is_empty() {
            self.finish(&mut emit)?;
        }
        Ok(())
    }

    /// Starts a frame in each free slot, as far as there are frames, then finishes the oldest
    /// request. Returns whether anything was in flight.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn step(
        &mut self,
        frames: &Latest,
        patience: Duration,
        emit: &mut impl FnMut(&Detected),
    ) -> Result<bool, DetectError> {
        while let Some(&slot) = self.free.last() {
            // With work in flight there is better to do than to wait for a camera.
            let wait = if self.jobs.is_empty() { patience } else { Duration::ZERO };
            let Some(frame) = frames.take(wait) else { break };
            match self.begin(slot, &frame) {
                Ok(Some(job)) => {
                    self.free.pop();
                    self.jobs.push_back(job);
                }
                Ok(None) => {}
                Err(e) => self.failed(frame.source_id, e)?,
            }
        }
        if self.jobs.is_empty() {
            return Ok(false);
        }
        self.finish(emit)?;
        Ok(true)
    }

    /// Writes the frame into the slot's input and starts it; the frame is free afterwards.
    fn begin(&mut self, slot: usize, frame: &Frame) -> Result<Option<Job>, FrameError> {
        // A stream that was removed while its last frame was on its way.
        let Some(lane) = self.lanes.get_mut(&frame.source_id) else { return Ok(None) };
        let input = self.engine.input(slot)?;
        let (letterbox, width, height) = surface::with_image(&frame.surface, |image| {
            Ok((lane.pre.run(image, input)?, image.width(), image.height()))
        })?;
        self.engine.start(slot)?;
        Ok(Some(Job {
            slot,
            started: clock::now(),
            source_id: frame.source_id,
            picture: frame.picture,
            captured: frame.captured,
            captured_at: frame.captured_at,
            pts_ms: frame.pts_ms,
            letterbox,
            width,
            height,
        }))
    }

    /// Waits for the oldest request and hands its detections on.
    fn finish(&mut self, emit: &mut impl FnMut(&Detected)) -> Result<(), DetectError> {
        let Some(job) = self.jobs.pop_front() else { return Ok(()) };
        self.free.push(job.slot);
        let Some(lane) = self.lanes.get_mut(&job.source_id) else { return Ok(()) };
        let floor = lane.floor();
        let (decoder, found) = (&mut self.decoder, &mut self.found);
        let decoded = self
            .engine
            .wait(job.slot, |outputs| decoder.decode(outputs, floor, found))
            .map_err(FrameError::from)
            .and_then(|r| r.map_err(FrameError::from));
        let inference = clock::now().since(job.started);
        if let Err(e) = decoded {
            return self.failed(job.source_id, e);
        }
        self.failures = 0;
        if self.manifest.head.needs_nms() {
            nms::suppress(&mut self.found, self.suppression.iou, self.suppression.detections_max);
        } else {
            self.found.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
            self.found.truncate(self.suppression.detections_max);
        }
        to_frame(&mut self.found, &job);
        lane.label(job.captured_at, &mut self.found);
        lane.frame_id += 1;
        emit(&Detected {
            source_id: job.source_id,
            frame_id: lane.frame_id,
            picture: job.picture,
            captured: job.captured,
            captured_at: job.captured_at,
            pts_ms: job.pts_ms,
            width: job.width,
            height: job.height,
            inference,
            model_id: &self.manifest.id,
            classes: &self.manifest.classes,
            detections: &self.found,
        });
        Ok(())
    }

    fn failed(&mut self, source_id: u32, error: FrameError) -> Result<(), DetectError> {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.failures += 1;
        tracing::error!(component = "detect", event = "frame_failed", source_id, %error, "a frame gave no result");
        if self.failures >= FAILURES_MAX { Err(DetectError::Engine(error)) } else { Ok(()) }
    }
}

/// From tensor pixels to frame pixels, clipped to the frame.
#[expect(clippy::cast_precision_loss, reason = "frame sides are far below 2^24")]
fn to_frame(found: &mut [Detection], job: &Job) {
    for d in found {
        let (x1, y1) = job.letterbox.to_frame(d.bbox.x1, d.bbox.y1);
        let (x2, y2) = job.letterbox.to_frame(d.bbox.x2, d.bbox.y2);
        d.bbox = BBox { x1, y1, x2, y2 }.clipped(job.width as f32, job.height as f32);
    }
}

impl Lane {
    fn new(stream: &Stream, manifest: &Manifest) -> Result<Self, PreprocessError> {
        let keep = match stream.classes.as_slice() {
            [] => Vec::new(),
            names => manifest.classes.iter().map(|c| names.contains(c)).collect(),
        };
        Ok(Self {
            pre: Preprocessor::new(manifest.tensor_spec())?,
            tracker: match stream.tracker {
                TrackerChoice::None => None,
                TrackerChoice::ByteTrack => Some(Tracker::new(TrackerConfig::default())),
            },
            confidence: stream.confidence,
            keep,
            frame_id: 0,
        })
    }

    /// A tracker follows weak detections that the stream does not report.
    fn floor(&self) -> f32 {
        if self.tracker.is_some() { self.confidence.min(TRACKER_FLOOR) } else { self.confidence }
    }

    fn label(&mut self, now: Instant, found: &mut Vec<Detection>) {
        if !self.keep.is_empty() {
            found.retain(|d| self.keep.get(usize::from(d.class_id)) == Some(&true));
        }
        if let Some(tracker) = &mut self.tracker {
            tracker.update(now, found);
            found.retain(|d| d.confidence >= self.confidence);
        }
    }
}
