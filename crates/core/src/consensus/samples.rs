//! How large an object was, and when: a ring that never grows, however often a camera speaks.
//!
//! Samples that come close together are averaged into one, so that thirty frames a second give
//! better numbers instead of more of them, and a burst of messages is one sample (K26). When the
//! ring is full, neighbours are merged and the distance doubles: the ring reaches back as far as
//! it is asked to, with at most [`LEN_MAX`] samples.

use core::time::Duration;

use crate::time::Instant;

/// Samples kept per object.
pub const LEN_MAX: usize = 64;
/// Most samples that a median is taken of.
pub const W_MAX: usize = 10;
/// Distance below which samples are averaged, to begin with.
const SPACING: Duration = Duration::from_millis(100);
/// Rounding of two areas must not decide: at a ratio of 1.2, .010 to .012 is growth (K7).
const ROUNDING: f64 = 1e-5;

#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at: Instant,
    /// Mean share of the picture.
    area: f32,
    /// How many measurements it is the mean of.
    weight: u32,
}

/// The areas of one object, oldest first.
#[derive(Debug, Clone)]
pub struct Samples {
    ring: [Sample; LEN_MAX],
    first: usize,
    len: usize,
    spacing: Duration,
}

/// From the first samples to the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Last median over first median.
    pub ratio: f64,
    /// The smallest of the last samples over the first median.
    pub least: f64,
    /// From the first sample to the last.
    pub span: Duration,
}

/// Inclusive (K7).
#[must_use]
pub fn reaches(got: f64, ratio: f32) -> bool {
    got >= f64::from(ratio) * (1.0 - ROUNDING)
}

impl Default for Samples {
    fn default() -> Self {
        Self { ring: [Sample::default(); LEN_MAX], first: 0, len: 0, spacing: SPACING }
    }
}

impl Samples {
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// `at` must not lie before the last sample's; it would count as that one's.
    pub fn push(&mut self, at: Instant, area: f32) {
        let spacing = self.spacing;
        if let Some(last) = self.last_mut()
            && at.since(last.at) < spacing
        {
            last.merge(area, 1);
            return;
        }
        if self.len == LEN_MAX {
            self.halve();
        }
        let at_index = self.index(self.len);
        self.ring[at_index] = Sample { at, area, weight: 1 };
        self.len += 1;
    }

    /// Drops what is older than `limit`.
    pub fn forget_before(&mut self, limit: Instant) {
        while self.len > 0 && self.get(0).at < limit {
            self.first = self.index(1);
            self.len -= 1;
        }
        if self.len == 0 {
            self.spacing = SPACING;
        }
    }

    /// Spec 2.4: the medians of the first and of the last `w` samples. `None`: fewer than 2 `w`.
    #[must_use]
    pub fn growth(&self, w: usize) -> Option<Growth> {
        if w == 0 || w > W_MAX || self.len < w * 2 {
            return None;
        }
        let (early, late) = (self.median(0, w), self.median(self.len - w, w));
        let least = (self.len - w..self.len).map(|i| self.get(i).area).fold(f32::INFINITY, f32::min);
        let span = self.get(self.len - 1).at.since(self.get(0).at);
        // An area of nothing is refused before it gets here, so there is no growth from nothing.
        (early > 0.0).then(|| {
            let over = |area: f32| f64::from(area) / f64::from(early);
            Growth { ratio: over(late), least: over(least), span }
        })
    }

    /// Share of the steps from one mean over `w` samples to the next that do not fall by more than
    /// a twentieth: two boxes taken in turns fall every other time (C3). 0 without a step.
    #[must_use]
    pub fn steady_share(&self, w: usize) -> f32 {
        let steps = self.len.saturating_sub(w);
        let mean = |from: usize| (from..from + w).map(|i| self.get(i).area).sum::<f32>();
        let fine = (0..steps).filter(|i| mean(i + 1) >= 0.95 * mean(*i)).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 64")]
        let share = fine as f32 / steps.max(1) as f32;
        share
    }

    fn median(&self, from: usize, w: usize) -> f32 {
        let mut areas = [0.0f32; W_MAX];
        let areas = &mut areas[..w];
        for (i, area) in areas.iter_mut().enumerate() {
            *area = self.get(from + i).area;
        }
        areas.sort_unstable_by(f32::total_cmp);
        let middle = areas[w / 2];
        if w % 2 == 1 { middle } else { f32::midpoint(areas[w / 2 - 1], middle) }
    }

    /// Merges neighbours, two by two.
    fn halve(&mut self) {
        let mut merged = [Sample::default(); LEN_MAX];
        let pairs = self.len / 2;
        for (i, slot) in merged.iter_mut().enumerate().take(pairs) {
            *slot = self.get(2 * i);
            let other = self.get(2 * i + 1);
            slot.merge(other.area, other.weight);
        }
        *self = Self { ring: merged, first: 0, len: pairs, spacing: self.spacing * 2 };
    }

    fn index(&self, i: usize) -> usize {
        (self.first + i) % LEN_MAX
    }

    fn get(&self, i: usize) -> Sample {
        self.ring[self.index(i)]
    }

    fn last_mut(&mut self) -> Option<&mut Sample> {
        let at = self.index(self.len.checked_sub(1)?);
        self.ring.get_mut(at)
    }
}

impl Sample {
    fn merge(&mut self, area: f32, weight: u32) {
        self.weight = self.weight.saturating_add(weight);
        #[expect(clippy::cast_precision_loss, reason = "a mean over 16 million samples may be a little off")]
        let share = weight as f32 / self.weight as f32;
        self.area += (area - self.area) * share;
    }
}
