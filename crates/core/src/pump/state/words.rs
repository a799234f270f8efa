//! The words in which states are spoken of.

use serde::Serialize;

use crate::pump::outputs::Output;

/// Why the pump runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Fire,
    /// The weekly run: the engine's own protection comes first.
    Test,
}

/// Who saw a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Consensus,
    Button,
    Network,
    /// An order, not a demand.
    Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    MaxRuntime,
    FireOff,
    TestOver,
    SelectorOff,
    Shutdown,
    /// Found after a restart.
    Interrupted,
}

/// What latches. Only a person's reset leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    FailToStart,
    /// Ninety seconds of cranking in ten minutes are spent.
    OverCrank,
    DryRun,
    LowPressure,
    LowTank,
    Overspeed,
    /// Oil or temperature, during a test.
    EngineProtection,
    /// It does not open.
    MainValveStuck,
    /// It is no longer open, and the engine runs.
    MainValveLost,
    StarterWelded,
    WontStop,
    EngineFoundRunning,
    SelfTest,
    CycleGap,
    RefillFailed,
    /// This program went round in circles.
    Unsettled,
    /// A relay that matters does not follow.
    Relay {
        output: Output,
    },
}

impl Fault {
    /// All but [`Fault::Relay`], in the order of the ledger's codes: append, never insert.
    pub(in crate::pump) const PLAIN: [Self; 16] = [
        Self::FailToStart,
        Self::OverCrank,
        Self::DryRun,
        Self::LowPressure,
        Self::LowTank,
        Self::Overspeed,
        Self::EngineProtection,
        Self::MainValveStuck,
        Self::MainValveLost,
        Self::StarterWelded,
        Self::WontStop,
        Self::EngineFoundRunning,
        Self::SelfTest,
        Self::CycleGap,
        Self::RefillFailed,
        Self::Unsettled,
    ];
}

/// The names of spec 3.4, and those it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StateName {
    Boot,
    Idle,
    Priming,
    Starting,
    Running,
    ReducingRpm,
    Stopping,
    Refilling,
    Cooldown,
    LowPressure,
    Error,
    EmergencyStop,
    Off,
    Manual,
    Leaving,
}
