//! Calls of what runs plans: runtime, engine, inspector, execution context.

use std::ffi::{CStr, c_char, c_void};

use super::{Handle, Object, count, done, number};
use crate::trt::error::TrtError;
use crate::trt::flags::{Bound, DataType, Direction, Scratch};
use crate::trt::slots::{Context, Engine, Inspector, Runtime};
use crate::trt::sys::{Dims, text, vcall};
use crate::trt::{DevicePtr, Event, Stream};

/// `LayerInformationFormat::kJSON`.
const JSON: i32 = 1;

impl Handle<Runtime> {
    pub fn deserialize(&self, plan: &[u8]) -> Result<Object<Engine>, TrtError> {
        let (at, len) = (plan.as_ptr().cast::<c_void>(), plan.len());
        let engine = vcall!(self, deserialize(at: *const c_void, len: usize) -> *mut c_void)?;
        // SAFETY: a new engine or null; it is ours.
        unsafe { Object::new(engine, self.tables(), "loading the plan") }
    }

    pub fn dla_cores(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, dla_cores() -> i32)?))
    }

    pub fn set_dla_core(&self, core: u32) -> Result<(), TrtError> {
        let core = number(core);
        vcall!(self, set_dla_core(core: i32))
    }

    pub fn set_temporary_directory(&self, dir: &CStr) -> Result<(), TrtError> {
        let dir = dir.as_ptr();
        vcall!(self, set_temporary_directory(dir: *const c_char))
    }

    /// Plans that are version compatible bring code for the host along.
    pub fn allow_host_code(&self, allowed: bool) -> Result<(), TrtError> {
        vcall!(self, allow_host_code(allowed: bool))
    }
}

impl Handle<Engine> {
    pub fn layers(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, layers() -> i32)?))
    }

    pub fn create_context(&self, scratch: Scratch) -> Result<Object<Context>, TrtError> {
        let strategy = scratch as i32;
        let context = vcall!(self, create_context(strategy: i32) -> *mut c_void)?;
        // SAFETY: a new context or null; it is ours.
        unsafe { Object::new(context, self.tables(), "making an execution context") }
    }

    pub fn refittable(&self) -> Result<bool, TrtError> {
        vcall!(self, refittable() -> bool)
    }

    pub fn profiles(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, profiles() -> i32)?))
    }

    pub fn create_inspector(&self) -> Result<Object<Inspector>, TrtError> {
        let inspector = vcall!(self, create_inspector() -> *mut c_void)?;
        // SAFETY: a new inspector or null; it is ours.
        unsafe { Object::new(inspector, self.tables(), "making an inspector") }
    }

    pub fn tensor_shape(&self, name: &CStr) -> Result<Option<Vec<i64>>, TrtError> {
        let name = name.as_ptr();
        Ok(vcall!(self, tensor_shape(name: *const c_char) -> Dims)?.list())
    }

    pub fn tensor_type(&self, name: &CStr) -> Result<DataType, TrtError> {
        let name = name.as_ptr();
        Ok(DataType::of(vcall!(self, tensor_type(name: *const c_char) -> i32)?))
    }

    pub fn tensor_mode(&self, name: &CStr) -> Result<Option<Direction>, TrtError> {
        let name = name.as_ptr();
        Ok(match vcall!(self, tensor_mode(name: *const c_char) -> i32)? {
            1 => Some(Direction::Input),
            2 => Some(Direction::Output),
            _ => None,
        })
    }

    /// Nought is the usual one: planar, nothing interleaved.
    pub fn tensor_format(&self, name: &CStr) -> Result<i32, TrtError> {
        let name = name.as_ptr();
        vcall!(self, tensor_format(name: *const c_char) -> i32)
    }

    pub fn profile_shape(
        &self,
        name: &CStr,
        profile: u32,
        bound: Bound,
    ) -> Result<Option<Vec<i64>>, TrtError> {
        let (name, profile, bound) = (name.as_ptr(), number(profile), bound as i32);
        let shape = vcall!(self, profile_shape(name: *const c_char, profile: i32, bound: i32) -> Dims)?;
        Ok(shape.list())
    }

    pub fn tensors(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, tensors() -> i32)?))
    }

    pub fn tensor_name(&self, index: u32) -> Result<String, TrtError> {
        let index = number(index);
        let name = vcall!(self, tensor_name(index: i32) -> *const c_char)?;
        // SAFETY: null, or a string of the engine's.
        Ok(unsafe { text(name) })
    }

    pub fn hardware_compatibility(&self) -> Result<i32, TrtError> {
        vcall!(self, hardware_compatibility() -> i32)
    }

    /// Bytes of scratch memory for any of the profiles.
    pub fn device_memory(&self) -> Result<i64, TrtError> {
        vcall!(self, device_memory() -> i64)
    }
}

