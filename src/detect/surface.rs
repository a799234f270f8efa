//! From a frame's surface to the image that the pre-processing reads. Nothing is copied.

use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFormat, VideoFrameRef};
use thiserror::Error;
use vigia_accel::preprocess::{Image, ImageError, Matrix, PixelFormat, Range};

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
}

/// A surface whose pixels can be read.
pub(super) struct Mapped<'a> {
    frame: VideoFrameRef<&'a gst::BufferRef>,
    format: PixelFormat,
}

impl<'a> Mapped<'a> {
    pub(super) fn new(surface: &'a Surface) -> Result<Self, SurfaceError> {
        let Surface::System { buffer, info } = surface;
        let format = match info.format() {
            VideoFormat::Nv12 => PixelFormat::Nv12,
            VideoFormat::I420 => PixelFormat::I420,
            VideoFormat::Y42b => PixelFormat::Y42b,
            VideoFormat::Y444 => PixelFormat::Y444,
            VideoFormat::Gray8 => PixelFormat::Gray8,
            other => return Err(SurfaceError::Format(other.to_string())),
        };
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).map_err(|_| SurfaceError::Map)?;
        Ok(Self { frame, format })
    }

    pub(super) fn image(&self) -> Result<Image<'_>, SurfaceError> {
        let mut planes: [&[u8]; 3] = [&[]; 3];
        let mut strides = [0; 3];
        for i in 0..self.format.planes() {
            let at = u32::try_from(i).map_err(|_| SurfaceError::Map)?;
            planes[i] = self.frame.plane_data(at).map_err(|_| SurfaceError::Map)?;
            // A negative stride would be a picture upside down; no decoder gives one.
            strides[i] = usize::try_from(self.frame.plane_stride()[i]).map_err(|_| SurfaceError::Map)?;
        }
        let colour = self.frame.info().colorimetry();
        let matrix = match colour.matrix() {
            VideoColorMatrix::Bt709 => Matrix::Bt709,
            VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            _ => Matrix::Bt601,
        };
        let range = match colour.range() {
            VideoColorRange::Range0_255 => Range::Full,
            _ => Range::Limited,
        };
        let (width, height) = (self.frame.width(), self.frame.height());
        Ok(Image::new(self.format, width, height, matrix, range, planes, strides)?)
    }
}

/// Maps the surface for reading while `read` runs.
///
/// # Errors
/// [`FrameError::Surface`], or what `read` says.
pub fn with_image<T>(
    surface: &Surface,
    read: impl FnOnce(&Image) -> Result<T, FrameError>,
) -> Result<T, FrameError> {
    let mapped = Mapped::new(surface)?;
    read(&mapped.image()?)
}
