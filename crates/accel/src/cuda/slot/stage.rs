//! What a slot is made for, and the network's place in it.

use std::error::Error;

use cudarc::driver::result;

use crate::cuda::error::{CudaError, While};
use crate::cuda::kernels::HeadSpec;
use crate::cuda::memory::DeviceBuffer;
use crate::cuda::stream::{Stream, Wait};
use crate::preprocess::TensorSpec;

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
    /// 1 to [`BATCH_MAX`](super::BATCH_MAX).
    pub batch_max: usize,
    /// In the order of [`HeadSpec::values`]: what the head reads comes first.
    pub outputs: Vec<OutputSpec>,
    pub head: HeadSpec,
    pub wait: Wait,
}

impl SlotSpec {
    /// Device memory of its tensors; what else a slot has is small.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let TensorSpec { width, height, .. } = self.tensor;
        let values = 3 * (width as usize).saturating_mul(height as usize);
        let input = values.saturating_mul(if self.half { 2 } else { 4 });
        let image = self.outputs.iter().fold(input, |sum, output| sum.saturating_add(output.bytes));
        image.saturating_mul(self.batch_max)
    }
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
    pub(super) stream: &'a Stream,
    pub(super) batch: usize,
    pub(super) input: &'a DeviceBuffer<u8>,
    pub(super) outputs: &'a [DeviceBuffer<u8>],
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
