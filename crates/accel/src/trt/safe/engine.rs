//! Runtime and engines: from the bytes of a plan to something that says what it takes and gives.

use std::error::Error;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::error::TrtError;
use super::super::flags::{Bound, DataType, Direction, Scratch};
use super::super::result::{Object, c_name};
use super::super::slots;
use super::{Context, Library};

/// Proof that somebody has asked the driver. Without one, runtimes were seen to return addresses that crash
/// when they are used.
#[derive(Debug, Clone, Copy)]
pub struct Driver(());

impl Driver {
    /// `check` starts the driver and counts its devices.
    ///
    /// # Errors
    /// [`TrtError::Driver`] with what `check` says.
    pub fn checked<E: Into<Box<dyn Error + Send + Sync>>>(
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<Self, TrtError> {
        check().map_err(|e| TrtError::Driver(e.into()))?;
        Ok(Self(()))
    }
}

/// Loads plans. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime(Arc<RuntimeParts>);

// In the order in which they are dropped.
#[derive(Debug)]
struct RuntimeParts {
    object: Object<slots::Runtime>,
    library: Library,
}

/// What a runtime is told before it loads anything.
#[derive(Debug, Clone, Default)]
pub struct RuntimeOptions {
    /// The core of engines that were built for DLA.
    pub dla: Option<u32>,
    /// A folder for files of plans that bring code; on a read-only system the usual one is not there.
    pub temporary: Option<PathBuf>,
    /// Whether plans that are compatible with later versions may bring code for this processor along.
    pub host_code: bool,
}

impl Runtime {
    /// A runtime on the current CUDA device.
    ///
    /// # Errors
    /// [`TrtError::Call`] with what the library said, [`TrtError::Name`] for a path with a zero in it.
    pub fn new(library: &Library, _: Driver, options: &RuntimeOptions) -> Result<Self, TrtError> {
        let object = library.create_runtime()?;
        library.explain(|| {
            if let Some(core) = options.dla {
                object.set_dla_core(core)?;
            }
            if let Some(dir) = &options.temporary {
                let name = CString::new(dir.as_os_str().as_bytes());
                object
                    .set_temporary_directory(&name.map_err(|_| TrtError::Name(dir.display().to_string()))?)?;
            }
            object.allow_host_code(options.host_code)
        })?;
        Ok(Self(Arc::new(RuntimeParts { object, library: library.clone() })))
    }

    /// DLA cores of this device; nought on all but some Jetsons.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn dla_cores(&self) -> Result<u32, TrtError> {
        self.0.object.dla_cores()
    }

    /// Loads a plan. The bytes are not needed afterwards.
    ///
    /// # Errors
    /// [`TrtError::Call`] for what is no plan, or one of another version or GPU, with the library's reason.
    pub fn load(&self, plan: &[u8]) -> Result<Engine, TrtError> {
        self.0.library.explain(|| {
            let object = self.0.object.deserialize(plan)?;
            let tensors = tensors(&object)?;
            Ok(Engine(Arc::new(EngineParts { object, tensors, runtime: self.clone() })))
        })
    }
}

/// One input or output of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    pub direction: Direction,
    pub data_type: DataType,
    /// Sizes in values; -1 is decided by the shapes of the inputs.
    pub shape: Vec<i64>,
    /// Whether values lie one after the other, planes undivided.
    pub linear: bool,
    /// For an input, the least, usual and most of each profile.
    pub profiles: Vec<[Vec<i64>; 3]>,
    pub(super) c_name: CString,
}

/// A loaded plan. Cheap to clone; contexts run it.
#[derive(Debug, Clone)]
pub struct Engine(Arc<EngineParts>);

#[derive(Debug)]
struct EngineParts {
    object: Object<slots::Engine>,
    tensors: Vec<TensorInfo>,
    runtime: Runtime,
}

