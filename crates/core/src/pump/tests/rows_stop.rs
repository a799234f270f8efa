//! P13, P14, P26 to P38, P44 to P46, P48: stopping, latching, orders.

use core::time::Duration;

use super::super::plan::raw::Preset;
use super::super::{
    Demand, Event, Fault, Input, Order, Output as O, Reading, Refusal, Restored, Role, Sensor,
    StateName as S, StopReason,
};
use super::rig::{Rig, engine_plan, fire, fit, plan, short_run};

#[test]
fn p13_a_stop_kills_for_five_seconds_and_closes_the_valve_ten_minutes_later() {
    let mut rig = Rig::engine(short_run);
    rig.demand();
    rig.until(S::Stopping, 100.0);
    rig.zero = rig.now;
    rig.only(&[O::Kill, O::MainValve, O::RefillValve]);
    rig.at(4.9);
    assert!(rig.on(O::Kill));
    rig.at(5.0);
    rig.only(&[O::MainValve, O::RefillValve]);
    rig.at(599.9);
    assert!(rig.on(O::MainValve));
    rig.at(600.0);
    assert!(!rig.on(O::MainValve));
}

#[test]
fn p14_without_a_float_the_refill_lasts_forty_times_the_run() {
    let mut rig = ran(100.0);
    rig.zero = rig.now;
    rig.cycle = Duration::from_millis(500);
    rig.run(5.0);
    while rig.s() < 3999.5 {
        rig.tick();
        assert_eq!(rig.state(), S::Refilling);
        assert!(rig.on(O::RefillValve));
    }
    rig.at(4000.0);
    assert!(!rig.on(O::RefillValve));
    assert_eq!(rig.state(), S::Cooldown);
}

/// A run of so many seconds, just stopped, nothing but the engine fitted.
fn ran(s: f64) -> Rig {
    let mut rig = Rig::engine(|raw| {
        raw.timings.run_s_max = Some(s);
        raw.timings.prime_s = Some(10.0);
    });
    rig.demand();
    rig.until(S::Stopping, s + 20.0);
    rig
}

/// In ERROR: no water although there is a flow switch.
fn failed() -> Rig {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Flow]));
    rig.demand();
    rig.until(S::Error, 400.0);
    rig
}

#[test]
fn p26_an_error_ignores_triggers_and_keeps_the_valve_shut() {
    let mut rig = failed();
    rig.run(60.0);
    rig.demand();
    assert_eq!(rig.state(), S::Error);
    rig.only(&[]);
    assert!(rig.heard(&Event::ErrorStateTriggerIgnored { id: 1, fault: Fault::DryRun }));
    rig.run(60.0);
    rig.only(&[]);
}

#[test]
fn p26_with_gravity_feed_the_valve_opens_and_closes_by_itself() {
    let mut rig = Rig::engine(|raw| {
        fit(raw, &[Sensor::Flow]);
        raw.policies.gravity_feed = Some(true);
        raw.timings.fire_off_s = Some(600.0);
    });
    rig.demand();
    rig.until(S::Error, 400.0);
    rig.run(60.0);
    rig.demand();
    rig.only(&[O::MainValve]);
    rig.run(599.0);
    rig.only(&[O::MainValve]);
    rig.run(2.0);
    rig.only(&[]);
}

#[test]
fn p27_an_error_kills_the_engine_and_goes_on_reporting() {
    let mut rig = failed();
    rig.only(&[O::Kill, O::MainValve]);
    rig.run(5.0);
    rig.only(&[O::MainValve]);
    rig.run(10.0);
    rig.only(&[]);
    let before = rig.count(|e| *e == Event::HealthReport);
    rig.run(600.0);
    assert_eq!(rig.count(|e| *e == Event::HealthReport) - before, 10);
}

#[test]
fn p28_reset_leads_to_rest_keeps_the_ledger_and_is_refused_while_running() {
    let mut rig = failed();
    assert_eq!(rig.order(Order::Reset), Err(Refusal::EngineMoving), "the pulse is not over");
    rig.run(6.0);
    let owed = rig.machine.ledger().refill_owed();
    assert!(owed >= Duration::from_secs(300 * 40));
    rig.order(Order::Reset).expect("a reset");
    assert_eq!(rig.state(), S::Refilling);
    assert_eq!(rig.machine.ledger().refill_owed(), owed);

    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(10.0);
    assert_eq!(rig.order(Order::Reset), Err(Refusal::State { now: S::Running }));
    assert_eq!(rig.state(), S::Running);
}

