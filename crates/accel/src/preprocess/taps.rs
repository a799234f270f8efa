//! Which source samples make an output pixel, and in what shares.
//!
//! Bilinear with half-pixel centres and no anti-aliasing, as OpenCV's `INTER_LINEAR`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions are below SIDE_PX_MAX and shares within 0 to 1"
)]

/// Output pixels in one block of column taps.
pub(super) const LANES: usize = 8;

/// The share that is all of a column tap; two such products of samples fit an i32.
pub(super) const COLUMN_ONE: i16 = 1 << 14;

/// Two neighbouring samples along one axis, at full precision.
#[derive(Clone, Copy)]
struct Taps {
    first: u32,
    /// Share of the second; zero where there is none.
    share: f64,
}

impl Taps {
    fn new(position: u32, source: u32, resized: u32) -> Self {
        let scale = f64::from(source) / f64::from(resized);
        let at = (f64::from(position) + 0.5) * scale - 0.5;
        let last = source - 1;
        if at <= 0.0 {
            return Taps { first: 0, share: 0.0 };
        }
        let first = at as u32;
        if first >= last {
            return Taps { first: last, share: 0.0 };
        }
        Taps { first, share: at.fract() }
    }
}

/// A source row and the share of the one below it, in 1/32768.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowTap {
    pub first: usize,
    pub share_q15: i16,
}

impl RowTap {
    pub fn new(row: u32, source: u32, resized: u32) -> Self {
        let taps = Taps::new(row, source, resized);
        let share_q15 = (taps.share * 32768.0).round().min(32767.0) as i16;
        RowTap { first: taps.first as usize, share_q15 }
    }
}

/// Column taps of eight neighbouring output pixels: a sample, and the shares of it and its right
/// neighbour.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub at: [u32; LANES],
    pub shares: [[i16; 2]; LANES],
}

/// Column taps of a whole row. The unsafe kernels rely on the promise of [`Columns::samples`].
#[derive(Debug)]
pub(super) struct Columns {
    /// Unused lanes of the last have zero shares.
    blocks: Vec<Block>,
    width: usize,
    samples: usize,
}

impl Columns {
    pub fn new(source: u32, resized: u32) -> Self {
        let width = resized as usize;
        let empty = Block { at: [0; LANES], shares: [[0; 2]; LANES] };
        let mut blocks = vec![empty; width.div_ceil(LANES)];
        for (x, position) in (0..width).zip(0..resized) {
            let (block, lane) = (&mut blocks[x / LANES], x % LANES);
            (block.at[lane], block.shares[lane]) = column(Taps::new(position, source, resized));
        }
        // One sample more than the picture has: the neighbour of the last, whose share is zero.
        let samples = source as usize + 1;
        assert!(blocks.iter().flat_map(|block| block.at).all(|at| at as usize + 2 <= samples));
        Columns { blocks, width, samples }
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

    /// Samples a source row must have: `at + 1` is below it in every lane.
    pub fn samples(&self) -> usize {
        self.samples
    }
}

fn column(taps: Taps) -> (u32, [i16; 2]) {
    let second = (taps.share * f64::from(COLUMN_ONE)).round() as i16;
    (taps.first, [COLUMN_ONE - second, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_half_pixel_centres() {
        let check = |row, source, resized, (first, share_q15)| {
            assert_eq!(RowTap::new(row, source, resized), RowTap { first, share_q15 });
        };
        // A third: the middle one of three rows. A half: two rows, shared.
        check(5, 1080, 360, (16, 0));
        check(3, 720, 360, (6, 16384));
        // Doubled: clamped at the edges.
        check(0, 4, 8, (0, 0));
        check(1, 4, 8, (0, 8192));
        check(3, 4, 8, (1, 8192));
        check(7, 4, 8, (3, 0));
    }

    #[test]
    fn columns_stay_within_their_promise() {
        for (source, resized) in [(1, 1), (1, 640), (2, 3), (5, 5), (7680, 1), (16384, 640), (3, 16384)] {
            let columns = Columns::new(source, resized);
            assert_eq!(columns.blocks.len(), columns.width().div_ceil(LANES));
            let lanes = columns.blocks.iter().flat_map(|block| block.shares);
            for shares in lanes.take(columns.width()) {
                assert_eq!(shares[0] + shares[1], COLUMN_ONE);
            }
        }
    }
}
