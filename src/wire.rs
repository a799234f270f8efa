//! What the instance says of itself on MQTT: topics and payloads (spec nvr 2.1, 2.5).

use std::sync::Arc;

use serde_json::{Value, json};
use vigia_core::config::Config;
use vigia_core::control::{Desired, Status};
use vigia_core::event::Utc;
use vigia_core::stream::StreamState;

use crate::clock;

/// Names and topics of one instance.
#[derive(Debug, Clone)]
pub struct Identity {
    pub instance_id: String,
    pub client_id: String,
    pub status_topic: Arc<str>,
    pub ack_topic: Arc<str>,
    pub health_topic: Arc<str>,
    pub history_topic: Arc<str>,
    /// Of a plan that is being built.
    pub build_topic: Arc<str>,
    /// Of answers to `why` and `pump`.
    pub why_topic: Arc<str>,
    pub pump_topic: Arc<str>,
    /// Of versions and updates, retained.
    pub update_topic: Arc<str>,
    /// Of support bundles, in parts.
    pub support_topic: Arc<str>,
    /// Of the metrics that a command asked for.
    pub report_topic: Arc<str>,
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
        Self::named(config, instance_id)
    }

    /// The same instance under another name.
    #[must_use]
    pub fn named(config: &Config, instance_id: String) -> Self {
        let status = &config.control.status_topic;
        Self {
            client_id: format!("nvr_processor_control-{instance_id}"),
            status_topic: format!("{status}/{instance_id}").into(),
            ack_topic: format!("{status}/{instance_id}/ack").into(),
            health_topic: format!("{status}/{instance_id}/health").into(),
            history_topic: format!("{status}/{instance_id}/history").into(),
            build_topic: format!("{status}/{instance_id}/build").into(),
            why_topic: format!("{status}/{instance_id}/why").into(),
            pump_topic: format!("{status}/{instance_id}/pump").into(),
            update_topic: format!("{status}/{instance_id}/update").into(),
            support_topic: format!("{status}/{instance_id}/support").into(),
            report_topic: format!("{status}/metrics/{instance_id}").into(),
            metrics_topic: format!("{}/{instance_id}", config.mqtt.metrics_topic).into(),
            boot_id: clock::boot_id(),
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

/// What runs, as the announcement and a pong show it; addresses are masked by their type.
#[must_use]
pub fn announced(config: &Config, desired: &Desired) -> Value {
    let streams = || desired.streams.iter();
    json!({
        "stream_uris": streams().map(|s| &s.uri).collect::<Vec<_>>(),
        "source_id_mapping": streams().map(|s| s.source_id).collect::<Vec<_>>(),
        "model_id": desired.model,
        "max_fps": desired.max_fps,
        "confidence_threshold": desired.confidence,
        "stream_server": config.stream_server,
        "mqtt_topic_prefix": config.mqtt.detections_topic,
        "enable_watchdog": true,
        "metrics_reporting_interval": config.metrics.interval.map_or(0.0, |i| i.as_secs_f64()),
    })
}

/// One stream in a status payload, with what decodes it.
#[must_use]
pub fn stream(source_id: u32, state: &StreamState, decoder: Option<&Value>) -> Value {
    let mut v = json!({ "source_id": source_id, "state": state.name() });
    if let (Some(decoder), Value::Object(map)) = (decoder, &mut v) {
        map.insert("decoder".into(), decoder.clone());
    }
    if let (StreamState::Reconnecting { cause }, Value::Object(map)) = (state, &mut v) {
        map.insert("cause".into(), json!(cause));
    }
    v
}
