//! The builder, and the plan that comes out of it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::error::TrtError;
use super::super::flags::Typing;
use super::super::result::Object;
use super::super::slots;
use super::{Config, Driver, Flavour, Library, Network};

/// Makes networks and configurations. Cheap to clone; one thread at a time uses it, so a build makes others wait.
///
/// A build wants memory and may crash with the model it is given: let a child process do it.
#[derive(Debug, Clone)]
pub struct Builder(pub(super) Arc<BuilderParts>);

// In the order in which they are dropped.
#[derive(Debug)]
pub(super) struct BuilderParts {
    object: Mutex<Object<slots::Builder>>,
    pub library: Library,
}

impl BuilderParts {
    /// TensorRT's builders are not for several threads at once.
    pub fn object(&self) -> MutexGuard<'_, Object<slots::Builder>> {
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Builder {
    /// Only TensorRT-RTX builds without a driver.
    ///
    /// # Errors
    /// [`TrtError::Unchecked`] without a driver where one is needed, or [`TrtError::Call`] with what the library
    /// said.
    pub fn new(library: &Library, driver: Option<Driver>) -> Result<Self, TrtError> {
        if driver.is_none() && library.version().flavour == Flavour::Enterprise {
            return Err(TrtError::Unchecked("TensorRT's builder"));
        }
        Ok(Self(Arc::new(BuilderParts {
            object: Mutex::new(library.create_builder()?),
            library: library.clone(),
        })))
    }

    /// A limit for the threads of a build, so that it leaves cores to others.
    ///
    /// # Errors
    /// [`TrtError::Call`] for nought.
    pub fn limit_threads(&mut self, threads: u32) -> Result<(), TrtError> {
        self.0.library.explain(|| self.0.object().set_threads(threads))
    }

    /// DLA cores that engines can be built for.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn dla_cores(&self) -> Result<u32, TrtError> {
        self.0.object().dla_cores()
    }

    /// An empty network. Weakly typed ones, whose precisions flags decide, there are in 10.x only.
    ///
    /// # Errors
    /// [`TrtError::Gone`] for weak types later than that.
    pub fn network(&self, typing: Typing) -> Result<Network, TrtError> {
        if typing == Typing::Weak && !self.0.library.era().weak_types() {
            return Err(
                self.gone("weakly typed networks", "let the model say its types, FP16 in its tensors")
            );
        }
        let object = self.0.library.explain(|| self.0.object().create_network(typing))?;
        Ok(Network::new(object, self.clone(), typing))
    }

    /// How to build; as TensorRT thinks best until something is set.
    ///
    /// # Errors
    /// [`TrtError::Call`].
    pub fn config(&self) -> Result<Config, TrtError> {
        let object = self.0.library.explain(|| self.0.object().create_config())?;
        Ok(Config::new(object, self.clone()))
    }

    pub(super) fn gone(&self, what: &'static str, instead: &'static str) -> TrtError {
        TrtError::Gone { version: self.0.library.version().to_string(), what, instead }
    }
}

/// A plan as the builder leaves it, to be written to a file: its bytes.
#[derive(Debug)]
pub struct Plan {
    bytes: Object<slots::Memory>,
    _library: Library,
}

// SAFETY: the bytes don't change, and reading them is all that can be done.
unsafe impl Sync for Plan {}

impl Plan {
    pub(super) fn new(bytes: Object<slots::Memory>, library: Library) -> Result<Self, TrtError> {
        // So that `deref` can't fail: the slots are there in all eras.
        bytes.bytes()?;
        Ok(Self { bytes, _library: library })
    }
}

impl Deref for Plan {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.bytes().unwrap_or_default()
    }
}
