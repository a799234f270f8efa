//! Execution contexts: shapes, addresses, and the network as work on a stream.

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::sync::Arc;

use vigia_accel::trt::slots::Context;

use crate::cuda::Staging;
use crate::engine::{EngineData, EngineParts};
use crate::model::{HALF, Port};
use crate::object::{Body, make, methods, tables};
use crate::{Dims, cuda, settings};

pub use crate::engine::create_runtime;

/// `ExecutionContextAllocationStrategy::kUSER_MANAGED`.
const LENT: i32 = 2;

#[derive(Debug)]
pub struct ContextData {
    engine: EngineData,
    strategy: i32,
    scratch: usize,
    profile: usize,
    shapes: HashMap<String, Vec<i64>>,
    addresses: HashMap<String, u64>,
    /// Each set of shapes keeps its job: graphs that were captured come back to it.
    #[expect(clippy::vec_box, reason = "the driver knows where they are")]
    jobs: Vec<Box<Job>>,
}

/// One inference: what is copied in, and what out.
#[derive(Debug)]
struct Job {
    engine: EngineData,
    inputs: Vec<(Vec<i64>, Staging)>,
    outputs: Vec<Staging>,
}

pub extern "C" fn create_context(engine: &Body<EngineData>, strategy: i32) -> *mut c_void {
    let engine = &engine.data;
    if settings::strikes("null-context") {
        engine.complain("IExecutionContext: Error Code 2: OutOfMemory (Requested size was 123456789 bytes.)");
        return std::ptr::null_mut();
    }
    let fixed = engine.graph.inputs.iter().filter(|p| !p.sizes().contains(&-1));
    let shapes = fixed.map(|p| (p.name.clone(), p.sizes())).collect();
    let data = ContextData {
        engine: Arc::clone(engine),
        strategy,
        scratch: 0,
        profile: 0,
        shapes,
        addresses: HashMap::new(),
        jobs: Vec::new(),
    };
    let methods = methods![tables().context; set_profile: set_profile, set_input_shape: set_input_shape,
        tensor_shape: tensor_shape, set_address: set_address, infer_shapes: infer_shapes,
        set_consumed_event: set_consumed_event, enqueue: enqueue, set_persistent_cache: set_persistent_cache,
        set_aux_streams: set_aux_streams, set_device_memory: set_device_memory];
    make::<Context, _>(data, &methods)
}

extern "C" fn set_persistent_cache(_: &mut Body<ContextData>, _: usize) {}

extern "C" fn set_aux_streams(_: &mut Body<ContextData>, _: *const *mut c_void, _: i32) {}

extern "C" fn set_consumed_event(_: &mut Body<ContextData>, event: *mut c_void) -> bool {
    !event.is_null()
}

extern "C" fn set_profile(this: &mut Body<ContextData>, profile: i32, _: *mut c_void) -> bool {
    let context = &mut this.data;
    let known = usize::try_from(profile).ok().filter(|p| *p < context.engine.plan.profiles.len());
    let Some(profile) = known else {
        context.engine.complain(&format!("setOptimizationProfileAsync: there is no profile {profile}"));
        return false;
    };
    context.profile = profile;
    let engine = &context.engine;
    context
        .shapes
        .retain(|name, _| engine.graph.inputs.iter().any(|p| p.name == *name && !p.sizes().contains(&-1)));
    true
}

extern "C" fn set_input_shape(this: &mut Body<ContextData>, name: *const c_char, shape: &Dims) -> bool {
    let context = &mut this.data;
    let Some((port, true)) = context.engine.port(name) else { return false };
    let shape = shape.list();
    let profile = &context.engine.plan.profiles[context.profile];
    let inside = profile.get(&port.name).is_some_and(|[least, _, most]| {
        shape.len() == least.len()
            && shape.iter().zip(least.iter().zip(most)).all(|(n, (a, b))| (a..=b).contains(&n))
    });
    if !inside {
        let why = format!(
            "setInputShape: Static dimension mismatch: {shape:?} of {} is outside of the profile",
            port.name
        );
        context.engine.complain(&why);
        return false;
    }
    context.shapes.insert(port.name.clone(), shape);
    true
}

extern "C" fn tensor_shape(this: &Body<ContextData>, name: *const c_char) -> Dims {
    this.data.engine.shape(name, &this.data.shapes).map_or(Dims::UNKNOWN, |s| Dims::of(&s))
}

extern "C" fn set_address(this: &mut Body<ContextData>, name: *const c_char, address: *mut c_void) -> bool {
    let Some((port, _)) = this.data.engine.port(name) else { return false };
    this.data.addresses.insert(port.name.clone(), address.expose_provenance() as u64);
    true
}

extern "C" fn infer_shapes(this: &Body<ContextData>, _: i32, _: *mut *const c_char) -> i32 {
    let open = this.data.engine.graph.inputs.iter().filter(|p| !this.data.shapes.contains_key(&p.name));
    i32::try_from(open.count()).unwrap_or(i32::MAX)
}

