//! What a plot is drawn from: the box and its plant over time.

use vigia_core::pump::{RelayImage, StateName};
use vigia_core::time::Instant;

use crate::plant::Truth;

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub at: Instant,
    /// Cameras that see something like fire, and that vote.
    pub seeing: usize,
    pub votes: usize,
    /// As written; not what becomes of it.
    pub relays: RelayImage,
    pub state: Option<StateName>,
    pub rpm: f64,
    /// 0 to 1.
    pub valve: f64,
    pub level_l: f64,
    pub flow_l_per_s: f64,
    /// 0 to 1.
    pub battery: f64,
}

impl Sample {
    #[must_use]
    pub fn of(
        at: Instant,
        truth: &Truth,
        relays: RelayImage,
        seeing: usize,
        votes: usize,
        state: Option<StateName>,
    ) -> Self {
        Self {
            at,
            seeing,
            votes,
            relays,
            state,
            rpm: truth.rpm,
            valve: truth.valve,
            level_l: truth.level_l,
            flow_l_per_s: truth.flow_l_per_s,
            battery: truth.battery,
        }
    }
}

/// Samples in the order of time. What only repeats the one before is left out, save for its last.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    pub samples: Vec<Sample>,
}

impl Timeline {
    pub fn note(&mut self, sample: Sample) {
        let same = |a: &Sample, b: &Sample| Sample { at: b.at, ..*a } == *b;
        if let [.., before, last] = self.samples.as_mut_slice()
            && same(before, last)
            && same(last, &sample)
        {
            last.at = sample.at;
            return;
        }
        self.samples.push(sample);
    }
}
