//! One camera of a scene, painting moment after moment.

use std::sync::Arc;

use glam::Vec3;

use super::actors::Kind;
use super::canvas::Canvas;
use super::lens::{Developer, display};
use super::picture::{Extent, Picture, Seen, Veiled};
use super::plot::Scene;
use super::plume::Field;
use super::view::View;
use super::{Bbox, Class};

/// A painted moment.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub width: u32,
    pub height: u32,
    /// Rows of red, green, blue from the top left.
    pub rgb: Vec<u8>,
    pub labels: Vec<Label>,
    /// Where something is that is too small, too hidden or too dim to ask for.
    pub ignored: Vec<Bbox>,
}

/// Where an object is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    pub class: Class,
    /// Around its visible pixels.
    pub bbox: Bbox,
}

/// A side shorter than this share of the picture's width can't be asked for.
const SIDE_MIN: f32 = 0.017;
/// Of smoke, whose box is known to a block on each side (see `picture`): below four of them that would
/// decide whether a box is right.
const SMOKE_SIDE_MIN: f32 = 0.05;
/// An actor of which less than this share is seen neither (pedestrian benchmarks ask for 65 %, Caltech's
/// "reasonable" subset).
const SEEN_MIN: f32 = 0.4;
/// Nor one that differs from what is behind it by less than this, of white.
const CONTRAST_MIN: f32 = 0.035;
/// Behind smoke or flames that let less than this through, nothing is seen.
const CLEAR_MIN: f32 = 0.35;
/// Flames are where they change the brightness by this much, of white.
const FLAME_LEAST: f32 = 0.12;
/// Flames in less than this share of their box are behind something: a glow left and right of a car.
const FLAMES_MIN: f32 = 0.25;
/// Smoke that changes its pixels by less than this on average is a haze that isn't asked for.
const HAZE_MAX: f32 = 0.10;

/// One camera of a scene. Memory is kept from frame to frame.
#[derive(Debug)]
pub struct Shot {
    scene: Arc<Scene>,
    view: View,
    /// Without anything that moves.
    backdrop: Canvas,
    behind: Vec<Vec3>,
    canvas: Canvas,
    picture: Picture,
    exposed: Vec<Vec3>,
    field: Field,
    developer: Developer,
    frame: Frame,
}

impl Shot {
    pub(super) fn new(scene: Arc<Scene>, camera: usize, size: (u32, u32)) -> Self {
        let view = scene.site.view(camera, size);
        let mut backdrop = Canvas::new(&view);
        scene.site.paint(&mut backdrop, &view);
        let mut behind = Vec::new();
        let lens = scene.lenses[camera].clone();
        let mut flooded = backdrop.clone();
        lens.flood(&mut flooded, &view);
        flooded.develop(&scene.site.light, &mut behind);
        let developer = Developer::new(lens, size, &behind);
        Self {
            canvas: backdrop.clone(),
            backdrop,
            behind,
            view,
            picture: Picture::default(),
            exposed: Vec::new(),
            field: Field::default(),
            developer,
            frame: Frame { width: size.0, height: size.1, ..Frame::default() },
            scene,
        }
    }

    /// The scene `t` seconds after its beginning.
    pub fn frame(&mut self, t: f32) -> &Frame {
        let moments = self.developer.lens.moments();
        self.frame.labels.clear();
        self.frame.ignored.clear();
        for (n, offset) in moments.iter().enumerate() {
            self.moment(t + offset, n == 0);
            if n == 0 {
                self.exposed.clone_from(&self.picture.light);
            } else {
                self.exposed.iter_mut().zip(&self.picture.light).for_each(|(sum, p)| *sum += *p);
            }
        }
        let share = 1.0 / moments.len() as f32;
        self.exposed.iter_mut().for_each(|p| *p *= share);
        self.developer.develop(&mut self.exposed, self.scene.seed, t, &mut self.frame.rgb);
        &self.frame
    }

