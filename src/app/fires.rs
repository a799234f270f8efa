//! Orders to the pump and questions about fires: whoever asks, by whichever topic, is judged here.
//!
//! An order reaches the pump only from an identity that the site lists in `pump.orders_from`, with the
//! role of its key, not retained, and not older than ten seconds. All of them are answered and audited
//! like commands.

use std::time::Duration;

use serde_json::{Map, Value, json};
use vigia_core::config::{InstanceId, Role, UNSIGNED};
use vigia_core::control::{
    Code, Command, Echo, Envelope, Limits, Opened, PumpAction, Refusal, Signature, open,
};
use vigia_core::pump::{self, ORDER_AGE_S_MAX, Order};

use super::App;
use super::commands::{AHEAD_MAX, InHand};
use crate::clock;
use crate::fire::why::Query;
use crate::fire::{Told, Wish};
use crate::mqtt::{Class, Incoming, Qos};

/// Larger orders are not read.
const ORDER_BYTES_MAX: usize = 4_096;
const ORDER_AGE_MAX: Duration = Duration::from_secs(ORDER_AGE_S_MAX);

/// A question without an answer.
pub(super) struct Asked {
    hand: InHand,
    /// The answer is published before it is acknowledged.
    told_on: Option<Topic>,
}

#[derive(Clone, Copy)]
enum Topic {
    Why,
    Pump,
}

impl App {
    /// Commands about fires and the pump. The role was looked at.
    pub(super) fn fire_command(&mut self, mut hand: InHand, command: &Command) {
        match command {
            Command::Why { camera, at, limit } => {
                let query = Query { camera: camera.clone(), at: *at, limit: *limit };
                let number = self.note(hand, Some(Topic::Why));
                if let Some(fire) = &self.fire {
                    fire.why(number, query);
                }
            }
            Command::Pump(PumpAction::Status) => {
                // It changes nothing, so there is nothing to keep of it.
                hand.class = Some(vigia_core::control::Class::Query);
                self.wish(hand, Wish::Status, Some(Topic::Pump));
            }
            Command::Pump(PumpAction::Order(order)) => match self.trusted(&hand) {
                Ok(role) => self.wish(hand, Wish::Order(*order, pump_role(role)), None),
                Err(refusal) => self.refuse(hand, refusal),
            },
            _ => self.refuse(hand, Refusal::new(Code::Failed, "it is about neither fires nor the pump")),
        }
    }

    fn note(&mut self, hand: InHand, told_on: Option<Topic>) -> u64 {
        self.asks += 1;
        let number = self.asks;
        self.asked.insert(number, Asked { hand, told_on });
        number
    }

    fn wish(&mut self, hand: InHand, what: Wish, told_on: Option<Topic>) {
        let number = self.note(hand, told_on);
        if self.fire.as_ref().is_some_and(|fire| fire.ask(number, what)) {
            return;
        }
        if let Some(asked) = self.asked.remove(&number) {
            self.refuse(asked.hand, Refusal::new(Code::Unavailable, "this box has no pump"));
        }
    }

    /// Whether this sender's orders may reach the pump, and in which role.
    fn trusted(&self, hand: &InHand) -> Result<Role, Refusal> {
        let who = hand.key_id.as_deref().unwrap_or(UNSIGNED);
        let listed =
            self.config.pump.as_ref().is_some_and(|pump| pump.orders_from.iter().any(|id| id == who));
        let role = hand.role.filter(|_| listed).ok_or_else(|| {
            let text = format!("this site takes no orders to the pump from {who}: see pump.orders_from");
            Refusal::new(Code::Forbidden, text)
        })?;
        let age_ns = hand.issued.map_or(0, |at| clock::utc().as_unix_ns() - at.as_unix_ns());
        if u128::try_from(age_ns).is_ok_and(|ns| ns > ORDER_AGE_MAX.as_nanos()) {
            let text = format!("orders to the pump are taken for {ORDER_AGE_S_MAX} s after they were issued");
            return Err(Refusal::new(Code::Expired, text));
        }
        Ok(role)
    }

    /// The threads of fires tell.
    pub(super) fn told(&mut self, told: Told) {
        let (number, result) = match told {
            Told::Changed => {
                self.stale = true;
                return;
            }
            Told::Answer { number, result } => (number, result),
        };
        let Some(Asked { hand, told_on }) = self.asked.remove(&number) else { return };
        if let (Ok(payload), Some(topic)) = (&result, told_on) {
            let voice = self.voices.load_full();
            let topic = match topic {
                Topic::Why => &voice.identity.why_topic,
                Topic::Pump => &voice.identity.pump_topic,
            };
            self.say(Class::Status, topic, Qos::AtLeastOnce, false, payload);
        }
        self.finish(hand, result.map(drop));
    }

