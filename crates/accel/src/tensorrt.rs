//! A plan of TensorRT at work: frames in, candidate boxes out, on one GPU.
//!
//! An [`Engine`] has a few [`Slot`]s, each with an execution context of its own, so that one batch is prepared while another
//! is computed. Has run on the doubles of TensorRT and CUDA only.

use std::error::Error;
use std::sync::Arc;

use thiserror::Error;

use crate::cuda::{
    Batch, CudaError, Enqueue, Frame, Gpu, HeadFamily, HeadSpec, OutputSpec, Slot, SlotSpec, Stage, Wait,
    Warm,
};
use crate::preprocess::TensorSpec;
use crate::trt::flags::{DataType, Direction, Scratch};
use crate::trt::{
    Context, DevicePtr, Driver, Engine as Plan, Library, Runtime, RuntimeOptions, Stream, TensorInfo,
    TrtError,
};

/// Device memory that others need beside a model: decoders, the driver, a frame on its way.
const SPARE_BYTES: usize = 64 << 20;

/// What can go wrong with an engine.
#[derive(Debug, Error)]
pub enum TensorRtError {
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error(transparent)]
    TensorRt(#[from] TrtError),
    #[error("the plan's {tensor} is {found}: {expected} is expected")]
    Shape { tensor: String, found: String, expected: String },
}

/// What a plan is opened for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The input of one image.
    pub tensor: TensorSpec,
    pub head: HeadFamily,
    pub classes: u32,
    /// Most images per batch; a plan that takes less limits it.
    pub batch_max: usize,
    /// Batches in flight.
    pub slots: usize,
    pub wait: Wait,
    /// The core of a plan that was built for DLA.
    pub dla: Option<u32>,
}

/// A plan, open.
#[derive(Debug)]
pub struct Engine {
    gpu: Arc<Gpu>,
    slots: Vec<Slot<Network>>,
    plan: Plan,
    batch_max: usize,
}

impl Engine {
    /// Opens a plan and allocates all that its slots need.
    ///
    /// # Errors
    /// [`TensorRtError`]: a plan of another release or GPU, one whose tensors are not those of `options`, or too little memory.
    pub fn new(
        gpu: &Arc<Gpu>,
        library: &Library,
        plan: &[u8],
        options: &Options,
    ) -> Result<Self, TensorRtError> {
        // TensorRT takes the device whose context this thread has.
        let driver = Driver::checked(|| gpu.bind())?;
        let runtime = RuntimeOptions { dla: options.dla, ..RuntimeOptions::default() };
        // A plan is little else than its weights.
        gpu.has_room("the model's weights", plan.len().saturating_add(SPARE_BYTES))?;
        let plan = Runtime::new(library, driver, &runtime)?.load(plan)?;
        let ports = Ports::of(plan.tensors(), options)?;
        let batch_max = options.batch_max.min(ports.batch_max);
        let scratch = usize::try_from(plan.device_memory()?).unwrap_or(usize::MAX);
        let each = scratch.saturating_add(ports.spec(options, batch_max).bytes());
        gpu.has_room(
            "the batches in flight",
            each.saturating_mul(options.slots).saturating_add(SPARE_BYTES),
        )?;
        let slots = (0..options.slots).map(|_| {
            let context = Some(plan.context(Scratch::Own)?);
            let network = Network { context, ports: ports.clone(), batch: 0 };
            Ok(Slot::new(gpu, ports.spec(options, batch_max), network)?)
        });
        let slots = slots.collect::<Result<_, TensorRtError>>()?;
        Ok(Self { gpu: gpu.clone(), slots, plan, batch_max })
    }

    /// Whose memory frames need not leave.
    #[must_use]
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Makes the execution contexts anew, after one refused to work. What was in flight is lost.
    ///
    /// # Errors
    /// As of [`Self::new`] and [`Self::warm`]; the engine is of no use then.
    pub fn renew(&mut self) -> Result<Vec<String>, TensorRtError> {
        for slot in &mut self.slots {
            slot.cool()?;
            let network = slot.network();
            // First, for its memory.
            network.context = None;
            network.context = Some(self.plan.context(Scratch::Own)?);
            network.batch = 0;
        }
        self.warm()
    }

