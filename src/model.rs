//! Loading the configured model: manifest, hash, engine, mode.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use thiserror::Error;
use vigia_core::config::{Config, Engine as Choice, Pace, Stream};

use crate::clock;
use crate::detect::Suppression;
use crate::detect::engine::{self, Engine, EngineError, EngineOptions, Mode};
use crate::detect::manifest::{self, Located, ManifestError};
use crate::detect::network::Network;
use crate::engines::open::{self, Found, OpenError, Opened, Wanted};

/// A rate cap above this says nothing about the load: no common camera is faster.
const FPS_PLAUSIBLE: f64 = 30.0;
const WARM_UP_RUNS: u32 = 3;

/// Why a model can't be used.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    #[error("the model {id} does not run: {source}")]
    Engine { id: String, source: EngineError },
    #[error(
        "the model {id} does not run on a GPU: {source}; detector.engine auto, openvino and rten need none"
    )]
    Gpu { id: String, source: Box<OpenError> },
    #[error("streams: {source_id}: the model {id} knows no class `{class}`; it knows {known}")]
    Class { source_id: u32, id: String, class: String, known: String },
}

/// A model ready to work, and how it came to be.
#[derive(Debug)]
pub struct Loaded {
    pub network: Network,
    pub model_id: String,
    pub engine: &'static str,
    pub reason: String,
    pub mode: String,
    pub notice: Option<String>,
    /// Why the processor computes, where the GPU should.
    pub degraded: Option<String>,
}

impl Loaded {
    /// As status and logs show it.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut v = json!({ "name": self.engine, "reason": self.reason, "mode": self.mode, "model_id": self.model_id });
        for (name, said) in [("notice", &self.notice), ("degraded", &self.degraded)] {
            if let Some(said) = said {
                v[name] = json!(said);
            }
        }
        v
    }
}

impl ModelError {
    /// Whether there is no such model, rather than one that is wrong.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Manifest(ManifestError::Unknown { .. }))
    }
}

/// The streams that `config` has enabled.
#[must_use]
pub fn streams(config: &Config) -> Vec<Stream> {
    config.streams.iter().filter(|s| s.enabled).cloned().collect()
}

/// What came of loading a model.
#[derive(Debug)]
pub enum Attempt {
    Loaded(Box<Loaded>),
    /// Its plan is to be built first.
    Wanted(Box<Located>, Wanted),
}

/// Loads models, and remembers how fast they were: a model that comes back, as in a swap there and
/// back, is compiled once and not twice.
#[derive(Debug, Default)]
pub struct Loader {
    /// Seconds of one inference in latency mode, by the model file's sha256: the shortest seen.
    latencies: BTreeMap<String, f64>,
}

impl Loader {
    /// Loads a model for these streams; the engine's mode follows their load.
    ///
    /// # Errors
    /// [`ModelError`] with one sentence.
    pub fn load(&mut self, config: &Config, model: &str, streams: &[Stream]) -> Result<Loaded, ModelError> {
        if config.detector.engine == Choice::TensorRt {
            let located = located(config, model, streams)?;
            let opened = open::open(&located, &config.detector).map_err(|e| gpu_error(&located, e))?;
            return Ok(on_gpu(opened, config));
        }
        let (located, without) = match self.attempt(config, model, streams, || ()) {
            Ok(Attempt::Loaded(loaded)) => return Ok(*loaded),
            Ok(Attempt::Wanted(located, wanted)) => {
                (*located, format!("{}; `vigia engine build` makes one", wanted.why))
            }
            Err(ModelError::Gpu { source, .. }) => (located(config, model, streams)?, source.to_string()),
            Err(other) => return Err(other),
        };
        let mut loaded = self.on_processor(located, config, streams)?;
        loaded.reason.push_str(&format!(" (tensorrt: {without})"));
        Ok(loaded)
    }

    /// Loads a model as the site has it, if all is there that it takes. `auto` takes TensorRT where a driver and its library
    /// are. A plan that nobody measured is measured, and `measured` called after each frame of that.
    ///
    /// # Errors
    /// [`ModelError`] with one sentence.
    pub fn attempt(
        &mut self,
        config: &Config,
        model: &str,
        streams: &[Stream],
        measured: impl FnMut(),
    ) -> Result<Attempt, ModelError> {
        let located = located(config, model, streams)?;
        let choice = config.detector.engine;
        let mut without = String::new();
        if matches!(choice, Choice::TensorRt | Choice::Auto) {
            match open::find(&located, &config.detector, measured) {
                Ok(Found::Open(opened)) => {
                    return Ok(Attempt::Loaded(Box::new(on_gpu(*opened, config))));
                }
                Ok(Found::Wanted(wanted)) => return Ok(Attempt::Wanted(Box::new(located), wanted)),
                // Most boxes of this kind have none.
                Err(OpenError::NoGpu(none)) if choice == Choice::Auto && none.is_absent => {}
                // A driver that is too old, or no TensorRT: somebody bought a GPU and may wonder.
                Err(e @ (OpenError::NoGpu(_) | OpenError::Library(_))) if choice == Choice::Auto => {
                    tracing::warn!(component = "detect", event = "gpu_passed_by", %e, "the processor detects");
                    without = format!(" (tensorrt: {e})");
                }
                // Where both are, what fails is a failure, and not a choice.
                Err(e) => return Err(gpu_error(&located, e)),
            }
        }
        let mut loaded = self.on_processor(located, config, streams)?;
        loaded.reason.push_str(&without);
        Ok(Attempt::Loaded(Box::new(loaded)))
    }

