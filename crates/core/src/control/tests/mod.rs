//! Tables of what is taken, refused and answered, and a reference model.

extern crate std;

mod answers;
mod machine;
mod model;
mod opened;
mod parsed;
mod wanted;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Map, Value};

use super::{Capability, Command, Refusal};
use crate::config::{
    Camera, Config, Control, Decoder, Detector, Engine, Fallback, InstanceId, Log, LogLevel, Metrics, Mode,
    Mqtt, Pace, Protocol, Qos, StreamDefaults, StreamUri, Tracker, Transport,
};
use crate::time::Instant;

const ALL: &[Capability] = &[Capability::Journal, Capability::Fire, Capability::Pump, Capability::Update];

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000_000)
}

fn uri(text: &str) -> StreamUri {
    StreamUri::parse(text).unwrap()
}

fn own() -> InstanceId {
    InstanceId::parse("proc-a").unwrap()
}

/// `params` as JSON; empty for none.
fn parse(name: &str, params: &str) -> Result<Command, Refusal> {
    let params: Map<String, Value> =
        if params.is_empty() { Map::new() } else { serde_json::from_str(params).unwrap() };
    Command::parse(name, &params, ALL)
}

fn command(name: &str, params: &str) -> Command {
    parse(name, params).unwrap()
}

/// A site whose streams are rooms of the stream server.
fn site(rooms: &[u32]) -> Config {
    let mut config = Config {
        instance_id: Some(own()),
        stream_server: StreamUri::parse_server("rtsp://go2rtc:8554/live").unwrap(),
        streams: Vec::new(),
        stream_defaults: StreamDefaults {
            max_fps: 1.0,
            transport: Transport::Tcp,
            tracker: Tracker::None,
            classes: Vec::new(),
            confidence: 0.5,
        },
        detector: Detector {
            model: "yolov8x-640".to_string(),
            models_dir: "/models".to_string(),
            engine: Engine::Auto,
            fallback: Fallback::Cpu,
            mode: Mode::Auto,
            confidence: 0.5,
            nms_iou: 0.45,
            detections_max: 300,
            threads: None,
            openvino_dir: None,
            tensorrt_dir: None,
            plans_dir: "/plans".to_string(),
            recipe: None,
        },
        camera: Camera {
            decoder: Decoder::Auto,
            connect_timeout: Duration::from_secs(3),
            silence_min: Duration::from_secs(1),
            reconnect_min: Duration::from_millis(200),
            reconnect_max: Duration::from_secs(1),
        },
        mqtt: Mqtt {
            host: "localhost".to_string(),
            port: 1883,
            username: None,
            password: None,
            protocol: Protocol::V5,
            keepalive: Duration::from_secs(30),
            detections_topic: "nvr/detections".to_string(),
            detections_qos: Qos::AtMostOnce,
            metrics_topic: "nvr/status/metrics".to_string(),
            queue_len_max: 1000,
            topic_prefix: None,
            tls: None,
        },
        control: Control {
            enabled: true,
            command_topic: "nvr/control/commands".to_string(),
            status_topic: "nvr/control/status".to_string(),
            journal: None,
            heartbeat: None,
            unsigned_role: None,
            keys: Vec::new(),
        },
        fire: None,
        pump: None,
        metrics: Metrics { interval: None },
        log: Log { level: LogLevel::Info, json: false, file: None },
    };
    config.streams = rooms.iter().map(|id| config.stream_of_room(*id)).collect();
    assert!(config.streams.iter().all(|s| s.pace == Pace::Realtime));
    config
}
