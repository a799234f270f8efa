//! Who carries out what takes long: one thread that owns the cameras and the detector.
//!
//! The app gives one [`Job`] at a time and hears [`Progress`]. Whatever can be tried without
//! anybody noticing is tried first; what fails later is taken back.

mod building;
mod fallback;
mod paper;
mod swap;

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use serde_json::Value;
use vigia_core::config::Stream;
use vigia_core::control::{Change, Code, Desired, Effect, FrameRef, ItemResult, Refusal, batch_failed, diff};
use vigia_core::stream::StreamState;

use self::building::Build;
use self::paper::{carry, failed, frame_ref, merge, settle};
use super::desk::{Job, Outcome, Plan, Progress, Step, Tools};
use super::running::{ChangeError, Running};
use crate::clock;
use crate::detect::Detector;
use crate::detect::failure::GivenUp;
use crate::model::Loader;

/// How long a new stream has to show its first detection.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(10);
/// How long is waited for the first frames that show a change; slow streams show it later.
const PROOF_WITHIN: Duration = Duration::from_secs(1);
/// How long an old connection has to say what waits.
const RETIRE_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Carries out jobs until nobody gives any; then everything stops. `cancels` ends builds.
pub fn work(
    tools: Tools,
    current: Desired,
    told: Sender<Progress>,
    jobs: &Receiver<Job>,
    cancels: Receiver<String>,
) {
    // Each detector gives up once.
    let (helper, troubles) = unbounded();
    let operator = Operator {
        tools,
        current,
        running: None,
        told,
        engine: None,
        begun: false,
        loader: Loader::default(),
        helper,
        troubles,
        degraded: None,
        build: None,
        waits: false,
        cancels,
    };
    operator.work(jobs);
}

struct Operator {
    tools: Tools,
    current: Desired,
    running: Option<Running>,
    told: Sender<Progress>,
    engine: Option<Value>,
    begun: bool,
    loader: Loader,
    /// For detectors whose engine is given up.
    helper: Sender<GivenUp>,
    troubles: Receiver<GivenUp>,
    /// Why the processor computes where the GPU should, until the next restart.
    degraded: Option<String>,
    /// Of a plan, beside the detector.
    build: Option<Build>,
    /// The processor computes until that is done.
    waits: bool,
    /// Models whose builds are to end.
    cancels: Receiver<String>,
}

/// What a change proved.
type Proof = Result<Effect, Refusal>;

