//! What cargo-mutants changed and no other test saw: one operator, one guard, one value each.

use core::time::Duration;

use super::super::plan::Drive;
use super::super::{
    Condition, Event, Fault, Input, Order, Output as O, Reading, Refusal, RelayImage, Restored, Sensor,
    StateName as S,
};
use super::boundaries::Clock;
use super::edges::{at_once, by_hand, flips};
use super::rig::{Rig, engine_plan, fire, fit, plan, short_run};
use crate::time::Instant;

/// At rest is with the main valve shut: it closes for minutes after a run.
#[test]
fn a_new_plan_waits_for_the_main_valve() {
    let mut rig = Rig::engine(|raw| {
        raw.timings.run_s_max = Some(60.0);
        raw.timings.cooldown_s = Some(0.0);
        raw.outputs = Some([O::MainValve, O::Run, O::Starter, O::Kill].to_vec());
    });
    let other = plan(&engine_plan(|_| {}));
    rig.demand();
    rig.until(S::Stopping, 70.0);
    rig.until(S::Idle, 60.0);
    assert!(rig.on(O::MainValve));
    assert_eq!(rig.machine.replace_plan(other), Err(Refusal::State { now: S::Idle }));
    rig.run(700.0);
    assert!(!rig.on(O::MainValve));
    assert_eq!(rig.machine.replace_plan(other), Ok(()));
}

#[test]
fn two_steps_at_one_time_are_no_clock_that_went_back() {
    let mut rig = Rig::engine(|_| {});
    for _ in 0..3 {
        rig.input(Input::Tick);
    }
    assert_eq!(rig.count(|e| *e == Event::ClockWentBack), 0);
}

#[test]
fn a_clock_that_went_back_is_a_trouble_until_it_has_caught_up() {
    let mut rig = Rig::engine(|_| {});
    let now = rig.now;
    let trouble = |rig: &Rig| rig.machine.panel().is_active(Condition::ClockWentBack);
    for (ms, is) in [(-1, true), (0, false), (1, false)] {
        rig.now = Instant(now.0.saturating_add_signed(ms * 1_000_000));
        rig.input(Input::Tick);
        assert_eq!(trouble(&rig), is, "{ms} ms");
    }
}

#[test]
fn a_refill_valve_reopens_when_its_dwell_is_over() {
    let mut clock = Clock::new(|raw| at_once(raw, &[Sensor::FloatHigh]));
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    clock.image = clock.image.with(Sensor::FloatHigh, Reading::Active);
    clock.sense();
    assert!(!clock.on(O::RefillValve));
    clock.image = clock.image.with(Sensor::FloatHigh, Reading::Inactive);
    clock.sense();
    flips(&mut clock, 10_000, |c| c.on(O::RefillValve));
}

/// The states refuse it, too; this lock holds by itself.
#[test]
fn nothing_may_start_out_of_auto_or_while_leaving() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::SelectorAuto, Sensor::SelectorManual]));
    let pump = rig.machine.plan.pump.expect("a pump");
    assert_eq!(rig.machine.may_start(&pump, false), Ok(()));
    rig.set(Sensor::SelectorAuto, Reading::Inactive);
    rig.run(1.0);
    assert_eq!(rig.machine.may_start(&pump, true), Err(Refusal::NotAuto));
    rig.set(Sensor::SelectorAuto, Reading::Active);
    rig.run(1.0);
    assert_eq!(rig.machine.may_start(&pump, true), Ok(()));
    rig.input(Input::Shutdown);
    assert_eq!(rig.machine.may_start(&pump, true), Err(Refusal::NotAuto));
}

/// What is left of the cranking budget may be used to its end.
#[test]
fn a_crank_that_just_fits_the_budget_is_no_crank_too_much() {
    for (over_ns, is_refused) in [(0, false), (1, true)] {
        let mut rig = Rig::engine(|_| {});
        let pump = rig.machine.plan.pump.expect("a pump");
        let Drive::Engine(cranking) = pump.drive else { panic!("an engine") };
        let spent = cranking.budget.saturating_sub(cranking.crank) + Duration::from_nanos(over_ns);
        rig.machine.state.ledger.cranking.spend(rig.now, spent, cranking.window);
        let refused = rig.machine.may_start(&pump, true) == Err(Refusal::CrankingSpent);
        assert_eq!(refused, is_refused, "{over_ns} ns over");
    }
}

