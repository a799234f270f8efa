//! The judge against images made by hand: what no machine of ours does must be found.

use std::time::Duration;

use vigia_core::pump::plan::parse::parse;
use vigia_core::pump::plan::raw::RawInput;
use vigia_core::pump::plan::{OnCrash, Plan, Preset, RawPlan};
use vigia_core::pump::{Output, Reading, RelayImage, Sensor, StateName};
use vigia_core::time::Instant;

use crate::plant::{Button, Fault, Plant, PlantConfig};
use crate::trial::broken::Broken;
use crate::trial::judge::Judge;

struct Hands {
    plant: Plant,
    judge: Judge,
    now: Instant,
    alive: bool,
    state: Option<StateName>,
}

fn plan() -> Plan {
    let mut raw = RawPlan::of(Preset::WildfireEngine);
    raw.policies.on_crash = Some(OnCrash::FailStop);
    raw.timings.dry_s_max = Some(30.0);
    for sensor in Sensor::ALL {
        raw.inputs.insert(sensor, RawInput { broken_reads: Reading::Fault, debounce_ms: None });
    }
    parse(&raw).expect("a plan").plan
}

fn image(on: &[Output]) -> RelayImage {
    RelayImage::read_back(|output| on.contains(&output))
}

impl Hands {
    fn new() -> Self {
        let plan = plan();
        let now = Instant(1_000_000_000);
        let mut plant = Plant::new(PlantConfig::of(&plan), 1);
        plant.pass(now);
        Self { plant, judge: Judge::new(plan), now, alive: true, state: Some(StateName::Running) }
    }

    /// Holds an image for so long; what the judge says to it.
    fn hold(&mut self, on: &[Output], seconds: f64) -> Result<(), Broken> {
        let (image, until) = (image(on), self.now.after(Duration::from_secs_f64(seconds)));
        while self.now < until {
            self.plant.advance(self.now, &image);
            self.judge.plant(self.now, &self.plant, image, self.state, self.alive)?;
            self.now = self.now.after(Duration::from_millis(100));
            self.plant.pass(self.now);
        }
        self.judge.plant(self.now, &self.plant, image, self.state, self.alive)
    }

    /// Valve open, primed, engine running.
    fn running(&mut self) {
        self.hold(&[Output::MainValve, Output::PrimingValve], 8.0).expect("opens");
        let cranking = [Output::MainValve, Output::PrimingValve, Output::Starter, Output::Run];
        while !self.plant.truth().runs {
            self.hold(&cranking, 0.1).expect("cranks");
        }
        self.hold(&[Output::MainValve, Output::PrimingValve, Output::Run], 20.0).expect("runs");
        assert!(self.plant.truth().flow_l_per_s > 5.0);
    }
}

const RUNNING: [Output; 2] = [Output::MainValve, Output::Run];

#[test]
fn a_good_run_is_no_violation() {
    let mut hands = Hands::new();
    hands.running();
    hands.hold(&RUNNING, 60.0).expect("runs");
    hands.hold(&[Output::MainValve, Output::Kill], 10.0).expect("stops");
    assert_eq!(hands.plant.truth().rpm, 0.0);
    hands.hold(&[], 20.0).expect("shuts");
}

#[test]
fn cranking_a_running_engine_is_found() {
    let mut hands = Hands::new();
    hands.running();
    let found = hands.hold(&[Output::MainValve, Output::Run, Output::Starter], 3.0);
    assert!(matches!(found, Err(Broken::CrankedRunning { .. })), "{found:?}");
}

#[test]
fn driving_with_the_valve_commanded_shut_is_found() {
    let mut hands = Hands::new();
    hands.running();
    assert_eq!(hands.hold(&[Output::Run], 1.0), Err(Broken::DrivenShut));
}

#[test]
fn driving_with_a_valve_that_is_not_open_is_found() {
    let mut hands = Hands::new();
    hands.running();
    hands.plant.fault(Fault::RelayDead(Output::MainValve));
    let found = hands.hold(&RUNNING, 10.0);
    assert!(matches!(found, Err(Broken::ValveLost { .. })), "{found:?}");
}

#[test]
fn shutting_the_valve_on_a_turning_engine_is_found() {
    let mut hands = Hands::new();
    hands.running();
    hands.plant.fault(Fault::RunsOn);
    let found = hands.hold(&[], 5.0);
    assert!(matches!(found, Err(Broken::ShutWhileTurning { .. })), "{found:?}");
}

