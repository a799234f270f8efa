//! A frame on the device: planes, pitches and what the numbers mean.
//!
//! As [`preprocess::Image`](crate::preprocess::Image) for the host: every way in checks that each row is there.

use std::sync::Arc;

use cudarc::driver::sys;

use super::memory::DeviceBuffer;
use super::stream::Stream;
use super::texture::TextureImage;
use crate::preprocess::{Image, Matrix, PixelFormat, Range, SIDE_PX_MAX};

/// Layouts of frames, with the planes in the order GStreamer gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceFormat {
    /// 4:2:0, Y then interleaved UV.
    Nv12,
    /// As NV12 with 16-bit samples, ten bits on top.
    P010,
    /// 4:2:0, Y, U, V.
    I420,
    /// 4:2:2, Y, U, V.
    Y42b,
    /// 4:4:4, Y, U, V.
    Y444,
    /// Luma alone.
    Gray8,
    /// Four bytes per pixel, the last of no meaning.
    Rgbx,
    Bgrx,
}

impl From<PixelFormat> for DeviceFormat {
    fn from(format: PixelFormat) -> Self {
        match format {
            PixelFormat::Nv12 => Self::Nv12,
            PixelFormat::I420 => Self::I420,
            PixelFormat::Y42b => Self::Y42b,
            PixelFormat::Y444 => Self::Y444,
            PixelFormat::Gray8 => Self::Gray8,
        }
    }
}

impl DeviceFormat {
    #[must_use]
    pub fn planes(self) -> usize {
        match self {
            Self::Nv12 | Self::P010 => 2,
            Self::I420 | Self::Y42b | Self::Y444 => 3,
            Self::Gray8 | Self::Rgbx | Self::Bgrx => 1,
        }
    }

    /// Chroma subsampling as shifts (horizontal, vertical).
    pub(super) fn chroma_shift(self) -> (u32, u32) {
        match self {
            Self::Nv12 | Self::P010 | Self::I420 => (1, 1),
            Self::Y42b => (1, 0),
            Self::Y444 | Self::Gray8 | Self::Rgbx | Self::Bgrx => (0, 0),
        }
    }

    /// Bytes in a row, and rows, of one plane.
    #[must_use]
    pub fn plane_size(self, plane: usize, width: u32, height: u32) -> (usize, usize) {
        let (width, height) = (width as usize, height as usize);
        let each = match self {
            Self::P010 => 2,
            Self::Rgbx | Self::Bgrx => 4,
            Self::Nv12 | Self::I420 | Self::Y42b | Self::Y444 | Self::Gray8 => 1,
        };
        if plane == 0 {
            return (width * each, height);
        }
        let (shift_x, shift_y) = self.chroma_shift();
        let pairs = if self.planes() == 2 { 2 } else { 1 };
        (width.div_ceil(1 << shift_x) * pairs * each, height.div_ceil(1 << shift_y))
    }
}

/// What a frame is and where its planes lie in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLayout {
    pub format: DeviceFormat,
    /// In pixels.
    pub width: u32,
    pub height: u32,
    pub matrix: Matrix,
    pub range: Range,
    /// Bytes from the start of the memory to each plane.
    pub offsets: [usize; 3],
    /// Bytes from row to row of each plane.
    pub pitches: [usize; 3],
}

/// Why memory on the device is not an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceImageError {
    #[error("image of {width}x{height} px: each side must be 1 to {SIDE_PX_MAX}")]
    Size { width: u32, height: u32 },
    #[error("plane {plane}: a pitch of {given} bytes; at least a row of {expected} bytes is expected")]
    Pitch { plane: usize, expected: usize, given: usize },
    #[error("plane {plane} ends at byte {expected} of {given}")]
    Plane { plane: usize, expected: usize, given: usize },
    #[error("plane {plane}: samples of two bytes at the odd offset {offset} or with the odd pitch {pitch}")]
    Odd { plane: usize, offset: usize, pitch: usize },
}

