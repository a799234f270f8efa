//! How `vigia` works: told in a file in memory, so that a new version can be held against the one before it.
//!
//! `update-gate` keeps the file when an update is written; after the restart the verdict asks `vigia self-test --live`
//! whether the box does again what it did before. What was broken already is no reason to go back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::told::{self, Teller, Told};
use super::{Places, UpdateError};

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

/// What a living `vigia` of this boot says.
#[must_use]
pub fn now(places: &Places) -> Option<Work> {
    Told::now(&places.work()).map(|said| said.told)
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
    Told::read(&path).map(|said| Some(said.told)).ok_or_else(torn)
}

/// `vigia`'s file, where its unit gave it a folder.
#[derive(Debug)]
pub struct Diary {
    teller: Teller<Work>,
    gave: BTreeSet<u32>,
}

impl Diary {
    /// In the folder `RUNTIME_DIRECTORY`; without one nothing is left.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::at(told::place("work.json"))
    }

    fn at(path: Option<PathBuf>) -> Self {
        Self { teller: Teller::new(path, "an update would be taken for a failure"), gave: BTreeSet::new() }
    }

    /// Which cameras have given a picture is kept here.
    pub fn tell(&mut self, mut work: Work) {
        self.gave.extend(work.cameras.iter().filter(|(_, camera)| camera.gives).map(|(id, _)| *id));
        for (id, camera) in &mut work.cameras {
            camera.gave = self.gave.contains(id);
        }
        self.teller.tell(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_camera_that_gave_a_picture_is_remembered_and_a_torn_past_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let places = Places::below(dir.path());
        std::fs::create_dir_all(dir.path().join("run/vigia-box")).expect("ours");
        std::fs::create_dir_all(dir.path().join("data/update")).expect("ours");
        assert_eq!((now(&places), before(&places).expect("none")), (None, None));
        let mut diary = Diary::at(Some(places.work()));
        let work = |gives| {
            let camera = |gives| Camera { gives, ..Camera::default() };
            Work { cameras: [(1, camera(gives)), (2, camera(false))].into(), ..Work::default() }
        };
        for gives in [true, false] {
            diary.tell(work(gives));
            let told = now(&places).expect("just told");
            assert_eq!((told.cameras[&1].gives, told.cameras[&1].gave), (gives, true));
            assert!(!told.cameras[&2].gave);
        }
        std::fs::copy(places.work(), places.work_before()).expect("ours");
        assert!(before(&places).expect("whole").is_some_and(|work| work.cameras[&1].gave));
        let text =
            std::fs::read_to_string(places.work()).expect("ours").replace(&clock::boot_id(), "another");
        std::fs::write(places.work(), text).expect("ours");
        assert_eq!(now(&places), None, "of another boot");
        std::fs::write(places.work_before(), "{").expect("ours");
        assert!(before(&places).is_err());
    }
}
