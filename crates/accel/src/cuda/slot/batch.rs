//! What a batch gave.

use super::BATCH_MAX;
use crate::cuda::layout::{CANDIDATES_MAX, Candidate, LOOK_SAMPLES};
use crate::preprocess::Letterbox;

/// Counts, a word for each image; what each image gave begins after them.
pub(super) const COUNT_WORDS: usize = BATCH_MAX;
pub(super) const LOOK_WORDS: usize = LOOK_SAMPLES / 4;
const CANDIDATE_WORDS: usize = size_of::<Candidate>() / 4;
/// Of one image: its look, then its candidates. 24.6 KiB.
pub(super) const IMAGE_WORDS: usize = LOOK_WORDS + CANDIDATES_MAX * CANDIDATE_WORDS;

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

    /// How bright an image is on a grid, as its luma says: 0 to 255, in the encoder's range.
    #[must_use]
    pub fn look(&self, image: usize) -> &'a [u8; LOOK_SAMPLES] {
        assert!(image < self.places.len(), "an image of the batch");
        let words = &self.words[COUNT_WORDS + image * IMAGE_WORDS..][..LOOK_WORDS];
        // SAFETY: the words are four times as many bytes, which need no alignment.
        unsafe { &*words.as_ptr().cast() }
    }

    /// The candidates of an image, in no order.
    #[must_use]
    pub fn candidates(&self, image: usize) -> &'a [Candidate] {
        assert!(image < self.places.len(), "an image of the batch");
        let kept = (self.words[image] as usize).min(CANDIDATES_MAX);
        let first = COUNT_WORDS + image * IMAGE_WORDS + LOOK_WORDS;
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
