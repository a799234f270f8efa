//! OpenVINO, found at run time: nothing of it is needed to build.
//!
//! One [`Engine`] holds one compiled model with a fixed input shape and a number of request
//! slots. A slot's input is OpenVINO's own memory, so that the pre-processing writes the
//! tensor where the network reads it.

use std::fmt;
use std::path::{Path, PathBuf};

use openvino::{
    CompiledModel, Core, DeviceType, Dimension, ElementType, InferRequest, InferenceError, PartialShape,
    PropertyKey, RwPropertyKey, SetupError, Tensor,
};
use thiserror::Error;

/// An inference that takes longer than this has failed.
const WAIT_MS_MAX: i64 = 60_000;

/// What the engine is tuned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One request at a time, all cores on it.
    Latency,
    /// Several requests in flight, one stream per core or so.
    Throughput,
}

/// How to compile a model.
#[derive(Debug, Clone)]
pub struct Options {
    pub mode: Mode,
    /// Threads the engine may use; `None` lets it choose.
    pub threads: Option<u32>,
    /// Input width and height in pixels; the input is `[1, 3, height, width]`.
    pub width: usize,
    pub height: usize,
}

/// What can go wrong with OpenVINO.
#[derive(Debug, Error)]
pub enum OpenVinoError {
    #[error("no libopenvino_c.so found{}", .dir.as_ref().map(|d| format!(" in {}", d.display())).unwrap_or_default())]
    NotFound { dir: Option<PathBuf> },
    #[error("OpenVINO could not be loaded: {0}")]
    Load(String),
    #[error("OpenVINO could not start")]
    Setup(#[from] SetupError),
    #[error("OpenVINO: {doing}: {source}")]
    Call { doing: &'static str, source: InferenceError },
    #[error("the model has {0} inputs; one image is expected")]
    Inputs(usize),
    #[error("the model's {what} is not 32-bit float")]
    Element { what: &'static str },
    #[error("the path {0} is not UTF-8")]
    Path(PathBuf),
}

trait While<T> {
    fn while_(self, doing: &'static str) -> Result<T, OpenVinoError>;
}

impl<T> While<T> for Result<T, InferenceError> {
    fn while_(self, doing: &'static str) -> Result<T, OpenVinoError> {
        self.map_err(|source| OpenVinoError::Call { doing, source })
    }
}

/// Loads the library from `dir`, or from the usual places. Loading twice is fine.
///
/// # Errors
/// [`OpenVinoError::NotFound`] or [`OpenVinoError::Load`].
pub fn load(dir: Option<&Path>) -> Result<(), OpenVinoError> {
    match dir {
        None => openvino_sys::library::load().map_err(|_| OpenVinoError::NotFound { dir: None }),
        Some(dir) => {
            let file = library_in(dir).ok_or_else(|| OpenVinoError::NotFound { dir: Some(dir.into()) })?;
            openvino_sys::library::load_from(file).map_err(OpenVinoError::Load)
        }
    }
}

/// PyPI's wheel carries `libopenvino_c.so.2641`, distributions carry `libopenvino_c.so`.
fn library_in(dir: &Path) -> Option<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("libopenvino_c.so")))
        .collect();
    found.sort();
    found.pop()
}

/// A compiled model with its request slots.
pub struct Engine {
    slots: Vec<Slot>,
    // Dropped after the requests that use it.
    _model: CompiledModel,
    device: String,
}

struct Slot {
    input: Tensor,
    request: InferRequest,
    outputs: Vec<OutputTensor>,
}

struct OutputTensor {
    shape: Vec<usize>,
    tensor: Tensor,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("device", &self.device).field("slots", &self.slots.len()).finish()
    }
}

impl Engine {
    /// Reads an ONNX file and compiles it for the CPU.
    ///
    /// # Errors
    /// [`OpenVinoError`]; nothing stays behind.
    pub fn new(model: &Path, options: &Options) -> Result<Self, OpenVinoError> {
        let path = model.to_str().ok_or_else(|| OpenVinoError::Path(model.into()))?;
        let mut core = Core::new()?;
        configure(&mut core, options)?;
        let mut graph = core.read_model_from_file(path, "").while_("reading the model")?;
        let inputs = graph.get_inputs_len().while_("counting inputs")?;
        if inputs != 1 {
            return Err(OpenVinoError::Inputs(inputs));
        }
        let dims = [1, 3, dimension(options.height), dimension(options.width)].map(|n| Dimension::new(n, n));
        let shape = PartialShape::new(4, &dims).while_("making the input shape")?;
        graph.reshape_single_input(&shape).while_("setting the input shape")?;
        let mut compiled = core.compile_model(&graph, DeviceType::CPU).while_("compiling the model")?;
        let slots = match options.mode {
            Mode::Latency => 1,
            Mode::Throughput => compiled
                .get_property(&PropertyKey::OptimalNumberOfInferRequests)
                .while_("asking for the number of requests")?
                .parse()
                .unwrap_or(2)
                .clamp(2, 16),
        };
        let slots = (0..slots).map(|_| Slot::new(&mut compiled)).collect::<Result<_, _>>()?;
        let device = core
            .get_property(&DeviceType::CPU, &PropertyKey::DeviceFullName)
            .while_("asking for the device name")?;
        Ok(Self { slots, _model: compiled, device })
    }

