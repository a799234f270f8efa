//! The link to the pump program, from the side of the one who sees fires.
//!
//! A fire is said until it is answered, and again while it burns. An event is acknowledged when it is
//! on the disk. A pump program that says nothing for a second, or is not there, is a trouble; it is
//! tried again for ever, at most a second apart.

mod answers;
mod socket;
mod standing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use serde_json::{Value, json};
use vigia_core::link::{ALIVE_EVERY, Alive, BootId, FromPump, Numbered, SILENT_MAX, Status, ToPump, Welcome};
use vigia_core::pump::{Demand, Kind, Source};
use vigia_core::time::Instant;

use super::courier::Job;
use super::panel::Condition;
use super::spool::Open;
use super::topics::Topics;
use super::why::wall;
use super::{Ask, News, Task, Told, telemetry};
use crate::clock;
use crate::liveness::Pulse;
use crate::mqtt::Outbox;
use socket::Connection;

/// A demand without an answer is said again this often.
const REPEAT: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How long the pump program may be away before it is a trouble: a restart of it takes less.
const AWAY_MAX: Duration = Duration::from_millis(700);
/// What the cameras say is believed for this long.
const ALIVE_KEPT: Duration = Duration::from_secs(3);
/// Events that are owed for longer are asked for by connecting anew.
const OWED_MAX: Duration = Duration::from_secs(10);

pub struct Tools {
    pub socket: String,
    /// Of the plan in the same file.
    pub plan: Option<u64>,
    pub host: String,
    pub topics: Topics,
    pub outbox: Outbox,
    /// Leads to `inbox`.
    pub own: Sender<News>,
    pub inbox: Receiver<News>,
    pub tasks: Sender<Task>,
    pub jobs: Sender<Job>,
    pub told: Sender<Told>,
    pub glance: Arc<ArcSwap<Glance>>,
    /// Fires of the life before.
    pub open: Vec<Open>,
    pub next_water: u64,
    pub pulse: Pulse,
}

/// The pump in the instance's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    pub reached: bool,
    pub state: Option<vigia_core::pump::StateName>,
    pub why: String,
}

impl Glance {
    #[must_use]
    pub fn told(&self) -> Value {
        let mut told = json!({ "reached": self.reached, "state": self.state });
        if !self.why.is_empty() {
            told["why"] = json!(self.why);
        }
        told
    }
}

/// A connection and what is known of the other side.
struct Peer {
    connection: Connection,
    number: u64,
    welcome: Option<Welcome>,
    heard: Instant,
    owed_since: Option<Instant>,
}

struct Pending {
    evidence: Instant,
    said: Option<Instant>,
}

struct Link {
    tools: Tools,
    boot: BootId,
    peer: Option<Peer>,
    connections: u64,
    retry_at: Instant,
    retry: Duration,
    /// Since when nobody answers.
    away_since: Option<Instant>,
    why_away: String,
    /// Fires without an answer.
    pending: BTreeMap<u64, Pending>,
    asks: BTreeMap<u64, Ask>,
    waters: u64,
    alive: (Alive, Instant),
    alive_due: Instant,
    status: Option<Status>,
    status_due: Instant,
    health_due: Instant,
    started: Instant,
}

/// Works until it is told to close.
pub fn work(mut tools: Tools) {
    let now = clock::now();
    let open = std::mem::take(&mut tools.open);
    let pending = open.into_iter().map(|fire| (fire.id, Pending { evidence: fire.evidence, said: None }));
    let link = Link {
        boot: BootId(fastrand::u128(..).to_le_bytes()),
        peer: None,
        connections: 0,
        retry_at: now,
        retry: RETRY_MIN,
        away_since: Some(now),
        why_away: "not tried yet".to_owned(),
        pending: pending.collect(),
        asks: BTreeMap::new(),
        waters: 0,
        alive: (Alive::default(), now),
        alive_due: now,
        status: None,
        status_due: now,
        health_due: now,
        started: now,
        tools,
    };
    link.work();
}

