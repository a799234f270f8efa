//! Frames of the device on their way to the host: what engines on processors need when decoders left them there.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;

use cudarc::driver::sys;

use super::error::{CudaError, While};
use super::gpu::Gpu;
use super::image::{DeviceFormat, DeviceImage, DeviceLayout, Plane};
use super::memory::Pinned;
use super::stream::{Event, Priority, Stream, Wait};
use crate::preprocess::{Image, PixelFormat};

/// Room for one frame, grown when a larger one comes.
pub struct Download {
    gpu: Arc<Gpu>,
    stream: Stream,
    /// Between the frame's writer and us.
    fence: Event,
    room: Option<Pinned<u8>>,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").finish_non_exhaustive()
    }
}

impl Download {
    /// # Errors
    /// [`CudaError::Call`].
    pub fn new(gpu: &Arc<Gpu>) -> Result<Self, CudaError> {
        let (stream, fence) = (Stream::new(gpu, Priority::High)?, Event::new(gpu, Wait::Spinning)?);
        Ok(Download { gpu: gpu.clone(), stream, fence, room: None })
    }

    /// Copies a frame to the host and waits for it. Of ten bits the upper eight stay.
    ///
    /// # Errors
    /// [`CudaError::Format`] for what no decoder leaves on the device, or [`CudaError::Call`].
    pub fn get(&mut self, image: &DeviceImage) -> Result<Image<'_>, CudaError> {
        let of = image.layout();
        if !matches!(of.format, DeviceFormat::Nv12 | DeviceFormat::P010) {
            return Err(CudaError::Format(of.format));
        }
        let layout = DeviceLayout::packed(of.format, (of.width, of.height), of.matrix, of.range, 1);
        self.gpu.bind()?;
        let room = match self.room.take() {
            Some(room) if room.bytes() >= layout.bytes() => room,
            Some(_) | None => Pinned::new(&self.gpu, layout.bytes())?,
        };
        let room = self.room.insert(room);
        if let Some(writer) = image.writer() {
            self.fence.between(writer, &self.stream)?;
        }
        let mut enqueued = Ok(());
        for plane in 0..layout.format.planes() {
            enqueued = enqueued.and_then(|()| copy(image, plane, &layout, room, &self.stream));
        }
        // Also for what was enqueued before it failed: the room and the frame must be free of it.
        self.stream.wait()?;
        enqueued?;
        if of.format == DeviceFormat::P010 {
            narrow(room.values_mut(), &layout);
        }
        let all = room.values();
        let planes = std::array::from_fn(|p| all.get(layout.offsets[p]..).unwrap_or_default());
        let image =
            Image::new(PixelFormat::Nv12, of.width, of.height, of.matrix, of.range, planes, layout.pitches);
        image.map_err(|_| CudaError::Size {
            what: "bytes of a frame",
            expected: layout.bytes(),
            given: all.len(),
        })
    }
}

/// Enqueues the way of a plane to its place in `room`.
fn copy(
    image: &DeviceImage,
    plane: usize,
    layout: &DeviceLayout,
    room: &mut Pinned<u8>,
    stream: &Stream,
) -> Result<(), CudaError> {
    use sys::CUmemorytype::{CU_MEMORYTYPE_ARRAY, CU_MEMORYTYPE_DEVICE, CU_MEMORYTYPE_HOST};
    let (row, rows) = layout.format.plane_size(plane, layout.width, layout.height);
    // SAFETY: a plain structure for which zero is "nothing special", but for its kinds, which are set before use.
    let mut copy = unsafe {
        let mut copy = MaybeUninit::<sys::CUDA_MEMCPY2D>::zeroed();
        (*copy.as_mut_ptr()).srcMemoryType = CU_MEMORYTYPE_DEVICE;
        (*copy.as_mut_ptr()).dstMemoryType = CU_MEMORYTYPE_HOST;
        copy.assume_init()
    };
    match image.plane(plane) {
        Plane::Rows { address, pitch } => (copy.srcDevice, copy.srcPitch) = (address, pitch),
        Plane::Array(array) => {
            copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
            copy.srcArray = array as sys::CUarray;
        }
    }
    copy.dstHost = room.values_mut()[layout.offsets[plane]..].as_mut_ptr().cast();
    copy.dstPitch = layout.pitches[plane];
    copy.WidthInBytes = row;
    copy.Height = rows;
    // SAFETY: the image vouches for its planes and is held by the caller until the stream was waited for; the room has
    // the layout's bytes and is not touched until then.
    unsafe { sys::cuMemcpy2DAsync_v2(&raw const copy, stream.raw()) }.while_("bringing a frame to the host")
}

/// Samples of two bytes to their upper one, each row from its own beginning.
fn narrow(bytes: &mut [u8], layout: &DeviceLayout) {
    for plane in 0..layout.format.planes() {
        let (row, rows) = layout.format.plane_size(plane, layout.width, layout.height);
        for line in bytes[layout.offsets[plane]..].chunks_mut(layout.pitches[plane]).take(rows) {
            for at in 0..row / 2 {
                line[at] = line[2 * at + 1];
            }
        }
    }
}
