//! What can go wrong with TensorRT, one sentence each.
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong with TensorRT.
#[derive(Debug, Error)]
pub enum TrtError {
    #[error("no TensorRT {}: {names} is looked for", .dir.as_ref().map_or("in the library path".into(), |d| format!("in {}", d.display())))]
    NotFound { dir: Option<PathBuf>, names: &'static str },
    #[error("{file} could not be loaded")]
    Load { file: String, source: libloading::Error },
    #[error("{file} is not TensorRT's: it has no {symbol}")]
    Symbol { file: String, symbol: &'static str, source: libloading::Error },
    #[error("{file} is TensorRT {found}; {known} can be used")]
    Version { file: String, found: String, known: &'static str },
    #[error("without a working NVIDIA driver TensorRT is not touched")]
    Driver(#[source] Box<dyn Error + Send + Sync>),
    #[error("{0} needs a checked driver")]
    Unchecked(&'static str),
    #[error("this TensorRT has no {class}::{method}")]
    Missing { class: &'static str, method: &'static str },
    #[error("TensorRT {version} has {what} no more; {instead}")]
    Gone { version: String, what: &'static str, instead: &'static str },
    #[error("TensorRT: {doing} failed{}", because(.said))]
    Call { doing: &'static str, said: String },
    #[error("the model was refused: {}", list(.0))]
    Parse(Vec<ParseError>),
    #[error(
        "a model of {0} bytes is more than the parser can read (2147483647); keep its weights in files beside it"
    )]
    Large(usize),
    #[error("the model has no output: it is empty, or no ONNX file")]
    Hollow,
    #[error("the build was cancelled")]
    Cancelled,
    #[error("`{0}` can't be a tensor's name: there is a zero in it")]
    Name(String),
    #[error("{0} dimensions are more than TensorRT has (8)")]
    Dimensions(usize),
    #[error("the engine has no tensor `{name}`; it has {has}")]
    NoTensor { name: String, has: String },
    #[error("tensor `{name}` is {found}, {expected} is expected")]
    Tensor { name: String, found: String, expected: String },
}

/// Why the parser refused a model, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The node's number in the graph, its name and operator, if the error belongs to one.
    pub node: Option<(u32, String, String)>,
    pub description: String,
    /// TensorRT's own source, for its maintainers.
    pub origin: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, name, operator)) = &self.node {
            write!(f, "node {number} `{name}` ({operator}): ")?;
        }
        write!(f, "{}", self.description)
    }
}

fn because(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn list(errors: &[ParseError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
