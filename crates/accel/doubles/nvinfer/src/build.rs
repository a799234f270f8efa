//! Builder, configuration and what they make of a network.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::time::Duration;

use vigia_accel::trt::slots::{Builder, Cache, Config, Layer, Memory, Network, Profile as ProfileClass};

use crate::model::Port;
use crate::network::{LayerData, NetworkData, create_network};
use crate::object::{Body, Part, inside, make, methods, tables};
use crate::plan::{Plan, Profile};
use crate::speak::{ERROR, INFO, Theirs};
use crate::{Dims, settings};

#[derive(Debug)]
pub struct BuilderData {
    logger: Option<Theirs>,
    profiles: Vec<Part>,
}

pub fn create_builder(logger: *mut c_void) -> *mut c_void {
    let logger = Theirs::new(logger);
    if settings::strikes("null-builder") {
        if let Some(logger) = logger {
            logger.log(ERROR, "createInferBuilder: Error Code 6: no builder resource for this GPU");
        }
        return std::ptr::null_mut();
    }
    let methods = methods![tables().builder; dla_cores: dla_cores, create_config: create_config,
        create_network: create_network, create_profile: create_profile, build: build, set_threads: set_threads];
    make::<Builder, _>(BuilderData { logger, profiles: Vec::new() }, &methods)
}

extern "C" fn dla_cores(_: &Body<BuilderData>) -> i32 {
    settings::fault("dla").and_then(|n| n.parse().ok()).unwrap_or(0)
}

extern "C" fn set_threads(_: &mut Body<BuilderData>, threads: i32) -> bool {
    threads > 0
}

/// What a build was told.
#[derive(Debug, Default)]
pub struct ConfigData {
    flags: u64,
    profiles: Vec<*mut c_void>,
    monitor: Option<Theirs>,
    calibrator: Option<Theirs>,
    cache: Option<*mut c_void>,
    hardware: i32,
}

extern "C" fn create_config(_: &mut Body<BuilderData>) -> *mut c_void {
    let methods = methods![tables().config; set_calibrator: set_calibrator, set_flag: set_flag,
        can_run_on_dla: can_run_on_dla, set_dla_core: set_number, set_default_device: set_number,
        set_profile_stream: set_pointer, add_profile: add_profile, set_verbosity: set_number,
        set_calibration_profile: set_calibration_profile, create_cache: create_cache, set_cache: set_cache,
        set_memory_limit: set_memory_limit, set_level: set_number, set_hardware_compatibility: set_hardware,
        set_aux_streams: set_number, set_monitor: set_monitor, set_capabilities: set_capabilities,
        set_capability: set_capability];
    make::<Config, _>(ConfigData::default(), &methods)
}

extern "C" fn set_number(_: &mut Body<ConfigData>, _: i32) {}

extern "C" fn set_pointer(_: &mut Body<ConfigData>, _: *mut c_void) {}

extern "C" fn set_memory_limit(_: &mut Body<ConfigData>, _: i32, _: usize) {}

extern "C" fn set_capabilities(_: &mut Body<ConfigData>, count: i32) -> bool {
    count > 0
}

extern "C" fn set_capability(_: &mut Body<ConfigData>, capability: i32, _: i32) -> bool {
    [75, 80, 86, 89, 120, 121].contains(&capability)
}

extern "C" fn set_flag(this: &mut Body<ConfigData>, flag: i32) {
    this.data.flags |= 1 << flag;
}

extern "C" fn set_hardware(this: &mut Body<ConfigData>, level: i32) {
    this.data.hardware = level;
}

extern "C" fn set_calibrator(this: &mut Body<ConfigData>, calibrator: *mut c_void) {
    this.data.calibrator = Theirs::new(calibrator);
}

extern "C" fn set_monitor(this: &mut Body<ConfigData>, monitor: *mut c_void) {
    this.data.monitor = Theirs::new(monitor);
}

extern "C" fn set_calibration_profile(_: &mut Body<ConfigData>, profile: *mut c_void) -> bool {
    !profile.is_null()
}

extern "C" fn can_run_on_dla(_: &Body<ConfigData>, layer: *mut c_void) -> bool {
    // SAFETY: a layer of a living network.
    let layer = unsafe { inside::<Layer, LayerData>(layer) };
    ["Conv", "Relu", "Add", "MaxPool", "Concat"].contains(&layer.data.operator.as_str())
}

extern "C" fn add_profile(this: &mut Body<ConfigData>, profile: *mut c_void) -> i32 {
    this.data.profiles.push(profile);
    i32::try_from(this.data.profiles.len()).unwrap_or(i32::MAX) - 1
}

const CACHE_MAGIC: &[u8] = b"vigia's timings";

extern "C" fn create_cache(_: &mut Body<ConfigData>, at: *const u8, length: usize) -> *mut c_void {
    // SAFETY: the caller gives that many bytes.
    let bytes = if length == 0 { CACHE_MAGIC } else { unsafe { std::slice::from_raw_parts(at, length) } };
    if !bytes.starts_with(CACHE_MAGIC) {
        return std::ptr::null_mut();
    }
    let methods = methods![tables().cache; serialize: serialize_cache, combine: combine_caches];
    make::<Cache, _>(bytes.to_vec(), &methods)
}

extern "C" fn serialize_cache(this: &Body<Vec<u8>>) -> *mut c_void {
    memory(this.data.clone())
}

extern "C" fn combine_caches(_: &mut Body<Vec<u8>>, other: *mut c_void, _: bool) -> bool {
    !other.is_null()
}

