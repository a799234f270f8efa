//! The pump program's part: its cycle, its steps and what is written.

use std::time::Duration;

use vigia_core::pump::{Demand, Event, Input, Source};

use super::Stage;
use crate::trial::broken::Broken;
use crate::trial::diary::Note;
use crate::trial::hand::CYCLE;
use crate::trial::judge::Word;
use crate::trial::link::Frame;

impl Stage {
    /// One cycle of the owner thread: read, step, write, read back.
    pub(super) fn cycle(&mut self) -> Result<(), Broken> {
        self.hand.image = self.plant.sensors();
        self.input(Input::Sensors(self.hand.image))?;
        if core::mem::take(&mut self.hand.doomed) {
            self.kill_pump(Duration::from_millis(300), false);
            return Ok(());
        }
        self.write()
    }

    /// Steps the machine and looks at what came of it.
    pub(super) fn input(&mut self, input: Input) -> Result<(), Broken> {
        let Some(was) = self.hand.state() else { return Ok(()) };
        let gap = self.now.since(self.hand.last_step);
        self.hand.step(self.now, input);
        self.counts.pump_steps += 1;
        let step = self.counts.steps;
        for at in 0..self.hand.events.len() {
            let Some(event) = self.hand.events.get(at).copied() else { break };
            if event != Event::HealthReport {
                self.diary.write(step, self.now, Note::Pump(event));
            }
            match event {
                Event::DemandAccepted { source: Source::Consensus, .. } => {
                    self.last_accepted = Some(self.now)
                }
                Event::EngineRunning { .. } => self.counts.runs += 1,
                Event::ErrorStateEntered { .. } => self.counts.latches += 1,
                _ => {}
            }
        }
        // Whatever it made of it, it has heard, and says so.
        if let Input::Demand(Demand { id, source: Source::Consensus, .. }) = input {
            self.link.send(self.now, Frame::Taken { id }, &mut self.rng);
        }
        let Some(machine) = &self.hand.machine else { return Ok(()) };
        let image = match &input {
            Input::Sensors(image) => Some(image),
            _ => None,
        };
        let word = Word {
            machine,
            events: &self.hand.events,
            events_lost: self.hand.events_lost,
            input: &input,
            was,
            gap,
            image,
        };
        self.judge.word(self.now, &self.plant, &word)
    }

    /// The whole image, the heartbeat, and what is read back.
    pub fn write(&mut self) -> Result<(), Broken> {
        let Some(machine) = &self.hand.machine else { return Ok(()) };
        let (epoch, wrote, beats) =
            (machine.epoch(), machine.relays(), machine.permits_watchdog() && self.judge.is_tested);
        if wrote != self.hand.lines {
            self.diary.write(self.counts.steps, self.now, Note::Relays(wrote));
        }
        self.hand.lines = wrote;
        self.plant.advance(self.now, &wrote);
        self.plant.heartbeat(self.now, beats);
        let read = self.plant.feedback();
        self.hand.read = read;
        self.input(Input::ReadBack { epoch, wrote, read })?;
        self.plan_next();
        // What the read-back changed is written at once.
        let Some(machine) = &self.hand.machine else { return Ok(()) };
        if machine.relays() != self.hand.lines {
            let image = machine.relays();
            self.hand.lines = image;
            self.plant.advance(self.now, &image);
            self.plant.heartbeat(self.now, machine.permits_watchdog() && self.judge.is_tested);
        }
        Ok(())
    }

    fn plan_next(&mut self) {
        let Some(machine) = &self.hand.machine else { return };
        let cycle = self.now.after(CYCLE);
        self.hand.wake = if self.jumps {
            let most = self.now.after(self.longest_sleep);
            let due = machine.deadline().map_or(most, |(at, _)| at.min(most));
            let late = Duration::from_nanos(self.rng.u64(0..100_000_000));
            let next = due.max(self.now.after(Duration::from_millis(1))).after(late);
            if self.hand.looks_old(&self.plant) { next.min(cycle) } else { next }
        } else {
            cycle.after(Duration::from_nanos(self.rng.u64(0..5_000_000)))
        };
    }
}
