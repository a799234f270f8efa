//! What goes to the broker and comes back, and what is heard there of the instance and of the pump.

use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::config::Config;
use vigia_core::time::Instant;

use super::Check;
use crate::mqtt::{Class, Incoming, Limits, Link, Qos, Settings, Subscription, Timing, Worker};
use crate::update::work::Work;
use crate::{clock, link, mqtt};

/// For connecting, and the way there and back.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);
/// The pump is told of each ten seconds.
const PUMP_SILENT_MAX: Duration = Duration::from_secs(25);
const GOODBYE: Duration = Duration::from_millis(300);
const INCOMING_LEN_MAX: usize = 4_096;
const BROKER: &str = "broker";
const PUMP: &str = "pump";

pub fn check(config: &Config, now: &Work, before: Option<&Work>, note: &mut impl FnMut(Check)) {
    let was_away = before.is_some_and(|before| !before.has_broker);
    if was_away && !now.has_broker {
        note(Check::missing(BROKER, "it was away before the update, and is now", false));
        if config.pump.is_some() {
            note(Check::missing(
                PUMP,
                "nobody says how it is: the broker is away, as before the update",
                false,
            ));
        }
        return;
    }
    let ears = match Ears::open(config, now) {
        Ok(ears) => ears,
        Err(why) => return note(Check::failed(BROKER, why)),
    };
    note(match ears.round_trip() {
        Ok(()) => Check::passed(BROKER, "what was said came back, and it knows this instance", Value::Null),
        Err(why) => Check::failed(BROKER, why),
    });
    if config.pump.is_none() {
        note(Check::passed(PUMP, "the site has none", Value::Null));
    } else {
        note(ears.pump());
    }
    let _ = ears.worker.shutdown(GOODBYE);
}

struct Ears {
    worker: Worker,
    probe: String,
    status: String,
    pump: String,
    instance: String,
    host: String,
}

impl Ears {
    fn open(config: &Config, now: &Work) -> Result<Self, String> {
        let client_id = format!("vigia-self-test-{:08x}", fastrand::u32(..));
        let probe = format!("vigia/probe/{client_id}/said");
        let status = format!("{}/{}", config.control.status_topic, now.instance_id);
        let pump = config.topic("gpio/status");
        let to = |filter: &String| Subscription { filter: filter.clone(), qos: Qos::AtLeastOnce };
        let settings = Settings {
            component: "selftest",
            broker: link::broker(&config.mqtt, client_id, None),
            subscriptions: vec![to(&probe), to(&status), to(&pump)],
            limits: Limits { incoming_len_max: INCOMING_LEN_MAX, ..Limits::default() },
            timing: Timing::default(),
            clock: clock::now,
        };
        let worker = Worker::start(settings).map_err(|e| e.to_string())?;
        let host = now.host.clone().unwrap_or_default();
        Ok(Self { worker, probe, status, pump, instance: now.instance_id.clone(), host })
    }

    fn round_trip(&self) -> Result<(), String> {
        let until = clock::now().after(ROUND_TRIP_MAX);
        self.connect(until)?;
        let said = format!("{:016x}", fastrand::u64(..));
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(said.as_bytes());
        let topic = self.probe.as_str().into();
        let sent = self.worker.outbox().publish(Class::Ack, &topic, mqtt::Qos::AtLeastOnce, false, write);
        sent.map_err(|e| e.to_string())?;
        let boot_id = clock::boot_id();
        let (mut is_back, mut is_known) = (false, false);
        while !(is_back && is_known) {
            let Some(heard) = self.hear(until) else {
                let (instance, within) = (&self.instance, ROUND_TRIP_MAX.as_secs());
                return Err(if is_back {
                    format!("it has no status of {instance} since the boot")
                } else {
                    format!("what was said to it on vigia/probe did not come back within {within} s")
                });
            };
            is_back |= heard.topic == self.probe && heard.payload == said.as_bytes();
            let is_ours = |v: &Value| v["boot_id"] == boot_id && v["status"] != "disconnected";
            is_known |= heard.topic == self.status && json_of(&heard).is_some_and(|v| is_ours(&v));
        }
        Ok(())
    }

