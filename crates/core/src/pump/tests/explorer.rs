//! Every state that can be reached, by breadth: small plans, whole seconds, times kept as
//! distances from now. Our own search and not stateright: a state is the machine's own, and
//! the checker of the other tests looks at every step.
//!
//! The plant is as bad as it can be: an engine catches or not, stops or not, contacts tell the
//! truth or break, people press and order at any moment, the program dies and comes back at
//! any step. The watchdog relay K0 is in the plant; without it the starter outlives its limit,
//! which the search must find.

extern crate std;

use core::time::Duration;
use std::collections::HashSet;
use std::vec::Vec;
use std::{format, println};

use super::super::ledger::Ledger;
use super::super::plan::{Drive, Plan};
use super::super::state::{Phase, State, Valve};
use super::super::{
    Command, Input, Machine, Order, Output, Reading, RelayImage, Restored, Role, Sensor, SensorImage,
    StateName,
};
use super::checker::check_step;
use super::rig::fire;
use super::tiny::{self, TICK};
use crate::time::Instant;

mod same;

use same::{key, moved, plain, rebase};

/// Where `now` is put before two states are compared.
const BASE: Instant = Instant(1_000_000_000_000_000);
/// How long a crank may really last: the limit, and the step in which K0 drops.
const CRANK_TICKS_MAX: u8 = 3;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Plant {
    lines: RelayImage,
    /// The starter's line, without a pause.
    cranked: u8,
    turning: bool,
    readings: [Reading; WORLD.len()],
}

/// Contacts that the world moves, besides the engine's own.
const WORLD: [Sensor; 6] = [
    Sensor::EmergencyStop,
    Sensor::FloatHigh,
    Sensor::Flow,
    Sensor::ValveOpen,
    Sensor::SelectorAuto,
    Sensor::EngineRun,
];

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    /// `None`: the program is dead.
    state: Option<State>,
    ledger: Ledger,
    plant: Plant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Tick,
    Demand,
    Order(Order),
    Set(Sensor, Reading),
    Catch,
    Die,
    Crash,
    Restart,
}

struct Explorer {
    plan: Plan,
    has_k0: bool,
    crashes: bool,
    machine: Machine,
}

/// Where it went wrong.
struct Violation(std::string::String);

struct Found {
    states: usize,
    steps: usize,
    violation: Option<std::string::String>,
}

impl Explorer {
    fn new(plan: Plan, crashes: bool, has_k0: bool) -> Self {
        Self { plan, has_k0, crashes, machine: Machine::new(plan, Restored::Fresh, BASE) }
    }

    fn first(&mut self) -> World {
        let mut readings = [Reading::Inactive; WORLD.len()];
        for (reading, sensor) in readings.iter_mut().zip(WORLD) {
            if matches!(sensor, Sensor::SelectorAuto) {
                *reading = Reading::Active;
            }
        }
        let plant = Plant { lines: RelayImage::NONE, cranked: 0, turning: false, readings };
        self.born(&World { state: None, ledger: Ledger::new(), plant }, Restored::Fresh)
    }

    fn born(&mut self, world: &World, found: Restored) -> World {
        self.machine = Machine::new(self.plan, found, BASE);
        let mut next = world.clone();
        next.state = Some(self.machine.state);
        self.step(&mut next, Input::SelfTest(true), BASE);
        next
    }

    fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = std::vec![Action::Tick];
        let lines = world.plant.lines;
        if !world.plant.turning && lines.is_on(Output::Starter) {
            actions.push(Action::Catch);
        }
        if world.plant.turning {
            actions.push(Action::Die);
        }
        for (sensor, is) in WORLD.into_iter().zip(world.plant.readings) {
            if !self.plan.inputs.has(sensor) {
                continue;
            }
            if sensor == Sensor::EngineRun {
                // Its wire: whole, or broken.
                let to = if is == Reading::Fault { Reading::Inactive } else { Reading::Fault };
                actions.push(Action::Set(sensor, to));
                continue;
            }
            let others = [Reading::Inactive, Reading::Active, Reading::Fault];
            let may = |to: &Reading| *to != is && (*to != Reading::Fault || sensor == Sensor::FloatHigh);
            actions.extend(others.into_iter().filter(may).map(|to| Action::Set(sensor, to)));
        }
        if world.state.is_some() {
            actions.push(Action::Demand);
            let orders = [
                Order::EmergencyStop,
                Order::Start,
                Order::Reset,
                Order::ValveOpen,
                Order::ValveClose,
                Order::Test,
            ];
            actions.extend(orders.map(Action::Order));
            if self.crashes {
                actions.push(Action::Crash);
            }
        } else {
            actions.push(Action::Restart);
        }
        actions
    }

    fn image(&self, plant: &Plant) -> SensorImage {
        let mut image = SensorImage::QUIET;
        for (sensor, reading) in WORLD.into_iter().zip(plant.readings) {
            image = image.with(sensor, reading);
        }
        let run = match plant.readings[5] {
            Reading::Fault => Reading::Fault,
            Reading::Inactive | Reading::Active if plant.turning => Reading::Active,
            Reading::Inactive | Reading::Active => Reading::Inactive,
        };
        image.with(Sensor::EngineRun, run)
    }

    fn step(&mut self, world: &mut World, input: Input, now: Instant) {
        let Some(state) = world.state else { return };
        self.machine.state = state;
        let was = self.machine.state();
        let events = self.machine.step(now, input).clone();
        check_step(&self.machine, &events, &input, was);
        world.plant.lines = self.machine.relays();
        world.ledger = self.machine.state.ledger;
        world.state = Some(self.machine.state);
    }

    fn apply(&mut self, world: &World, action: Action) -> Result<World, Violation> {
        let mut next = world.clone();
        let mut now = BASE;
        match action {
            Action::Tick => {
                now = BASE.after(TICK);
                let cranked = world.plant.cranked;
                let is_on = world.plant.lines.is_on(Output::Starter);
                next.plant.cranked = if is_on { cranked.saturating_add(1).min(9) } else { 0 };
                if world.state.is_none() && self.has_k0 {
                    // It drops all that it feeds (reliability 2.4).
                    let fed = [Output::Starter, Output::Run, Output::Contactor, Output::RefillValve];
                    next.plant.lines = fed.iter().fold(world.plant.lines, |lines, o| lines.with(*o, false));
                }
                let image = self.image(&next.plant);
                self.step(&mut next, Input::Sensors(image), now);
            }
            Action::Demand => self.step(&mut next, Input::Demand(fire_persisting()), now),
            Action::Order(order) => {
                let role = Role::Local;
                let command = Command { id: 0, order, role, age: Duration::ZERO, retained: false };
                self.step(&mut next, Input::Command(command), now);
            }
            Action::Set(sensor, reading) => {
                for (slot, of) in next.plant.readings.iter_mut().zip(WORLD) {
                    if of == sensor {
                        *slot = reading;
                    }
                }
                let image = self.image(&next.plant);
                self.step(&mut next, Input::Sensors(image), now);
            }
            Action::Catch | Action::Die => {
                next.plant.turning = action == Action::Catch;
                let image = self.image(&next.plant);
                self.step(&mut next, Input::Sensors(image), now);
            }
            Action::Crash => next.state = None,
            Action::Restart => {
                next = self.born(world, Restored::Found(world.ledger));
                next.plant.lines = RelayImage::NONE;
                let image = self.image(&next.plant);
                self.step(&mut next, Input::Sensors(image), now);
            }
        }
        self.judge(world, &next)?;
        if let Some(state) = &mut next.state {
            rebase(state, now);
            next.ledger = state.ledger;
        } else {
            let shift = |_: &str, at: &mut Instant| *at = moved(*at, now);
            next.ledger.visit(&mut |name, at| shift(name, at));
            next.ledger.age(BASE);
            plain(&mut next.ledger);
        }
        Ok(next)
    }

    /// What must hold of the plant, not only of the program.
    fn judge(&self, before: &World, world: &World) -> Result<(), Violation> {
        if world.plant.cranked > CRANK_TICKS_MAX {
            return Err(Violation(format!("the starter is on for {} s", world.plant.cranked)));
        }
        let is_full = world.plant.readings[1] == Reading::Active;
        let fills = before.plant.lines.is_on(Output::RefillValve);
        if world.ledger.refill_owed < before.ledger.refill_owed && !fills && !is_full {
            return Err(Violation("refill owed is forgotten".into()));
        }
        let Some(state) = &world.state else { return Ok(()) };
        let ran = state.ledger.unfinished.unwrap_or_default();
        if let (Some(pump), Some(_)) = (self.plan.pump, state.phase.engine())
            && ran >= pump.limits.run_max
        {
            return Err(Violation(format!("runs for {ran:?}")));
        }
        let is_seen = world.plant.turning
            && self.plan.inputs.has(Sensor::EngineRun)
            && world.plant.readings[5] != Reading::Fault;
        let may_drive = !matches!(state.phase, Phase::Boot { .. } | Phase::Standby(_));
        if is_seen && may_drive && !world.plant.lines.is_on(Output::MainValve) {
            return Err(Violation("the engine turns without an open water path".into()));
        }
        Ok(())
    }

    /// I12: at rest and allowed, a demand cranks in bounded time.
    fn answers(&mut self, world: &World) {
        let Some(state) = world.state else { return };
        self.machine.state = state;
        let Some(pump) = self.plan.pump else { return };
        let is_free = matches!(state.phase, Phase::Idle | Phase::Cooldown { .. });
        if !is_free || self.machine.may_start(&pump, false).is_err() {
            return;
        }
        let mut now = BASE;
        self.machine.step(now, Input::Demand(fire(1)));
        let mut image = self.image(&world.plant).with(Sensor::ValveOpen, Reading::Active);
        image = image.with(Sensor::SelectorAuto, Reading::Active);
        let bound = pump.opening.wait + pump.limits.off_min + TICK;
        while now <= BASE.after(bound) {
            let is_driven =
                [Output::Starter, Output::Contactor].iter().any(|o| self.machine.relays().is_on(*o));
            if is_driven {
                return;
            }
            now = now.after(TICK);
            self.machine.step(now, Input::Sensors(image));
        }
        panic!("I12: a demand in {:?} is not answered, but {:?}", state.phase, self.machine.state());
    }

    /// Left alone, with an engine that stops when it is told to, everything comes to rest.
    fn settles(&mut self, world: &World) {
        let Some(state) = world.state else { return };
        self.machine.state = state;
        let mut plant = world.plant.clone();
        let mut now = BASE;
        for _ in 0..60 {
            let image = self.machine.relays();
            let driven = image.is_on(Output::Run) || image.is_on(Output::Contactor);
            plant.turning &= driven || self.machine.state() == StateName::Manual;
            now = now.after(TICK);
            let contacts = self.image(&plant);
            self.machine.step(now, Input::Sensors(contacts));
        }
        let at = self.machine.state();
        let rests = [
            StateName::Idle,
            StateName::Error,
            StateName::LowPressure,
            StateName::EmergencyStop,
            StateName::Off,
            StateName::Manual,
        ];
        assert!(rests.contains(&at), "left alone it ends in {at:?}, from {:?}", state.phase);
        let is_shut = self.machine.state.valve == Valve::Shut || plant.turning;
        assert!(is_shut, "the main valve stays open in {at:?}, from {:?}", state.phase);
    }

    fn run(&mut self, states_max: usize) -> Found {
        let first = self.first();
        let mut seen = HashSet::new();
        seen.insert(key(&first));
        // Where each state came from, for the way to a violation.
        let mut origins: Vec<(usize, Action)> = std::vec![(0, Action::Tick)];
        let mut level = std::vec![(0_usize, first)];
        let mut steps = 0;
        while !level.is_empty() {
            let mut next_level = Vec::new();
            for (at, world) in &level {
                for action in self.actions(world) {
                    steps += 1;
                    let told = OnPanic(&origins, *at, action);
                    let next = match self.apply(world, action) {
                        Ok(next) => next,
                        Err(Violation(what)) => {
                            let way = way(&origins, *at, action);
                            return Found {
                                states: seen.len(),
                                steps,
                                violation: Some(format!("{what}, after {way:?}")),
                            };
                        }
                    };
                    drop(told);
                    let new = key(&next);
                    if seen.insert(new) {
                        origins.push((*at, action));
                        let _told = OnPanic(&origins, *at, action);
                        self.answers(&next);
                        if new.is_multiple_of(16) {
                            self.settles(&next);
                        }
                        next_level.push((origins.len() - 1, next));
                    }
                }
            }
            assert!(seen.len() <= states_max, "more than {states_max} states");
            if std::env::var_os("EXPLORER_LEVELS").is_some() {
                println!("{} states, {} new", seen.len(), next_level.len());
            }
            level = next_level;
        }
        Found { states: seen.len(), steps, violation: None }
    }
}

