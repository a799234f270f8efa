//! Each deadline a nanosecond early, on time and a nanosecond late: thresholds are part of
//! the behaviour, and a search over whole seconds does not see them.

use core::time::Duration;

use super::super::{
    Event, Input, Order, Output as O, Reading, Refusal, Restored, Sensor, SensorImage, StateName as S,
};
use super::super::{Machine, RawPlan};
use super::rig::{engine_plan, fire, fit, plan, short_run};
use crate::time::Instant;

/// Steps from deadline to deadline, one nanosecond before and at each.
pub struct Clock {
    pub machine: Machine,
    pub now: Instant,
    pub image: SensorImage,
}

impl Clock {
    pub fn new(edit: impl FnOnce(&mut RawPlan)) -> Self {
        let plan = plan(&engine_plan(edit)).jumping();
        let now = Instant(5_000_000_000);
        let mut machine = Machine::new(plan, Restored::Fresh, now);
        machine.step(now, Input::SelfTest(true));
        let mut clock = Self { machine, now, image: SensorImage::QUIET };
        clock.sense();
        clock.after(2000);
        assert_eq!(clock.machine.state(), S::Idle);
        clock
    }

    pub fn sense(&mut self) {
        self.machine.step(self.now, Input::Sensors(self.image));
    }

    pub fn after(&mut self, ms: u64) {
        self.now = self.now.after(Duration::from_millis(ms));
        self.machine.step(self.now, Input::Tick);
    }

    /// Exactly `ms` from now, and not a nanosecond earlier, it changes from one state to the other.
    pub fn turns(&mut self, ms: u64, from: S, to: S) {
        let due = self.now.after(Duration::from_millis(ms));
        self.machine.step(Instant(due.0 - 1), Input::Tick);
        assert_eq!(self.machine.state(), from, "a nanosecond before {ms} ms");
        self.machine.step(due, Input::Tick);
        assert_eq!(self.machine.state(), to, "at {ms} ms");
        self.now = due;
    }

    pub fn on(&self, output: O) -> bool {
        self.machine.relays().is_on(output)
    }
}

#[test]
fn a_whole_run_turns_on_its_deadlines() {
    let mut clock = Clock::new(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
    });
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    assert_eq!(clock.machine.state(), S::Priming);
    clock.turns(2000, S::Priming, S::Starting);
    clock.turns(5000, S::Starting, S::Running);
    clock.turns(45_000, S::Running, S::ReducingRpm);
    clock.turns(15_000, S::ReducingRpm, S::Stopping);
    clock.turns(5000, S::Stopping, S::Refilling);
    // Five of the sixty seconds owed came in while it stopped.
    clock.turns(55_000, S::Refilling, S::Cooldown);
    clock.turns(60_000, S::Cooldown, S::Idle);
}

