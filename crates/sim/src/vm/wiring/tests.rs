use vigia_core::board::RawLines;
use vigia_core::time::Instant;

use super::*;
use crate::plant::{Plant, PlantConfig};

const BOARD: &str = r#"{
  "bank": "gpio",
  "outputs": {
    "main_valve": {"chip": "a", "line": "VALVE", "offset": 7, "active": "high"},
    "run": {"chip": "a", "line": "RUN", "active": "high"},
    "starter": {"chip": "a", "line": "STARTER", "active": "low",
                "feedback": {"chip": "b", "line": "STARTER-IS", "active": "low"}},
    "refill_valve": {"chip": "a", "line": "REFILL", "active": "high"},
    "contactor": {"chip": "a", "line": "CONTACTOR", "active": "high"},
    "siren": {"chip": "a", "line": "SIREN", "active": "high"}
  },
  "inputs": {
    "flow": {"chip": "b", "line": "FLOW", "active": "low", "bias": "external_up"},
    "overflow": {"chip": "b", "line": "OVER", "active": "high", "bias": "external_down",
                 "complement": {"chip": "b", "line": "OVER-NOT"}}
  },
  "watchdog": {
    "heartbeat": {"chip": "a", "line": "BEAT"},
    "feedback": {"chip": "b", "line": "K0", "active": "high"},
    "behind": ["run", "starter", "refill_valve", "contactor"]
  }
}"#;

fn board() -> board::Lines {
    let raw: RawLines = serde_json::from_str(BOARD).expect("good");
    board::read(&raw, None).expect("good")
}

fn at(layout: &Layout, name: &str) -> usize {
    usize::from(layout.find(None, name).expect("there").0)
}

#[test]
fn a_board_makes_a_layout_as_bad_as_can_be() {
    let layout = layout(&board(), &[("a", 164)]).expect("good");
    assert_eq!((layout.chips[0].len, layout.chips[1].len), (164, 5));
    let pull = |name| layout.pulls()[at(&layout, name)];
    assert_eq!([pull("RUN"), pull("STARTER"), pull("STARTER-IS")], [Level::High, Level::Low, Level::High]);
    assert_eq!([pull("FLOW"), pull("OVER"), pull("K0")], [Level::High, Level::Low, Level::Low]);
    assert_eq!(layout.chips[0].lines.last().map(|l| l.offset), Some(7));
    let wiring = Wiring::of(&board(), &layout).expect("good");
    let all = wiring.asked(&layout.pulls());
    assert_eq!(all.energised().count(), 6, "{all:?}");
    assert!(Wiring::of(&board(), &Layout::default()).is_err());
}

#[test]
fn lines_ask_by_their_polarity_and_k0_takes_the_current_away() {
    let layout = layout(&board(), &[]).expect("good");
    let wiring = Wiring::of(&board(), &layout).expect("good");
    let mut levels = vec![Level::Low; layout.len()];
    let asked = |levels: &[Level]| wiring.asked(levels).energised().collect::<Vec<_>>();
    assert_eq!(asked(&levels), [Output::Starter]);
    levels[at(&layout, "STARTER")] = Level::High;
    levels[at(&layout, "SIREN")] = Level::High;
    levels[at(&layout, "RUN")] = Level::High;
    assert_eq!(asked(&levels), [Output::Run, Output::Siren]);
    let coils = |k0| wiring.coils(wiring.asked(&levels), k0).energised().collect::<Vec<_>>();
    assert_eq!(coils(true), [Output::Run, Output::Siren]);
    assert_eq!(coils(false), [Output::Siren]);
    assert!(asked(&[]).is_empty());
}

/// The plant has its own idea of what is behind K0; a board that agrees with it gives the same power.
#[test]
fn the_plant_and_the_wiring_agree() {
    let layout = layout(&board(), &[]).expect("good");
    let wiring = Wiring::of(&board(), &layout).expect("good");
    let all = wiring.asked(&layout.pulls());
    for is_pulled in [true, false] {
        let mut plant = Plant::new(PlantConfig::wildfire_engine(), 1);
        plant.advance(Instant(1_000_000_000), &all);
        if !is_pulled {
            plant.heartbeat(Instant(0), false);
        }
        assert_eq!(plant.truth().live, wiring.coils(all, is_pulled), "K0 {is_pulled}");
    }
}

#[test]
fn contacts_stand_by_polarity_and_cut_wires_by_their_bias() {
    let layout = layout(&board(), &[]).expect("good");
    let wiring = Wiring::of(&board(), &layout).expect("good");
    let levels = |sensor, reading| {
        let wire = wiring.contacts.iter().find(|w| w.sensor == sensor).expect("there");
        wire.levels(reading)
    };
    use Level::{High, Low};
    assert_eq!(levels(Sensor::Flow, Reading::Active), (Low, High));
    assert_eq!(levels(Sensor::Flow, Reading::Inactive), (High, Low));
    assert_eq!(levels(Sensor::Flow, Reading::Fault), (High, High));
    assert_eq!(levels(Sensor::Overflow, Reading::Active), (High, Low));
    assert_eq!(levels(Sensor::Overflow, Reading::Fault), (Low, Low));
}
