//! Single rules: each takes one raw value and gives the value that cannot be wrong, or
//! the reason why not. Commands that change a setting at run time use the same ones.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::Serialize;

use super::choice::Qos;
use super::limits;
use super::uri::{StreamUri, UriError, masked};

/// Why a value is refused. `Display` is the sentence after the setting's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Wrong {
    #[error("is missing")]
    Missing,
    #[error("cannot be empty")]
    Empty,
    #[error("must be {min}..={max}, got {got}")]
    OutsideInt { min: i64, max: i64, got: i64 },
    #[error("must be between {min} and {max}, got {got}")]
    Outside { min: f64, max: f64, got: f64 },
    #[error("must be > 0, got {got}")]
    NotPositive { got: f64 },
    #[error("cannot be negative, got {got}")]
    Negative { got: f64 },
    #[error("must be at most {max}, got {got}")]
    TooLarge { max: f64, got: f64 },
    #[error("must be at most {max} bytes long, got {got}")]
    TooLong { max: usize, got: usize },
    #[error("must have at most {max} items, got {got}")]
    TooMany { max: usize, got: usize },
    #[error("holds a control character at byte {at}")]
    ControlCharacter { at: usize },
    #[error("must be 1 to {max} of A-Z a-z 0-9 . _ -, got `{got}`")]
    BadName { max: usize, got: String },
    #[error("cannot be `{got}`, which is part of a topic")]
    ReservedName { got: String },
    #[error("must not {what}, got `{got}`")]
    BadTopic { what: &'static str, got: String },
    #[error("{why}, got `{got}`")]
    BadUri { why: UriError, got: String },
    #[error("{got} is already used by {first}")]
    Duplicate { got: String, first: String },
    #[error("{got} must not be above {other}, which is {limit}")]
    AboveOther { got: f64, other: &'static str, limit: f64 },
    #[error("must not lie under {other}, or we would receive our own messages")]
    BelowOther { other: &'static str },
    #[error("`{name}` is not in secrets_file, which has {known}")]
    UnknownCredentials { name: String, known: String },
    #[error("must be 64 hex digits, got `{got}`")]
    BadKey { got: String },
    #[error("`{got}` is no name in control.keys; there are {known}")]
    UnknownKey { got: String, known: String },
    /// Of the pump's plan.
    #[error("{says}")]
    Plan { says: String },
    /// Of the consensus.
    #[error(transparent)]
    Fire(crate::consensus::Wrong),
    /// Settings that don't go together.
    #[error("{0}")]
    Conflict(&'static str),
    #[error("must be a name or address alone, got `{got}`")]
    BadHost { got: String },
}

/// A processor's name: safe in a topic and a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct InstanceId(String);

impl InstanceId {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        name(text, limits::INSTANCE_ID_LEN_MAX)?;
        match text {
            "metrics" | "ack" => Err(Wrong::ReservedName { got: text.to_owned() }),
            _ => Ok(Self(text.to_owned())),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Frames per second: above 0, fractions allowed.
pub fn fps(got: f64) -> Result<f64, Wrong> {
    if got.is_nan() || got <= 0.0 {
        return Err(Wrong::NotPositive { got });
    }
    if got > limits::FPS_MAX {
        return Err(Wrong::TooLarge { max: limits::FPS_MAX, got });
    }
    Ok(got)
}

/// A share, 0..=1: confidence, overlap.
pub fn share(got: f32) -> Result<f32, Wrong> {
    if (0.0..=1.0).contains(&got) {
        return Ok(got);
    }
    // By way of text, so that 1.2 is not shown as 1.2000000476837158.
    let got = format!("{got}").parse().unwrap_or(f64::NAN);
    Err(Wrong::Outside { min: 0.0, max: 1.0, got })
}

pub fn seconds(got: f64) -> Result<Duration, Wrong> {
    let (min, max) = (limits::SECONDS_MIN, limits::SECONDS_MAX);
    if !(min..=max).contains(&got) {
        return Err(Wrong::Outside { min, max, got });
    }
    Duration::try_from_secs_f64(got).map_err(|_| Wrong::Outside { min, max, got })
}

/// Time between reports; 0 is off.
pub fn metrics_interval(got: f64) -> Result<Option<Duration>, Wrong> {
    let max = limits::METRICS_INTERVAL_S_MAX;
    if got < 0.0 {
        return Err(Wrong::Negative { got });
    }
    if got.is_nan() || got > max {
        return Err(Wrong::TooLarge { max, got });
    }
    let interval = Duration::try_from_secs_f64(got).map_err(|_| Wrong::TooLarge { max, got })?;
    Ok((!interval.is_zero()).then_some(interval))
}

pub fn int<T: TryFrom<i64>>(got: i64, min: i64, max: i64) -> Result<T, Wrong> {
    let refused = Wrong::OutsideInt { min, max, got };
    if !(min..=max).contains(&got) {
        return Err(refused);
    }
    T::try_from(got).map_err(|_| refused)
}

pub fn qos(got: i64) -> Result<Qos, Wrong> {
    match got {
        0 => Ok(Qos::AtMostOnce),
        1 => Ok(Qos::AtLeastOnce),
        _ => Err(Wrong::OutsideInt { min: limits::QOS_MIN, max: limits::QOS_MAX, got }),
    }
}

/// Any text that says something and fits on a line.
pub fn text(got: &str) -> Result<String, Wrong> {
    if got.trim().is_empty() {
        return Err(Wrong::Empty);
    }
    if got.len() > limits::TEXT_BYTES_MAX {
        return Err(Wrong::TooLong { max: limits::TEXT_BYTES_MAX, got: got.len() });
    }
    match got.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(Wrong::ControlCharacter { at }),
        None => Ok(got.to_owned()),
    }
}

/// A model's name: the stem of a file in `models_dir`, so never a path.
pub fn model_name(got: &str) -> Result<String, Wrong> {
    if got.is_empty() {
        return Err(Wrong::Empty);
    }
    name(got, limits::MODEL_NAME_LEN_MAX)
}

/// A host name or address, without port, path or spaces.
pub fn host(got: &str) -> Result<String, Wrong> {
    let host = text(got)?;
    match host.find(|c: char| c.is_whitespace() || matches!(c, '/' | '@')) {
        Some(_) => Err(Wrong::BadHost { got: masked(&host) }),
        None => Ok(host),
    }
}

fn name(got: &str, max: usize) -> Result<String, Wrong> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // "." and ".." would be folders wherever a name becomes part of a path.
    let is_dots = got.chars().all(|c| c == '.');
    if is_dots || got.len() > max || !got.chars().all(is_fine) {
        return Err(Wrong::BadName { max, got: got.chars().take(max).collect() });
    }
    Ok(got.to_owned())
}

/// A topic to publish to, under `prefix` where there is one.
pub fn topic(prefix: Option<&str>, got: &str) -> Result<String, Wrong> {
    if got.is_empty() {
        return Err(Wrong::Empty);
    }
    let bad = |what| Err(Wrong::BadTopic { what, got: got.chars().take(limits::TOPIC_BYTES_MAX).collect() });
    if got.contains(['#', '+']) {
        return bad("hold # or +");
    }
    if got.chars().any(char::is_control) {
        return bad("hold control characters");
    }
    if got.starts_with('/') || got.ends_with('/') {
        return bad("start or end with /");
    }
    if got.starts_with('$') {
        return bad("start with $, which belongs to the broker");
    }
    let whole = prefix.map_or_else(|| got.to_owned(), |prefix| format!("{prefix}/{got}"));
    if whole.len() > limits::TOPIC_BYTES_MAX {
        return Err(Wrong::TooLong { max: limits::TOPIC_BYTES_MAX, got: whole.len() });
    }
    Ok(whole)
}

pub fn uri(got: &str) -> Result<StreamUri, Wrong> {
    StreamUri::parse(got).map_err(|why| Wrong::BadUri { why, got: masked(got) })
}

pub fn stream_server(got: &str) -> Result<StreamUri, Wrong> {
    StreamUri::parse_server(got).map_err(|why| Wrong::BadUri { why, got: masked(got) })
}

/// Class names to keep: said once each.
pub fn classes(got: &[String]) -> Result<Vec<String>, Wrong> {
    if got.len() > limits::CLASSES_LEN_MAX {
        return Err(Wrong::TooMany { max: limits::CLASSES_LEN_MAX, got: got.len() });
    }
    let mut seen = BTreeSet::new();
    for class in got {
        text(class)?;
        if !seen.insert(class) {
            return Err(Wrong::Duplicate { got: format!("`{class}`"), first: "an item before it".into() });
        }
    }
    Ok(got.to_vec())
}
