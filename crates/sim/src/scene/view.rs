//! Where a camera stands and what it sees where: a pinhole without distortion.
//!
//! World coordinates are metres: x east, y up (the ground is y = 0), z north.

use glam::{Mat3, Vec2, Vec3};

/// A camera's place, direction and picture size.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub position: Vec3,
    pub width: u32,
    pub height: u32,
    /// Focal length in pixels.
    focal: f32,
    /// From the world to the camera: x right, y down, z ahead.
    turn: Mat3,
}

/// A point of the world in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// Pixels from the top left corner.
    pub at: Vec2,
    /// Pixels per metre at this distance.
    pub scale: f32,
    /// Metres ahead of the camera.
    pub depth: f32,
}

/// Nothing nearer than this is drawn, in metres.
pub const NEAR: f32 = 0.2;

impl View {
    /// `yaw` turns from north to east, `pitch` looks down, both in radians; `field` is the
    /// horizontal angle of view in radians.
    #[must_use]
    pub fn new(position: Vec3, yaw: f32, pitch: f32, field: f32, (width, height): (u32, u32)) -> Self {
        let (sin_yaw, cos_yaw) = (libm::sinf(yaw), libm::cosf(yaw));
        let (sin_pitch, cos_pitch) = (libm::sinf(pitch), libm::cosf(pitch));
        let right = Vec3::new(cos_yaw, 0.0, -sin_yaw);
        let ahead = Vec3::new(sin_yaw * cos_pitch, -sin_pitch, cos_yaw * cos_pitch);
        let down = -ahead.cross(right);
        let turn = Mat3::from_cols(right, down, ahead).transpose();
        let focal = width as f32 * 0.5 / libm::tanf(field * 0.5);
        Self { position, width, height, focal, turn }
    }

    fn centre(&self) -> Vec2 {
        Vec2::new(self.width as f32, self.height as f32) * 0.5
    }

    /// Where `point` is in the picture, even outside its edges; nothing if it is behind.
    #[must_use]
    pub fn project(&self, point: Vec3) -> Option<Spot> {
        let p = self.to_camera(point);
        (p.z >= NEAR).then(|| self.spot(p))
    }

    /// `point` in the camera's own axes: x right, y down, z ahead, in metres.
    #[must_use]
    pub fn to_camera(&self, point: Vec3) -> Vec3 {
        self.turn * (point - self.position)
    }

    /// A point in the camera's own axes in the picture; it must be ahead.
    #[must_use]
    pub fn spot(&self, p: Vec3) -> Spot {
        let scale = self.focal / p.z;
        Spot { at: self.centre() + Vec2::new(p.x, p.y) * scale, scale, depth: p.z }
    }

    /// The way the pixel at `at` looks, of length one per metre of depth: `position + ray * depth`
    /// is the point seen there at that depth.
    #[must_use]
    pub fn ray(&self, at: Vec2) -> Vec3 {
        let p = (at - self.centre()) / self.focal;
        self.turn.transpose() * Vec3::new(p.x, p.y, 1.0)
    }

    /// The direction to the right in the picture, in the world.
    #[must_use]
    pub fn right(&self) -> Vec3 {
        self.turn.transpose() * Vec3::X
    }

    /// The direction the camera looks in.
    #[must_use]
    pub fn ahead(&self) -> Vec3 {
        self.turn.transpose() * Vec3::Z
    }
}
