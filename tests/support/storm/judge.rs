//! Holds what an instance says against the reference: answers in their order, detections between them,
//! and its own account of itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::books::{Fact, wall};
use super::model::{Codes, State, Unclear, Wall};
use super::order::Order;

/// A thread may be put aside for this long between making a detection and handing it over.
const SLACK_NS: Wall = 250_000_000;
/// Whoever fails with one of these had been at work.
const AT_WORK: [&str; 5] = ["unreachable", "unknown_model", "batch_failed", "rolled_back", "interrupted"];

/// A detection that must not be, unless a command whose answer is still to come explains it.
#[derive(Debug)]
struct Suspect {
    made: Wall,
    what: Odd,
    event: String,
}

#[derive(Debug, Clone, Copy)]
enum Odd {
    /// Of a room that is paused or not there.
    Silent(u32),
    /// Of a model that is not at work.
    Model,
}

#[derive(Debug)]
pub struct Judge {
    /// What may be so. More than one only after a kill, until the status tells which.
    states: Vec<State>,
    suspects: Vec<Suspect>,
    /// The last detection of each room.
    last_frames: BTreeMap<u32, u64>,
}

impl Judge {
    pub fn new() -> Self {
        Self { states: vec![State::configured()], suspects: Vec::new(), last_frames: BTreeMap::new() }
    }

    /// What is so, or one of what may be.
    pub fn state(&self) -> &State {
        &self.states[0]
    }

    /// The first final answer to an order; answers come in the order of their effects. `open`: orders
    /// that wait for theirs.
    pub fn fact<'o>(
        &mut self,
        fact: &Fact,
        open: impl Iterator<Item = &'o Order> + Clone,
    ) -> Result<(), String> {
        let code = fact.code.as_deref();
        if code == Some("busy") {
            let is_right = fact.order.is_long() && open.clone().any(Order::is_long);
            return if is_right { Ok(()) } else { Err("nothing keeps it busy".to_owned()) };
        }
        if code.is_none_or(|code| AT_WORK.contains(&code)) {
            self.excuse(&fact.order, fact.arrived - SLACK_NS);
        }
        if matches!(fact.order, Order::Pause { .. }) {
            self.check_last_frames(&fact.effect, open)?;
        }
        let (mut next, mut why) = (Vec::new(), String::new());
        for state in &self.states {
            let fitting = if code == Some("interrupted") {
                either(state, fact)
            } else {
                fits(state, fact).map(|s| vec![s])
            };
            match fitting {
                Ok(states) => next.extend(states),
                Err(unfit) => why = unfit,
            }
        }
        next.dedup();
        if next.is_empty() {
            return Err(why);
        }
        self.states = next;
        Ok(())
    }

    /// The evidence of a pause is what was heard last, unless the room was opened again meanwhile.
    fn check_last_frames<'o>(
        &self,
        effect: &Value,
        open: impl Iterator<Item = &'o Order> + Clone,
    ) -> Result<(), String> {
        for frame in effect["last_frame"].as_array().into_iter().flatten() {
            let room = frame["source_id"].as_u64().and_then(|id| u32::try_from(id).ok());
            let (Some(room), Some(told)) = (room, frame["frame_id"].as_u64()) else {
                return Err("its evidence can't be read".to_owned());
            };
            let heard = self.last_frames.get(&room).copied().filter(|heard| *heard != told);
            if let Some(heard) = heard
                && !open.clone().any(|order| order.may_open(room))
            {
                return Err(format!("the last frame heard of room {room} is {heard}"));
            }
        }
        Ok(())
    }

    /// A detection as it came. `judged`: answers are being heard in their order.
    pub fn detection(&mut self, event: &Value, judged: bool) -> Result<(), String> {
        let room = event["source_id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let (captured, latency_ms) = (wall(&event["timestamp"]), event["latency_ms"].as_f64());
        let (model, frame) = (event["model_id"].as_str(), event["frame_id"].as_u64());
        let (Some(room), Some(captured), Some(latency_ms), Some(model), Some(frame)) =
            (room, captured, latency_ms, model, frame)
        else {
            return Err("a detection can't be read".to_owned());
        };
        self.last_frames.insert(room, frame);
        if !judged {
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "minutes fit in nanoseconds")]
        let made = captured + (latency_ms * 1e6) as Wall;
        let is_silent = |state: &State| state.at(made + SLACK_NS).is_silent(room);
        let silent = self.states.iter().all(is_silent).then_some(Odd::Silent(room));
        let other = self.states.iter().all(|state| state.model != model).then_some(Odd::Model);
        let suspect = |what| Suspect { made, what, event: event.to_string() };
        self.suspects.extend(silent.into_iter().chain(other).map(suspect));
        Ok(())
    }

    fn excuse(&mut self, order: &Order, since: Wall) {
        self.suspects.retain(|suspect| {
            let explains = match suspect.what {
                Odd::Silent(room) => order.may_open(room),
                Odd::Model => order.may_swap(),
            };
            !explains || suspect.made < since
        });
    }

    /// Answers that are open will not be heard in their order, or none is open.
    pub fn nothing_odd<'o>(&mut self, open: impl Iterator<Item = &'o Order>) -> Result<(), String> {
        open.for_each(|order| self.excuse(order, Wall::MIN));
        let odd = self.suspects.first();
        let odd =
            odd.map(|Suspect { what, event, .. }| format!("a detection must not be ({what:?}): {event}"));
        self.suspects.clear();
        odd.map_or(Ok(()), Err)
    }

    /// What was lost with a connection was not heard.
    pub fn forget_frames(&mut self) {
        self.last_frames.clear();
    }

    /// Holds an answer to `ping` against what may be so, which then is so.
    pub fn pong(&mut self, pong: &Value) -> Result<Result<(), Unclear>, String> {
        let at = wall(&pong["timestamp"]).ok_or("its timestamp can't be read")?;
        let (mut fitting, mut why) = (Vec::new(), String::new());
        for state in &self.states {
            match state.difference(pong, at) {
                Ok(None) => fitting.push(state.clone()),
                Ok(Some(difference)) => why = difference,
                Err(unclear) => return Ok(Err(unclear)),
            }
        }
        if fitting.is_empty() {
            return Err(why);
        }
        self.states = fitting;
        Ok(Ok(()))
    }
}

