//! A network of 32-bit tensors made one of 16-bit tensors, for builders that take types from the model only
//! (strongly typed ones: TensorRT 11 and RTX).
//!
//! Weights, constants and everything computed from pictures become 16 bits wide, the input, too: the
//! pre-processing writes it so. Outputs stay 32 bits wide. What says sizes (the scales of `Resize`) stays as it
//! is: the operator wants it so.

use std::collections::{HashMap, HashSet};

use half::f16;
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a network can't be halved.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HalfError {
    #[error("the model has no graph")]
    NoGraph,
    #[error("its operator {0} has no form for 16-bit numbers; build it with fp32")]
    Operator(String),
    #[error("it is quantised (operator {0}); build it with int8")]
    Quantised(String),
    #[error("its sizes depend on what is in the picture (tensor {0}); build it with fp32")]
    Sizes(String),
    #[error("its constant {0} is both a size and a weight; build it with fp32")]
    Shared(String),
    #[error("its constant {name} has {bytes} bytes for {values} values")]
    Torn { name: String, bytes: usize, values: usize },
}

/// What the narrower numbers could not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounding {
    /// Constants and weights that became 16 bits wide.
    pub values: usize,
    /// Of these, those beyond ±65,504, which were cut to it.
    pub cut: usize,
}

/// Operators whose floating point is 32 bits wide whatever they are given.
const WIDE: [&str; 8] = [
    "NonMaxSuppression",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "EyeLike",
    "MelWeightMatrix",
];
const QUANTISED: [&str; 3] = ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"];

/// # Errors
/// [`HalfError`]; the model may be half changed then.
pub fn halve(model: &mut ModelProto) -> Result<Rounding, HalfError> {
    let graph = model.graph.as_mut().ok_or(HalfError::NoGraph)?;
    graph.node.iter().try_for_each(can_be_halved)?;
    let sizes = sizes(graph)?;
    let mut rounding = Rounding::default();
    for weight in &mut graph.initializer {
        if !sizes.contains(weight.name.as_deref().unwrap_or_default()) {
            narrow(weight, &mut rounding)?;
        }
    }
    for node in &mut graph.node {
        if !node.output.iter().any(|o| sizes.contains(o.as_str())) {
            narrow_node(node, &mut rounding)?;
        }
    }
    // Old exporters list weights among the inputs; types of what lies between are found again by whoever reads it.
    let weights: HashSet<_> = graph.initializer.iter().filter_map(|t| t.name.clone()).collect();
    graph.input.retain(|i| i.name.as_ref().is_none_or(|n| !weights.contains(n)));
    graph.value_info.clear();
    graph.input.iter_mut().for_each(|input| {
        if let Some(kind) = element(input).filter(|kind| **kind == DataType::FLOAT) {
            *kind = DataType::FLOAT16;
        }
    });
    widen_outputs(graph);
    Ok(rounding)
}

fn can_be_halved(node: &NodeProto) -> Result<(), HalfError> {
    let op = node.op_type.as_deref().unwrap_or_default();
    if QUANTISED.contains(&op) {
        return Err(HalfError::Quantised(op.to_owned()));
    }
    if WIDE.contains(&op) || node.attribute.iter().any(|a| a.g.is_some()) {
        return Err(HalfError::Operator(op.to_owned()));
    }
    Ok(())
}

/// The tensors that stay 32 bits wide: second and later inputs of `Resize`, and what they are computed from.
fn sizes(graph: &GraphProto) -> Result<HashSet<String>, HalfError> {
    let makers: HashMap<&str, &NodeProto> =
        graph.node.iter().flat_map(|n| n.output.iter().map(move |o| (o.as_str(), n))).collect();
    let is_resize = |n: &&NodeProto| matches!(n.op_type.as_deref(), Some("Resize" | "Upsample"));
    let asked = graph.node.iter().filter(is_resize).flat_map(|n| n.input.iter().skip(1));
    let mut open: Vec<&str> = asked.map(String::as_str).filter(|n| !n.is_empty()).collect();
    let mut sizes = HashSet::new();
    let pictures: Vec<_> = graph.input.iter().filter_map(|i| i.name.as_deref()).collect();
    while let Some(name) = open.pop() {
        let is_weight = graph.initializer.iter().any(|t| t.name.as_deref() == Some(name));
        if !is_weight && pictures.contains(&name) {
            return Err(HalfError::Sizes(name.to_owned()));
        }
        if !sizes.insert(name.to_owned()) || is_weight {
            continue;
        }
        // Beyond these there are whole numbers, or nothing.
        let Some(maker) = makers.get(name) else { continue };
        if !matches!(maker.op_type.as_deref(), Some("Cast" | "Shape" | "Size" | "Constant")) {
            open.extend(maker.input.iter().map(String::as_str).filter(|n| !n.is_empty()));
        }
    }
    for node in graph.node.iter().filter(|n| !n.output.iter().any(|o| sizes.contains(o.as_str()))) {
        let own = usize::from(is_resize(&node));
        let taken = if own == 1 { &node.input[..1.min(node.input.len())] } else { &node.input[..] };
        let is_float = |name: &&String| {
            let weight = graph.initializer.iter().find(|t| t.name.as_deref() == Some(name.as_str()));
            weight.is_some_and(|t| t.data_type == Some(DataType::FLOAT))
        };
        if let Some(both) = taken.iter().filter(|n| sizes.contains(n.as_str())).find(is_float) {
            return Err(HalfError::Shared(both.clone()));
        }
    }
    Ok(sizes)
}