#[test]
fn the_next_deadline_is_always_named_and_never_past() {
    let mut clock = Clock::new(short_run);
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    let mut names = alloc::vec::Vec::new();
    for _ in 0..400 {
        let Some((at, name)) = clock.machine.deadline() else { break };
        assert!(at > clock.now, "{name}");
        clock.now = at;
        clock.machine.step(at, Input::Tick);
        names.push(name);
        if clock.machine.state() == S::Refilling {
            break;
        }
    }
    for name in ["crank", "crank_over", "primed", "rpm_reduction", "max_runtime", "stopped"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

#[test]
fn stepping_from_deadline_to_deadline_is_the_same_as_stepping_often() {
    let path = |fine: bool| {
        let mut clock = Clock::new(|raw| {
            short_run(raw);
            raw.tank.refill_multiplier = Some(1.0);
        });
        clock.machine.step(clock.now, Input::Demand(fire(1)));
        let mut path = alloc::vec::Vec::new();
        let mut before = clock.machine.relays();
        while clock.machine.state() != S::Idle {
            let next = clock.machine.deadline().expect("it ends").0;
            let small = Instant(clock.now.0 + 50_000_000);
            clock.now = if fine { next.min(small) } else { next };
            clock.machine.step(clock.now, Input::Tick);
            if clock.machine.relays() != before {
                before = clock.machine.relays();
                path.push((clock.now, clock.machine.state(), before));
            }
        }
        path
    };
    assert_eq!(path(false), path(true));
}

#[test]
fn a_demand_is_fresh_up_to_its_limit() {
    for (ns, starts) in [(1_999_999_999, true), (2_000_000_000, true), (2_000_000_001, false)] {
        let mut clock = Clock::new(|_| {});
        let demand = super::super::Demand { age: Duration::from_nanos(ns), ..fire(1) };
        clock.machine.step(clock.now, Input::Demand(demand));
        assert_eq!(clock.machine.state() == S::Priming, starts, "{ns}");
    }
}

#[test]
fn an_order_is_fresh_up_to_its_limit() {
    for (ns, is) in [(9_999_999_999, true), (10_000_000_000, true), (10_000_000_001, false)] {
        let mut clock = Clock::new(|_| {});
        let command = super::super::Command {
            id: 1,
            order: Order::ValveOpen,
            role: super::super::Role::Arm,
            age: Duration::from_nanos(ns),
            retained: false,
        };
        clock.machine.step(clock.now, Input::Command(command));
        assert_eq!(clock.on(O::MainValve), is, "{ns}");
    }
}

#[test]
fn after_a_stop_cranking_waits_for_thirty_seconds_and_the_valve_does_not() {
    let mut clock = Clock::new(|raw| fit(raw, &[Sensor::FloatHigh]));
    let stop = super::super::Command {
        id: 0,
        order: Order::EmergencyStop,
        role: super::super::Role::Local,
        age: Duration::ZERO,
        retained: false,
    };
    clock.machine.step(clock.now, Input::Command(stop));
    clock.after(15_000);
    clock.machine.step(clock.now, Input::Command(super::super::Command { order: Order::Reset, ..stop }));
    assert_eq!(clock.machine.state(), S::Idle);
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    assert!(clock.on(O::MainValve));
    clock.turns(30_000, S::Priming, S::Starting);
}

#[test]
fn water_is_missed_exactly_at_its_limit() {
    let mut clock = Clock::new(|raw| {
        fit(raw, &[Sensor::Flow]);
        raw.inputs.get_mut(&Sensor::Flow).unwrap().debounce_ms = Some(0);
    });
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    clock.turns(2000, S::Priming, S::Starting);
    clock.turns(5000, S::Starting, S::Running);
    clock.image = clock.image.with(Sensor::Flow, Reading::Active);
    clock.after(100_000);
    clock.sense();
    clock.image = clock.image.with(Sensor::Flow, Reading::Inactive);
    clock.sense();
    clock.turns(300_000, S::Running, S::Error);
}

#[test]
fn a_contact_settles_exactly_after_its_time() {
    let mut clock = Clock::new(|raw| fit(raw, &[Sensor::FloatHigh]));
    clock.image = clock.image.with(Sensor::FloatHigh, Reading::Active);
    clock.sense();
    let due = clock.now.after(Duration::from_secs(1));
    clock.machine.step(Instant(due.0 - 1), Input::Tick);
    assert_eq!(clock.machine.see(Sensor::FloatHigh), super::super::Seen::No);
    clock.machine.step(due, Input::Tick);
    assert_eq!(clock.machine.see(Sensor::FloatHigh), super::super::Seen::Yes);
}

#[test]
fn a_gap_is_late_beyond_half_a_second() {
    for (ns, late) in [(499_999_999, false), (500_000_000, false), (500_000_001, true)] {
        let mut rig = super::rig::Rig::engine(|_| {});
        rig.now = rig.now.after(Duration::from_nanos(ns));
        rig.input(Input::Tick);
        assert_eq!(rig.count(|e| matches!(e, Event::CycleLate { .. })) == 1, late, "{ns}");
    }
}

#[test]
fn the_cranking_budget_holds_across_runs() {
    let mut clock = Clock::new(|raw| {
        raw.timings.crank_s = Some(15.0);
        fit(raw, &[Sensor::EngineRun]);
    });
    clock.machine.step(clock.now, Input::Demand(fire(1)));
    while clock.machine.state() != S::Error {
        clock.after(100);
    }
    clock.after(20_000);
    let reset = super::super::Command {
        id: 0,
        order: Order::Reset,
        role: super::super::Role::Local,
        age: Duration::ZERO,
        retained: false,
    };
    clock.machine.step(clock.now, Input::Command(reset));
    assert_eq!(clock.machine.state(), S::Idle);
    let events = clock.machine.step(clock.now, Input::Demand(fire(2))).clone();
    assert!(events.contains(&Event::TriggerBlocked { id: 2, why: Refusal::CrankingSpent }));
    clock.after(700_000);
    clock.machine.step(clock.now, Input::Demand(fire(3)));
    assert_eq!(clock.machine.state(), S::Priming);
}
