//! P15, P16, P18, P21 to P25: tank, float, flow and pressure.

use core::time::Duration;

use super::super::plan::{RawPlan, WaterPolicy};
use super::super::{
    Condition, Demand, Event, Fault, Input, Kind, Output as O, Reading, Refusal, Sensor, StateName as S,
};
use super::rig::{Rig, fire, fit, short_run};

/// Has run for a minute and fills the tank.
fn refilling(edit: impl FnOnce(&mut RawPlan)) -> Rig {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        edit(raw);
    });
    rig.demand();
    rig.until(S::Refilling, 100.0);
    rig
}

#[test]
fn p15_a_trigger_during_refill_is_blocked() {
    let mut rig = refilling(|_| {});
    rig.demand();
    assert_eq!(rig.state(), S::Refilling);
    assert!(!rig.on(O::Run) && !rig.on(O::Starter));
    assert_eq!(rig.count(|e| matches!(e, Event::TriggerBlockedRefilling { id: 1, .. })), 1);
    // The alarm does not depend on water.
    assert!(rig.machine.panel().is_active(Condition::Fire));
}

#[test]
fn p16_a_full_float_ends_the_refill_within_two_seconds() {
    let mut rig = refilling(|raw| fit(raw, &[Sensor::FloatHigh]));
    rig.run(10.0);
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.run(2.0);
    assert!(!rig.on(O::RefillValve));
    assert!(rig.heard(&Event::RefillCompleteFloatSwitch));
    assert_eq!(rig.state(), S::Cooldown);
    assert_eq!(rig.machine.ledger().refill_owed(), Duration::ZERO);
}

#[test]
fn p18_a_broken_float_wire_ends_no_refill_and_starts_by_policy() {
    for (policy, starts) in [(WaterPolicy::Protect, false), (WaterPolicy::Fire, true)] {
        let mut rig = refilling(|raw| {
            fit(raw, &[Sensor::FloatHigh]);
            raw.tank.refill_multiplier = Some(10.0);
            raw.policies.without_water = Some(policy);
        });
        rig.set(Sensor::FloatHigh, Reading::Fault);
        rig.run(590.0);
        assert_eq!(rig.state(), S::Refilling);
        assert!(rig.on(O::RefillValve));
        assert!(rig.machine.panel().is_active(Condition::SensorUnknown));
        assert!(rig.heard(&Event::SensorUntrusted { sensor: Sensor::FloatHigh }));
        // By the time owed, and only then.
        rig.until(S::Idle, 100.0);
        assert!(rig.heard(&Event::RefillCompleteTimer));
        rig.demand();
        assert_eq!(rig.state() == S::Priming, starts);
        let blocked = Event::TriggerBlocked { id: 1, why: Refusal::TankUnknown };
        assert_eq!(rig.heard(&blocked), !starts);
    }
}

#[test]
fn p21_no_flow_from_the_start_is_a_dry_run_at_the_limit() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.demand();
    rig.at(7.0 + 299.9);
    assert_eq!(rig.state(), S::Running);
    rig.at(7.0 + 302.0);
    assert_eq!(rig.state(), S::Error);
    assert_eq!(rig.machine.status().fault, Some(Fault::DryRun));
    assert!(!rig.on(O::Run));
    // The valve follows when the engine stands.
    rig.run(15.0);
    assert!(!rig.on(O::MainValve));
}

#[test]
fn p22_flow_from_the_start_is_no_error() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.demand();
    rig.run(5.0);
    rig.set(Sensor::Flow, Reading::Active);
    rig.at(700.0);
    assert_eq!(rig.state(), S::Running);
}

#[test]
fn p23_flow_lost_later_stops_within_the_limit() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.demand();
    rig.run(5.0);
    rig.set(Sensor::Flow, Reading::Active);
    rig.at(407.0);
    rig.set(Sensor::Flow, Reading::Inactive);
    rig.at(706.0);
    assert_eq!(rig.state(), S::Running);
    rig.at(708.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::DryRun));
}

#[test]
fn p24_without_sensors_a_dry_run_is_reported_as_unprotected() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(1700.0);
    assert_eq!(rig.state(), S::Running);
    assert!(rig.heard(&Event::DryRunUnprotected));
    let shown: alloc::vec::Vec<_> = rig.machine.panel().shown(Kind::Supervisory).collect();
    assert!(shown.contains(&Condition::DryRunUnprotected) && shown.contains(&Condition::RunUnproven));
}

