//! Row kernels for x86-64 with AVX2 and FMA.
//!
//! Most are the plain ones, compiled for wider registers. By hand are the repetition of chroma,
//! where compilers shuffle too much, and the horizontal pass, where they load samples one by one.

use std::arch::x86_64::*;

use super::colour::{Colours, Scale, WHITE};
use super::rows::{self, Chroma};
use super::source::Planes;
use super::taps::{Block, Columns, LANES};

/// Proof that this processor has AVX2 and FMA: only [`Avx2::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }

    pub fn tint(self, chroma: Chroma<'_>, colours: &Colours, out: &mut Planes) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { tint(chroma, colours, out) }
    }

    pub fn convert(self, luma: &[u8], tints: &Planes, halved: bool, gain: u16, out: &mut Planes) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { convert(luma, tints, halved, gain, out) }
    }

    pub fn blend(self, rows: [&[i16]; 2], share: i16, out: &mut [i16]) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { blend(rows, share, out) }
    }

    pub fn resample(self, rows: [&[i16]; 3], columns: &Columns, scales: &[Scale; 3], out: [&mut [f32]; 3]) {
        // SAFETY: `self` exists, so `detect` found AVX2 and FMA.
        unsafe { resample(rows, columns, scales, out) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn tint(chroma: Chroma<'_>, colours: &Colours, out: &mut Planes) {
    rows::tint(chroma, colours, out);
}

#[target_feature(enable = "avx2,fma")]
fn convert(luma: &[u8], tints: &Planes, halved: bool, gain: u16, out: &mut Planes) {
    if !halved {
        return rows::convert(luma, tints, halved, gain, out);
    }
    let out = out.each_mut().map(|out| &mut out[..luma.len()]);
    let ((luma, rest), [a, b, c]) = (luma.as_chunks::<16>(), out.map(|out| out.as_chunks_mut::<16>()));
    let [ta, tb, tc] = tints.each_ref().map(|tints| tints.as_chunks::<8>().0);
    let gain_16 = _mm256_set1_epi16(gain.cast_signed());
    let tints_16 = ta.iter().zip(tb).zip(tc);
    let out_16 = a.0.iter_mut().zip(b.0).zip(c.0);
    for ((y, ((ta, tb), tc)), ((a, b), c)) in luma.iter().zip(tints_16).zip(out_16) {
        let light = light(y, gain_16);
        (*a, *b, *c) = (coloured(light, ta), coloured(light, tb), coloured(light, tc));
    }
    let done = 8 * luma.len();
    for (tints, out) in tints.iter().zip([a.1, b.1, c.1]) {
        rows::convert_halved(rest, &tints[done..], gain, out);
    }
}

/// Sixteen pixels without their colour.
#[target_feature(enable = "avx2,fma")]
fn light(luma: &[u8; 16], gain: __m256i) -> __m256i {
    // SAFETY: the array is 16 bytes, and the load needs no alignment.
    let luma = unsafe { _mm_loadu_si128(luma.as_ptr().cast()) };
    _mm256_mulhi_epu16(_mm256_slli_epi16::<8>(_mm256_cvtepu8_epi16(luma)), gain)
}

/// Sixteen pixels of one channel: each tint is for two.
#[target_feature(enable = "avx2,fma")]
fn coloured(light: __m256i, tints: &[i16; 8]) -> [i16; 16] {
    // SAFETY: the array is 16 bytes, and the load needs no alignment.
    let tints = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(tints.as_ptr().cast()) });
    let twice = _mm256_setr_epi8(
        0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, //
        8, 9, 8, 9, 10, 11, 10, 11, 12, 13, 12, 13, 14, 15, 14, 15,
    );
    let colour = _mm256_adds_epi16(light, _mm256_shuffle_epi8(tints, twice));
    let colour = _mm256_max_epi16(colour, _mm256_setzero_si256());
    let colour = _mm256_min_epi16(colour, _mm256_set1_epi16(WHITE));
    let mut samples = [0; 16];
    // SAFETY: the array has room for sixteen samples, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(samples.as_mut_ptr().cast(), colour) };
    samples
}

#[target_feature(enable = "avx2,fma")]
fn blend(rows: [&[i16]; 2], share: i16, out: &mut [i16]) {
    rows::blend(rows, share, out);
}

#[target_feature(enable = "avx2,fma")]
fn resample(rows: [&[i16]; 3], columns: &Columns, scales: &[Scale; 3], out: [&mut [f32]; 3]) {
    let [a, b, c] = rows.map(|row| &row[..columns.samples()]);
    let scales = scales.map(|scale| (_mm256_set1_ps(scale.unit), _mm256_set1_ps(scale.offset)));
    columns.fill(out, |block| {
        // SAFETY: `block` is one of `columns`, which promises that its indices and their right
        // neighbours are below `samples`; the slices above are that long.
        let taps = unsafe { [look_up(a, block), look_up(b, block), look_up(c, block)] };
        std::array::from_fn(|channel| {
            let (unit, offset) = scales[channel];
            store(_mm256_fmadd_ps(taps[channel], unit, offset))
        })
    });
}

/// Eight pixels of one channel, in samples times `COLUMN_ONE`.
///
/// Neighbours are read at once, pixel by pixel: gathers took a third longer on Zen 3, and
/// are slower still on Intel processors with the microcode against Downfall.
///
/// # Safety
///
/// In every lane, `row` must hold the sample `at` and the one after it.
#[target_feature(enable = "avx2,fma")]
unsafe fn look_up(row: &[i16], block: &Block) -> __m256 {
    let two = |lane: usize| {
        let at = block.at[lane] as usize;
        debug_assert!(at + 2 <= row.len());
        // SAFETY: the caller vouches for two samples from `at` on; the read needs no alignment.
        unsafe { row.as_ptr().add(at).cast::<i32>().read_unaligned() }
    };
    let pairs = _mm256_setr_epi32(two(0), two(1), two(2), two(3), two(4), two(5), two(6), two(7));
    _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, load(&block.shares)))
}

#[target_feature(enable = "avx2,fma")]
fn load(shares: &[[i16; 2]; LANES]) -> __m256i {
    const { assert!(size_of::<[[i16; 2]; LANES]>() == size_of::<__m256i>()) };
    // SAFETY: the array is 32 bytes, as asserted, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(shares.as_ptr().cast()) }
}

#[target_feature(enable = "avx2,fma")]
fn store(values: __m256) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    // SAFETY: the array has room for eight values, and the store needs no alignment.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), values) };
    lanes
}
