//! How the pump stands: told on its topics, on the panel and in the instance's status.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::link::Status;
use vigia_core::pump::Kind;
use vigia_core::time::Instant;

use super::{Glance, Link, telemetry};
use crate::clock;
use crate::fire::panel::{Condition, KINDS};
use crate::fire::{Task, Told};
use crate::mqtt::{Class, Qos};

const STATUS_EVERY: Duration = Duration::from_secs(10);
const HEALTH_EVERY: Duration = Duration::from_secs(30);

impl Link {
    pub(super) fn stands(&mut self, status: Status, now: Instant) {
        if let Some(peer) = &mut self.peer {
            let owes = status.events_unacknowledged > 0;
            peer.owed_since = if owes { peer.owed_since.or(Some(now)) } else { None };
        }
        let before = self.status.replace(status);
        let panel = before.is_none_or(|before| before.panel != status.panel) || self.status_due == Instant(0);
        if panel {
            let _ = self.tools.tasks.send(Task::PumpPanel(shown_by(&status)));
        }
        let face = |status: &Status| (status.now.state, status.now.relays, status.now.seen);
        let same = |before: Status| face(&before) == face(&status);
        if panel || before.is_none_or(|before| !same(before)) || now >= self.status_due {
            self.status_due = now.after(STATUS_EVERY);
            let told = telemetry::status(&status, &self.tools.host, clock::utc());
            self.say(&self.tools.topics.pump_status, &told);
            self.look(Glance { reached: true, state: Some(status.now.state), why: String::new() });
        }
        if now >= self.health_due {
            self.health_due = now.after(HEALTH_EVERY);
            let uptime = now.since(self.started).as_secs();
            let told = telemetry::health(&status, &self.tools.host, clock::utc(), uptime);
            self.say(&self.tools.topics.pump_health, &told);
        }
    }

    pub(super) fn tell_away(&mut self) {
        let why = self.why_away.clone();
        let text = format!("the pump program is not reached: {why}");
        self.condition(Kind::Trouble, "pump_unreachable", Some(text));
        if self.tools.glance.load().reached || self.tools.glance.load().why != why {
            let told = json!({
                "host": self.tools.host, "timestamp": clock::utc(), "online": false, "status": "offline", "why": why,
            });
            self.say(&self.tools.topics.pump_status, &told);
            self.say(&self.tools.topics.pump_health, &told);
            self.health_due = Instant(0);
            self.look(Glance { reached: false, state: None, why });
        }
    }

    fn look(&self, glance: Glance) {
        if **self.tools.glance.load() != glance {
            self.tools.glance.store(Arc::new(glance));
            let _ = self.tools.told.send(Told::Changed);
        }
    }

    fn say(&self, topic: &Arc<str>, payload: &Value) {
        let text = payload.to_string();
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(text.as_bytes());
        if let Err(refused) = self.tools.outbox.publish(Class::Latest, topic, Qos::AtLeastOnce, true, write) {
            tracing::warn!(component = "pump_link", event = "status_not_published", %refused, "not published");
        }
    }

    /// The pump goes on by itself.
    pub(super) fn farewell(self) {
        let why = "this program ended; the pump goes on by itself";
        let told = json!({
            "host": self.tools.host, "timestamp": clock::utc(), "online": false, "status": "offline", "why": why,
        });
        self.say(&self.tools.topics.pump_status, &told);
    }
}

fn shown_by(status: &Status) -> Vec<(Condition, String)> {
    let all = KINDS.into_iter().flat_map(|kind| status.panel.shown(kind));
    all.map(|condition| {
        let name = json!(condition).as_str().unwrap_or_default().to_owned();
        let state = match (status.panel.active.has(condition), status.panel.acknowledged.has(condition)) {
            (true, false) => "it holds",
            (true, true) => "it holds, and was acknowledged",
            (false, _) => "it is over, and not yet reset or acknowledged",
        };
        let text = format!("the pump says {}: {state}", name.replace('_', " "));
        (Condition::new(condition.kind(), name, "pump"), text)
    })
    .collect()
}
