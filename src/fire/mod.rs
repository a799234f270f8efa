//! Deciding: what cameras see becomes fires, fires become demands, and the pump's answers become
//! messages.
//!
//! ```text
//! detector ──Feed──►┐                                  ┌──► courier ──► disk ──► broker
//! broker ──Incoming─┤ deciding: Consensus, Panel ──────┤      ▲ events, and who waits for the disk
//! app ──Task────────┘      │ asked: orders, triggers   └──► pump link ◄──frames──► vigia-pump
//!                          ▼                                 │
//!                         app ◄──────────Told────────────────┘
//! ```
//!
//! Three threads with one owner each: [`deciding`] owns the consensus, the panel and a connection to
//! the broker of its own; [`courier`] owns the disk; [`pump`] owns the socket. None waits for another.
//! That of the broker is separate from the instance's, so that no flood of commands or detections stands
//! before an alarm.
//!
//! Promises: a confirmed fire is said to the pump until it is answered, and to the broker until it has
//! it; an event of the pump's is acknowledged once it is on the disk; what is lost is counted and stands
//! on the panel; a box without `fire` and `pump` in its configuration has none of this.
//!
//! Channels without a bound carry what is bounded by its source: changes of conditions, answers to
//! questions that were admitted, frames that the pump sends only after an acknowledgement.

mod cameras;
mod courier;
mod deciding;
pub mod feed;
mod panel;
mod pump;
mod spool;
mod start;
pub mod telemetry;
mod told;
pub mod topics;
pub mod why;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender};
use serde_json::{Value, json};
use thiserror::Error;
use vigia_core::config::Stream;
use vigia_core::control::Refusal;
use vigia_core::link::{Alive, BootId, Frame, FromPump};
use vigia_core::pump::{Kind, Order, Role};
use vigia_core::time::Instant;

use crate::clock;
use crate::mqtt::{ConfigError, Incoming};
use feed::Feed;
use panel::Condition;
pub use spool::SpoolError;
use why::Query;

/// How long the threads have to say their last words.
const CLOSE_WITHIN: Duration = Duration::from_millis(1_500);

/// Why it can't be started.
#[derive(Debug, Error)]
pub enum FireError {
    #[error("{0}")]
    Spool(#[from] SpoolError),
    #[error("the MQTT link of fires can't be set up: {0}")]
    Mqtt(#[from] ConfigError),
    #[error("a thread can't be started: {0}")]
    Thread(#[from] std::io::Error),
    /// Commands of an earlier life changed the streams so that nothing could be confirmed.
    #[error("fire: {0}")]
    Consensus(String),
}

/// For the deciding thread.
#[derive(Debug)]
pub enum Task {
    /// These streams run from now on.
    Streams(Vec<Stream>),
    Why {
        number: u64,
        query: Query,
    },
    /// It holds, with a sentence, or it holds no more.
    Condition(Condition, Option<String>),
    /// All that the pump's panel shows.
    PumpPanel(Vec<(Condition, String)>),
    /// Somebody takes care of this fire.
    Taken(u64),
    Close,
}

/// For the thread of the pump's link.
#[derive(Debug)]
pub enum News {
    /// A fire burns, and was seen at `evidence`.
    Fire {
        id: u64,
        evidence: Instant,
    },
    /// It was given up: nobody sees it any more.
    Over(u64),
    Alive(Alive),
    /// An event is on the disk.
    Kept {
        book: BootId,
        number: u64,
    },
    Ask(Ask),
    /// From the pump program, over the connection of this number.
    Frame(u64, Box<Frame<FromPump>>),
    /// That connection ended.
    Lost(u64, String),
    Close,
}

/// What the app wants of the pump; answered with [`Told::Answer`].
#[derive(Debug)]
pub struct Ask {
    pub number: u64,
    pub what: Wish,
    pub given: Instant,
}

#[derive(Debug, Clone, Copy)]
pub enum Wish {
    Status,
    Order(Order, Role),
    /// Water, by somebody the site trusts.
    Water,
}

/// For the app.
#[derive(Debug)]
pub enum Told {
    /// To a [`Task::Why`] or an [`Ask`].
    Answer { number: u64, result: Result<Value, Refusal> },
    /// [`Fire::glance`] gives something new.
    Changed,
}

/// How things stand, for the instance's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// Conditions that hold, by kind.
    pub alarm: usize,
    pub supervisory: usize,
    pub trouble: usize,
}

/// The running threads.
#[derive(Debug)]
pub struct Fire {
    /// Who speaks in what it publishes: the instance's name at its start.
    pub host: String,
    feed: Option<Feed>,
    tasks: Sender<Task>,
    news: Option<Sender<News>>,
    jobs: Sender<courier::Job>,
    /// Orders and triggers by MQTT: the app knows who may.
    pub asked: Receiver<Incoming>,
    pub told: Receiver<Told>,
    glance: Arc<ArcSwap<Glance>>,
    pump: Arc<ArcSwap<pump::Glance>>,
    /// When a fire was last seen; 0: never.
    seen: Arc<AtomicU64>,
    /// Closed by each thread at its end.
    done: Receiver<()>,
}

impl Fire {
    /// Where the detector leaves its results, if they are wanted.
    #[must_use]
    pub fn feed(&self) -> Option<Feed> {
        self.feed.clone()
    }

    /// The streams are these from now on.
    pub fn streams(&self, streams: &[Stream]) {
        let _ = self.tasks.send(Task::Streams(streams.to_vec()));
    }

    pub fn why(&self, number: u64, query: Query) {
        let _ = self.tasks.send(Task::Why { number, query });
    }

    /// False: there is no pump.
    pub fn ask(&self, number: u64, what: Wish) -> bool {
        let ask = Ask { number, what, given: clock::now() };
        self.news.as_ref().is_some_and(|news| news.send(News::Ask(ask)).is_ok())
    }

    /// Alarms that stand, and when a confirmed fire was last seen in this life.
    #[must_use]
    pub fn stands(&self) -> (usize, Option<Instant>) {
        let seen = self.seen.load(Ordering::Acquire);
        (self.glance.load().alarm, (seen > 0).then_some(Instant(seen)))
    }

    /// The processor detects where the GPU should, for this reason; or everything is as configured.
    pub fn engine(&self, degraded: Option<&str>) {
        let condition = Condition::new(Kind::Trouble, "engine_degraded", "detector");
        let text = degraded.map(|why| format!("the processor detects where the GPU should: {why}"));
        let _ = self.tasks.send(Task::Condition(condition, text));
    }

    /// For the status of the instance.
    #[must_use]
    pub fn glance(&self) -> Value {
        let glance = self.glance.load();
        let mut all = json!({
            "panel": { "alarm": glance.alarm, "supervisory": glance.supervisory, "trouble": glance.trouble },
        });
        if self.news.is_some() {
            all["pump"] = self.pump.load().told();
        }
        all
    }

    /// Everything that was decided is on the disk, and the broker heard a goodbye if it could.
    pub fn close(&self) {
        if let Some(news) = &self.news {
            let _ = news.send(News::Close);
        }
        let _ = self.tasks.send(Task::Close);
        let _ = self.jobs.send(courier::Job::Close);
        let until = clock::now().after(CLOSE_WITHIN);
        // Nothing is ever sent: it is closed when the last thread has ended.
        let _ = self.done.recv_timeout(until.since(clock::now()));
    }
}

fn count(panel: &panel::Panel) -> Glance {
    let of = |kind| panel.count(kind);
    Glance { alarm: of(Kind::Alarm), supervisory: of(Kind::Supervisory), trouble: of(Kind::Trouble) }
}
