//! Where the frame lands in the tensor, and the way back for boxes.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sides are 1 to SIDE_PX_MAX")]

/// Where the resized frame lies, and how its size is rounded, as the model's trainer did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Align {
    /// YOLOX: padding right and below, size truncated (of the true product: YOLOX's own
    /// floating point loses a row now and then).
    TopLeft,
    /// Ultralytics: padding on both sides, size rounded.
    Centre,
    /// RT-DETR: the frame fills the tensor, whatever its aspect.
    Stretch,
}

/// The place of a frame in a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letterbox {
    /// Frame pixels per tensor pixel.
    pub scale_x: f32,
    pub scale_y: f32,
    /// Padding before the frame, in tensor pixels.
    pub left: u32,
    pub top: u32,
    /// Size of the resized frame, in tensor pixels.
    pub width: u32,
    pub height: u32,
}

impl Letterbox {
    /// Both sizes must be at least 1x1; the whole frame is seen.
    #[must_use]
    pub fn new(frame: (u32, u32), tensor: (u32, u32), align: Align) -> Self {
        let ratio =
            f64::min(f64::from(tensor.0) / f64::from(frame.0), f64::from(tensor.1) / f64::from(frame.1));
        let resized = |side: u32, limit: u32| {
            let side = f64::from(side) * ratio;
            let side = match align {
                Align::Stretch => return limit,
                // The ratio is rarely exact: what is a hair below a whole number is that number.
                Align::TopLeft => (side + 1e-6).trunc(),
                // Python's round(), which Ultralytics uses, sends ties to even.
                Align::Centre => side.round_ties_even(),
            };
            (side as u32).clamp(1, limit)
        };
        let (width, height) = (resized(frame.0, tensor.0), resized(frame.1, tensor.1));
        let (left, top) = match align {
            Align::TopLeft | Align::Stretch => (0, 0),
            // Ultralytics' round(d - 0.1) of d in halves is a division that rounds down.
            Align::Centre => ((tensor.0 - width) / 2, (tensor.1 - height) / 2),
        };
        let scale = |frame: u32, resized: u32| (f64::from(frame) / f64::from(resized)) as f32;
        Letterbox {
            scale_x: scale(frame.0, width),
            scale_y: scale(frame.1, height),
            left,
            top,
            width,
            height,
        }
    }

    /// Maps a point from tensor pixels to frame pixels.
    ///
    /// Coordinates are continuous, with 0 at the outer edge of the first pixel, as box corners
    /// are. A point in the padding maps outside the frame: the caller decides about clipping.
    pub fn to_frame(&self, x: f32, y: f32) -> (f32, f32) {
        ((x - self.left as f32) * self.scale_x, (y - self.top as f32) * self.scale_y)
    }

    /// Maps a point from frame pixels to tensor pixels.
    pub fn to_tensor(&self, x: f32, y: f32) -> (f32, f32) {
        (x / self.scale_x + self.left as f32, y / self.scale_y + self.top as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_trainers() {
        let check = |frame, tensor, align, expected| {
            let place = Letterbox::new(frame, tensor, align);
            assert_eq!((place.left, place.top, place.width, place.height), expected, "{frame:?} {tensor:?}");
        };
        check((1920, 1080), (640, 640), Align::TopLeft, (0, 0, 640, 360));
        check((1920, 1080), (640, 640), Align::Centre, (0, 140, 640, 360));
        // 432 * (416 / 768) is just below 234 in f64, and so in YOLOX.
        check((768, 432), (416, 416), Align::TopLeft, (0, 0, 416, 234));
        check((768, 432), (416, 416), Align::Centre, (0, 91, 416, 234));
        check((1080, 1920), (640, 640), Align::Centre, (140, 0, 360, 640));
        // 427.52 is cut or rounded.
        check((500, 334), (640, 640), Align::TopLeft, (0, 0, 640, 427));
        check((500, 334), (640, 640), Align::Centre, (0, 106, 640, 428));
        // A tie goes to even, and an odd remainder goes right and below.
        check((4, 2), (5, 5), Align::Centre, (0, 1, 5, 2));
        check((7680, 2), (640, 640), Align::TopLeft, (0, 0, 640, 1));
        check((7680, 2), (640, 640), Align::Centre, (0, 319, 640, 1));
        check((1, 1), (640, 384), Align::Centre, (128, 0, 384, 384));
        check((1920, 1080), (640, 640), Align::Stretch, (0, 0, 640, 640));
    }

    #[test]
    fn boxes_come_back() {
        for align in [Align::TopLeft, Align::Centre, Align::Stretch] {
            for frame in [(1920, 1080), (1080, 1920), (333, 777), (1, 1)] {
                let place = Letterbox::new(frame, (640, 416), align);
                let corner = ((place.left + place.width) as f32, (place.top + place.height) as f32);
                let (x, y) = place.to_frame(corner.0, corner.1);
                assert!((x - frame.0 as f32).abs() < 0.01 && (y - frame.1 as f32).abs() < 0.01);
                assert_eq!(place.to_frame(place.left as f32, place.top as f32), (0.0, 0.0));
                let (x, y) = place.to_tensor(0.25, 0.75);
                let (x, y) = place.to_frame(x, y);
                assert!((x - 0.25).abs() < 1e-2 && (y - 0.75).abs() < 1e-2);
            }
        }
    }
}
