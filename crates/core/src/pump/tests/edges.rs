//! More thresholds, a nanosecond early and on time, and what a changed comparison or a lost arm
//! would do unseen.

use core::time::Duration;

use super::super::plan::parse::parse;
use super::super::plan::{RawPlan, WaterPolicy};
use super::super::{
    Command, Condition, Demand, Event, Fault, Input, Order, Output as O, Reading, Refusal, Restored, Role,
    Sensor, StateName as S,
};
use super::boundaries::Clock;
use super::rig::{Rig, engine_plan, fire, fit, plan, short_run};
use crate::time::Instant;

pub fn by_hand(order: Order) -> Input {
    Input::Command(Command { id: 0, order, role: Role::Local, age: Duration::ZERO, retained: false })
}

/// `is` turns over exactly `ms` from now.
pub fn flips(clock: &mut Clock, ms: u64, is: impl Fn(&Clock) -> bool) {
    let before = is(clock);
    let due = clock.now.after(Duration::from_millis(ms));
    clock.machine.step(Instant(due.0 - 1), Input::Tick);
    assert_eq!(is(clock), before, "a nanosecond before {ms} ms");
    clock.machine.step(due, Input::Tick);
    assert_ne!(is(clock), before, "at {ms} ms");
    clock.now = due;
}

pub fn at_once(raw: &mut RawPlan, sensors: &[Sensor]) {
    fit(raw, sensors);
    for sensor in sensors {
        raw.inputs.get_mut(sensor).unwrap().debounce_ms = Some(0);
    }
}

#[test]
fn lasting_conditions_turn_at_their_times() {
    let mut clock = Clock::new(|_| {});
    clock.machine.step(clock.now, by_hand(Order::Disarm));
    flips(&mut clock, 4 * 3_600_000, |c| c.machine.status().is_armed);
    clock.machine.step(clock.now, by_hand(Order::ValveOpen));
    flips(&mut clock, 3_600_000, |c| c.on(O::MainValve));
    let mut clock = Clock::new(|_| {});
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    flips(&mut clock, 25_000, |c| c.machine.panel().is_active(Condition::Fire));
    let mut clock = Clock::new(|raw| at_once(raw, &[Sensor::Flow]));
    clock.image = clock.image.with(Sensor::Flow, Reading::Active);
    clock.sense();
    flips(&mut clock, 30_000, |c| c.machine.panel().is_active(Condition::SensorStuck));
    let mut clock = Clock::new(|raw| at_once(raw, &[Sensor::EngineRun]));
    clock.image = clock.image.with(Sensor::EngineRun, Reading::Active);
    clock.sense();
    flips(&mut clock, 2000, |c| c.machine.panel().is_active(Condition::EngineUnasked));
    assert!(clock.on(O::MainValve), "it has its water path at once");
}

#[test]
fn a_weekly_test_is_overdue_after_a_day_of_grace() {
    let mut clock = Clock::new(|raw| raw.timings.test_every_days = Some(1));
    // Since power on, which was two seconds ago.
    let due = clock.now.after(Duration::from_secs(2 * 86_400 - 2));
    clock.machine.step(due, Input::Tick);
    assert!(!clock.machine.panel().is_active(Condition::TestOverdue));
    clock.machine.step(Instant(due.0 + 1), Input::Tick);
    assert!(clock.machine.panel().is_active(Condition::TestOverdue));
}

#[test]
fn a_test_lasts_its_time_and_protects_the_pump_whatever_the_policy() {
    let mut clock = Clock::new(|raw| raw.timings.test_s = Some(60.0));
    clock.machine.step(clock.now, by_hand(Order::Test));
    clock.turns(2000, S::Priming, S::Starting);
    clock.turns(5000, S::Starting, S::Running);
    clock.turns(60_000, S::Running, S::ReducingRpm);
    clock.turns(5000, S::ReducingRpm, S::Stopping);
    for (sensor, fault) in [
        (Sensor::TempHigh, Fault::EngineProtection),
        (Sensor::FloatLow, Fault::LowTank),
        (Sensor::Flow, Fault::DryRun),
    ] {
        let mut rig = Rig::engine(|raw| {
            at_once(raw, &[sensor]);
            raw.policies.without_water = Some(WaterPolicy::Fire);
            raw.timings.dry_s_max = Some(10.0);
        });
        rig.order(Order::Test).expect("a test");
        rig.run(10.0);
        rig.set(sensor, if sensor == Sensor::Flow { Reading::Inactive } else { Reading::Active });
        rig.run(10.0);
        assert_eq!(rig.machine.status().fault, Some(fault), "{sensor:?}");
    }
}

