//! C++ objects out of the slot tables: every entry of a vtable is there, and those that nobody wrote end the
//! process with the name of what was called.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI64, Ordering};

use vigia_accel::trt::slots::{Class, Slot, Tables};

use crate::settings;

/// An entry of a vtable.
pub type Entry = *const c_void;

/// How many objects live.
pub static LIVE: AtomicI64 = AtomicI64::new(0);

/// What methods are called on: the vtable first, as C++ has it, the rest is ours.
#[repr(C)]
#[derive(Debug)]
pub struct Body<T> {
    table: *const Entry,
    class: &'static str,
    entries: Box<[Entry]>,
    pub data: T,
}

impl<T> Drop for Body<T> {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An object of the API: vtable, implementation. Its own vtable has two destructors and nothing else.
#[repr(C)]
struct Whole<T> {
    table: *const Entry,
    imp: *mut Body<T>,
    destructors: [Entry; 2],
    body: Body<T>,
}

/// The tables of the release that this library plays.
pub fn tables() -> &'static Tables {
    Tables::of(settings::version().0)
}

fn body<C: Class, T>(data: T, methods: &[(Slot, Entry)]) -> Body<T> {
    let mut entries: Box<[Entry]> = THUNKS.map(|f| f as Entry).into();
    for (slot, entry) in methods {
        if let Some(index) = slot.index {
            entries[index] = *entry;
        }
    }
    LIVE.fetch_add(1, Ordering::SeqCst);
    Body { table: entries.as_ptr(), class: C::NAME, entries, data }
}

/// Makes an object; whoever gets it destroys it through its vtable, or with [`free`].
pub fn make<C: Class, T>(data: T, methods: &[(Slot, Entry)]) -> *mut c_void {
    let class = C::of(tables());
    if C::DIRECT {
        let mut body = body::<C, T>(data, methods);
        // An error of the parser has no destructor that others may call.
        if class.destroy() != 0 {
            body.entries[class.destroy()] = destroy_direct::<T> as Entry;
        }
        return Box::into_raw(Box::new(body)).cast();
    }
    let mut whole = Box::new(Whole {
        table: std::ptr::null(),
        imp: std::ptr::null_mut(),
        destructors: [THUNKS[0] as Entry, destroy::<T> as Entry],
        body: body::<C, T>(data, methods),
    });
    whole.table = whole.destructors.as_ptr();
    whole.imp = &raw mut whole.body;
    Box::into_raw(whole).cast()
}

extern "C" fn destroy<T>(object: *mut c_void) {
    // SAFETY: `make` put this entry into the vtable of an object it made with the same type.
    drop(unsafe { Box::from_raw(object.cast::<Whole<T>>()) });
}

extern "C" fn destroy_direct<T>(object: *mut c_void) {
    // SAFETY: as in `destroy`.
    drop(unsafe { Box::from_raw(object.cast::<Body<T>>()) });
}

/// The inside of an object that came in as an argument.
///
/// # Safety
/// The caller of the interface says that it is a living object; its class is checked, its data are of type `T`.
pub unsafe fn inside<'a, C: Class, T>(object: *mut c_void) -> &'a mut Body<T> {
    // SAFETY: the caller's promise; direct objects are their own body.
    let body = unsafe {
        let at = if C::DIRECT { object.cast() } else { (*object.cast::<Whole<T>>()).imp };
        &mut *at
    };
    assert_eq!(body.class, C::NAME, "an argument is of another class");
    body
}

/// A part of another object, destroyed with it.
#[derive(Debug)]
pub struct Part {
    pub object: *mut c_void,
    free: extern "C" fn(*mut c_void),
}

impl Part {
    pub fn new<C: Class, T>(data: T, methods: &[(Slot, Entry)]) -> Self {
        let free = if C::DIRECT { destroy_direct::<T> } else { destroy::<T> };
        Self { object: make::<C, T>(data, methods), free }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        (self.free)(self.object);
    }
}

/// What a caller meets who takes the wrong slot.
extern "C" fn unwritten<const SLOT: usize>(this: *const Body<()>) {
    // SAFETY: methods are called on bodies; all begin alike.
    let class = unsafe { (*this).class };
    let known = tables().slots().into_iter().find(|s| s.class == class && s.index == Some(SLOT));
    let method = known.map_or("which is not in the table", |s| s.method);
    eprintln!("double of TensorRT: {class}, slot {SLOT}, {method}: nobody wrote it");
    std::process::abort();
}

type Thunk = extern "C" fn(*const Body<()>);

macro_rules! thunks {
    ($($tens:literal)*) => {
        [$(
            unwritten::<{ $tens * 10 }>, unwritten::<{ $tens * 10 + 1 }>, unwritten::<{ $tens * 10 + 2 }>,
            unwritten::<{ $tens * 10 + 3 }>, unwritten::<{ $tens * 10 + 4 }>, unwritten::<{ $tens * 10 + 5 }>,
            unwritten::<{ $tens * 10 + 6 }>, unwritten::<{ $tens * 10 + 7 }>, unwritten::<{ $tens * 10 + 8 }>,
            unwritten::<{ $tens * 10 + 9 }>,
        )*]
    };
}

/// More than the longest vtable that was seen (91).
static THUNKS: [Thunk; 100] = thunks!(0 1 2 3 4 5 6 7 8 9);

/// Pairs of slots and functions.
macro_rules! methods {
    ($class:expr; $($method:ident: $function:path),+ $(,)?) => {{
        let class = $class;
        [$((class.$method, $function as *const std::ffi::c_void)),+]
    }};
}
pub(crate) use methods;
