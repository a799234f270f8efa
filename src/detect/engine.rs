//! The engines, behind one enum, chosen at start by trying them.

use std::path::{Path, PathBuf};

use thiserror::Error;
use vigia_accel::openvino::{self, OpenVinoError};
use vigia_core::config::{Engine as Choice, Mode as ModeChoice};
use vigia_core::detection::head::Output;

pub use vigia_accel::openvino::Mode;

use super::rten::{self, RtenError};

/// Most outputs a detector may have.
pub const OUTPUTS_MAX: usize = 4;

/// An engine with a compiled model.
#[derive(Debug)]
pub enum Engine {
    OpenVino(openvino::Engine),
    Rten(Box<rten::Engine>),
}

/// Why no engine runs, or why one failed.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error(transparent)]
    OpenVino(#[from] OpenVinoError),
    #[error(transparent)]
    Rten(#[from] RtenError),
    #[error("the engine tensorrt runs plans, not ONNX files; openvino and rten do")]
    NoTensorRt,
    #[error("the model has more than {OUTPUTS_MAX} outputs")]
    Outputs,
    #[error("the input tensor has {0} values where {1} were expected")]
    Input(usize, usize),
}

/// What to open and how.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub choice: Choice,
    pub mode: Mode,
    pub threads: Option<u32>,
    pub openvino_dir: Option<PathBuf>,
    pub width: u32,
    pub height: u32,
}

/// An open engine and the reason it was taken.
#[derive(Debug)]
pub struct Opened {
    pub engine: Engine,
    pub reason: String,
}

/// Opens `model` with the engine of choice; `auto` takes OpenVINO where its library is found and
/// takes the model, rten otherwise.
///
/// # Errors
/// [`EngineError`] of the engine that was asked for, or of rten for `auto`.
pub fn open(model: &Path, options: &EngineOptions) -> Result<Opened, EngineError> {
    match options.choice {
        Choice::TensorRt => Err(EngineError::NoTensorRt),
        Choice::Rten => Ok(Opened { engine: open_rten(model, options)?, reason: "rten: asked for".into() }),
        Choice::OpenVino => {
            Ok(Opened { engine: open_openvino(model, options)?, reason: "openvino: asked for".into() })
        }
        Choice::Auto => match open_openvino(model, options) {
            Ok(engine) => Ok(Opened { engine, reason: "openvino: its library was found".into() }),
            Err(e) => {
                let engine = open_rten(model, options)?;
                Ok(Opened { engine, reason: format!("rten: built in (openvino: {e})") })
            }
        },
    }
}

fn open_rten(model: &Path, o: &EngineOptions) -> Result<Engine, EngineError> {
    let engine = rten::Engine::new(model, o.width as usize, o.height as usize, o.threads)?;
    Ok(Engine::Rten(Box::new(engine)))
}

fn open_openvino(model: &Path, o: &EngineOptions) -> Result<Engine, EngineError> {
    openvino::load(o.openvino_dir.as_deref())?;
    let options = openvino::Options {
        mode: o.mode,
        threads: o.threads,
        width: o.width as usize,
        height: o.height as usize,
    };
    Ok(Engine::OpenVino(openvino::Engine::new(model, &options)?))
}

impl Engine {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OpenVino(_) => "openvino",
            Self::Rten(_) => "rten",
        }
    }

    /// How many requests may be in flight.
    #[must_use]
    pub fn slots(&self) -> usize {
        match self {
            Self::OpenVino(e) => e.slots(),
            Self::Rten(_) => 1,
        }
    }

    /// Where slot `slot` reads its image.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn input(&mut self, slot: usize) -> Result<&mut [f32], EngineError> {
        match self {
            Self::OpenVino(e) => Ok(e.input(slot)?),
            Self::Rten(e) => Ok(e.input()),
        }
    }

    /// Starts a slot. rten has no requests of its own: it runs in [`Self::wait`].
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn start(&mut self, slot: usize) -> Result<(), EngineError> {
        match self {
            Self::OpenVino(e) => Ok(e.start(slot)?),
            Self::Rten(_) => Ok(()),
        }
    }

    /// Waits for a started slot and hands its outputs to `read`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn wait<T>(&mut self, slot: usize, read: impl FnOnce(&[Output]) -> T) -> Result<T, EngineError> {
        let mut views = [Output { shape: &[], data: &[] }; OUTPUTS_MAX];
        let mut count = 0;
        let mut add = |shape, data| {
            let view = views.get_mut(count).ok_or(EngineError::Outputs)?;
            *view = Output { shape, data };
            count += 1;
            Ok::<_, EngineError>(())
        };
        match self {
            Self::OpenVino(e) => {
                e.wait(slot)?;
                for output in e.outputs(slot) {
                    let (shape, data) = output?;
                    add(shape, data)?;
                }
            }
            Self::Rten(e) => {
                e.run()?;
                for output in e.outputs() {
                    let (shape, data) = output?;
                    add(shape, data)?;
                }
            }
        }
        Ok(read(&views[..count]))
    }
}

/// The mode for a load: `demand` is the number of frames per second asked for by all streams,
/// `latency_s` one inference in latency mode. The answer comes with its reason.
#[must_use]
pub fn mode_for(choice: ModeChoice, demand: f64, latency_s: f64) -> (Mode, String) {
    // Beyond this share of one request's time, frames begin to wait for each other.
    const BUSY: f64 = 0.6;
    match choice {
        ModeChoice::Latency => (Mode::Latency, "latency: asked for".into()),
        ModeChoice::Throughput => (Mode::Throughput, "throughput: asked for".into()),
        ModeChoice::Auto => {
            if demand.is_infinite() {
                return (Mode::Throughput, "throughput: files are read as fast as the engine goes".into());
            }
            let share = demand * latency_s;
            let mode = if share > BUSY { Mode::Throughput } else { Mode::Latency };
            let name = if share > BUSY { "throughput" } else { "latency" };
            let each = latency_s * 1e3;
            (
                mode,
                format!(
                    "{name}: {demand:.1} frames/s x {each:.1} ms keep the engine {:.0} % busy",
                    share * 100.0
                ),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_follows_the_load() {
        for (choice, demand, latency, mode) in [
            (ModeChoice::Auto, 1.0, 0.040, Mode::Latency),
            (ModeChoice::Auto, 10.0, 0.040, Mode::Latency),
            (ModeChoice::Auto, 16.0, 0.040, Mode::Throughput),
            (ModeChoice::Auto, f64::INFINITY, 0.001, Mode::Throughput),
            (ModeChoice::Latency, 1000.0, 1.0, Mode::Latency),
            (ModeChoice::Throughput, 0.1, 0.001, Mode::Throughput),
        ] {
            let (got, reason) = mode_for(choice, demand, latency);
            assert_eq!(got, mode, "{demand} x {latency}: {reason}");
        }
    }
}
