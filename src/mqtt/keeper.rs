//! The worker's thread: connect, serve, back off, for ever. The only caller of paho.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::Sender;
use vigia_core::time::Instant;

use super::backoff::Backoff;
use super::config::Settings;
use super::dial::{self, Dialling};
use super::link::{Cause, Ending, Link, Rivalry};
use super::outbox::Outbox;
use super::relay::Relay;
use super::resolve::Opener;
use super::session::{Incoming, Session, Signals};
use super::wake::{Bell, Ear};
use super::worker::Board;

/// The longest sleep, and so the time between two signs of life; callbacks and producers ring earlier.
const NAP_MAX: Duration = Duration::from_millis(500);
/// While the app loses incoming messages, it is said at most this often.
const OVERFLOW_LOG_EVERY: Duration = Duration::from_secs(10);
/// At shutdown an unanswered CONNECT may take this much longer, so that a late success can
/// still be ended properly.
const ABANDON_GRACE: Duration = Duration::from_millis(300);

pub(super) struct Keeper {
    settings: Settings,
    outbox: Outbox,
    board: Arc<Board>,
    incoming: Sender<Incoming>,
    bell: Bell,
    ear: Ear,
    waker: Waker,
    opener: Opener,
    backoff: Backoff,
    rivalry: Rivalry,
    /// A CONNECT that we gave up on and paho has not.
    lingering: Option<Dialling>,
    overflow_told: (u64, Instant),
}

/// Why [`Keeper::serve`] returned.
enum End {
    Link(Ending),
    Stalled(Duration),
    Shutdown,
}

impl Keeper {
    pub(super) fn new(
        settings: Settings,
        outbox: Outbox,
        board: Arc<Board>,
        incoming: Sender<Incoming>,
        (bell, ear): (Bell, Ear),
    ) -> Self {
        Self {
            waker: Waker::from(Arc::new(bell.clone())),
            opener: Opener::new(&settings.broker.host, settings.broker.port, bell.clone()),
            backoff: Backoff::new(settings.timing.reconnect_min, settings.timing.reconnect_max),
            rivalry: Rivalry::default(),
            lingering: None,
            overflow_told: (0, (settings.clock)()),
            settings,
            outbox,
            board,
            incoming,
            bell,
            ear,
        }
    }

    pub(super) fn run(mut self) {
        while !self.is_over(0) {
            let delay = self.run_once();
            self.pause(delay);
        }
        self.board.set_link(Link::Down { cause: Cause::Shutdown });
        self.board.pulse.rest();
    }

    /// Every wait of this thread: for the bell, at most so long, and never for long.
    fn nap(&self, limit: Duration) {
        self.board.pulse.beat(self.now());
        self.ear.wait(limit.min(NAP_MAX));
        self.board.pulse.beat(self.now());
    }

    /// One connection, from the attempt to its end. Returns the delay before the next.
    fn run_once(&mut self) -> Duration {
        let attempt = self.board.attempts.fetch_add(1, Ordering::Relaxed);
        self.board.set_link(Link::Connecting);
        let address = format!("{}:{}", self.settings.broker.host, self.settings.broker.port);
        let component = self.settings.component;
        tracing::info!(
            component,
            event = "broker_connection_attempt",
            attempt = attempt + 1,
            address,
            "connecting"
        );
        let session = match self.open(&address) {
            Ok(session) => session,
            Err(cause) => return self.failed(cause),
        };
        let number = self.board.connections.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::info!(component, event = "broker_connected", session = number, address, "connected");
        self.board.set_link(Link::Connected { session: number });
        self.board.pulse.worked();
        self.live(session)
    }

    fn failed(&mut self, cause: Cause) -> Duration {
        let delay = self.backoff.next(fastrand::f64(), false);
        let component = self.settings.component;
        let retry_in_ms = delay.as_millis();
        tracing::warn!(component, event = "broker_connection_failed", %cause, retry_in_ms, "not connected");
        self.board.set_link(Link::Down { cause });
        delay
    }

