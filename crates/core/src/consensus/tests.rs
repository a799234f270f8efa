//! A site for the tests: cameras whose pictures are told, and a clock that only they turn.

use alloc::format;
use alloc::vec::Vec;

use super::outside::{Form, Refusal};
use super::*;
use crate::detection::BBox;

mod coverage;
mod edges;
mod growth;
mod hazards;
mod messages;
mod random;
mod settings;
mod soak;
mod traces;
mod votes;

/// The picture of our own cameras.
const HD: config::FrameSize = config::FrameSize { width: 1920, height: 1080 };

struct Site {
    core: Consensus,
    now: Instant,
    events: Vec<Event>,
}

/// Streams 0..n of this box at 25 frames a second, named cam0, cam1 and so on.
fn streams(n: usize) -> Vec<Own> {
    let own = |id: usize| Own {
        source_id: u32::try_from(id).expect("few"),
        name: Some(format!("cam{id}")),
        max_fps: 25.0,
    };
    (0..n).map(own).collect()
}

/// Window 10 s, as the checks of the specification have it; otherwise the defaults.
fn settings() -> raw::Consensus {
    raw::Consensus { window_s: 10.0, ..raw::Consensus::default() }
}

fn outside_camera(name: &str) -> raw::Camera {
    raw::Camera { name: name.into(), width: Some(1920), height: Some(1080), ..raw::Camera::default() }
}

fn own_camera(id: i64) -> raw::Camera {
    raw::Camera { name: format!("cam{id}"), source_id: Some(id), ..raw::Camera::default() }
}

impl Site {
    fn new(raw: &raw::Consensus, own: usize) -> Self {
        let config = check(raw, &streams(own)).expect("sound settings");
        let now = Instant(1_000_000_000);
        Self { core: Consensus::new(config, now, TriggerId(1)), now, events: Vec::new() }
    }

    /// `n` cameras of this box of which `needed` must agree.
    fn of(n: usize, needed: i64) -> Self {
        Self::new(&raw::Consensus { cameras_needed: needed, ..settings() }, n)
    }

    fn camera(&self, at: usize) -> CameraId {
        self.core.config().camera_ids().nth(at).expect("a camera")
    }

    fn sector(&self) -> SectorId {
        self.core.config().sector_ids().next().expect("a sector")
    }

    fn pass(&mut self, ms: u64) {
        self.now = Instant(self.now.0 + ms * 1_000_000);
    }

    fn good(&mut self) {
        for id in self.core.config().camera_ids() {
            self.core.seen(self.now, id, Health::GOOD);
        }
    }

    /// A fire in the corner of an own camera's picture, covering that share of it.
    fn fire(&mut self, camera: usize, object: u32, share: f32) -> Result<(), Miss> {
        let seen = self.observation(camera, Some(ObjectId::Tracked(object)), share);
        self.core.observe(self.now, &seen)
    }

    fn observation(&self, camera: usize, object: Option<ObjectId>, share: f32) -> Observation {
        let side = libm::sqrtf(share);
        let bbox = BBox { x1: 0.0, y1: 0.0, x2: 1920.0 * side, y2: 1080.0 * side };
        let camera = self.camera(camera);
        Observation {
            camera,
            object,
            class: Class::Fire,
            confidence: 0.9,
            bbox,
            frame: HD,
            captured: self.now,
        }
    }

    fn step(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.core.step(self.now, &mut events);
        self.events.extend(events.iter().cloned());
        events
    }

    /// `frames` frames, `ms` apart: all cameras see, and each of `shares` shows its object.
    fn film(&mut self, frames: u32, ms: u64, mut shares: impl FnMut(u32) -> Vec<(usize, u32, f32)>) {
        for frame in 0..frames {
            self.pass(ms);
            self.good();
            for (camera, object, share) in shares(frame) {
                let _ = self.fire(camera, object, share);
            }
            self.step();
        }
    }

    /// Nothing burns, and all see.
    fn quiet(&mut self, seconds: u32) {
        self.film(seconds, 1_000, |_| Vec::new());
    }

    /// A fire that grows by a tenth each second, on each of `cameras`.
    fn burn(&mut self, seconds: u32, cameras: &[usize]) {
        self.film(seconds, 1_000, |s| cameras.iter().map(|c| (*c, 7, growing(s))).collect());
    }

    fn hear(&mut self, topic: &str, payload: &str) -> Result<(), Refusal> {
        let form = Form::of_topic(topic).expect("a topic of ours");
        self.core.hear(self.now, form, payload.as_bytes(), false)
    }

    /// Distinct fires that were announced.
    fn fires(&self) -> Vec<Trigger> {
        let mut fires: Vec<Trigger> = Vec::new();
        for event in &self.events {
            if let Event::Fire(trigger) = event
                && !fires.iter().any(|f| f.id == trigger.id)
            {
                fires.push(trigger.clone());
            }
        }
        fires
    }

    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|e| is(e)).count()
    }

    fn sentences(&self) -> Vec<alloc::string::String> {
        let records = self.core.why(None, Instant(0), self.now);
        records.map(|r| format!("{}", self.core.sentence(r))).collect()
    }
}

fn growing(second: u32) -> f32 {
    0.01 * libm::powf(1.1, second.min(30) as f32)
}
