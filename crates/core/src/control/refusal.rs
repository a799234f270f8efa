//! Why a command is refused or failed: a code for programs, a sentence for people.

use alloc::format;
use alloc::string::String;
use core::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A refused or failed command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: Code,
    pub message: String,
}

impl Refusal {
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The envelope is wrong, not the command in it.
    pub(crate) fn malformed(name: &str, why: impl fmt::Display) -> Self {
        Self::new(Code::Malformed, format!("Invalid {name}: {why}"))
    }

    pub(crate) fn missing(param: &str) -> Self {
        Self::new(Code::MissingParam, format!("Missing required parameter: {param}"))
    }

    pub(crate) fn invalid(param: &str, why: impl fmt::Display) -> Self {
        Self::new(Code::InvalidParam, format!("Invalid {param}: {why}"))
    }

    pub(crate) fn not_found(source_id: u32) -> Self {
        Self::new(Code::NotFound, format!("Stream with source_id {source_id} not found"))
    }
}

/// The closed set of reasons. On the wire in snake_case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    Malformed,
    TooLarge,
    TooDeep,
    Expired,
    IssuedInFuture,
    RequestIdReused,
    UnknownCommand,
    MissingParam,
    InvalidParam,
    UnknownParam,
    Forbidden,
    Unsigned,
    BadSignature,
    Busy,
    Stopping,
    Overloaded,
    AlreadyExists,
    NotFound,
    LastStream,
    TooManyStreams,
    NameTaken,
    UnknownModel,
    BadModel,
    Unreachable,
    BadConfig,
    Unavailable,
    BatchFailed,
    RolledBack,
    Failed,
    Timeout,
    Interrupted,
    PumpRefused,
    Cancelled,
    NotAtRest,
    /// A code of a newer version than the reader's.
    #[serde(other)]
    Other,
}

impl Code {
    /// Every code that is ever sent.
    pub const ALL: &[Self] = &[
        Self::Malformed,
        Self::TooLarge,
        Self::TooDeep,
        Self::Expired,
        Self::IssuedInFuture,
        Self::RequestIdReused,
        Self::UnknownCommand,
        Self::MissingParam,
        Self::InvalidParam,
        Self::UnknownParam,
        Self::Forbidden,
        Self::Unsigned,
        Self::BadSignature,
        Self::Busy,
        Self::Stopping,
        Self::Overloaded,
        Self::AlreadyExists,
        Self::NotFound,
        Self::LastStream,
        Self::TooManyStreams,
        Self::NameTaken,
        Self::UnknownModel,
        Self::BadModel,
        Self::Unreachable,
        Self::BadConfig,
        Self::Unavailable,
        Self::BatchFailed,
        Self::RolledBack,
        Self::Failed,
        Self::Timeout,
        Self::Interrupted,
        Self::PumpRefused,
        Self::Cancelled,
        Self::NotAtRest,
    ];

    /// As on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What it means, and what was not done.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "the envelope is wrong: not an object, a field of a wrong type"),
            Self::TooLarge => ("too_large", "the payload is above 64 KiB; it was not read"),
            Self::TooDeep => ("too_deep", "objects and lists are nested more than 16 deep"),
            Self::Expired => ("expired", "`expires_at` has passed, or `issued_at` lies too far back"),
            Self::IssuedInFuture => ("issued_in_future", "`issued_at` lies ahead of this box's clock"),
            Self::RequestIdReused => ("request_id_reused", "this `request_id` was another command before"),
            Self::UnknownCommand => {
                ("unknown_command", "no such command here; the message lists those there are")
            }
            Self::MissingParam => ("missing_param", "a required parameter is missing; the message names it"),
            Self::InvalidParam => {
                ("invalid_param", "a parameter has a wrong type or value; the message names it")
            }
            Self::UnknownParam => {
                ("unknown_param", "the command has no such parameter; the message lists its own")
            }
            Self::Forbidden => ("forbidden", "the sender's role may not do this"),
            Self::Unsigned => ("unsigned", "this instance takes signed commands only"),
            Self::BadSignature => ("bad_signature", "unknown key, or the signature does not fit the text"),
            Self::Busy => {
                ("busy", "another long command is not finished; try again after its acknowledgement")
            }
            Self::Stopping => ("stopping", "the instance is about to end"),
            Self::Overloaded => ("overloaded", "too many commands wait; this one was not queued"),
            Self::AlreadyExists => ("already_exists", "the stream is there already"),
            Self::NotFound => ("not_found", "there is no such stream"),
            Self::LastStream => ("last_stream", "one stream must remain; use pause instead"),
            Self::TooManyStreams => ("too_many_streams", "the limit of streams is reached"),
            Self::NameTaken => ("name_taken", "another live instance has this name"),
            Self::UnknownModel => ("unknown_model", "there is no model of this name on this box"),
            Self::BadModel => ("bad_model", "the model's files are damaged, or no engine runs it"),
            Self::Unreachable => {
                ("unreachable", "the stream gave no picture within the limit; nothing changed")
            }
            Self::BadConfig => ("bad_config", "the configuration files are wrong; nothing changed"),
            Self::Unavailable => ("unavailable", "there is nothing to report yet, or to cancel"),
            Self::BatchFailed => {
                ("batch_failed", "an item of the batch failed; `effect.results` tells which")
            }
            Self::RolledBack => ("rolled_back", "it failed on the way, and all is as it was before"),
            Self::Failed => ("failed", "it failed; the status tells what remains"),
            Self::Timeout => ("timeout", "no proof of the effect within the limit"),
            Self::Interrupted => ("interrupted", "the process ended in the middle; ask for the status"),
            Self::PumpRefused => ("pump_refused", "the pump does not do this now; the message says why"),
            Self::Cancelled => ("cancelled", "another command ended it; all is as it was before"),
            Self::NotAtRest => {
                ("not_at_rest", "a restart would disturb water, an alarm or a fire; the message says which")
            }
            Self::Other => ("other", "a code that this version does not know"),
        }
    }
}
