//! Calls back: the logger, the progress monitor and the calibrator that a program gave, as C++ would call them.

use std::ffi::{CStr, CString, c_char, c_void};

use crate::object::Entry;
use crate::settings;

pub const ERROR: i32 = 1;
pub const INFO: i32 = 3;

/// An object of the program's.
#[derive(Debug, Clone, Copy)]
pub struct Theirs(*mut c_void);

#[repr(C)]
struct InterfaceInfo {
    kind: *const c_char,
    major: i32,
    minor: i32,
}

// SAFETY: the program promises that its objects may be called from any thread.
unsafe impl Send for Theirs {}

impl Theirs {
    pub fn new(object: *mut c_void) -> Option<Self> {
        (!object.is_null()).then_some(Self(object))
    }

    /// # Safety
    /// The object has a method with this signature there.
    unsafe fn method<F: Copy>(self, slot: usize) -> F {
        const { assert!(size_of::<F>() == size_of::<Entry>()) };
        // SAFETY: the caller's promise; objects begin with their vtable.
        unsafe { std::mem::transmute_copy(&*(*self.0.cast::<*const Entry>()).add(slot)) }
    }

    /// Checks what a versioned interface says of itself.
    fn check(self, kind: &CStr) {
        type Info = extern "C" fn(*const c_void) -> InterfaceInfo;
        type Language = extern "C" fn(*const c_void) -> i32;
        // SAFETY: the first two methods of every versioned interface.
        let (language, info) =
            unsafe { (self.method::<Language>(0)(self.0), self.method::<Info>(1)(self.0)) };
        // SAFETY: a constant string of the program's.
        let said = unsafe { CStr::from_ptr(info.kind) };
        assert_eq!(
            (language, said, info.major, info.minor),
            (0, kind, 1, 0),
            "not the interface it should be"
        );
    }

    pub fn log(self, severity: i32, message: &str) {
        type Log = extern "C" fn(*mut c_void, i32, *const c_char);
        let versioned = settings::version().0.versioned_logger();
        if versioned {
            self.check(c"ILogger");
        }
        let message = CString::new(message).unwrap_or_default();
        // SAFETY: the place of `log` in either kind of logger.
        unsafe { self.method::<Log>(if versioned { 4 } else { 0 })(self.0, severity, message.as_ptr()) };
    }

    pub fn phase_start(self, phase: &CStr, parent: Option<&CStr>, steps: i32) {
        type Start = extern "C" fn(*mut c_void, *const c_char, *const c_char, i32);
        self.check(c"IProgressMonitor");
        let parent = parent.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: the fifth method of a monitor.
        unsafe { self.method::<Start>(4)(self.0, phase.as_ptr(), parent, steps) };
    }

    pub fn step_complete(self, phase: &CStr, step: i32) -> bool {
        type Step = extern "C" fn(*mut c_void, *const c_char, i32) -> bool;
        // SAFETY: the sixth method of a monitor.
        unsafe { self.method::<Step>(5)(self.0, phase.as_ptr(), step) }
    }

    pub fn phase_finish(self, phase: &CStr) {
        type Finish = extern "C" fn(*mut c_void, *const c_char);
        // SAFETY: the seventh method of a monitor.
        unsafe { self.method::<Finish>(6)(self.0, phase.as_ptr()) };
    }

    /// Calibrates as the builder does: with the cache if there is one, else with all batches. Gives how many.
    pub fn calibrate(self, inputs: &[CString]) -> usize {
        type Size = extern "C" fn(*const c_void) -> i32;
        type Batch = extern "C" fn(*mut c_void, *mut *mut c_void, *const *const c_char, i32) -> bool;
        type Read = extern "C" fn(*mut c_void, *mut usize) -> *const c_void;
        type Write = extern "C" fn(*mut c_void, *const c_void, usize);
        type Algorithm = extern "C" fn(*mut c_void) -> i32;
        self.check(c"IInt8EntropyCalibrator2");
        // SAFETY: the methods of a calibrator from the fifth on.
        let (size, batch, read, write, algorithm) = unsafe {
            (
                self.method::<Size>(4),
                self.method::<Batch>(5),
                self.method::<Read>(6),
                self.method::<Write>(7),
                self.method::<Algorithm>(8),
            )
        };
        assert_eq!(algorithm(self.0), 2, "entropy calibration, second version");
        let mut length = 0;
        if !read(self.0, &raw mut length).is_null() && length > 0 {
            return 0;
        }
        let names: Vec<_> = inputs.iter().map(|n| n.as_ptr()).collect();
        let mut bindings = vec![std::ptr::null_mut(); names.len()];
        let mut batches = 0;
        while batch(self.0, bindings.as_mut_ptr(), names.as_ptr(), i32::try_from(names.len()).unwrap_or(0)) {
            assert!(bindings.iter().all(|b| !b.is_null()), "each input has its batch");
            batches += 1;
        }
        let found = format!("{batches} batches of {}", size(self.0));
        write(self.0, found.as_ptr().cast(), found.len());
        batches
    }
}
