//! The camera: exposure, infrared light, blur, noise, and everything else between the light and
//! the bytes. Each [`Lens`] is a camera someone bought; no two are alike.

use fastrand::Rng;
use glam::Vec3;

use super::canvas::{Canvas, FAR};
use super::light::Light;
use super::noise::lattice_of;
use super::overlay::Overlay;
use super::view::View;

/// One camera's habits.
#[derive(Clone, Debug)]
pub struct Lens {
    /// Brightness that its exposure aims at, of white.
    target: f32,
    gain_max: f32,
    /// White balance.
    tint: Vec3,
    contrast: f32,
    saturation: f32,
    /// Sensor noise at a gain of 1, of white.
    noise: f32,
    /// Strength of the edges that it draws around edges.
    sharpen: f32,
    /// Pixels, of a picture 640 wide.
    blur: f32,
    vignette: f32,
    /// Share of bright light that spreads around lamps and flames.
    bloom: f32,
    /// Lowest and highest level that it puts out.
    levels: (f32, f32),
    /// Seconds that the shutter is open.
    shutter: f32,
    /// A black and white picture lit by its own infrared lamp.
    infrared: bool,
    /// Streaks of rain or snow per frame.
    streaks: u32,
    overlay: Option<Overlay>,
    seed: u32,
}

impl Lens {
    /// A camera for a place with this light; outdoors it may rain.
    #[must_use]
    pub fn new(rng: &mut Rng, light: &Light, indoors: bool) -> Self {
        let night = light.night > 0.4;
        let mut gauss = || rng.f32() + rng.f32() - 1.0;
        let tint = Vec3::new(1.0 + 0.14 * gauss(), 1.0 + 0.05 * gauss(), 1.0 + 0.14 * gauss());
        let lifted = if rng.f32() < 0.3 { 0.12 * rng.f32() } else { 0.0 };
        Self {
            target: 0.13 + 0.16 * rng.f32(),
            gain_max: if night { 2.5 + 12.0 * rng.f32() } else { 12.0 },
            tint,
            contrast: 0.85 + 0.5 * rng.f32(),
            saturation: 0.6 + 0.6 * rng.f32(),
            noise: 0.004 + 0.016 * rng.f32() * rng.f32(),
            sharpen: if rng.bool() { 1.0 * rng.f32() } else { 0.0 },
            blur: if rng.f32() < 0.35 { 1.2 * rng.f32() } else { 0.0 },
            vignette: 0.35 * rng.f32(),
            bloom: 0.02 + 0.10 * rng.f32() * rng.f32(),
            levels: (lifted, 1.0 - 0.08 * rng.f32()),
            shutter: if rng.f32() < if night { 0.4 } else { 0.08 } { 0.03 + 0.05 * rng.f32() } else { 0.0 },
            infrared: night && rng.f32() < 0.45,
            streaks: if rng.f32() < 0.09 && !indoors { 40 + rng.u32(..140) } else { 0 },
            overlay: (rng.f32() < 0.55).then(|| Overlay::new(rng)),
            seed: rng.u32(..),
        }
    }

    /// Moments that make up one frame, in seconds from its time.
    #[must_use]
    pub fn moments(&self) -> &'static [f32] {
        match self.shutter {
            s if s > 0.06 => &[0.0, 0.02, 0.04, 0.06],
            s if s > 0.0 => &[0.0, 0.015, 0.03],
            _ => &[0.0],
        }
    }

    /// Its own infrared lamp, if it has one: everything in front is lit, near things most.
    pub fn flood(&self, canvas: &mut Canvas, view: &View) {
        if !self.infrared {
            return;
        }
        let (cx, cy) = (view.width as f32 * 0.5, view.height as f32 * 0.5);
        for y in 0..canvas.height {
            for x in 0..canvas.width {
                let index = y * canvas.width + x;
                let depth = canvas.depth[index];
                if depth >= FAR {
                    continue;
                }
                let off = ((x as f32 - cx) / cx).powi(2) + ((y as f32 - cy) / cx).powi(2);
                let cone = (1.15 - 0.75 * off).max(0.0);
                let texel = &mut canvas.texels[index];
                // Cloth and leaves are brighter in infrared than to the eye.
                texel.albedo = Vec3::splat(0.25 + 0.6 * texel.albedo.dot(LUMA));
                texel.light += Vec3::splat(9.0 * cone / (6.0 + 0.12 * depth * depth));
            }
        }
    }
}

const LUMA: Vec3 = Vec3::new(0.2126, 0.7152, 0.0722);

/// About how bright each colour looks after the exposure, 0..1.
#[must_use]
pub fn shown(light: Vec3) -> Vec3 {
    light.clamp(Vec3::ZERO, Vec3::ONE).map(f32::sqrt)
}

