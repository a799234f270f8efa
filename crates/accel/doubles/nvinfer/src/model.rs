//! A network: what an ONNX file says of itself, and running it with rten.

use std::collections::HashMap;

use half::f16;
use rten::{Model, Value, ValueView};
use rten_onnx::onnx::{AttributeProto, DataType, GraphProto, ModelProto, TensorProto, ValueInfoProto};
use rten_tensor::{Tensor, TensorView};

/// TensorRT's numbers of the types that are played.
pub const FLOAT: i32 = 0;
pub const HALF: i32 = 1;
const INT32: i32 = 3;
const INT64: i32 = 8;

/// A size that is known, or one that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    Fixed(i64),
    Open(String),
}

/// An input or output.
#[derive(Debug, Clone)]
pub struct Port {
    pub name: String,
    pub data_type: i32,
    pub shape: Vec<Size>,
}

impl Port {
    pub fn sizes(&self) -> Vec<i64> {
        self.shape.iter().map(|s| if let Size::Fixed(n) = s { *n } else { -1 }).collect()
    }

    /// Makes it one longer than it is.
    pub fn lengthen(&mut self) {
        if let Some(Size::Fixed(n)) = self.shape.last_mut() {
            *n += 1;
        }
    }

    pub fn bytes(&self, shape: &[i64]) -> usize {
        let each = match self.data_type {
            HALF => 2,
            INT64 => 8,
            _ => 4,
        };
        each * shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).product::<usize>()
    }
}

/// Why a file is not read: the node's number, name and operator if it is one's fault.
#[derive(Debug)]
pub struct Refusal {
    pub node: Option<(i32, String, String)>,
    pub why: String,
}

/// What can be run.
#[derive(Debug)]
pub struct Graph {
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// Name and operator.
    pub nodes: Vec<(String, String)>,
    pub onnx: Vec<u8>,
    model: Model,
}

impl Graph {
    pub fn read(onnx: &[u8]) -> Result<Self, Refusal> {
        let whole = |why: String| Refusal { node: None, why };
        let mut file =
            ModelProto::parse_buf(onnx).map_err(|e| whole(format!("Failed to parse the ONNX model: {e}")))?;
        let graph =
            file.graph.as_mut().ok_or_else(|| whole("Failed to parse the ONNX model: no graph".into()))?;
        let constants: Vec<_> = graph.initializer.iter().filter_map(|t| t.name.clone()).collect();
        let inputs: Vec<_> = graph.input.iter().map(port).filter(|p| !constants.contains(&p.name)).collect();
        let outputs: Vec<_> = graph.output.iter().map(port).collect();
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let nodes: Vec<_> = graph.node.iter().map(|n| (text(&n.name), text(&n.op_type))).collect();
        unique(graph)?;
        let halves = widen(graph);
        let runnable =
            if halves { file.write_buf().map_err(|e| whole(e.to_string()))? } else { onnx.to_vec() };
        let model = Model::load(runnable).map_err(|e| blame(&nodes, &e.to_string()))?;
        Ok(Self { inputs, outputs, nodes, onnx: onnx.to_vec(), model })
    }

    /// The shape of each output under shapes of the inputs; -1 where only a run would tell.
    pub fn output_shape(&self, output: &Port, given: &HashMap<String, Vec<i64>>) -> Vec<i64> {
        let mut named = HashMap::new();
        for input in &self.inputs {
            for (size, value) in input.shape.iter().zip(given.get(&input.name).into_iter().flatten()) {
                if let Size::Open(name) = size {
                    named.insert(name, *value);
                }
            }
        }
        let size = |s: &Size| match s {
            Size::Fixed(n) => *n,
            Size::Open(name) => named.get(name).copied().unwrap_or(-1),
        };
        output.shape.iter().map(size).collect()
    }

    /// Runs the network: bytes in, bytes out, each in the type of its port.
    pub fn run(&self, inputs: &[(Vec<i64>, &[u8])]) -> Result<Vec<Vec<u8>>, String> {
        let mut values = Vec::new();
        for ((shape, bytes), (port, id)) in inputs.iter().zip(self.inputs.iter().zip(self.model.input_ids()))
        {
            let shape: Vec<_> = shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
            let tensor = Tensor::from_data(shape.as_slice(), floats(port.data_type, bytes)?);
            values.push((*id, Value::from(tensor).into()));
        }
        let run = self.model.run(values, self.model.output_ids(), None).map_err(|e| e.to_string())?;
        run.iter().zip(&self.outputs).map(|(value, port)| raw(port.data_type, &value.as_view())).collect()
    }
}

