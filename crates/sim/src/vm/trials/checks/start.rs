//! From a press to a running engine (P2, P3, P39, P40).

use std::time::Duration;

use vigia_core::board::Level::{High, Low};
use vigia_core::pump::plan::Drive;
use vigia_core::pump::{Output, Plan, Sensor};

use crate::plant::Button;
use crate::vm::clock::rest;
use crate::vm::lines::Place;
use crate::vm::rig::RigError;
use crate::vm::smoke::table::ms;
use crate::vm::trials::watch::{in_time, lasts};
use crate::vm::trials::{Bench, Seeing, sees};

const BUTTON: &str = "contact-fire-button";
/// The button's filter, and what the specification asks for.
const HEARD_MAX: Duration = Duration::from_millis(50 + 150);
/// the starter drops within this of an engine that runs; the contact's filter is in it.
const DROPS: Duration = Duration::from_millis(100);
/// One write sets all relays; the kernel writes one line after the other.
const ONE_WRITE: Duration = Duration::from_millis(5);
/// A start that does not come within this does not come.
const NO_START: Duration = Duration::from_secs(4);

pub fn p02_valves_open_at_once_and_the_engine_waits(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    bench.half_a_tank();
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    let pressed = bench.edge(place, BUTTON, Low)?.at;
    let mut last = pressed;
    for name in ["relay-main-valve", "relay-priming-valve", "relay-refill-valve"] {
        last = last.max(bench.edge(place, name, High)?.at);
    }
    let open = last.since(pressed);
    in_time("all valves", open, HEARD_MAX)?;
    let cranked = bench.edge(place, "relay-starter", High)?.at;
    let proven = bench.edge(place, "contact-valve-open", Low)?.at;
    sees(cranked >= proven, || "it cranked before the main valve was open".to_owned())?;
    let run = bench.edge(place, "relay-run", High)?.at;
    sees(run >= cranked, || "ignition before the starter".to_owned())?;
    Ok(format!(
        "button to all three valves {}; starter {} after the valve's contact",
        ms(open),
        ms(cranked.since(proven))
    ))
}

pub fn p03_the_starter_drops_before_the_ignition_comes(bench: &mut Bench) -> Seeing {
    let plan = bench.fresh(|_| {})?;
    let place = bench.rig.lines.place();
    let turned = crank(bench, place)?;
    let runs = bench.edge(place, "contact-engine-run", High)?.at;
    let off = bench.edge(place, "relay-starter", Low)?.at;
    let drops = off.since(runs);
    in_time("the starter dropped from a running engine", drops, DROPS)?;
    let crank_max = crank_of(&plan)?;
    sees(turned < crank_max, || format!("it cranked for {}", ms(turned)))?;
    // Nobody sees the engine: the plan's time it is.
    let plan = bench.fresh(|site| {
        site.inputs.remove(&Sensor::EngineRun);
        site.inputs.remove(&Sensor::EngineTurning);
    })?;
    let unseen = crank(bench, bench.rig.lines.place())?;
    lasts("the crank", unseen, crank_of(&plan)?)?;
    Ok(format!(
        "unseen engine: starter {} (plan {}); seen: {}, off {} after it ran; ignition never with the starter",
        ms(unseen),
        ms(crank_max),
        ms(turned),
        ms(drops)
    ))
}

/// How long the starter was on; the ignition came after it and stayed.
fn crank(bench: &Bench, place: Place) -> Result<Duration, RigError> {
    bench.press(Button::Fire);
    let on = bench.edge(place, "relay-starter", High)?.at;
    let off = bench.edge(place, "relay-starter", Low)?.at;
    let run = bench.edge(place, "relay-run", High)?.at;
    sees(off.since(run) < ONE_WRITE, || {
        format!("ignition {} before the starter dropped", ms(off.since(run)))
    })?;
    rest(Duration::from_secs(1));
    bench.never(place, "relay-run", Low)?;
    Ok(off.since(on))
}

