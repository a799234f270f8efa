//! What surrounds a command: whom it is for, until when, and who signed it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde_json::{Map, Value};

use super::command::Command;
use super::json::{self, DEPTH_MAX, Unreadable};
use super::params::name_of;
use super::read::{printable, shown, time, type_of, without_passwords};
use super::refusal::{Code, Refusal};
use super::signed::{Signature, unwrapped};
use super::spec::Capability;
use crate::config::InstanceId;
use crate::event::Utc;

pub const PAYLOAD_BYTES_MAX: usize = 65_536;
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Longest command name that an answer repeats.
const NAME_CHARS_MAX: usize = 64;

/// What a sender calls a command, to know its answers: 1 to 128 bytes, nothing unprintable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(String);

impl RequestId {
    /// Refused: empty, too long, or control characters in it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read(&Value::String(text.into()))
    }

    fn read(value: &Value) -> Result<Self, Refusal> {
        let text = printable(value, REQUEST_ID_BYTES_MAX);
        text.map(Self).map_err(|why| Refusal::malformed("request_id", why))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a command's times may lie from ours.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub now: Utc,
    /// Clocks differ; more than this ahead is refused.
    pub ahead_max: Duration,
    /// Age from which `issued_at` is too old; `None` takes any age. Must not exceed what
    /// the ledger remembers where replay matters.
    pub age_max: Option<Duration>,
}

/// What came of a payload.
#[derive(Debug)]
pub enum Opened {
    /// Nothing in it can be answered. For the log.
    Unreadable(Unreadable),
    /// Stored at the broker, nobody knows since when. Never executed.
    Retained,
    /// For other instances.
    NotForUs,
    /// To be answered with an error.
    Refused {
        echo: Echo,
        refusal: Refusal,
    },
    Accepted(Envelope),
}

/// What an answer repeats of the question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Echo {
    /// Small letters, at most 64 characters; empty if none could be read.
    pub command: String,
    pub request_id: Option<RequestId>,
}

/// A well-formed message for this instance. The command in it may still be nonsense.
pub struct Envelope {
    pub echo: Echo,
    /// May hold passwords; [`Envelope::shown_params`] does not.
    pub params: Map<String, Value>,
    pub issued_at: Option<Utc>,
    pub expires_at: Option<Utc>,
    pub signature: Option<Signature>,
}

/// Reads a message from the command topic for the instance `own`.
#[must_use]
pub fn open(payload: &[u8], retained: bool, own: &InstanceId, limits: &Limits) -> Opened {
    if retained {
        return Opened::Retained;
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        let message = format!("Payload has {} bytes, at most {PAYLOAD_BYTES_MAX} are read", payload.len());
        return Opened::Refused { echo: Echo::default(), refusal: Refusal::new(Code::TooLarge, message) };
    }
    match json::read(payload) {
        Ok(outer) => opened(outer, own, limits),
        Err(why) => Opened::Unreadable(why),
    }
}

fn opened(outer: json::Read, own: &InstanceId, limits: &Limits) -> Opened {
    let (message, signature) = match unwrapped(outer) {
        Ok(unwrapped) => unwrapped,
        Err(refusal) => return Opened::Refused { echo: Echo::default(), refusal },
    };
    let Value::Object(fields) = &message.value else {
        let why = format!("must be object, got {}", type_of(&message.value));
        return Opened::Refused { echo: Echo::default(), refusal: Refusal::malformed("payload", why) };
    };
    let echo = echo(fields);
    let checked = addressed(fields, own).and_then(|for_us| {
        if for_us { checked(&message, fields, signature, limits).map(Some) } else { Ok(None) }
    });
    match checked {
        Ok(None) => Opened::NotForUs,
        Ok(Some(envelope)) => Opened::Accepted(envelope),
        Err(refusal) => Opened::Refused { echo, refusal },
    }
}

/// Absent, null, empty or `*` anywhere is everybody; else exactly our own name (spec nvr 2.3).
fn addressed(fields: &Map<String, Value>, own: &InstanceId) -> Result<bool, Refusal> {
    let bad = |got: &Value| {
        let why = format!("must be a list of strings, got {}", type_of(got));
        Refusal::malformed("target_instances", why)
    };
    let means_us = |name: &str| name == "*" || name == own.as_str();
    match fields.get("target_instances") {
        None | Some(Value::Null) => Ok(true),
        Some(Value::String(name)) => Ok(means_us(name)),
        Some(Value::Array(names)) => {
            let names: Vec<&str> =
                names.iter().map(|n| n.as_str().ok_or_else(|| bad(n))).collect::<Result<_, _>>()?;
            Ok(names.is_empty() || names.into_iter().any(means_us))
        }
        Some(other) => Err(bad(other)),
    }
}