impl Handle<Inspector> {
    pub fn engine_information(&self) -> Result<String, TrtError> {
        let format = JSON;
        let json = vcall!(self, engine_information(format: i32) -> *const c_char)?;
        // SAFETY: null, or a string that lives until the inspector is asked again.
        Ok(unsafe { text(json) })
    }
}

impl Handle<Context> {
    pub fn set_profile(&self, profile: u32, stream: Stream) -> Result<(), TrtError> {
        let (profile, stream) = (number(profile), stream.as_raw());
        let set = vcall!(self, set_profile(profile: i32, stream: *mut c_void) -> bool)?;
        done(set, "choosing the optimisation profile")
    }

    pub fn set_input_shape(&self, name: &CStr, shape: &Dims) -> Result<(), TrtError> {
        let (name, shape) = (name.as_ptr(), std::ptr::from_ref(shape));
        let set = vcall!(self, set_input_shape(name: *const c_char, shape: *const Dims) -> bool)?;
        done(set, "setting an input's shape")
    }

    pub fn tensor_shape(&self, name: &CStr) -> Result<Option<Vec<i64>>, TrtError> {
        let name = name.as_ptr();
        Ok(vcall!(self, tensor_shape(name: *const c_char) -> Dims)?.list())
    }

    pub fn set_address(&self, name: &CStr, address: DevicePtr) -> Result<(), TrtError> {
        let (name, address) = (name.as_ptr(), address.as_raw());
        let set = vcall!(self, set_address(name: *const c_char, address: *mut c_void) -> bool)?;
        done(set, "setting a tensor's address")
    }

    /// How many inputs still lack a shape, below nought if the shapes contradict each other.
    pub fn infer_shapes(&self) -> Result<i32, TrtError> {
        let (most, names) = (0, std::ptr::null_mut());
        vcall!(self, infer_shapes(most: i32, names: *mut *const c_char) -> i32)
    }

    pub fn set_consumed_event(&self, event: Event) -> Result<(), TrtError> {
        let event = event.as_raw();
        let set = vcall!(self, set_consumed_event(event: *mut c_void) -> bool)?;
        done(set, "setting the event of a consumed input")
    }

    pub fn enqueue(&self, stream: Stream) -> Result<(), TrtError> {
        let stream = stream.as_raw();
        done(vcall!(self, enqueue(stream: *mut c_void) -> bool)?, "starting the inference")
    }

    pub fn set_persistent_cache(&self, bytes: usize) -> Result<(), TrtError> {
        vcall!(self, set_persistent_cache(bytes: usize))
    }

    pub fn set_aux_streams(&self, streams: &[Stream]) -> Result<(), TrtError> {
        let mut raw: Vec<_> = streams.iter().map(|s| s.as_raw()).collect();
        let (at, len) = (raw.as_mut_ptr(), i32::try_from(raw.len()).unwrap_or(i32::MAX));
        vcall!(self, set_aux_streams(at: *mut *mut c_void, len: i32))
    }

    pub fn set_device_memory(&self, at: DevicePtr, bytes: i64) -> Result<(), TrtError> {
        let at = at.as_raw();
        vcall!(self, set_device_memory(at: *mut c_void, bytes: i64))
    }
}
