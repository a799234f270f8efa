//! The GPU's side of a connection: from a decoder's buffer to a frame that stays where it is.
//!
//! Nothing is copied: CUDA memory has an address, and Jetson's surfaces are registered with CUDA once each. Those must be
//! let go before the decoder's pool goes, also by frames in flight, so who ends a pipeline calls [`Device::close`] first.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gst_video::VideoInfo;
use parking_lot::Mutex;
use vigia_accel::cuda::Gpu;
use vigia_accel::cuda::gst_memory::GstCuda;
use vigia_accel::cuda::nvmm::Nvmm;

use super::decoder::Memory;
use super::feed::Feed;
use crate::clock;
use crate::frame::Surface;

/// How long a pool's end waits for frames in flight: some batches, or a frame on trial on a processor.
const BACK_WITHIN: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(1);

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

    /// The decoder's pool is about to change: returns when no frame of `feed` holds a surface of it, or those that do are
    /// given up.
    pub fn forget(&self, feed: &Feed) {
        self.with_nvmm(Nvmm::forget);
        // Not locked while waiting: the other thread may be about to read a frame.
        let is_back = || !self.nvmm.lock().as_ref().is_some_and(Nvmm::is_held);
        if !waited_for(feed, is_back) {
            self.with_nvmm(Nvmm::abandon);
        }
    }

    fn with_nvmm(&self, act: fn(&mut Nvmm)) {
        self.nvmm.lock().as_mut().into_iter().for_each(act);
    }

    /// The decoder's pool is about to go, as with [`Self::forget`]; no frame can be read any more.
    pub fn close(&self, feed: &Feed) {
        let Some(mut nvmm) = self.nvmm.lock().take() else { return };
        nvmm.forget();
        if !waited_for(feed, || !nvmm.is_held()) {
            nvmm.abandon();
        }
    }
}

/// Whether the frames in flight came back in time. One that nobody has taken yet is taken back.
fn waited_for(feed: &Feed, is_back: impl Fn() -> bool) -> bool {
    let until = clock::now().after(BACK_WITHIN);
    while !is_back() {
        let left = until.since(clock::now());
        if left < BACK_WITHIN / 2 {
            // Whoever takes frames does nothing.
            feed.withdraw();
        }
        if left.is_zero() && !is_back() {
            let source_id = feed.source_id();
            tracing::warn!(
                component = "camera",
                event = "surfaces_abandoned",
                source_id,
                "frames in flight outlive their decoder: what CUDA holds of them is not given back before the end"
            );
            return false;
        }
        let _ = crossbeam_channel::after(LOOK_EVERY).recv();
    }
    true
}

/// GStreamer's CUDA library with the context of this GPU, of which a process opens one.
fn cuda(gpu: &Arc<Gpu>) -> Result<Arc<GstCuda>, String> {
    static CUDA: OnceLock<Result<Arc<GstCuda>, String>> = OnceLock::new();
    CUDA.get_or_init(|| GstCuda::new(gpu).map(Arc::new).map_err(|e| e.to_string())).clone()
}