fn floats(data_type: i32, bytes: &[u8]) -> Result<Vec<f32>, String> {
    match data_type {
        FLOAT => Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        HALF => Ok(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        other => Err(format!("inputs of type {other} are not played")),
    }
}

fn raw(data_type: i32, value: &ValueView) -> Result<Vec<u8>, String> {
    let not = || format!("an output is not of type {data_type}");
    match data_type {
        FLOAT | HALF => {
            let view: TensorView<f32> = value.clone().try_into().map_err(|_| not())?;
            Ok(match data_type {
                FLOAT => view.iter().flat_map(|v| v.to_le_bytes()).collect(),
                _ => view.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            })
        }
        INT32 | INT64 => {
            let view: TensorView<i32> = value.clone().try_into().map_err(|_| not())?;
            Ok(match data_type {
                INT32 => view.iter().flat_map(|v| v.to_le_bytes()).collect(),
                _ => view.iter().flat_map(|v| i64::from(*v).to_le_bytes()).collect(),
            })
        }
        _ => Err(not()),
    }
}

fn port(value: &ValueInfoProto) -> Port {
    let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let data_type = match tensor.and_then(|t| t.elem_type) {
        Some(DataType::FLOAT16) => HALF,
        Some(DataType::INT32) => INT32,
        Some(DataType::INT64) => INT64,
        _ => FLOAT,
    };
    let dims = tensor.and_then(|t| t.shape.as_ref()).map(|s| s.dim.as_slice()).unwrap_or_default();
    let size = |d: &rten_onnx::onnx::Dimension| match d.dim_value {
        Some(n) if n > 0 => Size::Fixed(n),
        _ => Size::Open(d.dim_param.clone().unwrap_or_default()),
    };
    Port { name: value.name.clone().unwrap_or_default(), data_type, shape: dims.iter().map(size).collect() }
}

/// Names of outputs must differ, as NVIDIA's parser finds when it sorts the nodes.
fn unique(graph: &GraphProto) -> Result<(), Refusal> {
    let mut seen = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            if seen.insert(output, index).is_some() {
                return Err(Refusal {
                    node: None,
                    why: format!("Failed to sort the model topologically: `{output}` is not unique"),
                });
            }
        }
    }
    Ok(())
}

/// Finds the node that rten's complaint is about.
fn blame(nodes: &[(String, String)], why: &str) -> Refusal {
    let guilty = nodes.iter().position(|(name, operator)| {
        let named = |s: &str| !s.is_empty() && why.contains(s);
        named(name) || named(operator)
    });
    let node = guilty.map(|i| (i32::try_from(i).unwrap_or(i32::MAX), nodes[i].0.clone(), nodes[i].1.clone()));
    Refusal { node, why: why.to_owned() }
}

/// rten computes with 32 bits: halves become floats. Whether there were any.
fn widen(graph: &mut GraphProto) -> bool {
    let mut found = false;
    for tensor in &mut graph.initializer {
        found |= widen_tensor(tensor);
    }
    for value in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        let tensor = value.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
        if let Some(kind) = tensor.and_then(|t| t.elem_type.as_mut()).filter(|k| **k == DataType::FLOAT16) {
            *kind = DataType::FLOAT;
            found = true;
        }
    }
    for node in &mut graph.node {
        let cast = node.op_type.as_deref() == Some("Cast");
        for attribute in &mut node.attribute {
            found |= widen_attribute(attribute, cast);
        }
    }
    found
}

fn widen_attribute(attribute: &mut AttributeProto, cast: bool) -> bool {
    if let Some(to) = attribute.i.as_mut().filter(|i| cast && **i == i64::from(DataType::FLOAT16.0)) {
        *to = i64::from(DataType::FLOAT.0);
        return true;
    }
    let tensor = attribute.t.as_mut().is_some_and(widen_tensor);
    attribute.g.as_mut().is_some_and(widen) || tensor
}

fn widen_tensor(tensor: &mut TensorProto) -> bool {
    if tensor.data_type != Some(DataType::FLOAT16) {
        return false;
    }
    let halves: Vec<_> = match &tensor.raw_data {
        Some(raw) => raw.borrow().as_chunks().0.iter().map(|b| f16::from_le_bytes(*b)).collect(),
        // Each in the lower half of a number.
        None => tensor
            .int32_data
            .iter()
            .map(|n| f16::from_bits(u16::from_le_bytes([n.to_le_bytes()[0], n.to_le_bytes()[1]])))
            .collect(),
    };
    tensor.int32_data.clear();
    tensor.raw_data = Some(halves.iter().flat_map(|h| h.to_f32().to_le_bytes()).collect::<Vec<_>>().into());
    tensor.data_type = Some(DataType::FLOAT);
    true
}
