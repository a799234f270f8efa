//! From a demand to a running engine: valves first, then cranking.

use core::time::Duration;

use super::super::events::Event;
use super::super::outputs::Output;
use super::super::plan::{Cranking, Drive, Pump};
use super::super::sensors::{Seen, Sensor};
use super::super::state::{Crank, Engine, Fault, Phase, Purpose, Run, Source, Stage, StopReason, Valve};
use super::{Machine, Motion};
use crate::time::Instant;

/// Spec 3.6, valve rescue: five pulses, then the relay is held while its effect is looked for.
const FREEING_PULSES: u8 = 5;
const FREEING_OFF: Duration = Duration::from_millis(100);
const FREEING_ON: Duration = Duration::from_millis(200);
const FREEING_HOLD: Duration = Duration::from_millis(1000);

impl Machine {
    /// The only way into a run. Whether it may be taken was asked before.
    pub(super) fn begin(&mut self, pump: &Pump, purpose: Purpose, source: Source) {
        let now = self.now();
        self.state.epoch = self.state.epoch.wrapping_add(1);
        self.state.ledger.count_start(now.after(pump.limits.starts_window));
        self.state.ledger.unfinished = Some(Duration::ZERO);
        self.state.valve = Valve::Open;
        // The valves open at once; what is too early is only the engine.
        let crank_at = now.after(pump.opening.wait).max(self.state.off_until.unwrap_or(now));
        let give_up_at = crank_at.max(now.after(pump.opening.travel_max));
        let run = Run { purpose, wanted_until: self.wanted_until(source, crank_at, pump), attempts: 0 };
        self.go(Phase::Priming { run, crank_at, stage: Stage::Opening { give_up_at } });
        self.tell(Event::PumpSequenceStart { epoch: self.state.epoch, purpose });
        if pump.priming.is_some() {
            self.tell(Event::PrimingStarted);
        }
        if pump.refill.is_some() {
            self.tell(Event::RefillValveOpenedImmediately);
        }
    }

    /// Cameras say again and again that it burns. A hand asks once, and gets water however long the starter rests.
    pub(super) fn wanted_until(&self, source: Source, crank_at: Instant, pump: &Pump) -> Instant {
        let from = if source == Source::Consensus { self.now() } else { self.now().max(crank_at) };
        from.after(pump.limits.fire_off)
    }

    pub(super) fn priming(&mut self, run: Run, crank_at: Instant, stage: Stage) -> bool {
        let Some(pump) = self.pump() else { return false };
        if self.must_trip(&run, &pump, false) {
            return true;
        }
        match stage {
            Stage::Opening { give_up_at } => {
                if !self.is_due(crank_at) {
                    return false;
                }
                // It waited since the run before, and the fire went out meanwhile.
                if run.purpose == Purpose::Fire && self.is_due(run.wanted_until) {
                    self.abandon(StopReason::FireOff);
                    return true;
                }
                if self.is_valve_proven() {
                    self.crank(run, &pump);
                    return true;
                }
                let may_still_open = !self.is_mismatched(Output::MainValve);
                if may_still_open && !self.is_due(give_up_at) {
                    return false;
                }
                let until = self.now().after(FREEING_OFF);
                let stage = Stage::Freeing { pulses: FREEING_PULSES, on: false, until };
                self.state.phase = Phase::Priming { run, crank_at, stage };
                true
            }
            // The relay is not pulled from under an engine that turns after all.
            Stage::Freeing { .. } if self.motion() == Motion::Moving => {
                self.fail(Fault::EngineFoundRunning);
                true
            }
            Stage::Freeing { pulses, on, until } => self.freeing(run, crank_at, pulses, on, until),
        }
    }

    fn freeing(&mut self, run: Run, crank_at: Instant, pulses: u8, on: bool, until: Instant) -> bool {
        if !self.is_due(until) {
            return false;
        }
        let now = self.now();
        let stage = match (on, pulses) {
            (false, 0) => Stage::Freeing { pulses, on: true, until: now.after(FREEING_HOLD) },
            (false, _) => Stage::Freeing { pulses, on: true, until: now.after(FREEING_ON) },
            (true, 0) if self.is_valve_proven() => {
                self.tell(Event::EmergencyValveSuccess { pulses: FREEING_PULSES });
                Stage::Opening { give_up_at: now }
            }
            (true, 0) => {
                self.tell(Event::EmergencyValveFailed);
                self.fail(Fault::MainValveStuck);
                return true;
            }
            (true, _) => Stage::Freeing { pulses: pulses - 1, on: false, until: now.after(FREEING_OFF) },
        };
        self.state.phase = Phase::Priming { run, crank_at, stage };
        true
    }

