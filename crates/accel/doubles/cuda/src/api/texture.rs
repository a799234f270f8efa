//! Arrays and texture objects.

use std::ffi::c_void;

use cudarc::driver::sys::{
    CUDA_ARRAY_DESCRIPTOR, CUDA_RESOURCE_DESC, CUDA_TEXTURE_DESC, CUarray_format, CUfilter_mode,
    CUresourcetype,
};

use super::{exports, give};
use crate::texture::{Array, Texture};
use crate::{capture, code};

/// Texels are read as integers.
const READ_AS_INTEGER: u32 = 1;

exports! {
    fn cuArrayCreate_v2(array: *mut usize, of: *const CUDA_ARRAY_DESCRIPTOR) |driver| {
        capture::refuse()?;
        // SAFETY: the caller of the driver API owns the description, with the enums of the header.
        let of = unsafe { &*of };
        let bytes = match of.Format {
            CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8 => 1,
            CUarray_format::CU_AD_FORMAT_UNSIGNED_INT16 => 2,
            _ => return Err(code::INVALID_VALUE),
        };
        let side = |n: usize| u32::try_from(n).map_err(|_| code::INVALID_VALUE);
        let new = Array::new(side(of.Width)?, side(of.Height)?.max(1), of.NumChannels, bytes);
        give(array, driver.arrays.add(new));
        Ok(())
    }

    fn cuArrayDestroy(array: usize) |driver| {
        driver.arrays.remove(array).map(|_| ())
    }

    fn cuTexObjectCreate(
        object: *mut u64,
        resource: *const CUDA_RESOURCE_DESC,
        texture: *const CUDA_TEXTURE_DESC,
        _view: *const c_void,
    ) |driver| {
        // SAFETY: the caller of the driver API owns the descriptions, with the enums of the header.
        let (resource, texture) = unsafe { (&*resource, &*texture) };
        let points = texture.filterMode == CUfilter_mode::CU_TR_FILTER_MODE_POINT;
        // What the kernels rely on; anything else would work on a GPU, and give other numbers.
        if !points || texture.flags != READ_AS_INTEGER || resource.resType != CUresourcetype::CU_RESOURCE_TYPE_ARRAY {
            return Err(code::INVALID_VALUE);
        }
        // SAFETY: the type says which of the union it is.
        let array = unsafe { resource.res.array.hArray } as usize;
        let new = Texture::new(driver.arrays.get(array)?);
        let handle = new.handle();
        driver.textures.add_as(handle, new);
        give(object, handle as u64);
        Ok(())
    }

    fn cuTexObjectDestroy(object: u64) |driver| {
        let handle = usize::try_from(object).map_err(|_| code::INVALID_HANDLE)?;
        driver.textures.remove(handle).map(|_| ())
    }
}
