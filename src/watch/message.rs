//! What may arrive, and how it is read: bounded, tolerant of more fields than we know.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use vigia_core::event::{DetectionEvent, Utc, topic_source};

use super::board::{Panel, Pump};
use super::words::clean;

/// Longer payloads are not looked at.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Detections kept of one event.
const DETECTIONS_LEN_MAX: usize = 300;
/// Parts that stand, kept of one status.
const PARTS_LEN_MAX: usize = 8;
/// Streams kept of one status.
const STREAMS_LEN_MAX: usize = 100;

/// Where instances speak, without the last level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    pub detections: String,
    pub status: String,
    pub metrics: String,
    /// What the site puts before topics of fires and pumps, with its slash; or nothing.
    pub site: String,
}

/// A message, read.
#[derive(Debug)]
pub(super) enum Message {
    Detection(DetectionEvent),
    Status(String, Box<Status>),
    Metrics(String, Metrics),
    /// The broker forgets the instance: its retained status was emptied.
    Forgotten(String),
    Panel(Panel),
    Pump(Pump),
    /// An emptied metrics message says nothing.
    Nothing,
}

/// Why a message was not understood.
#[derive(Debug, Error)]
pub(super) enum Unclear {
    #[error("{0} bytes is too long")]
    TooLong(usize),
    #[error("it is none of the topics watched")]
    Topic,
    #[error("it speaks of source {0}")]
    OtherSource(u32),
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// An instance of itself (spec nvr 2.5).
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) status: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) timestamp: Option<Utc>,
    #[serde(default)]
    uptime_seconds: Option<f64>,
    #[serde(default)]
    pub(super) engine: Option<Engine>,
    #[serde(default)]
    pub(super) streams: Option<Vec<Stream>>,
    #[serde(default)]
    liveness: BTreeMap<String, Sign>,
    /// Parts that give no sign of life, by name; filled here.
    #[serde(skip)]
    pub(super) stalled: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Sign {
    #[serde(default)]
    ok: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Engine {
    pub(super) name: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) model_id: Option<String>,
}

/// The state's name is kept as text: a newer instance may know more of them.
#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    pub(super) source_id: u32,
    pub(super) state: String,
    #[serde(default)]
    cause: Option<Cause>,
}

#[derive(Debug, Deserialize)]
struct Cause {
    #[serde(default)]
    detail: String,
}

/// Rates of an instance (spec nvr 1.5).
#[derive(Debug, Deserialize)]
pub(super) struct Metrics {
    #[serde(default)]
    pub(super) timestamp: Option<Utc>,
    pub(super) inference_throughput: f64,
    #[serde(default)]
    pub(super) avg_latency_ms: Option<f64>,
}

impl Topics {
    /// Everything to subscribe to.
    #[must_use]
    pub fn filters(&self) -> [String; 7] {
        let site = &self.site;
        [
            format!("{}/#", self.detections),
            format!("{}/+", self.status),
            format!("{}/+", self.metrics),
            format!("{site}system/alarm/+"),
            format!("{site}system/supervisory/+"),
            format!("{site}system/trouble/+"),
            format!("{site}gpio/status"),
        ]
    }

    pub(super) fn read(&self, topic: &str, payload: &[u8]) -> Result<Message, Unclear> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Unclear::TooLong(payload.len()));
        }
        if let Some(id) = child(&self.status, topic) {
            if payload.is_empty() {
                return Ok(Message::Forgotten(clean(id)));
            }
            return Ok(Message::Status(clean(id), Box::new(json::<Status>(payload)?.cleaned())));
        }
        if let Some(id) = child(&self.metrics, topic) {
            if payload.is_empty() {
                return Ok(Message::Nothing);
            }
            return Ok(Message::Metrics(clean(id), json(payload)?));
        }
        if let Some(rest) = topic.strip_prefix(self.site.as_str()) {
            if payload.is_empty() && (rest == "gpio/status" || rest.starts_with("system/")) {
                return Ok(Message::Nothing);
            }
            if rest == "gpio/status" {
                return Ok(Message::Pump(json(payload)?));
            }
            if ["system/alarm", "system/supervisory", "system/trouble"]
                .iter()
                .any(|t| child(t, rest).is_some())
            {
                return Ok(Message::Panel(json(payload)?));
            }
        }
        if below(&self.detections, topic).is_none() {
            return Err(Unclear::Topic);
        }
        let event: DetectionEvent = json(payload)?;
        match topic_source(topic) {
            Some(source_id) if source_id != event.source_id => Err(Unclear::OtherSource(event.source_id)),
            _ => Ok(Message::Detection(cleaned(event))),
        }
    }
}

impl Status {
    fn cleaned(mut self) -> Self {
        self.status = clean(&self.status);
        self.reason = self.reason.as_deref().map(clean);
        if let Some(Engine { name, mode, model_id }) = &mut self.engine {
            for text in [name, mode, model_id].into_iter().flatten() {
                *text = clean(text);
            }
        }
        let stalled = std::mem::take(&mut self.liveness).into_iter().filter(|(_, sign)| !sign.ok);
        self.stalled = stalled.take(PARTS_LEN_MAX).map(|(name, _)| clean(&name)).collect();
        if let Some(streams) = &mut self.streams {
            streams.truncate(STREAMS_LEN_MAX);
            for s in streams {
                s.state = clean(&s.state);
                if let Some(cause) = &mut s.cause {
                    cause.detail = clean(&cause.detail);
                }
            }
        }
        self
    }

    pub(super) fn uptime(&self) -> Option<Duration> {
        self.uptime_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok())
    }
}

impl Stream {
    pub(super) fn detail(self) -> String {
        self.cause.map(|c| c.detail).unwrap_or_default()
    }
}

fn cleaned(mut event: DetectionEvent) -> DetectionEvent {
    event.instance_id = clean(&event.instance_id);
    event.model_id = clean(&event.model_id);
    event.detections.truncate(DETECTIONS_LEN_MAX);
    event.detections.shrink_to_fit();
    for d in &mut event.detections {
        d.class_name = clean(&d.class_name);
    }
    event
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unclear> {
    Ok(serde_json::from_slice(payload)?)
}

/// What `topic` has below `prefix`.
fn below<'t>(prefix: &str, topic: &'t str) -> Option<&'t str> {
    topic.strip_prefix(prefix)?.strip_prefix('/')
}

/// The one level that `topic` has below `prefix`.
fn child<'t>(prefix: &str, topic: &'t str) -> Option<&'t str> {
    below(prefix, topic).filter(|rest| !rest.is_empty() && !rest.contains('/'))
}
