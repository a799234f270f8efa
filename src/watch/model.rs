//! The state of everything on the broker, drawn from its messages. Bounded in every direction.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vigia_core::cache::DetectionCache;
use vigia_core::event::{DetectionEvent, NamedDetection, Utc};
use vigia_core::time::Instant;
use vigia_core::window::Rate;

use super::message::{Engine, Message, Metrics, Status, Stream, Topics, Unclear};
use super::words::clean;
use crate::mqtt::{Cause, Link};

const EVENT_TTL: Duration = Duration::from_secs(5);
/// A camera that no status names is shown this long after its last event.
const UNNAMED_CAMERA_TTL: Duration = Duration::from_secs(60);
const INSTANCES_LEN_MAX: usize = 32;
/// Also the entries of an instance's cache.
const CAMERAS_LEN_MAX: usize = 100;
const RECENT_LEN_MAX: usize = 200;

/// The broker, as shown.
#[derive(Debug, Clone)]
pub struct Broker {
    /// `host:port`
    pub address: String,
    /// The command that shows the raw messages.
    pub raw_command: String,
}

/// What a message changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Status { instance: String },
    /// The broker was told to forget the instance.
    Forgotten { instance: String },
    Camera { instance: String, source_id: u32 },
    /// An event with at least one detection.
    Detections { instance: String, source_id: u32 },
    NotUnderstood,
}

#[derive(Debug)]
pub struct Model {
    pub(super) broker: Broker,
    topics: Topics,
    /// The wall clock at a moment.
    wall: (Instant, Utc),
    pub(super) link: Link,
    /// Why the link was last down.
    why_down: Option<Cause>,
    reached: bool,
    pub(super) instances: BTreeMap<String, Instance>,
    /// Newest first.
    pub(super) recent: VecDeque<Seen>,
    pub(super) rate: Rate,
    pub(super) counts: Counts,
    /// Topic and reason of the last message that was not understood.
    pub(super) last_unclear: Option<String>,
    version: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) with_detections: u64,
    pub(super) not_understood: u64,
    /// Messages that came faster than they were taken.
    pub(super) lost: u64,
}

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

/// One detection of the past.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) at: Utc,
    pub(super) instance: String,
    pub(super) source_id: u32,
    pub(super) what: NamedDetection,
}

impl<T> Told<T> {
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.since(self.at).saturating_add(self.age_then)
    }
}

