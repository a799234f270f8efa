//! The fence of vigia: every line of unsafe code lives in this crate.
#[cfg(feature = "surface")]
pub mod colours;
pub mod cuda;
pub mod memory;
pub mod nvml;
pub mod openvino;
pub mod preprocess;
pub mod tensorrt;
pub mod trt;
