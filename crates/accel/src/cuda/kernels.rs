//! The kernels, as PTX that the driver compiles, and how they are launched.

use std::ffi::{CString, c_void};
use std::sync::Arc;

use cudarc::driver::{CudaContext, result, sys};

use super::error::{CudaError, While};
use super::layout::{CANDIDATES_MAX, HeadDesc, LOOK_SAMPLES, TensorDesc};
use super::stream::Stream;

/// Made by `kernels/make_ptx.py`; `tests/cuda_ptx.rs` compares.
const PTX: &str = include_str!("../../kernels/vigia.ptx");

/// 64 x 16 pixels: each thread makes four in a row, twice.
const LETTERBOX_BLOCK: (u32, u32, u32) = (16, 8, 1);
const LETTERBOX_TILE: (u32, u32) = (64, 16);
const HEAD_BLOCK: u32 = 128;

/// How a network lays out what it found; the table is in `vigia-core`, `detection/head.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFamily {
    /// `[N, 4+C, A]`: YOLOv8, v9, v11.
    Columns = 0,
    /// `[N, A, 5+C]`: YOLOv5, v7.
    Rows = 1,
    /// `[N, A, 5+C]`, offsets from a grid: YOLOX.
    Grid = 2,
    /// `[N, A, 6]`: end to end.
    Corners = 3,
    /// `[N, A, 4+C]`, 0..1: RT-DETR in one output.
    Queries = 4,
    /// `[N, A, C]` and `[N, A, 4]`, 0..1: RT-DETR in two outputs, logits first.
    Logits = 5,
}

/// A network's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadSpec {
    pub family: HeadFamily,
    pub classes: u32,
    /// Or cells, or queries: how many boxes there may be.
    pub anchors: u32,
    /// Whether values are 16-bit floats.
    pub half: bool,
}

impl HeadSpec {
    /// Values per image of each output, in the order of the kernel's parameters.
    #[must_use]
    pub fn values(&self) -> Vec<usize> {
        let (classes, anchors) = (self.classes as usize, self.anchors as usize);
        match self.family {
            HeadFamily::Columns | HeadFamily::Queries => vec![(4 + classes) * anchors],
            HeadFamily::Rows | HeadFamily::Grid => vec![(5 + classes) * anchors],
            HeadFamily::Corners => vec![6 * anchors],
            HeadFamily::Logits => vec![classes * anchors, 4 * anchors],
        }
    }

    #[must_use]
    pub fn value_bytes(&self) -> usize {
        if self.half { 2 } else { 4 }
    }
}

/// Device addresses of what the head's kernel reads and writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadPlaces {
    pub frames: u64,
    pub output: u64,
    /// Null for all families with one output.
    pub second: u64,
    pub counts: u64,
    pub candidates: u64,
    /// Bytes from one image's candidates to the next one's.
    pub stride: u32,
}

#[derive(Debug)]
pub(super) struct Kernels {
    context: Arc<CudaContext>,
    module: sys::CUmodule,
    letterbox: sys::CUfunction,
    look: sys::CUfunction,
    head_f32: sys::CUfunction,
    head_f16: sys::CUfunction,
}

// SAFETY: modules and functions may be used from any thread; the driver locks.
unsafe impl Send for Kernels {}
// SAFETY: as above.
unsafe impl Sync for Kernels {}

impl Kernels {
    /// The thread must have the context.
    pub fn load(context: &Arc<CudaContext>) -> Result<Self, CudaError> {
        let nul = || CudaError::Size { what: "NUL bytes in the kernels' text", expected: 0, given: 1 };
        let text = CString::new(PTX).map_err(|_| nul())?;
        // SAFETY: PTX is a text that ends with NUL; the driver copies what it needs.
        let module = unsafe { result::module::load_data(text.as_ptr().cast()) };
        let module = module.while_("compiling the kernels for this GPU")?;
        let kernel = |name: &str| {
            let name = CString::new(name).map_err(|_| nul())?;
            // SAFETY: the module was just loaded.
            unsafe { result::module::get_function(module, name) }.while_("finding a kernel")
        };
        let kernels =
            || Ok([kernel("letterbox")?, kernel("look")?, kernel("head_f32")?, kernel("head_f16")?]);
        let [letterbox, look, head_f32, head_f16] = kernels().inspect_err(|_: &CudaError| {
            // SAFETY: nobody has anything of the module.
            context.record_err(unsafe { result::module::unload(module) });
        })?;
        Ok(Kernels { context: context.clone(), module, letterbox, look, head_f32, head_f16 })
    }

