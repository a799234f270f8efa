//! Runtime, engine and inspector: a plan that says what it is.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::Arc;

use vigia_accel::trt::slots::{Engine, Inspector, Runtime};

use crate::model::{Graph, Port};
use crate::object::{Body, make, methods, tables};
use crate::plan::Plan;
use crate::run::create_context;
use crate::speak::{ERROR, Theirs};
use crate::{Dims, settings};

/// Scratch memory that an engine says it needs, beside that of its outputs.
const SCRATCH: usize = 1 << 20;

#[derive(Debug)]
struct RuntimeData {
    logger: Option<Theirs>,
}

/// A loaded plan.
#[derive(Debug)]
pub struct EngineParts {
    pub logger: Option<Theirs>,
    pub graph: Graph,
    pub plan: Plan,
    /// As `wrong-shape` would have them.
    pub outputs: Vec<Port>,
    names: Vec<CString>,
}

pub type EngineData = Arc<EngineParts>;

// SAFETY: the logger may be called from any thread; the rest is read only.
unsafe impl Sync for EngineParts {}

pub fn create_runtime(logger: *mut c_void) -> *mut c_void {
    let logger = Theirs::new(logger);
    let complain = |why: &str| logger.into_iter().for_each(|l| l.log(ERROR, why));
    if settings::strikes("bogus-runtime") {
        complain("CUDA initialization failure with error: 35");
        return std::ptr::without_provenance_mut(0x228);
    }
    if settings::strikes("complain") {
        complain("createInferRuntime: Error Code 1: something is not right");
    }
    let methods = methods![tables().runtime; deserialize: deserialize, set_dla_core: set_dla_core,
        dla_cores: dla_cores, set_temporary_directory: set_temporary_directory, allow_host_code: allow_host_code];
    make::<Runtime, _>(RuntimeData { logger }, &methods)
}

extern "C" fn set_dla_core(_: &mut Body<RuntimeData>, _: i32) {}

extern "C" fn dla_cores(_: &Body<RuntimeData>) -> i32 {
    settings::fault("dla").and_then(|n| n.parse().ok()).unwrap_or(0)
}

extern "C" fn set_temporary_directory(_: &mut Body<RuntimeData>, _: *const c_char) {}

extern "C" fn allow_host_code(_: &mut Body<RuntimeData>, _: bool) {}

extern "C" fn deserialize(this: &Body<RuntimeData>, at: *const u8, length: usize) -> *mut c_void {
    let logger = this.data.logger;
    // SAFETY: the caller gives that many bytes.
    let bytes = if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(at, length) } };
    match load(bytes, logger) {
        Ok(engine) => create_engine(engine),
        Err(why) => {
            logger.into_iter().for_each(|l| l.log(ERROR, &format!("IRuntime::deserializeCudaEngine: {why}")));
            std::ptr::null_mut()
        }
    }
}

fn load(bytes: &[u8], logger: Option<Theirs>) -> Result<EngineParts, String> {
    let plan = Plan::read(bytes)?;
    let graph = Graph::read(&plan.onnx).map_err(|r| r.why)?;
    let mut outputs = graph.outputs.clone();
    if settings::strikes("wrong-shape") {
        for output in &mut outputs {
            output.lengthen();
        }
    }
    let names =
        graph.inputs.iter().chain(&outputs).map(|p| CString::new(p.name.as_str()).unwrap_or_default());
    let names = names.collect();
    Ok(EngineParts { logger, graph, plan, outputs, names })
}

impl EngineParts {
    pub fn complain(&self, why: &str) {
        self.logger.into_iter().for_each(|l| l.log(ERROR, why));
    }

    pub fn port(&self, name: *const c_char) -> Option<(&Port, bool)> {
        // SAFETY: a C string of the caller's.
        let name = unsafe { CStr::from_ptr(name) }.to_str().ok()?;
        let input = self.graph.inputs.iter().find(|p| p.name == name).map(|p| (p, true));
        input.or_else(|| self.outputs.iter().find(|p| p.name == name).map(|p| (p, false)))
    }

