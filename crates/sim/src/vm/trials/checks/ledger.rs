//! What is known of a run after the program, or the power, was gone in it (P45): never less than was run, and at
//! most one interval of the ledger's records (10 s) more.

use std::time::Duration;

use vigia_core::board::Level::High;
use vigia_core::time::Instant;

use crate::plant::{Button, Fault};
use crate::vm::clock::{now, rest};
use crate::vm::rig::RigError;
use crate::vm::trials::{Bench, Seeing, sees};

/// The engine runs for so long before it happens.
const RUNS: Duration = Duration::from_millis(13_500);
const INTERVAL_S: f64 = 10.0;
/// From a record to the disk; and the clocks.
const LAG_S: f64 = 0.5;
/// Refill that is paid before the program says what is owed: it stops the engine for so long at most.
const PAID_S: f64 = 5.0;

pub fn p45_a_kill_in_a_run_is_known_afterwards(bench: &mut Bench) -> Seeing {
    let began = begin(bench)?;
    bench.rig.run("kill -KILL $(pidof vigia-pump)")?;
    let ran = now().since(began);
    known(bench, ran)
}

pub fn p45_a_power_cut_in_a_run_is_known_afterwards(bench: &mut Bench) -> Seeing {
    let began = begin(bench)?;
    bench.rig.machine.cut();
    let ran = now().since(began);
    // The engine spins down.
    rest(Duration::from_secs(2));
    let place = bench.rig.lines.place();
    bench.rig.boot()?;
    bench.wait_armed(place, None)?;
    known(bench, ran)
}

/// In the middle of a run; since when its ignition is on. No water comes in: what is owed stays owed.
fn begin(bench: &Bench) -> Result<Instant, RigError> {
    bench.fresh(|site| site.timings.fire_off_s = Some(40.0))?;
    bench.half_a_tank();
    bench.world.with(|world| world.plant.fault(Fault::NoRefill));
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    let on = bench.edge(place, "relay-run", High)?.at;
    rest(RUNS);
    let clock = bench.rig.lines.clock().ok_or_else(|| RigError::Not("the guest has no clock".to_owned()))?;
    Ok(clock.host(on))
}

fn known(bench: &Bench, ran: Duration) -> Seeing {
    let ran = ran.as_secs_f64();
    let known = bench.wait_said("RunInterrupted")?.seconds("ran:")?;
    let owed = bench.wait_said("RefillContinuing")?.seconds("duration:")?;
    let status = bench.status()?;
    let total = std::time::Duration::from_millis(status.number("total_runtime_ms")?).as_secs_f64();
    let is_within = |s: f64| s >= ran - LAG_S && s <= ran + INTERVAL_S + LAG_S;
    sees(is_within(known), || format!("{known:.1} s are known of {ran:.1} s"))?;
    sees(is_within(total), || format!("{total:.1} s in all are known of {ran:.1} s"))?;
    sees(owed <= known && owed >= known - PAID_S, || {
        format!("{owed:.1} s of refill are owed for {known:.1} s")
    })?;
    sees(status.number("runs")? == 1, || format!("{} runs are known", status.word("runs")))?;
    bench.world.with(|world| world.plant.mend_all());
    bench.fill(0.95);
    bench.wait_rest()?;
    Ok(format!("ran {ran:.1} s; known {known:.1} s, refill owed {owed:.1} s, one run"))
}
