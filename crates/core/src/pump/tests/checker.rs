//! What must hold after every step, whatever happened. Apart from the machine: it looks at
//! relays, events and names of states, and keeps its own accounts.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::super::plan::{Drive, Plan};
use super::super::state::{Phase, Tap};
use super::super::{
    Event, Events, Input, Machine, Order, Output, Reading, Seen, Sensor, SensorImage, StateName,
};
use crate::time::Instant;

pub struct Checker {
    plan: Plan,
    last: Option<Instant>,
    starter_since: Option<Instant>,
    engine_since: Option<Instant>,
    before: super::super::RelayImage,
    /// Cranks, as ends and lengths.
    cranks: VecDeque<(Instant, Duration)>,
    owed: Duration,
    tap_was_open: bool,
    /// What it named as the next moment at which something changes by itself.
    due: Option<Instant>,
    contacts: Option<SensorImage>,
}

const DRIVES: [Output; 3] = [Output::Starter, Output::Run, Output::Contactor];

impl Checker {
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            last: None,
            starter_since: None,
            engine_since: None,
            before: super::super::RelayImage::NONE,
            cranks: VecDeque::new(),
            owed: Duration::ZERO,
            tap_was_open: false,
            due: None,
            contacts: None,
        }
    }

    pub fn check(&mut self, machine: &Machine, events: &Events, input: &Input, was: StateName) {
        check_step(machine, events, input, was);
        let now = machine.state.now;
        let passed = now.since(self.last.unwrap_or(now));
        self.last = Some(now);
        self.named(machine, input, was, now, passed);
        let image = machine.relays();
        self.cranking(machine, now, passed);
        self.running(machine, now, passed);
        self.refilling(machine, passed);
        self.before = image;
    }

    /// Whoever steps from deadline to deadline misses nothing: what changes by itself was named.
    fn named(&mut self, machine: &Machine, input: &Input, was: StateName, now: Instant, passed: Duration) {
        let only_time = match input {
            Input::Tick => true,
            Input::Sensors(image) => self.contacts.replace(*image).is_some_and(|before| before == *image),
            _ => false,
        };
        let is_late = self.plan.supervision.gap_max.is_some_and(|max| passed > max);
        let changed = machine.state() != was || machine.relays() != self.before;
        if only_time && changed && !is_late {
            let due = self.due;
            assert!(due.is_some_and(|due| due <= now), "{:?} at {now:?}: {due:?} was named", machine.state());
        }
        self.due = machine.deadline().map(|(at, _)| at);
    }

    /// I2: continuous and cumulative, by this checker's own count.
    fn cranking(&mut self, machine: &Machine, now: Instant, passed: Duration) {
        let is_on = machine.relays().is_on(Output::Starter);
        let Some(Drive::Engine(c)) = self.plan.pump.map(|p| p.drive) else {
            assert!(!is_on, "a starter without an engine");
            return;
        };
        if self.before.is_on(Output::Starter) {
            self.cranks.push_back((now, passed));
        }
        while self.cranks.front().is_some_and(|(end, _)| now.since(*end) >= c.window) {
            self.cranks.pop_front();
        }
        let spent: Duration = self.cranks.iter().map(|(_, long)| *long).sum();
        assert!(spent <= c.budget + passed, "I2: cranked for {spent:?} in {:?}", c.window);
        let since = *self.starter_since.get_or_insert(now);
        if is_on {
            assert!(now.since(since) <= c.crank + passed, "I2: cranking since {:?}", now.since(since));
        } else {
            self.starter_since = None;
        }
    }

    /// The run's limit, by this checker's own clock.
    fn running(&mut self, machine: &Machine, now: Instant, passed: Duration) {
        let Some(pump) = self.plan.pump else { return };
        let image = machine.relays();
        let is_on = machine.state.phase.engine().is_some()
            && (image.is_on(Output::Run) || image.is_on(Output::Contactor));
        if !is_on {
            self.engine_since = None;
            return;
        }
        let ran = now.since(*self.engine_since.get_or_insert(now));
        assert!(ran < pump.limits.run_max + passed.max(Duration::from_nanos(1)), "ran for {ran:?}");
    }

    /// Refill owed is paid by water or a full float, and by nothing else; I6.
    fn refilling(&mut self, machine: &Machine, passed: Duration) {
        let owed = machine.ledger().refill_owed();
        let is_full =
            machine.see(Sensor::FloatHigh) == Seen::Yes || machine.see(Sensor::Overflow) == Seen::Yes;
        if owed < self.owed && !is_full {
            assert!(self.tap_was_open, "refill forgiven");
            assert!(self.owed - owed <= passed, "refill forgiven: {:?} in {passed:?}", self.owed - owed);
        }
        self.owed = owed;
        self.tap_was_open = machine.state.tap == Tap::Open;
        if let Some(refill) = self.plan.pump.and_then(|pump| pump.refill) {
            let spent = machine.state.ledger.refilling.spent();
            assert!(spent < refill.budget + passed.max(Duration::from_nanos(1)), "I6: {spent:?} in a day");
        }
    }
}

