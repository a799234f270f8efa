//! The worker as the app holds it: start, look, shut down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use vigia_core::time::Instant;

use super::config::{ConfigError, Settings};
use super::keeper::Keeper;
use super::link::{Cause, Link, LinkEvent};
use super::outbox::Outbox;
use super::session::Incoming;
use super::wake::{self, Bell};
use crate::liveness::Pulse;

/// Events the app may leave unread before the oldest is discarded.
const EVENTS_LEN_MAX: usize = 64;
/// On top of the flush time, for ending a link that does not cooperate.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_500);

/// Holds one connection to the broker, for ever, from a thread of its own.
#[derive(Debug)]
pub struct Worker {
    outbox: Outbox,
    board: Arc<Board>,
    incoming: Receiver<Incoming>,
    bell: Bell,
    /// Closed by the thread when it has finished.
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    clock: super::Clock,
}

/// What the worker's thread and its owner both see.
#[derive(Debug)]
pub(super) struct Board {
    link: Mutex<Link>,
    events: (Sender<LinkEvent>, Receiver<LinkEvent>),
    stop_by: Mutex<Option<Instant>>,
    pub(super) connections: AtomicU64,
    pub(super) attempts: AtomicU64,
    pub(super) incoming_dropped: Arc<AtomicU64>,
    pub(super) pulse: Pulse,
}

/// Counters of the link; those of messages are [`Outbox::counters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerStats {
    pub attempts: u64,
    pub connections: u64,
    /// Received messages lost because the app did not take them in time.
    pub incoming_dropped: u64,
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// Messages that did not reach the broker, or are not proven to have.
    pub undelivered: usize,
    /// The thread ended in time. If not, it was left behind.
    pub joined: bool,
}

impl Board {
    fn new() -> Self {
        Self {
            link: Mutex::new(Link::Down { cause: Cause::NotStarted }),
            events: bounded(EVENTS_LEN_MAX),
            stop_by: Mutex::new(None),
            connections: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            incoming_dropped: Arc::new(AtomicU64::new(0)),
            pulse: Pulse::default(),
        }
    }

    /// Publishes the new state. If nobody reads events, the oldest go: the state itself is
    /// always in `link`.
    pub(super) fn set_link(&self, link: Link) {
        *self.link.lock() = link.clone();
        let mut event = link;
        while let Err(e) = self.events.0.try_send(event) {
            event = e.into_inner();
            let _oldest = self.events.1.try_recv();
        }
    }

    pub(super) fn stop_by(&self) -> Option<Instant> {
        *self.stop_by.lock()
    }
}

impl Worker {
    /// Starts the thread; the first connection attempt follows at once.
    ///
    /// # Errors
    /// The settings cannot work, whatever the network does.
    pub fn start(settings: Settings) -> Result<Self, ConfigError> {
        settings.check()?;
        let (bell, ear) = wake::pair();
        let outbox = Outbox::new(settings.limits.clone(), bell.clone());
        let board = Arc::new(Board::new());
        let (incoming_tx, incoming) = bounded(settings.limits.incoming_len_max);
        let (done_tx, done) = bounded::<()>(0);
        let clock = settings.clock;
        let name = format!("mqtt-{}", settings.component);
        let keeper =
            Keeper::new(settings, outbox.clone(), Arc::clone(&board), incoming_tx, (bell.clone(), ear));
        let thread = thread::Builder::new().name(name).spawn(move || {
            keeper.run();
            drop(done_tx);
        });
        let thread = Some(thread.map_err(|e| ConfigError::Thread(e.to_string()))?);
        Ok(Self { outbox, board, incoming, bell, done, thread, clock })
    }

    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Messages from the broker, in order. When it is full, new ones are lost and counted.
    #[must_use]
    pub fn incoming(&self) -> &Receiver<Incoming> {
        &self.incoming
    }

    /// Changes of the link. On [`Link::Connected`] publish the true state again.
    #[must_use]
    pub fn events(&self) -> &Receiver<LinkEvent> {
        &self.board.events.1
    }

    /// State of the link now.
    #[must_use]
    pub fn link(&self) -> Link {
        self.board.link.lock().clone()
    }

    /// Of its thread, which comes by each 500 ms whether the broker is there or not.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.board.pulse
    }

    #[must_use]
    pub fn stats(&self) -> WorkerStats {
        WorkerStats {
            attempts: self.board.attempts.load(Ordering::Relaxed),
            connections: self.board.connections.load(Ordering::Relaxed),
            incoming_dropped: self.board.incoming_dropped.load(Ordering::Relaxed),
        }
    }

    /// Takes no more messages, sends what waits (`Ack` and `Status` first), says goodbye so
    /// that the will stays unsaid, and ends the thread. Returns within `flush_for` + 2 s,
    /// whatever the broker does.
    #[must_use]
    pub fn shutdown(mut self, flush_for: Duration) -> Farewell {
        self.stop(flush_for);
        let ended = self.done.recv_timeout(flush_for.saturating_add(SHUTDOWN_GRACE));
        let joined = match (ended, self.thread.take()) {
            (Err(RecvTimeoutError::Disconnected), Some(thread)) => thread.join().is_ok(),
            _ => false,
        };
        let owed: u64 = self.outbox.counters().classes().iter().map(|c| c.queued + c.in_flight).sum();
        Farewell { undelivered: usize::try_from(owed).unwrap_or(usize::MAX), joined }
    }

    fn stop(&self, flush_for: Duration) {
        self.outbox.close();
        let by = (self.clock)().after(flush_for);
        self.board.stop_by.lock().get_or_insert(by);
        self.bell.ring();
    }
}

impl Drop for Worker {
    /// A worker that is only dropped ends soon, without flushing and without being waited for.
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
