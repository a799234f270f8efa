//! `vigia-appliance run`: a box for a technician, set up with cameras, a plant and a certificate.

use std::time::Duration;

use signal_hook::{consts::SIGINT, consts::SIGTERM, iterator::Signals};
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::rig::RigError;

use crate::bench::Bench;
use crate::machine::Sources;

/// Until Ctrl-C; then it is switched off in order.
///
/// # Errors
/// It does not start.
pub fn play(sources: Sources, again: bool) -> Result<(), RigError> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(RigError::Thread)?;
    let (kept, is_bare) = (sources.work.join("kept"), sources.stick.is_some());
    let mut bench = Bench::new(sources, 1, again)?;
    if again {
        bench.appliance.renew(&kept)?;
    }
    bench.make_sound();
    println!("starting; the serial port's log is {}", bench.appliance.serial_log().display());
    let since = now();
    bench.appliance.boot()?;
    let settled = bench.settle()?;
    println!("{} in slot {} after {:.0} s", settled.version, settled.slot, now().since(since).as_secs_f64());
    // A stick brings a site of its own; a box that was set up once has one.
    if !is_bare && !again {
        bench.set_up()?;
    }
    println!("{}", bench.invitation());
    while signals.pending().next().is_none() {
        rest(Duration::from_millis(200));
    }
    println!("switching off");
    bench.appliance.power_off()?;
    bench.appliance.keep(&kept)
}
