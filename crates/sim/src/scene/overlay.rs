//! What cameras write into their pictures: their name, the date, the time.

use fastrand::Rng;
use font8x8::legacy::BASIC_LEGACY;
use glam::Vec3;

const NAMES: [&str; 8] =
    ["CAM 01", "Camera 3", "IPCAM", "YARD-EAST", "ch04", "Entrance", "HALL 2", "NVR-07 25fps"];

/// Two lines of text somewhere at the edge.
#[derive(Clone, Debug)]
pub struct Overlay {
    name: &'static str,
    /// Seconds since midnight when the scene begins.
    clock: u32,
    date: String,
    /// Letters are this many pixels times 8 high, in a picture 640 wide.
    size: f32,
    at_bottom: bool,
    colour: Vec3,
    boxed: bool,
}

impl Overlay {
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let colours = [Vec3::ONE, Vec3::ONE, Vec3::new(1.0, 1.0, 0.3), Vec3::new(0.4, 1.0, 0.4)];
        Self {
            name: NAMES[rng.usize(..NAMES.len())],
            clock: rng.u32(..86_400),
            date: format!("20{:02}-{:02}-{:02}", rng.u32(10..40), rng.u32(1..13), rng.u32(1..29)),
            size: 0.9 + 0.9 * rng.f32(),
            at_bottom: rng.bool(),
            colour: colours[rng.usize(..colours.len())],
            boxed: rng.bool(),
        }
    }

    /// Writes it into levels 0..1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times and sizes are small")]
    pub fn write(&self, levels: &mut [Vec3], size: (usize, usize), t: f32) {
        let now = (self.clock + t.max(0.0) as u32) % 86_400;
        let time = format!("{} {:02}:{:02}:{:02}", self.date, now / 3600, now / 60 % 60, now % 60);
        let dot = self.size * size.0 as f32 / 640.0;
        let line = dot * 10.0;
        let top = if self.at_bottom { size.1 as f32 - line - 2.0 } else { 4.0 };
        self.text(levels, size, &time, (6.0, top), dot);
        let end = size.0 as f32 - 6.0 - dot * 8.0 * self.name.len() as f32;
        let other = if self.at_bottom { 4.0 } else { size.1 as f32 - line - 2.0 };
        self.text(levels, size, self.name, (end, other), dot);
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
    fn text(
        &self,
        levels: &mut [Vec3],
        (width, height): (usize, usize),
        text: &str,
        at: (f32, f32),
        dot: f32,
    ) {
        let (wide, high) = (dot * 8.0 * text.len() as f32, dot * 8.0);
        for y in at.1.max(0.0) as usize..((at.1 + high) as usize).min(height) {
            for x in at.0.max(0.0) as usize..((at.0 + wide) as usize).min(width) {
                let (column, row) = ((x as f32 - at.0) / dot, ((y as f32 - at.1) / dot) as usize);
                let letter = text.as_bytes().get((column / 8.0) as usize).copied().unwrap_or(b' ');
                let bits = BASIC_LEGACY[usize::from(letter) & 0x7f][row.min(7)];
                let level = &mut levels[y * width + x];
                if bits >> (column as usize % 8) & 1 == 1 {
                    *level = self.colour;
                } else if self.boxed {
                    *level *= 0.35;
                }
            }
        }
    }
}
