//! What a batch gave.

use super::BATCH_MAX;
use crate::cuda::layout::{CANDIDATES_MAX, Candidate};
use crate::preprocess::Letterbox;

/// The candidates begin here; before them is a count for each image.
pub(super) const COUNT_WORDS: usize = BATCH_MAX;
pub(super) const CANDIDATE_WORDS: usize = size_of::<Candidate>() / 4;

/// What a batch gave.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    pub(super) places: &'a [Letterbox],
    pub(super) words: &'a [u32],
}

impl<'a> Batch<'a> {
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a frame lies in its tensor.
    #[must_use]
    pub fn letterbox(&self, image: usize) -> Letterbox {
        self.places[image]
    }

    /// The candidates of an image, in no order.
    #[must_use]
    pub fn candidates(&self, image: usize) -> &'a [Candidate] {
        assert!(image < self.places.len(), "an image of the batch");
        let kept = (self.words[image] as usize).min(CANDIDATES_MAX);
        let first = COUNT_WORDS + image * CANDIDATES_MAX * CANDIDATE_WORDS;
        let words = &self.words[first..first + kept * CANDIDATE_WORDS];
        // SAFETY: a candidate is six words without padding, any bits are one, and the slice is that many.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), kept) }
    }

    /// Candidates of an image that did not fit. Which ones stayed is chance then: the threshold is too low, or the model
    /// broken.
    #[must_use]
    pub fn overflow(&self, image: usize) -> usize {
        assert!(image < self.places.len(), "an image of the batch");
        (self.words[image] as usize).saturating_sub(CANDIDATES_MAX)
    }
}
