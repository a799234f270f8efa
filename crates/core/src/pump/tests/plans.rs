//! What a plan refuses, each with one sentence (P49, R-01 to R-32), and that it refuses
//! everything at once.

use alloc::string::ToString;

use super::super::plan::parse::parse;
use super::super::plan::raw::{OnCrash, Preset, RawInput};
use super::super::plan::{Plan, RawPlan};
use super::super::{Machine, Output, Reading, Refusal, Restored, Sensor};
use super::rig::{Rig, engine_plan, fit, plan, short_run};
use crate::time::Instant;

type Edit = fn(&mut RawPlan);

#[test]
fn p49_contradictions_are_refused_in_one_sentence_each() {
    let cases: [(Edit, &str); 35] = [
        (
            |r| r.timings.throttle_lead_s = Some(1800.0),
            "timings.throttle_lead_s is 1800: it must be between 0 and 600",
        ),
        (
            |r| {
                short_run(r);
                r.timings.throttle_lead_s = Some(60.0);
            },
            "timings.throttle_lead_s is 60: it must be shorter than timings.run_s_max",
        ),
        (
            |r| {
                short_run(r);
                r.timings.throttle_lead_s = Some(51.0);
            },
            "timings.throttle_lead_s is 51: it must leave at least 10 s of timings.run_s_max",
        ),
        (
            |r| r.timings.run_s_max = Some(60.0),
            "timings.prime_s is 180: with timings.crank_s it must not exceed half of timings.run_s_max",
        ),
        (
            |r| {
                short_run(r);
                r.timings.prime_s = Some(26.0);
            },
            "timings.prime_s is 26: with timings.crank_s it must not exceed half of timings.run_s_max",
        ),
        (|r| r.timings.run_s_max = Some(29.0), "timings.run_s_max is 29: it must be between 60 and 14400"),
        (
            |r| r.timings.run_s_max = Some(f64::NAN),
            "timings.run_s_max is NaN: it must be between 60 and 14400",
        ),
        (|r| r.timings.crank_s = Some(0.0), "timings.crank_s is 0: it must be between 0.1 and 15"),
        (|r| r.timings.crank_s = Some(15.1), "timings.crank_s is 15.1: it must be between 0.1 and 15"),
        (|r| r.timings.crank_attempts = Some(7), "timings.crank_attempts is 7: it must be between 1 and 6"),
        (|r| r.timings.crank_attempts = Some(0), "timings.crank_attempts is 0: it must be between 1 and 6"),
        (
            |r| {
                r.timings.crank_s = Some(15.0);
                r.timings.crank_rest_s = Some(14.0);
            },
            "timings.crank_rest_s is 14: it must not be shorter than timings.crank_s",
        ),
        (|r| r.timings.crank_rest_s = Some(9.0), "timings.crank_rest_s is 9: it must be between 10 and 60"),
        (|r| r.timings.kill_s = Some(0.5), "timings.kill_s is 0.5: it must be between 1 and 15"),
        (
            |r| {
                r.timings.kill_s = Some(10.0);
                r.timings.stop_s_max = Some(6.0);
            },
            "timings.stop_s_max is 6: it must not be shorter than timings.kill_s",
        ),
        (
            |r| r.timings.valve_close_s = Some(12.0),
            "timings.valve_close_s is 12: it must not be shorter than timings.kill_s and timings.spin_down_s together",
        ),
        (|r| r.timings.off_s_min = Some(5.0), "timings.off_s_min is 5: it must be between 30 and 600"),
        (
            |r| r.timings.starts_per_hour_max = Some(7),
            "timings.starts_per_hour_max is 7: it must be between 1 and 6",
        ),
        (|r| r.timings.dry_s_max = Some(301.0), "timings.dry_s_max is 301: it must be between 10 and 300"),
        (
            |r| r.timings.demand_age_s_max = Some(2.1),
            "timings.demand_age_s_max is 2.1: it must be between 0.1 and 2",
        ),
        (
            |r| r.policies.on_crash = None,
            "policies.on_crash is missing: choose fail_stop or fail_run; there is no default (R-31)",
        ),
        (
            |r| r.tank.refill_multiplier = Some(50.0),
            "tank.refill_multiplier is 50: times timings.run_s_max it must not exceed timings.refill_s_max",
        ),
        (
            |r| r.timings.refill_s_per_day_max = Some(72_000.0),
            "timings.refill_s_per_day_max is 72000: it must not be shorter than timings.refill_s_max",
        ),
        (
            |r| r.tank.volume_l = Some(1000.0),
            "tank is incomplete: volume_l, pump_l_per_min and refill_l_per_min go together, or else give refill_multiplier",
        ),
        (
            |r| litres(r, 1000.0, 200.0, 10.0),
            "timings.run_s_max is 1800: tank.volume_l at tank.pump_l_per_min is empty after 300 s; it must not be longer",
        ),
        (
            |r| {
                litres(r, 10_000.0, 200.0, 10.0);
                r.tank.refill_multiplier = Some(2.0);
            },
            "tank.refill_multiplier is 2: litres are given as well; keep one of them",
        ),
        (
            |r| litres(r, 10_000.0, 200.0, 1.0),
            "tank.refill_l_per_min is 1: the tank would take longer than 23 h to fill",
        ),
        (
            |r| r.outputs = Some(alloc::vec![Output::MainValve, Output::Starter]),
            "outputs is without run: this preset cannot do without it",
        ),
        (
            |r| r.outputs.get_or_insert_default().push(Output::Contactor),
            "outputs is contactor: this preset has no such relay; leave it out",
        ),
        (
            |r| r.outputs = Some(alloc::vec![Output::MainValve, Output::Run, Output::Starter, Output::Run]),
            "outputs is run: each relay must be named once",
        ),
        (
            |r| {
                r.outputs = Some(alloc::vec![Output::MainValve, Output::Run, Output::Starter]);
                r.timings.kill_s = Some(3.0);
            },
            "timings.kill_s is 3: outputs has no kill; leave it out or add the relay",
        ),
        (
            |r| fit(r, &[Sensor::SelectorAuto]),
            "inputs.selector_auto is alone: a selector needs its MANUAL contact, too",
        ),
        (
            |r| {
                let input = RawInput { broken_reads: Reading::Fault, debounce_ms: Some(3000) };
                r.inputs.insert(Sensor::Flow, input);
            },
            "inputs.flow.debounce_ms is 3000: it must be between 0 and 2000",
        ),
        (
            |r| {
                let input = RawInput { broken_reads: Reading::Active, debounce_ms: None };
                r.inputs.insert(Sensor::FireButton, input);
            },
            "inputs.fire_button.broken_reads is active: a cut wire would read as all is well; turn the contact \
             round (it must open in the dangerous case) or supervise its line",
        ),
        (
            |r| r.policies.start_on_partial_tank = Some(true),
            "policies.start_on_partial_tank is true: inputs has no float_low to tell that there is water",
        ),
    ];
    for (edit, sentence) in cases {
        let wrong = parse(&engine_plan(edit)).expect_err(sentence);
        let said: alloc::vec::Vec<_> = wrong.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|s| s == sentence), "{sentence}\nis not among\n{said:#?}");
    }
}

