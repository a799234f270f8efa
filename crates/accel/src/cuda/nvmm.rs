//! Frames of Jetson's decoder (`video/x-raw(memory:NVMM)`), and of DeepStream's on other GPUs.
//!
//! On a GPU with memory of its own the planes are CUDA memory. On a Jetson they are surfaces that EGL maps and CUDA
//! registers: as rows, or as the decoder's own block-linear arrays, which textures read. Registering costs up to a
//! millisecond, so it is done once per surface: decoders have a fixed pool, which [`Nvmm::forget`] lets go before it changes
//! or ends. The decoder frees its surfaces whoever holds their buffers, so whoever ends a pool waits until no frame in
//! flight holds one any more ([`Nvmm::is_held`]), and gives up those that stay ([`Nvmm::abandon`]).
//!
//! `libnvbufsurface.so`, `libEGL.so.1` and the EGL functions of libcuda are found at run time. Ran on doubles of all
//! three; no Jetson has run it yet.

use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use cudarc::driver::sys;
use libloading::Library;
use thiserror::Error;

use super::error::{CudaError, While};
use super::gpu::Gpu;
use super::image::{DeviceImage, DeviceImageError, DeviceLayout, Keep};
use super::nvbuf::{HEADER_BYTES, Memory, PARAMS_BYTES, Surface, SurfaceError, params_address};
use super::texture::Texture;

/// Most surfaces registered at once: pools of many cameras. Beyond it the cache starts anew.
const SURFACES_MAX: usize = 4096;
/// `cuGraphicsEGLRegisterImage`: we only read.
const READ_ONLY: u32 = 1;

/// Why an NVMM frame can't be read.
#[derive(Debug, Error)]
pub enum NvmmError {
    #[error("{library} can't be loaded: {source}")]
    Library { library: &'static str, source: libloading::Error },
    #[error("{library} has no symbol {name}")]
    Symbol { library: &'static str, name: &'static str, source: libloading::Error },
    #[error("the frame can't be mapped")]
    Map,
    #[error(transparent)]
    Surface(#[from] SurfaceError),
    #[error("the frame is in system memory, not on the device")]
    System,
    #[error("EGL does not map the surface")]
    EglMap,
    #[error(
        "CUDA sees the surface as {width}x{height} in {planes} planes of kind {kind}; {expected} is expected"
    )]
    EglFrame { width: u32, height: u32, planes: u32, kind: u32, expected: &'static str },
    #[error(transparent)]
    Image(#[from] DeviceImageError),
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

/// `CUeglFrame` of cudaEGL.h, which cudarc does not have.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct EglFrame {
    /// Addresses or arrays.
    planes: [u64; 3],
    width: u32,
    height: u32,
    depth: u32,
    pitch: u32,
    plane_count: u32,
    channels: u32,
    /// 0: arrays, 1: rows.
    kind: u32,
    colour_format: u32,
    array_format: u32,
}

const _: () = assert!(size_of::<EglFrame>() == 64);

type MapEgl = unsafe extern "C" fn(*mut c_void, i32) -> i32;
type Register = unsafe extern "C" fn(*mut *mut c_void, *mut c_void, u32) -> sys::CUresult;
type MappedFrame = unsafe extern "C" fn(*mut EglFrame, *mut c_void, u32, u32) -> sys::CUresult;

/// The functions of Jetson's path.
struct Api {
    map: MapEgl,
    unmap: MapEgl,
    register: Register,
    mapped_frame: MappedFrame,
}

impl Api {
    /// Loaded once, when the first surface needs it. What was not there may come.
    fn get() -> Result<&'static Self, NvmmError> {
        static API: OnceLock<Api> = OnceLock::new();
        match API.get() {
            Some(api) => Ok(api),
            None => Self::load().map(|api| API.get_or_init(|| api)),
        }
    }

    fn load() -> Result<Self, NvmmError> {
        let (surfaces, cuda) = ("libnvbufsurface.so", "libcuda.so.1");
        // What the other one draws its display from; asked for first, so that its absence has a name.
        let (egl, nvbuf, driver) = (open("libEGL.so.1")?, open(surfaces)?, open(cuda)?);
        // SAFETY: these are the signatures of nvbufsurface.h and cudaEGL.h; both libraries stay, see below.
        let api = unsafe {
            Api {
                map: symbol(&nvbuf, surfaces, "NvBufSurfaceMapEglImage")?,
                unmap: symbol(&nvbuf, surfaces, "NvBufSurfaceUnMapEglImage")?,
                register: symbol(&driver, cuda, "cuGraphicsEGLRegisterImage")?,
                mapped_frame: symbol(&driver, cuda, "cuGraphicsResourceGetMappedEglFrame")?,
            }
        };
        // They stay loaded: EGL's displays live as long as the process.
        [egl, nvbuf, driver].into_iter().for_each(std::mem::forget);
        Ok(api)
    }
}

fn open(library: &'static str) -> Result<Library, NvmmError> {
    // SAFETY: system libraries, whose initialisers may run at any time.
    unsafe { Library::new(library) }.map_err(|source| NvmmError::Library { library, source })
}

/// # Safety
/// `T` is the symbol's type.
unsafe fn symbol<T: Copy>(from: &Library, library: &'static str, name: &'static str) -> Result<T, NvmmError> {
    // SAFETY: the caller's promise.
    let found = unsafe { from.get::<T>(name) };
    found.map(|f| *f).map_err(|source| NvmmError::Symbol { library, name, source })
}

/// Reads frames of NVMM memory. One for each camera, so that its pool goes with it.
pub struct Nvmm {
    gpu: Arc<Gpu>,
    pool: Arc<Pool>,
    registered: HashMap<(usize, u64), Arc<Registered>>,
    /// Pools that were let go while frames in flight held surfaces of them.
    leaving: Vec<Weak<Pool>>,
}

/// A decoder's pool, held by all that came of its surfaces.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Its surfaces may be gone: nothing is undone with them.
    is_abandoned: AtomicBool,
}

