//! From a network's output to candidate boxes, one decoder per family of heads.
//!
//! | head | output | box | score |
//! |---|---|---|---|
//! | YOLOv5, v7 | `[1, N, 5+C]` | centre, size in tensor pixels | objectness x class |
//! | YOLOv8, v9, v11 | `[1, 4+C, N]` | centre, size in tensor pixels | class |
//! | YOLOv10, v26 end to end | `[1, N, 6]` | corners in tensor pixels | score, class id |
//! | YOLOX | `[1, N, 5+C]` | offsets: grid and stride still to be applied | objectness x class |
//! | RT-DETR, D-FINE | `[1, N, 4+C]`, or logits `[1, N, C]` + boxes `[1, N, 4]` | centre, size, 0..1 | class (logits: sigmoid) |
//!
//! Refuses to know: images, letterboxes, suppression.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "grid indices and class ids are small: bounded by CANDIDATES_MAX and CLASSES_MAX"
)]

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{BBox, Detection};

/// Most classes a model may have.
pub const CLASSES_MAX: usize = 4096;
/// Most candidates kept for suppression; the best ones win.
pub const CANDIDATES_MAX: usize = 1024;
const YOLOX_STRIDES: [usize; 3] = [8, 16, 32];

/// The family of a model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// YOLOv5 and v7.
    Yolov5,
    /// YOLOv8, v9 and v11.
    Yolov8,
    /// YOLOv10 and v26: suppression is part of the network.
    End2end,
    /// YOLOX as its authors export it, without the decoding step.
    Yolox,
    /// RT-DETR and D-FINE: a set of queries, no suppression needed.
    Rtdetr,
}

impl Head {
    /// Whether boxes of one object overlap and must be suppressed.
    #[must_use]
    pub fn needs_nms(self) -> bool {
        match self {
            Self::Yolov5 | Self::Yolov8 | Self::Yolox => true,
            Self::End2end | Self::Rtdetr => false,
        }
    }
}

/// One output of the network: its shape and row-major values.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    pub shape: &'a [usize],
    pub data: &'a [f32],
}

/// Why an output can't be read as this head.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadError {
    #[error(
        "the output {shape:?} doesn't fit the head {head:?} with {classes} classes and a {width}x{height} input"
    )]
    Shape { head: Head, shape: Vec<usize>, classes: usize, width: usize, height: usize },
    #[error("an output says {shape:?} but carries {values} values")]
    Length { shape: Vec<usize>, values: usize },
    #[error(
        "outputs {shapes:?} look like no head that vigia knows (YOLOv5, v8/v11, v10/26 end-to-end, YOLOX, RT-DETR)"
    )]
    Unknown { shapes: Vec<Vec<usize>> },
}

/// The head and class count that these output shapes speak of, for a `width` x `height` input.
///
/// # Errors
/// [`HeadError::Unknown`] when they fit none.
pub fn infer(shapes: &[Vec<usize>], width: usize, height: usize) -> Result<(Head, usize), HeadError> {
    let unknown = || HeadError::Unknown { shapes: shapes.to_vec() };
    if let [a, b] = shapes
        && let ([1, n, c], [1, m, 4]) | ([1, m, 4], [1, n, c]) = (a.as_slice(), b.as_slice())
        && n == m
        && *c > 0
    {
        return Ok((Head::Rtdetr, *c));
    }
    let [only] = shapes else { return Err(unknown()) };
    let [1, a, b] = only[..] else { return Err(unknown()) };
    let cells: usize = YOLOX_STRIDES.iter().map(|s| (width / s) * (height / s)).sum();
    let (head, classes) = match (a, b) {
        (n, 6) if n <= 1000 && n != cells && n != 3 * cells => (Head::End2end, 0),
        (n, c) if n == cells && c > 5 => (Head::Yolox, c - 5),
        (n, c) if n == 3 * cells && c > 5 => (Head::Yolov5, c - 5),
        (c, n) if n == cells && c > 4 => (Head::Yolov8, c - 4),
        (n, c) if (100..=1000).contains(&n) && c > 4 => (Head::Rtdetr, c - 4),
        _ => return Err(unknown()),
    };
    if classes > CLASSES_MAX { Err(unknown()) } else { Ok((head, classes)) }
}

