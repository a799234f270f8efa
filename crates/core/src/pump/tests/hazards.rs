//! Spec 3.10: what went wrong in the system this replaces. Each test is named after the
//! hazard it rules out; H19, H22, H28 and H29 need lines, a board's file or a process, and
//! their rest is the next issue's.

use core::time::Duration;

use super::super::plan::parse::parse;
use super::super::{
    Event, Fault, Input, Order, Output as O, Reading, Refusal, Sensor, StateName as S, StopReason,
};
use super::rig::{Rig, engine_plan, fire, fit, plan, short_run};

/// Ran for a minute, filled by a float in no time, in COOLDOWN.
fn after_a_run(edit: impl FnOnce(&mut super::super::RawPlan)) -> Rig {
    let mut rig = Rig::engine(|raw| {
        raw.timings.run_s_max = Some(300.0);
        raw.timings.prime_s = Some(10.0);
        raw.timings.fire_off_s = Some(60.0);
        fit(raw, &[Sensor::FloatHigh]);
        edit(raw);
    });
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.run(2.0);
    rig.demand();
    rig.until(S::Cooldown, 400.0);
    rig
}

#[test]
fn h01_a_cooldown_that_was_left_ends_nothing_later() {
    let mut rig = after_a_run(|_| {});
    rig.run(30.0);
    rig.demand();
    rig.until(S::Running, 30.0);
    let end = rig.s() + 45.0;
    while rig.s() < end {
        rig.tick();
        assert!(rig.on(O::Run) && rig.on(O::MainValve));
    }
}

#[test]
fn h02_a_refill_ended_by_a_float_leaves_nothing_behind() {
    let mut rig = after_a_run(|_| {});
    rig.until(S::Idle, 70.0);
    rig.demand();
    rig.until(S::Stopping, 100.0);
    rig.until(S::Idle, 100.0);
}

#[test]
fn h03_a_valve_that_was_to_close_stays_open_for_the_next_run() {
    let mut rig = after_a_run(|raw| raw.timings.fire_off_s = Some(290.0));
    // 600 s after this stop the old valve timer would come.
    rig.run(50.0);
    for _ in 0..4 {
        rig.demand();
        let end = rig.s() + 200.0;
        while rig.s() < end {
            rig.tick();
            assert!(!rig.on(O::Run) || rig.on(O::MainValve));
        }
        rig.until(S::Cooldown, 400.0);
        rig.run(1.0);
    }
}

#[test]
fn h04_a_trigger_during_throttle_down_cancels_the_stop() {
    let mut rig = Rig::engine(|raw| raw.timings.fire_off_s = Some(60.0));
    rig.demand();
    rig.until(S::ReducingRpm, 100.0);
    assert!(rig.heard(&Event::RpmReduced { reason: StopReason::FireOff }));
    rig.run(4.9);
    rig.demand();
    let end = rig.s() + 59.0;
    while rig.s() < end {
        rig.tick();
        assert!(rig.on(O::Run) && !rig.on(O::ThrottleDown));
    }
}

#[test]
fn h05_a_cut_wire_is_never_good_news() {
    // As wiring: what would read well when cut is refused before anything is armed.
    for (sensor, reads) in [
        (Sensor::FloatHigh, Reading::Active),
        (Sensor::Pressure, Reading::Active),
        (Sensor::Flow, Reading::Active),
        (Sensor::FloatLow, Reading::Inactive),
        (Sensor::EmergencyStop, Reading::Inactive),
        (Sensor::Overflow, Reading::Inactive),
    ] {
        let raw = engine_plan(|raw| {
            fit(raw, &[sensor]);
            raw.inputs.get_mut(&sensor).unwrap().broken_reads = reads;
        });
        let wrong = parse(&raw).expect_err("dangerous wiring");
        assert_eq!(wrong[0].path, alloc::format!("inputs.{}.broken_reads", sensor.name()));
    }
    // And as a reading: no pressure, although the pump would like some.
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Pressure]));
    rig.set(Sensor::Pressure, Reading::Fault);
    rig.demand();
    rig.until(S::LowPressure, 260.0);
}

