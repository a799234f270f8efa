//! What was heard of all that the pump wrote into its book, and what is still on its way.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use vigia::clock;

use super::broker::rest;
use super::kills::{Field, Tally, start};
use super::link::Client;
use super::plant::Ears;

const TELEMETRY: &str = "system/trigger_telemetry";
/// How long what was written down may take to come out.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is in the pump's book by now, and what was heard of it.
pub fn count(mut field: Field, seconds: f64) -> Value {
    if field.hand.is_none() {
        field.broker_returns();
    }
    // In vigia's place: the pump has one client.
    field.kill_vigia();
    let (mut client, welcome) = Client::greet(&field.pump.socket());
    let overflowed = client.status(|_| true).events_lost;
    drop(client);
    field.vigia = start(&field.text);
    let until = clock::now().after(PATIENCE);
    let (mut heard, mut lost, mut left) = (Heard::default(), Vec::new(), 0);
    while clock::now() < until {
        (heard, left) = (Heard::by(&field.ears), left_in_spool(&field));
        lost = (1..=welcome.last_event).filter(|n| !heard.events.contains_key(n)).collect();
        if lost.is_empty() && left == 0 {
            break;
        }
        rest(Duration::from_secs(1));
    }
    if !lost.is_empty() {
        eprintln!("{}\nlost: {lost:?}", field.vigia.log());
    }
    let Tally { of_vigia, of_pump, by_themselves, broker_deaths } = field.tally;
    json!({
        "kills": of_vigia + of_pump, "of_vigia": of_vigia, "of_pump": of_pump, "broker_deaths": broker_deaths,
        "ended_by_themselves": by_themselves, "seconds": seconds, "fires_heard": field.ears.heard("fire/trigger").len(),
        "events_in_book": welcome.last_event, "events_heard": heard.events.len(), "books": heard.books.len(),
        "lost": lost.len(), "book_overflowed": overflowed, "left_in_spool": left,
        "duplicates": heard.messages - heard.events.len(), "same_number_other_event": heard.contradictory,
        "want": { "lost": 0 },
        "is_met": lost.is_empty() && overflowed == 0 && left == 0 && heard.is_sound() && by_themselves == 0,
    })
}

/// Messages that the broker does not have yet, as vigia's journal has them.
fn left_in_spool(field: &Field) -> u64 {
    let journal = Connection::open(field.folder.path().join("journal.fire.db")).expect("it was made");
    journal.query_row("SELECT COUNT(*) FROM outgoing", [], |row| row.get(0)).expect("vigia's table")
}

/// What the witnesses heard of the pump's events.
#[derive(Default)]
struct Heard {
    messages: usize,
    events: BTreeMap<u64, Value>,
    books: Vec<Value>,
    contradictory: usize,
}

impl Heard {
    fn by(ears: &Ears) -> Self {
        let mut heard = Self::default();
        for event in ears.heard(TELEMETRY) {
            heard.messages += 1;
            if !heard.books.contains(&event["book"]) {
                heard.books.push(event["book"].clone());
            }
            let number = event["number"].as_u64().expect("a number");
            let before = heard.events.get(&number);
            heard.contradictory += usize::from(before.is_some_and(|before| *before != event));
            heard.events.insert(number, event);
        }
        heard
    }

    fn is_sound(&self) -> bool {
        self.books.len() == 1 && self.contradictory == 0
    }
}
