use std::cell::RefCell;

use vigia_sim::onnx::{floats, node, of, value};

use super::*;

fn image() -> ValueInfoProto {
    value("images", &[None, Some(3), Some(4), Some(4)])
}

fn boxes() -> ValueInfoProto {
    value("boxes", &[None, Some(3), Some(8), Some(8)])
}

fn file(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    of(
        GraphProto {
            node,
            initializer,
            input: vec![image()],
            output: vec![boxes()],
            ..GraphProto::default()
        },
        None,
    )
}

fn with(name: &str, kind: AttributeType, set: impl FnOnce(&mut AttributeProto)) -> AttributeProto {
    let mut attribute =
        AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() };
    set(&mut attribute);
    attribute
}

fn to(kind: DataType) -> Vec<AttributeProto> {
    vec![with("to", AttributeType::INT, |a| a.i = Some(i64::from(kind.0)))]
}

/// As types and values would be read from a file.
fn halved(model: &mut ModelProto) -> (Rounding, &GraphProto) {
    let rounding = halve(model).expect("it can be halved");
    (rounding, model.graph.as_ref().expect("it has one"))
}

fn weight(graph: &GraphProto, name: &str) -> (DataType, Vec<u8>) {
    let found = graph.initializer.iter().find(|t| t.name.as_deref() == Some(name)).expect("it is there");
    let raw = found.raw_data.as_ref().map(|raw| raw.borrow().clone()).unwrap_or_default();
    (found.data_type.expect("it has one"), raw)
}

fn maker<'g>(graph: &'g GraphProto, output: &str) -> &'g NodeProto {
    graph.node.iter().find(|n| n.output.iter().any(|o| o == output)).expect("somebody makes it")
}

fn kind(value: &ValueInfoProto) -> Option<DataType> {
    value.r#type.as_ref()?.tensor_type.as_ref()?.elem_type
}

#[test]
fn weights_and_input_become_narrow_and_the_output_stays_wide() {
    let slope = floats("slope", &[4], &[1.5, 70_000.0, -1e9, f32::INFINITY]);
    let mut model = file(vec![node("Mul", &["images", "slope"], "boxes", vec![])], vec![slope]);
    let inner = value("inner", &[]);
    // As old exporters do it.
    let listed = value("slope", &[Some(4)]);
    let all = model.graph.as_mut().expect("it has one");
    all.value_info.push(inner);
    all.input.push(listed);
    let (rounding, graph) = halved(&mut model);
    assert_eq!(rounding, Rounding { values: 4, cut: 2 });
    let expected = [f16::from_f32(1.5), f16::MAX, f16::MIN, f16::INFINITY];
    let bytes: Vec<u8> = expected.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(weight(graph, "slope"), (DataType::FLOAT16, bytes));
    assert_eq!(graph.input.iter().map(kind).collect::<Vec<_>>(), [Some(DataType::FLOAT16)]);
    assert!(graph.value_info.is_empty());
    let last = maker(graph, "boxes");
    assert_eq!((last.op_type.as_deref(), &last.attribute[0].i), (Some("Cast"), &Some(1)));
    assert_eq!(maker(graph, &last.input[0]).op_type.as_deref(), Some("Mul"));
    assert_eq!(kind(&graph.output[0]), Some(DataType::FLOAT));
}

