//! The link to the MQTT broker: what producers see, and the one thread that owns paho.
//!
//! ```text
//! producers ──publish──► Outbox (classes, limits, counters) ──take──► Worker thread ──► paho ──► relay ──► broker
//! app ◄──LinkEvent, Incoming──────────────────────────────────────────────┘
//! ```
//!
//! What it promises: a producer never waits for I/O; `Ack` and `Status` are never dropped
//! silently and stay owned here until the broker has acknowledged them; detections give
//! way oldest first; a broker that stalls is noticed within [`Timing::stall_limit`]; every
//! message is accounted for (see [`Counters`]).
//!
//! What it refuses to know: JSON, commands, topics' meaning. Subscribers must tolerate
//! duplicates of QoS 1 messages, as MQTT says.
//!
//! paho's automatic reconnect, oldest-message deletion and file persistence are never
//! used, and no other thread may call paho: each of these can crash or block the process.
//! paho's `debug` log lines contain the password: the app must filter the target
//! `paho_mqtt` out of its logs.

mod backoff;
mod class;
mod config;
mod dial;
mod inflight;
mod keeper;
mod lanes;
mod link;
mod outbox;
mod relay;
mod resolve;
mod session;
mod topic;
mod wake;
mod worker;

pub use class::{Class, ClassCounters, Counters, Refused};
pub use config::{
    BrokerConfig, ConfigError, Limits, Protocol, Qos, Secret, Settings, Subscription, Timing, Tls, Will,
};
pub use link::{Cause, Link, LinkEvent};
pub use outbox::{Outbox, Receipt};
pub use session::Incoming;
pub use topic::TopicError;
pub use worker::{Farewell, Worker, WorkerStats};

/// Where the worker reads time: the root crate's `clock::now`, or a test's own.
pub type Clock = fn() -> vigia_core::time::Instant;
