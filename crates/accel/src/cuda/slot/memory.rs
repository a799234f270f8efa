//! What a slot's stream works on, and in which order.

use std::sync::Arc;

use cudarc::driver::sys;

use super::BATCH_MAX;
use super::batch::{COUNT_WORDS, IMAGE_WORDS, LOOK_WORDS};
use super::stage::{Enqueue, SlotSpec, Stage};
use crate::cuda::error::{CudaError, While};
use crate::cuda::gpu::Gpu;
use crate::cuda::kernels::{HeadFamily, HeadPlaces};
use crate::cuda::layout::{FrameDesc, TensorDesc};
use crate::cuda::memory::{DeviceBuffer, Pinned, Plain};
use crate::cuda::stream::Stream;
use crate::preprocess::Preprocessor;

/// What the stream works on.
#[derive(Debug)]
pub(super) struct Memory {
    pub spec: SlotSpec,
    tensor: TensorDesc,
    pub frames: Shared<FrameDesc>,
    pub input: DeviceBuffer<u8>,
    outputs: Vec<DeviceBuffer<u8>>,
    /// Counts, then candidates.
    pub results: Shared<u32>,
}

/// Host memory that the device works on: where it is, or through a copy.
#[derive(Debug)]
pub(super) struct Shared<T: Plain> {
    pub host: Pinned<T>,
    device: Option<DeviceBuffer<T>>,
}

impl<T: Plain> Shared<T> {
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
    pub fn new(gpu: &Arc<Gpu>, spec: SlotSpec) -> Result<Self, CudaError> {
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
        let words = COUNT_WORDS + max * IMAGE_WORDS;
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
    pub fn enqueue(
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
        let looks = results + COUNT_WORDS as u64 * 4;
        let stride = u32::try_from(4 * IMAGE_WORDS).unwrap_or(u32::MAX);
        // SAFETY: as above; the results begin with the counts and have room for looks and candidates of `batch_max` images.
        unsafe { gpu.kernels().look(stream, frames, results, looks, stride, images) }?;
        network.enqueue(&self.stage(stream, batch)).map_err(CudaError::Enqueue)?;
        let second = if self.spec.head.family == HeadFamily::Logits { self.outputs[1].address() } else { 0 };
        let places = HeadPlaces {
            frames,
            output: self.outputs[0].address(),
            second,
            counts: results,
            candidates: looks + LOOK_WORDS as u64 * 4,
            stride,
        };
        // SAFETY: as for the letterbox; the outputs were checked to be what the head reads.
        unsafe { gpu.kernels().head(stream, &self.spec.head, &self.tensor, &places, images) }?;
        if self.results.device.is_some() {
            let bytes = 4 * (COUNT_WORDS + batch * IMAGE_WORDS);
            // SAFETY: both sides are the slot's and that long; the host's is not touched before the event.
            unsafe { sys::cuMemcpyDtoHAsync_v2(self.results.host.at(), results, bytes, stream.raw()) }
                .while_("copying candidates back")?;
        }
        Ok(())
    }

    pub fn stage<'a>(&'a self, stream: &'a Stream, batch: usize) -> Stage<'a> {
        Stage { stream, batch, input: &self.input, outputs: &self.outputs }
    }
}
