//! What surfaces look like: asphalt, grass, brick, planks. A pattern of two colours with a seed.
//!
//! Each pattern fades its fine parts where a pixel covers more than they measure.

use glam::{Vec2, Vec3};

use crate::scene::light::rgb;
use crate::scene::noise::{fbm2, smoothstep, value2};

/// How a surface is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One colour with dirt.
    Plain,
    /// Two colours in blotches: soil, plaster, concrete, snow.
    Mottled,
    Grass,
    Gravel,
    /// With cracks and mended patches.
    Asphalt,
    /// Square slabs or tiles with joints.
    Slabs,
    /// Bricks or roof tiles.
    Brick,
    /// Metal in upright waves, with rust.
    Corrugated,
    /// Boards side by side.
    Planks,
    /// Fallen leaves on soil.
    Leaves,
    /// Slanted warning stripes.
    Stripes,
    /// Rows of cartons or goods of several colours.
    Goods,
    /// Letters and fields, as on signs, posters and screens.
    Print,
}

/// A surface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skin {
    pub pattern: Pattern,
    pub a: Vec3,
    pub b: Vec3,
    /// Metres of one repeat.
    pub size: f32,
    pub seed: u32,
}

/// sRGB as written in the tables.
pub type Ink = [u8; 3];

/// An ink as linear light.
#[must_use]
pub fn ink(c: Ink) -> Vec3 {
    rgb(c[0], c[1], c[2])
}