impl Operator {
    fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            let (events, cancels, troubles) =
                (self.build_events(), self.cancels.clone(), self.troubles.clone());
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => self.carry_out(job),
                    Err(_) => break,
                },
                recv(troubles) -> trouble => trouble.into_iter().for_each(|trouble| self.fall_back(trouble)),
                recv(events) -> event => self.build_went_on(event),
                recv(cancels) -> cancel => match cancel {
                    Ok(model_id) => self.cancel_build(&model_id),
                    Err(_) => break,
                },
            }
        }
        self.end_build();
        self.stop();
    }

    fn carry_out(&mut self, job: Job) {
        (self.begun, self.engine) = (false, None);
        let is_start = matches!(job, Job::Start(_));
        let (result, effect) = match job {
            Job::Connect(settings, identity) => {
                let connected = super::rename::connect(*settings).map(|worker| (worker, identity));
                return self.tell(Progress::Connected(connected));
            }
            Job::Retire(worker) => {
                let _ = worker.shutdown(RETIRE_WITHIN);
                return self.tell(Progress::Retired);
            }
            Job::Start(desired) => (self.start_somehow(desired), Effect::default()),
            Job::Restart(desired) => {
                self.begin();
                self.stop();
                self.end_build();
                self.degraded = None;
                (self.start(desired), Effect::default())
            }
            Job::Apply(plan) => self.apply(&plan),
        };
        let outcome = Outcome {
            is_start,
            result,
            effect,
            reached: self.current.clone(),
            begun: self.begun,
            works: self.running.is_some(),
            engine: self.engine.take(),
        };
        self.tell(Progress::Ended(Box::new(outcome)));
    }

    fn tell(&self, progress: Progress) {
        // The app may have gone.
        let _ = self.told.send(progress);
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.tell(Progress::Begun);
        }
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
        // The next detector counts its models from the beginning, too.
        while self.troubles.try_recv().is_ok() {}
    }

    /// A model that a command chose must not keep the box from starting: the configured one may work.
    fn start_somehow(&mut self, desired: Desired) -> Result<(), Refusal> {
        let configured = &self.tools.config.detector.model;
        if desired.model == *configured {
            return self.start(desired);
        }
        let fallback = Desired { model: configured.clone(), ..desired.clone() };
        self.start(desired).or_else(|why| {
            tracing::error!(component = "processor", event = "model_fallback", model = fallback.model, %why, "starting with the configured model");
            self.start(fallback)
        })
    }

    fn start(&mut self, desired: Desired) -> Result<(), Refusal> {
        let loaded = self.load_somehow(&desired.model, &desired.streams)?;
        let described = loaded.describe();
        let mut detector = Detector::new(loaded.network, &desired.streams)
            .map_err(|e| Refusal::new(Code::BadModel, e.to_string()))?;
        let Tools { config, latest, sink, reports, ended, roster, .. } = &self.tools;
        if self.may_fall_back() {
            detector.promise_help(self.helper.clone());
        }
        let ends = (reports.clone(), ended.clone(), roster.clone());
        let running =
            Running::start(&config.camera, &desired.streams, detector, latest.clone(), sink(), ends);
        self.running = Some(running.map_err(|e| failed(&e))?);
        self.engine = Some(described);
        self.current = desired;
        Ok(())
    }

    /// Step after step; what fails in an atomic plan takes back all before it.
    fn apply(&mut self, plan: &Plan) -> (Result<(), Refusal>, Effect) {
        if self.running.is_none() {
            // Nothing works: the next restart finds what is wanted now.
            return (Err(Refusal::new(Code::Failed, "nothing is running; restart first")), Effect::default());
        }
        settle(&mut self.current, &plan.base);
        let before = self.current.clone();
        let mut effect = Effect::default();
        for (at, step) in plan.steps.iter().enumerate() {
            let before_step = self.current.clone();
            let mut result = self.step(step, plan).map(|proof| merge(&mut effect, proof));
            if let Err(why) = &result
                && !plan.atomic
            {
                // Each item is all or nothing, too.
                result = Err(self.take_back(&before_step, why.clone()));
            }
            if plan.is_batch {
                effect.results.push(ItemResult::of(&step.command, &result));
            }
            let Err(why) = result else { continue };
            if plan.atomic {
                let why = if plan.is_batch { batch_failed(at, &step.command, &why) } else { why };
                let why = self.take_back(&before, why);
                effect.rolled_back = why.code == Code::RolledBack;
                return (Err(why), effect);
            }
            if self.running.is_none() {
                return (Err(why), effect);
            }
        }
        (Ok(()), effect)
    }

    /// What was before, as far as anything was changed; what to say of it.
    fn take_back(&mut self, before: &Desired, why: Refusal) -> Refusal {
        let back = diff(&self.current, before);
        if !back.is_empty() {
            tracing::warn!(
                component = "command_handlers", event = "change_rolled_back", rolled_back_to = before.model, %why, "rolling back"
            );
        }
        let is_empty = back.is_empty();
        for change in back {
            let done = match &change {
                Change::SwapModel { model } => self.swap_back(model),
                other => self.change(other, 0),
            };
            if let Err(second) = done {
                self.stop();
                let text =
                    format!("{}; what was before can't be brought back: {}", why.message, second.message);
                return Refusal::new(Code::Failed, text);
            }
        }
        self.current.clone_from(before);
        if is_empty { why } else { Refusal::new(Code::RolledBack, format!("{}; rolled back", why.message)) }
    }

    fn step(&mut self, step: &Step, plan: &Plan) -> Proof {
        let next = match &step.next {
            Some(next) => next.clone(),
            None => self.current.apply(&step.command, &plan.config)?,
        };
        let mut effect = Effect::default();
        for change in diff(&self.current, &next) {
            let proof = self.change(&change, plan.shadow_frames)?;
            merge(&mut effect, proof);
        }
        settle(&mut self.current, &next);
        Ok(effect)
    }

    /// One change, proven; whole or not at all.
    fn change(&mut self, change: &Change, shadow_frames: u32) -> Proof {
        let proof = match change {
            Change::SwapModel { model } => self.swap(model, shadow_frames),
            Change::AddStream(stream) => self.add(stream),
            Change::Repoint(stream) => self.repoint(stream),
            Change::RemoveStream { source_id } => self.remove(*source_id),
            Change::SetRate { .. } | Change::SetConfidence { .. } | Change::SetTracker { .. } => {
                self.set(change)
            }
        }?;
        carry(&mut self.current, change);
        Ok(proof)
    }

    fn running(&mut self) -> Result<&mut Running, Refusal> {
        self.running.as_mut().ok_or_else(|| failed(&ChangeError::Ended))
    }

    /// The stream must show its first detection, or at least a picture if it is silent.
    fn add(&mut self, stream: &Stream) -> Proof {
        let id = stream.source_id;
        let _asking = self.tools.inquiry.begin();
        self.running()?.add(stream.clone()).map_err(|e| failed(&e))?;
        let first = self.first_sight(id);
        match first {
            Ok(first_frame) => {
                self.begin();
                Ok(Effect { first_frame, ..Effect::default() })
            }
            Err(why) => {
                self.running()?.remove(id).map_err(|e| failed(&e))?;
                Err(why)
            }
        }
    }

    fn repoint(&mut self, stream: &Stream) -> Proof {
        let id = stream.source_id;
        self.begin();
        self.running()?.unwatch(id).map_err(|e| failed(&e))?;
        // Not before: a last frame of the old camera would speak for the new one.
        let _asking = self.tools.inquiry.begin();
        let moved = self.running()?.watch(stream.clone()).map_err(|e| failed(&e));
        let first = moved.and_then(|()| self.first_sight(id));
        let first = first.or_else(|why| {
            let Some(old) = self.current.stream(id).cloned() else { return Err(why) };
            let running = self.running()?;
            running.unwatch(id).and_then(|()| running.watch(old)).map_err(|e| failed(&e))?;
            Err(why)
        })?;
        let Stream { max_fps, confidence, tracker, .. } = stream;
        let running = self.running()?;
        running.set_rate(id, *max_fps);
        running.set_confidence(id, *confidence).map_err(|e| failed(&e))?;
        running.follow(id, *tracker).map_err(|e| failed(&e))?;
        Ok(Effect { first_frame: first, ..Effect::default() })
    }

    /// Waits for the first detection of a stream, or for the reason why none comes.
    fn first_sight(&mut self, id: u32) -> Result<Vec<FrameRef>, Refusal> {
        let until = clock::now().after(FIRST_FRAME_WITHIN);
        loop {
            if let Some(seen) = self.tools.inquiry.next(LOOK_EVERY)
                && seen.frame.source_id == id
            {
                return Ok(vec![seen.frame]);
            }
            // Asked anew each time: a pause may come while we wait.
            let silent = !self.tools.latest.wants(id);
            let state = self.running()?.camera(id).map(crate::camera::Camera::state);
            match state {
                Some(StreamState::Running | StreamState::Ended) if silent => return Ok(Vec::new()),
                Some(StreamState::Reconnecting { cause }) => {
                    let text = format!("Stream with source_id {id} can't be reached: {cause}");
                    return Err(Refusal::new(Code::Unreachable, text));
                }
                _ if clock::now() >= until => {
                    let text = format!(
                        "Stream with source_id {id} gave no detection within {} s",
                        FIRST_FRAME_WITHIN.as_secs()
                    );
                    return Err(Refusal::new(Code::Unreachable, text));
                }
                _ => {}
            }
        }
    }

    fn remove(&mut self, source_id: u32) -> Proof {
        self.begin();
        let last = self.running()?.remove(source_id).map_err(|e| failed(&e))?;
        let last_frame = last.filter(|n| *n > 0).map(|n| frame_ref(source_id, n)).into_iter().collect();
        Ok(Effect { last_frame, ..Effect::default() })
    }

    /// A rate, a threshold or a tracker: at once, shown by the next frame.
    fn set(&mut self, change: &Change) -> Proof {
        self.begin();
        let id = match change {
            Change::SetRate { source_id, .. }
            | Change::SetConfidence { source_id, .. }
            | Change::SetTracker { source_id, .. } => *source_id,
            _ => return Ok(Effect::default()),
        };
        let running = self.running()?;
        match change {
            Change::SetConfidence { confidence, .. } => {
                running.set_confidence(id, *confidence).map_err(|e| failed(&e))?;
            }
            Change::SetTracker { tracker, .. } => running.follow(id, *tracker).map_err(|e| failed(&e))?,
            Change::SetRate { max_fps, .. } => running.set_rate(id, *max_fps),
            _ => {}
        }
        // From here on each event shows it.
        let _asking = self.tools.inquiry.begin();
        let sources = self.speaking().into_iter().filter(|one| *one == id).collect();
        let first_frame =
            self.tools.inquiry.first_of_each(sources, clock::now().after(PROOF_WITHIN), |_| true);
        Ok(Effect { first_frame, ..Effect::default() })
    }

    /// Streams of which a detection is to be expected soon.
    fn speaking(&self) -> Vec<u32> {
        let Some(running) = &self.running else { return Vec::new() };
        let is_up =
            |id: &u32| running.camera(*id).is_some_and(|camera| camera.state() == StreamState::Running);
        let soon = |stream: &&Stream| stream.max_fps >= 1.0 / PROOF_WITHIN.as_secs_f64();
        let ids = self.current.streams.iter().filter(soon).map(|stream| stream.source_id);
        ids.filter(|id| self.tools.latest.wants(*id)).filter(is_up).collect()
    }
}
