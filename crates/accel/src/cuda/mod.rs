//! CUDA, found at run time: nothing of it is needed to build.
//!
//! Decoded frames become tensors, and a network's output becomes candidate boxes, without leaving the device:
//!
//! ```text
//! FrameDesc[N] ──► letterbox, look ──► Enqueue (TensorRT) ──► head ──► 25 KiB per image ──► event
//! ```
//!
//! A [`Slot`] owns all of this for one batch in flight, on one stream, as one graph per batch size; two slots keep
//! a GPU busy. Frames are [`DeviceImage`]s, which decoders left on the device, or [`Image`](crate::preprocess::Image)s
//! of the host, which are uploaded. The kernels are `kernels/vigia.cu`, shipped as PTX that any driver from CUDA 12.6
//! on compiles for its GPU; their rules are those of [`preprocess`](crate::preprocess) and of vigia's head decoders.
//!
//! In floors: cudarc's `sys` and `result`, then [`Gpu`], [`DeviceBuffer`], [`Stream`] and the like, which own what they
//! name, then [`Slot`]. Nothing public takes or returns a raw pointer.
//!
//! # What ran where
//! Everything here runs in tests on the double of libcuda (`doubles/cuda`). On a GPU nothing has run yet: `make
//! gpu-check` is what does it. The PTX went through NVIDIA's assembler for sm_75, sm_87 and sm_90 (no spills). The
//! paths that need a Jetson (block-linear arrays) ran on doubles only.
//!
//! # Known limits
//! cudarc names error codes by an enum of CUDA 12.6's header; a code that a newer driver invents has no name there.

mod download;
mod error;
mod gpu;
#[cfg(feature = "surface")]
pub mod gst_memory;
mod image;
mod kernels;
mod layout;
pub mod measure;
mod memory;
pub mod nvbuf;
#[cfg(feature = "surface")]
pub mod nvmm;
mod slot;
mod stream;
mod texture;
mod upload;

pub use download::Download;
pub use error::{Class, CudaError};
pub use gpu::{Gpu, MemoryInfo, Properties};
pub use image::{DeviceFormat, DeviceImage, DeviceImageError, DeviceLayout};
pub use kernels::{HeadFamily, HeadSpec};
pub use layout::{CANDIDATES_MAX, Candidate, LOOK_SAMPLES};
pub use memory::{DeviceBuffer, Pinned, Plain};
pub use slot::{BATCH_MAX, Batch, Enqueue, Frame, OutputSpec, Slot, SlotSpec, Source, Stage, Warm};
pub use stream::{Event, Priority, Stream, Wait};
pub use texture::TextureImage;
