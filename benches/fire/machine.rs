//! One step of the pump's machine, without a process around it: what a controller of its own would pay.

use std::time::Duration;

use serde_json::{Value, json};
use vigia::clock;
use vigia_core::pump::plan::parse::parse;
use vigia_core::pump::{Command, Demand, Events, Input, Machine, Order, RawPlan, Restored, Role, Source};
use vigia_core::time::Instant;
use vigia_sim::plant::{Plant, PlantConfig};

use crate::control::spread::Spread;

/// As the pump program has it.
const CYCLE: Duration = Duration::from_millis(100);
/// A fire for a minute of each hour, said again every ten seconds; somebody acknowledges now and then.
const FIRE_EVERY: u64 = 36_000;
const FIRE_FOR: u64 = 600;
const SAID_EVERY: u64 = 100;
const ACKNOWLEDGED_EVERY: u64 = 900;

/// A machine with its plant, and how long its steps took.
struct Rig {
    machine: Machine,
    plant: Plant,
    now: Instant,
    took_ns: Vec<f64>,
    events: usize,
}

impl Rig {
    fn new(seed: u64, steps: usize) -> Self {
        let broken = |reads: &str| json!({ "broken_reads": reads });
        let inputs = json!({
            "engine_run": broken("inactive"), "engine_turning": broken("inactive"), "float_high": broken("inactive"),
            "emergency_stop": broken("active"), "valve_open": broken("inactive"),
        });
        let policies = json!({ "on_crash": "fail_stop" });
        let raw = json!({ "preset": "wildfire_engine", "inputs": inputs, "policies": policies });
        let raw: RawPlan = serde_json::from_value(raw).expect("ours");
        let plan = parse(&raw).expect("a plan that holds").plan;
        let now = Instant(1_000_000_000);
        let plant = Plant::new(PlantConfig::of(&plan), seed);
        let machine = Machine::new(plan, Restored::Fresh, now);
        Self { machine, plant, now, took_ns: Vec::with_capacity(steps), events: 0 }
    }

    fn step(&mut self, input: Input) {
        let begun = clock::now();
        let events: &Events = self.machine.step(self.now, input);
        let took = clock::now().since(begun);
        self.events += events.iter().count();
        self.took_ns.push(took.as_secs_f64() * 1e9);
    }

    /// As `crates/pump/src/cycle` goes: contacts in, what was said in, relays out and read back.
    fn cycle(&mut self, n: u64) {
        self.now = self.now.after(CYCLE);
        self.plant.pass(self.now);
        self.step(Input::Sensors(self.plant.sensors()));
        if n == 1 {
            self.step(Input::SelfTest(true));
        }
        if n % FIRE_EVERY < FIRE_FOR && n.is_multiple_of(SAID_EVERY) {
            self.step(Input::Demand(Demand {
                id: 1 + n / FIRE_EVERY,
                source: Source::Consensus,
                age: CYCLE,
                persists: true,
                authorised: true,
                retained: false,
            }));
        }
        if n.is_multiple_of(ACKNOWLEDGED_EVERY) {
            let (order, role) = (Order::Acknowledge, Role::Operate);
            self.step(Input::Command(Command { id: n, order, role, age: CYCLE, retained: false }));
        }
        let wrote = self.machine.relays();
        self.plant.advance(self.now, &wrote);
        let read = self.plant.feedback();
        self.step(Input::ReadBack { epoch: self.machine.epoch(), wrote, read });
        self.plant.heartbeat(self.now, self.machine.permits_watchdog());
    }
}

/// So many steps of a machine whose plant runs along; the clock's own time is in each.
pub fn machine(seed: u64, steps: usize) -> Value {
    let mut rig = Rig::new(seed, steps);
    for n in 0.. {
        if rig.took_ns.len() >= steps {
            break;
        }
        rig.cycle(n);
    }
    let clock = (0..10_000).map(|_| {
        let begun = clock::now();
        clock::now().since(begun).as_secs_f64() * 1e9
    });
    json!({
        "steps": rig.took_ns.len(), "events": rig.events, "runs": rig.machine.ledger().runs(),
        "state": rig.machine.state(), "step_ns": Spread::of(rig.took_ns), "clock_ns": Spread::of(clock),
    })
}
