//! The places that cameras look at: what stands where, its light and its weather.

use glam::{Vec2, Vec3};

use super::canvas::{Canvas, Texel};
use super::light::Light;
use super::view::View;

mod below;
mod built;
mod floor;
mod indoors;
mod outdoors;
mod plant;
mod props;
mod site;
mod skin;
mod sky;
mod thing;

use floor::{Floor, Shadows};
use indoors::Hall;
use sky::{Ridge, Sky};
use thing::Thing;

/// Kinds of places. The first list trains the detector; the second is held out for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Hills,
    Forest,
    Field,
    Yard,
    Street,
    Parking,
    Warehouse,
    Room,
    Cellar,
    /// Held out, as those after it.
    Quay,
    Farm,
    Garage,
}

impl Place {
    /// What the detector is trained with.
    pub const TRAINING: [Self; 9] = [
        Self::Hills,
        Self::Forest,
        Self::Field,
        Self::Yard,
        Self::Street,
        Self::Parking,
        Self::Warehouse,
        Self::Room,
        Self::Cellar,
    ];
    /// What it has never seen.
    pub const HELD_OUT: [Self; 3] = [Self::Quay, Self::Farm, Self::Garage];

    /// In lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hills => "hills",
            Self::Forest => "forest",
            Self::Field => "field",
            Self::Yard => "yard",
            Self::Street => "street",
            Self::Parking => "parking",
            Self::Warehouse => "warehouse",
            Self::Room => "room",
            Self::Cellar => "cellar",
            Self::Quay => "quay",
            Self::Farm => "farm",
            Self::Garage => "garage",
        }
    }

    /// Under a roof.
    #[must_use]
    pub fn indoors(self) -> bool {
        matches!(self, Self::Warehouse | Self::Room | Self::Cellar | Self::Garage)
    }

    /// Width, length, and how far around it the site is planned, in metres.
    fn plan(self) -> (f32, f32, f32) {
        match self {
            Self::Hills => (60.0, 150.0, 110.0),
            Self::Forest => (24.0, 30.0, 60.0),
            Self::Field => (40.0, 60.0, 70.0),
            Self::Yard => (25.0, 25.0, 50.0),
            Self::Street => (12.0, 60.0, 60.0),
            Self::Parking => (34.0, 40.0, 60.0),
            Self::Warehouse => (16.0, 28.0, 25.0),
            Self::Room => (6.0, 8.0, 10.0),
            Self::Cellar => (15.0, 24.0, 20.0),
            Self::Quay => (24.0, 44.0, 60.0),
            Self::Farm => (28.0, 32.0, 55.0),
            Self::Garage => (24.0, 36.0, 30.0),
        }
    }
}

/// A lamp that is on.
#[derive(Clone, Copy, Debug)]
pub struct Lamp {
    pub at: Vec3,
    pub colour: Vec3,
    /// It lights nothing further away, in metres.
    pub radius: f32,
}

/// Something solid seen from above, for shadows, free points and lines of sight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Solid {
    centre: Vec2,
    half: Vec2,
    yaw: f32,
    top: f32,
}

/// Where a camera hangs and looks.
#[derive(Clone, Copy, Debug)]
struct Stand {
    at: Vec3,
    yaw: f32,
    pitch: f32,
    field: f32,
}

/// One place as a seed made it: what stands where. Static.
#[derive(Clone, Debug)]
pub struct Site {
    pub place: Place,
    pub light: Light,
    /// Metres per second.
    pub wind: Vec3,
    /// Those that are on.
    pub lamps: Vec<Lamp>,
    ground: (Vec3, Vec3),
    sky: Sky,
    floor: Floor,
    hall: Option<Hall>,
    things: Vec<Thing>,
    ridges: Vec<Ridge>,
    solids: Vec<Solid>,
    lanes: Vec<Vec<Vec3>>,
    stands: Vec<Stand>,
    shadows: Shadows,
}

/// A view of a site.
pub(crate) struct Eye<'a> {
    view: &'a View,
    site: &'a Site,
    /// Metres that a pixel covers at one metre.
    pixel: f32,
}

impl Eye<'_> {
    /// Metres that a pixel covers on a surface.
    fn foot(&self, p: Vec3, normal: Vec3) -> f32 {
        let way = self.view.position - p;
        let distance = way.length().max(0.1);
        let slant = (normal.dot(way).abs() / distance).max(0.02);
        self.pixel * distance / slant.sqrt()
    }
}

impl Site {
    /// The n-th camera.
    #[must_use]
    pub fn view(&self, n: usize, size: (u32, u32)) -> View {
        let s = &self.stands[n % self.stands.len()];
        View::new(s.at, s.yaw, s.pitch, s.field, size)
    }

    /// The free ground: people walk, cars drive, fires burn here.
    #[must_use]
    pub fn ground(&self) -> (Vec3, Vec3) {
        self.ground
    }