/// Reads outputs of one model. Keeps its scratch space, so that a frame allocates nothing.
#[derive(Debug)]
pub struct Decoder {
    head: Head,
    classes: usize,
    width: usize,
    height: usize,
    best: Vec<(f32, u16)>,
}

impl Decoder {
    /// `classes`: number of classes; `width`, `height`: the network's input in pixels.
    #[must_use]
    pub fn new(head: Head, classes: usize, width: usize, height: usize) -> Self {
        Self { head, classes, width, height, best: Vec::new() }
    }

    /// Replaces the contents of `found` by the candidates whose confidence reaches `floor`,
    /// in tensor pixels.
    ///
    /// # Errors
    /// [`HeadError`] if the outputs don't have the head's shape. Values that are not finite
    /// are skipped, never an error.
    pub fn decode(
        &mut self,
        outputs: &[Output],
        floor: f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), HeadError> {
        found.clear();
        for o in outputs {
            let expected = o.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
            if expected != Some(o.data.len()) {
                return Err(HeadError::Length { shape: o.shape.to_vec(), values: o.data.len() });
            }
        }
        match (self.head, outputs) {
            (Head::Yolov8, [o]) => self.columns(o, floor, found),
            (Head::Yolov5 | Head::Yolox, [o]) => self.rows(o, floor, found),
            (Head::End2end, [o]) => self.end_to_end(o, floor, found),
            (Head::Rtdetr, [o]) => self.queries(o, floor, found),
            (Head::Rtdetr, [a, b]) => self.logits(a, b, floor, found),
            (_, other) => Err(self.misfit(other.first().map_or(&[], |o| o.shape))),
        }?;
        keep_best(found);
        Ok(())
    }

    fn misfit(&self, shape: &[usize]) -> HeadError {
        HeadError::Shape {
            head: self.head,
            shape: shape.to_vec(),
            classes: self.classes,
            width: self.width,
            height: self.height,
        }
    }

    /// v8, v11: `[1, 4+C, N]`, one row per class. Rows are swept whole, so that the
    /// search for the best class vectorises.
    fn columns(&mut self, o: &Output, floor: f32, found: &mut Vec<Detection>) -> Result<(), HeadError> {
        let &[1, rows, n] = o.shape else { return Err(self.misfit(o.shape)) };
        if rows != 4 + self.classes || n == 0 {
            return Err(self.misfit(o.shape));
        }
        self.best.clear();
        self.best.resize(n, (floor, u16::MAX));
        let (boxes, scores) = o.data.split_at(4 * n);
        for (class, row) in scores.chunks_exact(n).enumerate() {
            for (best, &score) in self.best.iter_mut().zip(row) {
                if score >= best.0 {
                    *best = (score, class as u16);
                }
            }
        }
        for (i, &(confidence, class_id)) in self.best.iter().enumerate() {
            if class_id != u16::MAX {
                let bbox = BBox::from_centre(boxes[i], boxes[n + i], boxes[2 * n + i], boxes[3 * n + i]);
                push(found, class_id, confidence, bbox);
            }
        }
        Ok(())
    }

    /// v5 and YOLOX: `[1, N, 5+C]`, one row per anchor, objectness first.
    fn rows(&self, o: &Output, floor: f32, found: &mut Vec<Detection>) -> Result<(), HeadError> {
        let &[1, n, width] = o.shape else { return Err(self.misfit(o.shape)) };
        if width != 5 + self.classes || (self.head == Head::Yolox && n != self.cells()) {
            return Err(self.misfit(o.shape));
        }
        for (i, row) in o.data.chunks_exact(width).enumerate() {
            let objectness = row[4];
            // Class scores are at most 1, so a weak objectness settles it.
            if objectness < floor || objectness.is_nan() {
                continue;
            }
            let (class_id, score) = best_class(&row[5..]);
            let confidence = objectness * score;
            if confidence >= floor {
                let bbox = match self.head {
                    Head::Yolox => self.yolox_box(i, row),
                    _ => BBox::from_centre(row[0], row[1], row[2], row[3]),
                };
                push(found, class_id, confidence, bbox);
            }
        }
        Ok(())
    }

    fn cells(&self) -> usize {
        YOLOX_STRIDES.iter().map(|s| (self.width / s) * (self.height / s)).sum()
    }

