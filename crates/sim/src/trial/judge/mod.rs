//! Whether the invariants hold, by the plant's own truth.
//!
//! | | where it is judged |
//! |---|---|
//! | I1, R-07 | here: commanded; `drive`: by the valve's position when a crank begins and while driven |
//! | I2, R-03, I8 | `drive`: the starter as it is really engaged |
//! | I3, I5 | here: commanded; `drive`: the engine that turns against a shut valve |
//! | I4, I9, I11, I13, I14, I15, I18, R-19 | [`word`]: what the machine says, against the plant |
//! | I6, R-14 | here: litres and seconds; the refill owed against an account of its own |
//! | I10 | here: power after the death of the program; [`word`]: before the self-test |
//! | R-08, R-10, R-12 | `drive` |
//! | I12 and what ends well | `lively` |
//! | I7, I17 | the core's random walks; I16 the plan's types and tests |
//! | I19 to I23 | outside of the deciding: queues, spool, pauses, locks, the loop's period |
//!
//! A plant can lie beyond what anybody could notice: a stuck contact that is the only sign of
//! something. Each judgement says which contacts must be honest for it.

use std::time::Duration;

use vigia_core::pump::plan::Pump;
use vigia_core::pump::{Output, Plan, RelayImage, Sensor, StateName};
use vigia_core::time::Instant;

use super::broken::Broken;
use crate::plant::{Fault, Plant, Watchdog};

mod drive;
mod lasting;
mod word;

use lasting::{Account, Lasting, Recent};
pub use word::Word;

/// What a cycle, a contact's own delay and the plant's steps may add to any limit, seconds.
const SLACK_S: f64 = 0.35;
/// From the loss of the heartbeat to the drop of K0, with its step.
const K0_S: f64 = 0.4;

/// The judge of one trial.
#[derive(Debug, Clone)]
pub struct Judge {
    plan: Plan,
    last: Option<Instant>,
    cranks: u32,
    cranks_of_run: u32,
    cranking: Recent,
    refilling: Recent,
    lost_valve: Lasting,
    shut_turning: Lasting,
    full: Lasting,
    fast: Lasting,
    driven: Lasting,
    stopped: Lasting,
    after_death: Lasting,
    honest: Honesty,
    account: Account,
    was_welded: bool,
    pumped: bool,
    /// With its ignition on, when it was last seen alive.
    was_cranking: bool,
    deadhead: Lasting,
    epoch: u32,
    /// It drives nothing without a passed self-test, not even a valve.
    pub is_tested: bool,
    word: word::Memory,
    /// A refill valve that does not obey makes its own flood.
    flood: bool,
    overflow_l: f64,
    crashes: u32,
}

/// Since when contacts have been telling the truth: a filter remembers lies for a while.
#[derive(Debug, Clone, Copy)]
struct Honesty {
    lied_at: [Option<Instant>; vigia_core::pump::SENSORS_LEN],
}

