//! Planning a site: its weather, its cameras, and what may stand where.

use glam::{Vec2, Vec3};

use super::floor::{Floor, Shadows};
use super::plant::{Growth, Plant};
use super::skin::{Pattern, Skin, range};
use super::thing::{Block, Thing};
use super::{Place, Site, Solid, Stand, below, built, indoors, outdoors, sky};

impl Solid {
    fn local(&self, p: Vec2) -> Vec2 {
        let (sin, cos) = (libm::sinf(self.yaw), libm::cosf(self.yaw));
        let d = p - self.centre;
        Vec2::new(d.x * cos - d.y * sin, d.x * sin + d.y * cos)
    }

    /// Metres from its footprint, 0 inside.
    pub(super) fn outside(&self, p: Vec2) -> f32 {
        (self.local(p).abs() - self.half).max(Vec2::ZERO).length()
    }

    /// The share of the way from `a` to `b` at which it is entered and left.
    fn passed(&self, a: Vec2, b: Vec2) -> Option<(f32, f32)> {
        let (a, b) = (self.local(a), self.local(b));
        let way = b - a;
        let (mut from, mut to) = (0.0f32, 1.0f32);
        for (start, step, half) in [(a.x, way.x, self.half.x), (a.y, way.y, self.half.y)] {
            if step.abs() < 1e-6 {
                if start.abs() > half {
                    return None;
                }
                continue;
            }
            let (s, t) = ((-half - start) / step, (half - start) / step);
            from = from.max(s.min(t));
            to = to.min(s.max(t));
        }
        (from <= to).then_some((from, to))
    }

    /// Whether the way passes over it.
    pub(super) fn crosses(&self, a: Vec2, b: Vec2) -> bool {
        self.passed(a, b).is_some()
    }

    /// Whether it hides `b` from `a`.
    fn hides(&self, a: Vec3, b: Vec3) -> bool {
        let Some((from, to)) = self.passed(Vec2::new(a.x, a.z), Vec2::new(b.x, b.z)) else { return false };
        let low = (a.y + (b.y - a.y) * from).min(a.y + (b.y - a.y) * to);
        low < self.top
    }
}

impl Site {
    /// Draws the layout, the time of day and the weather.
    #[must_use]
    pub fn new(place: Place, rng: &mut fastrand::Rng) -> Self {
        let (light, sky) = sky::weather(rng);
        let (width, length, reach) = place.plan();
        let half = Vec3::new(width * 0.5, 0.0, length * 0.5);
        let turn = range(rng, 0.0, core::f32::consts::TAU);
        let speed = if place.indoors() { range(rng, 0.0, 0.3) } else { range(rng, 0.2, 5.0) };
        let grey = Skin::new(rng, Pattern::Mottled, [120, 116, 108], [92, 90, 86], 3.0);
        let puddles = if sky.wet { range(rng, 0.3, 1.0) } else { range(rng, -2.5, 0.7).max(0.0) };
        let floor = Floor { base: grey, areas: Vec::new(), puddles, water: f32::MAX, seed: rng.u32(..) };
        let mut site = Self {
            place,
            light,
            wind: Vec3::new(libm::sinf(turn), 0.0, libm::cosf(turn)) * speed,
            lamps: Vec::new(),
            ground: (-half, half),
            sky,
            floor,
            hall: None,
            things: Vec::new(),
            ridges: Vec::new(),
            solids: Vec::new(),
            lanes: Vec::new(),
            stands: Vec::new(),
            shadows: Shadows::new(reach, if place.indoors() { 0.0 } else { 1.0 }),
        };
        site.hang_cameras(rng);
        match place {
            Place::Hills => outdoors::hills(&mut site, rng),
            Place::Forest => outdoors::forest(&mut site, rng),
            Place::Field => outdoors::field(&mut site, rng),
            Place::Farm => outdoors::farm(&mut site, rng),
            Place::Yard => built::yard(&mut site, rng),
            Place::Street => built::street(&mut site, rng),
            Place::Parking => built::parking(&mut site, rng),
            Place::Quay => built::quay(&mut site, rng),
            Place::Warehouse => indoors::warehouse(&mut site, rng),
            Place::Room => indoors::room(&mut site, rng),
            Place::Cellar => below::cellar(&mut site, rng),
            Place::Garage => below::garage(&mut site, rng),
        }
        site.cast_shadows();
        site
    }

