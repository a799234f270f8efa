//! Long commands: from what is wanted to a plan for the operator, and what came of it.

use serde_json::{Value, json};
use vigia_core::config::Config;
use vigia_core::control::{
    AckStatus, Admission, Batch, Code, Command, Desired, Echo, Effect, Input, ItemResult, Pauses, Refusal,
    batch_failed, diff, reload, restart_needed,
};
use vigia_core::stream::StreamState;

use super::commands::InHand;
use super::desk::{Job, Outcome, Plan, Progress, Step};
use super::{App, AppError, End};
use crate::clock;

impl App {
    /// A long command that was admitted.
    pub(super) fn enqueue(&mut self, mut hand: InHand, command: &Command) {
        let planned = match command {
            Command::Restart => Ok(Some(Job::Restart(self.desired.clone()))),
            Command::RenameInstance { new_instance_id } => self.plan_rename(new_instance_id.as_str()),
            Command::ReloadConfig => self.plan_reload(&mut hand),
            Command::Batch(batch) => self.plan_batch(&mut hand, batch),
            one => self.plan(&mut hand, one),
        };
        match planned {
            Ok(Some(job)) => {
                self.in_hand = Some(hand);
                self.desk.give(job);
            }
            Ok(None) => {
                self.settle(&hand);
                hand.effect.unchanged = true;
                self.step(Input::Released);
                self.finish(hand, Ok(()));
            }
            Err(refusal) => {
                self.step(Input::Released);
                self.refuse(hand, refusal);
            }
        }
    }

    /// What changes only on paper: defaults for streams to come.
    fn settle(&mut self, hand: &InHand) {
        if let Some(next) = &hand.next {
            self.desired.clone_from(next);
        }
    }

    fn plan(&mut self, hand: &mut InHand, command: &Command) -> Result<Option<Job>, Refusal> {
        let next = self.desired.apply(command, &self.config)?;
        let idle = diff(&self.desired, &next).is_empty();
        hand.next = Some(next);
        let shadow_frames = match command {
            Command::ChangeModel { shadow_frames, .. } => shadow_frames.unwrap_or(0),
            _ => 0,
        };
        let step = Step { command: command.clone(), next: None };
        Ok((!idle).then(|| self.job(step, shadow_frames)))
    }

    fn job(&self, step: Step, shadow_frames: u32) -> Job {
        let (base, config) = (self.desired.clone(), self.config.clone());
        Job::Apply(Box::new(Plan {
            steps: vec![step],
            is_batch: false,
            atomic: true,
            shadow_frames,
            base,
            config,
        }))
    }

    /// Items of a batch that is not atomic are looked at one after the other when it is their turn: what
    /// an item makes impossible or possible for the next is not known before.
    fn plan_batch(&mut self, hand: &mut InHand, batch: &Batch) -> Result<Option<Job>, Refusal> {
        let mut next = self.desired.clone();
        for (at, command) in batch.commands.iter().enumerate().filter(|_| batch.atomic) {
            next = next.apply(command, &self.config).map_err(|why| batch_failed(at, command, &why))?;
        }
        let steps = batch.commands.iter().map(|command| Step { command: command.clone(), next: None });
        let (base, config) = (self.desired.clone(), self.config.clone());
        let plan = Plan {
            steps: steps.collect(),
            is_batch: true,
            atomic: batch.atomic,
            shadow_frames: 0,
            base,
            config,
        };
        hand.batch.clone_from(&batch.commands);
        // Also one without changes goes to the operator, who lists the results.
        Ok(Some(Job::Apply(Box::new(plan))))
    }

    /// The pauses of a batch, on top of those that came meanwhile. `before`: what was when it began.
    fn pauses_after(&self, before: Desired, commands: &[Command], results: &[ItemResult]) -> Pauses {
        let (mut desired, mut pauses) = (before, self.machine.pauses().clone());
        for (command, result) in commands.iter().zip(results) {
            let done =
                (result.ack_status == AckStatus::Completed).then(|| desired.apply(command, &self.config));
            let Some(Ok(next)) = done else { continue };
            desired = next;
            match command {
                Command::Pause { sources, timeout, .. } => pauses.pause(clock::now(), sources, *timeout),
                Command::Resume { sources } => pauses.resume(sources, &desired.source_ids()),
                _ => {}
            }
            pauses.keep(&desired.source_ids());
        }
        pauses
    }

