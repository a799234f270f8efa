//! What can go wrong with CUDA, and what to do about it.

use std::ffi::CStr;

use cudarc::driver::result::DriverError;
use cudarc::driver::sys::CUresult;
use thiserror::Error;

use super::image::{DeviceFormat, DeviceImageError};

/// What can go wrong with CUDA.
#[derive(Debug, Error)]
pub enum CudaError {
    #[error("there is no libcuda.so.1, so no NVIDIA driver is installed here")]
    NoLibrary,
    #[error("the NVIDIA driver does not start: {text} (cuInit answers {code})")]
    Init { code: u32, text: String },
    #[error("the NVIDIA driver finds no GPU")]
    NoDevice,
    #[error("there is no GPU {ordinal}; the driver finds {count}")]
    NoSuchDevice { ordinal: usize, count: usize },
    #[error(
        "the NVIDIA driver is for CUDA {}.{}; at least 12.6 is needed, which JetPack 6 and drivers from 560 on have",
        .version / 1000, .version % 1000 / 10
    )]
    OldDriver { version: i32 },
    #[error("no device memory for {what}: {wanted} bytes wanted, {free} of {total} free")]
    OutOfMemory { what: &'static str, wanted: usize, free: usize, total: usize },
    #[error("CUDA: {doing}: {text} ({code})")]
    Call { doing: &'static str, code: u32, text: String },
    #[error("{what}: expected {expected}, given {given}")]
    Size { what: &'static str, expected: usize, given: usize },
    #[error("a batch of {given} frames; the slot takes 1 to {max}")]
    BatchSize { given: usize, max: usize },
    #[error("the slot has a batch in flight; wait for it first")]
    InFlight,
    #[error("the slot has no batch in flight")]
    Idle,
    #[error("the network could not be enqueued: {0}")]
    Enqueue(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("frames in {0:?} are not brought to the host; NV12 and P010 are")]
    Format(DeviceFormat),
    #[error(transparent)]
    Image(#[from] DeviceImageError),
    #[error("the tensor can't be made: {0}")]
    Preprocess(#[from] crate::preprocess::PreprocessError),
}

/// What a failure means for those who go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The context is dead, and every call fails from now on: only a new process helps.
    Sticky,
    /// Device memory: something else must go first, or less be asked for.
    OutOfMemory,
    /// This one work failed; the next may do.
    Transient,
    /// As things stand here it will never work.
    Unusable,
}

impl CudaError {
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NoLibrary
            | Self::Init { .. }
            | Self::NoDevice
            | Self::NoSuchDevice { .. }
            | Self::OldDriver { .. } => Class::Unusable,
            Self::OutOfMemory { .. } => Class::OutOfMemory,
            Self::Call { code, .. } => class_of(*code),
            Self::Size { .. }
            | Self::BatchSize { .. }
            | Self::InFlight
            | Self::Idle
            | Self::Enqueue(_)
            | Self::Format(_)
            | Self::Image(_)
            | Self::Preprocess(_) => Class::Transient,
        }
    }
}

/// By the driver API's documentation: what leaves "the process in an inconsistent state" is sticky.
fn class_of(code: u32) -> Class {
    match code {
        2 => Class::OutOfMemory,
        // Init, context and image: no device, wrong device, no binary or PTX too new for this driver.
        3 | 34 | 36 | 46 | 100..=102 | 200 | 201 | 209 | 218 | 221..=223 | 801 | 803 | 804 => Class::Unusable,
        // Deinitialized, ECC, NVLink, contained errors; illegal address, timeout, assert, stack, instruction,
        // alignment, address space, PC, launch failure; unknown.
        4 | 214 | 220 | 226..=228 | 700 | 702 | 709 | 710 | 714..=719 | 721 | 999 => Class::Sticky,
        _ => Class::Transient,
    }
}

pub(crate) trait While<T> {
    fn while_(self, doing: &'static str) -> Result<T, CudaError>;
}

impl<T> While<T> for Result<T, DriverError> {
    fn while_(self, doing: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| CudaError::Call { doing, code: error.0 as u32, text: words(error) })
    }
}

impl While<()> for CUresult {
    fn while_(self, doing: &'static str) -> Result<(), CudaError> {
        self.result().while_(doing)
    }
}

pub(super) fn words(error: DriverError) -> String {
    error
        .error_string()
        .map(CStr::to_string_lossy)
        .map_or_else(|_| "unknown error".into(), |t| t.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_class() {
        for (code, class) in [
            (1, Class::Transient),
            (2, Class::OutOfMemory),
            (100, Class::Unusable),
            (222, Class::Unusable),
            (700, Class::Sticky),
            (701, Class::Transient),
            (702, Class::Sticky),
            (719, Class::Sticky),
            (720, Class::Transient),
            (900, Class::Transient),
            (999, Class::Sticky),
        ] {
            let error = CudaError::Call { doing: "testing", code, text: String::new() };
            assert_eq!(error.class(), class, "{code}");
        }
    }
}
