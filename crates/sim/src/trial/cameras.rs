//! The vigia side: cameras that look at fires and at what is none, and the real consensus.

use std::time::Duration;

use vigia_core::consensus::config::FrameSize;
use vigia_core::consensus::{
    CameraId, Class, Config, Consensus, Event, Health, ObjectId, Observation, Own, TriggerId, check, raw,
};
use vigia_core::detection::BBox;
use vigia_core::pump::Source;
use vigia_core::time::Instant;

use super::diary::{Diary, Note};
use super::link::{Frame, Link};

const PICTURE: FrameSize = FrameSize { width: 1280, height: 720 };
/// Between two looks while something is in view; otherwise it is a second, or what `rest` says.
const LOOK: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_secs(1);
pub(super) const CAMERAS_LEN_MAX: usize = 4;

/// Something to see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blaze {
    pub since: Instant,
    pub until: Instant,
    /// Which cameras see it, as bits.
    pub cameras: u8,
    /// Fire grows; a lamp does not.
    pub grows: bool,
    object: u32,
}

/// The process `vigia`, as far as a fire goes.
#[derive(Debug)]
pub(super) struct Eyes {
    config: Config,
    ids: Vec<CameraId>,
    consensus: Option<Consensus>,
    events: Vec<Event>,
    blazes: Vec<Blaze>,
    objects: u32,
    /// Since when each camera shows nothing usable, until then.
    pub blind_until: [Instant; CAMERAS_LEN_MAX],
    pub wake: Instant,
    /// Between two looks at nothing. All cameras are looked at in one step: none goes blind by it.
    pub rest: Duration,
    next_trigger: TriggerId,
    needed: u32,
    pub confirmed: u32,
}

impl Eyes {
    /// `cameras` of which `needed` must agree.
    pub fn new(cameras: usize, needed: i64, now: Instant) -> Self {
        let own = |id: u32| Own { source_id: id, name: None, max_fps: 2.0 };
        let own: Vec<Own> = (0..u32::try_from(cameras).unwrap_or(2)).map(own).collect();
        let raw = raw::Consensus {
            cameras_needed: needed,
            single_camera_s: 5.0,
            window_s: 10.0,
            cooldown_s: 30.0,
            keep_s: 60.0,
            camera_timeout_s: 10.0,
            ..raw::Consensus::default()
        };
        let config = check(&raw, &own).expect("sound settings");
        let mut eyes = Self {
            ids: config.camera_ids().collect(),
            config,
            consensus: None,
            events: Vec::with_capacity(32),
            blazes: Vec::with_capacity(8),
            objects: 0,
            blind_until: [Instant(0); CAMERAS_LEN_MAX],
            wake: now,
            rest: REST,
            next_trigger: TriggerId(1),
            needed: u32::try_from(needed).unwrap_or(1),
            confirmed: 0,
        };
        eyes.start(now);
        eyes
    }

    pub fn is_alive(&self) -> bool {
        self.consensus.is_some()
    }

    /// What is not written down is forgotten; the number of the next fire is.
    pub fn start(&mut self, now: Instant) {
        self.consensus = Some(Consensus::new(self.config.clone(), now, self.next_trigger));
        self.wake = now;
    }

