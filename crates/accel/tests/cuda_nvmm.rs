//! Surfaces of Jetson's decoder, on doubles of libcuda, libEGL and libnvbufsurface.
#![cfg(feature = "surface")]

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Arc;

use count::{count, symbol};
use cudarc::driver::{result, sys};
use double::on_jetson;
use picture::{Picture, plain, tensors};
use vigia_accel::cuda::nvmm::{Nvmm, NvmmError};
use vigia_accel::cuda::{DeviceFormat, Gpu};
use vigia_accel::preprocess::{Align, Matrix, Preprocessor, Range};

const SIZE: (u32, u32) = (192, 108);
const EGL_IMAGE: usize = 312;

/// How CUDA sees a surface.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Arrays = 0,
    Rows = 1,
}

/// A decoder's pool of one surface, which lives for ever.
struct Pool {
    params: &'static mut [u64],
    surface: &'static mut [u64],
}

fn put(words: &mut [u64], at: usize, value: u32) {
    let shift = 8 * (at % 8);
    words[at / 8] = words[at / 8] & !(0xffff_ffff << shift) | u64::from(value) << shift;
}

impl Pool {
    fn new(memory: u32, block_linear: bool) -> Self {
        let (params, surface) = (vec![0; 416 / 8].leak(), vec![0; 64 / 8].leak());
        for (at, value) in [(4, 4), (8, 1), (16, memory)] {
            put(surface, at, value);
        }
        surface[3] = params.as_ptr() as u64;
        let (width, height) = SIZE;
        for (at, value) in [(0, width), (4, height), (8, 256), (12, 33), (16, block_linear.into()), (24, 42)]
        {
            put(params, at, value);
        }
        let (luma, chroma) = (256 * height, 256 * height / 2);
        for (at, value) in [(32, luma + chroma), (48, 2), (52, width), (56, width / 2), (68, height)] {
            put(params, at, value);
        }
        for (at, value) in [(72, height / 2), (84, 256), (88, 256), (104, luma), (116, luma), (120, chroma)] {
            put(params, at, value);
        }
        put(params, 132, 1);
        put(params, 136, 2);
        Pool { params, surface }
    }

    /// The buffer as the decoder pushes it: its memory is the structure.
    fn buffer(&self) -> gst::Buffer {
        let bytes: &[u8] = {
            let (at, len) = (self.surface.as_ptr().cast::<u8>(), 8 * self.surface.len());
            // SAFETY: the words live for ever, and are only read from now on.
            unsafe { std::slice::from_raw_parts(at, len) }
        };
        gst::Buffer::from_slice(bytes)
    }

    fn set_image(&mut self, image: *mut c_void) {
        self.params[EGL_IMAGE / 8] = image as u64;
    }
}

/// An EGL image of a picture, as the decoder left it.
fn egl_image(picture: &Picture, kind: Kind, size: (u32, u32)) -> *mut c_void {
    let (width, height) = SIZE;
    let mut planes = [0; 3];
    for (plane, address) in planes.iter_mut().enumerate().take(2) {
        let (row, rows) = picture.layout.format.plane_size(plane, width, height);
        let bytes = &picture.bytes[picture.layout.offsets[plane]..][..row * rows];
        // SAFETY: sizes are those of the plane, and the calls wait; what they make lives for ever.
        *address = unsafe {
            if kind == Kind::Rows { rows_of(bytes, row, rows) } else { array_of(bytes, row, rows, plane) }
        };
    }
    let frame: (_, [u32; 10]) = (planes, [size.0, size.1, 0, 256, 2, 1, kind as u32, 0, 1, 0]);
    // SAFETY: the double exports it with this signature; the frame has the layout of CUeglFrame and more.
    unsafe {
        let make: unsafe extern "C" fn(*const c_void) -> *mut c_void =
            std::mem::transmute(symbol(c"vigia_cuda_egl_image"));
        make((&raw const frame).cast())
    }
}

/// Rows of 256 bytes on the device.
unsafe fn rows_of(bytes: &[u8], row: usize, rows: usize) -> u64 {
    let mut padded = vec![0; 256 * rows];
    for (to, from) in padded.chunks_mut(256).zip(bytes.chunks(row)) {
        to[..row].copy_from_slice(from);
    }
    // SAFETY: the caller's promise.
    unsafe {
        let address = result::malloc_sync(padded.len()).expect("it fits");
        result::memcpy_htod_sync(address, &padded).expect("it fits");
        address
    }
}

unsafe fn array_of(bytes: &[u8], row: usize, rows: usize, plane: usize) -> u64 {
    let channels = plane + 1;
    let description = sys::CUDA_ARRAY_DESCRIPTOR {
        Width: row / channels,
        Height: rows,
        Format: sys::CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8,
        NumChannels: if plane == 0 { 1 } else { 2 },
    };
    let mut array = std::ptr::null_mut();
    // SAFETY: the caller's promise; of the copy all that is not set is zero, which is "nothing special".
    unsafe {
        sys::cuArrayCreate_v2(&raw mut array, &raw const description).result().expect("it fits");
        let mut copy = MaybeUninit::<sys::CUDA_MEMCPY2D>::zeroed();
        let c = copy.as_mut_ptr();
        (*c).srcMemoryType = sys::CUmemorytype::CU_MEMORYTYPE_HOST;
        (*c).dstMemoryType = sys::CUmemorytype::CU_MEMORYTYPE_ARRAY;
        (*c).srcHost = bytes.as_ptr().cast();
        (*c).srcPitch = row;
        (*c).dstArray = array;
        (*c).WidthInBytes = row;
        (*c).Height = rows;
        sys::cuMemcpy2D_v2(c).result().expect("it fits");
    }
    array as u64
}