    /// The shape of a tensor under those of the inputs.
    pub fn shape(&self, name: *const c_char, given: &HashMap<String, Vec<i64>>) -> Option<Vec<i64>> {
        let (port, input) = self.port(name)?;
        let open = || port.sizes();
        Some(if input {
            given.get(&port.name).cloned().unwrap_or_else(open)
        } else {
            self.graph.output_shape(port, given)
        })
    }

    /// Scratch memory for the largest shapes.
    pub fn device_memory(&self) -> usize {
        let most = |n: i64| if n < 0 { 8 } else { n };
        let bytes = |p: &Port| p.bytes(&p.sizes().into_iter().map(most).collect::<Vec<_>>());
        SCRATCH + self.outputs.iter().map(bytes).sum::<usize>()
    }
}

fn create_engine(engine: EngineParts) -> *mut c_void {
    let methods = methods![tables().engine; layers: layers, create_context: create_context,
        refittable: refittable, profiles: profiles, create_inspector: create_inspector,
        tensor_shape: tensor_shape, tensor_type: tensor_type, tensor_mode: tensor_mode,
        tensor_format: tensor_format, profile_shape: profile_shape, tensors: tensors, tensor_name: tensor_name,
        hardware_compatibility: hardware_compatibility, device_memory: device_memory];
    make::<Engine, EngineData>(Arc::new(engine), &methods)
}

fn number(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

extern "C" fn layers(this: &Body<EngineData>) -> i32 {
    number(this.data.graph.nodes.len())
}

extern "C" fn refittable(this: &Body<EngineData>) -> bool {
    this.data.plan.refittable
}

extern "C" fn profiles(this: &Body<EngineData>) -> i32 {
    number(this.data.plan.profiles.len())
}

extern "C" fn tensors(this: &Body<EngineData>) -> i32 {
    number(this.data.names.len())
}

extern "C" fn tensor_name(this: &Body<EngineData>, index: i32) -> *const c_char {
    let name = usize::try_from(index).ok().and_then(|i| this.data.names.get(i));
    name.map_or(std::ptr::null(), |n| n.as_ptr())
}

extern "C" fn tensor_shape(this: &Body<EngineData>, name: *const c_char) -> Dims {
    this.data.port(name).map_or(Dims::UNKNOWN, |(p, _)| Dims::of(&p.sizes()))
}

extern "C" fn tensor_type(this: &Body<EngineData>, name: *const c_char) -> i32 {
    this.data.port(name).map_or(0, |(p, _)| p.data_type)
}

extern "C" fn tensor_mode(this: &Body<EngineData>, name: *const c_char) -> i32 {
    this.data.port(name).map_or(0, |(_, input)| if input { 1 } else { 2 })
}

extern "C" fn tensor_format(_: &Body<EngineData>, _: *const c_char) -> i32 {
    0
}

extern "C" fn profile_shape(this: &Body<EngineData>, name: *const c_char, profile: i32, bound: i32) -> Dims {
    let shape = || {
        let (port, _) = this.data.port(name)?;
        let profile = this.data.plan.profiles.get(usize::try_from(profile).ok()?)?;
        profile.get(&port.name)?.get(usize::try_from(bound).ok()?)
    };
    shape().map_or(Dims::UNKNOWN, |s| Dims::of(s))
}

extern "C" fn hardware_compatibility(this: &Body<EngineData>) -> i32 {
    this.data.plan.portable.into()
}

extern "C" fn device_memory(this: &Body<EngineData>) -> i64 {
    i64::try_from(this.data.device_memory()).unwrap_or(i64::MAX)
}

extern "C" fn create_inspector(this: &Body<EngineData>) -> *mut c_void {
    let layers: Vec<_> = this
        .data
        .graph
        .nodes
        .iter()
        .map(|(name, operator)| format!("{:?}", format!("{name} ({operator})")))
        .collect();
    let json = CString::new(format!("{{\"Layers\":[{}]}}", layers.join(","))).unwrap_or_default();
    make::<Inspector, _>(json, &methods![tables().inspector; engine_information: engine_information])
}

extern "C" fn engine_information(this: &Body<CString>, format: i32) -> *const c_char {
    assert_eq!(format, 1, "JSON");
    this.data.as_ptr()
}
