//! Which version runs in which slot, and what became of the updates.

use serde::Serialize;

use super::slots::Slots;
use super::state::State;
use super::{Places, Release, UpdateError, read};

/// Of the history, newest first.
const HISTORY_SHOWN: usize = 20;

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub version: String,
    pub compatible: String,
    /// The oldest version that may be installed.
    pub floor: String,
    /// Which slot runs; `None`: RAUC does not answer.
    pub slot: Option<String>,
    pub slots: Option<Slots>,
    /// Of the request of this boot, if there was one.
    pub update: Option<State>,
    /// Of a version on trial: what does not work yet, a sentence each. `None`: the one that runs has passed.
    pub trial: Option<Vec<String>>,
    /// Newest first: when, slot, version, what became of it.
    pub history: Vec<String>,
}

impl Report {
    /// # Errors
    /// This is no box that was made from an image.
    pub fn read(places: &Places) -> Result<Self, UpdateError> {
        let release = Release::read(places)?;
        let slots = Slots::read(places).ok();
        let slot = slots.as_ref().and_then(Slots::booted).map(|slot| slot.name.clone());
        let on_trial =
            slot.as_ref().is_some_and(|slot| places.at(&format!("data/update/trial.{slot}")).exists());
        let missed = read(&places.missed()).unwrap_or_default();
        let history = read(&places.history()).unwrap_or_default();
        Ok(Self {
            version: release.version.to_string(),
            compatible: release.compatible,
            floor: release.floor.to_string(),
            slot,
            slots,
            trial: on_trial.then(|| missed.lines().map(str::to_owned).collect()),
            update: State::read(places),
            history: history.lines().rev().take(HISTORY_SHOWN).map(str::to_owned).collect(),
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slot = self.slot.as_deref().unwrap_or("unknown (rauc does not answer)");
        writeln!(
            f,
            "version  {}, slot {slot}\nfor      {}, not older than {}",
            self.version, self.compatible, self.floor
        )?;
        for slot in self.slots.iter().flat_map(|slots| &slots.all) {
            let runs = if slot.is_booted { "runs" } else { "does not run" };
            let state = if slot.is_good { "good" } else { "bad" };
            let version = slot.version.as_deref().unwrap_or("from the factory");
            writeln!(f, "slot {}   {version}, {state}, {runs}", slot.name)?;
        }
        if let Some(next) = self.slots.as_ref().and_then(|slots| slots.next.as_deref()) {
            writeln!(f, "next     slot {next}")?;
        }
        if let Some(update) = &self.update {
            writeln!(f, "now      {} {} %: {}", update.action, update.percent, update.text)?;
        }
        if let Some(missed) = &self.trial {
            writeln!(f, "trial    {} must show that it works, or the box goes back", self.version)?;
            missed.iter().try_for_each(|why| writeln!(f, "missed   {why}"))?;
        }
        self.history.iter().try_for_each(|line| writeln!(f, "history  {line}"))
    }
}