fn narrow(tensor: &mut TensorProto, rounding: &mut Rounding) -> Result<(), HalfError> {
    if tensor.data_type != Some(DataType::FLOAT) {
        return Ok(());
    }
    let count: usize = tensor.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).product();
    let raw = tensor.raw_data.take().map(std::cell::RefCell::into_inner).unwrap_or_default();
    let values: Vec<f32> = match raw.is_empty() {
        true => std::mem::take(&mut tensor.float_data),
        false => raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
    };
    if values.len() != count || !raw.len().is_multiple_of(4) {
        let name = tensor.name.clone().unwrap_or_default();
        let bytes = if raw.is_empty() { values.len() * 4 } else { raw.len() };
        return Err(HalfError::Torn { name, bytes, values: count });
    }
    let bytes = values.iter().flat_map(|v| narrowed(*v, rounding).to_le_bytes()).collect();
    tensor.raw_data = Some(std::cell::RefCell::new(bytes));
    tensor.data_type = Some(DataType::FLOAT16);
    Ok(())
}

fn narrowed(value: f32, rounding: &mut Rounding) -> f16 {
    rounding.values += 1;
    // Infinities mean to be infinite.
    let is_beyond = value.is_finite() && f16::from_f32(value).is_infinite();
    rounding.cut += usize::from(is_beyond);
    let cut = if is_beyond { value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()) } else { value };
    f16::from_f32(cut)
}

/// A node whose own attributes say numbers or types.
fn narrow_node(node: &mut NodeProto, rounding: &mut Rounding) -> Result<(), HalfError> {
    match node.op_type.as_deref() {
        Some("Cast") => {
            node.attribute.iter_mut().filter(|a| a.name.as_deref() == Some("to")).for_each(|to| {
                if to.i == Some(i64::from(DataType::FLOAT.0)) {
                    to.i = Some(i64::from(DataType::FLOAT16.0));
                }
            })
        }
        Some("ConstantOfShape") if node.attribute.is_empty() => node.attribute.push(constant(&[0.0], &[1])),
        Some("Constant") => node.attribute.iter_mut().for_each(|a| match a.name.as_deref() {
            Some("value_float") => *a = constant(&[a.f.unwrap_or_default()], &[]),
            Some("value_floats") => *a = constant(&a.floats.clone(), &[a.floats.len()]),
            _ => {}
        }),
        _ => {}
    }
    node.attribute.iter_mut().filter_map(|a| a.t.as_mut()).try_for_each(|t| narrow(t, rounding))
}

/// The attribute `value` with 32-bit numbers.
fn constant(values: &[f32], dims: &[usize]) -> AttributeProto {
    let tensor = TensorProto {
        dims: dims.iter().map(|d| i64::try_from(*d).unwrap_or(i64::MAX)).collect(),
        data_type: Some(DataType::FLOAT),
        float_data: values.to_vec(),
        ..TensorProto::default()
    };
    AttributeProto {
        name: Some("value".into()),
        t: Some(tensor),
        r#type: Some(AttributeType::TENSOR),
        ..AttributeProto::default()
    }
}

/// Each output of floating point is cast to 32 bits at the very end.
fn widen_outputs(graph: &mut GraphProto) {
    let mut outputs = std::mem::take(&mut graph.output);
    for output in &mut outputs {
        if element(output).is_none_or(|kind| *kind != DataType::FLOAT) {
            continue;
        }
        let Some(name) = output.name.clone() else { continue };
        let narrow = format!("{name} in 16 bits");
        for node in &mut graph.node {
            node.input
                .iter_mut()
                .chain(&mut node.output)
                .filter(|n| **n == name)
                .for_each(|n| n.clone_from(&narrow));
        }
        graph.node.push(cast(&narrow, &name, DataType::FLOAT));
    }
    graph.output = outputs;
}

/// A node that makes the tensor `to` of `from`.
#[must_use]
pub fn cast(from: &str, to: &str, kind: DataType) -> NodeProto {
    NodeProto {
        name: Some(format!("cast {to}")),
        op_type: Some("Cast".into()),
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        attribute: vec![AttributeProto {
            name: Some("to".into()),
            i: Some(i64::from(kind.0)),
            r#type: Some(AttributeType::INT),
            ..AttributeProto::default()
        }],
        domain: None,
    }
}

fn element(value: &mut ValueInfoProto) -> Option<&mut DataType> {
    value.r#type.as_mut()?.tensor_type.as_mut()?.elem_type.as_mut()
}

#[cfg(test)]
#[path = "half_tests.rs"]
mod tests;
