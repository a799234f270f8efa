//! The functions of the driver API, by noun. Out parameters are the caller's, as in the header.

mod device;
mod graph;
mod launch;
mod memory;
mod stream;
mod texture;
mod unused;

/// Writes an out parameter.
pub(crate) fn give<T>(to: *mut T, value: T) {
    // SAFETY: the caller of the driver API owns what its out parameters point to.
    unsafe { to.write(value) }
}

/// Remembers which calls there are, as their symbols do.
macro_rules! exports {
    ($(fn $name:ident($($arg:ident: $kind:ty),* $(,)?) |$driver:pat_param| $body:block)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $kind),*) -> crate::Code {
            crate::driver::call(stringify!($name), |$driver| $body)
        }
    )*};
}
pub(crate) use exports;
