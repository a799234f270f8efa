//! One step: time passes, an input is taken in, and then the machine goes on until it stands.

use core::time::Duration;

use super::alarm::Panel;
use super::events::{Event, Events};
use super::ledger::{LEDGER_BYTES, Ledger};
use super::order::{Command, Refusal};
use super::outputs::{Output, RelayImage};
use super::plan::{Drive, Plan, Pump};
use super::sensors::{Seen, Sensor, SensorImage, Sensors};
use super::state::{
    Fault, Phase, Purpose, Source, Standby, State, StateName, StopReason, Tap, Valve, Watches, relays,
};
use crate::time::Instant;

mod boot;
mod demand;
mod halt;
mod orders;
mod rest;
mod run;
mod start;
mod watch;
mod water;

pub use rest::Stir;

/// Somebody sees a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Of the fire, as its source counts them.
    pub id: u64,
    pub source: Source,
    /// Since it was seen, by a clock that can't be set.
    pub age: Duration,
    /// The source repeats it for as long as the fire lasts: what cannot be answered at once
    /// is kept until the next repetition (C1 of the spec).
    pub persists: bool,
    /// Whether the site lets this source start the pump.
    pub authorised: bool,
    pub retained: bool,
}

/// What the ledger's keeper found before the start.
#[expect(clippy::large_enum_variant, reason = "made once")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// There is none because the box is new.
    Fresh,
    Found(Ledger),
    /// There should be one, and it cannot be read: the worst is assumed.
    Lost,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Nothing but time.
    Tick,
    Sensors(SensorImage),
    Demand(Demand),
    Command(Command),
    /// After the image of a run was written: what the lines say. From another run it is
    /// dropped (I7).
    ReadBack {
        epoch: u32,
        wrote: RelayImage,
        read: RelayImage,
    },
    /// Whether the lines, their read-back and the watchdog relay passed their test.
    SelfTest(bool),
    /// The program is to end: everything off, in order.
    Shutdown,
}

/// What status readers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub state: StateName,
    pub epoch: u32,
    pub purpose: Option<Purpose>,
    pub fault: Option<Fault>,
    pub relays: RelayImage,
    pub refill_owed: Duration,
    pub current_runtime: Duration,
    pub total_runtime: Duration,
    pub is_armed: bool,
    pub panel: Panel,
}

/// One per box.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(super) plan: Plan,
    pub(super) state: State,
    pub(super) events: Events,
}

/// A step settles in at most this many rounds: the longest way through the states without
/// time passing is shorter.
const ROUNDS_MAX: usize = 12;

impl Machine {
    /// Boots. Nothing moves before contacts and self-test have come in.
    #[must_use]
    pub fn new(plan: Plan, found: Restored, now: Instant) -> Self {
        let phase = Phase::Boot { give_up_at: now.after(plan.supervision.boot_max), quiet_until: None };
        let state = State {
            now,
            epoch: 0,
            phase,
            valve: Valve::Shut,
            tap: Tap::Shut { reopens_at: None },
            sensors: Sensors::new(&plan.inputs),
            ledger: Ledger::new(),
            panel: Panel::default(),
            watches: Watches::default(),
            off_until: None,
            disarmed_until: None,
            waiting: None,
            checkpoint_at: None,
            health_at: plan.health.map(|every| now.after(every)),
            leaving: false,
            ledger_lost: false,
            self_tested: false,
            untrusted: 0,
            // What is pressed at the first look was not pressed for us.
            fire_button: true,
            reset_button: true,
        };
        let mut machine = Self { plan, state, events: Events::new() };
        machine.restore(found);
        machine
    }

    /// Takes one input in. Afterwards [`Machine::relays`] is to be written.
    pub fn step(&mut self, now: Instant, input: Input) -> &Events {
        self.events.clear();
        let gap = self.pass(now);
        self.expire();
        self.take(input);
        self.state.sensors.settle(self.state.now);
        self.judge_sensors();
        self.judge_gap(gap);
        self.judge_starter();
        self.buttons();
        if !(0..ROUNDS_MAX).any(|_| !self.advance()) {
            self.fail(Fault::Unsettled);
        }
        self.follow_up();
        &self.events
    }

    /// Which relays are to be energised, now and until the next step.
    #[must_use]
    pub fn relays(&self) -> RelayImage {
        relays(&self.state, &self.plan)
    }

