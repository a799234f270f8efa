//! What the instance says of itself on MQTT: topics and payloads (spec nvr 2.1, 2.5).

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use vigia_core::config::Config;
use vigia_core::event::Utc;
use vigia_core::stream::StreamState;

/// State of the instance, as everyone sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The broker answered for the first time.
    Connected,
    /// Announced; streams come next.
    Starting,
    Running,
    /// The detector is beyond use.
    Error,
    Stopped,
    Disconnected,
}

/// Names and topics of one instance.
#[derive(Debug, Clone)]
pub struct Identity {
    pub instance_id: String,
    pub client_id: String,
    pub status_topic: Arc<str>,
    pub metrics_topic: Arc<str>,
    /// Of this boot of the machine, so that an old retained status can be told from a new one.
    pub boot_id: String,
}

impl Identity {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let instance_id = match &config.instance_id {
            Some(id) => id.to_string(),
            None => format!("processor-{:08x}", fastrand::u32(..)),
        };
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            client_id: format!("nvr_processor_control-{instance_id}"),
            status_topic: format!("{}/{instance_id}", config.control.status_topic).into(),
            metrics_topic: format!("{}/{instance_id}", config.mqtt.metrics_topic).into(),
            boot_id: boot_id.trim().to_owned(),
            instance_id,
        }
    }

    /// A status payload with whatever else belongs to the occasion.
    #[must_use]
    pub fn status(&self, status: Status, timestamp: Utc, extra: Value) -> Value {
        let mut payload = json!({
            "instance_id": self.instance_id,
            "status": status,
            "timestamp": timestamp,
            "client_id": self.client_id,
            "boot_id": self.boot_id,
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut payload, extra) {
            all.extend(more);
        }
        payload
    }
}

/// The configuration as the announcement shows it; addresses are masked by their type.
#[must_use]
pub fn announced(config: &Config) -> Value {
    let streams = || config.streams.iter().filter(|s| s.enabled);
    json!({
        "stream_uris": streams().map(|s| &s.uri).collect::<Vec<_>>(),
        "source_id_mapping": streams().map(|s| s.source_id).collect::<Vec<_>>(),
        "model_id": config.detector.model,
        "max_fps": config.stream_defaults.max_fps,
        "stream_server": config.stream_server,
        "mqtt_topic_prefix": config.mqtt.detections_topic,
        "enable_watchdog": true,
        "metrics_reporting_interval": config.metrics.interval.map_or(0.0, |i| i.as_secs_f64()),
    })
}

/// One stream in a status payload.
#[must_use]
pub fn stream(source_id: u32, state: &StreamState) -> Value {
    let mut v = json!({ "source_id": source_id, "state": state.name() });
    if let (StreamState::Reconnecting { cause }, Value::Object(map)) = (state, &mut v) {
        map.insert("cause".into(), json!(cause));
    }
    v
}
