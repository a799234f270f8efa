//! Answers to `why`: the trace of decisions and near misses, as sentences and for programs.

use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::consensus::{CameraId, Config, Consensus, Decision, Record, What};
use vigia_core::control::{Code, Refusal};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use crate::clock;

/// Looked at before and after the moment that was asked for.
const AROUND: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Clone)]
pub struct Query {
    /// A camera's name, or the number of its stream.
    pub camera: Option<String>,
    pub at: Option<Utc>,
    pub limit: u32,
}

/// The answer's payload.
///
/// # Errors
/// [`Code::NotFound`] for a camera that does not exist.
pub fn answer(consensus: &Consensus, query: &Query) -> Result<Value, Refusal> {
    let config = consensus.config();
    let camera = query.camera.as_deref().map(|name| camera(config, name)).transpose()?;
    let (now, utc) = (clock::now(), clock::utc());
    let (from, to) = match query.at {
        None => (Instant(0), Instant(u64::MAX)),
        Some(at) => {
            let middle = in_boot_time(at, now, utc);
            let around = i128::try_from(AROUND.as_nanos()).unwrap_or(0);
            (clamped(middle - around), clamped(middle + around))
        }
    };
    let records: Vec<&Record> = consensus.why(camera, from, to).collect();
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let left_out = records.len().saturating_sub(limit);
    let shown: Vec<Value> =
        records.iter().skip(left_out).map(|record| told(consensus, record, now, utc)).collect();
    Ok(json!({
        "timestamp": utc,
        "camera": camera.map(|id| config.camera_name(id)),
        "records": shown,
        "left_out": left_out,
        "suppressed": consensus.suppressed(),
    }))
}

fn camera(config: &Config, name: &str) -> Result<CameraId, Refusal> {
    let by_number = || config.camera_of_source(name.parse().ok()?);
    config.camera_named(name).or_else(by_number).ok_or_else(|| {
        let known: Vec<&str> = config.cameras.iter().map(|c| c.name.as_str()).take(20).collect();
        let text = format!("There is no camera {name}; there are {}", known.join(", "));
        Refusal::new(Code::NotFound, text)
    })
}

/// Nanoseconds of the clock since boot at which the wall clock said `at`, as it goes now.
fn in_boot_time(at: Utc, now: Instant, utc: Utc) -> i128 {
    i128::from(now.0) - (utc.as_unix_ns() - at.as_unix_ns())
}

fn clamped(ns: i128) -> Instant {
    Instant(u64::try_from(ns.max(0)).unwrap_or(u64::MAX))
}

/// The wall clock at `at`, as it goes now.
#[must_use]
pub fn wall(at: Instant, now: Instant, utc: Utc) -> Utc {
    Utc::from_unix_ns(utc.as_unix_ns() - (i128::from(now.0) - i128::from(at.0)))
}

fn told(consensus: &Consensus, record: &Record, now: Instant, utc: Utc) -> Value {
    let config = consensus.config();
    let mut value = json!({
        "at": wall(record.at, now, utc),
        "until": wall(record.until, now, utc),
        "times": record.times,
        "text": words(consensus, record),
    });
    let Value::Object(all) = &mut value else { return value };
    let mut add = |key: &str, value: Value| all.insert(key.to_owned(), value);
    if let Some(camera) = record.camera {
        add("camera", json!(config.camera_name(camera)));
    }
    if let Some(sector) = record.sector {
        add("sector", json!(config.sector_name(sector)));
    }
    if let Some(object) = record.object {
        add("object", json!(object.to_string()));
    }
    match record.what {
        What::Missed(miss) => {
            add("failed", json!(miss.predicate.name()));
            add("value", json!(miss.measured));
            add("wanted", json!(miss.wanted));
        }
        What::Refused(reason) => {
            add("refused", json!(reason));
        }
        What::Decided(decision) => {
            add("decision", json!(name(decision)));
        }
    }
    value
}

/// The sentence without its time, which is told beside it by the wall clock.
fn words(consensus: &Consensus, record: &Record) -> String {
    let text = consensus.sentence(record).to_string();
    text.split_once(": ").map_or(text.clone(), |(_, rest)| rest.to_owned())
}

fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::VoteGiven(_) => "vote_given",
        Decision::VoteEnded => "vote_ended",
        Decision::Sight(_) => "sight",
        Decision::QuorumLost { .. } => "quorum_lost",
        Decision::QuorumBack { .. } => "quorum_back",
        Decision::Confirmed { .. } => "confirmed",
        Decision::Acknowledged(_) => "acknowledged",
        Decision::Rekindled(_) => "rekindled",
        Decision::Ended(_) => "ended",
        Decision::SmokeSeen => "smoke_seen",
        Decision::SmokeGone => "smoke_gone",
    }
}
