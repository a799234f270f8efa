//! Does a camera see at all? A few hundred brightness samples of each processed frame tell.
//!
//! A frame that comes is no proof: cameras go on sending a black, blinded or frozen picture. The
//! samples lie on a grid of 32 x 18 in the luma plane that the pre-processing reads anyway: 576
//! bytes of a frame, so it costs microseconds. Brightness is taken from 0 (black) to 255 (white),
//! whatever range the encoder used.
//!
//! | picture is | if |
//! |---|---|
//! | black | mean below [`BLACK_MEAN_MAX`], spread below [`BLACK_SPREAD_MAX`]: a fire at night has spread |
//! | washed out | [`WASHED_SHARE`] of the samples at [`WASHED_LEVEL`] or above |
//! | obscured | spread below [`FLAT_SPREAD_MAX`]: one even grey, as of a hood, paint or a wall at hand |
//! | frozen | not one sample changed for [`FROZEN_AFTER`]: sensors have noise, and keyframes are coded anew |
//!
//! It does not notice a lens that looks elsewhere, nor a recording played in a loop, nor a frozen
//! picture under a running clock that happens to lie on a sample.

use std::time::Duration;

use vigia_accel::preprocess::{Image, Range};
use vigia_core::consensus::Health;
use vigia_core::time::Instant;

pub const COLUMNS: usize = 32;
pub const ROWS: usize = 18;
const SAMPLES: usize = COLUMNS * ROWS;

/// Steps of 0 to 255.
pub const BLACK_MEAN_MAX: f32 = 12.0;
pub const BLACK_SPREAD_MAX: f32 = 6.0;
pub const WASHED_LEVEL: u8 = 250;
/// Share of the samples.
pub const WASHED_SHARE: f32 = 0.7;
pub const FLAT_SPREAD_MAX: f32 = 2.0;
pub const FROZEN_AFTER: Duration = Duration::from_secs(30);

/// What is remembered of one stream's last picture.
#[derive(Debug)]
pub struct Look {
    grid: Grid,
    /// Since when the samples are as they are; nothing before the first picture.
    since: Option<Instant>,
}

impl Default for Look {
    fn default() -> Self {
        Self { grid: [0; SAMPLES], since: None }
    }
}

/// Brightness on the grid, in the encoder's range.
pub type Grid = [u8; SAMPLES];

// The GPU's kernels sample the same grid.
const _: () = assert!(SAMPLES == vigia_accel::cuda::LOOK_SAMPLES);

/// What lies on the grid.
#[must_use]
pub fn sample(image: &Image) -> Grid {
    let mut grid = [0; SAMPLES];
    let (width, height) = (image.width() as usize, image.height() as usize);
    for (row, samples) in grid.chunks_exact_mut(COLUMNS).enumerate() {
        let luma = image.row(0, (2 * row + 1) * height / (2 * ROWS));
        for (column, sample) in samples.iter_mut().enumerate() {
            *sample = luma.get((2 * column + 1) * width / (2 * COLUMNS)).copied().unwrap_or(0);
        }
    }
    grid
}

impl Look {
    /// Takes in a picture that was captured at `now`.
    pub fn take(&mut self, now: Instant, grid: &Grid, range: Range) -> Health {
        let changed = self.grid != *grid;
        self.grid = *grid;
        let (mut sum, mut squares, mut bright) = (0_u32, 0_u32, 0_u32);
        for raw in grid {
            let level = full_range(*raw, range);
            sum += u32::from(level);
            squares += u32::from(level) * u32::from(level);
            bright += u32::from(level >= WASHED_LEVEL);
        }
        let since = match self.since {
            Some(since) if !changed => since,
            Some(_) | None => now,
        };
        self.since = Some(since);
        let (mean, spread) = statistics(sum, squares);
        let black = mean < BLACK_MEAN_MAX && spread < BLACK_SPREAD_MAX;
        let washed_out = share(bright) >= WASHED_SHARE;
        Health {
            frame_advanced: true,
            frozen: now.since(since) >= FROZEN_AFTER,
            black,
            washed_out,
            obscured: !black && !washed_out && spread < FLAT_SPREAD_MAX,
        }
    }
}

