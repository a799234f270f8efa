//! What the detector keeps per stream.

use vigia_accel::preprocess::{PreprocessError, Preprocessor};
use vigia_core::config::{Stream, Tracker as TrackerChoice};
use vigia_core::detection::Detection;
use vigia_core::time::Instant;
use vigia_core::tracking::{Tracker, TrackerConfig};

use super::manifest::Manifest;

/// What a tracker wants to see, whatever the stream's threshold is.
const TRACKER_FLOOR: f32 = 0.1;

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
        })
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
