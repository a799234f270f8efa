//! ByteTrack: gives each object an identity that lasts from frame to frame.
//!
//! After Zhang et al. 2022 (arXiv 2110.06864), told the time instead of counting frames. Per
//! frame: predict all tracks; pair tracks with confident detections; pair what is left of the
//! tracks in view with the unsure detections, which are mostly the same objects half hidden;
//! confirm newcomers; lose what was not found; begin tracks at what nobody claimed.
//!
//! Promises: the same detections in another order get the same identities; classes never mix;
//! an identity is never given twice; nothing is allocated once the busiest frame was seen.
//! Knows nothing of frame rates, cameras or classes' names, and never drops a detection.

use alloc::vec::Vec;
use core::time::Duration;

use crate::detection::{BBox, Detection};
use crate::time::Instant;

mod assign;
mod kalman;
mod overlap;
#[cfg(test)]
mod tests;

use assign::Assignment;
use kalman::{Elapsed, Filter};
use overlap::{Slot, pair};

/// Most tracks kept at a time, lost ones included; beyond it no new ones begin.
pub const TRACKS_MAX: usize = 4096;
/// Coordinates beyond this many pixels from the origin are not believed.
pub const COORDINATE_MAX_PX: f32 = 1e6;

/// Limits of a [`Tracker`]. Confidences and overlaps are 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerConfig {
    /// Detections at least this confident may find any track.
    pub high_confidence: f32,
    /// Detections at least this confident, but not of high confidence, may find only tracks
    /// that were in view in the frame before. The detector must be asked for them: its own
    /// threshold has to be no higher than this.
    pub low_confidence: f32,
    /// Detections at least this confident, and of high confidence, may begin a track.
    pub new_confidence: f32,
    /// Least intersection over union of a track and a detection of high confidence.
    pub match_iou: f32,
    /// Least intersection over union of a track and a detection of low confidence.
    pub low_match_iou: f32,
    /// Least intersection over union at the second sight of a new object.
    pub unconfirmed_match_iou: f32,
    /// How long an object may be out of view and still get its identity back.
    pub lost_for: Duration,
}

impl Default for TrackerConfig {
    /// The paper's values: high 0.5, low 0.1, new 0.6; overlaps 0.2, 0.5, 0.3; lost for 1 s.
    fn default() -> Self {
        Self {
            high_confidence: 0.5,
            low_confidence: 0.1,
            new_confidence: 0.6,
            match_iou: 0.2,
            low_match_iou: 0.5,
            unconfirmed_match_iou: 0.3,
            lost_for: Duration::from_secs(1),
        }
    }
}

/// What a track has come to.
///
/// ```text
///            second sight           missed
/// Unconfirmed ---------> Followed ----------> Lost ---> gone after lost_for
///      |                  ^  ^                 |
///      v missed: gone     |  +-----------------+ found
///                         + first frame
/// ```
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Seen once, in the last frame. May be noise, so it has no identity yet.
    Unconfirmed,
    /// Found in the last frame.
    Followed { id: u32 },
    /// Not found since the frame at `seen`.
    Lost { id: u32, seen: Instant },
}

#[derive(Debug, Clone, Copy)]
struct Track {
    class_id: u16,
    phase: Phase,
    filter: Filter,
}

impl Track {
    /// Takes the detection as the present state of an object with an identity.
    fn found(&mut self, detection: &mut Detection) {
        if let Phase::Followed { id } | Phase::Lost { id, .. } = self.phase {
            self.filter.correct(&detection.bbox);
            self.phase = Phase::Followed { id };
            detection.tracker_id = Some(id);
        }
    }
}

/// Follows the objects of one camera.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    tracks: Vec<Track>,
    /// When the last frame was taken.
    frame_at: Option<Instant>,
    /// The next identity; none when all are used up.
    next_id: Option<u32>,
    // Lists of one frame, kept for their memory: tracks with an identity and without, and
    // detections of high and low confidence, as yet unpaired.
    known: Vec<Slot>,
    unconfirmed: Vec<Slot>,
    strong: Vec<Slot>,
    weak: Vec<Slot>,
    assignment: Assignment,
}

