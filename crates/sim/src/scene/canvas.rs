//! A picture being painted: for each pixel what colour its surface has, what light falls on it,
//! what it sends out by itself, how far away it is and whose it is.
//!
//! Light is applied when all is painted ([`Canvas::develop`]), so that a fire can light what was
//! painted before it.

use glam::{Vec2, Vec3};

use super::light::Light;
use super::view::{NEAR, View};

/// Beyond everything, in metres.
pub const FAR: f32 = 1e6;

/// Whose a pixel is: 0 is the backdrop's, others count from 1.
pub type Owner = u16;

/// What is seen in one pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texel {
    /// Share of the light that comes back, linear RGB.
    pub albedo: Vec3,
    /// Light that falls onto it.
    pub light: Vec3,
    /// Light of its own.
    pub emit: Vec3,
}

impl Texel {
    /// A surface that is lit.
    #[must_use]
    pub fn lit(albedo: Vec3, light: Vec3) -> Self {
        Self { albedo, light, emit: Vec3::ZERO }
    }

    /// A surface that shines.
    #[must_use]
    pub fn shining(emit: Vec3) -> Self {
        Self { albedo: Vec3::splat(0.05), light: Vec3::ZERO, emit }
    }

    fn towards(self, other: Self, share: f32) -> Self {
        Self {
            albedo: self.albedo.lerp(other.albedo, share),
            light: self.light.lerp(other.light, share),
            emit: self.emit.lerp(other.emit, share),
        }
    }
}

/// All pixels, row by row from the top.
#[derive(Clone, Debug)]
pub struct Canvas {
    pub width: usize,
    pub height: usize,
    pub texels: Vec<Texel>,
    /// Metres ahead of the camera.
    pub depth: Vec<f32>,
    pub owner: Vec<Owner>,
}

/// Pixels from the left and from the top, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub x: (usize, usize),
    pub y: (usize, usize),
}

impl Canvas {
    #[must_use]
    pub fn new(view: &View) -> Self {
        let (width, height) = (view.width as usize, view.height as usize);
        let black = Texel::lit(Vec3::ZERO, Vec3::ZERO);
        let pixels = width * height;
        Self { width, height, texels: vec![black; pixels], depth: vec![FAR; pixels], owner: vec![0; pixels] }
    }

    /// Takes over another canvas of the same size, without allocating.
    pub fn copy_from(&mut self, other: &Self) {
        self.texels.copy_from_slice(&other.texels);
        self.depth.copy_from_slice(&other.depth);
        self.owner.copy_from_slice(&other.owner);
    }

