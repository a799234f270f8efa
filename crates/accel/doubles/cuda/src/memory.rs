//! Device and pinned memory.
//!
//! A device address is a host address plus [`DEVICE_BASE`], which no program can read: whoever takes one for the
//! other stops at once. Each allocation ends at a page that nobody may touch, and is unmapped when it is freed.

use std::collections::BTreeMap;
use std::ffi::c_void;

use crate::{Answer, code, count, driver};

/// See `kernels/host.h`.
pub const DEVICE_BASE: u64 = 1 << 60;
const PAGE: usize = 4096;
const ALIGNMENT: usize = 256;
/// What fresh memory holds.
const GARBAGE: u8 = 0xcd;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Device,
    /// Pinned host memory, which the device reaches as well.
    Pinned,
}

#[derive(Debug)]
struct Block {
    bytes: usize,
    map: usize,
    map_bytes: usize,
    kind: Kind,
}

/// All that is allocated, by host address.
#[derive(Debug, Default)]
pub struct Memory {
    blocks: BTreeMap<usize, Block>,
    used: usize,
}

impl Memory {
    /// The host address of `bytes` fresh bytes.
    pub fn allocate(&mut self, bytes: usize, kind: Kind, limit: usize) -> Answer<usize> {
        if bytes == 0 {
            return Err(code::INVALID_VALUE);
        }
        if kind == Kind::Device && self.used.saturating_add(bytes) > limit {
            return Err(code::OUT_OF_MEMORY);
        }
        let whole = bytes.next_multiple_of(ALIGNMENT).next_multiple_of(PAGE);
        let map_bytes = whole + PAGE;
        let map = map(map_bytes).ok_or(code::OUT_OF_MEMORY)?;
        let at = map + whole - bytes.next_multiple_of(ALIGNMENT);
        // SAFETY: the mapping is `whole` bytes of ours and one page more; the first are writable and written here
        // before anybody else knows them, the last page is only made untouchable.
        unsafe {
            std::ptr::write_bytes(map as *mut u8, GARBAGE, whole);
            libc::mprotect((map + whole) as *mut c_void, PAGE, libc::PROT_NONE);
        }
        self.blocks.insert(at, Block { bytes, map, map_bytes, kind });
        if kind == Kind::Device {
            self.used += bytes;
            count::add("live:bytes", bytes as u64);
            count::peak("peak:bytes", "live:bytes");
            count::add("live:allocation", 1);
        } else {
            count::add("live:pinned", 1);
        }
        Ok(at)
    }

    pub fn free(&mut self, at: usize, kind: Kind) -> Answer {
        if self.blocks.get(&at).is_none_or(|b| b.kind != kind) {
            return Err(code::INVALID_VALUE);
        }
        if let Some(block) = self.blocks.remove(&at) {
            if kind == Kind::Device {
                self.used -= block.bytes;
                count::less("live:bytes", block.bytes as u64);
                count::less("live:allocation", 1);
            } else {
                count::less("live:pinned", 1);
            }
            // SAFETY: the mapping was made for this block, which is gone from the table.
            unsafe { libc::munmap(block.map as *mut c_void, block.map_bytes) };
        }
        Ok(())
    }

    /// Whether these bytes are all inside one live block, and of which kind.
    pub fn holds(&self, at: usize, bytes: usize) -> Option<Kind> {
        let (start, block) = self.blocks.range(..=at).next_back()?;
        (at.checked_add(bytes)? <= start + block.bytes).then_some(block.kind)
    }

    /// The size of the block that starts at `at`.
    pub fn size(&self, at: usize) -> Option<usize> {
        Some(self.blocks.get(&at)?.bytes)
    }

    pub fn used(&self) -> usize {
        self.used
    }
}

fn map(bytes: usize) -> Option<usize> {
    // SAFETY: a fresh anonymous mapping touches nothing that exists.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    (at != libc::MAP_FAILED).then_some(at as usize)
}

/// Where `bytes` bytes at a device address lie for the host.
pub fn host(address: u64, bytes: usize) -> Answer<usize> {
    let at = address.checked_sub(DEVICE_BASE).and_then(|a| usize::try_from(a).ok());
    let at = at.ok_or(code::ILLEGAL_ADDRESS)?;
    let memory = driver::get()?.memory();
    memory.holds(at, bytes).map(|_| at).ok_or(code::ILLEGAL_ADDRESS)
}

/// Where a device address lies for the host, for host functions of other doubles that stand for kernels; null if these
/// bytes are not all allocated.
#[unsafe(no_mangle)]
pub extern "C" fn vigia_cuda_host_address(address: u64, bytes: usize) -> *mut c_void {
    host(address, bytes).map_or(std::ptr::null_mut(), |at| at as *mut c_void)
}
