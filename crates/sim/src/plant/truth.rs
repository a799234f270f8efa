//! What is really so, whatever contacts and relays say: for whoever judges.

use vigia_core::pump::{Output, RelayImage};

use super::engine::RUNS_FROM_RPM;
use super::water::SHUT_UP_TO;

/// Physical truth at one moment. Litres, seconds, revolutions per minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Truth {
    pub rpm: f64,
    /// The engine runs by itself, the motor is on.
    pub runs: bool,
    /// 0 shut, 1 open.
    pub valve: f64,
    /// 0 to 1.
    pub prime: f64,
    pub level_l: f64,
    pub flow_l_per_s: f64,
    pub overflow_l: f64,
    pub delivered_l: f64,
    pub filled_l: f64,
    /// 0 to 1.
    pub battery: f64,
    /// What relays feed, after faults, stop button and watchdog relay.
    pub live: RelayImage,
    /// The watchdog relay is pulled.
    pub k0: bool,
    /// Cranks since the start.
    pub cranks: u32,
    /// Seconds without a pause until now: the starter is engaged;
    pub starter_s: f64,
    /// the starter is engaged although the engine runs;
    pub starter_while_running_s: f64,
    /// it runs with the main valve shut;
    pub deadhead_s: f64,
    /// it runs without water;
    pub dry_s: f64,
    /// water comes in;
    pub refill_s: f64,
    /// ignition or contactor are under power.
    pub driven_s: f64,
    /// All seconds of cranking since the start.
    pub cranked_s: f64,
    /// All seconds that the refill valve was open since the start.
    pub refilled_s: f64,
    /// All seconds that it ran without water since the start.
    pub dry_total_s: f64,
}

impl Truth {
    /// The share of what the pump gives that is dry running.
    const DRY_FLOW: f64 = 0.1;

    /// Lets `dt` seconds pass over what is counted. Everything else is set already.
    pub(super) fn count(&mut self, dt: f64, pump_l_per_s: f64) {
        let live = self.live;
        let starter = live.is_on(Output::Starter);
        let turns = self.rpm > RUNS_FROM_RPM;
        let shut = self.valve <= SHUT_UP_TO;
        let dry = turns && self.runs && self.flow_l_per_s < Self::DRY_FLOW * pump_l_per_s;
        let drive = live.is_on(Output::Run) || live.is_on(Output::Contactor);
        if starter && self.starter_s == 0.0 {
            self.cranks += 1;
        }
        let counters = [
            (&mut self.starter_s, starter),
            (&mut self.starter_while_running_s, starter && self.runs && turns),
            (&mut self.deadhead_s, turns && shut),
            (&mut self.dry_s, dry),
            (&mut self.refill_s, live.is_on(Output::RefillValve)),
            (&mut self.driven_s, drive),
        ];
        for (counter, is) in counters {
            *counter = if is { *counter + dt } else { 0.0 };
        }
        self.cranked_s += if starter { dt } else { 0.0 };
        self.refilled_s += if live.is_on(Output::RefillValve) { dt } else { 0.0 };
        self.dry_total_s += if dry { dt } else { 0.0 };
    }
}