/// About how bright light looks after the exposure, 0..1.
#[must_use]
pub fn display(light: Vec3) -> f32 {
    light.dot(LUMA).clamp(0.0, 1.0).sqrt()
}

/// From light to bytes; keeps its memory.
#[derive(Debug)]
pub struct Developer {
    pub lens: Lens,
    size: (usize, usize),
    gain: f32,
    /// Light to level.
    curve: Vec<f32>,
    glow: Vec<Vec3>,
    levels: Vec<Vec3>,
}

const CURVE: usize = 1024;
/// The bloom is made for blocks of this many pixels squared.
const BLOCK: usize = 8;

impl Developer {
    /// `behind` is the light of the scene without what moves, for the exposure.
    #[must_use]
    pub fn new(lens: Lens, (width, height): (u32, u32), behind: &[Vec3]) -> Self {
        let gain = lens.gain_for(behind);
        let curve = (0..=CURVE).map(|i| lens.curve(i as f32 / CURVE as f32)).collect();
        Self {
            size: (width as usize, height as usize),
            gain,
            curve,
            glow: Vec::new(),
            levels: Vec::new(),
            lens,
        }
    }

    /// What light is multiplied with before full white is 1.
    #[must_use]
    pub fn gain(&self) -> f32 {
        self.gain
    }

    /// Turns light (changed meanwhile) into rows of red, green and blue.
    pub fn develop(&mut self, light: &mut [Vec3], seed: u64, t: f32, rgb: &mut Vec<u8>) {
        let gain = self.adapted(light);
        let tint = if self.lens.infrared { Vec3::ONE } else { self.lens.tint };
        light.iter_mut().for_each(|l| *l *= tint * gain);
        self.bloom(light);
        self.expose(light);
        let pixels = 640.0 / self.size.0 as f32;
        if self.lens.blur > 0.25 * pixels {
            self.soften(self.lens.blur.min(0.9));
        }
        if self.lens.sharpen > 0.05 {
            self.soften(-0.35 * self.lens.sharpen);
        }
        let frame = Frame { seed: hash(seed, self.lens.seed, t), gain };
        self.streaks(&frame);
        self.grain(&frame);
        if let Some(overlay) = &self.lens.overlay {
            overlay.write(&mut self.levels, self.size, t);
        }
        rgb.clear();
        rgb.extend(self.levels.iter().flat_map(|l| l.to_array().map(byte)));
    }

    /// A fire that fills the picture makes the camera close its iris.
    fn adapted(&self, light: &[Vec3]) -> f32 {
        let now = self.lens.gain_for(light);
        libm::cbrtf(self.gain * self.gain * now)
    }

    /// Bright light spreads: channels that are full leak into the neighbourhood.
    fn bloom(&mut self, light: &mut [Vec3]) {
        let (width, height) = self.size;
        let (columns, rows) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
        self.glow.clear();
        self.glow.resize(columns * rows, Vec3::ZERO);
        for (index, l) in light.iter().enumerate() {
            let over = (*l - 0.8).max(Vec3::ZERO).min(Vec3::splat(6.0));
            let cell = (index / width / BLOCK) * columns + (index % width) / BLOCK;
            self.glow[cell] += over;
        }
        if self.glow.iter().all(|g| *g == Vec3::ZERO) {
            return;
        }
        for _ in 0..2 {
            spread(&mut self.glow, columns, rows);
        }
        let strength = self.lens.bloom / (BLOCK * BLOCK) as f32;
        for (index, l) in light.iter_mut().enumerate() {
            let (x, y) = ((index % width) as f32, (index / width) as f32);
            let at = (x / BLOCK as f32 - 0.5, y / BLOCK as f32 - 0.5);
            *l += bilinear(&self.glow, columns, rows, at) * strength;
        }
    }

    /// Light to levels, with the camera's colours, its curve and its dark corners.
    fn expose(&mut self, light: &[Vec3]) {
        let (width, height) = self.size;
        let (cx, cy) = (width as f32 * 0.5, height as f32 * 0.5);
        let lens = &self.lens;
        let saturation = if lens.infrared { 0.0 } else { lens.saturation };
        let curve = &self.curve;
        self.levels.clear();
        self.levels.extend(light.iter().enumerate().map(|(index, l)| {
            let (x, y) = ((index % width) as f32 - cx, (index / width) as f32 - cy);
            let corner = (x * x + y * y) / (cx * cx + cy * cy);
            let l = *l * (1.0 - lens.vignette * corner);
            let level = Vec3::new(level(curve, l.x), level(curve, l.y), level(curve, l.z));
            let grey = Vec3::splat(level.dot(LUMA));
            grey.lerp(level, saturation)
        }));
    }

