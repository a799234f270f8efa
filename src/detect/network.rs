//! A loaded model: the engine, what the model is, and how its output is read.

use std::sync::Arc;

use vigia_accel::preprocess::{Letterbox, Preprocessor};
use vigia_core::consensus::Health;
use vigia_core::detection::head::Decoder;
use vigia_core::detection::{BBox, Detection, nms};

use super::engine::Engine;
use super::manifest::Manifest;
use super::picture::Look;
use super::{FrameError, Suppression, surface};
use crate::frame::Frame;

/// What a swap replaces.
#[derive(Debug)]
pub struct Network {
    pub(super) engine: Engine,
    pub manifest: Arc<Manifest>,
    decoder: Decoder,
    suppression: Suppression,
}

/// Where a frame lies in the input, and its size in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) letterbox: Letterbox,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) health: Health,
}

impl Network {
    #[must_use]
    pub fn new(engine: Engine, manifest: Arc<Manifest>, suppression: Suppression) -> Self {
        let (width, height) = (manifest.input.width as usize, manifest.input.height as usize);
        let decoder = Decoder::new(manifest.head, manifest.classes.len(), width, height);
        Self { engine, manifest, decoder, suppression }
    }

    /// Writes the frame into the slot's input and starts it; the frame is free afterwards.
    pub(super) fn begin(
        &mut self,
        slot: usize,
        frame: &Frame,
        pre: &mut Preprocessor,
        look: &mut Look,
    ) -> Result<Placed, FrameError> {
        let input = self.engine.input(slot)?;
        let placed = surface::with_image(&frame.surface, |image| {
            let letterbox = pre.run(image, input)?;
            let health = look.take(frame.captured_at, image);
            Ok::<_, FrameError>(Placed { letterbox, width: image.width(), height: image.height(), health })
        })?;
        self.engine.start(slot)?;
        Ok(placed)
    }

    /// Waits for the slot; `found` is then what the frame shows, in its pixels, best first.
    pub(super) fn finish(
        &mut self,
        slot: usize,
        placed: Placed,
        floor: f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), FrameError> {
        let decoder = &mut self.decoder;
        self.engine.wait(slot, |outputs| decoder.decode(outputs, floor, found))??;
        if self.manifest.head.needs_nms() {
            nms::suppress(found, self.suppression.iou, self.suppression.detections_max);
        } else {
            found.sort_unstable_by(|a, b| b.confidence.total_cmp(&a.confidence));
            found.truncate(self.suppression.detections_max);
        }
        to_frame(found, placed);
        Ok(())
    }

    /// One frame from beginning to end: for checks before the model goes to work.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn look(&mut self, frame: &Frame, floor: f32) -> Result<Vec<Detection>, FrameError> {
        let mut pre = Preprocessor::new(self.manifest.tensor_spec())?;
        let placed = self.begin(0, frame, &mut pre, &mut Look::default())?;
        let mut found = Vec::new();
        self.finish(0, placed, floor, &mut found)?;
        Ok(found)
    }
}

/// From tensor pixels to frame pixels, clipped to the frame.
#[expect(clippy::cast_precision_loss, reason = "frame sides are far below 2^24")]
fn to_frame(found: &mut [Detection], placed: Placed) {
    let Placed { letterbox, width, height, .. } = placed;
    for d in found {
        let (x1, y1) = letterbox.to_frame(d.bbox.x1, d.bbox.y1);
        let (x2, y2) = letterbox.to_frame(d.bbox.x2, d.bbox.y2);
        d.bbox = BBox { x1, y1, x2, y2 }.clipped(width as f32, height as f32);
    }
}
