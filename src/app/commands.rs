//! A message from the command topic becomes a command, or a refusal, or nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::config::{InstanceId, Role};
use vigia_core::control::{
    Ack, Admission, Begun, Code, Command, Echo, Effect, Envelope, FrameRef, Input, Limits, Opened, Refusal,
    RequestId, Saved, Ticket, open, trace_id,
};
use vigia_core::control::{Class as CommandClass, Desired, Overlay};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use super::{App, End};
use crate::clock;
use crate::control::journal::{self, JournalError};
use crate::mqtt::Incoming;

/// Senders' clocks may be this far ahead of ours.
pub(super) const AHEAD_MAX: Duration = Duration::from_secs(60);
/// A signed command is not taken later than this after it was issued.
const SIGNED_AGE_MAX: Duration = Duration::from_secs(300);

/// A command without its final answer.
pub(super) struct InHand {
    pub ticket: Ticket,
    pub arrived: Instant,
    pub digest: u64,
    /// The ledger knows it under its request id: its answer will be kept there. An envelope that was
    /// refused never got so far, and may carry the id of another request.
    pub booked: bool,
    /// As the audit shows them.
    pub params: Value,
    pub role: Option<Role>,
    pub key_id: Option<String>,
    /// When its sender says to have sent it.
    pub issued: Option<Utc>,
    /// Of the command, where it could be read.
    pub class: Option<CommandClass>,
    /// What the instance is to be if it succeeds.
    pub next: Option<Desired>,
    /// The commands of a batch.
    pub batch: Vec<Command>,
    pub effect: Effect,
}

/// What waits for the journal.
pub(super) enum Waiting {
    Answer { ack: Box<Ack>, booked: bool },
    History(Box<InHand>),
}

impl App {
    /// A message of the broker's: a command, or the state of another instance.
    pub(super) fn take(&mut self, message: &Incoming) -> Option<End> {
        if message.topic != self.config.control.command_topic {
            self.peer(message);
            return None;
        }
        if !self.governor.admits(clock::now()) {
            let ignored = self.governor.ignored;
            if ignored.is_power_of_two() {
                tracing::warn!(
                    component = "control_plane",
                    event = "command_flood",
                    ignored,
                    "more commands than anybody needs; the rest is not looked at"
                );
            }
            return None;
        }
        // It may be here before the word that the link is up; nothing is carried out before the start.
        self.launch("the broker answered");
        let own = InstanceId::parse(&self.voices.load().identity.instance_id).ok()?;
        let signs = !self.config.control.keys.is_empty();
        let limits =
            Limits { now: clock::utc(), ahead_max: AHEAD_MAX, age_max: signs.then_some(SIGNED_AGE_MAX) };
        match open(&message.payload, message.retained, &own, &limits) {
            Opened::Unreadable(why) => {
                tracing::error!(component = "control_plane", event = "json_decode_error", %why, "unreadable command");
                None
            }
            Opened::Retained => {
                tracing::warn!(
                    component = "control_plane",
                    event = "command_retained",
                    "a retained command is ignored"
                );
                None
            }
            Opened::NotForUs => {
                tracing::debug!(component = "control_plane", event = "command_filtered", "not for us");
                None
            }
            Opened::Refused { echo, refusal } => {
                let hand = self.hand(echo);
                self.refuse(hand, refusal);
                None
            }
            Opened::Accepted(envelope) => self.accepted(&envelope),
        }
    }

    pub(super) fn hand(&self, echo: Echo) -> InHand {
        let voice = self.voices.load();
        let ticket = Ticket {
            instance_id: voice.identity.instance_id.clone(),
            client_id: voice.identity.client_id.clone(),
            trace_id: trace_id(&echo.command, fastrand::u32(..)),
            echo,
        };
        InHand {
            ticket,
            arrived: clock::now(),
            digest: 0,
            booked: false,
            params: Value::Null,
            role: None,
            key_id: None,
            issued: None,
            class: None,
            next: None,
            batch: Vec::new(),
            effect: Effect::default(),
        }
    }

    fn accepted(&mut self, envelope: &Envelope) -> Option<End> {
        let mut hand = self.hand(envelope.echo.clone());
        hand.digest = envelope.digest();
        hand.params = envelope.shown_params();
        hand.issued = envelope.issued_at;
        hand.key_id = envelope.signature.as_ref().map(|s| s.key_id.clone());
        let (command, trace_id) = (&hand.ticket.echo.command, &hand.ticket.trace_id);
        tracing::info!(component = "control_plane", event = "command_received", command, trace_id, params = %hand.params, "command received");
        if !self.is_new(&mut hand) {
            return None;
        }
        self.publish_ack(&hand.ticket.received(clock::utc()), false);
        match self.permitted(envelope, &mut hand) {
            Ok(command) => self.admit(hand, &command),
            Err(refusal) => {
                self.refuse(hand, refusal);
                None
            }
        }
    }

