//! How fast this GPU is, by its own events: for `gpu-check` and the self-test.

use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::error::{CudaError, While};
use super::gpu::Gpu;
use super::image::{DeviceImage, DeviceLayout};
use super::layout::{FrameDesc, TensorDesc};
use super::memory::{DeviceBuffer, Pinned};
use super::stream::{Event, Priority, Stream, Wait};
use crate::preprocess::{Letterbox, TensorSpec};

/// Least milliseconds that `work` took, of `times` times.
fn least_ms(
    gpu: &Arc<Gpu>,
    stream: &Stream,
    times: usize,
    mut work: impl FnMut() -> Result<(), CudaError>,
) -> Result<f64, CudaError> {
    let (start, end) = (Event::new(gpu, Wait::Timed)?, Event::new(gpu, Wait::Timed)?);
    let mut least = f64::INFINITY;
    for _ in 0..times {
        start.record(stream)?;
        work()?;
        end.record(stream)?;
        end.wait()?;
        least = least.min(start.ms_until(&end)?.into());
    }
    Ok(least)
}

/// Bytes per second of a copy within device memory, each counted twice: read and written.
///
/// # Errors
/// [`CudaError`].
pub fn copy_bandwidth(gpu: &Arc<Gpu>, bytes: usize) -> Result<f64, CudaError> {
    const COPIES: u32 = 8;
    let from = DeviceBuffer::<u8>::new(gpu, bytes, "a copy's source")?;
    let to = DeviceBuffer::<u8>::new(gpu, bytes, "a copy's target")?;
    let stream = Stream::new(gpu, Priority::High)?;
    let ms = least_ms(gpu, &stream, 10, || {
        for _ in 0..COPIES {
            // SAFETY: both buffers have the bytes and outlive the measurement, which waits.
            unsafe { result::memcpy_dtod_async(to.address(), from.address(), bytes, stream.raw()) }
                .while_("copying within the device")?;
        }
        Ok(())
    })?;
    Ok(2.0 * bytes as f64 * f64::from(COPIES) / (ms / 1e3))
}

/// Milliseconds of pre-processing one batch. The images are taken in turn, `batch` at a time, and each has a tensor of its
/// own, so that with enough of them nothing is found in a cache.
///
/// # Errors
/// [`CudaError`]; [`CudaError::Size`] if the images are no whole number of batches.
pub fn letterbox_ms(
    gpu: &Arc<Gpu>,
    spec: &TensorSpec,
    half: bool,
    images: &[DeviceImage],
    batch: usize,
) -> Result<f64, CudaError> {
    if batch == 0 || images.is_empty() || !images.len().is_multiple_of(batch) {
        return Err(CudaError::Size { what: "images to measure with", expected: batch, given: images.len() });
    }
    let stream = Stream::new(gpu, Priority::High)?;
    let tensor_bytes = tensor_bytes(spec, half);
    let tensors = DeviceBuffer::<u8>::new(gpu, tensor_bytes * images.len(), "tensors")?;
    let mut host = Pinned::<FrameDesc>::new(gpu, images.len())?;
    for (desc, image) in host.values_mut().iter_mut().zip(images) {
        *desc = FrameDesc::new(image, spec, 0.0).0;
    }
    let mut frames = DeviceBuffer::<FrameDesc>::new(gpu, images.len(), "frame descriptors")?;
    frames.write(host.values())?;
    let desc = TensorDesc::new(spec, half);
    let batches = images.len() / batch;
    let count = u32::try_from(batch).unwrap_or(u32::MAX);
    let ms = least_ms(gpu, &stream, 20, || {
        (0..batches).try_for_each(|at| {
            let first = (at * batch) as u64;
            let from = frames.address() + first * size_of::<FrameDesc>() as u64;
            let to = tensors.address() + first * tensor_bytes as u64;
            // SAFETY: descriptors, their images and tensors outlive the measurement, which waits.
            unsafe { gpu.kernels().letterbox(&stream, &desc, from, to, count) }
        })
    })?;
    Ok(ms / batches as f64)
}

fn tensor_bytes(spec: &TensorSpec, half: bool) -> usize {
    3 * spec.width as usize * spec.height as usize * if half { 2 } else { 4 }
}

/// Bytes that pre-processing must move: the rows of the frame that are looked at, and the tensor.
#[must_use]
pub fn letterbox_bytes(layout: &DeviceLayout, spec: &TensorSpec, half: bool) -> usize {
    let place = Letterbox::new((layout.width, layout.height), (spec.width, spec.height), spec.align);
    let mut seen = vec![false; layout.height as usize];
    for row in 0..place.height {
        // In halves of an output row: the first row, and the one below it if it has a share.
        let at = i64::from(2 * row + 1) * i64::from(layout.height) - i64::from(place.height);
        let one = 2 * i64::from(place.height);
        let first = usize::try_from(at.max(0) / one).unwrap_or(0).min(seen.len() - 1);
        seen[first] = true;
        if at > 0 && at % one != 0 && first + 1 < seen.len() {
            seen[first + 1] = true;
        }
    }
    let (_, shift) = layout.format.chroma_shift();
    let read = (0..layout.format.planes()).map(|plane| {
        let (bytes, rows) = layout.format.plane_size(plane, layout.width, layout.height);
        let group = if plane == 0 { 1 } else { 1 << shift };
        let looked_at = seen.chunks(group).filter(|g| g.contains(&true)).count().min(rows);
        bytes * looked_at
    });
    read.sum::<usize>() + tensor_bytes(spec, half)
}

/// Whether events of this driver tell time that means something: those of a test's double do not.
#[must_use]
pub fn is_real(gpu: &Gpu) -> bool {
    // SAFETY: it only looks for a symbol that NVIDIA's library does not have.
    let double = unsafe { sys::culib().get::<unsafe extern "C" fn()>(b"vigia_cuda_reset\0").is_ok() };
    !double && gpu.properties().memory_bytes > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::DeviceFormat;
    use crate::preprocess::{Align, ChannelOrder, Matrix, Range};

    #[test]
    fn bytes_are_those_of_the_rows_that_are_seen() {
        let check = |size, tensor: (u32, u32), expected_read| {
            let (scale, offset) = ([1.0; 3], [0.0; 3]);
            let (width, height) = tensor;
            let (align, order) = (Align::Centre, ChannelOrder::Rgb);
            let spec = TensorSpec { width, height, align, order, pad: 114, scale, offset };
            let layout = DeviceLayout::packed(DeviceFormat::Nv12, size, Matrix::Bt709, Range::Limited, 1);
            let written = 6 * width as usize * height as usize;
            assert_eq!(letterbox_bytes(&layout, &spec, true) - written, expected_read, "{size:?}");
        };
        // A third: every third row of luma, and of 540 rows of chroma those of these.
        check((1920, 1080), (640, 640), 1920 * 360 + 1920 * 360);
        // A half: all rows.
        check((1280, 720), (640, 384), 1280 * 720 + 1280 * 360);
        check((640, 360), (640, 640), 640 * 360 + 640 * 180);
    }
}
