//! Supervision: contacts against each other, relays against their image, time against itself.

use core::time::Duration;

use super::super::alarm::{Change, Condition};
use super::super::events::Event;
use super::super::order::{Order, Role};
use super::super::outputs::{Output, RelayImage};
use super::super::sensors::{Seen, Sensor};
use super::super::state::{Fault, Phase, Source, Standby, Valve};
use super::{Machine, Motion};

/// How long a starter's contact may take to open after its relay dropped.
const STARTER_OPENS: Duration = Duration::from_millis(500);
/// How long an engine may turn unasked before it is said.
const UNASKED: Duration = Duration::from_secs(2);
/// A late cycle is shown for so long.
const LATE_SHOWN: Duration = Duration::from_secs(60);
/// What the weekly test may be late before it is said.
const TEST_GRACE: Duration = Duration::from_secs(86_400);

impl Machine {
    /// What is over by itself, before anything else is looked at.
    pub(super) fn expire(&mut self) {
        let now = self.now();
        let is_over = |at: &mut crate::time::Instant| *at <= now;
        let s = &mut self.state;
        s.off_until.take_if(is_over);
        s.waiting.take_if(|w| w.until <= now);
        s.watches.late_until.take_if(is_over);
        if s.disarmed_until.take_if(is_over).is_some() {
            self.tell(Event::Armed);
        }
    }

    /// Contacts that say what cannot be are not believed (H5, H23 of reliability.md).
    pub(super) fn judge_sensors(&mut self) {
        let now = self.now();
        let is_at_rest = self.state.valve == Valve::Shut && self.state.phase.run().is_none();
        let s = &mut self.state.sensors;
        let floats = s.claims(Sensor::FloatLow) && s.claims(Sensor::FloatHigh);
        let is_over = s.claims(Sensor::Overflow) && !s.claims(Sensor::FloatHigh);
        s.distrust(Sensor::FloatLow, floats);
        s.distrust(Sensor::FloatHigh, floats || is_over);
        let switches = s.claims(Sensor::ValveOpen) && s.claims(Sensor::ValveClosed);
        s.distrust(Sensor::ValveOpen, switches);
        s.distrust(Sensor::ValveClosed, switches);
        let selector = s.claims(Sensor::SelectorAuto) && s.claims(Sensor::SelectorManual);
        s.distrust(Sensor::SelectorAuto, selector);
        s.distrust(Sensor::SelectorManual, selector);
        // Flow through a shut valve is a stuck contact; it is believed again once it let go (P25).
        let flows = s.claims(Sensor::Flow);
        let stuck = self.plan.supervision.stuck;
        let is_stuck = self.state.watches.flow_stuck.holds(now, flows && is_at_rest, stuck);
        let was_stuck = s.is_distrusted(Sensor::Flow) && flows;
        s.distrust(Sensor::Flow, is_stuck || was_stuck);
        let has_overflow = is_over && s.is_fitted(Sensor::FloatHigh);
        self.show(Condition::SensorContradiction, floats || switches || selector || has_overflow);
        self.show(Condition::SensorStuck, is_stuck || was_stuck);
        self.report_untrusted();
    }

    fn report_untrusted(&mut self) {
        if matches!(self.state.phase, Phase::Boot { .. }) {
            return;
        }
        let unknown = self.state.sensors.unknown();
        let changed = unknown ^ self.state.untrusted;
        self.state.untrusted = unknown;
        for sensor in Sensor::ALL.into_iter().filter(|s| changed & s.bit() != 0) {
            let is = unknown & sensor.bit() != 0;
            self.tell(if is { Event::SensorUntrusted { sensor } } else { Event::SensorTrusted { sensor } });
        }
    }

    /// After a gap the watchdog relay has dropped what it holds: the state must not claim
    /// otherwise (I15, H27 of reliability.md).
    pub(super) fn judge_gap(&mut self, gap: Duration) {
        let by = self.plan.supervision;
        let Some(gap_max) = by.gap_max else { return };
        if gap <= gap_max || matches!(self.state.phase, Phase::Boot { .. }) {
            return;
        }
        self.tell(Event::CycleLate { gap });
        self.state.watches.late_until = Some(self.now().after(LATE_SHOWN));
        let is_cranking = matches!(self.state.phase, Phase::Starting { .. });
        if is_cranking || (self.state.phase.engine().is_some() && gap > by.gap_run_max) {
            self.fail(Fault::CycleGap);
        }
    }