    /// What falls onto a surface at a point: sun or beam, sky and lamps, shadows on the ground.
    #[must_use]
    pub fn lit(&self, p: Vec3, normal: Vec3) -> Vec3 {
        let mut light = self.light.shaded(normal);
        let mut sun = self.light.sun * normal.dot(self.light.sun_at).max(0.0);
        if normal.y > 0.9 && p.y < 0.3 {
            let open = self.shadows.at(Vec2::new(p.x, p.z));
            light *= open.y;
            sun = match &self.hall {
                Some(hall) => hall.beam * open.x,
                None => sun * open.x,
            };
        } else if self.hall.is_some() {
            sun = Vec3::ZERO;
        }
        let corner = self.hall.as_ref().map_or(1.0, |hall| hall.corner(p));
        (light + self.lamp_light(p, normal)) * corner + sun
    }

    /// What falls onto smoke or steam at a point.
    #[must_use]
    pub fn in_air(&self, p: Vec3) -> Vec3 {
        let sun = if self.hall.is_some() { Vec3::ZERO } else { self.light.sun * 0.55 };
        self.light.sky + sun + self.lamp_light(p, Vec3::Y)
    }

    /// What lamps alone do.
    fn lamp_light(&self, p: Vec3, normal: Vec3) -> Vec3 {
        let mut light = Vec3::ZERO;
        for lamp in &self.lamps {
            let way = lamp.at - p;
            let near = way.length_squared() / (lamp.radius * lamp.radius);
            if near < 1.0 {
                let facing = normal.dot(way.normalize_or_zero()) * 0.7 + 0.3;
                light += lamp.colour * ((1.0 - near) * (1.0 - near) / (1.0 + 12.0 * near) * facing.max(0.05));
            }
        }
        light
    }

    /// What glass reflects.
    fn sky_level(&self) -> Vec3 {
        if self.hall.is_some() { self.light.sky * 0.4 } else { self.sky.horizon }
    }

    /// Paints the backdrop. Owner 0 everywhere.
    pub fn paint(&self, canvas: &mut Canvas, view: &View) {
        let middle = Vec2::new(view.width as f32, view.height as f32) * 0.5;
        let pixel = (view.ray(middle + Vec2::X) - view.ray(middle)).length();
        let eye = Eye { view, site: self, pixel };
        match &self.hall {
            Some(hall) => canvas.fill(view, |ray| hall.wall_at(&eye, ray)),
            None => canvas.fill(view, |ray| self.outside(&eye, ray)),
        }
        let far = |thing: &Thing| (thing.middle() - view.position).length_squared();
        let mut order: Vec<(f32, &Thing)> = self.things.iter().map(|t| (far(t), t)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, thing) in order {
            thing.paint(canvas, &eye);
        }
    }

    /// The sky, a ridge or the ground.
    fn outside(&self, eye: &Eye, ray: Vec3) -> Option<(f32, Texel)> {
        let length = ray.length();
        let dir = ray / length;
        let at = eye.view.position;
        let flat = Vec2::new(ray.x, ray.z).length().max(1e-4);
        let reach = if ray.y < -1e-5 { -at.y / ray.y } else { f32::MAX };
        let near = self.ridges.first().map_or(4000.0, |r| r.distance);
        if reach * flat < near {
            return Some((reach, self.ground_at(eye, at + ray * reach, dir)));
        }
        for ridge in &self.ridges {
            if let Some((albedo, light)) = ridge.hit(&self.light, at.y, dir) {
                return Some((ridge.distance / flat, Texel::lit(albedo, light)));
            }
        }
        let clear = self.light.clear(2500.0 * (1.0 - dir.y.clamp(0.0, 1.0)).powi(8));
        let seen = self.light.haze.lerp(self.sky.colour(dir), clear);
        Some((super::canvas::FAR, Texel::shining(seen)))
    }

    fn ground_at(&self, eye: &Eye, p: Vec3, dir: Vec3) -> Texel {
        let (uv, foot) = (Vec2::new(p.x, p.z), eye.foot(p, Vec3::Y));
        let mirror = |normal: Vec3| {
            let back = dir - normal * (2.0 * dir.dot(normal));
            let fresnel = 0.04 + 0.96 * (1.0 - (-dir.dot(normal)).clamp(0.0, 1.0)).powi(5);
            (self.sky.gradient(Vec3::new(back.x, back.y.abs(), back.z).normalize()), fresnel)
        };
        if p.z > self.floor.water {
            let (sky, share) = mirror(self.floor.ripples(uv, foot));
            let deep = Vec3::new(0.03, 0.05, 0.05);
            return Texel { albedo: deep, light: self.lit(p, Vec3::Y), emit: sky * share };
        }
        let mut albedo = self.floor.albedo(uv, foot);
        let mut emit = Vec3::ZERO;
        let puddle = self.floor.puddle(uv);
        if puddle > 0.0 {
            let (sky, share) = mirror(Vec3::Y);
            albedo *= 1.0 - 0.5 * puddle;
            emit = sky * share * puddle;
        }
        Texel { albedo, light: self.lit(p, Vec3::Y), emit }
    }
}
