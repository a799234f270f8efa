//! BENCH=fire: what deciding costs, how soon relays follow, a year at once, and what kills lose.
//!
//! SHARE=0.1 does a tenth of everything but `consensus`, which takes seconds. STEPS=consensus,relay,cycles,year,kills
//! chooses steps. FIRE_SEED goes before the bench's own seed. Each step says what was asked for (`want`) and
//! whether that was met.

mod consensus;
#[path = "../../tests/support/control.rs"]
mod control;
mod cycles;
mod heard;
#[path = "../../tests/support/instance.rs"]
mod instance;
mod kills;
mod link;
mod machine;
#[path = "../../tests/support/fire.rs"]
mod plant;
mod relay;
mod scene;
#[path = "../../tests/support/shared.rs"]
mod shared;
mod year;

use std::time::Duration;

use serde_json::{Map, Value, json};

// Where the helpers of the tests look for it.
use crate::broker;
use crate::{part, share, variable};

/// Moments and choices are drawn from it, so that a run can be had again.
const SEED: u64 = 11;

const ORDERS: usize = 2_000;
const MACHINE_STEPS: usize = 1_000_000;
/// Five minutes, twenty a second.
const CYCLES: usize = 6_000;
const DAYS: usize = 365;
const KILLS: usize = 500;

const STEPS: &str = "consensus,relay,cycles,year,kills";

pub fn fire() -> Value {
    let share = share();
    let seed = variable("FIRE_SEED", &SEED.to_string()).parse::<u64>().expect("FIRE_SEED is a number");
    let mut all = Map::from_iter([("share".to_owned(), json!(share)), ("seed".to_owned(), json!(seed))]);
    for step in variable("STEPS", STEPS).split(',') {
        eprintln!("bench: fire: {step}");
        let value = match step {
            "consensus" => consensus::consensus(seed),
            "relay" => relay::relay(seed, part(ORDERS, share), part(MACHINE_STEPS, share)),
            "cycles" => cycles::cycles(part(CYCLES, share)),
            "year" => year::year(seed, part(DAYS, share)),
            "kills" => kills::kills(seed, part(KILLS, share)),
            other => panic!("STEPS={other}: expected are some of {STEPS}"),
        };
        eprintln!("{value:#}");
        all.insert(step.into(), value);
    }
    Value::Object(all)
}

fn us(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
