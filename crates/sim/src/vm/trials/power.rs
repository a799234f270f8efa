//! The power goes in the middle of a run (R-H28, P45, I20): it always boots, nothing behind K0 moves before the
//! self-test, and what had been told is known.

use std::time::Duration;

use super::{Bench, Seeing, sees, went};
use crate::plant::Button;
use crate::vm::clock::{now, rest};
use crate::vm::rig::RigError;

/// K0 has fallen by then.
const FALLEN: Duration = Duration::from_millis(500);

pub fn a_power_cut_in_a_run_is_survived(bench: &mut Bench, count: u32) -> Seeing {
    let mut in_a_run = 0;
    for round in 0..count {
        let was = bench.steadily(once).map_err(|e| RigError::Not(format!("round {round}: {e}")))?;
        went(round + 1, count);
        in_a_run += u32::from(was);
    }
    Ok(format!("{count}, {in_a_run} of them in a run that was told: it booted each time, and knew it"))
}

/// Whether a run had been told when the power went.
fn once(bench: &mut Bench) -> Result<bool, RigError> {
    bench.as_new()?;
    bench.press(Button::Fire);
    rest(Duration::from_millis(bench.rng.u64(0..9_000)));
    let told = bench.rig.run(
        "journalctl -u vigia-pump -o cat --no-pager | grep -oE 'EngineRunning|ShutdownComplete' | tail -1",
    )?;
    let was_told = told == "EngineRunning";
    let cut = now();
    bench.rig.machine.cut();
    // The engine spins down.
    rest(Duration::from_secs(2));
    let place = bench.rig.lines.place();
    bench.rig.boot()?;
    let tested = bench.wait_armed(place, None)?;
    bench.never_behind_k0(cut.after(FALLEN), tested)?;
    bench.wait_rest()?;
    let log = bench.rig.run("journalctl -u vigia-pump -o cat --no-pager")?;
    sees(!log.contains("LedgerLost"), || format!("the ledger was lost: {log}"))?;
    sees(!was_told || log.contains("RunInterrupted"), || format!("a run that was told is forgotten: {log}"))?;
    Ok(was_told)
}
