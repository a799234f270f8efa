//! The states of the machine that lines can bring about, and the way into each.

use std::time::Duration;

use vigia_core::pump::{Output, RawPlan, Reading, Sensor};

use super::fit;
use crate::plant::{Button, Contact, Fault, Selector};
use crate::vm::clock::rest;
use crate::vm::rig::RigError;
use crate::vm::trials::Bench;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Idle,
    Priming,
    Cranking,
    BetweenCranks,
    Running,
    Throttled,
    Stopping,
    Refilling,
    Cooldown,
    Error,
    Off,
    Manual,
}

impl At {
    pub const ALL: [Self; 12] = [
        Self::Idle,
        Self::Priming,
        Self::Cranking,
        Self::BetweenCranks,
        Self::Running,
        Self::Throttled,
        Self::Stopping,
        Self::Refilling,
        Self::Cooldown,
        Self::Error,
        Self::Off,
        Self::Manual,
    ];

    /// A box at rest, taken into the state.
    pub fn reach(self, bench: &Bench) -> Result<(), RigError> {
        bench.fresh(slow)?;
        let fault = |fault| bench.world.with(|world| world.plant.fault(fault));
        match self {
            Self::Idle => {}
            Self::Priming => {
                bench.press(Button::Fire);
                asks(bench, Output::MainValve, true)?;
            }
            Self::Cranking | Self::BetweenCranks => {
                fault(Fault::NoCatch);
                bench.press(Button::Fire);
                asks(bench, Output::Starter, true)?;
                if self == Self::BetweenCranks {
                    asks(bench, Output::Starter, false)?;
                }
            }
            Self::Running => bench.start_a_run()?,
            Self::Throttled => ends(bench, Output::ThrottleDown)?,
            Self::Stopping => ends(bench, Output::Kill)?,
            Self::Refilling => {
                bench.half_a_tank();
                ends(bench, Output::Kill)?;
                asks(bench, Output::Kill, false)?;
                asks(bench, Output::RefillValve, true)?;
            }
            Self::Cooldown => {
                ends(bench, Output::Kill)?;
                bench.fill(0.94);
                bench.wait_said("to: Cooldown")?;
            }
            Self::Error => {
                bench.start_a_run()?;
                fault(Fault::Contact(Sensor::Overspeed, Contact::StuckActive));
                asks(bench, Output::Run, false)?;
            }
            Self::Off => turn(bench, Selector::Off, "to: Off")?,
            Self::Manual => turn(bench, Selector::Manual, "to: Manual")?,
        }
        // Somewhere in it, not at its first moment.
        rest(Duration::from_millis(200));
        Ok(())
    }
}

/// Each state lasts for seconds.
fn slow(site: &mut RawPlan) {
    fit(site, Sensor::SelectorAuto, Reading::Inactive);
    fit(site, Sensor::SelectorManual, Reading::Inactive);
    fit(site, Sensor::Overspeed, Reading::Active);
    site.timings.pre_open_s = Some(5.0);
    site.timings.fire_off_s = Some(12.0);
    site.timings.throttle_down_s = Some(8.0);
    site.timings.kill_s = Some(3.0);
    site.timings.valve_close_s = Some(14.0);
    site.timings.cooldown_s = Some(60.0);
}

fn ends(bench: &Bench, output: Output) -> Result<(), RigError> {
    bench.start_a_run()?;
    asks(bench, output, true)
}

fn asks(bench: &Bench, output: Output, is: bool) -> Result<(), RigError> {
    let what = format!("{} {}", output.name(), if is { "on" } else { "off" });
    bench.wait(&what, |world| world.story().last().is_some_and(|m| m.asked.is_on(output) == is))
}

fn turn(bench: &Bench, to: Selector, said: &str) -> Result<(), RigError> {
    bench.world.with(|world| world.plant.turn(to));
    bench.wait_said(said).map(drop)
}
