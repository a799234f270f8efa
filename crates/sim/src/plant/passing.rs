//! How time passes over a plant: in steps as long as nothing changes within them.

use std::time::Duration;

use vigia_core::pump::Output;
use vigia_core::time::Instant;

use super::contacts::BATTERY_LOW;
use super::engine::RUNS_FROM_RPM;
use super::{Fault, Plant, rated};

/// What moves is looked at this often.
const FINE: f64 = 0.1;
/// A battery gives so many seconds of cranking.
const BATTERY_CRANKS_S: f64 = 240.0;
/// Running, and the mains, fill it in.
const ALTERNATOR_S: f64 = 1800.0;
const CHARGER_S: f64 = 36_000.0;

impl Plant {
    /// One step of the model towards `limit`; returns when it is.
    pub(super) fn step(&mut self, limit: Instant) -> Instant {
        let at = *self.now.get_or_insert(limit);
        if at >= limit {
            return at;
        }
        let left = limit.since(at).as_secs_f64();
        let k0 = self.wiring.drops_at(at).map_or(left, |drop| drop.since(at).as_secs_f64());
        let dt = if self.is_busy() { FINE } else { self.quiet_s() }.min(left).min(k0).max(1e-6);
        self.integrate(dt);
        let at = at.after(Duration::from_secs_f64(dt)).max(Instant(at.0 + 1)).min(limit);
        self.now = Some(at);
        self.note();
        self.truth.count(dt, self.config.tank.pump_l_per_s);
        if self.wiring.silent_since.is_some() {
            self.refresh();
        }
        at
    }

    /// Something moves that must be looked at closely.
    fn is_busy(&self) -> bool {
        let live = self.power.live;
        self.config.drive.is_some_and(|drive| self.engine.is_busy(&drive, live, &self.faults))
            || self.water.is_busy(live, self.engine.rpm, &self.faults)
            // The last of the water comes in gulps.
            || (self.water.flow_l_per_s > 0.0 && self.water.level_l < self.config.tank.pump_l_per_s)
    }

    /// Seconds until the level passes a mark or the battery is worth a look, if nothing else moves.
    fn quiet_s(&self) -> f64 {
        const MOST_S: f64 = 3600.0;
        let (tank, level) = (self.config.tank, self.water.level_l);
        let inflow = self.water.inflow(&self.config, self.power.live, &self.faults);
        let rate = inflow - self.water.flow_l_per_s - self.water.leak(&self.config, &self.faults);
        if rate == 0.0 {
            return MOST_S;
        }
        let marks = [tank.low_l(), tank.high_l(), tank.over_l(), tank.volume_l, tank.pump_l_per_s, 0.0];
        let ahead = |mark: f64| if rate > 0.0 { mark > level } else { mark < level };
        // A little beyond the mark, so that it is passed.
        let to = |mark: f64| ((mark - level) / rate).abs() + 0.01;
        marks.into_iter().filter(|mark| ahead(*mark)).map(to).fold(MOST_S, f64::min)
    }

    fn integrate(&mut self, dt: f64) {
        let power = self.power;
        let live = power.live;
        let cranks = live.is_on(Output::Starter);
        let charge = if self.faults.has(Fault::BatteryFlat) {
            0.0
        } else if cranks {
            -1.0 / BATTERY_CRANKS_S
        } else if self.engine.rpm > RUNS_FROM_RPM {
            1.0 / ALTERNATOR_S
        } else {
            1.0 / CHARGER_S
        };
        self.battery = (self.battery + charge * dt).clamp(0.0, 1.0);
        let strength = (self.battery / BATTERY_LOW).min(1.0);
        if let Some(drive) = self.config.drive {
            self.engine.pass(dt, &drive, power, &self.faults, strength, &mut self.rng);
            self.water.pass(dt, &self.config, live, &self.faults, self.engine.rpm, rated(&drive));
        }
    }
}