#[test]
fn a_low_tank_counts_after_three_seconds() {
    let mut clock = Clock::new(|raw| at_once(raw, &[Sensor::FloatLow]));
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    clock.turns(2000, S::Priming, S::Starting);
    clock.turns(5000, S::Starting, S::Running);
    clock.image = clock.image.with(Sensor::FloatLow, Reading::Active);
    clock.sense();
    clock.turns(3000, S::Running, S::Error);
}

/// Throttling down at the end of a fire does not outlast the limit of the run.
#[test]
fn a_fire_that_ends_just_before_the_limit_does_not_stretch_it() {
    let mut clock = Clock::new(|raw| {
        short_run(raw);
        raw.timings.throttle_lead_s = Some(0.0);
        raw.timings.throttle_down_s = Some(50.0);
        raw.timings.fire_off_s = Some(57.0);
    });
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    clock.turns(2000, S::Priming, S::Starting);
    clock.turns(5000, S::Starting, S::Running);
    clock.turns(50_000, S::Running, S::ReducingRpm);
    clock.turns(10_000, S::ReducingRpm, S::Stopping);
}

/// A fault closes the valve when the engine stands, whatever an order had asked for before.
#[test]
fn a_valve_opened_by_order_is_closed_by_a_fault() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::StarterClosed]));
    rig.order(Order::ValveOpen).expect("open");
    rig.set(Sensor::StarterClosed, Reading::Active);
    rig.until(S::Error, 2.0);
    rig.run(14.0);
    assert!(rig.on(O::MainValve));
    rig.run(1.5);
    assert!(!rig.on(O::MainValve));
}

/// Contacts are looked at for two seconds before anything else.
#[test]
fn a_boot_takes_two_quiet_seconds() {
    let mut rig = Rig::unbooted(plan(&engine_plan(|raw| fit(raw, &[Sensor::Flow]))), Restored::Fresh);
    rig.input(Input::SelfTest(true));
    rig.run(1.5);
    rig.set(Sensor::Flow, Reading::Active);
    rig.run(2.2);
    assert_eq!(rig.state(), S::Boot, "a contact moved");
    rig.run(0.4);
    assert_eq!(rig.state(), S::Idle);
}

/// An engine that nobody can see any more has the whole of its time to stop, and no fault.
#[test]
fn a_stop_that_cannot_be_seen_takes_its_time_and_one_that_fails_is_told() {
    for (reading, to) in [(Reading::Fault, S::Refilling), (Reading::Active, S::Error)] {
        let mut clock = Clock::new(|raw| {
            short_run(raw);
            at_once(raw, &[Sensor::EngineRun]);
        });
        clock.machine.step(clock.now, Input::Demand(fire(1)));
        clock.turns(2000, S::Priming, S::Starting);
        clock.image = clock.image.with(Sensor::EngineRun, Reading::Active);
        clock.sense();
        clock.turns(45_000, S::Running, S::ReducingRpm);
        clock.turns(15_000, S::ReducingRpm, S::Stopping);
        clock.image = clock.image.with(Sensor::EngineRun, reading);
        clock.sense();
        clock.turns(20_000, S::Stopping, to);
        assert_eq!(clock.machine.permits_watchdog(), to != S::Error);
    }
}

#[test]
fn an_engine_that_dies_while_throttled_down_is_stopped_and_not_cranked() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        fit(raw, &[Sensor::EngineRun]);
    });
    rig.demand();
    rig.run(4.0);
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.until(S::ReducingRpm, 60.0);
    rig.set(Sensor::EngineRun, Reading::Inactive);
    rig.run(0.3);
    assert_eq!(rig.state(), S::Stopping);
}

