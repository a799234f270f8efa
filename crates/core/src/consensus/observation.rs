//! What comes in: detections, and what is known of a camera's picture.

use super::config::FrameSize;
use super::ids::{CameraId, Class, ObjectId};
use super::record::Sight;
use crate::detection::BBox;
use crate::time::Instant;

/// One detection, on its way in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    pub camera: CameraId,
    /// `None`: nobody follows it, so it is followed here by its place.
    pub object: Option<ObjectId>,
    pub class: Class,
    /// 0..=1; anything else, NaN included, is refused.
    pub confidence: f32,
    /// Corners in pixels of `frame`.
    pub bbox: BBox,
    /// The picture that the box refers to: the camera's own resolution, never an assumed one (C4).
    pub frame: FrameSize,
    /// When the frame was captured; for a message from outside, when it arrived.
    pub captured: Instant,
}

/// What is known of a camera's picture since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// A new frame came, and the detector looked at it: a dead model is a blind camera.
    pub frame_advanced: bool,
    /// New frames all show the same.
    pub frozen: bool,
    pub black: bool,
    pub washed_out: bool,
    /// Something hangs before the lens, or it was turned away.
    pub obscured: bool,
}

impl Health {
    /// A new frame with nothing wrong.
    pub const GOOD: Self =
        Self { frame_advanced: true, frozen: false, black: false, washed_out: false, obscured: false };

    pub(super) fn fault(self) -> Option<Sight> {
        let faults = [
            (self.frozen, Sight::Frozen),
            (self.black, Sight::Black),
            (self.washed_out, Sight::WashedOut),
            (self.obscured, Sight::Obscured),
        ];
        faults.iter().find(|(is, _)| *is).map(|(_, sight)| *sight)
    }
}

/// The box in shares of the picture, cut off at its edges. `None`: not finite, negative, inside
/// out or empty (spec 2.2), or a picture without pixels.
pub(super) fn in_shares(bbox: &BBox, frame: FrameSize) -> Option<BBox> {
    let sound = |v: f32| v.is_finite() && v >= 0.0;
    let all = [bbox.x1, bbox.y1, bbox.x2, bbox.y2].into_iter().all(sound);
    if !all {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "pictures are not 16 million pixels wide")]
    let (width, height) = (frame.width as f32, frame.height as f32);
    let cut = bbox.clipped(width, height);
    let share = BBox { x1: cut.x1 / width, y1: cut.y1 / height, x2: cut.x2 / width, y2: cut.y2 / height };
    // A picture without pixels leaves no numbers here, and those fail, too.
    (share.width() > 0.0 && share.height() > 0.0).then_some(share)
}
