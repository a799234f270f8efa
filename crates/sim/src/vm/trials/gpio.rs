//! `vigia gpio`, as a technician uses it before anything is armed.

use std::time::Duration;

use super::{Bench, Seeing, sees};
use crate::plant::Button;
use crate::vm::clock::rest;
use crate::vm::lines::{Place, What};
use crate::vm::rig::RigError;
use crate::vm::wire::{Edge, LineId, Seen};

const BOARD: &str = "--hardware /etc/vigia/board.yaml";
const WATCHED: &str = "/tmp/watched";
const REPORT: &str = "/tmp/report.md";

/// Refused while the pump program has the lines; without it, every relay clicks alone, once.
pub fn every_relay_clicks_alone(bench: &mut Bench) -> Seeing {
    refused_while_armed(bench)?;
    lists_all_lines(bench)?;
    bench.rig.run("systemctl stop vigia-pump")?;
    watches_a_button(bench)?;
    let place = bench.rig.lines.place();
    // K0's own times contain the emulator's: what is judged here are the lines.
    let said =
        bench.rig.run(&format!("yes y | vigia gpio test {BOARD} --hold 100 --report {REPORT} || true"))?;
    sees(!said.contains("DOES NOT FOLLOW"), || said.clone())?;
    let clicked = clicks(bench, place)?;
    let mut relays: Vec<LineId> = bench.rig.wiring.relays.iter().map(|r| r.line).collect();
    relays.sort_unstable();
    let mut each = clicked.clone();
    each.sort_unstable();
    // K0 is pulled for what hangs behind it, and only its own line beats.
    sees(each == relays, || format!("clicked {clicked:?}, there are {relays:?}"))?;
    let report = bench.rig.run(&format!("cat {REPORT}"))?;
    sees(report.contains("starter") && report.contains("K0"), || format!("the report: {report}"))?;
    let place = bench.rig.lines.place();
    bench.rig.run("systemctl start vigia-pump")?;
    bench.wait_armed(place, None)?;
    bench.wait_rest()?;
    Ok(format!("refused while armed; {} relays clicked one at a time", clicked.len()))
}

fn refused_while_armed(bench: &Bench) -> Result<(), RigError> {
    let place = bench.rig.lines.place();
    let refused = bench.rig.run(&format!("yes y | vigia gpio test {BOARD} 2>&1; echo \"ends with $?\""))?;
    let is_refused = refused.contains("vigia-pump") && refused.ends_with("ends with 1");
    sees(is_refused, || format!("it was not refused: {refused}"))?;
    let moved = clicks(bench, place)?;
    sees(moved.is_empty(), || format!("lines moved: {moved:?}"))
}

fn lists_all_lines(bench: &Bench) -> Result<(), RigError> {
    let listed = bench.rig.run(&format!("vigia gpio list {BOARD}"))?;
    for (_, _, line) in bench.rig.lines.layout().lines() {
        let is_it = |l: &&str| l.split_whitespace().nth(2) == Some(&line.name);
        let row = listed.lines().find(is_it).unwrap_or_default();
        sees(row.contains("held by vigia-pump"), || format!("{} in {listed}", line.name))?;
    }
    Ok(())
}

fn watches_a_button(bench: &Bench) -> Result<(), RigError> {
    bench.rig.lines.leave(&format!("exec vigia gpio watch --json {BOARD} > {WATCHED}"))?;
    let tells = |what: &str| bench.wait_runs(what, &format!("grep -q '{what}' {WATCHED}"));
    tells("\"fire_button\":\"inactive\"")?;
    bench.world.with(|world| world.plant.press(Button::Fire, true));
    tells("\"fire_button\":\"active\"")?;
    bench.world.with(|world| world.plant.press(Button::Fire, false));
    // Ctrl-C, and the lines are free again.
    bench.rig.run(
        "p=$(pidof vigia); kill -INT $p; n=0; \
         while [ -d /proc/$p ]; do n=$((n + 1)); [ $n -lt 50 ] || exit 1; sleep 0.1; done",
    )?;
    Ok(())
}

/// Relays that somebody drove to energised from a place on, in their order; never two at once.
fn clicks(bench: &Bench, place: Place) -> Result<Vec<LineId>, RigError> {
    // The kernel's trace is told in steps.
    rest(Duration::from_millis(500));
    let (told, _) = bench.rig.lines.since(place);
    let relays = &bench.rig.wiring.relays;
    let is_on = |edge: &Edge| relays.iter().find(|r| r.line == edge.line).map(|r| r.active == edge.level);
    let (mut on, mut clicked): (Option<LineId>, Vec<LineId>) = (None, Vec::new());
    for told in &told {
        let What::Edge(edge) = &told.what else { continue };
        match (edge.seen == Seen::Trace).then(|| is_on(edge)).flatten() {
            Some(true) => {
                sees(on.is_none(), || format!("{on:?} and {:?} at once", edge.line))?;
                on = Some(edge.line);
                clicked.push(edge.line);
            }
            Some(false) if on == Some(edge.line) => on = None,
            Some(false) | None => {}
        }
    }
    sees(on.is_none(), || format!("{on:?} was left energised"))?;
    Ok(clicked)
}