impl Link {
    fn work(mut self) {
        loop {
            self.tools.pulse.beat(clock::now());
            self.tend(clock::now());
            self.tools.pulse.worked();
            let wait = self.due().since(clock::now());
            match self.tools.inbox.recv_timeout(wait) {
                Ok(News::Close) | Err(RecvTimeoutError::Disconnected) => return self.farewell(),
                Ok(news) => self.take(news),
                Err(RecvTimeoutError::Timeout) => {}
            }
            while let Ok(news) = self.tools.inbox.try_recv() {
                if matches!(news, News::Close) {
                    return self.farewell();
                }
                self.take(news);
            }
        }
    }

    fn due(&self) -> Instant {
        // Nothing here waits for longer than a sign of life, and a retry is rarer.
        if self.peer.is_some() { self.alive_due } else { self.retry_at.min(clock::now().after(ALIVE_EVERY)) }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Fire { id, evidence } => {
                let known = self.pending.entry(id).or_insert(Pending { evidence, said: None });
                known.evidence = known.evidence.max(evidence);
            }
            News::Over(id) => drop(self.pending.remove(&id)),
            News::Alive(alive) => {
                let changed = self.alive.0 != alive;
                self.alive = (alive, clock::now());
                if changed {
                    self.alive_due = clock::now();
                }
            }
            News::Kept { book, number } => self.kept(book, number),
            News::Ask(ask) => self.ask(ask),
            News::Frame(number, frame) => {
                if self.peer.as_ref().is_some_and(|peer| peer.number == number) {
                    self.heard(frame.body);
                }
            }
            News::Lost(number, why) => {
                if self.peer.as_ref().is_some_and(|peer| peer.number == number) {
                    self.drop_peer(why);
                }
            }
            News::Close => {}
        }
    }

    /// Everything that is due.
    fn tend(&mut self, now: Instant) {
        if let Some(peer) = &self.peer {
            let owed = peer.owed_since.is_some_and(|since| now.since(since) > OWED_MAX);
            if now.since(peer.heard) > SILENT_MAX {
                self.drop_peer("it says nothing".to_owned());
            } else if owed {
                self.drop_peer("it is owed acknowledgements; its events are asked for anew".to_owned());
            }
        }
        if self.peer.is_none() && now >= self.retry_at {
            self.connect(now);
        }
        if self.is_welcome() {
            self.demand(now);
        }
        if self.peer.is_some() && now >= self.alive_due {
            self.alive_due = now.after(ALIVE_EVERY);
            let (alive, at) = self.alive;
            // Silence of those who decide is no good news.
            let alive = if now.since(at) > ALIVE_KEPT { Alive::default() } else { alive };
            if self.is_welcome() {
                self.send(ToPump::Alive(alive));
            }
        }
        self.give_up_asks(now);
        if self.away_since.is_some_and(|since| now.since(since) > AWAY_MAX) {
            self.tell_away();
        }
    }

    fn is_welcome(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.welcome.is_some())
    }

    fn connect(&mut self, now: Instant) {
        self.connections += 1;
        let opened =
            Connection::open(&self.tools.socket, self.boot, self.connections, self.tools.own.clone());
        let peer = opened.map(|connection| Peer {
            connection,
            number: self.connections,
            welcome: None,
            heard: now,
            owed_since: None,
        });
        match peer {
            Ok(peer) => {
                self.peer = Some(peer);
                self.send(ToPump::Hello);
            }
            Err(error) => {
                self.why_away = error.to_string();
                self.back_off(now);
            }
        }
    }

    fn back_off(&mut self, now: Instant) {
        self.retry_at = now.after(self.retry);
        self.retry = (self.retry * 2).min(RETRY_MAX);
    }

    fn drop_peer(&mut self, why: String) {
        let now = clock::now();
        tracing::warn!(component = "pump_link", event = "pump_lost", why, "the pump program is not reached");
        self.peer = None;
        self.why_away = why;
        self.away_since.get_or_insert(now);
        for pending in self.pending.values_mut() {
            pending.said = None;
        }
        self.back_off(now);
    }

    fn send(&mut self, body: ToPump) -> Option<u64> {
        let sent = self.peer.as_mut()?.connection.send(body);
        match sent {
            Ok(seq) => Some(seq),
            Err(error) => {
                self.drop_peer(error.to_string());
                None
            }
        }
    }

    /// Fires that have no answer yet.
    fn demand(&mut self, now: Instant) {
        let due = |p: &Pending| p.said.is_none_or(|at| now.since(at) >= REPEAT);
        let ids: Vec<u64> = self.pending.iter().filter(|(_, p)| due(p)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(pending) = self.pending.get_mut(&id) else { continue };
            pending.said = Some(now);
            let age = now.since(pending.evidence);
            let source = Source::Consensus;
            let demand = Demand { id, source, age, persists: true, authorised: true, retained: false };
            if self.send(ToPump::Demand(demand)).is_none() {
                return;
            }
        }
    }

    fn kept(&mut self, book: BootId, number: u64) {
        let Some(peer) = &mut self.peer else { return };
        if peer.welcome.is_some_and(|welcome| welcome.book == book) {
            peer.owed_since = None;
            self.send(ToPump::EventAck { up_to: number });
        }
    }

    fn heard(&mut self, body: FromPump) {
        let now = clock::now();
        let Some(peer) = &mut self.peer else { return };
        peer.heard = now;
        match body {
            FromPump::Welcome(welcome) => self.welcomed(welcome),
            FromPump::DemandAck(ack) => {
                tracing::info!(component = "pump_link", event = "demand_answered", fire = ack.id, outcome = ?ack.outcome, "answered");
                if self.pending.remove(&ack.id).is_some() {
                    // Whatever it said, it has heard: what burns on is said again.
                    let _ = self.tools.tasks.send(Task::Taken(ack.id));
                }
                self.water_answered(&ack);
            }
            FromPump::CommandAck(ack) => self.order_answered(&ack),
            FromPump::Event(told) => self.event(&told),
            FromPump::Status(status) => self.stands(status, now),
            FromPump::Refused(why) => {
                tracing::error!(
                    component = "pump_link",
                    event = "frame_not_taken",
                    ?why,
                    "the pump does not listen"
                );
                self.why_away = format!("it does not listen: {why:?}");
            }
        }
    }

    fn welcomed(&mut self, welcome: Welcome) {
        let Some(peer) = &mut self.peer else { return };
        peer.welcome = Some(welcome);
        (self.away_since, self.retry) = (None, RETRY_MIN);
        self.status_due = Instant(0);
        tracing::info!(component = "pump_link", event = "pump_reached", book = %welcome.book, bank = ?welcome.bank, "reached");
        self.condition(Kind::Trouble, "pump_unreachable", None);
        let simulated = welcome.bank.is_simulated();
        let text = simulated.then(|| "the pump is simulated: no relay moves, no water flows".to_owned());
        self.condition(Kind::Supervisory, "pump_simulated", text);
        let differs = self.tools.plan.is_some_and(|plan| plan != welcome.plan);
        let text = differs.then(|| {
            "the pump carries out another plan than the site file holds: restart the pump program".to_owned()
        });
        self.condition(Kind::Trouble, "plan_differs", text);
        self.alive_due = Instant(0);
    }

    fn event(&mut self, told: &Numbered) {
        let Some(welcome) = self.peer.as_ref().and_then(|peer| peer.welcome) else { return };
        let at = wall(told.at, clock::now(), clock::utc());
        let payload = telemetry::event(told, welcome.book, welcome.bank, &self.tools.host, at);
        tracing::info!(component = "pump_link", event = "pump_event", number = told.number, %payload, "the pump tells");
        let topic = self.tools.topics.telemetry.clone();
        let payload = payload.to_string().into_bytes();
        let _ = self.tools.jobs.send(Job::Event { book: welcome.book, number: told.number, topic, payload });
    }

    pub(super) fn condition(&self, kind: Kind, name: &str, text: Option<String>) {
        let _ = self.tools.tasks.send(Task::Condition(Condition::new(kind, name, "link"), text));
    }
}
