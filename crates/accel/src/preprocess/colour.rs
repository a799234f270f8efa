//! From YUV to red, green and blue in 16-bit integers, and from these to tensor values.
//!
//! A sample is a colour in 1/64 grey level. The steps are those that vector units have: the high
//! half of a product, and sums that saturate, so that no colour out of gamut wraps around.

use super::taps::COLUMN_ONE;
use super::{ChannelOrder, Matrix, Range, TensorSpec};

/// Samples are in 1/64 grey level.
const SAMPLE_SHIFT: u32 = 6;

/// White as a sample.
pub(super) const WHITE: i16 = 255 << SAMPLE_SHIFT;

/// The three channels as functions of Y, U and V, in tensor order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    /// Of luma, in 2^-14. The same for all channels.
    pub gain: u16,
    pub tints: [Tint; 3],
}

/// What one channel takes from chroma.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tint {
    /// Shares of U and V less one, in 2^-14: a share may be above two, which would not fit.
    u: i16,
    v: i16,
    /// What black adds, as a sample.
    black: i16,
}

impl Colours {
    pub fn new(matrix: Matrix, range: Range, order: ChannelOrder) -> Self {
        let (kr, kb) = matrix.weights();
        let (black, luma_gain, chroma_gain) = match range {
            Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
            Range::Full => (0.0, 1.0, 1.0),
        };
        let kg = 1.0 - kr - kb;
        // Shares of U and V in red, green and blue.
        let red = (0.0, 2.0 * (1.0 - kr));
        let green = (-2.0 * kb * (1.0 - kb) / kg, -2.0 * kr * (1.0 - kr) / kg);
        let blue = (2.0 * (1.0 - kb), 0.0);
        let order = match order {
            ChannelOrder::Rgb => [red, green, blue],
            ChannelOrder::Bgr => [blue, green, red],
        };
        let less_one = |share: f64| fixed((share * chroma_gain - 1.0) * 16384.0);
        let black = fixed(-black * luma_gain * f64::from(1 << SAMPLE_SHIFT));
        let tints = order.map(|(u, v)| Tint { u: less_one(u), v: less_one(v), black });
        Colours { gain: fixed(luma_gain * 16384.0).unsigned_abs(), tints }
    }
}

impl Tint {
    /// What a pixel with this chroma adds to its light; at most 293 grey levels up or down.
    #[inline(always)]
    pub fn sample(self, u: Distance, v: Distance) -> i16 {
        let one = self.black.saturating_add(u.0 >> 2).saturating_add(v.0 >> 2);
        one.saturating_add(high(u.0, self.u)).saturating_add(high(v.0, self.v))
    }
}

/// How far a chroma sample is from neutral, in 1/256.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distance(i16);

impl Distance {
    #[inline(always)]
    pub fn new(chroma: u8) -> Self {
        Self::of_high(u16::from(chroma) << 8)
    }

    /// Of U and of V, as they lie next to each other.
    #[inline(always)]
    pub fn pair(pair: [u8; 2]) -> [Self; 2] {
        // At once, because that needs no shuffling.
        let pair = u16::from_le_bytes(pair);
        [Self::of_high(pair << 8), Self::of_high(pair & 0xff00)]
    }

    #[inline(always)]
    fn of_high(chroma: u16) -> Self {
        Distance((chroma ^ 0x8000).cast_signed())
    }
}

/// The high half of a product.
#[inline(always)]
fn high(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

/// One channel of one pixel, clamped between black and white.
#[inline(always)]
pub(super) fn sample(luma: u8, gain: u16, tint: i16) -> i16 {
    // At most 297 grey levels.
    let light = (((u32::from(luma) << 8) * u32::from(gain)) >> 16) as i16;
    light.saturating_add(tint).clamp(0, WHITE)
}

/// `a + (b - a) * share`, rounded down; `share` is in 2^-15.
#[inline(always)]
pub(super) fn mix(a: i16, b: i16, share: i16) -> i16 {
    // Doubled, because the high half of a product is in 2^-16.
    a.saturating_add(high(b.wrapping_sub(a) << 1, share))
}

/// From a sample times [`COLUMN_ONE`] to a tensor value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub unit: f32,
    pub offset: f32,
}

/// For each channel of the tensor.
pub(super) fn scales(spec: &TensorSpec) -> [Scale; 3] {
    std::array::from_fn(|channel| Scale {
        unit: spec.scale[channel] / f32::from(1_i16 << SAMPLE_SHIFT) / f32::from(COLUMN_ONE),
        offset: spec.offset[channel],
    })
}

#[expect(clippy::cast_possible_truncation, reason = "coefficients are within -2 to 2, times 2^14")]
fn fixed(value: f64) -> i16 {
    value.round() as i16
}