    /// How many batches may be in flight.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Most images per batch.
    #[must_use]
    pub fn batch_max(&self) -> usize {
        self.batch_max
    }

    /// Makes ready for all batch sizes, one graph each. What can't be a graph says why.
    ///
    /// # Errors
    /// [`CudaError`] if a batch can't be launched at all.
    pub fn warm(&mut self) -> Result<Vec<String>, TensorRtError> {
        let mut without = Vec::new();
        for slot in &mut self.slots {
            for batch in 1..=self.batch_max {
                if let Warm::Stream { why } = slot.warm(batch)? {
                    without.push(format!("batches of {batch} are no graph: {why}"));
                }
            }
        }
        Ok(without)
    }

    /// Starts a batch: see [`Slot::begin`].
    ///
    /// # Errors
    /// [`CudaError`]; the slot is idle then.
    pub fn begin(&mut self, slot: usize, frames: &[Frame<'_>]) -> Result<(), TensorRtError> {
        Ok(self.slots[slot].begin(frames)?)
    }

    /// Waits for a batch that was started.
    ///
    /// # Errors
    /// [`CudaError`] of whatever failed on the way.
    pub fn wait(&mut self, slot: usize) -> Result<Batch<'_>, TensorRtError> {
        Ok(self.slots[slot].wait()?)
    }
}

/// Names and shapes of a plan's tensors.
#[derive(Debug, Clone)]
struct Ports {
    input: String,
    /// The shape of a batch but for its first number.
    image: [i64; 3],
    half: bool,
    batch_max: usize,
    /// In the head's order.
    outputs: Vec<String>,
    head: HeadSpec,
}

impl Ports {
    fn of(tensors: &[TensorInfo], options: &Options) -> Result<Self, TensorRtError> {
        let of = |direction| tensors.iter().filter(move |t| t.direction == direction);
        let shape = |what: &str, found: String, expected: &str| TensorRtError::Shape {
            tensor: what.to_owned(),
            found,
            expected: expected.to_owned(),
        };
        let inputs: Vec<_> = of(Direction::Input).collect();
        let [input] = inputs.as_slice() else {
            return Err(shape("input", format!("{} tensors", inputs.len()), "one image"));
        };
        let image = [3, options.tensor.height, options.tensor.width].map(i64::from);
        let wrong = || {
            shape("input", described(input), &format!("[batch, {}, {}, {}]", image[0], image[1], image[2]))
        };
        let [batch, sides @ ..] = input.shape.as_slice() else { return Err(wrong()) };
        let fits = sides.len() == 3 && sides.iter().zip(image).all(|(is, wanted)| *is == wanted || *is < 0);
        let half = float(input).filter(|_| fits && input.linear).ok_or_else(wrong)?;
        let most = input.profiles.first().and_then(|[_, _, most]| most.first()).copied().unwrap_or(*batch);
        let batch_max = if *batch == 1 { 1 } else { usize::try_from(most).unwrap_or(0) };
        if *batch > 1 || batch_max == 0 {
            return Err(shape("input", described(input), "a batch of one, or one that is open"));
        }
        let outputs: Vec<_> = of(Direction::Output).collect();
        let (head, outputs) = head(&outputs, options)?;
        Ok(Self { input: input.name.clone(), image, half, batch_max, outputs, head })
    }

    fn spec(&self, options: &Options, batch_max: usize) -> SlotSpec {
        let outputs =
            self.head.values().into_iter().map(|n| OutputSpec { bytes: n * self.head.value_bytes() });
        SlotSpec {
            tensor: options.tensor,
            half: self.half,
            batch_max,
            outputs: outputs.collect(),
            head: self.head,
            wait: options.wait,
        }
    }
}

