//! From the detector to the consensus: one small report per processed frame.
//!
//! The frame path never waits here. A full channel loses the report, counts it, and the panel says
//! so: never silently.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use vigia_core::consensus::Class;
use vigia_core::consensus::Health;
use vigia_core::detection::BBox;
use vigia_core::time::Instant;

use crate::detect::Detected;

/// Reports that may wait: seconds of many cameras.
const REPORTS_LEN_MAX: usize = 1_024;
/// Fires and smokes of one frame; more are one large one.
const FOUND_LEN_MAX: usize = 64;

/// What one frame says about fire.
#[derive(Debug)]
pub struct Report {
    pub source_id: u32,
    pub captured: Instant,
    pub health: Health,
    pub width: u32,
    pub height: u32,
    /// Whether the model could have found a fire at all.
    pub knows_fire: bool,
    /// Takes memory only where there is something.
    pub found: Vec<Found>,
}

#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub class: Class,
    pub tracker_id: Option<u32>,
    pub confidence: f32,
    pub bbox: BBox,
}

/// The detector's end. Clones feed the same consensus.
#[derive(Debug, Clone)]
pub struct Feed {
    reports: Sender<Report>,
    lost: Arc<AtomicU64>,
}

/// The consensus' end.
#[derive(Debug)]
pub struct Food {
    pub reports: Receiver<Report>,
    lost: Arc<AtomicU64>,
}

#[must_use]
pub fn pair() -> (Feed, Food) {
    let (sender, reports) = bounded(REPORTS_LEN_MAX);
    let lost = Arc::<AtomicU64>::default();
    (Feed { reports: sender, lost: lost.clone() }, Food { reports, lost })
}

impl Feed {
    /// Takes in a processed frame. Waits for nothing.
    pub fn note(&self, d: &Detected) {
        let class_of = |id: u16| d.classes.get(usize::from(id)).and_then(|name| Class::of_label(name));
        let found = d.detections.iter().filter_map(|one| {
            let class = class_of(one.class_id)?;
            let (tracker_id, confidence, bbox) = (one.tracker_id, one.confidence, one.bbox);
            Some(Found { class, tracker_id, confidence, bbox })
        });
        let report = Report {
            source_id: d.source_id,
            captured: d.captured_at,
            health: d.health,
            width: d.width,
            height: d.height,
            knows_fire: d.classes.iter().any(|name| Class::of_label(name) == Some(Class::Fire)),
            found: found.take(FOUND_LEN_MAX).collect(),
        };
        if self.reports.try_send(report).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Food {
    /// Reports lost so far because nobody took them in time.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use vigia_core::detection::Detection;
    use vigia_core::event::Utc;

    use super::*;

    #[test]
    fn what_is_no_fire_is_left_out_and_what_does_not_fit_is_counted() {
        let (feed, food) = pair();
        let classes = ["person".to_owned(), "Fire".to_owned()];
        let bbox = BBox { x1: 0.0, y1: 0.0, x2: 9.0, y2: 9.0 };
        let one = |class_id| Detection { class_id, confidence: 0.9, bbox, tracker_id: Some(3) };
        let detections = [one(0), one(1), one(7)];
        let frame = Detected {
            source_id: 4,
            frame_id: 1,
            picture: 1,
            captured: Utc::from_unix_ns(0),
            captured_at: Instant(5),
            pts_ms: 0.0,
            width: 640,
            height: 360,
            health: Health::GOOD,
            inference: std::time::Duration::ZERO,
            generation: 1,
            model_id: "m",
            classes: &classes,
            detections: &detections,
        };
        for _ in 0..REPORTS_LEN_MAX + 3 {
            feed.note(&frame);
        }
        assert_eq!(food.lost(), 3);
        let report = food.reports.recv().expect("it was sent");
        assert_eq!((report.source_id, report.found.len(), report.knows_fire), (4, 1, true));
        assert_eq!((report.found[0].class, report.found[0].tracker_id), (Class::Fire, Some(3)));
    }
}
