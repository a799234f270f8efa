//! What the app wants of the pump, and what the pump answers.

use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::control::{Code, Refusal};
use vigia_core::link::{CommandAck, DemandAck, DemandOutcome, ToPump};
use vigia_core::pump::{Command, Demand, Refusal as Why, Source};
use vigia_core::time::Instant;

use super::{Link, telemetry};
use crate::clock;
use crate::fire::{Ask, Told, Wish};

/// How long the pump has to answer: it does so within a cycle.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Demands from the network are numbered beyond all fires that the consensus will ever count.
const WATER_FROM: u64 = 1 << 62;

impl Link {
    pub(super) fn ask(&mut self, ask: Ask) {
        let reached = self.is_welcome() && self.status.is_some();
        let age = clock::now().since(ask.given);
        let (id, body) = match ask.what {
            Wish::Status => return self.answer(ask.number, self.shown()),
            Wish::Order(order, role) => {
                let id = fastrand::u64(1..WATER_FROM);
                (id, ToPump::Command(Command { id, order, role, age, retained: false }))
            }
            Wish::Water => {
                self.waters += 1;
                let id = WATER_FROM + self.tools.next_water.saturating_mul(1 << 20) + self.waters;
                let source = Source::Network;
                let demand = Demand { id, source, age, persists: false, authorised: true, retained: false };
                (id, ToPump::Demand(demand))
            }
        };
        if !reached || self.send(body).is_none() {
            let why = format!("the pump program is not reached: {}", self.why_away);
            return self.answer(ask.number, Err(Refusal::new(Code::Unavailable, why)));
        }
        self.asks.insert(id, ask);
    }

    pub(super) fn order_answered(&mut self, ack: &CommandAck) {
        let Some(ask) = self.asks.remove(&ack.id) else { return };
        let result = match ack.refusal {
            None => Ok(json!({ "order": ack.order })),
            Some(why) => Err(refused(why)),
        };
        self.answer(ask.number, result);
    }

    pub(super) fn water_answered(&mut self, ack: &DemandAck) {
        let Some(ask) = self.asks.remove(&ack.id) else { return };
        let result = match ack.outcome {
            DemandOutcome::Accepted => Ok(json!({ "demand": ack.id })),
            DemandOutcome::Blocked { why } | DemandOutcome::Ignored { why } => Err(refused(why)),
            DemandOutcome::Fault { fault } => {
                let fault = json!(fault)["fault"].as_str().unwrap_or_default().replace('_', " ");
                Err(Refusal::new(Code::PumpRefused, format!("the pump is out of order: {fault}")))
            }
        };
        self.answer(ask.number, result);
    }

    pub(super) fn give_up_asks(&mut self, now: Instant) {
        let late = |ask: &Ask| now.since(ask.given) > ANSWER_WITHIN;
        let ids: Vec<u64> = self.asks.iter().filter(|(_, ask)| late(ask)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(ask) = self.asks.remove(&id) else { continue };
            let why = "the pump program did not answer; its status tells what is so";
            self.answer(ask.number, Err(Refusal::new(Code::Timeout, why)));
        }
    }

    fn shown(&self) -> Result<Value, Refusal> {
        match &self.status {
            Some(status) if self.is_welcome() => {
                Ok(telemetry::status(status, &self.tools.host, clock::utc()))
            }
            Some(_) | None => {
                let why = format!("the pump program is not reached: {}", self.why_away);
                Err(Refusal::new(Code::Unavailable, why))
            }
        }
    }

    fn answer(&self, number: u64, result: Result<Value, Refusal>) {
        let _ = self.tools.told.send(Told::Answer { number, result });
    }
}

fn refused(why: Why) -> Refusal {
    let text = match why {
        Why::Role { needs } => {
            return Refusal::new(Code::Forbidden, format!("the pump takes this from {needs:?} and above"));
        }
        Why::Retained => "it was kept by a broker".to_owned(),
        Why::Stale => "it is too old".to_owned(),
        Why::Unauthorised => "its source may not start water here".to_owned(),
        Why::Duplicate => "it was there before".to_owned(),
        Why::State { now } => {
            let state = json!(now).as_str().unwrap_or_default().to_owned();
            format!("not in the state {state}")
        }
        Why::NoPump => "this site has no pump".to_owned(),
        Why::NoMainValve => "this site has no main valve".to_owned(),
        Why::EngineMoving => "the engine turns, or nobody can tell that it does not".to_owned(),
        Why::CauseRemains => "what latched it is still there".to_owned(),
        Why::StopPressed => "the emergency stop must be released first".to_owned(),
        Why::NotAuto => "the selector does not stand at AUTO".to_owned(),
        Why::Disarmed => "it is disarmed".to_owned(),
        Why::BatteryLow => "the battery is low".to_owned(),
        Why::StartsSpent => "six starts an hour are spent".to_owned(),
        Why::CrankingSpent => "ninety seconds of cranking in ten minutes are spent".to_owned(),
        Why::RefillOwed => "the tank is owed water first".to_owned(),
        Why::TankLow => "the tank is low".to_owned(),
        Why::TankUnknown => "the float can't be believed".to_owned(),
        Why::Booting => "it is still starting".to_owned(),
    };
    Refusal::new(Code::PumpRefused, format!("the pump does not do this: {text}"))
}
