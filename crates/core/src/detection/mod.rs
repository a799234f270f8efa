//! Detections: what a model found, in pixels of the full camera frame.

pub mod head;
pub mod nms;

/// A box by its corners, in pixels. `x1 <= x2`, `y1 <= y2`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BBox {
    pub x1: f32,
    pub y1: f32,
    pub x2: f32,
    pub y2: f32,
}

impl BBox {
    #[must_use]
    pub fn from_centre(cx: f32, cy: f32, width: f32, height: f32) -> Self {
        Self { x1: cx - width / 2.0, y1: cy - height / 2.0, x2: cx + width / 2.0, y2: cy + height / 2.0 }
    }

    #[must_use]
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    #[must_use]
    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Centre x, centre y.
    #[must_use]
    pub fn centre(&self) -> (f32, f32) {
        ((self.x1 + self.x2) / 2.0, (self.y1 + self.y2) / 2.0)
    }

    /// Area in square pixels; an inside-out box has none.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Intersection over union, 0..=1. Zero when the union has no area.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let w = self.x2.min(other.x2) - self.x1.max(other.x1);
        let h = self.y2.min(other.y2) - self.y1.max(other.y1);
        if w <= 0.0 || h <= 0.0 {
            return 0.0;
        }
        let both = w * h;
        let union = self.area() + other.area() - both;
        if union > 0.0 { both / union } else { 0.0 }
    }

    /// The part of the box inside a `width` x `height` frame.
    #[must_use]
    pub fn clipped(&self, width: f32, height: f32) -> Self {
        Self {
            x1: self.x1.clamp(0.0, width),
            y1: self.y1.clamp(0.0, height),
            x2: self.x2.clamp(0.0, width),
            y2: self.y2.clamp(0.0, height),
        }
    }
}

/// One object found in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Index into the model's class list.
    pub class_id: u16,
    /// 0..=1.
    pub confidence: f32,
    /// Full-frame pixels.
    pub bbox: BBox,
    /// Identity given by a tracker, stable while the object is followed.
    pub tracker_id: Option<u32>,
}
