//! The configuration: what people write ([`raw`]), the rules ([`rules`], [`check`]) and
//! what the rest of vigia may rely on ([`Config`], valid by construction).
//!
//! Knows no file, no YAML and no environment; those are merged before, in the body.
//! Passwords can be reached only through [`Secret::expose`] and [`StreamUri::expose`].

pub mod check;
pub mod choice;
pub mod limits;
pub mod raw;
pub mod rules;
mod secret;
mod select;
mod uri;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::consensus;
use crate::pump::RawPlan;
use serde::{Serialize, Serializer};

pub use crate::consensus::raw::Consensus;
pub use check::{Fault, check};
pub use choice::{Decoder, Engine, Fallback, LogLevel, Mode, Pace, Protocol, Qos, Role, Tracker, Transport};
pub use rules::{InstanceId, Wrong};
pub use secret::{Credentials, Secret, Secrets};
pub use select::{SelectError, select};
pub use uri::{SourceKind, StreamUri, TestPattern, UriError, masked};

/// All settings, complete and checked. Made by [`check`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// `None`: the program invents one.
    pub instance_id: Option<InstanceId>,
    pub stream_server: StreamUri,
    /// At least one, unique `source_id`s, at least one enabled.
    pub streams: Vec<Stream>,
    pub stream_defaults: StreamDefaults,
    pub detector: Detector,
    pub camera: Camera,
    pub mqtt: Mqtt,
    pub control: Control,
    /// As it was written, and good for the configured streams: [`Config::consensus`].
    pub fire: Option<Consensus>,
    pub pump: Option<Pump>,
    pub metrics: Metrics,
    pub log: Log,
}

/// One source, with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stream {
    pub source_id: u32,
    pub uri: StreamUri,
    pub name: Option<String>,
    /// Above 0.
    pub max_fps: f64,
    pub transport: Transport,
    pub credentials: Option<Credentials>,
    pub tls_ca_file: Option<String>,
    pub confidence: f32,
    /// Empty keeps all.
    pub classes: Vec<String>,
    pub tracker: Tracker,
    pub pace: Pace,
    /// `loop` in the file: whether a file starts again at its end.
    #[serde(rename = "loop")]
    pub looped: bool,
    pub enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamDefaults {
    pub max_fps: f64,
    pub transport: Transport,
    pub tracker: Tracker,
    pub classes: Vec<String>,
    pub confidence: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detector {
    pub model: String,
    pub models_dir: String,
    pub engine: Engine,
    pub fallback: Fallback,
    pub mode: Mode,
    pub confidence: f32,
    pub nms_iou: f32,
    pub detections_max: u32,
    /// `None` leaves it to the engine.
    pub threads: Option<u32>,
    pub openvino_dir: Option<String>,
    pub tensorrt_dir: Option<String>,
    pub plans_dir: String,
    pub recipe: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Camera {
    pub decoder: Decoder,
    #[serde(rename = "connect_timeout_s", serialize_with = "in_seconds")]
    pub connect_timeout: Duration,
    #[serde(rename = "silence_min_s", serialize_with = "in_seconds")]
    pub silence_min: Duration,
    /// Not above `reconnect_max`.
    #[serde(rename = "reconnect_min_s", serialize_with = "in_seconds")]
    pub reconnect_min: Duration,
    #[serde(rename = "reconnect_max_s", serialize_with = "in_seconds")]
    pub reconnect_max: Duration,
}

/// The broker. Topics carry the prefix already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mqtt {
    pub host: String,
    pub port: u16,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub protocol: Protocol,
    #[serde(rename = "keepalive_s", serialize_with = "in_seconds")]
    pub keepalive: Duration,
    /// `{detections_topic}/{source_id}`
    pub detections_topic: String,
    pub detections_qos: Qos,
    /// `{metrics_topic}/{instance_id}`
    pub metrics_topic: String,
    pub queue_len_max: usize,
    /// What topics that have no setting of their own are put under.
    pub topic_prefix: Option<String>,
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tls {
    pub ca_file: Option<String>,
    pub client: Option<TlsClient>,
    pub required: bool,
}

/// Our certificate and its key: never one without the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsClient {
    pub cert_file: String,
    pub key_file: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    pub enabled: bool,
    pub command_topic: String,
    /// `{status_topic}/{instance_id}`
    pub status_topic: String,
    /// `None`: kept until the process ends.
    pub journal: Option<String>,
    /// `None` is off.
    #[serde(rename = "heartbeat_s", serialize_with = "in_seconds_or_zero")]
    pub heartbeat: Option<Duration>,
    /// `None`: unsigned commands are refused.
    pub unsigned_role: Option<Role>,
    pub keys: Vec<CommandKey>,
}

/// Who signs with it may do what its role may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandKey {
    pub id: String,
    pub role: Role,
    pub material: KeyMaterial,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMaterial {
    /// The secret of HMAC-SHA-256.
    Hmac(Secret),
    /// An Ed25519 public key.
    Ed25519([u8; 32]),
}

/// The pump program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pump {
    /// Absolute, and short enough for an address.
    pub socket: String,
    /// Ids of [`Control::keys`], and [`UNSIGNED`].
    pub orders_from: Vec<String>,
    /// Of the pump program, where it stands in the same file.
    pub plan: Option<RawPlan>,
}

/// In [`Pump::orders_from`]: who signs nothing, with the role of [`Control::unsigned_role`].
pub const UNSIGNED: &str = "unsigned";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// `None` is off.
    #[serde(rename = "interval_s", serialize_with = "in_seconds_or_zero")]
    pub interval: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    pub level: LogLevel,
    pub json: bool,
    pub file: Option<String>,
}

impl Config {
    /// The stream that a bare room number means: the server's, with the defaults.
    #[must_use]
    pub fn stream_of_room(&self, source_id: u32) -> Stream {
        let defaults = &self.stream_defaults;
        Stream {
            source_id,
            uri: self.stream_server.of_room(source_id),
            name: None,
            max_fps: defaults.max_fps,
            transport: defaults.transport,
            credentials: None,
            tls_ca_file: None,
            confidence: defaults.confidence,
            classes: defaults.classes.clone(),
            tracker: defaults.tracker,
            pace: Pace::Realtime,
            looped: true,
            enabled: true,
        }
    }

    /// The consensus over these streams, which commands may have changed; nothing where no fire is
    /// watched for.
    ///
    /// # Errors
    /// What does not fit together.
    pub fn consensus(&self, streams: &[Stream]) -> Option<Result<consensus::Config, Vec<consensus::Fault>>> {
        let own =
            |s: &Stream| consensus::Own { source_id: s.source_id, name: s.name.clone(), max_fps: s.max_fps };
        let own: Vec<_> = streams.iter().filter(|s| s.enabled).map(own).collect();
        self.fire.as_ref().map(|raw| consensus::check(raw, &own))
    }

    /// A topic that has no setting of its own.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        match &self.mqtt.topic_prefix {
            Some(prefix) => alloc::format!("{prefix}/{name}"),
            None => name.into(),
        }
    }
}

fn in_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn in_seconds_or_zero<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.map_or(0.0, |time| time.as_secs_f64()))
}

#[cfg(test)]
mod tests;
