//! Every way to stand still. All of them cut the ignition and pulse the kill relay (H12),
//! and none closes the main valve on a turning engine.

use core::time::Duration;

use super::super::events::Event;
use super::super::plan::Pump;
use super::super::sensors::{Seen, Sensor};
use super::super::state::{Fault, Kill, Phase, Standby, StopReason, Valve};
use super::{Machine, Motion};
use crate::time::Instant;

impl Machine {
    /// In order: a run that is over.
    pub(super) fn stop(&mut self, why: StopReason) {
        let Some(pump) = self.pump() else { return };
        let drains = match why {
            StopReason::MaxRuntime | StopReason::FireOff | StopReason::TestOver | StopReason::SelectorOff => {
                pump.stopping.valve_close
            }
            StopReason::Shutdown | StopReason::Interrupted => soonest(&pump),
        };
        self.state.valve = Valve::Closing { at: self.now().after(drains) };
        if why == StopReason::TestOver {
            self.state.ledger.since_test = Duration::ZERO;
        }
        let ran = self.state.ledger.unfinished.unwrap_or_default();
        self.kill_engine(why, ran);
    }

    /// Before the engine runs; a crank may have been under way.
    pub(super) fn abandon(&mut self, why: StopReason) {
        let Some(pump) = self.pump() else { return };
        self.state.valve = Valve::Closing { at: self.now().after(soonest(&pump)) };
        let ran = self.state.ledger.unfinished.unwrap_or_default();
        self.kill_engine(why, ran);
    }

    pub(super) fn kill_engine(&mut self, why: StopReason, ran: Duration) {
        let Some(pump) = self.pump() else { return };
        let now = self.now();
        let pulse = pump.stopping.kill;
        self.state.off_until = Some(now.after(pump.limits.off_min));
        self.go(Phase::Stopping {
            why,
            ran,
            // Without a pulse it coasts.
            until: now.after(pulse.unwrap_or(pump.stopping.spin_down)),
            give_up_at: now.after(pump.stopping.stop_max),
            kill: Kill::begin(now, pulse),
        });
        self.tell(Event::ShutdownInitiated { reason: why });
    }

    pub(super) fn stopping(
        &mut self,
        why: StopReason,
        ran: Duration,
        until: Instant,
        give_up_at: Instant,
        kill: Kill,
    ) -> bool {
        let Some(pump) = self.pump() else { return false };
        let motion = self.motion();
        if let Some(output) = self.failed_relay() {
            self.fail(Fault::Relay { output });
            return true;
        }
        if self.is_due(until) {
            let is_over = match motion {
                Motion::Still | Motion::Unseen => true,
                Motion::Unknown => self.is_due(give_up_at),
                Motion::Moving if self.is_due(give_up_at) => {
                    self.fail(Fault::WontStop);
                    return true;
                }
                Motion::Moving => false,
            };
            if is_over {
                self.stopped_in_order(ran);
                return true;
            }
        }
        let kill = kill.tick(self.now(), pump.stopping.kill, motion == Motion::Moving);
        self.state.phase = Phase::Stopping { why, ran, until, give_up_at, kill };
        false
    }

    fn stopped_in_order(&mut self, ran: Duration) {
        self.state.ledger.unfinished = None;
        self.tell(Event::ShutdownComplete { runtime: ran });
        let owed = self.state.ledger.refill_owed;
        if self.standby_wanted().is_some() {
            self.rest();
        } else if owed.is_zero() {
            self.cool_down();
        } else {
            self.tell(Event::RefillContinuing { duration: owed });
            self.rest();
        }
    }

    /// Something is wrong: everything off at once, and latched.
    pub(super) fn fail(&mut self, cause: Fault) {
        match self.state.phase {
            // The first cause is the one to look for; a stop outranks any of them.
            Phase::Fault { .. } | Phase::EmergencyStop { .. } => return,
            _ => {}
        }
        let now = self.now();
        let pump = self.pump();
        // Before a self-test nothing is driven, not even to stop.
        let is_booting = matches!(self.state.phase, Phase::Boot { .. });
        let may_drive = !is_booting || self.state.self_tested;
        let pulse = pump.and_then(|pump| pump.stopping.kill).filter(|_| may_drive);
        if cause != Fault::SelfTest {
            self.state.ledger.fault = Some(cause);
        }
        self.cut(pump.as_ref());
        self.go(Phase::Fault { cause, kill: Kill::begin(now, pulse) });
        self.tell(Event::ErrorStateEntered { reason: cause });
    }

    /// From any state, in this step.
    pub(super) fn stop_at_once(&mut self) {
        self.tell(Event::EmergencyStop);
        if let Phase::EmergencyStop { .. } = self.state.phase {
            return;
        }
        let pump = self.pump();
        self.state.ledger.stopped = true;
        self.cut(pump.as_ref());
        let pulse = pump.and_then(|pump| pump.stopping.kill);
        let kill = match self.state.phase {
            // Lines that are not known to be good: a pulse that has begun is finished, and no
            // other is begun.
            Phase::Boot { .. } if !self.state.self_tested => Kill::default(),
            Phase::Fault { kill, .. } if !self.state.self_tested => kill,
            _ => Kill::begin(self.now(), pulse),
        };
        self.go(Phase::EmergencyStop { kill });
    }

