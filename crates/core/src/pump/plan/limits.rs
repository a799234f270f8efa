//! What no site may exceed (reliability 3.2), and what each preset means.
//!
//! A configuration can only tighten these. The units are last in the names.

use super::raw::Preset;

/// One number: its place in the plan, its bounds, and its value by preset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub path: &'static str,
    pub min: f64,
    pub max: f64,
    pub engine: f64,
    pub electric: f64,
}

impl Rule {
    pub const fn preset(&self, preset: Preset) -> f64 {
        match preset {
            Preset::WildfireEngine => self.engine,
            Preset::Electric | Preset::AlarmOnly => self.electric,
        }
    }
}

const fn rule(path: &'static str, min: f64, max: f64, engine: f64, electric: f64) -> Rule {
    Rule { path, min, max, engine, electric }
}

pub(super) const PRE_OPEN: Rule = rule("timings.pre_open_s", 0.0, 60.0, 2.0, 2.0);
pub(super) const PREWARN: Rule = rule("timings.prewarn_s", 0.0, 30.0, 0.0, 0.0);
pub(super) const VALVE_TRAVEL: Rule = rule("timings.valve_travel_s_max", 1.0, 120.0, 15.0, 15.0);
pub(super) const PRIME: Rule = rule("timings.prime_s", 0.1, 600.0, 180.0, 30.0);
///
pub(super) const CRANK: Rule = rule("timings.crank_s", 0.1, 15.0, 5.0, 5.0);
pub(super) const CRANK_REST: Rule = rule("timings.crank_rest_s", 10.0, 60.0, 15.0, 15.0);
pub(super) const CRANK_ATTEMPTS: Rule = rule("timings.crank_attempts", 1.0, 6.0, 6.0, 6.0);
///
pub(super) const CRANK_TURN: Rule = rule("timings.crank_turn_s_max", 1.0, 5.0, 3.0, 3.0);
pub(super) const RUN: Rule = rule("timings.run_s_max", 60.0, 14_400.0, 1800.0, 1800.0);
pub(super) const FIRE_OFF: Rule = rule("timings.fire_off_s", 1.0, 14_400.0, 1800.0, 1800.0);
pub(super) const THROTTLE_LEAD: Rule = rule("timings.throttle_lead_s", 0.0, 600.0, 15.0, 15.0);
pub(super) const THROTTLE_DOWN: Rule = rule("timings.throttle_down_s", 0.1, 60.0, 5.0, 5.0);
/// P32 asks for at least a second; longer burns coils.
pub(super) const KILL: Rule = rule("timings.kill_s", 1.0, 15.0, 5.0, 5.0);
pub(super) const STOP: Rule = rule("timings.stop_s_max", 5.0, 60.0, 20.0, 20.0);
///
pub(super) const SPIN_DOWN: Rule = rule("timings.spin_down_s", 10.0, 60.0, 10.0, 10.0);
pub(super) const VALVE_CLOSE: Rule = rule("timings.valve_close_s", 10.0, 3600.0, 600.0, 60.0);
pub(super) const COOLDOWN: Rule = rule("timings.cooldown_s", 0.0, 3600.0, 60.0, 60.0);
///
pub(super) const OFF: Rule = rule("timings.off_s_min", 30.0, 600.0, 30.0, 30.0);
pub(super) const STARTS: Rule = rule("timings.starts_per_hour_max", 1.0, 6.0, 6.0, 6.0);
///
pub(super) const DRY: Rule = rule("timings.dry_s_max", 10.0, 300.0, 300.0, 60.0);
pub(super) const PRESSURE_CHECK: Rule = rule("timings.pressure_check_s", 0.0, 300.0, 60.0, 10.0);
/// P7 wants the stop within 5 s, contact filter included.
pub(super) const PRESSURE_LOST: Rule = rule("timings.pressure_lost_s", 0.5, 4.0, 3.0, 3.0);
///
pub(super) const REFILL: Rule = rule("timings.refill_s_max", 60.0, 82_800.0, 75_600.0, 75_600.0);
pub(super) const REFILL_DAY: Rule = rule("timings.refill_s_per_day_max", 60.0, 86_400.0, 79_200.0, 79_200.0);
pub(super) const HEALTH: Rule = rule("timings.health_s", 1.0, 3600.0, 60.0, 60.0);
/// R-23 says 2 s.
pub(super) const DEMAND_AGE: Rule = rule("timings.demand_age_s_max", 0.1, 2.0, 2.0, 2.0);
/// NFPA 25: 30 minutes diesel, 10 electric.
pub(super) const TEST: Rule = rule("timings.test_s", 30.0, 3600.0, 1770.0, 600.0);
pub(super) const TEST_EVERY: Rule = rule("timings.test_every_days", 1.0, 31.0, 7.0, 7.0);
pub(super) const MULTIPLIER: Rule = rule("tank.refill_multiplier", 1.0, 1000.0, 40.0, 40.0);
pub(super) const VOLUME: Rule = rule("tank.volume_l", 10.0, 10_000_000.0, 0.0, 0.0);
pub(super) const PUMP_FLOW: Rule = rule("tank.pump_l_per_min", 1.0, 100_000.0, 0.0, 0.0);
pub(super) const REFILL_FLOW: Rule = rule("tank.refill_l_per_min", 0.1, 100_000.0, 0.0, 0.0);

