//! What the trials of the simulated box found (crates/sim), each as small as it can be.

use core::time::Duration;

use super::super::plan::OnCrash;
use super::super::plan::raw::{Preset, RawPlan};
use super::super::{
    Condition, Event, Fault, Input, Ledger, Order, Output as O, Reading, Restored, Role, Sensor,
    StateName as S, StopReason,
};
use super::rig::{Rig, engine_plan, fire, fit, plan, short_run};
use crate::time::Instant;

/// A starter that welds after something else has latched cranked for ever: the second cause was
/// not looked at, and the watchdog relay stayed pulled.
#[test]
fn whatever_latched_the_watchdog_relay_drops() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun, Sensor::StarterClosed]));
    rig.demand();
    rig.until(S::Error, 300.0);
    assert!(rig.heard(&Event::ErrorStateEntered { reason: Fault::FailToStart }));
    assert!(!rig.machine.permits_watchdog());
    rig.run(60.0);
    rig.order(Order::Reset).expect("its cause is gone");
    assert!(rig.machine.permits_watchdog());
}

/// the thirty seconds from a stop to the next crank were forgotten with the program.
#[test]
fn a_restart_does_not_shorten_the_time_off() {
    let raw = engine_plan(short_run);
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.until(S::Refilling, 120.0);
    rig.run(1.0);
    let mut rig = rig.power_cut(plan(&raw));
    rig.boot();
    rig.order_by(Order::Start, Role::Arm).expect("a start past the refill");
    rig.run(25.0);
    assert!(rig.on(O::MainValve) && !rig.on(O::Starter));
    rig.run(5.0);
    assert!(rig.on(O::Starter));
}

/// an engine that is held for five seconds after a crash uses water that nobody counted.
#[test]
fn what_a_held_engine_pumps_after_a_crash_is_owed() {
    let owed = |on_crash| {
        let raw = engine_plan(|raw| raw.policies.on_crash = Some(on_crash));
        let mut rig = Rig::new(&raw);
        rig.demand();
        rig.run(60.0);
        assert_eq!(rig.state(), S::Running);
        let ledger = Ledger::from_bytes(&rig.record, Instant(0)).expect("a record");
        let rig = Rig::with(plan(&raw), Restored::Found(ledger));
        rig.machine.ledger().refill_owed()
    };
    let more = owed(OnCrash::FailRun).saturating_sub(owed(OnCrash::FailStop));
    assert!(more >= Duration::from_secs(5 * 40), "{more:?}");
}

/// A fire that persists is said again every ten seconds, a little late at times. Each time it was
/// a new fire, which sounds again whatever was silenced.
#[test]
fn a_late_heartbeat_is_no_new_fire() {
    let mut rig = Rig::new(&RawPlan::of(Preset::AlarmOnly));
    rig.demand();
    rig.order(Order::Silence).expect("silence");
    for _ in 0..5 {
        rig.run(10.4);
        rig.input(Input::Demand(fire(1)));
        assert!(!rig.on(O::Siren), "sounds again");
    }
    assert!(!rig.heard(&Event::Restored { condition: Condition::Fire }));
}

/// A stop pressed after a failed self-test covered it up: its reset left a box at rest whose lines
/// nobody had seen good.
#[test]
fn a_failed_self_test_is_not_lost_behind_an_emergency_stop() {
    let raw = engine_plan(|raw| fit(raw, &[Sensor::EmergencyStop]));
    let mut rig = Rig::unbooted(plan(&raw), Restored::Fresh);
    rig.input(Input::SelfTest(false));
    rig.run(2.5);
    rig.order(Order::EmergencyStop).expect("a stop");
    rig.run(10.0);
    rig.order(Order::Reset).expect("nothing is pressed");
    assert_eq!(rig.state(), S::Error);
    rig.demand();
    rig.run(10.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::SelfTest));
    rig.input(Input::SelfTest(true));
    rig.order(Order::Reset).expect("its cause is gone");
    assert_eq!(rig.state(), S::Idle);
}

/// A relay that welds was looked at when idle and in a run, and not in the twenty hours of a refill
/// or with the selector at OFF: a welded starter cranked on, and the watchdog relay stayed pulled.
#[test]
fn a_relay_that_welds_at_rest_is_latched_in_every_state_of_rest() {
    for off in [false, true] {
        let raw = engine_plan(|raw| {
            short_run(raw);
            fit(raw, &[Sensor::SelectorAuto, Sensor::SelectorManual]);
        });
        let mut rig = Rig::new(&raw);
        if off {
            rig.set(Sensor::SelectorAuto, Reading::Inactive);
            rig.until(S::Off, 5.0);
        } else {
            rig.demand();
            rig.until(S::Refilling, 120.0);
        }
        rig.stuck.push((O::Starter, true));
        rig.run(1.0);
        assert_eq!(rig.machine.status().fault, Some(Fault::Relay { output: O::Starter }), "off: {off}");
        assert!(!rig.machine.permits_watchdog());
    }
}

/// Where fires count for less than the thirty seconds between two runs, an engine was started for one that was out.
#[test]
fn a_fire_that_goes_out_while_the_starter_rests_cranks_nothing() {
    let mut rig = Rig::engine(|raw| {
        raw.outputs = Some([O::MainValve, O::Run, O::Starter, O::Kill].to_vec());
        raw.timings.fire_off_s = Some(20.0);
        raw.timings.cooldown_s = Some(0.0);
    });
    rig.demand();
    rig.until(S::Idle, 60.0);
    rig.log.clear();
    rig.demand();
    assert_eq!(rig.state(), S::Priming);
    rig.until(S::Idle, 60.0);
    assert_eq!(rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), 0);
    assert!(rig.heard(&Event::ShutdownInitiated { reason: StopReason::FireOff }));
}

/// A hand asks once: it gets its run, however long the starter rests, and whoever else asked before or after it.
#[test]
fn a_hand_that_asks_while_the_starter_rests_gets_its_run() {
    let asked = |ask: &dyn Fn(&mut Rig)| {
        let mut rig = Rig::engine(|raw| {
            raw.outputs = Some([O::MainValve, O::Run, O::Starter, O::Kill].to_vec());
            raw.timings.fire_off_s = Some(20.0);
            raw.timings.cooldown_s = Some(0.0);
            fit(raw, &[Sensor::FireButton]);
        });
        rig.demand();
        rig.until(S::Idle, 60.0);
        rig.log.clear();
        ask(&mut rig);
        let begun = rig.s();
        rig.until(S::Running, 60.0);
        rig.until(S::Idle, 90.0);
        (rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), rig.s() - begun > 45.0)
    };
    let press = |rig: &mut Rig| {
        rig.set(Sensor::FireButton, Reading::Active);
        rig.run(0.5);
        rig.set(Sensor::FireButton, Reading::Inactive);
        assert_eq!(rig.state(), S::Priming);
    };
    assert_eq!(asked(&press), (1, true));
    assert_eq!(asked(&|rig| rig.order(Order::Start).expect("at rest")), (1, true));
    let cameras_first = |rig: &mut Rig| {
        rig.demand();
        rig.run(2.0);
        press(rig);
    };
    assert_eq!(asked(&cameras_first), (1, true));
    let cameras_last = |rig: &mut Rig| {
        press(rig);
        rig.run(1.0);
        rig.demand();
    };
    assert_eq!(asked(&cameras_last), (1, true));
}