#[test]
fn p25_a_flow_switch_that_is_stuck_is_found_before_the_next_start() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.set(Sensor::Flow, Reading::Active);
    rig.run(35.0);
    assert!(rig.machine.panel().is_active(Condition::SensorStuck));
    assert!(rig.heard(&Event::SensorUntrusted { sensor: Sensor::Flow }));
    // It is no proof of water either.
    rig.demand();
    rig.until(S::Error, 400.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::DryRun));
    // It let go: believed again.
    rig.set(Sensor::Flow, Reading::Inactive);
    rig.run(1.0);
    assert!(!rig.machine.panel().is_active(Condition::SensorStuck));
}

#[test]
fn the_fire_policy_goes_on_without_water_and_says_so() {
    let mut rig = Rig::engine(|raw| {
        fit(raw, &[Sensor::Flow, Sensor::Pressure, Sensor::FloatLow]);
        raw.policies.without_water = Some(WaterPolicy::Fire);
    });
    rig.demand();
    rig.run(60.0);
    rig.set(Sensor::FloatLow, Reading::Active);
    rig.at(700.0);
    assert_eq!(rig.state(), S::Running);
    for condition in [Condition::DryRun, Condition::LowPressure, Condition::TankLow] {
        assert!(rig.machine.panel().is_active(condition), "{condition:?}");
    }
    assert_eq!(rig.count(|e| matches!(e, Event::DryRunProtectionTriggered { .. })), 1, "said once");
    rig.set(Sensor::Flow, Reading::Active);
    rig.run(1.0);
    assert!(!rig.machine.panel().is_active(Condition::DryRun));
}

#[test]
fn a_low_tank_stops_or_refuses_where_the_pump_is_dearer() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FloatLow]));
    rig.demand();
    rig.run(20.0);
    rig.set(Sensor::FloatLow, Reading::Active);
    rig.run(5.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::LowTank));

    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FloatLow]));
    rig.set(Sensor::FloatLow, Reading::Active);
    rig.run(3.0);
    rig.demand();
    assert_eq!(rig.state(), S::Idle);
    assert!(rig.heard(&Event::TriggerBlocked { id: 1, why: Refusal::TankLow }));
}

#[test]
fn a_fire_that_persists_is_answered_when_the_tank_is_full() {
    let mut rig = refilling(|raw| fit(raw, &[Sensor::FloatHigh]));
    for _ in 0..30 {
        rig.input(Input::Demand(Demand { persists: true, ..fire(2) }));
        rig.run(1.0);
    }
    assert_eq!(rig.state(), S::Refilling);
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.until(S::Priming, 3.0);
    rig.until(S::Running, 40.0);
}

#[test]
fn a_tank_with_some_water_may_be_used_where_the_site_says_so() {
    let mut rig = refilling(|raw| {
        fit(raw, &[Sensor::FloatLow]);
        raw.policies.start_on_partial_tank = Some(true);
    });
    rig.run(40.0);
    rig.demand();
    assert_eq!(rig.state(), S::Priming);
    let owed = rig.machine.ledger().refill_owed();
    assert!(owed > Duration::from_secs(2000), "{owed:?} is still owed");
}

#[test]
fn a_low_tank_without_a_run_is_filled_where_a_float_can_end_it() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FloatLow, Sensor::FloatHigh]));
    rig.set(Sensor::FloatLow, Reading::Active);
    rig.run(2.0);
    assert_eq!(rig.state(), S::Refilling);
    rig.set(Sensor::FloatLow, Reading::Inactive);
    rig.run(60.0);
    assert!(rig.on(O::RefillValve));
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.until(S::Idle, 70.0);
}

#[test]
fn an_overflow_shuts_the_refill_in_any_state() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Overflow, Sensor::FloatHigh]));
    rig.demand();
    rig.run(20.0);
    assert!(rig.on(O::RefillValve));
    rig.set(Sensor::Overflow, Reading::Active);
    rig.run(1.5);
    assert!(!rig.on(O::RefillValve) && rig.on(O::Run));
    // The float did not say full: it is not believed any more.
    assert!(rig.machine.panel().is_active(Condition::SensorContradiction));
}
