//! A machine with a clock, contacts and lines around it, and the checker at every step.

use alloc::vec::Vec;
use core::time::Duration;

use super::super::plan::raw::{OnCrash, Preset, RawInput};
use super::super::plan::{Plan, RawPlan, parse::parse};
use super::super::{
    Command, Demand, Event, Input, Ledger, Machine, Order, Output, Reading, Refusal, RelayImage, Restored,
    Role, Sensor, SensorImage, Source, StateName,
};
use super::checker::Checker;
use crate::time::Instant;

/// As the owner thread of the real program does it.
pub const CYCLE: Duration = Duration::from_millis(100);

/// What the clock says when the program starts.
const POWER_ON: Instant = Instant(7_000_000_000);

pub struct Rig {
    pub machine: Machine,
    pub checker: Checker,
    pub image: SensorImage,
    pub now: Instant,
    /// What `at` counts from.
    pub zero: Instant,
    pub cycle: Duration,
    /// Lines that do not follow.
    pub stuck: Vec<(Output, bool)>,
    pub log: Vec<(Duration, Event)>,
    /// As last written down.
    pub record: Vec<u8>,
    /// Where it was: states in order.
    pub path: Vec<StateName>,
}

/// The preset of an engine pump with what a site must decide.
pub fn engine_plan(edit: impl FnOnce(&mut RawPlan)) -> RawPlan {
    let mut raw = RawPlan::of(Preset::WildfireEngine);
    raw.policies.on_crash = Some(OnCrash::FailStop);
    edit(&mut raw);
    raw
}

pub fn plan(raw: &RawPlan) -> Plan {
    parse(raw).unwrap_or_else(|wrong| panic!("{wrong:?}")).plan
}

/// With MAX=60, LEAD=15 (rows P9, P10).
pub fn short_run(raw: &mut RawPlan) {
    raw.timings.run_s_max = Some(60.0);
    raw.timings.prime_s = Some(10.0);
}

pub fn fit(raw: &mut RawPlan, sensors: &[Sensor]) {
    for sensor in sensors {
        let input = RawInput { broken_reads: Reading::Fault, debounce_ms: None };
        raw.inputs.insert(*sensor, input);
    }
}

impl Rig {
    pub fn new(raw: &RawPlan) -> Self {
        Self::with(plan(raw), Restored::Fresh)
    }

    /// Booted and at rest.
    pub fn engine(edit: impl FnOnce(&mut RawPlan)) -> Self {
        Self::new(&engine_plan(edit))
    }

    pub fn with(plan: Plan, found: Restored) -> Self {
        let mut rig = Self::unbooted(plan, found);
        rig.boot();
        rig
    }

    pub fn unbooted(plan: Plan, found: Restored) -> Self {
        let now = POWER_ON;
        let mut image = SensorImage::QUIET;
        for sensor in [Sensor::SelectorAuto, Sensor::ValveClosed] {
            image = image.with(sensor, Reading::Active);
        }
        Self {
            machine: Machine::new(plan, found, now),
            checker: Checker::new(plan),
            image,
            now,
            zero: now,
            cycle: CYCLE,
            stuck: Vec::new(),
            log: Vec::new(),
            record: Vec::new(),
            path: Vec::new(),
        }
    }

    pub fn boot(&mut self) {
        self.input(Input::SelfTest(true));
        self.run(2.5);
        self.zero = self.now;
        self.path.clear();
        self.log.clear();
        self.record = self.machine.ledger_record().to_vec();
    }

    /// One input now, without time passing.
    pub fn input(&mut self, input: Input) {
        let before = self.machine.state();
        let events = self.machine.step(self.now, input).clone();
        for event in events.iter() {
            self.log.push((self.now.since(self.zero), *event));
        }
        if events.must_persist() {
            self.record = self.machine.ledger_record().to_vec();
        }
        for event in events.iter() {
            if let Event::StateChanged { to, .. } = event {
                self.path.push(*to);
            }
        }
        self.checker.check(&self.machine, &events, &input, before);
    }

    /// One cycle of the owner thread.
    pub fn tick(&mut self) {
        self.now = self.now.after(self.cycle);
        self.input(Input::Sensors(self.image));
        let (epoch, wrote) = (self.machine.epoch(), self.machine.relays());
        let stuck = &self.stuck;
        let read = RelayImage::read_back(|output| {
            stuck.iter().find(|(o, _)| *o == output).map_or(wrote.is_on(output), |(_, is)| *is)
        });
        self.input(Input::ReadBack { epoch, wrote, read });
    }

    pub fn run(&mut self, s: f64) {
        let until = self.now.after(Duration::from_secs_f64(s));
        while self.now < until {
            self.tick();
        }
    }

    /// To `s` seconds after zero.
    pub fn at(&mut self, s: f64) {
        let until = self.zero.after(Duration::from_secs_f64(s));
        assert!(until >= self.now, "{s} is over");
        while self.now < until {
            self.tick();
        }
    }

    /// Seconds since zero.
    pub fn s(&self) -> f64 {
        self.now.since(self.zero).as_secs_f64()
    }

    /// Until it is in a state, for at most `s`.
    pub fn until(&mut self, state: StateName, s: f64) {
        let end = self.now.after(Duration::from_secs_f64(s));
        while self.state() != state {
            assert!(self.now < end, "{state:?} not reached, but {:?}", self.state());
            self.tick();
        }
    }

    pub fn state(&self) -> StateName {
        self.machine.state()
    }

    pub fn on(&self, output: Output) -> bool {
        self.machine.relays().is_on(output)
    }

    /// Exactly these relays of the pump are on.
    pub fn only(&self, outputs: &[Output]) {
        let image = self.machine.relays();
        let pump = |o: &Output| !matches!(o, Output::Siren | Output::Strobe | Output::Contact);
        let on: Vec<_> = image.energised().filter(pump).collect();
        let mut wanted = outputs.to_vec();
        wanted.sort();
        assert_eq!(on, wanted, "{:?} at {} s", self.state(), self.s());
    }

    pub fn set(&mut self, sensor: Sensor, reading: Reading) {
        self.image = self.image.with(sensor, reading);
    }

    pub fn demand(&mut self) {
        self.input(Input::Demand(fire(1)));
    }

    pub fn order(&mut self, order: Order) -> Result<(), Refusal> {
        self.order_by(order, Role::Local)
    }

    pub fn order_by(&mut self, order: Order, role: Role) -> Result<(), Refusal> {
        let age = Duration::ZERO;
        self.input(Input::Command(Command { id: 0, order, role, age, retained: false }));
        let answer = self.log.iter().rev().find_map(|(_, event)| match event {
            Event::CommandDone { .. } => Some(Ok(())),
            Event::CommandRefused { why, .. } => Some(Err(*why)),
            _ => None,
        });
        answer.expect("an answer")
    }

    pub fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.log.iter().filter(|(_, event)| is(event)).count()
    }

    pub fn heard(&self, event: &Event) -> bool {
        self.log.iter().any(|(_, heard)| heard == event)
    }

    /// The power goes; what was written down remains.
    pub fn power_cut(&self, plan: Plan) -> Self {
        let ledger = Ledger::from_bytes(&self.record, POWER_ON).expect("a record");
        let mut rig = Self::unbooted(plan, Restored::Found(ledger));
        rig.image = self.image;
        rig.record.clone_from(&self.record);
        rig
    }
}

pub fn fire(id: u64) -> Demand {
    Demand {
        id,
        source: Source::Consensus,
        age: Duration::ZERO,
        persists: false,
        authorised: true,
        retained: false,
    }
}
