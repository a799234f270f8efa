//! Jetson's way to a decoder's surface: `libnvbufsurface` maps it for EGL, CUDA registers the image. There is no EGL
//! here: an image is what a test says it is, and a surface has the one that the test wrote into its parameters.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use crate::driver::call;
use crate::{Code, code, count};

/// As `CUeglFrame` of cudaEGL.h.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct EglFrame {
    /// Device addresses or arrays.
    planes: [u64; 3],
    sizes: [u32; 4],
    plane_count: u32,
    channels: u32,
    kind: u32,
    formats: [u32; 2],
}

const _: () = assert!(size_of::<EglFrame>() == 64);

/// Makes an image that shows `frame` when it is registered. It lives for ever.
///
/// # Safety
/// `frame` points to a frame.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vigia_cuda_egl_image(frame: *const EglFrame) -> *mut c_void {
    // SAFETY: the caller's promise.
    let frame = unsafe { frame.read() };
    Box::into_raw(Box::new(frame)).cast()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphicsEGLRegisterImage(
    resource: *mut *mut c_void,
    image: *mut c_void,
    _flags: u32,
) -> Code {
    call("cuGraphicsEGLRegisterImage", |_| {
        if image.is_null() {
            return Err(code::INVALID_VALUE);
        }
        count::add("live:registered", 1);
        // SAFETY: an out parameter of the caller's.
        unsafe { *resource = image };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphicsResourceGetMappedEglFrame(
    frame: *mut EglFrame,
    resource: *mut c_void,
    _index: u32,
    _level: u32,
) -> Code {
    call("cuGraphicsResourceGetMappedEglFrame", |_| {
        // SAFETY: a resource is the image it was made of, which lives for ever; `frame` is an out parameter.
        unsafe { *frame = *resource.cast::<EglFrame>() };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphicsUnregisterResource(_resource: *mut c_void) -> Code {
    call("cuGraphicsUnregisterResource", |_| {
        count::less("live:registered", 1);
        Ok(())
    })
}

/// Ends an image's life with that of its surface: nobody may have it mapped or registered any more.
///
/// # Safety
/// `image` came from [`vigia_cuda_egl_image`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vigia_cuda_egl_destroy(image: *mut c_void) {
    if MAPPED.lock().unwrap_or_else(PoisonError::into_inner).contains(&(image as usize)) {
        count::add("egl:destroyed_while_mapped", 1);
    }
    GONE.lock().unwrap_or_else(PoisonError::into_inner).insert(image as usize);
}

/// Images that are mapped now, and those whose surface is gone.
static MAPPED: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
static GONE: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// In the parameters of a surface, which a surface points to.
const PARAMS: usize = 24;
const IMAGE: usize = 312;

/// # Safety
/// `surface` is one, whose parameters hold an image or null.
unsafe fn image_of(surface: *const u8) -> *const c_void {
    // SAFETY: the caller's promise.
    unsafe {
        let params = surface.add(PARAMS).cast::<*const u8>().read();
        params.add(IMAGE).cast::<*const c_void>().read()
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn NvBufSurfaceMapEglImage(surface: *const u8, _index: i32) -> i32 {
    count::add("NvBufSurfaceMapEglImage", 1);
    // SAFETY: the caller gives a surface, whose parameters hold an image or null.
    let image = unsafe { image_of(surface) };
    if image.is_null() {
        return -1;
    }
    MAPPED.lock().unwrap_or_else(PoisonError::into_inner).insert(image as usize);
    count::add("live:egl", 1);
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn NvBufSurfaceUnMapEglImage(surface: *const u8, _index: i32) -> i32 {
    // SAFETY: as above.
    let image = unsafe { image_of(surface) };
    if GONE.lock().unwrap_or_else(PoisonError::into_inner).contains(&(image as usize)) {
        count::add("egl:unmapped_when_gone", 1);
    }
    MAPPED.lock().unwrap_or_else(PoisonError::into_inner).remove(&(image as usize));
    count::less("live:egl", 1);
    0
}
