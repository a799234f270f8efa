//! Frames in CUDA memory of GStreamer's NVDEC elements (`video/x-raw(memory:CUDAMemory)`).
//!
//! `libgstcuda-1.0.so.0` is found at run time; no binding to it exists. By itself it makes a context of its own, whose
//! addresses mean nothing in ours, so decoders are given ours ([`GstCuda::context`]). Mapping system memory for CUDA
//! "works" and gives a host address, so memory is asked what it is first.
//!
//! Ran with Debian's libgstcuda 1.22 on the double of libcuda; the three symbols of 1.24 (its frames may still be being
//! written) have not run anywhere yet.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use gst_video::{VideoFormat, VideoInfo, VideoMeta};
use libloading::{Library, Symbol};
use thiserror::Error;

use super::gpu::Gpu;
use super::image::{DeviceFormat, DeviceImage, DeviceImageError, DeviceLayout, Keep, RawStream};
use crate::colours::colours;

const LIBRARY: &str = "libgstcuda-1.0.so.0";
/// `GST_MAP_CUDA`: of libgstcuda's header, `GST_MAP_FLAG_LAST << 1`.
const MAP_CUDA: gst::ffi::GstMapFlags = gst::ffi::GST_MAP_FLAG_LAST << 1;

/// Why a frame is not one of CUDA memory.
#[derive(Debug, Error)]
pub enum GstCudaError {
    #[error("{LIBRARY} can't be loaded: {0}")]
    Library(#[source] libloading::Error),
    #[error("{LIBRARY} has no symbol {name}; GStreamer 1.22 or newer is expected")]
    Symbol { name: &'static str, source: libloading::Error },
    #[error("{LIBRARY} finds no driver that it can use")]
    Driver,
    #[error("{LIBRARY} does not take our context")]
    Context,
    #[error("the frame is not in CUDA memory")]
    NotCuda,
    #[error("the frame has {0} memories; one is expected")]
    Memories(usize),
    #[error("the frame does not say where its planes are (GstVideoMeta)")]
    NoMeta,
    #[error("the picture format {0} is not supported")]
    Format(String),
    #[error("the frame can't be mapped for CUDA")]
    Map,
    #[error("the frame is not whole: {0}")]
    Image(#[from] DeviceImageError),
}

type IsCuda = unsafe extern "C" fn(*mut gst::ffi::GstMemory) -> gst::glib::ffi::gboolean;
type GetStream = unsafe extern "C" fn(*mut gst::ffi::GstMemory) -> *mut c_void;
type StreamHandle = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// GStreamer's CUDA library, with our context.
pub struct GstCuda {
    context: gst::Context,
    is_cuda_memory: IsCuda,
    /// From 1.24 on.
    streams: Option<(GetStream, StreamHandle)>,
    // The context it wraps.
    _gpu: Arc<Gpu>,
}

impl fmt::Debug for GstCuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GstCuda").field("has_streams", &self.streams.is_some()).finish_non_exhaustive()
    }
}

impl GstCuda {
    /// Loads the library, once for the life of the process, and shares the GPU's primary context with it. GStreamer must
    /// be initialised.
    ///
    /// # Errors
    /// [`GstCudaError`] in one sentence.
    pub fn new(gpu: &Arc<Gpu>) -> Result<Self, GstCudaError> {
        // SAFETY: a library of GStreamer's; its initialisers register types, which is safe at any time.
        let library = unsafe { Library::new(LIBRARY) }.map_err(GstCudaError::Library)?;
        // Types that it has registered stay registered, so it must stay, too.
        let library: &'static Library = Box::leak(Box::new(library));
        // SAFETY: these are the signatures of gst/cuda/gstcuda.h, from 1.22 to 1.28.
        unsafe {
            let load: Symbol<'_, unsafe extern "C" fn() -> i32> = symbol(library, "gst_cuda_load_library")?;
            let wrap: Symbol<'_, unsafe extern "C" fn(*mut c_void, i32) -> *mut c_void> =
                symbol(library, "gst_cuda_context_new_wrapped")?;
            let new_context: Symbol<'_, unsafe extern "C" fn(*mut c_void) -> *mut gst::ffi::GstContext> =
                symbol(library, "gst_context_new_cuda_context")?;
            let is_cuda_memory = *symbol::<IsCuda>(library, "gst_is_cuda_memory")?;
            if load() == 0 {
                return Err(GstCudaError::Driver);
            }
            let wrapped = wrap(gpu.context().cu_ctx().cast(), gpu.context().cu_device());
            if wrapped.is_null() {
                return Err(GstCudaError::Context);
            }
            // Takes a reference of its own; ours goes.
            let context = new_context(wrapped);
            gst::glib::gobject_ffi::g_object_unref(wrapped.cast());
            if context.is_null() {
                return Err(GstCudaError::Context);
            }
            let context = gst::glib::translate::from_glib_full(context);
            let get_stream = library.get::<GetStream>(c"gst_cuda_memory_get_stream");
            let handle = library.get::<StreamHandle>(c"gst_cuda_stream_get_handle");
            let streams = get_stream.ok().zip(handle.ok()).map(|(get, handle)| (*get, *handle));
            Ok(GstCuda { context, is_cuda_memory, streams, _gpu: gpu.clone() })
        }
    }