    fn open(&mut self, address: &str) -> Result<Session, Cause> {
        let limit = self.settings.timing.connect_timeout;
        let started = self.now();
        let until = started.after(limit);
        let relay = self.reach(address, until)?;
        let options = dial::connect_options(&self.settings.broker, relay.address(), limit)?;
        let client = dial::new_client(&self.settings.broker, relay.address())?;
        let overflow = Arc::clone(&self.board.incoming_dropped);
        let signals = Signals::new(self.incoming.clone(), overflow, self.bell.clone());
        signals.attach(&client);
        let mut dialling = Dialling::start(client, options, relay);
        let answer = self.wait_until(until, |k| dialling.answer(&k.waker));
        let waited = self.now().since(started);
        match answer {
            Some(Ok(accepted)) => {
                let session = Session::new(&self.settings, accepted, signals, self.now());
                self.subscribe(&session, address, started)?;
                Ok(session)
            }
            Some(Err(error)) => Err(dial::refusal(&error, &self.settings.broker, address, waited)),
            None => {
                dialling.hang_up();
                self.lingering = Some(dialling);
                let over = self.board.stop_by().is_some();
                Err(if over { Cause::Shutdown } else { dial::no_answer(address, waited) })
            }
        }
    }

    /// A TCP connection to the broker, behind a relay for paho.
    fn reach(&mut self, address: &str, until: Instant) -> Result<Relay, Cause> {
        self.opener.ask(self.settings.timing.connect_timeout)?;
        let stream = loop {
            let now = self.now();
            match self.opener.answer() {
                Some(answer) => break answer?,
                None if self.is_over(0) => return Err(Cause::Shutdown),
                None if now >= until => {
                    let why = "no answer, or its name is not resolved".to_owned();
                    return Err(Cause::Unreachable { address: address.to_owned(), why });
                }
                None => self.nap(until.since(now).min(self.until_stop(now))),
            }
        };
        let relay = Relay::start(stream, self.settings.broker.tls.is_some());
        relay.map_err(|e| Cause::Library { why: e.to_string() })
    }

    /// Makes all subscriptions. One that the broker refuses is reported, and the link kept:
    /// publishing still works.
    fn subscribe(&self, session: &Session, shown: &str, started: Instant) -> Result<(), Cause> {
        let component = self.settings.component;
        let wanted = self.settings.subscriptions.clone();
        let mut tokens: Vec<_> = wanted.iter().map(|s| session.subscribe(&s.filter, s.qos)).collect();
        let until = self.now().after(self.settings.timing.connect_timeout);
        for (subscription, token) in wanted.iter().zip(&mut tokens) {
            let filter = &subscription.filter;
            let answer = self.wait_until(until, |k| match dial::poll(token, &k.waker) {
                None if session.ending().is_some() => Some(None),
                None => None,
                Some(answer) => Some(Some(answer)),
            });
            match answer {
                Some(Some(Ok(_))) => {
                    tracing::info!(component, event = "mqtt_subscribed", filter, "subscribed")
                }
                Some(Some(Err(why))) if session.ending().is_none() => {
                    tracing::error!(component, event = "mqtt_subscribe_refused", filter, %why, "the broker refuses it");
                }
                Some(_) => return Err(Cause::HungUp { address: shown.to_owned() }),
                None => return Err(dial::no_answer(shown, self.now().since(started))),
            }
        }
        Ok(())
    }