    /// Whether the watchdog relay may stay pulled. Not where something latched: nothing that it
    /// feeds is wanted there, and what runs on, or is welded meanwhile, only it can still stop.
    #[must_use]
    pub const fn permits_watchdog(&self) -> bool {
        !matches!(self.state.phase, Phase::EmergencyStop { .. } | Phase::Fault { .. })
    }

    /// Of the run in hand or the last one.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.state.epoch
    }

    /// When something happens by itself, and what.
    #[must_use]
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        let mut state = self.state;
        let mut next: Option<(Instant, &'static str)> = None;
        let mut look = |name, at: &mut Instant| {
            if *at > self.state.now && next.is_none_or(|(first, _)| *at < first) {
                next = Some((*at, name));
            }
        };
        state.visit(&mut look);
        // What is metered ends when it is used up.
        if let (Tap::Open, Some(refill)) = (state.tap, self.plan.pump.and_then(|pump| pump.refill)) {
            let budget = refill.budget.saturating_sub(state.ledger.refilling.spent());
            look("refill_budget_spent", &mut self.state.now.after(budget));
            if matches!(state.phase, Phase::Refilling { .. }) {
                look("refill_paid", &mut self.state.now.after(state.ledger.refill_owed));
            }
        }
        next
    }

    #[must_use]
    pub fn state(&self) -> StateName {
        self.state.phase.name()
    }

    #[must_use]
    pub const fn panel(&self) -> &Panel {
        &self.state.panel
    }

    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.state.ledger
    }

    /// To be written down whenever [`Events::must_persist`] says so.
    #[must_use]
    pub fn ledger_record(&self) -> [u8; LEDGER_BYTES] {
        self.state.ledger.to_bytes(self.state.now)
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let fault = match self.state.phase {
            Phase::Fault { cause, .. } => Some(cause),
            _ => None,
        };
        Status {
            state: self.state(),
            epoch: self.state.epoch,
            purpose: self.state.phase.run().map(|run| run.purpose),
            fault,
            relays: self.relays(),
            refill_owed: self.state.ledger.refill_owed,
            current_runtime: self.state.ledger.unfinished.unwrap_or_default(),
            total_runtime: self.state.ledger.run_total,
            is_armed: self.state.disarmed_until.is_none(),
            panel: self.state.panel,
        }
    }

    /// What a contact is taken for, filtered and supervised.
    #[must_use]
    pub fn see(&self, sensor: Sensor) -> Seen {
        self.state.sensors.see(sensor)
    }

    /// After [`Input::Shutdown`]: everything is off, the program may end.
    #[must_use]
    pub fn has_left(&self) -> bool {
        let is_quiet = match self.state.phase {
            Phase::Standby(Standby::Leaving) => true,
            Phase::Fault { kill, .. } | Phase::EmergencyStop { kill } => kill.on_until.is_none(),
            _ => false,
        };
        self.state.leaving && is_quiet && self.state.valve == Valve::Shut
    }

    /// A new plan, at rest only. On refusal the old one stays.
    pub fn replace_plan(&mut self, plan: Plan) -> Result<(), Refusal> {
        match self.state.phase {
            Phase::Idle | Phase::Standby(_) if self.state.valve == Valve::Shut => {
                self.state.sensors.refit(&plan.inputs);
                self.plan = plan;
                Ok(())
            }
            _ => Err(Refusal::State { now: self.state() }),
        }
    }

    /// Lets time pass over everything that is metered. Returns how much.
    fn pass(&mut self, now: Instant) -> Duration {
        let s = &mut self.state;
        if now < s.now {
            self.events.tell(Event::ClockWentBack);
            s.panel.set(super::alarm::Condition::ClockWentBack, true);
            return Duration::ZERO;
        }
        // Once it has caught up.
        s.panel.set(super::alarm::Condition::ClockWentBack, false);
        let passed = now.since(s.now);
        let image = relays(s, &self.plan);
        self.wait_for_budget(passed);
        let s = &mut self.state;
        s.now = now;
        s.ledger.age(now);
        s.ledger.since_test = s.ledger.since_test.saturating_add(passed);
        let Some(pump) = &self.plan.pump else { return passed };
        if let Drive::Engine(cranking) = pump.drive
            && image.is_on(Output::Starter)
        {
            s.ledger.cranking.spend(now, passed, cranking.window);
        }
        if s.phase.engine().is_some() {
            s.ledger.run_total = s.ledger.run_total.saturating_add(passed);
            s.ledger.unfinished = s.ledger.unfinished.map(|ran| ran.saturating_add(passed));
            if let Some(refill) = &pump.refill {
                s.ledger.owe(passed, refill.per_mille, refill.cycle_max);
            }
        }
        if let Some(refill) = &pump.refill
            && image.is_on(Output::RefillValve)
        {
            s.ledger.refilling.spend(now, passed, refill.window);
            // What comes in during a run is a reserve: the pump takes it out again.
            if matches!(s.phase, Phase::Stopping { .. } | Phase::Refilling { .. }) {
                s.ledger.pay(passed);
            }
        }
        passed
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Sensors(image) => {
                self.state.sensors.take(self.state.now, &image, &self.plan.supervision);
            }
            Input::Demand(demand) => self.demand(demand),
            Input::Command(command) => self.command(command),
            Input::ReadBack { epoch, wrote, read } => self.read_back(epoch, wrote, read),
            Input::SelfTest(passed) => self.self_test(passed),
            Input::Shutdown => self.shut_down(),
        }
    }

    /// One transition at most; whether there was one.
    fn advance(&mut self) -> bool {
        if self.must_stop_at_once() || self.follow_selector() {
            return true;
        }
        let moved = match self.state.phase {
            Phase::Boot { .. } => self.boot(),
            Phase::Idle => self.idle(),
            Phase::Refilling { by } => self.refilling(by),
            Phase::Cooldown { until } => self.cooling_down(until),
            Phase::Standby(standby) => self.standing_by(standby),
            Phase::Priming { run, crank_at, stage } => self.priming(run, crank_at, stage),
            Phase::Starting { run, crank } => self.starting(run, crank),
            Phase::Running { run, engine } => self.running(run, engine),
            Phase::ReducingRpm { engine, why, stop_at, .. } => self.reducing(engine, why, stop_at),
            Phase::Stopping { why, ran, until, give_up_at, kill } => {
                self.stopping(why, ran, until, give_up_at, kill)
            }
            Phase::Fault { cause, kill } => self.latched(cause, kill),
            Phase::EmergencyStop { kill } => self.stopped(kill),
        };
        let (valve, tap) = (self.main_valve(), self.tap());
        valve || tap || moved
    }

    // What all of the machine's parts use.

    fn now(&self) -> Instant {
        self.state.now
    }

    fn tell(&mut self, event: Event) {
        self.events.tell(event);
    }

    fn see_yes(&self, sensor: Sensor) -> bool {
        self.see(sensor).is_yes()
    }

    /// Whether a moment of the state has come.
    fn is_due(&self, at: Instant) -> bool {
        at <= self.state.now
    }

    /// The only way into another state.
    fn go(&mut self, phase: Phase) {
        let (from, to) = (self.state.phase.name(), phase.name());
        self.state.phase = phase;
        self.state.ledger.engine_on = phase.engine().is_some() || self.may_run_on(&phase);
        if from != to {
            self.tell(Event::StateChanged { from, to });
            self.events.persist();
        }
    }

    /// The pump's plan. Phases of a run exist only where there is a pump.
    fn pump(&self) -> Option<Pump> {
        self.plan.pump
    }
}

/// Whether the crankshaft turns, as far as anybody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Motion {
    /// Nothing is fitted to see it.
    Unseen,
    Still,
    Moving,
    Unknown,
}

impl Machine {
    /// Two independent signs; either is enough to say that it moves (H2 of reliability.md).
    fn motion(&self) -> Motion {
        let signs = [self.see(Sensor::EngineRun), self.see(Sensor::EngineTurning)];
        if signs.contains(&Seen::Yes) {
            Motion::Moving
        } else if signs.contains(&Seen::Unknown) {
            Motion::Unknown
        } else if signs.contains(&Seen::No) {
            Motion::Still
        } else {
            Motion::Unseen
        }
    }

    fn shut_down(&mut self) {
        self.state.leaving = true;
        self.state.waiting = None;
        if self.state.phase.engine().is_some() {
            self.stop(StopReason::Shutdown);
        } else if self.state.phase.run().is_some() {
            self.abandon(StopReason::Shutdown);
        }
    }
}
