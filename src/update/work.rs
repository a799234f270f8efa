//! How `vigia` works: told in a file in memory, so that a new version can be held against the one before it.
//!
//! `update-gate` keeps the file when an update is written; after the restart the verdict asks `vigia self-test --live`
//! whether the box does again what it did before. What was broken already is no reason to go back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vigia_core::time::Instant;

use super::{Places, UpdateError, read, rest, write};
use crate::clock;

/// The file is written when it changes, and this often.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Whoever did not write it for this long is dead.
const STALE_AFTER: Duration = Duration::from_secs(15);

/// What the instance does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    pub instance_id: String,
    /// Who speaks of fires and the pump; `None`: nobody.
    pub host: Option<String>,
    /// As the status has it: `running`, `paused`, ...
    pub status: String,
    /// By the stream's number.
    pub cameras: BTreeMap<u32, Camera>,
    /// `None`: no model is loaded.
    pub engine: Option<String>,
    /// Why the processor computes where the GPU should.
    pub degraded: Option<String>,
    /// The plan of an engine is being built.
    pub is_building: bool,
    /// The engine has looked at a picture in this life.
    pub has_looked: bool,
    pub is_paused: bool,
    /// It is connected.
    pub has_broker: bool,
}

/// One camera.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Camera {
    /// Pictures come.
    pub gives: bool,
    /// One came in this life.
    pub gave: bool,
    /// Why none comes.
    pub why: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Told {
    boot_id: String,
    /// Nanoseconds since the boot.
    at: u64,
    work: Work,
}

/// What a living `vigia` of this boot says.
#[must_use]
pub fn now(places: &Places) -> Option<Work> {
    let told = told(places.work())?;
    let is_ours = told.boot_id == rest::boot_id() && told.at <= clock::now().0;
    (is_ours && clock::now().since(Instant(told.at)) <= STALE_AFTER).then_some(told.work)
}

/// As it was when the update was written; `None`: nobody knows.
///
/// # Errors
/// It is there and can't be read: nothing may be taken for as good as before.
pub fn before(places: &Places) -> Result<Option<Work>, UpdateError> {
    let path = places.work_before();
    if !path.exists() {
        return Ok(None);
    }
    let torn = || UpdateError::Refused(format!("{}: it does not say how the box worked", path.display()));
    told(path.clone()).map(|told| Some(told.work)).ok_or_else(torn)
}

fn told(path: PathBuf) -> Option<Told> {
    serde_json::from_str(&read(&path).ok()?).ok()
}

/// `vigia`'s file, where its unit gave it a folder.
#[derive(Debug)]
pub struct Teller {
    path: Option<PathBuf>,
    boot_id: String,
    last: Option<(Instant, Work)>,
    gave: BTreeSet<u32>,
    failed: bool,
}

impl Teller {
    /// In the folder `RUNTIME_DIRECTORY`; without one nothing is left.
    #[must_use]
    pub fn from_environment() -> Self {
        let path = std::env::var_os("RUNTIME_DIRECTORY").map(|dir| PathBuf::from(dir).join("work.json"));
        Self { path, boot_id: rest::boot_id(), last: None, gave: BTreeSet::new(), failed: false }
    }

    /// Which cameras have given a picture is kept here.
    pub fn tell(&mut self, mut work: Work) {
        let Some(path) = &self.path else { return };
        self.gave.extend(work.cameras.iter().filter(|(_, camera)| camera.gives).map(|(id, _)| *id));
        for (id, camera) in &mut work.cameras {
            camera.gave = self.gave.contains(id);
        }
        let now = clock::now();
        let is_told = |(at, last): &(Instant, Work)| *last == work && now.since(*at) < TOLD_EVERY;
        if self.last.as_ref().is_some_and(is_told) {
            return;
        }
        let told = Told { boot_id: self.boot_id.clone(), at: now.0, work };
        match write(path, &serde_json::to_string(&told).unwrap_or_default(), 0o644) {
            Ok(()) => (self.last, self.failed) = (Some((now, told.work)), false),
            Err(error) if !self.failed => {
                self.failed = true;
                let path = path.display();
                tracing::error!(component = "update", event = "work_not_told", %path, %error, "an update would be taken for a failure");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_gave_a_picture_is_remembered_and_a_torn_past_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let places = Places::below(dir.path());
        std::fs::create_dir_all(dir.path().join("run/vigia-box")).expect("ours");
        std::fs::create_dir_all(dir.path().join("data/update")).expect("ours");
        assert_eq!((now(&places), before(&places).expect("none")), (None, None));
        let path = Some(places.work());
        let mut teller = Teller { path, ..Teller::from_environment() };
        let work = |gives| {
            let camera = |gives| Camera { gives, ..Camera::default() };
            Work { cameras: [(1, camera(gives)), (2, camera(false))].into(), ..Work::default() }
        };
        for gives in [true, false] {
            teller.tell(work(gives));
            let told = now(&places).expect("just told");
            assert_eq!((told.cameras[&1].gives, told.cameras[&1].gave), (gives, true));
            assert!(!told.cameras[&2].gave);
        }
        std::fs::copy(places.work(), places.work_before()).expect("ours");
        assert!(before(&places).expect("whole").is_some_and(|work| work.cameras[&1].gave));
        let text = read(&places.work()).expect("ours").replace(&rest::boot_id(), "another");
        std::fs::write(places.work(), text).expect("ours");
        assert_eq!(now(&places), None, "of another boot");
        std::fs::write(places.work_before(), "{").expect("ours");
        assert!(before(&places).is_err());
    }
}
