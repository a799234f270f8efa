//! How actors are put on the canvas: rods and flat faces that stand in front of one another
//! correctly, and shadows on the ground.

use glam::{Vec2, Vec3};

use super::super::canvas::{Canvas, Owner, Texel};
use super::super::light::Light;
use super::super::view::{NEAR, View};

/// Most corners of a face, with those that clipping adds.
const CORNERS: usize = 16;

/// All that painting needs.
pub struct Brush<'a> {
    pub canvas: &'a mut Canvas,
    pub view: &'a View,
    pub light: &'a Light,
    pub owner: Owner,
    /// The camera's axes in the world.
    pub right: Vec3,
    pub up: Vec3,
    pub back: Vec3,
    /// The ray of the top left corner, and what a pixel to the right and one down add.
    rays: (Vec3, Vec3, Vec3),
}

/// One end of a rod.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub at: Vec3,
    /// Half as thick as it looks from here.
    pub wide: f32,
    /// Half as thick as it is along the line of sight.
    pub deep: f32,
}

impl From<(Vec3, f32)> for End {
    fn from((at, radius): (Vec3, f32)) -> Self {
        Self { at, wide: radius, deep: radius }
    }
}

/// A place on a rod.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    pub normal: Vec3,
    /// -1..1 across the picture of the rod.
    pub u: f32,
    /// 0 at one end, 1 at the other; beyond that on round ends.
    pub v: f32,
}

impl<'a> Brush<'a> {
    pub fn new(canvas: &'a mut Canvas, view: &'a View, light: &'a Light, owner: Owner) -> Self {
        let (right, ahead) = (view.right(), view.ahead());
        let corner = view.ray(Vec2::splat(0.5));
        let across = view.ray(Vec2::new(1.5, 0.5)) - corner;
        let down = view.ray(Vec2::new(0.5, 1.5)) - corner;
        let rays = (corner, across, down);
        Self { canvas, view, light, owner, right, up: ahead.cross(right), back: -ahead, rays }
    }

    fn ray(&self, x: usize, y: usize) -> Vec3 {
        self.rays.0 + self.rays.1 * x as f32 + self.rays.2 * y as f32
    }

    /// Light on something soft and rough: less hard where the sun's side ends, darker at the rim.
    pub fn soft(&self, normal: Vec3) -> Vec3 {
        let sun = ((normal.dot(self.light.sun_at) + 0.2) / 1.2).max(0.0);
        let rim = 0.72 + 0.28 * normal.dot(self.back).max(0.0);
        self.light.sun * sun + self.light.shaded(normal) * rim
    }

    /// How many pixels a metre takes at this place.
    pub fn scale(&self, at: Vec3) -> f32 {
        self.view.project(at).map_or(0.0, |spot| spot.scale)
    }

