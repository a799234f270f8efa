//! Memory of the device, and of the host where the device reaches it.

use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::error::{CudaError, While};
use super::gpu::{Garbage, Gpu};

/// Values that any bytes are, and that have no padding.
///
/// # Safety
/// Every bit pattern is a value, and no byte of a value is undefined.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: numbers are their bytes.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}

/// Values in device memory. Freed by a thread of its own, never by the one that lets go.
pub struct DeviceBuffer<T: Plain> {
    gpu: Arc<Gpu>,
    address: u64,
    len: usize,
    _values: PhantomData<T>,
}

impl<T: Plain> fmt::Debug for DeviceBuffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceBuffer({} values of {} bytes)", self.len, size_of::<T>())
    }
}

/// `what` is for the error's sentence.
fn allocate(gpu: &Gpu, bytes: usize, what: &'static str) -> Result<u64, CudaError> {
    gpu.bind()?;
    // SAFETY: the memory is uninitialised; every byte pattern is a value of a `Plain` type.
    match unsafe { result::malloc_sync(bytes) } {
        Err(e) if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            let memory = gpu.memory()?;
            Err(CudaError::OutOfMemory { what, wanted: bytes, free: memory.free, total: memory.total })
        }
        other => other.while_("allocating device memory"),
    }
}

impl<T: Plain> DeviceBuffer<T> {
    /// `len` values, at least one, of no particular value.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`] with the sizes, or [`CudaError::Call`].
    pub fn new(gpu: &Arc<Gpu>, len: usize, what: &'static str) -> Result<Self, CudaError> {
        let size = || CudaError::Size { what, expected: 1, given: len };
        let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes > 0).ok_or_else(size)?;
        let address = allocate(gpu, bytes, what)?;
        Ok(DeviceBuffer { gpu: gpu.clone(), address, len, _values: PhantomData })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    fn check(&self, given: usize) -> Result<(), CudaError> {
        let expected = self.len;
        if given == expected {
            return self.gpu.bind();
        }
        Err(CudaError::Size { what: "values to copy", expected, given })
    }

    /// Copies all values to the device and waits for it. Not for the path of frames.
    ///
    /// # Errors
    /// [`CudaError::Size`] or [`CudaError::Call`].
    pub fn write(&mut self, values: &[T]) -> Result<(), CudaError> {
        self.check(values.len())?;
        // SAFETY: both sides have as many bytes, as checked; the call waits for the copy.
        unsafe { result::memcpy_htod_sync(self.address, values) }.while_("copying to the device")
    }

    /// Copies all values from the device and waits for it. Not for the path of frames.
    ///
    /// # Errors
    /// [`CudaError::Size`] or [`CudaError::Call`].
    pub fn read(&self, values: &mut [T]) -> Result<(), CudaError> {
        self.check(values.len())?;
        // SAFETY: both sides have as many bytes, as checked, and any bytes are values; the call waits for the copy.
        unsafe { result::memcpy_dtoh_sync(values, self.address) }.while_("copying from the device")
    }
}

impl<T: Plain> Drop for DeviceBuffer<T> {
    fn drop(&mut self) {
        self.gpu.discard(Garbage(self.address));
    }
}

/// Values in host memory that stays where it is, so that copies need no stop on the way. The device can
/// reach it directly, too.
pub struct Pinned<T: Plain> {
    gpu: Arc<Gpu>,
    values: NonNull<T>,
    address: u64,
    len: usize,
}

// SAFETY: it owns its memory; access goes through & and &mut as with a Box.
unsafe impl<T: Plain> Send for Pinned<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Pinned<T> {}

impl<T: Plain> fmt::Debug for Pinned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({} values of {} bytes)", self.len, size_of::<T>())
    }
}

impl<T: Plain> Pinned<T> {
    /// `len` values, at least one, all of whose bytes are zero.
    ///
    /// # Errors
    /// [`CudaError::Call`].
    pub fn new(gpu: &Arc<Gpu>, len: usize) -> Result<Self, CudaError> {
        let size = || CudaError::Size { what: "pinned values", expected: 1, given: len };
        let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes > 0).ok_or_else(size)?;
        gpu.bind()?;
        // SAFETY: the memory is given back by our drop alone.
        let at = unsafe { result::malloc_host(bytes, sys::CU_MEMHOSTALLOC_DEVICEMAP) };
        let at = at.while_("allocating pinned memory")?;
        let mut address = 0;
        // SAFETY: `at` was just given out, and is as long as `bytes`.
        let mapped = unsafe {
            at.cast::<u8>().write_bytes(0, bytes);
            sys::cuMemHostGetDevicePointer_v2(&raw mut address, at, 0)
        };
        let values = NonNull::new(at.cast()).ok_or_else(size)?;
        let pinned = Pinned { gpu: gpu.clone(), values, address, len };
        mapped.while_("mapping pinned memory for the device")?;
        Ok(pinned)
    }

    /// As the device reaches it.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// As copies reach it. Whoever starts one must keep the host from touching it meanwhile.
    pub(super) fn at(&self) -> *mut c_void {
        self.values.as_ptr().cast()
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    #[must_use]
    pub fn values(&self) -> &[T] {
        // SAFETY: `len` values that live as long as we, initialised by `new`; any bytes are values.
        unsafe { std::slice::from_raw_parts(self.values.as_ptr(), self.len) }
    }

    pub fn values_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `values`, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.values.as_ptr(), self.len) }
    }
}

impl<T: Plain> Drop for Pinned<T> {
    fn drop(&mut self) {
        let context = self.gpu.context();
        // SAFETY: this memory came from `malloc_host` and nobody else owns it; slots wait for their work before they let
        // go of it.
        let freed = context.bind_to_thread().and_then(|()| unsafe { result::free_host(self.at()) });
        context.record_err(freed);
    }
}
