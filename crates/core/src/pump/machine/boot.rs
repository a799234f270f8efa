//! From power on to rest. A run is never taken up again (reliability 2.4).

use super::super::alarm::Condition;
use super::super::events::Event;
use super::super::ledger::Ledger;
use super::super::plan::{Drive, OnCrash};
use super::super::sensors::Sensor;
use super::super::state::{Fault, Kill, Phase, Standby, StopReason, Valve};
use super::{Machine, Motion, Restored};

impl Machine {
    pub(super) fn self_test(&mut self, passed: bool) {
        self.state.self_tested = passed;
        if !passed {
            self.fail(Fault::SelfTest);
        }
    }

    pub(super) fn restore(&mut self, found: Restored) {
        match found {
            Restored::Fresh => {}
            Restored::Found(ledger) => self.state.ledger = ledger,
            Restored::Lost => {
                self.state.ledger = self.worst();
                self.state.ledger_lost = true;
            }
        }
        self.forgotten();
        // Nobody knows how long ago the last stop was.
        if let Some(pump) = self.pump().filter(|_| self.state.ledger.starts_spent() > 0) {
            self.state.off_until = Some(self.now().after(pump.limits.off_min));
        }
    }

    /// What the last checkpoint could not know: the run went on for up to one more interval.
    /// Added once, however often the box starts before it comes to rest.
    fn forgotten(&mut self) {
        let Some(pump) = self.pump() else { return };
        let Some(ran) = self.state.ledger.unfinished else { return };
        if !core::mem::take(&mut self.state.ledger.engine_on) {
            return;
        }
        // Where the engine rides through a crash, it ran on when nobody counted.
        let held = match pump.on_crash {
            OnCrash::FailRun => self.plan.supervision.gap_run_max,
            OnCrash::FailStop => core::time::Duration::ZERO,
        };
        let more = pump.limits.checkpoint_run.saturating_add(held);
        self.state.ledger.unfinished = Some(ran.saturating_add(more));
        self.state.ledger.run_total = self.state.ledger.run_total.saturating_add(more);
        if let Some(refill) = pump.refill {
            self.state.ledger.owe(more, refill.per_mille, refill.cycle_max);
        }
    }

    /// An engine that catches in the crank in which the program dies runs on where the slow
    /// watchdog relay holds its ignition: such a crank counts as a run.
    pub(super) fn may_run_on(&self, phase: &Phase) -> bool {
        let holds = self.plan.on_crash() == Some(OnCrash::FailRun);
        let drive = self.pump().map(|pump| pump.drive);
        let feeds = matches!(drive, Some(Drive::Engine(cranking)) if cranking.ignition_with_starter);
        matches!(phase, Phase::Starting { .. }) && holds && feeds
    }

    /// No ledger, no mercy: a whole tank is owed. A float that says full settles it at once.
    fn worst(&self) -> Ledger {
        let mut ledger = Ledger::new();
        if let Some(refill) = self.pump().and_then(|pump| pump.refill) {
            ledger.refill_owed = refill.cycle_max;
        }
        ledger
    }

    pub(super) fn boot(&mut self) -> bool {
        let now = self.now();
        let is_settled = self.state.sensors.is_settled();
        let quiet = self.plan.supervision.boot_quiet;
        let is_tested = self.state.self_tested;
        let Phase::Boot { give_up_at, .. } = self.state.phase else { return false };
        if self.is_due(give_up_at) {
            self.fail(Fault::SelfTest);
            return true;
        }
        // The watchdog relay is pulled: a starter that is welded cranks, however long this takes.
        if is_tested && self.at_rest_failed() {
            return true;
        }
        let Phase::Boot { quiet_until, .. } = &mut self.state.phase else { return false };
        if !is_settled {
            *quiet_until = None;
            return false;
        }
        let quiet_until = *quiet_until.get_or_insert(now.after(quiet));
        if quiet_until > now || !is_tested {
            return false;
        }
        self.booted();
        true
    }

    /// Contacts and self-test are there.
    fn booted(&mut self) {
        let ledger = self.state.ledger;
        if self.state.ledger_lost {
            self.tell(Event::LedgerLost);
        }
        if self.see(Sensor::EmergencyStop).may_be() {
            self.stop_at_once();
        } else if self.motion() == Motion::Moving && self.plan.has_pump() && !self.is_manual() {
            self.fail(Fault::EngineFoundRunning);
        } else if ledger.stopped {
            self.go(Phase::EmergencyStop { kill: Kill::default() });
        } else if let Some(cause) = ledger.fault {
            self.go(Phase::Fault { cause, kill: Kill::default() });
            self.state.panel.set(Condition::PumpFault, true);
        } else if let (Some(ran), Some(pump)) = (ledger.unfinished, self.pump()) {
            // Nobody pulsed the kill relay when the power went (H16).
            self.tell(Event::RunInterrupted { ran });
            self.state.valve = Valve::Closing { at: self.now().after(pump.stopping.spin_down) };
            self.kill_engine(StopReason::Interrupted, ran);
        } else {
            self.rest();
        }
    }

    /// To the state of rest that is due.
    pub(super) fn rest(&mut self) {
        let standby = self.standby_wanted();
        if let Some(standby) = standby {
            self.go(Phase::Standby(standby));
        } else if let Some(refill) = self.pump().and_then(|pump| pump.refill)
            && !self.state.ledger.refill_owed.is_zero()
        {
            let by = self.now().after(refill.cycle_max.saturating_add(refill.dwell));
            self.go(Phase::Refilling { by });
        } else {
            self.go(Phase::Idle);
            self.tell(Event::IdleStateEntered);
        }
    }

    pub(super) fn standby_wanted(&self) -> Option<Standby> {
        if self.state.leaving {
            Some(Standby::Leaving)
        } else if self.is_auto() {
            None
        } else if self.is_manual() {
            Some(Standby::Manual)
        } else {
            Some(Standby::Off)
        }
    }
}
