//! The kernel dies in the middle of a run (R-H17): K0 falls by itself, the hardware watchdog starts the machine
//! anew, and it knows what it was doing.

use std::time::Duration;

use super::{Bench, Seeing, is_any_behind_k0, sees};
use crate::vm::clock::{now, rest};
use crate::vm::rig::{BOOT_MAX, RigError};
use crate::vm::smoke::table::ms;

/// From the last word of the guest to coils without current: K0's 300 ms, and the word's own 40.
const SAFE_MAX: Duration = Duration::from_millis(400);
/// It falls within this, however late the guest obeys.
const FALLS_MAX: Duration = Duration::from_secs(20);
/// The lines of a board that is reset stand at their pulls, adverse here, and the heartbeat's with them: one edge.
const ONE_EDGE: Duration = Duration::from_millis(320);

pub fn a_frozen_kernel_lets_k0_fall_and_is_reset(bench: &mut Bench) -> Seeing {
    bench.as_new()?;
    bench.start_a_run()?;
    rest(Duration::from_secs(1));
    let (boots, _) = bench.rig.lines.boots();
    let thrown = now();
    bench.rig.lines.throw("echo c > /proc/sysrq-trigger")?;
    let fell = bench.world.wait(FALLS_MAX, |world| !world.is_k0_pulled());
    sees(fell, || "K0 is still pulled".to_owned())?;
    let (last_word, place) = (bench.rig.lines.last_word(), bench.rig.lines.place());
    let story = bench.story_since(thrown);
    let off = story.iter().find(|m| !is_any_behind_k0(m.coils));
    let off = off.ok_or_else(|| RigError::Not(format!("coils behind K0 are on: {story:?}")))?.at;
    let took = off.since(last_word);
    sees(took <= SAFE_MAX, || format!("coils behind K0 were on for {} after the last word", ms(took)))?;
    bench.rig.wait_up(boots, BOOT_MAX)?;
    let up = now().since(thrown).as_secs_f64();
    let tested = bench.wait_armed(place, None)?;
    let held = on_between(bench, off, tested)?;
    sees(held <= ONE_EDGE, || format!("coils behind K0 were on for {} before its test", ms(held)))?;
    bench.wait_said("RunInterrupted")?;
    bench.wait_rest()?;
    Ok(format!(
        "coils behind K0 off {} after the last word; lines up again after {up:.1} s; knows the run; ends at rest; \
         at the reset one edge of adverse pulls held K0 for {}",
        ms(took),
        ms(held)
    ))
}

/// For how long coils behind K0 had current.
fn on_between(
    bench: &Bench,
    off: vigia_core::time::Instant,
    tested: crate::vm::wire::GuestTime,
) -> Result<Duration, RigError> {
    let clock = bench.rig.lines.clock().ok_or_else(|| RigError::Not("the guest has no clock".to_owned()))?;
    let until = clock.host(tested);
    let story = bench.story_since(off);
    let on = story.windows(2).filter(|pair| pair[0].at < until && is_any_behind_k0(pair[0].coils));
    Ok(on.map(|pair| pair[1].at.since(pair[0].at)).sum())
}