extern "C" fn set_device_memory(this: &mut Body<ContextData>, at: *mut c_void, bytes: i64) {
    this.data.scratch = if at.is_null() { 0 } else { usize::try_from(bytes).unwrap_or(0) };
}

extern "C" fn enqueue(this: &mut Body<ContextData>, stream: *mut c_void) -> bool {
    let started = if settings::strikes("enqueue-false") {
        Err("Error Code 1: Cuda Runtime (an illegal memory access was encountered)".to_owned())
    } else {
        start(&mut this.data, stream)
    };
    if let Some(bytes) = settings::fault("growth").and_then(|b| b.parse().ok()) {
        cuda::lose(bytes);
    }
    match started {
        Ok(()) => true,
        Err(why) => {
            this.data.engine.complain(&format!("IExecutionContext::enqueueV3: {why}"));
            false
        }
    }
}

fn start(context: &mut ContextData, stream: *mut c_void) -> Result<(), String> {
    let engine = Arc::clone(&context.engine);
    if context.strategy == LENT && context.scratch < engine.device_memory() {
        return Err(format!("scratch memory of {} bytes is too small", context.scratch));
    }
    let mut addresses = Vec::new();
    for port in engine.graph.inputs.iter().chain(&engine.outputs) {
        let address = context.addresses.get(&port.name).copied().filter(|a| *a != 0);
        addresses.push(address.ok_or_else(|| format!("Address is not set for tensor {}", port.name))?);
    }
    let job = job(context)?;
    let (from, to) = addresses.split_at(engine.graph.inputs.len());
    for ((_, bytes), address) in job.inputs.iter_mut().zip(from) {
        // SAFETY: the job stays in its box as long as the context, which outlives the work on the stream.
        unsafe { cuda::to_host(bytes, *address, stream) }?;
    }
    // SAFETY: as above; the function takes a job.
    unsafe { cuda::launch(infer, std::ptr::from_mut::<Job>(job).cast(), stream) }?;
    for (bytes, address) in job.outputs.iter().zip(to) {
        // SAFETY: as above; buffers keep their sizes, so that they stay where they are.
        unsafe { cuda::to_device(*address, bytes, stream) }?;
    }
    Ok(())
}

/// The job for the present shapes, made when they come first.
fn job(context: &mut ContextData) -> Result<&mut Job, String> {
    let engine = &context.engine;
    let mut shapes = Vec::new();
    for port in &engine.graph.inputs {
        let shape = context.shapes.get(&port.name);
        shapes.push(shape.ok_or_else(|| format!("the shape of {} is not set", port.name))?.clone());
    }
    let same = |job: &Job| job.inputs.iter().map(|(s, _)| s).eq(shapes.iter());
    if let Some(known) = context.jobs.iter().position(|job| same(job)) {
        return Ok(context.jobs[known].as_mut());
    }
    let outputs = engine.graph.outputs.iter().map(|port| {
        let shape = engine.graph.output_shape(port, &context.shapes);
        if shape.contains(&-1) {
            Err(format!("the shape of {} depends on the data", port.name))
        } else {
            Staging::new(port.bytes(&shape))
        }
    });
    let outputs = outputs.collect::<Result<_, _>>()?;
    let staged = engine.graph.inputs.iter().zip(shapes).map(|(port, shape)| {
        let bytes = port.bytes(&shape);
        Ok((shape, Staging::new(bytes)?))
    });
    let inputs = staged.collect::<Result<_, String>>()?;
    context.jobs.push(Box::new(Job { engine: Arc::clone(engine), inputs, outputs }));
    let last = context.jobs.len() - 1;
    Ok(context.jobs[last].as_mut())
}

/// On the driver's thread, when the inputs are there.
extern "C" fn infer(job: *mut c_void) {
    // SAFETY: `start` gave a job, which nobody else touches until the stream is past it.
    let Job { engine, inputs, outputs } = unsafe { &mut *job.cast::<Job>() };
    let borrowed: Vec<_> = inputs.iter().map(|(shape, bytes)| (shape.clone(), &**bytes)).collect();
    match engine.graph.run(&borrowed) {
        Ok(made) => made.iter().zip(outputs.iter_mut()).for_each(|(made, out)| out.copy_from_slice(made)),
        Err(why) => {
            engine.complain(&format!("the network failed: {why}"));
            spoil(engine, outputs);
        }
    }
    if settings::strikes("nan") {
        spoil(engine, outputs);
    }
}

/// Fills outputs with what is no number.
fn spoil(engine: &EngineParts, outputs: &mut [Staging]) {
    for (port, bytes) in engine.graph.outputs.iter().zip(outputs) {
        fill(port, bytes);
    }
}

fn fill(port: &Port, bytes: &mut [u8]) {
    let nan: &[u8] = if port.data_type == HALF { &0x7e00_u16.to_le_bytes() } else { &f32::NAN.to_le_bytes() };
    bytes.chunks_mut(nan.len()).for_each(|chunk| chunk.copy_from_slice(nan));
}
