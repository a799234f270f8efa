//! The machine's own word, step by step, against what was asked of it and what the plant is like.

use std::time::Duration;

use vigia_core::pump::{
    Command, Event, Fault, Input, Machine, Order, Output, Reading, Seen, Sensor, SensorImage, StateName,
};
use vigia_core::time::Instant;

use super::lasting::Lasting;
use super::{Judge, SLACK_S};
use crate::plant::{Plant, Selector};
use crate::trial::broken::Broken;

/// One step of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    pub machine: &'a Machine,
    pub events: &'a [Event],
    pub events_lost: bool,
    pub input: &'a Input,
    /// What it was before.
    pub was: StateName,
    /// Since the step before.
    pub gap: Duration,
    /// The contacts as they were read in this step, if they were.
    pub image: Option<&'a SensorImage>,
}

/// Orders that were carried out, newest last.
const DONE_LEN: usize = 32;

#[derive(Debug, Clone)]
pub(super) struct Memory {
    reset_until: Option<Instant>,
    stopping: Lasting,
    running_in_boot: Lasting,
    cut: [Lasting; vigia_core::pump::SENSORS_LEN],
    done: [u64; DONE_LEN],
    done_len: usize,
    tap_was_open: bool,
    last: Option<Instant>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            reset_until: None,
            stopping: Lasting::default(),
            running_in_boot: Lasting::default(),
            cut: [Lasting::default(); vigia_core::pump::SENSORS_LEN],
            done: [0; DONE_LEN],
            done_len: 0,
            tap_was_open: false,
            last: None,
        }
    }
}

impl Memory {
    pub fn died(&mut self) {
        self.reset_until = None;
        self.stopping = Lasting::default();
        self.running_in_boot = Lasting::default();
        self.cut = [Lasting::default(); vigia_core::pump::SENSORS_LEN];
        self.tap_was_open = false;
        self.last = None;
    }
}

const fn is_latched(state: StateName) -> bool {
    matches!(state, StateName::Error | StateName::LowPressure | StateName::EmergencyStop)
}

impl Judge {
    /// One step of the machine, after which its image is written.
    pub fn word(&mut self, now: Instant, plant: &Plant, word: &Word<'_>) -> Result<(), Broken> {
        if word.events_lost {
            return Err(Broken::EventsLost);
        }
        if word.machine.status().fault == Some(Fault::Unsettled) {
            return Err(Broken::Unsettled);
        }
        if word.machine.epoch() != self.epoch {
            self.epoch = word.machine.epoch();
            self.cranks_of_run = 0;
        }
        self.stopped_at_once(plant, word)?;
        self.latch(now, plant, word)?;
        self.boot(now, plant, word)?;
        self.cut_wires(now, word)?;
        self.gaps(word)?;
        self.orders(word)?;
        self.stopping_ends(now, word)?;
        self.refill(now, word)
    }

    /// I4, by state.
    fn stopped_at_once(&self, plant: &Plant, word: &Word<'_>) -> Result<(), Broken> {
        let state = word.machine.state();
        let reads = word.image.is_some_and(|i| i.get(Sensor::EmergencyStop) != Reading::Inactive);
        let is_seen = self.plan.has_input(Sensor::EmergencyStop) && plant.is_honest(Sensor::EmergencyStop);
        if is_seen && reads && !matches!(state, StateName::Boot | StateName::EmergencyStop) {
            return Err(Broken::StopUnseen { state });
        }
        Ok(())
    }

    /// I9.
    fn latch(&mut self, now: Instant, plant: &Plant, word: &Word<'_>) -> Result<(), Broken> {
        let (from, to) = (word.was, word.machine.state());
        let was_reset = word.events.iter().any(|e| matches!(e, Event::EmergencyReset));
        if is_latched(from) && !is_latched(to) {
            if !was_reset {
                return Err(Broken::LeftLatch { from, to });
            }
            let off = self.plan.pump().map_or(Duration::ZERO, |pump| pump.limits.off_min);
            self.word.reset_until = Some(now.after(off));
        }
        let driven_s = plant.truth().driven_s;
        let early = self.word.reset_until.is_some_and(|until| now < until);
        let image = word.machine.relays();
        let drives =
            image.is_on(Output::Run) || image.is_on(Output::Starter) || image.is_on(Output::Contactor);
        if early && drives {
            return Err(Broken::ResetStarts { seconds: driven_s });
        }
        Ok(())
    }

    /// I10, I11.
    fn boot(&mut self, now: Instant, plant: &Plant, word: &Word<'_>) -> Result<(), Broken> {
        let state = word.machine.state();
        if state == StateName::Boot {
            let alarms = [Output::Siren, Output::Strobe, Output::Contact];
            if let Some(output) = word.machine.relays().energised().find(|o| !alarms.contains(o)) {
                return Err(Broken::DrivesInBoot { output });
            }
        }
        let sees = self.trusts(now, Sensor::EngineRun) && self.trusts(now, Sensor::EngineTurning);
        let auto = plant.selector() == Selector::Auto;
        let runs = sees && auto && plant.truth().runs && plant.truth().rpm > 1000.0;
        let seconds = self.word.running_in_boot.seconds(now, runs && (word.was == StateName::Boot));
        let selector = !self.plan.has_input(Sensor::SelectorAuto) || self.trusts(now, Sensor::SelectorAuto);
        if word.was == StateName::Boot
            && !matches!(state, StateName::Boot | StateName::Error | StateName::EmergencyStop)
            && seconds > 1.0
            && selector
            && self.plan.has_pump()
        {
            return Err(Broken::FoundRunning { state });
        }
        Ok(())
    }

