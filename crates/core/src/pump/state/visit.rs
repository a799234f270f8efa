//! Every moment the state holds, by name: for the next deadline, and for tests that look at
//! a state apart from the time of day.

use super::{Crank, Engine, Kill, Phase, Run, Stage, State, Tap, Valve};
use crate::time::Instant;

type Each<'a> = &'a mut dyn FnMut(&'static str, &mut Instant);

impl State {
    pub fn visit(&mut self, f: Each<'_>) {
        self.phase.visit(f);
        if let Valve::Closing { at } = &mut self.valve {
            f("main_valve_closes", at);
        }
        if let Tap::Shut { reopens_at: Some(at) } = &mut self.tap {
            f("refill_reopens", at);
        }
        self.sensors.visit(f);
        self.ledger.visit(f);
        let w = &mut self.watches;
        let lasting = [
            (&mut w.flow_stuck, "flow_stuck"),
            (&mut w.low_tank, "low_tank"),
            (&mut w.engine_unasked, "engine_unasked"),
            (&mut w.valve_lost, "valve_lost"),
            (&mut w.starter_welded, "starter_welded"),
        ];
        for (watch, name) in lasting {
            watch.0.iter_mut().for_each(|at| f(name, at));
        }
        w.relays.iter_mut().filter_map(|watch| watch.0.as_mut()).for_each(|at| f("relay", at));
        w.fire.iter_mut().for_each(|at| f("fire_unseen", at));
        w.remind.iter_mut().for_each(|at| f("remind", at));
        w.late_until.iter_mut().for_each(|at| f("late_forgotten", at));
        self.off_until.iter_mut().for_each(|at| f("off_over", at));
        self.disarmed_until.iter_mut().for_each(|at| f("disarmed_over", at));
        self.waiting.iter_mut().for_each(|w| f("demand_forgotten", &mut w.until));
        self.checkpoint_at.iter_mut().for_each(|at| f("checkpoint", at));
        self.health_at.iter_mut().for_each(|at| f("health", at));
    }
}

impl Phase {
    pub fn visit(&mut self, f: Each<'_>) {
        match self {
            Self::Boot { give_up_at, quiet_until, .. } => {
                f("boot_gives_up", give_up_at);
                quiet_until.iter_mut().for_each(|at| f("boot_quiet", at));
            }
            Self::Idle | Self::Standby(_) => {}
            Self::Refilling { by } => f("refill_gives_up", by),
            Self::Cooldown { until } => f("cooldown_over", until),
            Self::Priming { run, crank_at, stage } => {
                run.visit(f);
                f("crank", crank_at);
                match stage {
                    Stage::Opening { give_up_at } => f("valve_gives_up", give_up_at),
                    Stage::Freeing { until, .. } => f("valve_pulse_over", until),
                }
            }
            Self::Starting { run, crank } => {
                run.visit(f);
                match crank {
                    Crank::Turning { until, turn_by } => {
                        f("crank_over", until);
                        turn_by.iter_mut().for_each(|at| f("crank_turns", at));
                    }
                    Crank::Resting { until } => f("rest_over", until),
                }
            }
            Self::Running { run, engine } => {
                run.visit(f);
                engine.visit(f);
            }
            Self::ReducingRpm { run, engine, stop_at, .. } => {
                run.visit(f);
                engine.visit(f);
                f("throttled_down", stop_at);
            }
            Self::Stopping { until, give_up_at, kill, .. } => {
                f("stopped", until);
                f("stop_gives_up", give_up_at);
                kill.visit(f);
            }
            Self::Fault { kill, .. } | Self::EmergencyStop { kill } => kill.visit(f),
        }
    }
}

impl Run {
    fn visit(&mut self, f: Each<'_>) {
        f("fire_off", &mut self.wanted_until);
    }
}

impl Engine {
    fn visit(&mut self, f: Each<'_>) {
        f("rpm_reduction", &mut self.reduce_at);
        f("max_runtime", &mut self.stop_at);
        self.priming_until.iter_mut().for_each(|at| f("primed", at));
        self.dry_by.iter_mut().for_each(|at| f("dry_run", at));
        self.pressure_by.iter_mut().for_each(|at| f("pressure_check", at));
    }
}

impl Kill {
    fn visit(&mut self, f: Each<'_>) {
        self.on_until.iter_mut().for_each(|at| f("kill_over", at));
        self.again_at.iter_mut().for_each(|at| f("kill_again", at));
    }
}
