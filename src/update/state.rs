//! How far an update is: one file, whole at every moment.

use serde::{Deserialize, Serialize};
use vigia_core::event::Utc;

use super::{Places, UpdateError, read, write};
use crate::clock;

/// ```text
/// Checking ─► Installing ─► Waiting ─► Restarting
///     └────────────┴──► Failed            ▲
///                          Installed ◄── Waiting (for too long)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Signature, kind of box, floor, rest.
    Checking,
    /// The other slot is written.
    Installing,
    /// It is written; the restart is due once the box is at rest.
    Waiting,
    Restarting,
    /// It is written, and was never at rest long enough: the next start takes it, whoever asks for that.
    Installed,
    /// Nothing has changed.
    Failed,
}

impl Phase {
    /// Whether nothing more is to come from the one who carries it out.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Installed | Self::Failed)
    }
}

/// What everybody may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of the request.
    pub id: String,
    /// `install`, `rollback` or `reset`.
    pub action: String,
    pub phase: Phase,
    /// 0..=100.
    pub percent: u8,
    /// Of what is installed, once it is known.
    pub version: Option<String>,
    /// For people.
    pub text: String,
    pub timestamp: Utc,
}

impl State {
    #[must_use]
    pub fn new(id: &str, action: &str) -> Self {
        Self {
            id: id.to_owned(),
            action: action.to_owned(),
            phase: Phase::Checking,
            percent: 0,
            version: None,
            text: "looking whether it may be done".into(),
            timestamp: clock::utc(),
        }
    }

    /// The last one of this boot, if there was one.
    #[must_use]
    pub fn read(places: &Places) -> Option<Self> {
        serde_json::from_str(&read(&places.state()).ok()?).ok()
    }

    /// # Errors
    /// The folder is not there or not ours.
    pub fn write(&mut self, places: &Places) -> Result<(), UpdateError> {
        self.timestamp = clock::utc();
        let path = places.state();
        let text = serde_json::to_string(self).unwrap_or_default();
        write(&path, &text, 0o644).map_err(UpdateError::file(&path))
    }
}
