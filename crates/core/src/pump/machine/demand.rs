//! A fire asks for water.

use super::super::alarm::Condition;
use super::super::events::Event;
use super::super::order::Refusal;
use super::super::plan::limits::ALARM_KEPT_S;
use super::super::plan::{Drive, Pump, WaterPolicy};
use super::super::sensors::{Seen, Sensor};
use super::super::state::{Fault, Phase, Purpose, Source, StopReason, Valve, Waiting};
use super::{Demand, Machine, Motion};

impl Machine {
    /// What is stale, replayed or from nobody starts nothing and sounds nothing (H18, P46).
    pub(super) fn demand(&mut self, demand: Demand) {
        let why = if demand.retained {
            Some(Refusal::Retained)
        } else if !demand.authorised {
            Some(Refusal::Unauthorised)
        } else if demand.age > self.plan.demand_age_max {
            Some(Refusal::Stale)
        } else {
            None
        };
        match why {
            Some(why) => self.tell(Event::TriggerIgnored { id: demand.id, why }),
            None => {
                self.announce();
                self.answer(demand.id, demand.source, demand.persists);
            }
        }
    }

    /// The alarm sounds whether or not there is water.
    pub(super) fn announce(&mut self) {
        let kept = self.pump().map_or(ALARM_KEPT, |pump| pump.limits.alarm_kept);
        if self.state.watches.fire.is_none() {
            self.state.panel.sound_again();
        }
        self.state.watches.fire = Some(self.now().after(kept));
    }

    pub(super) fn answer(&mut self, id: u64, source: Source, persists: bool) {
        let Some(pump) = self.pump() else {
            return self.tell(Event::DemandAccepted { id, source });
        };
        match self.state.phase {
            Phase::Priming { .. } | Phase::Starting { .. } | Phase::Running { .. } => {
                self.renew(id, source, &pump);
            }
            Phase::ReducingRpm { run, engine, why: StopReason::FireOff | StopReason::TestOver, .. } => {
                self.go(Phase::Running { run, engine });
                self.renew(id, source, &pump);
                self.tell(Event::ShutdownCancelled { id });
            }
            Phase::Idle | Phase::Cooldown { .. } | Phase::Refilling { .. } => {
                match self.may_start(&pump, false) {
                    Ok(()) => self.accept(id, source, &pump),
                    Err(why) => self.block(id, source, persists, why),
                }
            }
            Phase::Fault { cause, .. } => {
                self.tell(Event::ErrorStateTriggerIgnored { id, fault: cause });
                self.feed_by_gravity(&pump, cause);
            }
            Phase::Boot { .. } => self.block(id, source, persists, Refusal::Booting),
            // What latches forgets: a reset must not start anything (I9).
            Phase::EmergencyStop { .. } => self.block(id, source, false, Refusal::StopPressed),
            Phase::Standby(_) => self.block(id, source, false, Refusal::NotAuto),
            Phase::ReducingRpm { .. } | Phase::Stopping { .. } => {
                let now = self.state();
                self.block(id, source, persists, Refusal::State { now });
            }
        }
    }

    /// The fire is still seen; a test becomes the real thing.
    fn renew(&mut self, id: u64, source: Source, pump: &Pump) {
        let crank_at = match self.state.phase {
            Phase::Priming { crank_at, .. } => crank_at,
            _ => self.now(),
        };
        let until = self.wanted_until(source, crank_at, pump);
        let Some(run) = self.state.phase.run_mut() else { return };
        let was = run.purpose;
        run.wanted_until = run.wanted_until.max(until);
        run.purpose = Purpose::Fire;
        if was == Purpose::Test {
            self.tell(Event::TestPromoted { id });
        }
        self.tell(Event::DemandAccepted { id, source });
    }

    fn accept(&mut self, id: u64, source: Source, pump: &Pump) {
        self.state.waiting = None;
        self.tell(Event::DemandAccepted { id, source });
        self.begin(pump, Purpose::Fire, source);
    }

    fn block(&mut self, id: u64, source: Source, persists: bool, why: Refusal) {
        if persists && let Some(pump) = self.pump() {
            let until = self.now().after(pump.limits.demand_kept);
            self.state.waiting = Some(Waiting { id, source, until });
        }
        match why {
            Refusal::RefillOwed => {
                let owed = self.state.ledger.refill_owed;
                self.tell(Event::TriggerBlockedRefilling { id, owed });
            }
            why => self.tell(Event::TriggerBlocked { id, why }),
        }
    }

    /// At rest: what was blocked may have become possible.
    pub(super) fn take_up_waiting(&mut self) -> bool {
        let (Some(waiting), Some(pump)) = (self.state.waiting, self.pump()) else { return false };
        if self.may_start(&pump, false).is_err() {
            return false;
        }
        self.accept(waiting.id, waiting.source, &pump);
        true
    }

    /// Everything that must be true before water is moved. `bypass`: by an order that may.
    pub(in crate::pump) fn may_start(&self, pump: &Pump, bypass: bool) -> Result<(), Refusal> {
        let s = &self.state;
        let refuse = |is: bool, why: Refusal| if is { Err(why) } else { Ok(()) };
        refuse(!self.is_auto() || s.leaving, Refusal::NotAuto)?;
        refuse(s.disarmed_until.is_some() && !bypass, Refusal::Disarmed)?;
        refuse(self.see_yes(Sensor::BatteryLow), Refusal::BatteryLow)?;
        refuse(self.motion() == Motion::Moving, Refusal::EngineMoving)?;
        refuse(s.ledger.starts_spent() >= usize::from(pump.limits.starts_max), Refusal::StartsSpent)?;
        if let Drive::Engine(cranking) = pump.drive {
            let would = s.ledger.cranking.spent().saturating_add(cranking.crank);
            refuse(would > cranking.budget, Refusal::CrankingSpent)?;
        }
        if bypass {
            return Ok(());
        }
        let low = self.see(Sensor::FloatLow);
        let has_some = pump.start_on_partial_tank && low == Seen::No;
        refuse(!s.ledger.refill_owed.is_zero() && !has_some, Refusal::RefillOwed)?;
        if pump.water.policy == WaterPolicy::Protect {
            refuse(low == Seen::Yes, Refusal::TankLow)?;
            let unknown = low == Seen::Unknown || self.see(Sensor::FloatHigh) == Seen::Unknown;
            refuse(unknown, Refusal::TankUnknown)?;
        }
        Ok(())
    }

    /// The pump is out of order, and the tank stands uphill (P26).
    fn feed_by_gravity(&mut self, pump: &Pump, cause: Fault) {
        let may = pump.gravity_feed && self.state.self_tested;
        if may && cause != Fault::MainValveStuck && self.motion() != Motion::Moving {
            self.state.valve = Valve::Closing { at: self.now().after(pump.limits.fire_off) };
            self.tell(Event::EmergencyValveOpen);
        }
    }

    /// Whether a fire has been heard of lately.
    pub(super) fn judge_fire(&mut self) {
        if self.state.watches.fire.is_some_and(|until| self.is_due(until)) {
            self.state.watches.fire = None;
        }
        let is = self.state.watches.fire.is_some();
        self.show(Condition::Fire, is);
    }
}

/// For boxes without a pump.
const ALARM_KEPT: core::time::Duration = core::time::Duration::from_secs(ALARM_KEPT_S);