    /// Paints one moment into `picture`; labels it if asked.
    fn moment(&mut self, t: f32, label: bool) {
        let Self { scene, view, canvas, .. } = self;
        canvas.copy_from(&self.backdrop);
        let light = &scene.site.light;
        for friend in &scene.friends {
            friend.paint(canvas, view, light, t);
        }
        for (actor, owner) in scene.actors.iter().zip(1..) {
            actor.paint(canvas, view, light, t, owner);
        }
        for fire in &scene.fires {
            fire.light_up(canvas, view, t);
        }
        self.developer.lens.flood(canvas, view);
        self.picture.take(canvas, light);
        self.air(t, label);
        if label {
            self.label_actors(t);
        }
    }

    /// Smoke, steam, dust, then flames, which shine through.
    fn air(&mut self, t: f32, label: bool) {
        let gain = self.developer.gain();
        let Self { scene, view, canvas, field, picture, .. } = self;
        let light = &scene.site.light;
        let size = (canvas.width, canvas.height);
        for mist in &scene.mist {
            mist.paint(canvas, view, light, t, field, picture, &mut Veiled::new(gain, size));
        }
        let mut found = Vec::new();
        for smoke in &scene.smoke {
            let mut seen = Veiled::new(gain, size);
            smoke.paint(canvas, view, light, t, field, picture, &mut seen);
            found.push((Class::Smoke, seen.extent()));
        }
        for fire in &scene.fires {
            let mut seen = Seen::new(gain, FLAME_LEAST, size);
            fire.paint(canvas, view, light, t, picture, &mut seen);
            found.push((Class::Fire, seen.extent()));
        }
        if label {
            for (class, seen) in merged(found) {
                let plain = match class {
                    Class::Fire => seen.fill() > FLAMES_MIN,
                    _ => seen.change > HAZE_MAX * seen.pixels as f32,
                };
                self.put(class, seen, plain && seen.pixels >= 12);
            }
        }
    }

    fn label_actors(&mut self, t: f32) {
        let sights = self.sights();
        let scene = Arc::clone(&self.scene);
        for (actor, sight) in scene.actors.iter().zip(&sights) {
            let class = match actor.kind {
                Kind::Person => Class::Person,
                Kind::Vehicle => Class::Vehicle,
                Kind::Animal => continue,
            };
            let (_, width, height) = actor.size();
            let scale = self.view.project(actor.at(t)).map_or(0.0, |s| s.scale);
            let whole = 0.5 * width * height * scale * scale;
            let pixels = sight.pixels as f32;
            let plain = pixels > SEEN_MIN * whole && sight.change > CONTRAST_MIN * pixels;
            self.put(class, *sight, plain);
        }
    }

    /// Which pixels each actor has, and how much they differ from the backdrop.
    fn sights(&self) -> Vec<Extent> {
        let mut sights = vec![Extent::default(); self.scene.actors.len()];
        let gain = self.developer.gain();
        for (index, owner) in self.canvas.owner.iter().enumerate() {
            let Some(sight) = sights.get_mut(usize::from(*owner).wrapping_sub(1)) else { continue };
            if self.picture.clear[index] < CLEAR_MIN {
                continue;
            }
            sight.add(index % self.canvas.width, index / self.canvas.width);
            let (here, behind) = (self.picture.light[index] * gain, self.behind[index] * gain);
            sight.change += (display(here) - display(behind)).abs();
        }
        sights
    }

    /// Files an object under what is asked for, or under what is not.
    fn put(&mut self, class: Class, seen: Extent, plain: bool) {
        let Some(bbox) = seen.bbox() else { return };
        let least = if class == Class::Smoke { SMOKE_SIDE_MIN } else { SIDE_MIN } * self.frame.width as f32;
        if plain && bbox[2] - bbox[0] >= least && bbox[3] - bbox[1] >= least {
            self.frame.labels.push(Label { class, bbox });
        } else {
            self.frame.ignored.push(bbox);
        }
    }
}

/// Flames that burn as one are one, and so is their smoke.
fn merged(mut found: Vec<(Class, Extent)>) -> Vec<(Class, Extent)> {
    let mut merged: Vec<(Class, Extent)> = Vec::new();
    while let Some((class, mut seen)) = found.pop() {
        if seen.pixels == 0 {
            continue;
        }
        // What was joined may touch others now: they go back to be looked at again.
        while let Some(i) = merged.iter().position(|(c, e)| *c == class && e.touches(&seen)) {
            seen.join(&merged.swap_remove(i).1);
        }
        merged.push((class, seen));
    }
    merged
}
