//! NVIDIA's management library, as far as throttling goes: tests load this double as `libnvidia-ml.so.1`, too.
//!
//! `VIGIA_NVML_STATE` names a file that is read at each question: throttle reasons, °C, MHz and most MHz, as numbers apart by
//! spaces. Without it there is no GPU.

use std::env;
use std::ffi::{c_char, c_uint, c_ulonglong, c_void};

use crate::api::give;

const INVALID: u32 = 2;
const NO_DRIVER: u32 = 9;

fn state() -> Option<[u64; 4]> {
    let text = std::fs::read_to_string(env::var_os("VIGIA_NVML_STATE")?).ok()?;
    let numbers: Vec<u64> = text.split_whitespace().map_while(|n| n.parse().ok()).collect();
    numbers.try_into().ok()
}

fn tell<T>(at: *mut T, value: impl FnOnce([u64; 4]) -> T) -> u32 {
    let Some(state) = state() else { return NO_DRIVER };
    give(at, value(state));
    0
}

fn small(n: u64) -> c_uint {
    c_uint::try_from(n).unwrap_or(c_uint::MAX)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlInit_v2() -> u32 {
    if state().is_some() { 0 } else { NO_DRIVER }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlShutdown() -> u32 {
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(text: *mut c_char, _length: c_uint) -> u32 {
    give(text, 0);
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut *mut c_void) -> u32 {
    if index > 0 {
        return INVALID;
    }
    tell(device, |_| std::ptr::without_provenance_mut(0x10))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCurrentClocksThrottleReasons(
    _: *mut c_void,
    reasons: *mut c_ulonglong,
) -> u32 {
    tell(reasons, |state| state[0])
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperature(_: *mut c_void, _sensor: u32, degrees: *mut c_uint) -> u32 {
    tell(degrees, |state| small(state[1]))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetClockInfo(_: *mut c_void, _clock: u32, mhz: *mut c_uint) -> u32 {
    tell(mhz, |state| small(state[2]))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMaxClockInfo(_: *mut c_void, _clock: u32, mhz: *mut c_uint) -> u32 {
    tell(mhz, |state| small(state[3]))
}