    /// A message on `fire/emergency` or `fire/trigger`.
    pub(super) fn hear_order(&mut self, message: &Incoming) {
        let Some(host) = self.fire.as_ref().map(|fire| fire.host.clone()) else { return };
        let is_water = message.topic == self.config.topic("fire/trigger");
        if message.retained {
            tracing::warn!(
                component = "fire",
                event = "order_retained",
                topic = message.topic,
                "a retained order is ignored"
            );
            return;
        }
        if !self.governor.admits(clock::now()) {
            return;
        }
        if is_water && !self.is_for_us(&message.payload, &host) {
            return;
        }
        match self.opened(message) {
            Some(Opened::Accepted(envelope)) => self.ordered(&envelope, message, is_water),
            Some(Opened::Refused { echo, refusal }) => {
                let hand = self.hand(echo);
                self.refuse(hand, refusal);
            }
            Some(Opened::Unreadable(why)) => {
                tracing::warn!(component = "fire", event = "order_unreadable", topic = message.topic, %why, "unreadable order");
            }
            Some(Opened::Retained | Opened::NotForUs) | None => {}
        }
    }

    /// What boxes say to each other on the same topic, this one included, is no order.
    fn is_for_us(&self, payload: &[u8], host: &str) -> bool {
        let value = serde_json::from_slice::<Value>(payload).unwrap_or_default();
        let signed = value.get("signed").is_some();
        let unsigned =
            self.config.pump.as_ref().is_some_and(|p| p.orders_from.iter().any(|id| id == UNSIGNED));
        let own = value["service_id"] == host && value.get("trigger_id").is_some();
        signed || (unsigned && !own)
    }

    fn opened(&self, message: &Incoming) -> Option<Opened> {
        if message.payload.len() > ORDER_BYTES_MAX {
            let text =
                format!("Order has {} bytes, at most {ORDER_BYTES_MAX} are read", message.payload.len());
            let refusal = Refusal::new(Code::TooLarge, text);
            return Some(Opened::Refused { echo: Echo::default(), refusal });
        }
        let own = InstanceId::parse(&self.voices.load().identity.instance_id).ok()?;
        let limits = Limits { now: clock::utc(), ahead_max: AHEAD_MAX, age_max: Some(ORDER_AGE_MAX) };
        let opened = open(&message.payload, message.retained, &own, &limits);
        // A bare word is no JSON, and was good enough for the old controller.
        if matches!(opened, Opened::Unreadable(_)) && Order::from_payload(&message.payload).is_some() {
            return Some(Opened::Accepted(bare()));
        }
        Some(opened)
    }

    fn ordered(&mut self, envelope: &Envelope, message: &Incoming, is_water: bool) {
        let mut hand = self.hand(Echo { command: "pump".to_owned(), ..envelope.echo.clone() });
        let text = envelope.signature.as_ref().map_or(message.payload.as_slice(), |s| s.text.as_bytes());
        let order = if is_water { None } else { Order::from_payload(text) };
        hand.params = json!({ "topic": message.topic, "order": order });
        hand.digest = envelope.digest();
        hand.issued = envelope.issued_at;
        hand.key_id = envelope.signature.as_ref().map(|s| s.key_id.clone());
        let trace_id = &hand.ticket.trace_id;
        tracing::warn!(component = "fire", event = "order_received", trace_id, params = %hand.params, "order received");
        if !self.is_new(&mut hand) {
            return;
        }
        self.publish_ack(&hand.ticket.received(clock::utc()), false);
        let wish = self.judged(&mut hand, envelope.signature.as_ref(), order, is_water);
        match wish {
            Ok(wish) => {
                hand.class = Some(vigia_core::control::Class::Gate);
                self.wish(hand, wish, None);
            }
            Err(refusal) => self.refuse(hand, refusal),
        }
    }

    fn judged(
        &self,
        hand: &mut InHand,
        signature: Option<&Signature>,
        order: Option<Order>,
        is_water: bool,
    ) -> Result<Wish, Refusal> {
        hand.role = Some(self.keys.role(signature)?);
        let role = self.trusted(hand)?;
        let (wish, needed) = match order {
            Some(order) => (Wish::Order(order, pump_role(role)), PumpAction::Order(order).role()),
            None if is_water => (Wish::Water, PumpAction::Order(Order::Start).role()),
            None => return Err(Refusal::new(Code::InvalidParam, "it names no order, or two different ones")),
        };
        if role < needed {
            let text = format!("this needs the role {}, the sender is {}", needed.name(), role.name());
            return Err(Refusal::new(Code::Forbidden, text));
        }
        Ok(wish)
    }
}

fn bare() -> Envelope {
    Envelope { echo: Echo::default(), params: Map::new(), issued_at: None, expires_at: None, signature: None }
}

fn pump_role(role: Role) -> pump::Role {
    match role {
        Role::Viewer => pump::Role::View,
        Role::Operator => pump::Role::Operate,
        Role::Technician => pump::Role::Arm,
        Role::Admin => pump::Role::Maintain,
    }
}