#[test]
fn cranking_before_the_valve_is_open_is_found() {
    let mut hands = Hands::new();
    hands.hold(&[Output::MainValve], 1.0).expect("opens");
    let found = hands.hold(&[Output::MainValve, Output::Run, Output::Starter], 1.0);
    assert!(matches!(found, Err(Broken::CrankedUnproven { .. })), "{found:?}");
}

#[test]
fn cranking_without_end_is_found() {
    let mut hands = Hands::new();
    hands.plant.fault(Fault::NoCatch);
    hands.hold(&[Output::MainValve], 8.0).expect("opens");
    let found = hands.hold(&[Output::MainValve, Output::Starter, Output::Run], 30.0);
    assert!(matches!(found, Err(Broken::CrankedLong { .. })), "{found:?}");
}

#[test]
fn cranking_too_often_is_found() {
    let mut hands = Hands::new();
    hands.plant.fault(Fault::NoCatch);
    hands.hold(&[Output::MainValve], 8.0).expect("opens");
    let mut found = Ok(());
    for _ in 0..30 {
        found = found
            .and_then(|()| hands.hold(&[Output::MainValve, Output::Starter, Output::Run], 4.5))
            .and_then(|()| hands.hold(&[Output::MainValve], 10.0));
    }
    assert!(matches!(found, Err(Broken::TooManyCranks { .. } | Broken::CrankedOften { .. })), "{found:?}");
}

#[test]
fn driving_and_killing_at_once_is_found() {
    let mut hands = Hands::new();
    hands.running();
    let found = hands.hold(&[Output::MainValve, Output::Run, Output::Kill], 1.0);
    assert_eq!(found, Err(Broken::DrivenAndKilled));
}

#[test]
fn driving_past_a_pressed_stop_is_found() {
    let mut hands = Hands::new();
    let mut config = *hands.plant.config();
    config.hard_wired_stop = false;
    hands.plant = Plant::new(config, 1);
    hands.plant.pass(hands.now);
    hands.running();
    hands.plant.press(Button::Stop, true);
    let found = hands.hold(&RUNNING, 2.0);
    assert!(matches!(found, Err(Broken::StopIgnored { .. })), "{found:?}");
}

#[test]
fn running_dry_is_found() {
    let mut hands = Hands::new();
    hands.running();
    hands.plant.fault(Fault::SuctionBlocked);
    let found = hands.hold(&RUNNING, 60.0);
    assert!(matches!(found, Err(Broken::Dry { .. })), "{found:?}");
}

#[test]
fn overspeed_is_found() {
    let mut hands = Hands::new();
    hands.running();
    hands.plant.fault(Fault::Overspeeds);
    let found = hands.hold(&RUNNING, 10.0);
    assert!(matches!(found, Err(Broken::Overspeed { .. })), "{found:?}");
}

#[test]
fn running_for_ever_is_found() {
    let mut hands = Hands::new();
    hands.running();
    let found = hands.hold(&RUNNING, 2000.0);
    assert!(matches!(found, Err(Broken::RanLong { .. })), "{found:?}");
}

#[test]
fn filling_a_full_tank_is_found() {
    let mut hands = Hands::new();
    let full = hands.plant.config().tank.high_l();
    hands.plant.fill_to(full);
    let found = hands.hold(&[Output::RefillValve], 10.0);
    assert!(matches!(found, Err(Broken::Overfilled { .. })), "{found:?}");
}

#[test]
fn refilling_without_end_is_found() {
    let mut hands = Hands::new();
    hands.plant.fault(Fault::NoRefill);
    hands.plant.fill_to(1000.0);
    let mut found = Ok(());
    for _ in 0..24 {
        hands.plant.advance(hands.now, &image(&[Output::RefillValve]));
        hands.now = hands.now.after(Duration::from_secs(3600));
        hands.plant.pass(hands.now);
        found = found.and_then(|()| hands.hold(&[Output::RefillValve], 1.0));
    }
    assert!(matches!(found, Err(Broken::RefilledOften { .. })), "{found:?}");
}

#[test]
fn driving_in_off_is_found() {
    let mut hands = Hands::new();
    hands.running();
    hands.state = Some(StateName::Off);
    assert_eq!(hands.hold(&RUNNING, 1.0), Err(Broken::DrivenInStandby { state: StateName::Off }));
}

/// The watchdog relay of this plant beats on: nothing else notices that the program is dead.
#[test]
fn power_that_outlives_the_program_is_found() {
    let mut hands = Hands::new();
    hands.running();
    hands.alive = false;
    hands.judge.died(false);
    let found = hands.hold(&RUNNING, 2.0);
    assert!(matches!(found, Err(Broken::OutlivesProgram { output: Output::Run, .. })), "{found:?}");
}
