//! A decoded frame as it lies in memory: planes, strides and what the numbers mean.
//!
//! [`Image::new`] is the only way in, and afterwards every row of every plane is known to be
//! there. It knows nothing of GStreamer; the caller translates caps and buffer metadata.

use super::SIDE_PX_MAX;

/// Layouts of 8-bit frames, with the planes in the order GStreamer gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// 4:2:0, Y then interleaved UV.
    Nv12,
    /// 4:2:0, Y, U, V.
    I420,
    /// 4:2:2, Y, U, V.
    Y42b,
    /// 4:4:4, Y, U, V.
    Y444,
    /// Luma alone.
    Gray8,
}

impl PixelFormat {
    /// How many of an image's planes carry samples.
    pub fn planes(self) -> usize {
        match self {
            PixelFormat::Nv12 => 2,
            PixelFormat::I420 | PixelFormat::Y42b | PixelFormat::Y444 => 3,
            PixelFormat::Gray8 => 1,
        }
    }

    /// Chroma subsampling as shifts (horizontal, vertical).
    pub(super) fn chroma_shift(self) -> (u32, u32) {
        match self {
            PixelFormat::Nv12 | PixelFormat::I420 => (1, 1),
            PixelFormat::Y42b => (1, 0),
            PixelFormat::Y444 | PixelFormat::Gray8 => (0, 0),
        }
    }

    /// Bytes in a row, and rows, of one plane.
    fn plane_size(self, plane: usize, width: usize, height: usize) -> (usize, usize) {
        if plane == 0 {
            return (width, height);
        }
        let (shift_x, shift_y) = self.chroma_shift();
        let samples = width.div_ceil(1 << shift_x);
        let bytes = if self == PixelFormat::Nv12 { 2 * samples } else { samples };
        (bytes, height.div_ceil(1 << shift_y))
    }
}

/// Which luma weights the encoder used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    Bt601,
    Bt709,
    /// Non-constant luminance.
    Bt2020,
}

impl Matrix {
    /// Shares of red and blue in luma.
    pub(crate) fn weights(self) -> (f64, f64) {
        match self {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        }
    }
}

/// Which part of 0..=255 carries the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16..=235, chroma 16..=240.
    Limited,
    Full,
}

/// Why the memory offered is not an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("image of {width}x{height} px: each side must be 1 to {SIDE_PX_MAX}")]
    Size { width: u32, height: u32 },
    #[error("plane {plane}: a stride of {given} bytes is shorter than a row of {expected} bytes")]
    Stride { plane: usize, expected: usize, given: usize },
    #[error("plane {plane}: expected at least {expected} bytes, given {given}")]
    Plane { plane: usize, expected: usize, given: usize },
}

/// A frame whose every row is known to be in memory.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    format: PixelFormat,
    width: u32,
    height: u32,
    matrix: Matrix,
    range: Range,
    planes: [&'a [u8]; 3],
    strides: [usize; 3],
}

impl<'a> Image<'a> {
    /// Checks each plane that `format` has; the others are ignored and may be empty.
    ///
    /// The last row of a plane may end without its padding, as decoders often leave it.
    pub fn new(
        format: PixelFormat,
        width: u32,
        height: u32,
        matrix: Matrix,
        range: Range,
        planes: [&'a [u8]; 3],
        strides: [usize; 3],
    ) -> Result<Self, ImageError> {
        let sides = 1..=SIDE_PX_MAX;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(ImageError::Size { width, height });
        }
        for plane in 0..format.planes() {
            let (row, rows) = format.plane_size(plane, width as usize, height as usize);
            if strides[plane] < row {
                return Err(ImageError::Stride { plane, expected: row, given: strides[plane] });
            }
            let given = planes[plane].len();
            // Saturates only for a stride that no slice can have.
            let expected = strides[plane].saturating_mul(rows - 1).saturating_add(row);
            if given < expected {
                return Err(ImageError::Plane { plane, expected, given });
            }
        }
        Ok(Image { format, width, height, matrix, range, planes, strides })
    }

    pub fn format(&self) -> PixelFormat {
        self.format
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn matrix(&self) -> Matrix {
        self.matrix
    }

    pub fn range(&self) -> Range {
        self.range
    }

    /// One row of a plane, without its padding.
    pub fn row(&self, plane: usize, row: usize) -> &'a [u8] {
        let (bytes, _) = self.format.plane_size(plane, self.width as usize, self.height as usize);
        &self.planes[plane][row * self.strides[plane]..][..bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        format: PixelFormat,
        size: (u32, u32),
        lengths: [usize; 3],
        strides: [usize; 3],
    ) -> Result<(), ImageError> {
        let bytes = [0; 64];
        let planes = lengths.map(|length| &bytes[..length]);
        Image::new(format, size.0, size.1, Matrix::Bt601, Range::Full, planes, strides).map(|_| ())
    }

    #[test]
    fn planes_hold_all_rows_but_the_last_padding() {
        let short = |plane, expected, given| Err(ImageError::Plane { plane, expected, given });
        // 5x3 with a stride of 8: luma ends at 2*8+5, chroma is 3x2.
        assert_eq!(check(PixelFormat::I420, (5, 3), [21, 11, 11], [8; 3]), Ok(()));
        assert_eq!(check(PixelFormat::I420, (5, 3), [20, 11, 11], [8; 3]), short(0, 21, 20));
        assert_eq!(check(PixelFormat::I420, (5, 3), [21, 10, 11], [8; 3]), short(1, 11, 10));
        assert_eq!(check(PixelFormat::I420, (5, 3), [21, 11, 0], [8; 3]), short(2, 11, 0));
        assert_eq!(check(PixelFormat::Nv12, (5, 3), [21, 14, 0], [8, 8, 0]), Ok(()));
        assert_eq!(check(PixelFormat::Nv12, (5, 3), [21, 13, 0], [8, 8, 0]), short(1, 14, 13));
        assert_eq!(check(PixelFormat::Y42b, (5, 3), [15, 9, 9], [5, 3, 3]), Ok(()));
        assert_eq!(check(PixelFormat::Y444, (5, 3), [15, 15, 9], [5; 3]), short(2, 15, 9));
        assert_eq!(check(PixelFormat::Gray8, (5, 3), [15, 0, 0], [5, 0, 0]), Ok(()));
    }

    #[test]
    fn an_error_names_plane_and_bytes() {
        let error = check(PixelFormat::I420, (5, 3), [21, 11, 9], [8; 3]).unwrap_err();
        assert_eq!(error.to_string(), "plane 2: expected at least 11 bytes, given 9");
    }

    #[test]
    fn strides_shorter_than_a_row_are_refused() {
        let expected = Err(ImageError::Stride { plane: 1, expected: 6, given: 5 });
        assert_eq!(check(PixelFormat::Nv12, (5, 3), [64, 64, 0], [8, 5, 0]), expected);
    }

    #[test]
    fn absurd_sizes_and_strides_are_refused() {
        for (width, height) in [(0, 4), (4, 0), (u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
            let expected = Err(ImageError::Size { width, height });
            assert_eq!(check(PixelFormat::Nv12, (width, height), [64; 3], [64; 3]), expected);
        }
        let stride = Err(ImageError::Plane { plane: 0, expected: usize::MAX, given: 64 });
        assert_eq!(check(PixelFormat::Gray8, (4, 4), [64, 0, 0], [usize::MAX, 0, 0]), stride);
    }
}
