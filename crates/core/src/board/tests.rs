//! Boards that fit a plan, and each way in which one may not.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::pump::plan::{OnCrash, Preset, RawInput, parse};

fn plan() -> RawPlan {
    let mut plan = RawPlan::of(Preset::Electric);
    plan.policies.on_crash = Some(OnCrash::FailStop);
    let input = RawInput { broken_reads: Reading::Inactive, debounce_ms: None };
    plan.inputs.insert(Sensor::Pressure, input);
    plan
}

fn relay(line: &str) -> RawRelay {
    RawRelay { chip: None, line: line.to_string(), active: Level::High, drive: None, feedback: None }
}

fn contact(line: &str) -> RawContact {
    RawContact {
        chip: None,
        line: line.to_string(),
        active: Level::Low,
        bias: Bias::PullUp,
        supervised: None,
    }
}

fn board() -> RawLines {
    RawLines {
        bank: BankName::Gpio,
        outputs: [(Output::MainValve, relay("GPIO18")), (Output::Contactor, relay("GPIO23"))].into(),
        inputs: [(Sensor::Pressure, contact("GPIO20"))].into(),
    }
}

fn wrong(raw: &RawLines, plan: &RawPlan) -> Vec<String> {
    let parsed = parse::parse(plan).expect("a plan").plan;
    check(raw, None, plan, &parsed).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn a_board_that_fits_is_taken() {
    let plan = plan();
    let parsed = parse::parse(&plan).expect("a plan").plan;
    let lines = check(&board(), None, &plan, &parsed).expect("it fits");
    assert_eq!(lines.relays.len(), 2);
    assert_eq!(lines.contacts.len(), 1);
    assert_eq!(lines.bank, BankName::Gpio);
}

/// Each mistake by itself, and the sentence it gets.
#[test]
fn each_mistake_has_its_sentence() {
    type Change = fn(&mut RawLines);
    let rows: [(Change, &str); 10] = [
        (|b| drop(b.outputs.remove(&Output::Contactor)), "lines.outputs.contactor is missing"),
        (|b| drop(b.inputs.remove(&Sensor::Pressure)), "lines.inputs.pressure is missing"),
        (
            |b| drop(b.outputs.insert(Output::Contactor, relay("GPIO18"))),
            "lines.outputs.contactor.line is GPIO18: it must be a line of its own",
        ),
        (
            |b| drop(b.inputs.insert(Sensor::Pressure, contact("GPIO18"))),
            "lines.inputs.pressure.line is GPIO18: it must be a line of its own",
        ),
        (
            |b| {
                let feedback = RawFeedback {
                    chip: None,
                    line: "GPIO23".to_string(),
                    active: Level::Low,
                    delay_ms: None,
                };
                b.outputs.get_mut(&Output::MainValve).expect("it").feedback = Some(feedback);
            },
            "it must be a line of its own",
        ),
        (
            |b| {
                let relay = b.outputs.get_mut(&Output::MainValve).expect("it");
                relay.drive = Some(Drive::OpenDrain);
            },
            "lines.outputs.main_valve.active is high: an open drain only pulls down",
        ),
        (
            |b| {
                let relay = b.outputs.get_mut(&Output::MainValve).expect("it");
                (relay.drive, relay.active) = (Some(Drive::OpenSource), Level::Low);
            },
            "lines.outputs.main_valve.active is low: an open source only pulls up",
        ),
        (
            |b| b.inputs.get_mut(&Sensor::Pressure).expect("it").bias = Bias::PullDown,
            "lines.inputs.pressure.bias is pull_down: a cut wire is pulled low and reads active",
        ),
        (
            |b| b.inputs.get_mut(&Sensor::Pressure).expect("it").supervised = Some(true),
            "lines.inputs.pressure.supervised is true",
        ),
        (
            |b| b.outputs.get_mut(&Output::MainValve).expect("it").line = String::new(),
            "it must be the name of a line",
        ),
    ];
    for (change, sentence) in rows {
        let mut board = board();
        change(&mut board);
        let said = wrong(&board, &plan());
        assert!(said.iter().any(|s| s.contains(sentence)), "{sentence}: {said:?}");
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn a_fault_needs_a_supervised_line() {
    let mut plan = plan();
    plan.inputs.get_mut(&Sensor::Pressure).expect("it").broken_reads = Reading::Fault;
    assert!(wrong(&board(), &plan)[0].contains("lines.inputs.pressure.supervised is false"));
    let mut board = board();
    board.inputs.get_mut(&Sensor::Pressure).expect("it").supervised = Some(true);
    assert!(wrong(&board, &plan).is_empty());
}

#[test]
fn the_same_name_on_two_chips_is_two_lines() {
    let mut board = board();
    let mut other = relay("PH.00");
    other.chip = Some("tegra234-gpio".to_string());
    board.outputs.insert(Output::MainValve, other.clone());
    other.chip = Some("tegra234-gpio-aon".to_string());
    board.outputs.insert(Output::Contactor, other.clone());
    assert!(wrong(&board, &plan()).is_empty());
    other.chip = None;
    board.outputs.insert(Output::Contactor, other);
    assert_eq!(wrong(&board, &plan()).len(), 1);
}

#[test]
fn slow_feedback_is_refused() {
    let mut board = board();
    let feedback =
        RawFeedback { chip: None, line: "GPIO5".to_string(), active: Level::Low, delay_ms: Some(201) };
    board.outputs.get_mut(&Output::MainValve).expect("it").feedback = Some(feedback);
    assert!(wrong(&board, &plan())[0].contains("delay_ms is 201: it must be between 0 and 200"));
}

/// In a simulation there is no wire, and any plan fits.
#[test]
fn a_simulated_board_has_no_wires() {
    let mut board = board();
    board.bank = BankName::Simulated;
    board.inputs.get_mut(&Sensor::Pressure).expect("it").bias = Bias::PullDown;
    assert!(wrong(&board, &plan()).is_empty());
}
