//! Where `NvBufSurface` has its fields, according to NVIDIA's own library (DeepStream 9, in system memory).

#[path = "support/double.rs"]
mod double;

use std::ffi::{CString, c_void};
use std::process::Command;

use double::on_double;
use vigia_accel::cuda::nvbuf::{HEADER_BYTES, Memory, PARAMS_BYTES, Surface, params_address};
use vigia_accel::cuda::{DeviceFormat, Gpu};
use vigia_accel::preprocess::{Matrix, Range};

/// `NvBufSurfaceCreateParams` of nvbufsurface.h.
#[repr(C)]
struct Create {
    gpu: u32,
    width: u32,
    height: u32,
    size: u32,
    contiguous: bool,
    colour_format: u32,
    layout: u32,
    memory: u32,
}

const SYSTEM: u32 = 6;

#[test]
fn the_fields_are_where_the_library_has_them() {
    on_double(&[], || {
        let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch_nvbufsurface.py");
        let fetched = Command::new("python3").arg(fetch).env_remove("LD_LIBRARY_PATH").output();
        let fetched = fetched.expect("python3 is among what setup.sh installs");
        if fetched.status.code() == Some(3) {
            eprintln!("SKIPPED: NVIDIA's libnvbufsurface is not here and PyPI can't be reached");
            return;
        }
        assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
        let folder = String::from_utf8(fetched.stdout).expect("a path of ours");
        // It links to libcuda, which must be there first.
        let _gpu = Gpu::open(0).expect("the double is there");
        let open = |name: &str| {
            let path = CString::new(format!("{}/{name}", folder.trim())).expect("no NUL");
            // SAFETY: libraries of NVIDIA's, whose initialisers need nothing of us.
            let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
            assert!(!library.is_null(), "{name} can't be loaded");
            library
        };
        open("libcudart.so.13");
        open("libnvbuf_fdmap.so");
        let library = open("libnvbufsurface.so");
        for (format, size, colours) in [
            (6, (640, 360), (Matrix::Bt601, Range::Limited)),
            (7, (1280, 720), (Matrix::Bt601, Range::Full)),
            (33, (1920, 1080), (Matrix::Bt709, Range::Limited)),
        ] {
            let (width, height) = size;
            let mut create = Create {
                gpu: 0,
                width,
                height,
                size: 0,
                contiguous: false,
                colour_format: format,
                layout: 0,
                memory: SYSTEM,
            };
            let mut surface: *mut c_void = std::ptr::null_mut();
            // SAFETY: this is the signature of nvbufsurface.h, and the surface is read while it lives.
            let parsed = unsafe {
                let make = libc::dlsym(library, c"NvBufSurfaceCreate".as_ptr());
                let make: unsafe extern "C" fn(*mut *mut c_void, u32, *mut Create) -> i32 =
                    std::mem::transmute(make);
                assert_eq!(make(&raw mut surface, 1, &raw mut create), 0, "NvBufSurfaceCreate");
                let header = std::slice::from_raw_parts_mut(surface.cast::<u8>(), HEADER_BYTES);
                // Whoever fills it says so.
                header[8] = 1;
                let params = params_address(header).expect("it has buffers") as *const u8;
                Surface::parse(header, std::slice::from_raw_parts(params, PARAMS_BYTES))
            };
            let surface = parsed.expect("it agrees with itself");
            assert!(matches!(surface.memory, Memory::System(address) if address > 0xffff));
            let l = surface.layout;
            assert_eq!((l.format, l.width, l.height), (DeviceFormat::Nv12, width, height));
            assert_eq!(((l.matrix, l.range), surface.block_linear), (colours, false));
            assert!(l.pitches[0] >= width as usize && l.offsets[1] >= l.pitches[0] * height as usize);
        }
    });
}