fn litres(raw: &mut RawPlan, volume: f64, pump: f64, refill: f64) {
    raw.tank.volume_l = Some(volume);
    raw.tank.pump_l_per_min = Some(pump);
    raw.tank.refill_l_per_min = Some(refill);
}

#[test]
fn p49_the_previous_plan_is_kept_and_changed_at_rest_only() {
    let mut rig = Rig::engine(|_| {});
    let other = plan(&engine_plan(short_run));
    rig.demand();
    rig.run(10.0);
    let now = rig.state();
    assert_eq!(rig.machine.replace_plan(other), Err(Refusal::State { now }));
    rig.run(100.0);
    assert!(rig.on(Output::Run), "the old limit holds");
}

#[test]
fn every_mistake_is_told_at_once() {
    let wrong = parse(&engine_plan(|raw| {
        raw.timings.crank_s = Some(99.0);
        raw.timings.kill_s = Some(-1.0);
        raw.policies.on_crash = None;
    }));
    assert_eq!(wrong.expect_err("three").len(), 3);
}

#[test]
fn the_presets_hold_with_what_a_site_must_decide() {
    for preset in [Preset::WildfireEngine, Preset::Electric, Preset::AlarmOnly] {
        let mut raw = RawPlan::of(preset);
        assert_eq!(parse(&raw).is_ok(), preset == Preset::AlarmOnly, "on_crash has no default");
        raw.policies.on_crash = Some(OnCrash::FailRun);
        let parsed = parse(&raw).expect("a preset");
        assert_eq!(parsed.odd, []);
        assert_eq!(parsed.plan.has_pump(), preset != Preset::AlarmOnly);
        assert_eq!(parsed.plan.pump().is_some(), preset != Preset::AlarmOnly);
    }
}

