//! What people order.

use core::time::Duration;

use super::super::events::Event;
use super::super::order::{Command, DISARM_S_MAX, ORDER_AGE_S_MAX, Order, Refusal, Role};
use super::super::outputs::Output;
use super::super::sensors::Sensor;
use super::super::state::{Fault, Kill, Phase, Purpose, Source, Valve};
use super::{Machine, Motion};

impl Machine {
    pub(super) fn command(&mut self, command: Command) {
        let Command { id, order, .. } = command;
        let done = self.admit(&command).and_then(|()| self.obey(order, command.role));
        match done {
            Ok(()) => self.tell(Event::CommandDone { id, order }),
            Err(why) => self.tell(Event::CommandRefused { id, order, why }),
        }
    }

    /// Whether it may be looked at: fresh, new, and from somebody (I18).
    fn admit(&mut self, command: &Command) -> Result<(), Refusal> {
        if command.retained {
            return Err(Refusal::Retained);
        }
        let needs = command.order.needs();
        if command.role < needs {
            return Err(Refusal::Role { needs });
        }
        if command.age > Duration::from_secs(ORDER_AGE_S_MAX) {
            return Err(Refusal::Stale);
        }
        if command.id != 0 {
            // Stopping twice is no harm, and must not be argued with.
            let recent = &mut self.state.ledger.recent;
            if recent.contains(&command.id) && command.order != Order::EmergencyStop {
                return Err(Refusal::Duplicate);
            }
            recent.rotate_right(1);
            if let Some(newest) = recent.first_mut() {
                *newest = command.id;
            }
            self.events.persist();
        }
        Ok(())
    }

    fn obey(&mut self, order: Order, role: Role) -> Result<(), Refusal> {
        match order {
            Order::EmergencyStop => {
                self.stop_at_once();
                Ok(())
            }
            Order::Start => self.order_start(),
            Order::ValveOpen => self.order_valve_open(),
            Order::ValveClose => self.order_valve_close(),
            Order::Reset => self.reset(role),
            Order::Acknowledge => {
                self.state.panel.acknowledge();
                self.tell(Event::Acknowledged);
                Ok(())
            }
            Order::Silence => {
                self.state.panel.silence();
                self.tell(Event::Silenced);
                Ok(())
            }
            Order::Test => self.order_test(),
            Order::Arm => {
                self.state.disarmed_until = None;
                self.tell(Event::Armed);
                Ok(())
            }
            Order::Disarm => {
                let at_most = Duration::from_secs(DISARM_S_MAX);
                self.state.disarmed_until = Some(self.now().after(at_most));
                self.state.waiting = None;
                self.tell(Event::Disarmed { until_armed_at_most: at_most });
                Ok(())
            }
        }
    }

    /// Past the refill lock-out, never past a latch, and never cranking what runs (H10, P37).
    fn order_start(&mut self) -> Result<(), Refusal> {
        let pump = self.pump().ok_or(Refusal::NoPump)?;
        match self.state.phase {
            Phase::Idle | Phase::Cooldown { .. } | Phase::Refilling { .. } => {
                self.may_start(&pump, true)?;
                self.tell(Event::EmergencyBypassStart);
                self.state.waiting = None;
                self.begin(&pump, Purpose::Fire, Source::Order);
                Ok(())
            }
            Phase::Priming { .. }
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::ReducingRpm { .. } => {
                self.answer(0, Source::Order, false);
                Ok(())
            }
            Phase::Boot { .. }
            | Phase::Standby(_)
            | Phase::Stopping { .. }
            | Phase::Fault { .. }
            | Phase::EmergencyStop { .. } => Err(Refusal::State { now: self.state() }),
        }
    }

    /// Water without a pump, for an hour at most.
    fn order_valve_open(&mut self) -> Result<(), Refusal> {
        let pump = self.pump().ok_or(Refusal::NoMainValve)?;
        match self.state.phase {
            Phase::Fault { .. } if !self.state.self_tested => {
                return Err(Refusal::State { now: self.state() });
            }
            Phase::Boot { .. } | Phase::EmergencyStop { .. } | Phase::Standby(_) => {
                return Err(Refusal::State { now: self.state() });
            }
            Phase::Idle
            | Phase::Refilling { .. }
            | Phase::Cooldown { .. }
            | Phase::Stopping { .. }
            | Phase::Fault { .. } => {
                let at = self.now().after(pump.opening.manual_max);
                self.state.valve = Valve::Closing { at };
            }
            // It is open, and stays so.
            Phase::Priming { .. }
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::ReducingRpm { .. } => {}
        }
        self.tell(Event::EmergencyValveOpen);
        Ok(())
    }

