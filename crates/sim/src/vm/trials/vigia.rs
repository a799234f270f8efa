//! `vigia` beside the pump program: a fire that outside cameras tell of over a real broker opens the valve, and a
//! `vigia` that dies while it is answered changes nothing about the run (R-H21, R-H22, I20).

use std::time::Duration;

use serde::Deserialize;
use vigia_core::board::Level;
use vigia_core::event::Utc;
use vigia_core::pump::Output;
use vigia_core::time::Instant;

use super::watch::{at_of, log_of};
use super::{Bench, HEARTBEAT, Seeing, sees};
use crate::vm::clock::{now, rest};
use crate::vm::rig::RigError;
use crate::vm::smoke::table::{Spans, ms};
use crate::vm::wire::GuestTime;
use crate::vm::world::Moment;

/// Pictures of the growing fire, and the time between them.
const PICTURES: u32 = 11;
const BETWEEN: &str = "0.2";
/// Under emulation, beside a busy host; 10 ms are wanted.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// Nothing is said for so long, and a run ends: `fire_off_s` of the site.
const FIRE_OFF: Duration = Duration::from_secs(8);
const BESIDE_MAX: Duration = Duration::from_millis(300);
/// Of the six starts an hour that a pump has; one fire may ask for two runs.
const ROUNDS_OF_A_BOX: u32 = 2;

/// Broker and `vigia` started, from nothing.
pub fn it_comes_up_and_reaches_the_pump(bench: &mut Bench) -> Seeing {
    let since = now();
    as_new(bench)?;
    bench.wait_runs(
        "vigia reaches the pump program",
        &format!("{} | grep -q pump_reached", log_of("vigia")),
    )?;
    let memory = bench.rig.run("systemctl show vigia -p MemoryCurrent --value")?;
    let mib = memory.parse::<u64>().unwrap_or_default() / (1 << 20);
    Ok(format!("ready and at the pump's socket after {:.0} s, {mib} MiB", now().since(since).as_secs_f64()))
}

/// From the decision of the consensus to the edge of the main valve's line.
pub fn a_confirmed_fire_opens_the_valve(bench: &mut Bench, count: u32) -> Seeing {
    let mut spans = Spans::default();
    for _ in 0..count {
        spans.add(bench.steadily(a_fire)?);
    }
    let worst = spans.rank(1000).unwrap_or_default();
    sees(worst <= ANSWER_MAX, || format!("the valve's line moved {} after the decision", ms(worst)))?;
    Ok(format!("{count} times; decision to line {}", spans.sentence()))
}

fn a_fire(bench: &mut Bench) -> Result<Duration, RigError> {
    as_new(bench)?;
    let place = bench.rig.lines.place();
    burn(bench)?;
    let opened = bench.edge(place, "relay-main-valve", Level::High)?.at;
    let confirmed = confirmed(bench)?;
    bench.wait_rest()?;
    Ok(opened.since(confirmed))
}

/// `vigia` killed at any moment of runs that it had asked for itself. Back again, it says a fire that has not ended
/// once more, which makes a run longer, or asks for another one; each ends when it was to.
pub fn a_vigia_that_dies_changes_no_run(bench: &mut Bench, count: u32) -> Seeing {
    let (mut done, mut rounds, mut ends) = (0, 0, Spans::default());
    while done < count {
        let named = |e| RigError::Not(format!("after {done} kills: {e}"));
        let mut is_new = rounds % ROUNDS_OF_A_BOX == 0;
        let kills = bench.steadily(|bench| {
            if std::mem::replace(&mut is_new, true) {
                as_new(bench)?;
            }
            a_fire_with_deaths(bench, count - done)
        });
        let (kills, late) = kills.map_err(named)?;
        late.into_iter().for_each(|span| ends.add(span));
        done += kills;
        rounds += 1;
        eprintln!("{done} of {count}");
    }
    let worst = ends.rank(1000).unwrap_or_default();
    Ok(format!("{done} at {rounds} fires; each run ended as planned, off by max {}", ms(worst)))
}

