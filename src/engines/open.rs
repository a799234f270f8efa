//! A model on the GPU of this box: its plan, built first where there is none that fits.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use vigia_accel::cuda::{CudaError, Gpu, HeadFamily, Wait};
use vigia_accel::tensorrt::{Engine, Options, TensorRtError};
use vigia_accel::trt::{Go, Library, TrtError};
use vigia_core::config::Detector;
use vigia_core::detection::head::Head;

use super::accuracy::{self, Accuracy, AccuracyError};
use super::build::{self, Order};
use super::facts::{Device, Facts};
use super::job::{self, JobError};
use super::recipe::{Recipe, RecipeError};
use super::store::{Passport, Store};
use crate::detect::manifest::Located;
use crate::detect::network::Network;

/// Batches in flight: one is computed while the next is made ready.
const SLOTS: usize = 2;

/// Why a model does not run on the GPU.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    NoGpu(#[from] NoGpu),
    #[error(transparent)]
    Library(#[from] TrtError),
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Engine(#[from] TensorRtError),
    #[error(transparent)]
    Accuracy(#[from] AccuracyError),
    /// Even the plan that was just built.
    #[error("{0}")]
    Unfit(String),
}

/// Why there is no GPU to use, as [`CudaError`] says it.
#[derive(Debug, Clone, Error)]
#[error("{why}")]
pub struct NoGpu {
    why: String,
    /// This box has none, or nobody has installed its driver; else something is wrong with one that is there.
    pub is_absent: bool,
}

impl From<CudaError> for NoGpu {
    fn from(e: CudaError) -> Self {
        Self { why: e.to_string(), is_absent: matches!(e, CudaError::NoLibrary | CudaError::NoDevice) }
    }
}

/// A model at work, and how it came to be.
#[derive(Debug)]
pub struct Opened {
    /// It suppresses with [`accuracy::SUPPRESSION`].
    pub network: Network,
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
pub fn gpu() -> Result<Arc<Gpu>, NoGpu> {
    static GPU: OnceLock<Result<Arc<Gpu>, NoGpu>> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(0).map_err(NoGpu::from)).clone()
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
    let Wanted { why, afresh } = match find(located, config, || ())? {
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
    match find(located, config, || ())? {
        Found::Open(opened) => Ok(*opened),
        Found::Wanted(Wanted { why, .. }) => Err(OpenError::Unfit(why)),
    }
}

/// Opens a model if a plan is there that fits and sees what it should. One that nobody measured is measured, which takes
/// long on a small device: `measured` is called after each frame of it.
///
/// # Errors
/// [`OpenError`], one sentence.
pub fn find(located: &Located, config: &Detector, measured: impl FnMut()) -> Result<Found, OpenError> {
    let gpu = gpu()?;
    let library = build::library(config.tensorrt_dir.as_deref().map(Path::new))?;
    let recipe =
        config.recipe.as_deref().map(|file| Recipe::load(Path::new(file))).transpose()?.unwrap_or_default();
    let device = device(&gpu);
    let facts = build::facts(&library, &Order { model: located, recipe: &recipe, device: &device })?;
    let store = Store::new(&config.plans_dir);
    let Some((passport, plan)) = plan(&store, &facts) else {
        return Ok(Found::Wanted(Wanted { why: store.why_not(&facts), afresh: false }));
    };
    let wanted = |why| Ok(Found::Wanted(Wanted { why, afresh: true }));
    let mut engine = match engine(&gpu, &library, &plan, located, &recipe) {
        // Its facts fit, and still TensorRT does not take it.
        Err(TensorRtError::TensorRt(e @ TrtError::Call { doing: "loading the plan", .. })) => {
            return wanted(format!("the plan of {} is refused: {e}", facts.model_id));
        }
        opened => opened?,
    };
    for why in engine.warm()? {
        tracing::warn!(component = "tensorrt", event = "no_graph", why, "launched call by call");
    }
    let reason = format!("tensorrt: {} on {}", facts.tensorrt, facts.device.name);
    let mode = format!("{}, batches of up to {}", recipe.precision, engine.batch_max());
    let manifest = Arc::new(located.manifest.clone());
    let mut network = Network::on_gpu(engine, manifest, accuracy::SUPPRESSION);
    match check(&mut network, &store, passport, &plan, located, measured) {
        Err(changed @ AccuracyError::Changed { .. }) => return wanted(changed.to_string()),
        checked => checked?,
    }
    Ok(Found::Open(Box::new(Opened { network, reason, mode })))
}

/// A plan, ready to be warmed.
///
/// # Errors
/// [`TensorRtError`].
pub fn engine(
    gpu: &Arc<Gpu>,
    library: &Library,
    plan: &[u8],
    located: &Located,
    recipe: &Recipe,
) -> Result<Engine, TensorRtError> {
    let options = Options {
        tensor: located.manifest.tensor_spec(),
        head: family(located.manifest.head),
        classes: u32::try_from(located.manifest.classes.len()).unwrap_or(u32::MAX),
        batch_max: usize::try_from(recipe.batch).unwrap_or(1),
        slots: SLOTS,
        wait: Wait::Blocking,
        dla: recipe.dla,
    };
    Engine::new(gpu, library, plan, &options)
}

/// A plan that nobody has measured on a GPU is, and its passport says so from then on. A measured one must see what it
/// saw then.
fn check(
    network: &mut Network,
    store: &Store,
    mut passport: Passport,
    plan: &[u8],
    located: &Located,
    mut measured: impl FnMut(),
) -> Result<(), AccuracyError> {
    if let Some(accuracy) = &passport.accuracy
        && accuracy.still(network, located)?.is_some()
    {
        return Ok(());
    }
    let hears = |_| {
        measured();
        Go::On
    };
    let accuracy = judged(network, located, &passport.facts.recipe, hears)?;
    passport.accuracy = Some(accuracy);
    if let Err(e) = store.put(&passport, plan) {
        tracing::warn!(component = "engine", event = "passport_not_kept", %e, "it is measured again next time");
    }
    Ok(())
}

/// How well a fresh plan finds what its model finds, on this GPU.
///
/// # Errors
/// [`OpenError`]; [`AccuracyError::Refused`] with the figures.
pub fn prove(
    library: &Library,
    plan: &[u8],
    order: &Order,
    hears: impl FnMut(u8) -> Go,
) -> Result<Accuracy, OpenError> {
    let gpu = gpu()?;
    let engine = engine(&gpu, library, plan, order.model, order.recipe)?;
    let manifest = Arc::new(order.model.manifest.clone());
    let mut network = Network::on_gpu(engine, manifest, accuracy::SUPPRESSION);
    Ok(judged(&mut network, order.model, order.recipe, hears)?)
}

fn judged(
    network: &mut Network,
    located: &Located,
    recipe: &Recipe,
    hears: impl FnMut(u8) -> Go,
) -> Result<Accuracy, AccuracyError> {
    let accuracy = Accuracy::measure(network, located, hears)?;
    let (model_id, a) = (&located.manifest.id, &accuracy.agreement);
    let (objects, found, reported, invented) = (a.objects, a.found, a.reported, a.invented);
    tracing::info!(
        component = "engine",
        event = "plan_measured",
        model_id,
        reference = accuracy.reference,
        objects,
        found,
        reported,
        invented,
        iou = a.iou,
        confidence = a.confidence
    );
    accuracy.verdict(model_id, recipe.precision)?;
    Ok(accuracy)
}

/// The plan for this very GPU, or one for its kind.
fn plan(store: &Store, facts: &Facts) -> Option<(Passport, Vec<u8>)> {
    let kind = Facts { device: facts.device.kind(), ..facts.clone() };
    for facts in [facts, &kind] {
        match store.get(facts) {
            Ok(found) => return Some(found),
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
