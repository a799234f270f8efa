//! A file over MQTT, in parts: as many at a time as the broker takes, so that no status waits behind them.

use data_encoding::BASE64;
use serde_json::json;
use vigia_core::control::FileRef;

use super::{App, write_json};
use crate::mqtt::{Class, Qos};
use crate::support::request::{self, Made};

/// A message may have 256 KiB, and base64 takes a third more.
const PART_BYTES: usize = 96 * 1024;
/// Handed over at each look, once those before are with the broker.
const AT_ONCE: usize = 4;

/// What is not sent yet.
pub(super) struct Parts {
    made: Made,
    bytes: Vec<u8>,
    sent: usize,
}

impl Parts {
    pub fn new(made: Made, bytes: Vec<u8>) -> Self {
        Self { made, bytes, sent: 0 }
    }

    fn count(&self) -> usize {
        self.bytes.len().div_ceil(PART_BYTES)
    }
}

impl App {
    /// At each look: the next ones; after the last one the command is answered.
    pub(super) fn send_parts(&mut self) {
        let Some(mut parts) = self.versions.parts.take() else { return };
        let Some(hand) = &self.versions.hand else { return };
        let voice = self.voices.load_full();
        let waiting = voice.outbox.counters().status;
        let is_free = self.is_connected() && waiting.queued + waiting.in_flight == 0;
        let until = if is_free { (parts.sent + AT_ONCE).min(parts.count()) } else { parts.sent };
        while parts.sent < until {
            let from = parts.sent * PART_BYTES;
            let data = &parts.bytes[from..parts.bytes.len().min(from + PART_BYTES)];
            let part = json!({
                "instance_id": voice.identity.instance_id,
                "request_id": hand.ticket.echo.request_id.as_ref().map(|id| id.as_str()),
                "sha256": parts.made.sha256, "bytes": parts.made.bytes,
                "part": parts.sent + 1, "parts": parts.count(),
                "data": BASE64.encode(data),
            });
            let write = |buffer: &mut Vec<u8>| write_json(buffer, &part);
            let topic = &voice.identity.support_topic;
            // What is not taken now is tried again.
            if voice.outbox.publish(Class::Status, topic, Qos::AtLeastOnce, false, write).is_err() {
                break;
            }
            parts.sent += 1;
        }
        if parts.sent < parts.count() || !is_free {
            self.versions.parts = Some(parts);
            return;
        }
        if let Some(mut hand) = self.versions.hand.take() {
            hand.effect.file = Some(FileRef {
                path: request::PATH.to_owned(),
                bytes: parts.made.bytes,
                parts: u32::try_from(parts.count()).unwrap_or(u32::MAX),
                sha256: parts.made.sha256,
            });
            self.finish(hand, Ok(()));
        }
    }
}
