//! One box in its world: everything that happens between two moments.

use std::time::Duration;

use vigia_core::pump::{Command, Demand, Input, Output, RelayImage, Sensor, StateName};
use vigia_core::time::Instant;

use super::broken::Broken;
use super::cameras::Eyes;
use super::counts::Counts;
use super::diary::{Diary, Note};
use super::hand::Hand;
use super::judge::Judge;
use super::link::{Frame, Link};
use super::script::{Deed, Script};
use super::setting::Setting;
use super::timeline::{Sample, Timeline};
use crate::plant::Plant;

mod program;

/// The box, the plant, and who watches.
#[derive(Debug)]
pub(super) struct Stage {
    pub now: Instant,
    pub rng: fastrand::Rng,
    pub plant: Plant,
    pub hand: Hand,
    pub eyes: Eyes,
    pub link: Link,
    pub judge: Judge,
    pub diary: Diary,
    pub counts: Counts,
    pub jumps: bool,
    pub timeline: Option<Timeline>,
    /// When vigia is started again, being dead.
    pub eyes_start_at: Option<Instant>,
    /// The next self-test fails.
    pub fail_self_test: bool,
    /// The pump program does not get the processor until then.
    pub hangs_until: Instant,
    /// Messages that nobody may answer again: ids of orders carried to another session are lost.
    pub last_accepted: Option<Instant>,
    pub longest_sleep: Duration,
}

impl Stage {
    pub fn new(setting: &Setting, seed: u64, all: bool, timeline: bool) -> Self {
        let now = Instant(1_000_000_000);
        let mut stage = Self {
            now,
            rng: fastrand::Rng::with_seed(seed ^ 0x5157_2b0c),
            plant: Plant::new(setting.plant, seed),
            hand: Hand::new(setting.plan, now, setting.write_ms),
            eyes: Eyes::new(setting.cameras, setting.needed, now),
            link: Link::new(setting.weather),
            judge: Judge::new(setting.plan),
            diary: Diary::new(all),
            counts: Counts::default(),
            jumps: setting.jumps,
            timeline: timeline.then(Timeline::default),
            eyes_start_at: None,
            fail_self_test: false,
            hangs_until: now,
            last_accepted: None,
            longest_sleep: Duration::from_secs(10),
        };
        stage.plant.pass(now);
        stage.plant.heartbeat(now, false);
        stage
    }

    pub fn note(&mut self, note: Note) {
        self.diary.write(self.counts.steps, self.now, note);
    }

    pub fn state(&self) -> Option<StateName> {
        self.hand.state()
    }

    /// Lets everything happen until then.
    pub fn play(&mut self, until: Instant, mut script: Option<&mut Script>) -> Result<(), Broken> {
        while self.now < until {
            self.turn(until, script.as_deref_mut())?;
        }
        Ok(())
    }

    /// To the next thing that happens.
    pub fn turn(&mut self, until: Instant, script: Option<&mut Script>) -> Result<(), Broken> {
        self.counts.steps += 1;
        let limit = self.next_thing(until, script.as_deref());
        // Where nobody runs in cycles, nothing may be passed over.
        let is_watched = !self.jumps && self.is_alive();
        self.now = if is_watched { limit } else { self.plant.pass_until_change(limit) };
        self.plant.pass(self.now);
        self.notice();
        self.births();
        if let Some(script) = script {
            while let Some(deed) = script.take(self.now, &mut self.rng) {
                self.perform(deed)?;
            }
        }
        self.watch()?;
        while let Some(frame) = self.link.arrived(self.now) {
            self.deliver(frame)?;
        }
        if self.is_alive() && self.hand.wake <= self.now {
            self.cycle()?;
        }
        self.judge.plant(self.now, &self.plant, self.hand.lines, self.state(), self.is_alive())?;
        if let Some(timeline) = &mut self.timeline {
            let (seeing, votes) = self.eyes.count(self.now);
            timeline.note(Sample::of(
                self.now,
                self.plant.truth(),
                self.hand.lines,
                seeing,
                votes,
                self.hand.state(),
            ));
        }
        Ok(())
    }

    /// The pump program runs, and has the processor.
    fn is_alive(&self) -> bool {
        self.hand.machine.is_some() && self.hangs_until <= self.now
    }

