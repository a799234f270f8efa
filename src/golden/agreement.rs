//! Whether two readings of the same pictures agree: which objects of the one the other finds, and what it adds.

use serde::{Deserialize, Serialize};
use vigia_core::detection::Detection;

/// From here on a detection is asked for: vigia reports it if nobody says otherwise.
pub const SURE: f32 = 0.5;
/// From here on one may be the counterpart of a sure one, so that no threshold lies between them.
pub const FLOOR: f32 = 0.3;
/// Least overlap of counterparts.
const IOU_LEAST: f32 = 0.6;

/// How a reading agrees with the reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Sure detections of the reference.
    pub objects: usize,
    /// Of these, those that have a counterpart.
    pub found: usize,
    /// Sure detections of the reading.
    pub reported: usize,
    /// Of these, those that the reference does not know.
    pub invented: usize,
    /// Mean overlap of counterparts, 0 to 1.
    pub iou: f64,
    /// Mean difference of their confidences.
    pub confidence: f64,
}

impl Agreement {
    /// Both hold a list per picture, of detections from [`FLOOR`] on.
    #[must_use]
    pub fn of(reference: &[Vec<Detection>], reading: &[Vec<Detection>]) -> Self {
        let mut all = Self::default();
        let (mut iou, mut confidence) = (0.0, 0.0);
        for (wanted, seen) in reference.iter().zip(reading) {
            let pairs = pairs(wanted, seen);
            all.objects += sure(wanted);
            all.found += pairs.len();
            all.reported += sure(seen);
            all.invented += sure(seen) - self::pairs(seen, wanted).len();
            for (a, b) in pairs {
                iou += f64::from(a.bbox.iou(&b.bbox));
                confidence += f64::from((a.confidence - b.confidence).abs());
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a few hundred objects")]
        let count = all.found.max(1) as f64;
        (all.iou, all.confidence) = (iou / count, confidence / count);
        all
    }

    /// Whether so many of a hundred objects are found at least, and so many of a hundred reports invented at most.
    #[must_use]
    pub fn reaches(&self, found: usize, invented: usize) -> bool {
        self.found * 100 >= self.objects * found && self.invented * 100 <= self.reported * invented
    }
}

fn sure(list: &[Detection]) -> usize {
    list.iter().filter(|d| d.confidence >= SURE).count()
}

/// Each sure one with its counterpart; nobody is the counterpart of two.
fn pairs<'a>(wanted: &'a [Detection], seen: &'a [Detection]) -> Vec<(&'a Detection, &'a Detection)> {
    let mut free: Vec<_> = seen.iter().collect();
    let mut pairs = Vec::new();
    for w in wanted.iter().filter(|d| d.confidence >= SURE) {
        let near = free.iter().enumerate().filter(|(_, s)| s.class_id == w.class_id);
        let near = near.map(|(at, s)| (at, s.bbox.iou(&w.bbox))).filter(|(_, iou)| *iou >= IOU_LEAST);
        if let Some((at, _)) = near.max_by(|a, b| a.1.total_cmp(&b.1)) {
            pairs.push((w, free.swap_remove(at)));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use vigia_core::detection::BBox;

    use super::*;

    fn at(class_id: u16, x: f32, confidence: f32) -> Detection {
        let bbox = BBox { x1: x, y1: 0.0, x2: x + 100.0, y2: 100.0 };
        Detection { class_id, confidence, bbox, tracker_id: None }
    }

    #[test]
    fn objects_are_found_missed_and_invented() {
        let reference = vec![vec![at(0, 0.0, 0.9), at(1, 300.0, 0.6), at(2, 600.0, 0.4)], vec![]];
        let check = |reading: Vec<Vec<Detection>>, expected: [usize; 4]| {
            let a = Agreement::of(&reference, &reading);
            assert_eq!([a.objects, a.found, a.reported, a.invented], expected, "{reading:?}");
            a
        };
        let same = check(reference.clone(), [2, 2, 2, 0]);
        assert!(same.reaches(100, 0) && (same.iou, same.confidence) == (1.0, 0.0));
        // What is nearly sure is a counterpart, on either side.
        let near = vec![vec![at(0, 0.0, 0.4), at(1, 300.0, 0.9), at(2, 600.0, 0.6)], vec![]];
        let near = check(near, [2, 2, 2, 0]);
        assert!((near.confidence - 0.4).abs() < 1e-6);
        // Another class, another place, twice the same, nothing at all.
        check(vec![vec![at(1, 0.0, 0.9)], vec![]], [2, 0, 1, 1]);
        check(vec![vec![at(0, 60.0, 0.9)], vec![]], [2, 0, 1, 1]);
        check(vec![vec![at(0, 0.0, 0.9), at(0, 1.0, 0.8)], vec![at(3, 0.0, 0.9)]], [2, 1, 3, 2]);
        let blind = check(vec![vec![], vec![]], [2, 0, 0, 0]);
        assert!(!blind.reaches(1, 100) && (blind.iou, blind.confidence) == (0.0, 0.0));
        // Where there is nothing, nothing is what is right.
        assert!(Agreement::of(&[vec![]], &[vec![]]).reaches(100, 0));
    }
}