fn checked(
    message: &json::Read,
    fields: &Map<String, Value>,
    signature: Option<Signature>,
    limits: &Limits,
) -> Result<Envelope, Refusal> {
    odd(message)?;
    if let Some(other) = fields.get("command").filter(|name| !name.is_string()) {
        return Err(Refusal::malformed("command", format!("must be string, got {}", type_of(other))));
    }
    let params = match fields.get("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params.clone(),
        Some(other) => {
            return Err(Refusal::malformed("params", format!("must be object, got {}", type_of(other))));
        }
    };
    let request_id = given(fields, "request_id").map(RequestId::read).transpose()?;
    let at =
        |name: &str| given(fields, name).map(time).transpose().map_err(|why| Refusal::malformed(name, why));
    let (issued_at, expires_at) = (at("issued_at")?, at("expires_at")?);
    timely(issued_at, expires_at, limits)?;
    if signature.is_some() && (request_id.is_none() || issued_at.is_none()) {
        let message = "A signed command needs request_id and issued_at, or it could be replayed";
        return Err(Refusal::new(Code::Malformed, message));
    }
    let echo = Echo { request_id, ..echo(fields) };
    Ok(Envelope { echo, params, issued_at, expires_at, signature })
}

fn given<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f Value> {
    fields.get(name).filter(|value| !value.is_null())
}

pub(super) fn odd(message: &json::Read) -> Result<(), Refusal> {
    if message.too_deep {
        let text = format!("Payload is nested more than {DEPTH_MAX} deep");
        return Err(Refusal::new(Code::TooDeep, text));
    }
    match &message.duplicate {
        Some(key) => {
            let key = shown(&Value::String(key.clone()));
            Err(Refusal::malformed("payload", format!("key {key} is given twice")))
        }
        None => Ok(()),
    }
}

fn timely(issued_at: Option<Utc>, expires_at: Option<Utc>, limits: &Limits) -> Result<(), Refusal> {
    let now = limits.now;
    let expired = |why: String| Err(Refusal::new(Code::Expired, format!("{why}; it is {now} here")));
    if let Some(at) = expires_at.filter(|at| *at <= now) {
        return expired(format!("Command expired at {at}"));
    }
    let Some(at) = issued_at else { return Ok(()) };
    let ahead_ns = at.as_unix_ns() - now.as_unix_ns();
    let beyond = |ns: i128, max: Duration| u128::try_from(ns).is_ok_and(|ns| ns > max.as_nanos());
    if beyond(ahead_ns, limits.ahead_max) {
        let text = format!("Command was issued in the future, at {at}; it is {now} here");
        return Err(Refusal::new(Code::IssuedInFuture, text));
    }
    match limits.age_max {
        Some(max) if beyond(-ahead_ns, max) => {
            expired(format!("Command was issued at {at}, more than {} s ago", max.as_secs()))
        }
        Some(_) | None => Ok(()),
    }
}

/// What can be read of a message that may be wrong in other places.
fn echo(fields: &Map<String, Value>) -> Echo {
    let name = fields.get("command").and_then(Value::as_str).map(name_of).unwrap_or_default();
    Echo {
        command: name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect(),
        request_id: fields.get("request_id").and_then(|id| RequestId::read(id).ok()),
    }
}

impl Envelope {
    /// The command itself, if it is one and its parameters are right.
    pub fn command(&self, active: &[Capability]) -> Result<Command, Refusal> {
        Command::parse(&self.echo.command, &self.params, active)
    }

    /// The parameters for log and audit: passwords in addresses are hidden.
    #[must_use]
    pub fn shown_params(&self) -> Value {
        without_passwords(Value::Object(self.params.clone()))
    }

    /// A number that differs between different commands, for [`super::Ledger::begin`].
    #[must_use]
    pub fn digest(&self) -> u64 {
        let params = Value::Object(self.params.clone()).to_string();
        let bytes = self.echo.command.bytes().chain([0]).chain(params.bytes());
        // FNV-1a: it tells mistakes apart, not attackers.
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("echo", &self.echo)
            .field("params", &self.shown_params())
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("signature", &self.signature)
            .finish()
    }
}
