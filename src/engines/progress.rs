//! How far a build is: of phases that nest, only the top ones count.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line of a build in a process of its own, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Line {
    /// It goes on: share done of the present top phase, 0 to 100.
    Progress { percent: u8, phase: String },
    /// The plan is in its place.
    Done { key: String, path: String, bytes: u64, seconds: f64 },
    /// It was cancelled, and nothing was written.
    Cancelled,
}

/// Follows the builder's events.
#[derive(Debug, Default)]
pub struct Progress {
    open: HashMap<String, Open>,
    last: Option<(u8, String)>,
}

#[derive(Debug)]
struct Open {
    is_top: bool,
    steps: u32,
}

impl Progress {
    pub fn start(&mut self, phase: &str, parent: Option<&str>, steps: u32) -> Option<Line> {
        let is_top = parent.is_none_or(|parent| !self.open.contains_key(parent));
        self.open.insert(phase.to_owned(), Open { is_top, steps });
        if is_top { self.tell(0, phase) } else { None }
    }

    /// `step` is complete, counted from nought.
    pub fn step(&mut self, phase: &str, step: u32) -> Option<Line> {
        let open = self.open.get(phase).filter(|open| open.is_top)?;
        let share = u64::from(step.saturating_add(1)) * 100 / u64::from(open.steps.max(1));
        // The last step is not the end of the phase.
        self.tell(u8::try_from(share.min(100)).unwrap_or(100), phase)
    }

    pub fn finish(&mut self, phase: &str) -> Option<Line> {
        let was_top = self.open.remove(phase)?.is_top;
        if was_top { self.tell(100, phase) } else { None }
    }

    /// Nothing is said twice, and nothing goes back within a phase.
    fn tell(&mut self, percent: u8, phase: &str) -> Option<Line> {
        let is_news = match &self.last {
            Some((before, of)) if of == phase => percent > *before,
            _ => true,
        };
        if !is_news {
            return None;
        }
        self.last = Some((percent, phase.to_owned()));
        Some(Line::Progress { percent, phase: phase.to_owned() })
    }
}

/// What is left of a phase that is this far after `spent`, if it goes on like this.
#[must_use]
pub fn left(percent: u8, spent: Duration) -> Option<Duration> {
    // Before that it is a guess.
    const ENOUGH: u8 = 5;
    (ENOUGH..=100).contains(&percent).then(|| spent.mul_f64(f64::from(100 - percent) / f64::from(percent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_top_phases_count_and_nothing_goes_back() {
        let mut progress = Progress::default();
        let said = |line: Option<Line>| line.map(|line| serde_json::to_string(&line).expect("JSON"));
        let is = |percent: u8, phase: &str| {
            Some(format!(r#"{{"event":"progress","percent":{percent},"phase":"{phase}"}}"#))
        };
        assert_eq!(said(progress.start("Building", None, 4)), is(0, "Building"));
        assert_eq!(said(progress.start("Tactics", Some("Building"), 100)), None);
        assert_eq!(said(progress.step("Tactics", 50)), None);
        assert_eq!(said(progress.step("Building", 0)), is(25, "Building"));
        assert_eq!(said(progress.step("Building", 0)), None);
        assert_eq!(said(progress.finish("Tactics")), None);
        assert_eq!(said(progress.step("Building", 2)), is(75, "Building"));
        assert_eq!(said(progress.step("Building", 1)), None);
        assert_eq!(said(progress.step("Building", 9)), is(100, "Building"));
        assert_eq!(said(progress.finish("Building")), None);
        // A parent that nobody has begun.
        assert_eq!(said(progress.start("Writing", Some("Building"), 0)), is(0, "Writing"));
        assert_eq!(said(progress.step("Writing", 0)), is(100, "Writing"));
        assert_eq!(said(progress.step("Reading", 0)), None);
        assert_eq!(said(progress.finish("Reading")), None);
    }

    #[test]
    fn what_is_left_is_what_was_in_proportion() {
        let left = |percent, s| left(percent, Duration::from_secs(s)).map(|d| d.as_secs());
        assert_eq!(
            [left(4, 10), left(50, 10), left(5, 10), left(100, 10)],
            [None, Some(10), Some(190), Some(0)]
        );
    }
}
