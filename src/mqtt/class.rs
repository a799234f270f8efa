//! Classes of messages, the refusals a producer may meet, and the accounts.

use thiserror::Error;

use super::topic::TopicError;

/// What a message is to us; decides its queue and what happens when that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Answer to a command. Never dropped silently, sent again after a lost link.
    Ack,
    /// State of the instance. Same care as `Ack`, and in order with it.
    Status,
    /// What must reach the broker whatever happens: its owner keeps it on the disk under this number until
    /// [`Outbox::receipts`](super::Outbox::receipts) tells that the broker has it. Same care as `Status`.
    Kept(u64),
    /// One detection event. The oldest gives way, counted per source.
    Detection { source_id: u32, frame_id: u64 },
    /// Telemetry of which only the newest value matters: one slot per topic.
    Latest,
}

impl Class {
    pub(super) fn is_urgent(self) -> bool {
        match self {
            Self::Ack | Self::Status | Self::Kept(_) => true,
            Self::Detection { .. } | Self::Latest => false,
        }
    }

    pub(super) fn row(self) -> usize {
        match self {
            Self::Ack => 0,
            Self::Status | Self::Kept(_) => 1,
            Self::Detection { .. } => 2,
            Self::Latest => 3,
        }
    }
}

/// Why a message was not accepted. Each refusal is counted as dropped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("{0} messages wait for the broker already")]
    Full(usize),
    #[error("payload of {0} bytes is over the limit")]
    TooLarge(usize),
    #[error("{0}")]
    Topic(#[from] TopicError),
    #[error("stream {0} is paused")]
    Gated(u32),
    #[error("the link is shutting down")]
    Closed,
}

/// One class's account. At all times
/// `offered = published + queued + in_flight + dropped + failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounters {
    /// Calls to publish.
    pub offered: u64,
    /// Of these, taken into the queue.
    pub accepted: u64,
    /// Refused at the door, or pushed out by a newer one.
    pub dropped: u64,
    /// Proven to have reached the broker.
    pub published: u64,
    /// Handed to a link that broke before it proved delivery, or refused by the broker.
    pub failed: u64,
    /// Put back into the queue after a lost link.
    pub resent: u64,
    pub queued: u64,
    pub in_flight: u64,
}

impl ClassCounters {
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.offered == self.published + self.queued + self.in_flight + self.dropped + self.failed
    }
}

/// All accounts, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    pub ack: ClassCounters,
    pub status: ClassCounters,
    pub detection: ClassCounters,
    pub latest: ClassCounters,
    /// Detections dropped, by source.
    pub dropped_by_source: Vec<(u32, u64)>,
}

impl Counters {
    #[must_use]
    pub fn classes(&self) -> [&ClassCounters; 4] {
        [&self.ack, &self.status, &self.detection, &self.latest]
    }
}