impl Tracker {
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            config,
            tracks: Vec::new(),
            frame_at: None,
            next_id: Some(1),
            known: Vec::new(),
            unconfirmed: Vec::new(),
            strong: Vec::new(),
            weak: Vec::new(),
            assignment: Assignment::default(),
        }
    }

    /// Labels the detections of the frame captured at `now`.
    ///
    /// Sets each `tracker_id`: to an identity, counted up from 1, or to none if the detection
    /// belongs to no confirmed track. A new object is confirmed when it is found again in the
    /// frame right after its first; only those of the tracker's very first frame get an
    /// identity at once. Boxes that are empty, inside out, not finite or beyond
    /// [`COORDINATE_MAX_PX`] get none.
    ///
    /// Frames may come at any interval. What was in view in the frame before is looked for
    /// however long ago that was, so call [`Self::reset`] when the picture may have changed
    /// altogether. A `now` before the last frame's counts as the last frame's.
    pub fn update(&mut self, now: Instant, detections: &mut [Detection]) {
        let first = self.frame_at.is_none();
        let before = self.frame_at.unwrap_or(now);
        let now = now.max(before);
        self.frame_at = Some(now);
        self.forget_lost(now);
        self.predict(now.since(before));
        self.sort_in(detections);
        self.find_known(detections);
        self.lose_missed(before);
        self.confirm(detections);
        self.begin(first, detections);
    }

    /// Forgets all tracks, as before the first frame. Identities still count on.
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.frame_at = None;
    }

    /// Another model names the classes from now on: objects keep their identity under the class id
    /// that `renamed` gives for their old one; those of a class that is gone are forgotten.
    pub fn rename_classes(&mut self, renamed: impl Fn(u16) -> Option<u16>) {
        self.tracks.retain_mut(|track| match renamed(track.class_id) {
            Some(class_id) => {
                track.class_id = class_id;
                true
            }
            None => false,
        });
    }

    /// Number of objects with an identity that were found in the last frame.
    #[must_use]
    pub fn active(&self) -> usize {
        self.tracks.iter().filter(|t| matches!(t.phase, Phase::Followed { .. })).count()
    }

    fn forget_lost(&mut self, now: Instant) {
        let lost_for = self.config.lost_for;
        self.tracks.retain(|track| match track.phase {
            Phase::Lost { seen, .. } => now.since(seen) <= lost_for,
            Phase::Unconfirmed | Phase::Followed { .. } => true,
        });
    }

    /// Moves all tracks to where they should be by now, and lists them.
    fn predict(&mut self, time: Duration) {
        let elapsed = Elapsed::new(time);
        self.known.clear();
        self.unconfirmed.clear();
        for (index, track) in self.tracks.iter_mut().enumerate() {
            track.filter.predict(&elapsed);
            let slot = Slot::new(track.class_id, track.filter.bbox(), index);
            match track.phase {
                Phase::Followed { .. } | Phase::Lost { .. } => self.known.push(slot),
                Phase::Unconfirmed => self.unconfirmed.push(slot),
            }
        }
        self.known.sort_unstable_by(Slot::order);
        self.unconfirmed.sort_unstable_by(Slot::order);
    }

    /// Clears all labels and lists the detections that can be followed.
    fn sort_in(&mut self, detections: &mut [Detection]) {
        self.strong.clear();
        self.weak.clear();
        for (index, detection) in detections.iter_mut().enumerate() {
            detection.tracker_id = None;
            if !is_sound(&detection.bbox) {
                continue;
            }
            let slot = Slot::new(detection.class_id, detection.bbox, index);
            if detection.confidence >= self.config.high_confidence {
                self.strong.push(slot);
            } else if detection.confidence >= self.config.low_confidence {
                self.weak.push(slot);
            }
        }
        // Boxes that coincide go by confidence; after that they are the same detection.
        let order = |a: &Slot, b: &Slot| {
            a.order(b).then_with(|| detections[b.index].confidence.total_cmp(&detections[a.index].confidence))
        };
        self.strong.sort_unstable_by(order);
        self.weak.sort_unstable_by(order);
    }

    /// ByteTrack's two associations: the sure detections, then the unsure for what was in view.
    fn find_known(&mut self, detections: &mut [Detection]) {
        let Self { config, tracks, known, strong, weak, assignment, .. } = self;
        pair(assignment, known, strong, config.match_iou, |track, detection| {
            tracks[track].found(&mut detections[detection]);
        });
        known.retain(|slot| matches!(tracks[slot.index].phase, Phase::Followed { .. }));
        pair(assignment, known, weak, config.low_match_iou, |track, detection| {
            tracks[track].found(&mut detections[detection]);
        });
    }

    /// What is still listed was in view at `before` and is not now.
    fn lose_missed(&mut self, before: Instant) {
        for slot in &self.known {
            let track = &mut self.tracks[slot.index];
            if let Phase::Followed { id } = track.phase {
                track.filter.stop_growing();
                track.phase = Phase::Lost { id, seen: before };
            }
        }
    }

    /// The third association: second sight confirms a newcomer, a miss ends it.
    fn confirm(&mut self, detections: &mut [Detection]) {
        let Self { config, tracks, next_id, unconfirmed, strong, assignment, .. } = self;
        pair(assignment, unconfirmed, strong, config.unconfirmed_match_iou, |track, detection| {
            let (track, detection) = (&mut tracks[track], &mut detections[detection]);
            if let Some(id) = issue(next_id) {
                track.phase = Phase::Followed { id };
                track.found(detection);
            }
        });
        tracks.retain(|track| !matches!(track.phase, Phase::Unconfirmed));
    }

    /// Begins tracks at the confident detections that are left, confirmed if in the `first` frame.
    fn begin(&mut self, first: bool, detections: &mut [Detection]) {
        for slot in &self.strong {
            let detection = &mut detections[slot.index];
            if detection.confidence < self.config.new_confidence || self.tracks.len() >= TRACKS_MAX {
                continue;
            }
            detection.tracker_id = if first { issue(&mut self.next_id) } else { None };
            let phase = detection.tracker_id.map_or(Phase::Unconfirmed, |id| Phase::Followed { id });
            let filter = Filter::new(&detection.bbox);
            self.tracks.push(Track { class_id: detection.class_id, phase, filter });
        }
    }
}

/// Takes the next identity. After four thousand million there are no more.
fn issue(next_id: &mut Option<u32>) -> Option<u32> {
    let id = (*next_id)?;
    *next_id = id.checked_add(1);
    Some(id)
}

fn is_sound(bbox: &BBox) -> bool {
    let near = |v: f32| v.abs() <= COORDINATE_MAX_PX;
    near(bbox.x1) && near(bbox.y1) && near(bbox.x2) && near(bbox.y2) && bbox.area() > 0.0
}