    /// A request that was seen before gets its stored answer, or the answer that is to come.
    pub(super) fn is_new(&mut self, hand: &mut InHand) -> bool {
        let Some(id) = &hand.ticket.echo.request_id else { return true };
        let refusal = match self.ledger.begin(clock::utc(), id, hand.digest) {
            Begun::New => {
                hand.booked = true;
                return true;
            }
            Begun::InProgress => {
                tracing::info!(
                    component = "control_plane",
                    event = "command_repeated",
                    trace_id = hand.ticket.trace_id,
                    "its answer is still to come"
                );
                return false;
            }
            Begun::Done(stored) => {
                let stored = stored.to_owned();
                self.publish_ack_text(&stored);
                return false;
            }
            Begun::Refused(refusal) => refusal,
        };
        let ack = hand.ticket.error(clock::utc(), Duration::ZERO, &refusal, None);
        let audit = Some(hand.audit(&ack));
        self.scribe.write(journal::Entry { audit, ..journal::Entry::default() });
        self.publish_ack(&ack, true);
        false
    }

    fn permitted(&self, envelope: &Envelope, hand: &mut InHand) -> Result<Command, Refusal> {
        let role = self.keys.role(envelope.signature.as_ref())?;
        hand.role = Some(role);
        let command = envelope.command(&self.active)?;
        hand.class = Some(command.class());
        command.permit(role)?;
        Ok(command)
    }

    fn admit(&mut self, hand: InHand, command: &Command) -> Option<End> {
        let (name, trace_id) = (command.name(), hand.ticket.trace_id.as_str());
        tracing::info!(
            component = "control_plane",
            event = "command_executing",
            command = name,
            trace_id,
            "executing"
        );
        match self.machine.admit(command) {
            Admission::Now => return self.at_once(hand, command),
            Admission::Enqueue(work) => {
                self.note_begun(&hand);
                self.step(Input::Claimed(work));
                self.enqueue(hand, command);
            }
            Admission::Refuse(refusal) => {
                if *command == Command::Restart {
                    tracing::warn!(
                        component = "pipeline_manager",
                        event = "restart_rejected",
                        reason = "restart_in_progress",
                        trace_id,
                        "{refusal}"
                    );
                }
                self.refuse(hand, refusal);
            }
        }
        None
    }

    /// Queries and gates.
    fn at_once(&mut self, mut hand: InHand, command: &Command) -> Option<End> {
        match command {
            Command::Pause { sources, timeout, .. } => {
                let input = Input::Pause { sources: sources.clone(), timeout: *timeout };
                self.gate_command(hand, command, input);
            }
            Command::Resume { sources } => {
                let input = Input::Resume { sources: sources.clone(), streams: self.desired.source_ids() };
                self.gate_command(hand, command, input);
            }
            Command::Stop => {
                self.stopping = Some(hand);
                return Some(End::Asked);
            }
            Command::CancelBuild => self.cancel_build(hand),
            Command::Status => {
                self.publish_status(self.machine.status(), json!({}));
                self.finish(hand, Ok(()));
            }
            Command::Ping => {
                self.pong();
                self.finish(hand, Ok(()));
            }
            Command::Metrics => {
                let outcome = self.publish_report();
                self.finish(hand, outcome);
            }
            Command::Health => {
                self.publish_health();
                self.finish(hand, Ok(()));
            }
            Command::History { limit, since, command } => {
                let number = self.scribe.read(*limit, *since, *command);
                hand.class = Some(CommandClass::Query);
                self.waiting.insert(number, Waiting::History(Box::new(hand)));
            }
            Command::Why { .. } | Command::Pump(_) => self.fire_command(hand, command),
            Command::Update(action) => self.update_command(hand, action),
            Command::FactoryReset { confirm } => self.reset_command(hand, confirm),
            Command::SupportBundle => self.support_command(hand),
            _ => self.refuse(hand, Refusal::new(Code::Failed, "it can't be served at once")),
        }
        None
    }

    fn gate_command(&mut self, mut hand: InHand, command: &Command, input: Input) {
        if let Err(refusal) = self.desired.apply(command, &self.config) {
            return self.refuse(hand, refusal);
        }
        let silences = matches!(input, Input::Pause { .. });
        let before = self.paused_sources();
        self.step(input);
        let paused = self.paused_sources();
        if silences {
            let outbox = self.voices.load().outbox.clone();
            let last =
                |id: &u32| Some(FrameRef { source_id: *id, frame_id: outbox.handed(*id)?, timestamp: None });
            hand.effect.last_frame =
                paused.iter().filter(|id| !before.contains(id)).filter_map(last).collect();
        }
        hand.effect.paused_sources = Some(paused);
        self.finish(hand, Ok(()));
    }