impl fmt::Debug for Nvmm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nvmm").field("registered", &self.registered.len()).finish_non_exhaustive()
    }
}

impl Nvmm {
    #[must_use]
    pub fn new(gpu: &Arc<Gpu>) -> Self {
        let (pool, registered, leaving) = (Arc::default(), HashMap::new(), Vec::new());
        Nvmm { gpu: gpu.clone(), pool, registered, leaving }
    }

    /// The frame, without a copy. Holds a reference to the buffer, whose caps must say `memory:NVMM`.
    ///
    /// # Errors
    /// [`NvmmError`] in one sentence.
    pub fn image(&mut self, buffer: &gst::Buffer) -> Result<DeviceImage, NvmmError> {
        let at = surface_address(buffer)?;
        let (params, surface) = read(at)?;
        match surface.memory {
            Memory::System(_) => Err(NvmmError::System),
            Memory::Cuda(address) => {
                surface.layout.check(surface.bytes)?;
                let keep = Keep::Pooled(buffer.clone(), self.pool.clone());
                // SAFETY: the surface says so and agrees with itself; it lives as long as the buffer, which is kept.
                Ok(unsafe { DeviceImage::from_address(surface.layout, address, keep) })
            }
            Memory::SurfaceArray => {
                let key = (at as usize, surface.fd);
                let registered = match self.registered.get(&key) {
                    Some(known) if known.said == surface.layout => known.clone(),
                    _ => self.register(key, at, params, &surface)?,
                };
                Ok(Registered::image(&registered, buffer))
            }
        }
    }

    fn register(
        &mut self,
        key: (usize, u64),
        at: *mut c_void,
        params: *const u8,
        surface: &Surface,
    ) -> Result<Arc<Registered>, NvmmError> {
        let api = Api::get()?;
        if self.registered.len() >= SURFACES_MAX {
            self.registered.clear();
        }
        // The old one is unmapped before the new one is mapped: it may be the same surface.
        self.registered.remove(&key);
        let registered = Arc::new(Registered::new((&self.gpu, &self.pool), api, at, params, surface)?);
        self.registered.insert(key, registered.clone());
        Ok(registered)
    }

    /// Lets all surfaces go: the decoder's pool is about to change. Frames that are still in flight keep theirs.
    pub fn forget(&mut self) {
        self.registered.clear();
        let left = Arc::downgrade(&std::mem::take(&mut self.pool));
        self.leaving.push(left);
        self.leaving.retain(|pool| pool.strong_count() > 0);
    }

    /// Whether frames in flight hold surfaces of a pool that was let go.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.leaving.iter().any(|pool| pool.strong_count() > 0)
    }

    /// Those frames hold them for too long: their surfaces go now, so what was made for them is never taken down.
    pub fn abandon(&mut self) {
        for pool in self.leaving.drain(..).filter_map(|pool| pool.upgrade()) {
            pool.is_abandoned.store(true, Ordering::Release);
        }
    }
}

/// Where the buffer's surface is.
fn surface_address(buffer: &gst::Buffer) -> Result<*mut c_void, NvmmError> {
    let map = buffer.map_readable().map_err(|_| NvmmError::Map)?;
    if map.size() < HEADER_BYTES {
        return Err(SurfaceError::Short { expected: HEADER_BYTES, given: map.size() }.into());
    }
    // The structure is the memory's own, so it stays when this mapping goes.
    Ok(map.as_ptr().cast_mut().cast())
}

/// What the surface at `at` says, and where its parameters are.
fn read(at: *mut c_void) -> Result<(*const u8, Surface), NvmmError> {
    // SAFETY: the buffer's memory was found to be at least so long, and its decoder does not write what we hold.
    let header = unsafe { std::slice::from_raw_parts(at.cast::<u8>(), HEADER_BYTES) };
    let params = params_address(header)? as *const u8;
    // SAFETY: caps and header say that this is an NvBufSurface with at least one buffer, so its list leads to parameters,
    // which have 384 bytes in the shortest layout.
    let bytes = unsafe { std::slice::from_raw_parts(params, PARAMS_BYTES) };
    Ok((params, Surface::parse(header, bytes)?))
}

