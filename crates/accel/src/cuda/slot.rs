//! One batch in flight: descriptors, tensor, network, head and results, on one stream.
//!
//! ```text
//! begin: [uploads] ─► graph: descriptors ─► letterbox ─► Enqueue ─► head ─► results ─► event        wait: the event
//! ```
//!
//! Everything is allocated by [`Slot::new`]; a frame allocates nothing, and nothing waits but [`Slot::wait`]. On a GPU
//! that shares the host's memory descriptors and results are not copied: the kernels reach them where they are.

use std::error::Error;
use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::error::{Class, CudaError, While};
use super::gpu::Gpu;
use super::image::{DeviceImage, Keep};
use super::kernels::{HeadPlaces, HeadSpec};
use super::layout::{CANDIDATES_MAX, Candidate, FrameDesc, TensorDesc};
use super::memory::{DeviceBuffer, Pinned};
use super::stream::{Event, Graph, Priority, Stream, Wait};
use super::upload::Upload;
use crate::preprocess::{Image, Letterbox, Preprocessor, TensorSpec};

/// Largest batch.
pub const BATCH_MAX: usize = 64;
/// The candidates begin here; before them is a count for each image.
const COUNT_WORDS: usize = BATCH_MAX;
const CANDIDATE_WORDS: usize = size_of::<Candidate>() / 4;

/// An output of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSpec {
    /// Of one image.
    pub bytes: usize,
}

/// What a slot is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotSpec {
    pub tensor: TensorSpec,
    /// Whether the network's input is of 16-bit floats.
    pub half: bool,
    /// 1 to [`BATCH_MAX`].
    pub batch_max: usize,
    /// In the order of [`HeadSpec::values`]: what the head reads comes first.
    pub outputs: Vec<OutputSpec>,
    pub head: HeadSpec,
    pub wait: Wait,
}

/// The network, as a slot sees it.
pub trait Enqueue: Send {
    /// Makes ready for batches of this size. May allocate and wait.
    ///
    /// # Errors
    /// Why it can't be.
    fn prepare(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Puts the network on the stage's stream: it reads the input and writes the outputs. May be captured, so it must
    /// neither allocate nor wait.
    ///
    /// # Errors
    /// Why it can't be.
    fn enqueue(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Where the network works.
#[derive(Debug)]
pub struct Stage<'a> {
    stream: &'a Stream,
    batch: usize,
    input: &'a DeviceBuffer<u8>,
    outputs: &'a [DeviceBuffer<u8>],
}

impl Stage<'_> {
    /// Images in the batch.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// `[batch_max, 3, height, width]`.
    #[must_use]
    pub fn input(&self) -> &DeviceBuffer<u8> {
        self.input
    }

    #[must_use]
    pub fn outputs(&self) -> &[DeviceBuffer<u8>] {
        self.outputs
    }

    #[must_use]
    pub fn stream(&self) -> &Stream {
        self.stream
    }

    /// Stands in for a network: an output becomes a copy of the beginning of `from`, which must live as long as the slot.
    ///
    /// # Errors
    /// [`CudaError::Size`] if there is no such output or `from` is too short, or [`CudaError::Call`].
    pub fn copy_to_output(
        &self,
        output: usize,
        bytes: usize,
        from: &DeviceBuffer<u8>,
    ) -> Result<(), CudaError> {
        let room = self.outputs.get(output).map_or(0, DeviceBuffer::bytes);
        if bytes > room || bytes > from.bytes() {
            return Err(CudaError::Size {
                what: "bytes of an output",
                expected: bytes,
                given: room.min(from.bytes()),
            });
        }
        // SAFETY: both sides have the bytes, and live as long as the slot: ours by owning them, `from` by the promise above,
        // and a device address that is no more is an error of the device, not of this program.
        unsafe {
            result::memcpy_dtod_async(
                self.outputs[output].address(),
                from.address(),
                bytes,
                self.stream.raw(),
            )
        }
        .while_("copying an output")
    }
}

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

/// What the stream works on.
#[derive(Debug)]
struct Memory {
    spec: SlotSpec,
    tensor: TensorDesc,
    frames: Shared<FrameDesc>,
    input: DeviceBuffer<u8>,
    outputs: Vec<DeviceBuffer<u8>>,
    /// Counts, then candidates.
    results: Shared<u32>,
}

/// Host memory that the device works on: where it is, or through a copy.
#[derive(Debug)]
struct Shared<T: super::memory::Plain> {
    host: Pinned<T>,
    device: Option<DeviceBuffer<T>>,
}

impl<T: super::memory::Plain> Shared<T> {
    fn new(gpu: &Arc<Gpu>, len: usize, what: &'static str) -> Result<Self, CudaError> {
        let apart = !gpu.properties().integrated;
        let device = apart.then(|| DeviceBuffer::new(gpu, len, what)).transpose()?;
        Ok(Shared { host: Pinned::new(gpu, len)?, device })
    }

