//! An execution context: shapes, addresses, and the start of an inference on a stream.

use super::super::error::TrtError;
use super::super::result::{Object, dims};
use super::super::slots;
use super::super::{DevicePtr, Event, Stream};
use super::Engine;

/// Runs an engine, one inference at a time. Memory, streams and events it is given are kept by their owners
/// until the work on the stream is done: that is the promise of whoever made a [`DevicePtr`], [`Stream`] or [`Event`].
#[derive(Debug)]
pub struct Context {
    object: Object<slots::Context>,
    engine: Engine,
    /// Bytes of scratch memory that are to be lent, and that are.
    needs: u64,
    lent: u64,
}

impl Context {
    pub(super) fn new(object: Object<slots::Context>, engine: Engine, needs: u64) -> Self {
        Self { object, engine, needs, lent: 0 }
    }

    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Chooses an optimisation profile; the first one is chosen already. Shapes are to be set again.
    ///
    /// # Errors
    /// [`TrtError::Call`] for a profile that is not there, or that another context uses.
    pub fn choose_profile(&mut self, profile: u32, stream: Stream) -> Result<(), TrtError> {
        self.engine.library().explain(|| self.object.set_profile(profile, stream))
    }

    /// Sets the shape of an input, in values.
    ///
    /// # Errors
    /// [`TrtError::NoTensor`], or [`TrtError::Call`] for a shape outside of the profile.
    pub fn set_shape(&mut self, name: &str, shape: &[i64]) -> Result<(), TrtError> {
        let name = &self.engine.tensor(name)?.c_name;
        let shape = dims(shape)?;
        self.engine.library().explain(|| self.object.set_input_shape(name, &shape))
    }

    /// The shape of a tensor under the shapes that the inputs have now; -1 where it is not decided.
    ///
    /// # Errors
    /// [`TrtError::NoTensor`]; [`TrtError::Call`] if the engine has forgotten it.
    pub fn shape(&self, name: &str) -> Result<Vec<i64>, TrtError> {
        let name = &self.engine.tensor(name)?.c_name;
        self.engine.library().explain(|| {
            let unknown = TrtError::Call { doing: "asking for a tensor's shape", said: String::new() };
            self.object.tensor_shape(name)?.ok_or(unknown)
        })
    }

    /// Where a tensor lies in device memory, 256-byte aligned.
    ///
    /// # Errors
    /// [`TrtError::NoTensor`], [`TrtError::Call`].
    pub fn set_address(&mut self, name: &str, address: DevicePtr) -> Result<(), TrtError> {
        let name = &self.engine.tensor(name)?.c_name;
        self.engine.library().explain(|| self.object.set_address(name, address))
    }

    /// Whether all inputs have shapes that fit together, so that outputs have theirs.
    ///
    /// # Errors
    /// [`TrtError::Call`] if they contradict each other.
    pub fn ready(&self) -> Result<bool, TrtError> {
        self.engine.library().explain(|| match self.object.infer_shapes()? {
            0 => Ok(true),
            1.. => Ok(false),
            _ => Err(TrtError::Call { doing: "inferring the shapes", said: String::new() }),
        })
    }

    /// Scratch memory of at least [`Engine::device_memory`] bytes, for a context that was made with
    /// [`Scratch::Lent`](super::super::flags::Scratch::Lent).
    ///
    /// # Errors
    /// [`TrtError::Call`] for less than that.
    pub fn lend(&mut self, at: DevicePtr, bytes: u64) -> Result<(), TrtError> {
        if bytes < self.needs {
            let said = format!("{} bytes are needed, {bytes} are offered", self.needs);
            return Err(TrtError::Call { doing: "lending scratch memory", said });
        }
        self.object.set_device_memory(at, i64::try_from(bytes).unwrap_or(i64::MAX))?;
        self.lent = bytes;
        Ok(())
    }

    /// An event that is recorded as soon as the inputs have been read.
    ///
    /// # Errors
    /// [`TrtError::Call`].
    pub fn on_consumed(&mut self, event: Event) -> Result<(), TrtError> {
        self.engine.library().explain(|| self.object.set_consumed_event(event))
    }

    /// How much of the GPU's cache may be kept between inferences, in bytes.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn limit_persistent_cache(&mut self, bytes: usize) -> Result<(), TrtError> {
        self.object.set_persistent_cache(bytes)
    }

    /// Streams for branches that may run side by side.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn use_streams(&mut self, streams: &[Stream]) -> Result<(), TrtError> {
        self.object.set_aux_streams(streams)
    }

    /// Starts an inference: everything on `stream` before it is done first. The first call of a shape may
    /// allocate; later ones can be captured into a graph.
    ///
    /// # Errors
    /// [`TrtError::Call`]; the context may be used again, or be made anew if it goes on.
    pub fn enqueue(&mut self, stream: Stream) -> Result<(), TrtError> {
        // It would write to nowhere, and the device would be lost to the whole process.
        if self.lent < self.needs {
            let said = format!("{} bytes of scratch memory were to be lent before", self.needs);
            return Err(TrtError::Call { doing: "starting the inference", said });
        }
        self.engine.library().explain(|| self.object.enqueue(stream))
    }
}
