//! From a model to a plan, in this process. It may crash with the model it is given and wants memory: let a child do
//! it (`vigia engine build` does).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rten_onnx::onnx::ModelProto;
use thiserror::Error;
use vigia_accel::trt::flags::{DataType, Pool, Severity, Typing};
use vigia_accel::trt::{
    Builder, Config, Driver, Flavour, Go, Library, Network, Place, Plan, Profile, Progress as Event, Shapes,
    TrtError,
};

use super::facts::{Device, Facts};
use super::half::{self, HalfError, Rounding};
use super::progress::{Line, Progress};
use super::recipe::{Precision, Recipe};
use crate::detect::manifest::{Located, Manifest};

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error(transparent)]
    TensorRt(#[from] TrtError),
    #[error("{}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {what}", .path.display())]
    NotOnnx { path: PathBuf, what: String },
    #[error("{id} can't be built with fp16: {source}")]
    Half { id: String, source: HalfError },
    #[error("{0} is not quantised: int8 wants a model with QuantizeLinear and DequantizeLinear")]
    NotQuantised(String),
    #[error("{id} is quantised: build it with int8, not with {asked}")]
    Quantised { id: String, asked: Precision },
    #[error("{id}: {what}")]
    Shape { id: String, what: String },
}

/// A model, and what its plan shall be.
#[derive(Debug)]
pub struct Order<'a> {
    pub model: &'a Located,
    pub recipe: &'a Recipe,
    pub device: &'a Device,
}

/// A plan, and what became of the model.
#[derive(Debug)]
pub struct Built {
    pub plan: Plan,
    pub layers: u32,
    pub rounding: Option<Rounding>,
    /// Images per batch that it takes at most.
    pub batch: u32,
}

/// Who hears how far it is.
pub type Hears = Arc<dyn Fn(Line) + Send + Sync>;

/// TensorRT, with its messages in our log.
///
/// # Errors
/// [`TrtError`]: not there, or not one that we know.
pub fn library(dir: Option<&Path>) -> Result<Library, TrtError> {
    let place = dir.map_or(Place::System, |dir| Place::Folder(dir.to_owned()));
    let listener = |severity, text: &str| match severity {
        Severity::Internal | Severity::Error => {
            tracing::error!(component = "tensorrt", event = "tensorrt_said", text);
        }
        Severity::Warning => tracing::warn!(component = "tensorrt", event = "tensorrt_said", text),
        Severity::Info => tracing::debug!(component = "tensorrt", event = "tensorrt_said", text),
        Severity::Verbose => tracing::trace!(component = "tensorrt", event = "tensorrt_said", text),
    };
    Library::load(&place, Arc::new(listener))
}

/// All that the plan will depend on.
///
/// # Errors
/// [`TrtError`] if there is no parser.
pub fn facts(library: &Library, order: &Order) -> Result<Facts, TrtError> {
    Ok(Facts {
        model_id: order.model.manifest.id.clone(),
        model_sha256: order.model.manifest.sha256.clone(),
        tensorrt: library.version().to_string(),
        parser: library.parser_version()?,
        device: order.device.clone(),
        recipe: order.recipe.clone(),
    })
}

/// Builds it. `cancel` ends it at the builder's next step.
///
/// # Errors
/// [`BuildError`]; [`TrtError::Cancelled`] among them.
pub fn build(
    library: &Library,
    driver: Option<Driver>,
    order: &Order,
    hears: Hears,
    cancel: Arc<AtomicBool>,
) -> Result<Built, BuildError> {
    let (model, rounding) = prepared(order)?;
    let builder = Builder::new(library, driver)?;
    // Types come with the model, in all releases: what was measured of one precision holds for all.
    let mut network = builder.network(Typing::Strong)?;
    network.read_onnx(&model, None)?;
    let mut config = builder.config()?;
    config.limit_memory(
        Pool::Workspace,
        usize::try_from(order.recipe.workspace_mib).unwrap_or(usize::MAX) << 20,
    )?;
    config.optimise(order.recipe.level)?;
    if library.version().flavour == Flavour::Rtx && driver.is_none() {
        config.capabilities(&[order.device.capability])?;
    }
    if let Some(core) = order.recipe.dla {
        config.dla(core, true)?;
        tell_beyond_dla(&network, &config)?;
    }
    let batch = shape(&network, &mut config, order)?;
    config.watch(Arc::new(watcher(hears, cancel)))?;
    let plan = network.build(&mut config)?;
    Ok(Built { plan, layers: network.layers()?, rounding, batch })
}

