//! Long commands: from what is wanted to a plan for the operator, and what came of it.

use serde_json::json;
use vigia_core::config::Config;
use vigia_core::control::{
    Admission, Batch, Change, Code, Command, Desired, Echo, Effect, Input, Refusal, batch_failed, diff,
    reload, restart_needed,
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

    /// What changes only on paper: defaults for streams to come, pauses.
    fn settle(&mut self, hand: &InHand) {
        if let Some(next) = &hand.next {
            self.desired.clone_from(next);
        }
        if let Some(pauses) = &hand.pauses {
            self.step(Input::SetPauses(pauses.clone()));
        }
    }

    fn plan(&mut self, hand: &mut InHand, command: &Command) -> Result<Option<Job>, Refusal> {
        let next = self.desired.apply(command, &self.config)?;
        let changes = diff(&self.desired, &next);
        hand.next = Some(next);
        let shadow_frames = match command {
            Command::ChangeModel { shadow_frames, .. } => shadow_frames.unwrap_or(0),
            _ => 0,
        };
        let step = Step { command: command.clone(), changes, refused: None };
        Ok(self.job(vec![step], true, shadow_frames))
    }

    /// Nothing if there is nothing to do.
    fn job(&self, steps: Vec<Step>, atomic: bool, shadow_frames: u32) -> Option<Job> {
        let idle = steps.iter().all(|step| step.changes.is_empty() && step.refused.is_none());
        (!idle).then(|| Job::Apply(self.plan_of(steps, atomic, shadow_frames)))
    }

    fn plan_of(&self, steps: Vec<Step>, atomic: bool, shadow_frames: u32) -> Plan {
        // A stream that comes while all are paused is as silent as they are.
        let comes = |change: &Change| match change {
            Change::AddStream(stream) => Some(stream.source_id),
            _ => None,
        };
        let new = steps.iter().flat_map(|step| &step.changes).filter_map(comes);
        let silent = self.desired.source_ids().into_iter().chain(new);
        let silent = silent.filter(|id| self.machine.is_paused(*id)).collect();
        Plan { steps, atomic, shadow_frames, silent }
    }

    fn plan_batch(&mut self, hand: &mut InHand, batch: &Batch) -> Result<Option<Job>, Refusal> {
        let (mut next, mut pauses) = (self.desired.clone(), self.machine.pauses().clone());
        let mut steps = Vec::with_capacity(batch.commands.len());
        for (at, command) in batch.commands.iter().enumerate() {
            let (changes, refused) = match next.apply(command, &self.config) {
                Ok(after) => {
                    let changes = diff(&next, &after);
                    next = after;
                    (changes, None)
                }
                Err(why) if batch.atomic => return Err(batch_failed(at, command, &why)),
                Err(why) => (Vec::new(), Some(why)),
            };
            match command {
                Command::Pause { sources, timeout, .. } if refused.is_none() => {
                    pauses.pause(clock::now(), sources, *timeout);
                }
                Command::Resume { sources } if refused.is_none() => {
                    pauses.resume(sources, &next.source_ids());
                }
                _ => {}
            }
            steps.push(Step { command: command.clone(), changes, refused });
        }
        hand.next = Some(next);
        hand.pauses = (pauses != *self.machine.pauses()).then_some(pauses);
        // Also one without changes goes to the operator, who lists the results.
        Ok(Some(Job::Apply(self.plan_of(steps, batch.atomic, 0))))
    }

    /// The files read again; what commands changed stays where the files did not change it, too.
    fn plan_reload(&mut self, hand: &mut InHand) -> Result<Option<Job>, Refusal> {
        let new: Config = (self.reload)().map_err(|why| Refusal::new(Code::BadConfig, why))?;
        let restored = reload(&self.desired, &self.config, &new);
        hand.effect.restart_needed =
            restart_needed(&self.config, &new).into_iter().map(str::to_owned).collect();
        let step = Step {
            command: Command::ReloadConfig,
            changes: diff(&self.desired, &restored.desired),
            refused: None,
        };
        hand.next = Some(restored.desired);
        // Streams and defaults are read from here on; the rest of it waits for a restart.
        self.config.streams = new.streams;
        self.config.stream_defaults = new.stream_defaults;
        self.config.detector.model = new.detector.model;
        self.config.detector.confidence = new.detector.confidence;
        self.config.stream_server = new.stream_server;
        Ok(self.job(vec![step], true, 0))
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
        self.engine = outcome.engine.unwrap_or_default();
        if let Err(refusal) = outcome.result {
            self.step(Input::Failed);
            return Some(End::Broken(AppError::Start(refusal)));
        }
        self.desired = outcome.reached;
        self.step(Input::Started);
        let streams = self.desired.streams.len();
        tracing::info!(component = "processor", event = "processor_running", streams, "running");
        None
    }

    fn change_ended(&mut self, outcome: Outcome) {
        let Outcome { result, effect, reached, begun, works, engine, .. } = outcome;
        if let Some(engine) = engine {
            self.engine = engine;
        }
        let Some(mut hand) = self.in_hand.take() else { return };
        let next = hand.next.take().filter(|_| result.is_ok());
        self.desired = reached_of(next.as_ref(), reached);
        self.follow_streams();
        if let Some(pauses) = hand.pauses.take().filter(|_| result.is_ok()) {
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

    /// Streams that came or went, everywhere they are listed.
    fn follow_streams(&mut self) {
        let ids = self.desired.source_ids();
        self.streams.retain(|id, _| ids.contains(id));
        for id in &ids {
            self.streams.entry(*id).or_insert(StreamState::Connecting);
        }
        self.telemetry.keep(&ids);
        self.step(Input::Streams(ids));
        self.stale = true;
        if self.machine.pauses().is_all_paused() {
            self.publish_status(self.machine.status(), json!({}));
        }
    }
}

/// What is so: the streams and the model that were reached, with the new defaults.
fn reached_of(next: Option<&Desired>, reached: Desired) -> Desired {
    match next {
        Some(next) => {
            Desired { max_fps: next.max_fps, confidence: next.confidence, tracker: next.tracker, ..reached }
        }
        None => reached,
    }
}
