//! The kernel dies in the middle of a run (R-H17): K0 falls by itself, the hardware watchdog starts the machine
//! anew, and it knows what it was doing.

use std::time::Duration;

use super::{Bench, Seeing, sees};
use crate::vm::clock::{now, rest};
use crate::vm::rig::{BOOT_MAX, RigError};
use crate::vm::smoke::table::ms;

/// From the last word of the guest to coils without current: K0's 300 ms, and the word's own 40.
const SAFE_MAX: Duration = Duration::from_millis(400);
/// It falls within this, however late the guest obeys.
const FALLS_MAX: Duration = Duration::from_secs(20);

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
    let off = story.iter().find(|m| !bench.is_any_behind_k0(m));
    let off = off.ok_or_else(|| RigError::Not(format!("coils behind K0 are on: {story:?}")))?.at;
    let took = off.since(last_word);
    sees(took <= SAFE_MAX, || format!("coils behind K0 were on for {} after the last word", ms(took)))?;
    bench.rig.wait_up(boots, BOOT_MAX)?;
    let up = now().since(thrown).as_secs_f64();
    let tested = bench.wait_armed(place, None)?;
    bench.never_behind_k0(off, tested)?;
    bench.wait_said("RunInterrupted")?;
    bench.wait_rest()?;
    Ok(format!(
        "coils behind K0 off {} after the last word; lines up again after {up:.1} s; knows the run; ends at rest",
        ms(took)
    ))
}