fn picture() -> Picture {
    Picture::noise(DeviceFormat::Nv12, SIZE, Matrix::Bt709, Range::Limited, 21)
}

fn matches_the_cpu(gpu: &Arc<Gpu>, nvmm: &mut Nvmm, buffer: &gst::Buffer) {
    let spec = plain(96, 96, Align::Centre);
    let image = nvmm.image(buffer).expect("it is a surface");
    let given = tensors(gpu, spec, &[image]).expect("it runs");
    let mut expected = vec![0.0; given.len()];
    Preprocessor::new(spec).expect("possible").run(&picture().image(), &mut expected).expect("it fits");
    let worst = given.iter().zip(&expected).map(|(g, e)| (g - e).abs()).fold(0.0, f32::max);
    assert!(worst < 0.1, "{worst}");
}

fn surfaces_are_registered_once(kind: Kind) {
    on_jetson(|| {
        gst::init().expect("GStreamer is there");
        let gpu = Gpu::open(0).expect("the double is there");
        let mut nvmm = Nvmm::new(&gpu);
        let mut pool = Pool::new(4, kind == Kind::Arrays);
        pool.set_image(egl_image(&picture(), kind, SIZE));
        // What counts is the pitch that CUDA says, and another one is no other surface.
        put(pool.params, 84, 224);
        for _ in 0..5 {
            matches_the_cpu(&gpu, &mut nvmm, &pool.buffer());
        }
        let textures = if kind == Kind::Arrays { 2 } else { 0 };
        assert_eq!((count("cuGraphicsEGLRegisterImage"), count("NvBufSurfaceMapEglImage")), (1, 1));
        assert_eq!(count("live:texture"), textures);
        // A frame in flight keeps its surface, and the pool may change meanwhile.
        let held = nvmm.image(&pool.buffer()).expect("it is known");
        assert!(!nvmm.is_held(), "its pool is there");
        nvmm.forget();
        assert!(nvmm.is_held());
        assert_eq!((count("live:registered"), count("live:egl")), (1, 1));
        drop(held);
        assert!(!nvmm.is_held());
        assert_eq!((count("live:registered"), count("live:egl"), count("live:texture")), (0, 0, 0));
        matches_the_cpu(&gpu, &mut nvmm, &pool.buffer());
        // One that does not come back in time: nothing is done with a surface that may be gone.
        let late = nvmm.image(&pool.buffer()).expect("it is known");
        nvmm.forget();
        nvmm.abandon();
        assert!(!nvmm.is_held());
        drop(late);
        assert_eq!((count("live:registered"), count("live:egl"), count("live:texture")), (1, 1, 0));
        // Its pool's successor is another matter.
        matches_the_cpu(&gpu, &mut nvmm, &pool.buffer());
        drop(nvmm);
        assert_eq!((count("live:registered"), count("live:texture")), (1, 0));
    });
}

#[test]
fn surfaces_of_rows_are_registered_once() {
    surfaces_are_registered_once(Kind::Rows);
}

#[test]
fn block_linear_surfaces_are_registered_once() {
    surfaces_are_registered_once(Kind::Arrays);
}

/// As DeepStream's decoder gives them on a GPU with memory of its own.
#[test]
fn surfaces_of_cuda_memory_need_no_egl() {
    on_jetson(|| {
        gst::init().expect("GStreamer is there");
        let gpu = Gpu::open(0).expect("the double is there");
        let mut nvmm = Nvmm::new(&gpu);
        let pool = Pool::new(2, false);
        let picture = picture();
        let mut bytes = Vec::new();
        for plane in 0..2 {
            let (row, rows) = picture.layout.format.plane_size(plane, SIZE.0, SIZE.1);
            for from in picture.bytes[picture.layout.offsets[plane]..].chunks(row).take(rows) {
                bytes.extend(from);
                bytes.extend([0; 64]);
            }
        }
        // SAFETY: one row is as long as 256 bytes, and so is the padded one; the call waits.
        pool.params[5] = unsafe { rows_of(&bytes, 256, bytes.len() / 256) };
        matches_the_cpu(&gpu, &mut nvmm, &pool.buffer());
        assert_eq!(count("NvBufSurfaceMapEglImage"), 0);
        // Its pool's end waits for it all the same.
        let held = nvmm.image(&pool.buffer()).expect("it is a surface");
        nvmm.forget();
        assert!(nvmm.is_held());
        drop(held);
        assert!(!nvmm.is_held());
    });
}

#[test]
fn what_is_no_surface_is_refused() {
    on_jetson(|| {
        gst::init().expect("GStreamer is there");
        let gpu = Gpu::open(0).expect("the double is there");
        let mut nvmm = Nvmm::new(&gpu);
        let mut refused = |pool: &Pool| nvmm.image(&pool.buffer()).expect_err("it is none").to_string();
        assert_eq!(refused(&Pool::new(4, true)), "EGL does not map the surface");
        let system = Pool::new(6, false);
        system.params[5] = 0x1000;
        assert_eq!(refused(&system), "the frame is in system memory, not on the device");
        let mut small = Pool::new(4, true);
        small.set_image(egl_image(&picture(), Kind::Arrays, (96, 54)));
        assert_eq!(
            refused(&small),
            "CUDA sees the surface as 96x54 in 2 planes of kind 0; the surface's own size in two planes is expected"
        );
        assert_eq!((count("live:registered"), count("live:egl")), (0, 0), "what failed is undone");
        let short = gst::Buffer::from_slice([0_u8; 8]);
        assert!(matches!(nvmm.image(&short), Err(NvmmError::Surface(_))));
    });
}