/// Ninety seconds in ten minutes, the run before included.
#[test]
fn a_run_that_would_crank_too_much_is_latched() {
    let mut rig = Rig::engine(|raw| {
        raw.timings.crank_s = Some(15.0);
        raw.timings.crank_attempts = Some(4);
        fit(raw, &[Sensor::EngineRun]);
    });
    rig.demand();
    rig.until(S::Error, 200.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::FailToStart));
    rig.run(20.0);
    rig.order(Order::Reset).expect("a reset");
    rig.order(Order::Start).expect("thirty seconds are left");
    rig.until(S::Error, 200.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::OverCrank));
    assert_eq!(rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), 6);
}

#[test]
fn a_valve_is_freed_with_five_pulses_of_their_length() {
    let mut rig = Rig::engine(|_| {});
    rig.cycle = Duration::from_millis(10);
    rig.stuck.push((O::MainValve, false));
    rig.demand();
    rig.at(1.99);
    let (mut pulses, mut off, mut before) = (0, 0, true);
    while rig.state() == S::Priming {
        rig.tick();
        let on = rig.on(O::MainValve);
        pulses += u32::from(on && !before);
        off += u32::from(!on && rig.state() == S::Priming);
        before = on;
    }
    assert_eq!((pulses, off), (6, 60), "five, and the one that is held");
    assert!((rig.s() - (2.0 + 0.6 + 1.0 + 1.0)).abs() < 0.05, "{}", rig.s());
}

/// Only the switch that says shut is fitted.
#[test]
fn a_valve_that_says_shut_is_not_open() {
    for (reading, cranks) in [(Reading::Inactive, true), (Reading::Active, false), (Reading::Fault, false)] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::ValveClosed]));
        rig.set(Sensor::ValveClosed, reading);
        rig.demand();
        rig.run(10.0);
        assert_eq!(rig.path.contains(&S::Starting), cranks, "{reading:?}");
    }
}

#[test]
fn a_relay_has_a_quarter_of_a_second_to_follow() {
    let mut rig = Rig::engine(|_| {});
    rig.cycle = Duration::from_millis(10);
    rig.demand();
    rig.run(20.0);
    rig.stuck.push((O::Run, false));
    rig.run(0.25);
    assert_eq!(rig.state(), S::Running);
    rig.run(0.02);
    assert_eq!(rig.machine.status().fault, Some(Fault::Relay { output: O::Run }));
    assert!(!rig.machine.permits_watchdog());
}

#[test]
fn a_reset_needs_its_cause_to_be_gone() {
    for (sensor, when) in [
        (Sensor::Overspeed, None),
        (Sensor::OilLow, Some(Order::Test)),
        (Sensor::TempHigh, Some(Order::Test)),
    ] {
        let mut rig = Rig::engine(|raw| fit(raw, &[sensor]));
        match when {
            Some(order) => rig.order(order).expect("a test"),
            None => rig.demand(),
        }
        rig.run(10.0);
        rig.set(sensor, Reading::Active);
        rig.run(20.0);
        assert_eq!(rig.order(Order::Reset), Err(Refusal::CauseRemains), "{sensor:?}");
        rig.set(sensor, Reading::Inactive);
        rig.run(1.0);
        assert_eq!(rig.order(Order::Reset), Ok(()), "{sensor:?}");
    }
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::StarterClosed]));
    rig.set(Sensor::StarterClosed, Reading::Active);
    rig.run(20.0);
    assert_eq!(rig.order(Order::Reset), Err(Refusal::CauseRemains), "welded");
}

#[test]
fn a_site_may_let_a_maintainer_reset_a_stop_from_afar() {
    for (may, role, fine) in
        [(false, Role::Maintain, false), (true, Role::Maintain, true), (true, Role::Arm, false)]
    {
        let mut rig = Rig::engine(|raw| raw.policies.remote_stop_reset = Some(may));
        rig.order(Order::EmergencyStop).expect("a stop");
        rig.run(20.0);
        assert_eq!(rig.order_by(Order::Reset, role).is_ok(), fine, "{may} {role:?}");
    }
}

#[test]
fn a_start_order_counts_where_fires_are_not_answered() {
    let mut rig = Rig::engine(|_| {});
    rig.order(Order::Disarm).expect("disarmed");
    assert_eq!(rig.order(Order::Test), Err(Refusal::Disarmed));
    rig.order(Order::Start).expect("a person wants it");
    assert_eq!(rig.state(), S::Priming);
}

