//! The shapes of the configuration files, as people write them: nothing is checked yet.
//!
//! Numbers are wide on purpose (`port` is an `i64`), so that `70000` reaches the check
//! and gets a sentence instead of a parser's complaint. The first line of a field's doc
//! is the hint that a refused value is answered with, and the schema's description.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use schemars::JsonSchema;
use serde::Deserialize;

use super::choice::{Decoder, Engine, Fallback, LogLevel, Mode, Pace, Protocol, Role, Tracker, Transport};
use super::limits;
use crate::board::RawLines;
use crate::consensus::raw::Consensus;
use crate::pump::plan::raw::{RawPolicies, RawTank, RawTimings};
use crate::pump::plan::{Preset, RawInput};
use crate::pump::{Output, RawPlan, Sensor};

/// Settings of vigia. Every key may be left out; the built-in defaults fill in.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This processor's name: 1 to 64 of A-Z a-z 0-9 . _ -, or null for a random one.
    pub instance_id: Option<String>,
    /// Base URL of the stream server, e.g. rtsp://localhost:8554/live.
    pub stream_server: String,
    /// File of camera user names and passwords, readable by its owner only (mode 0600).
    pub secrets_file: Option<String>,
    /// Cameras to watch, e.g. a list of items like `- source_id: 0`.
    #[schemars(length(min = 1, max = limits::STREAMS_LEN_MAX))]
    pub streams: Vec<Stream>,
    /// Settings for streams that don't set their own.
    pub stream_defaults: StreamDefaults,
    /// Model and inference engine.
    pub detector: Detector,
    /// Decoding, time limits and reconnection, for all cameras.
    pub camera: Camera,
    /// The broker, and what is published there.
    pub mqtt: Mqtt,
    /// Commands received over MQTT.
    pub control: Control,
    /// When several cameras are believed that something burns; null watches for no fire.
    pub fire: Option<Consensus>,
    /// The pump program on this box; null where there is none.
    pub pump: Option<Pump>,
    /// What relays and contacts hang on, for the pump program; of the board's file.
    pub lines: Option<RawLines>,
    /// Periodic metrics.
    pub metrics: Metrics,
    /// Log output.
    pub log: Log,
}

/// One camera, file or test picture.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Number of the room or camera, e.g. 3; unique.
    #[schemars(required, range(min = limits::SOURCE_ID_MIN, max = limits::SOURCE_ID_MAX))]
    pub source_id: Option<i64>,
    /// Address, e.g. rtsp://host/path, /path/to/file.mp4, v4l2:///dev/video0, or null for {stream_server}/{source_id}.
    pub uri: Option<String>,
    /// Name for people, e.g. front door.
    pub name: Option<String>,
    /// Frames per second, e.g. 0.5.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = limits::FPS_MAX))]
    pub max_fps: Option<f64>,
    /// How RTSP media travels.
    pub transport: Option<Transport>,
    /// An entry of secrets_file, e.g. front-door.
    pub credentials: Option<String>,
    /// Certificates that an rtsps camera must be signed by, e.g. /etc/vigia/ca.pem.
    pub tls_ca_file: Option<String>,
    /// Least confidence to report, e.g. 0.5.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: Option<f32>,
    /// Class names to keep, e.g. [person, car]; an empty list keeps all.
    pub classes: Option<Vec<String>>,
    /// How objects are followed from frame to frame.
    pub tracker: Option<Tracker>,
    /// How fast a file is read: as recorded, or as fast as the engine takes it.
    pub pace: Option<Pace>,
    /// Whether a file starts again at its end.
    pub r#loop: Option<bool>,
    /// Whether this stream is started.
    pub enabled: Option<bool>,
}

