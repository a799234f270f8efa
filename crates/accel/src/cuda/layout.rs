//! What the kernels read and write, byte for byte as `kernels/vigia.cu` has it.

use super::image::{DeviceFormat, DeviceImage};
use super::memory::Plain;
use crate::preprocess::{ChannelOrder, Letterbox, Matrix, Range, TensorSpec};

/// Most candidates of one image; those beyond are counted. Of a head's thousands of anchors, a sane threshold
/// leaves some tens.
pub const CANDIDATES_MAX: usize = 1024;

/// Samples of an image's brightness: 18 rows of 32, in the middles of as many tiles.
pub const LOOK_SAMPLES: usize = 32 * 18;

/// A box that a network found, before suppression.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Corners in pixels of the tensor.
    pub x1: f32,
    pub y1: f32,
    pub x2: f32,
    pub y2: f32,
    /// 0..=1
    pub confidence: f32,
    pub class_id: u32,
}

const _: () = assert!(size_of::<Candidate>() == 24 && align_of::<Candidate>() == 4);

// SAFETY: six numbers of four bytes each; any bits are numbers.
unsafe impl Plain for Candidate {}

/// `Format` of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Nothing = 0,
    Nv12 = 1,
    P010 = 2,
    Planar = 3,
    Rgbx = 4,
    Texture = 5,
}

/// One image of a batch.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FrameDesc {
    plane: [u64; 3],
    pitch: [u32; 3],
    format: u32,
    width: u32,
    height: u32,
    left: u32,
    top: u32,
    fit_width: u32,
    fit_height: u32,
    shift_x: u32,
    shift_y: u32,
    share: [[f32; 3]; 3],
    black: [f32; 3],
    floor: f32,
    deep: u32,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<FrameDesc>() == 128);
    assert!(offset_of!(FrameDesc, format) == 36 && offset_of!(FrameDesc, share) == 72);
    assert!(offset_of!(FrameDesc, black) == 108 && offset_of!(FrameDesc, floor) == 120);
};

// SAFETY: numbers that fill all of its bytes.
unsafe impl Plain for FrameDesc {}

impl FrameDesc {
    /// Where an image goes in the tensor of `spec`, and what of its samples make each channel.
    pub fn new(image: &DeviceImage, spec: &TensorSpec, floor: f32) -> (Self, Letterbox) {
        let layout = image.layout();
        let place = Letterbox::new((layout.width, layout.height), (spec.width, spec.height), spec.align);
        let format = match layout.format {
            _ if image.is_texture() => Format::Texture,
            DeviceFormat::Nv12 => Format::Nv12,
            DeviceFormat::P010 => Format::P010,
            DeviceFormat::I420 | DeviceFormat::Y42b | DeviceFormat::Y444 | DeviceFormat::Gray8 => {
                Format::Planar
            }
            DeviceFormat::Rgbx | DeviceFormat::Bgrx => Format::Rgbx,
        };
        let (mut share, mut black) = shares(layout.format, layout.matrix, layout.range);
        if spec.order == ChannelOrder::Bgr {
            share.swap(0, 2);
            black.swap(0, 2);
        }
        let (shift_x, shift_y) = layout.format.chroma_shift();
        let desc = FrameDesc {
            plane: image.planes(),
            pitch: image.pitches(),
            format: format as u32,
            width: layout.width,
            height: layout.height,
            left: place.left,
            top: place.top,
            fit_width: place.width,
            fit_height: place.height,
            shift_x,
            shift_y,
            share: share.map(|row| row.map(single)),
            black: black.map(single),
            floor,
            deep: (layout.format == DeviceFormat::P010).into(),
        };
        (desc, place)
    }

    /// No image: the tensor is padding, and the head is not looked at.
    pub fn nothing() -> Self {
        FrameDesc { format: Format::Nothing as u32, ..FrameDesc::default() }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "coefficients of a few, for sums that are rounded anyway"
)]
fn single(value: f64) -> f32 {
    value as f32
}

/// Red, green and blue, 0 to 1, as shares of the three samples and a constant.
fn shares(format: DeviceFormat, matrix: Matrix, range: Range) -> ([[f64; 3]; 3], [f64; 3]) {
    let byte = 1.0 / 255.0;
    match format {
        DeviceFormat::Rgbx => return ([[byte, 0.0, 0.0], [0.0, byte, 0.0], [0.0, 0.0, byte]], [0.0; 3]),
        DeviceFormat::Bgrx => return ([[0.0, 0.0, byte], [0.0, byte, 0.0], [byte, 0.0, 0.0]], [0.0; 3]),
        _ => {}
    }
    let (kr, kb) = matrix.weights();
    let kg = 1.0 - kr - kb;
    // Of one step of a sample: its weight, and where it is zero.
    let deep = format == DeviceFormat::P010;
    let step = if deep { 1.0 / 64.0 } else { 1.0 };
    let (luma, black, chroma, neutral) = match (range, deep) {
        (Range::Limited, false) => (step / 219.0, 16.0, step / 224.0, 128.0),
        (Range::Full, false) => (step / 255.0, 0.0, step / 255.0, 128.0),
        (Range::Limited, true) => (step / 876.0, 64.0 * 64.0, step / 896.0, 512.0 * 64.0),
        (Range::Full, true) => (step / 1023.0, 0.0, step / 1023.0, 512.0 * 64.0),
    };
    // What one whole of U and V adds to each channel.
    let (red_v, blue_u) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
    let (green_u, green_v) = (-kb * blue_u / kg, -kr * red_v / kg);
    let row = |u: f64, v: f64| [luma, u * chroma, v * chroma];
    let share = [row(0.0, red_v), row(green_u, green_v), row(blue_u, 0.0)];
    let zero = share.map(|[y, u, v]| -(y * black + (u + v) * neutral));
    (share, zero)
}

/// What a model wants to see.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorDesc {
    pub width: u32,
    pub height: u32,
    pub half: u32,
    pad: f32,
    scale: [f32; 3],
    offset: [f32; 3],
}

const _: () = assert!(size_of::<TensorDesc>() == 40);

impl TensorDesc {
    pub fn new(spec: &TensorSpec, half: bool) -> Self {
        TensorDesc {
            width: spec.width,
            height: spec.height,
            half: half.into(),
            pad: spec.pad.into(),
            scale: spec.scale,
            offset: spec.offset,
        }
    }
}

/// How a network's output is read.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadDesc {
    pub family: u32,
    pub classes: u32,
    pub anchors: u32,
    pub width: u32,
    pub height: u32,
    pub candidates_max: u32,
    /// Bytes from one image's candidates to the next one's.
    pub stride: u32,
}

const _: () = assert!(size_of::<HeadDesc>() == 28);
