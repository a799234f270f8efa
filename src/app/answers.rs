//! What the instance says: its status, its answers, and what queries ask for.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::RecvError;
use serde_json::{Value, json};
use vigia_core::control::{Ack, Code, Echo, Entry, Refusal, RequestId, Status};

use super::boot::interrupted;
use super::{App, write_json};
use crate::clock;
use crate::fire::Fire;
use crate::mqtt::{Class, Qos};
use crate::throttle::Held;
use crate::wire;

/// Of the entries that one answer to `history` lists; a message may have 256 KiB.
const HISTORY_BYTES_MAX: usize = 240 * 1024;
/// A healthy instance has processed a frame this recently.
const RECENT: Duration = Duration::from_secs(30);

impl App {
    /// Returns whether the message was taken.
    pub(super) fn publish_status(&self, status: Status, extra: Value) -> bool {
        let now = clock::now();
        let mut all = json!({
            "uptime_seconds": now.since(self.started).as_secs(),
            "engine": self.engine,
            "streams": self.streams.iter().map(|(id, s)| wire::stream(*id, s, self.decoders.get(id))).collect::<Vec<_>>(),
            "paused_sources": self.paused_sources(),
            "liveness": *self.watchdog.rows(),
        });
        if let Value::Object(all) = &mut all {
            if let Some(Value::Object(glance)) = self.fire.as_ref().map(Fire::glance) {
                all.extend(glance);
            }
            if let Some(held) = &self.held {
                all.insert("throttled".into(), json!(held));
            }
            if let Some(build) = self.build_in_short() {
                all.insert("build".into(), build);
            }
            if let Some(before) = &self.renamed_from {
                all.insert("renamed_from".into(), json!(before));
            }
            if status == Status::Starting {
                all.insert("uptime_seconds".into(), json!(0));
                all.insert("config".into(), wire::announced(&self.config, &self.desired));
            }
            if let Value::Object(extra) = extra {
                all.extend(extra);
            }
        }
        let voice = self.voices.load();
        let payload = voice.identity.status(status, clock::utc(), all).to_string();
        let topic = &voice.identity.status_topic;
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(payload.as_bytes());
        let outcome = voice.outbox.publish_behind(Class::Status, topic, Qos::AtLeastOnce, true, write);
        if let Err(refused) = &outcome {
            tracing::error!(component = "processor", event = "status_not_published", %refused, "status lost");
        }
        outcome.is_ok()
    }

    pub(super) fn heartbeat(&mut self) {
        if self.launched && self.is_connected() {
            self.publish_status(self.machine.status(), json!({ "heartbeat": true }));
        }
    }

    /// A sign of life for who looks for instances.
    pub(super) fn pong(&self) {
        let extra = json!({
            "pong": true,
            "config": wire::announced(&self.config, &self.desired),
            "health": {
                "is_paused": self.machine.pauses().is_all_paused(),
                "pipeline_running": self.pipeline_runs(),
                "mqtt_connected": self.is_connected(),
                "control_plane_connected": self.is_connected(),
            },
        });
        self.publish_status(self.machine.status(), extra);
        tracing::info!(component = "command_handlers", event = "pong_sent", "pong");
    }

    /// The GPU is held back, or runs free again; an error when nobody looks any more.
    pub(super) fn held_back(&mut self, told: Result<Option<Held>, RecvError>) {
        let Ok(held) = told else {
            let text = "whether the GPU is held back is not known until the next start";
            tracing::error!(component = "throttle", event = "gauge_ended", "{text}");
            (self.throttle, self.held, self.stale) = (None, None, true);
            return;
        };
        let causes = |held: &Option<Held>| held.as_ref().map(|held| held.causes.clone());
        match &held {
            // Only its figures are others.
            _ if causes(&held) == causes(&self.held) => {}
            Some(held) => {
                tracing::warn!(component = "throttle", event = "gpu_held_back", "{}", held.sentence());
            }
            None => {
                tracing::info!(component = "throttle", event = "gpu_free", "the GPU is held back no more")
            }
        }
        (self.held, self.stale) = (held, true);
    }

    fn pipeline_runs(&self) -> bool {
        matches!(self.machine.status(), Status::Running | Status::Paused | Status::Reconfiguring)
    }

    /// Whether it works, for who asks (spec nvr 4.2).
    pub(super) fn publish_health(&self) {
        let now = clock::now();
        let connected = self.is_connected();
        let age = self.telemetry.last_frame_age(now);
        let recent = age.is_some_and(|age| age <= RECENT);
        let critical = [self.pipeline_runs(), connected, connected];
        let as_wanted = !self.is_degraded();
        let status = verdict(critical, recent && as_wanted);
        let payload = json!({
            "instance_id": self.voices.load().identity.instance_id,
            "status": status,
            "timestamp": clock::utc(),
            "version": env!("CARGO_PKG_VERSION"),
            "checks": {
                "pipeline_running": critical[0],
                "control_plane_connected": critical[1],
                "data_plane_connected": critical[2],
                "recent_frames": recent,
                "engine_as_configured": as_wanted,
                "avg_fps": self.telemetry.throughput(now),
            },
        });
        let topic = self.voices.load().identity.health_topic.clone();
        self.say(Class::Status, &topic, Qos::AtLeastOnce, false, &payload);
    }

