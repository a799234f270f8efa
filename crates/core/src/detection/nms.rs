//! Class-aware non-maximum suppression.

use alloc::vec::Vec;

use super::Detection;

/// Keeps, per class, the most confident of boxes that overlap by more than `iou`, at most
/// `most` in all. What stays is ordered by confidence, highest first. Works in place.
pub fn suppress(found: &mut Vec<Detection>, iou: f32, most: usize) {
    found.sort_unstable_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then(a.class_id.cmp(&b.class_id))
            .then(a.bbox.x1.total_cmp(&b.bbox.x1))
    });
    let mut kept = 0;
    for i in 0..found.len() {
        let candidate = found[i];
        let hidden = found[..kept]
            .iter()
            .any(|k| k.class_id == candidate.class_id && k.bbox.iou(&candidate.bbox) > iou);
        if !hidden {
            found[kept] = candidate;
            kept += 1;
            if kept == most {
                break;
            }
        }
    }
    found.truncate(kept);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::detection::BBox;

    fn det(class_id: u16, confidence: f32, x: f32) -> Detection {
        Detection {
            class_id,
            confidence,
            bbox: BBox { x1: x, y1: 0.0, x2: x + 10.0, y2: 10.0 },
            tracker_id: None,
        }
    }

    #[test]
    fn keeps_the_best_of_each_class() {
        // Overlap of 10x10 boxes shifted by 2: 80 / 120 = 0.667.
        let mut found = vec![det(0, 0.6, 2.0), det(0, 0.9, 0.0), det(1, 0.5, 1.0), det(0, 0.4, 50.0)];
        suppress(&mut found, 0.45, 300);
        let kept: Vec<_> = found.iter().map(|d| (d.class_id, d.confidence)).collect();
        assert_eq!(kept, [(0, 0.9), (1, 0.5), (0, 0.4)]);
    }

    #[test]
    fn overlap_equal_to_the_limit_stays() {
        let mut found = vec![det(0, 0.9, 0.0), det(0, 0.8, 2.0)];
        let limit = found[0].bbox.iou(&found[1].bbox);
        suppress(&mut found, limit, 300);
        assert_eq!(found.len(), 2);
        suppress(&mut found, limit - 0.001, 300);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn never_more_than_asked() {
        let mut found: Vec<_> = (0..50u8).map(|i| det(0, 0.5, f32::from(i) * 20.0)).collect();
        suppress(&mut found, 0.45, 7);
        assert_eq!(found.len(), 7);
    }
}
