//! What is wrong with a setting, as a sentence.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::limits as l;

/// One setting that is refused, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// As in `sectors[0].cameras_needed`.
    pub path: String,
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fire.{}: {}", self.path, self.wrong)
    }
}

/// Why a value is refused. `Display` is the sentence after the setting's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Wrong {
    #[error("must be {min} to {max}, got {got}")]
    Outside { min: f64, max: f64, got: f64 },
    #[error("must be below {other}, which is {limit}; got {got}")]
    NotBelow { got: f64, other: &'static str, limit: f64 },
    #[error("must not be above {other}, which is {limit}; got {got}")]
    Above { got: f64, other: &'static str, limit: f64 },
    #[error("must be 1 to {max} bytes without control characters, got `{got}`")]
    BadName { max: usize, got: String },
    #[error("may have at most {max} items, got {got}")]
    TooMany { max: usize, got: usize },
    #[error("`{got}` is there twice; each may be there once")]
    Twice { got: String },
    #[error("there is no camera `{got}`; there are {known}")]
    UnknownCamera { got: String, known: String },
    #[error("there is no stream {got} on this box; there are {known}")]
    UnknownSource { got: i64, known: String },
    #[error("{needed} cameras must agree, but there are only {has}; lower it or add cameras")]
    TooFewCameras { needed: usize, has: usize },
    #[error("`{got}` is in no sector, so its votes would count nowhere; add it to one")]
    InNoSector { got: String },
    #[error("`{got}` has no zones, but zone_activation is on: a fire it sees would open nothing")]
    NoZones { got: String },
    #[error("is for outside cameras only, but source_id says that this one is a stream of this box")]
    OutsideOnly,
    #[error("width and height are given together or not at all")]
    HalfASize,
    #[error(
        "stream {source_id} gives {fps} pictures a second, so {got} in window_s; growth_samples asks for {want}: raise its max_fps or window_s"
    )]
    TooSlow { source_id: u32, fps: f64, got: f64, want: usize },
    #[error(
        "stream {source_id} gives a picture each {interval_s} s, so its votes would rest between two; \
             lapse_s must be at least that, got {got}"
    )]
    Rests { source_id: u32, interval_s: f64, got: f64 },
    #[error("needs at least one camera, and this box has no stream")]
    NoCamera,
}

/// Collects violations; what is refused is replaced by something harmless that nobody gets to see.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// `checked`, if there was no violation.
    pub(super) fn or<T>(self, checked: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(checked) } else { Err(self.0) }
    }

    pub(super) fn add(&mut self, path: impl Into<String>, wrong: Wrong) {
        self.0.push(Fault { path: path.into(), wrong });
    }

    /// Within the bounds, or `min` and a fault.
    pub(super) fn number(&mut self, path: impl Into<String>, got: f64, min: f64, max: f64) -> f64 {
        if (min..=max).contains(&got) {
            return got;
        }
        self.add(path, Wrong::Outside { min, max, got });
        min
    }

    pub(super) fn seconds(&mut self, path: impl Into<String>, got: f64, min: f64, max: f64) -> Duration {
        Duration::try_from_secs_f64(self.number(path, got, min, max)).unwrap_or_default()
    }

    #[expect(clippy::cast_possible_truncation, reason = "a share needs no more digits")]
    pub(super) fn share(&mut self, path: &str, got: f64) -> f32 {
        self.number(path, got, 0.0, 1.0) as f32
    }

    #[expect(clippy::cast_precision_loss, reason = "bounds are small; beyond them it is only shown")]
    pub(super) fn whole<T: TryFrom<i64> + Default>(
        &mut self,
        path: impl Into<String>,
        got: i64,
        min: i64,
        max: i64,
    ) -> T {
        let path = path.into();
        let fits = (min..=max).contains(&got);
        if !fits {
            self.add(path, Wrong::Outside { min: min as f64, max: max as f64, got: got as f64 });
        }
        T::try_from(if fits { got } else { min }).unwrap_or_default()
    }

    pub(super) fn name(&mut self, path: impl Into<String>, got: &str) {
        let odd = got.chars().any(char::is_control) || got.trim().is_empty();
        if odd || got.len() > l::NAME_BYTES_MAX {
            let got = got.chars().filter(|c| !c.is_control()).take(l::NAME_BYTES_MAX).collect();
            self.add(path, Wrong::BadName { max: l::NAME_BYTES_MAX, got });
        }
    }

    pub(super) fn below(&mut self, path: &str, got: f64, other: &'static str, limit: f64) {
        if got >= limit {
            self.add(path, Wrong::NotBelow { got, other, limit });
        }
    }

    pub(super) fn not_above(&mut self, path: &str, got: f64, other: &'static str, limit: f64) {
        if got > limit {
            self.add(path, Wrong::Above { got, other, limit });
        }
    }
}
