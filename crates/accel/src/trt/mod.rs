//! TensorRT, found at run time: nothing of it is needed to build, no header and no C++ compiler.
//!
//! One program drives TensorRT 10.x (JetPack 6 and 7), 11.x and TensorRT-RTX 1.x through the binary interface
//! of their C++ classes. Three floors: `sys` knows layouts and the call through a slot, `result` calls that
//! can fail, `safe` owned types, which are all that is public. [`slots`] and [`flags`] are the data.
//!
//! What has run where: finding, parsing, building, progress, cancelling, caches and refusals on NVIDIA's real
//! TensorRT-RTX 1.4 and 1.7 without a GPU (`tests/trt_rtx.rs`); the loggers of 10.16 and 11.4, and their refusal without
//! a driver, on NVIDIA's lean runtimes (`tests/trt_lean.rs`); loading plans, contexts and inference, DLA and
//! calibration on the double of `doubles/nvinfer` only. Nothing of it has run on a GPU yet.

mod error;
pub mod flags;
mod result;
mod safe;
pub mod slots;
mod sys;
#[cfg(test)]
mod tests;

use std::ffi::c_void;

pub use error::{ParseError, TrtError};
pub use safe::{
    Builder, Config, Context, Driver, Engine, Flavour, Library, Network, Place, Plan, Profile, Runtime,
    RuntimeOptions, Shapes, TensorInfo, Version,
};
pub use sys::calibrator::Batches;
pub use sys::logger::Listener;
pub use sys::monitor::{Event as Progress, Go, Watcher};

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(u64);

        impl $name {
            /// # Safety
            /// The driver knows it, and it outlives the work that it is given to.
            #[allow(dead_code, reason = "made where CUDA's own types are, and in tests")]
            pub(crate) const unsafe fn from_raw(raw: u64) -> Self {
                Self(raw)
            }

            pub(crate) fn as_raw(self) -> *mut c_void {
                std::ptr::with_exposed_provenance_mut(usize::try_from(self.0).unwrap_or(0))
            }
        }
    };
}

opaque! {
    /// A CUDA stream.
    Stream
}
opaque! {
    /// An address in device memory.
    DevicePtr
}
opaque! {
    /// A CUDA event.
    Event
}