    fn connect(&self, until: Instant) -> Result<(), String> {
        loop {
            match self.worker.events().recv_timeout(until.since(clock::now())) {
                Ok(Link::Connected { .. }) => return Ok(()),
                Ok(_) => {}
                Err(_) => {
                    return Err(match self.worker.link() {
                        Link::Down { cause } => format!("it was not reached: {cause}"),
                        Link::Connecting | Link::Connected { .. } => "it was not reached".to_owned(),
                    });
                }
            }
        }
    }

    fn hear(&self, until: Instant) -> Option<Incoming> {
        self.worker.incoming().recv_timeout(until.since(clock::now())).ok()
    }

    /// What is retained may be of another life.
    fn pump(&self) -> Check {
        let until = clock::now().after(PUMP_SILENT_MAX);
        while let Some(heard) = self.hear(until) {
            let told =
                json_of(&heard).filter(|v| heard.topic == self.pump && v["host"] == self.host.as_str());
            if let Some(told) = told.filter(|told| !heard.retained || told["online"] == false) {
                return judged(&told);
            }
        }
        let within = PUMP_SILENT_MAX.as_secs();
        Check::failed(PUMP, format!("nothing was heard of it for {within} s on gpio/status"))
    }
}

fn json_of(heard: &Incoming) -> Option<Value> {
    serde_json::from_slice(&heard.payload).ok()
}

/// Of a status on `gpio/status`.
fn judged(told: &Value) -> Check {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let names = |name: &str| {
        let all = told[name].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let (state, relay) = (text("state"), text("watchdog_relay"));
    if told["online"] != true {
        return Check::failed(PUMP, format!("vigia does not reach it: {}", text("why")));
    }
    if let Some(fault) = told.get("error") {
        let fault = fault["fault"].as_str().map_or_else(|| fault.to_string(), |name| name.replace('_', " "));
        return Check::failed(PUMP, format!("it stands in {state}: {fault}"));
    }
    if told["self_tested"] != true || state == "BOOT" {
        return Check::failed(PUMP, format!("its lines and K0 have not passed their test ({state})"));
    }
    if names("trouble").contains(&"watchdog_relay") {
        return Check::failed(
            PUMP,
            format!("K0 does not do as its heartbeat says: its contact says {relay}"),
        );
    }
    let alarms = names("alarm");
    let figures = json!({ "state": state, "watchdog_relay": relay, "bank": told["bank"] });
    let how = match &*state {
        "IDLE" | "OFF" if alarms.is_empty() => "at rest".to_owned(),
        // A fire, or somebody at the box: it does what it is for.
        _ => {
            format!("at work ({state}{})", alarms.iter().map(|name| format!(", {name}")).collect::<String>())
        }
    };
    let k0 = if relay == "not_fitted" { "it has no K0" } else { "K0 passed its test" };
    Check::passed(PUMP, format!("{how}; its lines passed their test, {k0}"), figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::Outcome;

    #[test]
    fn a_pump_is_judged_by_what_it_says() {
        let good = json!({
            "online": true, "state": "IDLE", "self_tested": true, "watchdog_relay": "pulled", "alarm": [], "trouble": [],
        });
        let but = |change: Value| {
            let mut told = good.clone();
            told.as_object_mut().expect("one").extend(change.as_object().expect("one").clone());
            told
        };
        for (told, outcome, phrase) in [
            (good.clone(), Outcome::Passed, "at rest; its lines passed their test, K0 passed"),
            (but(json!({ "watchdog_relay": "not_fitted" })), Outcome::Passed, "it has no K0"),
            (but(json!({ "state": "RUNNING" })), Outcome::Passed, "at work (RUNNING)"),
            (but(json!({ "trouble": ["test_overdue"] })), Outcome::Passed, "at rest"),
            (but(json!({ "online": false, "why": "no socket" })), Outcome::Failed, "not reach it: no socket"),
            (
                but(json!({ "self_tested": false, "state": "BOOT" })),
                Outcome::Failed,
                "not passed their test (BOOT)",
            ),
            (
                but(json!({ "state": "ERROR", "error": { "fault": "self_test" } })),
                Outcome::Failed,
                "it stands in ERROR: self test",
            ),
            (
                but(json!({ "trouble": ["watchdog_relay"], "watchdog_relay": "fallen" })),
                Outcome::Failed,
                "its contact says fallen",
            ),
            (json!({}), Outcome::Failed, "does not reach it"),
        ] {
            let check = judged(&told);
            assert!(check.outcome == outcome && check.said.contains(phrase), "{phrase}: {check:?}");
        }
    }
}
