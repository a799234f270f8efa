//! The states of an instance, as everybody sees them (spec nvr 2.5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What everybody sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The broker answered for the first time. The real state follows at once.
    Connected,
    /// Announced; the engine and the streams come next.
    Starting,
    Running,
    /// All streams are silent by command.
    Paused,
    Restarting,
    Reconfiguring,
    /// Nothing is detected. Commands are still taken.
    Error,
    Stopped,
    /// Gone, in order or not.
    Disconnected,
}

impl Status {
    pub const ALL: [Self; 9] = [
        Self::Connected,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Reconfiguring,
        Self::Error,
        Self::Stopped,
        Self::Disconnected,
    ];

    /// As on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// For people: when it is published.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Connected => ("connected", "the broker answered for the first time"),
            Self::Starting => {
                ("starting", "announced, with the configuration; the engine and the streams come next")
            }
            Self::Running => ("running", "streams are watched"),
            Self::Paused => ("paused", "all streams are silent by command"),
            Self::Restarting => ("restarting", "everything is being built anew"),
            Self::Reconfiguring => ("reconfiguring", "a change is being applied"),
            Self::Error => ("error", "nothing is detected; commands are still taken"),
            Self::Stopped => ("stopped", "ended by command"),
            Self::Disconnected => ("disconnected", "gone: `reason` is `shutdown` or `lwt`"),
        }
    }
}
