//! What happens in a scene: who walks where, what burns when, and which cameras watch.

use std::sync::Arc;

use fastrand::Rng;
use glam::Vec3;

use super::actors::{Actor, Kind, Path};
use super::flame::Fire;
use super::friends::{Friend, dust, steam};
use super::lens::Lens;
use super::light::rgb;
use super::place::{Place, Site};
use super::plume::Plume;
use super::shot::Shot;

/// Which places a scene may be at. Held-out places are never trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    Training,
    HeldOut,
}

/// What a scene is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// A fire starts and grows, with smoke; or smoke alone.
    Fire,
    /// Nothing burns, much looks like it.
    Friends,
    /// People and vehicles.
    Quiet,
}

impl Plot {
    pub const ALL: [Self; 3] = [Self::Fire, Self::Friends, Self::Quiet];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::Friends => "friends",
            Self::Quiet => "quiet",
        }
    }
}

/// People and animals stay within this distance of the first camera, in metres, where the ground
/// begins that near.
const NEAR_M: f32 = 24.0;

/// A world as a seed made it.
#[derive(Clone, Debug)]
pub struct Scene {
    pub seed: u64,
    pub plot: Plot,
    pub site: Site,
    pub(super) actors: Vec<Actor>,
    pub(super) fires: Vec<Fire>,
    /// Smoke is told from steam and dust: it has a class.
    pub(super) smoke: Vec<Plume>,
    pub(super) mist: Vec<Plume>,
    pub(super) friends: Vec<Friend>,
    pub(super) lenses: [Lens; Scene::CAMERAS],
}

impl Scene {
    /// Cameras that watch one scene.
    pub const CAMERAS: usize = 2;
    /// Seconds in which all fires of a scene have started and grown.
    pub const LENGTH_S: f32 = 60.0;

    /// A scene at one of the places of `split`.
    #[must_use]
    pub fn new(seed: u64, split: Split, plot: Plot) -> Self {
        let mut rng = Rng::with_seed(seed);
        let place = match split {
            Split::Training => {
                // The last, the cellar, twice as often: low ceilings are the hardest.
                let last = Place::TRAINING.len() - 1;
                Place::TRAINING[rng.usize(..=last + 1).min(last)]
            }
            Split::HeldOut => Place::HELD_OUT[rng.usize(..Place::HELD_OUT.len())],
        };
        Self::at(place, seed, plot)
    }

