//! A new model is tried on live frames before it replaces the old one.

use std::time::Duration;

use vigia_core::control::Shadow;
use vigia_core::detection::Detection;

use super::evidence::{Inquiry, Seen};
use crate::camera::latest::Latest;
use crate::clock;
use crate::detect::FrameError;
use crate::detect::network::Network;
use crate::frame::Frame;

/// How long is waited for a live frame; without one the warm-up was the only trial.
const FRAME_WITHIN: Duration = Duration::from_secs(2);
/// How long is waited for the old model's result on the same frame.
const RESULT_WITHIN: Duration = Duration::from_secs(2);
const CONFIDENCE: f32 = 0.5;
/// Boxes of one object overlap at least this much.
const SAME_IOU: f32 = 0.5;

/// Runs the new model on one live frame, or on `frames` of them beside the old one; then says how
/// far the two agree.
///
/// # Errors
/// [`FrameError`] if it fails on a frame.
pub fn run(
    network: &mut Network,
    latest: &Latest,
    inquiry: &Inquiry,
    frames: u32,
) -> Result<Option<Shadow>, FrameError> {
    let _asking = inquiry.begin();
    let copies = latest.tap(frames.max(1));
    let mut shadow = Shadow { frames: 0, agreement: 1.0, only_old: 0, only_new: 0 };
    let mut both = 0;
    for _ in 0..frames.max(1) {
        let Ok(frame) = copies.recv_timeout(FRAME_WITHIN) else { break };
        let found = network.look(&frame, CONFIDENCE)?;
        let Some(old) = (frames > 0).then(|| result_of(&frame, inquiry)).flatten() else { continue };
        shadow.frames += 1;
        let agreed = agreeing(&old, &found, &network.manifest.classes);
        both += agreed;
        shadow.only_old += count(&old.found).saturating_sub(agreed);
        shadow.only_new += count(&found).saturating_sub(agreed);
    }
    let all = both + shadow.only_old + shadow.only_new;
    if all > 0 {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand objects")]
        let share = both as f32 / all as f32;
        shadow.agreement = share;
    }
    Ok((frames > 0).then_some(shadow))
}

/// What the model at work found on the frame.
fn result_of(frame: &Frame, inquiry: &Inquiry) -> Option<Seen> {
    let until = clock::now().after(RESULT_WITHIN);
    loop {
        let seen = inquiry.next(until.since(clock::now()))?;
        if seen.frame.source_id == frame.source_id && seen.picture >= frame.picture {
            // A later one means that this frame was replaced before anybody looked.
            return (seen.picture == frame.picture).then_some(seen);
        }
    }
}

fn count(found: &[Detection]) -> u32 {
    u32::try_from(found.iter().filter(|d| d.confidence >= CONFIDENCE).count()).unwrap_or(u32::MAX)
}

/// Objects that both found: same class name, overlapping boxes, each counted once.
fn agreeing(old: &Seen, new: &[Detection], classes: &[String]) -> u32 {
    let mut left: Vec<&Detection> = new.iter().filter(|d| d.confidence >= CONFIDENCE).collect();
    let mut agreed = 0;
    for one in old.found.iter().filter(|d| d.confidence >= CONFIDENCE) {
        let name = old.classes.get(usize::from(one.class_id));
        let same = |d: &&Detection| {
            classes.get(usize::from(d.class_id)) == name && d.bbox.iou(&one.bbox) >= SAME_IOU
        };
        if let Some(at) = left.iter().position(same) {
            left.swap_remove(at);
            agreed += 1;
        }
    }
    agreed
}
