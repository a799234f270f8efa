//! Everything the machine remembers, and the relays that follow from it.
//!
//! ```text
//!            ┌───────────── rest ─────────────┐
//!  BOOT ──►  IDLE  COOLDOWN  REFILLING  OFF  MANUAL
//!              │        │        ┆ (bypass, or water enough)
//!              ▼        ▼        ▼
//!            PRIMING ──► STARTING ⇄ rest between cranks
//!                           │  ▲
//!                           ▼  │ stalled
//!        ┌──── demand ──► RUNNING ──► REDUCING_RPM ──┐
//!        └──────────────────┼───────────┘            ▼
//!                           └───────────────────► STOPPING ──► REFILLING ──► COOLDOWN ──► IDLE
//!  any ──► ERROR, LOW_PRESSURE (latched)    any ──► EMERGENCY_STOP (latched)    reset ──► rest
//! ```
//! A deadline lives in the state it belongs to; leaving the state is what cancels it. The
//! main valve and the refill valve outlive states (one drains for ten minutes after a stop,
//! the other fills for hours) and are small machines of their own beside it.

use core::time::Duration;

use super::alarm::Panel;
use super::ledger::Ledger;
use super::outputs::{Output, RelayImage};
use super::plan::{Drive, Plan};
use super::sensors::Sensors;
use crate::time::Instant;

mod lasting;
mod visit;
mod words;

pub(super) use lasting::{Kill, Watch, Watches};
pub use words::{Fault, Purpose, Source, StateName, StopReason};

/// One run, from the first valve to the last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub purpose: Purpose,
    /// When it is over unless the fire is seen again.
    pub wanted_until: Instant,
    /// Cranks so far.
    pub attempts: u8,
}

/// The engine is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Engine {
    /// When it is throttled down before the end.
    pub reduce_at: Instant,
    pub stop_at: Instant,
    /// A stall counts only where a running engine has been seen.
    pub proven: bool,
    /// Air is bled until then.
    pub priming_until: Option<Instant>,
    /// Without a sign of water until then the pump is dry. Each sign moves it. `None`: said.
    pub dry_by: Option<Instant>,
    /// The same for pressure.
    pub pressure_by: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// The main valve has until then to open, where it can be seen.
    Opening { give_up_at: Instant },
    /// Its relay is pulsed to free it (spec 3.6, valve rescue).
    Freeing { pulses: u8, on: bool, until: Instant },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Crank {
    /// Starter on.
    Turning {
        until: Instant,
        /// The crankshaft must be seen to turn by then, where it can be seen.
        turn_by: Option<Instant>,
    },
    Resting {
        until: Instant,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standby {
    Off,
    Manual,
    /// The program is about to end.
    Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Nothing moves before contacts and self-test are there.
    Boot {
        give_up_at: Instant,
        quiet_until: Option<Instant>,
    },

    // At rest.
    Idle,
    Refilling {
        by: Instant,
    },
    Cooldown {
        until: Instant,
    },
    Standby(Standby),

    // A run.
    Priming {
        run: Run,
        crank_at: Instant,
        stage: Stage,
    },
    Starting {
        run: Run,
        crank: Crank,
    },
    Running {
        run: Run,
        engine: Engine,
    },
    ReducingRpm {
        run: Run,
        engine: Engine,
        why: StopReason,
        stop_at: Instant,
    },
    Stopping {
        why: StopReason,
        ran: Duration,
        until: Instant,
        give_up_at: Instant,
        kill: Kill,
    },

    // Latched.
    Fault {
        cause: Fault,
        kill: Kill,
    },
    EmergencyStop {
        kill: Kill,
    },
}

/// The main valve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Valve {
    Shut,
    /// As long as the run lasts.
    Open,
    /// Open until then, and for as long as the engine turns.
    Closing {
        at: Instant,
    },
}

/// The refill valve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Tap {
    Shut {
        /// It does not chatter.
        reopens_at: Option<Instant>,
    },
    Open,
}

/// A demand that cannot be answered yet (C1 of the spec).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Waiting {
    pub id: u64,
    pub source: Source,
    pub until: Instant,
}

/// All of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub now: Instant,
    /// Of the run, counted from the start of the program.
    pub epoch: u32,
    pub phase: Phase,
    pub valve: Valve,
    pub tap: Tap,
    pub sensors: Sensors,
    pub ledger: Ledger,
    pub panel: Panel,
    pub watches: Watches,
    /// No crank before (R-03, R-16).
    pub off_until: Option<Instant>,
    pub disarmed_until: Option<Instant>,
    pub waiting: Option<Waiting>,
    pub checkpoint_at: Option<Instant>,
    pub health_at: Option<Instant>,
    pub leaving: bool,
    pub ledger_lost: bool,
    /// Nothing is driven before.
    pub self_tested: bool,
    /// Contacts that were said to be unknown.
    pub untrusted: u32,
    pub fire_button: bool,
    pub reset_button: bool,
}

