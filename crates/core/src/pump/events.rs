//! What happened, in the words that listeners of the old controller know (spec 3.7).

use core::time::Duration;

use serde::Serialize;

use super::alarm::Condition;
use super::order::{Order, Refusal};
use super::outputs::Output;
use super::sensors::Sensor;
use super::state::{Fault, Purpose, Source, StateName, StopReason};

/// One thing that happened. Serialised, `action` is the name of spec 3.7 where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Event {
    StateChanged {
        from: StateName,
        to: StateName,
    },
    HealthReport,

    // Demands for water.
    DemandAccepted {
        id: u64,
        source: Source,
    },
    TriggerBlockedRefilling {
        id: u64,
        owed: Duration,
    },
    TriggerBlocked {
        id: u64,
        why: Refusal,
    },
    TriggerIgnored {
        id: u64,
        why: Refusal,
    },
    ErrorStateTriggerIgnored {
        id: u64,
        fault: Fault,
    },
    EmergencyButtonPressed,

    // A run.
    PumpSequenceStart {
        epoch: u32,
        purpose: Purpose,
    },
    PrimingStarted,
    RefillValveOpenedImmediately,
    EmergencyValveSuccess {
        pulses: u8,
    },
    EmergencyValveFailed,
    EngineStartSequence {
        attempt: u8,
    },
    CrankFailed {
        attempt: u8,
        turned: bool,
    },
    EngineRunning {
        proven: bool,
    },
    EngineStalled {
        ran: Duration,
    },
    PrimingComplete,
    /// Neither flow nor pressure is there to tell a dry pump from a wet one (P24).
    DryRunUnprotected,
    DryRunProtectionTriggered {
        dry: Duration,
    },
    LowPressureDetected,
    LowTankDetected,
    RpmReduced {
        reason: StopReason,
    },
    ShutdownCancelled {
        id: u64,
    },
    TestPromoted {
        id: u64,
    },
    ShutdownInitiated {
        reason: StopReason,
    },
    ShutdownComplete {
        runtime: Duration,
    },
    RefillContinuing {
        duration: Duration,
    },
    RefillCompleteTimer,
    RefillCompleteFloatSwitch,
    RefillBudgetSpent,
    CooldownEntered,
    IdleStateEntered,
    MainValveClosed,

    // What went wrong.
    ErrorStateEntered {
        reason: Fault,
    },
    HardwareValidationFailure {
        relay: Output,
        expected: bool,
        actual: bool,
    },
    SensorUntrusted {
        sensor: Sensor,
    },
    SensorTrusted {
        sensor: Sensor,
    },
    CycleLate {
        gap: Duration,
    },
    ClockWentBack,
    RunInterrupted {
        ran: Duration,
    },
    LedgerLost,

    // Orders.
    EmergencyStop,
    EmergencyBypassStart,
    EmergencyValveOpen,
    EmergencyValveClose,
    EmergencyReset,
    CommandDone {
        id: u64,
        order: Order,
    },
    CommandRefused {
        id: u64,
        order: Order,
        why: Refusal,
    },
    Armed,
    Disarmed {
        until_armed_at_most: Duration,
    },

    // The panel.
    Raised {
        condition: Condition,
    },
    Restored {
        condition: Condition,
    },
    Acknowledged,
    Silenced,
}

/// How many events one step can tell; what is beyond is counted.
pub const EVENTS_LEN_MAX: usize = 48;

/// The events of one step, in order, in a buffer that never grows.
#[derive(Debug, Clone)]
pub struct Events {
    list: [Event; EVENTS_LEN_MAX],
    len: usize,
    lost: u32,
    persist: bool,
}

impl Events {
    pub(super) const fn new() -> Self {
        Self { list: [Event::HealthReport; EVENTS_LEN_MAX], len: 0, lost: 0, persist: false }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.persist = false;
    }

    pub(super) fn tell(&mut self, event: Event) {
        match self.list.get_mut(self.len) {
            Some(slot) => {
                *slot = event;
                self.len += 1;
            }
            None => self.lost = self.lost.saturating_add(1),
        }
    }

    pub(super) fn persist(&mut self) {
        self.persist = true;
    }

    #[must_use]
    pub fn as_slice(&self) -> &[Event] {
        self.list.get(..self.len).unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.as_slice().iter()
    }

    #[must_use]
    pub fn contains(&self, event: &Event) -> bool {
        self.as_slice().contains(event)
    }

    /// Events that did not fit, since the start. Not zero: a fault of this program.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.lost
    }

    /// Whether the ledger is to be written down, see [`super::Machine::ledger_record`].
    #[must_use]
    pub const fn must_persist(&self) -> bool {
        self.persist
    }
}
