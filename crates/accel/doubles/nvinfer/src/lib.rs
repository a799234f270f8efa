//! A double of TensorRT: `libnvinfer.so.10`, `.so.11` or `libtensorrt_rtx.so.1` and the parser, as far as vigia uses
//! them, for machines without a GPU. Never ships.
//!
//! Its vtables come from the tables of [`vigia_accel::trt::slots`]; an entry that nobody wrote ends the process and
//! says which it was. Networks are run by rten on the CPU, on the caller's stream, so that outputs are those of the
//! CPU engine. What it can't show: speed, memory, and whether the tables are right (NVIDIA's own libraries and
//! headers show that).
//!
//! The name it is loaded under decides the release, or a file `version` beside it (`10.16.0`, `11.4.0`, `rtx1.4.0`), or
//! `VIGIA_NVINFER_VERSION`. `VIGIA_NVINFER_FAULTS` holds faults, separated by commas; with a number they strike that often,
//! with `N+M` after they were spared N times (`N+`: for ever after):
//!
//! | fault | effect |
//! |---|---|
//! | `bogus-runtime` | 0x228 instead of a runtime, as without a driver |
//! | `complain` | an ERROR while the runtime is made, which then is there |
//! | `null-builder` | no builder |
//! | `parse-error` | a node is refused, with name and operator |
//! | `slow=MS` | milliseconds per step of a build |
//! | `dla=N` | so many DLA cores |
//! | `wrong-shape` | outputs one longer than the model says |
//! | `null-context` | out of memory for a context |
//! | `enqueue-false` | an inference is not started |
//! | `nan` | outputs that are no numbers |
//! | `growth=BYTES` | memory lost with each inference |
//! | `host-memory` | addresses are the host's; no driver is needed |

mod build;
mod cuda;
mod engine;
mod model;
mod network;
mod object;
mod plan;
mod run;
mod settings;
mod speak;

use std::ffi::c_void;
use std::sync::atomic::Ordering;

pub use settings::vigia_double_faults;

/// `nvinfer1::Dims64`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Dims {
    count: i32,
    sizes: [i64; 8],
}

impl Dims {
    /// What is answered for a tensor that is not known.
    const UNKNOWN: Self = Self { count: -1, sizes: [0; 8] };

    fn of(sizes: &[i64]) -> Self {
        let mut dims = Self { count: i32::try_from(sizes.len()).unwrap_or(-1), sizes: [0; 8] };
        dims.sizes[..sizes.len()].copy_from_slice(sizes);
        dims
    }

    fn list(&self) -> Vec<i64> {
        self.sizes[..usize::try_from(self.count).unwrap_or(0)].to_vec()
    }
}

/// The release, as the real libraries say it.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibVersion() -> i32 {
    settings::version().1
}

/// A runtime.
#[unsafe(no_mangle)]
pub extern "C" fn createInferRuntime_INTERNAL(logger: *mut c_void, _: i32) -> *mut c_void {
    build::introduce(logger);
    run::create_runtime(logger)
}

/// A builder.
#[unsafe(no_mangle)]
pub extern "C" fn createInferBuilder_INTERNAL(logger: *mut c_void, _: i32) -> *mut c_void {
    build::introduce(logger);
    build::create_builder(logger)
}

/// The parser's release.
#[unsafe(no_mangle)]
pub extern "C" fn getNvOnnxParserVersion() -> i32 {
    settings::version().1
}

/// A parser for `network`.
#[unsafe(no_mangle)]
pub extern "C" fn createNvOnnxParser_INTERNAL(
    network: *mut c_void,
    _: *mut c_void,
    version: i32,
) -> *mut c_void {
    assert_eq!(version, getNvOnnxParserVersion(), "the parser is given its own number");
    network::create_parser(network)
}

/// How many objects were made and not destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn vigia_double_live() -> i64 {
    object::LIVE.load(Ordering::SeqCst)
}
