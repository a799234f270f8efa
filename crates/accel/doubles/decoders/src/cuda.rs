//! CUDA memory of GStreamer's own library, as its NVDEC elements hand it out.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use gst::glib;
use gst::glib::translate::from_glib_full;
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoFrameRef, VideoInfo, VideoMeta};

use crate::driver::{Driver, library, symbol};
use crate::place::rows;

/// The type of context that carries GStreamer's CUDA context, and its field.
pub const CONTEXT: &str = "gst.cuda.context";
const MAP_CUDA: gst::ffi::GstMapFlags = gst::ffi::GST_MAP_FLAG_LAST << 1;
/// Most frames that may be out at once.
const BUFFERS_MAX: u32 = 8;

/// A decoder's pool.
#[derive(Debug, Clone)]
pub struct Pool(gst::BufferPool);

impl Pool {
    /// For pictures of `info`, in the context that was shared; `caps` say that it is CUDA memory.
    pub fn new(context: &gst::Context, caps: &gst::Caps, info: &VideoInfo) -> Option<Self> {
        let context = context.structure().get::<glib::Object>(CONTEXT).ok()?;
        let library = library("libgstcuda-1.0.so.0")?;
        // SAFETY: these are the signatures of gstcudamemory.h and gstcudabufferpool.h; the pool is ours.
        let pool: gst::BufferPool = unsafe {
            symbol::<unsafe extern "C" fn()>(library, c"gst_cuda_memory_init_once")?();
            type New = unsafe extern "C" fn(*mut c_void) -> *mut gst::ffi::GstBufferPool;
            let new: New = symbol(library, c"gst_cuda_buffer_pool_new")?;
            from_glib_full(new(context.as_ptr().cast()))
        };
        let mut config = pool.config();
        config.set_params(Some(caps), u32::try_from(info.size()).ok()?, 2, BUFFERS_MAX);
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META.as_str());
        pool.set_config(config).ok()?;
        pool.set_active(true).ok()?;
        Some(Pool(pool))
    }

    /// Another decoder thread may wait for a buffer; then it gets none.
    pub fn close(&self) {
        let _ = self.0.set_active(false);
    }

    pub fn place(
        &self,
        driver: &Driver,
        frame: &VideoFrameRef<&gst::BufferRef>,
    ) -> Result<gst::Buffer, gst::FlowError> {
        let buffer = self.0.acquire_buffer(None)?;
        let meta = buffer.meta::<VideoMeta>().ok_or(gst::FlowError::Error)?;
        let address = map(&buffer).ok_or(gst::FlowError::Error)?;
        for plane in 0..frame.n_planes() {
            let at = plane as usize;
            let pitch = usize::try_from(meta.stride()[at]).map_err(|_| gst::FlowError::Error)?;
            driver
                .write(address + meta.offset()[at] as u64, pitch, &rows(frame, plane))
                .ok_or(gst::FlowError::Error)?;
        }
        Ok(buffer)
    }
}

/// Where the buffer lies on the device; the host's copy of it is out of date from now on.
fn map(buffer: &gst::Buffer) -> Option<u64> {
    let mut info = MaybeUninit::uninit();
    // SAFETY: the memory lives as long as its buffer, which nobody else has yet; `info` is read after it was written and
    // unmapped once. What is at the address is the device's and stays.
    unsafe {
        let memory = buffer.peek_memory(0).as_mut_ptr();
        if gst::ffi::gst_memory_map(memory, info.as_mut_ptr(), gst::ffi::GST_MAP_WRITE | MAP_CUDA) == 0 {
            return None;
        }
        let address = (*info.as_ptr()).data as u64;
        gst::ffi::gst_memory_unmap(memory, info.as_mut_ptr());
        Some(address)
    }
}
