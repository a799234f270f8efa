//! A new name: a new connection with its own last will, and no ghost of the old one.
//!
//! The detector works on. The new connection is up before the old one goes; detections change over
//! between two events; the old one says everything that waits before the final answer is given.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::config::InstanceId;
use vigia_core::control::{Code, Input, Refusal};

use super::App;
use super::desk::Job;
use super::voice::Voice;
use crate::clock;
use crate::liveness::Part;
use crate::mqtt::{Class, Incoming, Link, Qos, Settings, Worker};
use crate::wire::Identity;

/// How long the broker has to answer a second connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Names of other instances that are remembered.
const PEERS_MAX: usize = 1_024;

impl App {
    /// The state of another instance: its name is taken while it lives.
    pub(super) fn peer(&mut self, message: &Incoming) {
        let prefix = format!("{}/", self.config.control.status_topic);
        let Some(name) = message.topic.strip_prefix(&prefix) else { return };
        if name == self.voices.load().identity.instance_id || name.contains('/') {
            return;
        }
        let status = serde_json::from_slice::<Value>(&message.payload).unwrap_or_default();
        let lives = status["status"].as_str().is_some_and(|s| s != "disconnected");
        let room = self.peers.len() < PEERS_MAX;
        if self.peers.contains_key(name) || (lives && room) {
            self.peers.insert(name.to_owned(), lives);
        }
    }

    pub(super) fn plan_rename(&self, name: &str) -> Result<Option<Job>, Refusal> {
        let now = self.voices.load().identity.instance_id.clone();
        if name == now {
            return Ok(None);
        }
        if self.peers.get(name) == Some(&true) {
            return Err(Refusal::new(Code::NameTaken, format!("another live instance is named {name}")));
        }
        if InstanceId::parse(name).is_err() {
            return Err(Refusal::new(Code::InvalidParam, format!("Invalid new_instance_id: {name}")));
        }
        let identity = Identity::named(&self.config, name.to_owned());
        let settings = crate::link::settings(&self.config, &identity);
        tracing::info!(
            component = "command_handlers",
            event = "rename_instance_start",
            from = now,
            to = name,
            "renaming"
        );
        Ok(Some(Job::Connect(Box::new(settings), Box::new(identity))))
    }

    /// The new connection is up, or it can't be had.
    pub(super) fn renamed(&mut self, connected: Result<(Worker, Box<Identity>), Refusal>) {
        let (worker, identity) = match connected {
            Ok(new) => new,
            Err(refusal) => {
                self.step(Input::Released);
                if let Some(hand) = self.in_hand.take() {
                    self.refuse(hand, refusal);
                }
                return;
            }
        };
        let old = self.voices.load_full();
        let outbox = worker.outbox().clone();
        self.roster.watch(Part::Mqtt, None, worker.pulse());
        outbox.set_gate(self.gate());
        self.voices.store(Arc::new(Voice { identity: *identity, outbox }));
        let retired = std::mem::replace(&mut self.worker, worker);
        // An empty retained message takes the old one away; nobody is left by that name.
        for topic in [&old.identity.status_topic, &old.identity.metrics_topic, &old.identity.update_topic] {
            let _ = old.outbox.publish_behind(Class::Status, topic, Qos::AtLeastOnce, true, |_| {});
        }
        self.renamed_from = Some(old.identity.instance_id.clone());
        self.publish_status(self.machine.status(), json!({}));
        self.say_update();
        self.desk.give(Job::Retire(Box::new(retired)));
    }

    /// The old connection has said everything and is gone.
    pub(super) fn rename_ended(&mut self) {
        self.step(Input::Released);
        let Some(mut hand) = self.in_hand.take() else { return };
        let identity = self.voices.load().identity.clone();
        hand.ticket.instance_id = identity.instance_id;
        hand.ticket.client_id = identity.client_id;
        tracing::info!(
            component = "command_handlers",
            event = "rename_instance_completed",
            to = hand.ticket.instance_id,
            "renamed"
        );
        self.finish(hand, Ok(()));
    }
}

/// A second connection to the broker.
pub(super) fn connect(settings: Settings) -> Result<Worker, Refusal> {
    let worker = Worker::start(settings).map_err(|e| Refusal::new(Code::Failed, e.to_string()))?;
    let until = clock::now().after(CONNECT_WITHIN);
    loop {
        match worker.events().recv_timeout(until.since(clock::now())) {
            Ok(Link::Connected { .. }) => return Ok(worker),
            Ok(Link::Connecting | Link::Down { .. }) => {}
            Err(_) => {
                let why = match worker.link() {
                    Link::Down { cause } => cause.to_string(),
                    Link::Connecting | Link::Connected { .. } => "no answer in time".to_owned(),
                };
                return Err(Refusal::new(Code::Failed, format!("no connection under the new name: {why}")));
            }
        }
    }
}
