//! What producers see: a place to leave messages that never makes them wait for a network.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;
use vigia_core::stream::Gate;

use super::class::{Class, Counters, Refused};
use super::config::{Limits, Qos};
use super::lanes::{Entry, Lanes, Outcome};
use super::topic;
use super::wake::Bell;

/// Largest payload accepted.
const PAYLOAD_LEN_MAX: usize = 256 * 1024;
/// A buffer that grew beyond this is not kept for reuse.
const SPARE_CAPACITY_MAX: usize = 16 * 1024;
/// Buffers kept for reuse beyond those that can be queued.
const SPARES_EXTRA: usize = 64;

/// The producers' handle. Clones share one set of queues.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lanes: Mutex<Lanes>,
    /// Empty payload buffers. A bounded channel is used as a lock-free stack of fixed size.
    spares: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    /// Of [`Class::Kept`]. Never more than were in flight, and their owner reads them.
    receipts: (Sender<Receipt>, Receiver<Receipt>),
    bell: Bell,
}

/// What became of a message of [`Class::Kept`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub number: u64,
    /// The broker has it; else it refused it.
    pub taken: bool,
}

impl Outbox {
    pub(super) fn new(limits: Limits, bell: Bell) -> Self {
        let spares = bounded(limits.queue_len_max + SPARES_EXTRA);
        let (lanes, receipts) = (Mutex::new(Lanes::new(limits)), unbounded());
        Self(Arc::new(Shared { lanes, spares, receipts, bell }))
    }

    /// Leaves a message for the broker. `write` appends the payload to an empty buffer; it
    /// runs outside of the lock. Waits for nothing but a lock held for a few instructions,
    /// and allocates nothing once the buffers have grown to the size of the messages.
    ///
    /// # Errors
    /// The message was not accepted, and is counted as dropped.
    pub fn publish(
        &self,
        class: Class,
        topic: &Arc<str>,
        qos: Qos,
        retain: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Refused> {
        self.offer(class, topic, (qos, retain), 0, write)
    }

    fn offer(
        &self,
        class: Class,
        topic: &Arc<str>,
        (qos, retain): (Qos, bool),
        place: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Refused> {
        if let Err(why) = topic::check_name(topic) {
            self.0.lanes.lock().refuse(class);
            return Err(why.into());
        }
        let mut payload = self.0.spares.1.try_recv().unwrap_or_default();
        write(&mut payload);
        let len = payload.len();
        if len > PAYLOAD_LEN_MAX {
            self.0.lanes.lock().refuse(class);
            return Err(Refused::TooLarge(len));
        }
        let entry = Entry { class, place, topic: Arc::clone(topic), payload, qos, retain };
        let (verdict, spare) = self.0.lanes.lock().offer(entry);
        if let Some(buffer) = spare {
            self.recycle(buffer);
        }
        self.0.bell.ring();
        verdict
    }

    /// As [`Self::publish`], for a message that states something of the detections so far: it goes
    /// out after all of them, or after they were dropped.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub fn publish_behind(
        &self,
        class: Class,
        topic: &Arc<str>,
        qos: Qos,
        retain: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Refused> {
        self.offer(class, topic, (qos, retain), 1, write)
    }

    /// From now on only the detections that `gate` lets through are handed to the broker; those that
    /// wait are dropped and counted. What was handed over before is on the wire before anything
    /// that is published after.
    pub fn set_gate(&self, gate: Gate) {
        self.0.lanes.lock().set_gate(gate);
        loop {
            let buffer = self.0.lanes.lock().drop_gated();
            match buffer {
                Some(buffer) => self.recycle(buffer),
                None => return,
            }
        }
    }

    /// The frame of the source's detection that was given to the broker last.
    #[must_use]
    pub fn handed(&self, source_id: u32) -> Option<u64> {
        self.0.lanes.lock().handed(source_id)
    }

    /// Tells of each [`Class::Kept`] message when the broker has it, or refused it.
    #[must_use]
    pub fn receipts(&self) -> &Receiver<Receipt> {
        &self.0.receipts.1
    }

    /// Messages waiting, all classes. Healthy is below 100.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.lanes.lock().depth()
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.lanes.lock().counters()
    }

    pub(super) fn take(&self, urgent_only: bool) -> Option<Entry> {
        self.0.lanes.lock().take(urgent_only)
    }

    pub(super) fn put_back(&self, entry: Entry, was_sent: bool) {
        let spare = self.0.lanes.lock().put_back(entry, was_sent);
        if let Some(buffer) = spare {
            self.recycle(buffer);
        }
    }

    pub(super) fn settle(&self, class: Class, outcome: Outcome) {
        self.0.lanes.lock().settle(class, outcome);
        if let Class::Kept(number) = class {
            let taken = matches!(outcome, Outcome::Published);
            // Its receiver lives as long as this.
            let _ = self.0.receipts.0.send(Receipt { number, taken });
        }
    }

    pub(super) fn recycle(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > SPARE_CAPACITY_MAX {
            return;
        }
        buffer.clear();
        // A full store lets this one go back to the allocator.
        let _kept = self.0.spares.0.try_send(buffer);
    }

    pub(super) fn close(&self) {
        self.0.lanes.lock().close();
    }
}