fn crank_of(plan: &Plan) -> Result<Duration, RigError> {
    match plan.pump().map(|pump| pump.drive) {
        Some(Drive::Engine(cranking)) => Ok(cranking.crank),
        _ => Err(RigError::Not("the site has no engine".to_owned())),
    }
}

/// Its contact closes and opens five times within 100 ms, and then stays closed; or does not.
pub fn p39_a_bouncing_button_starts_once(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    bounce(bench)?;
    bench.press(Button::Fire);
    bench.wait_said("EngineStartSequence")?;
    let (presses, starts) = counts(bench)?;
    sees((presses, starts) == (1, 1), || format!("{presses} presses and {starts} starts of one press"))?;
    bench.fresh(|_| {})?;
    bounce(bench)?;
    rest(NO_START);
    let (touches, starts) = counts(bench)?;
    sees(touches <= 1 && starts <= 1, || format!("{touches} presses and {starts} starts of a touch"))?;
    Ok(format!("bounced five times in 100 ms, then held: one start; only touched: {starts}"))
}

fn bounce(bench: &Bench) -> Result<(), RigError> {
    let line = bench.rig.line(BUTTON)?;
    for level in [Low, High].into_iter().cycle().take(10) {
        bench.rig.lines.push(line, level)?;
        rest(Duration::from_millis(10));
    }
    Ok(())
}

fn counts(bench: &Bench) -> Result<(u32, u32), RigError> {
    Ok((bench.said_times("EmergencyButtonPressed")?, bench.said_times("PumpSequenceStart")?))
}

/// There is no broker and no `vigia`. What is pressed at the first look was not pressed for this program; what is
/// pressed while it boots is answered once it has.
pub fn p40_the_button_alone_starts_and_not_while_held_at_boot(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    bench.world.with(|world| world.plant.press(Button::Fire, true));
    held_through_a_boot(bench)?;
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    let pressed = bench.edge(place, BUTTON, Low)?.at;
    let opened = bench.edge(place, "relay-main-valve", High)?.at;
    let heard = opened.since(pressed);
    in_time("the main valve", heard, HEARD_MAX)?;
    let early = pressed_while_it_boots(bench)?;
    Ok(format!(
        "held through a cold boot: no start; pressed then: {}; pressed while booting: runs {} later",
        ms(heard),
        ms(early)
    ))
}

fn held_through_a_boot(bench: &mut Bench) -> Result<(), RigError> {
    bench.rig.machine.cut();
    rest(Duration::from_secs(1));
    let place = bench.rig.lines.place();
    bench.rig.boot()?;
    let tested = bench.wait_armed(place, None)?;
    bench.wait_rest()?;
    rest(NO_START);
    let starts = bench.said_times("PumpSequenceStart")?;
    sees(starts == 0, || "a held button started the pump at boot".to_owned())?;
    let on = bench.edges(place, "relay-main-valve")?;
    let on = on.iter().find(|edge| edge.level == High && edge.at > tested);
    sees(on.is_none(), || format!("the main valve opened at boot: {on:?}"))?;
    bench.world.with(|world| world.plant.press(Button::Fire, false));
    rest(Duration::from_millis(500));
    Ok(())
}

/// From the press to the main valve.
fn pressed_while_it_boots(bench: &mut Bench) -> Result<Duration, RigError> {
    bench.prepared(|_| {})?;
    bench.rig.run("systemctl start vigia-pump")?;
    bench.wait("K0 is tested", crate::vm::world::World::is_k0_pulled)?;
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    let pressed = bench.edge(place, BUTTON, Low)?.at;
    bench.wait("it runs", |world| world.story().last().is_some_and(|m| m.coils.is_on(Output::Run)))?;
    let opened = bench.edge(place, "relay-main-valve", High)?.at;
    Ok(opened.since(pressed))
}
