//! Tank, main valve, suction and what comes out.

use vigia_core::pump::{Output, RelayImage};

use super::config::PlantConfig;
use super::engine::RUNS_FROM_RPM;
use super::fault::{Fault, Faults};

/// Above it the limit switch says open, below the other one shut.
pub const OPEN_FROM: f64 = 0.98;
pub const SHUT_UP_TO: f64 = 0.02;
/// Without water a pump loses its prime in so many seconds.
const PRIME_LOST_S: f64 = 3.0;
/// Bleeding without the priming valve takes so many times as long.
const BLIND_PRIMING: f64 = 4.0;
/// It counts as primed from here on.
pub const PRIMED_FROM: f64 = 0.9;
/// How slow a slow valve is.
const SLOW: f64 = 6.0;
/// A leak, as a share of the tank per second.
const LEAK_PER_S: f64 = 1.0 / 7200.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Water {
    pub level_l: f64,
    /// Of the main valve: 0 shut, 1 open.
    pub valve: f64,
    /// Of the suction: 0 air, 1 water.
    pub prime: f64,
    /// What leaves the main valve, litres per second.
    pub flow_l_per_s: f64,
    /// What runs over since the start, litres.
    pub overflow_l: f64,
    pub delivered_l: f64,
    pub filled_l: f64,
}

impl Water {
    pub fn new(config: &PlantConfig) -> Self {
        Self {
            level_l: config.tank.level_l,
            valve: 0.0,
            prime: 0.0,
            flow_l_per_s: 0.0,
            overflow_l: 0.0,
            delivered_l: 0.0,
            filled_l: 0.0,
        }
    }

    pub fn is_busy(&self, live: RelayImage, rpm: f64, faults: &Faults) -> bool {
        let to = if live.is_on(Output::MainValve) { 1.0 } else { 0.0 };
        let travels = self.valve != to && !faults.has(Fault::ValveJammed);
        let primes = rpm > RUNS_FROM_RPM && (self.prime < 1.0 || !self.has_suction(faults));
        travels || primes
    }

    fn has_suction(&self, faults: &Faults) -> bool {
        self.level_l > 0.0 && !faults.has(Fault::SuctionBlocked)
    }

    /// Litres per second that come in.
    pub fn inflow(&self, config: &PlantConfig, live: RelayImage, faults: &Faults) -> f64 {
        let is_open = live.is_on(Output::RefillValve) || faults.has(Fault::RefillStuckOpen);
        if is_open && !faults.has(Fault::NoRefill) { config.tank.refill_l_per_s } else { 0.0 }
    }

    /// Litres per second that are lost.
    pub fn leak(&self, config: &PlantConfig, faults: &Faults) -> f64 {
        if faults.has(Fault::TankLeaks) { config.tank.volume_l * LEAK_PER_S } else { 0.0 }
    }

    pub fn pass(
        &mut self,
        dt: f64,
        config: &PlantConfig,
        live: RelayImage,
        faults: &Faults,
        rpm: f64,
        rated: f64,
    ) {
        self.travel(dt, config, live, faults);
        self.suck(dt, config, live, faults, rpm);
        let inflow = self.inflow(config, live, faults);
        let share = (rpm / rated).min(1.2) * self.valve.min(1.0);
        let pumps = rpm > RUNS_FROM_RPM && self.prime >= PRIMED_FROM && self.valve > 0.05;
        let wanted = if pumps && self.has_suction(faults) { config.tank.pump_l_per_s * share } else { 0.0 };
        let there = self.level_l / dt + inflow;
        self.flow_l_per_s = wanted.min(there);
        self.delivered_l += self.flow_l_per_s * dt;
        self.filled_l += inflow * dt;
        let level = self.level_l + (inflow - self.flow_l_per_s - self.leak(config, faults)) * dt;
        self.overflow_l += (level - config.tank.volume_l).max(0.0);
        self.level_l = level.clamp(0.0, config.tank.volume_l);
    }

    fn travel(&mut self, dt: f64, config: &PlantConfig, live: RelayImage, faults: &Faults) {
        if faults.has(Fault::ValveJammed) {
            return;
        }
        let slow = if faults.has(Fault::ValveSlow) { SLOW } else { 1.0 };
        let way = dt / (config.valve_travel_s * slow).max(0.05);
        let to: f64 = if live.is_on(Output::MainValve) { 1.0 } else { 0.0 };
        self.valve = if self.valve < to { (self.valve + way).min(to) } else { (self.valve - way).max(to) };
    }

    fn suck(&mut self, dt: f64, config: &PlantConfig, live: RelayImage, faults: &Faults, rpm: f64) {
        if rpm <= RUNS_FROM_RPM {
            return;
        }
        if !self.has_suction(faults) {
            self.prime = (self.prime - dt / PRIME_LOST_S).max(0.0);
            return;
        }
        let slow = if live.is_on(Output::PrimingValve) { 1.0 } else { BLIND_PRIMING };
        self.prime = (self.prime + dt / (config.priming_s * slow).max(0.05)).min(1.0);
    }
}