#[test]
fn what_is_unusual_is_remarked_and_holds() {
    let parsed = parse(&engine_plan(|raw| {
        short_run(raw);
        raw.timings.crank_s = Some(2.0);
        raw.timings.health_s = Some(60.0);
        raw.tank.refill_multiplier = Some(1.0);
    }))
    .expect("a plan");
    let odd: alloc::vec::Vec<_> = parsed.odd.iter().map(ToString::to_string).collect();
    let all = [
        "timings.run_s_max is 60: less than a minute of it is at full speed",
        "timings.prime_s is",
        "timings.crank_s is 2: 3 and more is usual",
        "tank.refill_multiplier is 1: 1.5 and more is usual",
        "timings.health_s is 60: a third of timings.run_s_max or less is usual",
        "timings.fire_off_s is",
    ];
    assert_eq!(odd.len(), all.len(), "{odd:#?}");
    for (odd, expected) in odd.iter().zip(all) {
        assert!(odd.starts_with(expected), "{odd}");
    }
}

#[test]
fn what_is_just_usual_is_not_remarked() {
    let parsed = parse(&engine_plan(|raw| {
        raw.timings.run_s_max = Some(75.0);
        raw.timings.throttle_lead_s = Some(15.0);
        raw.timings.prime_s = Some(30.0);
        raw.timings.crank_s = Some(3.0);
        raw.timings.health_s = Some(25.0);
        raw.timings.fire_off_s = Some(75.0);
        raw.timings.test_s = Some(60.0);
        raw.tank.refill_multiplier = Some(1.5);
    }));
    assert_eq!(parsed.expect("a plan").odd, []);
}

/// C12: a fire says that it persists every `fire.heartbeat_s`, and the link may lose one of them.
#[test]
fn a_stop_that_comes_before_the_next_report_of_a_fire_is_remarked() {
    let odd = |s: f64| {
        let parsed = parse(&engine_plan(|raw| raw.timings.fire_off_s = Some(s))).expect("a plan");
        parsed.odd.iter().map(ToString::to_string).collect::<alloc::vec::Vec<_>>()
    };
    let sentence = "timings.fire_off_s is 24: 25 and more is usual, longer than two of fire.heartbeat_s (10 unless \
                    set): with one report of a fire lost, the pump stops while it burns";
    assert_eq!((odd(24.0), odd(25.0)), (alloc::vec![sentence.to_string()], alloc::vec![]));
}

#[test]
fn litres_bound_the_refill() {
    let raw = engine_plan(|raw| litres(raw, 10_000.0, 200.0, 20.0));
    let refill = plan(&raw).pump.unwrap().refill.unwrap();
    assert_eq!(refill.per_mille, 10_000);
    assert_eq!(refill.cycle_max.as_secs(), 33_000);
}

#[test]
fn unknown_keys_are_refused_and_plans_survive_writing() {
    let raw = engine_plan(|raw| fit(raw, &[Sensor::Flow, Sensor::FloatHigh]));
    let text = serde_json::to_string(&raw).expect("text");
    assert_eq!(serde_json::from_str::<RawPlan>(&text).expect("a plan"), raw);
    for text in [
        r#"{"preset":"wildfire_engine","timing":{}}"#,
        r#"{"preset":"wildfire_engine","timings":{"crank":5}}"#,
        r#"{"preset":"steam"}"#,
    ] {
        assert!(serde_json::from_str::<RawPlan>(text).is_err(), "{text}");
    }
}

