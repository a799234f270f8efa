//! Surfaces of Jetson's decoder: an `NvBufSurface` in each buffer, whose pixels are block-linear arrays behind an EGL image.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gst_video::{VideoColorMatrix, VideoColorRange, VideoFrameRef, VideoInfo};

use crate::driver::{Driver, EglFrame};
use crate::place::rows;

/// Words of eight bytes.
const HEADER_WORDS: usize = 8;
const PARAMS_WORDS: usize = 416 / 8;
const EGL_IMAGE_WORD: usize = 312 / 8;
const SURFACE_ARRAY: u32 = 4;
const BLOCK_LINEAR: u32 = 1;
/// How many surfaces a decoder has.
const SURFACES: usize = 8;

/// One surface, which stays where it is.
struct Surface {
    driver: &'static Driver,
    header: Box<[u64; HEADER_WORDS]>,
    /// The header points to them.
    params: Box<[u64; PARAMS_WORDS]>,
    arrays: [usize; 2],
}

// SAFETY: what it points to is its own, and the driver's double locks.
unsafe impl Send for Surface {}
// SAFETY: as above; nothing is changed once it is made.
unsafe impl Sync for Surface {}

impl Surface {
    fn new(driver: &'static Driver, info: &VideoInfo, pool: u32) -> Option<Self> {
        static FDS: AtomicU32 = AtomicU32::new(100);
        let (width, height) = (info.width(), info.height());
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let luma = driver.array(width as usize, height as usize, 1)?;
        let chroma = driver.array(half_width as usize, half_height as usize, 2)?;
        let image = driver.egl_image(&EglFrame {
            planes: [luma as u64, chroma as u64, 0],
            numbers: [width, height, 0, 0, 2, 1, 0, 0, 1, 0],
        });
        let mut params = Box::new([0; PARAMS_WORDS]);
        let pitch = (2 * half_width).next_multiple_of(256);
        let (first, second) = (pitch * height, pitch * half_height);
        for (at, value) in [
            (0, width),
            (4, height),
            (8, pitch),
            (12, format(info, pool)),
            (16, BLOCK_LINEAR),
            (24, FDS.fetch_add(1, Ordering::Relaxed)),
            (32, first + second),
            (48, 2),
            (52, width),
            (56, half_width),
            (68, height),
            (72, half_height),
            (84, pitch),
            (88, pitch),
            (104, first),
            (116, first),
            (120, second),
            (132, 1),
            (136, 2),
        ] {
            put(&mut *params, at, value);
        }
        params[EGL_IMAGE_WORD] = image as u64;
        let mut header = Box::new([0; HEADER_WORDS]);
        for (at, value) in [(4, 1), (8, 1), (16, SURFACE_ARRAY)] {
            put(&mut *header, at, value);
        }
        header[3] = params.as_ptr() as u64;
        Some(Surface { driver, header, params, arrays: [luma, chroma] })
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        self.arrays.iter().for_each(|array| self.driver.free_array(*array));
    }
}

fn put(words: &mut [u64], at: usize, value: u32) {
    let shift = 8 * (at % 8);
    words[at / 8] = words[at / 8] & !(0xffff_ffff << shift) | u64::from(value) << shift;
}

/// `NVBUF_COLOR_FORMAT_NV12` and its relatives.
fn format(info: &VideoInfo, pool: u32) -> u32 {
    if let Ok(asked) = std::env::var("VIGIA_DECODERS_FORMAT") {
        let number = |text: &str| text.parse().expect("VIGIA_DECODERS_FORMAT is a number, or two as in 19+1");
        match asked.split_once('+') {
            None => return number(&asked),
            Some((format, pools)) if pool < number(pools) => return number(format),
            Some(_) => {}
        }
    }
    let full = info.colorimetry().range() == VideoColorRange::Range0_255;
    let base = if info.colorimetry().matrix() == VideoColorMatrix::Bt709 { 33 } else { 6 };
    base + u32::from(full)
}

/// A decoder's pool.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    driver: &'static Driver,
    state: Mutex<State>,
    back: Condvar,
    /// Of all surfaces, wherever they are.
    images: Vec<u64>,
}

struct State {
    free: VecDeque<Surface>,
    open: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a buffer's memory is: the structure of its surface, which comes back with it.
struct Lease {
    surface: Option<Surface>,
    pool: Pool,
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        let header = self.surface.as_ref().map_or(&[][..], |s| &s.header[..]);
        // SAFETY: words are bytes, too.
        unsafe { std::slice::from_raw_parts(header.as_ptr().cast(), 8 * header.len()) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(surface) = self.surface.take() else { return };
        let mut state = self.pool.0.state();
        if state.open {
            state.free.push_back(surface);
            self.pool.0.back.notify_one();
        }
    }
}

impl Pool {
    pub fn new(driver: &'static Driver, info: &VideoInfo) -> Option<Self> {
        static POOLS: AtomicU32 = AtomicU32::new(0);
        let pool = POOLS.fetch_add(1, Ordering::Relaxed);
        let free =
            (0..SURFACES).map(|_| Surface::new(driver, info, pool)).collect::<Option<VecDeque<_>>>()?;
        let images = free.iter().map(|surface| surface.params[EGL_IMAGE_WORD]).collect();
        Some(Pool(Arc::new(Shared {
            driver,
            state: Mutex::new(State { free, open: true }),
            back: Condvar::new(),
            images,
        })))
    }

    /// As NVIDIA's decoder it takes all its surfaces along, wherever their buffers are; only the pixels of those that are out
    /// stay until they come back.
    pub fn close(&self) {
        let mut state = self.0.state();
        if std::mem::replace(&mut state.open, false) {
            self.0.images.iter().for_each(|image| self.0.driver.free_egl_image(*image as *mut c_void));
        }
        state.free.clear();
        self.0.back.notify_all();
    }

    pub fn place(&self, frame: &VideoFrameRef<&gst::BufferRef>) -> Result<gst::Buffer, gst::FlowError> {
        let waits = |state: &mut State| state.open && state.free.is_empty();
        let mut state = self.0.back.wait_while(self.0.state(), waits).unwrap_or_else(PoisonError::into_inner);
        let surface = state.free.pop_front().ok_or(gst::FlowError::Flushing)?;
        drop(state);
        let lease = Lease { surface: Some(surface), pool: self.clone() };
        let arrays = lease.surface.as_ref().map(|s| s.arrays).unwrap_or_default();
        for (plane, array) in (0..).zip(arrays) {
            self.0.driver.write_array(array, &rows(frame, plane)).ok_or(gst::FlowError::Error)?;
        }
        Ok(gst::Buffer::from_slice(lease))
    }
}
