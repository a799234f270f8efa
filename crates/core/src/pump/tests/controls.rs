//! Controls that no row of the specification asks for by name: each test fails without the
//! control it is named after. `P-H` are hazards of spec 3.10, `R-H` those of reliability 3.3.

use core::time::Duration;

use super::super::plan::parse::parse;
use super::super::plan::raw::{OnCrash, Preset};
use super::super::{
    Condition, Event, Fault, Input, Order, Output as O, Reading, Refusal, Sensor, StateName as S,
};
use super::rig::{Rig, engine_plan, fire, fit, plan, short_run};

/// P-H3, P-H11: ten minutes after the first stop its valve timer would come.
#[test]
fn a_bypass_start_outlives_the_valve_timer_of_the_run_before() {
    let mut rig = Rig::engine(|raw| raw.timings.run_s_max = Some(1000.0));
    rig.demand();
    rig.at(100.0);
    rig.input(Input::Demand(fire(2)));
    rig.until(S::Refilling, 1200.0);
    rig.order(Order::Start).expect("a bypass");
    rig.until(S::Running, 60.0);
    let end = rig.s() + 800.0;
    while rig.s() < end {
        rig.tick();
        assert!(rig.on(O::MainValve) && rig.on(O::Run));
    }
}

/// P-H5, R-H23: each contact, and what it must not read as when it is cut.
#[test]
fn no_contact_may_read_well_when_it_is_cut() {
    use Sensor as N;
    let hides = [
        N::FloatLow,
        N::Overflow,
        N::ValveClosed,
        N::OilLow,
        N::TempHigh,
        N::Overspeed,
        N::BatteryLow,
        N::EmergencyStop,
    ];
    let claims =
        [N::FloatHigh, N::Pressure, N::Flow, N::ValveOpen, N::SelectorAuto, N::FireButton, N::ResetButton];
    for sensor in Sensor::ALL {
        for reads in [Reading::Inactive, Reading::Active, Reading::Fault] {
            let raw = engine_plan(|raw| {
                fit(raw, &[sensor]);
                if [N::SelectorAuto, N::SelectorManual].contains(&sensor) {
                    fit(raw, &[N::SelectorAuto, N::SelectorManual]);
                }
                raw.inputs.get_mut(&sensor).unwrap().broken_reads = reads;
            });
            let bad = (hides.contains(&sensor) && reads == Reading::Inactive)
                || (claims.contains(&sensor) && reads == Reading::Active);
            assert_eq!(parse(&raw).is_err(), bad, "{sensor:?} reads {reads:?}");
        }
    }
}

/// P-H6: throttled down it is watched as before.
#[test]
fn a_pump_that_runs_dry_while_throttled_down_is_stopped() {
    let mut rig = Rig::engine(|raw| {
        raw.timings.throttle_lead_s = Some(600.0);
        raw.timings.dry_s_max = Some(30.0);
        fit(raw, &[Sensor::Flow]);
    });
    rig.demand();
    rig.run(5.0);
    rig.set(Sensor::Flow, Reading::Active);
    rig.until(S::ReducingRpm, 1500.0);
    rig.set(Sensor::Flow, Reading::Inactive);
    rig.run(29.0);
    assert_eq!(rig.state(), S::ReducingRpm);
    rig.run(2.0);
    assert_eq!(rig.machine.status().fault, Some(Fault::DryRun));
}

/// P-H10, R-H2: it turns by itself while its valve opens.
#[test]
fn an_engine_that_turns_before_the_crank_is_never_cranked() {
    for sensor in [Sensor::EngineRun, Sensor::EngineTurning] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun, Sensor::EngineTurning]));
        rig.demand();
        rig.run(1.0);
        rig.set(sensor, Reading::Active);
        rig.run(5.0);
        assert_eq!(rig.machine.status().fault, Some(Fault::EngineFoundRunning), "{sensor:?}");
        assert_eq!(rig.count(|e| matches!(e, Event::EngineStartSequence { .. })), 0);
        assert!(rig.on(O::MainValve), "it has a water path");
    }
}

/// R-H2, R-03: late feedback is no reason to go on cranking.
#[test]
fn the_starter_drops_within_a_tenth_of_a_second_of_a_running_engine() {
    let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::EngineRun]));
    rig.cycle = Duration::from_millis(10);
    rig.demand();
    rig.at(3.0);
    assert!(rig.on(O::Starter));
    rig.set(Sensor::EngineRun, Reading::Active);
    rig.run(0.1);
    assert!(!rig.on(O::Starter) && rig.on(O::Run));
    assert!(rig.heard(&Event::EngineRunning { proven: true }));
}

/// R-H3: not at once, because contacts take their time, and not before its relay drops.
#[test]
fn a_starter_contact_has_half_a_second_to_open() {
    for (opens_after, welded) in [(0.3, false), (0.5, true)] {
        let mut rig = Rig::engine(|raw| fit(raw, &[Sensor::StarterClosed]));
        rig.demand();
        rig.at(2.1);
        rig.set(Sensor::StarterClosed, Reading::Active);
        rig.at(7.0);
        assert_eq!(rig.state(), S::Running);
        rig.run(opens_after);
        rig.set(Sensor::StarterClosed, Reading::Inactive);
        rig.run(1.0);
        assert_eq!(rig.machine.status().fault == Some(Fault::StarterWelded), welded, "{opens_after}");
        assert_eq!(rig.machine.permits_watchdog(), !welded);
    }
}

