//! One instance and its cameras, as its messages tell.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use vigia_core::cache::DetectionCache;
use vigia_core::event::DetectionEvent;
use vigia_core::time::Instant;
use vigia_core::window::Rate;

use super::message::{Engine, Metrics, Status, Stream};

const EVENT_TTL: Duration = Duration::from_secs(5);
/// A camera that no status names is shown this long after its last event.
const UNNAMED_CAMERA_TTL: Duration = Duration::from_secs(60);
/// Also the entries of the cache.
const CAMERAS_LEN_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) status: Option<Told<Status>>,
    /// A will tells neither engine nor model: the last known stay.
    pub(super) engine: Engine,
    pub(super) metrics: Option<Told<Metrics>>,
    pub(super) cameras: BTreeMap<u32, Camera>,
    /// Something came that the broker had not merely kept.
    pub(super) heard: Option<Instant>,
    touched: Instant,
    /// Looking removes what is too old, which nobody can see.
    cache: RefCell<DetectionCache>,
}

/// What was told, when, and how old it was then.
#[derive(Debug)]
pub(super) struct Told<T> {
    pub(super) what: T,
    pub(super) retained: bool,
    at: Instant,
    age_then: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Camera {
    /// As the instance's status names it.
    pub(super) state: Option<CameraState>,
    pub(super) last_event: Option<Instant>,
    /// Events arriving here, for senders that do not count themselves.
    rate: Rate,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CameraState {
    pub(super) name: String,
    pub(super) detail: String,
}

impl<T> Told<T> {
    pub(super) fn new(what: T, retained: bool, at: Instant, age_then: Duration) -> Self {
        Self { what, retained, at, age_then }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.since(self.at).saturating_add(self.age_then)
    }
}

impl Instance {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            status: None,
            engine: Engine::default(),
            metrics: None,
            cameras: BTreeMap::new(),
            heard: None,
            touched: now,
            cache: RefCell::new(DetectionCache::new(EVENT_TTL, CAMERAS_LEN_MAX)),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.status.as_ref().is_some_and(|s| s.what.status == "disconnected")
    }

    /// Reads the newest event of a camera, if it is not too old.
    pub(super) fn newest<T>(
        &self,
        now: Instant,
        source_id: u32,
        read: impl FnOnce(&DetectionEvent) -> T,
    ) -> Option<T> {
        self.cache.borrow_mut().get(now, source_id).map(read)
    }

    /// Cameras worth a row.
    pub(super) fn shown_cameras(&self, now: Instant) -> impl Iterator<Item = (u32, &Camera)> {
        let recent = move |at: Instant| now.since(at) <= UNNAMED_CAMERA_TTL;
        let shown = move |c: &Camera| c.state.is_some() || c.last_event.is_some_and(recent);
        self.cameras.iter().filter(move |(_, c)| shown(c)).map(|(id, c)| (*id, c))
    }

    fn camera(&mut self, source_id: u32) -> &mut Camera {
        if !self.cameras.contains_key(&source_id) && self.cameras.len() >= CAMERAS_LEN_MAX {
            let oldest = self.cameras.iter().min_by_key(|(_, c)| c.last_event).map(|(id, _)| *id);
            oldest.map(|id| self.cameras.remove(&id));
        }
        self.cameras.entry(source_id).or_default()
    }

    /// Takes the states of all cameras, and returns whose changed.
    pub(super) fn take_states(&mut self, streams: Vec<Stream>) -> Vec<u32> {
        let mut named: BTreeMap<u32, CameraState> = BTreeMap::new();
        for s in streams {
            named.insert(s.source_id, CameraState { name: s.state.clone(), detail: s.detail() });
        }
        self.cameras.iter_mut().filter(|(id, _)| !named.contains_key(id)).for_each(|(_, c)| c.state = None);
        let mut changed = Vec::new();
        for (id, state) in named {
            let camera = self.camera(id);
            if camera.state.as_ref() != Some(&state) {
                camera.state = Some(state);
                changed.push(id);
            }
        }
        changed
    }
}

impl Instance {
    /// Heard of at `now`; `itself` unless the broker had merely kept the message.
    pub(super) fn touch(&mut self, now: Instant, itself: bool) {
        self.touched = now;
        if itself {
            self.heard = Some(now);
        }
    }

    pub(super) fn touched(&self) -> Instant {
        self.touched
    }

    pub(super) fn take_event(&mut self, now: Instant, event: DetectionEvent) {
        let camera = self.camera(event.source_id);
        camera.last_event = Some(now);
        camera.rate.tick(now);
        self.cache.get_mut().put(now, event);
    }
}

impl Camera {
    /// Frames per second as the events tell, or as they come.
    pub(super) fn fps(&self, event: &DetectionEvent, now: Instant) -> Option<f32> {
        event.fps.or_else(|| self.rate.per_second(now))
    }
}
