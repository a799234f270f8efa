//! What a seed's site is like.

use vigia_core::pump::plan::raw::RawInput;
use vigia_core::pump::plan::{OnCrash, Plan, Preset, RawPlan, WaterPolicy, parse::parse};
use vigia_core::pump::{Output, Reading, Sensor};

use super::link::Weather;
use crate::plant::{DriveConfig, Ignition, PlantConfig, Watchdog};

/// All that is fixed before the first second.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub plan: Plan,
    pub plant: PlantConfig,
    pub cameras: usize,
    pub needed: i64,
    pub weather: Weather,
    /// From deadline to deadline, or cycle by cycle with its supervision.
    pub jumps: bool,
    pub write_ms: u64,
    /// Between two deeds.
    pub mean_ms: u64,
}

impl Setting {
    /// Drawn from a seed.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let raw = draw_plan(rng);
        let jumps = rng.u8(..16) != 0;
        let plan = parse(&raw).unwrap_or_else(|wrong| unreachable!("{wrong:?}")).plan;
        let mut plant = PlantConfig::of(&plan);
        plant.has_feedback = rng.u8(..4) != 0;
        plant.hard_wired_stop = rng.u8(..4) != 0;
        plant.tank.level_l = plant.tank.volume_l * (0.3 + 0.65 * rng.f64());
        if let Some(DriveConfig::Engine(engine)) = &mut plant.drive {
            engine.catches = 0.5 + 0.5 * rng.f64();
            if plan.has_output(Output::Kill) && rng.u8(..4) == 0 {
                engine.ignition = Ignition::EnergiseToStop;
            }
        }
        let cameras = rng.usize(2..=super::cameras::CAMERAS_LEN_MAX);
        Self {
            plan: if jumps { plan.jumping() } else { plan },
            plant,
            cameras,
            needed: if rng.u8(..8) == 0 { 1 } else { 2 },
            weather: Weather { lost: rng.u8(..64), doubled: rng.u8(..64), late: rng.u8(..32) },
            jumps,
            write_ms: rng.u64(1..80),
            mean_ms: rng.u64(1000..8000),
        }
    }

    /// The engine pump of Wildfire Watch with its own times, everything fitted: for a year.
    pub fn wildfire() -> Self {
        let mut raw = RawPlan::of(Preset::WildfireEngine);
        raw.policies.on_crash = Some(OnCrash::FailStop);
        fit(&mut raw, &Sensor::ALL);
        let plan = parse(&raw).unwrap_or_else(|wrong| unreachable!("{wrong:?}")).plan;
        Self {
            plan: plan.jumping(),
            plant: PlantConfig::of(&plan),
            cameras: 3,
            needed: 2,
            weather: Weather { lost: 2, doubled: 2, late: 2 },
            jumps: true,
            write_ms: 20,
            mean_ms: 12 * 3600 * 1000,
        }
    }

    /// The same, without the watchdog relay of reliability 2.4.
    pub fn without_watchdog(mut self) -> Self {
        self.plant.watchdog = Watchdog::Absent;
        self
    }
}

/// All contacts of a list, supervised.
fn fit(raw: &mut RawPlan, sensors: &[Sensor]) {
    for sensor in sensors {
        raw.inputs.insert(*sensor, RawInput { broken_reads: Reading::Fault, debounce_ms: None });
    }
    if raw.preset != Preset::WildfireEngine {
        raw.inputs.remove(&Sensor::StarterClosed);
    }
}

