//! What travels from a camera to the detector.

use std::sync::Arc;

use gst_video::VideoInfo;
use vigia_accel::cuda::{DeviceImage, Gpu};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

/// One decoded picture. Holding it, or a clone of it, holds a buffer of the decoder's pool: let go
/// early.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Room or camera number, bound to the stream for life.
    pub source_id: u32,
    /// Pictures this stream's decoder gave so far, from 0.
    pub picture: u64,
    /// When the frame was captured, by the wall clock.
    pub captured: Utc,
    /// The same instant on the monotonic clock.
    pub captured_at: Instant,
    /// Presentation time in the source, in milliseconds.
    pub pts_ms: f64,
    pub surface: Surface,
}

/// Where the pixels are.
#[derive(Debug, Clone)]
pub enum Surface {
    /// Host memory, planar or semi-planar YUV.
    System { buffer: gst::Buffer, info: VideoInfo },
    /// Memory of this GPU, as its decoder left it.
    Device { image: DeviceImage, gpu: Arc<Gpu> },
}

/// Where an engine wants its frames. Decoders leave them there if they can; what lies elsewhere is copied.
#[derive(Debug, Clone, Default)]
pub enum Place {
    #[default]
    Host,
    Device(Arc<Gpu>),
}

impl Place {
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Host, Self::Host) => true,
            (Self::Device(one), Self::Device(other)) => Arc::ptr_eq(one, other),
            (Self::Host, Self::Device(_)) | (Self::Device(_), Self::Host) => false,
        }
    }
}
