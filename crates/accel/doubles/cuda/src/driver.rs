//! The one driver of the process: its tables and its mood.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::event::Event;
use crate::memory::Memory;
use crate::module::{Function, Module};
use crate::op::Op;
use crate::options::{Device, Options};
use crate::stream::Stream;
use crate::texture::{Array, Texture};
use crate::{Answer, Code, code, count};

/// Handles and what they stand for. A handle is never used twice.
#[derive(Debug)]
pub struct Table<T>(Mutex<BTreeMap<usize, Arc<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(Mutex::default())
    }
}

static HANDLES: AtomicUsize = AtomicUsize::new(0x1000);

impl<T> Table<T> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, item: T) -> usize {
        self.add_shared(Arc::new(item))
    }

    /// An item that others hold, too.
    pub fn add_shared(&self, item: Arc<T>) -> usize {
        let handle = HANDLES.fetch_add(16, Ordering::Relaxed);
        self.lock().insert(handle, item);
        handle
    }

    /// Under a handle that the item chose.
    pub fn add_as(&self, handle: usize, item: T) {
        self.lock().insert(handle, Arc::new(item));
    }

    pub fn get(&self, handle: usize) -> Answer<Arc<T>> {
        self.lock().get(&handle).cloned().ok_or(code::INVALID_HANDLE)
    }

    pub fn remove(&self, handle: usize) -> Answer<Arc<T>> {
        self.lock().remove(&handle).ok_or(code::INVALID_HANDLE)
    }

    pub fn all(&self) -> Vec<Arc<T>> {
        self.lock().values().cloned().collect()
    }
}

#[derive(Debug)]
pub struct Driver {
    pub options: Options,
    pub device: Device,
    memory: Mutex<Memory>,
    pub streams: Table<Stream>,
    pub events: Table<Event>,
    pub modules: Table<Module>,
    pub functions: Table<Function>,
    pub graphs: Table<Vec<Op>>,
    pub executables: Table<Vec<Op>>,
    pub arrays: Table<Array>,
    pub textures: Table<Texture>,
    default_stream: OnceLock<Arc<Stream>>,
    sticky: AtomicU32,
    /// Kernels that ran.
    ran: AtomicU64,
    /// Launches that were asked for.
    asked: AtomicU64,
}

static DRIVER: OnceLock<Driver> = OnceLock::new();

pub fn init() -> Answer {
    let options = Options::read();
    let Some(device) = options.device else { return Err(code::NO_DEVICE) };
    DRIVER.get_or_init(|| {
        count::write_at_exit();
        Driver {
            options,
            device,
            memory: Mutex::default(),
            streams: Table::default(),
            events: Table::default(),
            modules: Table::default(),
            functions: Table::default(),
            graphs: Table::default(),
            executables: Table::default(),
            arrays: Table::default(),
            textures: Table::default(),
            default_stream: OnceLock::new(),
            sticky: AtomicU32::new(0),
            ran: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        }
    });
    Ok(())
}

pub fn get() -> Answer<&'static Driver> {
    DRIVER.get().ok_or(code::NOT_INITIALIZED)
}

thread_local! {
    /// Whether this thread runs a host function, from which no call is allowed.
    pub static IN_HOST_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// One call of the API: counted, and answered with the sticky error if there is one.
pub fn call(name: &'static str, f: impl FnOnce(&'static Driver) -> Answer) -> Code {
    count::add(name, 1);
    let answer = || {
        let driver = get()?;
        if IN_HOST_FUNCTION.get() {
            return Err(code::NOT_PERMITTED);
        }
        match driver.sticky.load(Ordering::Acquire) {
            0 => f(driver),
            sticky => Err(sticky),
        }
    };
    answer().err().unwrap_or(0)
}

impl Driver {
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of a handle; 0, 1 and 2 are the driver's own.
    pub fn stream(&'static self, handle: usize) -> Answer<Arc<Stream>> {
        if handle <= 2 {
            return Ok(self.default_stream.get_or_init(|| Stream::new(self.options.delay, true)).clone());
        }
        self.streams.get(handle)
    }

    pub fn all_streams(&self) -> Vec<Arc<Stream>> {
        let mut all = self.streams.all();
        all.extend(self.default_stream.get().cloned());
        all
    }

    /// From now on every call fails.
    pub fn break_down(&self, code: Code) {
        // The first one is the cause.
        let _ = self.sticky.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    pub fn is_broken(&self) -> bool {
        self.sticky.load(Ordering::Acquire) != 0
    }

    /// Before a kernel is launched or captured.
    pub fn may_launch(&self) -> Answer {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        if self.options.fail_launch == Some(number) { Err(code::LAUNCH_OUT_OF_RESOURCES) } else { Ok(()) }
    }

    /// Before a kernel runs.
    pub fn may_run(&self) -> Answer {
        let before = self.ran.fetch_add(1, Ordering::AcqRel);
        let is_told = self.options.sticky_file.as_deref().is_some_and(std::path::Path::exists);
        if is_told || self.options.sticky_after.is_some_and(|n| before >= n) {
            Err(code::ILLEGAL_ADDRESS)
        } else {
            Ok(())
        }
    }
}
