//! Contacts that bounce, break, stick, contradict each other, or are not read any more.

use core::time::Duration;

use super::super::{
    Condition, Event, Fault, Gauge, Order, Output as O, Reading, Refusal, Seen, Sensor, StateName as S,
};
use super::rig::{Rig, fit};

#[test]
fn a_bouncing_contact_counts_when_it_stands_still() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FloatHigh]));
    for bounce in 0..9 {
        rig.set(Sensor::FloatHigh, [Reading::Active, Reading::Inactive][bounce % 2]);
        rig.tick();
        assert_eq!(rig.machine.see(Sensor::FloatHigh), Seen::No);
    }
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.run(0.9);
    assert_eq!(rig.machine.see(Sensor::FloatHigh), Seen::No);
    rig.run(0.3);
    assert_eq!(rig.machine.see(Sensor::FloatHigh), Seen::Yes);
}

#[test]
fn a_flapping_contact_is_not_believed_until_it_rests() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    for flap in 0..30 {
        rig.set(Sensor::Flow, [Reading::Active, Reading::Inactive][flap % 2]);
        rig.tick();
    }
    assert_eq!(rig.machine.see(Sensor::Flow), Seen::Unknown);
    assert!(rig.machine.panel().is_active(Condition::SensorFlapping));
    rig.run(11.0);
    assert_eq!(rig.machine.see(Sensor::Flow), Seen::No);
    assert!(!rig.machine.panel().is_active(Condition::SensorFlapping));
}

#[test]
fn contacts_that_contradict_each_other_are_both_unknown() {
    let pairs = [
        (Sensor::FloatLow, Sensor::FloatHigh),
        (Sensor::ValveOpen, Sensor::ValveClosed),
        (Sensor::SelectorAuto, Sensor::SelectorManual),
    ];
    for (a, b) in pairs {
        let mut rig = Rig::engine(|raw| fit(raw, &[a, b]));
        rig.set(a, Reading::Active);
        rig.set(b, Reading::Active);
        rig.run(3.0);
        assert_eq!((rig.machine.see(a), rig.machine.see(b)), (Seen::Unknown, Seen::Unknown));
        assert!(rig.machine.panel().is_active(Condition::SensorContradiction));
        rig.set(b, Reading::Inactive);
        rig.run(3.0);
        assert_eq!(rig.machine.see(a), Seen::Yes);
    }
}

#[test]
fn contacts_that_are_not_read_any_more_are_unknown_within_two_seconds() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    assert_eq!(rig.machine.see(Sensor::Flow), Seen::No);
    for _ in 0..15 {
        rig.now = rig.now.after(Duration::from_millis(100));
        rig.input(super::super::Input::Tick);
    }
    assert_eq!(rig.machine.see(Sensor::Flow), Seen::Unknown);
}

#[test]
fn a_broken_stop_loop_is_a_stop_and_is_reset_by_hand_only() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EmergencyStop]));
    rig.demand();
    rig.run(10.0);
    rig.set(Sensor::EmergencyStop, Reading::Fault);
    rig.tick();
    assert_eq!(rig.state(), S::EmergencyStop);
    rig.run(10.0);
    assert_eq!(rig.order(Order::Reset), Err(Refusal::StopPressed));
    rig.set(Sensor::EmergencyStop, Reading::Inactive);
    rig.run(1.0);
    assert_eq!(rig.state(), S::EmergencyStop, "release is no reset");
    let needs = super::super::Role::Local;
    let remote = rig.order_by(Order::Reset, super::super::Role::Maintain);
    assert_eq!(remote, Err(Refusal::Role { needs }));
    rig.order(Order::Reset).expect("by hand");
    rig.run(60.0);
    assert!(!rig.on(O::Starter), "a reset starts nothing");
}

#[test]
fn the_reset_button_is_a_hand_at_the_box() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::ResetButton]));
    rig.order(Order::EmergencyStop).expect("a stop");
    rig.run(10.0);
    rig.set(Sensor::ResetButton, Reading::Active);
    rig.run(0.3);
    assert_eq!(rig.state(), S::Idle);
}

#[test]
fn a_lost_limit_switch_stops_the_engine_within_two_seconds() {
    for lost in [Reading::Inactive, Reading::Fault] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::ValveOpen]));
        rig.demand();
        rig.run(1.0);
        rig.set(Sensor::ValveOpen, Reading::Active);
        rig.until(S::Running, 20.0);
        rig.run(10.0);
        rig.set(Sensor::ValveOpen, lost);
        rig.run(2.0);
        assert_eq!(rig.machine.status().fault, Some(Fault::MainValveLost));
    }
}

