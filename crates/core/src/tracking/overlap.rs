//! Which boxes meet: pairs tracks with detections of the same class, by overlap.
//!
//! A sweep along x finds the pairs that overlap at all, without comparing all with all; the
//! best of their combinations is [`Assignment`]'s to find. Knows nothing of time or identity.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::assign::Assignment;
use crate::detection::BBox;

/// A box to be paired, and where it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) class_id: u16,
    pub(super) bbox: BBox,
    /// Position in the caller's own list.
    pub(super) index: usize,
    paired: bool,
}

impl Slot {
    pub(super) fn new(class_id: u16, bbox: BBox, index: usize) -> Self {
        Self { class_id, bbox, index, paired: false }
    }

    /// The order that [`pair`] needs: by class, then from left to right, then by
    /// whatever tells two boxes apart, so that lists of equal content are equal lists.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.bbox, &other.bbox);
        (self.class_id.cmp(&other.class_id))
            .then_with(|| a.x1.total_cmp(&b.x1))
            .then_with(|| a.y1.total_cmp(&b.y1))
            .then_with(|| a.x2.total_cmp(&b.x2))
            .then_with(|| a.y2.total_cmp(&b.y2))
    }

    fn starts_before(&self, other: &Self) -> bool {
        self.class_id < other.class_id || (self.class_id == other.class_id && self.bbox.x1 <= other.bbox.x1)
    }

    /// Whether `other`, which starts no further left, can overlap.
    fn reaches(&self, other: &Self) -> bool {
        self.class_id == other.class_id && other.bbox.x1 < self.bbox.x2
    }

    fn level_with(&self, other: &Self) -> bool {
        self.bbox.y1 < other.bbox.y2 && other.bbox.y1 < self.bbox.y2
    }
}

/// Pairs boxes of the same class that overlap by at least `min_iou`, tells `matched` their
/// indices (of row, of column) and takes them from both lists. Maximises the sum of
/// `iou - min_iou` over all pairs. Both lists are sorted by [`Slot::order`], and stay so.
pub(super) fn pair(
    assignment: &mut Assignment,
    rows: &mut Vec<Slot>,
    cols: &mut Vec<Slot>,
    min_iou: f32,
    mut matched: impl FnMut(usize, usize),
) {
    if rows.is_empty() || cols.is_empty() {
        return;
    }
    assignment.clear();
    let min_iou = min_iou.max(0.0);
    sweep(rows, cols, |row, col| {
        let iou = rows[row].bbox.iou(&cols[col].bbox);
        if iou >= min_iou {
            // An overlap equal to the limit is still a pair, so it must be worth something.
            assignment.offer(row, col, iou - min_iou + f32::EPSILON);
        }
    });
    let count = rows.len();
    for (row, col) in rows.iter_mut().zip(assignment.solve(count, cols.len())) {
        if let Some(col) = *col {
            row.paired = true;
            cols[col].paired = true;
            matched(row.index, cols[col].index);
        }
    }
    rows.retain(|slot| !slot.paired);
    cols.retain(|slot| !slot.paired);
}

/// Tells `meet` each row and column that overlap, once.
///
/// Merges both lists in the order of left edges; whichever box comes first looks ahead in the
/// other list as far as its own right edge.
fn sweep(rows: &[Slot], cols: &[Slot], mut meet: impl FnMut(usize, usize)) {
    let (mut row, mut col) = (0, 0);
    while row < rows.len() && col < cols.len() {
        let (r, c) = (&rows[row], &cols[col]);
        if r.starts_before(c) {
            let ahead = cols[col..].iter().take_while(|other| r.reaches(other));
            for (i, _) in ahead.enumerate().filter(|(_, other)| r.level_with(other)) {
                meet(row, col + i);
            }
            row += 1;
        } else {
            let ahead = rows[row..].iter().take_while(|other| c.reaches(other));
            for (i, _) in ahead.enumerate().filter(|(_, other)| c.level_with(other)) {
                meet(row + i, col);
            }
            col += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_sweep_finds_what_comparing_all_finds(
            boxes in prop::collection::vec((0u16..2, 0u8..60, 0u8..60, 1u8..30, 1u8..30), 0..24),
            split in 0usize..24,
        ) {
            let mut slots: Vec<_> = boxes.iter().enumerate().map(|(i, &(class_id, x, y, w, h))| {
                let (x1, y1) = (f32::from(x), f32::from(y));
                Slot::new(class_id, BBox { x1, y1, x2: x1 + f32::from(w), y2: y1 + f32::from(h) }, i)
            }).collect();
            let mut cols = slots.split_off(split.min(slots.len()));
            slots.sort_unstable_by(Slot::order);
            cols.sort_unstable_by(Slot::order);
            let mut found = vec![];
            sweep(&slots, &cols, |row, col| found.push((row, col)));
            found.sort_unstable();
            let mut all = vec![];
            for (r, row) in slots.iter().enumerate() {
                for (c, col) in cols.iter().enumerate() {
                    if row.class_id == col.class_id && row.bbox.iou(&col.bbox) > 0.0 {
                        all.push((r, c));
                    }
                }
            }
            prop_assert_eq!(found, all);
        }
    }

    #[test]
    fn pairs_leave_the_lists_and_strangers_stay_sorted() {
        let slot = |class_id, x1: f32, index| {
            Slot::new(class_id, BBox { x1, y1: 0.0, x2: x1 + 10.0, y2: 10.0 }, index)
        };
        let mut rows = vec![slot(0, 0.0, 7), slot(0, 100.0, 8), slot(1, 50.0, 9)];
        let mut cols = vec![slot(0, 1.0, 1), slot(0, 50.0, 2), slot(1, 0.0, 3)];
        let mut pairs = vec![];
        pair(&mut Assignment::default(), &mut rows, &mut cols, 0.5, |row, col| pairs.push((row, col)));
        assert_eq!(pairs, [(7, 1)]);
        assert_eq!(rows.iter().map(|s| s.index).collect::<Vec<_>>(), [8, 9]);
        assert_eq!(cols.iter().map(|s| s.index).collect::<Vec<_>>(), [2, 3]);
    }
    #[test]
    fn an_overlap_equal_to_the_limit_is_enough_even_if_contested() {
        let bbox = BBox { x1: 0.0, y1: 0.0, x2: 8.0, y2: 8.0 };
        let mut rows = vec![Slot::new(0, bbox, 0), Slot::new(0, bbox, 1)];
        let mut cols = rows.clone();
        pair(&mut Assignment::default(), &mut rows, &mut cols, 1.0, |_, _| ());
        assert!(rows.is_empty() && cols.is_empty());
    }
}
