//! Allocations and copies.

use std::ffi::{c_int, c_void};

use cudarc::driver::sys::CUDA_MEMCPY2D;

use super::{exports, give};
use crate::driver::Driver;
use crate::memory::{DEVICE_BASE, Kind};
use crate::op::{Op, Side, sized};
use crate::texture::Rows;
use crate::{Answer, capture, code};

fn allocate(driver: &Driver, bytes: usize, kind: Kind) -> Answer<usize> {
    capture::refuse()?;
    driver.memory().allocate(bytes, kind, driver.device.memory_bytes)
}

/// A copy that is done when the call returns.
fn now(driver: &'static Driver, op: Op) -> Answer {
    capture::refuse()?;
    let stream = driver.stream(0)?;
    let ticket = stream.push(op);
    stream.wait(ticket);
    if driver.is_broken() { Err(code::ILLEGAL_ADDRESS) } else { Ok(()) }
}

/// Device address of a host address.
fn device(at: usize) -> u64 {
    at as u64 + DEVICE_BASE
}

fn to_device(driver: &'static Driver, to: u64, from: *const c_void, bytes: usize) -> Answer<Op> {
    sized(bytes)?;
    let pinned = driver.memory().holds(from as usize, bytes) == Some(Kind::Pinned);
    if pinned {
        return Ok(Op::Copy { to: Side::Device(to), from: Side::Host(from as usize), bytes });
    }
    // SAFETY: the caller of the driver API promises `bytes` bytes to read.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) };
    Ok(Op::Staged { to, bytes: bytes.into() })
}

exports! {
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) |driver| {
        give(address, device(allocate(driver, bytes, Kind::Device)?));
        Ok(())
    }

    fn cuMemAllocPitch_v2(address: *mut u64, pitch: *mut usize, width: usize, height: usize, _element: u32) |driver| {
        const PITCH_ALIGN: usize = 512;
        let row = width.next_multiple_of(PITCH_ALIGN);
        give(address, device(allocate(driver, row * height, Kind::Device)?));
        give(pitch, row);
        Ok(())
    }

    fn cuMemAllocHost_v2(at: *mut *mut c_void, bytes: usize) |driver| {
        give(at, allocate(driver, bytes, Kind::Pinned)? as *mut c_void);
        Ok(())
    }

    fn cuMemFree_v2(address: u64) |driver| {
        capture::refuse()?;
        // It waits for whatever may use the memory.
        driver.all_streams().iter().for_each(|s| s.wait_all());
        let at = address.checked_sub(DEVICE_BASE).ok_or(code::INVALID_VALUE)?;
        driver.memory().free(usize::try_from(at).map_err(|_| code::INVALID_VALUE)?, Kind::Device)
    }

    fn cuMemHostAlloc(at: *mut *mut c_void, bytes: usize, _flags: u32) |driver| {
        give(at, allocate(driver, bytes, Kind::Pinned)? as *mut c_void);
        Ok(())
    }

    fn cuMemFreeHost(at: *mut c_void) |driver| {
        capture::refuse()?;
        driver.memory().free(at as usize, Kind::Pinned)
    }

    fn cuMemHostGetDevicePointer_v2(address: *mut u64, at: *mut c_void, _flags: u32) |driver| {
        driver.memory().size(at as usize).ok_or(code::INVALID_VALUE)?;
        give(address, device(at as usize));
        Ok(())
    }

    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) |driver| {
        let all = driver.device.memory_bytes;
        give(free, all - driver.memory().used());
        give(total, all);
        Ok(())
    }

    fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) |driver| {
        now(driver, to_device(driver, to, from, bytes)?)
    }

    fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) |driver| {
        now(driver, Op::Copy { to: Side::Host(to as usize), from: Side::Device(from), bytes: sized(bytes)? })
    }

    fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) |driver| {
        now(driver, Op::Copy { to: Side::Device(to), from: Side::Device(from), bytes: sized(bytes)? })
    }

    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: usize) |driver| {
        driver.stream(stream)?.take(to_device(driver, to, from, bytes)?)
    }

    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: usize) |driver| {
        let op = Op::Copy { to: Side::Host(to as usize), from: Side::Device(from), bytes: sized(bytes)? };
        driver.stream(stream)?.take(op)
    }

    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: usize) |driver| {
        let op = Op::Copy { to: Side::Device(to), from: Side::Device(from), bytes: sized(bytes)? };
        driver.stream(stream)?.take(op)
    }

    fn cuMemsetD8Async(at: u64, value: u8, bytes: usize, stream: usize) |driver| {
        driver.stream(stream)?.take(Op::Fill { at, value, bytes })
    }

    fn cuMemcpy2D_v2(copy: *const CUDA_MEMCPY2D) |driver| {
        // SAFETY: the caller of the driver API owns the description, with the enums of the header.
        let rows = Rows::new(unsafe { &*copy })?;
        now(driver, Op::Rows(rows))
    }

    fn cuMemcpy2DAsync_v2(copy: *const CUDA_MEMCPY2D, stream: usize) |driver| {
        // SAFETY: the caller of the driver API owns the description, with the enums of the header.
        let rows = Rows::new(unsafe { &*copy })?;
        driver.stream(stream)?.take(Op::Rows(rows))
    }

    fn cuPointerGetAttribute(data: *mut c_int, attribute: u32, address: u64) |driver| {
        const MEMORY_TYPE: u32 = 2;
        let (host, is_device) = match address.checked_sub(DEVICE_BASE) {
            Some(at) => (at, true),
            None => (address, false),
        };
        let at = usize::try_from(host).map_err(|_| code::INVALID_VALUE)?;
        let kind = driver.memory().holds(at, 1).ok_or(code::INVALID_VALUE)?;
        if attribute != MEMORY_TYPE {
            return Err(code::INVALID_VALUE);
        }
        give(data, if is_device && kind == Kind::Device { 2 } else { 1 });
        Ok(())
    }
}
