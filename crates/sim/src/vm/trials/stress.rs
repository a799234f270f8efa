//! The same with the processor saturated and the disk full: cycles, the stop button, and a run (R-H28, R-H29, I23).

use std::time::Duration;

use vigia_core::board::Level::{High, Low};
use vigia_core::pump::{Reading, Sensor};

use super::checks::fit;
use super::{Bench, HEARTBEAT, Seeing, sees};
use crate::plant::{Button, Selector};
use crate::vm::clock::{now, rest};
use crate::vm::rig::RigError;
use crate::vm::smoke::table::{Spans, ms};

const LOAD: &str = "exec stress-ng --quiet --cpu 2 --vm 1 --vm-bytes 64M --io 1";
const UNLOAD: &str =
    "for p in $(grep -ls ^stress-ng /proc/[0-9]*/comm); do p=${p%/comm}; kill -KILL ${p#/proc/}; done";
/// The first block of it is there by then.
const LOADED: Duration = Duration::from_secs(3);
const SLEEPS: u32 = 5_000;
/// 1200 beats.
const WATCHED: Duration = Duration::from_mins(1);
const BEAT: Duration = Duration::from_millis(50);
/// I23 wants 20 ms of p99.9; a cycle that is later than this feeds no watchdog.
const LATE_MAX: Duration = Duration::from_millis(100);
/// With a cycle's own time it is K0's 300 ms.
const STANDS_STILL: Duration = Duration::from_millis(200);
const STOP_MAX: Duration = Duration::from_millis(250);
/// To the last byte: what is left of a block, too.
const FILL: &str = "dd if=/dev/zero of=/data/full bs=256k status=none 2> /dev/null; \
     dd if=/dev/zero of=/data/last bs=512 status=none 2> /dev/null; sync; \
     [ $(df --output=avail /data | tail -1) = 0 ]";
const FREE: &str = "rm -f /data/full /data/last && sync";

/// Something that goes on in the guest until it is dropped.
struct Load<'a> {
    bench: &'a Bench,
    pid: u32,
}

impl<'a> Load<'a> {
    fn on(bench: &'a Bench) -> Result<Self, RigError> {
        let pid = bench.rig.lines.leave(LOAD)?;
        rest(LOADED);
        // It is what it should be, or nothing is shown.
        bench.rig.run("[ $(cat /proc/[0-9]*/comm 2> /dev/null | grep -c ^stress-ng) -ge 4 ]")?;
        Ok(Self { bench, pid })
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        // A guest that is gone has no load.
        let _ = self.bench.rig.run(&format!("{UNLOAD}; kill -KILL -- -{}; true", self.pid));
    }
}

pub fn cycles_at_rest(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    cycles(bench)
}

pub fn cycles_under_load(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    let _load = Load::on(bench)?;
    cycles(bench)
}

/// By the edges of the heartbeat's line, and by the program's own figures since its start.
fn cycles(bench: &Bench) -> Seeing {
    let (since, place) = (now(), bench.rig.lines.place());
    // What the emulator itself did meanwhile.
    let (mut p999, mut max) = (0, 0);
    while now().since(since) < WATCHED {
        let spread = bench.rig.lines.jitter(SLEEPS)?;
        (p999, max) = (spread.p999.max(p999), spread.max.max(max));
    }
    let (p999, max) = (Duration::from_nanos(p999), Duration::from_nanos(max));
    let edges = bench.edges(place, HEARTBEAT)?;
    let mut off = Spans::default();
    edges.windows(2).for_each(|pair| off.add(pair[1].at.since(pair[0].at).abs_diff(BEAT)));
    let beats = off.rank(999).unwrap_or(Duration::MAX);
    sees(beats <= LATE_MAX + max, || {
        format!(
            "p99.9 of {} beats is off by {}; the emulator's sleeps by max {}",
            edges.len(),
            ms(beats),
            ms(max)
        )
    })?;
    let fell = bench.story_since(since).iter().any(|m| !m.is_k0_pulled);
    // One that stands still for so long itself says nothing about the program.
    sees(!fell || max >= STANDS_STILL, || "K0 fell".to_owned())?;
    let status = bench.status()?;
    let us = |name: &str| Ok::<_, RigError>(ms(Duration::from_micros(status.number(name)?)));
    let (is_locked, is_realtime) = (status.word("memory_locked"), status.word("realtime"));
    sees(is_locked == "true" && is_realtime == "true", || {
        format!("memory locked: {is_locked}, real-time: {is_realtime}")
    })?;
    Ok(format!(
        "{} beats off by {}, p99.9 {}; published lateness p99.9 {}, max {}, {} of {} cycles over 100 ms; \
         1 ms sleeps meanwhile late by p99.9 {}, max {}",
        edges.len(),
        off.sentence(),
        ms(beats),
        us("late_us_p999")?,
        us("late_us_max")?,
        status.number("late_cycles")?,
        status.number("cycles")?,
        ms(p999),
        ms(max)
    ))
}