/// A surface that CUDA can read.
pub(crate) struct Registered {
    gpu: Arc<Gpu>,
    pool: Arc<Pool>,
    api: &'static Api,
    surface: *mut c_void,
    resource: *mut c_void,
    /// As the surface says it: what CUDA says of its pitch may be another thing.
    said: DeviceLayout,
    layout: DeviceLayout,
    /// Addresses, unless there are textures.
    planes: [u64; 2],
    /// And the arrays behind them.
    textures: Option<([Texture; 2], [u64; 2])>,
}

// SAFETY: handles of libraries that lock; nothing is changed after `new`.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// In `NvBufSurfaceParams`.
const EGL_IMAGE: usize = 312;

impl Registered {
    fn new(
        (gpu, pool): (&Arc<Gpu>, &Arc<Pool>),
        api: &'static Api,
        surface: *mut c_void,
        params: *const u8,
        of: &Surface,
    ) -> Result<Self, NvmmError> {
        gpu.bind()?;
        // SAFETY: `surface` is an NvBufSurface, and 0 the first of its buffers.
        if unsafe { (api.map)(surface, 0) } != 0 {
            return Err(NvmmError::EglMap);
        }
        // From here on dropping it undoes what was done.
        let mut new = Registered {
            gpu: gpu.clone(),
            pool: pool.clone(),
            api,
            surface,
            resource: std::ptr::null_mut(),
            said: of.layout,
            layout: of.layout,
            planes: [0; 2],
            textures: None,
        };
        let mut frame = EglFrame::default();
        // SAFETY: mapping has filled in the image, which lies within the parameters; out parameters are locals.
        unsafe {
            let image = params.add(EGL_IMAGE).cast::<*mut c_void>().read();
            (new.api.register)(&raw mut new.resource, image, READ_ONLY).while_("registering a surface")?;
            (new.api.mapped_frame)(&raw mut frame, new.resource, 0, 0)
                .while_("asking for a surface's planes")?;
        }
        new.take(&frame)?;
        Ok(new)
    }

    fn take(&mut self, frame: &EglFrame) -> Result<(), NvmmError> {
        let EglFrame { width, height, plane_count: planes, kind, .. } = *frame;
        let refuse = |expected| Err(NvmmError::EglFrame { width, height, planes, kind, expected });
        if (width, height, planes) != (self.layout.width, self.layout.height, 2) {
            return refuse("the surface's own size in two planes");
        }
        if frame.planes[0] == 0 || frame.planes[1] == 0 {
            return refuse("two planes that are somewhere");
        }
        match kind {
            0 => {
                let array = |plane: usize| frame.planes[plane] as sys::CUarray;
                // SAFETY: the driver says that these are arrays, of NV12 by the surface's format; they live while the resource is
                // registered, and `drop` lets go of the textures first.
                let textures =
                    unsafe { [Texture::new(&self.gpu, array(0))?, Texture::new(&self.gpu, array(1))?] };
                self.planes = [textures[0].object(), textures[1].object()];
                self.textures = Some((textures, [frame.planes[0], frame.planes[1]]));
            }
            1 => {
                let (row, _) = self.layout.format.plane_size(0, width, height);
                if (frame.pitch as usize) < row {
                    return refuse("a pitch of at least a row");
                }
                self.layout.pitches = [frame.pitch as usize, frame.pitch as usize, 0];
                self.planes = [frame.planes[0], frame.planes[1]];
            }
            _ => return refuse("kind 0 (arrays) or 1 (rows)"),
        }
        Ok(())
    }

    fn image(this: &Arc<Self>, buffer: &gst::Buffer) -> DeviceImage {
        let keep = Keep::Nvmm(this.clone(), buffer.clone());
        if let Some((_, arrays)) = &this.textures {
            // SAFETY: the textures are over the surface's planes and live as long as `this`, which is kept.
            return unsafe { DeviceImage::from_textures(this.layout, this.planes, *arrays, keep) };
        }
        // SAFETY: CUDA gave these addresses and pitch for a surface of this size; they are valid while `this` is kept.
        unsafe { DeviceImage::from_planes(this.layout, this.planes, keep) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.textures = None;
        if self.pool.is_abandoned.load(Ordering::Acquire) {
            // CUDA's registration keeps the memory; the surface, which the other call needs, may be gone.
            return;
        }
        let context = self.gpu.context();
        if !self.resource.is_null() {
            let resource: sys::CUgraphicsResource = self.resource.cast();
            // SAFETY: it was registered by `new`, and is unregistered once.
            let gone = context
                .bind_to_thread()
                .and_then(|()| unsafe { sys::cuGraphicsUnregisterResource(resource) }.result());
            context.record_err(gone);
        }
        // SAFETY: it was mapped by `new`, and is unmapped once. Its surface lives: before a pool goes it is let go, and what
        // frames in flight hold then is waited for or abandoned.
        unsafe { (self.api.unmap)(self.surface, 0) };
    }
}