fn full_range(raw: u8, range: Range) -> u8 {
    match range {
        Range::Full => raw,
        Range::Limited => {
            let level = u32::from(raw.clamp(16, 235) - 16) * 255 / 219;
            u8::try_from(level).unwrap_or(u8::MAX)
        }
    }
}

/// Mean and standard deviation.
#[expect(clippy::cast_precision_loss, reason = "576 bytes add up to far less than 2^24 squares of 2^16")]
fn statistics(sum: u32, squares: u32) -> (f32, f32) {
    let mean = f64::from(sum) / SAMPLES as f64;
    let variance = (f64::from(squares) / SAMPLES as f64 - mean * mean).max(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "0..=255")]
    (mean as f32, variance.sqrt() as f32)
}

#[expect(clippy::cast_precision_loss, reason = "at most 576")]
fn share(count: u32) -> f32 {
    count as f32 / SAMPLES as f32
}

#[cfg(test)]
mod tests {
    use vigia_accel::preprocess::{Matrix, PixelFormat};

    use super::*;

    fn look(look: &mut Look, at_s: u64, range: Range, luma: impl Fn(usize, usize) -> u8) -> Health {
        let (width, height) = (64, 36);
        let bytes: Vec<u8> = (0..width * height).map(|i| luma(i % width, i / width)).collect();
        let image =
            Image::new(PixelFormat::Gray8, 64, 36, Matrix::Bt601, range, [&bytes, &[], &[]], [width, 0, 0]);
        look.take(Instant(at_s * 1_000_000_000), &sample(&image.expect("whole")), range)
    }

    #[test]
    fn what_a_picture_is_worth() {
        let scene = |x: usize, y: usize| u8::try_from((x * 7 + y * 13) % 200 + 20).expect("a byte");
        let fire_at_night = |x: usize, y: usize| if x < 8 && y < 8 { 230 } else { 16 };
        let bright_sky = |x: usize, y: usize| if y < 20 { 235 } else { scene(x, y) };
        type Luma<'a> = &'a dyn Fn(usize, usize) -> u8;
        let cases: [(&str, Luma, Health); 6] = [
            ("a scene", &scene, Health::GOOD),
            ("black", &|_, _| 16, Health { black: true, ..Health::GOOD }),
            ("a fire at night", &fire_at_night, Health::GOOD),
            ("white", &|_, _| 235, Health { washed_out: true, ..Health::GOOD }),
            ("a bright sky", &bright_sky, Health::GOOD),
            ("grey paint", &|x, _| 120 + u8::from(x % 2 == 0), Health { obscured: true, ..Health::GOOD }),
        ];
        for (name, luma, want) in cases {
            assert_eq!(look(&mut Look::default(), 1, Range::Limited, luma), want, "{name}");
        }
        assert!(!look(&mut Look::default(), 1, Range::Full, |x, _| u8::from(x < 32) * 20 + 6).black);
    }

    #[test]
    fn frozen_is_what_does_not_change_for_half_a_minute() {
        let mut eye = Look::default();
        let still = |x: usize, y: usize| u8::try_from((x * 7 + y * 13) % 200 + 20).expect("a byte");
        for at in 0..30 {
            assert!(!look(&mut eye, at, Range::Full, still).frozen, "after {at} s");
        }
        assert!(look(&mut eye, 30, Range::Full, still).frozen);
        // One sample of noise is enough; what lies between the samples is not looked at.
        let noise = |x: usize, y: usize| still(x, y) ^ u8::from((x, y) == (1, 1));
        assert!(!look(&mut eye, 31, Range::Full, noise).frozen);
        assert!(!look(&mut eye, 60, Range::Full, noise).frozen);
        assert!(look(&mut eye, 61, Range::Full, noise).frozen);
    }
}