impl Phase {
    pub const fn name(&self) -> StateName {
        match self {
            Self::Boot { .. } => StateName::Boot,
            Self::Idle => StateName::Idle,
            Self::Refilling { .. } => StateName::Refilling,
            Self::Cooldown { .. } => StateName::Cooldown,
            Self::Standby(Standby::Off) => StateName::Off,
            Self::Standby(Standby::Manual) => StateName::Manual,
            Self::Standby(Standby::Leaving) => StateName::Leaving,
            Self::Priming { .. } => StateName::Priming,
            Self::Starting { .. } => StateName::Starting,
            Self::Running { .. } => StateName::Running,
            Self::ReducingRpm { .. } => StateName::ReducingRpm,
            Self::Stopping { .. } => StateName::Stopping,
            Self::Fault { cause: Fault::LowPressure, .. } => StateName::LowPressure,
            Self::Fault { .. } => StateName::Error,
            Self::EmergencyStop { .. } => StateName::EmergencyStop,
        }
    }

    /// From the first valve to the stop.
    pub const fn run(&self) -> Option<&Run> {
        match self {
            Self::Priming { run, .. }
            | Self::Starting { run, .. }
            | Self::Running { run, .. }
            | Self::ReducingRpm { run, .. } => Some(run),
            Self::Boot { .. }
            | Self::Idle
            | Self::Refilling { .. }
            | Self::Cooldown { .. }
            | Self::Standby(_)
            | Self::Stopping { .. }
            | Self::Fault { .. }
            | Self::EmergencyStop { .. } => None,
        }
    }

    pub const fn run_mut(&mut self) -> Option<&mut Run> {
        match self {
            Self::Priming { run, .. }
            | Self::Starting { run, .. }
            | Self::Running { run, .. }
            | Self::ReducingRpm { run, .. } => Some(run),
            Self::Boot { .. }
            | Self::Idle
            | Self::Refilling { .. }
            | Self::Cooldown { .. }
            | Self::Standby(_)
            | Self::Stopping { .. }
            | Self::Fault { .. }
            | Self::EmergencyStop { .. } => None,
        }
    }

    /// The engine is on, as far as the relays say.
    pub const fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Running { engine, .. } | Self::ReducingRpm { engine, .. } => Some(engine),
            Self::Boot { .. }
            | Self::Idle
            | Self::Refilling { .. }
            | Self::Cooldown { .. }
            | Self::Standby(_)
            | Self::Priming { .. }
            | Self::Starting { .. }
            | Self::Stopping { .. }
            | Self::Fault { .. }
            | Self::EmergencyStop { .. } => None,
        }
    }
}

/// Each relay, from nothing but the state (I17).
pub(super) fn relays(state: &State, plan: &Plan) -> RelayImage {
    use Output as O;
    let image = RelayImage::NONE
        .with(O::MainValve, state.valve != Valve::Shut)
        .with(O::RefillValve, state.tap == Tap::Open);
    let image = match &state.phase {
        Phase::Boot { .. }
        | Phase::Idle
        | Phase::Refilling { .. }
        | Phase::Cooldown { .. }
        | Phase::Standby(_) => image,
        Phase::Priming { stage, .. } => {
            let pulled = matches!(stage, Stage::Freeing { on: false, .. });
            image.with(O::PrimingValve, true).with(O::MainValve, !pulled).with(O::Siren, warns(plan))
        }
        Phase::Starting { crank, .. } => {
            let turning = matches!(crank, Crank::Turning { .. });
            image
                .with(O::PrimingValve, true)
                .with(O::Starter, turning)
                .with(O::Run, turning && ignition_with_starter(plan))
        }
        Phase::Running { engine, .. } => {
            driving(image, plan).with(O::PrimingValve, engine.priming_until.is_some())
        }
        Phase::ReducingRpm { engine, .. } => driving(image, plan)
            .with(O::PrimingValve, engine.priming_until.is_some())
            .with(O::ThrottleDown, true),
        Phase::Stopping { kill, .. } | Phase::Fault { kill, .. } | Phase::EmergencyStop { kill } => {
            image.with(O::Kill, kill.on_until.is_some())
        }
    };
    state.panel.relays(image).only(plan.outputs)
}

fn driving(image: RelayImage, plan: &Plan) -> RelayImage {
    match plan.pump.map(|pump| pump.drive) {
        Some(Drive::Engine(_)) => image.with(Output::Run, true),
        Some(Drive::Electric) => image.with(Output::Contactor, true),
        None => image,
    }
}

/// Whether people beside the engine are warned, whoever wants it to start (R-H11).
fn warns(plan: &Plan) -> bool {
    plan.pump.is_some_and(|pump| pump.opening.warns)
}

fn ignition_with_starter(plan: &Plan) -> bool {
    match plan.pump.map(|pump| pump.drive) {
        Some(Drive::Engine(cranking)) => cranking.ignition_with_starter,
        Some(Drive::Electric) | None => false,
    }
}
