//! From one JSON value to one checked value, by the validation table (spec nvr 2.7).
//!
//! Numbers may stand in strings, as shell scripts send them; booleans are no numbers.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::Value;

use super::command::PumpAction;
use crate::config::rules::{self, Wrong};
use crate::config::{InstanceId, StreamUri, Tracker, limits, masked};
use crate::consensus::limits::NAME_BYTES_MAX as CAMERA_BYTES_MAX;
use crate::event::Utc;
use crate::pump::Order;

/// Longest pause that ends by itself: a week.
pub const PAUSE_S_MAX: f64 = 604_800.0;
pub const PAUSE_S_MIN: f64 = 0.1;
/// Items in a batch.
pub const BATCH_LEN_MAX: usize = 64;
/// Frames that two models are compared on.
pub const SHADOW_FRAMES_MAX: i64 = 10_000;
/// Entries that one `history` answers with.
pub const HISTORY_LEN_MAX: i64 = 1_000;

const SHOWN_CHARS_MAX: usize = 60;

/// Why a value is refused. `Display` is the sentence after the parameter's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Bad {
    #[error("must be numeric, got {got}")]
    NotNumeric { got: String },
    #[error("must be {want}, got {got}")]
    NotA { want: &'static str, got: &'static str },
    #[error("must be non-empty string")]
    Blank,
    #[error("cannot be empty; leave it out for all")]
    EmptyList,
    #[error("cannot be negative, got {got}")]
    Negative { got: String },
    #[error("must be {want}, got {got}")]
    NotOneOf { want: &'static str, got: String },
    #[error("item {at} {why}")]
    Item { at: usize, why: alloc::boxed::Box<Bad> },
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

/// The value as JSON, short enough for a sentence, without passwords.
pub(super) fn shown(value: &Value) -> String {
    let mut text = without_passwords(value.clone()).to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// What is or looks like an address, masked. Depth is at most [`super::DEPTH_MAX`] here.
pub(super) fn without_passwords(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains("://") || text.contains('@') => Value::String(masked(&text)),
        Value::Array(items) => items.into_iter().map(without_passwords).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, without_passwords(v))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// The JSON type's name.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn not_numeric(value: &Value) -> Bad {
    Bad::NotNumeric { got: shown(value) }
}

pub(super) fn string(value: &Value) -> Result<&str, Bad> {
    value.as_str().ok_or(Bad::NotA { want: "string", got: type_of(value) })
}

fn number(value: &Value) -> Result<f64, Bad> {
    let got = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    got.filter(|n| n.is_finite()).ok_or_else(|| not_numeric(value))
}

/// Fractions are cut off; strings must be whole numbers.
fn whole(value: &Value) -> Result<i64, Bad> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(got) => Ok(got),
            None => number.as_f64().map(cut).ok_or_else(|| not_numeric(value)),
        },
        Value::String(text) => text.trim().parse().map_err(|_| not_numeric(value)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(not_numeric(value)),
    }
}

/// -0.5 becomes -1, so that it is refused like every negative number.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and limits are checked after")]
fn cut(got: f64) -> i64 {
    (if got < 0.0 { libm::floor(got) } else { libm::trunc(got) }) as i64
}

pub(super) fn source_id(value: &Value) -> Result<u32, Bad> {
    let got = whole(value)?;
    if got < 0 {
        return Err(Bad::Negative { got: shown(value) });
    }
    Ok(rules::int(got, limits::SOURCE_ID_MIN, limits::SOURCE_ID_MAX)?)
}