    fn hang_cameras(&mut self, rng: &mut fastrand::Rng) {
        let half = self.ground.1;
        let (out, height) = match self.place {
            Place::Hills => ((10.0, 40.0), (8.0, 25.0)),
            Place::Room => ((0.1, 0.3), (2.2, 2.6)),
            Place::Cellar => ((-2.5, 0.8), (1.9, 2.6)),
            Place::Garage => ((-4.0, 0.5), (2.2, 2.7)),
            Place::Warehouse => ((-0.5, 0.8), (2.4, 3.2)),
            Place::Street => ((-1.0, 0.5), (2.6, 6.0)),
            _ => ((0.5, 7.0), (2.2, 6.0)),
        };
        let first = rng.usize(..4);
        for n in 0..4 {
            let corner = [(1.0, 1.0), (-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0)][(first + n) % 4];
            let far = range(rng, out.0, out.1);
            let slide = range(rng, 0.25, 1.0);
            let (mut x, mut z) = (corner.0 * (half.x + far), corner.1 * (half.z + far));
            let long = matches!(self.place, Place::Street | Place::Hills);
            if rng.bool() || long {
                x *= slide;
            } else {
                z *= slide;
            }
            if self.place == Place::Quay {
                z = -z.abs();
            }
            let at = Vec3::new(x, range(rng, height.0, height.1), z);
            let aim = Vec3::new(range(rng, -0.15, 0.15) * half.x, 0.0, range(rng, -0.3, 0.3) * half.z);
            let way = aim - at;
            let inside = self.place.indoors();
            let field = range(rng, if inside { 70.0 } else { 55.0 }, 100.0).to_radians();
            let level = Vec2::new(way.x, way.z).length();
            let pitch = libm::atan2f(at.y, level)
                + if inside { range(rng, -0.3, -0.05) } else { range(rng, -0.15, 0.08) };
            // Some look down at what lies below them.
            let steep = if rng.f32() < 0.1 { range(rng, 0.2, 0.8) } else { 0.0 };
            let pitch = (pitch + steep).min(1.4);
            self.stands.push(Stand { at, yaw: libm::atan2f(way.x, way.z), pitch, field });
        }
    }

    /// Whether something solid may stand here without hiding the ground from a camera.
    pub(super) fn fits(&self, s: &Solid) -> bool {
        let radius = s.half.max_element();
        let wide = if self.place == Place::Room { 0.6 } else { 2.0 };
        self.stands.iter().all(|stand| {
            let at = Vec2::new(stand.at.x, stand.at.z);
            if s.outside(at) < 1.2 {
                return false;
            }
            let off = s.centre - at;
            let ahead = off.normalize_or_zero().dot(Vec2::new(libm::sinf(stand.yaw), libm::cosf(stand.yaw)));
            let near = if self.place.indoors() { 2.2 } else { 5.0 };
            if (off.length() - radius).max(s.outside(at)) < near && ahead > 0.7 && s.top > stand.at.y - 1.2 {
                return false;
            }
            let side = Vec3::new(-libm::cosf(stand.yaw), 0.0, libm::sinf(stand.yaw)) * wide;
            [Vec3::ZERO, side, -side].iter().all(|d| !s.hides(stand.at, *d + Vec3::Y * 0.3))
        })
    }

    /// Whether nothing thin here would stand right before a camera.
    pub(super) fn clear(&self, foot: Vec3) -> bool {
        self.stands.iter().all(|s| Vec2::new(s.at.x - foot.x, s.at.z - foot.z).length() > 6.0)
    }

    /// Puts up a block where it fits.
    pub(super) fn block(&mut self, block: Block) -> bool {
        let centre = Vec2::new(block.foot.x, block.foot.z);
        let top = block.foot.y + block.height + block.gable * 0.6;
        let solid = Solid { centre, half: block.half, yaw: block.yaw, top };
        let fits = self.fits(&solid);
        if fits {
            self.solids.push(solid);
            self.things.push(Thing::Block(block));
        }
        fits
    }