impl Engine {
    /// Inputs and outputs, in the engine's order.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.0.tensors
    }

    /// One of them.
    ///
    /// # Errors
    /// [`TrtError::NoTensor`], which lists those that there are.
    pub fn tensor(&self, name: &str) -> Result<&TensorInfo, TrtError> {
        let has = || self.0.tensors.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = self.0.tensors.iter().find(|t| t.name == name);
        found.ok_or_else(|| TrtError::NoTensor { name: name.into(), has: has() })
    }

    /// Checks that a tensor is what the model says: its direction, and its sizes where both know them.
    ///
    /// # Errors
    /// [`TrtError::NoTensor`], or [`TrtError::Tensor`] with both descriptions.
    pub fn expect(&self, name: &str, direction: Direction, shape: &[i64]) -> Result<&TensorInfo, TrtError> {
        let tensor = self.tensor(name)?;
        let fits = tensor.shape.len() == shape.len()
            && tensor.shape.iter().zip(shape).all(|(a, b)| a == b || *a < 0 || *b < 0);
        if fits && tensor.direction == direction {
            return Ok(tensor);
        }
        let found = format!("{:?} {:?}", tensor.direction, tensor.shape).to_lowercase();
        let expected = format!("{direction:?} {shape:?}").to_lowercase();
        Err(TrtError::Tensor { name: name.into(), found, expected })
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn layers(&self) -> Result<u32, TrtError> {
        self.0.object.layers()
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn profiles(&self) -> Result<u32, TrtError> {
        self.0.object.profiles()
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn refittable(&self) -> Result<bool, TrtError> {
        self.0.object.refittable()
    }

    /// Whether the plan runs on more than the model of GPU it was built on.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn portable(&self) -> Result<bool, TrtError> {
        Ok(self.0.object.hardware_compatibility()? != 0)
    }

    /// Bytes of scratch memory that a context needs, of whichever profile.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn device_memory(&self) -> Result<u64, TrtError> {
        Ok(u64::try_from(self.0.object.device_memory()?).unwrap_or(0))
    }

    /// The layers as JSON, as much as the build wrote into the plan.
    ///
    /// # Errors
    /// [`TrtError::Call`].
    pub fn describe(&self) -> Result<String, TrtError> {
        self.library().explain(|| self.0.object.create_inspector()?.engine_information())
    }

    /// A context to run it with; one for each inference that is in flight.
    ///
    /// # Errors
    /// [`TrtError::Call`], out of memory for one.
    pub fn context(&self, scratch: Scratch) -> Result<Context, TrtError> {
        self.library().explain(|| {
            let needs = if scratch == Scratch::Lent { self.device_memory()? } else { 0 };
            Ok(Context::new(self.0.object.create_context(scratch)?, self.clone(), needs))
        })
    }

    pub(super) fn library(&self) -> &Library {
        &self.0.runtime.0.library
    }
}

fn tensors(engine: &Object<slots::Engine>) -> Result<Vec<TensorInfo>, TrtError> {
    let profiles = engine.profiles()?;
    (0..engine.tensors()?).map(|index| tensor(engine, engine.tensor_name(index)?, profiles)).collect()
}

fn tensor(engine: &Object<slots::Engine>, name: String, profiles: u32) -> Result<TensorInfo, TrtError> {
    let c_name = c_name(&name)?;
    let vague = |what: &str| TrtError::Tensor {
        name: name.clone(),
        found: format!("without {what}"),
        expected: "one with a shape and a direction".into(),
    };
    let shape = engine.tensor_shape(&c_name)?.ok_or_else(|| vague("a shape"))?;
    let direction = engine.tensor_mode(&c_name)?.ok_or_else(|| vague("a direction"))?;
    let bounds = |profile| -> Result<[Vec<i64>; 3], TrtError> {
        let bound = |b| Ok(engine.profile_shape(&c_name, profile, b)?.unwrap_or_default());
        Ok([bound(Bound::Least)?, bound(Bound::Usual)?, bound(Bound::Most)?])
    };
    let profiles = match direction {
        Direction::Input => (0..profiles).map(bounds).collect::<Result<_, TrtError>>()?,
        Direction::Output => Vec::new(),
    };
    let data_type = engine.tensor_type(&c_name)?;
    let linear = engine.tensor_format(&c_name)? == 0;
    Ok(TensorInfo { name, direction, data_type, shape, linear, profiles, c_name })
}
