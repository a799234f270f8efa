//! One batch in flight: descriptors, tensor, network, head and results, on one stream.
//!
//! ```text
//! begin: [uploads] ─► graph: descriptors ─► letterbox, look ─► Enqueue ─► head ─► results ─► event        wait: the event
//! ```
//!
//! Everything is allocated by [`Slot::new`]; a frame allocates nothing, and nothing waits but [`Slot::wait`]. On a GPU
//! that shares the host's memory descriptors and results are not copied: the kernels reach them where they are.

mod batch;
mod memory;
mod stage;

use std::sync::Arc;

pub use self::batch::Batch;
use self::memory::Memory;
pub use self::stage::{Enqueue, OutputSpec, SlotSpec, Stage};
use super::error::{Class, CudaError};
use super::gpu::Gpu;
use super::image::{DeviceImage, Keep};
use super::layout::FrameDesc;
use super::stream::{Event, Graph, Priority, Stream, Wait};
use super::upload::Upload;
use crate::preprocess::{Image, Letterbox};

/// Largest batch.
pub const BATCH_MAX: usize = 64;
/// Where a frame is.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    Device(&'a DeviceImage),
    Host(&'a Image<'a>),
}

/// One image of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub source: Source<'a>,
    /// Least confidence of its candidates.
    pub floor: f32,
}

/// How batches of a size are launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warm {
    Graph,
    /// Call by call, because the graph failed.
    Stream {
        why: String,
    },
}

#[derive(Debug)]
enum Way {
    Cold,
    Graph(Graph),
    Stream,
}

/// One batch in flight.
#[derive(Debug)]
pub struct Slot<E> {
    // Dropped before what it reads and writes.
    ways: Vec<Way>,
    gpu: Arc<Gpu>,
    network: E,
    memory: Memory,
    stream: Stream,
    done: Event,
    /// Between a frame's writer and us.
    fence: Event,
    uploads: Vec<Upload>,
    keeps: Vec<Keep>,
    places: Vec<Letterbox>,
    in_flight: bool,
}

impl<E: Enqueue> Slot<E> {
    /// Allocates all that batches of up to `spec.batch_max` images need.
    ///
    /// # Errors
    /// [`CudaError`]; out of memory with the sizes.
    pub fn new(gpu: &Arc<Gpu>, spec: SlotSpec, network: E) -> Result<Self, CudaError> {
        let max = spec.batch_max;
        let wait = spec.wait;
        let memory = Memory::new(gpu, spec)?;
        Ok(Slot {
            ways: (0..=max).map(|_| Way::Cold).collect(),
            gpu: gpu.clone(),
            network,
            memory,
            stream: Stream::new(gpu, Priority::High)?,
            done: Event::new(gpu, wait)?,
            fence: Event::new(gpu, Wait::Spinning)?,
            uploads: (0..max).map(|_| Upload::default()).collect(),
            keeps: Vec::with_capacity(max),
            places: Vec::with_capacity(max),
            in_flight: false,
        })
    }

    #[must_use]
    pub fn spec(&self) -> &SlotSpec {
        &self.memory.spec
    }

    pub fn network(&mut self) -> &mut E {
        &mut self.network
    }

    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Runs batches of this size without frames, then captures one. Where that fails, it says why, and such batches are
    /// launched call by call.
    ///
    /// # Errors
    /// [`CudaError`] if they can't be launched at all.
    pub fn warm(&mut self, batch: usize) -> Result<Warm, CudaError> {
        self.idle(batch)?;
        self.gpu.bind()?;
        let stage = self.memory.stage(&self.stream, batch);
        self.network.prepare(&stage).map_err(CudaError::Enqueue)?;
        self.memory.frames.host.values_mut()[..batch].fill(FrameDesc::nothing());
        // Twice: engines allocate in the first and are as they will be in the second.
        for _ in 0..2 {
            self.memory.enqueue(&self.gpu, &self.stream, &mut self.network, batch)?;
        }
        self.stream.wait()?;
        let Self { memory, gpu, stream, network, .. } = self;
        let captured = stream.capture(|| memory.enqueue(gpu, stream, network, batch));
        match captured {
            Ok(graph) => {
                self.ways[batch] = Way::Graph(graph);
                Ok(Warm::Graph)
            }
            Err(e) if e.class() == Class::Sticky => Err(e),
            Err(e) => {
                self.ways[batch] = Way::Stream;
                Ok(Warm::Stream { why: e.to_string() })
            }
        }
    }

