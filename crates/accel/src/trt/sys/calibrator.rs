//! `IInt8EntropyCalibrator2`, which 10.x has and later releases have not: pictures for finding the ranges of
//! eight-bit tensors. Has run against the double only: the real builder needs a GPU to calibrate.

use std::ffi::{c_char, c_void};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use super::{InterfaceInfo, Vtable, language, no_destructor, text};
use crate::trt::DevicePtr;

/// Where calibration takes its batches from.
pub trait Batches: Send {
    /// Images per batch; the same for all.
    fn size(&self) -> u32;
    /// Where the next batch of input `name` lies in device memory, until the next call; none if there are no more.
    fn next(&mut self, name: &str) -> Option<DevicePtr>;
    /// Ranges found before, if they still hold; then no batch is asked for.
    fn cached(&mut self) -> Option<Vec<u8>>;
    /// The ranges that were found, to be kept.
    fn found(&mut self, ranges: &[u8]);
}

/// `CalibrationAlgoType::kENTROPY_CALIBRATION_2`.
const ENTROPY_2: i32 = 2;

struct Inside {
    batches: Box<dyn Batches>,
    /// What the library reads the cache from.
    cache: Vec<u8>,
}

/// The C++ object.
#[repr(C)]
pub struct Calibrator {
    vtable: Vtable,
    inside: Mutex<Inside>,
}

// SAFETY: the vtable is constant, the rest is behind a lock.
unsafe impl Sync for Calibrator {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Calibrator {}

impl fmt::Debug for Calibrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calibrator").finish_non_exhaustive()
    }
}

struct Table([*const c_void; 9]);
// SAFETY: constant addresses of functions.
unsafe impl Sync for Table {}

static TABLE: Table = Table([
    language as *const c_void,
    info as *const c_void,
    no_destructor as *const c_void,
    no_destructor as *const c_void,
    batch_size as *const c_void,
    batch as *const c_void,
    read_cache as *const c_void,
    write_cache as *const c_void,
    algorithm as *const c_void,
]);

impl Calibrator {
    pub fn new(batches: Box<dyn Batches>) -> Box<Self> {
        let inside = Mutex::new(Inside { batches, cache: Vec::new() });
        Box::new(Self { vtable: TABLE.0.as_ptr(), inside })
    }

    /// What the library is given. It must not use it for longer than the calibrator lives.
    pub(in crate::trt) fn as_object(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Asks the source; one that panics has nothing to say.
    fn ask<T: Default>(&self, question: impl FnOnce(&mut Inside) -> T) -> T {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        catch_unwind(AssertUnwindSafe(|| question(&mut inside))).unwrap_or_default()
    }
}

extern "C" fn info(_: *const c_void) -> InterfaceInfo {
    InterfaceInfo::first(c"IInt8EntropyCalibrator2")
}

extern "C" fn batch_size(this: *const Calibrator) -> i32 {
    // SAFETY: called with the object we gave, which outlives the build.
    let calibrator = unsafe { &*this };
    calibrator.ask(|inside| i32::try_from(inside.batches.size()).unwrap_or(i32::MAX))
}

extern "C" fn batch(
    this: *mut Calibrator,
    bindings: *mut *mut c_void,
    names: *const *const c_char,
    count: i32,
) -> bool {
    // SAFETY: as in `batch_size`.
    let calibrator = unsafe { &*this };
    calibrator.ask(|inside| {
        (0..usize::try_from(count).unwrap_or(0)).all(|i| {
            // SAFETY: the library gives `count` names and room for as many addresses.
            let name = unsafe { text(*names.add(i)) };
            let Some(address) = inside.batches.next(&name) else { return false };
            // SAFETY: as above.
            unsafe { *bindings.add(i) = address.as_raw() };
            true
        })
    })
}

extern "C" fn read_cache(this: *mut Calibrator, length: *mut usize) -> *const c_void {
    // SAFETY: as in `batch_size`.
    let calibrator = unsafe { &*this };
    let (at, len) = calibrator.ask(|inside| {
        inside.cache = inside.batches.cached().unwrap_or_default();
        let at = if inside.cache.is_empty() { 0 } else { inside.cache.as_ptr() as usize };
        (at, inside.cache.len())
    });
    // SAFETY: a reference to a number in C++.
    unsafe { *length = len };
    std::ptr::with_exposed_provenance(at)
}

extern "C" fn write_cache(this: *mut Calibrator, at: *const c_void, length: usize) {
    if at.is_null() {
        return;
    }
    // SAFETY: as in `batch_size`; the library gives `length` bytes for the time of the call.
    let (calibrator, ranges) = unsafe { (&*this, std::slice::from_raw_parts(at.cast::<u8>(), length)) };
    calibrator.ask(|inside| inside.batches.found(ranges));
}

extern "C" fn algorithm(_: *mut Calibrator) -> i32 {
    ENTROPY_2
}
