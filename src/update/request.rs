//! A wish, left where the one who may carry it out looks for it.

use std::io::ErrorKind;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::state::{Phase, State};
use super::{Places, UpdateError, pause, read, write};
use crate::clock;

/// The unit starts within this, or it is not there.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// Without a sign of progress.
const SILENT_MAX: Duration = Duration::from_secs(1_800);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wish {
    Install {
        bundle: Bundle,
    },
    Rollback,
    /// The next start empties the box.
    Reset,
}

impl Wish {
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Install { .. } => "install",
            Self::Rollback => "rollback",
            Self::Reset => "reset",
        }
    }
}

/// A wish with a name, so that its answer is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: String,
    pub wish: Wish,
}

impl Request {
    #[must_use]
    pub fn new(wish: Wish) -> Self {
        Self { id: format!("{:016x}", fastrand::u64(..)), wish }
    }

    /// Leaves it.
    ///
    /// # Errors
    /// Another one is being carried out or waits, or this machine has no folder for it.
    pub fn leave(&self, places: &Places) -> Result<(), UpdateError> {
        let state = State::read(places).filter(|state| !state.phase.is_over());
        // Who died over it holds nothing any more.
        if let Some(state) = state.filter(|_| is_held(places)) {
            let State { action, percent, text, .. } = state;
            return Err(UpdateError::Refused(format!("{action} is under way ({percent} %): {text}")));
        }
        let path = places.request();
        if path.exists() {
            return Err(UpdateError::Refused(
                "another request waits to be carried out: wait for its end".into(),
            ));
        }
        let text = serde_json::to_string(self).unwrap_or_default();
        // In a folder that only root and `vigia` may enter.
        write(&path, &text, 0o644).map_err(UpdateError::file(&path))
    }

    /// Takes what was left; who left it is not trusted.
    ///
    /// # Errors
    /// There is none, or it is no request.
    pub fn take(places: &Places) -> Result<Self, UpdateError> {
        let path = places.request();
        let text = read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => UpdateError::Refused(format!("{}: there is no request", path.display())),
            _ => UpdateError::File { path: path.clone(), source: e },
        });
        // Whatever it was: the unit must not be started for it again.
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(UpdateError::File { path, source: e }),
            _ => {}
        }
        let request: Self = serde_json::from_str(&text?)
            .map_err(|e| UpdateError::Refused(format!("{}: it is no request: {e}", path.display())))?;
        let is_id = request.id.len() == 16 && request.id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id {
            Ok(request)
        } else {
            Err(UpdateError::Refused("a request's id is 16 hexadecimal digits".into()))
        }
    }

    /// Waits until it is written or refused, and hands on each new state.
    ///
    /// # Errors
    /// Refused, failed, or nobody carries requests out here.
    pub fn follow(&self, places: &Places, mut told: impl FnMut(&State)) -> Result<State, UpdateError> {
        let mut last: Option<State> = None;
        let mut since = clock::now();
        loop {
            let state = State::read(places).filter(|state| state.id == self.id);
            let limit = if last.is_none() { TAKEN_WITHIN } else { SILENT_MAX };
            match state {
                Some(state) if last.as_ref() != Some(&state) => {
                    since = clock::now();
                    told(&state);
                    match state.phase {
                        Phase::Checking | Phase::Installing => last = Some(state),
                        Phase::Waiting | Phase::Restarting | Phase::Installed => return Ok(state),
                        Phase::Failed => return Err(UpdateError::Refused(state.text)),
                    }
                }
                _ if clock::now().since(since) > limit => return Err(self.withdrawn(places)),
                _ => pause(LOOK_EVERY),
            }
        }
    }

    fn withdrawn(&self, places: &Places) -> UpdateError {
        // Not to be done when nobody waits for it any more.
        let _ = std::fs::remove_file(places.request());
        let text =
            "nobody carries requests out on this box: see «systemctl status vigia-update.path vigia-update»";
        UpdateError::Refused(text.into())
    }
}

fn is_held(places: &Places) -> bool {
    let lock = std::fs::File::open(places.lock());
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("run/vigia-update/request")).expect("made");
        let places = Places::below(dir.path());
        (dir, places)
    }

    #[test]
    fn a_request_is_taken_once_and_as_it_was_left() {
        let (_dir, places) = places();
        let bundle = Bundle::parse("/data/a.raucb").expect("good");
        let request = Request::new(Wish::Install { bundle });
        request.leave(&places).expect("left");
        let second = Request::new(Wish::Rollback).leave(&places).expect_err("one at a time");
        assert!(second.to_string().contains("waits"), "{second}");
        assert_eq!(Request::take(&places).expect("there"), request);
        let none = Request::take(&places).expect_err("it is gone");
        assert!(none.to_string().contains("no request"), "{none}");
    }

    /// Each is gone afterwards: the unit would start for it for ever.
    #[test]
    fn what_is_no_request_is_refused_and_removed() {
        let (_dir, places) = places();
        let id = "0123456789abcdef";
        for (text, phrase) in [
            ("", "no request"),
            ("{", "no request"),
            (&format!(r#"{{"id":"{id}","wish":{{"action":"format"}}}}"#), "unknown variant"),
            (&format!(r#"{{"id":"{id}","wish":{{"action":"install"}}}}"#), "missing field"),
            (&format!(r#"{{"id":"{id}","wish":{{"action":"install","bundle":"--conf=x"}}}}"#), "is neither"),
            (&format!(r#"{{"id":"{id}","wish":{{"action":"install","bundle":"http://x/a"}}}}"#), "https"),
            (r#"{"id":"../../x","wish":{"action":"rollback"}}"#, "hexadecimal"),
            (&"x".repeat(300_000), "larger"),
        ] {
            std::fs::write(places.request(), text).expect("written");
            let why = Request::take(&places).expect_err("refused").to_string();
            assert!(why.contains(phrase), "{why}");
            assert!(!places.request().exists(), "{why}");
        }
        std::os::unix::fs::symlink("/etc/shadow", places.request()).expect("a link");
        assert!(Request::take(&places).is_err());
        assert!(std::fs::symlink_metadata(places.request()).is_err());
    }

    #[test]
    fn while_one_is_carried_out_no_other_is_left() {
        let (_dir, places) = places();
        let mut state = State::new("0", "install");
        (state.phase, state.percent) = (Phase::Installing, 40);
        state.write(&places).expect("written");
        // As the one who carries it out does, while it lives.
        let lock = std::fs::File::create(places.lock()).expect("ours");
        flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("free");
        let why = Request::new(Wish::Rollback).leave(&places).expect_err("busy").to_string();
        assert!(why.contains("under way (40 %)"), "{why}");
        drop(lock);
        Request::new(Wish::Rollback).leave(&places).expect("who carried it out is dead");
    }
}