    /// Serves a connection to its end and says how it ended.
    fn live(&mut self, mut session: Session) -> Duration {
        let since = self.now();
        let end = self.serve(&mut session, since);
        session.close(&self.outbox, &self.waker, self.now());
        let lasted = self.now().since(since);
        let component = self.settings.component;
        let cause = match end {
            End::Shutdown => {
                tracing::info!(component, event = "broker_disconnected", cause = %Cause::Shutdown, "disconnected");
                return Duration::ZERO;
            }
            End::Stalled(age) => {
                Cause::Stalled { waited_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX) }
            }
            End::Link(ending) => self.rivalry.judge(ending, lasted, &self.settings.broker.client_id),
        };
        let rival = matches!(cause, Cause::AnotherClient { .. });
        let delay = self.backoff.next(fastrand::f64(), rival);
        let retry_in_ms = delay.as_millis();
        if rival && self.rivalry.first_time() {
            tracing::error!(component, event = "broker_disconnected", %cause, retry_in_ms, "disconnected");
        } else if rival {
            tracing::debug!(component, event = "broker_disconnected", %cause, retry_in_ms, "disconnected");
        } else {
            tracing::warn!(component, event = "broker_disconnected", %cause, retry_in_ms, "disconnected");
        }
        self.board.set_link(Link::Down { cause });
        delay
    }

    fn serve(&mut self, session: &mut Session, since: Instant) -> End {
        loop {
            let now = self.now();
            self.board.pulse.beat(now);
            session.fill(&self.outbox, now);
            let hurry = self.board.stop_by().is_some();
            let probe_in = session.probe(now, self.settings.timing.idle_probe_every, hurry);
            // Last, because a token rings the bell only once it has been looked at.
            let progress = session.settle(&self.outbox, &self.waker, now);
            if let Some(ending) = session.ending() {
                return End::Link(ending);
            }
            let age = session.oldest_age(now);
            if age > self.settings.timing.stall_limit {
                return End::Stalled(age);
            }
            if self.is_over(session.in_flight()) {
                return End::Shutdown;
            }
            if now.since(since) >= self.settings.timing.stable_after {
                self.backoff.reset();
                self.rivalry.forget();
            }
            self.tell_overflow(now);
            if !progress {
                self.nap(probe_in.min(self.until_stop(now)));
            }
        }
    }

    /// Waits between attempts; shutdown ends it, and a lingering CONNECT prolongs it.
    fn pause(&mut self, delay: Duration) {
        let until = self.now().after(delay);
        self.wait_until(until, |_| None::<()>);
        loop {
            let answered = match &mut self.lingering {
                None => return,
                Some(dialling) => dialling.answer(&self.waker).is_some(),
            };
            if answered {
                self.lingering = None;
            } else if self.is_over(0) {
                let until = self.now().after(ABANDON_GRACE);
                while self.now() < until
                    && self.lingering.as_mut().is_some_and(|d| d.answer(&self.waker).is_none())
                {
                    self.nap(until.since(self.now()));
                }
                self.lingering = None;
            } else {
                self.nap(self.until_stop(self.now()));
            }
        }
    }

    /// Waits until `ready` has an answer, time is up, or there is no point in going on.
    fn wait_until<T>(&self, until: Instant, mut ready: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        loop {
            let answer = ready(self);
            let now = self.now();
            if answer.is_some() || now >= until || self.is_over(0) {
                return answer;
            }
            self.nap(until.since(now).min(self.until_stop(now)));
        }
    }

    /// Shutdown is asked for, and its time is up or nothing is left to send.
    fn is_over(&self, in_flight: usize) -> bool {
        self.board
            .stop_by()
            .is_some_and(|by| self.now() >= by || (in_flight == 0 && self.outbox.depth() == 0))
    }

    fn until_stop(&self, now: Instant) -> Duration {
        self.board.stop_by().map_or(Duration::MAX, |by| by.since(now))
    }

    fn tell_overflow(&mut self, now: Instant) {
        let lost = self.board.incoming_dropped.load(Ordering::Relaxed);
        let (told, at) = self.overflow_told;
        if lost > told && (told == 0 || now.since(at) >= OVERFLOW_LOG_EVERY) {
            let component = self.settings.component;
            tracing::warn!(component, event = "incoming_dropped", lost, "the app does not keep up");
            self.overflow_told = (lost, now);
        }
    }

    fn now(&self) -> Instant {
        (self.settings.clock)()
    }
}
