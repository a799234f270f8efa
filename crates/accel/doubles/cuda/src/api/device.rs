//! `cuInit`, devices and the primary context.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};

use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::{exports, give};
use crate::{Code, capture, code, count, driver};

/// What the context's handle is.
const CONTEXT: usize = 0xc0;

thread_local! {
    /// The current context is the last.
    static STACK: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuInit(_flags: u32) -> Code {
    count::add("cuInit", 1);
    driver::init().err().unwrap_or(0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> Code {
    give(version, driver::get().map_or(12_060, |driver| driver.options.version));
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(error: Code, text: *mut *const c_char) -> Code {
    give(text, c"CUDA_ERROR_OF_THE_DOUBLE".as_ptr());
    u32::from(error == u32::MAX)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: Code, text: *mut *const c_char) -> Code {
    let words = match error {
        code::OUT_OF_MEMORY => c"out of memory",
        code::NO_DEVICE => c"no CUDA-capable device is detected",
        code::ILLEGAL_ADDRESS => c"an illegal memory access was encountered",
        code::LAUNCH_OUT_OF_RESOURCES => c"too many resources requested for launch",
        code::UNSUPPORTED_PTX_VERSION => c"the provided PTX was compiled with an unsupported toolchain",
        _ => c"an error of the double",
    };
    give(text, words.as_ptr());
    0
}

fn known(device: c_int) -> crate::Answer {
    if device == 0 { Ok(()) } else { Err(code::INVALID_DEVICE) }
}

exports! {
    fn cuDeviceGetCount(count: *mut c_int) |_| {
        give(count, 1);
        Ok(())
    }

    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) |_| {
        known(ordinal)?;
        give(device, ordinal);
        Ok(())
    }

    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int) |driver| {
        known(device)?;
        let text = CString::new(driver.device.name).map_err(|_| code::INVALID_VALUE)?;
        let bytes = text.as_bytes_with_nul();
        let room = usize::try_from(length).map_err(|_| code::INVALID_VALUE)?;
        if room < bytes.len() {
            return Err(code::INVALID_VALUE);
        }
        // SAFETY: the caller's buffer has `length` bytes, and the text was found to fit.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), name, bytes.len()) };
        Ok(())
    }

    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) |driver| {
        known(device)?;
        give(bytes, driver.device.memory_bytes);
        Ok(())
    }

    fn cuDeviceGetAttribute(value: *mut c_int, attribute: u32, device: c_int) |driver| {
        known(device)?;
        let d = &driver.device;
        let known = [
            (Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, d.capability.0),
            (Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, d.capability.1),
            (Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, d.multiprocessors),
            (Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED, i32::from(d.integrated)),
            (Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 0),
            (Attribute::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1),
            (Attribute::CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, 512),
        ];
        let found = known.iter().find(|(a, _)| *a as u32 == attribute);
        give(value, found.ok_or(code::INVALID_VALUE)?.1);
        Ok(())
    }

    fn cuDevicePrimaryCtxRetain(context: *mut usize, device: c_int) |_| {
        known(device)?;
        count::add("live:context", 1);
        give(context, CONTEXT);
        Ok(())
    }

    fn cuDevicePrimaryCtxRelease_v2(device: c_int) |_| {
        known(device)?;
        count::less("live:context", 1);
        Ok(())
    }

    fn cuCtxGetCurrent(context: *mut usize) |_| {
        give(context, STACK.with_borrow(|s| s.last().copied().unwrap_or(0)));
        Ok(())
    }

    fn cuCtxSetCurrent(context: usize) |_| {
        STACK.with_borrow_mut(|s| {
            s.pop();
            s.push(context);
        });
        Ok(())
    }

    fn cuCtxPushCurrent_v2(context: usize) |_| {
        if context != CONTEXT {
            return Err(code::INVALID_CONTEXT);
        }
        STACK.with_borrow_mut(|s| s.push(context));
        Ok(())
    }

    fn cuCtxPopCurrent_v2(context: *mut usize) |_| {
        let popped = STACK.with_borrow_mut(Vec::pop).ok_or(code::INVALID_CONTEXT)?;
        if !context.is_null() {
            give(context, popped);
        }
        Ok(())
    }

    fn cuCtxSynchronize() |driver| {
        capture::refuse()?;
        driver.all_streams().iter().for_each(|s| s.wait_all());
        // What ran may have broken it.
        if driver.is_broken() { Err(code::ILLEGAL_ADDRESS) } else { Ok(()) }
    }

    fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) |_| {
        give(least, 0);
        give(greatest, -5);
        Ok(())
    }
}