fn draw_plan(rng: &mut fastrand::Rng) -> RawPlan {
    let preset = match rng.u8(..16) {
        0..12 => Preset::WildfireEngine,
        12..15 => Preset::Electric,
        _ => Preset::AlarmOnly,
    };
    let mut raw = RawPlan::of(preset);
    let mut fitted: Vec<Sensor> = Sensor::ALL.to_vec();
    let most = rng.u8(..);
    fitted.retain(|_| rng.u8(..) >= most / 2);
    let selector = fitted.contains(&Sensor::SelectorAuto);
    fitted.retain(|sensor| *sensor != Sensor::SelectorManual);
    if selector {
        fitted.push(Sensor::SelectorManual);
    }
    fit(&mut raw, &fitted);
    if preset == Preset::AlarmOnly {
        return raw;
    }
    raw.outputs = Some(draw_outputs(preset, rng));
    draw_times(&mut raw, rng);
    raw.policies.on_crash = Some(if rng.bool() { OnCrash::FailStop } else { OnCrash::FailRun });
    raw.policies.without_water = Some(if rng.bool() { WaterPolicy::Protect } else { WaterPolicy::Fire });
    raw.policies.gravity_feed = Some(rng.bool());
    raw.policies.start_on_partial_tank = Some(rng.bool() && fitted.contains(&Sensor::FloatLow));
    raw.policies.ignition_with_starter = Some(rng.bool());
    raw.policies.remote_stop_reset = Some(rng.bool());
    raw
}

fn draw_outputs(preset: Preset, rng: &mut fastrand::Rng) -> Vec<Output> {
    let always = |output: Output| match output {
        Output::MainValve | Output::Siren => true,
        Output::Run | Output::Starter => preset == Preset::WildfireEngine,
        Output::Contactor => preset == Preset::Electric,
        _ => false,
    };
    let may = |output: Output| match output {
        Output::Kill | Output::ThrottleDown => preset == Preset::WildfireEngine,
        Output::Run | Output::Starter | Output::Contactor => false,
        _ => true,
    };
    Output::ALL.into_iter().filter(|o| always(*o) || (may(*o) && rng.u8(..8) != 0)).collect()
}

/// Short times, so that every deadline comes up in a few minutes.
fn draw_times(raw: &mut RawPlan, rng: &mut fastrand::Rng) {
    let has = |raw: &RawPlan, output| raw.outputs.as_ref().is_some_and(|list| list.contains(&output));
    let mut between = |from: f64, to: f64| Some((from + (to - from) * rng.f64()).round());
    let engine = raw.preset == Preset::WildfireEngine;
    raw.timings.pre_open_s = between(0.0, 3.0);
    raw.timings.valve_travel_s_max = between(2.0, 8.0);
    raw.timings.run_s_max = between(60.0, 90.0);
    // A fire that persists is said again every ten seconds, over a link that loses a quarter.
    raw.timings.fire_off_s = between(50.0, 80.0);
    raw.timings.valve_close_s = between(30.0, 60.0);
    raw.timings.cooldown_s = between(0.0, 10.0);
    raw.timings.dry_s_max = between(10.0, 30.0);
    raw.timings.pressure_check_s = between(2.0, 10.0);
    raw.timings.test_s = between(30.0, 60.0);
    raw.timings.stop_s_max = between(10.0, 20.0);
    if engine {
        raw.timings.crank_s = between(2.0, 8.0);
        raw.timings.crank_rest_s = between(10.0, 12.0);
        raw.timings.crank_attempts = Some(2 + i64::from(rng.u8(..4)));
    }
    let mut between = |from: f64, to: f64| Some((from + (to - from) * rng.f64()).round());
    if has(raw, Output::Kill) {
        raw.timings.kill_s = between(2.0, 4.0);
    }
    if has(raw, Output::PrimingValve) {
        raw.timings.prime_s = between(3.0, 15.0);
    }
    if has(raw, Output::ThrottleDown) {
        raw.timings.throttle_lead_s = between(0.0, 10.0);
        raw.timings.throttle_down_s = between(1.0, 5.0);
    }
    if has(raw, Output::RefillValve) {
        raw.tank.refill_multiplier = between(1.0, 3.0);
        raw.timings.refill_s_max = Some(360.0);
        raw.timings.refill_s_per_day_max = if rng.u8(..8) == 0 { Some(600.0) } else { None };
    }
}