impl DeviceLayout {
    /// The planes of an image one after the other, each row padded to `align` bytes, a power of two.
    #[must_use]
    pub fn packed(
        format: DeviceFormat,
        (width, height): (u32, u32),
        matrix: Matrix,
        range: Range,
        align: usize,
    ) -> Self {
        let (mut offsets, mut pitches, mut at) = ([0; 3], [0; 3], 0);
        for plane in 0..format.planes() {
            let (row, rows) = format.plane_size(plane, width, height);
            (offsets[plane], pitches[plane]) = (at, row.next_multiple_of(align));
            at += pitches[plane] * rows;
        }
        DeviceLayout { format, width, height, matrix, range, offsets, pitches }
    }

    /// As [`Self::packed`], for an image of the host.
    #[must_use]
    pub fn of(image: &Image<'_>, align: usize) -> Self {
        let size = (image.width(), image.height());
        Self::packed(image.format().into(), size, image.matrix(), image.range(), align)
    }

    /// How many bytes the memory must have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (0..self.format.planes()).map(|plane| self.end(plane)).max().unwrap_or(0)
    }

    /// Saturates only for what no memory can hold.
    fn end(&self, plane: usize) -> usize {
        let (row, rows) = self.format.plane_size(plane, self.width, self.height);
        let last = self.pitches[plane].saturating_mul(rows - 1);
        self.offsets[plane].saturating_add(last).saturating_add(row)
    }

    pub(super) fn check(&self, memory_bytes: usize) -> Result<(), DeviceImageError> {
        let (width, height) = (self.width, self.height);
        let sides = 1..=SIDE_PX_MAX;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(DeviceImageError::Size { width, height });
        }
        for plane in 0..self.format.planes() {
            let (expected, _) = self.format.plane_size(plane, width, height);
            let (offset, given) = (self.offsets[plane], self.pitches[plane]);
            if given < expected || u32::try_from(given).is_err() {
                return Err(DeviceImageError::Pitch { plane, expected, given });
            }
            if self.format == DeviceFormat::P010 && (offset % 2 != 0 || given % 2 != 0) {
                return Err(DeviceImageError::Odd { plane, offset, pitch: given });
            }
            let expected = self.end(plane);
            if memory_bytes < expected {
                return Err(DeviceImageError::Plane { plane, expected, given: memory_bytes });
            }
        }
        Ok(())
    }
}

/// What must live while kernels read a frame.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "held, not read")]
pub(crate) enum Keep {
    Buffer(Arc<DeviceBuffer<u8>>),
    Texture(Arc<TextureImage>),
    /// A buffer of a decoder's pool.
    #[cfg(feature = "surface")]
    Gst(gst::Buffer),
    /// A buffer of a pool whose end must wait for it.
    #[cfg(feature = "surface")]
    Pooled(gst::Buffer, Arc<super::nvmm::Pool>),
    /// What was made for its surface, and the same: the surface may go with the buffer, so it must outlive the first.
    #[cfg(feature = "surface")]
    Nvmm(Arc<super::nvmm::Registered>, gst::Buffer),
}

/// A frame on the device, which stays there while this, or a clone of it, lives.
#[derive(Clone, Debug)]
pub struct DeviceImage {
    layout: DeviceLayout,
    /// Device addresses, or texture objects.
    planes: [u64; 3],
    /// Behind the texture objects.
    arrays: Option<[u64; 2]>,
    keep: Keep,
    /// What writes it.
    after: Option<Writer>,
}

/// What copies read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plane {
    Rows {
        address: u64,
        pitch: usize,
    },
    /// A handle of the driver's.
    Array(u64),
}

/// A stream that may still write a frame.
#[derive(Clone, Debug)]
pub(crate) enum Writer {
    Ours(Arc<Stream>),
    /// Of GStreamer's; lives as long as the frame's memory.
    #[cfg(feature = "surface")]
    Theirs(RawStream),
}

