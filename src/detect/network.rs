//! A loaded model: the engine, what the model is, and how its output is read.

use std::sync::Arc;

use vigia_accel::cuda::Download;
use vigia_accel::preprocess::{Letterbox, Preprocessor, Range};
use vigia_accel::tensorrt;
use vigia_core::detection::head::Decoder;
use vigia_core::detection::{BBox, Detection, nms};

use super::engine::Engine;
use super::manifest::Manifest;
use super::picture::{self, Grid};
use super::{FrameError, Suppression, gpu, surface};
use crate::frame::{Frame, Place};

/// What a swap replaces.
#[derive(Debug)]
pub struct Network {
    machine: Machine,
    pub manifest: Arc<Manifest>,
    suppression: Suppression,
}

/// Where it computes.
#[derive(Debug)]
enum Machine {
    /// One frame per request: pre-processing and head on the processor.
    Host {
        engine: Engine,
        decoder: Decoder,
        /// For frames that lie on a GPU.
        download: Option<Download>,
    },
    /// Batches; everything up to the candidates on the GPU.
    Gpu(Box<tensorrt::Engine>),
}

/// A frame, and the least confidence of what is wanted of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) frame: &'a Frame,
    pub(super) floor: f32,
}

/// A frame in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// Where it lies in the input, and its size in pixels.
    pub(super) letterbox: Letterbox,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) floor: f32,
    /// How bright it is; of a GPU's frame once it is finished.
    pub(super) grid: Grid,
    pub(super) range: Range,
}

impl Network {
    #[must_use]
    pub fn new(engine: Engine, manifest: Arc<Manifest>, suppression: Suppression) -> Self {
        let (width, height) = (manifest.input.width as usize, manifest.input.height as usize);
        let decoder = Decoder::new(manifest.head, manifest.classes.len(), width, height);
        Self { machine: Machine::Host { engine, decoder, download: None }, manifest, suppression }
    }

    #[must_use]
    pub fn on_gpu(engine: tensorrt::Engine, manifest: Arc<Manifest>, suppression: Suppression) -> Self {
        Self { machine: Machine::Gpu(Box::new(engine)), manifest, suppression }
    }

    /// Where it wants frames.
    #[must_use]
    pub fn place(&self) -> Place {
        match &self.machine {
            Machine::Host { .. } => Place::Host,
            Machine::Gpu(engine) => Place::Device(engine.gpu().clone()),
        }
    }

    #[must_use]
    pub fn is_on_gpu(&self) -> bool {
        matches!(self.machine, Machine::Gpu(_))
    }

    /// How many batches may be in flight.
    #[must_use]
    pub fn slots(&self) -> usize {
        match &self.machine {
            Machine::Host { engine, .. } => engine.slots(),
            Machine::Gpu(engine) => engine.slots(),
        }
    }

    /// Most frames per batch.
    #[must_use]
    pub fn batch_max(&self) -> usize {
        match &self.machine {
            Machine::Host { .. } => 1,
            Machine::Gpu(engine) => engine.batch_max(),
        }
    }

    /// Starts a batch of at most [`Self::batch_max`] frames, which are free afterwards. `pre` is that of the first
    /// frame's stream; a GPU needs none.
    pub(super) fn begin(
        &mut self,
        slot: usize,
        asked: &[Asked<'_>],
        pre: &mut Preprocessor,
        placed: &mut Vec<Placed>,
    ) -> Result<(), FrameError> {
        match &mut self.machine {
            Machine::Gpu(engine) => gpu::begin(engine, slot, asked, &self.manifest.tensor_spec(), placed),
            Machine::Host { engine, download, .. } => {
                for Asked { frame, floor } in asked {
                    let input = engine.input(slot)?;
                    placed.push(surface::with_image(&frame.surface, download, |image| {
                        Ok::<_, FrameError>(Placed {
                            letterbox: pre.run(image, input)?,
                            width: image.width(),
                            height: image.height(),
                            floor: *floor,
                            grid: picture::sample(image),
                            range: image.range(),
                        })
                    })?);
                    engine.start(slot)?;
                }
                Ok(())
            }
        }
    }

    /// Waits for the slot; `each` is then told of each frame by its number in the batch, with what it shows: in its
    /// pixels, best first.
    pub(super) fn finish(
        &mut self,
        slot: usize,
        placed: &mut [Placed],
        found: &mut Vec<Detection>,
        mut each: impl FnMut(usize, &Placed, &mut Vec<Detection>),
    ) -> Result<(), FrameError> {
        let (manifest, suppression) = (&self.manifest, self.suppression);
        match &mut self.machine {
            Machine::Host { engine, decoder, .. } => {
                for (at, placed) in placed.iter().enumerate() {
                    engine.wait(slot, |outputs| decoder.decode(outputs, placed.floor, found))??;
                    settle(manifest, suppression, placed, found);
                    each(at, placed, found);
                }
            }
            Machine::Gpu(engine) => {
                let batch = engine.wait(slot).map_err(gpu::GpuError::from)?;
                for (at, placed) in placed.iter_mut().enumerate() {
                    placed.grid = *batch.look(at);
                    gpu::candidates(&batch, at, found);
                    settle(manifest, suppression, placed, found);
                    each(at, placed, found);
                }
            }
        }
        Ok(())
    }

    /// Makes anew what a GPU's engine works with; those of the processor have nothing of the kind.
    pub(super) fn renew(&mut self) -> Result<(), FrameError> {
        if let Machine::Gpu(engine) = &mut self.machine {
            engine.renew().map_err(gpu::GpuError::from)?;
        }
        Ok(())
    }

    /// Other limits from now on.
    pub fn suppress(&mut self, suppression: Suppression) {
        self.suppression = suppression;
    }

    /// One frame from beginning to end: for checks before the model goes to work.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn look(&mut self, frame: &Frame, floor: f32) -> Result<Vec<Detection>, FrameError> {
        Ok(self.look_at(std::slice::from_ref(frame), floor)?.pop().unwrap_or_default())
    }

    /// The same of a batch of at most [`Self::batch_max`] frames, one list for each.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn look_at(&mut self, frames: &[Frame], floor: f32) -> Result<Vec<Vec<Detection>>, FrameError> {
        let mut pre = Preprocessor::new(self.manifest.tensor_spec())?;
        let (mut placed, mut found, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        let asked: Vec<_> = frames.iter().map(|frame| Asked { frame, floor }).collect();
        self.begin(0, &asked, &mut pre, &mut placed)?;
        self.finish(0, &mut placed, &mut found, |_, _, found| seen.push(std::mem::take(found)))?;
        Ok(seen)
    }
}

/// From candidates in the tensor to what is reported, in the frame's pixels, best first.
fn settle(manifest: &Manifest, suppression: Suppression, placed: &Placed, found: &mut Vec<Detection>) {
    if manifest.head.needs_nms() {
        nms::suppress(found, suppression.iou, suppression.detections_max);
    } else {
        found.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
        found.truncate(suppression.detections_max);
    }
    to_frame(found, placed);
}

/// From tensor pixels to frame pixels, clipped to the frame.
#[expect(clippy::cast_precision_loss, reason = "frame sides are far below 2^24")]
fn to_frame(found: &mut [Detection], placed: &Placed) {
    let Placed { letterbox, width, height, .. } = *placed;
    for d in found {
        let (x1, y1) = letterbox.to_frame(d.bbox.x1, d.bbox.y1);
        let (x2, y2) = letterbox.to_frame(d.bbox.x2, d.bbox.y2);
        d.bbox = BBox { x1, y1, x2, y2 }.clipped(width as f32, height as f32);
    }
}
