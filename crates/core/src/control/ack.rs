//! The answers to a command: `received`, then exactly one `completed` or `error`.
//!
//! `completed` says what is so on the wire, not what was meant; [`Effect`] is the evidence.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::envelope::Echo;
use super::refusal::{Code, Refusal};
use super::table::COMMANDS;
use crate::event::Utc;

/// An answer, as it is on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// Who answers.
    pub instance_id: String,
    /// As it was asked for, in small letters.
    pub command: String,
    /// `received`, then `completed` or `error`.
    pub ack_status: AckStatus,
    /// When it was answered, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Utc,
    /// The answering MQTT client.
    pub client_id: String,
    /// As the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// On every log line that the command caused.
    pub trace_id: String,
    /// From the command's arrival to this answer. On the final one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Why it is an error, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Why it is an error, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What is so now, with evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AckStatus {
    /// It arrived; a final answer follows.
    Received,
    /// Final: the effect is on the wire.
    Completed,
    /// Final: refused or failed.
    Error,
}

/// The evidence. Fields that say nothing are left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Effect {
    /// Counts the changes of what produces detections; those of the named frames and after have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The model of every detection from `first_frame` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The first detection of each stream that shows the effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_frame: Vec<FrameRef>,
    /// The last detection of each stream that does not; none follows it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_frame: Vec<FrameRef>,
    /// Streams that are silent now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_sources: Option<Vec<u32>>,
    /// All was so before: nothing was touched.
    #[serde(skip_serializing_if = "is_false")]
    pub unchanged: bool,
    /// It failed on the way, and what was before is back.
    #[serde(skip_serializing_if = "is_false")]
    pub rolled_back: bool,
    /// One per command of a batch, in its order; what came after a failure of an atomic one is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ItemResult>,
    /// How far two models agreed before the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// Settings that changed in the files and wait for a restart of the process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restart_needed: Vec<String>,
    /// What was brought in parts, or lies on the box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRef>,
}

/// A file of the box's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileRef {
    /// On the box.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub parts: u32,
}

/// One detection event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameRef {
    pub source_id: u32,
    pub frame_id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Utc>,
}

/// What came of one command of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemResult {
    pub command: String,
    pub ack_status: AckStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Two models on the same frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shadow {
    pub frames: u32,
    /// Share of detections that both models have, 0..=1.
    pub agreement: f32,
    pub only_old: u32,
    pub only_new: u32,
}

impl ItemResult {
    #[must_use]
    pub fn of(command: &Command, result: &Result<(), Refusal>) -> Self {
        let (ack_status, code, message) = match result {
            Ok(()) => (AckStatus::Completed, None, String::new()),
            Err(refusal) => (AckStatus::Error, Some(refusal.code), refusal.message.clone()),
        };
        Self { command: command.name().into(), ack_status, code, message }
    }
}

/// What all answers to one command have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The name at the time of the answer: a rename changes it between the two.
    pub instance_id: String,
    pub client_id: String,
    pub echo: Echo,
    pub trace_id: String,
}

impl Ticket {
    #[must_use]
    pub fn received(&self, now: Utc) -> Ack {
        self.ack(AckStatus::Received, now)
    }

    /// `took`: since the command's arrival.
    #[must_use]
    pub fn completed(&self, now: Utc, took: Duration, effect: Option<Effect>) -> Ack {
        Ack { duration_ms: Some(in_ms(took)), effect, ..self.ack(AckStatus::Completed, now) }
    }

    /// `took`: since the command's arrival. `effect`: what is so nevertheless.
    #[must_use]
    pub fn error(&self, now: Utc, took: Duration, why: &Refusal, effect: Option<Effect>) -> Ack {
        Ack {
            duration_ms: Some(in_ms(took)),
            code: Some(why.code),
            message: why.message.clone(),
            effect,
            ..self.ack(AckStatus::Error, now)
        }
    }

    fn ack(&self, ack_status: AckStatus, now: Utc) -> Ack {
        Ack {
            instance_id: self.instance_id.clone(),
            command: self.echo.command.clone(),
            ack_status,
            timestamp: now,
            client_id: self.client_id.clone(),
            request_id: self.echo.request_id.as_ref().map(|id| id.as_str().to_string()),
            trace_id: self.trace_id.clone(),
            duration_ms: None,
            code: None,
            message: String::new(),
            effect: None,
        }
    }
}

/// `cmd-{command}-{8 hex}`. Names that are no command's don't get into logs this way.
#[must_use]
pub fn trace_id(command: &str, random: u32) -> String {
    let known = COMMANDS.iter().find(|spec| spec.name == command);
    format!("cmd-{}-{random:08x}", known.map_or("unknown", |spec| spec.name))
}

/// To the microsecond.
fn in_ms(took: Duration) -> f64 {
    libm::round(took.as_secs_f64() * 1e6) / 1e3
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