/// One of the table's rows.
pub fn pick<T: Copy>(rng: &mut fastrand::Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// A number between.
pub fn range(rng: &mut fastrand::Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.f32()
}

/// An ink, a little lighter or darker and of a slightly different hue each time.
pub fn tint(rng: &mut fastrand::Rng, c: Ink) -> Vec3 {
    let level = range(rng, 0.7, 1.3);
    let shift = Vec3::new(range(rng, 0.9, 1.1), 1.0, range(rng, 0.9, 1.1));
    let pure = ink(c);
    let grey = Vec3::splat(pure.dot(Vec3::new(0.25, 0.6, 0.15)));
    let pale = range(rng, 0.05, 0.5);
    (pure.lerp(grey, pale) * level * shift).min(Vec3::splat(0.85))
}

impl Skin {
    /// A skin whose colours vary around two inks.
    pub fn new(rng: &mut fastrand::Rng, pattern: Pattern, a: Ink, b: Ink, size: f32) -> Self {
        Self { pattern, a: tint(rng, a), b: tint(rng, b), size, seed: rng.u32(..) }
    }

    /// The colour at a place in metres; a pixel covers `foot` metres there.
    #[must_use]
    pub fn at(&self, uv: Vec2, foot: f32) -> Vec3 {
        let s = self.seed;
        let blotch = fbm2(s, uv / self.size.max(0.8), 3);
        let fine = grain(s ^ 1, uv, 0.03, foot) + grain(s ^ 2, uv, 0.11, foot);
        let mid = grain(s ^ 3, uv, 0.45, foot);
        match self.pattern {
            Pattern::Plain => self.a * (1.0 + 0.5 * (blotch - 0.5) + 0.15 * mid + 0.12 * fine),
            Pattern::Mottled => self.two(blotch) * (1.0 + 0.3 * mid + 0.35 * fine),
            Pattern::Grass => {
                let clump = grain(s ^ 4, uv, 1.3, foot);
                let colour = self.a.lerp(self.b, smoothstep(0.25, 0.75, blotch + 0.25 * clump));
                colour * (1.0 + 0.6 * mid + 0.9 * fine + 0.4 * clump).max(0.2)
            }
            Pattern::Gravel => self.two(blotch) * (1.0 + 0.2 * mid + 0.9 * fine).max(0.3),
            Pattern::Asphalt => self.asphalt(uv, foot, blotch, fine),
            Pattern::Slabs => self.slabs(uv, foot, blotch, fine),
            Pattern::Brick => self.bricks(uv, foot, blotch, fine),
            Pattern::Corrugated => self.corrugated(uv, foot),
            Pattern::Planks => self.planks(uv, foot, blotch),
            Pattern::Leaves => {
                let leaf = 0.5 * (value2(s ^ 6, uv * 6.0) + value2(s ^ 8, uv * 17.0));
                let near = fade(0.14, foot);
                let share =
                    (smoothstep(0.42, 0.62, leaf) * near * 0.8 + (1.0 - near) * 0.4) * (0.3 + 1.2 * blotch);
                let tone = 1.0 + 0.9 * grain(s ^ 7, uv, 0.2, foot);
                self.a.lerp(self.b * tone, share.min(1.0)) * (1.0 + 0.5 * fine)
            }
            Pattern::Stripes => {
                let band = line((uv.x + uv.y) * 0.7, self.size, self.size * 0.5, foot);
                self.a.lerp(self.b, band) * (0.8 + 0.4 * blotch + 0.2 * fine)
            }
            Pattern::Goods => self.goods(uv, foot),
            Pattern::Print => self.print(uv, foot),
        }
    }

    fn two(&self, blotch: f32) -> Vec3 {
        self.a.lerp(self.b, smoothstep(0.3, 0.7, blotch))
    }

    fn asphalt(&self, uv: Vec2, foot: f32, blotch: f32, fine: f32) -> Vec3 {
        let s = self.seed;
        let mut colour = self.a.lerp(self.b, smoothstep(0.3, 0.7, blotch)) * (1.0 + 0.35 * fine);
        let cell = (uv / 5.0).floor();
        if hash(s ^ 5, cell) > 0.8 {
            let off = (uv / 5.0 - cell - 0.5).abs() * 5.0;
            let half = Vec2::new(1.0 + hash(s ^ 6, cell), 0.6 + 1.5 * hash(s ^ 7, cell));
            let inside = soft(half.x - off.x, foot).min(soft(half.y - off.y, foot));
            colour *= 1.0 - inside * (0.5 * hash(s ^ 8, cell) - 0.12);
        }
        let bend = Vec2::new(value2(s ^ 9, uv * 0.9), value2(s ^ 10, uv * 0.9));
        let ridge = (value2(s ^ 11, uv * 0.35 + bend * 0.9) - 0.5).abs();
        let crack = (1.0 - ridge / (0.012 + foot * 0.35)).max(0.0) * smoothstep(0.45, 0.65, blotch);
        let stain = smoothstep(0.68, 0.8, value2(s ^ 12, uv * 0.7)) * 0.35;
        colour * (1.0 - 0.55 * crack * fade(0.5, foot)) * (1.0 - stain)
    }

    fn slabs(&self, uv: Vec2, foot: f32, blotch: f32, fine: f32) -> Vec3 {
        let cell = (uv / self.size).floor();
        let near = fade(self.size, foot);
        let tone = 1.0 + 0.22 * near * (hash(self.seed ^ 5, cell) - 0.5);
        let width = (self.size * 0.03).max(0.008);
        let joint = line(uv.x, self.size, width, foot).max(line(uv.y, self.size, width, foot));
        let stain = smoothstep(0.6, 0.75, value2(self.seed ^ 6, uv * 0.5)) * 0.25;
        let field = self.a * tone * (1.0 + 0.35 * (blotch - 0.5) + 0.15 * fine) * (1.0 - stain);
        field.lerp(self.b, joint * 0.8)
    }

    fn bricks(&self, uv: Vec2, foot: f32, blotch: f32, fine: f32) -> Vec3 {
        let (w, h) = (self.size, self.size * 0.33);
        let row = (uv.y / h).floor();
        let x = uv.x + if row.rem_euclid(2.0) < 0.5 { 0.0 } else { w * 0.5 };
        let near = fade(h, foot * 0.6);
        let tone = 1.0 + 0.45 * near * (hash(self.seed ^ 5, Vec2::new((x / w).floor(), row)) - 0.5);
        let joint = line(x, w, w * 0.06, foot).max(line(uv.y, h, w * 0.06, foot));
        let field = self.a * tone * (1.0 + 0.5 * (blotch - 0.5) + 0.2 * fine);
        field.lerp(self.b, joint * 0.7)
    }

    fn corrugated(&self, uv: Vec2, foot: f32) -> Vec3 {
        let near = fade(self.size, foot);
        let wave = libm::sinf(uv.x * core::f32::consts::TAU / self.size) * near;
        let streak = fbm2(self.seed ^ 5, Vec2::new(uv.x * 2.5, uv.y * 0.35), 3);
        let rust = smoothstep(0.6, 0.75, streak) * 0.7;
        let sheet = 1.0 + 0.12 * (hash(self.seed ^ 7, Vec2::new((uv.x / 1.1).floor(), 0.0)) - 0.5);
        self.a.lerp(self.b, rust) * (1.0 + 0.22 * wave) * sheet * (0.75 + 0.5 * streak)
    }

    fn planks(&self, uv: Vec2, foot: f32, blotch: f32) -> Vec3 {
        let board = (uv.x / self.size).floor();
        let near = fade(self.size, foot);
        let tone = hash(self.seed ^ 5, Vec2::new(board, 0.0));
        let along = Vec2::new(uv.x * 30.0, uv.y * 1.5 + board * 7.0);
        let fibre = (value2(self.seed ^ 6, along) - 0.5) * fade(0.04, foot);
        let gap = line(uv.x, self.size, self.size * 0.07, foot);
        let colour = self.a.lerp(self.b, (0.5 + (tone - 0.5) * near).clamp(0.0, 1.0));
        colour * (1.0 + 0.4 * fibre + 0.4 * (blotch - 0.5)) * (1.0 - 0.7 * gap)
    }

    fn goods(&self, uv: Vec2, foot: f32) -> Vec3 {
        let row = (uv.y / self.size).floor();
        let width = self.size * (0.7 + 0.9 * hash(self.seed ^ 5, Vec2::new(0.0, row)));
        let cell = Vec2::new((uv.x / width).floor(), row);
        let at = Vec2::new(uv.x / width - cell.x, uv.y / self.size - row);
        let (h, k) = (hash(self.seed ^ 6, cell), hash(self.seed ^ 7, cell));
        let full = 0.45 + 0.5 * hash(self.seed ^ 8, cell);
        let inside = soft((full - at.y) * self.size, foot) * soft((0.47 - (at.x - 0.5).abs()) * width, foot);
        let inks = [self.a, self.b, self.a * 0.6, ink([150, 116, 82]), ink([120, 90, 60]), ink([70, 74, 82])];
        let mut colour = inks[index(h, inks.len())] * (0.7 + 0.6 * k);
        let label = (at - Vec2::new(0.3 + 0.4 * k, full * 0.5)).abs();
        if h > 0.4 && label.x < 0.16 && label.y < 0.12 {
            colour = colour.lerp(Vec3::splat(0.5), 0.6 * fade(0.1, foot));
        }
        let dark = self.a * 0.05 + 0.008;
        let edge = line(uv.y, self.size, 0.07, foot);
        dark.lerp(colour * (0.8 + 0.4 * value2(self.seed ^ 9, uv * 6.0)), inside).lerp(self.b * 0.5, edge)
    }

    fn print(&self, uv: Vec2, foot: f32) -> Vec3 {
        let cell = (uv / self.size).floor();
        let kind = hash(self.seed, cell * 0.999);
        let text = line(uv.y, self.size * 0.3, self.size * 0.14, foot)
            * smoothstep(0.4, 0.5, value2(self.seed ^ 3, uv * Vec2::new(9.0, 3.0) / self.size));
        let field = smoothstep(0.45, 0.55, value2(self.seed ^ 4, uv * 1.3 / self.size));
        let mixed = if kind > 0.6 { field } else { text };
        self.a.lerp(self.b, mixed) * (0.9 + 0.2 * value2(self.seed ^ 5, uv * 3.0))
    }
}

/// A number in 0..1 for a cell.
#[must_use]
pub fn hash(seed: u32, cell: Vec2) -> f32 {
    value2(seed ^ 0x5bd1, cell)
}

/// A row of a table of `len` for a number in 0..1.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub fn index(share: f32, len: usize) -> usize {
    ((share.clamp(0.0, 0.999) * len as f32) as usize).min(len.saturating_sub(1))
}

/// 1 where features of `wave` metres are seen, 0 where a pixel covers more than one.
#[must_use]
pub fn fade(wave: f32, foot: f32) -> f32 {
    (1.6 - 1.6 * foot / wave).clamp(0.0, 1.0)
}

/// Noise of a wavelength, -0.5..0.5.
#[must_use]
pub fn grain(seed: u32, uv: Vec2, wave: f32, foot: f32) -> f32 {
    let near = fade(wave, foot);
    if near <= 0.0 { 0.0 } else { (value2(seed, uv / wave) - 0.5) * near }
}

/// Share of a pixel that is inside, for the distance to the edge.
#[must_use]
pub fn soft(inside: f32, foot: f32) -> f32 {
    (inside / foot.max(1e-4) + 0.5).clamp(0.0, 1.0)
}

/// Lines `width` wide, one each `every` metres.
#[must_use]
pub fn line(x: f32, every: f32, width: f32, foot: f32) -> f32 {
    let off = ((x / every - 0.5).rem_euclid(1.0) - 0.5).abs() * every;
    soft(width * 0.5 - off, foot) * (width / foot.max(1e-4)).min(1.0)
}