    /// I14.
    fn cut_wires(&mut self, now: Instant, word: &Word<'_>) -> Result<(), Broken> {
        let Some(image) = word.image else { return Ok(()) };
        for sensor in Sensor::ALL {
            let Some(cut) = self.word.cut.get_mut(sensor as usize) else { continue };
            let is = self.plan.has_input(sensor) && image.get(sensor) == Reading::Fault;
            let seconds = cut.seconds(now, is);
            if seconds > 2.0 + SLACK_S && !matches!(word.machine.see(sensor), Seen::Unknown) {
                return Err(Broken::CutBelieved { sensor, seconds });
            }
        }
        Ok(())
    }

    /// I15.
    fn gaps(&mut self, word: &Word<'_>) -> Result<(), Broken> {
        let by = self.plan.supervision();
        let Some(gap_max) = by.gap_max else { return Ok(()) };
        let state = word.machine.state();
        let cranked = word.was == StateName::Starting && word.gap > gap_max;
        let ran =
            matches!(word.was, StateName::Running | StateName::ReducingRpm) && word.gap > by.gap_run_max;
        if (cranked || ran) && !is_latched(state) {
            return Err(Broken::GapIgnored { seconds: word.gap.as_secs_f64(), state });
        }
        Ok(())
    }

    /// I18, H20.
    fn orders(&mut self, word: &Word<'_>) -> Result<(), Broken> {
        if let Input::Demand(demand) = word.input {
            let stale = demand.age > self.plan.demand_age_max();
            let accepted =
                word.events.iter().any(|e| matches!(e, Event::DemandAccepted { id, .. } if *id == demand.id));
            let ignored = word.events.iter().any(|e| matches!(e, Event::TriggerIgnored { .. }));
            // One that waited may be taken up in the same step.
            if !ignored && (stale || demand.retained || !demand.authorised) && accepted {
                return Err(Broken::ForbiddenDemand { id: demand.id });
            }
        }
        let Input::Command(Command { id, order, role, age, retained }) = *word.input else { return Ok(()) };
        let is_done = |e: &Event| matches!(e, Event::CommandDone { id: done, .. } if *done == id);
        if id == 0 || !word.events.iter().any(is_done) {
            return Ok(());
        }
        if retained || age > Duration::from_secs(10) || role < order.needs() {
            return Err(Broken::ForbiddenDone { id });
        }
        let known = self.word.done.iter().take(self.word.done_len);
        if order != Order::EmergencyStop && known.copied().any(|d| d == id) {
            return Err(Broken::TwiceDone { id });
        }
        if self.word.done_len == DONE_LEN {
            self.word.done.rotate_left(1);
            self.word.done_len -= 1;
        }
        if let Some(slot) = self.word.done.get_mut(self.word.done_len) {
            *slot = id;
            self.word.done_len += 1;
        }
        Ok(())
    }

    /// I13: at rest, or an alarm.
    fn stopping_ends(&mut self, now: Instant, word: &Word<'_>) -> Result<(), Broken> {
        let Some(pump) = self.plan.pump() else { return Ok(()) };
        let s = &pump.stopping;
        let most = s.stop_max.max(s.spin_down).max(s.kill.unwrap_or_default());
        let seconds = self.word.stopping.seconds(now, word.machine.state() == StateName::Stopping);
        if seconds > most.as_secs_f64() + SLACK_S {
            return Err(Broken::StoppingForEver { seconds });
        }
        Ok(())
    }

    /// I6: owed is what was pumped and is not paid.
    fn refill(&mut self, now: Instant, word: &Word<'_>) -> Result<(), Broken> {
        let Some(pump) = self.plan.pump() else { return Ok(()) };
        let Some(refill) = pump.refill else { return Ok(()) };
        let passed = now.since(self.word.last.unwrap_or(now));
        self.word.last = Some(now);
        let is_full =
            word.machine.see(Sensor::FloatHigh).is_yes() || word.machine.see(Sensor::Overflow).is_yes();
        let pays = matches!(word.was, StateName::Stopping | StateName::Refilling);
        let is_open = self.word.tap_was_open && pays;
        let by_float = word.events.iter().any(|e| matches!(e, Event::RefillCompleteFloatSwitch));
        self.account.paid(passed, is_open, by_float || (is_full && pays));
        self.word.tap_was_open = word.machine.relays().is_on(Output::RefillValve);
        if word.machine.state() == StateName::Boot {
            return Ok(());
        }
        let owed = word.machine.ledger().refill_owed();
        let each_s = f64::from(refill.per_mille) / 1000.0 * 0.6 + 1.0;
        match self.account.is_short(owed, self.crashes, each_s) {
            Some(due) => Err(Broken::RefillForgotten { owed: owed.as_secs_f64(), due }),
            None => Ok(()),
        }
    }
}
