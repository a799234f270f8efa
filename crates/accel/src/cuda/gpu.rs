//! A GPU: whether there is one, what it can, and its primary context.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};
use cudarc::driver::{CudaContext, result};

use super::error::{CudaError, While, words};
use super::kernels::Kernels;

/// Of a driver for CUDA 12.6, which takes the PTX that we ship.
const DRIVER_LEAST: i32 = 12_060;

/// What a GPU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    pub name: String,
    /// Compute capability.
    pub capability: (i32, i32),
    pub multiprocessors: i32,
    /// Shares its memory with the processor, as on a Jetson.
    pub integrated: bool,
    /// CUDA version of the driver: 12060 for 12.6.
    pub driver: i32,
    pub memory_bytes: usize,
}

/// Device memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryInfo {
    pub free: usize,
    pub total: usize,
}

/// A GPU with its primary context, which TensorRT and the decoders share, and the kernels of vigia.
pub struct Gpu {
    properties: Properties,
    context: Arc<CudaContext>,
    kernels: Kernels,
    janitor: Sender<Garbage>,
}

/// Device memory that nobody uses any more.
#[derive(Debug)]
pub(super) struct Garbage(pub u64);

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("properties", &self.properties).finish_non_exhaustive()
    }
}

/// Initialises the driver and counts its GPUs.
///
/// # Errors
/// One sentence on why there is none to use: no library, no driver that starts, no GPU, a driver too old.
pub(super) fn probe() -> Result<usize, CudaError> {
    // SAFETY: it only asks whether the dynamic loader finds the driver; libcuda's initialisers are made for that.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::NoLibrary);
    }
    match result::init() {
        Ok(()) => {}
        Err(e) if e.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE => return Err(CudaError::NoDevice),
        Err(e) => return Err(CudaError::Init { code: e.0 as u32, text: words(e) }),
    }
    let version = driver_version()?;
    if version < DRIVER_LEAST {
        return Err(CudaError::OldDriver { version });
    }
    let count = result::device::get_count().while_("counting GPUs")?;
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(CudaError::NoDevice),
    }
}

fn driver_version() -> Result<i32, CudaError> {
    let mut version = 0;
    // SAFETY: the out parameter is a local.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.while_("asking for the driver's version")?;
    Ok(version)
}

impl Gpu {
    /// Opens a GPU: 0 is the first.
    ///
    /// # Errors
    /// [`CudaError`], in one sentence, if there is none or the driver can't run the kernels.
    pub fn open(ordinal: usize) -> Result<Arc<Self>, CudaError> {
        let count = probe()?;
        if ordinal >= count {
            return Err(CudaError::NoSuchDevice { ordinal, count });
        }
        let context = CudaContext::new(ordinal).while_("opening the primary context")?;
        // SAFETY: we make no CudaSlice, which are what would be tracked; order is kept by our own events.
        unsafe { context.disable_event_tracking() };
        let properties = properties(&context)?;
        let kernels = Kernels::load(&context)?;
        let janitor = janitor(context.clone());
        Ok(Arc::new(Gpu { properties, context, kernels, janitor }))
    }

    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// # Errors
    /// [`CudaError::Call`].
    pub fn memory(&self) -> Result<MemoryInfo, CudaError> {
        self.bind()?;
        let (free, total) = result::mem_get_info().while_("asking for free memory")?;
        Ok(MemoryInfo { free, total })
    }

    /// Whether so much more memory can be had, before anything is asked for.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`] with the sizes, or [`CudaError::Call`].
    pub fn has_room(&self, what: &'static str, wanted: usize) -> Result<(), CudaError> {
        let MemoryInfo { free, total } = self.memory()?;
        // Where the memory is the processor's, the driver does not count what the system would give up for it.
        let free = if self.properties.integrated { free.max(available().min(total)) } else { free };
        if wanted <= free { Ok(()) } else { Err(CudaError::OutOfMemory { what, wanted, free, total }) }
    }

    /// Makes the context that of this thread. Also where errors come up that a drop met.
    pub(crate) fn bind(&self) -> Result<(), CudaError> {
        self.context.bind_to_thread().while_("taking the context")
    }

    pub(crate) fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    pub(super) fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// Frees later and elsewhere: freeing waits for the GPU.
    pub(super) fn discard(&self, garbage: Garbage) {
        // Without a janitor the context is about to go, and the memory with it.
        let _ = self.janitor.send(garbage);
    }
}

/// Bytes that the system can give without swapping; 0 if it doesn't say.
fn available() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    kib.map_or(0, |kib| kib.saturating_mul(1024))
}

fn properties(context: &CudaContext) -> Result<Properties, CudaError> {
    let ask = |attribute| context.attribute(attribute).while_("asking for the GPU's properties");
    Ok(Properties {
        name: context.name().while_("asking for the GPU's name")?,
        capability: context.compute_capability().while_("asking for the compute capability")?,
        multiprocessors: ask(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        integrated: ask(Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
        driver: driver_version()?,
        memory_bytes: context.total_mem().while_("asking for the GPU's memory")?,
    })
}

/// The thread that frees device memory. It ends with the last sender.
fn janitor(context: Arc<CudaContext>) -> Sender<Garbage> {
    let (sender, garbage) = channel::<Garbage>();
    std::thread::spawn(move || {
        for Garbage(address) in garbage {
            let bound = context.bind_to_thread();
            // SAFETY: the address came from an allocation of this context whose only owner sent it here. The driver
            // waits for work that still uses it.
            let freed = bound.and_then(|()| unsafe { result::free_sync(address) });
            context.record_err(freed);
        }
    });
    sender
}
