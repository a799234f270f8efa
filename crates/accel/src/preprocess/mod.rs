//! Decoded YUV frame in, letterboxed planar tensor out, in one pass on the CPU.
//!
//! For each output row, two source rows are turned into red, green and blue in 1/64 grey level,
//! clamped to 0..=255, and blended; then two neighbours make each pixel. Source rows are kept
//! while output rows share them. All rows stay in the first caches; there is no RGB image, and
//! a steady stream allocates nothing.
//!
//! Results are within 0.1 grey level of converting the frame to RGB first (with each chroma
//! sample repeated, and without rounding) and resizing then (OpenCV `INTER_LINEAR`).
//!
//! It promises to touch only the rows and columns of the picture, never the padding of a
//! stride. It does not know models: a [`TensorSpec`] says what the tensor holds.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod colour;
mod image;
mod letterbox;
mod rows;
mod source;
mod taps;
#[cfg(test)]
mod tests;

pub use image::{Image, ImageError, Matrix, PixelFormat, Range};
pub use letterbox::{Align, Letterbox};

use self::colour::Colours;
use self::rows::Kernel;
use self::source::SourceRows;
use self::taps::{Columns, RowTap};

/// The longest side of an image or a tensor.
pub const SIDE_PX_MAX: u32 = 16384;

/// The colour of each channel of the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelOrder {
    Rgb,
    Bgr,
}

/// What a model wants to see: three planes of `height` rows of `width` values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorSpec {
    pub width: u32,
    pub height: u32,
    pub align: Align,
    pub order: ChannelOrder,
    /// Grey level around the frame; YOLO models were trained with 114.
    pub pad: u8,
    /// Tensor value = grey level * scale + offset; indices follow `order`.
    pub scale: [f32; 3],
    pub offset: [f32; 3],
}

/// Why a frame cannot become a tensor.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    #[error("tensor of {width}x{height}: each side must be 1 to {SIDE_PX_MAX}")]
    Size { width: u32, height: u32 },
    #[error("tensor channel {channel}: scale {scale} or offset {offset} is not a finite number")]
    Normalisation { channel: usize, scale: f32, offset: f32 },
    #[error("the tensor buffer holds {given} values, expected {expected}")]
    OutLength { expected: usize, given: usize },
}

/// Turns the frames of one stream into tensors of one shape.
///
/// Tables and scratch rows are kept between frames and rebuilt when a frame of another format
/// or size comes, so give each camera its own.
#[derive(Debug)]
pub struct Preprocessor {
    spec: TensorSpec,
    kernel: Kernel,
    plan: Option<Plan>,
}

impl Preprocessor {
    /// Uses the best instructions that this processor has.
    pub fn new(spec: TensorSpec) -> Result<Self, PreprocessError> {
        Self::with_kernel(spec, Kernel::detect())
    }

    /// Uses only instructions that every processor of this architecture has, for comparison.
    pub fn portable(spec: TensorSpec) -> Result<Self, PreprocessError> {
        Self::with_kernel(spec, Kernel::Portable)
    }

    fn with_kernel(spec: TensorSpec, kernel: Kernel) -> Result<Self, PreprocessError> {
        let sides = 1..=SIDE_PX_MAX;
        if !sides.contains(&spec.width) || !sides.contains(&spec.height) {
            return Err(PreprocessError::Size { width: spec.width, height: spec.height });
        }
        for (channel, (scale, offset)) in spec.scale.into_iter().zip(spec.offset).enumerate() {
            if !scale.is_finite() || !offset.is_finite() {
                return Err(PreprocessError::Normalisation { channel, scale, offset });
            }
        }
        Ok(Preprocessor { spec, kernel, plan: None })
    }

    pub fn spec(&self) -> &TensorSpec {
        &self.spec
    }

    /// How many values the tensor has.
    pub fn out_len(&self) -> usize {
        3 * self.spec.width as usize * self.spec.height as usize
    }

    /// Writes every value of `out`, and says where in it the frame lies.
    pub fn run(&mut self, image: &Image<'_>, out: &mut [f32]) -> Result<Letterbox, PreprocessError> {
        let (expected, given) = (self.out_len(), out.len());
        if expected != given {
            return Err(PreprocessError::OutLength { expected, given });
        }
        let plan = match &mut self.plan {
            Some(plan) if plan.geometry == Geometry::of(image) => plan,
            _ => self.plan.insert(Plan::new(image, &self.spec)),
        };
        let width = self.spec.width as usize;
        let mut planes = out.chunks_exact_mut(expected / 3);
        let mut planes: [&mut [f32]; 3] =
            std::array::from_fn(|_| planes.next().expect("a length divisible by three has three thirds"));
        for (channel, plane) in planes.iter_mut().enumerate() {
            let value = f32::from(self.spec.pad) * self.spec.scale[channel] + self.spec.offset[channel];
            pad(plane, width, &plan.letterbox, value);
        }
        let colours = Colours::new(image.matrix(), image.range(), self.spec.order);
        let scales = colour::scales(&self.spec);
        let (left, top) = (plan.letterbox.left as usize, plan.letterbox.top as usize);
        plan.source.forget();
        for (row, &tap) in plan.rows.iter().enumerate() {
            let start = (top + row) * width + left;
            let out = planes.each_mut().map(|plane| &mut plane[start..start + plan.columns.width()]);
            let samples = plan.source.between(tap, image, &colours, self.kernel);
            self.kernel.resample(samples, &plan.columns, &scales, out);
        }
        Ok(plan.letterbox)
    }
}

/// Fills what the frame leaves of one plane.
fn pad(plane: &mut [f32], width: usize, place: &Letterbox, value: f32) {
    let (left, right) = (place.left as usize, (place.left + place.width) as usize);
    let (top, bottom) = (place.top as usize * width, (place.top + place.height) as usize * width);
    plane[..top].fill(value);
    plane[bottom..].fill(value);
    if right - left < width {
        for row in plane[top..bottom].chunks_exact_mut(width) {
            row[..left].fill(value);
            row[right..].fill(value);
        }
    }
}

/// What the tables depend on, besides the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Geometry {
    format: PixelFormat,
    width: u32,
    height: u32,
}

impl Geometry {
    fn of(image: &Image<'_>) -> Self {
        Geometry { format: image.format(), width: image.width(), height: image.height() }
    }
}

/// Tables and scratch for one geometry.
#[derive(Debug)]
struct Plan {
    geometry: Geometry,
    letterbox: Letterbox,
    /// Taps of each row of the letterbox.
    rows: Vec<RowTap>,
    columns: Columns,
    source: SourceRows,
}

impl Plan {
    fn new(image: &Image<'_>, spec: &TensorSpec) -> Self {
        let geometry = Geometry::of(image);
        let Geometry { format, width, height } = geometry;
        let letterbox = Letterbox::new((width, height), (spec.width, spec.height), spec.align);
        let rows = 0..letterbox.height;
        let rows = rows.map(|row| RowTap::new(row, height, letterbox.height)).collect();
        let columns = Columns::new(width, letterbox.width);
        let source = SourceRows::new(format, width as usize, columns.samples());
        Plan { geometry, letterbox, rows, columns, source }
    }
}