/// At most so many deaths; and by how much each run since the box was new ended beside its plan. K0 is fed all the time.
fn a_fire_with_deaths(bench: &mut Bench, kills_max: u32) -> Result<(u32, Vec<Duration>), RigError> {
    let (begin, place) = (now(), bench.rig.lines.place());
    burn(bench)?;
    bench.wait("a fire is answered", |world| {
        world.story().last().is_some_and(|m| m.asked.is_on(Output::MainValve))
    })?;
    let mut kills = 0;
    while kills < kills_max {
        rest(Duration::from_millis(bench.rng.u64(0..6_000)));
        if is_over(bench, begin) {
            break;
        }
        bench.rig.run("kill -KILL $(systemctl show vigia -p MainPID --value)")?;
        kills += 1;
        // Whoever is not back can't be killed again.
        wait_ready(bench)?;
    }
    bench.wait_rest()?;
    let story = bench.story_since(begin);
    if let Some(fell) = story.iter().find(|m| !m.is_k0_pulled) {
        let edges = bench.edges(place, HEARTBEAT)?;
        let silent = edges.windows(2).map(|two| two[1].at.since(two[0].at)).max().unwrap_or_default();
        return Err(RigError::Not(format!("K0 fell, with {} between two heartbeats: {fell:?}", ms(silent))));
    }
    killed_after_each_run(&story)?;
    let log = bench.rig.run(&format!("{} | grep -F '] event '", log_of("vigia-pump")))?;
    sees(!log.contains("ErrorStateEntered"), || format!("a fault is latched: {log}"))?;
    Ok((kills, ends(&log)?))
}

/// The ignition goes, and the kill pulse comes before it may come again.
fn killed_after_each_run(story: &[Moment]) -> Result<(), RigError> {
    let (mut is_on, mut is_owed) = (false, false);
    for moment in story {
        let runs = moment.coils.is_on(Output::Run);
        sees(!(runs && is_owed), || format!("ignition without a kill pulse before: {moment:?}"))?;
        is_owed = (is_owed || (is_on && !runs)) && !moment.asked.is_on(Output::Kill);
        is_on = runs;
    }
    sees(!is_on && !is_owed, || "the engine was left on, or without a kill pulse".to_owned())
}

/// How far from the plan the runs ended: when nobody had said for so long that it burns, or once the engine
/// caught, where that was later.
fn ends(log: &str) -> Result<Vec<Duration>, RigError> {
    let (mut planned, mut ends) = (None, Vec::new());
    for line in log.lines() {
        let read = at_of(line).zip(line.split_once("): ").map(|(_, event)| event));
        let (at, event) = read.ok_or_else(|| RigError::Not(format!("not a line of its log: {line}")))?;
        let at = Duration::from_nanos(at.0);
        if event.starts_with("DemandAccepted") {
            planned = Some(at + FIRE_OFF);
        } else if event.starts_with("EngineRunning") {
            planned = planned.map(|planned: Duration| planned.max(at));
        } else if let Some(reason) = event.strip_prefix("RpmReduced") {
            let off = planned.map_or(Duration::MAX, |planned| planned.abs_diff(at));
            let is_planned = reason.contains("FireOff") && off <= BESIDE_MAX;
            sees(is_planned, || format!("a run ended {} beside its plan: {line}", ms(off)))?;
            ends.push(off);
        }
    }
    sees(!ends.is_empty(), || format!("no run has ended: {log}"))?;
    Ok(ends)
}

/// The kill pulse has come.
fn is_over(bench: &Bench, begin: Instant) -> bool {
    bench.story_since(begin).iter().any(|m| m.asked.is_on(Output::Kill))
}

/// A box that has seen no fire yet.
fn as_new(bench: &Bench) -> Result<(), RigError> {
    bench.rig.run(
        "systemctl stop vigia; find /var/lib/vigia -mindepth 1 -maxdepth 1 ! -name pump -exec rm -rf {} +",
    )?;
    bench.as_new()?;
    bench.rig.run("systemctl start broker && systemctl start --no-block vigia")?;
    wait_ready(bench)
}

