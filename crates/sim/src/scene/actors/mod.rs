//! Who moves through a scene: people, vehicles, animals. All looks are drawn when an actor is made;
//! after that only the time changes how it is painted.

mod animal;
mod body;
mod brush;
mod dress;
mod fleet;
mod path;
mod vehicle;
mod walker;

use glam::Vec3;

use self::animal::Animal;
use self::brush::Brush;
pub use self::path::{Path, Pose};
use self::vehicle::Vehicle;
use self::walker::Walker;
use super::canvas::{Canvas, Owner};
use super::light::Light;
use super::view::View;

/// What an actor is labelled as; animals have no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Person,
    Vehicle,
    Animal,
}

/// Someone or something on its way.
#[derive(Clone, Debug)]
pub struct Actor {
    pub kind: Kind,
    path: Path,
    looks: Looks,
}

#[derive(Clone, Debug)]
enum Looks {
    Person(Box<Walker>),
    Vehicle(Box<Vehicle>),
    Animal(Box<Animal>),
}

impl Actor {
    /// Draws someone of this kind.
    pub fn new(kind: Kind, rng: &mut fastrand::Rng, path: Path) -> Self {
        let looks = match kind {
            Kind::Person => Looks::Person(Box::new(Walker::new(rng, &path))),
            Kind::Vehicle => Looks::Vehicle(Box::new(Vehicle::new(rng, &path))),
            Kind::Animal => Looks::Animal(Box::new(Animal::new(rng))),
        };
        Self { kind, path, looks }
    }

    /// Paints the actor as it is at `t` seconds, with its shadow.
    pub fn paint(&self, canvas: &mut Canvas, view: &View, light: &Light, t: f32, owner: Owner) {
        let pose = self.pose(t);
        let (length, width, height) = self.size();
        let to_camera = view.to_camera(pose.at + Vec3::Y * (height * 0.5));
        // Who surrounds the camera or stands behind it isn't worth the time.
        if to_camera.z < 0.3 + width.min(length) * 0.5 {
            return;
        }
        let mut brush = Brush::new(canvas, view, light, owner);
        match &self.looks {
            Looks::Person(walker) => walker.paint(&mut brush, &pose, t),
            Looks::Vehicle(vehicle) => vehicle.paint(&mut brush, &pose, t),
            Looks::Animal(animal) => animal.paint(&mut brush, &pose, t),
        }
    }

    /// Where it touches the ground.
    #[must_use]
    pub fn at(&self, t: f32) -> Vec3 {
        self.path.at(t).at
    }

    /// Length, width and height in metres.
    #[must_use]
    pub fn size(&self) -> (f32, f32, f32) {
        match &self.looks {
            Looks::Person(walker) => walker.size(),
            Looks::Vehicle(vehicle) => vehicle.size(),
            Looks::Animal(animal) => animal.size(),
        }
    }

    /// Vehicles go back in reverse instead of turning on the spot.
    fn pose(&self, t: f32) -> Pose {
        match self.kind {
            Kind::Vehicle => self.path.driven(t),
            Kind::Person | Kind::Animal => self.path.at(t),
        }
    }
}
