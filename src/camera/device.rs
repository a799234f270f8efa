//! The GPU's side of a connection: from a decoder's buffer to a frame that stays where it is.
//!
//! Nothing is copied: CUDA memory has an address, and Jetson's surfaces are registered with CUDA once each. Those must be
//! let go before the decoder's pool goes, so who ends a pipeline calls [`Device::close`] first.

use std::sync::{Arc, OnceLock};

use gst_video::VideoInfo;
use parking_lot::Mutex;
use vigia_accel::cuda::Gpu;
use vigia_accel::cuda::gst_memory::GstCuda;
use vigia_accel::cuda::nvmm::Nvmm;

use super::decoder::Memory;
use crate::frame::Surface;

/// Frames of one connection on their way.
#[derive(Debug)]
pub struct Device {
    gpu: Arc<Gpu>,
    cuda: Result<Arc<GstCuda>, String>,
    /// Nothing once the connection ends.
    nvmm: Mutex<Option<Nvmm>>,
    refused: Mutex<Option<String>>,
}

impl Device {
    #[must_use]
    pub fn new(gpu: &Arc<Gpu>) -> Self {
        let nvmm = Mutex::new(Some(Nvmm::new(gpu)));
        Self { gpu: gpu.clone(), cuda: cuda(gpu), nvmm, refused: Mutex::default() }
    }

    /// What elements and pipelines must be given before they leave NULL, so that their memory is in our context.
    ///
    /// # Errors
    /// Why GStreamer can't share it.
    pub fn context(&self) -> Result<&gst::Context, &str> {
        self.cuda.as_ref().map(|cuda| cuda.context()).map_err(String::as_str)
    }

    /// The frame in a buffer of this memory. Nothing if it can't be read, which [`Self::refused`] tells from then on, or
    /// once it was closed.
    pub fn surface(&self, memory: Memory, buffer: &gst::Buffer, info: &VideoInfo) -> Option<Surface> {
        let image = match (memory, &self.cuda) {
            (Memory::Nvmm, _) => self.nvmm.lock().as_mut()?.image(buffer).map_err(|e| e.to_string()),
            (_, Ok(cuda)) => cuda.image(buffer, info).map_err(|e| e.to_string()),
            (_, Err(why)) => Err(why.clone()),
        };
        match image {
            Ok(image) => Some(Surface::Device { image, gpu: self.gpu.clone() }),
            Err(why) => {
                self.refused.lock().get_or_insert(why);
                None
            }
        }
    }

    /// Why its frames can't be read where they are.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.refused.lock().clone()
    }

    /// The decoder's pool is about to change. Frames in flight keep what they need.
    pub fn forget(&self) {
        if let Some(nvmm) = self.nvmm.lock().as_mut() {
            nvmm.forget();
        }
    }

    /// The decoder's pool is about to go.
    pub fn close(&self) {
        drop(self.nvmm.lock().take());
    }
}

/// GStreamer's CUDA library with the context of this GPU, of which a process opens one.
fn cuda(gpu: &Arc<Gpu>) -> Result<Arc<GstCuda>, String> {
    static CUDA: OnceLock<Result<Arc<GstCuda>, String>> = OnceLock::new();
    CUDA.get_or_init(|| GstCuda::new(gpu).map(Arc::new).map_err(|e| e.to_string())).clone()
}
