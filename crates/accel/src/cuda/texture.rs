//! Frames in block-linear arrays, as Jetson's decoder leaves them, read through texture objects.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;

use cudarc::driver::sys;

use super::error::{CudaError, While};
use super::gpu::Gpu;
use super::image::{DeviceFormat, DeviceImage, DeviceLayout, Keep};

/// A texture object over one plane; single texels as integers, which is what the kernels expect.
pub(super) struct Texture {
    gpu: Arc<Gpu>,
    object: sys::CUtexObject,
}

impl Texture {
    /// # Safety
    /// `array` must be a two-dimensional array of 8 or 16-bit integers that outlives the texture.
    pub unsafe fn new(gpu: &Arc<Gpu>, array: sys::CUarray) -> Result<Self, CudaError> {
        gpu.bind()?;
        // SAFETY: both are plain structures for which zero is "nothing special"; the type says that the union holds an
        // array, which is set.
        let (resource, texture) = unsafe {
            let mut resource = MaybeUninit::<sys::CUDA_RESOURCE_DESC>::zeroed();
            let r = resource.as_mut_ptr();
            (*r).resType = sys::CUresourcetype::CU_RESOURCE_TYPE_ARRAY;
            (*r).res.array.hArray = array;
            let mut texture = MaybeUninit::<sys::CUDA_TEXTURE_DESC>::zeroed();
            let t = texture.as_mut_ptr();
            (*t).addressMode = [sys::CUaddress_mode::CU_TR_ADDRESS_MODE_CLAMP; 3];
            (*t).filterMode = sys::CUfilter_mode::CU_TR_FILTER_MODE_POINT;
            (*t).flags = sys::CU_TRSF_READ_AS_INTEGER;
            (resource.assume_init(), texture.assume_init())
        };
        let mut object = 0;
        // SAFETY: the descriptions are locals; the caller vouches for the array.
        unsafe {
            sys::cuTexObjectCreate(&raw mut object, &raw const resource, &raw const texture, std::ptr::null())
        }
        .while_("creating a texture object")?;
        Ok(Texture { gpu: gpu.clone(), object })
    }

    pub fn object(&self) -> u64 {
        self.object
    }
}

impl Drop for Texture {
    fn drop(&mut self) {
        let context = self.gpu.context();
        // SAFETY: the object is ours, and whoever launched work on it has waited.
        let gone =
            context.bind_to_thread().and_then(|()| unsafe { sys::cuTexObjectDestroy(self.object) }.result());
        context.record_err(gone);
    }
}

/// An array of our own.
struct Array {
    gpu: Arc<Gpu>,
    raw: sys::CUarray,
}

impl Drop for Array {
    fn drop(&mut self) {
        let context = self.gpu.context();
        // SAFETY: the array is ours, and its texture is gone: fields are dropped in order.
        let gone = context.bind_to_thread().and_then(|()| unsafe { sys::cuArrayDestroy(self.raw) }.result());
        context.record_err(gone);
    }
}

/// A frame of NV12 or P010 in arrays of our own: what tests and `gpu-check` read block-linear memory with.
pub struct TextureImage {
    /// Of the arrays after them.
    textures: [Texture; 2],
    arrays: [Array; 2],
    layout: DeviceLayout,
}

// SAFETY: handles of the driver may be used from any thread; it locks.
unsafe impl Send for TextureImage {}
// SAFETY: as above.
unsafe impl Sync for TextureImage {}

impl fmt::Debug for TextureImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextureImage").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl TextureImage {
    /// Copies a frame of the host, which lies in `bytes` as `layout` says, into arrays.
    ///
    /// # Errors
    /// [`CudaError::Size`] for other formats, [`CudaError::Image`] if the bytes are too few, or [`CudaError::Call`].
    pub fn new(gpu: &Arc<Gpu>, layout: DeviceLayout, bytes: &[u8]) -> Result<Self, CudaError> {
        let deep = match layout.format {
            DeviceFormat::Nv12 => false,
            DeviceFormat::P010 => true,
            other => {
                let given = other.planes();
                return Err(CudaError::Size { what: "planes of a texture image", expected: 2, given });
            }
        };
        layout.check(bytes.len())?;
        gpu.bind()?;
        let array = |plane| {
            let (row, rows) = layout.format.plane_size(plane, layout.width, layout.height);
            array(gpu, row, rows, plane + 1, deep)
        };
        let arrays = [array(0)?, array(1)?];
        for (plane, array) in arrays.iter().enumerate() {
            let (row, rows) = layout.format.plane_size(plane, layout.width, layout.height);
            fill(array, &bytes[layout.offsets[plane]..], layout.pitches[plane], row, rows)?;
        }
        // SAFETY: the arrays are of this kind, and `TextureImage` drops them after the textures.
        let textures = unsafe { [Texture::new(gpu, arrays[0].raw)?, Texture::new(gpu, arrays[1].raw)?] };
        Ok(TextureImage { textures, arrays, layout })
    }

    #[must_use]
    pub fn image(self: &Arc<Self>) -> DeviceImage {
        let objects = [self.textures[0].object(), self.textures[1].object()];
        let arrays = self.arrays.each_ref().map(|array| array.raw as u64);
        // SAFETY: the objects were made for arrays of this layout, and live as long as `self`, which is kept.
        unsafe { DeviceImage::from_textures(self.layout, objects, arrays, Keep::Texture(self.clone())) }
    }
}

fn array(gpu: &Arc<Gpu>, row: usize, rows: usize, channels: usize, deep: bool) -> Result<Array, CudaError> {
    use sys::CUarray_format::{CU_AD_FORMAT_UNSIGNED_INT8 as U8, CU_AD_FORMAT_UNSIGNED_INT16 as U16};
    let (format, bytes) = if deep { (U16, 2) } else { (U8, 1) };
    let description = sys::CUDA_ARRAY_DESCRIPTOR {
        Width: row / bytes / channels,
        Height: rows,
        Format: format,
        NumChannels: if channels == 1 { 1 } else { 2 },
    };
    let mut raw = std::ptr::null_mut();
    // SAFETY: description and out parameter are locals.
    unsafe { sys::cuArrayCreate_v2(&raw mut raw, &raw const description) }.while_("creating an array")?;
    Ok(Array { gpu: gpu.clone(), raw })
}

/// `bytes` must have `rows` rows of `row` bytes, `pitch` apart.
fn fill(array: &Array, bytes: &[u8], pitch: usize, row: usize, rows: usize) -> Result<(), CudaError> {
    debug_assert!(bytes.len() >= pitch * (rows - 1) + row);
    // SAFETY: a plain structure for which zero is "nothing special", but for its kinds, which are set before use.
    let mut copy = unsafe {
        let mut copy = MaybeUninit::<sys::CUDA_MEMCPY2D>::zeroed();
        (*copy.as_mut_ptr()).srcMemoryType = sys::CUmemorytype::CU_MEMORYTYPE_HOST;
        (*copy.as_mut_ptr()).dstMemoryType = sys::CUmemorytype::CU_MEMORYTYPE_ARRAY;
        copy.assume_init()
    };
    copy.srcHost = bytes.as_ptr().cast();
    copy.srcPitch = pitch;
    copy.dstArray = array.raw;
    copy.WidthInBytes = row;
    copy.Height = rows;
    // SAFETY: the rows are in `bytes`, as checked, and are what the array was made for; the call waits for the copy.
    unsafe { sys::cuMemcpy2D_v2(&raw const copy) }.while_("filling an array")
}
