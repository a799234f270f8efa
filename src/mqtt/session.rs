//! One connection, from CONNACK to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::Sender;
use paho_mqtt::{AsyncClient, Error, Message, Token};
use parking_lot::Mutex;
use vigia_core::time::Instant;

use super::config::{Qos, Settings};
use super::dial::Accepted;
use super::inflight::{Findings, Window};
use super::lanes::{Entry, Outcome};
use super::link::Ending;
use super::outbox::Outbox;
use super::relay::Relay;
use super::wake::Bell;

/// A message from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    pub topic: String,
    pub payload: Vec<u8>,
    /// Kept by the broker from earlier: a command with this flag is stale.
    pub retained: bool,
    pub qos: Qos,
}

/// What paho's callbacks leave for the worker. They do nothing else.
#[derive(Debug)]
pub(super) struct Signals {
    ending: Mutex<Option<Ending>>,
    incoming: Sender<Incoming>,
    /// Messages lost because the app did not take them; shared by all sessions.
    overflow: Arc<AtomicU64>,
    bell: Bell,
}

impl Signals {
    pub(super) fn new(incoming: Sender<Incoming>, overflow: Arc<AtomicU64>, bell: Bell) -> Arc<Self> {
        Arc::new(Self { ending: Mutex::new(None), incoming, overflow, bell })
    }

    /// Connects the callbacks. Must precede CONNECT.
    pub(super) fn attach(self: &Arc<Self>, client: &AsyncClient) {
        let signals = Arc::clone(self);
        client.set_connection_lost_callback(move |_| signals.end(Ending::Lost));
        let signals = Arc::clone(self);
        client.set_disconnected_callback(move |_, _, code| signals.end(Ending::ByBroker(code as u8)));
        let signals = Arc::clone(self);
        client.set_message_callback(move |_, message| {
            if let Some(message) = message {
                signals.deliver(&message);
            }
        });
    }

    /// The first word on how it ended is the true one.
    fn end(&self, ending: Ending) {
        self.ending.lock().get_or_insert(ending);
        self.bell.ring();
    }

    fn deliver(&self, message: &Message) {
        let qos = match message.qos() {
            paho_mqtt::QoS::AtMostOnce => Qos::AtMostOnce,
            paho_mqtt::QoS::AtLeastOnce | paho_mqtt::QoS::ExactlyOnce => Qos::AtLeastOnce,
        };
        let incoming = Incoming {
            topic: message.topic().to_owned(),
            payload: message.payload().to_owned(),
            retained: message.retained(),
            qos,
        };
        if self.incoming.try_send(incoming).is_err() {
            self.overflow.fetch_add(1, Ordering::Relaxed);
            self.bell.ring();
        }
    }
}

/// A live connection. Dropping it says DISCONNECT if the socket can take it, and closes.
pub(super) struct Session {
    client: AsyncClient,
    /// After the client: paho must be gone before the relay closes.
    relay: Option<Relay>,
    signals: Arc<Signals>,
    window: Window,
    probe_filter: String,
    told_refusal: bool,
    component: &'static str,
}

impl Session {
    pub(super) fn new(settings: &Settings, accepted: Accepted, signals: Arc<Signals>, now: Instant) -> Self {
        Self {
            client: accepted.client,
            relay: accepted.relay,
            signals,
            window: Window::new(accepted.receive_max, now),
            probe_filter: format!("vigia/probe/{}", settings.broker.client_id.replace(['+', '#', '/'], "_")),
            told_refusal: false,
            component: settings.component,
        }
    }

    pub(super) fn subscribe(&self, filter: &str, qos: Qos) -> Token {
        self.client.subscribe(filter, qos.level())
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        *self.signals.ending.lock()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.window.len()
    }

    pub(super) fn oldest_age(&self, now: Instant) -> Duration {
        self.window.oldest_age(now)
    }

    /// Looks at what has been acknowledged; true if the window has more room now.
    pub(super) fn settle(&mut self, outbox: &Outbox, waker: &Waker, now: Instant) -> bool {
        let before = self.window.len();
        let Findings { broken, refused } = self.window.settle(outbox, waker, now);
        if broken {
            self.signals.end(Ending::Lost);
        }
        if let Some(why) = refused {
            self.tell_refusal(&why);
        }
        self.window.len() < before
    }

    /// Hands messages to paho until the window is full or none waits.
    pub(super) fn fill(&mut self, outbox: &Outbox, now: Instant) {
        while !self.window.is_full() {
            let Some(entry) = outbox.take(self.window.urgent_only()) else { return };
            if !self.hand_over(entry, outbox, now) {
                return;
            }
        }
    }

    /// False if paho takes no more for now.
    fn hand_over(&mut self, entry: Entry, outbox: &Outbox, now: Instant) -> bool {
        let qos = entry.qos;
        let message = Message::from((&*entry.topic, entry.payload.as_slice(), qos.level(), entry.retain));
        let error = match self.client.try_publish(message) {
            Ok(token) => {
                self.window.admit(entry, (qos == Qos::AtLeastOnce).then_some(token), now);
                return true;
            }
            Err(Error::Publish(code, _message)) => Error::from_return_code(code),
            Err(other) => other,
        };
        match error {
            Error::Disconnected => {
                outbox.put_back(entry, false);
                self.signals.end(Ending::Lost);
                false
            }
            Error::MaxBufferedMessages | Error::MaxMessagesInflight | Error::NoMoreMsgIds => {
                outbox.put_back(entry, false);
                false
            }
            // paho will not take it now or later, for instance a topic with control
            // characters: keeping it would block the queue for ever.
            other => {
                self.tell_refusal(&format!("{}: {other}", entry.topic));
                outbox.settle(entry.class, Outcome::Failed);
                outbox.recycle(entry.payload);
                true
            }
        }
    }

    /// Sends a probe if one is due; returns the time until the next one is.
    pub(super) fn probe(&mut self, now: Instant, idle_every: Duration, hurry: bool) -> Duration {
        let due_in = self.window.probe_due_in(now, idle_every, hurry);
        if due_in > Duration::ZERO {
            return due_in;
        }
        let token = self.client.unsubscribe(self.probe_filter.as_str());
        self.window.probe_sent(token, now);
        idle_every
    }

    /// Ends the connection and returns what it owes.
    pub(super) fn close(mut self, outbox: &Outbox, waker: &Waker, now: Instant) {
        self.window.settle(outbox, waker, now);
        drop(self.client);
        drop(self.relay);
        self.window.give_back(outbox);
    }

    fn tell_refusal(&mut self, why: &str) {
        if !std::mem::replace(&mut self.told_refusal, true) {
            tracing::warn!(component = self.component, event = "mqtt_publish_refused", %why, "the broker refuses it");
        }
    }
}