#[test]
fn either_float_that_is_broken_refuses_a_start() {
    for sensor in [Sensor::FloatLow, Sensor::FloatHigh] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::FloatLow, Sensor::FloatHigh]));
        rig.set(sensor, Reading::Fault);
        rig.run(2.0);
        rig.demand();
        assert!(rig.heard(&Event::TriggerBlocked { id: 1, why: Refusal::TankUnknown }), "{sensor:?}");
    }
}

/// C1: ten seconds after it was last heard, it is nobody's any more.
#[test]
fn a_fire_that_is_not_said_again_is_forgotten_by_the_pump() {
    for (wait_s, starts) in [(9.0, true), (10.5, false)] {
        let mut rig = Rig::engine(|raw| at_once(raw, &[Sensor::BatteryLow]));
        rig.set(Sensor::BatteryLow, Reading::Active);
        rig.run(1.0);
        rig.input(Input::Demand(Demand { persists: true, ..fire(1) }));
        rig.run(wait_s);
        rig.set(Sensor::BatteryLow, Reading::Inactive);
        rig.run(0.5);
        assert_eq!(rig.state() == S::Priming, starts, "{wait_s}");
    }
}

/// I14: whatever breaks in a run, two seconds later it is stopped or said.
#[test]
fn every_contact_that_breaks_in_a_run_is_told_within_two_seconds() {
    for sensor in Sensor::ALL {
        let mut rig = Rig::engine(|raw| fit(raw, &Sensor::ALL));
        for is in [Sensor::Pressure, Sensor::Flow] {
            rig.set(is, Reading::Active);
        }
        rig.demand();
        rig.run(1.0);
        rig.set(Sensor::ValveClosed, Reading::Inactive);
        rig.set(Sensor::ValveOpen, Reading::Active);
        rig.run(3.0);
        rig.set(Sensor::EngineTurning, Reading::Active);
        rig.set(Sensor::EngineRun, Reading::Active);
        rig.run(10.0);
        assert_eq!(rig.state(), S::Running);
        rig.set(sensor, Reading::Fault);
        rig.run(2.0);
        assert!(rig.machine.panel().is_active(Condition::SensorUnknown), "{sensor:?}");
        let wanted = match sensor {
            Sensor::EmergencyStop => S::EmergencyStop,
            Sensor::ValveOpen => S::Error,
            Sensor::SelectorAuto => S::Stopping,
            _ => S::Running,
        };
        assert_eq!(rig.state(), wanted, "{sensor:?}");
    }
}

/// at rest a plan is taken, and holds.
#[test]
fn a_new_plan_holds_from_the_next_run_on() {
    let mut rig = Rig::engine(|_| {});
    rig.machine.replace_plan(plan(&engine_plan(short_run))).expect("at rest");
    let mut other = Rig::with(plan(&engine_plan(short_run)), Restored::Fresh);
    core::mem::swap(&mut rig.checker, &mut other.checker);
    rig.zero = rig.now;
    rig.demand();
    rig.until(S::Stopping, 67.1);
}

