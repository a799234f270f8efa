//! Our layer on NVIDIA's real TensorRT-RTX 1.7.
#[path = "support/nets.rs"]
mod nets;
#[path = "support/rtx.rs"]
mod rtx;

const RELEASE: &str = "1.7.1.116";
const MINOR: u32 = 7;
const CONVOLVES_INT8: bool = true;