#[test]
fn h06_supervision_of_dry_runs_does_not_end_with_the_first_stop() {
    let mut rig = after_a_run(|raw| {
        fit(raw, &[Sensor::Flow]);
        raw.timings.dry_s_max = Some(20.0);
        raw.policies.without_water = Some(super::super::plan::WaterPolicy::Fire);
    });
    assert!(rig.count(|e| matches!(e, Event::DryRunProtectionTriggered { .. })) == 1);
    rig.until(S::Idle, 100.0);
    rig.demand();
    rig.until(S::Stopping, 100.0);
    assert!(rig.count(|e| matches!(e, Event::DryRunProtectionTriggered { .. })) == 2);
}

#[test]
fn h07_water_seen_once_is_no_water_now() {
    let mut rig = Rig::engine(|raw| {
        fit(raw, &[Sensor::Flow, Sensor::Pressure]);
        raw.timings.dry_s_max = Some(30.0);
    });
    rig.set(Sensor::Pressure, Reading::Active);
    rig.demand();
    rig.run(10.0);
    rig.set(Sensor::Flow, Reading::Active);
    rig.run(300.0);
    rig.set(Sensor::Flow, Reading::Inactive);
    rig.until(S::Error, 32.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::DryRun));
}

#[test]
fn h08_a_trigger_in_error_opens_no_valve() {
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::Starter, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    rig.run(20.0);
    for _ in 0..10 {
        rig.demand();
        rig.run(1.0);
        rig.only(&[]);
    }
}

#[test]
fn h09_a_failed_starter_ends_the_sequence_at_once() {
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::Starter, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    assert!(!rig.path.contains(&S::Running));
    // A main valve that fails is freed first, then everything is off: row P30.
}

#[test]
fn h10_a_start_order_never_cranks_a_running_engine() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(1.0);
    assert_eq!(rig.order(Order::Start), Err(Refusal::EngineMoving));
    rig.run(5.0);
    assert!(!rig.path.contains(&S::Starting));
    // An engine that turns unasked has a water path.
    assert!(rig.on(O::MainValve));
}

#[test]
fn h11_a_start_during_refill_takes_its_timers_with_it() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(2.0);
    });
    rig.demand();
    rig.until(S::Refilling, 100.0);
    rig.run(100.0);
    rig.order(Order::Start).expect("a bypass");
    rig.until(S::Running, 20.0);
    let end = rig.s() + 44.0;
    while rig.s() < end {
        rig.tick();
        assert_eq!(rig.state(), S::Running);
        assert!(rig.on(O::MainValve));
    }
}

#[test]
fn h12_every_stop_pulses_the_kill_relay() {
    let mut stopped = Rig::engine(|_| {});
    stopped.demand();
    stopped.run(20.0);
    stopped.order(Order::EmergencyStop).expect("a stop");
    assert!(stopped.on(O::Kill));
    let mut failed = Rig::engine(|raw| fit(raw, &[Sensor::Overspeed]));
    failed.demand();
    failed.run(20.0);
    failed.set(Sensor::Overspeed, Reading::Active);
    failed.run(0.3);
    assert!(failed.on(O::Kill));
}

#[test]
fn h12_the_pulse_is_repeated_while_the_engine_turns() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.demand();
    rig.run(4.0);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(10.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    let mut pulses = 0;
    let mut before = false;
    for _ in 0..400 {
        rig.tick();
        pulses += usize::from(rig.on(O::Kill) && !before);
        before = rig.on(O::Kill);
        assert!(rig.on(O::MainValve), "it turns");
    }
    assert!(pulses >= 4, "{pulses}");
    rig.set(Sensor::EngineRun, Reading::Inactive);
    rig.run(30.0);
    rig.only(&[]);
}

