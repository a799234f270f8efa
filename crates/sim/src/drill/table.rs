//! The times of rounds, and what they come to.

use std::fmt::Write;

use vigia_core::time::Instant;

use super::story::Story;

/// What is measured, each from glass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The first frame with a fire of the camera that shows it later.
    SecondGlass,
    Detection,
    Confirmation,
    Relay,
    Water,
}

impl Stage {
    pub const ALL: [Self; 5] =
        [Self::SecondGlass, Self::Detection, Self::Confirmation, Self::Relay, Self::Water];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SecondGlass => "other camera",
            Self::Detection => "first detection",
            Self::Confirmation => "confirmation",
            Self::Relay => "main valve's relay",
            Self::Water => "water",
        }
    }
}

/// Seconds of one round, each since glass; negative for what came before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Times([Option<f64>; Stage::ALL.len()]);

impl Times {
    /// `None` without a glass.
    #[must_use]
    pub fn of(story: &Story) -> Option<Self> {
        let glass = *story.glass.first()?;
        let when = |stage| match stage {
            Stage::SecondGlass => story.glass.get(1).copied(),
            Stage::Detection => story.fires.iter().map(|(at, _)| *at).find(|at| *at >= story.begun),
            Stage::Confirmation => story.confirmed,
            Stage::Relay => story.relay,
            Stage::Water => story.water,
        };
        Some(Self(Stage::ALL.map(|stage| when(stage).map(|at| between(glass, at)))))
    }

    #[must_use]
    pub fn get(&self, stage: Stage) -> Option<f64> {
        self.0.get(stage as usize).copied().flatten()
    }

    /// All of them in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let known = Stage::ALL.into_iter().filter_map(|s| Some((s.name(), self.get(s)?)));
        let parts: Vec<String> = known.map(|(name, s)| format!("{name} {s:+.2}")).collect();
        if parts.is_empty() {
            "no fire was shown".to_owned()
        } else {
            format!("seconds since glass: {}", parts.join(", "))
        }
    }
}

fn between(from: Instant, to: Instant) -> f64 {
    to.since(from).as_secs_f64() - from.since(to).as_secs_f64()
}

/// The table of all rounds.
#[must_use]
pub fn table(rounds: &[Times]) -> String {
    let mut text =
        format!("{:<26} {:>8} {:>8}   of {} rounds\n", "seconds since glass", "p50", "p99", rounds.len());
    for stage in Stage::ALL {
        let mut all: Vec<f64> = rounds.iter().filter_map(|times| times.get(stage)).collect();
        all.sort_unstable_by(f64::total_cmp);
        let shown = |percent| rank(&all, percent).map_or("-".to_owned(), |s| format!("{s:.2}"));
        let missing = rounds.len() - all.len();
        let remark = if missing > 0 { format!("   missing in {missing}") } else { String::new() };
        // Writing into a string does not fail.
        writeln!(text, "{:<26} {:>8} {:>8}{remark}", stage.name(), shown(50), shown(99)).unwrap_or_default();
    }
    text
}

/// The nearest rank: with few rounds the 99th percentile is the largest.
pub(super) fn rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let place = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(place - 1).copied()
}
