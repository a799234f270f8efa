//! Plans are built while the detector goes on: after a start with the processor, for a swap with the old model.

use crossbeam_channel::{Receiver, RecvError, select};
use vigia_core::config::{Fallback, Stream};
use vigia_core::control::{Code, Refusal};
use vigia_core::time::Instant;

use super::Operator;
use super::paper::bad_model;
use crate::app::boot::interrupted;
use crate::app::desk::Progress;
use crate::app::plans::{News, State};
use crate::clock;
use crate::detect::failure::GivenUp;
use crate::detect::manifest::Located;
use crate::engines::building::{Building, Event};
use crate::engines::job::{self, JobError};
use crate::engines::open::Wanted;
use crate::engines::progress::{Line, left};
use crate::model::{Attempt, Loaded};

/// The build that runs, and what was said of it.
pub(super) struct Build {
    building: Building,
    /// Why it was begun.
    why: String,
    /// The phase it is in, and since when.
    phase: (String, Instant),
    was_cancelled: bool,
}

/// Whoever followed it has ended without a word.
fn lost(_: RecvError) -> Event {
    Event::Ended(Err(JobError::Start(std::io::Error::other("nobody knows what became of it"))))
}

/// How a build ended.
enum End {
    Done,
    Cancelled,
    Failed(String),
}

impl Operator {
    /// As the site has it; where a plan is wanting, once it is built.
    pub(super) fn load_patiently(&mut self, model: &str, streams: &[Stream]) -> Result<Loaded, Refusal> {
        let attempt = self.attempt(model, streams).map_err(|e| bad_model(&e))?;
        let (located, wanted) = match attempt {
            Attempt::Loaded(loaded) => return Ok(*loaded),
            Attempt::Wanted(located, wanted) => (located, wanted),
        };
        self.begin_build(&located, &wanted).map_err(|e| Refusal::new(Code::Failed, e.to_string()))?;
        self.await_build()?;
        if let Some(why) = self.degraded.clone() {
            // The GPU failed meanwhile.
            return self.load_instead(model, streams, &why);
        }
        match self.attempt(model, streams).map_err(|e| bad_model(&e))? {
            Attempt::Loaded(loaded) => Ok(*loaded),
            Attempt::Wanted(_, Wanted { why, .. }) => Err(Refusal::new(Code::BadModel, why)),
        }
    }

    /// Begins to build, unless that very plan is on its way already.
    pub(super) fn begin_build(&mut self, located: &Located, wanted: &Wanted) -> Result<(), JobError> {
        let (model_id, why) = (&located.manifest.id, &wanted.why);
        if self.build.as_ref().is_some_and(|build| build.building.model_id == *model_id) {
            return Ok(());
        }
        self.end_build();
        tracing::warn!(
            component = "engine",
            event = "plan_wanted",
            model_id,
            why,
            "a plan is built meanwhile"
        );
        let building = Building::start(located, &self.tools.config.detector, wanted.afresh)?;
        let phase = (String::new(), clock::now());
        self.build = Some(Build { building, why: why.clone(), phase, was_cancelled: false });
        self.tell_build(State::Building { percent: 0, phase: "starting".to_owned(), left_s: None });
        Ok(())
    }

    /// Nobody needs it any more.
    pub(super) fn end_build(&mut self) {
        if self.build.is_some() {
            self.tell_build(State::Cancelled);
            self.build = None;
        }
    }

    /// Of this model: by the time it is heard another build may run.
    pub(super) fn cancel_build(&mut self, model_id: &str) {
        if let Some(build) = self.build.as_mut().filter(|build| build.building.model_id == model_id) {
            build.was_cancelled = true;
            build.building.cancel();
        }
    }

    /// Where events come from.
    pub(super) fn build_events(&self) -> Receiver<Event> {
        self.build.as_ref().map_or_else(crossbeam_channel::never, |build| build.building.events.clone())
    }