impl Instance {
    fn new(now: Instant) -> Self {
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
    fn take_states(&mut self, streams: Vec<Stream>) -> Vec<u32> {
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

impl Camera {
    /// Frames per second as the events tell, or as they come.
    pub(super) fn fps(&self, event: &DetectionEvent, now: Instant) -> Option<f32> {
        event.fps.or_else(|| self.rate.per_second(now))
    }
}

impl Model {
    /// `utc`: the wall clock at `now`.
    #[must_use]
    pub fn new(broker: Broker, topics: Topics, now: Instant, utc: Utc) -> Self {
        Self {
            broker,
            topics,
            wall: (now, utc),
            link: Link::Connecting,
            why_down: None,
            reached: false,
            instances: BTreeMap::new(),
            recent: VecDeque::new(),
            rate: Rate::default(),
            counts: Counts::default(),
            last_unclear: None,
            version: 0,
        }
    }

    /// Grows with every change of what is shown.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the broker ever answered.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.reached
    }

    /// Why the link was last down; kept while the next attempt is under way.
    #[must_use]
    pub fn why_down(&self) -> Option<&Cause> {
        self.why_down.as_ref()
    }

    /// The wall clock may be set while we look.
    pub fn tell_wall(&mut self, now: Instant, utc: Utc) {
        self.wall = (now, utc);
    }

    pub(super) fn wall(&self, now: Instant) -> Utc {
        let (at, utc) = self.wall;
        Utc::from_unix_ns(utc.as_unix_ns().saturating_add(i128::from(now.0) - i128::from(at.0)))
    }

    pub fn set_link(&mut self, link: Link) {
        match &link {
            Link::Connecting => {}
            Link::Connected { .. } => (self.reached, self.why_down) = (true, None),
            Link::Down { cause } => self.why_down = Some(cause.clone()),
        }
        self.link = link;
        self.version += 1;
    }

    /// Messages lost between the link and us.
    pub fn set_lost(&mut self, lost: u64) {
        if lost != self.counts.lost {
            self.counts.lost = lost;
            self.version += 1;
        }
    }

    /// Takes a message that came at `now`, and tells what it changed.
    pub fn apply(&mut self, now: Instant, topic: &str, payload: &[u8], retained: bool) -> Vec<Change> {
        self.version += 1;
        match self.topics.read(topic, payload) {
            Ok(Message::Detection(event)) => self.take_event(now, event, retained),
            Ok(Message::Status(id, status)) => self.take_status(now, id, *status, retained),
            Ok(Message::Metrics(id, metrics)) => {
                let told = self.told(now, metrics.timestamp, retained, metrics);
                self.instance(now, &id, retained).metrics = Some(told);
                Vec::new()
            }
            Ok(Message::Forgotten(instance)) => match self.instances.remove(&instance) {
                Some(_) => vec![Change::Forgotten { instance }],
                None => Vec::new(),
            },
            Ok(Message::Nothing) => Vec::new(),
            Err(why) => self.take_unclear(topic, &why),
        }
    }

    fn take_unclear(&mut self, topic: &str, why: &Unclear) -> Vec<Change> {
        self.counts.not_understood += 1;
        self.last_unclear = Some(clean(&format!("{topic}: {why}")));
        vec![Change::NotUnderstood]
    }

    fn take_status(&mut self, now: Instant, id: String, mut status: Status, retained: bool) -> Vec<Change> {
        let streams = status.streams.take();
        let engine = status.engine.take();
        let told = self.told(now, status.timestamp, retained, status);
        let instance = self.instance(now, &id, retained);
        let said = |s: &Told<Status>| (s.what.status.clone(), s.what.reason.clone());
        let mut changes = Vec::new();
        if instance.status.as_ref().map(said) != Some(said(&told)) {
            changes.push(Change::Status { instance: id.clone() });
        }
        instance.status = Some(told);
        if let Some(engine) = engine {
            instance.engine = engine;
        }
        // What a camera did before its instance went is no longer true.
        if !instance.is_gone() {
            let changed = streams.map(|s| instance.take_states(s)).unwrap_or_default();
            changes.extend(changed.into_iter().map(|source_id| Change::Camera { instance: id.clone(), source_id }));
        }
        changes
    }

    fn take_event(&mut self, now: Instant, event: DetectionEvent, retained: bool) -> Vec<Change> {
        self.counts.events += 1;
        self.rate.tick(now);
        let (id, source_id) = (event.instance_id.clone(), event.source_id);
        let found = !event.detections.is_empty();
        self.counts.with_detections += u64::from(found);
        for d in event.detections.iter().rev().take(RECENT_LEN_MAX) {
            let seen = Seen { at: event.timestamp, instance: id.clone(), source_id, what: d.clone() };
            self.recent.push_front(seen);
        }
        self.recent.truncate(RECENT_LEN_MAX);
        let instance = self.instance(now, &id, retained);
        let camera = instance.camera(source_id);
        camera.last_event = Some(now);
        camera.rate.tick(now);
        instance.cache.get_mut().put(now, event);
        if found { vec![Change::Detections { instance: id, source_id }] } else { Vec::new() }
    }

    /// The instance, known or new. The longest silent one gives way.
    fn instance(&mut self, now: Instant, id: &str, retained: bool) -> &mut Instance {
        if !self.instances.contains_key(id) && self.instances.len() >= INSTANCES_LEN_MAX {
            let oldest = self.instances.iter().min_by_key(|(_, i)| i.touched).map(|(id, _)| id.clone());
            oldest.map(|id| self.instances.remove(&id));
        }
        let instance = self.instances.entry(id.to_owned()).or_insert_with(|| Instance::new(now));
        instance.touched = now;
        if !retained {
            instance.heard = Some(now);
        }
        instance
    }

    /// How old a retained message is, only its own timestamp tells.
    fn told<T>(&self, now: Instant, timestamp: Option<Utc>, retained: bool, what: T) -> Told<T> {
        let since = |t: Utc| self.wall(now).as_unix_ns().saturating_sub(t.as_unix_ns());
        let ns = timestamp.filter(|_| retained).map_or(0, since);
        Told { what, retained, at: now, age_then: Duration::from_nanos(u64::try_from(ns.max(0)).unwrap_or(u64::MAX)) }
    }
}
