//! From a result to a detection event in the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use vigia_core::config::Config;
use vigia_core::event::{EventView, Found};

use super::evidence::Witness;
use super::voice::Voices;
use super::write_json;
use crate::clock;
use crate::detect::Detected;
use crate::fire::feed::Feed;
use crate::mqtt::{Class, Qos, Refused};
use crate::telemetry::Telemetry;

/// Writes each result as a detection event.
pub struct Sink {
    voices: Voices,
    prefix: String,
    topics: BTreeMap<u32, Arc<str>>,
    qos: Qos,
    telemetry: Telemetry,
    witness: Witness,
    /// Where fires are decided, if they are.
    feed: Option<Feed>,
    refused: u64,
}

impl Sink {
    pub fn new(
        config: &Config,
        voices: Voices,
        telemetry: Telemetry,
        witness: Witness,
        feed: Option<Feed>,
    ) -> Self {
        Self {
            voices,
            prefix: config.mqtt.detections_topic.clone(),
            topics: BTreeMap::new(),
            qos: crate::link::qos(config.mqtt.detections_qos),
            telemetry,
            witness,
            feed,
            refused: 0,
        }
    }

    pub fn publish(&mut self, d: &Detected) {
        // First: a fire is not kept waiting, and a pause silences detections, not fires.
        if let Some(feed) = &self.feed {
            feed.note(d);
        }
        let pulse = self.telemetry.note(d, clock::now());
        let prefix = &self.prefix;
        let topic = self.topics.entry(d.source_id);
        let topic = topic.or_insert_with(|| vigia_core::event::detection_topic(prefix, d.source_id).into());
        let voice = self.voices.load();
        let event = EventView {
            instance_id: &voice.identity.instance_id,
            source_id: d.source_id,
            frame_id: d.frame_id,
            timestamp: d.captured,
            model_id: d.model_id,
            inference_time_ms: (d.inference.as_secs_f64() * 1e5).round() / 1e2,
            detections: Found { detections: d.detections, classes: d.classes },
            fps: pulse.fps,
            latency_ms: Some(pulse.latency_ms),
        };
        let class = Class::Detection { source_id: d.source_id, frame_id: d.frame_id };
        let outcome =
            voice.outbox.publish(class, topic, self.qos, false, |buffer| write_json(buffer, &event));
        match outcome {
            Ok(()) => self.witness.note(d),
            // A pause is no trouble.
            Err(Refused::Gated(_)) => {}
            Err(refused) => self.complain(d.source_id, &refused),
        }
    }

    /// Once per trouble, not once per frame.
    fn complain(&mut self, source_id: u32, refused: &Refused) {
        self.refused += 1;
        if self.refused.is_power_of_two() {
            let count = self.refused;
            tracing::warn!(component = "mqtt_sink", event = "publish_failed", %refused, count, source_id, "event lost");
        }
    }
}