/// What a stream gets where it says nothing itself.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamDefaults {
    /// Frames per second, e.g. 0.5.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = limits::FPS_MAX))]
    pub max_fps: f64,
    /// How RTSP media travels.
    pub transport: Transport,
    /// How objects are followed from frame to frame.
    pub tracker: Tracker,
    /// Class names to keep, e.g. [person, car]; an empty list keeps all.
    pub classes: Vec<String>,
    /// Least confidence to report, e.g. 0.5; null takes detector.confidence.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: Option<f32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Name of a model in models_dir, e.g. lookout-n.
    pub model: String,
    /// Folder of the models, e.g. /usr/share/vigia/models.
    pub models_dir: String,
    /// Inference engine.
    pub engine: Engine,
    /// What detects where the GPU can't: the processor, or nothing.
    pub fallback: Fallback,
    /// What the engine is tuned for.
    pub mode: Mode,
    /// Least confidence to report, e.g. 0.5.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f32,
    /// Overlap above which the weaker of two boxes is dropped, e.g. 0.45.
    #[schemars(range(min = 0, max = 1))]
    pub nms_iou: f32,
    /// Most detections reported per frame, e.g. 300.
    #[schemars(range(min = limits::DETECTIONS_MAX_MIN, max = limits::DETECTIONS_MAX_MAX))]
    pub detections_max: i64,
    /// Processor threads of the engine, e.g. 4; null leaves it to the engine.
    #[schemars(range(min = limits::THREADS_MIN, max = limits::THREADS_MAX))]
    pub threads: Option<i64>,
    /// Folder of the OpenVINO libraries, e.g. /opt/intel/openvino; null searches the usual places.
    pub openvino_dir: Option<String>,
    /// Folder of TensorRT's libraries, e.g. /usr/lib/aarch64-linux-gnu; null searches the usual places.
    pub tensorrt_dir: Option<String>,
    /// Folder of the plans that are built for TensorRT, e.g. /var/lib/vigia/plans.
    pub plans_dir: String,
    /// How plans are built: a file of engines/, e.g. engines/orin-nano.yaml; null takes the usual values.
    pub recipe: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Video decoder.
    pub decoder: Decoder,
    /// Seconds a camera has to deliver its first frame, e.g. 3.0.
    #[schemars(range(min = limits::SECONDS_MIN, max = limits::SECONDS_MAX))]
    pub connect_timeout_s: f64,
    /// Least seconds of silence after which a camera counts as lost, e.g. 1.0.
    #[schemars(range(min = limits::SECONDS_MIN, max = limits::SECONDS_MAX))]
    pub silence_min_s: f64,
    /// Seconds before the first try to reconnect, e.g. 0.2.
    #[schemars(range(min = limits::SECONDS_MIN, max = limits::SECONDS_MAX))]
    pub reconnect_min_s: f64,
    /// Most seconds between tries to reconnect, e.g. 1.0.
    #[schemars(range(min = limits::SECONDS_MIN, max = limits::SECONDS_MAX))]
    pub reconnect_max_s: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// Name or address of the broker, e.g. localhost.
    pub host: String,
    /// TCP port of the broker, e.g. 1883, or 8883 with TLS.
    #[schemars(range(min = limits::PORT_MIN, max = limits::PORT_MAX))]
    pub port: i64,
    /// User name at the broker, or null for none.
    pub username: Option<String>,
    /// File holding the password alone, readable by its owner only (mode 0600).
    pub password_file: Option<String>,
    /// Protocol version, in quotes.
    pub protocol: Protocol,
    /// Seconds of silence before a ping, e.g. 30.
    #[schemars(range(min = limits::KEEPALIVE_S_MIN, max = limits::KEEPALIVE_S_MAX))]
    pub keepalive_s: i64,
    /// Put before every topic, e.g. site-1, or null for nothing.
    pub topic_prefix: Option<String>,
    /// Topic of detections, without the camera number, e.g. nvr/detections.
    pub detections_topic: String,
    /// Quality of service of detections: 0 at most once, 1 at least once, 2 exactly once.
    #[schemars(range(min = limits::QOS_MIN, max = limits::QOS_MAX))]
    pub detections_qos: i64,
    /// Topic of periodic metrics, without the instance id, e.g. nvr/status/metrics.
    pub metrics_topic: String,
    /// Most messages waiting to be sent, e.g. 1000; then the oldest detections go.
    #[schemars(range(min = limits::QUEUE_LEN_MAX_MIN, max = limits::QUEUE_LEN_MAX_MAX))]
    pub queue_len_max: i64,
    /// TLS to the broker, or null for none.
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificates that the broker must be signed by, or null for the system's.
    pub ca_file: Option<String>,
    /// Our certificate, if the broker asks for one; needs key_file.
    pub cert_file: Option<String>,
    /// Key of our certificate; needs cert_file.
    pub key_file: Option<String>,
    /// Whether a broker without TLS is refused; true if left out.
    pub required: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Whether commands over MQTT are obeyed.
    pub enabled: bool,
    /// Topic commands arrive on, e.g. nvr/control/commands.
    pub command_topic: String,
    /// Topic of states and answers, without the instance id, e.g. nvr/control/status.
    pub status_topic: String,
    /// File that keeps what commands changed, their answers and the audit, e.g.
    /// /var/lib/vigia/journal.db; null keeps them until the process ends.
    pub journal: Option<String>,
    /// Seconds between two repetitions of the status; 0 is off.
    #[schemars(range(min = 0, max = limits::METRICS_INTERVAL_S_MAX))]
    pub heartbeat_s: f64,
    /// What senders of unsigned commands may do; null refuses them all.
    pub unsigned_role: Option<Role>,
    /// Keys of those who sign their commands.
    pub keys: Vec<CommandKey>,
}