    fn address(&self) -> u64 {
        self.device.as_ref().map_or_else(|| self.host.address(), DeviceBuffer::address)
    }
}

impl Memory {
    fn new(gpu: &Arc<Gpu>, spec: SlotSpec) -> Result<Self, CudaError> {
        // Refuses what the CPU's pre-processing refuses, in its words.
        let values = Preprocessor::portable(spec.tensor)?.out_len();
        let max = spec.batch_max;
        if !(1..=BATCH_MAX).contains(&max) {
            return Err(CudaError::BatchSize { given: max, max: BATCH_MAX });
        }
        let read = spec.head.values();
        for (at, values) in read.iter().enumerate() {
            let expected = values * spec.head.value_bytes();
            let given = spec.outputs.get(at).map_or(0, |o| o.bytes);
            if given != expected {
                return Err(CudaError::Size { what: "bytes of an output for the head", expected, given });
            }
        }
        let outputs = spec.outputs.iter().map(|o| DeviceBuffer::new(gpu, o.bytes * max, "an output"));
        let words = COUNT_WORDS + max * CANDIDATES_MAX * CANDIDATE_WORDS;
        Ok(Memory {
            tensor: TensorDesc::new(&spec.tensor, spec.half),
            frames: Shared::new(gpu, max, "frame descriptors")?,
            input: DeviceBuffer::new(gpu, values * max * if spec.half { 2 } else { 4 }, "input tensors")?,
            outputs: outputs.collect::<Result<_, _>>()?,
            results: Shared::new(gpu, words, "candidates")?,
            spec,
        })
    }

    /// Everything between the frames and the event.
    fn enqueue(
        &self,
        gpu: &Gpu,
        stream: &Stream,
        network: &mut impl Enqueue,
        batch: usize,
    ) -> Result<(), CudaError> {
        let images = u32::try_from(batch).unwrap_or(u32::MAX);
        let (frames, results) = (self.frames.address(), self.results.address());
        if self.frames.device.is_some() {
            let (from, bytes) = (self.frames.host.at(), batch * size_of::<FrameDesc>());
            // SAFETY: both sides are the slot's and that long; the host's is not touched before the event.
            unsafe { sys::cuMemcpyHtoDAsync_v2(frames, from, bytes, stream.raw()) }
                .while_("copying descriptors")?;
        }
        // SAFETY: the slot owns descriptors and tensors of `batch_max` images and keeps the frames; the stream orders.
        unsafe { gpu.kernels().letterbox(stream, &self.tensor, frames, self.input.address(), images) }?;
        network.enqueue(&self.stage(stream, batch)).map_err(CudaError::Enqueue)?;
        let candidates = results + COUNT_WORDS as u64 * 4;
        // SAFETY: the counts are the first words of the results.
        unsafe { result::memset_d8_async(results, 0, batch * 4, stream.raw()) }.while_("clearing counts")?;
        let second = if self.spec.head.values().len() > 1 { self.outputs[1].address() } else { 0 };
        let places =
            HeadPlaces { frames, output: self.outputs[0].address(), second, counts: results, candidates };
        // SAFETY: as for the letterbox; the outputs were checked to be what the head reads.
        unsafe { gpu.kernels().head(stream, &self.spec.head, &self.tensor, &places, images) }?;
        if self.results.device.is_some() {
            let bytes = 4 * (COUNT_WORDS + batch * CANDIDATES_MAX * CANDIDATE_WORDS);
            // SAFETY: both sides are the slot's and that long; the host's is not touched before the event.
            unsafe { sys::cuMemcpyDtoHAsync_v2(self.results.host.at(), results, bytes, stream.raw()) }
                .while_("copying candidates back")?;
        }
        Ok(())
    }

    fn stage<'a>(&'a self, stream: &'a Stream, batch: usize) -> Stage<'a> {
        Stage { stream, batch, input: &self.input, outputs: &self.outputs }
    }
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

/// What a batch gave.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    places: &'a [Letterbox],
    words: &'a [u32],
}

impl<'a> Batch<'a> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a frame lies in its tensor.
    #[must_use]
    pub fn letterbox(&self, image: usize) -> Letterbox {
        self.places[image]
    }

    /// The candidates of an image, in no order.
    #[must_use]
    pub fn candidates(&self, image: usize) -> &'a [Candidate] {
        assert!(image < self.places.len(), "an image of the batch");
        let kept = (self.words[image] as usize).min(CANDIDATES_MAX);
        let first = COUNT_WORDS + image * CANDIDATES_MAX * CANDIDATE_WORDS;
        let words = &self.words[first..first + kept * CANDIDATE_WORDS];
        // SAFETY: a candidate is six words without padding, any bits are one, and the slice is that many.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), kept) }
    }

    /// Candidates of an image that did not fit. Which ones stayed is chance then: the threshold is too low, or the model
    /// broken.
    #[must_use]
    pub fn overflow(&self, image: usize) -> usize {
        assert!(image < self.places.len(), "an image of the batch");
        (self.words[image] as usize).saturating_sub(CANDIDATES_MAX)
    }
}
