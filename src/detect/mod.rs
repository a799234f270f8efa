//! The inference thread: gather, pre-process, infer, decode, track, hand on.
//!
//! One thread owns the engine. It keeps every request slot busy while frames are there, oldest
//! frame first, and finishes them in order. Results carry their stream's id and the model's name
//! from birth.

pub mod engine;
pub mod import;
mod lane;
pub mod manifest;
pub mod network;
pub mod orders;
pub mod picture;
pub mod rten;
pub mod surface;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use vigia_accel::preprocess::PreprocessError;
use vigia_core::config::Stream;
use vigia_core::consensus::Health;
use vigia_core::detection::Detection;
use vigia_core::detection::head::HeadError;
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use crate::camera::latest::Latest;
use crate::clock;
use crate::frame::Frame;
use crate::liveness::Pulse;
use engine::EngineError;
use lane::Lane;
use network::{Network, Placed};
use orders::{Inbox, Orders};
use picture::Look;
use surface::SurfaceError;

/// This many failures in a row and the engine is given up.
const FAILURES_MAX: u32 = 10;
/// How long the thread waits for a frame before it looks whether it shall stop.
const PATIENCE: Duration = Duration::from_millis(200);

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
    /// What the picture is worth as evidence.
    pub health: Health,
    /// From the start of the request to its end.
    pub inference: Duration,
    /// Of the model: rises when it is swapped.
    pub generation: u64,
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

/// A network with everything it needs to turn the frames of several streams into detections.
#[derive(Debug)]
pub struct Detector {
    network: Box<Network>,
    /// The model before, until the new one has proven itself.
    spare: Option<Box<Network>>,
    generation: u64,
    lanes: BTreeMap<u32, Lane>,
    /// The last picture of each stream.
    looks: BTreeMap<u32, Look>,
    found: Vec<Detection>,
    jobs: VecDeque<Job>,
    free: Vec<usize>,
    failures: u32,
    dropped: Arc<std::sync::atomic::AtomicU64>,
    orders: Orders,
    inbox: Inbox,
    pulse: Pulse,
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
    placed: Placed,
}

impl Detector {
    /// # Errors
    /// [`DetectError::Preprocess`] if the manifest asks for an impossible input.
    pub fn new(network: Network, streams: &[Stream]) -> Result<Self, DetectError> {
        let lanes = streams
            .iter()
            .map(|s| Ok((s.source_id, Lane::new(s, &network.manifest)?)))
            .collect::<Result<_, PreprocessError>>()?;
        let (orders, inbox) = orders::way();
        Ok(Self {
            free: (0..network.engine.slots()).rev().collect(),
            network: Box::new(network),
            spare: None,
            generation: 1,
            lanes,
            looks: BTreeMap::new(),
            found: Vec::new(),
            jobs: VecDeque::new(),
            failures: 0,
            dropped: Arc::default(),
            orders,
            inbox,
            pulse: Pulse::default(),
        })
    }

    /// The way to change it while it works.
    #[must_use]
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Frames that gave no result because something failed.
    #[must_use]
    pub fn dropped(&self) -> Arc<std::sync::atomic::AtomicU64> {
        self.dropped.clone()
    }

    /// Of its thread: at each turn, and before each request that it waits for. Loading a model is done by
    /// others, so nothing here takes longer than an inference.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
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
            self.pulse.beat(clock::now());
            while let Ok((order, answer)) = self.inbox.try_recv() {
                self.drain(&mut emit)?;
                // Who gave it may have left.
                let _ = answer.send(self.carry_out(order));
            }
            self.step(frames, PATIENCE, &mut emit)?;
        }
        self.drain(&mut emit)
    }

    /// Finishes what is in flight.
    fn drain(&mut self, emit: &mut impl FnMut(&Detected)) -> Result<(), DetectError> {
        while !self.jobs.is_empty() {
            self.finish(emit)?;
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

    fn begin(&mut self, slot: usize, frame: &Frame) -> Result<Option<Job>, FrameError> {
        if self.looks.len() > self.lanes.len() {
            // A stream that is gone leaves nothing behind.
            self.looks.retain(|id, _| self.lanes.contains_key(id));
        }
        // A stream that was removed while its last frame was on its way.
        let Some(lane) = self.lanes.get_mut(&frame.source_id) else { return Ok(None) };
        let look = self.looks.entry(frame.source_id).or_default();
        let placed = self.network.begin(slot, frame, &mut lane.pre, look)?;
        Ok(Some(Job {
            slot,
            started: clock::now(),
            source_id: frame.source_id,
            picture: frame.picture,
            captured: frame.captured,
            captured_at: frame.captured_at,
            pts_ms: frame.pts_ms,
            placed,
        }))
    }

    /// Waits for the oldest request and hands its detections on.
    fn finish(&mut self, emit: &mut impl FnMut(&Detected)) -> Result<(), DetectError> {
        let Some(job) = self.jobs.pop_front() else { return Ok(()) };
        self.pulse.beat(clock::now());
        self.free.push(job.slot);
        let Some(lane) = self.lanes.get_mut(&job.source_id) else { return Ok(()) };
        let done = self.network.finish(job.slot, job.placed, lane.floor(), &mut self.found);
        let inference = clock::now().since(job.started);
        if let Err(e) = done {
            return self.failed(job.source_id, e);
        }
        self.failures = 0;
        self.pulse.worked();
        lane.label(job.captured_at, &mut self.found);
        lane.frame_id += 1;
        emit(&Detected {
            source_id: job.source_id,
            frame_id: lane.frame_id,
            picture: job.picture,
            captured: job.captured,
            captured_at: job.captured_at,
            pts_ms: job.pts_ms,
            width: job.placed.width,
            height: job.placed.height,
            health: job.placed.health,
            inference,
            generation: self.generation,
            model_id: &self.network.manifest.id,
            classes: &self.network.manifest.classes,
            detections: &self.found,
        });
        Ok(())
    }

    fn failed(&mut self, source_id: u32, error: FrameError) -> Result<(), DetectError> {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.failures += 1;
        tracing::error!(component = "detect", event = "frame_failed", source_id, %error, "a frame gave no result");
        if self.failures < FAILURES_MAX {
            return Ok(());
        }
        match self.spare.take() {
            Some(spare) => self.roll_back(spare),
            None => Err(DetectError::Engine(error)),
        }
    }
}