    /// Mixes each pixel with its four neighbours: blurs if positive, sharpens if negative.
    fn soften(&mut self, share: f32) {
        let (width, height) = self.size;
        let from = self.levels.clone();
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let i = y * width + x;
                let around = (from[i - 1] + from[i + 1] + from[i - width] + from[i + width]) * 0.25;
                self.levels[i] = from[i].lerp(around, share);
            }
        }
    }

    /// Rain or snow near the lens.
    fn streaks(&mut self, frame: &Frame) {
        let (width, height) = self.size;
        for n in 0..self.lens.streaks {
            let draw = |k: u32| lattice_of(frame.seed ^ (k * 7919), n as f32);
            let long = (0.02 + 0.06 * draw(3)) * height as f32;
            let (x, y) = (draw(1) * width as f32, draw(2) * height as f32);
            let slant = 0.15 * (lattice_of(self.lens.seed, 3.0) - 0.5);
            for step in 0..whole(long) {
                let (px, py) = (whole(x + slant * step as f32), whole(y) + step);
                if px < width && py < height {
                    let level = &mut self.levels[py * width + px];
                    *level = level.lerp(Vec3::splat(0.8), 0.25);
                }
            }
        }
    }

    /// Sensor noise: more where the light was amplified, more in the dark.
    fn grain(&mut self, frame: &Frame) {
        let strength = self.lens.noise * (0.6 + 0.55 * frame.gain.sqrt()).min(4.0);
        let (low, high) = self.lens.levels;
        let colour = if self.lens.infrared { 0.0 } else { 0.6 };
        let mut state = frame.seed | 1;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            // Two bytes added make a triangle, which is near enough to a bell.
            ((state & 0xffff) + (state >> 16)) as f32 / 65_535.0 - 1.0
        };
        for level in &mut self.levels {
            let sigma = strength * (1.4 - 0.8 * level.y);
            let grey = draw() * 2.0;
            let hue = Vec3::new(draw(), 0.0, draw()) * colour;
            let noisy = *level + (Vec3::splat(grey) + hue) * sigma;
            *level = Vec3::splat(low) + noisy * (high - low);
        }
    }
}

/// What differs from frame to frame.
struct Frame {
    seed: u32,
    gain: f32,
}

impl Lens {
    /// The gain that makes a picture as bright as the camera wants it.
    fn gain_for(&self, light: &[Vec3]) -> f32 {
        let mean = light.iter().step_by(7).map(|l| l.dot(LUMA).min(2.0)).sum::<f32>();
        let mean = mean / light.len().div_ceil(7) as f32;
        (self.target / mean.max(1e-4)).clamp(0.08, self.gain_max)
    }

    /// Light 0..4 (given as 0..1) to level 0..1: gamma, contrast, a soft shoulder.
    fn curve(&self, share: f32) -> f32 {
        let light = share * 4.0;
        let shouldered =
            if light < 0.7 { light } else { 0.7 + 0.3 * (1.0 - libm::expf(-(light - 0.7) / 0.3)) };
        let level = libm::powf(shouldered, 1.0 / 2.2);
        (0.5 + (level - 0.5) * self.contrast).clamp(0.0, 1.0)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn level(curve: &[f32], light: f32) -> f32 {
    let at = (light * 0.25).clamp(0.0, 1.0).min(0.9999) * CURVE as f32;
    let i = at as usize;
    curve[i] + (curve[i + 1] - curve[i]) * (at - i as f32)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn byte(level: f32) -> u8 {
    (level.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn whole(v: f32) -> usize {
    v.max(0.0) as usize
}

#[allow(clippy::cast_possible_truncation, reason = "the bits count, not the value")]
fn hash(seed: u64, lens: u32, t: f32) -> u32 {
    let mixed = (seed ^ u64::from(lens) ^ (u64::from(t.to_bits()) << 20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

/// Each cell takes the mean of its neighbourhood.
fn spread(glow: &mut [Vec3], columns: usize, rows: usize) {
    let from = glow.to_vec();
    for y in 0..rows {
        for x in 0..columns {
            let mut sum = Vec3::ZERO;
            let mut count = 0.0;
            for ny in y.saturating_sub(1)..(y + 2).min(rows) {
                for nx in x.saturating_sub(1)..(x + 2).min(columns) {
                    sum += from[ny * columns + nx];
                    count += 1.0;
                }
            }
            glow[y * columns + x] = sum / count;
        }
    }
}

fn bilinear(cells: &[Vec3], columns: usize, rows: usize, (x, y): (f32, f32)) -> Vec3 {
    let (x, y) = (x.clamp(0.0, (columns - 1) as f32), y.clamp(0.0, (rows - 1) as f32));
    let (left, top) = (whole(x), whole(y));
    let (right, bottom) = ((left + 1).min(columns - 1), (top + 1).min(rows - 1));
    let (tx, ty) = (x - left as f32, y - top as f32);
    let upper = cells[top * columns + left].lerp(cells[top * columns + right], tx);
    let lower = cells[bottom * columns + left].lerp(cells[bottom * columns + right], tx);
    upper.lerp(lower, ty)
}
