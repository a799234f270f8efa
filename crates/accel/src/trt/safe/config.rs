//! How to build: limits, flags, shapes, progress.

use std::sync::Arc;

use super::super::Stream;
use super::super::error::TrtError;
use super::super::flags::{Bound, Device, Flag, Hardware, Pool, Verbosity};
use super::super::result::{Handle, Object};
use super::super::slots;
use super::super::sys::calibrator::{Batches, Calibrator};
use super::super::sys::monitor::{Monitor, Watcher};
use super::Builder;
use super::build::BuilderParts;

/// The shapes that an input of open size may take, in values: least, usual and most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shapes {
    pub input: String,
    pub least: Vec<i64>,
    pub usual: Vec<i64>,
    pub most: Vec<i64>,
}

/// The shapes of all inputs that one plan is made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile(pub Vec<Shapes>);

/// A build's configuration, with all that the library borrows for it.
#[derive(Debug)]
pub struct Config {
    // Dropped first: it points to the others.
    object: Object<slots::Config>,
    cache: Option<Object<slots::Cache>>,
    monitor: Option<Box<Monitor>>,
    calibrator: Option<Box<Calibrator>>,
    builder: Builder,
    /// Whether flags choose precisions.
    weak: bool,
}

impl Config {
    pub(super) fn new(object: Object<slots::Config>, builder: Builder) -> Self {
        Self { object, cache: None, monitor: None, calibrator: None, builder, weak: false }
    }

    pub(super) fn object(&self) -> &Object<slots::Config> {
        &self.object
    }

    pub(super) fn builder(&self) -> &Arc<BuilderParts> {
        &self.builder.0
    }

    pub(super) fn cancelled(&self) -> bool {
        self.monitor.as_ref().is_some_and(|m| m.cancelled())
    }

    pub(super) fn weak(&self) -> bool {
        self.weak
    }

    fn explain<T>(&self, call: impl FnOnce() -> Result<T, TrtError>) -> Result<T, TrtError> {
        self.builder.0.library.explain(call)
    }

