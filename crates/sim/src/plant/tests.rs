//! What the plant does to relay images.

use std::time::Duration;

use vigia_core::pump::{Output, Reading};

use super::*;

struct Bench {
    plant: Plant,
    now: Instant,
}

fn image(on: &[Output]) -> RelayImage {
    RelayImage::read_back(|output| on.contains(&output))
}

impl Bench {
    fn new(config: PlantConfig) -> Self {
        let now = Instant(5_000_000_000);
        let mut plant = Plant::new(config, 3);
        plant.advance(now, &RelayImage::NONE);
        Self { plant, now }
    }

    fn engine() -> Self {
        Self::new(PlantConfig::wildfire_engine())
    }

    fn hold(&mut self, on: &[Output], seconds: f64) {
        self.plant.advance(self.now, &image(on));
        self.now = self.now.after(Duration::from_secs_f64(seconds));
        self.plant.pass(self.now);
    }

    fn reads(&self, sensor: Sensor) -> Reading {
        self.plant.sensors().get(sensor)
    }

    /// Running at rated speed with water.
    fn start(&mut self) {
        self.hold(&[Output::MainValve, Output::PrimingValve], 7.0);
        self.hold(&[Output::MainValve, Output::PrimingValve, Output::Run, Output::Starter], 4.0);
        self.hold(&[Output::MainValve, Output::PrimingValve, Output::Run], 30.0);
    }
}

const RUN: [Output; 2] = [Output::MainValve, Output::Run];

#[test]
fn a_run_moves_water_and_the_contacts_say_so() {
    let mut bench = Bench::engine();
    for sensor in [Sensor::Flow, Sensor::Pressure, Sensor::EngineRun, Sensor::ValveOpen] {
        assert_eq!(bench.reads(sensor), Reading::Inactive, "{sensor:?}");
    }
    bench.start();
    for sensor in
        [Sensor::Flow, Sensor::Pressure, Sensor::EngineRun, Sensor::EngineTurning, Sensor::ValveOpen]
    {
        assert_eq!(bench.reads(sensor), Reading::Active, "{sensor:?}");
    }
    let before = *bench.plant.truth();
    bench.hold(&RUN, 100.0);
    let after = bench.plant.truth();
    assert!(
        (before.level_l - after.level_l - 1000.0).abs() < 5.0,
        "{} l used",
        before.level_l - after.level_l
    );
    assert!((after.delivered_l - before.delivered_l - 1000.0).abs() < 5.0);
}

#[test]
fn litres_do_not_depend_on_how_often_it_is_looked_at() {
    let level = |times: u32, every: f64| {
        let mut bench = Bench::engine();
        bench.start();
        for _ in 0..times {
            bench.hold(&RUN, every);
        }
        bench.plant.truth().level_l
    };
    let (fine, coarse) = (level(6000, 0.1), level(2, 300.0));
    assert!((fine - coarse).abs() < 10.0, "{fine} {coarse}");
}

#[test]
fn an_engine_without_fuel_comes_to_rest() {
    let mut bench = Bench::engine();
    bench.start();
    bench.hold(&[Output::MainValve], 6.0);
    assert_eq!(bench.plant.truth().rpm, 0.0);
}

#[test]
fn an_engine_that_is_energised_to_stop_runs_on_until_it_is_killed() {
    let mut config = PlantConfig::wildfire_engine();
    if let Some(DriveConfig::Engine(engine)) = &mut config.drive {
        engine.ignition = Ignition::EnergiseToStop;
    }
    let mut bench = Bench::new(config);
    bench.start();
    bench.hold(&[Output::MainValve], 20.0);
    assert!(bench.plant.truth().runs);
    bench.hold(&[Output::MainValve, Output::Kill], 8.0);
    assert_eq!(bench.plant.truth().rpm, 0.0);
}

#[test]
fn the_watchdog_relay_drops_300_ms_after_the_last_heartbeat() {
    let mut bench = Bench::engine();
    bench.start();
    bench.plant.heartbeat(bench.now, false);
    bench.now = bench.now.after(Duration::from_millis(290));
    bench.plant.pass(bench.now);
    assert!(bench.plant.truth().live.is_on(Output::Run));
    bench.now = bench.now.after(Duration::from_millis(20));
    bench.plant.pass(bench.now);
    assert!(!bench.plant.truth().live.is_on(Output::Run) && !bench.plant.truth().k0);
    // The main valve is not behind it.
    assert!(bench.plant.truth().live.is_on(Output::MainValve));
    bench.plant.heartbeat(bench.now, true);
    assert!(bench.plant.truth().live.is_on(Output::Run));
}

#[test]
fn where_the_site_rides_through_a_crash_only_the_starter_drops_at_once() {
    let mut bench = Bench::new(PlantConfig { watchdog: Watchdog::FailRun, ..PlantConfig::wildfire_engine() });
    bench.start();
    bench.plant.heartbeat(bench.now, false);
    bench.hold(&[Output::MainValve, Output::Run, Output::Starter], 4.0);
    let live = bench.plant.truth().live;
    assert!(live.is_on(Output::Run) && !live.is_on(Output::Starter));
    bench.hold(&RUN, 1.5);
    assert!(!bench.plant.truth().live.is_on(Output::Run));
}

