//! Row kernels for x86-64 with AVX2 and FMA.
//!
//! The vertical pass is the plain one, compiled for wider registers. The horizontal pass is by
//! hand, because compilers load its samples one by one.

use std::arch::x86_64::*;

use super::colour::Channel;
use super::rows;
use super::taps::{Block, Columns, LANES};

/// Proof that this processor has AVX2 and FMA: only [`Avx2::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }

    pub fn blend(self, rows: [&[u8]; 2], share: i16, out: &mut [i16]) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { blend(rows, share, out) }
    }

    pub fn blend_planar(self, u: [&[u8]; 2], v: [&[u8]; 2], share: i16, out: &mut [i16]) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { blend_planar(u, v, share, out) }
    }

    pub fn resample(
        self,
        luma: &[i16],
        chroma: &[i16],
        columns: &Columns,
        channels: &[Channel; 3],
        out: [&mut [f32]; 3],
    ) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { resample(luma, chroma, columns, channels, out) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn blend(rows: [&[u8]; 2], share: i16, out: &mut [i16]) {
    rows::blend(rows, share, out);
}

#[target_feature(enable = "avx2,fma")]
fn blend_planar(u: [&[u8]; 2], v: [&[u8]; 2], share: i16, out: &mut [i16]) {
    rows::blend_planar(u, v, share, out);
}

#[target_feature(enable = "avx2,fma")]
fn resample(luma: &[i16], chroma: &[i16], columns: &Columns, channels: &[Channel; 3], out: [&mut [f32]; 3]) {
    let (luma, chroma) = (&luma[..columns.luma_len()], &chroma[..columns.chroma_len()]);
    let [a, b, c] = channels.each_ref().map(|channel| Wide::new(channel));
    columns.fill(out, |block| {
        // SAFETY: `block` is one of `columns`, which promises that its indices and their right
        // neighbours are below `luma_len` and `chroma_len`; the slices above are that long.
        let [y, u, v] = unsafe { look_up(luma, chroma, block) };
        [a.values(y, u, v), b.values(y, u, v), c.values(y, u, v)]
    });
}

/// Y, U and V of eight pixels, as [`Channel`] wants them.
///
/// Neighbours are read at once, pixel by pixel: gathers took a third longer on Zen 3, and
/// are slower still on Intel processors with the microcode against Downfall.
///
/// # Safety
///
/// In every lane, `luma` must hold `luma_at` and the sample after it, and `chroma` the pair
/// `chroma_at` and the pair after it.
#[target_feature(enable = "avx2,fma")]
unsafe fn look_up(luma: &[i16], chroma: &[i16], block: &Block) -> [__m256; 3] {
    let two = |lane: usize| {
        let at = block.luma_at[lane] as usize;
        debug_assert!(at + 2 <= luma.len());
        // SAFETY: the caller vouches for two samples from `at` on; the read needs no alignment.
        unsafe { luma.as_ptr().add(at).cast::<i32>().read_unaligned() }
    };
    let four = |lane: usize| {
        let at = 2 * block.chroma_at[lane] as usize;
        debug_assert!(at + 4 <= chroma.len());
        // SAFETY: the caller vouches for two pairs from `at` on; the read needs no alignment.
        unsafe { chroma.as_ptr().add(at).cast::<i64>().read_unaligned() }
    };
    let luma = _mm256_setr_epi32(two(0), two(1), two(2), two(3), two(4), two(5), two(6), two(7));
    let y = _mm256_madd_epi16(luma, load(&block.luma_shares));
    // In the order that unpacking the shares gives, and that shuffling undoes.
    let near = _mm256_setr_epi64x(four(0), four(1), four(4), four(5));
    let far = _mm256_setr_epi64x(four(2), four(3), four(6), four(7));
    let shares = load(&block.chroma_shares);
    let near = _mm256_madd_epi16(uu_vv(near), _mm256_unpacklo_epi32(shares, shares));
    let far = _mm256_madd_epi16(uu_vv(far), _mm256_unpackhi_epi32(shares, shares));
    let (near, far) = (_mm256_cvtepi32_ps(near), _mm256_cvtepi32_ps(far));
    let u = _mm256_shuffle_ps::<0b10_00_10_00>(near, far);
    let v = _mm256_shuffle_ps::<0b11_01_11_01>(near, far);
    [_mm256_cvtepi32_ps(y), u, v]
}

/// Brings the samples of two UV pairs from `u v u v` to `u u v v`, in each 64 bits.
#[target_feature(enable = "avx2,fma")]
fn uu_vv(pairs: __m256i) -> __m256i {
    let order = _mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
    _mm256_shuffle_epi8(pairs, _mm256_broadcastsi128_si256(order))
}

#[target_feature(enable = "avx2,fma")]
fn load<T>(lanes: &[T; LANES]) -> __m256i {
    const { assert!(size_of::<[T; LANES]>() == size_of::<__m256i>()) };
    // SAFETY: the array is 32 bytes, as asserted, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

/// A [`Channel`] with each coefficient in all lanes.
#[derive(Clone, Copy)]
struct Wide {
    y: __m256,
    u: __m256,
    v: __m256,
    bias: __m256,
    low: __m256,
    high: __m256,
}

impl Wide {
    #[target_feature(enable = "avx2,fma")]
    fn new(channel: &Channel) -> Self {
        Wide {
            y: _mm256_set1_ps(channel.y),
            u: _mm256_set1_ps(channel.u),
            v: _mm256_set1_ps(channel.v),
            bias: _mm256_set1_ps(channel.bias),
            low: _mm256_set1_ps(channel.low),
            high: _mm256_set1_ps(channel.high),
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn values(&self, y: __m256, u: __m256, v: __m256) -> [f32; LANES] {
        let value = _mm256_fmadd_ps(y, self.y, self.bias);
        let value = _mm256_fmadd_ps(u, self.u, value);
        let value = _mm256_fmadd_ps(v, self.v, value);
        let value = _mm256_min_ps(_mm256_max_ps(value, self.low), self.high);
        let mut lanes = [0.0; LANES];
        // SAFETY: the array has room for eight values, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), value) };
        lanes
    }
}
