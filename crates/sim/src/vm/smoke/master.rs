//! K0: a shell toggles the heartbeat's line, then dies.

use std::sync::Arc;
use std::time::Duration;

use vigia_core::board::Level;

use super::{SOON, Seeing, Spans, sees, table};
use crate::plant::{K0_HOLDS, Plant, PlantConfig};
use crate::vm::clock::rest;
use crate::vm::lines::{Place, What};
use crate::vm::rig::{Rig, RigError};
use crate::vm::wire::{Edge, GuestTime, LineId, Seen};
use crate::vm::world::{Turning, World};

const BEAT: &str = "relay-heartbeat";
const K0: &str = "contact-k0";
const TOGGLES: Duration = Duration::from_secs(3);
/// By how much the host may be wrong about the guest's clock.
const CLOCK_ERROR: Duration = Duration::from_millis(2);

pub(super) fn check(rig: &Rig) -> Seeing {
    let (beat, contact) = (rig.line(BEAT)?, rig.line(K0)?);
    let plant = Plant::new(PlantConfig::wildfire_engine(), 1);
    let world = World::new(plant, rig.wiring.clone(), Arc::clone(&rig.lines), 1);
    let world = Turning::start(world).map_err(RigError::Thread)?;
    sees(rig.read(K0)? == Level::Low, || "K0 is pulled although nothing beats".to_owned())?;
    let place = rig.lines.place();
    let pid = rig.lines.leave(&toggling(rig)?)?;
    rig.lines.wait_for(contact, Level::High, place, SOON)?;
    rest(TOGGLES);
    sees(reads_high(rig)?, || "gpioget does not see K0 pulled".to_owned())?;
    let before = rig.lines.place();
    rig.run(&format!("kill -9 -{pid}"))?;
    let is_down = world.wait(SOON, |world| !world.is_k0_pulled());
    sees(is_down, || "K0 does not fall".to_owned())?;
    let dropped = rig.lines.wait_for(contact, Level::Low, before, SOON)?;
    sees(rig.read(K0)? == Level::Low, || "gpioget does not see K0 fall".to_owned())?;
    let edges = traced(rig, place, beat);
    let drops = world
        .with(|world| world.story().windows(2).filter(|w| w[0].is_k0_pulled && !w[1].is_k0_pulled).count());
    each_gap_dropped_it(&edges, drops)?;
    let fell = fell_after(&edges, dropped.at)?;
    let late = edges_late(rig, place).sentence();
    Ok(format!("{} edges, told after {late}; contact fell {} after the last", edges.len(), table::ms(fell)))
}

/// Each gap of 300 ms after a beat has dropped K0, the last one included, and nothing else has.
fn each_gap_dropped_it(edges: &[GuestTime], drops: usize) -> Result<(), RigError> {
    let last = std::iter::once(Duration::MAX);
    let gaps: Vec<Duration> = edges.windows(2).map(|w| w[1].since(w[0])).chain(last).collect();
    let ends = |beat: Duration, gap: Duration| gaps.windows(2).filter(|w| w[0] < beat && w[1] >= gap).count();
    let (under, over) = (K0_HOLDS.saturating_sub(CLOCK_ERROR), K0_HOLDS + CLOCK_ERROR);
    let (least, most) = (ends(under, over), ends(over, under));
    sees((least..=most).contains(&drops), || {
        format!("K0 fell {drops} times; {least} to {most} gaps were long")
    })
}

/// From the last edge to the contact: 300 ms and its way. What is more is the way of the news to and fro.
fn fell_after(edges: &[GuestTime], dropped: GuestTime) -> Result<Duration, RigError> {
    let last = edges.iter().rfind(|at| **at < dropped);
    let last = last.ok_or_else(|| RigError::Not("no edge of the heartbeat".to_owned()))?;
    let fell = dropped.since(*last);
    let is_good = (K0_HOLDS..3 * K0_HOLDS).contains(&fell);
    sees(is_good, || format!("its contact fell {} after the last edge", table::ms(fell)))?;
    Ok(fell)
}

/// A busy host may stop the guest for longer than K0 holds: it is asked again.
fn reads_high(rig: &Rig) -> Result<bool, RigError> {
    const TRIES: u32 = 10;
    for _ in 0..TRIES {
        if rig.read(K0)? == Level::High {
            return Ok(true);
        }
    }
    Ok(false)
}

/// By the kernel's old interface a shell can write a line without starting a program each time.
fn toggling(rig: &Rig) -> Result<String, RigError> {
    let (chip, offset) = rig.place(BEAT)?;
    let toggle = "while :; do echo 1 >&3; read -t 0.05 -u 4; echo 0 >&3; read -t 0.05 -u 4; done";
    Ok(format!(
        "cd /sys/class/gpio; base=$(cat $(dirname $(grep -lx {chip} gpiochip*/label))/base)
         export n=$((base + {offset})); echo $n > export; mkfifo /tmp/never
         exec chrt --fifo 40 bash -c 'echo out > gpio$n/direction; exec 3> gpio$n/value 4<> /tmp/never; {toggle}'"
    ))
}

fn traced(rig: &Rig, from: Place, line: LineId) -> Vec<GuestTime> {
    edges(rig, from).into_iter().filter(|(edge, _)| edge.line == line).map(|(edge, _)| edge.at).collect()
}

fn edges(rig: &Rig, from: Place) -> Vec<(Edge, vigia_core::time::Instant)> {
    let (told, _) = rig.lines.since(from);
    let edges = told.into_iter().filter_map(|told| match told.what {
        What::Edge(edge) => Some((edge, told.heard)),
        What::Up { .. } | What::Gone | What::Turned { .. } => None,
    });
    edges.collect()
}

/// How late the host heard of what the kernel's trace saw.
fn edges_late(rig: &Rig, from: Place) -> Spans {
    let mut late = Spans::default();
    if let Some(clock) = rig.lines.clock() {
        let traced = edges(rig, from).into_iter().filter(|(edge, _)| edge.seen == Seen::Trace);
        traced.for_each(|(edge, heard)| late.add(heard.since(clock.host(edge.at))));
    }
    late
}
