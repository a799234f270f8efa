//! The binary interface itself: what an object looks like in memory, the call through a slot, and the
//! objects that the library calls back.
//!
//! Layouts are those of the Itanium C++ ABI, which GCC and Clang use on x86-64 and ARM64 Linux alike.

pub(super) mod calibrator;
pub(super) mod logger;
pub(super) mod monitor;

use std::ffi::{CStr, c_char, c_void};

/// A C++ object's table of methods.
pub(super) type Vtable = *const *const c_void;

/// What the methods of the API are called on.
#[repr(C)]
pub(super) struct Imp {
    pub vtable: Vtable,
}

/// An object of the API. A parser and its errors have no implementation: they end after the vtable.
#[repr(C)]
pub(super) struct Obj {
    pub vtable: Vtable,
    pub imp: *mut Imp,
}

/// The library says "null" with small numbers, too: without a driver `createInferRuntime` was seen to
/// return 0x228. No object lies in the first 64 KiB of a process (`vm.mmap_min_addr`).
pub(super) const LEAST_ADDRESS: usize = 64 * 1024;

/// `nvinfer1::Dims64`: returned through a hidden pointer, because it is longer than two words.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dims {
    pub count: i32,
    pub sizes: [i64; Self::MAX],
}

const _: () = assert!(size_of::<Dims>() == 72);

impl Dims {
    pub const MAX: usize = 8;

    /// None for more dimensions than TensorRT has.
    pub fn new(sizes: &[i64]) -> Option<Self> {
        let mut dims = Self { count: i32::try_from(sizes.len()).ok()?, sizes: [0; Self::MAX] };
        dims.sizes.get_mut(..sizes.len())?.copy_from_slice(sizes);
        Some(dims)
    }

    /// None is what the library answers for a tensor it does not know (a count of -1).
    pub fn list(&self) -> Option<Vec<i64>> {
        Some(self.sizes.get(..usize::try_from(self.count).ok()?)?.to_vec())
    }
}

/// `nvinfer1::InterfaceInfo`: two words, returned in registers.
#[repr(C)]
pub(super) struct InterfaceInfo {
    pub kind: *const c_char,
    pub major: i32,
    pub minor: i32,
}

const _: () = assert!(size_of::<InterfaceInfo>() == 16);

impl InterfaceInfo {
    /// The first version of an interface, which is all there is of those we implement.
    pub const fn first(kind: &'static CStr) -> Self {
        Self { kind: kind.as_ptr(), major: 1, minor: 0 }
    }
}

/// `getAPILanguage`, the first method of versioned interfaces: 0 is C++.
pub(super) extern "C" fn language(_: *const c_void) -> i32 {
    0
}

/// Both destructors of what we implement: ours, never the library's, to destroy.
pub(super) extern "C" fn no_destructor(_: *mut c_void) {}

/// Copies a C string; what is not UTF-8 in it is replaced.
///
/// # Safety
/// Null, or a string that ends with a nul and is not written to meanwhile.
pub(super) unsafe fn text(at: *const c_char) -> String {
    if (at as usize) < LEAST_ADDRESS {
        return String::new();
    }
    // SAFETY: not null, and the caller promises the rest.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned()
}

/// Calls a method of a [`super::result::Handle`] through its slot; gives `Result<_, TrtError>`.
///
/// `vcall!(handle, create_network(flags: u32) -> *mut Obj)` takes the slot of that name from the class of
/// the handle. To be used where a handle's class, the method and the signature stand together, so that
/// they can be compared with the header line by line.
macro_rules! vcall {
    ($handle:expr, $method:ident($($name:ident: $kind:ty),*) $(-> $result:ty)?) => {{
        let handle = $handle;
        let slot = handle.slots().$method;
        match slot.index {
            None => Err($crate::trt::error::TrtError::Missing { class: slot.class, method: slot.method }),
            Some(index) => {
                let this = handle.this();
                // SAFETY: a handle is alive (its owner's promise) and of its class, so that its vtable has
                // this slot: the tables were compared with the headers, and the version gate lets in no
                // release that lacks a method. The signature is the header's, as the C ABI has it.
                let result = unsafe {
                    let entry = *(*this).vtable.add(index);
                    let call: unsafe extern "C" fn(*mut $crate::trt::sys::Imp $(, $kind)*) $(-> $result)? =
                        std::mem::transmute(entry);
                    call(this $(, $name)*)
                };
                Ok::<_, $crate::trt::error::TrtError>(result)
            }
        }
    }};
}
pub(super) use vcall;
