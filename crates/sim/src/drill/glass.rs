//! Which frame was the first that shows a fire: by the scene's own labels, not by what a detector says.

use vigia_core::time::Instant;

use crate::departure::Departure;
use crate::live;
use crate::scene::{Class, Frame};
use crate::stage::Stage;

/// The share of the picture that the box of a fire must cover.
pub const SHARE_LEAST: f32 = 0.005;

/// When the first frame left that shows a fire.
pub(super) fn first(stage: Stage, frames: &[Departure]) -> Option<Instant> {
    let mut shot = stage.shot(live::SIZE);
    frames.iter().find(|frame| burns(shot.frame(frame.scene_s))).map(|frame| frame.at)
}

/// Why nothing can be concluded, where the camera was first watched when it burned already.
pub(super) fn late(stage: Stage, frames: &[Departure]) -> Option<String> {
    let frame = frames.first()?;
    burns(stage.shot(live::SIZE).frame(frame.scene_s)).then(|| {
        format!(
            "camera {} was first watched after {:.1} s, when it burned already",
            stage.camera, frame.scene_s
        )
    })
}

/// Whether a labelled fire is large enough.
pub(super) fn burns(frame: &Frame) -> bool {
    let whole = frame.width as f32 * frame.height as f32;
    frame.labels.iter().filter(|label| label.class == Class::Fire).any(|label| {
        let [left, top, right, bottom] = label.bbox;
        (right - left) * (bottom - top) >= SHARE_LEAST * whole
    })
}