pub(super) const DEBOUNCE_MS_MAX: i64 = 2000;
/// ninety seconds of cranking in ten minutes; whatever a site asks for, one start has room in it.
pub(super) const CRANKING_S_MAX: u64 = 90;
const _: () = assert!(CRANK.max * CRANK_ATTEMPTS.max <= CRANKING_S_MAX as f64);
pub(super) const CRANKING_WINDOW_S: u64 = 600;
/// not within 5 s of a stop.
pub(super) const CRANK_BAR_S: u64 = 5;
pub(super) const STARTS_WINDOW_S: u64 = 3600;
pub(super) const DAY_S: u64 = 86_400;
///
pub(super) const VALVE_LOST_MS: u64 = 1500;
/// A relay that does not follow for this long failed; the image is written every 50 ms.
pub(super) const READ_BACK_MS: u64 = 250;
/// Written down this often during a run and a refill; what a power cut may forget is added.
pub(super) const CHECKPOINT_RUN_S: u64 = 10;
pub(super) const CHECKPOINT_REFILL_S: u64 = 300;
/// reliability 2.4: inputs valid for 2 s before anything else.
pub(super) const BOOT_QUIET_MS: u64 = 2000;
/// Without contacts, self-test and ledger by then, the start has failed.
pub(super) const BOOT_S_MAX: u64 = 30;
/// I14: unknown within 2 s.
pub(super) const IMAGE_AGE_MS_MAX: u64 = 1000;
/// I15.
pub(super) const GAP_MS_MAX: u64 = 500;
/// what the slow watchdog relay rides through.
pub(super) const GAP_FAIL_RUN_MS_MAX: u64 = 5000;
pub(super) const FLAP_CHANGES_MAX: u8 = 20;
pub(super) const FLAP_WINDOW_S: u64 = 10;
/// Flow with the main valve shut for this long is no flow but a stuck contact (P25).
pub(super) const STUCK_S: u64 = 30;
/// A demand that was blocked is kept for this long after it was last heard.
pub(super) const DEMAND_KEPT_S: u64 = 10;
/// The alarm is kept for longer than two of the heartbeats by which a fire is said to persist.
pub(in crate::pump) const ALARM_KEPT_S: u64 = 25;
/// The refill valve does not chatter.
pub(super) const TAP_DWELL_S: u64 = 10;
/// The low float must say so for this long.
pub(super) const LOW_TANK_S: u64 = 3;
/// An open main valve that nobody closes is closed after this.
pub(super) const MANUAL_VALVE_S_MAX: u64 = 3600;
/// Trouble that is still there is said again (reliability 5.3).
pub(super) const REMIND_S: u64 = 60;