    /// Loads a model for the processor, because of what is said in `why`: the engine that the site has chosen if that is one
    /// of the processor's.
    ///
    /// # Errors
    /// [`ModelError`] with one sentence.
    pub fn load_instead(
        &mut self,
        config: &Config,
        model: &str,
        streams: &[Stream],
        why: &str,
    ) -> Result<Loaded, ModelError> {
        let loaded = self.on_processor(located(config, model, streams)?, config, streams)?;
        Ok(Loaded { degraded: Some(why.to_owned()), ..loaded })
    }

    fn on_processor(
        &mut self,
        located: Located,
        config: &Config,
        streams: &[Stream],
    ) -> Result<Loaded, ModelError> {
        let d = &config.detector;
        let options = EngineOptions {
            choice: if d.engine == Choice::TensorRt { Choice::Auto } else { d.engine },
            mode: Mode::Latency,
            threads: d.threads,
            openvino_dir: d.openvino_dir.as_ref().map(Into::into),
            width: located.manifest.input.width,
            height: located.manifest.input.height,
        };
        let (engine, reason, mode) = self.open(&located, options, d.mode, demand(streams))?;
        let name = engine.name();
        let network = Network::new(engine, Arc::new(located.manifest), suppression(config));
        Ok(loaded(network, name, reason, mode))
    }

    /// Opens the engine in the mode that is asked for, or is known to fit. What is not known is
    /// measured in latency mode, and the engine is opened again if the load asks for throughput.
    fn open(
        &mut self,
        located: &Located,
        options: EngineOptions,
        choice: vigia_core::config::Mode,
        demand: f64,
    ) -> Result<(Engine, String, String), ModelError> {
        let failed = |source| ModelError::Engine { id: located.manifest.id.clone(), source };
        let known = self.latencies.get(&located.manifest.sha256).copied();
        // Not known yet counts as no time at all.
        let (mode, why) = engine::mode_for(choice, demand, known.unwrap_or(0.0));
        let first = EngineOptions { mode, ..options };
        let mut opened = engine::open(&located.onnx, &first).map_err(failed)?;
        let took = warm_up(&mut opened.engine).map_err(failed)?;
        if opened.engine.name() == "rten" {
            let mode = format!("latency: rten has no other ({:.1} ms)", took * 1e3);
            return Ok((opened.engine, opened.reason, mode));
        }
        if mode == Mode::Throughput {
            return Ok((opened.engine, opened.reason, why));
        }
        let latency = known.unwrap_or(f64::INFINITY).min(took);
        self.latencies.insert(located.manifest.sha256.clone(), latency);
        let (mode, why) = engine::mode_for(choice, demand, latency);
        if mode == Mode::Throughput {
            let again = EngineOptions { mode, choice: Choice::OpenVino, ..first };
            opened.engine = engine::open(&located.onnx, &again).map_err(failed)?.engine;
            warm_up(&mut opened.engine).map_err(failed)?;
        }
        Ok((opened.engine, opened.reason, why))
    }
}

fn located(config: &Config, model: &str, streams: &[Stream]) -> Result<Located, ModelError> {
    let located = manifest::locate(Path::new(&config.detector.models_dir), model)?;
    check_classes(streams, &located)?;
    Ok(located)
}

fn gpu_error(located: &Located, source: OpenError) -> ModelError {
    ModelError::Gpu { id: located.manifest.id.clone(), source: Box::new(source) }
}

fn on_gpu(opened: Opened, config: &Config) -> Loaded {
    let Opened { mut network, reason, mode } = opened;
    network.suppress(suppression(config));
    loaded(network, "tensorrt", reason, mode)
}

fn suppression(config: &Config) -> Suppression {
    let d = &config.detector;
    Suppression { iou: d.nms_iou, detections_max: usize::try_from(d.detections_max).unwrap_or(usize::MAX) }
}

/// Says which engine it is, and what the model wants said.
fn loaded(network: Network, engine: &'static str, reason: String, mode: String) -> Loaded {
    tracing::info!(component = "detect", event = "engine_chosen", engine, reason, mode, "engine chosen");
    let (model_id, notice) = (network.manifest.id.clone(), network.manifest.notice.clone());
    if let Some(notice) = &notice {
        tracing::warn!(component = "detect", event = "model_notice", model_id, "{notice}");
    }
    Loaded { network, model_id, engine, reason, mode, notice, degraded: None }
}

/// Runs the network a few times; the shortest run in seconds.
fn warm_up(engine: &mut Engine) -> Result<f64, EngineError> {
    let mut best = f64::INFINITY;
    for _ in 0..WARM_UP_RUNS {
        engine.input(0)?.fill(0.5);
        let start = clock::now();
        engine.start(0)?;
        engine.wait(0, |_| ())?;
        best = best.min(clock::now().since(start).as_secs_f64());
    }
    Ok(best)
}

/// Frames per second that all streams together may ask for.
fn demand(streams: &[Stream]) -> f64 {
    let of = |s: &Stream| match s.pace {
        Pace::Max => f64::INFINITY,
        Pace::Realtime => s.max_fps.min(FPS_PLAUSIBLE),
    };
    streams.iter().map(of).sum()
}

fn check_classes(streams: &[Stream], located: &Located) -> Result<(), ModelError> {
    for s in streams {
        if let Some(class) = s.classes.iter().find(|c| !located.manifest.classes.contains(c)) {
            return Err(ModelError::Class {
                source_id: s.source_id,
                id: located.manifest.id.clone(),
                class: class.clone(),
                known: located.manifest.classes.join(", "),
            });
        }
    }
    Ok(())
}
