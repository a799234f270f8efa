//! Where the GPU can't, the processor detects, if the site allows it: slowly, and said aloud.

use std::path::Path;

use vigia_core::config::{Engine, Stream};
use vigia_core::control::Refusal;

use super::Operator;
use super::paper::bad_model;
use crate::app::desk::Progress;
use crate::clock;
use crate::detect::DetectError;
use crate::detect::failure::GivenUp;
use crate::engines::lost;
use crate::model::{Attempt, Loaded, ModelError};

impl Operator {
    /// For a start: as the site has it, or on the processor. What waits for its plan begins on the processor, too.
    pub(super) fn load_somehow(&mut self, model: &str, streams: &[Stream]) -> Result<Loaded, Refusal> {
        self.waits = false;
        let config = &self.tools.config;
        if !self.may_fall_back() {
            return self.load_patiently(model, streams);
        }
        let often = lost::too_often(Path::new(&config.detector.plans_dir), clock::utc());
        let may_be_gpu = matches!(config.detector.engine, Engine::TensorRt | Engine::Auto);
        let why = match often.filter(|_| may_be_gpu) {
            Some(often) => often,
            None => match self.attempt(model, streams) {
                Ok(Attempt::Loaded(loaded)) => return Ok(*loaded),
                Ok(Attempt::Wanted(located, wanted)) => match self.begin_build(&located, &wanted) {
                    Ok(()) => {
                        self.waits = true;
                        let why = format!("{}; it is being built", wanted.why);
                        return self.load_instead(model, streams, &why);
                    }
                    Err(e) => format!("{}, and none can be built: {e}", wanted.why),
                },
                Err(ModelError::Gpu { source, .. }) => source.to_string(),
                Err(other) => return Err(bad_model(&other)),
            },
        };
        say(&why);
        let loaded = self.load_instead(model, streams, &why)?;
        self.degraded = Some(why);
        Ok(loaded)
    }

    /// As the site has it, if all is there that it takes.
    pub(super) fn attempt(&mut self, model: &str, streams: &[Stream]) -> Result<Attempt, ModelError> {
        let told = self.told.clone();
        let measured = || drop(told.send(Progress::Measured));
        self.loader.attempt(&self.tools.config, model, streams, measured)
    }

    pub(super) fn load_instead(
        &mut self,
        model: &str,
        streams: &[Stream],
        why: &str,
    ) -> Result<Loaded, Refusal> {
        self.loader.load_instead(&self.tools.config, model, streams, why).map_err(|e| bad_model(&e))
    }

    /// For a swap: once the GPU has failed, models are for the processor until the next restart.
    pub(super) fn load(&mut self, model: &str) -> Result<Loaded, Refusal> {
        let streams = self.current.streams.clone();
        match self.degraded.clone() {
            Some(why) => self.load_instead(model, &streams, &why),
            None => self.load_patiently(model, &streams),
        }
    }

    /// The engine was given up in the middle of its work: the same model on the processor takes its place. Without that the
    /// instance ends.
    pub(super) fn fall_back(&mut self, trouble: GivenUp) {
        let GivenUp { generation, why } = trouble;
        let Some(running) = &self.running else { return };
        // A command may have brought another model, or another detector.
        if running.generation().ok() != Some(generation) {
            return;
        }
        say(&why);
        if let Err(instead) = self.onto_processor(&why) {
            // The app ends with it.
            let _ = self.tools.ended.send(Err(DetectError::Helpless { why, instead }));
        }
    }

    fn onto_processor(&mut self, why: &str) -> Result<(), String> {
        let (model, streams) = (self.current.model.clone(), self.current.streams.clone());
        let loaded = self.load_instead(&model, &streams, why).map_err(|e| e.message)?;
        let described = loaded.describe();
        let running = self.running.as_ref().ok_or("nothing is running")?;
        // What was given up is of no use on probation.
        running.swap(Box::new(loaded.network)).and_then(|_| running.settle()).map_err(|e| e.to_string())?;
        self.degraded = Some(why.to_owned());
        self.tell(Progress::Engine(described));
        Ok(())
    }

    /// What the processor stands in for does not come.
    pub(super) fn stay_on_processor(&mut self, why: String) {
        say(&why);
        self.tell(Progress::Degraded(why.clone()));
        (self.degraded, self.waits) = (Some(why), false);
    }
}

fn say(why: &str) {
    tracing::error!(
        component = "processor",
        event = "engine_fell_back",
        why,
        "the GPU can't: the processor detects until the next restart"
    );
}
