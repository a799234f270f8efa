//! A site's plan as people write it. Whatever is left out is the preset's.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pump::outputs::Output;
use crate::pump::sensors::{Reading, Sensor};

/// What to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// The engine pump of Wildfire Watch, with its timeline (spec 3.3, 3.5).
    WildfireEngine,
    /// A pump with an electric motor.
    Electric,
    /// No pump: siren, strobe and contact.
    AlarmOnly,
}

/// What to do without water: the site must know whether the pump or the house is dearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaterPolicy {
    /// Goes on and says so.
    Fire,
    /// Stops and latches.
    Protect,
}

/// What the ignition does when this program dies. There is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCrash {
    /// The watchdog relay drops it within 300 ms.
    FailStop,
    /// A second, slower watchdog relay holds it for 5 s.
    FailRun,
}

/// One contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawInput {
    /// What a cut wire reads as: follows from the wiring.
    pub broken_reads: Reading,
    pub debounce_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPlan {
    pub preset: Preset,
    /// The relays that exist; replaces the preset's list.
    #[serde(default)]
    pub outputs: Option<Vec<Output>>,
    /// The contacts that exist.
    #[serde(default)]
    pub inputs: BTreeMap<Sensor, RawInput>,
    #[serde(default)]
    pub timings: RawTimings,
    #[serde(default)]
    pub tank: RawTank,
    #[serde(default)]
    pub policies: RawPolicies,
}

impl RawPlan {
    /// Nothing but a preset.
    #[must_use]
    pub fn of(preset: Preset) -> Self {
        Self {
            preset,
            outputs: None,
            inputs: BTreeMap::new(),
            timings: RawTimings::default(),
            tank: RawTank::default(),
            policies: RawPolicies::default(),
        }
    }
}

/// All in seconds, except where a name says otherwise. In brackets the names of spec 3.3.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTimings {
    /// From opening the valves to cranking (`PRE_OPEN_DELAY`).
    pub pre_open_s: Option<f64>,
    /// Siren before anything moves at sites where people may stand beside it (H11).
    pub prewarn_s: Option<f64>,
    /// How long the main valve may travel until its switch says open.
    pub valve_travel_s_max: Option<f64>,
    /// How long air is bled (`PRIMING_DURATION`).
    pub prime_s: Option<f64>,
    /// One crank (`IGNITION_START_DURATION`).
    pub crank_s: Option<f64>,
    pub crank_rest_s: Option<f64>,
    pub crank_attempts: Option<i64>,
    /// Without a turning crankshaft after this, the attempt is over.
    pub crank_turn_s_max: Option<f64>,
    /// `MAX_ENGINE_RUNTIME`.
    pub run_s_max: Option<f64>,
    /// From the last demand to the stop (`FIRE_OFF_DELAY`).
    pub fire_off_s: Option<f64>,
    /// How long before `run_s_max` the engine is throttled down (`RPM_REDUCTION_LEAD`).
    pub throttle_lead_s: Option<f64>,
    /// How long it is throttled down when the fire is out (`RPM_REDUCTION_DURATION`).
    pub throttle_down_s: Option<f64>,
    /// Kill pulse (`IGNITION_OFF_DURATION`).
    pub kill_s: Option<f64>,
    /// How long the engine may take to stand still.
    pub stop_s_max: Option<f64>,
    /// From standstill, or the end of the pulse where nobody sees it, to closing the valve.
    pub spin_down_s: Option<f64>,
    /// From an ordered stop to closing the main valve (`VALVE_CLOSE_DELAY`).
    pub valve_close_s: Option<f64>,
    /// `COOLDOWN_DURATION`.
    pub cooldown_s: Option<f64>,
    /// From a stop to the next crank.
    pub off_s_min: Option<f64>,
    pub starts_per_hour_max: Option<i64>,
    /// How long the pump may run without a sign of water (`MAX_DRY_RUN_TIME`).
    pub dry_s_max: Option<f64>,
    /// From the end of priming until pressure must be there (`PRESSURE_CHECK_DELAY`).
    pub pressure_check_s: Option<f64>,
    /// How long pressure may be away after that.
    pub pressure_lost_s: Option<f64>,
    /// One refill.
    pub refill_s_max: Option<f64>,
    /// All refills of 24 h together.
    pub refill_s_per_day_max: Option<f64>,
    /// `HEALTH_INTERVAL`.
    pub health_s: Option<f64>,
    /// An older demand starts nothing.
    pub demand_age_s_max: Option<f64>,
    /// The weekly run.
    pub test_s: Option<f64>,
    pub test_every_days: Option<i64>,
}

/// How long a refill takes: a factor, or litres.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTank {
    /// Seconds of refill for each second of run (`REFILL_MULTIPLIER`).
    pub refill_multiplier: Option<f64>,
    pub volume_l: Option<f64>,
    pub pump_l_per_min: Option<f64>,
    pub refill_l_per_min: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPolicies {
    pub without_water: Option<WaterPolicy>,
    pub on_crash: Option<OnCrash>,
    /// Opens the main valve for a fire although the pump is out of order: water that runs
    /// downhill is better than none (spec 6, P26).
    pub gravity_feed: Option<bool>,
    /// Starts although a refill is owed while the low float says that there is water (H30).
    pub start_on_partial_tank: Option<bool>,
    /// Whether the starter relay is energised together with the ignition, or feeds it
    /// by itself as a key does.
    pub ignition_with_starter: Option<bool>,
    /// Whether others than a hand at the box may reset an emergency stop.
    pub remote_stop_reset: Option<bool>,
}