#[test]
fn a_plan_is_small_and_a_machine_has_a_fixed_size() {
    assert!(size_of::<Plan>() < 1024);
    let machine = Machine::new(plan(&engine_plan(|_| {})), Restored::Fresh, Instant(0));
    assert!(size_of_val(&machine) < 8192, "{}", size_of_val(&machine));
}

#[test]
fn a_plan_says_what_it_has() {
    let engine = plan(&engine_plan(|raw| super::rig::fit(raw, &[Sensor::Flow])));
    assert_eq!(engine.fire_off(), Some(core::time::Duration::from_secs(1800)));
    assert!(engine.has_output(Output::Run) && !engine.has_output(Output::Contactor));
    assert!(engine.has_input(Sensor::Flow) && !engine.has_input(Sensor::Pressure));
    let alarm = parse(&RawPlan::of(Preset::AlarmOnly)).expect("a preset").plan;
    assert_eq!(alarm.fire_off(), None);
    assert!(alarm.has_output(Output::Siren) && !alarm.has_output(Output::Run));
}

/// R-12, at its limits: the run that just empties the tank, the day that just fills it, the time that just does.
#[test]
fn litres_hold_up_to_their_limits() {
    let rows: [(f64, f64, f64, Option<f64>, bool); 6] = [
        // Litres, run, refill per minute, time for a refill.
        (10_000.0, 3000.0, 20.0, None, true),
        (10_000.0, 3001.0, 20.0, None, false),
        (13_800.0, 60.0, 10.0, None, true),
        (13_801.0, 60.0, 10.0, None, false),
        (10_000.0, 60.0, 20.0, Some(30_000.0), true),
        (10_000.0, 60.0, 20.0, Some(29_999.0), false),
    ];
    for (volume, run_s, refill, cycle_s, holds) in rows {
        let raw = engine_plan(|raw| {
            litres(raw, volume, 200.0, refill);
            raw.timings.run_s_max = Some(run_s);
            raw.timings.prime_s = Some(10.0);
            raw.timings.refill_s_max = cycle_s;
            raw.timings.refill_s_per_day_max = Some(86_400.0);
        });
        let read = parse(&raw);
        assert_eq!(read.is_ok(), holds, "{volume} l, {run_s} s, {refill} l/min: {:?}", read.err());
    }
}

/// What is refused beyond its neighbour holds beside it.
#[test]
fn timings_that_just_agree_are_taken() {
    let rows: [(Edit, &str); 8] = [
        (
            |r| {
                short_run(r);
                r.timings.throttle_lead_s = Some(50.0);
            },
            "ten seconds at full speed",
        ),
        (
            |r| {
                short_run(r);
                r.timings.prime_s = Some(25.0);
            },
            "half of a run to prime and crank",
        ),
        (
            |r| {
                short_run(r);
                r.timings.test_s = Some(60.0);
            },
            "a test as long as a run",
        ),
        (
            |r| {
                r.timings.crank_s = Some(15.0);
                r.timings.crank_rest_s = Some(15.0);
            },
            "90 s of cranking, and rests as long",
        ),
        (
            |r| {
                r.timings.kill_s = Some(10.0);
                r.timings.stop_s_max = Some(10.0);
            },
            "a stop as long as its pulse",
        ),
        (
            |r| r.timings.valve_close_s = Some(15.0),
            "a valve that closes with the pulse and the spinning down",
        ),
        (|r| r.timings.refill_s_per_day_max = Some(75_600.0), "one refill a day"),
        (|r| r.tank.refill_multiplier = Some(42.0), "a refill for the longest run"),
    ];
    for (edit, what) in rows {
        if let Err(wrong) = parse(&engine_plan(edit)) {
            panic!("{what}: {wrong:?}");
        }
    }
}