    /// Lines against the image that was written, of this run only (I7).
    pub(super) fn read_back(&mut self, epoch: u32, wrote: RelayImage, read: RelayImage) {
        if epoch != self.state.epoch {
            return;
        }
        let now = self.now();
        let long = self.plan.supervision.read_back;
        let outputs = self.plan.outputs;
        for relay in outputs.energised() {
            let Some(watch) = self.state.watches.relays.get_mut(relay as usize) else { continue };
            let was_held = watch.is_held();
            let (expected, actual) = (wrote.is_on(relay), read.is_on(relay));
            if watch.holds(now, expected != actual, long) && !was_held {
                self.tell(Event::HardwareValidationFailure { relay, expected, actual });
            }
        }
    }

    pub(super) fn is_mismatched(&self, output: Output) -> bool {
        self.state.watches.relays.get(output as usize).is_some_and(super::super::state::Watch::is_held)
    }

    /// Presses, not holds: a stuck button asks once (P39).
    pub(super) fn buttons(&mut self) {
        let now_pressed = |seen: Seen, was: bool| match seen {
            Seen::Yes => true,
            Seen::No | Seen::Absent => false,
            Seen::Unknown => was,
        };
        let fire = now_pressed(self.see(Sensor::FireButton), self.state.fire_button);
        let reset = now_pressed(self.see(Sensor::ResetButton), self.state.reset_button);
        let fire_edge = fire && !self.state.fire_button;
        let reset_edge = reset && !self.state.reset_button;
        self.state.fire_button = fire;
        self.state.reset_button = reset;
        if fire_edge {
            self.tell(Event::EmergencyButtonPressed);
            self.announce();
            self.answer(0, Source::Button, true);
        }
        if reset_edge {
            let command = super::Command {
                id: 0,
                order: Order::Reset,
                role: Role::Local,
                age: Duration::ZERO,
                retained: false,
            };
            self.command(command);
        }
    }

    /// A starter whose contact stays closed. Looked at before the machine goes on, so that a
    /// pressed stop outranks it in the same step.
    pub(super) fn judge_starter(&mut self) {
        let now = self.now();
        let is_off = !self.relays().is_on(Output::Starter);
        let welded = self.see_yes(Sensor::StarterClosed) && is_off;
        if self.state.watches.starter_welded.holds(now, welded, STARTER_OPENS) {
            self.fail(Fault::StarterWelded);
        }
    }

    /// After everything else: the panel, and what is due to be written or said.
    pub(super) fn follow_up(&mut self) {
        let now = self.now();
        self.judge_fire();
        self.judge_plant();
        self.judge_box();
        self.remind();
        self.checkpoint();
        if let Some(every) = self.plan.health
            && self.state.health_at.is_some_and(|at| self.is_due(at))
        {
            self.state.health_at = Some(now.after(every));
            self.tell(Event::HealthReport);
        }
    }

    pub(super) fn show(&mut self, condition: Condition, is: bool) {
        match self.state.panel.set(condition, is) {
            Some(Change::Raised) => self.tell(Event::Raised { condition }),
            Some(Change::Restored) => self.tell(Event::Restored { condition }),
            None => {}
        }
    }