/// R-H4: what was cranked before the power went counts afterwards.
#[test]
fn cranking_is_counted_across_power_cuts() {
    let raw = engine_plan(|raw| {
        raw.timings.crank_s = Some(15.0);
        fit(raw, &[Sensor::EngineRun]);
    });
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.until(S::Error, 300.0);
    let mut after = rig.power_cut(plan(&raw));
    after.boot();
    assert!(after.machine.panel().is_active(Condition::CrankingSpent));
    after.order(Order::Reset).expect("a reset");
    assert_eq!(after.order(Order::Start), Err(Refusal::CrankingSpent));
    after.cycle = Duration::from_millis(500);
    after.run(700.0);
    after.order(Order::Start).expect("ten minutes later");
}

/// R-H8: a float that never says full does not fill for ever, and neither does one that chatters.
#[test]
fn a_float_that_never_says_full_ends_in_a_fault() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
        raw.timings.refill_s_max = Some(100.0);
        fit(raw, &[Sensor::FloatHigh]);
    });
    rig.demand();
    rig.until(S::Refilling, 100.0);
    let start = rig.s();
    rig.run(109.8);
    assert_eq!(rig.state(), S::Refilling);
    rig.until(S::Error, 0.5);
    assert!((rig.s() - start - 110.0).abs() < 0.25, "{}", rig.s() - start);
    assert_eq!(rig.machine.status().fault, Some(Fault::RefillFailed));
    assert!(!rig.on(O::RefillValve));
}

#[test]
fn the_refill_of_a_day_is_bounded_and_a_spent_budget_is_shown() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
        raw.timings.refill_s_max = Some(100.0);
        raw.timings.refill_s_per_day_max = Some(150.0);
    });
    let mut open = 0;
    for _ in 0..3 {
        let _ = rig.order(Order::Start);
        let end = rig.s() + 300.0;
        while rig.s() < end {
            rig.tick();
            open += u32::from(rig.on(O::RefillValve));
        }
    }
    assert!((1490..=1510).contains(&open), "{open} tenths of a second");
    assert!(rig.heard(&Event::RefillBudgetSpent));
    assert!(rig.machine.panel().is_active(Condition::RefillBudgetSpent));
}

#[test]
fn a_refill_that_is_paid_has_not_spent_its_budget() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
    });
    rig.demand();
    rig.until(S::Cooldown, 300.0);
    assert!(!rig.heard(&Event::RefillBudgetSpent));
}

/// R-H8: two runs within a day owe more than the day allows. The rest waits, and nothing latches.
#[test]
fn a_refill_that_waits_for_its_budget_has_not_failed() {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
        raw.timings.refill_s_max = Some(100.0);
        raw.timings.refill_s_per_day_max = Some(100.0);
    });
    rig.cycle = Duration::from_millis(500);
    for _ in 0..2 {
        rig.order(Order::Start).expect("a start");
        rig.until(S::Refilling, 200.0);
        rig.run(600.0);
    }
    rig.run(20.0 * 3600.0);
    assert_eq!(rig.state(), S::Refilling);
    assert!(!rig.on(O::RefillValve) && rig.machine.panel().is_active(Condition::RefillBudgetSpent));
    rig.until(S::Cooldown, 8.0 * 3600.0);
}

/// R-H11: whoever wants the engine, people beside it are warned, also where a fire was silenced.
#[test]
fn the_siren_warns_before_anything_moves() {
    for preset in [Preset::WildfireEngine, Preset::Electric] {
        for order in [None, Some(Order::Start), Some(Order::Test)] {
            let mut raw = engine_plan(|_| {});
            raw.preset = preset;
            raw.timings.prewarn_s = Some(10.0);
            let drive = if preset == Preset::Electric { O::Contactor } else { O::Starter };
            let list = match preset {
                Preset::Electric => [O::MainValve, O::Contactor, O::Siren].to_vec(),
                _ => [O::MainValve, O::Run, O::Starter, O::Siren].to_vec(),
            };
            raw.outputs = Some(list);
            let mut rig = Rig::new(&raw);
            match order {
                Some(order) => rig.order(order).expect("a start"),
                None => rig.demand(),
            }
            rig.order(Order::Silence).expect("the alarm, not the warning");
            for _ in 0..99 {
                rig.tick();
                assert!(rig.on(O::Siren) && !rig.on(drive), "{order:?} at {} s", rig.s());
            }
            rig.tick();
            assert!(rig.on(drive) && !rig.on(O::Siren), "{order:?}");
        }
    }
    let mut rig =
        Rig::engine(|raw| raw.outputs = Some([O::MainValve, O::Run, O::Starter, O::Siren].to_vec()));
    rig.order(Order::Test).expect("a test");
    assert!(!rig.on(O::Siren), "where nobody can stand there, nobody is warned");
}

/// R-H14, R-31: what the site chose decides how long a hung program may have held its ignition.
#[test]
fn a_gap_ends_a_crank_at_once_and_a_run_as_the_site_chose() {
    let cases = [
        (OnCrash::FailStop, 8.0, 500, false),
        (OnCrash::FailStop, 8.0, 501, true),
        (OnCrash::FailRun, 8.0, 5000, false),
        (OnCrash::FailRun, 8.0, 5001, true),
        (OnCrash::FailRun, 4.0, 500, false),
        (OnCrash::FailRun, 4.0, 501, true),
        (OnCrash::FailStop, 1.0, 1900, false),
    ];
    for (on_crash, at, gap_ms, fails) in cases {
        let mut rig = Rig::engine(|raw| raw.policies.on_crash = Some(on_crash));
        rig.demand();
        rig.at(at);
        rig.now = rig.now.after(Duration::from_millis(gap_ms));
        rig.input(Input::Tick);
        let fault = rig.machine.status().fault;
        assert_eq!(fault == Some(Fault::CycleGap), fails, "{on_crash:?} at {at} s, {gap_ms} ms");
        assert_eq!(rig.count(|e| matches!(e, Event::CycleLate { .. })), usize::from(gap_ms > 500));
    }
}
