//! Calls that can fail, as the library has them: typed handles, no lifetimes of their own.
//!
//! A [`Handle`] promises that its object lives and is of its class. Owners ([`Object`]) destroy theirs; that
//! parents, loggers and monitors outlive them is kept by the floor above ([`super::safe`]), which is the only user.

mod build;
mod parse;
mod run;

use std::ffi::{CString, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use super::error::TrtError;
use super::slots::{Class, Engine, Runtime, Tables};
use super::sys::{Dims, Imp, LEAST_ADDRESS, Obj};

/// A living object of class `T`.
pub(super) struct Handle<T: Class> {
    at: NonNull<Obj>,
    tables: &'static Tables,
    class: PhantomData<T>,
}

impl<T: Class> Handle<T> {
    /// # Safety
    /// What is not null lives at least as long as the handle and is of class `T` in the tables' era.
    ///
    /// # Errors
    /// [`TrtError::Call`] with `doing` for null and what the library means by it.
    pub unsafe fn new(
        at: *mut c_void,
        tables: &'static Tables,
        doing: &'static str,
    ) -> Result<Self, TrtError> {
        let null = || TrtError::Call { doing, said: String::new() };
        if (at as usize) < LEAST_ADDRESS {
            return Err(null());
        }
        let handle = Self { at: NonNull::new(at.cast()).ok_or_else(null)?, tables, class: PhantomData };
        if (handle.this() as usize) < LEAST_ADDRESS {
            return Err(null());
        }
        Ok(handle)
    }

    pub fn tables(&self) -> &'static Tables {
        self.tables
    }

    pub fn slots(&self) -> &'static T {
        T::of(self.tables)
    }

    /// What methods are called on.
    pub fn this(&self) -> *mut Imp {
        if T::DIRECT {
            self.at.as_ptr().cast()
        } else {
            // SAFETY: the object lives (promise of `new`) and begins with these two words.
            unsafe { (*self.at.as_ptr()).imp }
        }
    }

    /// The object as an argument of other calls.
    pub fn as_argument(&self) -> *mut c_void {
        self.at.as_ptr().cast()
    }
}

impl<T: Class> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of era {:?}", T::NAME, self.tables.era)
    }
}

/// An object that is destroyed with its owner.
#[derive(Debug)]
pub(super) struct Object<T: Class>(Handle<T>);

// SAFETY: no object of the library is bound to the thread that made it; whoever holds it is alone with it.
unsafe impl<T: Class> Send for Object<T> {}
// SAFETY: TensorRT promises that engines may be used by several threads at once; ours only read them
// and make contexts, which is named there.
unsafe impl Sync for Object<Engine> {}
// SAFETY: deserialising is thread-safe as long as loggers and allocators are; ours is, and all settings are
// made by the function that makes the runtime.
unsafe impl Sync for Object<Runtime> {}

impl<T: Class> Object<T> {
    /// # Safety
    /// As of [`Handle::new`]; and nobody else destroys the object.
    ///
    /// # Errors
    /// As of [`Handle::new`].
    pub unsafe fn new(
        at: *mut c_void,
        tables: &'static Tables,
        doing: &'static str,
    ) -> Result<Self, TrtError> {
        // SAFETY: the caller's promise.
        Ok(Self(unsafe { Handle::new(at, tables, doing) }?))
    }
}

impl<T: Class> Deref for Object<T> {
    type Target = Handle<T>;

    fn deref(&self) -> &Handle<T> {
        &self.0
    }
}

impl<T: Class> Drop for Object<T> {
    fn drop(&mut self) {
        let at = self.0.at.as_ptr();
        // SAFETY: the object is ours to destroy and used no more. `delete` is the deleting destructor of the
        // object's own vtable, never of its implementation's.
        unsafe {
            let entry = *(*at).vtable.add(self.0.slots().destroy());
            let destroy: unsafe extern "C" fn(*mut Obj) = std::mem::transmute(entry);
            destroy(at);
        }
    }
}

/// A tensor's name as C has it.
///
/// # Errors
/// [`TrtError::Name`] for a zero inside.
pub(super) fn c_name(name: &str) -> Result<CString, TrtError> {
    CString::new(name).map_err(|_| TrtError::Name(name.into()))
}

pub(super) fn dims(sizes: &[i64]) -> Result<Dims, TrtError> {
    Dims::new(sizes).ok_or(TrtError::Dimensions(sizes.len()))
}

/// A count that the library would never say below nought.
fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// What a method that answers `false` did not do.
fn done(done: bool, doing: &'static str) -> Result<(), TrtError> {
    if done { Ok(()) } else { Err(TrtError::Call { doing, said: String::new() }) }
}
