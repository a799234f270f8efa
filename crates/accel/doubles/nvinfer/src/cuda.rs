//! The driver that is loaded, be it NVIDIA's or a double: copies and host functions on the caller's stream, so
//! that an inference keeps its place there and can be captured into a graph.

use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::OnceLock;

use libloading::Library;

use crate::settings;

type Copy = unsafe extern "C" fn(*mut c_void, u64, usize, *mut c_void) -> i32;
type CopyBack = unsafe extern "C" fn(u64, *const c_void, usize, *mut c_void) -> i32;
pub type HostFunction = extern "C" fn(*mut c_void);
type Launch = unsafe extern "C" fn(*mut c_void, HostFunction, *mut c_void) -> i32;
type Allocate = unsafe extern "C" fn(*mut u64, usize) -> i32;
type AllocateHost = unsafe extern "C" fn(*mut *mut c_void, usize, u32) -> i32;
type FreeHost = unsafe extern "C" fn(*mut c_void) -> i32;

/// What is needed of `libcuda.so.1`.
#[derive(Debug)]
struct Driver {
    to_host: Copy,
    to_device: CopyBack,
    launch: Launch,
    allocate: Allocate,
    allocate_host: AllocateHost,
    free_host: FreeHost,
}

fn driver() -> Result<&'static Driver, String> {
    static DRIVER: OnceLock<Result<Driver, String>> = OnceLock::new();
    DRIVER.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Driver, String> {
    // SAFETY: the driver, by the name that every program loads it under.
    let library = unsafe { Library::new("libcuda.so.1") }.map_err(|e| e.to_string())?;
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: the signatures are those of cuda.h.
    unsafe {
        Ok(Driver {
            to_host: *library.get(c"cuMemcpyDtoHAsync_v2").map_err(|e| e.to_string())?,
            to_device: *library.get(c"cuMemcpyHtoDAsync_v2").map_err(|e| e.to_string())?,
            launch: *library.get(c"cuLaunchHostFunc").map_err(|e| e.to_string())?,
            allocate: *library.get(c"cuMemAlloc_v2").map_err(|e| e.to_string())?,
            allocate_host: *library.get(c"cuMemHostAlloc").map_err(|e| e.to_string())?,
            free_host: *library.get(c"cuMemFreeHost").map_err(|e| e.to_string())?,
        })
    }
}

/// Without a driver, for tests of the layer alone: addresses are the host's, and all is done at once.
fn host_memory() -> bool {
    settings::fault("host-memory").is_some()
}

fn answer(code: i32, what: &str) -> Result<(), String> {
    if code == 0 { Ok(()) } else { Err(format!("{what}: CUDA error {code}")) }
}

/// Copies device memory into `to`, when the stream comes to it.
///
/// # Safety
/// `to` stays where it is and is not touched until then; `from` holds as many bytes.
pub unsafe fn to_host(to: &mut [u8], from: u64, stream: *mut c_void) -> Result<(), String> {
    if host_memory() {
        let from = std::ptr::with_exposed_provenance(usize::try_from(from).unwrap_or(0));
        // SAFETY: the caller's promise; addresses are the host's.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        return Ok(());
    }
    // SAFETY: the caller's promise.
    answer(unsafe { (driver()?.to_host)(to.as_mut_ptr().cast(), from, to.len(), stream) }, "copying an input")
}

/// Copies `from` into device memory, when the stream comes to it.
///
/// # Safety
/// As of [`to_host`].
pub unsafe fn to_device(to: u64, from: &[u8], stream: *mut c_void) -> Result<(), String> {
    if host_memory() {
        let to = std::ptr::with_exposed_provenance_mut(usize::try_from(to).unwrap_or(0));
        // SAFETY: the caller's promise; addresses are the host's.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        return Ok(());
    }
    // SAFETY: the caller's promise.
    answer(
        unsafe { (driver()?.to_device)(to, from.as_ptr().cast(), from.len(), stream) },
        "copying an output",
    )
}

/// Has `function` called with `data` when the stream comes to it.
///
/// # Safety
/// `data` is what `function` expects, as long as the stream, or a graph made of it, may come there.
pub unsafe fn launch(function: HostFunction, data: *mut c_void, stream: *mut c_void) -> Result<(), String> {
    if host_memory() {
        function(data);
        return Ok(());
    }
    // SAFETY: the caller's promise.
    answer(unsafe { (driver()?.launch)(stream, function, data) }, "starting the network")
}

/// Memory of the host that the driver copies from and to in the stream's turn. From other memory it takes what lies there
/// when it is called.
#[derive(Debug)]
pub struct Staging {
    at: NonNull<u8>,
    len: usize,
    is_pinned: bool,
}

// SAFETY: it owns its bytes, and nothing of them belongs to a thread.
unsafe impl Send for Staging {}

impl Staging {
    pub fn new(len: usize) -> Result<Self, String> {
        if host_memory() {
            let bytes = NonNull::from(Box::leak(vec![0_u8; len].into_boxed_slice()));
            return Ok(Self { at: bytes.cast(), len, is_pinned: false });
        }
        let mut at = std::ptr::null_mut();
        // SAFETY: a place for an address; the flags ask for nothing special.
        answer(unsafe { (driver()?.allocate_host)(&raw mut at, len.max(1), 0) }, "allocating pinned memory")?;
        let at = NonNull::new(at.cast()).ok_or("allocating pinned memory: nothing came back")?;
        // SAFETY: the driver gave that many bytes.
        unsafe { std::ptr::write_bytes(at.as_ptr(), 0, len) };
        Ok(Self { at, len, is_pinned: true })
    }
}

impl Deref for Staging {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: it owns that many bytes, which were written.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl DerefMut for Staging {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_pinned {
            let bytes = std::ptr::slice_from_raw_parts_mut(self.at.as_ptr(), self.len);
            // SAFETY: a box's, as `new` made it.
            drop(unsafe { Box::from_raw(bytes) });
        } else if let Ok(driver) = driver() {
            // SAFETY: the driver gave it, and nobody has it any more.
            unsafe { (driver.free_host)(self.at.as_ptr().cast()) };
        }
    }
}

/// Takes memory that nobody gives back.
pub fn lose(bytes: usize) {
    let mut address = 0;
    match driver() {
        // SAFETY: a place for an address.
        Ok(driver) if !host_memory() => unsafe { _ = (driver.allocate)(&raw mut address, bytes) },
        _ => _ = Box::leak(vec![1_u8; bytes].into_boxed_slice()),
    }
}