#[test]
fn a_tank_with_some_water_is_not_used_where_the_site_does_not_say_so() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        fit(raw, &[Sensor::FloatLow]);
    });
    rig.demand();
    rig.until(S::Refilling, 120.0);
    rig.run(40.0);
    rig.demand();
    assert_eq!(rig.state(), S::Refilling);
    assert_eq!(rig.count(|e| matches!(e, Event::TriggerBlockedRefilling { .. })), 1);
}

/// Of an engine that still turns after the kill pulse, and of one that stands.
#[test]
fn an_engine_that_goes_on_turning_gets_another_kill_pulse() {
    for (reading, again) in [(Reading::Active, true), (Reading::Inactive, false)] {
        let mut rig = Rig::engine(|raw| {
            short_run(raw);
            fit(raw, &[Sensor::EngineRun]);
        });
        rig.demand();
        rig.run(4.0);
        rig.set(Sensor::EngineRun, Reading::Active);
        rig.until(S::Stopping, 120.0);
        rig.set(Sensor::EngineRun, reading);
        rig.run(5.5);
        assert!(!rig.on(O::Kill), "a pulse of 5 s");
        rig.run(5.0);
        assert_eq!(rig.on(O::Kill), again, "{reading:?}");
    }
}

/// Before the self-test no line is driven, not even to stop; after it a stop kills in every state.
#[test]
fn a_stop_kills_as_soon_as_the_lines_are_known() {
    for (tested, kills) in [(false, false), (true, true)] {
        let mut rig = Rig::unbooted(plan(&engine_plan(|_| {})), Restored::Fresh);
        if tested {
            rig.input(Input::SelfTest(true));
        }
        rig.run(0.5);
        assert_eq!(rig.state(), S::Boot);
        rig.input(by_hand(Order::EmergencyStop));
        assert_eq!((rig.state(), rig.on(O::Kill)), (S::EmergencyStop, kills));
    }
}

#[test]
fn a_stop_in_a_fault_whose_kill_pulse_is_over_kills_again() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.demand();
    rig.until(S::Error, 200.0);
    rig.run(20.0);
    assert!(!rig.on(O::Kill));
    rig.input(by_hand(Order::EmergencyStop));
    assert!(rig.on(O::Kill));
}

/// A line that has carried water drains; one that has not is shut as soon as the engine stands for sure.
#[test]
fn a_selector_turned_off_shuts_the_main_valve_when_the_run_allows_it() {
    for (run_s, is_open) in [(1.0, false), (20.0, true)] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::SelectorAuto, Sensor::SelectorManual]));
        rig.demand();
        rig.run(run_s);
        assert_eq!(rig.on(O::Run), is_open);
        rig.set(Sensor::SelectorAuto, Reading::Inactive);
        rig.run(60.0);
        assert_eq!(rig.on(O::MainValve), is_open, "off after {run_s} s");
    }
}

/// Water by gravity is still to be had when the pump is out of order.
#[test]
fn a_latched_pump_lets_its_valve_be_opened_by_order() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.demand();
    rig.until(S::Error, 200.0);
    rig.run(60.0);
    assert!(!rig.on(O::MainValve));
    assert_eq!(rig.order(Order::ValveOpen), Ok(()));
    assert!(rig.on(O::MainValve));
}

/// Each sign of a run that is not over keeps the main valve open by itself.
#[test]
fn no_order_shuts_the_main_valve_while_one_sign_says_that_it_may_turn() {
    for state in [S::Priming, S::Running, S::Stopping] {
        let mut rig = Rig::engine(short_run);
        rig.demand();
        if state != S::Priming {
            rig.until(state, 120.0);
        }
        rig.machine.state.ledger.unfinished = None;
        assert_eq!(rig.order(Order::ValveClose), Err(Refusal::EngineMoving), "{state:?}");
    }
    let mut rig = Rig::engine(|_| {});
    rig.order(Order::ValveOpen).expect("at rest");
    rig.machine.state.ledger.unfinished = Some(Duration::ZERO);
    assert_eq!(rig.order(Order::ValveClose), Err(Refusal::EngineMoving));
    rig.machine.state.ledger.unfinished = None;
    assert_eq!(rig.order(Order::ValveClose), Ok(()));
}

