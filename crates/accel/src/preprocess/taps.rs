//! Which source samples make an output pixel, and in what shares.
//!
//! Bilinear with half-pixel centres and no anti-aliasing, as OpenCV's `INTER_LINEAR`. Chroma is
//! taken as if repeated to full resolution first, so its taps are the luma taps halved; where
//! both fall on one chroma sample, the share of the second becomes zero.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions are below SIDE_PX_MAX and shares within 0 to 1"
)]

/// Output pixels in one block of column taps.
pub(super) const LANES: usize = 8;

/// The share that is all of a column tap; two such products of samples fit an i32.
pub(super) const COLUMN_ONE: i16 = 1 << 14;

/// Two samples along one axis, at full precision.
#[derive(Clone, Copy)]
struct Taps {
    first: u32,
    second: u32,
    /// Share of the second.
    share: f64,
}

impl Taps {
    fn new(position: u32, source: u32, resized: u32) -> Self {
        let scale = f64::from(source) / f64::from(resized);
        let at = (f64::from(position) + 0.5) * scale - 0.5;
        let last = source - 1;
        if at <= 0.0 {
            return Taps { first: 0, second: 0, share: 0.0 };
        }
        let first = at as u32;
        if first >= last {
            return Taps { first: last, second: last, share: 0.0 };
        }
        Taps { first, second: first + 1, share: at.fract() }
    }

    fn subsampled(self, shift: u32) -> Self {
        let (first, second) = (self.first >> shift, self.second >> shift);
        let share = if first == second { 0.0 } else { self.share };
        Taps { first, second, share }
    }
}

/// Two source rows and the share of the second, in 1/32768.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowTap {
    pub first: usize,
    pub second: usize,
    pub share_q15: i16,
}

impl RowTap {
    /// Taps of luma and of chroma for one output row.
    pub fn pair(row: u32, source: u32, resized: u32, shift: u32) -> (RowTap, RowTap) {
        let luma = Taps::new(row, source, resized);
        (luma.into(), luma.subsampled(shift).into())
    }
}

impl From<Taps> for RowTap {
    fn from(taps: Taps) -> Self {
        let share_q15 = (taps.share * 32768.0).round().min(32767.0) as i16;
        RowTap { first: taps.first as usize, second: taps.second as usize, share_q15 }
    }
}

/// Column taps of eight neighbouring output pixels: a sample, its right neighbour, their shares.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub luma_at: [u32; LANES],
    pub luma_shares: [[i16; 2]; LANES],
    pub chroma_at: [u32; LANES],
    pub chroma_shares: [[i16; 2]; LANES],
}

/// Column taps of a whole row. The unsafe kernels rely on the promise of its two lengths.
#[derive(Debug)]
pub(super) struct Columns {
    /// Unused lanes of the last have zero shares.
    blocks: Vec<Block>,
    width: usize,
    luma_len: usize,
    chroma_len: usize,
}

impl Columns {
    /// `chroma_shift` is `None` where there is no chroma: then each pixel takes the first sample.
    pub fn new(source: u32, resized: u32, chroma_shift: Option<u32>) -> Self {
        let samples = source as usize;
        let chroma_samples = chroma_shift.map_or(1, |shift| samples.div_ceil(1 << shift));
        let empty = Block {
            luma_at: [0; LANES],
            luma_shares: [[0; 2]; LANES],
            chroma_at: [0; LANES],
            chroma_shares: [[0; 2]; LANES],
        };
        let width = resized as usize;
        let mut blocks = vec![empty; width.div_ceil(LANES)];
        for (x, position) in (0..width).zip(0..resized) {
            let (block, lane) = (&mut blocks[x / LANES], x % LANES);
            let luma = Taps::new(position, source, resized);
            let chroma = match chroma_shift {
                Some(shift) => luma.subsampled(shift),
                None => Taps { first: 0, second: 0, share: 0.0 },
            };
            (block.luma_at[lane], block.luma_shares[lane]) = column(luma);
            (block.chroma_at[lane], block.chroma_shares[lane]) = column(chroma);
        }
        // One sample more than the picture has: the neighbour of the last, whose share is zero.
        let columns = Columns { blocks, width, luma_len: samples + 1, chroma_len: 2 * (chroma_samples + 1) };
        let within = |at: u32, step: usize, len: usize| (at as usize + 2) * step <= len;
        assert!(columns.blocks.iter().all(|block| {
            block.luma_at.iter().all(|&at| within(at, 1, columns.luma_len))
                && block.chroma_at.iter().all(|&at| within(at, 2, columns.chroma_len))
        }));
        columns
    }

    /// Fills a row of each channel with what `pixels` makes of each block.
    #[inline(always)]
    pub fn fill(&self, out: [&mut [f32]; 3], mut pixels: impl FnMut(&Block) -> [[f32; LANES]; 3]) {
        let [a, b, c] = out.map(|out| out[..self.width].as_chunks_mut());
        for (((block, a), b), c) in self.blocks.iter().zip(a.0).zip(b.0).zip(c.0) {
            [*a, *b, *c] = pixels(block);
        }
        // Apart, because a copy of varying length in the loop would be a call for each block.
        if let Some(block) = self.blocks.get(self.width / LANES) {
            for (rest, values) in [a.1, b.1, c.1].into_iter().zip(pixels(block)) {
                rest.copy_from_slice(&values[..rest.len()]);
            }
        }
    }

    /// Output pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Samples a luma row must have: `luma_at + 1` is below it in every lane.
    pub fn luma_len(&self) -> usize {
        self.luma_len
    }

    /// Samples a row of UV pairs must have: `2 * chroma_at + 3` is below it in every lane.
    pub fn chroma_len(&self) -> usize {
        self.chroma_len
    }
}

fn column(taps: Taps) -> (u32, [i16; 2]) {
    let second = (taps.share * f64::from(COLUMN_ONE)).round() as i16;
    (taps.first, [COLUMN_ONE - second, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: usize, second: usize, share_q15: i16) -> RowTap {
        RowTap { first, second, share_q15 }
    }

    #[test]
    fn rows_follow_half_pixel_centres() {
        // A third: the middle one of three rows. A half: two rows, shared.
        assert_eq!(RowTap::pair(5, 1080, 360, 1), (row(16, 17, 0), row(8, 8, 0)));
        assert_eq!(RowTap::pair(3, 720, 360, 1), (row(6, 7, 16384), row(3, 3, 0)));
        // Doubled: clamped at the edges; chroma is shared only across its own boundary.
        assert_eq!(RowTap::pair(0, 4, 8, 1), (row(0, 0, 0), row(0, 0, 0)));
        assert_eq!(RowTap::pair(1, 4, 8, 1), (row(0, 1, 8192), row(0, 0, 0)));
        assert_eq!(RowTap::pair(3, 4, 8, 1), (row(1, 2, 8192), row(0, 1, 8192)));
        assert_eq!(RowTap::pair(7, 4, 8, 1), (row(3, 3, 0), row(1, 1, 0)));
    }

    #[test]
    fn columns_stay_within_their_promise() {
        for (source, resized) in [(1, 1), (1, 640), (2, 3), (5, 5), (7680, 1), (16384, 640), (3, 16384)] {
            for shift in [None, Some(0), Some(1)] {
                let columns = Columns::new(source, resized, shift);
                assert_eq!(columns.blocks.len(), columns.width().div_ceil(LANES));
                let lanes = columns.blocks.iter().flat_map(|block| block.luma_shares);
                for shares in lanes.take(columns.width()) {
                    assert_eq!(shares[0] + shares[1], COLUMN_ONE);
                }
            }
        }
    }
}
