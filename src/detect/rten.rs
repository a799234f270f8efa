//! The engine that is always there: rten, pure Rust.

use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, Value, ValueView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, TensorView};
use thiserror::Error;

/// What can go wrong with rten.
#[derive(Debug, Error)]
pub enum RtenError {
    #[error("rten can't load the model: {0}")]
    Load(String),
    #[error("the model has {0} inputs; one image is expected")]
    Inputs(usize),
    #[error("rten failed: {0}")]
    Run(String),
    #[error("output {0} is not a 32-bit float tensor")]
    Output(usize),
}

/// A loaded model with one request slot.
#[derive(Debug)]
pub struct Engine {
    model: Model,
    input_id: NodeId,
    output_ids: Vec<NodeId>,
    shape: [usize; 4],
    input: Vec<f32>,
    outputs: Vec<Value>,
    shapes: Vec<Vec<usize>>,
    pool: Option<Arc<rten::ThreadPool>>,
}

impl Engine {
    /// Loads an ONNX file for a `width` x `height` input.
    ///
    /// # Errors
    /// [`RtenError`].
    pub fn new(path: &Path, width: usize, height: usize, threads: Option<u32>) -> Result<Self, RtenError> {
        let model = Model::load_file(path).map_err(|e| RtenError::Load(e.to_string()))?;
        let &[input_id] = model.input_ids() else { return Err(RtenError::Inputs(model.input_ids().len())) };
        let output_ids = model.output_ids().to_vec();
        let pool =
            threads.map(|n| Arc::new(rten::ThreadPool::with_num_threads(usize::try_from(n).unwrap_or(1))));
        Ok(Self {
            model,
            input_id,
            output_ids,
            shape: [1, 3, height, width],
            input: vec![0.0; 3 * width * height],
            outputs: Vec::new(),
            shapes: Vec::new(),
            pool,
        })
    }

    pub fn input(&mut self) -> &mut [f32] {
        &mut self.input
    }

    /// Runs the network on the input.
    ///
    /// # Errors
    /// [`RtenError`].
    pub fn run(&mut self) -> Result<(), RtenError> {
        let view = NdTensorView::from_data(self.shape, self.input.as_slice());
        let mut options = RunOptions::default();
        options.thread_pool.clone_from(&self.pool);
        let input = (self.input_id, ValueView::from(view).into());
        self.outputs = self
            .model
            .run(vec![input], &self.output_ids, Some(options))
            .map_err(|e| RtenError::Run(e.to_string()))?;
        self.shapes.clear();
        for (i, value) in self.outputs.iter().enumerate() {
            let view: TensorView<f32> = value.as_tensor_view().ok_or(RtenError::Output(i))?;
            self.shapes.push(view.shape().to_vec());
        }
        Ok(())
    }

    /// The outputs of the last run.
    ///
    /// # Errors
    /// [`RtenError::Output`] if one is not a contiguous float tensor.
    pub fn outputs(&self) -> impl Iterator<Item = Result<(&[usize], &[f32]), RtenError>> {
        self.outputs.iter().zip(&self.shapes).enumerate().map(|(i, (value, shape))| {
            let view: TensorView<f32> = value.as_tensor_view().ok_or(RtenError::Output(i))?;
            let data = view.data().ok_or(RtenError::Output(i))?;
            Ok((shape.as_slice(), data))
        })
    }
}
