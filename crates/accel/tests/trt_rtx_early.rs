//! Our layer on NVIDIA's real TensorRT-RTX 1.4.
#[path = "support/nets.rs"]
mod nets;
#[path = "support/rtx.rs"]
mod rtx;

const RELEASE: &str = "1.4.0.76";
const MINOR: u32 = 4;
const CONVOLVES_INT8: bool = false;
