//! The queues behind the outbox, and the accounts. Pure data: no lock, no clock, no I/O.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use vigia_core::stream::Gate;

use super::class::{Class, ClassCounters, Counters, Refused};
use super::config::{Limits, Qos};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) class: Class,
    /// Of a detection: its place among all detections. Of another message: it is sent only after
    /// every detection up to this place, 0 for none.
    pub(super) place: u64,
    pub(super) topic: Arc<str>,
    pub(super) payload: Vec<u8>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
}

/// What became of a message that was in flight.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Published,
    Failed,
}

/// A lower class is served at the latest after this many messages of higher ones.
const PASSED_OVER_MAX: u32 = 16;
/// Sources beyond this many share the last account.
const SOURCES_MAX: usize = 256;

#[derive(Debug)]
struct Slot {
    topic: Arc<str>,
    entry: Option<Entry>,
}

#[derive(Debug)]
pub(super) struct Lanes {
    urgent: VecDeque<Entry>,
    detections: VecDeque<Entry>,
    latest: Vec<Slot>,
    latest_next: usize,
    detection_passed_over: u32,
    latest_passed_over: u32,
    limits: Limits,
    accounts: [ClassCounters; 4],
    dropped_by_source: Vec<(u32, u64)>,
    open: bool,
    gate: Gate,
    /// Detections offered so far.
    places: u64,
    /// Per source, the frame of the detection that was given to the broker last.
    handed: BTreeMap<u32, u64>,
}