/// What the outputs are, and their names in the order in which the head reads them.
fn head(outputs: &[&TensorInfo], options: &Options) -> Result<(HeadSpec, Vec<String>), TensorRtError> {
    let classes = i64::from(options.classes);
    // The sizes of one image; -1 is the number of anchors.
    let wanted: &[[i64; 2]] = match options.head {
        HeadFamily::Columns => &[[4 + classes, -1]],
        HeadFamily::Rows | HeadFamily::Grid => &[[-1, 5 + classes]],
        HeadFamily::Corners => &[[-1, 6]],
        HeadFamily::Queries => &[[-1, 4 + classes]],
        HeadFamily::Logits => &[[-1, classes], [-1, 4]],
    };
    let found = || outputs.iter().map(|t| described(t)).collect::<Vec<_>>().join(" and ");
    let wrong = || TensorRtError::Shape {
        tensor: "output".to_owned(),
        found: found(),
        expected: format!("[batch, {wanted:?}] of a {:?} head, linear, in 16 or 32 bits", options.head),
    };
    let fits = |t: &TensorInfo, [first, second]: [i64; 2]| {
        let sizes = t.shape.get(1..).unwrap_or_default();
        t.linear && sizes.len() == 2 && (first < 0 || sizes[0] == first) && (second < 0 || sizes[1] == second)
    };
    let mut chosen = Vec::with_capacity(wanted.len());
    for sizes in wanted {
        let output = outputs.iter().find(|t| fits(t, *sizes) && !chosen.contains(t)).ok_or_else(wrong)?;
        chosen.push(output);
    }
    let anchors = |t: &TensorInfo, [first, _]: [i64; 2]| t.shape.get(if first < 0 { 1 } else { 2 }).copied();
    let counts: Vec<_> = chosen.iter().zip(wanted).map(|(t, sizes)| anchors(t, *sizes)).collect();
    let halves: Vec<_> = chosen.iter().map(|t| float(t)).collect();
    let same = chosen.len() == outputs.len()
        && counts.iter().all(|n| *n == counts[0])
        && halves.iter().all(|h| *h == halves[0]);
    let anchors =
        counts[0].and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0 && same).ok_or_else(wrong)?;
    let half = halves[0].ok_or_else(wrong)?;
    let spec = HeadSpec { family: options.head, classes: options.classes, anchors, half };
    Ok((spec, chosen.iter().map(|t| t.name.clone()).collect()))
}

/// Whether values are 16 bits wide; nothing for what is no floating point.
fn float(tensor: &TensorInfo) -> Option<bool> {
    match tensor.data_type {
        DataType::Half => Some(true),
        DataType::Float => Some(false),
        _ => None,
    }
}

fn described(tensor: &TensorInfo) -> String {
    format!("`{}` {:?} {:?}", tensor.name, tensor.data_type, tensor.shape)
}

/// An execution context, as a slot sees it.
#[derive(Debug)]
struct Network {
    /// None if making it anew failed.
    context: Option<Context>,
    ports: Ports,
    /// Of the shapes that are set.
    batch: usize,
}

fn gone() -> TrtError {
    TrtError::Call { doing: "making an execution context anew", said: String::new() }
}

impl Network {
    fn shape(&mut self, batch: usize) -> Result<(), TrtError> {
        if self.batch == batch {
            return Ok(());
        }
        let [channels, height, width] = self.ports.image;
        let count = i64::try_from(batch).unwrap_or(i64::MAX);
        let context = self.context.as_mut().ok_or_else(gone)?;
        context.set_shape(&self.ports.input, &[count, channels, height, width])?;
        self.batch = batch;
        Ok(())
    }
}

impl Enqueue for Network {
    fn prepare(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.shape(stage.batch())?;
        let Self { context: Some(context), ports, .. } = self else { return Err(Box::new(gone())) };
        // SAFETY: the slot owns these buffers and drops them after the network and after its stream is done.
        unsafe {
            context.set_address(&ports.input, DevicePtr::from_raw(stage.input().address()))?;
            for (name, output) in ports.outputs.iter().zip(stage.outputs()) {
                context.set_address(name, DevicePtr::from_raw(output.address()))?;
            }
        }
        if context.ready()? { Ok(()) } else { Err("the plan has an input that nobody fills".into()) }
    }

    fn enqueue(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.shape(stage.batch())?;
        let context = self.context.as_mut().ok_or_else(gone)?;
        // SAFETY: the stream is the slot's, which outlives all that is put on it.
        Ok(context.enqueue(unsafe { Stream::from_raw(stage.stream().raw() as u64) })?)
    }
}