    pub(super) fn paused_sources(&self) -> Vec<u32> {
        self.machine.pauses().paused_sources(&self.desired.source_ids())
    }

    pub(super) fn refuse(&mut self, hand: InHand, refusal: Refusal) {
        self.finish(hand, Err(refusal));
    }

    /// The final answer. A query's goes out at once; all others are on the disk before.
    pub(super) fn finish(&mut self, hand: InHand, outcome: Result<(), Refusal>) {
        let (now, took) = (clock::utc(), clock::now().since(hand.arrived));
        let effect = (hand.effect != Effect::default()).then(|| hand.effect.clone());
        let ack = match &outcome {
            Ok(()) => hand.ticket.completed(now, took, effect),
            Err(refusal) => hand.ticket.error(now, took, refusal, effect),
        };
        let (command, trace_id) = (ack.command.as_str(), ack.trace_id.as_str());
        match &outcome {
            Ok(()) => {
                tracing::info!(
                    component = "control_plane",
                    event = "command_completed",
                    command,
                    trace_id,
                    duration_ms = ack.duration_ms,
                    "completed"
                );
            }
            Err(refusal) => {
                let event = if refusal.code == Code::UnknownCommand {
                    "command_not_available"
                } else {
                    "command_failed"
                };
                tracing::warn!(
                    component = "control_plane",
                    event,
                    command,
                    trace_id,
                    code = refusal.code.name(),
                    "{refusal}"
                );
            }
        }
        let booked = hand.booked;
        if hand.class == Some(CommandClass::Query) && outcome.is_ok() {
            return self.publish_final(&ack, booked);
        }
        let text = serde_json::to_string(&ack).unwrap_or_default();
        let entry = journal::Entry {
            desired: (outcome.is_ok() && hand.class.is_some()).then(|| self.saved()),
            answer: hand.answer(Some(text)),
            audit: Some(hand.audit(&ack)),
        };
        let number = self.scribe.write(entry);
        self.waiting.insert(number, Waiting::Answer { ack: Box::new(ack), booked });
    }

    /// From here on who asks again is answered, too. Not before: what is not on the disk may be done again.
    fn publish_final(&mut self, ack: &Ack, booked: bool) {
        let id = ack.request_id.as_deref().filter(|_| booked).and_then(|id| RequestId::parse(id).ok());
        if let Some(id) = id {
            self.ledger.finish(&id, serde_json::to_string(ack).unwrap_or_default());
        }
        self.publish_ack(ack, true);
    }

    /// Long commands are noted before they begin: after a crash their senders hear of it.
    pub(super) fn note_begun(&mut self, hand: &InHand) {
        if let Some(answer) = hand.answer(None) {
            self.scribe.write(journal::Entry { answer: Some(answer), ..journal::Entry::default() });
        }
    }

    /// What commands changed, and apart from it the addresses that hold passwords.
    fn saved(&self) -> (String, BTreeMap<u32, String>) {
        let overlay = Overlay::of(&self.desired, &self.config);
        let address = |id: u32| Some((id, self.desired.stream(id)?.uri.expose().to_owned()));
        let secrets = overlay.secret_sources().into_iter().filter_map(address).collect();
        let saved = Saved::new(overlay, self.machine.pauses(), clock::now(), clock::utc());
        (serde_json::to_string(&saved).unwrap_or_default(), secrets)
    }

    /// The journal has written, or read.
    pub(super) fn written(&mut self, number: u64, outcome: Result<Vec<Value>, JournalError>) {
        let failed = outcome.as_ref().err().map(ToString::to_string);
        if let Some(why) = &failed {
            tracing::error!(component = "journal", event = "journal_failed", "{why}");
        }
        match (self.waiting.remove(&number), outcome) {
            (Some(Waiting::Answer { mut ack, booked }), outcome) => {
                if let Err(why) = outcome {
                    ack.message = format!("{}not kept for the next start: {why}", prefix(&ack.message));
                }
                self.publish_final(&ack, booked);
            }
            (Some(Waiting::History(hand)), Ok(entries)) => {
                self.publish_history(&entries);
                self.finish(*hand, Ok(()));
            }
            (Some(Waiting::History(hand)), Err(why)) => {
                self.refuse(*hand, Refusal::new(Code::Failed, why.to_string()));
            }
            (None, _) => {}
        }
    }
}

fn prefix(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!("{message}; ") }
}
