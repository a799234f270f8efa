//! A double of libcuda: what `dlopen("libcuda.so.1")` finds in tests on machines without a GPU.
//!
//! Unmodified cudarc loads it, gives it the PTX that ships, finds kernels by name and launches them; what runs
//! is the same source, built for the host ([`module`]). It tells right from wrong where a fast GPU would hide it:
//!
//! - Device addresses are not host addresses ([`memory`]); fresh memory holds garbage, freed memory is gone.
//! - Streams are threads with a queue each ([`stream`]). With `VIGIA_CUDA_DELAY=1` nothing that was enqueued runs
//!   until somebody waits for it, so that a missing wait always shows.
//! - Captures refuse what real ones refuse ([`capture`]).
//! - Each call is counted, and what is alive ([`count`]).
//! - It fails on demand ([`options`]).
//! - It stands for NVIDIA's management library, too ([`nvml`]).
//!
//! It does not know: more than one device or context, peer access, memory pools, modules with globals.

#![allow(non_snake_case, reason = "the names of the driver's functions")]
#![allow(clippy::missing_safety_doc, reason = "the contracts are those of the CUDA driver API")]

pub mod api;
pub mod capture;
pub mod count;
mod driver;
mod egl;
mod event;
pub mod memory;
pub mod module;
pub mod nvml;
mod op;
pub mod options;
pub mod stream;
mod texture;

/// A `CUresult`.
type Code = u32;
type Answer<T = ()> = Result<T, Code>;

/// Numbers of `CUresult`, by the names of the header.
mod code {
    pub const INVALID_VALUE: u32 = 1;
    pub const OUT_OF_MEMORY: u32 = 2;
    pub const NOT_INITIALIZED: u32 = 3;
    pub const NO_DEVICE: u32 = 100;
    pub const INVALID_DEVICE: u32 = 101;
    pub const INVALID_IMAGE: u32 = 200;
    pub const INVALID_CONTEXT: u32 = 201;
    pub const UNSUPPORTED_PTX_VERSION: u32 = 222;
    pub const INVALID_HANDLE: u32 = 400;
    pub const NOT_FOUND: u32 = 500;
    pub const NOT_READY: u32 = 600;
    pub const ILLEGAL_ADDRESS: u32 = 700;
    pub const LAUNCH_OUT_OF_RESOURCES: u32 = 701;
    pub const NOT_PERMITTED: u32 = 800;
    pub const NOT_SUPPORTED: u32 = 801;
    pub const CAPTURE_UNSUPPORTED: u32 = 900;
    pub const CAPTURE_INVALIDATED: u32 = 901;
    pub const ILLEGAL_STATE: u32 = 401;
    pub const CAPTURE_ISOLATION: u32 = 905;
    pub const CAPTURE_IMPLICIT: u32 = 906;
    pub const CAPTURED_EVENT: u32 = 907;
}