impl Lanes {
    pub(super) fn handed(&self, source_id: u32) -> Option<u64> {
        self.handed.get(&source_id).copied()
    }

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            urgent: VecDeque::with_capacity(limits.urgent_len_max),
            detections: VecDeque::with_capacity(limits.queue_len_max),
            latest: Vec::with_capacity(limits.latest_topics_max),
            latest_next: 0,
            detection_passed_over: 0,
            latest_passed_over: 0,
            limits,
            accounts: [ClassCounters::default(); 4],
            dropped_by_source: Vec::new(),
            open: true,
            gate: Gate::default(),
            places: 0,
            handed: BTreeMap::new(),
        }
    }

    /// Takes a message in. Gives back a payload buffer that is free again, if one is.
    pub(super) fn offer(&mut self, entry: Entry) -> (Result<(), Refused>, Option<Vec<u8>>) {
        let class = entry.class;
        self.accounts[class.row()].offered += 1;
        let placed = if self.open { self.place(entry) } else { Err((Refused::Closed, entry)) };
        match placed {
            Ok(pushed_out) => {
                let account = &mut self.accounts[class.row()];
                account.accepted += 1;
                account.queued += 1;
                (Ok(()), pushed_out.map(|old| self.drop_queued(old)))
            }
            Err((why, entry)) => {
                self.count_drop(class);
                (Err(why), Some(entry.payload))
            }
        }
    }

    /// Counts a message that never became an entry.
    pub(super) fn refuse(&mut self, class: Class) {
        self.accounts[class.row()].offered += 1;
        self.count_drop(class);
    }

    fn place(&mut self, mut entry: Entry) -> Result<Option<Entry>, (Refused, Entry)> {
        match entry.class {
            Class::Ack | Class::Status | Class::Kept(_) => {
                if self.urgent_owned() >= self.limits.urgent_len_max {
                    return Err((Refused::Full(self.limits.urgent_len_max), entry));
                }
                if entry.place > 0 {
                    entry.place = self.places;
                }
                self.urgent.push_back(entry);
                Ok(None)
            }
            Class::Detection { source_id, .. } if self.gate.is_closed(source_id) => {
                Err((Refused::Gated(source_id), entry))
            }
            Class::Detection { .. } => {
                self.places += 1;
                entry.place = self.places;
                let full = self.detections.len() >= self.limits.queue_len_max;
                let oldest = if full { self.detections.pop_front() } else { None };
                self.detections.push_back(entry);
                Ok(oldest)
            }
            Class::Latest => self.place_latest(entry),
        }
    }

    fn place_latest(&mut self, entry: Entry) -> Result<Option<Entry>, (Refused, Entry)> {
        if let Some(slot) = self.latest.iter_mut().find(|s| s.topic == entry.topic) {
            return Ok(slot.entry.replace(entry));
        }
        if self.latest.len() >= self.limits.latest_topics_max {
            return Err((Refused::Full(self.limits.latest_topics_max), entry));
        }
        self.latest.push(Slot { topic: Arc::clone(&entry.topic), entry: Some(entry) });
        Ok(None)
    }

    /// Urgent messages that count against the limit: those in flight may have to come back.
    fn urgent_owned(&self) -> usize {
        let in_flight = self.accounts[0].in_flight + self.accounts[1].in_flight;
        self.urgent.len() + usize::try_from(in_flight).unwrap_or(usize::MAX)
    }

    /// The next message to send. With `urgent_only`, the lower classes wait.
    pub(super) fn take(&mut self, urgent_only: bool) -> Option<Entry> {
        let detection_waits = !urgent_only && !self.detections.is_empty();
        let latest_waits = !urgent_only && self.latest.iter().any(|s| s.entry.is_some());
        let entry = if latest_waits && self.latest_passed_over >= PASSED_OVER_MAX {
            self.take_latest()
        } else if detection_waits && self.detection_passed_over >= PASSED_OVER_MAX {
            self.detections.pop_front()
        } else if self.urgent_may_go() {
            self.urgent.pop_front()
        } else if detection_waits {
            self.detections.pop_front()
        } else if latest_waits {
            self.take_latest()
        } else {
            None
        }?;
        match entry.class {
            Class::Detection { source_id, frame_id } => {
                self.detection_passed_over = 0;
                self.handed.insert(source_id, frame_id);
            }
            Class::Ack | Class::Status | Class::Kept(_) | Class::Latest => {
                self.detection_passed_over += u32::from(detection_waits);
            }
        }
        match entry.class {
            Class::Latest => self.latest_passed_over = 0,
            Class::Ack | Class::Status | Class::Kept(_) | Class::Detection { .. } => {
                self.latest_passed_over += u32::from(latest_waits);
            }
        }
        let account = &mut self.accounts[entry.class.row()];
        account.queued -= 1;
        account.in_flight += 1;
        Some(entry)
    }

    /// Whether the first urgent message has no detection before it that it must follow.
    fn urgent_may_go(&self) -> bool {
        let Some(first) = self.urgent.front() else { return false };
        self.detections.front().is_none_or(|oldest| oldest.place > first.place)
    }

    fn take_latest(&mut self) -> Option<Entry> {
        let len = self.latest.len();
        let at = (0..len).map(|i| (self.latest_next + i) % len).find(|&i| self.latest[i].entry.is_some())?;
        self.latest_next = at + 1;
        self.latest[at].entry.take()
    }

    /// Returns a message that was taken but is not with the broker, to the head of its queue.
    /// Gives back the buffer of one that had to go instead.
    pub(super) fn put_back(&mut self, entry: Entry, was_sent: bool) -> Option<Vec<u8>> {
        let account = &mut self.accounts[entry.class.row()];
        account.in_flight -= 1;
        account.queued += 1;
        account.resent += u64::from(was_sent);
        let unplaced = match entry.class {
            Class::Ack | Class::Status | Class::Kept(_) => {
                self.urgent.push_front(entry);
                None
            }
            Class::Detection { source_id, .. }
                if self.gate.is_closed(source_id) || self.detections.len() >= self.limits.queue_len_max =>
            {
                Some(entry)
            }
            Class::Detection { .. } => {
                self.detections.push_front(entry);
                None
            }
            Class::Latest => match self.latest.iter_mut().find(|s| s.topic == entry.topic) {
                Some(slot) if slot.entry.is_none() => {
                    slot.entry = Some(entry);
                    None
                }
                Some(_) | None => Some(entry),
            },
        };
        unplaced.map(|entry| self.drop_queued(entry))
    }

    pub(super) fn settle(&mut self, class: Class, outcome: Outcome) {
        let account = &mut self.accounts[class.row()];
        account.in_flight -= 1;
        match outcome {
            Outcome::Published => account.published += 1,
            Outcome::Failed => account.failed += 1,
        }
    }

    fn drop_queued(&mut self, entry: Entry) -> Vec<u8> {
        self.accounts[entry.class.row()].queued -= 1;
        self.count_drop(entry.class);
        entry.payload
    }

    fn count_drop(&mut self, class: Class) {
        self.accounts[class.row()].dropped += 1;
        let Class::Detection { source_id, .. } = class else { return };
        let known = self.dropped_by_source.iter().position(|(id, _)| *id == source_id);
        match known {
            None if self.dropped_by_source.len() < SOURCES_MAX => self.dropped_by_source.push((source_id, 1)),
            at => self.dropped_by_source[at.unwrap_or(SOURCES_MAX - 1)].1 += 1,
        }
    }

    /// Lets only the detections that `gate` lets through pass from now on.
    pub(super) fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
    }

    /// Drops a waiting detection that the gate doesn't let through, and gives back its buffer;
    /// nothing if there is none.
    pub(super) fn drop_gated(&mut self) -> Option<Vec<u8>> {
        let gate = &self.gate;
        let gated = |entry: &Entry| match entry.class {
            Class::Detection { source_id, .. } => gate.is_closed(source_id),
            Class::Ack | Class::Status | Class::Kept(_) | Class::Latest => false,
        };
        let at = self.detections.iter().position(gated)?;
        self.detections.remove(at).map(|entry| self.drop_queued(entry))
    }

    /// Refuses whatever is offered from now on.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    pub(super) fn depth(&self) -> usize {
        self.urgent.len() + self.detections.len() + self.latest.iter().filter(|s| s.entry.is_some()).count()
    }

    pub(super) fn counters(&self) -> Counters {
        let [ack, status, detection, latest] = self.accounts;
        Counters { ack, status, detection, latest, dropped_by_source: self.dropped_by_source.clone() }
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
