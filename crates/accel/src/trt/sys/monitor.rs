//! `IProgressMonitor`, the same in all eras: how far a build is, and the way to end it.

use std::ffi::{c_char, c_void};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{InterfaceInfo, Vtable, language, no_destructor, text};

/// What happens during a build. Phases nest; several run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A phase begins, inside of `parent` unless it is the top one.
    Start { phase: &'a str, parent: Option<&'a str>, steps: u32 },
    /// Step `step`, counted from nought, is complete.
    Step { phase: &'a str, step: u32 },
    /// The phase is over, be it early.
    Finish { phase: &'a str },
}

/// Whether the build goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    On,
    Cancel,
}

/// Hears of progress, on whatever thread the builder works; the answer to a step may end the build.
pub type Watcher = dyn Fn(Event<'_>) -> Go + Send + Sync;

/// The C++ object.
#[repr(C)]
pub struct Monitor {
    vtable: Vtable,
    watcher: Arc<Watcher>,
    cancelled: AtomicBool,
}

// SAFETY: the vtable is constant, the watcher is Sync.
unsafe impl Sync for Monitor {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Monitor {}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

struct Table([*const c_void; 7]);
// SAFETY: constant addresses of functions.
unsafe impl Sync for Table {}

static TABLE: Table = Table([
    language as *const c_void,
    info as *const c_void,
    no_destructor as *const c_void,
    no_destructor as *const c_void,
    phase_start as *const c_void,
    step_complete as *const c_void,
    phase_finish as *const c_void,
]);

impl Monitor {
    pub fn new(watcher: Arc<Watcher>) -> Box<Self> {
        Box::new(Self { vtable: TABLE.0.as_ptr(), watcher, cancelled: AtomicBool::new(false) })
    }

    /// What the library is given. It must not use it for longer than the monitor lives.
    pub(in crate::trt) fn as_object(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Whether any answer was to end the build.
    pub(in crate::trt) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// A watcher that panics ends the build: a panic must not cross into C++.
    fn tell(&self, event: Event<'_>) -> Go {
        let go = catch_unwind(AssertUnwindSafe(|| (self.watcher)(event))).unwrap_or(Go::Cancel);
        if go == Go::Cancel {
            self.cancelled.store(true, Ordering::Release);
        }
        go
    }
}

extern "C" fn info(_: *const c_void) -> InterfaceInfo {
    InterfaceInfo::first(c"IProgressMonitor")
}

fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

extern "C" fn phase_start(this: *mut Monitor, phase: *const c_char, parent: *const c_char, steps: i32) {
    // SAFETY: called with the object we gave, which outlives the build, and with C strings or null.
    let (monitor, phase, parent) = unsafe { (&*this, text(phase), text(parent)) };
    let parent = (!parent.is_empty()).then_some(parent.as_str());
    monitor.tell(Event::Start { phase: &phase, parent, steps: count(steps) });
}

extern "C" fn step_complete(this: *mut Monitor, phase: *const c_char, step: i32) -> bool {
    // SAFETY: as in `phase_start`.
    let (monitor, phase) = unsafe { (&*this, text(phase)) };
    monitor.tell(Event::Step { phase: &phase, step: count(step) });
    // Steps are the only way to end a build; what was said at a start or finish takes effect here.
    !monitor.cancelled()
}

extern "C" fn phase_finish(this: *mut Monitor, phase: *const c_char) {
    // SAFETY: as in `phase_start`.
    let (monitor, phase) = unsafe { (&*this, text(phase)) };
    monitor.tell(Event::Finish { phase: &phase });
}
