//! Frames of the host on their way to the device: what cameras without a hardware decoder need.

use std::sync::Arc;

use cudarc::driver::sys;

use super::error::{CudaError, While};
use super::gpu::Gpu;
use super::image::{DeviceImage, DeviceLayout};
use super::memory::{DeviceBuffer, Pinned};
use super::stream::Stream;
use crate::preprocess::Image;

/// So that rows begin where the device likes to read.
const PITCH_ALIGN: usize = 128;

/// Room for one frame, grown when a larger one comes.
#[derive(Debug, Default)]
pub(super) struct Upload(Option<Room>);

#[derive(Debug)]
struct Room {
    host: Pinned<u8>,
    device: Arc<DeviceBuffer<u8>>,
}

impl Upload {
    /// Copies the rows to pinned memory and enqueues their way to the device. The last upload must have arrived.
    pub fn put(
        &mut self,
        gpu: &Arc<Gpu>,
        stream: &Stream,
        image: &Image<'_>,
    ) -> Result<DeviceImage, CudaError> {
        let layout = DeviceLayout::of(image, PITCH_ALIGN);
        let bytes = layout.bytes();
        let room = match &mut self.0 {
            Some(room) if room.device.bytes() >= bytes => room,
            room => room.insert(Room {
                host: Pinned::new(gpu, bytes)?,
                device: Arc::new(DeviceBuffer::new(gpu, bytes, "a frame of the host")?),
            }),
        };
        for plane in 0..layout.format.planes() {
            let (row_bytes, rows) = layout.format.plane_size(plane, layout.width, layout.height);
            let to = room.host.values_mut()[layout.offsets[plane]..].chunks_mut(layout.pitches[plane]);
            for (row, to) in to.take(rows).enumerate() {
                to[..row_bytes].copy_from_slice(image.row(plane, row));
            }
        }
        // SAFETY: both sides have the bytes; the slot touches neither before its event, and owns both.
        unsafe { sys::cuMemcpyHtoDAsync_v2(room.device.address(), room.host.at(), bytes, stream.raw()) }
            .while_("uploading a frame")?;
        Ok(DeviceImage::new(layout, room.device.clone())?)
    }
}
