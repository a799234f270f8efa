//! What the deciding thread says: the panel, the health of the consensus, and that it is there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::event::Utc;
use vigia_core::pump::Kind;
use vigia_core::time::Instant;

use super::Deciding;
use crate::clock;
use crate::fire::{Told, count, told};
use crate::mqtt::{Class, Qos};

const HEALTH_EVERY: Duration = Duration::from_secs(30);
const FLUSH_FOR: Duration = Duration::from_secs(1);

impl Deciding {
    /// The broker may have forgotten us, or kept our will: the truth is told again.
    pub(super) fn connected(&mut self) {
        self.panel.forget();
        self.health_due = clock::now();
        self.presence(json!({ "status": "online" }));
    }

    fn presence(&self, extra: Value) {
        let (host, boot) = (&self.tools.host, &self.tools.boot);
        let mut payload = json!({ "host": host, "timestamp": clock::utc(), "boot_id": boot });
        if let (Value::Object(all), Value::Object(more)) = (&mut payload, extra) {
            all.extend(more);
        }
        self.say(Class::Status, &self.tools.topics.presence, &payload);
    }

    pub(super) fn publish(&mut self, now: Instant, utc: Utc) {
        let kinds: BTreeSet<Kind> = self.panel.stale().into_iter().collect();
        if !kinds.is_empty() {
            let glance = count(&self.panel);
            if **self.tools.glance.load() != glance {
                self.tools.glance.store(Arc::new(glance));
                let _ = self.tools.told.send(Told::Changed);
            }
        }
        let urgent = !kinds.is_empty();
        for kind in kinds {
            let payload = self.panel.payload(kind, &self.tools.host, utc);
            if self.say(Class::Status, self.tools.topics.of(kind), &payload) {
                self.panel.told(kind);
            }
        }
        if urgent || now >= self.health_due {
            self.health_due = now.after(HEALTH_EVERY);
            if let Some(table) = &self.table {
                let health = told::health(&table.consensus, self.counts, &self.tools.host, now, utc);
                self.say(Class::Latest, &self.tools.topics.consensus_health, &health);
            }
        }
    }

    /// Retained. Returns whether it was taken.
    fn say(&self, class: Class, topic: &Arc<str>, payload: &Value) -> bool {
        let text = payload.to_string();
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(text.as_bytes());
        self.tools.worker.outbox().publish(class, topic, Qos::AtLeastOnce, true, write).is_ok()
    }

    pub(super) fn farewell(self) {
        self.presence(json!({ "status": "offline", "reason": "shutdown" }));
        let _ = self.tools.worker.shutdown(FLUSH_FOR);
    }
}