    /// Never against a turning engine (H20, P38).
    fn order_valve_close(&mut self) -> Result<(), Refusal> {
        self.pump().ok_or(Refusal::NoMainValve)?;
        let may_turn = self.motion() == Motion::Moving
            || self.state.phase.run().is_some()
            || matches!(self.state.phase, Phase::Stopping { .. })
            || self.state.ledger.unfinished.is_some();
        if may_turn {
            return Err(Refusal::EngineMoving);
        }
        self.state.valve = Valve::Shut;
        self.tell(Event::EmergencyValveClose);
        Ok(())
    }

    /// The weekly run: like a fire, where there is none.
    fn order_test(&mut self) -> Result<(), Refusal> {
        let pump = self.pump().ok_or(Refusal::NoPump)?;
        if self.state.phase != Phase::Idle {
            return Err(Refusal::State { now: self.state() });
        }
        self.may_start(&pump, false)?;
        self.begin(&pump, Purpose::Test, Source::Order);
        Ok(())
    }

    /// Leaves a latch whose cause is gone, and never starts anything (R-17, I9).
    fn reset(&mut self, role: Role) -> Result<(), Refusal> {
        let mut kept = self.state.ledger.stopped;
        match self.state.phase {
            Phase::EmergencyStop { kill } => {
                if self.see(Sensor::EmergencyStop).may_be() {
                    return Err(Refusal::StopPressed);
                }
                if role < Role::Maintain || (role < Role::Local && !self.plan.remote_stop_reset) {
                    return Err(Refusal::Role { needs: Role::Local });
                }
                self.is_quiet(kill.on_until.is_some())?;
            }
            Phase::Fault { cause, kill } => {
                self.is_quiet(kill.on_until.is_some())?;
                if self.cause_remains(cause) {
                    return Err(Refusal::CauseRemains);
                }
                // What latched before the power went is still to be reset, by whom it takes.
                kept = cause == Fault::SelfTest;
                if self.state.ledger.stopped {
                    self.state.ledger.fault = self.state.ledger.fault.filter(|_| kept);
                    self.reset_panel();
                    self.go(Phase::EmergencyStop { kill: Kill::default() });
                    return Ok(());
                }
            }
            Phase::Idle | Phase::Refilling { .. } | Phase::Cooldown { .. } | Phase::Standby(_) => {
                self.reset_panel();
                return Ok(());
            }
            Phase::Boot { .. }
            | Phase::Priming { .. }
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::ReducingRpm { .. }
            | Phase::Stopping { .. } => return Err(Refusal::State { now: self.state() }),
        }
        // A stop pressed during a fault leaves the fault to be reset by itself.
        let below = self.state.ledger.fault.filter(|_| kept);
        self.state.ledger.fault = below;
        self.state.ledger.stopped = false;
        self.state.ledger.unfinished = None;
        self.state.waiting = None;
        let off = self.pump().map(|pump| pump.limits.off_min);
        self.state.off_until = off.map(|off| self.now().after(off));
        self.reset_panel();
        match below {
            // Nothing is driven without a passed self-test, whatever was pressed meanwhile.
            _ if !self.state.self_tested => {
                self.go(Phase::Fault { cause: Fault::SelfTest, kill: Kill::default() });
            }
            Some(cause) => self.go(Phase::Fault { cause, kill: Kill::default() }),
            None => self.rest(),
        }
        Ok(())
    }

    fn reset_panel(&mut self) {
        self.state.panel.reset();
        self.state.ledger_lost = false;
        self.tell(Event::EmergencyReset);
    }

    fn is_quiet(&self, killing: bool) -> Result<(), Refusal> {
        let turns = self.motion() == Motion::Moving;
        if killing || turns { Err(Refusal::EngineMoving) } else { Ok(()) }
    }

    fn cause_remains(&self, cause: Fault) -> bool {
        match cause {
            Fault::Overspeed => self.see(Sensor::Overspeed).may_be(),
            Fault::StarterWelded => self.see(Sensor::StarterClosed).may_be(),
            Fault::SelfTest => !self.state.self_tested,
            Fault::Relay { output } => self.is_mismatched(output),
            Fault::MainValveStuck => self.is_mismatched(Output::MainValve),
            Fault::EngineProtection => self.see_yes(Sensor::OilLow) || self.see_yes(Sensor::TempHigh),
            Fault::FailToStart
            | Fault::OverCrank
            | Fault::DryRun
            | Fault::LowPressure
            | Fault::LowTank
            | Fault::MainValveLost
            | Fault::WontStop
            | Fault::EngineFoundRunning
            | Fault::CycleGap
            | Fault::RefillFailed
            | Fault::Unsettled => false,
        }
    }
}
