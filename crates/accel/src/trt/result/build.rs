//! Calls of what makes plans: builder, network, configuration, profiles, caches, bytes.

use std::ffi::{c_char, c_void};

use super::{Handle, Object, count, dims, done, number};
use crate::trt::Stream;
use crate::trt::error::TrtError;
use crate::trt::flags::{Bound, DataType, Device, Flag, Hardware, Pool, Typing, Verbosity};
use crate::trt::slots::{Builder, Cache, Config, Layer, Memory, Network, Profile, Tensor};
use crate::trt::sys::calibrator::Calibrator;
use crate::trt::sys::monitor::Monitor;
use crate::trt::sys::{Dims, text, vcall};

impl Handle<Builder> {
    pub fn dla_cores(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, dla_cores() -> i32)?))
    }

    pub fn create_config(&self) -> Result<Object<Config>, TrtError> {
        let config = vcall!(self, create_config() -> *mut c_void)?;
        // SAFETY: a new configuration or null; it is ours.
        unsafe { Object::new(config, self.tables(), "making a build configuration") }
    }

    pub fn create_network(&self, typing: Typing) -> Result<Object<Network>, TrtError> {
        let flags = typing.bits(self.tables().era);
        let network = vcall!(self, create_network(flags: u32) -> *mut c_void)?;
        // SAFETY: a new network or null; it is ours.
        unsafe { Object::new(network, self.tables(), "making a network") }
    }

    /// The profile belongs to the builder.
    pub fn create_profile(&self) -> Result<Handle<Profile>, TrtError> {
        let profile = vcall!(self, create_profile() -> *mut c_void)?;
        // SAFETY: a profile that lives as long as the builder, or null.
        unsafe { Handle::new(profile, self.tables(), "making an optimisation profile") }
    }

    pub fn build(
        &self,
        network: &Handle<Network>,
        config: &Handle<Config>,
    ) -> Result<Object<Memory>, TrtError> {
        let (network, config) = (network.as_argument(), config.as_argument());
        let plan = vcall!(self, build(network: *mut c_void, config: *mut c_void) -> *mut c_void)?;
        // SAFETY: new bytes or null; they are ours.
        unsafe { Object::new(plan, self.tables(), "building the engine") }
    }

    pub fn set_threads(&self, threads: u32) -> Result<(), TrtError> {
        let threads = number(threads);
        done(vcall!(self, set_threads(threads: i32) -> bool)?, "limiting the builder's threads")
    }
}

impl Handle<Config> {
    pub fn set_flag(&self, flag: Flag, number: i32) -> Result<(), TrtError> {
        debug_assert_eq!(flag.number(self.tables().era), Some(number));
        vcall!(self, set_flag(number: i32))
    }

    pub fn set_calibrator(&self, calibrator: &Calibrator) -> Result<(), TrtError> {
        let calibrator = calibrator.as_object();
        vcall!(self, set_calibrator(calibrator: *mut c_void))
    }

    pub fn set_calibration_profile(&self, profile: &Handle<Profile>) -> Result<(), TrtError> {
        let profile = profile.as_argument();
        let set = vcall!(self, set_calibration_profile(profile: *mut c_void) -> bool)?;
        done(set, "choosing the shapes to calibrate with")
    }

    pub fn can_run_on_dla(&self, layer: &Handle<Layer>) -> Result<bool, TrtError> {
        let layer = layer.as_argument();
        vcall!(self, can_run_on_dla(layer: *mut c_void) -> bool)
    }

    pub fn set_dla_core(&self, core: u32) -> Result<(), TrtError> {
        let core = number(core);
        vcall!(self, set_dla_core(core: i32))
    }

    pub fn set_default_device(&self, device: Device) -> Result<(), TrtError> {
        let device = device as i32;
        vcall!(self, set_default_device(device: i32))
    }

    /// Where the builder measures.
    pub fn set_profile_stream(&self, stream: Stream) -> Result<(), TrtError> {
        let stream = stream.as_raw();
        vcall!(self, set_profile_stream(stream: *mut c_void))
    }

    /// Its number.
    pub fn add_profile(&self, profile: &Handle<Profile>) -> Result<u32, TrtError> {
        let profile = profile.as_argument();
        let index = vcall!(self, add_profile(profile: *mut c_void) -> i32)?;
        u32::try_from(index)
            .map_err(|_| TrtError::Call { doing: "adding an optimisation profile", said: String::new() })
    }

    pub fn set_verbosity(&self, verbosity: Verbosity) -> Result<(), TrtError> {
        let verbosity = verbosity as i32;
        vcall!(self, set_verbosity(verbosity: i32))
    }

    pub fn create_cache(&self, bytes: &[u8]) -> Result<Object<Cache>, TrtError> {
        let (at, len) = (bytes.as_ptr().cast::<c_void>(), bytes.len());
        let cache = vcall!(self, create_cache(at: *const c_void, len: usize) -> *mut c_void)?;
        // SAFETY: a new cache or null; it is ours.
        unsafe { Object::new(cache, self.tables(), "reading the timing cache") }
    }

    pub fn set_cache(&self, cache: &Handle<Cache>, ignore_mismatch: bool) -> Result<(), TrtError> {
        let cache = cache.as_argument();
        let set = vcall!(self, set_cache(cache: *mut c_void, ignore_mismatch: bool) -> bool)?;
        done(set, "using the timing cache")
    }