impl Judge {
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            last: None,
            cranks: 0,
            cranks_of_run: 0,
            cranking: Recent::new(Duration::from_secs(600)),
            refilling: Recent::new(Duration::from_secs(86_400)),
            lost_valve: Lasting::default(),
            shut_turning: Lasting::default(),
            full: Lasting::default(),
            fast: Lasting::default(),
            driven: Lasting::default(),
            stopped: Lasting::default(),
            after_death: Lasting::default(),
            honest: Honesty { lied_at: [None; vigia_core::pump::SENSORS_LEN] },
            account: Account::default(),
            was_welded: false,
            pumped: false,
            was_cranking: false,
            deadhead: Lasting::default(),
            epoch: 0,
            is_tested: true,
            word: word::Memory::default(),
            flood: false,
            overflow_l: 0.0,
            crashes: 0,
        }
    }

    /// The program died, or lost its power. Its disk may have lost what it held.
    pub fn died(&mut self, disk_lost: bool) {
        self.crashes += 1;
        self.cranks_of_run = 0;
        self.word.died();
        if disk_lost {
            self.account.forget();
        }
    }

    /// It started without its ledger.
    pub fn forgets(&mut self) {
        self.account.forget();
    }

    /// Looks at the plant. `written`: the image of the program; `state`: what it says of itself;
    /// `None` while it is dead, and for images made by hand.
    pub fn plant(
        &mut self,
        now: Instant,
        plant: &Plant,
        written: RelayImage,
        state: Option<StateName>,
        is_alive: bool,
    ) -> Result<(), Broken> {
        let passed = now.since(self.last.unwrap_or(now));
        self.last = Some(now);
        self.note_lies(now, plant);
        self.stop(now, plant, is_alive)?;
        let Some(pump) = self.plan.pump().copied() else { return Ok(()) };
        if is_alive {
            commanded(&self.plan, written, state)?;
        }
        self.cranked(now, plant, &pump, is_alive)?;
        self.valve(now, plant, &pump, written, state, is_alive)?;
        self.engine(now, plant, &pump, is_alive)?;
        self.tank(now, plant, &pump, passed, is_alive)?;
        self.death(now, plant, is_alive)?;
        // What was, until now.
        self.account.pass(passed, self.pumped, &pump);
        let runs_on = driven(plant.truth().live) && plant.truth().runs && !by_hand(plant);
        self.pumped = match (is_alive, state) {
            (true, Some(state)) => matches!(state, StateName::Running | StateName::ReducingRpm),
            (true, None) => false,
            // What was pumping, or catches in the very crank in which the program dies. Known and
            // let pass: one in which it only hangs, for up to 5 s, and then latches.
            (false, state) => runs_on && (self.pumped || (self.was_cranking && state.is_none())),
        };
        if is_alive {
            self.was_cranking = state == Some(StateName::Starting) && written.is_on(Output::Run);
        }
        Ok(())
    }

    fn note_lies(&mut self, now: Instant, plant: &Plant) {
        for sensor in Sensor::ALL {
            if !plant.is_honest(sensor)
                && let Some(slot) = self.honest.lied_at.get_mut(sensor as usize)
            {
                *slot = Some(now);
            }
        }
        self.flood |= plant.has(Fault::RefillStuckOpen) || plant.has(Fault::RelayWelded(Output::RefillValve));
    }

    /// Fitted, and telling the truth for longer than any filter remembers.
    fn trusts(&self, now: Instant, sensor: Sensor) -> bool {
        const FORGOTTEN: Duration = Duration::from_secs(25);
        let lied = self.honest.lied_at.get(sensor as usize).copied().flatten();
        self.plan.has_input(sensor) && lied.is_none_or(|at| now.since(at) > FORGOTTEN)
    }

    /// I4, by power: within a cycle after the press.
    fn stop(&mut self, now: Instant, plant: &Plant, is_alive: bool) -> Result<(), Broken> {
        let live = plant.truth().live;
        let is_seen = is_alive && self.trusts(now, Sensor::EmergencyStop);
        let welded = plant.has(Fault::RelayWelded(Output::Run))
            || plant.has(Fault::RelayWelded(Output::Starter))
            || plant.has(Fault::RelayWelded(Output::Contactor));
        let is = is_seen && plant.is_stop_pressed() && driven(live) && !welded && !by_hand(plant);
        let seconds = self.stopped.seconds(now, is);
        if seconds > SLACK_S { Err(Broken::StopIgnored { seconds }) } else { Ok(()) }
    }

    /// I6.
    fn tank(
        &mut self,
        now: Instant,
        plant: &Plant,
        pump: &Pump,
        passed: Duration,
        is_alive: bool,
    ) -> Result<(), Broken> {
        let (truth, tank) = (plant.truth(), plant.config().tank);
        let overflow = truth.overflow_l - self.overflow_l;
        self.overflow_l = truth.overflow_l;
        let Some(refill) = pump.refill else { return Ok(()) };
        let welded = plant.has(Fault::RelayWelded(Output::RefillValve));
        self.refilling.note(now, truth.refilled_s);
        let spent = self.refilling.least(now, truth.refilled_s);
        // What a dying program had not written down.
        let unwritten = f64::from(self.crashes) * (pump.limits.checkpoint_refill.as_secs_f64() + 60.0);
        if !self.flood && spent > refill.budget.as_secs_f64() + 15.0 + unwritten {
            return Err(Broken::RefilledOften { seconds: spent });
        }
        let floats = self.trusts(now, Sensor::FloatHigh)
            && (!self.plan.has_input(Sensor::FloatLow) || self.trusts(now, Sensor::FloatLow))
            && (!self.plan.has_input(Sensor::Overflow) || self.trusts(now, Sensor::Overflow));
        let over = self.trusts(now, Sensor::Overflow);
        let is_full = (floats && truth.level_l >= tank.high_l()) || (over && truth.level_l >= tank.over_l());
        let fills = truth.live.is_on(Output::RefillValve) && is_alive && !welded;
        let seconds = self.full.seconds(now, fills && is_full);
        if seconds > self.filter(Sensor::FloatHigh).max(self.filter(Sensor::Overflow)) + SLACK_S + 0.5 {
            return Err(Broken::Overfilled { seconds });
        }
        let guarded = (floats || over) && !self.flood && is_alive && passed < Duration::from_secs(60);
        if guarded && overflow > tank.refill_l_per_s * 1.0 {
            return Err(Broken::Overflowed { litres: overflow });
        }
        Ok(())
    }

    /// I10: with the watchdog relay nothing outlives the program.
    fn death(&mut self, now: Instant, plant: &Plant, is_alive: bool) -> Result<(), Broken> {
        let truth = plant.truth();
        let seconds = self.after_death.seconds(now, !is_alive);
        let ride = match plant.config().watchdog {
            Watchdog::FailRun => crate::plant::K0B_HOLDS.as_secs_f64(),
            Watchdog::FailStop | Watchdog::Absent => K0_S,
        };
        let limits = [(Output::Starter, K0_S), (Output::Run, ride), (Output::Contactor, ride)];
        let by_hand = by_hand(plant);
        let outlives = |(output, most): &(Output, f64)| {
            truth.live.is_on(*output) && seconds > *most + 0.05 && !(by_hand && *output == Output::Run)
        };
        match limits.into_iter().find(outlives) {
            Some((output, _)) => Err(Broken::OutlivesProgram { output, seconds }),
            None => Ok(()),
        }
    }

    /// How long a contact must stand still, seconds.
    fn filter(&self, sensor: Sensor) -> f64 {
        let ms = self.plan.supervision().debounce_ms.get(sensor as usize).copied().unwrap_or_default();
        f64::from(ms) / 1000.0
    }
}

fn driven(live: RelayImage) -> bool {
    [Output::Run, Output::Starter, Output::Contactor].into_iter().any(|o| live.is_on(o))
}

/// The key at the panel holds the ignition, and nobody else.
fn by_hand(plant: &Plant) -> bool {
    plant.selector() == crate::plant::Selector::Manual
}

/// What an image must never be: I1, I3, R-19.
fn commanded(plan: &Plan, written: RelayImage, state: Option<StateName>) -> Result<(), Broken> {
    let drives = driven(written);
    if drives && plan.has_output(Output::MainValve) && !written.is_on(Output::MainValve) {
        return Err(Broken::DrivenShut);
    }
    if drives && written.is_on(Output::Kill) {
        return Err(Broken::DrivenAndKilled);
    }
    match state {
        Some(state @ (StateName::Off | StateName::Manual | StateName::Leaving)) if drives => {
            Err(Broken::DrivenInStandby { state })
        }
        _ => Ok(()),
    }
}
