//! What people may tell the pump, and who may.

use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::StateName;

/// Who speaks (reliability 5.3). Later ones may all that earlier ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    View,
    /// Stop, silence, acknowledge, test.
    Operate,
    /// Start, override, valves, reset of a fault.
    Arm,
    Maintain,
    /// A hand at the box.
    Local,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Latches. By radio or network it is a convenience; the emergency stop of the law is
    /// the hard-wired one (D6).
    EmergencyStop,
    /// Starts although a refill is owed (spec 3.5 `start`, `bypass_start`).
    Start,
    ValveOpen,
    ValveClose,
    Reset,
    Acknowledge,
    Silence,
    /// The weekly run.
    Test,
    Arm,
    /// Fires are announced but not answered, for at most [`DISARM_S_MAX`].
    Disarm,
}

/// Suppression is never off for longer without being said again (reliability 5.3, T12).
pub const DISARM_S_MAX: u64 = 4 * 3600;
/// An order older than this is refused (H20 of reliability.md).
pub const ORDER_AGE_S_MAX: u64 = 10;

impl Order {
    pub const ALL: [Self; 10] = [
        Self::EmergencyStop,
        Self::Start,
        Self::ValveOpen,
        Self::ValveClose,
        Self::Reset,
        Self::Acknowledge,
        Self::Silence,
        Self::Test,
        Self::Arm,
        Self::Disarm,
    ];

    #[must_use]
    pub const fn needs(self) -> Role {
        match self {
            Self::EmergencyStop | Self::Acknowledge | Self::Silence | Self::Test => Role::Operate,
            Self::Start | Self::ValveOpen | Self::ValveClose | Self::Reset | Self::Arm | Self::Disarm => {
                Role::Arm
            }
        }
    }

    /// From `fire/emergency`: a bare word, or JSON with `action` (as the code of the old
    /// controller reads it) or `command` (as its emergency card prints it). H15, P33.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Spoken {
            action: Option<String>,
            command: Option<String>,
        }
        const PAYLOAD_BYTES_MAX: usize = 4096;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let text = core::str::from_utf8(payload).ok()?.trim();
        if !text.starts_with('{') {
            return Self::from_word(text.trim_matches('"'));
        }
        let spoken: Spoken = serde_json::from_str(text).ok()?;
        match (spoken.action, spoken.command) {
            (Some(word), None) | (None, Some(word)) => Self::from_word(&word),
            // Two words: only if they say the same.
            (Some(a), Some(b)) => Self::from_word(&a).filter(|order| Self::from_word(&b) == Some(*order)),
            (None, None) => None,
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        const WORDS: [(&str, Order); 14] = [
            ("stop", Order::EmergencyStop),
            ("emergency_stop", Order::EmergencyStop),
            ("start", Order::Start),
            ("bypass_start", Order::Start),
            ("valve_open", Order::ValveOpen),
            ("valve_close", Order::ValveClose),
            ("reset", Order::Reset),
            ("acknowledge", Order::Acknowledge),
            ("ack", Order::Acknowledge),
            ("silence", Order::Silence),
            ("test", Order::Test),
            ("weekly_test", Order::Test),
            ("arm", Order::Arm),
            ("disarm", Order::Disarm),
        ];
        let word = word.trim();
        WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, order)| *order)
    }
}

/// An order as it arrives. Whether it is genuine was checked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Carried out at most once (I18). Zero: from the box itself, never a repetition.
    pub id: u64,
    pub order: Order,
    pub role: Role,
    /// Since it was given, by a clock that can't be set.
    pub age: Duration,
    pub retained: bool,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    Role {
        needs: Role,
    },
    Retained,
    Stale,
    Unauthorised,
    Duplicate,
    /// Not in this state.
    State {
        now: StateName,
    },
    /// There is no such relay here.
    NoPump,
    NoMainValve,
    /// The engine turns, or nobody can tell that it does not.
    EngineMoving,
    /// What latched is still there.
    CauseRemains,
    /// The stop must be released first.
    StopPressed,
    NotAuto,
    Disarmed,
    BatteryLow,
    /// Six starts an hour.
    StartsSpent,
    /// Ninety seconds of cranking in ten minutes.
    CrankingSpent,
    RefillOwed,
    TankLow,
    /// The float cannot be believed and the site protects its pump (P18).
    TankUnknown,
    Booting,
}
