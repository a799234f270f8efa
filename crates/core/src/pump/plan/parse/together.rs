//! Settings that are each fine, and not together.

use super::super::{Drive, Inputs, Pump};
use super::Reader;
use crate::pump::sensors::Sensor;

impl Reader<'_> {
    pub(super) fn together(&mut self, pump: &Pump, inputs: Inputs) {
        self.run_and_throttle(pump);
        self.cranking(pump);
        self.stopping(pump);
        self.refilling(pump);
        if pump.start_on_partial_tank && !inputs.has(Sensor::FloatLow) {
            self.refuse(
                "policies.start_on_partial_tank",
                true,
                "inputs has no float_low to tell that there is water",
            );
        }
    }

    /// Spec 3.3: fatal there, too.
    fn run_and_throttle(&mut self, pump: &Pump) {
        let run = pump.limits.run_max;
        if let Some(throttle) = pump.throttle {
            let lead = throttle.lead.as_secs_f64();
            if throttle.lead >= run {
                self.refuse("timings.throttle_lead_s", lead, "it must be shorter than timings.run_s_max");
            } else if (run - throttle.lead).as_secs() < 10 {
                self.refuse(
                    "timings.throttle_lead_s",
                    lead,
                    "it must leave at least 10 s of timings.run_s_max",
                );
            }
            if throttle.down >= run {
                let down = throttle.down.as_secs_f64();
                self.refuse("timings.throttle_down_s", down, "it must be shorter than timings.run_s_max");
            }
        }
        let prime = pump.priming.unwrap_or_default();
        let crank = match pump.drive {
            Drive::Engine(cranking) => cranking.crank,
            Drive::Electric => core::time::Duration::ZERO,
        };
        if prime + crank > run / 2 {
            self.refuse(
                "timings.prime_s",
                prime.as_secs_f64(),
                "with timings.crank_s it must not exceed half of timings.run_s_max",
            );
        }
        if pump.limits.test > run {
            let test = pump.limits.test.as_secs_f64();
            self.refuse("timings.test_s", test, "it must not be longer than timings.run_s_max");
        }
    }

    ///
    fn cranking(&mut self, pump: &Pump) {
        let Drive::Engine(c) = pump.drive else { return };
        if c.rest < c.crank {
            self.refuse(
                "timings.crank_rest_s",
                c.rest.as_secs_f64(),
                "it must not be shorter than timings.crank_s",
            );
        }
    }

    /// the valve closes after the engine stands.
    fn stopping(&mut self, pump: &Pump) {
        let s = pump.stopping;
        let kill = s.kill.unwrap_or_default();
        if s.stop_max < kill {
            self.refuse(
                "timings.stop_s_max",
                s.stop_max.as_secs_f64(),
                "it must not be shorter than timings.kill_s",
            );
        }
        if s.valve_close < kill + s.spin_down {
            self.refuse(
                "timings.valve_close_s",
                s.valve_close.as_secs_f64(),
                "it must not be shorter than timings.kill_s and timings.spin_down_s together",
            );
        }
    }

    fn refilling(&mut self, pump: &Pump) {
        let Some(refill) = pump.refill else { return };
        if refill.budget < refill.cycle_max {
            self.refuse(
                "timings.refill_s_per_day_max",
                refill.budget.as_secs_f64(),
                "it must not be shorter than timings.refill_s_max",
            );
        }
        let owed_s = pump.limits.run_max.as_secs_f64() * f64::from(refill.per_mille) / 1000.0;
        // From litres, a run never owes more than a full tank.
        if self.raw.tank.volume_l.is_none() && owed_s > refill.cycle_max.as_secs_f64() {
            self.refuse(
                "tank.refill_multiplier",
                f64::from(refill.per_mille) / 1000.0,
                "times timings.run_s_max it must not exceed timings.refill_s_max",
            );
        }
    }

    /// The warnings of spec 3.3.
    pub(super) fn unusual(&mut self, pump: &Pump) {
        let run = pump.limits.run_max.as_secs_f64();
        let lead = pump.throttle.map_or(0.0, |t| t.lead.as_secs_f64());
        if run - lead < 60.0 {
            self.remark("timings.run_s_max", run, "less than a minute of it is at full speed");
        }
        if let Some(prime) = pump.priming.map(|p| p.as_secs_f64()).filter(|p| !(30.0..=300.0).contains(p)) {
            self.remark("timings.prime_s", prime, "30 to 300 is usual");
        }
        if let Drive::Engine(c) = pump.drive
            && c.crank.as_secs_f64() < 3.0
        {
            self.remark("timings.crank_s", c.crank.as_secs_f64(), "3 and more is usual");
        }
        if let Some(refill) = pump.refill.filter(|r| r.per_mille < 1500) {
            self.remark(
                "tank.refill_multiplier",
                f64::from(refill.per_mille) / 1000.0,
                "1.5 and more is usual",
            );
        }
        let health = self.raw.timings.health_s.unwrap_or_default();
        if health > run / 3.0 {
            self.remark("timings.health_s", health, "a third of timings.run_s_max or less is usual");
        }
        let fire_off = pump.limits.fire_off.as_secs_f64();
        if pump.limits.fire_off < pump.limits.alarm_kept {
            self.remark(
                "timings.fire_off_s",
                fire_off,
                "25 and more is usual, longer than two of fire.heartbeat_s (10 unless set): with one report \
                 of a fire lost, the pump stops while it burns",
            );
        }
        if fire_off > run {
            self.remark("timings.fire_off_s", fire_off, "longer than timings.run_s_max, it never acts");
        }
    }
}
