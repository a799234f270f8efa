//! What a plant is made of, and one that fits a plan.

use std::time::Duration;

use vigia_core::pump::plan::{self, OnCrash};
use vigia_core::pump::{Output, Plan};

/// How an engine is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignition {
    /// It runs while its fuel valve or ignition is energised, and no longer.
    EnergiseToRun,
    /// Once it runs, it runs until the kill relay has been energised for a while. The watchdog
    /// relay, dropping, kills it by a contact of its own (reliability 2.4, 2).
    EnergiseToStop,
}

/// An engine with a starter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineConfig {
    pub ignition: Ignition,
    /// The starter's relay feeds the ignition, too, as a key does.
    pub starter_feeds: bool,
    /// Seconds of cranking after which it catches: from, to.
    pub catches_s: (f64, f64),
    /// The chance that one crank catches at all, 0 to 1.
    pub catches: f64,
    pub rated_rpm: f64,
    /// With the throttle pulled down.
    pub throttled_rpm: f64,
    /// From rated speed to standstill, without fuel.
    pub spin_down_s: f64,
    /// How long the kill relay must be energised to stop it.
    pub kill_s: f64,
}

/// What turns the pump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DriveConfig {
    Engine(EngineConfig),
    /// Seconds from standstill to rated speed, and back.
    Electric {
        ramp_s: f64,
    },
}

/// The hardware watchdog of reliability 2.4. It breaks the power of starter, ignition, contactor
/// and refill valve, so that a welded contact is broken with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watchdog {
    /// There is none: lines keep their level when the program dies.
    Absent,
    /// All of it drops 300 ms after the last heartbeat.
    FailStop,
    /// Ignition and contactor are held for 5 s.
    FailRun,
}

/// Water, in litres and litres per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TankConfig {
    pub volume_l: f64,
    /// At the start.
    pub level_l: f64,
    pub pump_l_per_s: f64,
    pub refill_l_per_s: f64,
}

impl TankConfig {
    /// The low float closes below this.
    #[must_use]
    pub fn low_l(&self) -> f64 {
        self.volume_l * 0.1
    }

    /// The high float closes above this.
    #[must_use]
    pub fn high_l(&self) -> f64 {
        self.volume_l * 0.92
    }

    /// The overflow contact closes above this; above `volume_l` water is on the floor.
    #[must_use]
    pub fn over_l(&self) -> f64 {
        self.volume_l * 0.97
    }
}

/// A whole plant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlantConfig {
    /// `None`: siren, strobe and contact only.
    pub drive: Option<DriveConfig>,
    pub watchdog: Watchdog,
    /// The stop button breaks the power of what moves, besides being read (ISO 13850).
    pub hard_wired_stop: bool,
    /// Relays report by a contact of their own; otherwise only their lines are read back.
    pub has_feedback: bool,
    /// From one end to the other.
    pub valve_travel_s: f64,
    /// Until the suction is full of water, with the priming valve open.
    pub priming_s: f64,
    pub tank: TankConfig,
}

impl PlantConfig {
    /// A plant that does what the plan expects of it.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let Some(pump) = plan.pump() else { return Self::alarm_only() };
        let seconds = |d: Duration| d.as_secs_f64();
        let drive = match pump.drive {
            plan::Drive::Engine(cranking) => {
                let crank = seconds(cranking.crank);
                DriveConfig::Engine(EngineConfig {
                    starter_feeds: !cranking.ignition_with_starter,
                    catches_s: (0.2 * crank, 0.7 * crank),
                    spin_down_s: seconds(pump.stopping.stop_max).min(8.0) / 2.0,
                    kill_s: pump.stopping.kill.map_or(1.0, seconds) / 2.0,
                    ..EngineConfig::USUAL
                })
            }
            plan::Drive::Electric => DriveConfig::Electric { ramp_s: 1.0 },
        };
        let pump_l_per_s = 10.0;
        let factor = pump.refill.map_or(40.0, |refill| f64::from(refill.per_mille) / 1000.0);
        // A longest run leaves a quarter of the tank.
        let volume_l = seconds(pump.limits.run_max) * pump_l_per_s * 1.4;
        Self {
            drive: Some(drive),
            watchdog: match pump.on_crash {
                OnCrash::FailStop => Watchdog::FailStop,
                OnCrash::FailRun => Watchdog::FailRun,
            },
            hard_wired_stop: true,
            has_feedback: true,
            valve_travel_s: seconds(pump.opening.travel_max) * 0.4,
            priming_s: pump.priming.map_or(0.4, |priming| seconds(priming).min(20.0) * 0.5),
            tank: TankConfig {
                volume_l,
                level_l: volume_l * 0.94,
                pump_l_per_s,
                // A little more than the plan counts on.
                refill_l_per_s: if plan.has_output(Output::RefillValve) {
                    pump_l_per_s / factor * 1.1
                } else {
                    0.0
                },
            },
        }
    }

    /// The engine pump of Wildfire Watch: its default timeline, a tank for one run.
    #[must_use]
    pub fn wildfire_engine() -> Self {
        Self {
            drive: Some(DriveConfig::Engine(EngineConfig::USUAL)),
            watchdog: Watchdog::FailStop,
            hard_wired_stop: true,
            has_feedback: true,
            valve_travel_s: 6.0,
            priming_s: 20.0,
            tank: TankConfig {
                volume_l: 25_000.0,
                level_l: 23_500.0,
                pump_l_per_s: 10.0,
                refill_l_per_s: 0.28,
            },
        }
    }

    /// A pump with an electric motor on a tank that somebody else fills.
    #[must_use]
    pub fn electric() -> Self {
        Self { drive: Some(DriveConfig::Electric { ramp_s: 1.0 }), priming_s: 2.0, ..Self::wildfire_engine() }
    }

    #[must_use]
    pub fn alarm_only() -> Self {
        Self { drive: None, ..Self::wildfire_engine() }
    }
}

impl EngineConfig {
    /// A small diesel.
    pub const USUAL: Self = Self {
        ignition: Ignition::EnergiseToRun,
        starter_feeds: false,
        catches_s: (0.8, 3.5),
        catches: 1.0,
        rated_rpm: 3000.0,
        throttled_rpm: 1800.0,
        spin_down_s: 4.0,
        kill_s: 1.5,
    };
}
