//! ONNX files that find what they were told to find, whatever they see.
//!
//! Each output is `values + slope x mean(input)`: with a slope of nought a constant that still
//! hangs on the input, with another one a proof of which picture was seen.

use std::cell::RefCell;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, TypeProtoTensor,
    ValueInfoProto,
};

/// One output of a network.
#[derive(Debug, Clone)]
pub struct Planted {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
    pub slope: Vec<f32>,
}

impl Planted {
    #[must_use]
    pub fn nothing(shape: &[usize]) -> Self {
        let count = shape.iter().product();
        Self { shape: shape.to_vec(), values: vec![0.0; count], slope: vec![0.0; count] }
    }
}

/// A network for an input `[1, 3, height, width]`; `None` leaves a side open.
#[must_use]
pub fn model(size: [Option<i64>; 2], names: Option<&str>, outputs: &[Planted]) -> ModelProto {
    let [width, height] = size;
    let mut graph = GraphProto {
        node: vec![node(
            "ReduceMean",
            &["images"],
            "mean",
            vec![AttributeProto {
                name: Some("keepdims".into()),
                i: Some(0),
                r#type: Some(AttributeType::INT),
                ..AttributeProto::default()
            }],
        )],
        input: vec![value("images", &[Some(1), Some(3), height, width])],
        ..GraphProto::default()
    };
    for (i, output) in outputs.iter().enumerate() {
        let [slope, values, part, out] = ["slope", "values", "part", "out"].map(|n| format!("{n}{i}"));
        graph.initializer.push(floats(&slope, &output.shape, &output.slope));
        graph.initializer.push(floats(&values, &output.shape, &output.values));
        graph.node.push(node("Mul", &["mean", &slope], &part, Vec::new()));
        graph.node.push(node("Add", &[&part, &values], &out, Vec::new()));
        let shape: Vec<_> = output.shape.iter().map(|d| i64::try_from(*d).ok()).collect();
        graph.output.push(value(&out, &shape));
    }
    of(graph, names)
}

/// A file around a graph.
#[must_use]
pub fn of(graph: GraphProto, names: Option<&str>) -> ModelProto {
    let names =
        names.map(|names| StringStringEntryProto { key: Some("names".into()), value: Some(names.into()) });
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(13) }],
        metadata_props: names.into_iter().collect(),
        producer_name: Some("vigia's tests".into()),
        producer_version: None,
    }
}

#[must_use]
pub fn node(op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        name: Some(format!("make {output}")),
        input: inputs.iter().map(|i| (*i).to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(op.to_owned()),
        attribute,
        ..NodeProto::default()
    }
}

/// A float tensor that comes in or goes out.
#[must_use]
pub fn value(name: &str, shape: &[Option<i64>]) -> ValueInfoProto {
    let dim = |d: &Option<i64>| Dimension { dim_value: *d, dim_param: d.is_none().then(|| "side".into()) };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}

#[must_use]
pub fn floats(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
    let dims: Vec<_> = shape.iter().map(|d| i64::try_from(*d).expect("shapes are small")).collect();
    tensor(name, dims, DataType::FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

#[must_use]
pub fn integers(name: &str, dims: Vec<i64>, values: &[i64]) -> TensorProto {
    tensor(name, dims, DataType::INT64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

#[must_use]
pub fn tensor(name: &str, dims: Vec<i64>, kind: DataType, raw: Vec<u8>) -> TensorProto {
    TensorProto {
        dims,
        data_type: Some(kind),
        raw_data: Some(RefCell::new(raw)),
        name: Some(name.to_owned()),
        ..TensorProto::default()
    }
}
