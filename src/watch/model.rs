//! The state of everything on the broker, drawn from its messages. Bounded in every direction.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use vigia_core::event::{DetectionEvent, NamedDetection, Utc};
use vigia_core::time::Instant;
use vigia_core::window::Rate;

use super::board::Boards;
use super::instance::{Instance, Told};
use super::message::{Message, Status, Topics, Unclear};
use super::words::clean;
use crate::mqtt::{Cause, Link};

const INSTANCES_LEN_MAX: usize = 32;
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
    Status {
        instance: String,
    },
    /// The broker was told to forget the instance.
    Forgotten {
        instance: String,
    },
    Camera {
        instance: String,
        source_id: u32,
    },
    /// An event with at least one detection.
    Detections {
        instance: String,
        source_id: u32,
    },
    NotUnderstood,
    /// Of fires, alarms and pumps.
    Board {
        line: String,
    },
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
    pub(super) boards: Boards,
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

/// One detection of the past.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) at: Utc,
    pub(super) instance: String,
    pub(super) source_id: u32,
    pub(super) what: NamedDetection,
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
            boards: Boards::default(),
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
            Ok(Message::Panel(panel)) => board(self.boards.take_panel(panel)),
            Ok(Message::Pump(pump)) => board(self.boards.take_pump(pump)),
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
        let said = |s: &Told<Status>| (s.what.status.clone(), s.what.reason.clone(), s.what.stalled.clone());
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
            changes.extend(
                changed.into_iter().map(|source_id| Change::Camera { instance: id.clone(), source_id }),
            );
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
        self.instance(now, &id, retained).take_event(now, event);
        if found { vec![Change::Detections { instance: id, source_id }] } else { Vec::new() }
    }

    /// The instance, known or new. The longest silent one gives way.
    fn instance(&mut self, now: Instant, id: &str, retained: bool) -> &mut Instance {
        if !self.instances.contains_key(id) && self.instances.len() >= INSTANCES_LEN_MAX {
            let oldest = self.instances.iter().min_by_key(|(_, i)| i.touched()).map(|(id, _)| id.clone());
            oldest.map(|id| self.instances.remove(&id));
        }
        let instance = self.instances.entry(id.to_owned()).or_insert_with(|| Instance::new(now));
        instance.touch(now, !retained);
        instance
    }

    /// How old a retained message is, only its own timestamp tells.
    fn told<T>(&self, now: Instant, timestamp: Option<Utc>, retained: bool, what: T) -> Told<T> {
        let since = |t: Utc| self.wall(now).as_unix_ns().saturating_sub(t.as_unix_ns());
        let ns = timestamp.filter(|_| retained).map_or(0, since);
        Told::new(what, retained, now, Duration::from_nanos(u64::try_from(ns.max(0)).unwrap_or(u64::MAX)))
    }
}

fn board(lines: Vec<String>) -> Vec<Change> {
    lines.into_iter().map(|line| Change::Board { line }).collect()
}
