//! From a result to a detection event in the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use vigia_core::config::Config;
use vigia_core::event::{EventView, Found};

use super::write_json;
use crate::clock;
use crate::detect::Detected;
use crate::mqtt::{Class, Outbox, Qos};
use crate::telemetry::Telemetry;
use crate::wire::Identity;

/// Writes each result as a detection event.
pub struct Sink {
    instance_id: String,
    topics: BTreeMap<u32, Arc<str>>,
    qos: Qos,
    outbox: Outbox,
    telemetry: Telemetry,
    refused: u64,
}

impl Sink {
    pub fn new(config: &Config, identity: &Identity, outbox: Outbox, telemetry: Telemetry) -> Self {
        let prefix = &config.mqtt.detections_topic;
        let topic = |id| (id, vigia_core::event::detection_topic(prefix, id).into());
        Self {
            instance_id: identity.instance_id.clone(),
            topics: config.streams.iter().map(|s| topic(s.source_id)).collect(),
            qos: crate::link::qos(config.mqtt.detections_qos),
            outbox,
            telemetry,
            refused: 0,
        }
    }

    pub fn publish(&mut self, d: &Detected) {
        let pulse = self.telemetry.note(d, clock::now());
        let Some(topic) = self.topics.get(&d.source_id) else { return };
        let event = EventView {
            instance_id: &self.instance_id,
            source_id: d.source_id,
            frame_id: d.frame_id,
            timestamp: d.captured,
            model_id: d.model_id,
            inference_time_ms: (d.inference.as_secs_f64() * 1e5).round() / 1e2,
            detections: Found { detections: d.detections, classes: d.classes },
            fps: pulse.fps,
            latency_ms: Some(pulse.latency_ms),
        };
        let class = Class::Detection { source_id: d.source_id };
        let outcome = self.outbox.publish(class, topic, self.qos, false, |buffer| write_json(buffer, &event));
        if let Err(refused) = outcome {
            // Once per trouble, not once per frame.
            self.refused += 1;
            if self.refused.is_power_of_two() {
                let (count, source_id) = (self.refused, d.source_id);
                tracing::warn!(component = "mqtt_sink", event = "publish_failed", %refused, count, source_id, "event lost");
            }
        }
    }
}
