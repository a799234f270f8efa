//! From what people wrote to a [`Plan`], with every mistake in it at once, or none.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::limits::{self as l, Rule};
use super::raw::{OnCrash, Preset, RawPlan, WaterPolicy};
use super::{
    Cranking, Drive, Flap, Inputs, Limits, Opening, Plan, Pump, Stopping, Supervision, Throttle, Water,
};
use crate::pump::outputs::{Output, RelayImage};
use crate::pump::sensors::{SENSORS_LEN, Sensor};

mod contacts;
mod refill;
mod together;

use contacts::{danger, usual_debounce_ms, word};

/// One mistake: which field, what it holds, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub path: String,
    pub value: String,
    pub should: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.path, self.value, self.should)
    }
}

/// A plan that holds, and what is odd about it nevertheless.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub plan: Plan,
    /// Unusual, as a site may be (the warnings of spec 3.3).
    pub odd: Vec<Wrong>,
}

/// The whole plan, or everything that is wrong with it.
pub fn parse(raw: &RawPlan) -> Result<Parsed, Vec<Wrong>> {
    let mut reader = Reader { raw, wrong: Vec::new(), odd: Vec::new() };
    let plan = reader.plan();
    if reader.wrong.is_empty() { Ok(Parsed { plan, odd: reader.odd }) } else { Err(reader.wrong) }
}

struct Reader<'a> {
    raw: &'a RawPlan,
    wrong: Vec<Wrong>,
    odd: Vec<Wrong>,
}

