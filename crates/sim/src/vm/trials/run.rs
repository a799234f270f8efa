//! A run as it should be, and a stop in it (P2, P3, P32 on real lines).

use std::time::Duration;

use vigia_core::board::Level;
use vigia_core::pump::Output;

use super::{Bench, Seeing, sees};
use crate::plant::Button;
use crate::vm::clock::{now, rest};
use crate::vm::smoke::table::{Spans, ms};
use crate::vm::world::Moment;

/// A contact stands still for 50 ms before it counts, and a busy emulator adds its own.
const HEARD_MAX: Duration = Duration::from_millis(500);
const STOP_MAX: Duration = Duration::from_millis(250);

/// By the fire button, nothing else: valves, crank, run, kill pulse, rest.
pub fn by_the_button(bench: &mut Bench) -> Seeing {
    let (begin, place) = (now(), bench.rig.lines.place());
    let was_silent = bench.is_high("relay-siren")?;
    bench.start_a_run()?;
    let pressed = bench.edge(place, "contact-fire-button", Level::Low)?;
    let opened = bench.edge(place, "relay-main-valve", Level::High)?;
    bench.wait_rest()?;
    let story = bench.story_since(begin);
    let order = [Output::MainValve, Output::Starter, Output::Run, Output::Kill];
    let firsts: Vec<_> = order.iter().map(|o| first(&story, *o)).collect();
    sees(firsts.iter().all(Option::is_some), || format!("{order:?} at {firsts:?}: {}", bench.log()))?;
    sees(firsts.is_sorted(), || format!("{order:?} came at {firsts:?}"))?;
    let both = story.iter().find(|m| m.asked.is_on(Output::Starter) && m.asked.is_on(Output::Kill));
    sees(both.is_none(), || format!("starter and kill at once: {both:?}"))?;
    let shut = story.iter().find(|m| m.asked.is_on(Output::Starter) && !m.asked.is_on(Output::MainValve));
    sees(shut.is_none(), || format!("cranked with the main valve shut: {shut:?}"))?;
    // On at low, the other polarity; held until somebody acknowledges.
    let sounds = was_silent && first(&story, Output::Siren).is_some() && !bench.is_high("relay-siren")?;
    sees(sounds, || format!("the siren sounded before, or not at all: {}", bench.log()))?;
    let heard = opened.at.since(pressed.at);
    sees(heard <= HEARD_MAX, || format!("the main valve came {} after the button", ms(heard)))?;
    let truth = bench.world.with(|world| *world.plant.truth());
    sees(truth.delivered_l > 0.0, || "no water flowed".to_owned())?;
    Ok(format!("button to main valve {}, {:.0} l delivered", ms(heard), truth.delivered_l))
}

fn first(story: &[Moment], output: Output) -> Option<u64> {
    story.iter().find(|m| m.asked.is_on(output)).map(|m| m.at.0)
}

/// Pressed in a run: from the contact's edge to the ignition's, several times.
pub fn stop_button(bench: &mut Bench) -> Seeing {
    const STOPS: u32 = 3;
    let mut spans = Spans::default();
    for _ in 0..STOPS {
        bench.start_a_run()?;
        let place = bench.rig.lines.place();
        bench.world.with(|world| world.plant.press(Button::Stop, true));
        let pressed = bench.edge(place, "contact-emergency-stop", Level::High)?;
        let off = bench.edge(place, "relay-run", Level::Low)?;
        spans.add(off.at.since(pressed.at));
        bench.edge(place, "relay-kill", Level::High)?;
        bench.world.with(|world| world.plant.press(Button::Stop, false));
        // It stays stopped until somebody at the box resets it.
        rest(Duration::from_secs(2));
        let is_on = bench.world.with(|world| world.plant.truth().live.is_on(Output::Run));
        sees(!is_on, || "it ran again without a reset".to_owned())?;
        bench.press(Button::Reset);
        bench.wait_rest()?;
    }
    let worst = spans.rank(1000).unwrap_or_default();
    sees(worst <= STOP_MAX, || format!("ignition off {} after the button", ms(worst)))?;
    Ok(format!("{STOPS} times; contact to ignition off {}", spans.sentence()))
}
