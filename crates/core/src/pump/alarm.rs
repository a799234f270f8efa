//! The panel: alarm, supervisory and trouble, kept apart as fire panels do.
//!
//! An alarm latches until it is reset and its cause is gone. Silence stops the siren and
//! nothing else; acknowledging says that a person has seen it.

use serde::{Deserialize, Serialize};

use super::outputs::{Output, RelayImage};

/// The three kinds, each with its own indicator and topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Fire.
    Alarm,
    /// Something stands where it should not, and the box works.
    Supervisory,
    /// Something of the box is broken.
    Trouble,
}

/// What a panel can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    Fire,

    ValveOffNormal,
    NotAuto,
    Disarmed,
    RefillOwed,
    RefillBudgetSpent,
    TankLow,
    /// Neither flow nor pressure is fitted.
    DryRunUnprotected,
    /// Nobody sees whether the engine runs (H27).
    RunUnproven,
    /// The engine turns without having been asked to.
    EngineUnasked,
    StartsSpent,
    CrankingSpent,

    PumpFault,
    EmergencyStop,
    SensorUnknown,
    SensorFlapping,
    /// Two contacts say what cannot both be.
    SensorContradiction,
    SensorStuck,
    BatteryLow,
    DryRun,
    LowPressure,
    OilLow,
    TempHigh,
    RelayMismatch,
    CycleLate,
    ClockWentBack,
    LedgerLost,
    TestOverdue,
    EventsLost,
    /// It fell while it was fed, or does not fall when it is not: software alone makes the pump safe.
    WatchdogRelay,
}

impl Condition {
    pub const ALL: [Self; 30] = [
        Self::Fire,
        Self::ValveOffNormal,
        Self::NotAuto,
        Self::Disarmed,
        Self::RefillOwed,
        Self::RefillBudgetSpent,
        Self::TankLow,
        Self::DryRunUnprotected,
        Self::RunUnproven,
        Self::EngineUnasked,
        Self::StartsSpent,
        Self::CrankingSpent,
        Self::PumpFault,
        Self::EmergencyStop,
        Self::SensorUnknown,
        Self::SensorFlapping,
        Self::SensorContradiction,
        Self::SensorStuck,
        Self::BatteryLow,
        Self::DryRun,
        Self::LowPressure,
        Self::OilLow,
        Self::TempHigh,
        Self::RelayMismatch,
        Self::CycleLate,
        Self::ClockWentBack,
        Self::LedgerLost,
        Self::TestOverdue,
        Self::EventsLost,
        Self::WatchdogRelay,
    ];

    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Fire => Kind::Alarm,
            Self::ValveOffNormal
            | Self::NotAuto
            | Self::Disarmed
            | Self::RefillOwed
            | Self::RefillBudgetSpent
            | Self::TankLow
            | Self::DryRunUnprotected
            | Self::RunUnproven
            | Self::EngineUnasked
            | Self::StartsSpent
            | Self::CrankingSpent => Kind::Supervisory,
            Self::PumpFault
            | Self::EmergencyStop
            | Self::SensorUnknown
            | Self::SensorFlapping
            | Self::SensorContradiction
            | Self::SensorStuck
            | Self::BatteryLow
            | Self::DryRun
            | Self::LowPressure
            | Self::OilLow
            | Self::TempHigh
            | Self::RelayMismatch
            | Self::CycleLate
            | Self::ClockWentBack
            | Self::LedgerLost
            | Self::TestOverdue
            | Self::EventsLost
            | Self::WatchdogRelay => Kind::Trouble,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Whether a condition began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Raised,
    Restored,
}

/// Which conditions are there, were there, and have been seen by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Panel {
    active: u32,
    /// Until a reset, or, what is no alarm, until somebody has seen it end.
    latched: u32,
    acknowledged: u32,
    silenced: bool,
}

impl Panel {
    pub(super) fn set(&mut self, condition: Condition, is: bool) -> Option<Change> {
        let bit = condition.bit();
        match (is, self.active & bit != 0) {
            (true, false) => {
                self.active |= bit;
                self.latched |= bit;
                self.acknowledged &= !bit;
                Some(Change::Raised)
            }
            (false, true) => {
                self.active &= !bit;
                self.let_go();
                Some(Change::Restored)
            }
            (true, true) | (false, false) => None,
        }
    }

    /// A second fire sounds again, whatever was silenced.
    pub(super) fn sound_again(&mut self) {
        self.silenced = false;
    }

    pub(super) fn acknowledge(&mut self) {
        self.acknowledged |= self.latched;
        self.let_go();
    }

    pub(super) fn silence(&mut self) {
        self.silenced = self.latched & Condition::Fire.bit() != 0;
    }

    /// Whatever is still there stays.
    pub(super) fn reset(&mut self) {
        self.latched = self.active;
        self.acknowledged &= self.active;
        self.silenced &= self.active & Condition::Fire.bit() != 0;
    }

    /// What is over, was seen, and is no alarm.
    fn let_go(&mut self) {
        let kept = self.active | !self.acknowledged | Condition::Fire.bit();
        self.latched &= kept;
        self.acknowledged &= self.latched;
    }

    #[must_use]
    pub const fn is_active(&self, condition: Condition) -> bool {
        self.active & condition.bit() != 0
    }

    #[must_use]
    pub const fn is_latched(&self, condition: Condition) -> bool {
        self.latched & condition.bit() != 0
    }

    #[must_use]
    pub const fn is_acknowledged(&self, condition: Condition) -> bool {
        self.acknowledged & condition.bit() != 0
    }

    #[must_use]
    pub const fn is_silenced(&self) -> bool {
        self.silenced
    }

    /// What is shown under one kind.
    pub fn shown(&self, kind: Kind) -> impl Iterator<Item = Condition> {
        Condition::ALL.into_iter().filter(move |c| c.kind() == kind && self.is_latched(*c))
    }

    /// Siren until silenced, or where the image has it as a warning, whatever was silenced;
    /// contact until acknowledged and out; strobe until reset.
    pub(super) fn relays(&self, image: RelayImage) -> RelayImage {
        let alarm = self.is_latched(Condition::Fire);
        let held = self.is_active(Condition::Fire) || !self.is_acknowledged(Condition::Fire);
        let sounds = image.is_on(Output::Siren) || (alarm && !self.silenced);
        image.with(Output::Siren, sounds).with(Output::Contact, alarm && held).with(Output::Strobe, alarm)
    }
}
