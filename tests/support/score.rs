//! How well detections fit labels: average precision, precision and recall.

/// Left, top, right, bottom.
pub type Bbox = [f32; 4];

/// A detection is a hit from this overlap on.
const HIT: f32 = 0.5;
/// A detection of which this share lies in an ignored box counts neither way.
const IGNORED: f32 = 0.5;

/// One class over many frames.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Confidence of each detection, and whether it was a hit.
    found: Vec<(f32, bool)>,
    wanted: usize,
}

impl Tally {
    /// One frame's labels, ignored boxes and detections of this class. The most confident detection
    /// chooses first; a label has one hit.
    pub fn add(&mut self, wanted: &[Bbox], ignored: &[Bbox], found: &[(f32, Bbox)]) {
        self.wanted += wanted.len();
        let mut free = wanted.to_vec();
        let mut found = found.to_vec();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (confidence, bbox) in found {
            let overlaps = free.iter().map(|w| iou(w, &bbox)).enumerate();
            let best = overlaps.filter(|(_, o)| *o >= HIT).max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((at, _)) = best {
                free.swap_remove(at);
            } else if ignored.iter().any(|i| common(i, &bbox) >= IGNORED * area(&bbox)) {
                continue;
            }
            self.found.push((confidence, best.is_some()));
        }
    }

    pub fn join(&mut self, other: Self) {
        self.found.extend(other.found);
        self.wanted += other.wanted;
    }

    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Average precision with the precision made monotonous (all-point interpolation); none if
    /// there was nothing to find.
    pub fn average_precision(&self) -> Option<f64> {
        let mut found = self.found.clone();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut hits = 0;
        let curve: Vec<_> = found
            .iter()
            .zip(1..)
            .map(|((_, hit), all)| {
                hits += u32::from(*hit);
                (*hit, f64::from(hits) / f64::from(all))
            })
            .collect();
        // From the end: the best precision that is reached with at least this recall.
        let mut best: f64 = 0.0;
        let mut sum = 0.0;
        for (hit, precision) in curve.iter().rev() {
            best = best.max(*precision);
            sum += if *hit { best } else { 0.0 };
        }
        (self.wanted > 0).then(|| sum / self.wanted as f64)
    }

    /// Precision and recall of the detections from `floor` on; none where nothing is to divide by.
    pub fn at(&self, floor: f32) -> (Option<f64>, Option<f64>) {
        let sure = || self.found.iter().filter(|f| f.0 >= floor);
        let (all, hits) = (sure().count(), sure().filter(|f| f.1).count());
        let share = |of: usize| (of > 0).then(|| hits as f64 / of as f64);
        (share(all), share(self.wanted))
    }
}

pub fn area(b: &Bbox) -> f32 {
    (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0)
}

/// The area that two boxes have in common.
fn common(a: &Bbox, b: &Bbox) -> f32 {
    area(&[a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])])
}

pub fn iou(a: &Bbox, b: &Bbox) -> f32 {
    let both = common(a, b);
    if both > 0.0 { both / (area(a) + area(b) - both) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A box 10 high and wide at `x`.
    fn at(x: f32) -> Bbox {
        [x, 0.0, x + 10.0, 10.0]
    }

    #[test]
    fn scores_are_as_computed_by_hand() {
        type Row = (&'static str, Vec<Bbox>, Vec<Bbox>, Vec<(f32, Bbox)>, f64, (Option<f64>, Option<f64>));
        let (half, whole) = (Some(0.5), Some(1.0));
        let rows: Vec<Row> = vec![
            (
                "all found",
                vec![at(0.0), at(50.0)],
                vec![],
                vec![(0.9, at(1.0)), (0.8, at(50.0))],
                1.0,
                (whole, whole),
            ),
            ("one found", vec![at(0.0), at(50.0)], vec![], vec![(0.9, at(0.0))], 0.5, (whole, half)),
            ("nothing found", vec![at(0.0)], vec![], vec![], 0.0, (None, Some(0.0))),
            ("too far off", vec![at(0.0)], vec![], vec![(0.9, at(4.0))], 0.0, (Some(0.0), Some(0.0))),
            ("found twice", vec![at(0.0)], vec![], vec![(0.9, at(0.0)), (0.8, at(0.0))], 1.0, (half, whole)),
            (
                "a wrong one first",
                vec![at(0.0)],
                vec![],
                vec![(0.9, at(90.0)), (0.8, at(0.0))],
                0.5,
                (half, whole),
            ),
            (
                "a weak wrong one",
                vec![at(0.0)],
                vec![],
                vec![(0.4, at(90.0)), (0.8, at(0.0))],
                1.0,
                (whole, whole),
            ),
            (
                "ignored",
                vec![at(0.0)],
                vec![at(90.0)],
                vec![(0.9, at(94.0)), (0.8, at(0.0))],
                1.0,
                (whole, whole),
            ),
            (
                "hardly ignored",
                vec![at(0.0)],
                vec![at(90.0)],
                vec![(0.9, at(96.0)), (0.8, at(0.0))],
                0.5,
                (half, whole),
            ),
            // Hit, miss, hit of 2: precisions 1, 1/2, 2/3; the second hit counts 2/3.
            (
                "between",
                vec![at(0.0), at(50.0)],
                vec![],
                vec![(0.9, at(0.0)), (0.8, at(20.0)), (0.7, at(50.0))],
                (1.0 + 2.0 / 3.0) / 2.0,
                (Some(2.0 / 3.0), whole),
            ),
        ];
        for (name, wanted, ignored, found, average, sure) in rows {
            let mut tally = Tally::default();
            tally.add(&wanted, &ignored, &found);
            let got = tally.average_precision().expect("something was wanted");
            assert!((got - average).abs() < 1e-9, "{name}: {got}");
            assert_eq!(tally.at(0.5), sure, "{name}");
        }
        let mut empty = Tally::default();
        empty.add(&[], &[], &[(0.9, at(0.0))]);
        assert_eq!((empty.average_precision(), empty.at(0.5)), (None, (Some(0.0), None)));
    }

    #[test]
    fn frames_are_scored_by_themselves_and_ranked_together() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.add(&[at(0.0)], &[], &[(0.6, at(0.0))]);
        // The same place in another frame is another object.
        other.add(&[], &[], &[(0.9, at(0.0))]);
        one.join(other);
        assert_eq!((one.wanted(), one.average_precision()), (1, Some(0.5)));
    }
}
