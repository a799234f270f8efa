//! Modules and kernels.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;

use super::{exports, give};
use crate::module::{Launch, Module};
use crate::op::Op;
use crate::{code, count};

exports! {
    fn cuModuleLoadData(module: *mut usize, image: *const c_void) |driver| {
        crate::capture::refuse()?;
        // SAFETY: PTX is a C string by the contract; cubins, which are not, are not what vigia loads.
        let text = unsafe { CStr::from_ptr(image.cast()) };
        let text = text.to_str().map_err(|_| code::INVALID_IMAGE)?;
        count::add("live:module", 1);
        give(module, driver.modules.add(Module::parse(text, driver.options.ptx)?));
        Ok(())
    }

    fn cuModuleUnload(module: usize) |driver| {
        driver.modules.remove(module)?;
        count::less("live:module", 1);
        Ok(())
    }

    fn cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) |driver| {
        // SAFETY: a C string by the contract.
        let name = unsafe { CStr::from_ptr(name) }.to_str().map_err(|_| code::NOT_FOUND)?;
        let found = driver.modules.get(module)?.function(name)?;
        give(function, driver.functions.add(found));
        Ok(())
    }

    fn cuLaunchKernel(
        function: usize,
        grid_x: u32,
        grid_y: u32,
        grid_z: u32,
        block_x: u32,
        block_y: u32,
        block_z: u32,
        _shared_bytes: u32,
        stream: usize,
        params: *mut *mut c_void,
        _extra: *mut *mut c_void,
    ) |driver| {
        let function = driver.functions.get(function)?;
        let sizes = function.sizes.iter().enumerate();
        let params = sizes.map(|(at, size)| {
            // SAFETY: the caller gives one pointer per parameter of the PTX, to as many bytes as it says.
            unsafe { std::slice::from_raw_parts((*params.add(at)).cast::<u8>(), *size) }.to_vec()
        });
        let params = params.collect();
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        let launch = Launch { function, grid, block, params };
        launch.check()?;
        let stream = driver.stream(stream)?;
        if !stream.is_capturing() {
            driver.may_launch()?;
        }
        stream.take(Op::Kernel(Arc::new(launch)))
    }
}