fn wait_ready(bench: &Bench) -> Result<(), RigError> {
    // It is active for a moment longer than it lives.
    bench.wait_runs(
        "vigia is ready",
        "systemctl is-active -q vigia && kill -0 $(systemctl show vigia -p MainPID --value) 2> /dev/null",
    )
}

/// Both outside cameras see it grow for two seconds.
fn burn(bench: &Bench) -> Result<(), RigError> {
    let boxes = (0..PICTURES).map(|picture| {
        let side = 0.05 * 1.15_f64.powi(i32::try_from(picture).unwrap_or_default());
        format!("0.3,0.3,{0:.3},{0:.3}", 0.3 + side)
    });
    let boxes: Vec<String> = boxes.collect();
    let camera = |name: &str| {
        format!(
            "for b in {}; do echo '{{\"confidence\":0.9,\"object_id\":\"f\",\"bbox\":['$b']}}'; sleep {BETWEEN}; done \
             | mosquitto_pub -h 127.0.0.1 -q 1 -l -t fire/detection/{name}",
            boxes.join(" ")
        )
    };
    bench.rig.run(&format!("{} & p=$!; {} && wait $p", camera("north"), camera("south"))).map(drop)
}

/// A line of the journal, as programs read it. All values are text.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "MESSAGE")]
    message: String,
    /// Both clocks at one moment, in microseconds.
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    wall: String,
    #[serde(rename = "__MONOTONIC_TIMESTAMP")]
    boot: String,
}

/// When the consensus decided, by the guest's clock: to a millisecond, as it tells the time.
fn confirmed(bench: &Bench) -> Result<GuestTime, RigError> {
    let told = bench.rig.run("journalctl -u vigia -o json --no-pager | grep fire_confirmed | tail -1")?;
    let read = || -> Option<GuestTime> {
        let line: Line = serde_json::from_str(&told).ok()?;
        let (_, after) = line.message.split_once("\"timestamp\":\"")?;
        let (at, _) = after.split_once('"')?;
        let at: Utc = serde_json::from_value(at.into()).ok()?;
        let (wall, boot) = (line.wall.parse::<i64>().ok()?, line.boot.parse::<i64>().ok()?);
        u64::try_from(i128::from(boot - wall) * 1000 + at.as_unix_ns()).ok().map(GuestTime)
    };
    read().ok_or_else(|| RigError::Not(format!("no fire in the journal: {told}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "[10.500] event 1 (Idle): DemandAccepted { id: 1, source: Consensus }";
    const CAUGHT: &str = "[12.000] event 2 (Running): EngineRunning { proven: true }";

    /// What follows those two, and by how many milliseconds the run ended beside its plan.
    #[track_caller]
    fn check(more: &str, expected: Option<&[u128]>) {
        let seen = ends(&format!("{SAID}\n{CAUGHT}\n{more}"));
        let off = seen.ok().map(|all| all.iter().map(Duration::as_millis).collect::<Vec<_>>());
        assert_eq!(off.as_deref(), expected, "{more}");
    }

    #[test]
    fn a_run_ends_when_nobody_has_said_for_so_long_that_it_burns() {
        let end = |at: &str| format!("[{at}] event 3 (ReducingRpm): RpmReduced {{ reason: FireOff }}");
        check(&end("18.600"), Some(&[100]));
        check(&end("18.900"), None);
        check(&end("17.500"), None);
        check("[18.500] event 3 (ReducingRpm): RpmReduced { reason: LowTank }", None);
        check("[18.500] event 3 (Running): PrimingComplete", None);
        check("nonsense", None);
        let again = SAID.replace("10.500", "15.000");
        check(&format!("{again}\n{}", end("23.000")), Some(&[0]));
        // The engine catches when nobody wants it any more.
        let late = CAUGHT.replace("12.000", "40.000");
        check(&format!("{}\n{late}\n{}", end("18.500"), end("40.010")), Some(&[0, 10]));
    }
}
