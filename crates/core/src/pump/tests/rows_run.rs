//! P1 to P12, P17, P19, P20, P39 to P43, P47, P50: starting and running.

use core::time::Duration;

use super::super::plan::raw::Preset;
use super::super::{
    Demand, Event, Fault, Input, Order, Output as O, Reading, Sensor, Source, StateName as S,
};
use super::checker::may_follow;
use super::rig::{Rig, engine_plan, fire, fit, short_run};
use crate::time::Instant;

#[test]
fn p01_boot_ends_in_idle_with_everything_off() {
    let rig = Rig::engine(|_| {});
    assert_eq!(rig.state(), S::Idle);
    rig.only(&[]);
    // Nothing is on its way but the health report and the age of the last contacts.
    let mut state = rig.machine.state;
    state.visit(&mut |name, _| assert!(["health", "sensors_stale"].contains(&name), "{name}"));
}

#[test]
fn p02_a_trigger_opens_all_valves_within_150_ms() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    assert_eq!(rig.state(), S::Priming);
    rig.only(&[O::MainValve, O::PrimingValve, O::RefillValve]);
}

#[test]
fn p03_the_starter_turns_for_exactly_five_seconds() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    let mut cranked = 0;
    for _ in 0..71 {
        rig.tick();
        if rig.on(O::Starter) {
            cranked += 1;
            assert!(!rig.on(O::Run));
            assert!((2.0..7.1).contains(&rig.s()));
        }
    }
    assert_eq!(cranked, 50);
    assert_eq!(rig.state(), S::Running);
    assert!(rig.on(O::Run) && !rig.on(O::Starter));
}

#[test]
fn p04_a_main_valve_that_stays_shut_prevents_cranking() {
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::MainValve, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::MainValveStuck));
    assert_eq!(rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), 0);
    assert!(!rig.on(O::Run));
}

#[test]
fn p05_priming_ends_180_s_after_the_engine_started() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(186.9);
    assert!(rig.on(O::PrimingValve));
    rig.at(187.0);
    rig.only(&[O::MainValve, O::RefillValve, O::Run]);
    assert!(rig.heard(&Event::PrimingComplete));
}

#[test]
fn p06_no_pressure_after_priming_stops_and_latches() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Pressure]));
    rig.demand();
    rig.at(246.9);
    assert_eq!(rig.state(), S::Running);
    rig.at(247.0);
    assert_eq!(rig.state(), S::LowPressure);
    rig.only(&[O::MainValve, O::Kill]);
    rig.run(3600.0);
    assert_eq!(rig.state(), S::LowPressure);
    rig.only(&[]);
}

#[test]
fn p07_pressure_that_is_lost_later_stops_within_five_seconds() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Pressure]));
    rig.set(Sensor::Pressure, Reading::Active);
    rig.demand();
    rig.at(607.0);
    assert_eq!(rig.state(), S::Running);
    rig.set(Sensor::Pressure, Reading::Inactive);
    rig.at(612.0);
    assert_eq!(rig.state(), S::LowPressure);
}

#[test]
fn p08_max_runtime_wins_over_a_later_fire_off() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(900.0);
    rig.demand();
    rig.at(1792.0);
    assert_eq!(rig.state(), S::ReducingRpm);
    rig.at(1806.9);
    assert!(rig.on(O::Run));
    rig.at(1807.0);
    assert!(!rig.on(O::Run));
}

#[test]
fn p09_continuous_triggers_do_not_outrun_the_limit() {
    let mut rig = Rig::engine(short_run);
    rig.demand();
    while rig.s() < 67.0 {
        rig.demand();
        rig.tick();
    }
    assert!(!rig.on(O::Run));
    assert_eq!(rig.state(), S::Stopping);
}

#[test]
fn p10_the_engine_is_throttled_down_before_the_limit() {
    let mut rig = Rig::engine(short_run);
    rig.demand();
    rig.at(7.0 + 44.9);
    assert!(!rig.on(O::ThrottleDown));
    rig.at(7.0 + 45.0);
    assert!(rig.on(O::ThrottleDown) && rig.on(O::Run));
    rig.until(S::Stopping, 20.0);
    assert!(!rig.on(O::ThrottleDown) && !rig.on(O::Run));
}