/// What holds without any memory.
pub fn check_step(machine: &Machine, events: &Events, input: &Input, was: StateName) {
    let (image, state) = (machine.relays(), machine.state());
    let drives = DRIVES.iter().any(|o| image.is_on(*o));
    let kills = image.is_on(Output::Kill);
    let starter = image.is_on(Output::Starter);
    assert_eq!(events.lost(), 0, "events lost");
    assert_ne!(machine.status().fault, Some(super::super::Fault::Unsettled), "went round in circles");
    assert_eq!(image.bits() & !machine.plan.outputs.bits(), 0, "a relay that does not exist");

    // I1, I5.
    assert!(!drives || image.is_on(Output::MainValve), "I1: {state:?} drives with the main valve shut");
    let began = starter && events.iter().any(|e| matches!(e, Event::EngineStartSequence { .. }));
    assert!(!began || machine.see(Sensor::ValveOpen) != Seen::No, "I1: cranked before the valve is proven");
    // I3, R-06.
    assert!(!(drives && kills), "I3: {state:?} drives and kills");
    //
    assert!(!starter || machine.see(Sensor::EngineRun) != Seen::Yes, "cranks a running engine");
    // I4.
    let pressed = matches!(input, Input::Sensors(i) if i.get(Sensor::EmergencyStop) != Reading::Inactive)
        && machine.plan.inputs.has(Sensor::EmergencyStop);
    let ordered = events.iter().any(|e| matches!(e, Event::CommandDone { order: Order::EmergencyStop, .. }));
    if (pressed || ordered) && !matches!(state, StateName::Boot) {
        assert_eq!(state, StateName::EmergencyStop, "I4");
    }
    if state == StateName::EmergencyStop {
        assert!(!drives && !image.is_on(Output::RefillValve), "I4: drives after a stop");
        assert!(!machine.permits_watchdog());
    }
    // Standby and boot drive nothing (R-19, I10).
    if matches!(state, StateName::Boot) {
        assert_eq!(image.bits(), image.bits() & 0x700, "I10: {image:?} before the self-test");
    }
    if matches!(state, StateName::Off | StateName::Manual | StateName::Leaving) {
        assert!(!drives && !kills && !image.is_on(Output::RefillValve), "{state:?} drives {image:?}");
    }
    // A kill pulse on every stop of the engine (H12).
    let was_run =
        matches!(was, StateName::Priming | StateName::Starting | StateName::Running | StateName::ReducingRpm);
    let is_stop = matches!(
        state,
        StateName::Stopping | StateName::Error | StateName::LowPressure | StateName::EmergencyStop
    );
    let can_kill = machine.plan.outputs.is_on(Output::Kill);
    assert!(!(was_run && is_stop && can_kill) || kills, "{was:?} to {state:?} without a kill pulse");
    // I9.
    let latched = |s| matches!(s, StateName::Error | StateName::LowPressure | StateName::EmergencyStop);
    let was_reset = events.iter().any(|e| matches!(e, Event::EmergencyReset));
    assert!(!latched(was) || latched(state) || was_reset, "I9: {was:?} left for {state:?}");
    assert!(!was_reset || !drives, "I9: a reset drives");
    // I6.
    if machine.see(Sensor::FloatHigh) == Seen::Yes {
        assert!(!image.is_on(Output::RefillValve), "I6: fills a full tank");
    }
    // I8.
    if let Some(Drive::Engine(c)) = machine.plan.pump.map(|p| p.drive)
        && let Some(run) = machine.state.phase.run()
    {
        assert!(run.attempts <= c.attempts, "I8: {} attempts", run.attempts);
    }
    deadlines(machine, state);
    assert!(may_follow(was, state), "{was:?} to {state:?}");
}

/// Every state that is no rest ends by itself.
fn deadlines(machine: &Machine, state: StateName) {
    let mut phase = machine.state.phase;
    let rests =
        matches!(phase, Phase::Idle | Phase::Standby(_) | Phase::Fault { .. } | Phase::EmergencyStop { .. });
    let mut ends = rests;
    phase.visit(&mut |_, at| ends |= *at > machine.state.now);
    assert!(ends, "{state:?} has no deadline: {:?}", machine.state.phase);
}

/// P50, with the states that the old controller did not have. Two steps may be one where
/// the first takes no time.
pub fn may_follow(from: StateName, to: StateName) -> bool {
    use StateName as S;
    if from == to || matches!(to, S::Error | S::LowPressure | S::EmergencyStop) {
        return true;
    }
    let rest = [S::Idle, S::Refilling, S::Cooldown, S::Off, S::Manual, S::Leaving];
    match from {
        S::Boot => rest.contains(&to) || to == S::Stopping || to == S::Priming,
        S::Idle | S::Refilling | S::Cooldown | S::Off | S::Manual | S::Leaving => {
            rest.contains(&to) || to == S::Priming
        }
        S::Priming => [S::Starting, S::Running, S::ReducingRpm, S::Stopping, S::Manual].contains(&to),
        S::Starting => [S::Priming, S::Running, S::ReducingRpm, S::Stopping, S::Manual].contains(&to),
        S::Running => [S::Starting, S::ReducingRpm, S::Stopping, S::Manual].contains(&to),
        S::ReducingRpm => [S::Running, S::Stopping, S::Manual].contains(&to),
        S::Stopping => rest.contains(&to) || to == S::Priming,
        S::Error | S::LowPressure | S::EmergencyStop => rest.contains(&to),
    }
}
