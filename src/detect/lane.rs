//! What the detector keeps per stream.

use std::time::Duration;

use vigia_accel::preprocess::{PreprocessError, Preprocessor};
use vigia_core::config::{Stream, Tracker as TrackerChoice};
use vigia_core::detection::Detection;
use vigia_core::time::Instant;
use vigia_core::tracking::{Tracker, TrackerConfig};

use super::manifest::Manifest;

/// What a tracker wants to see, whatever the stream's threshold is.
const TRACKER_FLOOR: f32 = 0.1;

/// A stream that was silent for longer is not waited for.
const ACTIVE_FOR: Duration = Duration::from_secs(1);

/// One stream's share of the detector.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) pre: Preprocessor,
    tracker: Option<Tracker>,
    pub(super) confidence: f32,
    /// Names of the classes to report; empty for all.
    classes: Vec<String>,
    /// By class id; empty keeps all.
    keep: Vec<bool>,
    pub(super) frame_id: u64,
    /// When its last frame was taken.
    pub(super) taken_at: Option<Instant>,
}

impl Lane {
    pub(super) fn new(stream: &Stream, manifest: &Manifest) -> Result<Self, PreprocessError> {
        Ok(Self {
            pre: Preprocessor::new(manifest.tensor_spec())?,
            tracker: tracker(stream.tracker),
            confidence: stream.confidence,
            keep: kept(&stream.classes, manifest),
            classes: stream.classes.clone(),
            frame_id: 0,
            taken_at: None,
        })
    }

    /// Whether its next frame may come any moment: not while it is paused or away, nor if it gives less than one a second.
    pub(super) fn is_active(&self, now: Instant) -> bool {
        is_active(self.taken_at, now)
    }

    /// A tracker follows weak detections that the stream does not report.
    pub(super) fn floor(&self) -> f32 {
        if self.tracker.is_some() { self.confidence.min(TRACKER_FLOOR) } else { self.confidence }
    }

    pub(super) fn label(&mut self, now: Instant, found: &mut Vec<Detection>) {
        if !self.keep.is_empty() {
            found.retain(|d| self.keep.get(usize::from(d.class_id)) == Some(&true));
        }
        if let Some(tracker) = &mut self.tracker {
            tracker.update(now, found);
            found.retain(|d| d.confidence >= self.confidence);
        }
    }

    /// Follows objects another way from now on. The same way keeps the identities.
    pub(super) fn follow(&mut self, choice: TrackerChoice) {
        if self.tracker.is_some() != (choice == TrackerChoice::ByteTrack) {
            self.tracker = tracker(choice);
        }
    }

    /// The next frame goes through the model `new`, which `pre` prepares it for. Objects keep their
    /// identities where the new model has a class of the same name.
    pub(super) fn change_model(&mut self, pre: Preprocessor, old: &Manifest, new: &Manifest) {
        self.pre = pre;
        self.keep = kept(&self.classes, new);
        let renamed = |class_id: u16| {
            let name = old.classes.get(usize::from(class_id))?;
            u16::try_from(new.classes.iter().position(|c| c == name)?).ok()
        };
        if let Some(tracker) = &mut self.tracker {
            tracker.rename_classes(renamed);
        }
    }
}

fn is_active(taken_at: Option<Instant>, now: Instant) -> bool {
    taken_at.is_some_and(|at| now.since(at) <= ACTIVE_FOR)
}

fn kept(classes: &[String], manifest: &Manifest) -> Vec<bool> {
    match classes {
        [] => Vec::new(),
        names => manifest.classes.iter().map(|c| names.contains(c)).collect(),
    }
}

fn tracker(choice: TrackerChoice) -> Option<Tracker> {
    match choice {
        TrackerChoice::None => None,
        TrackerChoice::ByteTrack => Some(Tracker::new(TrackerConfig::default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found in review: each batch of a box with one camera away waited for that camera.
    #[test]
    fn who_gave_nothing_lately_is_not_waited_for() {
        let now = Instant::default().after(Duration::from_secs(100));
        for (ago_ms, active) in [(Some(0), true), (Some(1000), true), (Some(1001), false), (None, false)] {
            let at = ago_ms.map(|ago| Instant(now.0 - ago * 1_000_000));
            assert_eq!(is_active(at, now), active, "{ago_ms:?}");
        }
    }
}
