//! The round as samples of a plot.
//!
//! The pump program tells contacts, not revolutions and litres. Its simulated plant is a pure function
//! of configuration, seed and relays: the relays that were heard, given to the same plant, tell the rest.

use std::time::Duration;

use vigia_core::time::Instant;

use super::story::{Stand, Story};
use crate::live;
use crate::plant::{Plant, PlantConfig};
use crate::trial::{Sample, Timeline};

/// The seed of vigia-pump's own plant.
const SEED: u64 = 1;
const EVERY: Duration = Duration::from_millis(50);

pub(super) fn samples(story: &Story) -> Result<Vec<Sample>, String> {
    let mut plant = Plant::new(PlantConfig::of(&live::plan()?), SEED);
    let mut stands = story.stands.iter().copied().peekable();
    let mut stand: Option<Stand> = None;
    let end = story.stands.last().map_or(story.begun, |s| s.at).max(story.water.unwrap_or_default());
    let mut line = Timeline::default();
    let mut at = stands.peek().map_or(story.begun, |first| first.at);
    while at <= end {
        while let Some(next) = stands.next_if(|next| next.at <= at) {
            plant.advance(next.at, &next.relays);
            stand = Some(next);
        }
        plant.pass(at);
        // The story begins with the scene, the plant before.
        if at >= story.begun {
            line.note(sample(story, at, &plant, stand));
        }
        at = at.after(EVERY);
    }
    Ok(line.samples)
}

fn sample(story: &Story, at: Instant, plant: &Plant, stand: Option<Stand>) -> Sample {
    let relays = stand.map(|s| s.relays).unwrap_or_default();
    let state = stand.and_then(|s| s.state);
    Sample::of(at, plant.truth(), relays, story.seeing(at), story.voting(at), state)
}
