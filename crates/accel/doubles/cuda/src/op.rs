//! What streams do, one after the other.

use std::ffi::c_void;
use std::sync::Arc;

use crate::driver::{Driver, IN_HOST_FUNCTION};
use crate::event::Event;
use crate::module::Launch;
use crate::texture::Rows;
use crate::{Answer, code, count, memory};

/// Somewhere in memory.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    Device(u64),
    /// An address of the host, which must stay until the copy is done.
    Host(usize),
}

impl Side {
    fn at(self, bytes: usize) -> Answer<usize> {
        match self {
            Side::Device(address) => memory::host(address, bytes),
            Side::Host(at) => Ok(at),
        }
    }
}

#[derive(Debug, Clone)]
pub enum Op {
    Copy {
        to: Side,
        from: Side,
        bytes: usize,
    },
    /// From pageable memory, which the driver reads before the call returns.
    Staged {
        to: u64,
        bytes: Arc<[u8]>,
    },
    Fill {
        at: u64,
        value: u8,
        bytes: usize,
    },
    Rows(Rows),
    Kernel(Arc<Launch>),
    Host {
        function: unsafe extern "C" fn(*mut c_void),
        data: usize,
    },
    Record(Arc<Event>),
    Wait(Arc<Event>),
    Graph(Arc<Vec<Op>>),
}

impl Op {
    pub fn run(&self, driver: &'static Driver) -> Answer {
        match self {
            Op::Copy { to, from, bytes } => {
                let (name, sum) = match (from, to) {
                    (Side::Host(_), Side::Device(_)) => ("run:h2d", "run:h2d_bytes"),
                    (Side::Device(_), Side::Host(_)) => ("run:d2h", "run:d2h_bytes"),
                    _ => ("run:d2d", "run:d2d_bytes"),
                };
                count::add(name, 1);
                count::add(sum, *bytes as u64);
                copy(from.at(*bytes)?, to.at(*bytes)?, *bytes);
            }
            Op::Staged { to, bytes } => {
                count::add("run:h2d", 1);
                count::add("run:h2d_bytes", bytes.len() as u64);
                count::add("run:pageable", 1);
                copy(bytes.as_ptr() as usize, memory::host(*to, bytes.len())?, bytes.len());
            }
            Op::Fill { at, value, bytes } => {
                count::add("run:fill", 1);
                let at = memory::host(*at, *bytes)?;
                // SAFETY: `host` has found these bytes in a live block.
                unsafe { std::ptr::write_bytes(at as *mut u8, *value, *bytes) };
            }
            Op::Rows(rows) => rows.run()?,
            Op::Kernel(launch) => {
                driver.may_run()?;
                count::add("run:kernel", 1);
                launch.run()?;
            }
            Op::Host { function, data } => {
                count::add("run:host", 1);
                IN_HOST_FUNCTION.set(true);
                // SAFETY: the caller of cuLaunchHostFunc promised that this pair may be called from any thread once.
                unsafe { function(*data as *mut c_void) };
                IN_HOST_FUNCTION.set(false);
            }
            Op::Record(event) => event.happened(),
            Op::Wait(event) => {
                // Within a graph the order of the graph is enough.
                if let Ok(Some((stream, ticket))) = event.place() {
                    stream.wait(ticket);
                }
            }
            Op::Graph(ops) => {
                count::add("run:graph", 1);
                ops.iter().try_for_each(|op| op.run(driver))?;
            }
        }
        Ok(())
    }
}

/// What an event in a wait stands for is fixed when the wait is enqueued, so it gets an event of its own.
pub fn wait_for(event: &Arc<Event>) -> Answer<Op> {
    if event.is_captured() {
        return Ok(Op::Wait(event.clone()));
    }
    let fixed = Event::new(false);
    if let Some((stream, ticket)) = event.place()? {
        fixed.placed(stream, ticket);
    }
    Ok(Op::Wait(Arc::new(fixed)))
}

pub fn copy(from: usize, to: usize, bytes: usize) {
    // SAFETY: device sides were found in live blocks; host sides are the caller's promise of the driver API. They may
    // overlap when a test copies a buffer onto itself, so this is the copy that allows it.
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
}

/// An operation of the right number of bytes, or what is wrong with it.
pub fn sized(bytes: usize) -> Answer<usize> {
    if bytes == 0 { Err(code::INVALID_VALUE) } else { Ok(bytes) }
}