    /// Waits for what is in flight, whatever came of it, and forgets how batches were launched: the next one of each size
    /// is warmed anew.
    ///
    /// # Errors
    /// [`CudaError::Call`] if CUDA is lost: what TensorRT says afterwards does not tell. Any other was that of a batch.
    pub fn cool(&mut self) -> Result<(), CudaError> {
        let waited = self.stream.wait();
        self.keeps.clear();
        self.in_flight = false;
        self.ways.fill_with(|| Way::Cold);
        waited.or_else(|e| if e.class() == Class::Sticky { Err(e) } else { Ok(()) })
    }

    fn idle(&self, batch: usize) -> Result<(), CudaError> {
        if self.in_flight {
            return Err(CudaError::InFlight);
        }
        let max = self.memory.spec.batch_max;
        if (1..=max).contains(&batch) { Ok(()) } else { Err(CudaError::BatchSize { given: batch, max }) }
    }

    /// Starts a batch and returns at once. Frames on the device are held until [`Self::wait`]; those of the host are
    /// copied before it returns. A batch size that was not warmed is, first.
    ///
    /// # Errors
    /// [`CudaError`]; the slot is idle then.
    pub fn begin(&mut self, frames: &[Frame<'_>]) -> Result<(), CudaError> {
        self.idle(frames.len())?;
        if matches!(self.ways[frames.len()], Way::Cold) {
            self.warm(frames.len())?;
        }
        self.gpu.bind()?;
        self.keeps.clear();
        self.places.clear();
        let begun = self.launch(frames);
        if begun.is_err() {
            // What was enqueued before it failed must not meet the next batch. Its error is that of the batch.
            let _ = self.stream.wait();
            self.keeps.clear();
        }
        self.in_flight = begun.is_ok();
        begun
    }

    fn launch(&mut self, frames: &[Frame<'_>]) -> Result<(), CudaError> {
        let batch = frames.len();
        for (at, frame) in frames.iter().enumerate() {
            let uploaded;
            let image = match frame.source {
                Source::Device(image) => image,
                Source::Host(image) => {
                    uploaded = self.uploads[at].put(&self.gpu, &self.stream, image)?;
                    &uploaded
                }
            };
            if let Some(writer) = image.writer() {
                self.fence.between(writer, &self.stream)?;
            }
            let (desc, place) = FrameDesc::new(image, &self.memory.spec.tensor, frame.floor);
            self.memory.frames.host.values_mut()[at] = desc;
            self.places.push(place);
            self.keeps.push(image.keep());
        }
        match &mut self.ways[batch] {
            Way::Graph(graph) => graph.launch(&self.stream)?,
            Way::Stream | Way::Cold => {
                self.memory.enqueue(&self.gpu, &self.stream, &mut self.network, batch)?;
            }
        }
        self.done.record(&self.stream)
    }

    /// Whether [`Self::wait`] would return at once.
    ///
    /// # Errors
    /// [`CudaError::Call`] of whatever failed on the way.
    pub fn is_done(&self) -> Result<bool, CudaError> {
        Ok(!self.in_flight || self.done.is_done()?)
    }

    /// Waits for the batch. Its frames are free afterwards.
    ///
    /// # Errors
    /// [`CudaError::Idle`], or [`CudaError::Call`] of whatever failed on the way.
    pub fn wait(&mut self) -> Result<Batch<'_>, CudaError> {
        if !self.in_flight {
            return Err(CudaError::Idle);
        }
        self.in_flight = false;
        let waited = self.done.wait();
        self.keeps.clear();
        waited?;
        Ok(Batch { places: &self.places, words: self.memory.results.host.values() })
    }

    /// The input tensors of the last batch: for checks, not for the path of frames.
    ///
    /// # Errors
    /// [`CudaError::InFlight`], [`CudaError::Size`] unless `out` has the bytes of all `batch_max` tensors, or
    /// [`CudaError::Call`].
    pub fn read_input(&self, out: &mut [u8]) -> Result<(), CudaError> {
        if self.in_flight {
            return Err(CudaError::InFlight);
        }
        self.memory.input.read(out)
    }
}

impl<E> Drop for Slot<E> {
    fn drop(&mut self) {
        // Nothing of ours may go while the stream works on it. After a sticky error it does not any more.
        let _ = self.stream.wait();
    }
}