#[test]
fn p11_a_fire_that_is_out_ends_the_run() {
    let mut rig = Rig::engine(|raw| raw.timings.fire_off_s = Some(600.0));
    rig.demand();
    rig.at(599.9);
    assert!(!rig.on(O::ThrottleDown));
    rig.at(600.0);
    assert!(rig.on(O::ThrottleDown));
    rig.at(604.9);
    assert!(rig.on(O::Run));
    rig.at(605.0);
    assert!(!rig.on(O::Run) && rig.on(O::Kill));
}

#[test]
fn p12_a_trigger_during_throttle_down_cancels_the_stop_for_good() {
    let mut rig = Rig::engine(|raw| raw.timings.fire_off_s = Some(600.0));
    rig.demand();
    rig.at(602.0);
    rig.demand();
    assert_eq!(rig.state(), S::Running);
    assert!(!rig.on(O::ThrottleDown));
    assert!(rig.heard(&Event::ShutdownCancelled { id: 1 }));
    while rig.s() < 1200.0 {
        rig.tick();
        assert!(rig.on(O::Run));
    }
}

#[test]
fn p17_the_second_cycle_is_like_the_first() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        fit(raw, &[Sensor::FloatHigh, Sensor::Flow]);
        raw.timings.dry_s_max = Some(20.0);
    });
    for _ in 0..2 {
        rig.set(Sensor::FloatHigh, Reading::Inactive);
        rig.set(Sensor::Flow, Reading::Active);
        rig.demand();
        rig.until(S::Stopping, 120.0);
        rig.set(Sensor::Flow, Reading::Inactive);
        rig.until(S::Refilling, 30.0);
        rig.set(Sensor::FloatHigh, Reading::Active);
        rig.until(S::Idle, 300.0);
    }
    assert_eq!(rig.machine.ledger().run_total(), Duration::from_secs(120));
    // The third run is dry, and supervision is alive (H6).
    rig.demand();
    rig.until(S::Error, 60.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::DryRun));
}

#[test]
fn p19_a_trigger_in_cooldown_runs_on() {
    let mut rig = in_cooldown();
    rig.run(30.0);
    rig.zero = rig.now;
    rig.demand();
    // P20: the valve opens at once.
    rig.only(&[O::MainValve, O::PrimingValve]);
    rig.at(120.0);
    assert_eq!(rig.state(), S::Running);
    assert!(rig.on(O::Run) && rig.on(O::MainValve));
}

#[test]
fn p20_a_trigger_in_cooldown_opens_the_main_valve_at_once() {
    let mut rig = in_cooldown();
    rig.demand();
    assert!(rig.on(O::MainValve));
    assert_eq!(rig.state(), S::Priming);
}

/// With a full tank, so that no refill stands between.
fn in_cooldown() -> Rig {
    let mut rig = Rig::engine(|raw| {
        raw.timings.run_s_max = Some(300.0);
        raw.timings.prime_s = Some(10.0);
        fit(raw, &[Sensor::FloatHigh]);
    });
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.run(2.0);
    rig.demand();
    rig.until(S::Cooldown, 400.0);
    rig
}

#[test]
fn p39_a_button_pressed_five_times_starts_once() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FireButton]));
    rig.cycle = Duration::from_millis(10);
    rig.run(1.0);
    for press in 0..10 {
        rig.set(Sensor::FireButton, [Reading::Active, Reading::Inactive][press % 2]);
        rig.run(0.01);
    }
    rig.set(Sensor::FireButton, Reading::Active);
    rig.run(5.0);
    assert_eq!(rig.count(|e| matches!(e, Event::PumpSequenceStart { .. })), 1);
    assert_eq!(rig.count(|e| matches!(e, Event::EmergencyButtonPressed)), 1);
}

