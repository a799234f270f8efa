//! Arrays, the textures that read them, and copies of rows.

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::sys::{CUDA_MEMCPY2D, CUmemorytype};

use crate::op::{Side, copy};
use crate::{Answer, code, count, driver};

/// A two-dimensional array: on a GPU block-linear, here rows.
#[derive(Debug)]
pub struct Array {
    /// Never resized, so its address stays.
    data: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub channels: u32,
    /// Of a channel.
    pub bytes: u32,
}

impl Array {
    pub fn new(width: u32, height: u32, channels: u32, bytes: u32) -> Self {
        let size = width as usize * height as usize * channels as usize * bytes as usize;
        count::add("live:array", 1);
        Array { data: vec![0xcd; size], width, height, channels, bytes }
    }

    fn pitch(&self) -> u32 {
        self.width * self.channels * self.bytes
    }
}

/// Where an array's rows lie for the host, one after the other, for doubles of what writes arrays without the driver:
/// decoders. Null for no array; good until it is destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn vigia_cuda_array_address(array: usize) -> *mut c_void {
    let found = driver::get().and_then(|driver| driver.arrays.get(array));
    found.map_or(std::ptr::null_mut(), |array| array.data.as_ptr().cast_mut().cast())
}

impl Drop for Array {
    fn drop(&mut self) {
        count::less("live:array", 1);
    }
}

/// As `HostTexture` in `kernels/host.h`.
#[repr(C)]
#[derive(Debug)]
struct HostTexture {
    data: u64,
    pitch: u32,
    width: u32,
    height: u32,
    channels: u32,
    bytes: u32,
}

/// A texture object; its handle is the address of what the kernels read.
#[derive(Debug)]
pub struct Texture {
    host: Box<HostTexture>,
    _array: Arc<Array>,
}

impl Texture {
    pub fn new(array: Arc<Array>) -> Self {
        let (pitch, width, height) = (array.pitch(), array.width, array.height);
        let data = array.data.as_ptr() as u64;
        let host = HostTexture { data, pitch, width, height, channels: array.channels, bytes: array.bytes };
        count::add("live:texture", 1);
        Texture { host: Box::new(host), _array: array }
    }

    pub fn handle(&self) -> usize {
        std::ptr::from_ref(&*self.host) as usize
    }
}

impl Drop for Texture {
    fn drop(&mut self) {
        count::less("live:texture", 1);
    }
}

/// A copy of `height` rows of `width` bytes.
#[derive(Debug, Clone)]
pub struct Rows {
    width: usize,
    height: usize,
    from: End,
    to: End,
}

#[derive(Debug, Clone)]
struct End {
    base: Base,
    x: usize,
    y: usize,
    pitch: usize,
}

#[derive(Debug, Clone)]
enum Base {
    Memory(Side),
    Array(Arc<Array>),
}

impl Rows {
    pub fn new(c: &CUDA_MEMCPY2D) -> Answer<Self> {
        let base = |kind: CUmemorytype, host: usize, device: u64, array: usize| {
            Ok(match kind {
                CUmemorytype::CU_MEMORYTYPE_HOST => Base::Memory(Side::Host(host)),
                CUmemorytype::CU_MEMORYTYPE_DEVICE => Base::Memory(Side::Device(device)),
                CUmemorytype::CU_MEMORYTYPE_ARRAY => Base::Array(driver::get()?.arrays.get(array)?),
                CUmemorytype::CU_MEMORYTYPE_UNIFIED => return Err(code::INVALID_VALUE),
            })
        };
        let from = base(c.srcMemoryType, c.srcHost as usize, c.srcDevice, c.srcArray as usize)?;
        let to = base(c.dstMemoryType, c.dstHost as usize, c.dstDevice, c.dstArray as usize)?;
        Ok(Rows {
            width: c.WidthInBytes,
            height: c.Height,
            from: End { base: from, x: c.srcXInBytes, y: c.srcY, pitch: c.srcPitch },
            to: End { base: to, x: c.dstXInBytes, y: c.dstY, pitch: c.dstPitch },
        })
    }

    pub fn run(&self) -> Answer {
        count::add("run:rows", 1);
        for row in 0..self.height {
            copy(self.from.row(row, self.width)?, self.to.row(row, self.width)?, self.width);
        }
        Ok(())
    }
}

impl End {
    fn row(&self, row: usize, bytes: usize) -> Answer<usize> {
        let pitch = match &self.base {
            Base::Array(array) => array.pitch() as usize,
            Base::Memory(_) => self.pitch,
        };
        let offset = (self.y + row) * pitch + self.x;
        match &self.base {
            Base::Array(array) if offset + bytes > array.data.len() => Err(code::ILLEGAL_ADDRESS),
            Base::Array(array) => Ok(array.data.as_ptr() as usize + offset),
            Base::Memory(Side::Host(at)) => Ok(at + offset),
            Base::Memory(Side::Device(address)) => crate::memory::host(address + offset as u64, bytes),
        }
    }
}
