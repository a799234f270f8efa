//! A board's lines as people write them.

use alloc::collections::BTreeMap;
use alloc::string::String;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pump::{Output, Sensor};

/// What the relays hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BankName {
    /// Nothing: a plant inside of the program. No relay moves.
    Simulated,
    /// Lines of the kernel.
    Gpio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Low,
    High,
}

impl Level {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drive {
    PushPull,
    /// Pulls down, or lets go.
    OpenDrain,
    /// Pulls up, or lets go.
    OpenSource,
}

/// What an input reads when nothing is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// The chip pulls. Some chips take the request and do nothing.
    PullUp,
    PullDown,
    /// A resistor on the board pulls.
    ExternalUp,
    ExternalDown,
}

impl Bias {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PullUp => "pull_up",
            Self::PullDown => "pull_down",
            Self::ExternalUp => "external_up",
            Self::ExternalDown => "external_down",
        }
    }

    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::PullUp | Self::ExternalUp => Level::High,
            Self::PullDown | Self::ExternalDown => Level::Low,
        }
    }
}

/// The key `lines` of a board's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLines {
    /// What the relays hang on: gpio, or simulated where none may move.
    pub bank: BankName,
    /// A line for each relay.
    #[serde(default)]
    pub outputs: BTreeMap<Output, RawRelay>,
    /// A line for each contact.
    #[serde(default)]
    pub inputs: BTreeMap<Sensor, RawContact>,
}

/// The line of a relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRelay {
    /// Label of the chip, where the line's name alone is not unique.
    #[serde(default)]
    pub chip: Option<String>,
    /// Name of the line, e.g. GPIO18.
    pub line: String,
    /// The level that energises the relay: high or low.
    pub active: Level,
    /// How the line drives: `push_pull`, `open_drain` or `open_source`.
    #[serde(default)]
    pub drive: Option<Drive>,
    /// The contact by which the relay says where it stands.
    #[serde(default)]
    pub feedback: Option<RawFeedback>,
}

/// A relay's own contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFeedback {
    #[serde(default)]
    pub chip: Option<String>,
    pub line: String,
    pub active: Level,
    /// From the coil to the contact, in milliseconds.
    #[serde(default)]
    pub delay_ms: Option<i64>,
}

/// The line of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawContact {
    #[serde(default)]
    pub chip: Option<String>,
    pub line: String,
    /// The level at which the contact is active: high or low.
    pub active: Level,
    /// What pulls the line when its wire is cut.
    pub bias: Bias,
    /// Whether a cut or shorted wire is told apart from both levels.
    #[serde(default)]
    pub supervised: Option<bool>,
}