    /// As far as it can be seen: its relay followed, and the switches that are fitted agree.
    pub(super) fn is_valve_proven(&self) -> bool {
        let is_open = match (self.see(Sensor::ValveOpen), self.see(Sensor::ValveClosed)) {
            (Seen::Yes, closed) => closed != Seen::Yes,
            (Seen::Absent, closed) => !closed.may_be(),
            (Seen::No | Seen::Unknown, _) => false,
        };
        is_open && !self.is_mismatched(Output::MainValve)
    }

    /// Starter on, if nothing turns and the budget allows.
    fn crank(&mut self, mut run: Run, pump: &Pump) {
        if self.motion() == Motion::Moving {
            return self.fail(Fault::EngineFoundRunning);
        }
        let Drive::Engine(cranking) = pump.drive else {
            self.tell(Event::EngineStartSequence { attempt: 1 });
            return self.engine_runs(run, pump, false);
        };
        let would = self.state.ledger.cranking.spent().saturating_add(cranking.crank);
        if would > cranking.budget {
            return self.fail(Fault::OverCrank);
        }
        run.attempts = run.attempts.saturating_add(1);
        let now = self.now();
        let sees_turning = matches!(self.see(Sensor::EngineTurning), Seen::No | Seen::Yes);
        let turn_by = sees_turning.then(|| now.after(cranking.turn_max));
        let crank = Crank::Turning { until: now.after(cranking.crank), turn_by };
        self.go(Phase::Starting { run, crank });
        self.tell(Event::EngineStartSequence { attempt: run.attempts });
    }

    pub(super) fn starting(&mut self, run: Run, crank: Crank) -> bool {
        let Some(pump) = self.pump() else { return false };
        let Drive::Engine(cranking) = pump.drive else { return false };
        let turning = matches!(crank, Crank::Turning { .. });
        if self.must_trip(&run, &pump, turning) {
            return true;
        }
        // Proven: the starter drops in this very step. A diesel may also catch late.
        if self.see_yes(Sensor::EngineRun) {
            self.engine_runs(run, &pump, true);
            return true;
        }
        match crank {
            Crank::Turning { until, turn_by } => {
                let turns = self.see(Sensor::EngineTurning);
                if turn_by.is_some_and(|by| self.is_due(by)) && turns == Seen::No {
                    self.crank_failed(run, &cranking, false);
                    return true;
                }
                if !self.is_due(until) {
                    return false;
                }
                match self.see(Sensor::EngineRun) {
                    Seen::No => self.crank_failed(run, &cranking, turns != Seen::No),
                    // Nobody can tell: one crank, and then flow and pressure must (H27).
                    Seen::Absent | Seen::Unknown | Seen::Yes => self.engine_runs(run, &pump, false),
                }
                true
            }
            Crank::Resting { until } => {
                let is_due = self.is_due(until);
                if is_due && self.is_valve_proven() {
                    self.crank(run, &pump);
                } else if is_due {
                    // R-01 holds for each crank.
                    let crank_at = self.now();
                    let give_up_at = crank_at.after(pump.opening.travel_max);
                    self.go(Phase::Priming { run, crank_at, stage: Stage::Opening { give_up_at } });
                }
                is_due
            }
        }
    }

    fn crank_failed(&mut self, run: Run, cranking: &Cranking, turned: bool) {
        self.tell(Event::CrankFailed { attempt: run.attempts, turned });
        if run.attempts >= cranking.attempts {
            self.fail(Fault::FailToStart);
        } else {
            self.rest_before_crank(run, cranking);
        }
    }

    pub(super) fn rest_before_crank(&mut self, run: Run, cranking: &Cranking) {
        let until = self.now().after(cranking.rest.max(cranking.bar));
        self.go(Phase::Starting { run, crank: Crank::Resting { until } });
    }

    /// The engine is taken to run: its clocks begin. After a stall they go on.
    fn engine_runs(&mut self, mut run: Run, pump: &Pump, proven: bool) {
        let now = self.now();
        let ran = self.state.ledger.unfinished.unwrap_or_default();
        let left = pump.limits.run_max.saturating_sub(ran);
        let lead = pump.throttle.map_or(Duration::ZERO, |throttle| throttle.lead);
        let has = |sensor| self.see(sensor) != Seen::Absent;
        let can_be_dry = has(Sensor::Flow) || has(Sensor::Pressure);
        let primed = pump.priming.unwrap_or_default();
        let pressure_grace = primed.saturating_add(pump.water.pressure_check);
        let engine = Engine {
            reduce_at: now.after(left.saturating_sub(lead)),
            stop_at: now.after(left),
            proven,
            priming_until: pump.priming.map(|priming| now.after(priming)),
            dry_by: can_be_dry.then(|| now.after(pump.water.dry_max)),
            pressure_by: has(Sensor::Pressure).then(|| now.after(pressure_grace)),
        };
        if run.purpose == Purpose::Test {
            run.wanted_until = now.after(pump.limits.test);
        }
        self.go(Phase::Running { run, engine });
        self.tell(Event::EngineRunning { proven });
        if !can_be_dry {
            self.tell(Event::DryRunUnprotected);
        }
    }
}
