//! Networks and the parser that fills them.

use std::ffi::{CString, c_char, c_void};

use vigia_accel::trt::flags::Typing;
use vigia_accel::trt::slots::{Layer, Network, Parser, ParserError, Tensor};

use crate::build::BuilderData;
use crate::model::{Graph, Port};
use crate::object::{Body, Part, inside, make, methods, tables};
use crate::{Dims, settings};

#[derive(Debug, Default)]
pub struct NetworkData {
    pub graph: Option<Graph>,
    pub strong: bool,
    inputs: Vec<Part>,
    outputs: Vec<Part>,
    layers: Vec<Part>,
}

#[derive(Debug)]
pub struct LayerData {
    name: CString,
    pub operator: String,
}

pub extern "C" fn create_network(_: &mut Body<BuilderData>, flags: u32) -> *mut c_void {
    let strong = flags & Typing::Strong.bits(tables().era) != 0;
    let methods = methods![tables().network; layers: layers, layer: layer, inputs: inputs, input: input,
        outputs: outputs, output: output];
    make::<Network, _>(NetworkData { strong, ..NetworkData::default() }, &methods)
}

fn count(parts: &[Part]) -> i32 {
    i32::try_from(parts.len()).unwrap_or(i32::MAX)
}

fn part(parts: &[Part], index: i32) -> *mut c_void {
    let part = usize::try_from(index).ok().and_then(|i| parts.get(i));
    part.map_or(std::ptr::null_mut(), |p| p.object)
}

extern "C" fn layers(this: &Body<NetworkData>) -> i32 {
    count(&this.data.layers)
}

extern "C" fn layer(this: &Body<NetworkData>, index: i32) -> *mut c_void {
    part(&this.data.layers, index)
}

extern "C" fn inputs(this: &Body<NetworkData>) -> i32 {
    count(&this.data.inputs)
}

extern "C" fn input(this: &Body<NetworkData>, index: i32) -> *mut c_void {
    part(&this.data.inputs, index)
}

extern "C" fn outputs(this: &Body<NetworkData>) -> i32 {
    count(&this.data.outputs)
}

extern "C" fn output(this: &Body<NetworkData>, index: i32) -> *mut c_void {
    part(&this.data.outputs, index)
}

type TensorData = (CString, Port);

fn tensor(port: &Port) -> Part {
    let methods = methods![tables().tensor; name: tensor_name, shape: tensor_shape, data_type: tensor_type];
    let name = CString::new(port.name.as_str()).unwrap_or_default();
    Part::new::<Tensor, TensorData>((name, port.clone()), &methods)
}

extern "C" fn tensor_name(this: &Body<TensorData>) -> *const c_char {
    this.data.0.as_ptr()
}

extern "C" fn tensor_shape(this: &Body<TensorData>) -> Dims {
    Dims::of(&this.data.1.sizes())
}

extern "C" fn tensor_type(this: &Body<TensorData>) -> i32 {
    this.data.1.data_type
}

extern "C" fn layer_name(this: &Body<LayerData>) -> *const c_char {
    this.data.name.as_ptr()
}

#[derive(Debug)]
pub struct ParserData {
    network: *mut c_void,
    errors: Vec<Part>,
}

pub fn create_parser(network: *mut c_void) -> *mut c_void {
    let methods = methods![tables().parser; parse: parse, errors: errors, error: error];
    make::<Parser, _>(ParserData { network, errors: Vec::new() }, &methods)
}

extern "C" fn parse(this: &mut Body<ParserData>, at: *const u8, length: usize, _: *const c_char) -> bool {
    // SAFETY: the caller gives that many bytes.
    let bytes = if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(at, length) } };
    // SAFETY: the network outlives its parser.
    let network = unsafe { inside::<Network, NetworkData>(this.data.network) };
    if settings::strikes("parse-error") {
        let node = Some((3, "model.2/conv".to_owned(), "Conv".to_owned()));
        let why = "Assertion failed: kernel weights must be constant".to_owned();
        this.data.errors.push(parser_error(node, &why));
        return false;
    }
    // As NVIDIA's does: nothing is a message, too.
    if bytes.is_empty() {
        return true;
    }
    match Graph::read(bytes) {
        Ok(graph) => {
            let methods = methods![tables().layer; name: layer_name];
            network.data.inputs = graph.inputs.iter().map(tensor).collect();
            network.data.outputs = graph.outputs.iter().map(tensor).collect();
            let layer = |(name, operator): &(String, String)| {
                let name = CString::new(name.as_str()).unwrap_or_default();
                Part::new::<Layer, _>(LayerData { name, operator: operator.clone() }, &methods)
            };
            network.data.layers = graph.nodes.iter().map(layer).collect();
            network.data.graph = Some(graph);
            true
        }
        Err(refusal) => {
            this.data.errors.push(parser_error(refusal.node, &refusal.why));
            false
        }
    }
}

extern "C" fn errors(this: &Body<ParserData>) -> i32 {
    count(&this.data.errors)
}

extern "C" fn error(this: &Body<ParserData>, index: i32) -> *mut c_void {
    part(&this.data.errors, index)
}

#[derive(Debug)]
struct ErrorData {
    node: i32,
    name: CString,
    operator: CString,
    why: CString,
}

fn parser_error(node: Option<(i32, String, String)>, why: &str) -> Part {
    let methods = methods![tables().parser_error; code: code, description: description, file: file,
        line: line, function: function, node: node_index, node_name: node_name, node_operator: node_operator];
    let text = |t: &str| CString::new(t).unwrap_or_default();
    let (node, name, operator) = node.unwrap_or((-1, String::new(), String::new()));
    let data = ErrorData { node, name: text(&name), operator: text(&operator), why: text(why) };
    Part::new::<ParserError, _>(data, &methods)
}

extern "C" fn code(_: &Body<ErrorData>) -> i32 {
    8
}

extern "C" fn description(this: &Body<ErrorData>) -> *const c_char {
    this.data.why.as_ptr()
}

extern "C" fn file(_: &Body<ErrorData>) -> *const c_char {
    c"double.cpp".as_ptr()
}

extern "C" fn line(_: &Body<ErrorData>) -> i32 {
    42
}

extern "C" fn function(_: &Body<ErrorData>) -> *const c_char {
    c"parse".as_ptr()
}

extern "C" fn node_index(this: &Body<ErrorData>) -> i32 {
    this.data.node
}

extern "C" fn node_name(this: &Body<ErrorData>) -> *const c_char {
    this.data.name.as_ptr()
}

extern "C" fn node_operator(this: &Body<ErrorData>) -> *const c_char {
    this.data.operator.as_ptr()
}
