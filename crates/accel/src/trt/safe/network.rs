//! A network: what the parser made of a model, and the way to a plan.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::super::error::TrtError;
use super::super::flags::{DataType, Typing};
use super::super::result::{Handle, Object, c_name};
use super::super::slots::{self, Parser, Tensor};
use super::{Builder, Config, Plan};

/// The name, type and shape of an input or output of a model; -1 is decided by the profile.
pub type Port = (String, DataType, Vec<i64>);

/// A network under construction.
#[derive(Debug)]
pub struct Network {
    // Dropped before the network, but not before it is built: weights lie in the parser's memory.
    parsers: Vec<Object<Parser>>,
    object: Object<slots::Network>,
    builder: Builder,
    typing: Typing,
}

impl Network {
    pub(super) fn new(object: Object<slots::Network>, builder: Builder, typing: Typing) -> Self {
        Self { parsers: Vec::new(), object, builder, typing }
    }

    /// Reads an ONNX model from memory. `file` is where it came from, if weights lie in files beside it.
    ///
    /// # Errors
    /// [`TrtError::Parse`] with the nodes that were refused, [`TrtError::Large`] and [`TrtError::Hollow`]; the
    /// network is of no use then.
    pub fn read_onnx(&mut self, model: &[u8], file: Option<&Path>) -> Result<(), TrtError> {
        // The parser counts bytes in 32 bits.
        if i32::try_from(model.len()).is_err() {
            return Err(TrtError::Large(model.len()));
        }
        let library = &self.builder.0.library;
        let file = file.map(|f| c_name(&String::from_utf8_lossy(f.as_os_str().as_bytes()))).transpose()?;
        let parser = library.create_parser(&self.object)?;
        library.explain(|| {
            if parser.parse(model, file.as_deref())? {
                return Ok(());
            }
            let errors = parser.errors()?;
            if errors.is_empty() {
                return Err(TrtError::Call { doing: "reading the model", said: String::new() });
            }
            Err(TrtError::Parse(errors))
        })?;
        self.parsers.push(parser);
        // An empty file is a valid message of Protocol Buffers.
        if self.object.outputs()? == 0 { Err(TrtError::Hollow) } else { Ok(()) }
    }

    /// # Errors
    /// None that a caller could mend.
    pub fn layers(&self) -> Result<u32, TrtError> {
        self.object.layers()
    }

    /// # Errors
    /// [`TrtError::Call`] if the network is broken.
    pub fn inputs(&self) -> Result<Vec<Port>, TrtError> {
        (0..self.object.inputs()?).map(|i| port(&self.object.input(i)?)).collect()
    }

    /// # Errors
    /// [`TrtError::Call`] if the network is broken.
    pub fn outputs(&self) -> Result<Vec<Port>, TrtError> {
        (0..self.object.outputs()?).map(|i| port(&self.object.output(i)?)).collect()
    }

    /// The layers that the DLA core of `config` can't run, by name.
    ///
    /// # Errors
    /// [`TrtError::Call`] if the network is broken.
    pub fn beyond_dla(&self, config: &Config) -> Result<Vec<String>, TrtError> {
        let mut beyond = Vec::new();
        for index in 0..self.layers()? {
            let layer = self.object.layer(index)?;
            if !config.object().can_run_on_dla(&layer)? {
                beyond.push(layer.name()?);
            }
        }
        Ok(beyond)
    }

    /// Builds the plan: seconds on a large GPU, minutes on a small one.
    ///
    /// # Errors
    /// [`TrtError::Cancelled`] if the watcher said so, else [`TrtError::Call`] with the library's reason.
    pub fn build(&mut self, config: &mut Config) -> Result<Plan, TrtError> {
        let builder = &self.builder.0;
        if !Arc::ptr_eq(builder, config.builder()) {
            return refused("the configuration is another builder's");
        }
        if self.typing == Typing::Strong && config.weak() {
            return refused("a strongly typed network has the model's precisions, not those of flags");
        }
        let built = builder.library.explain(|| builder.object().build(&self.object, config.object()));
        match built {
            Ok(bytes) => Plan::new(bytes, builder.library.clone()),
            Err(TrtError::Call { .. }) if config.cancelled() => Err(TrtError::Cancelled),
            Err(error) => Err(error),
        }
    }
}

fn refused<T>(said: &str) -> Result<T, TrtError> {
    Err(TrtError::Call { doing: "building the engine", said: said.into() })
}

fn port(tensor: &Handle<Tensor>) -> Result<Port, TrtError> {
    Ok((tensor.name()?, tensor.data_type()?, tensor.shape()?))
}