    /// What a pipeline must be given before it leaves NULL, and as the answer to `NEED_CONTEXT` for `gst.cuda.context`.
    #[must_use]
    pub fn context(&self) -> &gst::Context {
        &self.context
    }

    /// Whether a frame is in CUDA memory; if not it is for the CPU.
    #[must_use]
    pub fn is_cuda(&self, buffer: &gst::BufferRef) -> bool {
        // SAFETY: the function only looks at the memory's allocator.
        buffer.n_memory() == 1 && unsafe { (self.is_cuda_memory)(buffer.peek_memory(0).as_mut_ptr()) } != 0
    }

    /// The frame, without a copy. Holds a reference to the buffer. `info` says what the colours mean; where the planes are
    /// the buffer says.
    ///
    /// # Errors
    /// [`GstCudaError`] in one sentence.
    pub fn image(&self, buffer: &gst::Buffer, info: &VideoInfo) -> Result<DeviceImage, GstCudaError> {
        if buffer.n_memory() != 1 {
            return Err(GstCudaError::Memories(buffer.n_memory()));
        }
        if !self.is_cuda(buffer) {
            return Err(GstCudaError::NotCuda);
        }
        let meta = buffer.meta::<VideoMeta>().ok_or(GstCudaError::NoMeta)?;
        let layout = layout(&meta, info)?;
        layout.check(buffer.size())?;
        let memory = buffer.peek_memory(0).as_mut_ptr();
        let address = map(memory).ok_or(GstCudaError::Map)?;
        // SAFETY: the address is that of the memory, which has `size` bytes as the layout was checked against, and lives as
        // long as the buffer, which is kept. Nobody writes a buffer that we hold.
        let image = unsafe { DeviceImage::from_address(layout, address, Keep::Gst(buffer.clone())) };
        let Some((get_stream, handle)) = self.streams else { return Ok(image) };
        // SAFETY: the memory is CUDA memory, as asked above; its stream belongs to it and lives as long.
        let stream = unsafe { get_stream(memory) };
        if stream.is_null() {
            return Ok(image);
        }
        // SAFETY: as above.
        let stream = unsafe { handle(stream) };
        Ok(image.after_theirs(RawStream(stream.cast())))
    }
}

/// # Safety
/// `T` is the symbol's type.
unsafe fn symbol<'a, T>(library: &'a Library, name: &'static str) -> Result<Symbol<'a, T>, GstCudaError> {
    // SAFETY: the caller's promise.
    unsafe { library.get(name) }.map_err(|source| GstCudaError::Symbol { name, source })
}

/// Where CUDA memory lies on the device. Mapping also brings there what somebody wrote on the host.
fn map(memory: *mut gst::ffi::GstMemory) -> Option<u64> {
    let mut info = std::mem::MaybeUninit::uninit();
    // SAFETY: the memory is alive, since its buffer is; `info` is written before it is read, and unmapped once. The address
    // is not read here, and stays the memory's after that.
    unsafe {
        if gst::ffi::gst_memory_map(memory, info.as_mut_ptr(), gst::ffi::GST_MAP_READ | MAP_CUDA) == 0 {
            return None;
        }
        let address = (*info.as_ptr()).data as u64;
        gst::ffi::gst_memory_unmap(memory, info.as_mut_ptr());
        (address != 0).then_some(address)
    }
}

fn layout(meta: &VideoMeta, info: &VideoInfo) -> Result<DeviceLayout, GstCudaError> {
    let format = match meta.format() {
        VideoFormat::Nv12 => DeviceFormat::Nv12,
        VideoFormat::P01010le => DeviceFormat::P010,
        VideoFormat::I420 => DeviceFormat::I420,
        VideoFormat::Y42b => DeviceFormat::Y42b,
        VideoFormat::Y444 => DeviceFormat::Y444,
        VideoFormat::Gray8 => DeviceFormat::Gray8,
        VideoFormat::Rgbx | VideoFormat::Rgba => DeviceFormat::Rgbx,
        VideoFormat::Bgrx | VideoFormat::Bgra => DeviceFormat::Bgrx,
        other => return Err(GstCudaError::Format(other.to_string())),
    };
    let (mut offsets, mut pitches) = ([0; 3], [0; 3]);
    for plane in 0..format.planes() {
        offsets[plane] = *meta.offset().get(plane).ok_or(GstCudaError::NoMeta)?;
        let stride = *meta.stride().get(plane).ok_or(GstCudaError::NoMeta)?;
        // A negative stride would be a picture upside down; no decoder gives one.
        pitches[plane] = usize::try_from(stride).map_err(|_| GstCudaError::NoMeta)?;
    }
    let (matrix, range) = colours(info);
    Ok(DeviceLayout { format, width: meta.width(), height: meta.height(), matrix, range, offsets, pitches })
}