    /// The processor, in OpenVINO's words.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// How many requests may be in flight.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Where slot `slot` reads its image: `3 x height x width` values.
    ///
    /// # Errors
    /// [`OpenVinoError::Call`] if the tensor can't be reached.
    pub fn input(&mut self, slot: usize) -> Result<&mut [f32], OpenVinoError> {
        self.slots[slot].input.get_data_mut().while_("reaching the input")
    }

    /// Starts a slot; its input belongs to the network until [`Self::wait`] returns.
    ///
    /// # Errors
    /// [`OpenVinoError::Call`].
    pub fn start(&mut self, slot: usize) -> Result<(), OpenVinoError> {
        self.slots[slot].request.infer_async().while_("starting an inference")
    }

    /// Waits for a slot that was started.
    ///
    /// # Errors
    /// [`OpenVinoError::Call`] if the network failed.
    pub fn wait(&mut self, slot: usize) -> Result<(), OpenVinoError> {
        let slot = &mut self.slots[slot];
        slot.request.wait(WAIT_MS_MAX).while_("waiting for an inference")?;
        slot.outputs.iter_mut().try_for_each(OutputTensor::refresh)
    }

    /// The outputs of a slot after [`Self::wait`]: shape and values each.
    ///
    /// # Errors
    /// [`OpenVinoError::Call`] if a tensor can't be reached.
    pub fn outputs(&self, slot: usize) -> impl Iterator<Item = Result<(&[usize], &[f32]), OpenVinoError>> {
        self.slots[slot].outputs.iter().map(|o| {
            let data = o.tensor.get_data().while_("reaching an output")?;
            Ok((o.shape.as_slice(), data))
        })
    }
}

fn configure(core: &mut Core, options: &Options) -> Result<(), OpenVinoError> {
    let hint = match options.mode {
        Mode::Latency => "LATENCY",
        Mode::Throughput => "THROUGHPUT",
    };
    let mut set = |key: &RwPropertyKey, value: &str| {
        core.set_property(&DeviceType::CPU, key, value).while_("setting a property")
    };
    set(&RwPropertyKey::HintPerformanceMode, hint)?;
    // Left alone it takes bfloat16 where the processor has it, and finds other things.
    set(&RwPropertyKey::HintInferencePrecision, "f32")?;
    if let Some(threads) = options.threads {
        set(&RwPropertyKey::InferenceNumThreads, &threads.to_string())?;
    }
    Ok(())
}

fn dimension(pixels: usize) -> i64 {
    i64::try_from(pixels).unwrap_or(i64::MAX)
}

impl Slot {
    fn new(compiled: &mut CompiledModel) -> Result<Self, OpenVinoError> {
        let request = compiled.create_infer_request().while_("creating a request")?;
        let input = request.get_input_tensor().while_("reaching the input")?;
        float(&input, "input")?;
        let count = compiled.get_output_size().while_("counting outputs")?;
        let outputs = (0..count)
            .map(|i| {
                let tensor = request.get_output_tensor_by_index(i).while_("reaching an output")?;
                float(&tensor, "output")?;
                Ok(OutputTensor { shape: Vec::new(), tensor })
            })
            .collect::<Result<_, OpenVinoError>>()?;
        Ok(Self { input, request, outputs })
    }
}

fn float(tensor: &Tensor, what: &'static str) -> Result<(), OpenVinoError> {
    match tensor.get_element_type().while_("asking for an element type")? {
        ElementType::F32 => Ok(()),
        _ => Err(OpenVinoError::Element { what }),
    }
}

impl OutputTensor {
    /// A network with a data-dependent output changes its shape from run to run.
    fn refresh(&mut self) -> Result<(), OpenVinoError> {
        let shape = self.tensor.get_shape().while_("asking for an output shape")?;
        self.shape.clear();
        self.shape.extend(shape.get_dimensions().iter().map(|d| usize::try_from(*d).unwrap_or(0)));
        Ok(())
    }
}