/// The button is an input of this machine like any other: there is no broker in it. That the
/// process starts without one is shown with the program.
#[test]
fn p40_the_button_needs_nothing_else_not_even_at_cold_boot() {
    let raw = engine_plan(|raw| fit(raw, &[Sensor::FireButton]));
    let mut rig = Rig::unbooted(super::rig::plan(&raw), super::super::Restored::Fresh);
    rig.input(Input::SelfTest(true));
    rig.run(1.0);
    rig.set(Sensor::FireButton, Reading::Active);
    rig.run(0.5);
    rig.set(Sensor::FireButton, Reading::Inactive);
    rig.until(S::Running, 20.0);
}

#[test]
fn p41_fifty_triggers_are_one_start() {
    let mut rig = Rig::engine(|_| {});
    for id in 0..50 {
        rig.input(Input::Demand(fire(id)));
    }
    rig.run(30.0);
    assert_eq!(rig.count(|e| matches!(e, Event::PumpSequenceStart { .. })), 1);
    assert_eq!(rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), 1);
    assert_eq!(rig.machine.ledger().runs(), 1);
}

/// There are no callbacks that could fail. What is left of the row: nothing that comes in
/// out of place changes the state.
#[test]
fn p42_inputs_out_of_place_change_nothing() {
    let mut rig = Rig::engine(|_| {});
    let relays = rig.machine.relays();
    let stale = Input::ReadBack { epoch: 99, wrote: relays, read: relays };
    for input in [Input::Tick, Input::SelfTest(true), stale] {
        rig.input(input);
    }
    assert_eq!(rig.state(), S::Idle);
    rig.only(&[]);
}

/// The machine hears of no link, so it cannot miss one. The process is the next issue's.
#[test]
fn p43_nothing_but_time_is_needed_to_stop() {
    let mut rig = Rig::engine(short_run);
    rig.demand();
    rig.until(S::Stopping, 67.1);
}

/// Wall time is no input. What is left: where the clock begins makes no difference.
#[test]
fn p47_the_time_of_day_changes_nothing() {
    let path = |offset: u64| {
        let mut rig = Rig::engine(short_run);
        rig.now = Instant(rig.now.0 + offset);
        rig.cycle = Duration::from_millis(100);
        rig.zero = rig.now;
        rig.tick();
        rig.demand();
        rig.until(S::Refilling, 100.0);
        (rig.s(), rig.path.clone())
    };
    let hour = 3_600_000_000_000;
    assert_eq!(path(0), path(hour));
}

#[test]
fn p50_a_run_goes_through_the_states_in_order() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
    });
    rig.demand();
    rig.until(S::Refilling, 100.0);
    rig.until(S::Idle, 300.0);
    let order = [
        S::Priming,
        S::Starting,
        S::Running,
        S::ReducingRpm,
        S::Stopping,
        S::Refilling,
        S::Cooldown,
        S::Idle,
    ];
    assert_eq!(rig.path, order);
    for pair in rig.path.windows(2) {
        assert!(may_follow(pair[0], pair[1]));
    }
}

#[test]
fn an_electric_pump_runs_without_cranking() {
    let mut raw = super::super::plan::RawPlan::of(Preset::Electric);
    raw.policies.on_crash = Some(super::super::plan::OnCrash::FailRun);
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.at(2.0);
    rig.only(&[O::MainValve, O::Contactor]);
    rig.until(S::Stopping, 2000.0);
    rig.until(S::Idle, 200.0);
    rig.only(&[]);
}

#[test]
fn a_real_fire_turns_a_test_into_a_run() {
    let mut rig = Rig::engine(|raw| raw.timings.test_s = Some(60.0));
    rig.order(Order::Test).expect("a test");
    rig.run(20.0);
    let demand = Demand { source: Source::Network, ..fire(5) };
    rig.input(Input::Demand(demand));
    assert!(rig.heard(&Event::TestPromoted { id: 5 }));
    rig.run(120.0);
    assert_eq!(rig.state(), S::Running);
}