/// Either a shared secret or a public key.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandKey {
    /// Name of the key, as commands give it in key_id.
    #[schemars(required)]
    pub id: Option<String>,
    /// What who holds it may do.
    #[schemars(required)]
    pub role: Option<Role>,
    /// Entry of secrets_file whose password is the shared secret of HMAC-SHA-256.
    pub credentials: Option<String>,
    /// Ed25519 public key: 64 hex digits.
    pub public_key: Option<String>,
}

/// How the pump program is reached, and who may give it orders from afar.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pump {
    /// Socket of the pump program, e.g. /run/vigia/pump.sock.
    pub socket: String,
    /// Whose orders over MQTT reach the pump: names of control.keys, or unsigned; an empty list takes nobody's.
    #[schemars(length(max = limits::KEYS_LEN_MAX))]
    pub orders_from: Vec<String>,
    /// What the pump program's plan starts from.
    pub preset: Option<Preset>,
    /// The relays that exist; null takes the preset's list.
    pub outputs: Option<Vec<Output>>,
    /// The contacts that exist.
    pub inputs: BTreeMap<Sensor, RawInput>,
    /// Times of the plan; what is left out is the preset's.
    pub timings: RawTimings,
    /// What the tank holds.
    pub tank: RawTank,
    /// What the site decides.
    pub policies: RawPolicies,
}

impl Default for Pump {
    fn default() -> Self {
        Self {
            socket: "/run/vigia/pump.sock".into(),
            orders_from: Vec::new(),
            preset: None,
            outputs: None,
            inputs: BTreeMap::new(),
            timings: RawTimings::default(),
            tank: RawTank::default(),
            policies: RawPolicies::default(),
        }
    }
}

impl Pump {
    /// The plan in it, where one is given.
    #[must_use]
    pub fn plan(&self) -> Option<RawPlan> {
        Some(RawPlan {
            preset: self.preset?,
            outputs: self.outputs.clone(),
            inputs: self.inputs.clone(),
            timings: self.timings.clone(),
            tank: self.tank.clone(),
            policies: self.policies.clone(),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Seconds between reports, e.g. 10; 0 is off.
    #[schemars(range(min = 0, max = limits::METRICS_INTERVAL_S_MAX))]
    pub interval_s: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Least severity written.
    pub level: LogLevel,
    /// Whether lines are JSON.
    pub json: bool,
    /// File to write to, rotated, or null for standard error.
    pub file: Option<String>,
}

/// The secrets file: names, and what to log in with.
pub type Secrets = alloc::collections::BTreeMap<String, Login>;

/// A user name and a password.
///
/// No `Debug`: it holds the password in the clear.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_debug_implementations, reason = "a password must not reach a log")]
pub struct Login {
    /// User name at the camera, as text.
    #[schemars(required)]
    pub username: Option<String>,
    /// Password at the camera, as text; in quotes if it looks like a number.
    #[schemars(required)]
    pub password: Option<String>,
}
