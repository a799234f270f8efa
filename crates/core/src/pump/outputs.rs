//! The relays a site may have, and the image of all of them that is written each cycle.

use core::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A relay by what it does. Which line it is, and its polarity, is the board's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Sprinkler main (spec 3.1 `MAIN_VALVE_PIN`).
    MainValve,
    /// Air bleed (`PRIMING_VALVE_PIN`).
    PrimingValve,
    /// Reservoir fill (`REFILL_VALVE_PIN`).
    RefillValve,
    /// Ignition or fuel, held while the engine may run (`IGN_ON_PIN`).
    Run,
    /// Cranks (`IGN_START_PIN`).
    Starter,
    /// Stops by being energised (`IGN_OFF_PIN`).
    Kill,
    /// Lowers the engine's speed (`RPM_REDUCE_PIN`).
    ThrottleDown,
    /// The motor of an electric pump.
    Contactor,
    Siren,
    Strobe,
    /// A dry contact for whoever else wants to know about a fire.
    Contact,
}

impl Output {
    pub const ALL: [Self; 11] = [
        Self::MainValve,
        Self::PrimingValve,
        Self::RefillValve,
        Self::Run,
        Self::Starter,
        Self::Kill,
        Self::ThrottleDown,
        Self::Contactor,
        Self::Siren,
        Self::Strobe,
        Self::Contact,
    ];

    /// As people write it in a plan.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MainValve => "main_valve",
            Self::PrimingValve => "priming_valve",
            Self::RefillValve => "refill_valve",
            Self::Run => "run",
            Self::Starter => "starter",
            Self::Kill => "kill",
            Self::ThrottleDown => "throttle_down",
            Self::Contactor => "contactor",
            Self::Siren => "siren",
            Self::Strobe => "strobe",
            Self::Contact => "contact",
        }
    }

    /// A relay whose failure must not be lived with during a run (spec 3.8, criticality).
    #[must_use]
    pub const fn is_critical(self) -> bool {
        match self {
            Self::MainValve | Self::Run | Self::Starter | Self::Contactor | Self::Kill => true,
            Self::PrimingValve
            | Self::RefillValve
            | Self::ThrottleDown
            | Self::Siren
            | Self::Strobe
            | Self::Contact => false,
        }
    }

    #[inline]
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Which relays are energised. Outside of the pump it can be read, compared and made from
/// what was read back; only the machine's state makes one to be written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RelayImage(u16);

impl RelayImage {
    pub const NONE: Self = Self(0);

    #[must_use]
    #[inline]
    pub const fn is_on(self, output: Output) -> bool {
        self.0 & output.bit() != 0
    }

    /// From the lines: what each of them says about its relay.
    #[must_use]
    pub fn read_back(mut is_on: impl FnMut(Output) -> bool) -> Self {
        Self(Output::ALL.into_iter().filter(|o| is_on(*o)).map(Output::bit).sum())
    }

    /// Bits in the order of [`Output::ALL`], for frames and traces.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    pub fn energised(self) -> impl Iterator<Item = Output> {
        Output::ALL.into_iter().filter(move |o| self.is_on(*o))
    }

    /// Where the two differ.
    pub fn differences(self, other: Self) -> impl Iterator<Item = Output> {
        Self(self.0 ^ other.0).energised()
    }

    #[must_use]
    pub(super) const fn with(self, output: Output, on: bool) -> Self {
        if on { Self(self.0 | output.bit()) } else { Self(self.0 & !output.bit()) }
    }

    #[must_use]
    pub(super) const fn only(self, mask: Self) -> Self {
        Self(self.0 & mask.0)
    }
}

impl fmt::Debug for RelayImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.energised().map(Output::name)).finish()
    }
}
