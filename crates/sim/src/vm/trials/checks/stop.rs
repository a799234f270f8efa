//! Two ways to end whatever is going on: the stop button, and `systemctl stop` (P32, P44).

use std::time::Duration;

use vigia_core::board::Level::{self, High, Low};

use super::states::At;
use crate::plant::Button;
use crate::vm::clock::{now, rest};
use crate::vm::lines::{Place, Told, What};
use crate::vm::rig::RigError;
use crate::vm::smoke::table::{Spans, ms};
use crate::vm::trials::watch::in_time;
use crate::vm::trials::{Bench, Seeing, sees};
use crate::vm::wire::GuestTime;

const STOP: &str = "contact-emergency-stop";
const ENGINE: [&str; 2] = ["relay-starter", "relay-run"];
const OFF_MAX: Duration = Duration::from_millis(100);
const PULSE_MIN: Duration = Duration::from_secs(1);
/// K0 lets go of what hangs behind it.
const FALLEN: Duration = Duration::from_millis(600);
/// The longest way: kill pulse, standstill, and then the valve.
const ENDS_MAX: Duration = Duration::from_secs(50);

pub fn p32_an_emergency_stop_on_lines_in_every_state(bench: &mut Bench) -> Seeing {
    let (mut off, mut pulse) = (Spans::default(), Duration::MAX);
    for at in At::ALL {
        let named = |e| RigError::Not(format!("{at:?}: {e}"));
        let seen = stopped_in(bench, at).map_err(named)?;
        seen.0.into_iter().for_each(|span| off.add(span));
        pulse = pulse.min(seen.1);
    }
    Ok(format!(
        "{} states; engine lines off {}; kill pulse {} and more; nothing came back when it was released",
        At::ALL.len(),
        off.sentence(),
        ms(pulse)
    ))
}

/// How long each line of the engine that was on took, and how long the kill relay was on.
fn stopped_in(bench: &Bench, at: At) -> Result<(Vec<Duration>, Duration), RigError> {
    at.reach(bench)?;
    let place = bench.rig.lines.place();
    let was_killing = bench.is_high("relay-kill")?;
    let mut live = Vec::new();
    for name in ENGINE {
        if bench.is_high(name)? {
            live.push(name);
        }
    }
    bench.world.with(|world| world.plant.press(Button::Stop, true));
    let pressed = bench.edge(place, STOP, High)?.at;
    let mut spans = Vec::new();
    for name in live {
        let off = bench.edge(place, name, Low)?.at.since(pressed);
        in_time(&format!("{name} off"), off, OFF_MAX)?;
        spans.push(off);
    }
    let killed = if was_killing { pressed } else { bench.edge(place, "relay-kill", High)?.at };
    let pulse = bench.edge(place, "relay-kill", Low)?.at.since(killed);
    sees(pulse >= PULSE_MIN, || format!("a kill pulse of {}", ms(pulse)))?;
    rest(FALLEN);
    let is_fed = bench.world.with(|world| world.story().last().is_some_and(|m| bench.is_any_behind_k0(m)));
    sees(!is_fed, || "a coil behind K0 has current".to_owned())?;
    sees(!bench.world.with(|world| world.is_k0_pulled()), || "K0 is still fed".to_owned())?;
    bench.wait_said("to: EmergencyStop")?;
    bench.world.with(|world| world.plant.press(Button::Stop, false));
    rest(Duration::from_secs(1));
    for name in ENGINE {
        bench.never(place, name, High)?;
    }
    Ok((spans, pulse))
}

pub fn p44_an_ordered_stop_in_every_state_leaves_all_off(bench: &mut Bench) -> Seeing {
    let mut took = Spans::default();
    for at in At::ALL {
        let named = |e| RigError::Not(format!("{at:?}: {e}"));
        took.add(ended_in(bench, at).map_err(named)?);
    }
    Ok(format!(
        "{} states; all driven off before the lines were let go, after {}; nothing behind K0 after it",
        At::ALL.len(),
        took.sentence()
    ))
}

/// How long the program took. Once it has let go no coil behind K0 gets current from adverse pulls.
fn ended_in(bench: &Bench, at: At) -> Result<Duration, RigError> {
    at.reach(bench)?;
    let (place, since) = (bench.rig.lines.place(), now());
    let levels = bench.rig.lines.layout().lines().map(|(line, ..)| bench.rig.lines.level(line));
    let levels: Vec<Option<Level>> = levels.collect();
    bench.rig.lines.run("systemctl stop vigia-pump", ENDS_MAX)?;
    let said = bench.said("ended, everything is off")?;
    let ended = said.ok_or_else(|| RigError::Not(format!("it did not end in order: {}", bench.log())))?.at;
    let let_go = End { bench, levels }.look(place, ended)?;
    rest(FALLEN);
    let clock = bench.rig.lines.clock().ok_or_else(|| RigError::Not("the guest has no clock".to_owned()))?;
    let story = bench.story_since(clock.host(let_go));
    let on = story.iter().find(|m| bench.is_any_behind_k0(m));
    sees(on.is_none(), || format!("a coil behind K0 had current: {on:?}"))?;
    Ok(clock.host(let_go).since(since))
}

/// Follows the lines up to the program's last word, and to the moment at which it lets them go: then they move to
/// their adverse pulls.
struct End<'a> {
    bench: &'a Bench,
    levels: Vec<Option<Level>>,
}

impl End<'_> {
    fn look(mut self, place: Place, ended: GuestTime) -> Result<GuestTime, RigError> {
        let (told, _) = self.bench.rig.lines.since(place);
        let turning = self.bench.rig.line("contact-engine-turning")?;
        let valve = self.bench.rig.line("relay-main-valve")?;
        for Told { what, .. } in told {
            let What::Edge(edge) = what else { continue };
            let is_relay = self.bench.rig.wiring.relays.iter().any(|r| r.line == edge.line);
            if is_relay && edge.at > ended {
                return self.all_off().map(|()| edge.at);
            }
            let turns = self.levels.get(usize::from(turning.0)) == Some(&Some(High));
            sees(!(edge.line == valve && edge.level == Low && turns), || {
                "the main valve closed on a turning engine".to_owned()
            })?;
            if let Some(level) = self.levels.get_mut(usize::from(edge.line.0)) {
                *level = Some(edge.level);
            }
        }
        Err(RigError::Not("it never let go of its lines".to_owned()))
    }

    fn all_off(&self) -> Result<(), RigError> {
        let is_on = |line: usize, active: Level| self.levels.get(line) == Some(&Some(active));
        let on = self.bench.rig.wiring.relays.iter().find(|r| is_on(usize::from(r.line.0), r.active));
        sees(on.is_none(), || format!("{on:?} was still on when it ended"))
    }
}