/// The model's bytes as the builder shall read them.
fn prepared(order: &Order) -> Result<(Vec<u8>, Option<Rounding>), BuildError> {
    let path = &order.model.onnx;
    // Its size was looked at with its hash.
    let bytes = std::fs::read(path).map_err(|source| BuildError::Read { path: path.clone(), source })?;
    let not_onnx = |what: String| BuildError::NotOnnx { path: path.clone(), what };
    let mut model = ModelProto::parse_buf(&bytes).map_err(|e| not_onnx(e.to_string()))?;
    let nodes = model.graph.iter().flat_map(|g| &g.node);
    let is_quantised = nodes.filter_map(|n| n.op_type.as_deref()).any(|op| op == "DequantizeLinear");
    let id = || order.model.manifest.id.clone();
    match (order.recipe.precision, is_quantised) {
        (Precision::Int8, false) => Err(BuildError::NotQuantised(id())),
        (Precision::Fp32, false) | (Precision::Int8, true) => Ok((bytes, None)),
        (asked @ (Precision::Fp32 | Precision::Fp16), true) => Err(BuildError::Quantised { id: id(), asked }),
        (Precision::Fp16, false) => {
            let rounding = half::halve(&mut model).map_err(|source| BuildError::Half { id: id(), source })?;
            let bytes = model.write_buf().map_err(|e| not_onnx(e.to_string()))?;
            Ok((bytes, Some(rounding)))
        }
    }
}

/// The one input: one image to a batch at least, as many as asked for at most; its sides are the manifest's.
fn shape(network: &Network, config: &mut Config, order: &Order) -> Result<u32, BuildError> {
    let Manifest { id, input, .. } = &order.model.manifest;
    let wrong = |what: String| BuildError::Shape { id: id.clone(), what };
    let inputs = network.inputs()?;
    let [(name, kind, dims)] = inputs.as_slice() else {
        return Err(wrong(format!("it has {} inputs; one image is expected", inputs.len())));
    };
    let sides = [3, i64::from(input.height), i64::from(input.width)];
    let [batch, rest @ ..] = dims.as_slice() else { return Err(wrong("its input has no shape".to_owned())) };
    let fits = rest.len() == 3 && rest.iter().zip(sides).all(|(is, wanted)| *is == wanted || *is < 0);
    if !fits || !matches!(kind, DataType::Float | DataType::Half) {
        return Err(wrong(format!("its input is {kind:?} {dims:?}, and its manifest says {sides:?}")));
    }
    if dims.iter().all(|d| *d > 0) {
        return u32::try_from(*batch).map_err(|_| wrong(format!("its batch is {batch}")));
    }
    let open = i64::from(order.recipe.batch);
    let of = |n: i64| [&[if *batch < 0 { n } else { *batch }], &sides[..]].concat();
    let shapes = Shapes { input: name.clone(), least: of(1), usual: of(open), most: of(open) };
    config.add(&Profile(vec![shapes]))?;
    Ok(if *batch < 0 { order.recipe.batch } else { u32::try_from(*batch).unwrap_or(1) })
}

fn tell_beyond_dla(network: &Network, config: &Config) -> Result<(), TrtError> {
    let beyond = network.beyond_dla(config)?;
    if !beyond.is_empty() {
        let (count, first) = (beyond.len(), beyond.first().map_or("", String::as_str));
        tracing::warn!(
            component = "tensorrt",
            event = "beyond_dla",
            count,
            first,
            "layers run on the GPU: DLA can't do them"
        );
    }
    Ok(())
}

fn watcher(hears: Hears, cancel: Arc<AtomicBool>) -> impl Fn(Event<'_>) -> Go + Send + Sync {
    let progress = Mutex::new(Progress::default());
    move |event| {
        let line = {
            let mut progress = progress.lock();
            match event {
                Event::Start { phase, parent, steps } => progress.start(phase, parent, steps),
                Event::Step { phase, step } => progress.step(phase, step),
                Event::Finish { phase } => progress.finish(phase),
            }
        };
        if let Some(line) = line {
            hears(line);
        }
        if cancel.load(Ordering::Acquire) { Go::Cancel } else { Go::On }
    }
}
