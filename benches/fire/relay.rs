//! From an order to the relays: the real pump program with its simulated plant, over its real socket.
//!
//! An answer is sent after the whole image of relays was written and read back, so its arrival is the
//! upper limit of what the relays took. Orders come at random moments of the pump's cycle, and no faster
//! than it listens: 64 frames a cycle.
//!
//! What others on this machine add is told beside it: between the orders, a thread that does nothing else
//! sends frames back over a socket of the same kind.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use vigia::clock;
use vigia_core::link::{FromPump, ToPump};
use vigia_core::pump::{Command, Order, Output, Refusal, Role, StateName};

use super::broker::rest;
use super::link::{Client, Echo};
use super::machine;
use super::plant::Pump;
use super::us;
use crate::control::spread::{Progress, Spread};

const WANT_P99_US: f64 = 1_000.0;
/// Between two orders.
const APART_US: std::ops::Range<u64> = 2_000..6_000;
/// Signs of life and acknowledgements of events, in orders: several times a second.
const ALIVE_EVERY: usize = 25;

pub fn relay(seed: u64, orders: usize, steps: usize) -> Value {
    let pump = Pump::start();
    let (mut client, _) = Client::greet(&pump.socket());
    client.say_alive();
    client.status(|status| status.self_tested && status.now.state == StateName::Idle);
    let mut random = Rng::with_seed(seed);
    let (echo, mut echoed) = (Echo::start(), Vec::with_capacity(orders));
    let (mut took, mut refused, mut unlike) = (Vec::with_capacity(orders), 0_usize, 0_usize);
    let mut progress = Progress::start("relay", orders);
    for nth in 1..=orders {
        rest(Duration::from_micros(random.u64(APART_US)));
        if nth % ALIVE_EVERY == 0 {
            client.say_alive();
            let up_to = client.told;
            client.say(ToPump::EventAck { up_to });
        }
        let turn = turn_valve(&mut client, nth);
        took.push(us(turn.took));
        refused += usize::from(turn.refusal.is_some());
        unlike += usize::from(!turn.is_so);
        rest(Duration::from_micros(random.u64(APART_US)));
        echoed.push(us(echo.there_and_back()));
        progress.is_at(nth);
    }
    let last = client.status(|_| true);
    let spread = Spread::of(took);
    json!({
        "orders": orders, "refused": refused, "image_not_as_ordered": unlike, "order_to_image_us": spread,
        "echo_us": Spread::of(echoed),
        "pump": {
            "cycles": last.cycles, "late_us_p999": last.late_us_p999, "late_us_max": last.late_us_max,
            "events": last.last_event, "events_lost": last.events_lost, "state": last.now.state,
        },
        "machine": machine::machine(seed, steps),
        "want": { "order_to_image_us_p99_at_most": WANT_P99_US },
        "is_met": refused == 0 && unlike == 0 && spread.p99 <= WANT_P99_US,
    })
}

struct Turn {
    took: Duration,
    refusal: Option<Refusal>,
    /// The status that follows tells the relay as ordered, and read back so.
    is_so: bool,
}

/// Opens the main valve with odd orders, closes it with even ones.
fn turn_valve(client: &mut Client, nth: usize) -> Turn {
    let opens = nth % 2 == 1;
    let order = if opens { Order::ValveOpen } else { Order::ValveClose };
    let id = u64::try_from(nth).expect("few");
    let command = Command { id, order, role: Role::Arm, age: Duration::ZERO, retained: false };
    let sent = clock::now();
    let seq = client.say(ToPump::Command(command));
    let (refusal, took) = client.until(|body| match body {
        FromPump::CommandAck(ack) if ack.seq == seq => Some((ack.refusal, clock::now().since(sent))),
        _ => None,
    });
    let status = client.status(|_| true);
    let relays = [status.now.relays, status.read_back];
    Turn { took, refusal, is_so: relays.iter().all(|image| image.is_on(Output::MainValve) == opens) }
}