/// Contact to ignition, each in a run of its own.
pub fn the_stop_button_under_load(bench: &mut Bench, count: u32) -> Seeing {
    let (mut spans, mut emulator) = (Spans::default(), Duration::ZERO);
    for round in 0..count {
        let moment = Duration::from_millis(bench.rng.u64(0..500));
        let (span, late) =
            one_stop(bench, moment).map_err(|e| RigError::Not(format!("round {round}: {e}")))?;
        spans.add(span);
        emulator = emulator.max(late);
    }
    bench.rig.run(FREE)?;
    let worst = spans.rank(1000).unwrap_or_default();
    sees(worst <= STOP_MAX, || format!("ignition off {} after the button", ms(worst)))?;
    Ok(format!(
        "{count} times, processor saturated, disk full; contact to ignition off {}; 1 ms sleeps under it late by max {}",
        spans.sentence(),
        ms(emulator)
    ))
}

/// And by how much the emulator itself was late at the worst under the same load.
fn one_stop(bench: &Bench, moment: Duration) -> Result<(Duration, Duration), RigError> {
    bench.rig.run(FREE)?;
    bench.fresh(|site| site.timings.fire_off_s = Some(50.0))?;
    bench.rig.run(FILL)?;
    bench.start_a_run()?;
    let _load = Load::on(bench)?;
    rest(moment);
    let span = stopped(bench)?;
    let late = bench.rig.lines.jitter(200)?.max;
    Ok((span, Duration::from_nanos(late)))
}

fn stopped(bench: &Bench) -> Result<Duration, RigError> {
    sees(bench.is_high("relay-run")?, || format!("the run was over already: {}", bench.log()))?;
    let place = bench.rig.lines.place();
    bench.world.with(|world| world.plant.press(Button::Stop, true));
    let pressed = bench.edge(place, "contact-emergency-stop", High)?.at;
    Ok(bench.edge(place, "relay-run", Low)?.at.since(pressed))
}

/// A box whose ledger can't grow into both of its places: the run ends as planned, the trouble is shown, and over
/// once there is room.
pub fn a_full_disk_stops_no_run(bench: &mut Bench) -> Seeing {
    bench.rig.run(FREE)?;
    let seen = full(bench);
    bench.rig.run(FREE)?;
    seen
}

fn full(bench: &Bench) -> Seeing {
    bench.fresh(|site| {
        fit(site, Sensor::SelectorAuto, Reading::Inactive);
        fit(site, Sensor::SelectorManual, Reading::Inactive);
    })?;
    bench.rig.run(FILL)?;
    let place = bench.rig.lines.place();
    bench.start_a_run()?;
    let trouble = bench.wait_said("the ledger cannot be written")?;
    bench.wait_rest()?;
    bench.edge(place, "relay-kill", High)?;
    let errors = bench.said_times("ErrorStateEntered")?;
    sees(errors == 0, || format!("a full disk became a fault: {}", bench.log()))?;
    bench.rig.run(FREE)?;
    // Two records more, one for each place.
    for (to, said) in [(Selector::Off, "to: Off"), (Selector::Auto, "from: Off, to: ")] {
        bench.world.with(|world| world.plant.turn(to));
        bench.wait_said(said)?;
    }
    bench.wait_said("the ledger is being written again")?;
    // A disk that refused is asked again after a second.
    rest(Duration::from_secs(3));
    bench.rig.run("cd /var/lib/vigia/pump && test -s ledger.0 -a -s ledger.1")?;
    let kept = bench.status()?;
    sees(kept.word("ledger") == "Written", || format!("the ledger is {}", kept.word("ledger")))?;
    sees(kept.number("runs")? == 1, || format!("{} runs are known", kept.word("runs")))?;
    let why = trouble.text.split_once("written: ").map_or("?", |(_, why)| why);
    Ok(format!("the run ended as planned; told: {why:?}; with room again all is written"))
}
