//! A model on the GPU of this box: its plan, built first where there is none that fits.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use vigia_accel::cuda::{Gpu, HeadFamily, Wait};
use vigia_accel::tensorrt::{Engine, Options, TensorRtError};
use vigia_accel::trt::TrtError;
use vigia_core::config::Detector;
use vigia_core::detection::head::Head;

use super::build::{self, Order};
use super::facts::{Device, Facts};
use super::job::{self, JobError};
use super::recipe::{Recipe, RecipeError};
use super::store::Store;
use crate::detect::manifest::Located;

/// Batches in flight: one is computed while the next is made ready.
const SLOTS: usize = 2;

/// Why a model does not run on the GPU.
#[derive(Debug, Error)]
pub enum OpenError {
    /// As [`vigia_accel::cuda::CudaError`] says it.
    #[error("{0}")]
    NoGpu(String),
    #[error(transparent)]
    Library(#[from] TrtError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Engine(#[from] TensorRtError),
    /// Even the plan that was just built.
    #[error("{0}")]
    Unfit(String),
}

/// An open engine, and how it came to be.
#[derive(Debug)]
pub struct Opened {
    pub engine: Engine,
    pub reason: String,
    pub mode: String,
}

/// What came of looking for a plan.
#[derive(Debug)]
pub enum Found {
    Open(Box<Opened>),
    Wanted(Wanted),
}

/// A plan that has to be built.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// One sentence.
    pub why: String,
    /// The one that is there, for the same facts, is refused.
    pub afresh: bool,
}

/// The first GPU of this box, opened once: decoders and engines share its context.
///
/// # Errors
/// One sentence on why there is none.
pub fn gpu() -> Result<Arc<Gpu>, String> {
    static GPU: OnceLock<Result<Arc<Gpu>, String>> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(0).map_err(|e| e.to_string())).clone()
}

/// What a plan for this GPU depends on.
#[must_use]
pub fn device(gpu: &Gpu) -> Device {
    let properties = gpu.properties();
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    let (major, minor) = properties.capability;
    Device {
        name: properties.name.clone(),
        capability: number(major) * 10 + number(minor),
        multiprocessors: Some(number(properties.multiprocessors)),
    }
}

/// Opens a model. A plan that is missing or doesn't fit is built, which may take minutes.
///
/// # Errors
/// [`OpenError`], one sentence.
pub fn open(located: &Located, config: &Detector) -> Result<Opened, OpenError> {
    let Wanted { why, afresh } = match find(located, config)? {
        Found::Open(opened) => return Ok(*opened),
        Found::Wanted(wanted) => wanted,
    };
    tracing::info!(
        component = "engine",
        event = "plan_wanted",
        why,
        "a plan is built: minutes on a small device"
    );
    job::build(located, config, afresh)?;
    match find(located, config)? {
        Found::Open(opened) => Ok(*opened),
        Found::Wanted(Wanted { why, .. }) => Err(OpenError::Unfit(why)),
    }
}

/// Opens a model if a plan is there that fits.
///
/// # Errors
/// [`OpenError`], one sentence.
pub fn find(located: &Located, config: &Detector) -> Result<Found, OpenError> {
    let gpu = gpu().map_err(OpenError::NoGpu)?;
    let library = build::library(config.tensorrt_dir.as_deref().map(Path::new))?;
    let recipe =
        config.recipe.as_deref().map(|file| Recipe::load(Path::new(file))).transpose()?.unwrap_or_default();
    let device = device(&gpu);
    let facts = build::facts(&library, &Order { model: located, recipe: &recipe, device: &device })?;
    let store = Store::new(&config.plans_dir);
    let Some(plan) = plan(&store, &facts) else {
        return Ok(Found::Wanted(Wanted { why: store.why_not(&facts), afresh: false }));
    };
    let options = Options {
        tensor: located.manifest.tensor_spec(),
        head: family(located.manifest.head),
        classes: u32::try_from(located.manifest.classes.len()).unwrap_or(u32::MAX),
        batch_max: usize::try_from(recipe.batch).unwrap_or(1),
        slots: SLOTS,
        wait: Wait::Blocking,
        dla: recipe.dla,
    };
    let mut engine = match Engine::new(&gpu, &library, &plan, &options) {
        // Its facts fit, and still TensorRT does not take it.
        Err(TensorRtError::TensorRt(e @ TrtError::Call { doing: "loading the plan", .. })) => {
            let why = format!("the plan of {} is refused: {e}", facts.model_id);
            return Ok(Found::Wanted(Wanted { why, afresh: true }));
        }
        opened => opened?,
    };
    for why in engine.warm()? {
        tracing::warn!(component = "tensorrt", event = "no_graph", why, "launched call by call");
    }
    let reason = format!("tensorrt: {} on {}", facts.tensorrt, facts.device.name);
    let mode = format!("{}, batches of up to {}", recipe.precision, engine.batch_max());
    Ok(Found::Open(Box::new(Opened { engine, reason, mode })))
}

/// The plan for this very GPU, or one for its kind.
fn plan(store: &Store, facts: &Facts) -> Option<Vec<u8>> {
    let kind = Facts { device: facts.device.kind(), ..facts.clone() };
    for facts in [facts, &kind] {
        match store.get(facts) {
            Ok((_, plan)) => return Some(plan),
            Err(e) if e.is_missing() => {}
            Err(e) => tracing::warn!(component = "engine", event = "plan_torn", %e, "it is built anew"),
        }
    }
    None
}

const fn family(head: Head) -> HeadFamily {
    match head {
        Head::Yolov5 => HeadFamily::Rows,
        Head::Yolov8 => HeadFamily::Columns,
        Head::End2end => HeadFamily::Corners,
        Head::Yolox => HeadFamily::Grid,
        Head::Rtdetr => HeadFamily::Queries,
    }
}
