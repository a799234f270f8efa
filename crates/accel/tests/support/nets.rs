//! Small networks in each precision, as ONNX files are: one convolution with an activation, the batch left open.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};

pub const SIDE: i64 = 16;
pub const CHANNELS: i64 = 8;

/// How the numbers of a network are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Float,
    Half,
    /// Explicit: Q and DQ nodes around the convolution, symmetric.
    Int8,
}

/// `images` [n, 3, 16, 16] to `output0` [n, 8, 16, 16].
pub fn bytes(kind: Kind) -> Vec<u8> {
    write(graph(kind))
}

/// The same with two nodes whose outputs have one name.
pub fn duplicate_name() -> Vec<u8> {
    let mut graph = graph(Kind::Float);
    graph.node.push(node("Relu", &["convolved"], "gate"));
    write(graph)
}

/// The same with an operator that there is not.
pub fn unknown_operator() -> Vec<u8> {
    let mut graph = graph(Kind::Float);
    graph.node[0].op_type = Some("Conjure".into());
    write(graph)
}

pub fn write(graph: GraphProto) -> Vec<u8> {
    let model = ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        producer_name: Some("vigia's tests".into()),
        ..ModelProto::default()
    };
    model.write_buf().expect("a graph can be written")
}

pub fn graph(kind: Kind) -> GraphProto {
    let data_type = if kind == Kind::Half { DataType::FLOAT16 } else { DataType::FLOAT };
    let mut graph = GraphProto {
        input: vec![value("images", data_type, 3)],
        output: vec![value("output0", data_type, CHANNELS)],
        ..GraphProto::default()
    };
    let (image, weights) = match kind {
        Kind::Float | Kind::Half => ("images", "weights"),
        Kind::Int8 => {
            graph.initializer.push(tensor("scale", &[], DataType::FLOAT, 0.5_f32.to_le_bytes().to_vec()));
            graph.initializer.push(tensor("zero", &[], DataType::INT8, vec![0]));
            graph.node.push(node("QuantizeLinear", &["images", "scale", "zero"], "quantised"));
            graph.node.push(node("DequantizeLinear", &["quantised", "scale", "zero"], "image"));
            graph.node.push(node("DequantizeLinear", &["weights", "scale", "zero"], "weight"));
            ("image", "weight")
        }
    };
    graph.initializer.push(kernels(kind));
    let mut convolution = node("Conv", &[image, weights], "convolved");
    convolution.attribute = vec![integers("pads", &[1, 1, 1, 1]), integers("kernel_shape", &[3, 3])];
    graph.node.push(convolution);
    graph.node.push(node("Sigmoid", &["convolved"], "gate"));
    graph.node.push(node("Mul", &["convolved", "gate"], "output0"));
    graph
}

/// Halves of both signs, so that no kernel equals its neighbour.
fn kernels(kind: Kind) -> TensorProto {
    let shape = [CHANNELS, 3, 3, 3];
    let count = shape.iter().product::<i64>();
    let minus = |i: i64| i % 5 == 0 || i % 7 == 3;
    let raw = (0..count).flat_map(|i| match kind {
        Kind::Float => if minus(i) { -0.5_f32 } else { 0.5 }.to_le_bytes().to_vec(),
        Kind::Half => if minus(i) { 0xB800_u16 } else { 0x3800 }.to_le_bytes().to_vec(),
        Kind::Int8 => if minus(i) { -1_i8 } else { 1 }.to_le_bytes().to_vec(),
    });
    let data_type = match kind {
        Kind::Float => DataType::FLOAT,
        Kind::Half => DataType::FLOAT16,
        Kind::Int8 => DataType::INT8,
    };
    tensor("weights", &shape, data_type, raw.collect())
}

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: Some(format!("make {output}")),
        input: inputs.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(op.to_owned()),
        ..NodeProto::default()
    }
}

fn integers(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = Some(AttributeType::INTS);
    AttributeProto { name: Some(name.into()), ints: ints.to_vec(), r#type, ..AttributeProto::default() }
}

fn tensor(name: &str, dims: &[i64], kind: DataType, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dims.to_vec(),
        data_type: Some(kind),
        raw_data: Some(RefCell::new(raw)),
        name: Some(name.to_owned()),
        ..TensorProto::default()
    }
}

fn value(name: &str, kind: DataType, channels: i64) -> ValueInfoProto {
    let open = Dimension { dim_value: None, dim_param: Some("n".into()) };
    let fixed = |d| Dimension { dim_value: Some(d), dim_param: None };
    let shape = TensorShapeProto { dim: vec![open, fixed(channels), fixed(SIDE), fixed(SIDE)] };
    let tensor = TypeProtoTensor { elem_type: Some(kind), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}