#[test]
fn a_critical_relay_that_does_not_follow_is_a_fault_while_priming_and_while_running() {
    for (output, is_on, after_s) in [(O::Kill, true, 1.0), (O::Kill, true, 20.0), (O::MainValve, false, 20.0)]
    {
        let mut rig = Rig::engine(|_| {});
        rig.demand();
        rig.run(after_s);
        rig.stuck.push((output, is_on));
        rig.run(1.0);
        assert_eq!(rig.machine.status().fault, Some(Fault::Relay { output }), "after {after_s} s");
    }
}

/// The last attempt has been made: it is not cranked once more.
#[test]
fn an_engine_that_stalls_after_its_last_attempt_is_latched_at_once() {
    let mut rig = Rig::engine(|raw| {
        raw.timings.crank_attempts = Some(1);
        fit(raw, &[Sensor::EngineRun]);
    });
    rig.demand();
    rig.until(S::Starting, 60.0);
    rig.run(1.0);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.until(S::Running, 60.0);
    rig.run(5.0);
    rig.set(Sensor::EngineRun, Reading::Inactive);
    rig.run(2.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::FailToStart));
}

/// R-29: the contacts of the new plan are read from then on.
#[test]
fn a_new_plan_may_bring_a_contact() {
    let stop = plan(&engine_plan(|raw| fit(raw, &[Sensor::EmergencyStop])));
    let mut rig = Rig::engine(|_| {});
    rig.machine.replace_plan(stop).expect("at rest");
    let mut other = Rig::with(stop, Restored::Fresh);
    core::mem::swap(&mut rig.checker, &mut other.checker);
    rig.set(Sensor::EmergencyStop, Reading::Active);
    rig.run(0.5);
    assert_eq!(rig.state(), S::EmergencyStop);
}

/// The main valve's relay is pulsed to free it: not under an engine that turns after all.
#[test]
fn an_engine_that_turns_while_the_main_valve_is_freed_is_a_fault() {
    let mut rig = Rig::engine(|raw| at_once(raw, &[Sensor::EngineRun]));
    rig.stuck.push((O::MainValve, false));
    rig.demand();
    rig.run(2.5);
    assert_eq!(rig.state(), S::Priming);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(0.1);
    assert_eq!(rig.machine.status().fault, Some(Fault::EngineFoundRunning));
}

/// Water by gravity flows without a run.
#[test]
fn flow_through_a_valve_that_is_open_by_order_is_no_stuck_contact() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.order(Order::ValveOpen).expect("at rest");
    rig.set(Sensor::Flow, Reading::Active);
    rig.run(60.0);
    assert!(!rig.machine.panel().is_active(Condition::SensorStuck));
}

/// Only where a float is fitted does an overflow contradict it.
#[test]
fn contacts_contradict_each_other_only_where_both_are_fitted() {
    let rows: [(&[Sensor], bool, bool); 4] = [
        (&[Sensor::FloatHigh], false, false),
        (&[Sensor::Overflow], true, false),
        (&[Sensor::FloatHigh, Sensor::Overflow], false, false),
        (&[Sensor::FloatHigh, Sensor::Overflow], true, true),
    ];
    for (fitted, overflows, is) in rows {
        let mut rig = Rig::engine(|raw| fit(raw, fitted));
        rig.set(Sensor::Overflow, if overflows { Reading::Active } else { Reading::Inactive });
        rig.run(2.0);
        let shown = rig.machine.panel().is_active(Condition::SensorContradiction);
        assert_eq!(shown, is, "{fitted:?} {overflows}");
    }
}