    /// The pixels that a box from `low` to `high` touches.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    pub fn area(&self, low: Vec2, high: Vec2) -> Area {
        let along = |low: f32, high: f32, side: usize| {
            let end = side as f32;
            (low.floor().clamp(0.0, end) as usize, high.ceil().clamp(0.0, end) as usize)
        };
        Area { x: along(low.x, high.x, self.width), y: along(low.y, high.y, self.height) }
    }

    /// Mixes `texel` into a pixel if it is nearer than what is there. `cover` is the share of the
    /// pixel that it hides; with half or more the pixel changes its owner and its depth.
    pub fn put(&mut self, index: usize, depth: f32, cover: f32, owner: Owner, texel: Texel) {
        if cover <= 0.0 || depth > self.depth[index] {
            return;
        }
        self.texels[index] = self.texels[index].towards(texel, cover.min(1.0));
        if cover >= 0.5 {
            self.depth[index] = depth;
            self.owner[index] = owner;
        }
    }

    /// Paints each pixel that looks at nothing yet; `paint` gets the ray (see [`View::ray`]) and
    /// returns what is there and how far ahead.
    pub fn fill(&mut self, view: &View, mut paint: impl FnMut(Vec3) -> Option<(f32, Texel)>) {
        for y in 0..self.height {
            for x in 0..self.width {
                let index = y * self.width + x;
                let ray = view.ray(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                if let Some((depth, texel)) = paint(ray) {
                    self.put(index, depth, 1.0, 0, texel);
                }
            }
        }
    }

    /// A flat convex polygon. `surface` gets the point of the world and says what is there.
    pub fn polygon(
        &mut self,
        view: &View,
        corners: &[Vec3],
        owner: Owner,
        mut surface: impl FnMut(Vec3) -> Texel,
    ) {
        let Some((spots, normal)) = flat(view, corners) else { return };
        let (low, high) = bounds(&spots);
        let area = self.area(low - 1.0, high + 1.0);
        let edges = edges(&spots);
        let reach = normal.dot(corners[0] - view.position);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let at = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
                let inside = edges.iter().map(|(from, out)| out.dot(*from - at)).fold(f32::MAX, f32::min);
                let cover = (inside + 0.5).min(1.0);
                if cover <= 0.0 {
                    continue;
                }
                let ray = view.ray(at);
                let depth = reach / normal.dot(ray);
                if depth.is_finite() && depth >= NEAR {
                    let point = view.position + ray * depth;
                    self.put(y * self.width + x, depth, cover, owner, surface(point));
                }
            }
        }
    }

    /// A rod with round ends, `from.1` and `to.1` metres thick in radius. `surface` gets the
    /// normal and the place along the rod, 0 at `from`.
    pub fn capsule(
        &mut self,
        view: &View,
        from: (Vec3, f32),
        to: (Vec3, f32),
        owner: Owner,
        mut surface: impl FnMut(Vec3, f32) -> Texel,
    ) {
        let (Some(a), Some(b)) = (view.project(from.0), view.project(to.0)) else { return };
        let (ra, rb) = ((from.1 * a.scale).max(0.35), (to.1 * b.scale).max(0.35));
        let low = (a.at - ra).min(b.at - rb) - 1.0;
        let high = (a.at + ra).max(b.at + rb) + 1.0;
        let area = self.area(low, high);
        let axis = b.at - a.at;
        let length2 = axis.length_squared().max(1e-6);
        let frame = Frame::of(view);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let at = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
                let along = ((at - a.at).dot(axis) / length2).clamp(0.0, 1.0);
                let radius = ra + (rb - ra) * along;
                let off = at - (a.at + axis * along);
                let distance = off.length();
                let cover = (radius - distance + 0.5).min(1.0);
                if cover <= 0.0 {
                    continue;
                }
                let depth = a.depth + (b.depth - a.depth) * along;
                let normal = frame.normal(off / radius);
                self.put(y * self.width + x, depth, cover, owner, surface(normal, along));
            }
        }
    }

    /// A round thing.
    pub fn ball(
        &mut self,
        view: &View,
        centre: Vec3,
        radius: f32,
        owner: Owner,
        mut surface: impl FnMut(Vec3) -> Texel,
    ) {
        self.capsule(view, (centre, radius), (centre, radius), owner, |normal, _| surface(normal));
    }

    /// An upright picture that turns to the camera: `foot` is the middle of its lower edge.
    /// `surface` gets -1..1 from left to right and 0..1 from the foot up, and returns what share of
    /// the pixel is hidden (0..1) and by what.
    pub fn board(
        &mut self,
        view: &View,
        foot: Vec3,
        (width, height): (f32, f32),
        owner: Owner,
        mut surface: impl FnMut(Vec2) -> (f32, Texel),
    ) {
        let Some((low, high, depth)) = board_bounds(view, foot, (width, height)) else { return };
        let area = self.area(low, high);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let index = y * self.width + x;
                if depth > self.depth[index] {
                    continue;
                }
                let at = (Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - low) / (high - low);
                let (cover, texel) = surface(Vec2::new(at.x * 2.0 - 1.0, 1.0 - at.y));
                self.put(index, depth, cover, owner, texel);
            }
        }
    }

    /// Darkens the light on the ground around `foot`, as a shadow or dirt does: `strength` is the
    /// share of the light that is lost in the middle.
    pub fn shade(&mut self, view: &View, foot: Vec3, radius: f32, strength: f32) {
        let Some(spot) = view.project(foot) else { return };
        let reach = radius * spot.scale;
        let area = self.area(spot.at - reach, spot.at + reach);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let index = y * self.width + x;
                let ray = view.ray(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                let point = view.position + ray * self.depth[index];
                if (point.y - foot.y).abs() > 0.3 {
                    continue;
                }
                let distance = (point - foot).length() / radius;
                if distance < 1.0 {
                    self.texels[index].light *= 1.0 - strength * (1.0 - distance * distance);
                }
            }
        }
    }

    /// Lets a lamp or a fire at `from` light everything within `radius` metres.
    pub fn glow(&mut self, view: &View, from: Vec3, colour: Vec3, radius: f32) {
        let Some(spot) = view.project(from) else { return };
        let reach = radius * spot.scale * 1.1;
        let area = self.area(spot.at - reach, spot.at + reach);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let index = y * self.width + x;
                if self.depth[index] >= FAR {
                    continue;
                }
                let ray = view.ray(Vec2::new(x as f32 + 0.5, y as f32 + 0.5));
                let point = view.position + ray * self.depth[index];
                let near = (point - from).length_squared() / (radius * radius);
                if near < 1.0 {
                    let fall = (1.0 - near) * (1.0 - near) / (1.0 + 12.0 * near);
                    self.texels[index].light += colour * fall;
                }
            }
        }
    }

    /// The light that reaches the camera from each pixel, through the air.
    pub fn develop(&self, light: &Light, picture: &mut Vec<Vec3>) {
        picture.clear();
        picture.extend(self.texels.iter().zip(&self.depth).map(|(texel, depth)| {
            let seen = texel.albedo * texel.light + texel.emit;
            if *depth >= FAR { seen } else { light.haze.lerp(seen, light.clear(*depth)) }
        }));
    }
}

