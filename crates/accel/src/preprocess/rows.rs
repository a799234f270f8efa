//! Row kernels in plain Rust, written so that the compiler vectorises what can be.
//!
//! They are inlined into the functions that choose an instruction set: the crate's baseline
//! (SSE2, NEON) in [`Kernel::Portable`], more in `avx2`.

use super::colour::{Channel, SAMPLE_SHIFT};
use super::taps::{Block, Columns, LANES};

/// Which instruction set runs the rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(super::avx2::Avx2),
}

impl Kernel {
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = super::avx2::Avx2::detect() {
            return Kernel::Avx2(avx2);
        }
        Kernel::Portable
    }

    /// Blends two rows of bytes into one row of samples; `share` of the second is in 1/32768.
    pub fn blend(self, rows: [&[u8]; 2], share: i16, out: &mut [i16]) {
        match self {
            Kernel::Portable => blend(rows, share, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.blend(rows, share, out),
        }
    }

    /// As [`Kernel::blend`] for two rows each of U and V, into pairs.
    pub fn blend_planar(self, u: [&[u8]; 2], v: [&[u8]; 2], share: i16, out: &mut [i16]) {
        match self {
            Kernel::Portable => blend_planar(u, v, share, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.blend_planar(u, v, share, out),
        }
    }

    /// Makes one output row of all three channels from a luma row and a row of UV pairs.
    pub fn resample(
        self,
        luma: &[i16],
        chroma: &[i16],
        columns: &Columns,
        channels: &[Channel; 3],
        out: [&mut [f32]; 3],
    ) {
        match self {
            Kernel::Portable => resample(luma, chroma, columns, channels, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(avx2) => avx2.resample(luma, chroma, columns, channels, out),
        }
    }
}

#[inline(always)]
pub(super) fn blend([first, second]: [&[u8]; 2], share: i16, out: &mut [i16]) {
    if share == 0 {
        for (out, &a) in out.iter_mut().zip(first) {
            *out = sample(a);
        }
        return;
    }
    for ((out, &a), &b) in out.iter_mut().zip(first).zip(second) {
        *out = mix(a, b, share);
    }
}

#[inline(always)]
pub(super) fn blend_planar(u: [&[u8]; 2], v: [&[u8]; 2], share: i16, out: &mut [i16]) {
    let (pairs, _) = out.as_chunks_mut::<2>();
    if share == 0 {
        for ((out, &u), &v) in pairs.iter_mut().zip(u[0]).zip(v[0]) {
            *out = [sample(u), sample(v)];
        }
        return;
    }
    let rows = u[0].iter().zip(u[1]).zip(v[0].iter().zip(v[1]));
    for (out, ((&u0, &u1), (&v0, &v1))) in pairs.iter_mut().zip(rows) {
        *out = [mix(u0, u1, share), mix(v0, v1, share)];
    }
}

#[inline(always)]
fn sample(byte: u8) -> i16 {
    i16::from(byte) << SAMPLE_SHIFT
}

/// `a + (b - a) * share`, rounded down: the high half of a product, which vector units have.
#[inline(always)]
fn mix(a: u8, b: u8, share: i16) -> i16 {
    // Full scale, so that the halving of a q15 product leaves 1/64 grey level.
    let difference = (i16::from(b) - i16::from(a)) << (SAMPLE_SHIFT + 1);
    sample(a) + ((i32::from(difference) * i32::from(share)) >> 16) as i16
}

#[inline(always)]
fn resample(luma: &[i16], chroma: &[i16], columns: &Columns, channels: &[Channel; 3], out: [&mut [f32]; 3]) {
    let luma = &luma[..columns.luma_len()];
    let (pairs, _) = chroma[..columns.chroma_len()].as_chunks();
    columns.fill(out, |block| pixels(luma, pairs, block, channels));
}

#[inline(always)]
fn pixels(luma: &[i16], pairs: &[[i16; 2]], block: &Block, channels: &[Channel; 3]) -> [[f32; LANES]; 3] {
    let (mut y, mut u, mut v) = ([0; LANES], [0; LANES], [0; LANES]);
    for lane in 0..LANES {
        let at = block.luma_at[lane] as usize;
        let near: &[i16; 2] = luma[at..].first_chunk().expect("columns keep within luma_len");
        y[lane] = share(near[0], near[1], block.luma_shares[lane]);
        let at = block.chroma_at[lane] as usize;
        let near: &[[i16; 2]; 2] = pairs[at..].first_chunk().expect("columns keep within chroma_len");
        u[lane] = share(near[0][0], near[1][0], block.chroma_shares[lane]);
        v[lane] = share(near[0][1], near[1][1], block.chroma_shares[lane]);
    }
    let mut out = [[0.0; LANES]; 3];
    for (out, channel) in out.iter_mut().zip(channels) {
        for lane in 0..LANES {
            let (y, u, v) = (y[lane] as f32, u[lane] as f32, v[lane] as f32);
            let value = y * channel.y + u * channel.u + v * channel.v + channel.bias;
            out[lane] = value.max(channel.low).min(channel.high);
        }
    }
    out
}

#[inline(always)]
fn share(first: i16, second: i16, shares: [i16; 2]) -> i32 {
    i32::from(first) * i32::from(shares[0]) + i32::from(second) * i32::from(shares[1])
}