#[test]
fn a_contact_that_breaks_is_told_once_and_told_well_once() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow, Sensor::FloatLow]));
    for (flow, float) in [(Reading::Fault, Reading::Inactive), (Reading::Fault, Reading::Fault)] {
        rig.set(Sensor::Flow, flow);
        rig.set(Sensor::FloatLow, float);
        rig.run(5.0);
    }
    rig.set(Sensor::Flow, Reading::Inactive);
    rig.run(5.0);
    for (sensor, well) in [(Sensor::Flow, 1), (Sensor::FloatLow, 0)] {
        assert_eq!(rig.count(|e| *e == Event::SensorUntrusted { sensor }), 1, "{sensor:?}");
        assert_eq!(rig.count(|e| *e == Event::SensorTrusted { sensor }), well, "{sensor:?}");
    }
}

#[test]
fn what_is_not_fitted_may_bounce_while_it_boots() {
    let mut rig = Rig::unbooted(plan(&engine_plan(|_| {})), Restored::Fresh);
    rig.input(Input::SelfTest(true));
    for tick in 0..30 {
        rig.set(Sensor::Flow, if tick % 2 == 0 { Reading::Active } else { Reading::Inactive });
        rig.tick();
    }
    assert_eq!(rig.state(), S::Idle);
}

/// One change a minute is no flapping, however many there are.
#[test]
fn a_contact_that_changes_seldom_does_not_flap() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.cycle = Duration::from_millis(500);
    for change in 0..30 {
        rig.set(Sensor::Flow, [Reading::Active, Reading::Inactive][change % 2]);
        rig.run(60.0);
        assert!(!rig.machine.panel().is_active(Condition::SensorFlapping), "{change}");
    }
}

/// Of valve, tank and cranking: what is off its normal place at rest is part of a run.
#[test]
fn a_run_is_nothing_unusual_and_what_it_leaves_behind_is() {
    use Condition as C;
    let shown = |rig: &Rig| [C::ValveOffNormal, C::RefillOwed].map(|c| rig.machine.panel().is_active(c));
    let mut rig = Rig::engine(short_run);
    assert_eq!(shown(&rig), [false, false], "at rest");
    rig.demand();
    for state in [S::Running, S::ReducingRpm, S::Stopping] {
        rig.until(state, 120.0);
        assert_eq!(shown(&rig), [false, false], "{state:?}");
    }
    rig.until(S::Refilling, 60.0);
    assert_eq!(shown(&rig), [true, true], "after it");
    rig.run(700.0);
    assert_eq!(shown(&rig), [false, true], "the valve is shut, the tank is not full");
}

#[test]
fn a_cranking_budget_is_spent_when_no_crank_fits_it_any_more() {
    for (over_ns, is) in [(0, false), (1, true)] {
        let mut rig = Rig::engine(|_| {});
        let Some(Drive::Engine(cranking)) = rig.machine.plan.pump.map(|pump| pump.drive) else {
            panic!("an engine")
        };
        let spent = cranking.budget.saturating_sub(cranking.crank) + Duration::from_nanos(over_ns);
        rig.machine.state.ledger.cranking.spend(rig.now, spent, cranking.window);
        rig.tick();
        assert_eq!(rig.machine.panel().is_active(Condition::CrankingSpent), is, "{over_ns} ns over");
    }
}

#[test]
fn one_sign_of_water_is_protection() {
    let rows: [(&[Sensor], bool); 4] = [
        (&[], true),
        (&[Sensor::Flow], false),
        (&[Sensor::Pressure], false),
        (&[Sensor::Flow, Sensor::Pressure], false),
    ];
    for (fitted, is) in rows {
        let mut rig = Rig::engine(|raw| fit(raw, fitted));
        rig.tick();
        assert_eq!(rig.machine.panel().is_active(Condition::DryRunUnprotected), is, "{fitted:?}");
    }
}

#[test]
fn a_relay_that_does_not_follow_is_told_once_and_one_that_follows_never() {
    for (stuck, times) in [(None, 0), (Some((O::PrimingValve, true)), 1)] {
        let mut rig = Rig::engine(short_run);
        rig.stuck.extend(stuck);
        rig.run(5.0);
        let told = rig.count(|e| matches!(e, Event::HardwareValidationFailure { .. }));
        assert_eq!(told, times, "{stuck:?}");
    }
}

