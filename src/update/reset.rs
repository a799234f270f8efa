//! Factory reset: a mark on the data partition, at which the next start empties it (`appliance/system/usr/lib/vigia/data`).

use std::fs::File;
use std::path::PathBuf;

use super::slots::Slots;
use super::{Places, Release, UpdateError, rest};

/// Where the next start looks.
#[must_use]
pub fn mark(places: &Places) -> PathBuf {
    places.at("data/factory-reset")
}

/// Whether the box may be emptied now.
///
/// # Errors
/// It was not made from an image, is not at rest, or a version on trial waits for its verdict, which would be lost.
pub fn demand(places: &Places) -> Result<(), UpdateError> {
    let release = Release::read(places)?;
    rest::demand(places)?;
    let trial = |slot: &str| places.at(&format!("data/update/trial.{slot}")).exists();
    // Where RAUC does not answer, no verdict comes either.
    let slots = Slots::read(places).ok();
    match slots.as_ref().and_then(Slots::booted).filter(|slot| trial(&slot.name)) {
        None => Ok(()),
        Some(slot) => {
            let (name, version) = (&slot.name, &release.version);
            Err(UpdateError::Refused(format!("{version} in slot {name} is on trial: wait for its verdict")))
        }
    }
}

/// From here on the next start empties the box, whoever asks for it.
///
/// # Errors
/// The data partition does not take it.
pub fn settle(places: &Places) -> Result<(), UpdateError> {
    let path = mark(places);
    let made = File::create(&path).and_then(|file| file.sync_all());
    let kept = made.and_then(|()| File::open(places.at("data"))?.sync_all());
    kept.map_err(UpdateError::file(&path))
}