/// The corners of a board's picture in pixels, and its depth.
#[must_use]
pub fn board_bounds(view: &View, foot: Vec3, (width, height): (f32, f32)) -> Option<(Vec2, Vec2, f32)> {
    let spot = view.project(foot)?;
    let top = view.project(foot + Vec3::Y * height)?;
    let half = width * spot.scale * 0.5;
    let low = Vec2::new(spot.at.x - half, top.at.y.min(spot.at.y - 0.5));
    Some((low, Vec2::new(spot.at.x + half, spot.at.y), spot.depth))
}

/// The camera's axes in the world, to turn a place on a ball into a normal.
struct Frame {
    right: Vec3,
    up: Vec3,
    back: Vec3,
}

impl Frame {
    fn of(view: &View) -> Self {
        let (right, ahead) = (view.right(), view.ahead());
        Self { right, up: ahead.cross(right), back: -ahead }
    }

    /// `off` is the distance from the middle in radii, in the picture.
    fn normal(&self, off: Vec2) -> Vec3 {
        let to_camera = (1.0 - off.length_squared()).max(0.0).sqrt();
        self.right * off.x - self.up * off.y + self.back * to_camera
    }
}

/// The picture of a flat polygon, cut off in front of the camera, and its normal.
fn flat(view: &View, corners: &[Vec3]) -> Option<(Vec<Vec2>, Vec3)> {
    let normal = (corners.get(1)? - corners[0]).cross(corners.get(2)? - corners[0]).normalize_or_zero();
    let points: Vec<Vec3> = corners.iter().map(|c| view.to_camera(*c)).collect();
    let mut spots = Vec::with_capacity(points.len() + 1);
    for (i, p) in points.iter().enumerate() {
        let next = points[(i + 1) % points.len()];
        if p.z >= NEAR {
            spots.push(view.spot(*p).at);
        }
        if (p.z < NEAR) != (next.z < NEAR) {
            let cut = p.lerp(next, (NEAR - p.z) / (next.z - p.z));
            spots.push(view.spot(Vec3::new(cut.x, cut.y, NEAR)).at);
        }
    }
    (spots.len() >= 3 && normal != Vec3::ZERO).then_some((spots, normal))
}

fn bounds(spots: &[Vec2]) -> (Vec2, Vec2) {
    spots.iter().fold((Vec2::MAX, Vec2::MIN), |(low, high), s| (low.min(*s), high.max(*s)))
}

/// A point on each edge and the direction out of the polygon.
fn edges(spots: &[Vec2]) -> Vec<(Vec2, Vec2)> {
    let turn: f32 = (0..spots.len()).map(|i| spots[i].perp_dot(spots[(i + 1) % spots.len()])).sum();
    let sign = if turn > 0.0 { 1.0 } else { -1.0 };
    let edge = |i: usize| {
        let along = (spots[(i + 1) % spots.len()] - spots[i]).normalize_or_zero();
        (spots[i], Vec2::new(along.y, -along.x) * sign)
    };
    (0..spots.len()).map(edge).collect()
}