#[test]
fn welded_and_dead_relays_report_what_they_are() {
    let mut bench = Bench::engine();
    bench.plant.fault(Fault::RelayWelded(Output::Siren));
    bench.plant.fault(Fault::RelayDead(Output::MainValve));
    bench.hold(&[Output::MainValve], 7.0);
    assert_eq!(bench.plant.feedback(), image(&[Output::Siren]));
    assert_eq!(bench.plant.truth().valve, 0.0);
    bench.plant.mend(Fault::RelayDead(Output::MainValve));
    bench.hold(&[Output::MainValve], 7.0);
    assert_eq!(bench.reads(Sensor::ValveOpen), Reading::Active);
}

#[test]
fn a_hard_wired_stop_needs_no_program() {
    let mut bench = Bench::engine();
    bench.start();
    bench.plant.press(Button::Stop, true);
    bench.hold(&RUN, 6.0);
    assert_eq!(bench.plant.truth().rpm, 0.0);
    assert_eq!(bench.reads(Sensor::EmergencyStop), Reading::Active);
}

#[test]
fn an_empty_tank_and_a_blocked_suction_run_dry() {
    for fault in [Fault::TankEmptied, Fault::SuctionBlocked] {
        let mut bench = Bench::engine();
        bench.start();
        bench.plant.fault(fault);
        bench.hold(&RUN, 300.0);
        assert_eq!(bench.reads(Sensor::Flow), Reading::Inactive, "{fault:?}");
        assert!(bench.plant.truth().dry_s > 100.0, "{fault:?}: {:?}", bench.plant.truth());
    }
}

#[test]
fn a_refill_ends_on_the_floor_if_nobody_ends_it() {
    let mut bench = Bench::engine();
    assert_eq!(bench.reads(Sensor::FloatHigh), Reading::Active);
    bench.hold(&[Output::RefillValve], 3600.0);
    assert_eq!(bench.reads(Sensor::Overflow), Reading::Active);
    bench.hold(&[Output::RefillValve], 3600.0);
    let truth = bench.plant.truth();
    assert!(truth.overflow_l > 400.0, "{} l", truth.overflow_l);
    assert!((truth.filled_l - truth.overflow_l - 1500.0).abs() < 10.0, "{truth:?}");
}

#[test]
fn cranking_empties_a_battery_and_running_fills_it() {
    let mut bench = Bench::engine();
    bench.plant.fault(Fault::NoCatch);
    assert_eq!(bench.reads(Sensor::BatteryLow), Reading::Inactive);
    bench.hold(&[Output::Starter, Output::Run], 200.0);
    assert_eq!(bench.reads(Sensor::BatteryLow), Reading::Active);
    assert!(bench.plant.truth().cranked_s > 199.0 && bench.plant.truth().cranks == 1);
    bench.plant.mend(Fault::NoCatch);
    bench.plant.mend(Fault::BatteryFlat);
    bench.start();
    assert_eq!(bench.reads(Sensor::BatteryLow), Reading::Inactive);
}

#[test]
fn every_fault_of_a_contact_reads_as_it_should() {
    let mut bench = Bench::engine();
    for (contact, reads) in [
        (Contact::StuckActive, Reading::Active),
        (Contact::StuckInactive, Reading::Inactive),
        (Contact::Cut, Reading::Fault),
    ] {
        bench.plant.fault(Fault::Contact(Sensor::Flow, contact));
        assert_eq!(bench.reads(Sensor::Flow), reads);
        assert!(!bench.plant.is_honest(Sensor::Flow));
    }
    bench.plant.fault(Fault::Contact(Sensor::Flow, Contact::Flaps));
    let mut seen = Vec::new();
    for _ in 0..20 {
        bench.hold(&[], 0.1);
        seen.push(bench.reads(Sensor::Flow));
    }
    assert!(seen.contains(&Reading::Active) && seen.contains(&Reading::Inactive));
    bench.plant.mend_all();
    assert!(bench.plant.is_sound());
}

/// However seldom it is looked at: a motor runs from the step in which its contactor closes to the one
/// in which the watchdog relay drops it.
#[test]
fn a_motor_stops_with_its_power_and_not_with_the_next_look() {
    let delivered = |times: u32| {
        let mut bench = Bench::new(PlantConfig::electric());
        bench.plant.fault(Fault::RelayWelded(Output::Contactor));
        bench.hold(&[Output::MainValve], 60.0);
        bench.plant.heartbeat(bench.now, false);
        (0..times).for_each(|_| bench.hold(&[Output::MainValve], 60.0 / f64::from(times)));
        bench.plant.truth().delivered_l
    };
    let (fine, coarse) = (delivered(600), delivered(1));
    assert!((fine - coarse).abs() < 10.0, "{fine} {coarse}");
}

#[test]
fn the_same_seed_gives_the_same_plant() {
    let run = || {
        let mut bench = Bench::engine();
        bench.start();
        *bench.plant.truth()
    };
    assert_eq!(run(), run());
}
