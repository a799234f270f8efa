//! Where the GPU can't, the processor detects, if the site allows it: slowly, and said aloud.

use std::path::Path;

use vigia_core::config::{Engine, Fallback, Stream};

use super::Operator;
use crate::app::desk::Progress;
use crate::clock;
use crate::detect::DetectError;
use crate::detect::failure::GivenUp;
use crate::engines::lost;
use crate::model::{Loaded, ModelError};

impl Operator {
    /// For a start: as the site has it, or on the processor.
    pub(super) fn load_somehow(&mut self, model: &str, streams: &[Stream]) -> Result<Loaded, ModelError> {
        let config = &self.tools.config;
        let allowed = config.detector.fallback == Fallback::Cpu;
        let wants_gpu = config.detector.engine == Engine::TensorRt;
        let often = lost::too_often(Path::new(&config.detector.plans_dir), clock::utc());
        let why = match often.filter(|_| allowed && wants_gpu) {
            Some(often) => often,
            None => match self.loader.load(config, model, streams) {
                Err(ModelError::Gpu { source, .. }) if allowed => source.to_string(),
                other => return other,
            },
        };
        say(&why);
        let loaded = self.loader.load_instead(config, model, streams, &why)?;
        self.degraded = Some(why);
        Ok(loaded)
    }

    /// For a swap: once the GPU has failed, models are for the processor until the next restart.
    pub(super) fn load(&mut self, model: &str) -> Result<Loaded, ModelError> {
        let (config, streams) = (&self.tools.config, &self.current.streams);
        match &self.degraded {
            Some(why) => self.loader.load_instead(config, model, streams, why),
            None => self.loader.load(config, model, streams),
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
        let (config, current) = (&self.tools.config, &self.current);
        let loaded = self.loader.load_instead(config, &current.model, &current.streams, why);
        let loaded = loaded.map_err(|e| e.to_string())?;
        let described = loaded.describe();
        let running = self.running.as_ref().ok_or("nothing is running")?;
        // What was given up is of no use on probation.
        running.swap(Box::new(loaded.network)).and_then(|_| running.settle()).map_err(|e| e.to_string())?;
        self.degraded = Some(why.to_owned());
        self.tell(Progress::Engine(described));
        Ok(())
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
