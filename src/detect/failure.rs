//! What is done about failures.
//!
//! | what failed | what is done |
//! |---|---|
//! | a frame | it is dropped and counted; [`FAILURES_MAX`] in a row and the engine is given up |
//! | the start of a batch on the GPU | the engine's execution contexts are made anew; once more within [`HEALED_AFTER`] batches and it is given up |
//! | CUDA's context: an illegal address, a lost device | the detector ends at once: only a new process helps |
//!
//! An engine that is given up makes room for the model before, if that is still kept. Otherwise, if it is the GPU's, whoever
//! has promised to help is told and swaps another one in; until then frames are dropped and counted. Without help the
//! detector ends.

use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;
use vigia_accel::cuda::{Class, CudaError};
use vigia_accel::tensorrt::TensorRtError;

use super::gpu::GpuError;
use super::surface::SurfaceError;
use super::{DetectError, Detector, FrameError};
use crate::clock;

/// This many failures in a row and the engine is given up.
const FAILURES_MAX: u32 = 10;
/// After so many good batches what was made anew counts as new no more.
const HEALED_AFTER: u32 = 1_000;

/// What a failure says of those who go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Of this frame: the next may do.
    Frame,
    /// The GPU did not take up the work: the execution context may be at fault.
    Context,
    /// CUDA is lost for this process.
    Sticky,
}

impl FrameError {
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Gpu(GpuError::Engine(TensorRtError::Cuda(error))) => match (error.class(), error) {
                (Class::Sticky, _) => Failure::Sticky,
                (_, CudaError::Enqueue(_) | CudaError::Call { .. }) => Failure::Context,
                _ => Failure::Frame,
            },
            Self::Gpu(GpuError::Engine(_)) => Failure::Context,
            // Of a frame that is still on the device for an engine of the processor.
            Self::Surface(SurfaceError::Download(error)) if error.class() == Class::Sticky => Failure::Sticky,
            _ => Failure::Frame,
        }
    }
}

/// An engine that does not go on.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// Of the model: a later one was swapped in meanwhile.
    pub generation: u64,
    pub why: String,
}

/// How the engine fares.
#[derive(Debug, Default)]
pub(super) struct Care {
    /// In a row.
    failures: u32,
    /// Good batches since the contexts were made anew; nothing if they never were.
    since_renewal: Option<u32>,
    /// Whoever swaps in another engine.
    helper: Option<Sender<GivenUp>>,
    /// Nothing is computed until that comes.
    pub(super) waits: bool,
}

impl Care {
    /// A batch went well.
    pub(super) fn good(&mut self) {
        self.failures = 0;
        self.since_renewal = self.since_renewal.map(|n| n + 1).filter(|n| *n < HEALED_AFTER);
    }

    /// Another engine is at work.
    pub(super) fn start_anew(&mut self) {
        *self = Self { helper: self.helper.take(), ..Self::default() };
    }
}

impl Detector {
    /// Tells `helper` of an engine that is given up, and waits for an [`Order::Swap`](super::orders::Order::Swap) instead of
    /// ending.
    pub fn promise_help(&mut self, helper: Sender<GivenUp>) {
        self.care.helper = Some(helper);
    }

    /// So many frames gave no result.
    pub(super) fn failed(&mut self, frames: usize, error: FrameError) -> Result<(), DetectError> {
        self.drop_frames(frames);
        // Who waits for help must not hold buffers of decoders meanwhile.
        self.taken.clear();
        self.care.failures += 1;
        tracing::error!(component = "detect", event = "frame_failed", frames, %error, "frames gave no result");
        match error.failure() {
            Failure::Sticky => Err(DetectError::Dead(error)),
            Failure::Context => self.renew(error),
            Failure::Frame if self.care.failures < FAILURES_MAX => Ok(()),
            Failure::Frame => self.give_up(error),
        }
    }

    pub(super) fn drop_frames(&self, frames: usize) {
        self.dropped.fetch_add(u64::try_from(frames).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Once the contexts are made anew, then it is enough.
    fn renew(&mut self, error: FrameError) -> Result<(), DetectError> {
        if self.care.since_renewal.is_some() {
            return self.give_up(error);
        }
        self.abandon();
        self.pulse.beat(clock::now());
        let why = error.to_string();
        match self.network.renew() {
            Ok(()) => {
                self.care.since_renewal = Some(0);
                tracing::warn!(
                    component = "detect",
                    event = "engine_renewed",
                    why,
                    "the engine's contexts were made anew"
                );
                Ok(())
            }
            Err(error) if error.failure() == Failure::Sticky => Err(DetectError::Dead(error)),
            Err(error) => self.give_up(error),
        }
    }

    fn give_up(&mut self, error: FrameError) -> Result<(), DetectError> {
        if let Some(spare) = self.spare.take() {
            return self.roll_back(spare);
        }
        let told = GivenUp { generation: self.generation, why: error.to_string() };
        // What fails on the processor fails for its frames.
        let helper = self.care.helper.as_ref().filter(|_| self.network.is_on_gpu());
        if helper.is_some_and(|helper| helper.send(told).is_ok()) {
            self.abandon();
            self.care.waits = true;
            return Ok(());
        }
        Err(DetectError::Engine(error))
    }

    /// Waits for what is in flight, and drops it.
    pub(super) fn abandon(&mut self) {
        while let Some(mut job) = self.jobs.pop_front() {
            // It fails as the others did, or was lost with them.
            let _ = self.network.finish(job.slot, &mut job.placed, &mut self.found, |_, _, _| {});
            self.drop_frames(job.frames.len());
            self.free.push(job.slot);
            self.idle.push(job);
        }
    }
}
