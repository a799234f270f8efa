//! What the double of libcuda has counted in this process.

use std::ffi::{CStr, CString};

/// A function that only the double has.
pub fn symbol(name: &CStr) -> *mut libc::c_void {
    // SAFETY: the library is loaded already, by cudarc, and stays; the names are C strings.
    let found = unsafe {
        let library = libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
        assert!(!library.is_null(), "open a GPU first");
        libc::dlsym(library, name.as_ptr())
    };
    assert!(!found.is_null(), "{name:?}: is this the double?");
    found
}

/// How often something happened, or how much is alive: names as in the double's `count.rs`.
pub fn count(name: &str) -> u64 {
    type Count = unsafe extern "C" fn(*const libc::c_char) -> u64;
    let name = CString::new(name).expect("no NUL");
    // SAFETY: the double exports it with this signature.
    unsafe { std::mem::transmute::<*mut libc::c_void, Count>(symbol(c"vigia_cuda_count"))(name.as_ptr()) }
}

/// Forgets what happened, not what is alive.
#[allow(dead_code, reason = "not every test that has this module needs it")]
pub fn reset() {
    // SAFETY: the double exports it with this signature.
    unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn()>(symbol(c"vigia_cuda_reset"))() }
}