    /// A round rod; `round` also gives it round ends.
    pub fn rod(
        &mut self,
        from: impl Into<End>,
        to: impl Into<End>,
        round: bool,
        surface: impl Fn(&Brush, Hit) -> Texel,
    ) {
        let (from, to) = (from.into(), to.into());
        let (Some(a), Some(b)) = (self.view.project(from.at), self.view.project(to.at)) else { return };
        let (ra, rb) = ((from.wide * a.scale).max(0.4), (to.wide * b.scale).max(0.4));
        let area = self.canvas.area((a.at - ra).min(b.at - rb) - 1.0, (a.at + ra).max(b.at + rb) + 1.0);
        let axis = b.at - a.at;
        let length2 = axis.length_squared().max(1e-4);
        // Half a pixel more at open ends, so that the next rod follows without a gap.
        let open = 0.6 / length2.sqrt();
        let (across, facing) = self.axes(axis, to.at - from.at);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let off = Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - a.at;
                let v = off.dot(axis) / length2;
                if !round && (v < -open || v > 1.0 + open) {
                    continue;
                }
                let along = v.clamp(0.0, 1.0);
                let radius = ra + (rb - ra) * along;
                let side = off - axis * along;
                let distance = side.length();
                let cover = (radius - distance + 0.5).min(1.0);
                if cover <= 0.0 {
                    continue;
                }
                let share = (distance / radius).min(1.0);
                let bulge = (1.0 - share * share).sqrt();
                let deep = from.deep + (to.deep - from.deep) * along;
                let depth = a.depth + (b.depth - a.depth) * along - deep * bulge;
                let index = y * self.canvas.width + x;
                if depth > self.canvas.depth[index] {
                    continue;
                }
                let normal = if (0.0..=1.0).contains(&v) {
                    let u = if side.dot(across.0) < 0.0 { -share } else { share };
                    across.1 * u + facing * bulge
                } else {
                    let at = side / radius;
                    (self.right * at.x - self.up * at.y + self.back * bulge).normalize_or_zero()
                };
                let u = normal.dot(across.1);
                let texel = surface(self, Hit { normal, u, v });
                self.canvas.put(index, depth, cover, self.owner, texel);
            }
        }
    }

    /// Across a rod in the picture and in the world, and the way its middle line faces.
    fn axes(&self, axis: Vec2, way: Vec3) -> ((Vec2, Vec3), Vec3) {
        let along = axis.normalize_or_zero();
        let mut across = Vec2::new(along.y, -along.x);
        if across.x < 0.0 || across == Vec2::ZERO {
            across = -across;
        }
        if across == Vec2::ZERO {
            across = Vec2::X;
        }
        let world = self.right * across.x - self.up * across.y;
        let facing = world.cross(way).normalize_or(self.back);
        let facing = if facing.dot(self.back) < 0.0 { -facing } else { facing };
        ((across, world), facing)
    }

    /// A flat convex face; `surface` gets the point of the world.
    pub fn face(&mut self, corners: &[Vec3], mut surface: impl FnMut(Vec3) -> Texel) {
        let mut spots = [Vec2::ZERO; CORNERS];
        let count = self.clip(corners, &mut spots);
        let Some(normal) = normal_of(corners).filter(|_| count >= 3) else { return };
        let spots = &spots[..count];
        let (low, high) = spots.iter().fold((Vec2::MAX, Vec2::MIN), |(l, h), s| (l.min(*s), h.max(*s)));
        let area = self.canvas.area(low - 1.0, high + 1.0);
        let turn: f32 = (0..count).map(|i| spots[i].perp_dot(spots[(i + 1) % count])).sum();
        let mut edges = [(Vec2::ZERO, 0.0); CORNERS];
        for (i, edge) in edges.iter_mut().enumerate().take(count) {
            let along = (spots[(i + 1) % count] - spots[i]).normalize_or_zero() * turn.signum();
            let inner = Vec2::new(-along.y, along.x);
            *edge = (inner, inner.dot(spots[i]));
        }
        let reach = normal.dot(corners[0] - self.view.position);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let at = Vec2::new(x as f32 + 0.5, y as f32 + 0.5);
                let inside = edges[..count].iter().fold(f32::MAX, |least, (n, d)| least.min(n.dot(at) - d));
                // A little wider than it is, so that neighbours close the seam.
                let cover = (inside + 0.7).min(1.0);
                if cover <= 0.0 {
                    continue;
                }
                let ray = self.ray(x, y);
                let depth = reach / normal.dot(ray);
                let index = y * self.canvas.width + x;
                if depth.is_finite() && depth >= NEAR && depth <= self.canvas.depth[index] {
                    let texel = surface(self.view.position + ray * depth);
                    self.canvas.put(index, depth, cover, self.owner, texel);
                }
            }
        }
    }

    /// The corners in the picture, cut off in front of the camera.
    fn clip(&self, corners: &[Vec3], spots: &mut [Vec2; CORNERS]) -> usize {
        let mut count = 0;
        let mut add = |p: Vec3| {
            let spot = self.view.spot(p).at;
            // Corners that fall together make no edge.
            let new = count == 0 || (spot.distance_squared(spots[count - 1]) > 1e-4);
            if new && count < CORNERS {
                spots[count] = spot;
                count += 1;
            }
        };
        for (i, corner) in corners.iter().enumerate() {
            let p = self.view.to_camera(*corner);
            let next = self.view.to_camera(corners[(i + 1) % corners.len()]);
            if p.z >= NEAR {
                add(p);
            }
            if (p.z < NEAR) != (next.z < NEAR) {
                let cut = p.lerp(next, (NEAR - p.z) / (next.z - p.z));
                add(Vec3::new(cut.x, cut.y, NEAR));
            }
        }
        if count > 1 && spots[0].distance_squared(spots[count - 1]) <= 1e-4 {
            count -= 1;
        }
        count
    }

    /// Darkens the ground at height `floor` within the box of `low` and `high`; `loss` says for a
    /// place (east, north) what share of the light is lost, to an object near it and to the sun's
    /// shadow.
    pub fn darken(&mut self, low: Vec3, high: Vec3, loss: impl Fn(Vec2) -> (f32, f32)) {
        let floor = low.y;
        let (mut from, mut to) = (Vec2::MAX, Vec2::MIN);
        for corner in [low, high, Vec3::new(low.x, floor, high.z), Vec3::new(high.x, floor, low.z)] {
            let Some(spot) = self.view.project(corner.with_y(floor)) else { return };
            (from, to) = (from.min(spot.at), to.max(spot.at));
        }
        let open = self.light.on(Vec3::Y);
        let sunny =
            (self.light.sun.element_sum() * self.light.sun_at.y.max(0.0)) / open.element_sum().max(1e-6);
        let area = self.canvas.area(from, to);
        for y in area.y.0..area.y.1 {
            for x in area.x.0..area.x.1 {
                let index = y * self.canvas.width + x;
                let point = self.view.position + self.ray(x, y) * self.canvas.depth[index];
                if (point.y - floor).abs() > 0.12 {
                    continue;
                }
                let (near, sun) = loss(Vec2::new(point.x, point.z));
                if near <= 0.0 && sun <= 0.0 {
                    continue;
                }
                let here = self.canvas.texels[index].light;
                // What lies in a shadow already gets no darker by another one.
                let lit =
                    (here.element_sum() / open.element_sum().max(1e-6) - (1.0 - sunny)) / sunny.max(1e-3);
                let sun = sun * sunny * lit.clamp(0.0, 1.0);
                self.canvas.texels[index].light = here * ((1.0 - near) * (1.0 - sun));
            }
        }
    }

    /// Where the sun throws the shadow of `point` on the ground at `floor`; never far.
    pub fn thrown(&self, point: Vec3, floor: f32) -> Vec2 {
        let sun = self.light.sun_at;
        let steep = sun.y.max(0.22);
        let off = Vec2::new(sun.x, sun.z) / steep * (point.y - floor).max(0.0);
        Vec2::new(point.x, point.z) - off
    }

    /// Whether there is a sun that throws shadows.
    pub fn sunny(&self) -> bool {
        self.light.sun_at.y > 0.03 && self.light.sun.element_sum() > 0.25 * self.light.sky.element_sum()
    }
}

/// The normal of a flat polygon.
pub fn normal_of(corners: &[Vec3]) -> Option<Vec3> {
    let first = *corners.first()?;
    let sum: Vec3 = corners.windows(2).map(|pair| (pair[0] - first).cross(pair[1] - first)).sum();
    sum.try_normalize()
}

/// How far `at` is from the line between two points.
pub fn off_line(at: Vec2, from: Vec2, to: Vec2) -> f32 {
    let way = to - from;
    let along = ((at - from).dot(way) / way.length_squared().max(1e-6)).clamp(0.0, 1.0);
    (at - from - way * along).length()
}
