//! From a frame's surface to the image that the pre-processing reads. Nothing is copied, but for an engine on the processor
//! whose frames are still left on the device.

use std::sync::atomic::{AtomicBool, Ordering};

use gst_video::prelude::*;
use gst_video::{VideoFormat, VideoFrameRef};
use thiserror::Error;
use vigia_accel::colours::colours;
use vigia_accel::cuda::{CudaError, DeviceImage, Download, Source};
use vigia_accel::preprocess::{Image, ImageError, PixelFormat, Range};

use super::FrameError;
use crate::frame::Surface;

/// Why a surface can't be read.
#[derive(Debug, Error)]
pub enum SurfaceError {
    #[error("the picture format {0} is not supported")]
    Format(String),
    #[error("the picture can't be mapped")]
    Map,
    #[error("the picture is not whole: {0}")]
    Image(#[from] ImageError),
    #[error("the picture can't be brought to the host: {0}")]
    Download(#[from] CudaError),
}

/// A surface whose pixels can be read.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack, for a batch; a box would be made per frame"
)]
pub(super) enum Mapped<'a> {
    Host { frame: VideoFrameRef<&'a gst::BufferRef>, format: PixelFormat },
    Device(&'a DeviceImage),
}

/// Its pixels.
pub(super) enum Pixels<'a> {
    Host(Image<'a>),
    Device(&'a DeviceImage),
}

impl Pixels<'_> {
    pub(super) fn source(&self) -> Source<'_> {
        match self {
            Self::Host(image) => Source::Host(image),
            Self::Device(image) => Source::Device(image),
        }
    }

    /// In pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        match self {
            Self::Host(image) => (image.width(), image.height()),
            Self::Device(image) => (image.layout().width, image.layout().height),
        }
    }

    pub(super) fn range(&self) -> Range {
        match self {
            Self::Host(image) => image.range(),
            Self::Device(image) => image.layout().range,
        }
    }
}

impl<'a> Mapped<'a> {
    pub(super) fn new(surface: &'a Surface) -> Result<Self, SurfaceError> {
        let (buffer, info) = match surface {
            Surface::System { buffer, info } => (buffer, info),
            Surface::Device { image, .. } => return Ok(Self::Device(image)),
        };
        let format = match info.format() {
            VideoFormat::Nv12 => PixelFormat::Nv12,
            VideoFormat::I420 => PixelFormat::I420,
            VideoFormat::Y42b => PixelFormat::Y42b,
            VideoFormat::Y444 => PixelFormat::Y444,
            VideoFormat::Gray8 => PixelFormat::Gray8,
            other => return Err(SurfaceError::Format(other.to_string())),
        };
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|_| SurfaceError::Map)?;
        Ok(Self::Host { frame, format })
    }

    pub(super) fn pixels(&self) -> Result<Pixels<'_>, SurfaceError> {
        let (frame, format) = match self {
            Self::Host { frame, format } => (frame, *format),
            Self::Device(image) => return Ok(Pixels::Device(image)),
        };
        let mut planes: [&[u8]; 3] = [&[]; 3];
        let mut strides = [0; 3];
        for i in 0..format.planes() {
            let at = u32::try_from(i).map_err(|_| SurfaceError::Map)?;
            planes[i] = frame.plane_data(at).map_err(|_| SurfaceError::Map)?;
            // A negative stride would be a picture upside down; no decoder gives one.
            strides[i] = usize::try_from(frame.plane_stride()[i]).map_err(|_| SurfaceError::Map)?;
        }
        let (matrix, range) = colours(frame.info());
        let image = Image::new(format, frame.width(), frame.height(), matrix, range, planes, strides)?;
        Ok(Pixels::Host(image))
    }
}

/// Maps the surface for reading while `read` runs. What lies on the device comes to the host by `download`, which is made
/// when it is first needed: on trial of a model, and after a swap until the cameras have followed.
///
/// # Errors
/// [`FrameError::Surface`], or what `read` says.
pub fn with_image<T>(
    surface: &Surface,
    download: &mut Option<Download>,
    read: impl FnOnce(&Image) -> Result<T, FrameError>,
) -> Result<T, FrameError> {
    if let Surface::Device { image, gpu } = surface {
        let download = match download {
            Some(download) => download,
            none => {
                say_once();
                none.insert(Download::new(gpu).map_err(SurfaceError::from)?)
            }
        };
        return read(&download.get(image).map_err(SurfaceError::from)?);
    }
    match Mapped::new(surface)?.pixels()? {
        Pixels::Host(image) => read(&image),
        Pixels::Device(_) => Err(SurfaceError::Map.into()),
    }
}

fn say_once() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::info!(
            component = "detect",
            event = "frames_downloaded",
            "frames on the GPU are copied for an engine on the processor; said once"
        );
    }
}