    /// The files read again; what commands changed stays where the files did not change it, too.
    fn plan_reload(&mut self, hand: &mut InHand) -> Result<Option<Job>, Refusal> {
        let new: Config = (self.reload)().map_err(|why| Refusal::new(Code::BadConfig, why))?;
        let restored = reload(&self.desired, &self.config, &new);
        hand.effect.restart_needed =
            restart_needed(&self.config, &new).into_iter().map(str::to_owned).collect();
        let idle = diff(&self.desired, &restored.desired).is_empty();
        let step = Step { command: Command::ReloadConfig, next: Some(restored.desired.clone()) };
        hand.next = Some(restored.desired);
        // Streams and defaults are read from here on; the rest of it waits for a restart.
        self.config.streams = new.streams;
        self.config.stream_defaults = new.stream_defaults;
        self.config.detector.model = new.detector.model;
        self.config.detector.confidence = new.detector.confidence;
        self.config.stream_server = new.stream_server;
        Ok((!idle).then(|| self.job(step, 0)))
    }

    /// SIGHUP: a reload that nobody waits for.
    pub(super) fn reload_by_signal(&mut self) {
        let mut echo = Echo::default();
        Command::ReloadConfig.name().clone_into(&mut echo.command);
        let hand = self.hand(echo);
        match self.machine.admit(&Command::ReloadConfig) {
            Admission::Enqueue(work) => {
                self.step(Input::Claimed(work));
                self.enqueue(hand, &Command::ReloadConfig);
            }
            Admission::Refuse(refusal) => self.refuse(hand, refusal),
            Admission::Now => {}
        }
    }

    /// The operator tells how it goes on.
    pub(super) fn progressed(&mut self, progress: Progress) -> Option<End> {
        match progress {
            Progress::Begun => {
                self.step(Input::Begun);
                None
            }
            Progress::Ended(outcome) if outcome.is_start => self.start_ended(*outcome),
            Progress::Ended(outcome) => {
                self.change_ended(*outcome);
                None
            }
            Progress::Engine(engine) => {
                self.engine_is(engine);
                None
            }
            Progress::Degraded(why) => {
                let mut engine = std::mem::take(&mut self.engine);
                engine["degraded"] = json!(why);
                self.engine_is(engine);
                None
            }
            Progress::Build(news) => {
                self.watchdog.goes_on();
                self.build_news(news);
                None
            }
            Progress::Measured => {
                self.watchdog.goes_on();
                None
            }
            Progress::Connected(worker) => {
                self.renamed(worker);
                None
            }
            Progress::Retired => {
                self.rename_ended();
                None
            }
        }
    }

    fn start_ended(&mut self, outcome: Outcome) -> Option<End> {
        self.engine_is(outcome.engine.unwrap_or_default());
        if let Err(refusal) = outcome.result {
            self.step(Input::Failed);
            return Some(End::Broken(AppError::Start(refusal)));
        }
        // What is not the operator's may have changed since it began.
        self.desired.model = outcome.reached.model;
        self.step(Input::Started);
        self.watchdog.ready();
        let streams = self.desired.streams.len();
        tracing::info!(component = "processor", event = "processor_running", streams, "running");
        None
    }

    fn change_ended(&mut self, outcome: Outcome) {
        let Outcome { result, effect, reached, begun, works, engine, .. } = outcome;
        if let Some(engine) = engine {
            self.engine_is(engine);
        }
        let Some(mut hand) = self.in_hand.take() else { return };
        let before = std::mem::replace(&mut self.desired, reached);
        // Before what comes and goes is followed: a stream that left in between is not silent.
        let pauses = self.pauses_after(before, &hand.batch, &effect.results);
        self.follow_streams();
        if result.is_ok() && !hand.batch.is_empty() {
            self.step(Input::SetPauses(pauses));
        }
        self.step(match (&result, begun, works) {
            (Ok(()), true, _) => Input::Done,
            (_, false, _) => Input::Released,
            (Err(_), true, true) => Input::RolledBack,
            (Err(_), true, false) => Input::Failed,
        });
        let kept = std::mem::take(&mut hand.effect);
        hand.effect = Effect { restart_needed: kept.restart_needed, ..effect };
        self.finish(hand, result);
    }

    /// Another engine is at work, as the status and the panel show it.
    fn engine_is(&mut self, engine: Value) {
        (self.engine, self.stale) = (engine, true);
        if let Some(fire) = &self.fire {
            fire.engine(self.engine.get("degraded").and_then(Value::as_str));
        }
    }

    /// Streams that came or went, everywhere they are listed.
    fn follow_streams(&mut self) {
        let ids = self.desired.source_ids();
        self.streams.retain(|id, _| ids.contains(id));
        self.decoders.retain(|id, _| ids.contains(id));
        for id in &ids {
            self.streams.entry(*id).or_insert(StreamState::Connecting);
        }
        self.telemetry.keep(&ids);
        if let Some(fire) = &self.fire {
            fire.streams(&self.desired.streams);
        }
        self.step(Input::Streams(ids));
        self.stale = true;
        if self.machine.pauses().is_all_paused() {
            self.publish_status(self.machine.status(), json!({}));
        }
    }
}