    /// The box of anchor `i`: (offset + grid cell) x stride, exp(size) x stride (YOLOX, 2107.08430).
    fn yolox_box(&self, mut i: usize, row: &[f32]) -> BBox {
        let mut stride = YOLOX_STRIDES[0];
        let mut columns = 1;
        for s in YOLOX_STRIDES {
            let cells = (self.width / s) * (self.height / s);
            stride = s;
            columns = (self.width / s).max(1);
            if i < cells {
                break;
            }
            i -= cells;
        }
        let (s, gx, gy) = (stride as f32, (i % columns) as f32, (i / columns) as f32);
        BBox::from_centre(
            (row[0] + gx) * s,
            (row[1] + gy) * s,
            libm::expf(row[2]) * s,
            libm::expf(row[3]) * s,
        )
    }

    /// v10, v26: `[1, N, 6]`, corners, score, class.
    fn end_to_end(&self, o: &Output, floor: f32, found: &mut Vec<Detection>) -> Result<(), HeadError> {
        let &[1, _, 6] = o.shape else { return Err(self.misfit(o.shape)) };
        for row in o.data.chunks_exact(6) {
            let (confidence, class) = (row[4], row[5]);
            if confidence >= floor && class >= 0.0 && class < self.classes as f32 {
                #[expect(clippy::cast_sign_loss, reason = "checked to be 0..classes")]
                let class_id = class as u16;
                push(found, class_id, confidence, BBox { x1: row[0], y1: row[1], x2: row[2], y2: row[3] });
            }
        }
        Ok(())
    }

    /// RT-DETR as one output: `[1, N, 4+C]`, boxes 0..1, scores after the sigmoid.
    fn queries(&self, o: &Output, floor: f32, found: &mut Vec<Detection>) -> Result<(), HeadError> {
        let &[1, _, width] = o.shape else { return Err(self.misfit(o.shape)) };
        if width != 4 + self.classes {
            return Err(self.misfit(o.shape));
        }
        for row in o.data.chunks_exact(width) {
            let (class_id, confidence) = best_class(&row[4..]);
            if confidence >= floor {
                push(found, class_id, confidence, self.unit_box(&row[..4]));
            }
        }
        Ok(())
    }

    /// RT-DETR and D-FINE as two outputs, in either order: logits `[1, N, C]`, boxes `[1, N, 4]`.
    fn logits(
        &self,
        a: &Output,
        b: &Output,
        floor: f32,
        found: &mut Vec<Detection>,
    ) -> Result<(), HeadError> {
        let (logits, boxes) = if b.shape.last() == Some(&4) { (a, b) } else { (b, a) };
        let (&[1, n, c], &[1, m, 4]) = (logits.shape, boxes.shape) else {
            return Err(self.misfit(a.shape));
        };
        if n != m || c != self.classes || c == 0 {
            return Err(self.misfit(logits.shape));
        }
        for (scores, b) in logits.data.chunks_exact(c).zip(boxes.data.chunks_exact(4)) {
            let (class_id, logit) = best_class(scores);
            let confidence = 1.0 / (1.0 + libm::expf(-logit));
            if confidence >= floor {
                push(found, class_id, confidence, self.unit_box(b));
            }
        }
        Ok(())
    }

    fn unit_box(&self, b: &[f32]) -> BBox {
        let (w, h) = (self.width as f32, self.height as f32);
        BBox::from_centre(b[0] * w, b[1] * h, b[2] * w, b[3] * h)
    }
}

fn best_class(scores: &[f32]) -> (u16, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &s) in scores.iter().enumerate() {
        if s > best.1 {
            best = (i as u16, s);
        }
    }
    best
}

fn push(found: &mut Vec<Detection>, class_id: u16, confidence: f32, bbox: BBox) {
    let finite = [bbox.x1, bbox.y1, bbox.x2, bbox.y2].iter().all(|v| v.is_finite());
    if finite && bbox.x2 > bbox.x1 && bbox.y2 > bbox.y1 {
        found.push(Detection { class_id, confidence: confidence.min(1.0), bbox, tracker_id: None });
    }
}

/// Bounds the work of suppression whatever a broken model says.
fn keep_best(found: &mut Vec<Detection>) {
    if found.len() > CANDIDATES_MAX {
        found.select_nth_unstable_by(CANDIDATES_MAX, |a, b| b.confidence.total_cmp(&a.confidence));
        found.truncate(CANDIDATES_MAX);
    }
}

#[cfg(test)]
mod tests;
