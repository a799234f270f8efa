//! What turns, and its valve: starter, ignition, water path.

use vigia_core::pump::plan::{Drive, Pump, WaterPolicy};
use vigia_core::pump::{Output, RelayImage, Sensor, StateName};
use vigia_core::time::Instant;

use super::{Broken, Judge, K0_S, SLACK_S, by_hand, driven};
use crate::plant::{DriveConfig, EngineConfig, Fault, Plant};

impl Judge {
    /// I1, I2, I8, R-03.
    pub(super) fn cranked(
        &mut self,
        now: Instant,
        plant: &Plant,
        pump: &Pump,
        is_alive: bool,
    ) -> Result<(), Broken> {
        let Drive::Engine(cranking) = pump.drive else { return Ok(()) };
        let truth = plant.truth();
        // Mended just now, it has been engaged for as long as it was welded.
        let welded =
            plant.has(Fault::RelayWelded(Output::Starter)) || (self.was_welded && truth.starter_s > 0.0);
        self.was_welded = welded;
        self.cranking.note(now, truth.cranked_s);
        let is_new = truth.cranks != self.cranks;
        self.cranks = truth.cranks;
        if is_new && is_alive && !welded {
            self.cranks_of_run += 1;
            let valve = truth.valve;
            if self.trusts(now, Sensor::ValveOpen) && self.trusts(now, Sensor::ValveClosed) && valve < 0.9 {
                return Err(Broken::CrankedUnproven { valve });
            }
            if self.cranks_of_run > u32::from(cranking.attempts) {
                return Err(Broken::TooManyCranks { cranks: self.cranks_of_run });
            }
        }
        let seen = plant.config().has_feedback || self.trusts(now, Sensor::StarterClosed);
        if welded && !seen {
            return Ok(());
        }
        let crank = cranking.crank.as_secs_f64();
        // A welded one is noticed by its contact within half a second, and K0 drops.
        let more = if welded { 0.6 + K0_S } else { K0_S };
        let seconds = truth.starter_s;
        if seconds > crank + SLACK_S + more {
            return Err(Broken::CrankedLong { seconds });
        }
        let spent = self.cranking.least(now, truth.cranked_s);
        // What a dying program had not written down: one crank each.
        let unwritten = f64::from(self.crashes) * (crank + K0_S);
        if !welded && spent > cranking.budget.as_secs_f64() + SLACK_S + unwritten {
            return Err(Broken::CrankedOften { seconds: spent });
        }
        let running = truth.starter_while_running_s;
        let most = if is_alive && self.trusts(now, Sensor::EngineRun) { 0.2 + SLACK_S } else { crank };
        if !welded && running > most + K0_S {
            return Err(Broken::CrankedRunning { seconds: running });
        }
        Ok(())
    }

    /// I1, I5, R-07.
    pub(super) fn valve(
        &mut self,
        now: Instant,
        plant: &Plant,
        pump: &Pump,
        written: RelayImage,
        state: Option<StateName>,
        is_alive: bool,
    ) -> Result<(), Broken> {
        let truth = plant.truth();
        let by_hand = matches!(state, Some(StateName::Manual | StateName::Off | StateName::Leaving));
        let switches = self.trusts(now, Sensor::ValveOpen)
            && (!self.plan.has_input(Sensor::ValveClosed) || self.trusts(now, Sensor::ValveClosed));
        let sees_turning = self.trusts(now, Sensor::EngineRun) && self.trusts(now, Sensor::EngineTurning);
        let commanded = written.is_on(Output::Run) || written.is_on(Output::Contactor);
        let is_lost = is_alive && commanded && switches && truth.valve < 0.9;
        let seconds = self.lost_valve.seconds(now, is_lost);
        if seconds > pump.opening.lost_max.as_secs_f64() + self.filter(Sensor::ValveOpen) + SLACK_S {
            return Err(Broken::ValveLost { seconds });
        }
        let booting = matches!(state, Some(StateName::Boot)) || !self.is_tested;
        let turns = truth.rpm > 100.0 && sees_turning && !booting && !by_hand;
        let seconds = self.shut_turning.seconds(now, is_alive && turns && !written.is_on(Output::MainValve));
        if seconds > 1.0 + SLACK_S {
            return Err(Broken::ShutWhileTurning { seconds });
        }
        // In all there is the filter, the stop, and the coming to rest.
        let DriveConfig::Engine(EngineConfig { spin_down_s, .. }) =
            plant.config().drive.unwrap_or(DriveConfig::Engine(EngineConfig::USUAL))
        else {
            return Ok(());
        };
        let excused = !switches || !sees_turning || by_hand || plant.has(Fault::RunsOn) || booting;
        let most = 3.0 + spin_down_s;
        let is = is_alive && !excused && truth.deadhead_s > 0.0 && !self.is_unstoppable(plant);
        let seconds = self.deadhead.seconds(now, is);
        if seconds > most {
            return Err(Broken::Deadhead { seconds });
        }
        Ok(())
    }

    /// What no relay can stop.
    fn is_unstoppable(&self, plant: &Plant) -> bool {
        plant.has(Fault::RunsOn)
            || plant.has(Fault::RelayWelded(Output::Run))
            || plant.has(Fault::RelayWelded(Output::Starter))
            || plant.has(Fault::RelayWelded(Output::Contactor))
            || plant.has(Fault::RelayDead(Output::Kill))
    }

    ///
    pub(super) fn engine(
        &mut self,
        now: Instant,
        plant: &Plant,
        pump: &Pump,
        is_alive: bool,
    ) -> Result<(), Broken> {
        let truth = plant.truth();
        let obeys = !self.is_unstoppable(plant) && is_alive && !by_hand(plant);
        let driven_s = self.driven.seconds(now, obeys && driven(truth.live));
        let protects = pump.water.policy == WaterPolicy::Protect;
        let valve = truth.valve > 0.9;
        let sees_water = self.trusts(now, Sensor::Flow)
            || (!self.plan.has_input(Sensor::Flow) && self.trusts(now, Sensor::Pressure) && valve);
        // After a stop it comes to rest, driven by nobody.
        let dry = truth.dry_s.min(driven_s);
        // It may have caught long before anybody could see that it runs.
        let crank_s = match pump.drive {
            Drive::Engine(cranking) => cranking.crank.as_secs_f64(),
            Drive::Electric => 0.0,
        };
        let most = pump.water.dry_max.as_secs_f64() + self.filter(Sensor::Flow) + crank_s + 2.0;
        if obeys && protects && sees_water && dry > most {
            return Err(Broken::Dry { seconds: dry });
        }
        let rated = match plant.config().drive {
            Some(DriveConfig::Engine(engine)) => engine.rated_rpm,
            Some(DriveConfig::Electric { .. }) | None => f64::MAX,
        };
        let fast = obeys && self.trusts(now, Sensor::Overspeed) && truth.rpm > 1.15 * rated;
        if self.fast.seconds(now, fast && driven(truth.live)) > self.filter(Sensor::Overspeed) + SLACK_S {
            return Err(Broken::Overspeed { rpm: truth.rpm });
        }
        // The run, what came before it with the ignition on, and what a dead program holds.
        let most = pump.limits.run_max.as_secs_f64() + 16.0 + 6.0;
        if driven_s > most {
            return Err(Broken::RanLong { seconds: driven_s });
        }
        Ok(())
    }
}