#[test]
fn h13_a_stop_keeps_health_ledger_and_runtime() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(107.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    assert_eq!(rig.machine.ledger().run_total(), Duration::from_secs(100));
    assert_eq!(rig.machine.ledger().refill_owed(), Duration::from_secs(4000));
    rig.run(120.0);
    assert!(rig.count(|e| *e == Event::HealthReport) >= 3);
}

#[test]
fn h14_nothing_waits_a_stop_is_one_step_away() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(4.0);
    assert!(rig.on(O::Starter));
    rig.order(Order::EmergencyStop).expect("a stop");
    assert!(!rig.on(O::Starter));
}

#[test]
fn h15_the_stop_of_the_emergency_card_is_understood() {
    assert_eq!(Order::from_payload(br#"{"command":"stop"}"#), Some(Order::EmergencyStop));
}

#[test]
fn h16_a_reboot_knows_what_was_going_on() {
    let raw = engine_plan(short_run);
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.until(S::Refilling, 100.0);
    rig.run(400.0);
    let mut after = rig.power_cut(plan(&raw));
    after.boot();
    assert_eq!(after.state(), S::Refilling);
    let owed = after.machine.ledger().refill_owed().as_secs();
    assert!((2400 - 400..=2400 - 95).contains(&owed), "{owed}");
}

#[test]
fn h17_after_a_hang_the_state_does_not_claim_to_run() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(20.0);
    rig.now = rig.now.after(Duration::from_millis(600));
    rig.tick();
    assert_eq!(rig.machine.status().fault, Some(Fault::CycleGap));
    // The watchdog relay itself is in the explorer's plant.
}

#[test]
fn h18_only_fresh_demands_of_those_who_may_start_the_pump() {
    let mut rig = Rig::engine(|_| {});
    for demand in [
        super::super::Demand { authorised: false, ..fire(1) },
        super::super::Demand { retained: true, ..fire(1) },
        super::super::Demand { age: Duration::from_secs(3), ..fire(1) },
    ] {
        rig.input(Input::Demand(demand));
    }
    assert_eq!(rig.state(), S::Idle);
    assert!(!rig.on(O::MainValve));
}

#[test]
fn h20_valve_close_and_reset_are_refused_while_the_engine_runs() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(20.0);
    assert_eq!(rig.order(Order::ValveClose), Err(Refusal::EngineMoving));
    assert_eq!(rig.order(Order::Reset), Err(Refusal::State { now: S::Running }));
    assert!(rig.on(O::MainValve) && rig.on(O::Run));
}

#[test]
fn h21_the_refill_stops_at_full_during_a_run_and_a_low_tank_ends_it() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FloatHigh, Sensor::FloatLow]));
    rig.demand();
    rig.run(10.0);
    assert!(rig.on(O::RefillValve));
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.run(1.5);
    assert!(!rig.on(O::RefillValve) && rig.on(O::Run));
    rig.set(Sensor::FloatHigh, Reading::Inactive);
    rig.run(8.0);
    assert!(!rig.on(O::RefillValve), "it does not chatter");
    rig.run(4.0);
    assert!(rig.on(O::RefillValve), "it fills again, after its dwell");
    rig.set(Sensor::FloatLow, Reading::Active);
    rig.run(5.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::LowTank));
}

/// There is no wall clock among the inputs; row P47 moves the only clock there is.
#[test]
fn h23_a_clock_that_goes_back_neither_ends_nor_extends_a_run() {
    let mut rig = Rig::engine(short_run);
    rig.demand();
    rig.run(20.0);
    let now = rig.now;
    rig.machine.step(crate::time::Instant(5), Input::Tick);
    assert_eq!(rig.state(), S::Running);
    rig.now = now;
    rig.until(S::Stopping, 48.0);
    assert!((66.5..67.5).contains(&rig.s()), "{}", rig.s());
}

