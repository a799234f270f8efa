//! Source rows in red, green and blue, two at a time.

use super::colour::Colours;
use super::image::{Image, PixelFormat};
use super::rows::{Chroma, Kernel};
use super::taps::RowTap;

/// One row of each channel, in tensor order.
pub(super) type Planes = [Vec<i16>; 3];

/// The last source rows that were converted: neighbouring output rows often share them.
#[derive(Debug)]
pub(super) struct SourceRows {
    chroma_shift: (u32, u32),
    /// Source row i lies in the one of its parity.
    rows: [Planes; 2],
    held: [Option<usize>; 2],
    /// What one row of chroma adds to each channel.
    tints: Planes,
    tints_of: Option<usize>,
    blended: Planes,
}

impl SourceRows {
    /// `samples` is how long the rows are, at least `width`. What is beyond stays zero.
    pub fn new(format: PixelFormat, width: usize, samples: usize) -> Self {
        let chroma_shift = format.chroma_shift();
        let planes = |samples| std::array::from_fn(|_| vec![0; samples]);
        SourceRows {
            chroma_shift,
            rows: [planes(samples), planes(samples)],
            held: [None; 2],
            tints: planes(width.div_ceil(1 << chroma_shift.0)),
            tints_of: None,
            blended: planes(samples),
        }
    }

    /// Must be called when another image, or other colours, come.
    pub fn forget(&mut self) {
        self.held = [None; 2];
        self.tints_of = None;
    }

    /// The row that lies between two source rows.
    pub fn between(
        &mut self,
        tap: RowTap,
        image: &Image<'_>,
        colours: &Colours,
        kernel: Kernel,
    ) -> [&[i16]; 3] {
        self.convert(tap.first, image, colours, kernel);
        let parity = tap.first % 2;
        if tap.share_q15 == 0 {
            return self.rows[parity].each_ref().map(Vec::as_slice);
        }
        self.convert(tap.first + 1, image, colours, kernel);
        for (channel, blended) in self.blended.iter_mut().enumerate() {
            let pair = [&self.rows[parity][channel][..], &self.rows[1 - parity][channel]];
            kernel.blend(pair, tap.share_q15, blended);
        }
        self.blended.each_ref().map(Vec::as_slice)
    }

    fn convert(&mut self, row: usize, image: &Image<'_>, colours: &Colours, kernel: Kernel) {
        let parity = row % 2;
        if self.held[parity] == Some(row) {
            return;
        }
        self.held[parity] = Some(row);
        let chroma_row = row >> self.chroma_shift.1;
        if self.tints_of != Some(chroma_row) {
            self.tints_of = Some(chroma_row);
            let chroma = match image.format() {
                PixelFormat::Nv12 => Chroma::Pairs(image.row(1, chroma_row)),
                PixelFormat::I420 | PixelFormat::Y42b | PixelFormat::Y444 => {
                    Chroma::Planar(image.row(1, chroma_row), image.row(2, chroma_row))
                }
                PixelFormat::Gray8 => Chroma::Absent,
            };
            kernel.tint(chroma, colours, &mut self.tints);
        }
        let halved = self.chroma_shift.0 == 1;
        kernel.convert(image.row(0, row), &self.tints, halved, colours.gain, &mut self.rows[parity]);
    }
}