    pub fn die(&mut self) {
        self.consensus = None;
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn light(&mut self, now: Instant, long: Duration, cameras: u8, grows: bool) {
        if self.blazes.len() == self.blazes.capacity() {
            self.blazes.remove(0);
        }
        self.objects += 1;
        let (since, until, object) = (now, now.after(long), self.objects);
        self.blazes.push(Blaze { since, until, cameras, grows, object });
        self.wake = self.wake.min(now);
    }

    pub fn blind(&mut self, now: Instant, camera: u8, until: Instant) {
        if let Some(slot) = self.blind_until.get_mut(usize::from(camera)) {
            *slot = until;
        }
        self.wake = self.wake.min(now.after(REST));
    }

    pub fn put_out(&mut self, now: Instant) {
        self.blazes.iter_mut().for_each(|b| b.until = b.until.min(now));
    }

    /// Whether something grew before as many cameras as must agree, within the last minute.
    fn burned(&self, now: Instant) -> bool {
        let grew = |b: &&Blaze| b.grows && now <= b.until.after(Duration::from_secs(60));
        let saw = self.blazes.iter().filter(grew).fold(0, |bits, b| bits | b.cameras);
        saw.count_ones() >= self.needed
    }

    /// Cameras, conclusions, and what follows from them.
    pub fn look(
        &mut self,
        now: Instant,
        step: u64,
        link: &mut Link,
        rng: &mut fastrand::Rng,
        diary: &mut Diary,
    ) -> bool {
        let mut is_false = false;
        // The fire may be over, and its confirmation not yet.
        let burned = self.burned(now);
        let Some(consensus) = &mut self.consensus else {
            self.wake = now.after(REST);
            return false;
        };
        for (at, id) in self.ids.iter().enumerate() {
            let blind = self.blind_until.get(at).is_some_and(|until| now < *until);
            let health = Health { frozen: blind, ..Health::GOOD };
            consensus.seen(now, *id, health);
            for blaze in self.blazes.iter().filter(|b| b.cameras & (1 << at) != 0 && now <= b.until) {
                // What the consensus makes of it is its own business.
                let _ = consensus.observe(now, &blaze.seen(now, *id, at));
            }
        }
        consensus.step(now, &mut self.events);
        self.next_trigger = consensus.next_trigger();
        for event in self.events.drain(..) {
            let (id, evidence) = match event {
                Event::Fire(trigger) => {
                    if trigger.confirmed == now {
                        is_false |= !burned;
                        self.confirmed += 1;
                        diary.write(step, now, Note::Confirmed(trigger.id.0));
                    }
                    (trigger.id.0, trigger.evidence)
                }
                Event::Persists(id) => (id.0, now),
                Event::Ended(id) => {
                    diary.write(step, now, Note::Ended(id.0));
                    continue;
                }
                Event::Sight { camera, sight } => {
                    diary.write(step, now, Note::Sight { camera: camera.index(), sight });
                    continue;
                }
                Event::Quorum { possible, .. } => {
                    diary.write(step, now, Note::Quorum(possible));
                    continue;
                }
                Event::Smoke { .. } => continue,
            };
            let frame = Frame::Demand {
                id,
                source: Source::Consensus,
                seen: evidence,
                persists: true,
                authorised: true,
                retained: false,
            };
            link.send(now, frame, rng);
        }
        let sees_all = self.blind_until.iter().all(|until| *until <= now);
        let calm = consensus.is_calm() && !self.blazes.iter().any(|b| now <= b.until);
        self.wake = if calm && sees_all {
            now.after(self.rest)
        } else if calm {
            now.after(REST)
        } else {
            now.after(LOOK)
        };
        self.blazes.retain(|b| now <= b.until.after(Duration::from_secs(60)));
        is_false
    }

    pub fn taken(&mut self, now: Instant, id: u64) -> bool {
        self.consensus.as_mut().is_some_and(|consensus| consensus.acknowledge(now, TriggerId(id)))
    }

    /// For plots: how many cameras see something, and how many vote.
    pub fn count(&self, now: Instant) -> (usize, usize) {
        let sees = |at: &usize| self.blazes.iter().any(|b| b.cameras & (1 << at) != 0 && now <= b.until);
        let seeing = (0..self.ids.len()).filter(sees).count();
        let votes = self
            .consensus
            .as_ref()
            .map_or(0, |c| self.ids.iter().filter(|id| !c.voting(**id).is_empty()).count());
        (seeing, votes)
    }
}

impl Blaze {
    fn seen(&self, now: Instant, camera: CameraId, at: usize) -> Observation {
        let age_s = now.since(self.since).as_secs_f32();
        let share = if self.grows {
            0.01 * libm::powf(1.1, age_s.min(30.0))
        } else {
            0.01 * (1.0 + 0.05 * libm::sinf(age_s))
        };
        let side = libm::sqrtf(share);
        // Each camera has its own view of it.
        let left = 0.05 * f32::from(u8::try_from(at).unwrap_or(0));
        let (width, height) = (1280.0, 720.0);
        let bbox = BBox {
            x1: left * width,
            y1: 0.1 * height,
            x2: (left + side).min(1.0) * width,
            y2: (0.1 + side).min(1.0) * height,
        };
        Observation {
            camera,
            object: Some(ObjectId::Tracked(self.object)),
            class: Class::Fire,
            confidence: 0.9,
            bbox,
            frame: PICTURE,
            captured: now,
        }
    }
}
