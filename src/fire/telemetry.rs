//! What the pump does and how it is, in the words that listeners of the old controller know
//! (spec wildfire 3.7).

use serde_json::{Map, Value, json};
use vigia_core::event::Utc;
use vigia_core::link::{BankKind, BootId, Keeping, Moment, Numbered, Status};
use vigia_core::pump::{Kind, Output, Seen, Sensor, StateName};

/// One event on `system/trigger_telemetry`. `at`: when it happened, by the wall clock.
#[must_use]
pub fn event(told: &Numbered, book: BootId, bank: BankKind, host: &str, at: Utc) -> Value {
    let mut payload = json!({
        "host": host,
        "timestamp": at,
        "book": book.to_string(),
        "number": told.number,
        "gpio_available": !bank.is_simulated(),
        "system_state": moment(&told.after),
    });
    merge(&mut payload, in_seconds(serde_json::to_value(told.event).unwrap_or_default()));
    payload
}

/// `gpio/status`: everything there is to know of the pump now.
#[must_use]
pub fn status(status: &Status, host: &str, at: Utc) -> Value {
    let words = |kind| status.panel.shown(kind).map(|c| json!(c)).collect::<Vec<_>>();
    let mut payload = json!({
        "host": host,
        "timestamp": at,
        "online": true,
        "gpio_available": !status.bank.is_simulated(),
        "bank": status.bank,
        "purpose": status.purpose,
        "alarm": words(Kind::Alarm),
        "supervisory": words(Kind::Supervisory),
        "trouble": words(Kind::Trouble),
        "silenced": status.panel.silenced,
        "pin_states": relays(status.read_back),
        "sensors": sensors(&status.now),
        "self_tested": status.self_tested,
        "watchdog_fed": status.watchdog_fed,
        "watchdog_relay": status.watchdog,
        "detection": status.detection,
        "ledger": status.ledger,
        "runs": status.runs,
        "starts_last_hour": status.starts_spent,
        "events_unacknowledged": status.events_unacknowledged,
        "events_lost": status.events_lost,
    });
    merge(&mut payload, moment(&status.now));
    payload
}

/// `system/gpio_trigger/health`, with the fields of the old `health_report`.
#[must_use]
pub fn health(status: &Status, host: &str, at: Utc, uptime_s: u64) -> Value {
    let now = &status.now;
    let fitted = |sensor| now.seen.get(sensor) != Seen::Absent;
    let simulated = status.bank.is_simulated();
    let mut payload = json!({
        "host": host,
        "timestamp": at,
        "action": "health_report",
        "status": "online",
        "uptime": uptime_s,
        "total_runtime": seconds(now.total_runtime),
        "current_runtime": seconds(now.current_runtime),
        "state": now.state,
        "refill_complete": now.refill_owed.is_zero(),
        "low_pressure_detected": now.seen.get(Sensor::Pressure) == Seen::No,
        "hardware": {
            "gpio_available": !simulated,
            "simulation_mode": simulated,
            "validation_enabled": true,
            "self_tested": status.self_tested,
            "watchdog_fed": status.watchdog_fed,
            "ledger_written": status.ledger == Keeping::Written,
            "late_us_p999": status.late_us_p999,
            "late_us_max": status.late_us_max,
            "late_cycles": status.late_cycles,
            "watchdog_relay": status.watchdog,
            "memory_locked": status.memory_locked,
            "realtime": status.realtime,
        },
        "dry_run_protection": {
            "enabled": fitted(Sensor::Flow) || fitted(Sensor::Pressure),
            "pump_running": engine_on(now),
            "water_flow_detected": now.seen.get(Sensor::Flow) == Seen::Yes,
        },
        "safety_features": {
            "emergency_button_available": fitted(Sensor::EmergencyStop),
            "flow_sensor_available": fitted(Sensor::Flow),
            "reservoir_sensor_available": fitted(Sensor::FloatHigh) || fitted(Sensor::FloatLow),
            "pressure_sensor_available": fitted(Sensor::Pressure),
        },
        "pin_states": relays(status.read_back),
    });
    if simulated {
        payload["critical_warnings"] = json!([
            "SIMULATION_MODE_ACTIVE",
            "NO_PHYSICAL_HARDWARE_CONTROL",
            "PUMP_WILL_NOT_OPERATE_IN_EMERGENCY"
        ]);
    }
    payload
}

/// `system_state` of the old controller, and what it lacked.
fn moment(now: &Moment) -> Value {
    let on = |output| now.relays.is_on(output);
    let stopping = matches!(now.state, StateName::ReducingRpm | StateName::Stopping | StateName::Leaving);
    let mut state = json!({
        "state": now.state,
        "engine_on": engine_on(now),
        "main_valve": on(Output::MainValve),
        "refill_valve": on(Output::RefillValve),
        "priming_valve": on(Output::PrimingValve),
        "rpm_reduced": on(Output::ThrottleDown),
        "total_runtime": seconds(now.total_runtime),
        "current_runtime": seconds(now.current_runtime),
        "shutting_down": stopping,
        "refill_complete": now.refill_owed.is_zero(),
        "refill_owed_s": seconds(now.refill_owed),
        "armed": now.armed,
        "epoch": now.epoch,
        "relays": now.relays.energised().map(Output::name).collect::<Vec<_>>(),
    });
    if let Some(fault) = now.fault {
        merge(&mut state, json!({ "error": in_seconds(json!(fault)) }));
    }
    for (name, sensor, yes) in
        [("reservoir_full", Sensor::FloatHigh, Seen::Yes), ("line_pressure_ok", Sensor::Pressure, Seen::Yes)]
    {
        let seen = now.seen.get(sensor);
        if !matches!(seen, Seen::Absent | Seen::Unknown) {
            merge(&mut state, json!({ name: seen == yes }));
        }
    }
    state
}

fn engine_on(now: &Moment) -> bool {
    now.relays.is_on(Output::Run) || now.relays.is_on(Output::Contactor)
}

fn relays(image: vigia_core::pump::RelayImage) -> Value {
    let all = Output::ALL.into_iter().map(|o| (o.name().to_owned(), json!(image.is_on(o))));
    Value::Object(all.collect())
}

fn sensors(now: &Moment) -> Value {
    let word = |seen| match seen {
        Seen::Absent => None,
        Seen::No => Some("no"),
        Seen::Yes => Some("yes"),
        Seen::Unknown => Some("unknown"),
    };
    let fitted =
        Sensor::ALL.into_iter().filter_map(|s| Some((s.name().to_owned(), json!(word(now.seen.get(s))?))));
    Value::Object(fitted.collect())
}

fn seconds(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(all), Value::Object(more)) = (into, more) {
        all.extend(more);
    }
}

/// Times are seconds, not pairs of seconds and nanoseconds.
fn in_seconds(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let part = |name: &str| fields.get(name).and_then(Value::as_f64);
            if let (2, Some(secs), Some(nanos)) = (fields.len(), part("secs"), part("nanos")) {
                return json!(((secs + nanos / 1e9) * 1e3).round() / 1e3);
            }
            Value::Object(fields.into_iter().map(|(k, v)| (k, in_seconds(v))).collect::<Map<_, _>>())
        }
        other => other,
    }
}
