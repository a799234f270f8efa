//! What was called and what is alive, for tests to read.
//!
//! Names are those of the calls (`cuMemAlloc_v2`), of what ran (`run:kernel`, `run:h2d`, `run:h2d_bytes` and so on,
//! graphs included) and of what is alive (`live:bytes`, `peak:bytes`, `live:allocation`, `live:pinned`, …).

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::sync::{Mutex, PoisonError};

static COUNTS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

fn with<T>(f: impl FnOnce(&mut BTreeMap<&'static str, u64>) -> T) -> T {
    f(&mut COUNTS.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn add(name: &'static str, n: u64) {
    with(|c| *c.entry(name).or_default() += n);
}

pub(crate) fn less(name: &'static str, n: u64) {
    with(|c| *c.entry(name).or_default() -= n);
}

pub(crate) fn peak(name: &'static str, of: &'static str) {
    with(|c| {
        let now = c.get(of).copied().unwrap_or(0);
        let most = c.entry(name).or_default();
        *most = now.max(*most);
    });
}

/// The count of this name; 0 for one that never happened.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vigia_cuda_count(name: *const c_char) -> u64 {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    with(|c| name.to_str().ok().and_then(|n| c.get(n)).copied().unwrap_or(0))
}

/// Writes all counts into the file that `VIGIA_CUDA_COUNTS` names.
extern "C" fn write() {
    let Some(path) = std::env::var_os("VIGIA_CUDA_COUNTS") else { return };
    let text = with(|c| c.iter().map(|(name, n)| format!("{name} {n}\n")).collect::<String>());
    std::fs::write(path, text).expect("VIGIA_CUDA_COUNTS names a file that can be written");
}

/// Has [`write`] run when the process ends.
pub(crate) fn write_at_exit() {
    // SAFETY: the library is never unloaded, and the function may run on any thread.
    unsafe { libc::atexit(write) };
}

/// Forgets the calls and what ran, not what is alive.
#[unsafe(no_mangle)]
pub extern "C" fn vigia_cuda_reset() {
    with(|c| c.retain(|name, _| name.starts_with("live:")));
}