#[test]
fn p29_a_dead_starter_relay_never_leads_to_ignition() {
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::Starter, false));
    rig.demand();
    while rig.state() != S::Error {
        rig.tick();
        assert!(!rig.on(O::Run));
        assert!(rig.s() < 3.0);
    }
    assert_eq!(rig.machine.status().fault, Some(Fault::Relay { output: O::Starter }));
    let failure = Event::HardwareValidationFailure { relay: O::Starter, expected: true, actual: false };
    assert!(rig.heard(&failure));
    rig.run(20.0);
    rig.only(&[]);
}

#[test]
fn p30_a_dead_main_valve_is_freed_or_else_everything_is_off() {
    // Freed by the pulses.
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::MainValve, false));
    rig.demand();
    rig.run(3.0);
    assert_eq!(rig.state(), S::Priming);
    rig.stuck.clear();
    rig.until(S::Running, 20.0);
    assert!(rig.heard(&Event::EmergencyValveSuccess { pulses: 5 }));

    // Not freed.
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::MainValve, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    assert!(rig.heard(&Event::EmergencyValveFailed));
    assert!(!rig.on(O::PrimingValve) && !rig.on(O::RefillValve));
    rig.run(20.0);
    rig.only(&[]);
    let mut state = rig.machine.state;
    state.visit(&mut |name, at| {
        let fine = [
            "health",
            "sensors_stale",
            "start_forgotten",
            "off_over",
            "relay",
            "fire_unseen",
            "use_forgotten",
            "use_counted",
        ];
        assert!(fine.contains(&name), "{name} at {at:?}");
    });
}

#[test]
fn p31_an_error_during_throttle_down_takes_everything_off() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        fit(raw, &[Sensor::Overspeed]);
    });
    rig.demand();
    rig.until(S::ReducingRpm, 100.0);
    rig.set(Sensor::Overspeed, Reading::Active);
    rig.run(0.3);
    assert_eq!(rig.machine.status().fault, Some(Fault::Overspeed));
    assert!(!rig.on(O::ThrottleDown) && !rig.on(O::Run));
}

/// A way into each of the states, by orders and demands.
fn ways() -> [(S, fn() -> Rig); 13] {
    fn demanded(s: f64) -> Rig {
        let mut rig = Rig::engine(|raw| {
            short_run(raw);
            raw.tank.refill_multiplier = Some(1.0);
            fit(raw, &[Sensor::SelectorAuto, Sensor::SelectorManual]);
        });
        rig.demand();
        rig.run(s);
        rig
    }
    fn selected(sensor: Option<Sensor>) -> Rig {
        let mut rig = demanded(0.0);
        rig.set(Sensor::SelectorAuto, Reading::Inactive);
        if let Some(sensor) = sensor {
            rig.set(sensor, Reading::Active);
        }
        rig.run(30.0);
        rig
    }
    [
        (S::Idle, || Rig::engine(|_| {})),
        (S::Priming, || demanded(1.0)),
        (S::Starting, || demanded(4.0)),
        (S::Running, || demanded(10.0)),
        (S::ReducingRpm, || demanded(60.0)),
        (S::Stopping, || demanded(69.0)),
        (S::Refilling, || demanded(80.0)),
        (S::Cooldown, || demanded(135.0)),
        (S::Error, failed),
        (S::LowPressure, || {
            let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::Pressure]));
            rig.demand();
            rig.until(S::LowPressure, 400.0);
            rig
        }),
        (S::EmergencyStop, || {
            let mut rig = demanded(10.0);
            rig.order(Order::EmergencyStop).expect("a stop");
            rig
        }),
        (S::Off, || selected(None)),
        (S::Manual, || selected(Some(Sensor::SelectorManual))),
    ]
}