/// Says how it came to a failed assertion.
struct OnPanic<'a>(&'a [(usize, Action)], usize, Action);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("after {:?}", way(self.0, self.1, self.2));
        }
    }
}

fn way(origins: &[(usize, Action)], mut at: usize, last: Action) -> Vec<Action> {
    let mut way = std::vec![last];
    while at != 0 {
        let (from, action) = origins[at];
        way.push(action);
        at = from;
    }
    way.reverse();
    way
}

fn fire_persisting() -> super::super::Demand {
    super::super::Demand { persists: true, ..fire(1) }
}

fn explore(name: &str, plan: Plan, crashes: bool) {
    let found = Explorer::new(plan, crashes, true).run(4_000_000);
    println!("explorer: {name}: {} states, {} steps, crashes: {crashes}", found.states, found.steps);
    assert_eq!(found.violation, None);
    assert!(found.states > 1000, "{} states", found.states);
}

#[test]
fn every_state_of_a_supervised_engine_is_safe() {
    let plan = tiny::engine(&[Sensor::EmergencyStop, Sensor::EngineRun]);
    explore("engine with run feedback and stop", plan, false);
}

#[test]
fn every_state_of_an_engine_with_three_contacts_is_safe() {
    let plan = tiny::engine(&[Sensor::EmergencyStop, Sensor::EngineRun, Sensor::Flow]);
    explore("engine with run feedback, stop and flow", plan, true);
}

