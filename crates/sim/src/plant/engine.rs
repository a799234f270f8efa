//! What turns the pump: an engine that cranks, catches, runs, stalls and comes to rest, or a motor.

use vigia_core::pump::{Output, RelayImage};

use super::config::{DriveConfig, EngineConfig, Ignition};
use super::fault::{Fault, Faults};
use super::wiring::Power;

/// Below it nothing runs by itself; the starter reaches half of it.
pub const RUNS_FROM_RPM: f64 = 600.0;
/// What the contact of the crankshaft sees.
pub const TURNS_FROM_RPM: f64 = 20.0;
const CRANKING_RPM: f64 = 300.0;
const OVERSPEED_RPM: f64 = 1.25;
/// Gains this many times its rated speed each second.
const REVS_UP_PER_S: f64 = 0.6;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Engine {
    pub rpm: f64,
    /// It runs by itself.
    pub fires: bool,
    /// Of the crank in hand: seconds of it, and after how many it catches.
    cranked_s: f64,
    catches_at_s: Option<f64>,
    killed_s: f64,
}

impl Engine {
    pub const STILL: Self =
        Self { rpm: 0.0, fires: false, cranked_s: 0.0, catches_at_s: None, killed_s: 0.0 };

    pub fn stall(&mut self) {
        self.fires = false;
    }

    /// Whether anything about it changes by itself.
    pub fn is_busy(&self, drive: &DriveConfig, live: RelayImage, faults: &Faults) -> bool {
        let driven = live.is_on(Output::Starter) || live.is_on(Output::Kill);
        driven || (self.rpm - self.target(drive, live, faults)).abs() > 0.5 || self.will_change(drive, live)
    }

    /// Whether the next step makes it run or ends that.
    fn will_change(&self, drive: &DriveConfig, live: RelayImage) -> bool {
        match drive {
            DriveConfig::Engine(engine) => {
                self.fires && engine.ignition == Ignition::EnergiseToRun && !live.is_on(Output::Run)
            }
            DriveConfig::Electric { .. } => self.fires != live.is_on(Output::Contactor),
        }
    }

    /// `battery`: what the starter gets of what it needs, 0 to 1.
    pub fn pass(
        &mut self,
        dt: f64,
        drive: &DriveConfig,
        power: Power,
        faults: &Faults,
        battery: f64,
        rng: &mut fastrand::Rng,
    ) {
        let live = power.live;
        if let DriveConfig::Engine(engine) = drive {
            self.crank(dt, engine, live, faults, battery, rng);
            self.end(dt, engine, power, faults);
        } else {
            self.fires = live.is_on(Output::Contactor);
        }
        let target = self.target(drive, live, faults) * if self.fires { 1.0 } else { battery };
        let (rated, down_s) = match drive {
            DriveConfig::Engine(engine) => (engine.rated_rpm, engine.spin_down_s),
            DriveConfig::Electric { ramp_s } => (EngineConfig::USUAL.rated_rpm, *ramp_s),
        };
        let (up, down) = (rated * REVS_UP_PER_S * dt, rated / down_s.max(0.1) * dt);
        self.rpm = if self.rpm < target { target.min(self.rpm + up) } else { target.max(self.rpm - down) };
    }

    fn target(&self, drive: &DriveConfig, live: RelayImage, faults: &Faults) -> f64 {
        match drive {
            DriveConfig::Engine(engine) => {
                let throttled = live.is_on(Output::ThrottleDown);
                let rated = if throttled { engine.throttled_rpm } else { engine.rated_rpm };
                let over = if faults.has(Fault::Overspeeds) { OVERSPEED_RPM } else { 1.0 };
                if self.fires {
                    rated * over
                } else if live.is_on(Output::Starter) && !faults.has(Fault::NoPinion) {
                    CRANKING_RPM
                } else {
                    0.0
                }
            }
            DriveConfig::Electric { .. } => {
                if self.fires && !faults.has(Fault::NoCatch) {
                    EngineConfig::USUAL.rated_rpm
                } else {
                    0.0
                }
            }
        }
    }

    fn crank(
        &mut self,
        dt: f64,
        engine: &EngineConfig,
        live: RelayImage,
        faults: &Faults,
        battery: f64,
        rng: &mut fastrand::Rng,
    ) {
        if !live.is_on(Output::Starter) {
            self.cranked_s = 0.0;
            self.catches_at_s = None;
            return;
        }
        if self.cranked_s == 0.0 {
            let (from, to) = engine.catches_s;
            let at_s = from + (to - from) * rng.f64();
            self.catches_at_s = (rng.f64() < engine.catches).then_some(at_s);
        }
        self.cranked_s += dt;
        let may = !faults.has(Fault::NoCatch) && !faults.has(Fault::NoPinion) && battery > 0.5;
        let fuelled = engine.ignition == Ignition::EnergiseToStop
            || live.is_on(Output::Run)
            || engine.starter_feeds
            || faults.has(Fault::RunsOn);
        let is_killed = live.is_on(Output::Kill);
        if may && fuelled && !is_killed && self.catches_at_s.is_some_and(|at| self.cranked_s >= at) {
            self.fires = true;
        }
    }

    /// What ends it.
    fn end(&mut self, dt: f64, engine: &EngineConfig, power: Power, faults: &Faults) {
        let live = power.live;
        self.killed_s = if live.is_on(Output::Kill) { self.killed_s + dt } else { 0.0 };
        if faults.has(Fault::RunsOn) {
            return;
        }
        let has_no_fuel = engine.ignition == Ignition::EnergiseToRun && !live.is_on(Output::Run);
        if has_no_fuel && !live.is_on(Output::Starter) || self.killed_s >= engine.kill_s || power.killed {
            self.fires = false;
        }
    }
}