    pub fn set_memory_limit(&self, pool: Pool, bytes: usize) -> Result<(), TrtError> {
        let pool = pool as i32;
        vcall!(self, set_memory_limit(pool: i32, bytes: usize))
    }

    pub fn set_level(&self, level: u32) -> Result<(), TrtError> {
        let level = number(level);
        vcall!(self, set_level(level: i32))
    }

    pub fn set_hardware_compatibility(&self, hardware: Hardware) -> Result<(), TrtError> {
        let hardware = hardware as i32;
        vcall!(self, set_hardware_compatibility(hardware: i32))
    }

    pub fn set_aux_streams(&self, streams: u32) -> Result<(), TrtError> {
        let streams = number(streams);
        vcall!(self, set_aux_streams(streams: i32))
    }

    pub fn set_monitor(&self, monitor: &Monitor) -> Result<(), TrtError> {
        let monitor = monitor.as_object();
        vcall!(self, set_monitor(monitor: *mut c_void))
    }

    /// Capabilities as the enumeration has them: 86 is 8.6.
    pub fn set_capabilities(&self, capabilities: &[u32]) -> Result<(), TrtError> {
        let many = i32::try_from(capabilities.len()).unwrap_or(i32::MAX);
        done(vcall!(self, set_capabilities(many: i32) -> bool)?, "choosing how many GPUs to build for")?;
        for (index, capability) in (0..many).zip(capabilities) {
            let capability = number(*capability);
            let set = vcall!(self, set_capability(capability: i32, index: i32) -> bool)?;
            done(set, "choosing a GPU to build for")?;
        }
        Ok(())
    }
}

impl Handle<Network> {
    pub fn layers(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, layers() -> i32)?))
    }

    pub fn layer(&self, index: u32) -> Result<Handle<Layer>, TrtError> {
        let index = number(index);
        let layer = vcall!(self, layer(index: i32) -> *mut c_void)?;
        // SAFETY: a layer that lives as long as its network, or null.
        unsafe { Handle::new(layer, self.tables(), "reaching a layer") }
    }

    pub fn inputs(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, inputs() -> i32)?))
    }

    pub fn input(&self, index: u32) -> Result<Handle<Tensor>, TrtError> {
        let index = number(index);
        let tensor = vcall!(self, input(index: i32) -> *mut c_void)?;
        // SAFETY: a tensor that lives as long as its network, or null.
        unsafe { Handle::new(tensor, self.tables(), "reaching an input") }
    }

    pub fn outputs(&self) -> Result<u32, TrtError> {
        Ok(count(vcall!(self, outputs() -> i32)?))
    }

    pub fn output(&self, index: u32) -> Result<Handle<Tensor>, TrtError> {
        let index = number(index);
        let tensor = vcall!(self, output(index: i32) -> *mut c_void)?;
        // SAFETY: as of inputs.
        unsafe { Handle::new(tensor, self.tables(), "reaching an output") }
    }
}

impl Handle<Tensor> {
    pub fn name(&self) -> Result<String, TrtError> {
        let name = vcall!(self, name() -> *const c_char)?;
        // SAFETY: null, or a string of the tensor's.
        Ok(unsafe { text(name) })
    }

    pub fn shape(&self) -> Result<Vec<i64>, TrtError> {
        Ok(vcall!(self, shape() -> Dims)?.list().unwrap_or_default())
    }

    pub fn data_type(&self) -> Result<DataType, TrtError> {
        Ok(DataType::of(vcall!(self, data_type() -> i32)?))
    }
}

impl Handle<Layer> {
    pub fn name(&self) -> Result<String, TrtError> {
        let name = vcall!(self, name() -> *const c_char)?;
        // SAFETY: null, or a string of the layer's.
        Ok(unsafe { text(name) })
    }
}

impl Handle<Profile> {
    pub fn set_shape(&self, name: &str, bound: Bound, shape: &[i64]) -> Result<(), TrtError> {
        let (name, shape) = (super::c_name(name)?, dims(shape)?);
        let (name, bound, shape) = (name.as_ptr(), bound as i32, std::ptr::from_ref(&shape));
        let set = vcall!(self, set_shape(name: *const c_char, bound: i32, shape: *const Dims) -> bool)?;
        done(set, "setting a profile's shape")
    }

    pub fn valid(&self) -> Result<bool, TrtError> {
        vcall!(self, valid() -> bool)
    }
}

impl Handle<Memory> {
    pub fn bytes(&self) -> Result<&[u8], TrtError> {
        let at = vcall!(self, data() -> *const c_void)?;
        let len = vcall!(self, size() -> usize)?;
        if len == 0 || at.is_null() {
            return Ok(&[]);
        }
        // SAFETY: the library keeps these bytes, unchanged, until the object is destroyed; the slice
        // borrows the handle.
        Ok(unsafe { std::slice::from_raw_parts(at.cast(), len) })
    }
}

impl Handle<Cache> {
    pub fn serialize(&self) -> Result<Object<Memory>, TrtError> {
        let bytes = vcall!(self, serialize() -> *mut c_void)?;
        // SAFETY: new bytes or null; they are ours.
        unsafe { Object::new(bytes, self.tables(), "writing the timing cache") }
    }

    pub fn combine(&self, other: &Self, ignore_mismatch: bool) -> Result<(), TrtError> {
        let other = other.as_argument();
        let combined = vcall!(self, combine(other: *mut c_void, ignore_mismatch: bool) -> bool)?;
        done(combined, "combining timing caches")
    }
}
