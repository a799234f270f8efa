//! Modules: PTX is read for its version, its entries and the sizes of their parameters; what runs is the host build.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

use crate::{Answer, code, memory};

unsafe extern "C" {
    /// `host/launch.cpp`.
    fn vigia_host_launch(
        name: *const c_char,
        grid: *const u32,
        block: *const u32,
        args: *mut *mut c_void,
    ) -> c_int;
}

/// The entries of a PTX text: name to the sizes of its parameters.
#[derive(Debug)]
pub struct Module(BTreeMap<String, Vec<usize>>);

impl Module {
    /// `newest` is the newest ISA taken, times ten.
    pub fn parse(ptx: &str, newest: u32) -> Answer<Self> {
        let version = ptx.lines().find_map(|l| l.trim().strip_prefix(".version "));
        let version = version.and_then(|v| v.trim().replace('.', "").parse::<u32>().ok());
        if version.ok_or(code::INVALID_IMAGE)? > newest {
            return Err(code::UNSUPPORTED_PTX_VERSION);
        }
        let entries = ptx.split(".entry ").skip(1).map(|text| {
            let (name, rest) = text.split_once('(').ok_or(code::INVALID_IMAGE)?;
            let (parameters, _) = rest.split_once(')').ok_or(code::INVALID_IMAGE)?;
            let sizes = parameters.split(".param").skip(1).map(size).collect::<Option<_>>();
            Ok((name.trim().to_owned(), sizes.ok_or(code::INVALID_IMAGE)?))
        });
        Ok(Module(entries.collect::<Answer<_>>()?))
    }

    pub fn function(&self, name: &str) -> Answer<Function> {
        let sizes = self.0.get(name).ok_or(code::NOT_FOUND)?.clone();
        let name = CString::new(name).map_err(|_| code::NOT_FOUND)?;
        let nothing = std::ptr::null_mut();
        // SAFETY: with a null grid it only compares the name, a C string.
        let unknown = unsafe { vigia_host_launch(name.as_ptr(), nothing, nothing, std::ptr::null_mut()) };
        if unknown != 0 { Err(code::NOT_FOUND) } else { Ok(Function { name, sizes }) }
    }
}

/// Bytes of a parameter such as ` .align 4 .b8 name[40]` or ` .u64 name`.
fn size(parameter: &str) -> Option<usize> {
    let kind = parameter.split_whitespace().find(|w| w.starts_with('.') && *w != ".align")?;
    let digits = kind.trim_start_matches(|c: char| !c.is_ascii_digit());
    let one = digits.parse::<usize>().ok()? / 8;
    match parameter.split_once('[') {
        None => Some(one),
        Some((_, count)) => Some(one * count.split(']').next()?.trim().parse::<usize>().ok()?),
    }
}

#[derive(Debug)]
pub struct Function {
    name: CString,
    pub sizes: Vec<usize>,
}

/// A kernel with its grid and a copy of its parameters.
#[derive(Debug)]
pub struct Launch {
    pub function: Arc<Function>,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub params: Vec<Vec<u8>>,
}

impl Launch {
    pub fn check(&self) -> Answer {
        let threads: u64 = self.block.iter().map(|b| u64::from(*b)).product();
        let limits = self.grid[0] <= i32::MAX as u32 && self.grid[1] <= 65535 && self.grid[2] <= 65535;
        let some = self.grid.iter().chain(&self.block).all(|n| *n > 0);
        if threads <= 1024 && limits && some { Ok(()) } else { Err(code::INVALID_VALUE) }
    }

    pub fn run(&self) -> Answer {
        for param in &self.params {
            // Ours take structures, and pointers; a pointer is null or leads to device memory.
            if let Ok(address) = <[u8; 8]>::try_from(param.as_slice()).map(u64::from_le_bytes)
                && address != 0
            {
                memory::host(address, 1)?;
            }
        }
        let mut args: Vec<*mut c_void> = self.params.iter().map(|p| p.as_ptr().cast_mut().cast()).collect();
        // SAFETY: the name was found when the function was looked up, each argument points to as many bytes as the PTX
        // says its parameter has, and pointers among them lead to live device memory. What lies beyond their first byte
        // is the caller's promise, as on a GPU; blocks end at a page that traps.
        unsafe {
            vigia_host_launch(
                self.function.name.as_ptr(),
                self.grid.as_ptr(),
                self.block.as_ptr(),
                args.as_mut_ptr(),
            );
        }
        Ok(())
    }
}
