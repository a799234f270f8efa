//! Which release the library plays and what goes wrong in it.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use vigia_accel::trt::slots::Era;

/// Faults by name, each with its value or "always".
static FAULTS: LazyLock<Mutex<HashMap<String, String>>> =
    LazyLock::new(|| Mutex::new(parse(&std::env::var("VIGIA_NVINFER_FAULTS").unwrap_or_default())));

static VERSION: LazyLock<(Era, i32)> = LazyLock::new(|| {
    let file = file_name();
    let beside = || std::fs::read_to_string(Path::new(&file).with_file_name("version")).ok();
    let of_name = || match file.as_str() {
        name if name.contains("rtx") => "rtx1.7.1".to_owned(),
        name if name.ends_with(".so.11") => "11.4.0".to_owned(),
        _ => "10.3.0".to_owned(),
    };
    let given = std::env::var("VIGIA_NVINFER_VERSION").ok().or_else(beside);
    numbered(given.unwrap_or_else(of_name).trim())
});

/// The era, and what `getInferLibVersion` says.
pub fn version() -> (Era, i32) {
    *VERSION
}

fn numbered(version: &str) -> (Era, i32) {
    let rtx = version.strip_prefix("rtx");
    let mut parts = rtx.unwrap_or(version).split('.').map(|n| n.parse().unwrap_or(0));
    let [major, minor, patch] = [(); 3].map(|()| parts.next().unwrap_or(0));
    let era = match (rtx.is_some(), major, minor) {
        (true, _, ..=4) => Era::RtxEarly,
        (true, ..) => Era::Rtx,
        (false, ..=10, _) => Era::Ten,
        (false, ..) => Era::Eleven,
    };
    let ten = if rtx.is_none() && major < 10 { 1_000 } else { 10_000 };
    (era, major * ten + minor * 100 + patch)
}

/// The name under which this library was loaded.
fn file_name() -> String {
    // SAFETY: all zeroes is a value of this structure.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let here = file_name as *const c_void;
    // SAFETY: an address of this library and a place for the answer.
    let found = unsafe { libc::dladdr(here, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return String::new();
    }
    // SAFETY: the linker's own string, as long as the library is loaded.
    unsafe { CStr::from_ptr(info.dli_fname) }.to_string_lossy().into_owned()
}

/// `name=value,name`.
fn parse(text: &str) -> HashMap<String, String> {
    let one = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, "always"));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    text.split(',').filter(|p| !p.trim().is_empty()).map(one).collect()
}

fn faults() -> MutexGuard<'static, HashMap<String, String>> {
    FAULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value of a fault, if it is asked for.
pub fn fault(name: &str) -> Option<String> {
    faults().get(name).cloned()
}

/// Whether a fault strikes now. `N` strikes that often, `N+` each time but the first so many, and `N+M` so often after those.
pub fn strikes(name: &str) -> bool {
    let mut faults = faults();
    let Some(value) = faults.get_mut(name) else { return false };
    let (spare, left) = value.split_once('+').unwrap_or(("0", value.as_str()));
    let (spare, left) = (spare.parse::<u32>().unwrap_or(0), left.parse::<u32>().ok());
    let (next, strikes) = match (spare, left) {
        (1.., _) => (Some((spare - 1, left)), false),
        (0, Some(0)) => (None, false),
        (0, Some(left)) => (Some((0, Some(left - 1))), true),
        (0, None) => (None, true),
    };
    if let Some((spare, left)) = next {
        *value = format!("{spare}+{}", left.map_or_else(String::new, |n| n.to_string()));
    }
    strikes
}

/// Replaces all faults, for tests that share a process.
///
/// # Safety
/// `text` is a C string or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vigia_double_faults(text: *const c_char) {
    // SAFETY: the caller's promise.
    let text = if text.is_null() { c"" } else { unsafe { CStr::from_ptr(text) } };
    *faults() = parse(&text.to_string_lossy());
}