    /// Puts up something round where it fits.
    pub(super) fn round(&mut self, foot: Vec3, radius: f32, top: f32, thing: Thing) -> bool {
        let solid = Solid { centre: Vec2::new(foot.x, foot.z), half: Vec2::splat(radius), yaw: 0.0, top };
        let fits = self.fits(&solid);
        if fits {
            self.solids.push(solid);
            self.things.push(thing);
        }
        fits
    }

    /// Plants something where it fits. Tufts may stand anywhere.
    pub(super) fn plant(&mut self, plant: Plant) {
        let centre = Vec2::new(plant.foot.x, plant.foot.z);
        let share = if plant.growth == Growth::Bare { 0.1 } else { 0.4 };
        let solid = Solid { centre, half: Vec2::splat(plant.width * share), yaw: 0.0, top: plant.height };
        if plant.growth == Growth::Tuft || self.fits(&solid) {
            let near = self.stands.iter().any(|s| Vec2::new(s.at.x, s.at.z).distance(centre) < 1.5);
            let taken = self.solids.iter().any(|s| s.outside(centre) < 0.3);
            if !near && !taken {
                self.things.push(Thing::Plant(plant));
            }
        }
    }

    /// A point around the free ground, `out` metres from its edge.
    pub(super) fn around(&self, rng: &mut fastrand::Rng, out: (f32, f32)) -> Vec3 {
        let half = self.ground.1 + Vec3::splat(range(rng, out.0, out.1));
        let side = if rng.bool() { 1.0 } else { -1.0 };
        if rng.f32() * (half.x + half.z) < half.x {
            Vec3::new(range(rng, -half.x, half.x), 0.0, side * half.z)
        } else {
            Vec3::new(side * half.x, 0.0, range(rng, -half.z, half.z))
        }
    }

    fn cast_shadows(&mut self) {
        let sun = self.light.sun_at;
        let flat = Vec2::new(sun.x, sun.z);
        let way = -flat / sun.y.max(0.07);
        let hard = if self.place.indoors() { 0.0 } else { 0.95 };
        for solid in &self.solids {
            self.shadows.solid(solid, way, hard);
        }
        for thing in &self.things {
            self.shadows.plant(thing, way, hard);
            if let Thing::Rod { from, to, .. } = thing {
                let foot = Vec2::new(from.0.x, from.0.z);
                let top = to.0.y;
                let pole = Solid { centre: foot, half: Vec2::splat(from.1.max(0.12)), yaw: 0.0, top };
                self.shadows.solid(&pole, way, hard * 0.7);
            }
        }
    }

    /// A random free point on the ground that camera 0 sees at up to `far` metres.
    pub fn spot(&self, rng: &mut fastrand::Rng, far: f32) -> Vec3 {
        let (low, high) = self.ground;
        let view = self.view(0, (640, 360));
        let mut best = Vec3::ZERO;
        for _ in 0..300 {
            let p = Vec3::new(range(rng, low.x, high.x), 0.0, range(rng, low.z, high.z));
            let flat = Vec2::new(p.x, p.z);
            let Some(spot) = view.project(p) else { continue };
            let seen = spot.at.x > 20.0 && spot.at.x < 620.0 && spot.at.y > 20.0 && spot.at.y < 350.0;
            let free = self
                .solids
                .iter()
                .all(|s| s.outside(flat) > 0.6 && !s.hides(view.position, p + Vec3::Y * 0.5));
            if seen && free {
                if spot.depth <= far {
                    return p;
                }
                best = p;
            }
        }
        best
    }

    /// How high the ceiling is, in metres; outdoors there is none.
    pub fn ceiling(&self) -> f32 {
        self.hall.as_ref().map_or(f32::INFINITY, |hall| hall.height())
    }

    /// A lane cars may use, if there is one here.
    pub fn lane(&self, rng: &mut fastrand::Rng) -> Option<Vec<Vec3>> {
        if self.lanes.is_empty() {
            return None;
        }
        let mut lane = self.lanes[rng.usize(..self.lanes.len())].clone();
        if rng.bool() {
            lane.reverse();
        }
        Some(lane)
    }
}