    /// # Safety
    /// `frames` leads to `batch` descriptors of readable images, and `out` to room for `batch` tensors, until the stream
    /// has come by.
    pub unsafe fn letterbox(
        &self,
        stream: &Stream,
        tensor: &TensorDesc,
        frames: u64,
        out: u64,
        batch: u32,
    ) -> Result<(), CudaError> {
        let (x, y) = LETTERBOX_TILE;
        let grid = (tensor.width.div_ceil(x), tensor.height.div_ceil(y), batch);
        let mut args = [argument(tensor), argument(&frames), argument(&out)];
        // SAFETY: the arguments are those of the kernel, with the sizes that layout.rs asserts; the driver copies them.
        // The caller vouches for the memory.
        unsafe { result::launch_kernel(self.letterbox, grid, LETTERBOX_BLOCK, 0, stream.raw(), &mut args) }
            .while_("launching the pre-processing")
    }

    /// # Safety
    /// `frames` leads to `batch` descriptors of readable images, `counts` to as many words, which become zero, and `out` to
    /// room for their samples, `stride` bytes apart, until the stream has come by.
    pub unsafe fn look(
        &self,
        stream: &Stream,
        frames: u64,
        counts: u64,
        out: u64,
        stride: u32,
        batch: u32,
    ) -> Result<(), CudaError> {
        let samples = u32::try_from(LOOK_SAMPLES).unwrap_or(u32::MAX);
        let grid = (samples.div_ceil(HEAD_BLOCK), batch, 1);
        let mut args = [argument(&frames), argument(&counts), argument(&out), argument(&stride)];
        // SAFETY: as in `letterbox`.
        unsafe { result::launch_kernel(self.look, grid, (HEAD_BLOCK, 1, 1), 0, stream.raw(), &mut args) }
            .while_("launching the look")
    }

    /// # Safety
    /// The places lead to `batch` descriptors, the network's outputs and room for the results of `batch` images, until the
    /// stream has come by.
    pub unsafe fn head(
        &self,
        stream: &Stream,
        spec: &HeadSpec,
        tensor: &TensorDesc,
        places: &HeadPlaces,
        batch: u32,
    ) -> Result<(), CudaError> {
        let desc = HeadDesc {
            family: spec.family as u32,
            classes: spec.classes,
            anchors: spec.anchors,
            width: tensor.width,
            height: tensor.height,
            candidates_max: u32::try_from(CANDIDATES_MAX).unwrap_or(u32::MAX),
            stride: places.stride,
        };
        let grid = (spec.anchors.div_ceil(HEAD_BLOCK), batch, 1);
        let mut args = [
            argument(&desc),
            argument(&places.frames),
            argument(&places.output),
            argument(&places.second),
            argument(&places.counts),
            argument(&places.candidates),
        ];
        let kernel = if spec.half { self.head_f16 } else { self.head_f32 };
        // SAFETY: as in `letterbox`.
        unsafe { result::launch_kernel(kernel, grid, (HEAD_BLOCK, 1, 1), 0, stream.raw(), &mut args) }
            .while_("launching the head")
    }
}

fn argument<T>(value: &T) -> *mut c_void {
    std::ptr::from_ref(value).cast_mut().cast()
}

impl Drop for Kernels {
    fn drop(&mut self) {
        let context = &self.context;
        // SAFETY: the module is ours; slots, which launch its kernels, hold the GPU and so have gone before.
        let gone = context.bind_to_thread().and_then(|()| unsafe { result::module::unload(self.module) });
        context.record_err(gone);
    }
}
