//! While the engine is on: what ends a run, in order or not.

use super::super::alarm::Condition;
use super::super::events::Event;
use super::super::outputs::Output;
use super::super::plan::{Drive, Pump, WaterPolicy};
use super::super::sensors::{Seen, Sensor};
use super::super::state::{Engine, Fault, Phase, Purpose, Run, StopReason};
use super::Machine;
use crate::time::Instant;

impl Machine {
    pub(super) fn running(&mut self, mut run: Run, mut engine: Engine) -> bool {
        let Some(pump) = self.pump() else { return false };
        if self.must_trip(&run, &pump, true) {
            return true;
        }
        if self.see_yes(Sensor::EngineRun) {
            engine.proven = true;
        } else if engine.proven && self.see(Sensor::EngineRun) == Seen::No {
            self.stalled(run, &pump);
            return true;
        }
        self.primed(&mut engine);
        let trip = self.dry(&run, &mut engine, &pump).or_else(|| self.pressure(&run, &mut engine, &pump));
        self.state.phase = Phase::Running { run, engine };
        if let Some(cause) = trip {
            self.fail(cause);
            return true;
        }
        if self.is_due(engine.stop_at) {
            self.stop(StopReason::MaxRuntime);
            return true;
        }
        if pump.throttle.is_some() && self.is_due(engine.reduce_at) {
            self.reduce(run, engine, StopReason::MaxRuntime, engine.stop_at);
            return true;
        }
        if !self.is_due(run.wanted_until) {
            return false;
        }
        let why = match run.purpose {
            Purpose::Fire => StopReason::FireOff,
            Purpose::Test => StopReason::TestOver,
        };
        run.wanted_until = self.now();
        match pump.throttle {
            Some(throttle) => {
                let stop_at = self.now().after(throttle.down).min(engine.stop_at);
                self.reduce(run, engine, why, stop_at);
            }
            None => self.stop(why),
        }
        true
    }

    fn reduce(&mut self, run: Run, engine: Engine, why: StopReason, stop_at: Instant) {
        self.go(Phase::ReducingRpm { run, engine, why, stop_at });
        self.tell(Event::RpmReduced { reason: why });
    }

    /// Throttled down, it is watched as before, save for its pressure, which falls with its
    /// speed (H6: here supervision used to end).
    pub(super) fn reducing(&mut self, mut engine: Engine, why: StopReason, stop_at: Instant) -> bool {
        let (Some(pump), Some(run)) = (self.pump(), self.state.phase.run().copied()) else { return false };
        if self.must_trip(&run, &pump, true) {
            return true;
        }
        let has_stalled = engine.proven && self.see(Sensor::EngineRun) == Seen::No;
        self.primed(&mut engine);
        let trip = self.dry(&run, &mut engine, &pump);
        self.state.phase = Phase::ReducingRpm { run, engine, why, stop_at };
        if let Some(cause) = trip {
            self.fail(cause);
        } else if has_stalled || self.is_due(stop_at) {
            self.stop(why);
        } else {
            return false;
        }
        true
    }

    /// What stops any run, whatever is dearer. `on`: the engine is.
    pub(super) fn must_trip(&mut self, run: &Run, pump: &Pump, on: bool) -> bool {
        let now = self.now();
        // Only a running engine needs its water path; a starting one waits for it.
        let is_lost = on && !self.is_valve_proven();
        let is_valve_lost = self.state.watches.valve_lost.holds(now, is_lost, pump.opening.lost_max);
        let protects = run.purpose == Purpose::Test;
        let is_hot = self.see_yes(Sensor::OilLow) || self.see_yes(Sensor::TempHigh);
        let is_low = self.see_yes(Sensor::FloatLow);
        let is_low = self.state.watches.low_tank.holds(now, is_low, pump.water.low_tank);
        let is_dear = pump.water.policy == WaterPolicy::Protect || protects;
        let cause = if self.see_yes(Sensor::Overspeed) {
            Fault::Overspeed
        } else if is_valve_lost {
            Fault::MainValveLost
        } else if let Some(output) = self.failed_relay() {
            Fault::Relay { output }
        } else if on && protects && is_hot {
            Fault::EngineProtection
        } else if is_low && is_dear {
            self.tell(Event::LowTankDetected);
            Fault::LowTank
        } else {
            return false;
        };
        self.fail(cause);
        true
    }

    /// A relay that matters and does not follow. While the main valve is being opened, its
    /// own is not counted: it is freed first.
    pub(super) fn failed_relay(&self) -> Option<Output> {
        let is_opening = matches!(self.state.phase, Phase::Priming { .. });
        Output::ALL
            .into_iter()
            .filter(|o| o.is_critical() && !(is_opening && *o == Output::MainValve))
            .find(|o| self.is_mismatched(*o))
    }

    fn primed(&mut self, engine: &mut Engine) {
        if engine.priming_until.is_some_and(|until| self.is_due(until)) {
            engine.priming_until = None;
            self.tell(Event::PrimingComplete);
        }
    }

    /// Each sign of water buys `dry_max` more; none is remembered for longer (H7, R-08).
    fn dry(&mut self, run: &Run, engine: &mut Engine, pump: &Pump) -> Option<Fault> {
        let signs = (self.see(Sensor::Flow), self.see(Sensor::Pressure));
        if matches!(signs, (Seen::Yes, _) | (Seen::Absent | Seen::Unknown, Seen::Yes)) {
            engine.dry_by = Some(self.now().after(pump.water.dry_max));
            self.show(Condition::DryRun, false);
            return None;
        }
        if !engine.dry_by.is_some_and(|by| self.is_due(by)) {
            return None;
        }
        engine.dry_by = None;
        self.tell(Event::DryRunProtectionTriggered { dry: pump.water.dry_max });
        self.show(Condition::DryRun, true);
        (is_protected(run, pump)).then_some(Fault::DryRun)
    }

    fn pressure(&mut self, run: &Run, engine: &mut Engine, pump: &Pump) -> Option<Fault> {
        match self.see(Sensor::Pressure) {
            Seen::Absent => return None,
            Seen::Yes => {
                let until = self.now().after(pump.water.pressure_lost);
                engine.pressure_by = Some(engine.pressure_by.map_or(until, |by| by.max(until)));
                self.show(Condition::LowPressure, false);
                return None;
            }
            Seen::No | Seen::Unknown => {}
        }
        if !engine.pressure_by.is_some_and(|by| self.is_due(by)) {
            return None;
        }
        engine.pressure_by = None;
        self.tell(Event::LowPressureDetected);
        self.show(Condition::LowPressure, true);
        (is_protected(run, pump)).then_some(Fault::LowPressure)
    }

    /// It ran, and it does not run any more: cranked again while attempts are left.
    fn stalled(&mut self, run: Run, pump: &Pump) {
        let ran = self.state.ledger.unfinished.unwrap_or_default();
        self.tell(Event::EngineStalled { ran });
        match pump.drive {
            Drive::Engine(cranking) if run.attempts < cranking.attempts => {
                self.rest_before_crank(run, &cranking);
            }
            Drive::Engine(_) | Drive::Electric => self.fail(Fault::FailToStart),
        }
    }
}

/// In a test the pump is dearer than the house.
fn is_protected(run: &Run, pump: &Pump) -> bool {
    pump.water.policy == WaterPolicy::Protect || run.purpose == Purpose::Test
}