    /// For a command: the old model goes on meanwhile, and is looked after.
    fn await_build(&mut self) -> Result<(), Refusal> {
        loop {
            let (events, cancels, troubles) =
                (self.build_events(), self.cancels.clone(), self.troubles.clone());
            select! {
                recv(events) -> event => match self.followed(event.unwrap_or_else(lost)) {
                    None => {}
                    Some(End::Done) => return Ok(()),
                    Some(End::Cancelled) => {
                        return Err(Refusal::new(Code::Cancelled, "the build of its plan was cancelled"));
                    }
                    Some(End::Failed(why)) => {
                        return Err(Refusal::new(Code::BadModel, format!("its plan can't be built: {why}")));
                    }
                },
                recv(cancels) -> cancel => match cancel {
                    Ok(model_id) => self.cancel_build(&model_id),
                    Err(_) => {
                        self.end_build();
                        return Err(interrupted());
                    }
                },
                recv(troubles) -> trouble => trouble.into_iter().for_each(|t: GivenUp| self.fall_back(t)),
            }
        }
    }

    /// Beside everything else: what was built after a start is put to work.
    pub(super) fn build_went_on(&mut self, event: Result<Event, RecvError>) {
        let why = match self.followed(event.unwrap_or_else(lost)) {
            None => return,
            Some(End::Done) => match self.promote() {
                Ok(()) => return,
                Err(why) => why,
            },
            Some(End::Cancelled) => "the build of its plan was cancelled".to_owned(),
            Some(End::Failed(why)) => format!("its plan can't be built: {why}"),
        };
        self.stay_on_processor(why);
    }

    /// The model at work, with the plan that it waited for.
    fn promote(&mut self) -> Result<(), String> {
        let (model, streams) = (self.current.model.clone(), self.current.streams.clone());
        let loaded = match self.attempt(&model, &streams) {
            Ok(Attempt::Loaded(loaded)) => *loaded,
            Ok(Attempt::Wanted(_, Wanted { why, .. })) => return Err(why),
            Err(e) => return Err(e.to_string()),
        };
        // No command begins here, so none is told to.
        self.begun = true;
        self.put(&model, loaded, 0).map_err(|refusal| refusal.message)?;
        self.waits = false;
        if let Some(engine) = self.engine.take() {
            self.tell(Progress::Engine(engine));
        }
        Ok(())
    }

    /// A build for another model came between, which is not at work now.
    pub(super) fn build_again(&mut self) {
        let (model, streams) = (self.current.model.clone(), self.current.streams.clone());
        let begun = match self.attempt(&model, &streams) {
            Ok(Attempt::Wanted(located, wanted)) => {
                self.begin_build(&located, &wanted).map_err(|e| e.to_string())
            }
            Ok(Attempt::Loaded(_)) => self.promote(),
            Err(e) => Err(e.to_string()),
        };
        if let Err(why) = begun {
            self.stay_on_processor(why);
        }
    }

    /// Tells what is new of the build; whether it ended, and how.
    fn followed(&mut self, event: Event) -> Option<End> {
        let build = self.build.as_mut()?;
        let ended = match event {
            Event::Line(line) => {
                job::log(&build.building.model_id, &line);
                if let Line::Progress { percent, phase } = line {
                    if build.phase.0 != phase {
                        build.phase = (phase.clone(), clock::now());
                    }
                    let left = left(percent, clock::now().since(build.phase.1));
                    let left_s = left.map(|left| left.as_secs());
                    self.tell_build(State::Building { percent, phase, left_s });
                }
                return None;
            }
            Event::Ended(ended) => ended,
        };
        let end = match ended {
            Ok(()) => End::Done,
            Err(_) if build.was_cancelled => End::Cancelled,
            Err(why) => End::Failed(why.to_string()),
        };
        self.tell_build(match &end {
            End::Done => State::Done,
            End::Cancelled => State::Cancelled,
            End::Failed(why) => State::Failed { why: why.clone() },
        });
        self.build = None;
        Some(end)
    }

    fn tell_build(&self, state: State) {
        if let Some(Build { building, why, .. }) = &self.build {
            let news = News { model_id: building.model_id.clone(), because: why.clone(), state };
            self.tell(Progress::Build(news));
        }
    }

    pub(super) fn may_fall_back(&self) -> bool {
        self.tools.config.detector.fallback == Fallback::Cpu
    }
}
