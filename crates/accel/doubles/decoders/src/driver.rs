//! The double of libcuda, as another library of the same process sees it.

use std::ffi::{c_char, c_void};
use std::sync::OnceLock;

use libloading::Library;

#[repr(C)]
struct ArrayDescription {
    width: usize,
    height: usize,
    format: u32,
    channels: u32,
}

/// `CU_AD_FORMAT_UNSIGNED_INT8`.
const BYTES: u32 = 1;

/// What of it decoders need.
#[derive(Debug)]
pub struct Driver {
    host_address: extern "C" fn(u64, usize) -> *mut u8,
    array_address: extern "C" fn(usize) -> *mut u8,
    array_create: unsafe extern "C" fn(*mut usize, *const ArrayDescription) -> u32,
    array_destroy: unsafe extern "C" fn(usize) -> u32,
    egl_image: unsafe extern "C" fn(*const EglFrame) -> *mut c_void,
    egl_destroy: unsafe extern "C" fn(*mut c_void),
}

/// `CUeglFrame`.
#[repr(C)]
pub struct EglFrame {
    pub planes: [u64; 3],
    /// Width, height, depth, pitch, number of planes, channels, kind, colour format, array format, nothing.
    pub numbers: [u32; 10],
}

impl Driver {
    /// Nothing where there is no driver: then a decoder does not open.
    pub fn get() -> Option<&'static Self> {
        static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
        DRIVER.get_or_init(Self::load).as_ref()
    }

    fn load() -> Option<Self> {
        let library = library("libcuda.so.1")?;
        // SAFETY: these are the signatures of the double of libcuda.
        unsafe {
            Some(Driver {
                host_address: symbol(library, c"vigia_cuda_host_address")?,
                array_address: symbol(library, c"vigia_cuda_array_address")?,
                array_create: symbol(library, c"cuArrayCreate_v2")?,
                array_destroy: symbol(library, c"cuArrayDestroy")?,
                egl_image: symbol(library, c"vigia_cuda_egl_image")?,
                egl_destroy: symbol(library, c"vigia_cuda_egl_destroy")?,
            })
        }
    }

    /// Copies rows into device memory whose bytes start at `address`.
    pub fn write(&self, address: u64, pitch: usize, rows: &[&[u8]]) -> Option<()> {
        let row = rows.first()?.len();
        let to = (self.host_address)(address, pitch * (rows.len() - 1) + row);
        fill(to, pitch, rows)
    }

    /// An array of one byte per channel.
    pub fn array(&self, width: usize, height: usize, channels: u32) -> Option<usize> {
        let (mut array, of) = (0, ArrayDescription { width, height, format: BYTES, channels });
        // SAFETY: description and out parameter are locals.
        let code = unsafe { (self.array_create)(&raw mut array, &raw const of) };
        (code == 0).then_some(array)
    }

    pub fn write_array(&self, array: usize, rows: &[&[u8]]) -> Option<()> {
        fill((self.array_address)(array), rows.first()?.len(), rows)
    }

    pub fn free_array(&self, array: usize) {
        // SAFETY: a handle that it gave; it refuses others.
        unsafe { (self.array_destroy)(array) };
    }

    pub fn egl_image(&self, frame: &EglFrame) -> *mut c_void {
        // SAFETY: a frame.
        unsafe { (self.egl_image)(frame) }
    }

    pub fn free_egl_image(&self, image: *mut c_void) {
        // SAFETY: it made it.
        unsafe { (self.egl_destroy)(image) };
    }
}

fn fill(to: *mut u8, pitch: usize, rows: &[&[u8]]) -> Option<()> {
    if to.is_null() {
        return None;
    }
    for (at, row) in rows.iter().enumerate() {
        // SAFETY: the driver found that so many rows of this pitch are allocated there, or they are those of an array;
        // nobody reads a surface that is not handed out.
        unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), to.add(at * pitch), row.len()) };
    }
    Some(())
}

/// Stays loaded.
pub fn library(name: &str) -> Option<&'static Library> {
    // SAFETY: libraries of the test's environment, whose initialisers may run at any time.
    unsafe { Library::new(name) }.ok().map(|l| &*Box::leak(Box::new(l)))
}

/// # Safety
/// `T` is the symbol's type.
pub unsafe fn symbol<T: Copy>(library: &'static Library, name: &std::ffi::CStr) -> Option<T> {
    const _: () = assert!(size_of::<c_char>() == 1);
    // SAFETY: the caller's promise.
    unsafe { library.get::<T>(name) }.ok().map(|s| *s)
}
