//! Frames of noise with their planes, and slots that do no more than pre-process.

#![allow(dead_code, reason = "not every test that has this module needs all of it")]

use std::error::Error;
use std::sync::Arc;

use vigia_accel::cuda::{
    CudaError, DeviceBuffer, DeviceFormat, DeviceImage, DeviceLayout, Enqueue, Frame, Gpu, HeadFamily,
    HeadSpec, OutputSpec, Slot, SlotSpec, Source, Stage, Wait,
};
use vigia_accel::preprocess::{Align, ChannelOrder, Image, Matrix, PixelFormat, Range, TensorSpec};

/// A frame of every colour, out of gamut too; what is between the rows is garbage.
#[derive(Debug)]
pub struct Picture {
    pub layout: DeviceLayout,
    pub bytes: Vec<u8>,
}

impl Picture {
    pub fn noise(format: DeviceFormat, size: (u32, u32), matrix: Matrix, range: Range, seed: u32) -> Self {
        let layout = DeviceLayout::packed(format, size, matrix, range, 1);
        Self::of(layout, seed)
    }

    /// Padded: plane offsets and pitches move by these bytes.
    pub fn padded(self, before: usize, each: usize, seed: u32) -> Self {
        let mut layout = self.layout;
        let mut at = before;
        for plane in 0..layout.format.planes() {
            let (row, rows) = layout.format.plane_size(plane, layout.width, layout.height);
            (layout.offsets[plane], layout.pitches[plane]) = (at, row + each);
            at += (row + each) * rows + before;
        }
        Self::of(layout, seed)
    }

    fn of(layout: DeviceLayout, seed: u32) -> Self {
        let mut state = seed;
        let noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        };
        let bytes = std::iter::repeat_with(noise).take(layout.bytes()).collect();
        Picture { layout, bytes }
    }

    /// For the formats that the host knows.
    pub fn image(&self) -> Image<'_> {
        let l = &self.layout;
        let format = match l.format {
            DeviceFormat::Nv12 => PixelFormat::Nv12,
            DeviceFormat::I420 => PixelFormat::I420,
            DeviceFormat::Y42b => PixelFormat::Y42b,
            DeviceFormat::Y444 => PixelFormat::Y444,
            DeviceFormat::Gray8 => PixelFormat::Gray8,
            other => panic!("{other:?} is no format of the host"),
        };
        let planes = std::array::from_fn(|p| &self.bytes[l.offsets[p].min(self.bytes.len())..]);
        Image::new(format, l.width, l.height, l.matrix, l.range, planes, l.pitches).expect("it is whole")
    }

    pub fn upload(&self, gpu: &Arc<Gpu>) -> DeviceImage {
        let mut buffer = DeviceBuffer::new(gpu, self.bytes.len(), "a picture").expect("it fits");
        buffer.write(&self.bytes).expect("it has the size");
        DeviceImage::new(self.layout, Arc::new(buffer)).expect("the layout is its own")
    }
}

pub fn plain(width: u32, height: u32, align: Align) -> TensorSpec {
    let (scale, offset) = ([1.0; 3], [0.0; 3]);
    TensorSpec { width, height, align, order: ChannelOrder::Rgb, pad: 114, scale, offset }
}

/// A network that gives what was prepared for it.
#[derive(Debug)]
pub struct Prepared(pub Vec<DeviceBuffer<u8>>);

impl Enqueue for Prepared {
    fn prepare(&mut self, _stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    fn enqueue(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        for (at, from) in self.0.iter().enumerate() {
            let bytes = from.bytes().min(stage.outputs()[at].bytes());
            stage.copy_to_output(at, bytes, from)?;
        }
        Ok(())
    }
}

/// The smallest head there is: one box, end to end.
pub const ONE_BOX: HeadSpec = HeadSpec { family: HeadFamily::Corners, classes: 1, anchors: 1, half: false };

pub fn spec(tensor: TensorSpec, half: bool, batch_max: usize, head: HeadSpec) -> SlotSpec {
    let outputs = head.values().iter().map(|v| OutputSpec { bytes: v * head.value_bytes() }).collect();
    SlotSpec { tensor, half, batch_max, outputs, head, wait: Wait::Blocking }
}

/// The tensors that a slot makes of these images, as it would for a network of 32-bit floats.
pub fn tensors(gpu: &Arc<Gpu>, tensor: TensorSpec, images: &[DeviceImage]) -> Result<Vec<f32>, CudaError> {
    let mut slot = Slot::new(gpu, spec(tensor, false, images.len(), ONE_BOX), Prepared(vec![]))?;
    let frames: Vec<_> = images.iter().map(|i| Frame { source: Source::Device(i), floor: 0.5 }).collect();
    slot.begin(&frames)?;
    slot.wait()?;
    let mut bytes = vec![0; 12 * tensor.width as usize * tensor.height as usize * images.len()];
    slot.read_input(&mut bytes)?;
    Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}
