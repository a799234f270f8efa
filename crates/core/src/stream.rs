//! What a stream is doing, and why it is not running.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// State of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum StreamState {
    /// First attempt under way.
    Connecting,
    /// Data comes, but no keyframe to start decoding at yet.
    WaitingKeyframe,
    /// Pictures come.
    Running,
    /// It stopped or never came; tried again, for ever.
    Reconnecting { cause: Cause },
    /// A file that does not loop was read to its end.
    Ended,
}

/// Whose frames and detections may pass: closed while a stream is paused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gate {
    pub all_closed: bool,
    pub closed: BTreeSet<u32>,
}

impl Gate {
    #[must_use]
    pub fn is_closed(&self, source_id: u32) -> bool {
        self.all_closed || self.closed.contains(&source_id)
    }
}

/// Why a stream is down: a code for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub code: CauseCode,
    pub detail: String,
}

/// Kinds of trouble a stream can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseCode {
    /// Nobody answers at that address, or the connection broke.
    Unreachable,
    /// User or password refused.
    Unauthorized,
    /// The server or file system knows no such stream.
    NotFound,
    /// It answers, but no data within the limit.
    Timeout,
    /// Data stopped coming though the session is open.
    Silent,
    /// Data comes that gives no picture.
    Undecodable,
    /// The sender ended the stream.
    EndOfStream,
    /// No decoder or parser for this codec on this machine.
    Unsupported,
    /// Anything else the media library reports.
    Failed,
}

impl Cause {
    #[must_use]
    pub fn new(code: CauseCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl StreamState {
    /// The state's name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::WaitingKeyframe => "waiting_keyframe",
            Self::Running => "running",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Ended => "ended",
        }
    }
}
