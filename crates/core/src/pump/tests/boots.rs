//! From power on: lines that are not known to be good, and what latched before the power went.

use super::super::plan::OnCrash;
use super::super::{
    Demand, Event, Fault, Input, Order, Output as O, Reading, Refusal, Restored, Role, Sensor, StateName as S,
};
use super::rig::{Rig, engine_plan, fire, fit, plan};

/// R-H11: what is pressed while the box starts was not pressed for it.
#[test]
fn a_button_held_at_boot_asks_for_nothing() {
    let raw = engine_plan(|raw| fit(raw, &[Sensor::FireButton, Sensor::ResetButton]));
    let mut rig = Rig::unbooted(plan(&raw), Restored::Fresh);
    rig.set(Sensor::FireButton, Reading::Active);
    rig.set(Sensor::ResetButton, Reading::Active);
    rig.boot();
    rig.run(5.0);
    assert_eq!(rig.state(), S::Idle);
    assert_eq!(rig.count(|e| matches!(e, Event::EmergencyButtonPressed | Event::EmergencyReset)), 0);
    rig.set(Sensor::FireButton, Reading::Inactive);
    rig.run(1.0);
    rig.set(Sensor::FireButton, Reading::Active);
    rig.run(0.2);
    assert_eq!(rig.state(), S::Priming);
}

/// R-H12, I9: a stop is reset by a hand at the box, whatever happened to the power since.
#[test]
fn a_stop_from_before_a_power_cut_outlives_the_faults_of_the_boot() {
    let raw = engine_plan(|raw| fit(raw, &[Sensor::EngineRun]));
    let mut rig = Rig::new(&raw);
    rig.order(Order::EmergencyStop).expect("a stop");
    for is_running in [true, false] {
        let mut after = rig.power_cut(plan(&raw));
        if is_running {
            after.set(Sensor::EngineRun, Reading::Active);
            after.boot();
        } else {
            after.input(Input::SelfTest(false));
            after.run(2.5);
        }
        assert_eq!(after.state(), S::Error);
        after.set(Sensor::EngineRun, Reading::Inactive);
        after.input(Input::SelfTest(true));
        after.run(30.0);
        assert_eq!(after.order_by(Order::Reset, Role::Arm), Ok(()));
        assert_eq!(after.state(), S::EmergencyStop, "engine running: {is_running}");
        let needs = Role::Local;
        assert_eq!(after.order_by(Order::Reset, Role::Maintain), Err(Refusal::Role { needs }));
        after.order(Order::Reset).expect("by hand");
        assert_eq!(after.state(), S::Idle);
    }
}

/// I9: a failed self-test does not wash away what had latched before.
#[test]
fn a_fault_from_before_a_power_cut_outlives_a_failed_self_test() {
    let raw = engine_plan(|_| {});
    let mut rig = Rig::new(&raw);
    rig.stuck.push((O::Starter, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    let mut after = rig.power_cut(plan(&raw));
    after.input(Input::SelfTest(false));
    after.run(2.5);
    after.input(Input::SelfTest(true));
    after.order(Order::Reset).expect("it passes now");
    assert_eq!(after.machine.status().fault, Some(Fault::Relay { output: O::Starter }));
}

/// R-H25, I10: lines that are not known to be good are not driven, whoever asks.
#[test]
fn without_a_passed_self_test_no_order_drives_a_line() {
    let raw = engine_plan(|raw| {
        fit(raw, &[Sensor::EngineRun]);
        raw.policies.gravity_feed = Some(true);
    });
    for answer in [None, Some(false)] {
        for order in Order::ALL {
            let mut rig = Rig::unbooted(plan(&raw), Restored::Fresh);
            if let Some(passed) = answer {
                rig.input(Input::SelfTest(passed));
            }
            rig.set(Sensor::EngineRun, Reading::Active);
            for _ in 0..400 {
                let _ = rig.order(order);
                rig.input(Input::Demand(Demand { persists: true, ..fire(1) }));
                rig.tick();
                rig.only(&[]);
            }
        }
    }
}

/// I2: a starter that welds while the box starts cranks until the watchdog relay is let go.
#[test]
fn a_relay_that_does_not_follow_ends_the_boot_at_once() {
    let mut rig = Rig::unbooted(plan(&engine_plan(|_| {})), Restored::Fresh);
    rig.input(Input::SelfTest(true));
    rig.stuck.push((O::Starter, true));
    rig.run(0.5);
    assert_eq!(rig.machine.status().fault, Some(Fault::Relay { output: O::Starter }));
    assert!(!rig.machine.permits_watchdog());
}

/// what was handed over belongs to the hand at the panel, also over a power cut.
#[test]
fn an_engine_that_was_handed_over_is_not_killed_by_a_restart() {
    let raw = engine_plan(|raw| fit(raw, &[Sensor::SelectorAuto, Sensor::SelectorManual]));
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.run(20.0);
    rig.set(Sensor::SelectorAuto, Reading::Inactive);
    rig.set(Sensor::SelectorManual, Reading::Active);
    rig.run(1.0);
    assert_eq!(rig.state(), S::Manual);
    let mut after = rig.power_cut(plan(&raw));
    after.boot();
    assert_eq!(after.state(), S::Manual);
    after.run(10.0);
    assert_eq!(
        after.count(|e| matches!(e, Event::ShutdownInitiated { .. } | Event::RunInterrupted { .. })),
        0
    );
}

/// I6: an engine that catches while its program dies is held for as long as a site rides through a
/// crash, where the crank feeds the ignition. Nobody counts, and what it pumps is owed.
#[test]
fn a_crank_that_was_cut_off_owes_what_it_may_have_pumped() {
    for (on_crash, feeds, owed_s) in
        [(OnCrash::FailRun, true, 600), (OnCrash::FailRun, false, 0), (OnCrash::FailStop, true, 0)]
    {
        let raw = engine_plan(|raw| {
            raw.policies.on_crash = Some(on_crash);
            raw.policies.ignition_with_starter = Some(feeds);
        });
        let mut rig = Rig::new(&raw);
        rig.demand();
        rig.until(S::Starting, 10.0);
        let after = rig.power_cut(plan(&raw));
        let owed = after.machine.ledger().refill_owed();
        // Ten seconds between checkpoints and five of riding through, forty times.
        assert_eq!(owed.as_secs(), owed_s, "{on_crash:?} {feeds}");
    }
}
