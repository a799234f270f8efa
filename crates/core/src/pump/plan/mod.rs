//! The site's plan: which relays and contacts exist, how long things take, what is dearer.
//!
//! It comes from [`parse::parse`] or not at all: what contradicts itself cannot be held by
//! these types. `Option`s say that something does not exist; there is no "absent, but its
//! timing is 5 s".

pub(in crate::pump) mod limits;
pub mod parse;
pub mod raw;

use core::time::Duration;

pub use parse::{Parsed, Wrong};
pub use raw::{OnCrash, Preset, RawInput, RawPlan, WaterPolicy};

use super::outputs::{Output, RelayImage};
use super::sensors::{Reading, SENSORS_LEN, Sensor};

/// Which contacts exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inputs {
    pub(in crate::pump) bits: u32,
}

impl Inputs {
    #[must_use]
    pub const fn has(&self, sensor: Sensor) -> bool {
        self.bits & sensor.bit() != 0
    }

    pub(in crate::pump) const fn fitted(&self) -> u32 {
        self.bits
    }
}

/// How contacts are filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supervision {
    pub debounce_ms: [u16; SENSORS_LEN],
    pub flap: Option<Flap>,
    pub image_age_max: Option<Duration>,
    pub stuck: Duration,
    pub boot_quiet: Duration,
    pub read_back: Duration,
    /// Between two steps; longer is a trouble, and the end of a crank.
    pub gap_max: Option<Duration>,
    /// Longer, and the watchdog relay has stopped the engine: the end of a run.
    pub gap_run_max: Duration,
    /// From the first step to a working machine.
    pub boot_max: Duration,
    pub remind: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flap {
    pub changes_max: u8,
    pub window: Duration,
}

impl Supervision {
    /// A press of the stop is believed at once; its release, like all else, takes its time.
    pub fn debounce(&self, sensor: Sensor, raw: Reading) -> Duration {
        if sensor == Sensor::EmergencyStop && raw != Reading::Inactive {
            return Duration::ZERO;
        }
        let ms = self.debounce_ms.get(sensor as usize).copied().unwrap_or_default();
        Duration::from_millis(u64::from(ms))
    }
}

/// What turns the pump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    Engine(Cranking),
    Electric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cranking {
    pub crank: Duration,
    pub rest: Duration,
    pub attempts: u8,
    pub turn_max: Duration,
    pub ignition_with_starter: bool,
    /// In `window` at most `budget` of cranking.
    pub budget: Duration,
    pub window: Duration,
    /// From a stop or stall to the next crank.
    pub bar: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// From opening the valve to moving the engine, the warning included.
    pub wait: Duration,
    /// The siren sounds until then.
    pub warns: bool,
    pub travel_max: Duration,
    /// Shorter than R-07's two seconds by the contact's filter.
    pub lost_max: Duration,
    /// For a valve opened by hand.
    pub manual_max: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    pub lead: Duration,
    pub down: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub run_max: Duration,
    pub fire_off: Duration,
    pub off_min: Duration,
    pub cooldown: Duration,
    pub starts_max: u8,
    pub starts_window: Duration,
    pub test: Duration,
    pub test_every: Duration,
    pub checkpoint_run: Duration,
    pub checkpoint_refill: Duration,
    pub demand_kept: Duration,
    pub alarm_kept: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopping {
    /// `None`: the engine stops by losing its ignition.
    pub kill: Option<Duration>,
    pub stop_max: Duration,
    pub spin_down: Duration,
    pub valve_close: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Water {
    pub policy: WaterPolicy,
    pub dry_max: Duration,
    pub pressure_check: Duration,
    pub pressure_lost: Duration,
    pub low_tank: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    /// Thousandths of a second of refill for each millisecond of run.
    pub per_mille: u32,
    /// One refill, and all that can ever be owed: a full tank.
    pub cycle_max: Duration,
    pub budget: Duration,
    pub window: Duration,
    pub dwell: Duration,
}

/// Everything that only a site with a pump has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pump {
    pub drive: Drive,
    pub opening: Opening,
    pub priming: Option<Duration>,
    pub throttle: Option<Throttle>,
    pub refill: Option<Refill>,
    pub limits: Limits,
    pub stopping: Stopping,
    pub water: Water,
    pub on_crash: OnCrash,
    pub gravity_feed: bool,
    pub start_on_partial_tank: bool,
}

/// A whole site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The relays that exist; others are never in an image.
    pub(in crate::pump) outputs: RelayImage,
    pub(in crate::pump) inputs: Inputs,
    pub(in crate::pump) supervision: Supervision,
    pub(in crate::pump) pump: Option<Pump>,
    pub(in crate::pump) demand_age_max: Duration,
    pub(in crate::pump) health: Option<Duration>,
    pub(in crate::pump) remote_stop_reset: bool,
}

impl Plan {
    /// The pump stops when nothing has said for so long that it burns; none without a pump.
    #[must_use]
    pub fn fire_off(&self) -> Option<Duration> {
        self.pump.as_ref().map(|pump| pump.limits.fire_off)
    }

    #[must_use]
    pub const fn has_output(&self, output: Output) -> bool {
        self.outputs.is_on(output)
    }

    #[must_use]
    pub const fn has_input(&self, sensor: Sensor) -> bool {
        self.inputs.has(sensor)
    }

    /// For those who must fit to it: simulations, status pages. Only [`parse`] makes a plan.
    #[must_use]
    pub const fn pump(&self) -> Option<&Pump> {
        self.pump.as_ref()
    }

    #[must_use]
    pub const fn supervision(&self) -> &Supervision {
        &self.supervision
    }

    /// An older demand starts nothing.
    #[must_use]
    pub const fn demand_age_max(&self) -> Duration {
        self.demand_age_max
    }

    #[must_use]
    pub const fn has_pump(&self) -> bool {
        self.pump.is_some()
    }

    /// What the hardware watchdog was built for; shown beside the plan.
    #[must_use]
    pub fn on_crash(&self) -> Option<OnCrash> {
        self.pump.map(|pump| pump.on_crash)
    }

    /// For simulations, which step from deadline to deadline: long gaps between steps and
    /// between images of the contacts are no fault there.
    #[must_use]
    pub fn jumping(mut self) -> Self {
        self.supervision.gap_max = None;
        self.supervision.image_age_max = None;
        self
    }
}