/// I16: what is out of its bounds cannot be held.
#[test]
fn every_number_is_refused_beyond_its_bounds() {
    type Set = fn(&mut RawPlan, f64);
    #[rustfmt::skip]
    let rows: [(&str, Set, f64, f64); 24] = [
        ("timings.pre_open_s", |r, v| r.timings.pre_open_s = Some(v), 0.0, 60.0),
        ("timings.prewarn_s", |r, v| r.timings.prewarn_s = Some(v), 0.0, 30.0),
        ("timings.valve_travel_s_max", |r, v| r.timings.valve_travel_s_max = Some(v), 1.0, 120.0),
        ("timings.prime_s", |r, v| r.timings.prime_s = Some(v), 0.1, 600.0),
        ("timings.crank_s", |r, v| r.timings.crank_s = Some(v), 0.1, 15.0),
        ("timings.crank_rest_s", |r, v| r.timings.crank_rest_s = Some(v), 10.0, 60.0),
        ("timings.crank_turn_s_max", |r, v| r.timings.crank_turn_s_max = Some(v), 1.0, 5.0),
        ("timings.run_s_max", |r, v| r.timings.run_s_max = Some(v), 60.0, 14_400.0),
        ("timings.fire_off_s", |r, v| r.timings.fire_off_s = Some(v), 1.0, 14_400.0),
        ("timings.throttle_lead_s", |r, v| r.timings.throttle_lead_s = Some(v), 0.0, 600.0),
        ("timings.throttle_down_s", |r, v| r.timings.throttle_down_s = Some(v), 0.1, 60.0),
        ("timings.kill_s", |r, v| r.timings.kill_s = Some(v), 1.0, 15.0),
        ("timings.stop_s_max", |r, v| r.timings.stop_s_max = Some(v), 5.0, 60.0),
        ("timings.spin_down_s", |r, v| r.timings.spin_down_s = Some(v), 10.0, 60.0),
        ("timings.valve_close_s", |r, v| r.timings.valve_close_s = Some(v), 10.0, 3600.0),
        ("timings.cooldown_s", |r, v| r.timings.cooldown_s = Some(v), 0.0, 3600.0),
        ("timings.off_s_min", |r, v| r.timings.off_s_min = Some(v), 30.0, 600.0),
        ("timings.dry_s_max", |r, v| r.timings.dry_s_max = Some(v), 10.0, 300.0),
        ("timings.pressure_check_s", |r, v| r.timings.pressure_check_s = Some(v), 0.0, 300.0),
        ("timings.pressure_lost_s", |r, v| r.timings.pressure_lost_s = Some(v), 0.5, 4.0),
        ("timings.refill_s_max", |r, v| r.timings.refill_s_max = Some(v), 60.0, 82_800.0),
        ("timings.refill_s_per_day_max", |r, v| r.timings.refill_s_per_day_max = Some(v), 60.0, 86_400.0),
        ("timings.demand_age_s_max", |r, v| r.timings.demand_age_s_max = Some(v), 0.1, 2.0),
        ("timings.test_s", |r, v| r.timings.test_s = Some(v), 30.0, 3600.0),
    ];
    for (path, set, min, max) in rows {
        for (value, fine) in [
            (min, true),
            (max, true),
            (min - 0.001, false),
            (max + 0.001, false),
            (f64::NAN, false),
            (f64::INFINITY, false),
        ] {
            let said = parse(&engine_plan(|raw| set(raw, value))).err().unwrap_or_default();
            let is_out = said.iter().any(|w| w.path == path && w.should.starts_with("it must be between"));
            assert_eq!(!is_out, fine, "{path} = {value}");
        }
    }
}

/// I18: the last sixteen ids are known.
#[test]
fn sixteen_orders_later_an_id_is_still_known() {
    for (others, known) in [(15, true), (16, false)] {
        let mut rig = Rig::engine(|_| {});
        let order = |id, order| {
            let (role, age) = (Role::Local, Duration::ZERO);
            Input::Command(Command { id, order, role, age, retained: false })
        };
        rig.input(order(100, Order::Silence));
        (1..=others).for_each(|id| rig.input(order(id, Order::Acknowledge)));
        rig.input(order(100, Order::Start));
        assert_eq!(rig.state() == S::Idle, known, "{others}");
    }
}

#[test]
fn a_contact_flaps_beyond_twenty_changes() {
    for (changes, flaps) in [(20, false), (21, true)] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
        for change in 0..changes {
            rig.set(Sensor::Flow, [Reading::Active, Reading::Inactive][change % 2]);
            rig.tick();
        }
        assert_eq!(rig.machine.panel().is_active(Condition::SensorFlapping), flaps, "{changes}");
    }
}

#[test]
fn a_main_valve_that_still_does_not_follow_is_no_cause_gone() {
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::MainValve, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    rig.run(6.0);
    assert_eq!(rig.order(Order::Reset), Err(Refusal::CauseRemains));
}

/// A tank that never fills is not tried again the same day.
#[test]
fn a_top_up_needs_budget() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
        raw.timings.refill_s_max = Some(60.0);
        raw.timings.refill_s_per_day_max = Some(60.0);
        fit(raw, &[Sensor::FloatLow, Sensor::FloatHigh]);
    });
    rig.set(Sensor::FloatLow, Reading::Active);
    rig.until(S::Refilling, 3.0);
    rig.until(S::Error, 80.0);
    rig.run(6.0);
    rig.order(Order::Reset).expect("a reset");
    rig.run(30.0);
    assert_eq!(rig.state(), S::Idle);
    assert!(rig.machine.panel().is_active(Condition::RefillBudgetSpent));
}
