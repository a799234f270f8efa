//! What the environment asks for, read once by `cuInit`.
//!
//! | variable | meaning |
//! |---|---|
//! | `VIGIA_CUDA_DEVICE` | `h200` (9.0, the default), `orin` (8.7, integrated) or `none`: `cuInit` answers 100 |
//! | `VIGIA_CUDA_MEMORY` | bytes of device memory; beyond them allocations answer 2 |
//! | `VIGIA_CUDA_DELAY` | `1`: nothing runs until somebody waits for it |
//! | `VIGIA_CUDA_STICKY_AFTER` | the kernel after so many ends in error 700, and so does every call from then on |
//! | `VIGIA_CUDA_STICKY_FILE` | the first kernel after this file is there ends like that |
//! | `VIGIA_CUDA_FAIL_LAUNCH` | the launch of this number, from 1, answers 701 |
//! | `VIGIA_CUDA_NO_CAPTURE` | `1`: captures end as if something in them could not be captured |
//! | `VIGIA_CUDA_COUNTS` | a file that gets all counts when the process ends, one `name number` a line |
//! | `VIGIA_CUDA_DRIVER` | the CUDA version of the driver, 12060 by default |
//! | `VIGIA_CUDA_PTX` | the newest PTX ISA taken, times ten; 85 by default, as the drivers of JetPack 6 |

use std::env;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy)]
pub struct Device {
    pub name: &'static str,
    pub capability: (i32, i32),
    pub multiprocessors: i32,
    pub integrated: bool,
    pub memory_bytes: usize,
}

const H200: Device = Device {
    name: "double of an H200",
    capability: (9, 0),
    multiprocessors: 132,
    integrated: false,
    memory_bytes: 2 << 30,
};

const ORIN: Device = Device {
    name: "double of an Orin",
    capability: (8, 7),
    multiprocessors: 16,
    integrated: true,
    memory_bytes: 1 << 30,
};

#[derive(Debug, Clone)]
pub struct Options {
    pub device: Option<Device>,
    pub delay: bool,
    pub sticky_after: Option<u64>,
    pub sticky_file: Option<PathBuf>,
    pub fail_launch: Option<u64>,
    pub no_capture: bool,
    pub ptx: u32,
    pub version: i32,
}

impl Options {
    /// # Panics
    /// On what it does not understand: a test that asks for a fault and gets none would prove nothing.
    pub fn read() -> Self {
        let text = |name: &str| env::var(name).ok();
        let number =
            |name: &str| text(name).map(|t| t.parse::<u64>().unwrap_or_else(|e| panic!("{name}={t}: {e}")));
        let flag = |name: &str| match text(name).as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => panic!("{name}={other}: 0 or 1 is expected"),
        };
        let device = match text("VIGIA_CUDA_DEVICE").as_deref() {
            None | Some("h200") => Some(H200),
            Some("orin") => Some(ORIN),
            Some("none") => None,
            Some(other) => panic!("VIGIA_CUDA_DEVICE={other}: h200, orin or none is expected"),
        };
        let bytes = number("VIGIA_CUDA_MEMORY").map(|b| usize::try_from(b).expect("it fits"));
        let device = device.map(|d| Device { memory_bytes: bytes.unwrap_or(d.memory_bytes), ..d });
        Options {
            device,
            delay: flag("VIGIA_CUDA_DELAY"),
            sticky_after: number("VIGIA_CUDA_STICKY_AFTER"),
            sticky_file: env::var_os("VIGIA_CUDA_STICKY_FILE").map(PathBuf::from),
            fail_launch: number("VIGIA_CUDA_FAIL_LAUNCH"),
            no_capture: flag("VIGIA_CUDA_NO_CAPTURE"),
            ptx: number("VIGIA_CUDA_PTX").map_or(85, |n| u32::try_from(n).expect("it fits")),
            version: number("VIGIA_CUDA_DRIVER").map_or(12_060, |n| i32::try_from(n).expect("it fits")),
        }
    }
}