    fn judge_plant(&mut self) {
        use Condition as C;
        let Some(pump) = self.pump() else { return };
        let s = &self.state;
        let is_run = s.phase.run().is_some() || matches!(s.phase, Phase::Stopping { .. });
        let is_unasked = self.motion() == Motion::Moving
            && matches!(s.phase, Phase::Idle | Phase::Refilling { .. } | Phase::Cooldown { .. });
        let valve_off = !is_run && s.valve != Valve::Shut;
        let owed = !s.ledger.refill_owed.is_zero() && !is_run;
        let starts = s.ledger.starts_spent() >= usize::from(pump.limits.starts_max);
        let budget = pump.refill.is_some_and(|refill| !self.has_budget(&refill));
        let cranking = match pump.drive {
            super::super::plan::Drive::Engine(c) => {
                s.ledger.cranking.spent().saturating_add(c.crank) > c.budget
            }
            super::super::plan::Drive::Electric => false,
        };
        let inputs = &self.plan.inputs;
        let unprotected = !inputs.has(Sensor::Flow) && !inputs.has(Sensor::Pressure);
        let unproven = !inputs.has(Sensor::EngineRun);
        let not_auto = matches!(s.phase, Phase::Standby(Standby::Off | Standby::Manual));
        let overdue = s.ledger.since_test > pump.limits.test_every.saturating_add(TEST_GRACE);
        let (is_fault, is_stopped) =
            (matches!(s.phase, Phase::Fault { .. }), matches!(s.phase, Phase::EmergencyStop { .. }));
        let relay = Output::ALL.into_iter().any(|o| self.is_mismatched(o));
        let now = self.now();
        let is_unasked = self.state.watches.engine_unasked.holds(now, is_unasked, UNASKED);
        if !is_run {
            self.show(C::DryRun, false);
            self.show(C::LowPressure, false);
        }
        self.show(C::ValveOffNormal, valve_off);
        self.show(C::NotAuto, not_auto);
        self.show(C::RefillOwed, owed);
        self.show(C::RefillBudgetSpent, budget);
        self.show(C::TankLow, self.see_yes(Sensor::FloatLow));
        self.show(C::DryRunUnprotected, unprotected);
        self.show(C::RunUnproven, unproven);
        self.show(C::EngineUnasked, is_unasked);
        self.show(C::StartsSpent, starts);
        self.show(C::CrankingSpent, cranking);
        self.show(C::PumpFault, is_fault);
        self.show(C::EmergencyStop, is_stopped);
        self.show(C::RelayMismatch, relay);
        self.show(C::TestOverdue, overdue);
    }

    fn judge_box(&mut self) {
        use Condition as C;
        let is_booting = matches!(self.state.phase, Phase::Boot { .. });
        let unknown = self.state.untrusted != 0 && !is_booting;
        let flapping = Sensor::ALL.into_iter().any(|s| self.state.sensors.is_flapping(s));
        let is_late = self.state.watches.late_until.is_some();
        let is_lost = self.state.ledger_lost;
        self.show(C::SensorUnknown, unknown);
        self.show(C::SensorFlapping, flapping);
        self.show(C::BatteryLow, self.see(Sensor::BatteryLow).may_be() && !is_booting);
        self.show(C::OilLow, self.see(Sensor::OilLow).may_be() && !is_booting);
        self.show(C::TempHigh, self.see(Sensor::TempHigh).may_be() && !is_booting);
        self.show(C::Disarmed, self.state.disarmed_until.is_some());
        self.show(C::CycleLate, is_late);
        self.show(C::LedgerLost, is_lost);
        self.show(C::EventsLost, self.events.lost() > 0);
    }

    /// That nobody would answer a fire is said every minute (T12).
    fn remind(&mut self) {
        let Some(every) = self.plan.supervision.remind else { return };
        let now = self.now();
        if self.state.disarmed_until.is_none() {
            self.state.watches.remind = None;
            return;
        }
        let at = *self.state.watches.remind.get_or_insert(now.after(every));
        if at <= now {
            self.state.watches.remind = Some(now.after(every));
            self.tell(Event::Raised { condition: Condition::Disarmed });
        }
    }

    /// The ledger is written down while something is being metered.
    fn checkpoint(&mut self) {
        let Some(pump) = self.pump() else { return };
        let every = if self.state.phase.engine().is_some() {
            pump.limits.checkpoint_run
        } else if matches!(self.state.phase, Phase::Refilling { .. } | Phase::Stopping { .. }) {
            pump.limits.checkpoint_refill
        } else {
            self.state.checkpoint_at = None;
            return;
        };
        let now = self.now();
        let is_due = self.state.checkpoint_at.is_some_and(|at| at <= now);
        if is_due {
            self.events.persist();
        }
        // A run that begins during a refill is written down as often as a run.
        let next = now.after(every);
        let kept = self.state.checkpoint_at.filter(|at| !is_due && *at <= next);
        self.state.checkpoint_at = Some(kept.unwrap_or(next));
    }
}