#[test]
fn constants_and_types_in_nodes_become_narrow() {
    let half = |v: f32| f16::from_f32(v).to_le_bytes().to_vec();
    let tensor = floats("", &[], &[0.25]);
    let constant = |name: &str, a| node("Constant", &[], name, vec![a]);
    let mut model = file(
        vec![
            constant("a", with("value", AttributeType::TENSOR, |a| a.t = Some(tensor))),
            constant("b", with("value_float", AttributeType::FLOAT, |a| a.f = Some(0.5))),
            constant("c", with("value_floats", AttributeType::FLOATS, |a| a.floats = vec![2.0, 4.0])),
            constant("d", with("value_int", AttributeType::INT, |a| a.i = Some(7))),
            node("ConstantOfShape", &["d"], "zeros", vec![]),
            node("Cast", &["d"], "wide", to(DataType::FLOAT)),
            node("Cast", &["d"], "whole", to(DataType::INT64)),
            node("Sum", &["images", "a", "b", "c", "zeros", "wide"], "boxes", vec![]),
        ],
        vec![],
    );
    let (rounding, graph) = halved(&mut model);
    assert_eq!(rounding, Rounding { values: 5, cut: 0 });
    let says = |name: &str| {
        let attribute = &maker(graph, name).attribute[0];
        let tensor = attribute.t.as_ref();
        let raw = tensor.and_then(|t| t.raw_data.as_ref()).map(RefCell::borrow).map(|raw| raw.clone());
        (attribute.name.clone().unwrap_or_default(), attribute.i, tensor.map(|t| t.dims.clone()), raw)
    };
    let value = |dims: &[i64], raw| ("value".to_owned(), None, Some(dims.to_vec()), Some(raw));
    assert_eq!(says("a"), value(&[], half(0.25)));
    assert_eq!(says("b"), value(&[], half(0.5)));
    assert_eq!(says("c"), value(&[2], [half(2.0), half(4.0)].concat()));
    assert_eq!(says("d"), ("value_int".into(), Some(7), None, None));
    assert_eq!(says("zeros"), value(&[1], half(0.0)));
    assert_eq!(says("wide"), ("to".into(), Some(10), None, None));
    assert_eq!(says("whole"), ("to".into(), Some(7), None, None));
}

#[test]
fn sizes_stay_as_they_are() {
    let scales = floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]);
    let mut model = file(vec![node("Resize", &["images", "", "scales"], "boxes", vec![])], vec![scales]);
    let (rounding, graph) = halved(&mut model);
    assert_eq!(rounding.values, 0);
    assert_eq!(weight(graph, "scales").0, DataType::FLOAT);
    // Computed from shapes, as PyTorch used to write it.
    let computed = vec![
        node("Shape", &["images"], "shape", vec![]),
        node("Cast", &["shape"], "sizes", to(DataType::FLOAT)),
        node("Mul", &["sizes", "two"], "more", vec![]),
        node("Div", &["more", "sizes"], "scales", vec![]),
        node("Resize", &["images", "", "scales"], "large", vec![]),
        node("Cast", &["shape"], "others", to(DataType::FLOAT)),
        node("Mul", &["large", "others"], "boxes", vec![]),
    ];
    let mut model = file(computed, vec![floats("two", &[1], &[2.0])]);
    let (rounding, graph) = halved(&mut model);
    assert_eq!(rounding.values, 0);
    assert_eq!(weight(graph, "two").0, DataType::FLOAT);
    assert_eq!(maker(graph, "sizes").attribute[0].i, Some(1));
    assert_eq!(maker(graph, "others").attribute[0].i, Some(10));
}

#[test]
fn what_cannot_be_halved_has_its_sentence() {
    let two = || floats("two", &[1], &[2.0]);
    let mut torn = two();
    torn.raw_data = Some(RefCell::new(vec![0; 7]));
    let branch = with("then_branch", AttributeType::GRAPH, |a| a.g = Some(GraphProto::default()));
    let rows = [
        (file(vec![node("DequantizeLinear", &["images"], "boxes", vec![])], vec![]), "build it with int8"),
        (
            file(vec![node("NonMaxSuppression", &["images"], "boxes", vec![])], vec![]),
            "operator NonMaxSuppression",
        ),
        (file(vec![node("If", &["images"], "boxes", vec![branch])], vec![]), "operator If has no form"),
        (
            file(
                vec![
                    node("Exp", &["images"], "scales", vec![]),
                    node("Resize", &["images", "", "scales"], "boxes", vec![]),
                ],
                vec![],
            ),
            "depend on what is in the picture (tensor images)",
        ),
        (
            file(
                vec![
                    node("Mul", &["images", "two"], "large", vec![]),
                    node("Resize", &["large", "", "two"], "boxes", vec![]),
                ],
                vec![two()],
            ),
            "its constant two is both a size and a weight",
        ),
        (
            file(vec![node("Mul", &["images", "two"], "boxes", vec![])], vec![torn]),
            "two has 7 bytes for 1 values",
        ),
        (ModelProto::default(), "has no graph"),
    ];
    for (mut model, expected) in rows {
        let said = halve(&mut model).expect_err(expected).to_string();
        assert!(said.contains(expected), "{said}");
    }
}
