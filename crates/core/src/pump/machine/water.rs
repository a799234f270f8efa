//! Main valve, refill valve, and the states of rest around them.

use core::time::Duration;

use super::super::events::Event;
use super::super::plan::Refill;
use super::super::sensors::{Seen, Sensor};
use super::super::state::{Fault, Phase, Tap, Valve};
use super::{Machine, Motion};
use crate::time::Instant;

impl Machine {
    /// Never shut against a turning engine, and opened for one that turns unasked.
    pub(super) fn main_valve(&mut self) -> bool {
        let Some(pump) = self.pump() else { return false };
        let turns = self.motion() == Motion::Moving;
        let again = self.now().after(pump.stopping.spin_down);
        match self.state.valve {
            Valve::Closing { at } if self.is_due(at) && turns => {
                self.state.valve = Valve::Closing { at: again };
                true
            }
            Valve::Closing { at } if self.is_due(at) => {
                self.state.valve = Valve::Shut;
                self.tell(Event::MainValveClosed);
                true
            }
            // In OFF and MANUAL nothing is driven, and without a passed self-test neither.
            Valve::Shut if turns && self.may_open() => {
                self.state.valve = Valve::Closing { at: again };
                true
            }
            Valve::Shut | Valve::Open | Valve::Closing { .. } => false,
        }
    }

    fn may_open(&self) -> bool {
        self.state.self_tested && !matches!(self.state.phase, Phase::Boot { .. } | Phase::Standby(_))
    }

    /// Opens it during a run and until the tank is paid back; a full tank, an overflow and a
    /// spent budget close it at once (R-14, H21).
    pub(super) fn tap(&mut self) -> bool {
        let Some(refill) = self.pump().and_then(|pump| pump.refill) else { return false };
        let wants = self.wants_refill(&refill);
        match self.state.tap {
            Tap::Open if !wants => {
                self.state.tap = Tap::Shut { reopens_at: Some(self.now().after(refill.dwell)) };
                if !self.has_budget(&refill) {
                    self.tell(Event::RefillBudgetSpent);
                }
                true
            }
            Tap::Shut { reopens_at: Some(at) } if self.is_due(at) => {
                self.state.tap = Tap::Shut { reopens_at: None };
                true
            }
            Tap::Shut { reopens_at: None } if wants => {
                self.state.tap = Tap::Open;
                true
            }
            Tap::Open | Tap::Shut { .. } => false,
        }
    }

    fn wants_refill(&self, refill: &Refill) -> bool {
        let may = match self.state.phase {
            Phase::Priming { .. }
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::ReducingRpm { .. }
            | Phase::Stopping { .. }
            | Phase::Refilling { .. } => true,
            Phase::Boot { .. }
            | Phase::Idle
            | Phase::Cooldown { .. }
            | Phase::Standby(_)
            | Phase::Fault { .. }
            | Phase::EmergencyStop { .. } => false,
        };
        may && !self.is_full() && !self.see(Sensor::Overflow).may_be() && self.has_budget(refill)
    }

    pub(super) fn has_budget(&self, refill: &Refill) -> bool {
        self.state.ledger.refilling.spent() < refill.budget
    }

    /// No refill fails for want of a budget: what is owed waits until the day allows it.
    pub(super) fn wait_for_budget(&mut self, passed: Duration) {
        let Some(refill) = self.pump().and_then(|pump| pump.refill) else { return };
        let waits = !self.has_budget(&refill) && !self.state.ledger.refill_owed.is_zero();
        if let Phase::Refilling { by } = &mut self.state.phase
            && waits
        {
            *by = by.after(passed);
        }
    }

    fn is_full(&self) -> bool {
        self.see_yes(Sensor::FloatHigh) || self.see_yes(Sensor::Overflow)
    }

    /// A float that can be believed ends it; otherwise the time owed does (H5).
    pub(super) fn refilling(&mut self, by: Instant) -> bool {
        if self.at_rest_failed() {
            return true;
        }
        let is_paid = self.state.ledger.refill_owed.is_zero();
        let float = self.see(Sensor::FloatHigh);
        if self.is_full() {
            self.state.ledger.refill_owed = Duration::ZERO;
            self.tell(Event::RefillCompleteFloatSwitch);
            self.cool_down();
        } else if is_paid && float != Seen::No {
            self.tell(Event::RefillCompleteTimer);
            self.cool_down();
        } else if self.is_due(by) {
            self.fail(Fault::RefillFailed);
        } else {
            return self.take_up_waiting();
        }
        true
    }

    pub(super) fn cool_down(&mut self) {
        let cooldown = self.pump().map(|pump| pump.limits.cooldown).unwrap_or_default();
        self.go(Phase::Cooldown { until: self.now().after(cooldown) });
        self.tell(Event::CooldownEntered);
    }

    pub(super) fn cooling_down(&mut self, until: Instant) -> bool {
        if self.at_rest_failed() || self.take_up_waiting() {
            return true;
        }
        let is_over = self.is_due(until);
        if is_over {
            self.rest();
        }
        is_over
    }

    pub(super) fn idle(&mut self) -> bool {
        self.at_rest_failed() || self.take_up_waiting() || self.top_up()
    }

    /// A relay that matters is not where it should be.
    pub(super) fn at_rest_failed(&mut self) -> bool {
        match self.failed_relay() {
            Some(output) => {
                self.fail(Fault::Relay { output });
                true
            }
            None => false,
        }
    }

    /// The tank is low without a run: a leak, or the sun. Only where a float can end it.
    fn top_up(&mut self) -> bool {
        let Some(refill) = self.pump().and_then(|pump| pump.refill) else { return false };
        let can_end = self.see(Sensor::FloatHigh) == Seen::No;
        if !self.see_yes(Sensor::FloatLow) || !can_end || !self.has_budget(&refill) {
            return false;
        }
        self.state.ledger.refill_owed = refill.cycle_max;
        self.rest();
        true
    }
}