#[test]
fn p32_an_emergency_stop_works_in_every_state() {
    for (state, way) in ways() {
        let mut rig = way();
        assert_eq!(rig.state(), state);
        let killed_before = rig.on(O::Kill);
        rig.order_by(Order::EmergencyStop, Role::Operate).expect("a stop");
        assert_eq!(rig.state(), S::EmergencyStop, "from {state:?}");
        assert!(!rig.on(O::Starter) && !rig.on(O::Run) && !rig.on(O::RefillValve));
        assert!(rig.on(O::Kill) || killed_before, "{state:?}");
        rig.run(1.0);
        assert!(rig.on(O::Kill), "{state:?}");
        rig.run(20.0);
        rig.only(&[]);
        rig.run(600.0);
        assert_eq!(rig.state(), S::EmergencyStop, "it latches");
    }
}

#[test]
fn p33_all_spellings_of_the_stop_are_understood() {
    let spellings: [&[u8]; 10] = [
        br#"{"command":"stop"}"#,
        br#"{"action":"stop"}"#,
        b"stop",
        b"STOP",
        b" Stop\n",
        b"emergency_stop",
        br#"{"action":"EMERGENCY_STOP","reason":"drill"}"#,
        br#""stop""#,
        br#"{"action":"stop","command":"emergency_stop"}"#,
        br#"{"command": "Stop"}"#,
    ];
    for spelling in spellings {
        assert_eq!(Order::from_payload(spelling), Some(Order::EmergencyStop));
    }
    let others: [&[u8]; 7] = [
        b"",
        b"{}",
        b"halt",
        b"\xff\xfe",
        br#"{"action":3}"#,
        br#"{"action":"stop","command":"start"}"#,
        b"[1]",
    ];
    for other in others {
        assert_eq!(Order::from_payload(other), None);
    }
    let padded = |len: usize| Order::from_payload(alloc::format!("{:len$}", "stop").as_bytes());
    assert_eq!((padded(4096), padded(4097), padded(5000)), (Some(Order::EmergencyStop), None, None));
}

#[test]
fn p34_what_was_pumped_before_a_stop_is_owed() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.at(607.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    assert_eq!(rig.machine.ledger().refill_owed(), Duration::from_secs(600 * 40));
    rig.run(10.0);
    rig.order(Order::Reset).expect("a reset");
    assert_eq!(rig.state(), S::Refilling);
    rig.run(60.0);
    rig.demand();
    assert_eq!(rig.count(|e| matches!(e, Event::TriggerBlockedRefilling { .. })), 1);
    assert_eq!(rig.state(), S::Refilling);
    rig.order(Order::Start).expect("a bypass");
    assert_eq!(rig.state(), S::Priming);
}

#[test]
fn p35_health_goes_on_after_a_stop() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(10.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    let before = rig.count(|e| *e == Event::HealthReport);
    rig.run(600.0);
    assert_eq!(rig.count(|e| *e == Event::HealthReport) - before, 10);
}

#[test]
fn p36_a_bypass_start_is_disturbed_by_nothing_old() {
    let mut rig = ran(100.0);
    rig.until(S::Refilling, 10.0);
    rig.run(30.0);
    rig.zero = rig.now;
    rig.order(Order::Start).expect("a bypass");
    rig.until(S::Running, 20.0);
    let start = rig.s();
    while rig.s() < start + 84.9 {
        rig.tick();
        assert_eq!(rig.state(), S::Running);
        assert!(rig.on(O::MainValve) && rig.on(O::Run) && !rig.on(O::Starter));
    }
}

#[test]
fn p37_a_bypass_start_while_running_does_not_crank() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(20.0);
    rig.order(Order::Start).expect("it runs");
    for _ in 0..100 {
        rig.tick();
        assert!(!rig.on(O::Starter));
    }
    assert_eq!(rig.machine.ledger().runs(), 1);
}

#[test]
fn p38_the_valve_is_not_closed_on_a_running_engine() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(20.0);
    assert_eq!(rig.order(Order::ValveClose), Err(Refusal::EngineMoving));
    let why = Refusal::EngineMoving;
    assert!(rig.heard(&Event::CommandRefused { id: 0, order: Order::ValveClose, why }));
    assert!(rig.on(O::MainValve));
}