/// A stream of somebody else's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawStream(pub sys::CUstream);

// SAFETY: a stream handle may be used from any thread; the driver locks.
unsafe impl Send for RawStream {}
// SAFETY: as above.
unsafe impl Sync for RawStream {}

impl DeviceImage {
    /// A frame in a buffer of ours.
    ///
    /// # Errors
    /// [`DeviceImageError`] if the layout doesn't fit the buffer.
    pub fn new(layout: DeviceLayout, buffer: Arc<DeviceBuffer<u8>>) -> Result<Self, DeviceImageError> {
        layout.check(buffer.bytes())?;
        // SAFETY: the buffer has the bytes that the layout was checked against, and is kept.
        Ok(unsafe { Self::from_address(layout, buffer.address(), Keep::Buffer(buffer)) })
    }

    /// # Safety
    /// The layout's bytes are at `address` on the device while `keep` lives, and the layout was checked.
    pub(crate) unsafe fn from_address(layout: DeviceLayout, address: u64, keep: Keep) -> Self {
        let planes = std::array::from_fn(|plane| {
            if plane < layout.format.planes() { address + layout.offsets[plane] as u64 } else { 0 }
        });
        DeviceImage { layout, planes, arrays: None, keep, after: None }
    }

    /// For planes that lie apart from each other.
    ///
    /// # Safety
    /// The rows of the two planes of `layout`, which has two, are at these addresses while `keep` lives.
    #[cfg(feature = "surface")]
    pub(crate) unsafe fn from_planes(layout: DeviceLayout, planes: [u64; 2], keep: Keep) -> Self {
        let planes = [planes[0], planes[1], 0];
        DeviceImage { layout, planes, arrays: None, keep, after: None }
    }

    /// # Safety
    /// The planes are texture objects over `arrays` of the layout's size that read single texels as integers, while
    /// `keep` lives. The layout is that of NV12 or P010.
    pub(crate) unsafe fn from_textures(
        layout: DeviceLayout,
        objects: [u64; 2],
        arrays: [u64; 2],
        keep: Keep,
    ) -> Self {
        let planes = [objects[0], objects[1], 0];
        DeviceImage { layout, planes, arrays: Some(arrays), keep, after: None }
    }

    /// The same, but `stream` may not have written it yet: what reads it waits on the device, nobody on the host.
    #[must_use]
    pub fn after(self, stream: &Arc<Stream>) -> Self {
        DeviceImage { after: Some(Writer::Ours(stream.clone())), ..self }
    }

    #[cfg(feature = "surface")]
    pub(crate) fn after_theirs(self, stream: RawStream) -> Self {
        DeviceImage { after: Some(Writer::Theirs(stream)), ..self }
    }

    pub(super) fn writer(&self) -> Option<RawStream> {
        match self.after.as_ref()? {
            Writer::Ours(stream) => Some(RawStream(stream.raw())),
            #[cfg(feature = "surface")]
            Writer::Theirs(stream) => Some(*stream),
        }
    }

    #[must_use]
    pub fn layout(&self) -> &DeviceLayout {
        &self.layout
    }

    /// Whether it lies in block-linear arrays.
    #[must_use]
    pub fn is_texture(&self) -> bool {
        self.arrays.is_some()
    }

    /// Where the pixels of a plane are.
    pub(super) fn plane(&self, plane: usize) -> Plane {
        match self.arrays {
            Some(arrays) => Plane::Array(arrays[plane]),
            None => Plane::Rows { address: self.planes[plane], pitch: self.layout.pitches[plane] },
        }
    }

    pub(super) fn planes(&self) -> [u64; 3] {
        self.planes
    }

    pub(super) fn pitches(&self) -> [u32; 3] {
        self.layout.pitches.map(|pitch| u32::try_from(pitch).unwrap_or(0))
    }

    pub(super) fn keep(&self) -> Keep {
        self.keep.clone()
    }
}