extern "C" fn set_cache(this: &mut Body<ConfigData>, cache: *mut c_void, _: bool) -> bool {
    this.data.cache = Some(cache);
    true
}

extern "C" fn create_profile(this: &mut Body<BuilderData>) -> *mut c_void {
    let methods = methods![tables().profile; set_shape: set_shape, valid: valid];
    let part = Part::new::<ProfileClass, _>(Profile::new(), &methods);
    let object = part.object;
    this.data.profiles.push(part);
    object
}

extern "C" fn set_shape(this: &mut Body<Profile>, name: *const c_char, bound: i32, shape: &Dims) -> bool {
    // SAFETY: a C string of the caller's.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    let shapes = this.data.entry(name).or_default();
    let Some(place) = usize::try_from(bound).ok().and_then(|b| shapes.get_mut(b)) else { return false };
    *place = shape.list();
    true
}

extern "C" fn valid(this: &Body<Profile>) -> bool {
    let rises = |a: &[i64], b: &[i64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a <= b);
    this.data.values().all(|[least, usual, most]| rises(least, usual) && rises(usual, most))
}

/// Bytes that the caller will own.
pub fn memory(bytes: Vec<u8>) -> *mut c_void {
    make::<Memory, _>(bytes, &methods![tables().memory; data: data, size: size])
}

extern "C" fn data(this: &Body<Vec<u8>>) -> *const u8 {
    this.data.as_ptr()
}

extern "C" fn size(this: &Body<Vec<u8>>) -> usize {
    this.data.len()
}

const REFIT: u64 = 1 << 4;
/// FP16 and INT8, in the releases that have them.
const PRECISIONS: u64 = 0b11;

extern "C" fn build(this: &mut Body<BuilderData>, network: *mut c_void, config: *mut c_void) -> *mut c_void {
    // SAFETY: both live, says the caller.
    let (network, config) =
        unsafe { (inside::<Network, NetworkData>(network), inside::<Config, ConfigData>(config)) };
    match plan(&network.data, &config.data) {
        Ok(plan) => {
            if let Some(cache) = config.data.cache {
                // SAFETY: the cache outlives the configuration it was given to.
                let cache = unsafe { inside::<Cache, Vec<u8>>(cache) };
                cache.data.extend(b", one more");
            }
            memory(plan.write())
        }
        Err(why) => {
            if let Some(logger) = this.data.logger {
                logger.log(ERROR, &format!("IBuilder::buildSerializedNetwork: {why}"));
            }
            std::ptr::null_mut()
        }
    }
}

fn plan(network: &NetworkData, config: &ConfigData) -> Result<Plan, String> {
    let nothing = "Error Code 4: API Usage Error (Network must have at least one output)";
    let graph = network.graph.as_ref().ok_or(nothing)?;
    // SAFETY: profiles live as long as the builder.
    let profile = |at: &*mut c_void| unsafe { inside::<ProfileClass, Profile>(*at) }.data.clone();
    let mut profiles: Vec<Profile> = config.profiles.iter().map(profile).collect();
    if profiles.is_empty() {
        if graph.inputs.iter().any(|i| i.sizes().contains(&-1)) {
            let why = "Error Code 4: API Usage Error (Network has dynamic or shape inputs, but no optimization profile has been defined)";
            return Err(why.into());
        }
        let fixed = |p: &Port| (p.name.clone(), [p.sizes(), p.sizes(), p.sizes()]);
        profiles.push(graph.inputs.iter().map(fixed).collect::<HashMap<_, _>>());
    }
    if network.strong && config.flags & PRECISIONS != 0 {
        return Err("Error Code 4: API Usage Error (precision flags in a strongly typed network)".into());
    }
    if let Some(calibrator) = config.calibrator {
        let names: Vec<_> =
            graph.inputs.iter().map(|i| CString::new(i.name.as_str()).unwrap_or_default()).collect();
        calibrator.calibrate(&names);
    }
    steps(config.monitor)?;
    let (refittable, portable) = (config.flags & REFIT != 0, config.hardware != 0);
    Ok(Plan { profiles, refittable, portable, onnx: graph.onnx.clone() })
}

/// Phases inside of phases, as the real one has them; `slow` is milliseconds per step.
fn steps(monitor: Option<Theirs>) -> Result<(), String> {
    let slow = settings::fault("slow").and_then(|ms| ms.parse().ok()).unwrap_or(0);
    let phases = [(c"Building Engine", None, 3), (c"Tactic Selection", Some(c"Building Engine"), 8)];
    for (phase, parent, steps) in phases {
        if let Some(monitor) = monitor {
            monitor.phase_start(phase, parent, steps);
        }
    }
    let mut cancelled = false;
    for (phase, _, steps) in phases.into_iter().rev() {
        for step in 0..steps {
            #[expect(clippy::disallowed_methods, reason = "a slow build is slow")]
            std::thread::sleep(Duration::from_millis(slow));
            cancelled = cancelled || monitor.is_some_and(|m| !m.step_complete(phase, step));
            if cancelled {
                break;
            }
        }
        if let Some(monitor) = monitor {
            monitor.phase_finish(phase);
        }
    }
    if cancelled { Err("Error Code 7: BuildCanceled".into()) } else { Ok(()) }
}

/// Says that it is a double: nobody shall take it for the real one.
pub fn introduce(logger: *mut c_void) {
    if let Some(logger) = Theirs::new(logger) {
        logger.log(INFO, "this is a double of TensorRT, for tests");
    }
}
