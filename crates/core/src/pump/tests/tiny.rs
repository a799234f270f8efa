//! Plans with times of a few seconds, below the bounds of any site: for searches over whole
//! state spaces and for random walks, where every deadline must come up often.

use core::time::Duration;

use super::super::plan::raw::{OnCrash, WaterPolicy};
use super::super::plan::{
    Cranking, Drive, Inputs, Limits, Opening, Plan, Pump, Refill, Stopping, Supervision, Throttle, Water,
};
use super::super::{Output, RelayImage, SENSORS_LEN, Sensor};

pub const TICK: Duration = Duration::from_secs(1);

pub const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A float brings the refill valve with it.
pub fn engine(sensors: &[Sensor]) -> Plan {
    let refills = sensors.contains(&Sensor::FloatHigh);
    let outputs = RelayImage::read_back(|o| match o {
        Output::RefillValve => refills,
        Output::Contactor | Output::Strobe => false,
        _ => true,
    });
    let cranking = Cranking {
        crank: s(2),
        rest: s(1),
        attempts: 2,
        turn_max: s(1),
        ignition_with_starter: true,
        budget: s(4),
        window: s(3),
        bar: s(1),
    };
    plan(sensors, outputs, Drive::Engine(cranking))
}

pub fn electric(sensors: &[Sensor]) -> Plan {
    let outputs = [Output::MainValve, Output::RefillValve, Output::Contactor, Output::Siren];
    plan(sensors, RelayImage::read_back(|o| outputs.contains(&o)), Drive::Electric)
}

fn plan(sensors: &[Sensor], outputs: RelayImage, drive: Drive) -> Plan {
    let bits = sensors.iter().fold(0, |bits, sensor| bits | sensor.bit());
    let is_engine = matches!(drive, Drive::Engine(_));
    let pump = Pump {
        drive,
        opening: Opening { wait: s(1), warns: false, travel_max: s(2), lost_max: s(1), manual_max: s(2) },
        priming: is_engine.then_some(s(2)),
        throttle: is_engine.then_some(Throttle { lead: s(1), down: s(1) }),
        refill: outputs.is_on(Output::RefillValve).then_some(Refill {
            per_mille: 1000,
            cycle_max: s(2),
            budget: s(3),
            window: s(4),
            dwell: s(1),
        }),
        limits: Limits {
            run_max: s(4),
            fire_off: s(3),
            off_min: s(1),
            cooldown: s(1),
            starts_max: 2,
            starts_window: s(3),
            test: s(2),
            test_every: s(1000),
            checkpoint_run: s(1),
            checkpoint_refill: s(1),
            demand_kept: s(1),
            alarm_kept: s(1),
        },
        stopping: Stopping {
            kill: is_engine.then_some(s(1)),
            stop_max: s(2),
            spin_down: s(1),
            valve_close: s(2),
        },
        water: Water {
            policy: WaterPolicy::Protect,
            dry_max: s(2),
            pressure_check: s(1),
            pressure_lost: s(1),
            low_tank: s(1),
        },
        on_crash: OnCrash::FailStop,
        gravity_feed: true,
        start_on_partial_tank: false,
    };
    Plan {
        outputs,
        inputs: Inputs { bits },
        supervision: Supervision {
            debounce_ms: [0; SENSORS_LEN],
            flap: None,
            image_age_max: None,
            stuck: s(2),
            boot_quiet: s(1),
            read_back: s(1),
            gap_max: None,
            gap_run_max: s(1),
            boot_max: s(2),
            remind: None,
        },
        pump: Some(pump),
        demand_age_max: s(1),
        health: None,
        remote_stop_reset: false,
    }
}
