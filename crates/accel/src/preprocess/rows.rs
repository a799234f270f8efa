//! Row kernels in plain Rust, written so that the compiler vectorises what can be.
//!
//! They are inlined into the functions that choose an instruction set: the crate's baseline
//! (SSE2, NEON) in [`Kernel::Portable`], more in `avx2`.

use super::colour::{self, Colours, Distance, Scale};
use super::source::Planes;
use super::taps::{Block, Columns, LANES};

/// Which instruction set runs the rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(super::avx2::Avx2),
}

/// One row of chroma.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chroma<'a> {
    /// U and V in turn.
    Pairs(&'a [u8]),
    Planar(&'a [u8], &'a [u8]),
    Absent,
}

impl Kernel {
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = super::avx2::Avx2::detect() {
            return Kernel::Avx2(avx2);
        }
        Kernel::Portable
    }

    /// What a row of chroma adds to each channel.
    pub fn tint(self, chroma: Chroma<'_>, colours: &Colours, out: &mut Planes) {
        match self {
            Kernel::Portable => tint(chroma, colours, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.tint(chroma, colours, out),
        }
    }

    /// Makes a row of samples of each channel. `halved` is for tints of two pixels each.
    pub fn convert(self, luma: &[u8], tints: &Planes, halved: bool, gain: u16, out: &mut Planes) {
        match self {
            Kernel::Portable => convert(luma, tints, halved, gain, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.convert(luma, tints, halved, gain, out),
        }
    }

    /// Blends two rows; `share` of the second is in 1/32768.
    pub fn blend(self, rows: [&[i16]; 2], share: i16, out: &mut [i16]) {
        match self {
            Kernel::Portable => blend(rows, share, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.blend(rows, share, out),
        }
    }

    /// Makes one output row of all three channels.
    pub fn resample(self, rows: [&[i16]; 3], columns: &Columns, scales: &[Scale; 3], out: [&mut [f32]; 3]) {
        match self {
            Kernel::Portable => resample(rows, columns, scales, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.resample(rows, columns, scales, out),
        }
    }
}

#[inline(always)]
pub(super) fn tint(chroma: Chroma<'_>, colours: &Colours, out: &mut Planes) {
    for (tint, out) in colours.tints.into_iter().zip(out) {
        match chroma {
            Chroma::Pairs(pairs) => {
                for (out, &pair) in out.iter_mut().zip(pairs.as_chunks().0) {
                    let [u, v] = Distance::pair(pair);
                    *out = tint.sample(u, v);
                }
            }
            Chroma::Planar(u, v) => {
                for ((out, &u), &v) in out.iter_mut().zip(u).zip(v) {
                    *out = tint.sample(Distance::new(u), Distance::new(v));
                }
            }
            Chroma::Absent => out.fill(tint.sample(Distance::new(128), Distance::new(128))),
        }
    }
}

#[inline(always)]
pub(super) fn convert(luma: &[u8], tints: &Planes, halved: bool, gain: u16, out: &mut Planes) {
    for (tints, out) in tints.iter().zip(out) {
        let out = &mut out[..luma.len()];
        if halved {
            convert_halved(luma, tints, gain, out);
        } else {
            for ((out, &y), &tint) in out.iter_mut().zip(luma).zip(tints) {
                *out = colour::sample(y, gain, tint);
            }
        }
    }
}

#[inline(always)]
pub(super) fn convert_halved(luma: &[u8], tints: &[i16], gain: u16, out: &mut [i16]) {
    let ((pairs, y), (out, last)) = (luma.as_chunks::<2>(), out.as_chunks_mut::<2>());
    for ((out, y), &tint) in out.iter_mut().zip(pairs).zip(tints) {
        *out = y.map(|y| colour::sample(y, gain, tint));
    }
    // A picture of odd width ends with chroma for one pixel.
    if let ([out], [y], Some(&tint)) = (last, y, tints.last()) {
        *out = colour::sample(*y, gain, tint);
    }
}

#[inline(always)]
pub(super) fn blend([first, second]: [&[i16]; 2], share: i16, out: &mut [i16]) {
    for ((out, &a), &b) in out.iter_mut().zip(first).zip(second) {
        *out = colour::mix(a, b, share);
    }
}

#[inline(always)]
fn resample(rows: [&[i16]; 3], columns: &Columns, scales: &[Scale; 3], out: [&mut [f32]; 3]) {
    let rows = rows.map(|row| &row[..columns.samples()]);
    columns.fill(out, |block| std::array::from_fn(|channel| pixels(rows[channel], block, scales[channel])));
}

#[inline(always)]
fn pixels(row: &[i16], block: &Block, scale: Scale) -> [f32; LANES] {
    std::array::from_fn(|lane| {
        let pair: &[i16; 2] =
            row[block.at[lane] as usize..].first_chunk().expect("columns keep within a row");
        let [first, second] = block.shares[lane].map(i32::from);
        let value = i32::from(pair[0]) * first + i32::from(pair[1]) * second;
        value as f32 * scale.unit + scale.offset
    })
}
