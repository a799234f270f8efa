//! A full house: cameras whose pictures are full of fires, smoke and people, all of which grow.

use std::time::Duration;

use fastrand::Rng;
use vigia::detect::Detected;
use vigia_core::consensus::Health;
use vigia_core::detection::{BBox, Detection};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

pub const CAMERAS: u32 = 64;
pub const FPS: u32 = 30;

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
/// From the capture of a frame to its result.
const INFERENCE_NS: u64 = 40_000_000;
/// Then an object is another one: with twenty of them before a camera, one every four seconds.
const LIFE_FRAMES: u32 = 80 * FPS;
/// Of a side, in a second.
const GROWTH: f32 = 0.025;

/// Something before a camera.
struct Thing {
    id: u32,
    born: u32,
    at: (f32, f32),
}

/// What all cameras see.
pub struct Scene {
    random: Rng,
    things: Vec<Thing>,
    each: usize,
    next_id: u32,
}

/// One frame of one camera, as the detector has it.
pub struct Frame {
    source_id: u32,
    number: u32,
    pub now: Instant,
    detections: Vec<Detection>,
}

impl Scene {
    pub fn new(seed: u64, each: usize) -> Self {
        let mut random = Rng::with_seed(seed);
        let next_id = u32::try_from(each).expect("some") * CAMERAS;
        let born = |id| Thing { id, born: random.u32(..LIFE_FRAMES), at: place(&mut random) };
        let things = (0..next_id).map(born).collect();
        Self { random, things, each, next_id }
    }

    /// The frames of a second in the order of time: the cameras take turns.
    pub fn second(&mut self, second: u32) -> Vec<Frame> {
        // Some of what is there was born before.
        let first = LIFE_FRAMES + second * FPS;
        let turns = (first..first + FPS).flat_map(|number| (0..CAMERAS).map(move |camera| (number, camera)));
        turns.map(|(number, camera)| self.frame(number, camera)).collect()
    }

    fn frame(&mut self, number: u32, source_id: u32) -> Frame {
        let turn = u64::from(number) * u64::from(CAMERAS) + u64::from(source_id);
        let now = Instant(turn * 1_000_000_000 / u64::from(FPS * CAMERAS));
        let (random, next_id) = (&mut self.random, &mut self.next_id);
        let own = self.things.chunks_exact_mut(self.each).nth(source_id as usize);
        let look = |(nth, thing): (usize, &mut Thing)| {
            if number - thing.born >= LIFE_FRAMES {
                *thing = Thing { id: *next_id, born: number, at: place(random) };
                *next_id += 1;
            }
            thing.seen(nth, number, random)
        };
        let detections = own.into_iter().flatten().enumerate().map(look).collect();
        Frame { source_id, number, now, detections }
    }
}

fn place(random: &mut Rng) -> (f32, f32) {
    (random.f32() * 0.6, random.f32() * 0.6)
}

impl Thing {
    /// One in four is a person, one in eight smoke. Boxes tremble, and some are believed too little to
    /// count.
    fn seen(&self, nth: usize, number: u32, random: &mut Rng) -> Detection {
        let class_id = match nth % 8 {
            3 | 7 => 2,
            6 => 1,
            _ => 0,
        };
        let age = (number - self.born) as f32 / FPS as f32;
        let side = 0.05 * (GROWTH * age).exp() * (0.97 + 0.06 * random.f32());
        let (width, height, (x, y)) = (WIDTH as f32, HEIGHT as f32, self.at);
        let bbox = BBox { x1: x * width, y1: y * height, x2: (x + side) * width, y2: (y + side) * height };
        Detection { class_id, confidence: 0.65 + 0.35 * random.f32(), bbox, tracker_id: Some(self.id) }
    }
}

/// Of the model that saw all this.
pub fn classes() -> Vec<String> {
    ["fire", "smoke", "person"].map(str::to_owned).to_vec()
}

impl Frame {
    pub fn detected<'a>(&'a self, classes: &'a [String]) -> Detected<'a> {
        Detected {
            source_id: self.source_id,
            frame_id: self.number.into(),
            picture: self.number.into(),
            captured: Utc::from_unix_ns(0),
            captured_at: Instant(self.now.0 - INFERENCE_NS),
            pts_ms: 0.0,
            width: WIDTH,
            height: HEIGHT,
            health: Health::GOOD,
            inference: Duration::from_nanos(INFERENCE_NS),
            generation: 1,
            model_id: "m",
            classes,
            detections: &self.detections,
        }
    }
}