/// At least one, in ascending order, each once.
pub(super) fn source_ids(value: &Value) -> Result<Vec<u32>, Bad> {
    let mut ids = each(value, limits::STREAMS_LEN_MAX, source_id)?;
    if ids.is_empty() {
        return Err(Bad::EmptyList);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Streams to remove: in the given order; an empty list is no stream.
pub(super) fn leaving(value: &Value) -> Result<Vec<u32>, Bad> {
    each(value, limits::STREAMS_LEN_MAX, source_id)
}

pub(super) fn each<T>(
    value: &Value,
    max: usize,
    read: impl Fn(&Value) -> Result<T, Bad>,
) -> Result<Vec<T>, Bad> {
    let list = list(value, max)?;
    list.iter()
        .enumerate()
        .map(|(at, item)| read(item).map_err(|why| Bad::Item { at, why: why.into() }))
        .collect()
}

pub(super) fn list(value: &Value, max: usize) -> Result<&[Value], Bad> {
    let list = value.as_array().ok_or(Bad::NotA { want: "list", got: type_of(value) })?;
    if list.len() > max {
        return Err(Wrong::TooMany { max, got: list.len() }.into());
    }
    Ok(list)
}

pub(super) fn commands(value: &Value) -> Result<Vec<Value>, Bad> {
    let list = list(value, BATCH_LEN_MAX)?;
    if list.is_empty() {
        return Err(Wrong::Empty.into());
    }
    Ok(list.to_vec())
}

pub(super) fn fps(value: &Value) -> Result<f64, Bad> {
    Ok(rules::fps(number(value)?)?)
}

pub(super) fn share(value: &Value) -> Result<f32, Bad> {
    let got = number(value)?;
    if !(0.0..=1.0).contains(&got) {
        return Err(Wrong::Outside { min: 0.0, max: 1.0, got }.into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "0..=1 keeps its meaning in fewer digits")]
    Ok(rules::share(got as f32)?)
}

pub(super) fn pause_time(value: &Value) -> Result<Duration, Bad> {
    let got = number(value)?;
    let outside = Wrong::Outside { min: PAUSE_S_MIN, max: PAUSE_S_MAX, got };
    if !(PAUSE_S_MIN..=PAUSE_S_MAX).contains(&got) {
        return Err(outside.into());
    }
    Ok(Duration::try_from_secs_f64(got).map_err(|_| outside)?)
}

pub(super) fn flag(value: &Value) -> Result<bool, Bad> {
    value.as_bool().ok_or(Bad::NotA { want: "boolean", got: type_of(value) })
}

pub(super) fn shadow_frames(value: &Value) -> Result<u32, Bad> {
    Ok(rules::int(whole(value)?, 1, SHADOW_FRAMES_MAX)?)
}

pub(super) fn history_limit(value: &Value) -> Result<u32, Bad> {
    Ok(rules::int(whole(value)?, 1, HISTORY_LEN_MAX)?)
}

/// The name of a model: trimmed, and never a path.
pub(super) fn model(value: &Value) -> Result<String, Bad> {
    let name = string(value)?.trim();
    if name.is_empty() {
        return Err(Bad::Blank);
    }
    // No name is changed by masking, and an address in its place is not repeated.
    Ok(rules::model_name(&masked(name))?)
}

pub(super) fn instance(value: &Value) -> Result<InstanceId, Bad> {
    Ok(InstanceId::parse(&masked(string(value)?))?)
}

pub(super) fn uri(value: &Value) -> Result<StreamUri, Bad> {
    Ok(rules::uri(string(value)?.trim())?)
}

/// Null is the address that the configuration gives.
pub(super) fn uri_or_null(value: &Value) -> Result<Option<StreamUri>, Bad> {
    if value.is_null() { Ok(None) } else { uri(value).map(Some) }
}

/// A tracker that follows; none is said by `enabled`.
pub(super) fn tracker(value: &Value) -> Result<Tracker, Bad> {
    match string(value)?.trim().to_ascii_lowercase().as_str() {
        "bytetrack" => Ok(Tracker::ByteTrack),
        _ => Err(Bad::NotOneOf { want: "bytetrack", got: shown(value) }),
    }
}

/// A name, or a number in its place.
pub(super) fn camera(value: &Value) -> Result<String, Bad> {
    match value {
        Value::Number(_) => source_id(value).map(|id| id.to_string()),
        _ => printable(value, CAMERA_BYTES_MAX),
    }
}

/// What can be wanted of the pump; `-` is as good as `_`.
pub(super) const PUMP_ACTIONS: [&str; 11] = [
    "status",
    "start",
    "stop",
    "reset",
    "silence",
    "acknowledge",
    "test",
    "valve_open",
    "valve_close",
    "arm",
    "disarm",
];

pub(super) fn pump_action(value: &Value) -> Result<PumpAction, Bad> {
    const WANT: &str = "status, start, stop, reset, silence, acknowledge, test, valve_open, valve_close, arm or \
                        disarm";
    let word = string(value)?.trim().to_ascii_lowercase().replace('-', "_");
    let order = || Order::from_payload(word.as_bytes()).map(PumpAction::Order);
    let known = PUMP_ACTIONS.contains(&word.as_str());
    let action = if word == "status" { Some(PumpAction::Status) } else { order().filter(|_| known) };
    action.ok_or_else(|| Bad::NotOneOf { want: WANT, got: shown(value) })
}

/// Of a path or an address.
pub(super) const BUNDLE_BYTES_MAX: usize = 2_048;

/// What can be wanted of the box's versions.
pub(super) const UPDATE_ACTIONS: [&str; 4] = ["status", "check", "install", "rollback"];

pub(super) fn update_action(value: &Value) -> Result<&'static str, Bad> {
    let word = string(value)?.trim().to_ascii_lowercase();
    let known = UPDATE_ACTIONS.into_iter().find(|known| *known == word);
    known.ok_or_else(|| Bad::NotOneOf { want: "status, check, install or rollback", got: shown(value) })
}

/// RFC 3339 with an offset, or seconds since 1970.
pub(super) fn time(value: &Value) -> Result<Utc, Bad> {
    const WANT: &str = "RFC 3339 with an offset, or seconds since 1970";
    let bad = || Bad::NotOneOf { want: WANT, got: shown(value) };
    match value {
        Value::String(text) => text.trim().parse().map(Utc).map_err(|_| bad()),
        Value::Number(number) => {
            let seconds = number.as_f64().filter(|s| (0.0..=UNIX_S_MAX).contains(s)).ok_or_else(bad)?;
            let since = Duration::try_from_secs_f64(seconds).map_err(|_| bad())?;
            Ok(Utc::from_unix_ns(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(bad()),
    }
}

/// The year 9000: milliseconds taken for seconds are refused.
const UNIX_S_MAX: f64 = 221_845_392_000.0;

/// Text without control characters, of 1 to `bytes_max` bytes.
pub(super) fn printable(value: &Value, bytes_max: usize) -> Result<String, Bad> {
    let text = string(value)?;
    if text.trim().is_empty() {
        return Err(Bad::Blank);
    }
    if text.len() > bytes_max {
        return Err(Wrong::TooLong { max: bytes_max, got: text.len() }.into());
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(Wrong::ControlCharacter { at }.into()),
        None => Ok(text.to_owned()),
    }
}