/// It was in hand when the process died: all of it was done, or nothing.
fn either(state: &State, fact: &Fact) -> Result<Vec<State>, String> {
    if !fact.order.is_long() {
        return Err("what is served at once can't be interrupted".to_owned());
    }
    let done = state.after(&fact.order, fact.arrived).ok().map(|done| done.state);
    Ok(std::iter::once(state.clone()).chain(done).collect())
}

/// The state after an answer, if the answer is right.
fn fits(state: &State, fact: &Fact) -> Result<State, String> {
    let done = match (state.after(&fact.order, fact.arrived), fact.code.as_deref()) {
        (Ok(done), None) => done,
        // Nothing was processed since the start.
        (Ok(done), Some("unavailable")) if matches!(fact.order, Order::Query("metrics", _)) => done,
        (Err(codes), Some(code)) if codes.contains(&code) => return Ok(state.clone()),
        (Ok(_), Some(code)) => return Err(format!("it ended with {code}, the reference carries it out")),
        (Err(codes), code) => return Err(format!("it ended with {code:?}, the reference expects {codes:?}")),
    };
    let effect = &fact.effect;
    if (effect["unchanged"] == true) != done.unchanged {
        return Err(format!("unchanged is {}, the reference says {}", effect["unchanged"], done.unchanged));
    }
    let told = &effect["paused_sources"];
    if matches!(fact.order, Order::Pause { .. } | Order::Resume { .. })
        && done.state.pauses_fit(told, fact.at) == Some(false)
    {
        return Err(format!("paused_sources is {told}, the reference says {:?}", done.state));
    }
    if matches!(fact.order, Order::Batch { .. }) {
        let results: Vec<_> = effect["results"].as_array().into_iter().flatten().collect();
        let fits = |(told, want): (&&Value, &Result<(), Codes>)| match want {
            Ok(()) => told["ack_status"] == "completed",
            Err(codes) => told["code"].as_str().is_some_and(|code| codes.contains(&code)),
        };
        if results.len() != done.results.len() || !results.iter().zip(&done.results).all(fits) {
            return Err(format!("results are {results:?}, the reference says {:?}", done.results));
        }
    }
    Ok(done.state)
}
