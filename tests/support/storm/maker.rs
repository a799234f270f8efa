//! Commands out of a seed: right ones, wrong ones, and what is no command at all.

use fastrand::Rng;
use serde_json::{Value, json};

use super::model::{CONFIGURED, DEAD, HOME, MODELS, NO_MODEL, OTHER};
use super::order::{Order, Place, Reconfigure};

/// Rooms that commands speak of: those of the site file and as many strangers.
const ROOMS: std::ops::RangeInclusive<u32> = 1..=6;
const RATES: [f64; 3] = [4.0, 6.0, 8.0];
const SHARES: [f64; 3] = [0.25, 0.5, 0.75];
const BATCH_LEN_MAX: usize = 4;
/// Above what is read of a payload.
const TOO_LARGE: usize = 300 * 1024;

/// What an instance has to make of a message.
#[derive(Debug, Clone)]
pub enum Kind {
    Order(Order),
    /// Taken in, then refused with this code; sent again, it gets the same answer.
    Wrong(&'static str),
    /// Refused at the door with this code, each time anew.
    Outside(&'static str),
    /// As before, and the answer can't name the request.
    Nameless(&'static str),
    /// Never answered.
    Deaf,
}

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: String,
    pub kind: Kind,
    pub payload: Vec<u8>,
    pub retain: bool,
}

/// Another command under the name of an earlier one.
pub fn reused(id: &str) -> Vec<u8> {
    json!({ "command": "set_fps", "params": { "max_fps": 0.125 }, "request_id": id }).to_string().into_bytes()
}

#[derive(Debug)]
pub struct Maker {
    rng: Rng,
    instance: &'static str,
    made: u64,
}

impl Maker {
    /// The same seed makes the same messages.
    pub fn new(seed: u64, instance: &'static str) -> Self {
        Self { rng: Rng::with_seed(seed), instance, made: 0 }
    }

    pub fn next(&mut self) -> Request {
        match self.rng.u32(0..100) {
            0..76 => {
                let order = self.order();
                self.of(order)
            }
            76..86 => self.wrong(),
            86..93 => self.outside(),
            93..95 => self.nameless(),
            _ => self.deaf(),
        }
    }

    /// A request for this order.
    pub fn of(&mut self, order: Order) -> Request {
        let mut message = order.json();
        if self.rng.u32(0..10) == 0 {
            let name = message["command"].as_str().unwrap_or_default().to_ascii_uppercase();
            message["command"] = json!(name);
        }
        match self.rng.u32(0..10) {
            0 => message["target_instances"] = json!([self.instance, "other"]),
            1 => message["expires_at"] = json!("2201-01-01T00:00:00Z"),
            2 => message["target_instances"] = json!(["*"]),
            _ => {}
        }
        let retain = self.rng.u32(0..50) == 0;
        Request { retain, ..self.request(Kind::Order(order), message) }
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("s-{}", self.made)
    }

    fn request(&mut self, kind: Kind, mut message: Value) -> Request {
        let id = self.name();
        message["request_id"] = json!(id);
        Request { id, kind, payload: message.to_string().into_bytes(), retain: false }
    }

    fn order(&mut self) -> Order {
        match self.rng.u32(0..100) {
            0..40 => self.gate(),
            40..66 => self.change(),
            66..72 => self.batch(),
            72..76 => Order::Reconfigure(self.reconfigure()),
            76..78 => Order::Reload,
            78 if self.rng.u32(0..4) == 0 => Order::Restart,
            78..80 => Order::Model(if self.rng.u32(0..4) == 0 { NO_MODEL } else { self.model() }),
            _ => self.query(),
        }
    }

    fn gate(&mut self) -> Order {
        let rooms = match self.rng.u32(0..10) {
            0..2 => vec![],
            2..8 => vec![self.room()],
            _ => self.rooms(),
        };
        if self.rng.bool() {
            return Order::Resume { rooms };
        }
        // Soon over, or not before the storm is.
        let seconds = *self.pick(&[None, None, Some(0.4), Some(1.0), Some(100_000.0)]);
        Order::Pause { rooms, seconds }
    }

    fn change(&mut self) -> Order {
        // A change of all takes a proof of each.
        let room = (self.rng.u32(0..4) > 0).then(|| self.room());
        match self.rng.u32(0..26) {
            0..6 => Order::Fps { fps: *self.pick(&RATES), room },
            6..10 => Order::Confidence { share: *self.pick(&SHARES), room },
            10..13 => Order::Tracking(self.rng.bool()),
            13..19 => Order::Add(self.place()),
            19..23 => Order::Remove(self.room()),
            _ => Order::Move(self.place()),
        }
    }

    fn batch(&mut self) -> Order {
        let len = self.rng.usize(1..=BATCH_LEN_MAX);
        let items = (0..len).map(|_| self.item()).collect();
        Order::Batch { items, atomic: self.rng.bool() }
    }

    fn item(&mut self) -> Order {
        match self.rng.u32(0..20) {
            0..6 => match self.gate() {
                // From when it counts inside of a batch is nobody's promise.
                Order::Pause { rooms, .. } => Order::Pause { rooms, seconds: None },
                other => other,
            },
            6..18 => self.change(),
            18 => Order::Model(self.model()),
            _ => Order::Reconfigure(self.reconfigure()),
        }
    }

    fn reconfigure(&mut self) -> Reconfigure {
        let mut some = |one_in: u32| self.rng.u32(0..one_in) == 0;
        let (model, fps, share, add, remove) = (some(12), some(2), some(3), some(2), some(2));
        Reconfigure {
            model: model.then(|| self.model()),
            fps: fps.then(|| *self.pick(&RATES)),
            share: share.then(|| *self.pick(&SHARES)),
            add: if add { vec![self.place()] } else { vec![] },
            remove: if remove { vec![self.room()] } else { vec![] },
        }
    }

    fn query(&mut self) -> Order {
        match self.rng.u32(0..10) {
            0..3 => Order::Query("ping", json!({})),
            3..5 => Order::Query("status", json!({})),
            5..7 => Order::Query("metrics", json!({})),
            7..8 => Order::Query("health", json!({})),
            _ => {
                let limit = *self.pick(&[1, 1, 1, 10, 10, 1_000]);
                Order::Query("history", json!({ "limit": limit }))
            }
        }
    }

    fn wrong(&mut self) -> Request {
        let rows = [
            ("unknown_command", json!({ "command": "dance" })),
            ("unknown_command", json!({})),
            ("missing_param", json!({ "command": "change_model" })),
            ("missing_param", json!({ "command": "set_fps", "params": { "source_id": 1 } })),
            ("missing_param", json!({ "command": "add_stream", "params": null })),
            ("missing_param", json!({ "command": "enable_tracking" })),
            ("invalid_param", json!({ "command": "pause", "params": { "source_id": true } })),
            ("invalid_param", json!({ "command": "pause", "params": { "source_ids": [] } })),
            ("invalid_param", json!({ "command": "pause", "params": { "timeout_s": 0 } })),
            ("invalid_param", json!({ "command": "resume", "params": { "source_id": "x" } })),
            ("invalid_param", json!({ "command": "set_fps", "params": { "max_fps": 0 } })),
            ("invalid_param", json!({ "command": "set_fps", "params": { "max_fps": "NaN" } })),
            ("invalid_param", json!({ "command": "set_confidence", "params": { "confidence": 1.5 } })),
            ("invalid_param", json!({ "command": "add_stream", "params": { "source_id": -1 } })),
            (
                "invalid_param",
                json!({ "command": "add_stream", "params": { "source_id": 4, "stream_uri": "nowhere" } }),
            ),
            ("invalid_param", json!({ "command": "change_model", "params": { "model_id": "../x" } })),
            ("invalid_param", json!({ "command": "history", "params": { "limit": 0 } })),
            ("invalid_param", json!({ "command": "batch_commands", "params": { "commands": [] } })),
            (
                "invalid_param",
                json!({ "command": "batch_commands", "params": { "commands": [{ "command": "restart" }] } }),
            ),
            ("unknown_param", json!({ "command": "pause", "params": { "sourceid": 1 } })),
        ];
        let (code, message) = self.pick(&rows).clone();
        self.request(Kind::Wrong(code), message)
    }

    fn outside(&mut self) -> Request {
        let rows = [
            ("malformed", json!({ "command": 5 })),
            ("malformed", json!({ "command": "pause", "params": [] })),
            ("malformed", json!({ "command": "pause", "target_instances": 7 })),
            ("malformed", json!({ "command": "pause", "issued_at": "yesterday" })),
            ("expired", json!({ "command": "pause", "expires_at": "2001-01-01T00:00:00Z" })),
            (
                "expired",
                json!({ "command": "remove_stream", "params": { "source_id": 1 }, "expires_at": 1_000_000_000 }),
            ),
            ("issued_in_future", json!({ "command": "restart", "issued_at": "2201-01-01T00:00:00Z" })),
        ];
        let at = self.rng.usize(0..rows.len() + 2);
        if let Some((code, message)) = rows.into_iter().nth(at) {
            return self.request(Kind::Outside(code), message);
        }
        let id = self.name();
        // Neither can be written as a JSON value of ours.
        let (code, text) = if self.rng.bool() {
            let deep = "[".repeat(1_000) + &"]".repeat(1_000);
            (
                "too_deep",
                format!(r#"{{"command":"pause","request_id":"{id}","params":{{"source_id":{deep}}}}}"#),
            )
        } else {
            ("malformed", format!(r#"{{"command":"pause","command":"resume","request_id":"{id}"}}"#))
        };
        Request { id, kind: Kind::Outside(code), payload: text.into_bytes(), retain: false }
    }

    fn nameless(&mut self) -> Request {
        let id = self.name();
        let large = || json!({ "command": "pause", "request_id": id, "padding": "x".repeat(TOO_LARGE) });
        let (code, message) = match self.rng.u32(0..3) {
            0 => ("too_large", large()),
            1 => ("malformed", json!({ "command": "pause", "request_id": 7 })),
            _ => ("malformed", json!(["pause"])),
        };
        Request { id, kind: Kind::Nameless(code), payload: message.to_string().into_bytes(), retain: false }
    }

    fn deaf(&mut self) -> Request {
        let order = self.order();
        let mut request = self.request(Kind::Deaf, order.json());
        match self.rng.u32(0..6) {
            0 => request.payload = b"{broken".to_vec(),
            1 => request.payload = vec![0xff, 0xfe, 0x00],
            2 => request.payload = vec![b'['; 20_000],
            3 => request.payload.clear(),
            _ => {
                let mut message = order.json();
                message["request_id"] = json!(request.id);
                message["target_instances"] = json!(["other", "storms"]);
                request.payload = message.to_string().into_bytes();
            }
        }
        request
    }

    fn room(&mut self) -> u32 {
        // Those of the site file more often, so that half of what is asked can be done.
        if self.rng.u32(0..3) == 0 { self.rng.u32(ROOMS) } else { *self.pick(&CONFIGURED) }
    }

    fn rooms(&mut self) -> Vec<u32> {
        let mut rooms = vec![self.room(), self.room()];
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }

    fn place(&mut self) -> Place {
        let room = self.rng.u32(ROOMS);
        let uri = *self.pick(&[Some(HOME), Some(OTHER), Some(OTHER), None, Some(DEAD)]);
        Place { room, uri }
    }

    fn model(&mut self) -> &'static str {
        self.rng.choice(MODELS).expect("two models")
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.rng.usize(0..of.len())]
    }
}
