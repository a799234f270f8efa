//! `ILogger` in both eras: the library's messages go to a closure.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::{InterfaceInfo, Vtable, language, no_destructor, text};
use crate::trt::flags::Severity;
use crate::trt::slots::Era;

/// Takes a message; called on whatever thread the library speaks from.
pub type Listener = dyn Fn(Severity, &str) + Send + Sync;

/// Errors kept for the next failing call; more are counted by the listener only.
const KEPT_MAX: usize = 8;

/// Longer messages are cut: they quote whole graphs.
const MESSAGE_MAX: usize = 2_000;

thread_local! {
    static HEARD: Cell<usize> = const { Cell::new(0) };
}

/// The C++ object: its vtable first, the rest is ours.
#[repr(C)]
pub struct Logger {
    vtable: Vtable,
    listener: Arc<Listener>,
    errors: Mutex<Vec<String>>,
}

// SAFETY: the vtable is constant; the rest is Sync by itself. The library calls from many threads.
unsafe impl Sync for Logger {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Logger {}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").finish_non_exhaustive()
    }
}

/// A vtable may be shared: it holds addresses of functions only.
struct Table<const N: usize>([*const c_void; N]);
// SAFETY: constant addresses of functions.
unsafe impl<const N: usize> Sync for Table<N> {}

static PLAIN: Table<3> =
    Table([log as *const c_void, no_destructor as *const c_void, no_destructor as *const c_void]);

static VERSIONED: Table<5> = Table([
    language as *const c_void,
    info as *const c_void,
    no_destructor as *const c_void,
    no_destructor as *const c_void,
    log as *const c_void,
]);

impl Logger {
    /// A logger for ever: the library keeps the first one it is given in a global of its own.
    pub fn leak(era: Era, listener: Arc<Listener>) -> &'static Self {
        let vtable = if era.versioned_logger() { VERSIONED.0.as_ptr() } else { PLAIN.0.as_ptr() };
        Box::leak(Box::new(Self { vtable, listener, errors: Mutex::new(Vec::new()) }))
    }

    /// What the library is given.
    pub(in crate::trt) fn as_object(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// How many errors any logger heard on this thread: creations speak from the caller's.
    pub(in crate::trt) fn heard_here() -> usize {
        HEARD.get()
    }

    pub(in crate::trt) fn forget_errors(&self) {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The last errors, as one text; empty if there were none.
    pub(in crate::trt) fn take_errors(&self) -> String {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *errors).join("; ")
    }

    fn hear(&self, severity: Severity, message: &str) {
        if severity <= Severity::Error {
            HEARD.set(HEARD.get() + 1);
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            if errors.len() < KEPT_MAX {
                errors.push(message.chars().take(MESSAGE_MAX).collect());
            }
        }
        (self.listener)(severity, message);
    }
}

extern "C" fn info(_: *const c_void) -> InterfaceInfo {
    InterfaceInfo::first(c"ILogger")
}

extern "C" fn log(this: *mut Logger, severity: i32, message: *const c_char) {
    // SAFETY: the library calls with the object it was given, which lives for ever; the message is a C string
    // for the time of the call.
    let (logger, message) = unsafe { (&*this, text(message)) };
    // A panic must not cross into C++; the listener's failure is its own.
    let _ = catch_unwind(AssertUnwindSafe(|| logger.hear(Severity::of(severity), message.trim_end())));
}