    /// # Errors
    /// [`TrtError::Gone`] for precisions that are the model's since 11 (and in RTX).
    pub fn set(&mut self, flag: Flag) -> Result<(), TrtError> {
        let instead = match flag {
            Flag::Fp16 => "make an FP16 model",
            _ => "quantise the model (Q/DQ nodes)",
        };
        let era = self.builder.0.library.era();
        let number = flag.number(era).ok_or_else(|| self.builder.gone(flag.name(), instead))?;
        self.weak |= matches!(flag, Flag::Fp16 | Flag::Int8);
        self.object.set_flag(flag, number)
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn limit_memory(&mut self, pool: Pool, bytes: usize) -> Result<(), TrtError> {
        self.object.set_memory_limit(pool, bytes)
    }

    /// How hard to search, 0 to 5; TensorRT's own is 3.
    ///
    /// # Errors
    /// None that a caller could mend; what is out of range is the library's to complain about.
    pub fn optimise(&mut self, level: u32) -> Result<(), TrtError> {
        self.object.set_level(level)
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn describe(&mut self, verbosity: Verbosity) -> Result<(), TrtError> {
        self.object.set_verbosity(verbosity)
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn hardware(&mut self, hardware: Hardware) -> Result<(), TrtError> {
        self.object.set_hardware_compatibility(hardware)
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn limit_streams(&mut self, streams: u32) -> Result<(), TrtError> {
        self.object.set_aux_streams(streams)
    }

    /// The stream the builder measures on; one of low priority disturbs running engines less.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn measure_on(&mut self, stream: Stream) -> Result<(), TrtError> {
        self.object.set_profile_stream(stream)
    }

    /// The compute capabilities to build for, 86 for 8.6: TensorRT-RTX only, which needs no GPU for it.
    ///
    /// # Errors
    /// [`TrtError::Missing`] elsewhere, [`TrtError::Call`] for one that it does not know.
    pub fn capabilities(&mut self, capabilities: &[u32]) -> Result<(), TrtError> {
        self.explain(|| self.object.set_capabilities(capabilities))
    }

    /// Runs what it can on a DLA core; what it can't on the GPU if `fallback`.
    ///
    /// # Errors
    /// [`TrtError::Call`] if this device has no such core: ask [`Builder::dla_cores`].
    pub fn dla(&mut self, core: u32, fallback: bool) -> Result<(), TrtError> {
        let cores = self.builder.dla_cores()?;
        if core >= cores {
            let said = format!("there are {cores} cores, and {core} is asked for");
            return Err(TrtError::Call { doing: "choosing a DLA core", said });
        }
        self.object.set_default_device(Device::Dla)?;
        self.object.set_dla_core(core)?;
        if fallback { self.set(Flag::GpuFallback) } else { Ok(()) }
    }

    /// Adds the shapes that the plan shall take; gives the profile's number.
    ///
    /// # Errors
    /// [`TrtError::Call`] for shapes that contradict each other or the model.
    pub fn add(&mut self, profile: &Profile) -> Result<u32, TrtError> {
        self.explain(|| self.object.add_profile(&self.make(profile)?))
    }

    fn make(&self, profile: &Profile) -> Result<Handle<slots::Profile>, TrtError> {
        let made = self.builder.0.object().create_profile()?;
        for shapes in &profile.0 {
            made.set_shape(&shapes.input, Bound::Least, &shapes.least)?;
            made.set_shape(&shapes.input, Bound::Usual, &shapes.usual)?;
            made.set_shape(&shapes.input, Bound::Most, &shapes.most)?;
        }
        if made.valid()? {
            return Ok(made);
        }
        let said = "least, usual and most shapes do not rise".to_owned();
        Err(TrtError::Call { doing: "setting a profile's shapes", said })
    }

    /// What was measured before, so that it need not be again; nothing for a first time.
    ///
    /// # Errors
    /// [`TrtError::Call`] for measurements of another version or device. Begin anew then.
    pub fn use_cache(&mut self, bytes: &[u8]) -> Result<(), TrtError> {
        let cache = self.explain(|| {
            let cache = self.object.create_cache(bytes)?;
            self.object.set_cache(&cache, false)?;
            Ok(cache)
        })?;
        self.cache = Some(cache);
        Ok(())
    }

    /// The measurements with those of the last build, to be kept.
    ///
    /// # Errors
    /// [`TrtError::Call`].
    pub fn cache(&self) -> Result<Vec<u8>, TrtError> {
        let Some(cache) = &self.cache else { return Ok(Vec::new()) };
        self.explain(|| Ok(cache.serialize()?.bytes()?.to_vec()))
    }

    /// Adds measurements of other builds on the same device.
    ///
    /// # Errors
    /// [`TrtError::Call`] if they are of another version or device, or no cache is used.
    pub fn join_cache(&mut self, bytes: &[u8]) -> Result<(), TrtError> {
        let none = || TrtError::Call { doing: "joining timing caches", said: "none is used yet".into() };
        let cache = self.cache.as_ref().ok_or_else(none)?;
        self.explain(|| cache.combine(&*self.object.create_cache(bytes)?, false))
    }

    /// Who hears of progress, and may end the build.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn watch(&mut self, watcher: Arc<Watcher>) -> Result<(), TrtError> {
        let monitor = Monitor::new(watcher);
        self.object.set_monitor(&monitor)?;
        self.monitor = Some(monitor);
        Ok(())
    }

    /// Eight bits by calibration, for a weakly typed network with the shapes of `profile`: 10.x only.
    ///
    /// # Errors
    /// [`TrtError::Gone`] later than that.
    pub fn calibrate(&mut self, batches: Box<dyn Batches>, profile: &Profile) -> Result<(), TrtError> {
        self.set(Flag::Int8)?;
        let shapes = self.explain(|| self.make(profile))?;
        let calibrator = Calibrator::new(batches);
        self.object.set_calibrator(&calibrator)?;
        self.calibrator = Some(calibrator);
        self.explain(|| self.object.set_calibration_profile(&shapes))
    }
}