/// The pure half: what the program does before it ends. Lines are the next issue's.
#[test]
fn p44_a_shutdown_from_any_state_ends_with_everything_off() {
    for (state, way) in ways() {
        let mut rig = way();
        rig.input(Input::Shutdown);
        assert!(!rig.on(O::Run) && !rig.on(O::Starter) && !rig.on(O::ThrottleDown), "{state:?}");
        let end = rig.s() + 60.0;
        while !rig.machine.has_left() {
            rig.tick();
            assert!(rig.s() < end, "{state:?} does not end");
        }
        rig.only(&[]);
        rig.demand();
        rig.run(30.0);
        rig.only(&[]);
    }
}

/// The pure half: what a restart finds. The watchdog relay is in the explorer's plant.
#[test]
fn p45_after_a_power_cut_the_run_and_the_refill_are_known() {
    let raw = engine_plan(|_| {});
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.at(607.0);
    let mut after = rig.power_cut(plan(&raw));
    after.only(&[]);
    after.boot();
    let ran = after.machine.ledger().run_total();
    assert!((600..=610).contains(&ran.as_secs()), "{ran:?}");
    let owed = after.machine.ledger().refill_owed();
    assert!((600 * 40..=610 * 40).contains(&owed.as_secs()), "{owed:?}");
    // Killed again, never resumed (H16).
    assert_eq!(after.state(), S::Stopping);
    assert!(after.on(O::Kill) && !after.on(O::Run));
    after.until(S::Refilling, 10.0);
    after.demand();
    assert_eq!(after.state(), S::Refilling);
}

#[test]
fn p46_retained_stale_and_foreign_triggers_start_nothing() {
    let mut rig = Rig::engine(|_| {});
    let cases = [
        (Demand { retained: true, ..fire(1) }, Refusal::Retained),
        (Demand { age: Duration::from_millis(2001), ..fire(2) }, Refusal::Stale),
        (Demand { authorised: false, ..fire(3) }, Refusal::Unauthorised),
    ];
    for (demand, why) in cases {
        rig.input(Input::Demand(demand));
        assert!(rig.heard(&Event::TriggerIgnored { id: demand.id, why }));
        rig.run(5.0);
        assert_eq!(rig.state(), S::Idle);
    }
    rig.input(Input::Demand(Demand { age: Duration::from_secs(2), ..fire(4) }));
    assert_eq!(rig.state(), S::Priming);
}

/// The pure half: without lines there is no passed self-test, and without that no IDLE.
#[test]
fn p48_without_a_passed_self_test_nothing_is_ever_driven() {
    for answer in [None, Some(false)] {
        let mut rig = Rig::unbooted(plan(&engine_plan(|_| {})), Restored::Fresh);
        if let Some(passed) = answer {
            rig.input(Input::SelfTest(passed));
        }
        for _ in 0..600 {
            rig.tick();
            rig.demand();
            rig.only(&[]);
        }
        assert_eq!(rig.machine.status().fault, Some(Fault::SelfTest));
        assert_eq!(rig.order(Order::Reset), Err(Refusal::CauseRemains));
    }
}

#[test]
fn an_alarm_only_box_sounds_and_moves_nothing() {
    let mut rig = Rig::new(&super::super::plan::RawPlan::of(Preset::AlarmOnly));
    rig.demand();
    assert!(rig.on(O::Siren) && rig.on(O::Strobe) && rig.on(O::Contact));
    assert_eq!(rig.state(), S::Idle);
    assert_eq!(rig.order(Order::Start), Err(Refusal::NoPump));
}

#[test]
fn the_selector_at_off_stops_and_at_manual_hands_over() {
    for (manual, reason) in [(false, Some(StopReason::SelectorOff)), (true, None)] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::SelectorAuto, Sensor::SelectorManual]));
        rig.demand();
        rig.run(20.0);
        rig.set(Sensor::SelectorAuto, Reading::Inactive);
        if manual {
            rig.set(Sensor::SelectorManual, Reading::Active);
        }
        rig.run(0.3);
        let stopped = rig.count(|e| matches!(e, Event::ShutdownInitiated { .. }));
        assert_eq!(stopped, usize::from(reason.is_some()));
        assert_eq!(rig.on(O::Kill), reason.is_some());
        rig.run(30.0);
        assert_eq!(rig.state(), if manual { S::Manual } else { S::Off });
        rig.demand();
        assert!(rig.machine.panel().is_active(super::super::Condition::Fire));
        assert!(!rig.on(O::Starter));
    }
}
