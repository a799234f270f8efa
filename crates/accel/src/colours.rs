//! What GStreamer says that a picture's numbers mean, in our words.

use gst_video::{VideoColorMatrix, VideoColorRange, VideoInfo};

use crate::preprocess::{Matrix, Range};

/// Matrix and range of a picture. What is not said is BT.601 in the limited range, as cameras of small pictures mean it.
#[must_use]
pub fn colours(info: &VideoInfo) -> (Matrix, Range) {
    let colour = info.colorimetry();
    let matrix = match colour.matrix() {
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ => Matrix::Bt601,
    };
    let range = match colour.range() {
        VideoColorRange::Range0_255 => Range::Full,
        _ => Range::Limited,
    };
    (matrix, range)
}