#[test]
fn every_state_of_an_engine_with_a_float_is_safe() {
    explore("engine with a float", tiny::engine(&[Sensor::FloatHigh]), false);
}

#[test]
fn every_state_of_an_engine_with_flow_is_safe() {
    explore("engine with flow", tiny::engine(&[Sensor::Flow]), false);
}

#[test]
fn every_state_of_an_engine_with_a_limit_switch_is_safe() {
    let plan = tiny::engine(&[Sensor::ValveOpen, Sensor::EngineRun]);
    explore("engine with a limit switch and run feedback", plan, false);
}

#[test]
fn every_state_of_an_engine_with_a_selector_is_safe() {
    explore("engine with a selector", tiny::engine(&[Sensor::SelectorAuto]), false);
}

#[test]
fn every_state_of_an_electric_pump_is_safe() {
    explore("electric pump", tiny::electric(&[Sensor::FloatHigh, Sensor::EmergencyStop]), true);
}

#[test]
fn every_state_is_safe_when_the_program_dies_at_any_step() {
    explore("engine that loses its program", tiny::engine(&[Sensor::EngineRun]), true);
}

/// D4: software cannot make outputs safe after its own death. The search finds it.
#[test]
fn without_the_watchdog_relay_a_dead_program_goes_on_cranking() {
    let plan = tiny::engine(&[Sensor::EngineRun]);
    let Some(Drive::Engine(_)) = plan.pump.map(|pump| pump.drive) else { panic!("an engine") };
    let found = Explorer::new(plan, true, false).run(4_000_000);
    let violation = found.violation.expect("the starter outlives its limit");
    println!("explorer: without K0, within {} states: {violation}", found.states);
    assert!(violation.starts_with("the starter is on"), "{violation}");
}