impl Reader<'_> {
    fn plan(&mut self) -> Plan {
        let outputs = self.outputs();
        let inputs = self.inputs();
        let pump = (self.raw.preset != Preset::AlarmOnly).then(|| self.pump(outputs, inputs));
        let demand_age_max = self.time(&l::DEMAND_AGE, self.raw.timings.demand_age_s_max);
        let health = self.time(&l::HEALTH, self.raw.timings.health_s);
        Plan {
            outputs,
            inputs,
            supervision: self.supervision(),
            pump,
            demand_age_max,
            health: Some(health),
            remote_stop_reset: self.raw.policies.remote_stop_reset.unwrap_or(false),
        }
    }

    fn refuse(&mut self, path: &str, value: impl ToString, should: &str) {
        let (path, value, should) = (path.to_string(), value.to_string(), should.to_string());
        self.wrong.push(Wrong { path, value, should });
    }

    fn remark(&mut self, path: &str, value: impl ToString, should: &str) {
        let (path, value, should) = (path.to_string(), value.to_string(), should.to_string());
        self.odd.push(Wrong { path, value, should });
    }

    /// The number, or its preset, within its bounds; what is not a number is not within them.
    fn number(&mut self, rule: &Rule, given: Option<f64>) -> f64 {
        let value = given.unwrap_or_else(|| rule.preset(self.raw.preset));
        if value >= rule.min && value <= rule.max {
            return value;
        }
        self.refuse(rule.path, value, &format!("it must be between {} and {}", rule.min, rule.max));
        rule.min
    }

    fn time(&mut self, rule: &Rule, given_s: Option<f64>) -> Duration {
        let s = self.number(rule, given_s);
        // In whole milliseconds, so that sums in a plan stay exact.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within its bounds")]
        Duration::from_millis(libm::round(s * 1000.0) as u64)
    }

    fn count(&mut self, rule: &Rule, given: Option<i64>) -> u8 {
        #[expect(clippy::cast_precision_loss, reason = "what is too large stays too large")]
        let n = self.number(rule, given.map(|n| n as f64));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within its bounds")]
        {
            n as u8
        }
    }

    fn outputs(&mut self) -> RelayImage {
        let preset: &[Output] = match self.raw.preset {
            Preset::WildfireEngine => &[
                Output::MainValve,
                Output::PrimingValve,
                Output::RefillValve,
                Output::Run,
                Output::Starter,
                Output::Kill,
                Output::ThrottleDown,
            ],
            Preset::Electric => &[Output::MainValve, Output::Contactor],
            Preset::AlarmOnly => &[Output::Siren, Output::Strobe, Output::Contact],
        };
        let raw = self.raw;
        let list = raw.outputs.as_deref().unwrap_or(preset);
        let mut image = RelayImage::NONE;
        for output in list {
            if image.is_on(*output) {
                self.refuse("outputs", output.name(), "each relay must be named once");
            }
            image = image.with(*output, true);
        }
        for output in Output::ALL {
            let belongs = Self::belongs(raw.preset, output);
            if image.is_on(output) && !belongs {
                self.refuse("outputs", output.name(), "this preset has no such relay; leave it out");
            }
        }
        let needed: &[Output] = match raw.preset {
            Preset::WildfireEngine => &[Output::MainValve, Output::Run, Output::Starter],
            Preset::Electric => &[Output::MainValve, Output::Contactor],
            Preset::AlarmOnly => &[],
        };
        for output in needed.iter().filter(|o| !image.is_on(**o)) {
            self.refuse("outputs", format!("without {}", output.name()), "this preset cannot do without it");
        }
        if image == RelayImage::NONE {
            self.refuse("outputs", "empty", "at least one relay must be named");
        }
        image
    }

    fn belongs(preset: Preset, output: Output) -> bool {
        match output {
            Output::Siren | Output::Strobe | Output::Contact => true,
            Output::MainValve | Output::PrimingValve | Output::RefillValve => preset != Preset::AlarmOnly,
            Output::Run | Output::Starter | Output::Kill | Output::ThrottleDown => {
                preset == Preset::WildfireEngine
            }
            Output::Contactor => preset == Preset::Electric,
        }
    }

    fn inputs(&mut self) -> Inputs {
        let mut bits = 0;
        for (sensor, input) in &self.raw.inputs {
            bits |= sensor.bit();
            if danger(*sensor) == Some(input.broken_reads) {
                self.refuse(
                    &format!("inputs.{}.broken_reads", sensor.name()),
                    word(input.broken_reads),
                    "a cut wire would read as all is well; turn the contact round (it must open in \
                     the dangerous case) or supervise its line",
                );
            }
        }
        let inputs = Inputs { bits };
        let pairs = [
            (Sensor::SelectorManual, Sensor::SelectorAuto, "a selector needs its AUTO contact, too"),
            (Sensor::SelectorAuto, Sensor::SelectorManual, "a selector needs its MANUAL contact, too"),
        ];
        for (has, needs, why) in pairs {
            if inputs.has(has) && !inputs.has(needs) {
                self.refuse(&format!("inputs.{}", has.name()), "alone", why);
            }
        }
        if inputs.has(Sensor::StarterClosed) && self.raw.preset != Preset::WildfireEngine {
            self.refuse("inputs.starter_closed", "fitted", "there is no starter; leave it out");
        }
        inputs
    }

    fn supervision(&mut self) -> Supervision {
        let mut debounce_ms = [0_u16; SENSORS_LEN];
        for sensor in Sensor::ALL {
            let given = self.raw.inputs.get(&sensor).and_then(|input| input.debounce_ms);
            let ms = given.unwrap_or_else(|| usual_debounce_ms(sensor));
            let fits = u16::try_from(ms).ok().filter(|_| ms <= l::DEBOUNCE_MS_MAX);
            if fits.is_none() {
                let path = format!("inputs.{}.debounce_ms", sensor.name());
                self.refuse(&path, ms, &format!("it must be between 0 and {}", l::DEBOUNCE_MS_MAX));
            }
            if let (Some(slot), Some(ms)) = (debounce_ms.get_mut(sensor as usize), fits) {
                *slot = ms;
            }
        }
        Supervision {
            debounce_ms,
            flap: Some(Flap {
                changes_max: l::FLAP_CHANGES_MAX,
                window: Duration::from_secs(l::FLAP_WINDOW_S),
            }),
            image_age_max: Some(Duration::from_millis(l::IMAGE_AGE_MS_MAX)),
            stuck: Duration::from_secs(l::STUCK_S),
            boot_quiet: Duration::from_millis(l::BOOT_QUIET_MS),
            read_back: Duration::from_millis(l::READ_BACK_MS),
            gap_max: Some(Duration::from_millis(l::GAP_MS_MAX)),
            boot_max: Duration::from_secs(l::BOOT_S_MAX),
            gap_run_max: Duration::from_millis(match self.raw.policies.on_crash {
                Some(OnCrash::FailRun) => l::GAP_FAIL_RUN_MS_MAX,
                Some(OnCrash::FailStop) | None => l::GAP_MS_MAX,
            }),
            remind: Some(Duration::from_secs(l::REMIND_S)),
        }
    }

    fn pump(&mut self, outputs: RelayImage, inputs: Inputs) -> Pump {
        let t = &self.raw.timings;
        let stopping = Stopping {
            kill: outputs.is_on(Output::Kill).then(|| self.time(&l::KILL, t.kill_s)),
            stop_max: self.time(&l::STOP, t.stop_s_max),
            spin_down: self.time(&l::SPIN_DOWN, t.spin_down_s),
            valve_close: self.time(&l::VALVE_CLOSE, t.valve_close_s),
        };
        let priming = outputs.is_on(Output::PrimingValve).then(|| self.time(&l::PRIME, t.prime_s));
        let throttle = outputs.is_on(Output::ThrottleDown).then(|| Throttle {
            lead: self.time(&l::THROTTLE_LEAD, t.throttle_lead_s),
            down: self.time(&l::THROTTLE_DOWN, t.throttle_down_s),
        });
        let limits = self.limits();
        let on_crash = self.raw.policies.on_crash;
        if on_crash.is_none() {
            self.refuse(
                "policies.on_crash",
                "missing",
                "choose fail_stop or fail_run; there is no default (R-31)",
            );
        }
        let pump = Pump {
            drive: self.drive(),
            opening: self.opening(),
            priming,
            throttle,
            refill: outputs.is_on(Output::RefillValve).then(|| self.refill(limits.run_max)),
            limits,
            stopping,
            water: self.water(),
            on_crash: on_crash.unwrap_or(OnCrash::FailStop),
            gravity_feed: self.raw.policies.gravity_feed.unwrap_or(false),
            start_on_partial_tank: self.raw.policies.start_on_partial_tank.unwrap_or(false),
        };
        self.leftovers(outputs);
        self.together(&pump, inputs);
        self.unusual(&pump);
        pump
    }

    fn drive(&mut self) -> Drive {
        let t = &self.raw.timings;
        if self.raw.preset == Preset::Electric {
            return Drive::Electric;
        }
        Drive::Engine(Cranking {
            crank: self.time(&l::CRANK, t.crank_s),
            rest: self.time(&l::CRANK_REST, t.crank_rest_s),
            attempts: self.count(&l::CRANK_ATTEMPTS, t.crank_attempts),
            turn_max: self.time(&l::CRANK_TURN, t.crank_turn_s_max),
            // Spec P3: the starter position of Wildfire Watch feeds the ignition itself.
            ignition_with_starter: self.raw.policies.ignition_with_starter.unwrap_or(false),
            budget: Duration::from_secs(l::CRANKING_S_MAX),
            window: Duration::from_secs(l::CRANKING_WINDOW_S),
            bar: Duration::from_secs(l::CRANK_BAR_S),
        })
    }

    fn opening(&mut self) -> Opening {
        let t = &self.raw.timings;
        let pre_open = self.time(&l::PRE_OPEN, t.pre_open_s);
        let prewarn = self.time(&l::PREWARN, t.prewarn_s);
        Opening {
            wait: pre_open.max(prewarn),
            warns: !prewarn.is_zero(),
            travel_max: self.time(&l::VALVE_TRAVEL, t.valve_travel_s_max),
            lost_max: Duration::from_millis(l::VALVE_LOST_MS),
            manual_max: Duration::from_secs(l::MANUAL_VALVE_S_MAX),
        }
    }

    fn limits(&mut self) -> Limits {
        let t = &self.raw.timings;
        let days = self.count(&l::TEST_EVERY, t.test_every_days);
        let run_max = self.time(&l::RUN, t.run_s_max);
        let test = self.time(&l::TEST, t.test_s);
        Limits {
            run_max,
            fire_off: self.time(&l::FIRE_OFF, t.fire_off_s),
            off_min: self.time(&l::OFF, t.off_s_min),
            cooldown: self.time(&l::COOLDOWN, t.cooldown_s),
            starts_max: self.count(&l::STARTS, t.starts_per_hour_max),
            starts_window: Duration::from_secs(l::STARTS_WINDOW_S),
            // A preset's test gives way to a shorter run, a site's own is looked at.
            test: if t.test_s.is_none() { test.min(run_max) } else { test },
            test_every: Duration::from_secs(u64::from(days) * l::DAY_S),
            checkpoint_run: Duration::from_secs(l::CHECKPOINT_RUN_S),
            checkpoint_refill: Duration::from_secs(l::CHECKPOINT_REFILL_S),
            demand_kept: Duration::from_secs(l::DEMAND_KEPT_S),
            alarm_kept: Duration::from_secs(l::ALARM_KEPT_S),
        }
    }

    fn water(&mut self) -> Water {
        let t = &self.raw.timings;
        Water {
            policy: self.raw.policies.without_water.unwrap_or(WaterPolicy::Protect),
            dry_max: self.time(&l::DRY, t.dry_s_max),
            pressure_check: self.time(&l::PRESSURE_CHECK, t.pressure_check_s),
            pressure_lost: self.time(&l::PRESSURE_LOST, t.pressure_lost_s),
            low_tank: Duration::from_secs(l::LOW_TANK_S),
        }
    }

    /// A timing for a relay that is not there is a misunderstanding.
    fn leftovers(&mut self, outputs: RelayImage) {
        let t = &self.raw.timings;
        let uses = [
            (Output::Kill, "timings.kill_s", t.kill_s),
            (Output::PrimingValve, "timings.prime_s", t.prime_s),
            (Output::ThrottleDown, "timings.throttle_lead_s", t.throttle_lead_s),
            (Output::ThrottleDown, "timings.throttle_down_s", t.throttle_down_s),
            (Output::Starter, "timings.crank_s", t.crank_s),
            (Output::Starter, "timings.crank_rest_s", t.crank_rest_s),
            (Output::RefillValve, "timings.refill_s_max", t.refill_s_max),
            (Output::RefillValve, "tank.refill_multiplier", self.raw.tank.refill_multiplier),
        ];
        for (output, path, given) in uses {
            if let Some(value) = given.filter(|_| !outputs.is_on(output)) {
                self.refuse(
                    path,
                    value,
                    &format!("outputs has no {}; leave it out or add the relay", output.name()),
                );
            }
        }
    }
}