    /// A scene at this place.
    #[must_use]
    pub fn at(place: Place, seed: u64, plot: Plot) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5e_ed0f_ace5);
        let site = Site::new(place, &mut rng);
        let lenses = [(); Self::CAMERAS].map(|()| Lens::new(&mut rng, &site.light, place.indoors()));
        let mut scene = Self {
            seed,
            plot,
            site,
            actors: Vec::new(),
            fires: Vec::new(),
            smoke: Vec::new(),
            mist: Vec::new(),
            friends: Vec::new(),
            lenses,
        };
        scene.cast(&mut rng);
        if plot == Plot::Fire {
            scene.ignite(&mut rng);
        }
        scene.mislead(&mut rng);
        scene
    }

    /// One of its cameras.
    #[must_use]
    pub fn shot(self: &Arc<Self>, camera: usize, size: (u32, u32)) -> Shot {
        Shot::new(Arc::clone(self), camera % Self::CAMERAS, size)
    }

    /// When its first fire starts, in seconds.
    #[must_use]
    pub fn ignition(&self) -> Option<f32> {
        self.fires.iter().map(|f| f.starts).reduce(f32::min)
    }

    /// People, vehicles and animals.
    fn cast(&mut self, rng: &mut Rng) {
        let people = [0, 0, 1, 1, 2, 3, 5][rng.usize(..7)];
        for _ in 0..people {
            let speed = 0.6 + 1.3 * rng.f32();
            let path = self.walk(rng, speed);
            self.actors.push(Actor::new(Kind::Person, rng, path));
        }
        let animals = if self.site.place.indoors() { [0, 0, 0, 1] } else { [0, 0, 1, 2] }[rng.usize(..4)];
        for _ in 0..animals {
            let speed = 0.5 + 2.0 * rng.f32();
            let path = self.walk(rng, speed);
            self.actors.push(Actor::new(Kind::Animal, rng, path));
        }
        for _ in 0..[0, 1, 1, 2, 3][rng.usize(..5)] {
            let Some(path) = self.drive(rng) else { continue };
            self.actors.push(Actor::new(Kind::Vehicle, rng, path));
        }
    }

    /// A way over the free ground.
    fn walk(&self, rng: &mut Rng, speed: f32) -> Path {
        // Cameras are mounted so that who they watch can be seen.
        let far = (self.sight() * (0.25 + 0.5 * rng.f32())).min(NEAR_M);
        if rng.f32() < 0.25 {
            return Path::standing(self.site.spot(rng, far), rng.f32() * std::f32::consts::TAU);
        }
        let points = (0..2 + rng.usize(..3)).map(|_| self.site.spot(rng, far)).collect();
        Path::new(points, speed, rng.f32() * 60.0)
    }

    /// A lane with traffic, or a parking place; vehicles keep their distance.
    fn drive(&self, rng: &mut Rng) -> Option<Path> {
        if rng.bool()
            && let Some(lane) = self.site.lane(rng)
        {
            return Some(Path::new(lane, 3.0 + 9.0 * rng.f32(), rng.f32() * 60.0));
        }
        if self.site.place == Place::Room {
            return None;
        }
        let at = self.site.spot(rng, self.sight() * 0.6);
        let apart = |a: &Actor| a.kind != Kind::Vehicle || (a.at(0.0) - at).length() > 6.0;
        let heading = rng.f32() * std::f32::consts::TAU;
        self.actors.iter().all(apart).then(|| Path::standing(at, heading))
    }

    /// How far its cameras look, in metres.
    fn sight(&self) -> f32 {
        let (low, high) = self.site.ground();
        (high - low).length()
    }

    /// Fires with their smoke, or a smouldering one without flames.
    fn ignite(&mut self, rng: &mut Rng) {
        for _ in 0..[1, 1, 1, 2][rng.usize(..4)] {
            let far = self.sight() * (0.2 + 0.7 * rng.f32());
            let at = self.site.spot(rng, far);
            let fire = self.fire_at(rng, at);
            let flames = rng.f32() < 0.85;
            if !flames || rng.f32() < 0.75 {
                let smoke = self.smoke_of(rng, &fire, flames);
                self.smoke.push(smoke);
            }
            if flames {
                self.spread(rng, fire);
            }
        }
    }

    /// A fire whose grown flames take 3 to 45 % of the picture's width.
    fn fire_at(&self, rng: &mut Rng, at: Vec3) -> Fire {
        // Pixels per metre where it looks largest, of a picture 1000 wide.
        let scale = |n| self.site.view(n, (1000, 562)).project(at).map_or(40.0, |s| s.scale);
        let scale = (0..Self::CAMERAS).map(scale).fold(1.0, f32::max);
        let share = 0.035 * libm::powf(12.0, rng.f32());
        let ceiling = if self.site.place.indoors() { 2.2 } else { 12.0 };
        let width = (share * 1000.0 / scale).clamp(0.15, ceiling);
        Fire {
            at,
            width,
            height: (width * (0.7 + 1.5 * rng.f32())).min(ceiling * 1.2),
            starts: 4.0 * rng.f32(),
            growth: 3.0 + 14.0 * rng.f32(),
            heat: 0.8 + 2.0 * rng.f32() * rng.f32() + 0.7 * self.site.light.sun.x,
            tint: (0.30 + 0.22 * rng.f32(), 0.03 + 0.09 * rng.f32()),
            lean: self.site.wind.x * 0.12 + 0.15 * (rng.f32() - 0.5),
            turbulence: 0.7 + 0.6 * rng.f32(),
            seed: rng.u32(..),
        }
    }

    /// One fire, or several side by side that burn as one.
    fn spread(&mut self, rng: &mut Rng, fire: Fire) {
        for _ in 0..[0, 0, 0, 1, 2][rng.usize(..5)] {
            let side = Vec3::new(rng.f32() - 0.5, 0.0, rng.f32() - 0.5) * fire.width * 1.2;
            let share = 0.4 + 0.6 * rng.f32();
            let part = Fire {
                at: fire.at + side,
                width: fire.width * share,
                height: fire.height * share,
                seed: rng.u32(..),
                starts: fire.starts + 2.0 * rng.f32(),
                ..fire.clone()
            };
            self.fires.push(part);
        }
        self.fires.push(fire);
    }

    fn smoke_of(&self, rng: &mut Rng, fire: &Fire, flames: bool) -> Plume {
        // Wood and grass smoke light grey to bluish, oil and plastics black.
        let grey = [0.06, 0.12, 0.22, 0.35, 0.45, 0.55, 0.7][rng.usize(..7)];
        let tint =
            Vec3::ONE.lerp(rgb(200, 215, 255), 0.3 * rng.f32()).lerp(rgb(255, 230, 190), 0.3 * rng.f32());
        let grown = fire.height * if flames { 0.55 } else { 0.1 };
        let indoors = self.site.place.indoors();
        Plume {
            from: fire.at + Vec3::Y * grown,
            radius: fire.width * (0.35 + 0.4 * rng.f32()),
            spread: 0.14 + 0.2 * rng.f32(),
            rise: 0.7 + fire.width.sqrt() * (0.8 + 0.8 * rng.f32()),
            wind: if indoors { Vec3::new(0.15, 0.0, 0.1) } else { self.site.wind },
            starts: fire.starts - if flames { 1.0 } else { 0.0 },
            growth: fire.growth,
            life: if indoors { 4.0 + 3.0 * rng.f32() } else { 5.0 + 7.0 * rng.f32() },
            ends: f32::MAX,
            ceiling: self.site.ceiling(),
            thickness: (0.9 + 2.6 * rng.f32()) * if indoors { 1.8 } else { 1.0 },
            colour: tint * grey,
            shine: self.site.in_air(fire.at + Vec3::Y * (grown + 1.0)),
            lit_by: if flames { Vec3::new(0.6, 0.2, 0.05) * (0.16 * fire.heat) } else { Vec3::ZERO },
            seed: rng.u32(..),
        }
    }

    fn mislead(&mut self, rng: &mut Rng) {
        let pillars = if rng.f32() < 0.3 { 2 + rng.usize(..4) } else { 0 };
        for _ in 0..pillars {
            self.friends.push(Friend::pillar(rng, &self.site));
        }
        let most = if self.plot == Plot::Friends { 6 } else { 2 };
        let least = usize::from(self.plot == Plot::Friends) * 2;
        for _ in 0..rng.usize(least..=most) {
            match rng.usize(..10) {
                0 => self.mist.push(steam(rng, &self.site)),
                1 if !self.site.place.indoors() => self.mist.push(dust(rng, &self.site)),
                _ => self.friends.push(Friend::new(rng, &self.site)),
            }
        }
    }
}