    /// A contact or a relay that moved is seen by the next cycle.
    fn notice(&mut self) {
        if self.hand.machine.is_some() && self.jumps && self.hand.looks_old(&self.plant) {
            let soon = self.now.after(Duration::from_nanos(self.rng.u64(1_000_000..100_000_000)));
            self.hand.wake = self.hand.wake.min(soon);
        }
    }

    fn next_thing(&self, until: Instant, script: Option<&Script>) -> Instant {
        let hand = self.hand.machine.is_some().then_some(self.hand.wake.max(self.hangs_until));
        let eyes = self.eyes.is_alive().then_some(self.eyes.wake);
        [hand, eyes, self.hand.starts_at, self.eyes_start_at, self.link.next_at(), script.map(Script::wake)]
            .into_iter()
            .flatten()
            .fold(until, Instant::min)
            .max(self.now)
    }

    fn births(&mut self) {
        if self.hand.machine.is_none() && self.hand.starts_at.is_some_and(|at| at <= self.now) {
            let found = self.hand.start(self.now);
            self.plant.advance(self.now, &self.hand.lines);
            if !found {
                self.judge.forgets();
            }
            self.note(Note::PumpStarts);
            // With everything off, the lines must say so.
            let is_off = self.plant.feedback() == RelayImage::NONE;
            let passes = !core::mem::take(&mut self.fail_self_test) && is_off;
            self.judge.is_tested = passes;
            self.hand.step(self.now, Input::SelfTest(passes));
        }
        if !self.eyes.is_alive() && self.eyes_start_at.is_some_and(|at| at <= self.now) {
            self.eyes_start_at = None;
            self.eyes.start(self.now);
            self.note(Note::VigiaStarts);
        }
    }

    fn watch(&mut self) -> Result<(), Broken> {
        if !self.eyes.is_alive() || self.eyes.wake > self.now {
            return Ok(());
        }
        let (step, before) = (self.counts.steps, self.eyes.confirmed);
        let is_false = self.eyes.look(self.now, step, &mut self.link, &mut self.rng, &mut self.diary);
        self.counts.confirmed += u64::from(self.eyes.confirmed - before);
        if is_false { Err(Broken::FalseFire) } else { Ok(()) }
    }

    pub fn deliver(&mut self, frame: Frame) -> Result<(), Broken> {
        if let Frame::Taken { id } = frame {
            if self.eyes.taken(self.now, id) {
                self.note(Note::Acknowledged(id));
            }
            return Ok(());
        }
        if self.hand.machine.is_none() || self.hangs_until > self.now {
            return Ok(());
        }
        let input = match frame {
            Frame::Demand { id, source, seen, persists, authorised, retained } => {
                let age = self.now.since(seen);
                Input::Demand(Demand { id, source, age, persists, authorised, retained })
            }
            Frame::Order { id, order, role, given, retained } => {
                Input::Command(Command { id, order, role, age: self.now.since(given), retained })
            }
            Frame::Taken { .. } => return Ok(()),
        };
        self.input(input)?;
        self.write()
    }

    pub fn kill_pump(&mut self, back_after: Duration, disk_lost: bool) {
        if self.hand.machine.is_none() {
            return;
        }
        self.note(Note::PumpDies);
        self.counts.deaths += 1;
        self.hand.disk_lost |= disk_lost;
        self.hand.die(self.now, back_after);
        self.plant.heartbeat(self.now, false);
        self.link.cut();
        self.judge.died(disk_lost);
    }

    pub fn kill_vigia(&mut self, back_after: Duration) {
        if self.eyes.is_alive() {
            self.note(Note::VigiaDies);
            self.eyes.die();
            self.link.cut();
            self.eyes_start_at = Some(self.now.after(back_after));
        }
    }

    /// Whether a relay is commanded.
    pub fn is_on(&self, output: Output) -> bool {
        self.hand.lines.is_on(output)
    }

    pub fn sees(&self, sensor: Sensor) -> bool {
        self.hand.plan.has_input(sensor)
    }

    pub fn perform(&mut self, deed: Deed) -> Result<(), Broken> {
        self.note(Note::Deed(deed));
        super::deeds::perform(self, deed);
        // Whatever it was, the next cycle looks at it.
        let soon = self.now.after(Duration::from_nanos(self.rng.u64(0..100_000_000)));
        self.hand.wake = self.hand.wake.min(soon);
        Ok(())
    }
}
