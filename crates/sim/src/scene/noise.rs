//! Seeded value noise: what makes ground, clouds, flames and smoke uneven.
//!
//! Integer hashes and additions only, so that a seed gives the same picture on every machine.

use glam::{Vec2, Vec3};

/// A number in 0..1 for a lattice point.
#[allow(clippy::cast_sign_loss, reason = "the bits count, not the value")]
fn lattice(seed: u32, x: i32, y: i32, z: i32) -> f32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x8da6_b343);
    h = (h ^ (y as u32).wrapping_mul(0xd816_3841)).wrapping_mul(0x9e37_79b1);
    h = (h ^ (h >> 15) ^ (z as u32).wrapping_mul(0xcb1a_b31f)).wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^= h >> 16;
    (h >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The lattice cell of a coordinate and the smoothed place within it.
#[allow(clippy::cast_possible_truncation, reason = "a saturated lattice coordinate is still one")]
fn cell(v: f32) -> (i32, f32) {
    // Without SSE 4.1 a call of `floor` costs more than the rest of the noise.
    let whole = v as i32;
    let floor = if v < whole as f32 { whole - 1 } else { whole };
    let t = v - floor as f32;
    (floor, t * t * (3.0 - 2.0 * t))
}

fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Smooth noise in the plane, 0..1, one feature per unit.
#[must_use]
pub fn value2(seed: u32, p: Vec2) -> f32 {
    let ((x, tx), (y, ty)) = (cell(p.x), cell(p.y));
    let at = |dx: i32, dy: i32| lattice(seed, x.wrapping_add(dx), y.wrapping_add(dy), 0);
    mix(mix(at(0, 0), at(1, 0), tx), mix(at(0, 1), at(1, 1), tx), ty)
}

/// Smooth noise in space, 0..1, one feature per unit.
#[must_use]
pub fn value3(seed: u32, p: Vec3) -> f32 {
    let ((x, tx), (y, ty), (z, tz)) = (cell(p.x), cell(p.y), cell(p.z));
    let at =
        |dx: i32, dy: i32, dz: i32| lattice(seed, x.wrapping_add(dx), y.wrapping_add(dy), z.wrapping_add(dz));
    let near = mix(mix(at(0, 0, 0), at(1, 0, 0), tx), mix(at(0, 1, 0), at(1, 1, 0), tx), ty);
    let far = mix(mix(at(0, 0, 1), at(1, 0, 1), tx), mix(at(0, 1, 1), at(1, 1, 1), tx), ty);
    mix(near, far, tz)
}

/// Noise with finer noise on it, 0..1, mostly near 0.5. Each octave is half as large and half as
/// strong as the one before.
#[must_use]
pub fn fbm2(seed: u32, mut p: Vec2, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut strength) = (0.0, 0.0, 1.0);
    for octave in 0..octaves {
        sum += strength * value2(seed.wrapping_add(octave), p);
        weight += strength;
        strength *= 0.5;
        // Turned a little, so that the lattices don't lie on one another.
        p = Vec2::new(1.6 * p.x + 1.2 * p.y, 1.6 * p.y - 1.2 * p.x);
    }
    sum / weight
}

/// [`fbm2`] in space; the third coordinate is often time.
#[must_use]
pub fn fbm3(seed: u32, mut p: Vec3, octaves: u32) -> f32 {
    let (mut sum, mut weight, mut strength) = (0.0, 0.0, 1.0);
    for octave in 0..octaves {
        sum += strength * value3(seed.wrapping_add(octave), p);
        weight += strength;
        strength *= 0.5;
        p = Vec3::new(1.6 * p.x + 1.2 * p.y, 1.6 * p.y - 1.2 * p.x, 1.7 * p.z);
    }
    sum / weight
}

/// 0 below `low`, 1 above `high`, smooth between.
#[must_use]
pub fn smoothstep(low: f32, high: f32, v: f32) -> f32 {
    let t = ((v - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A number in 0..1 for a whole number, without any relation to its neighbours.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "a saturated number is still one")]
pub fn lattice_of(seed: u32, number: f32) -> f32 {
    lattice(seed, number as i32, 0, 0)
}