#[test]
fn warning_contacts_are_shown_once_it_has_booted() {
    use Condition as C;
    for (sensor, condition) in
        [(Sensor::BatteryLow, C::BatteryLow), (Sensor::OilLow, C::OilLow), (Sensor::TempHigh, C::TempHigh)]
    {
        let raw = engine_plan(|raw| fit(raw, &[sensor]));
        let mut rig = Rig::unbooted(plan(&raw), Restored::Fresh);
        let shown = |rig: &Rig, c| rig.machine.panel().is_active(c);
        rig.set(sensor, Reading::Active);
        rig.input(Input::SelfTest(true));
        rig.run(1.0);
        assert_eq!(rig.state(), S::Boot);
        assert!(!shown(&rig, condition) && !shown(&rig, C::SensorUnknown), "{sensor:?} while it boots");
        rig.run(2.0);
        assert!(shown(&rig, condition) && !shown(&rig, C::SensorUnknown), "{sensor:?}");
        rig.set(sensor, Reading::Inactive);
        rig.run(2.0);
        assert!(!shown(&rig, condition), "{sensor:?} is well again");
        rig.set(sensor, Reading::Fault);
        rig.run(2.0);
        assert!(shown(&rig, condition) && shown(&rig, C::SensorUnknown), "{sensor:?} is broken");
    }
}

/// R-13: whatever has latched, and however long ago.
#[test]
fn the_main_valve_is_not_shut_on_an_engine_that_does_not_stop() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        fit(raw, &[Sensor::EngineRun]);
    });
    rig.demand();
    rig.run(4.0);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.until(S::Error, 300.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::WontStop));
    for _ in 0..120 {
        rig.run(10.0);
        assert!(rig.on(O::MainValve), "at {} s", rig.s());
    }
    rig.set(Sensor::EngineRun, Reading::Inactive);
    rig.run(60.0);
    assert!(!rig.on(O::MainValve));
}

#[test]
fn events_that_do_not_fit_a_step_are_a_trouble() {
    let mut rig = Rig::engine(|_| {});
    let shown = |rig: &Rig| rig.machine.panel().is_active(Condition::EventsLost);
    assert!(!shown(&rig));
    for _ in 0..=super::super::EVENTS_LEN_MAX {
        rig.machine.events.tell(Event::HealthReport);
    }
    let events = rig.machine.step(rig.now, Input::Tick).clone();
    assert!(shown(&rig));
    assert!(events.contains(&Event::Raised { condition: Condition::EventsLost }));
    assert!(!events.contains(&Event::Raised { condition: Condition::Fire }));
}

/// R-06, where the site says so; Wildfire Watch has it the other way round (P3).
#[test]
fn the_ignition_comes_with_the_starter_only_where_the_site_says_so() {
    for with_starter in [true, false] {
        let mut rig = Rig::engine(|raw| raw.policies.ignition_with_starter = Some(with_starter));
        rig.demand();
        rig.until(S::Starting, 60.0);
        assert!(rig.on(O::Starter));
        assert_eq!(rig.on(O::Run), with_starter);
    }
}

/// What was killed and stands may be turned again, by whatever.
#[test]
fn an_engine_that_turns_again_after_its_kill_pulse_gets_another() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.demand();
    rig.until(S::Error, 200.0);
    rig.run(30.0);
    assert!(!rig.on(O::Kill));
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(1.0);
    assert!(rig.on(O::Kill));
}

/// Water and noise beside the main line: told, and lived with.
#[test]
fn a_relay_that_is_not_critical_ends_no_run() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.until(S::Running, 60.0);
    rig.stuck.push((O::RefillValve, false));
    rig.run(5.0);
    assert_eq!(rig.state(), S::Running);
    assert!(rig.machine.panel().is_active(Condition::RelayMismatch));
}

#[test]
fn images_differ_where_one_has_what_the_other_lacks() {
    let image = |on: &[O]| RelayImage::read_back(|output| on.contains(&output));
    let (one, other) = (image(&[O::MainValve, O::Run]), image(&[O::Run, O::Kill]));
    assert_eq!(one.differences(other).collect::<alloc::vec::Vec<_>>(), [O::MainValve, O::Kill]);
    assert_eq!(one.differences(one).count(), 0);
    assert_eq!(one.bits().count_ones(), 2);
    assert_eq!(alloc::format!("{one:?}"), r#"{"main_valve", "run"}"#);
}