    pub(super) fn publish_metrics(&self) {
        let voice = self.voices.load();
        let (id, topic) = (&voice.identity.instance_id, &voice.identity.metrics_topic);
        let Some(report) = self.telemetry.report(id, clock::utc(), clock::now()) else { return };
        self.say(Class::Latest, topic, Qos::AtMostOnce, true, &report);
    }

    /// The full metrics (spec nvr 1.5).
    pub(super) fn publish_report(&self) -> Result<(), Refusal> {
        let voice = self.voices.load();
        let (id, topic) = (&voice.identity.instance_id, &voice.identity.report_topic);
        let now = clock::now();
        let mut report = self.telemetry.full(id, clock::utc(), now).ok_or_else(|| {
            tracing::info!(component = "command_handlers", event = "metrics_unavailable", "no metrics");
            Refusal::new(Code::Unavailable, "no frame was processed yet")
        })?;
        if let Value::Object(all) = &mut report {
            all.insert("status_updates".into(), json!(self.updates));
        }
        self.say(Class::Status, topic, Qos::AtMostOnce, false, &report);
        Ok(())
    }

    pub(super) fn publish_history(&self, entries: &[Value]) {
        let voice = self.voices.load();
        // What a message can hold; who wants older ones asks for fewer at a time.
        let fits = |len: &mut usize, entry: &&Value| {
            *len += entry.to_string().len() + 1;
            (*len < HISTORY_BYTES_MAX).then_some(())
        };
        let told = entries.iter().scan(0, |len, entry| fits(len, &entry)).count();
        let payload = json!({
            "instance_id": voice.identity.instance_id,
            "timestamp": clock::utc(),
            "entries": entries[..told],
            "left_out": entries.len() - told,
        });
        self.say(Class::Status, &voice.identity.history_topic, Qos::AtLeastOnce, false, &payload);
    }

    /// A final answer states something of the detections so far, so it follows them.
    pub(super) fn publish_ack(&self, ack: &Ack, is_final: bool) {
        let voice = self.voices.load();
        let (topic, qos) = (&voice.identity.ack_topic, Qos::AtLeastOnce);
        let write = |buffer: &mut Vec<u8>| write_json(buffer, ack);
        let outcome = if is_final {
            voice.outbox.publish_behind(Class::Ack, topic, qos, false, write)
        } else {
            voice.outbox.publish(Class::Ack, topic, qos, false, write)
        };
        if let Err(refused) = outcome {
            tracing::error!(component = "control_plane", event = "ack_lost", trace_id = ack.trace_id, %refused, "answer lost");
        }
    }

    /// A stored answer, as it was.
    pub(super) fn publish_ack_text(&self, text: &str) {
        let voice = self.voices.load();
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(text.as_bytes());
        let topic = &voice.identity.ack_topic;
        let outcome = voice.outbox.publish_behind(Class::Ack, topic, Qos::AtLeastOnce, false, write);
        if let Err(refused) = outcome {
            tracing::error!(component = "control_plane", event = "ack_lost", %refused, "answer lost");
        }
    }

    /// Whose command is cut off hears of it; `stop` is answered when nothing can follow.
    pub(super) fn answer_last(&mut self) {
        if let Some(hand) = self.in_hand.take() {
            self.refuse(hand, interrupted());
        }
        self.answer_cancelling(Err(interrupted()));
        if let Some(hand) = self.stopping.take() {
            self.finish(hand, Ok(()));
        }
        let until = clock::now().after(Duration::from_secs(1));
        while !self.waiting.is_empty()
            && let Ok((number, outcome)) = self.scribe.done.clone().recv_timeout(until.since(clock::now()))
        {
            self.written(number, outcome);
        }
    }

    /// Senders whose commands the process died over.
    pub(super) fn answer_interrupted(&mut self) {
        let left: Vec<Entry> = self.ledger.unfinished().cloned().collect();
        for entry in left {
            let Ok(request_id) = RequestId::parse(&entry.request_id) else { continue };
            let mut hand = self.hand(Echo { request_id: Some(request_id), ..Echo::default() });
            (hand.digest, hand.booked) = (entry.digest, true);
            self.finish(hand, Err(interrupted()));
        }
    }

    pub(super) fn say(
        &self,
        class: Class,
        topic: &Arc<str>,
        qos: Qos,
        retain: bool,
        value: &impl serde::Serialize,
    ) {
        let write = |buffer: &mut Vec<u8>| write_json(buffer, value);
        if let Err(refused) = self.voices.load().outbox.publish(class, topic, qos, retain, write) {
            tracing::warn!(component = "metrics_reporter", event = "metrics_error", %refused, topic = &**topic, "not published");
        }
    }
}

/// Of the three without which nothing works, and of whether frames come, to the engine that should see them (spec nvr 4.2).
fn verdict(critical: [bool; 3], recent: bool) -> &'static str {
    match (critical.iter().filter(|ok| **ok).count(), recent) {
        (3, true) => "healthy",
        (0, _) => "unhealthy",
        _ => "degraded",
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;

    /// Row 76. Without a link nobody could be told that it is unhealthy, so only here.
    #[test]
    fn health_has_three_words() {
        for (critical, recent, word) in [
            ([true; 3], true, "healthy"),
            ([true; 3], false, "degraded"),
            ([false, true, true], true, "degraded"),
            ([true, false, false], true, "degraded"),
            ([false; 3], true, "unhealthy"),
            ([false; 3], false, "unhealthy"),
        ] {
            assert_eq!(verdict(critical, recent), word, "{critical:?} {recent}");
        }
    }
}
