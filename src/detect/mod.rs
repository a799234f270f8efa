//! The inference thread: gather, pre-process, infer, decode, track, hand on.
//!
//! One thread owns the engine. It keeps every request slot busy while frames are there, oldest
//! frame first, and finishes them in order. Results carry their stream's id and the model's name
//! from birth.

pub mod engine;
pub mod failure;
pub mod gpu;
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

use arrayvec::ArrayVec;
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
use failure::Care;
use lane::Lane;
use network::{Asked, Network, Placed};
use orders::{Inbox, Orders};
use picture::Look;
use surface::SurfaceError;

/// How long the thread waits for a frame before it looks whether it shall stop.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a batch waits for more frames than its first.
const GATHER: Duration = Duration::from_millis(3);

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
    #[error("the engine was given up: {0}")]
    Engine(#[source] FrameError),
    #[error("{0}; after that only a new process can use the GPU")]
    Dead(#[source] FrameError),
    #[error("the engine was given up ({why}), and nothing can take its place: {instead}")]
    Helpless { why: String, instead: String },
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
    #[error(transparent)]
    Gpu(#[from] gpu::GpuError),
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
    /// One that has not, until somebody frees it.
    refused: Option<Box<Network>>,
    generation: u64,
    /// The generation whose place for frames was told.
    announced: u64,
    lanes: BTreeMap<u32, Lane>,
    /// The last picture of each stream.
    looks: BTreeMap<u32, Look>,
    found: Vec<Detection>,
    jobs: VecDeque<Job>,
    free: Vec<usize>,
    /// What is taken for the next batch.
    taken: Vec<Frame>,
    /// Jobs that are done, for their memory.
    idle: Vec<Job>,
    care: Care,
    dropped: Arc<std::sync::atomic::AtomicU64>,
    orders: Orders,
    inbox: Inbox,
    pulse: Pulse,
}

/// A batch in flight; number by number `frames` and `placed` belong together.
#[derive(Debug, Default)]
struct Job {
    slot: usize,
    started: Instant,
    frames: Vec<Member>,
    placed: Vec<Placed>,
}

/// A frame of a batch.
#[derive(Debug)]
struct Member {
    source_id: u32,
    picture: u64,
    captured: Utc,
    captured_at: Instant,
    pts_ms: f64,
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
            free: (0..network.slots()).rev().collect(),
            network: Box::new(network),
            spare: None,
            refused: None,
            generation: 1,
            announced: 0,
            lanes,
            looks: BTreeMap::new(),
            found: Vec::new(),
            jobs: VecDeque::new(),
            taken: Vec::new(),
            idle: Vec::new(),
            care: Care::default(),
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

    /// Tells cameras where to leave frames: before they start, so that they begin right. A swap does it by itself.
    pub fn announce(&mut self, frames: &Latest) {
        if self.announced != self.generation {
            self.announced = self.generation;
            frames.set_place(self.network.place());
        }
    }

    /// Finishes what is in flight.
    fn drain(&mut self, emit: &mut impl FnMut(&Detected)) -> Result<(), DetectError> {
        while !self.jobs.is_empty() {
            self.finish(emit)?;
        }
        Ok(())
    }

    /// Starts a batch in each free slot, as far as there are frames, then finishes the oldest one. Returns whether
    /// anything was in flight.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn step(
        &mut self,
        frames: &Latest,
        patience: Duration,
        emit: &mut impl FnMut(&Detected),
    ) -> Result<bool, DetectError> {
        self.announce(frames);
        if self.care.waits {
            self.pass_by(frames, patience);
            return Ok(false);
        }
        while let Some(&slot) = self.free.last() {
            // With work in flight there is better to do than to wait for a camera.
            let wait = if self.jobs.is_empty() { patience } else { Duration::ZERO };
            if !self.gather(frames, wait) {
                break;
            }
            match self.begin(slot) {
                Ok(Some(job)) => {
                    self.free.pop();
                    self.jobs.push_back(job);
                }
                Ok(None) => {}
                Err((count, e)) => self.failed(count, e)?,
            }
            if self.care.waits {
                return Ok(false);
            }
        }
        if self.jobs.is_empty() {
            return Ok(false);
        }
        self.finish(emit)?;
        Ok(true)
    }

    /// Without an engine: a frame goes by.
    fn pass_by(&self, frames: &Latest, patience: Duration) {
        if frames.take(patience).is_some() {
            self.drop_frames(1);
        }
    }

    /// Takes the frames of a batch: what is there, and what comes until it is full, or each active stream has one, or
    /// the first one has waited for [`GATHER`]. Streams that are gone leave nothing behind.
    fn gather(&mut self, frames: &Latest, wait: Duration) -> bool {
        if self.looks.len() > self.lanes.len() {
            self.looks.retain(|id, _| self.lanes.contains_key(id));
        }
        self.taken.clear();
        let most = self.network.batch_max().min(self.lanes.len().max(1));
        let (mut left, mut first) = (wait, None);
        while self.taken.len() < most {
            let Some(frame) = frames.take(left) else { break };
            let now = clock::now();
            // Without one it was removed while its last frame was on its way.
            if let Some(lane) = self.lanes.get_mut(&frame.source_id) {
                lane.taken_at = Some(now);
                self.taken.push(frame);
            }
            let lanes = &self.lanes;
            let (since, active) = *first
                .get_or_insert_with(|| (now, lanes.values().filter(|lane| lane.is_active(now)).count()));
            let is_whole = self.taken.len() >= active;
            left = if is_whole { Duration::ZERO } else { GATHER.saturating_sub(now.since(since)) };
        }
        first.is_some()
    }

    /// Starts what was gathered. An error says how many frames it cost.
    fn begin(&mut self, slot: usize) -> Result<Option<Job>, (usize, FrameError)> {
        let mut asked: ArrayVec<_, { gpu::ROOM }> = ArrayVec::new();
        asked.extend(self.taken.iter().filter_map(|frame| {
            let floor = self.lanes.get(&frame.source_id)?.floor();
            Some(Asked { frame, floor })
        }));
        let first = asked.first().and_then(|a| self.lanes.get_mut(&a.frame.source_id));
        let Some(first) = first else { return Ok(None) };
        let mut job = self.idle.pop().unwrap_or_default();
        job.frames.clear();
        job.placed.clear();
        let begun = self.network.begin(slot, &asked, &mut first.pre, &mut job.placed);
        begun.map_err(|e| (asked.len(), e))?;
        (job.slot, job.started) = (slot, clock::now());
        job.frames.extend(asked.iter().map(|Asked { frame, .. }| Member {
            source_id: frame.source_id,
            picture: frame.picture,
            captured: frame.captured,
            captured_at: frame.captured_at,
            pts_ms: frame.pts_ms,
        }));
        drop(asked);
        // Who holds a frame holds a buffer of its decoder.
        self.taken.clear();
        Ok(Some(job))
    }

    /// Waits for the oldest batch and hands its detections on.
    fn finish(&mut self, emit: &mut impl FnMut(&Detected)) -> Result<(), DetectError> {
        let Some(mut job) = self.jobs.pop_front() else { return Ok(()) };
        self.pulse.beat(clock::now());
        self.free.push(job.slot);
        let (lanes, looks, generation) = (&mut self.lanes, &mut self.looks, self.generation);
        let (manifest, frames, started) = (self.network.manifest.clone(), &job.frames, job.started);
        let mut inference = None;
        let done = self.network.finish(job.slot, &mut job.placed, &mut self.found, |at, placed, found| {
            let inference = *inference.get_or_insert_with(|| clock::now().since(started));
            let Some(Member { source_id, picture, captured, captured_at, pts_ms }) = frames.get(at) else {
                return;
            };
            let Some(lane) = lanes.get_mut(source_id) else { return };
            let look = looks.entry(*source_id).or_default();
            lane.label(*captured_at, found);
            lane.frame_id += 1;
            emit(&Detected {
                source_id: *source_id,
                frame_id: lane.frame_id,
                picture: *picture,
                captured: *captured,
                captured_at: *captured_at,
                pts_ms: *pts_ms,
                width: placed.width,
                height: placed.height,
                health: look.take(*captured_at, &placed.grid, placed.range),
                inference,
                generation,
                model_id: &manifest.id,
                classes: &manifest.classes,
                detections: found,
            });
        });
        let count = job.frames.len();
        self.idle.push(job);
        if let Err(e) = done {
            return self.failed(count, e);
        }
        self.care.good();
        self.pulse.worked();
        Ok(())
    }
}