/// There are no threads to leak: the state has a fixed size, whatever comes in.
#[test]
fn h24_triggers_leave_nothing_behind() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(10.0);
    let moments = |rig: &Rig| {
        let (mut state, mut n) = (rig.machine.state, 0);
        state.visit(&mut |_, _| n += 1);
        n
    };
    rig.demand();
    let before = moments(&rig);
    for id in 0..1000 {
        rig.input(Input::Demand(fire(id)));
    }
    assert_eq!(moments(&rig), before);
}

#[test]
fn h25_low_pressure_latches_and_owes_its_water() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Pressure]));
    rig.demand();
    rig.until(S::LowPressure, 260.0);
    assert!(rig.machine.ledger().refill_owed() > Duration::from_secs(9000));
    rig.run(120.0);
    rig.demand();
    assert_eq!(rig.state(), S::LowPressure);
}

/// The old run's priming would end at 67 s and its throttle come down at 122 s; the next run's
/// at 120 s and 175 s.
#[test]
fn h26_nothing_of_one_run_acts_on_the_next() {
    let mut rig = Rig::engine(|raw| {
        raw.timings.run_s_max = Some(130.0);
        raw.timings.prime_s = Some(60.0);
        raw.timings.fire_off_s = Some(20.0);
        fit(raw, &[Sensor::FloatHigh]);
    });
    rig.set(Sensor::FloatHigh, Reading::Active);
    rig.run(2.0);
    rig.zero = rig.now;
    rig.demand();
    rig.until(S::Cooldown, 60.0);
    while rig.state() != S::Running && rig.s() < 90.0 {
        rig.demand();
        rig.tick();
    }
    let start = rig.s();
    assert!((59.5..61.0).contains(&start), "{start}");
    while rig.s() < start + 110.0 {
        rig.demand();
        rig.tick();
        assert_eq!(rig.on(O::PrimingValve), rig.s() < start + 60.0 - 0.05, "at {} s", rig.s());
        assert!(!rig.on(O::ThrottleDown), "at {} s", rig.s());
    }
}

#[test]
fn h27_an_engine_that_does_not_start_is_cranked_six_times_and_then_latched() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.demand();
    rig.until(S::Error, 200.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::FailToStart));
    assert_eq!(rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), 6);
    assert_eq!(rig.count(|e| matches!(e, Event::CrankFailed { .. })), 6);
}

#[test]
fn h27_a_shaft_that_does_not_turn_ends_the_attempt_after_three_seconds() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun, Sensor::EngineTurning]));
    rig.demand();
    rig.at(4.9);
    assert!(rig.on(O::Starter));
    rig.at(5.0);
    assert!(!rig.on(O::Starter));
    assert!(rig.heard(&Event::CrankFailed { attempt: 1, turned: false }));
}

#[test]
fn h27_a_stalled_engine_is_cranked_again_with_what_attempts_are_left() {
    let mut rig = Rig::engine(|raw| {
        fit(raw, &[Sensor::EngineRun]);
        raw.timings.fire_off_s = Some(14_400.0);
    });
    rig.demand();
    rig.run(4.0);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(60.0);
    rig.set(Sensor::EngineRun, Reading::Inactive);
    rig.run(1.0);
    assert_eq!(rig.state(), S::Starting);
    assert!(!rig.on(O::Starter) && !rig.on(O::Run) && rig.on(O::MainValve));
    rig.run(16.0);
    assert!(rig.on(O::Starter));
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(1.0);
    assert_eq!(rig.state(), S::Running);
    // The limit counts both halves.
    let ran = rig.machine.status().current_runtime;
    rig.until(S::Stopping, 1800.0);
    assert!(ran > Duration::from_secs(50));
    assert_eq!(rig.machine.ledger().run_total(), Duration::from_secs(1800));
}

#[test]
fn h30_the_lock_out_ends_with_a_full_float_and_gives_way_to_an_order() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(1900.0);
    assert_eq!(rig.state(), S::Refilling);
    rig.order(Order::Start).expect("a bypass");
    assert_eq!(rig.state(), S::Priming);
    // The float: row P16. A tank with some water: start_on_partial_tank.
}
