//! A board's lines as people write them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

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
    /// A line for each relay, all of one chip.
    #[serde(default)]
    pub outputs: BTreeMap<Output, RawRelay>,
    /// A line for each contact.
    #[serde(default)]
    pub inputs: BTreeMap<Sensor, RawContact>,
    /// The watchdog relay K0.
    #[serde(default)]
    pub watchdog: Option<RawWatchdog>,
    /// Where the kernel shows how pads are configured.
    #[serde(default)]
    pub pads: Option<RawPads>,
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
    /// The line's number on its chip, where name and number must agree.
    #[serde(default)]
    pub offset: Option<u32>,
    /// The level that energises the relay: high or low.
    pub active: Level,
    /// How the line drives: `push_pull`, `open_drain` or `open_source`.
    #[serde(default)]
    pub drive: Option<Drive>,
    /// The contact by which the relay says where it stands.
    #[serde(default)]
    pub feedback: Option<RawFeedback>,
    /// How the line's pad must be configured.
    #[serde(default)]
    pub pad: Option<RawPad>,
}

/// A relay's own contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFeedback {
    #[serde(default)]
    pub chip: Option<String>,
    pub line: String,
    #[serde(default)]
    pub offset: Option<u32>,
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
    #[serde(default)]
    pub offset: Option<u32>,
    /// The level at which the contact is active: high or low.
    pub active: Level,
    /// What pulls the line when its wire is cut.
    pub bias: Bias,
    /// The line must rest for so long before the kernel tells of it, in milliseconds.
    #[serde(default)]
    pub debounce_ms: Option<i64>,
    /// A second contact of the same switch that always says the opposite: where both say the
    /// same, a wire is cut or shorted.
    #[serde(default)]
    pub complement: Option<RawPlace>,
    /// The contact gives pulses, and is active while there are at least so many each second.
    #[serde(default)]
    pub pulses_per_s_min: Option<i64>,
}

/// Where a line is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPlace {
    #[serde(default)]
    pub chip: Option<String>,
    pub line: String,
    #[serde(default)]
    pub offset: Option<u32>,
}

/// The relay that feeds the coils of those behind it, and falls when this program falls silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWatchdog {
    pub heartbeat: RawHeartbeat,
    pub feedback: RawMaster,
    /// Relays whose coils get their current through it.
    pub behind: Vec<Output>,
}

/// The line that is toggled for as long as all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHeartbeat {
    #[serde(default)]
    pub chip: Option<String>,
    pub line: String,
    #[serde(default)]
    pub offset: Option<u32>,
    #[serde(default)]
    pub pad: Option<RawPad>,
}

/// The watchdog relay's own contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMaster {
    #[serde(default)]
    pub chip: Option<String>,
    pub line: String,
    #[serde(default)]
    pub offset: Option<u32>,
    /// The level at which the relay is pulled.
    pub active: Level,
}

/// The pin controller, as the kernel names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPads {
    /// Its folder below `/sys/kernel/debug/pinctrl`, e.g. 2430000.pinmux.
    pub controller: String,
}

/// What the pin controller must say of a pad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPad {
    /// The pad's group, e.g. `soc_gpio32_pq5`.
    pub group: String,
    /// 0: it drives.
    pub tristate: u32,
}