#[test]
fn cranking_waits_for_the_limit_switch() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::ValveOpen]));
    rig.demand();
    rig.run(12.0);
    assert_eq!(rig.state(), S::Priming);
    rig.set(Sensor::ValveOpen, Reading::Active);
    rig.run(0.5);
    assert_eq!(rig.state(), S::Starting);
}

#[test]
fn each_crank_needs_a_valve_that_is_proven_open() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::ValveOpen, Sensor::EngineRun]));
    rig.set(Sensor::ValveOpen, Reading::Active);
    rig.demand();
    rig.at(8.0);
    assert!(rig.heard(&Event::CrankFailed { attempt: 1, turned: true }));
    rig.set(Sensor::ValveOpen, Reading::Inactive);
    rig.at(25.0);
    assert_eq!(rig.state(), S::Priming);
    rig.set(Sensor::ValveOpen, Reading::Active);
    rig.until(S::Starting, 1.0);
    assert!(rig.heard(&Event::EngineStartSequence { attempt: 2 }));
}

#[test]
fn a_welded_starter_is_latched_and_takes_the_watchdog_relay_down() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::StarterClosed]));
    rig.demand();
    rig.at(2.1);
    rig.set(Sensor::StarterClosed, Reading::Active);
    rig.at(8.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::StarterWelded));
    assert!(!rig.machine.permits_watchdog());
}

#[test]
fn a_low_battery_inhibits_cranking() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::BatteryLow]));
    rig.set(Sensor::BatteryLow, Reading::Active);
    rig.run(1.0);
    rig.demand();
    assert!(rig.heard(&Event::TriggerBlocked { id: 1, why: Refusal::BatteryLow }));
    assert!(rig.machine.panel().is_active(Condition::BatteryLow));
}

#[test]
fn oil_and_heat_end_a_test_and_not_a_fire() {
    for (order, trips) in [(Some(Order::Test), true), (None, false)] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::OilLow, Sensor::TempHigh]));
        match order {
            Some(order) => rig.order(order).expect("a test"),
            None => rig.demand(),
        }
        rig.run(20.0);
        rig.set(Sensor::OilLow, Reading::Active);
        rig.run(1.0);
        assert_eq!(rig.machine.status().fault == Some(Fault::EngineProtection), trips);
        assert!(rig.machine.panel().is_active(Condition::OilLow));
    }
}

#[test]
fn an_engine_found_running_at_boot_is_latched_and_killed_with_its_water_path_open() {
    let raw = super::rig::engine_plan(|raw| fit(raw, &[Sensor::EngineRun]));
    let mut rig = Rig::unbooted(super::rig::plan(&raw), super::super::Restored::Fresh);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.boot();
    assert_eq!(rig.machine.status().fault, Some(Fault::EngineFoundRunning));
    assert!(rig.on(O::Kill) && rig.on(O::MainValve));
}

#[test]
fn an_engine_that_does_not_stop_is_latched_with_its_water_path_open() {
    let mut rig = Rig::engine(|raw| {
        super::rig::short_run(raw);
        fit(raw, &[Sensor::EngineRun]);
    });
    rig.demand();
    rig.run(4.0);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.until(S::Error, 120.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::WontStop));
    assert!(!rig.machine.permits_watchdog());
    rig.run(700.0);
    assert!(rig.on(O::MainValve));
    assert!(!rig.heard(&Event::MainValveClosed));
}

#[test]
fn gauges_out_of_range_are_broken_not_low() {
    let loop_ma = Gauge { valid: (3.6, 21.0), active_from: 12.0, hysteresis: 1.0 };
    let cases = [
        (0.0, Reading::Fault),
        (f32::NAN, Reading::Fault),
        (f32::INFINITY, Reading::Fault),
        (21.1, Reading::Fault),
        (3.6, Reading::Inactive),
        (11.9, Reading::Inactive),
        (12.0, Reading::Active),
        (21.0, Reading::Active),
    ];
    for (value, reading) in cases {
        assert_eq!(loop_ma.read(value, Reading::Inactive), reading, "{value}");
    }
    assert_eq!(loop_ma.read(11.5, Reading::Active), Reading::Active);
    assert_eq!(loop_ma.read(10.9, Reading::Active), Reading::Inactive);
}
