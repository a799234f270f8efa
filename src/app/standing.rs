//! How the instance stands, for whoever does not ask over MQTT: the service manager, and those who want to restart the box.

use serde_json::{Value, json};
use vigia_core::stream::StreamState;

use super::App;
use super::plans::State;
use crate::fire::Fire;
use crate::update::work::{Camera, Work};

impl App {
    pub(super) fn refresh(&mut self) {
        self.stale |= self.watchdog.has_turned();
        let (alarms, fire) = self.fire.as_ref().map_or((0, None), Fire::stands);
        self.beacon.tell(alarms, fire);
        let work = self.work();
        self.diary.tell(work);
        self.send_parts();
        if self.watchdog.is_heard() {
            self.watchdog.doing(self.in_short());
        }
        if self.stale && self.launched && self.is_connected() {
            self.stale = !self.publish_status(self.machine.status(), json!({}));
        }
    }

    /// What a version after this one is held against.
    fn work(&self) -> Work {
        let camera = |state: &StreamState| {
            let why = match state {
                StreamState::Reconnecting { cause } => cause.to_string(),
                other => other.name().to_owned(),
            };
            let gives = *state == StreamState::Running;
            Camera { gives, gave: gives, why: (!gives).then_some(why) }
        };
        let said = |name: &str| self.engine.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_building =
            self.build.as_ref().is_some_and(|news| matches!(news.state, State::Building { .. }));
        Work {
            instance_id: self.voices.load().identity.instance_id.clone(),
            host: self.fire.as_ref().map(|fire| fire.host.clone()),
            status: self.machine.status().name().to_owned(),
            cameras: self.streams.iter().map(|(id, state)| (*id, camera(state))).collect(),
            engine: said("name"),
            degraded: said("degraded"),
            is_building,
            has_looked: self.telemetry.has_looked(),
            is_paused: self.machine.pauses().is_all_paused(),
            has_broker: self.is_connected(),
        }
    }

    /// For the service manager.
    fn in_short(&self) -> String {
        let running = self.streams.values().filter(|state| **state == StreamState::Running).count();
        let (status, all) = (self.machine.status().name(), self.streams.len());
        let broker = if self.is_connected() { "connected" } else { "away" };
        let engine = if self.is_degraded() { ", the processor stands in for the GPU" } else { "" };
        format!("{status}, {running} of {all} streams run, broker {broker}{engine}")
    }

    /// The processor computes where the GPU should.
    pub(super) fn is_degraded(&self) -> bool {
        self.engine.get("degraded").is_some()
    }
}
