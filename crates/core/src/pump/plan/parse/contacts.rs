//! What is known about each kind of contact.

use crate::pump::sensors::{Reading, Sensor};

/// What a contact must not say when its wire is cut (H5, H23 of reliability.md).
pub(super) fn danger(sensor: Sensor) -> Option<Reading> {
    match sensor {
        // Would end a refill, or pass for water.
        Sensor::FloatHigh | Sensor::Pressure | Sensor::Flow | Sensor::ValveOpen => Some(Reading::Active),
        // Would hide an empty or full tank, a shut valve, a hot engine, a flat battery, a pressed stop.
        Sensor::FloatLow
        | Sensor::ValveClosed
        | Sensor::Overflow
        | Sensor::OilLow
        | Sensor::TempHigh
        | Sensor::Overspeed
        | Sensor::BatteryLow
        | Sensor::EmergencyStop => Some(Reading::Inactive),
        // Would leave AUTO to software, start, or reset.
        Sensor::SelectorAuto | Sensor::FireButton | Sensor::ResetButton => Some(Reading::Active),
        Sensor::SelectorManual | Sensor::EngineRun | Sensor::EngineTurning | Sensor::StarterClosed => None,
    }
}

pub(super) const fn word(reading: Reading) -> &'static str {
    match reading {
        Reading::Inactive => "inactive",
        Reading::Active => "active",
        Reading::Fault => "fault",
    }
}

/// How long a contact must stand still (H24 of reliability.md).
pub(super) const fn usual_debounce_ms(sensor: Sensor) -> i64 {
    match sensor {
        // Waves.
        Sensor::FloatLow | Sensor::FloatHigh | Sensor::Overflow => 1000,
        Sensor::Pressure | Sensor::Flow | Sensor::OilLow | Sensor::TempHigh | Sensor::BatteryLow => 300,
        Sensor::ValveOpen | Sensor::ValveClosed | Sensor::Overspeed => 100,
        // The starter must drop within 100 ms of a running engine.
        Sensor::EngineRun | Sensor::EngineTurning | Sensor::StarterClosed => 40,
        Sensor::EmergencyStop
        | Sensor::SelectorAuto
        | Sensor::SelectorManual
        | Sensor::FireButton
        | Sensor::ResetButton => 50,
    }
}
