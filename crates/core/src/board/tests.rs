//! Boards that fit a plan, and each way in which one may not.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::pump::plan::{OnCrash, Preset, RawInput, parse};
use crate::pump::{Output, RawPlan, Reading, Sensor};

fn plan() -> RawPlan {
    let mut plan = RawPlan::of(Preset::Electric);
    plan.policies.on_crash = Some(OnCrash::FailStop);
    let input = RawInput { broken_reads: Reading::Inactive, debounce_ms: None };
    plan.inputs.insert(Sensor::Pressure, input);
    plan
}

fn relay(line: &str) -> RawRelay {
    let (line, active) = (line.to_string(), Level::High);
    RawRelay { chip: None, line, offset: None, active, drive: None, feedback: None, pad: None }
}

fn contact(line: &str) -> RawContact {
    RawContact {
        chip: None,
        line: line.to_string(),
        offset: None,
        active: Level::Low,
        bias: Bias::PullUp,
        debounce_ms: None,
        complement: None,
        pulses_per_s_min: None,
    }
}

fn feedback(line: &str, delay_ms: Option<i64>) -> RawFeedback {
    RawFeedback { chip: None, line: line.to_string(), offset: None, active: Level::Low, delay_ms }
}

fn place(line: &str) -> RawPlace {
    RawPlace { chip: None, line: line.to_string(), offset: None }
}

fn watchdog() -> RawWatchdog {
    let heartbeat = RawHeartbeat { chip: None, line: "GPIO5".to_string(), offset: None, pad: None };
    let feedback = RawMaster { chip: None, line: "GPIO6".to_string(), offset: None, active: Level::High };
    RawWatchdog { heartbeat, feedback, behind: [Output::Contactor].into() }
}

fn board() -> RawLines {
    let mut valve = relay("GPIO18");
    valve.chip = Some("main".to_string());
    RawLines {
        bank: BankName::Gpio,
        outputs: [(Output::MainValve, valve), (Output::Contactor, relay("GPIO23"))].into(),
        inputs: [(Sensor::Pressure, contact("GPIO20"))].into(),
        watchdog: Some(watchdog()),
        pads: None,
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
    let rows: [(Change, &str); 19] = [
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
                let feedback = feedback("GPIO23", None);
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
            |b| b.inputs.get_mut(&Sensor::Pressure).expect("it").complement = Some(place("GPIO21")),
            "lines.inputs.pressure.complement is given",
        ),
        (
            |b| b.inputs.get_mut(&Sensor::Pressure).expect("it").debounce_ms = Some(201),
            "lines.inputs.pressure.debounce_ms is 201: it must be between 0 and 200",
        ),
        (
            |b| b.inputs.get_mut(&Sensor::Pressure).expect("it").pulses_per_s_min = Some(2),
            "lines.inputs.pressure.pulses_per_s_min is 2: only a flow meter gives pulses",
        ),
        (
            |b| b.outputs.get_mut(&Output::Contactor).expect("it").chip = Some("other".to_string()),
            "lines.outputs.contactor.chip is other: all relays must be on one chip, and main_valve is on main",
        ),
        (|b| b.watchdog = None, "lines.watchdog is missing: a line holds its level when this program dies"),
        (
            |b| b.watchdog.as_mut().expect("it").behind.clear(),
            "lines.watchdog.behind is incomplete: contactor must fall when this program dies",
        ),
        (
            |b| b.watchdog.as_mut().expect("it").behind.push(Output::MainValve),
            "lines.watchdog.behind is main_valve: main_valve must stay when this program dies",
        ),
        (
            |b| b.watchdog.as_mut().expect("it").heartbeat.line = "GPIO20".to_string(),
            "lines.watchdog.heartbeat.line is GPIO20: it must be a line of its own",
        ),
        (
            |b| {
                let pad = RawPad { group: "soc_gpio32_pq5".to_string(), tristate: 0 };
                b.watchdog.as_mut().expect("it").heartbeat.pad = Some(pad);
            },
            "lines.pads is missing: a pad is asked for",
        ),
        (
            |b| b.pads = Some(RawPads { controller: "../etc".to_string() }),
            "lines.pads.controller is \"../etc\": it must be the name of a folder",
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
fn a_fault_needs_a_second_contact() {
    let mut plan = plan();
    plan.inputs.get_mut(&Sensor::Pressure).expect("it").broken_reads = Reading::Fault;
    assert!(wrong(&board(), &plan)[0].contains("lines.inputs.pressure.complement is missing"));
    let mut board = board();
    board.inputs.get_mut(&Sensor::Pressure).expect("it").complement = Some(place("GPIO21"));
    assert!(wrong(&board, &plan).is_empty());
}

#[test]
fn the_same_name_on_two_chips_is_two_lines() {
    let mut board = board();
    let on = |chip: &str| {
        let mut contact = contact("PH.00");
        contact.chip = Some(chip.to_string());
        contact
    };
    board.inputs.insert(Sensor::Pressure, on("tegra234-gpio"));
    board.inputs.insert(Sensor::Flow, on("tegra234-gpio-aon"));
    assert!(wrong(&board, &plan()).is_empty());
    board.inputs.insert(Sensor::Flow, contact("PH.00"));
    assert_eq!(wrong(&board, &plan()).len(), 1);
}

/// A cut wire gives no pulses, so where it is pulled does not matter.
#[test]
fn a_flow_meter_gives_pulses() {
    let (mut board, mut plan) = (board(), plan());
    let mut meter = contact("GPIO22");
    (meter.pulses_per_s_min, meter.active) = (Some(2), Level::High);
    board.inputs.insert(Sensor::Flow, meter);
    let input = |broken_reads| RawInput { broken_reads, debounce_ms: None };
    plan.inputs.insert(Sensor::Flow, input(Reading::Inactive));
    assert_eq!(wrong(&board, &plan), [""; 0]);
    plan.inputs.insert(Sensor::Flow, input(Reading::Fault));
    assert!(wrong(&board, &plan)[0].contains("lines.inputs.flow.complement is missing"));
}

#[test]
fn slow_feedback_is_refused() {
    let mut board = board();
    board.outputs.get_mut(&Output::MainValve).expect("it").feedback = Some(feedback("GPIO7", Some(201)));
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
