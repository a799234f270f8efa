//! What the operator keeps on paper: what is so now, what a command came to, why it did not.

use vigia_core::config::Stream;
use vigia_core::control::{Change, Code, Desired, Effect, FrameRef, Refusal};

use crate::app::running::ChangeError;
use crate::model::ModelError;

/// Settings for streams to come: nobody has to carry them out.
pub(super) fn settle(desired: &mut Desired, as_in: &Desired) {
    (desired.max_fps, desired.confidence, desired.tracker) = (as_in.max_fps, as_in.confidence, as_in.tracker);
}

/// The change, on paper.
pub(super) fn carry(desired: &mut Desired, change: &Change) {
    let mut on = |id: u32, set: &mut dyn FnMut(&mut Stream)| {
        desired.streams.iter_mut().filter(|stream| stream.source_id == id).for_each(set);
    };
    match change {
        Change::SwapModel { model } => desired.model.clone_from(model),
        Change::AddStream(stream) => desired.streams.push(Stream::clone(stream)),
        Change::Repoint(new) => on(new.source_id, &mut |stream| stream.clone_from(new)),
        Change::SetRate { source_id, max_fps } => on(*source_id, &mut |stream| stream.max_fps = *max_fps),
        Change::SetConfidence { source_id, confidence } => {
            on(*source_id, &mut |stream| stream.confidence = *confidence);
        }
        Change::SetTracker { source_id, tracker } => on(*source_id, &mut |stream| stream.tracker = *tracker),
        Change::RemoveStream { source_id } => desired.streams.retain(|s| s.source_id != *source_id),
    }
}

pub(super) fn merge(effect: &mut Effect, more: Effect) {
    effect.generation = more.generation.or(effect.generation);
    effect.model_id = more.model_id.or_else(|| effect.model_id.take());
    effect.first_frame.extend(more.first_frame);
    effect.last_frame.extend(more.last_frame);
    effect.shadow = more.shadow.or(effect.shadow);
}

pub(super) fn frame_ref(source_id: u32, frame_id: u64) -> FrameRef {
    FrameRef { source_id, frame_id, timestamp: None }
}

pub(super) fn failed(error: &ChangeError) -> Refusal {
    Refusal::new(Code::Failed, error.to_string())
}

pub(super) fn bad_model(error: &ModelError) -> Refusal {
    let code = if error.is_unknown() { Code::UnknownModel } else { Code::BadModel };
    Refusal::new(code, error.to_string())
}
