//! From YUV samples to tensor values in one affine step and a clamp.

use super::taps::COLUMN_ONE;
use super::{ChannelOrder, Matrix, Range, TensorSpec};

/// One tensor channel as a function of Y, U and V.
///
/// The inputs are the integers that the column taps give: grey levels in 1/64, times
/// [`COLUMN_ONE`]. The outputs are tensor values: scale and offset are folded in, also into
/// the limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    pub y: f32,
    pub u: f32,
    pub v: f32,
    pub bias: f32,
    pub low: f32,
    pub high: f32,
}

/// Samples are kept in 1/64 grey level between the passes.
pub(super) const SAMPLE_SHIFT: u32 = 6;

/// The three channels in tensor order.
pub(super) fn channels(matrix: Matrix, range: Range, spec: &TensorSpec) -> [Channel; 3] {
    let (kr, kb) = match matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
    };
    let (black, luma_gain, chroma_gain) = match range {
        Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
        Range::Full => (0.0, 1.0, 1.0),
    };
    let kg = 1.0 - kr - kb;
    // Shares of U and V in red, green and blue.
    let red = (0.0, 2.0 * (1.0 - kr));
    let green = (-2.0 * kb * (1.0 - kb) / kg, -2.0 * kr * (1.0 - kr) / kg);
    let blue = (2.0 * (1.0 - kb), 0.0);
    let order = match spec.order {
        ChannelOrder::Rgb => [red, green, blue],
        ChannelOrder::Bgr => [blue, green, red],
    };
    std::array::from_fn(|channel| {
        let (u, v) = order[channel];
        let (u, v) = (u * chroma_gain, v * chroma_gain);
        let bias = -black * luma_gain - 128.0 * (u + v);
        let (scale, offset) = (f64::from(spec.scale[channel]), f64::from(spec.offset[channel]));
        let unit = scale / f64::from(1 << SAMPLE_SHIFT) / f64::from(COLUMN_ONE);
        let ends = [offset, 255.0 * scale + offset];
        Channel {
            y: single(luma_gain * unit),
            u: single(u * unit),
            v: single(v * unit),
            bias: single(bias * scale + offset),
            low: single(ends[0].min(ends[1])),
            high: single(ends[0].max(ends[1])),
        }
    })
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
fn single(value: f64) -> f32 {
    value as f32
}