    /// What a fault and an emergency stop have in common: the valve closes as soon as the
    /// engine stands, and nothing that waits may start it again.
    fn cut(&mut self, pump: Option<&Pump>) {
        self.state.waiting = None;
        let Some(pump) = pump else { return };
        let now = self.now();
        self.state.off_until = Some(now.after(pump.limits.off_min));
        let soon = now.after(soonest(pump));
        self.state.valve = match self.state.valve {
            Valve::Shut => Valve::Shut,
            Valve::Open => Valve::Closing { at: soon },
            Valve::Closing { at } => Valve::Closing { at: at.min(soon) },
        };
    }

    /// The hard-wired stop, or its broken loop.
    pub(super) fn must_stop_at_once(&mut self) -> bool {
        match self.state.phase {
            Phase::Boot { .. } | Phase::EmergencyStop { .. } => false,
            _ if self.see(Sensor::EmergencyStop).may_be() => {
                self.stop_at_once();
                true
            }
            _ => false,
        }
    }

    pub(super) fn latched(&mut self, cause: Fault, kill: Kill) -> bool {
        let kill = self.keep_killing(kill);
        self.state.phase = Phase::Fault { cause, kill };
        false
    }

    pub(super) fn stopped(&mut self, kill: Kill) -> bool {
        let kill = self.keep_killing(kill);
        self.state.phase = Phase::EmergencyStop { kill };
        false
    }

    /// A pulse that has begun is finished; another is begun only with lines that are known
    /// to be good.
    fn keep_killing(&self, kill: Kill) -> Kill {
        let pulse = self.pump().and_then(|pump| pump.stopping.kill);
        let turns = self.motion() == Motion::Moving && self.state.self_tested;
        kill.tick(self.now(), pulse, turns)
    }

    // MAN - OFF - AUTO.

    /// Without a selector it is always AUTO; one that can't be believed stands at OFF.
    pub(super) fn is_auto(&self) -> bool {
        match self.see(Sensor::SelectorAuto) {
            Seen::Absent | Seen::Yes => true,
            Seen::No | Seen::Unknown => false,
        }
    }

    pub(super) fn is_manual(&self) -> bool {
        !self.is_auto() && self.see_yes(Sensor::SelectorManual)
    }

    pub(super) fn follow_selector(&mut self) -> bool {
        let Some(wanted) = self.standby_wanted() else { return false };
        match self.state.phase {
            Phase::Boot { .. }
            | Phase::Standby(_)
            | Phase::Stopping { .. }
            | Phase::Fault { .. }
            | Phase::EmergencyStop { .. } => false,
            Phase::Idle | Phase::Refilling { .. } | Phase::Cooldown { .. } => {
                self.rest();
                true
            }
            Phase::Priming { .. }
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::ReducingRpm { .. } => {
                match wanted {
                    Standby::Manual => self.hand_over(),
                    Standby::Off if self.state.phase.engine().is_some() => self.stop(StopReason::SelectorOff),
                    Standby::Off => self.abandon(StopReason::SelectorOff),
                    Standby::Leaving => self.shut_down(),
                }
                true
            }
        }
    }

    /// To MANUAL during a run: the engine belongs to the hand at the panel, which holds its
    /// ignition from here on. It is not killed; its water path stays for as long as it turns.
    fn hand_over(&mut self) {
        let Some(pump) = self.pump() else { return };
        let now = self.now();
        self.state.valve = Valve::Closing { at: now.after(pump.stopping.valve_close) };
        self.state.off_until = Some(now.after(pump.limits.off_min));
        self.state.ledger.unfinished = None;
        self.go(Phase::Standby(Standby::Manual));
    }

    pub(super) fn standing_by(&mut self, standby: Standby) -> bool {
        if self.at_rest_failed() {
            return true;
        }
        match self.standby_wanted() {
            None => {
                self.rest();
                true
            }
            Some(wanted) if wanted != standby => {
                self.go(Phase::Standby(wanted));
                true
            }
            Some(Standby::Leaving) => {
                let soon = self.pump().map(|pump| self.now().after(pump.stopping.spin_down));
                if let (Valve::Closing { at }, Some(soon)) = (self.state.valve, soon) {
                    self.state.valve = Valve::Closing { at: at.min(soon) };
                }
                false
            }
            Some(Standby::Off | Standby::Manual) => false,
        }
    }
}

/// From cutting the ignition to closing the valve: the pulse, and the time to come to rest.
fn soonest(pump: &Pump) -> Duration {
    pump.stopping.kill.unwrap_or_default().saturating_add(pump.stopping.spin_down)
}
