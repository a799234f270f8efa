//! What lights a scene: the sun or the moon, the sky, and lamps; and the air in between.
//!
//! Light is linear RGB. A white wall in the noon sun is about 1.

use glam::Vec3;

/// The light of a place at a time of day.
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// Towards the sun, length one.
    pub sun_at: Vec3,
    pub sun: Vec3,
    /// From everywhere above; half of it comes from below.
    pub sky: Vec3,
    /// Of the fog, and of what lies behind it.
    pub haze: Vec3,
    /// Share of the light that the air swallows per metre.
    pub haze_density: f32,
    /// 0 by day, 1 at night: lamps and windows are lit.
    pub night: f32,
}

impl Light {
    /// What falls onto a surface with this normal.
    #[must_use]
    pub fn on(&self, normal: Vec3) -> Vec3 {
        self.shaded(normal) + self.sun * normal.dot(self.sun_at).max(0.0)
    }

    /// What falls onto a surface with this normal in the shadow.
    #[must_use]
    pub fn shaded(&self, normal: Vec3) -> Vec3 {
        self.sky * (0.65 + 0.35 * normal.y)
    }

    /// How much of what lies at `depth` metres is seen through the air.
    #[must_use]
    pub fn clear(&self, depth: f32) -> f32 {
        libm::expf(-depth * self.haze_density)
    }
}

/// sRGB bytes to linear light, for colours written as one sees them.
#[must_use]
pub fn rgb(r: u8, g: u8, b: u8) -> Vec3 {
    Vec3::new(to_linear(r), to_linear(g), to_linear(b))
}

fn to_linear(v: u8) -> f32 {
    libm::powf(f32::from(v) / 255.0, 2.2)
}
