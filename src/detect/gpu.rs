//! Frames to the GPU and candidates back.

use std::sync::atomic::{AtomicBool, Ordering};

use arrayvec::ArrayVec;
use thiserror::Error;
use vigia_accel::cuda::{Batch, Frame as Image};
use vigia_accel::preprocess::{Letterbox, TensorSpec};
use vigia_accel::tensorrt::{Engine, TensorRtError};
use vigia_core::detection::{BBox, Detection};

use super::FrameError;
use super::network::{Asked, Placed};
use super::picture::Grid;
use super::surface::{Mapped, Pixels};

/// Most frames per batch: what is mapped at once lies on the stack.
pub const BATCH_MAX: u32 = 32;
pub(super) const ROOM: usize = BATCH_MAX as usize;
const DARK: Grid = [0; size_of::<Grid>()];

/// Why a batch gave nothing.
#[derive(Debug, Error)]
pub enum GpuError {
    #[error(transparent)]
    Engine(#[from] TensorRtError),
}

/// Maps the frames, uploads those that lie in host memory, and starts the batch. The others stay where they are.
pub(super) fn begin(
    engine: &mut Engine,
    slot: usize,
    asked: &[Asked<'_>],
    tensor: &TensorSpec,
    placed: &mut Vec<Placed>,
) -> Result<(), FrameError> {
    let mapped = asked.iter().take(ROOM).map(|a| Mapped::new(&a.frame.surface));
    let mapped = mapped.collect::<Result<ArrayVec<_, ROOM>, _>>()?;
    let pixels = mapped.iter().map(Mapped::pixels).collect::<Result<ArrayVec<_, ROOM>, _>>()?;
    let frames = pixels.iter().zip(asked).map(|(p, a)| Image { source: p.source(), floor: a.floor });
    let frames: ArrayVec<_, ROOM> = frames.collect();
    placed.extend(pixels.iter().map(|p: &Pixels<'_>| (p.size(), p.range())).zip(asked).map(|(of, a)| {
        let ((width, height), range) = of;
        let letterbox = Letterbox::new((width, height), (tensor.width, tensor.height), tensor.align);
        Placed { letterbox, width, height, floor: a.floor, grid: DARK, range }
    }));
    Ok(engine.begin(slot, &frames).map_err(GpuError::from)?)
}

/// What the head found in an image of a batch, before suppression.
pub(super) fn candidates(batch: &Batch<'_>, image: usize, found: &mut Vec<Detection>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let overflow = batch.overflow(image);
    if overflow > 0 && !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            component = "detect",
            event = "candidates_overflow",
            overflow,
            "more boxes than there is room for: the threshold is too low, or the model broken; said once"
        );
    }
    found.clear();
    found.extend(batch.candidates(image).iter().map(|c| Detection {
        class_id: u16::try_from(c.class_id).unwrap_or(u16::MAX),
        confidence: c.confidence,
        bbox: BBox { x1: c.x1, y1: c.y1, x2: c.x2, y2: c.y2 },
        tracker_id: None,
    }));
}
