//! Parameters: one constant each, which reads the value and says what it may be. Help,
//! documents and the JSON schema take their words from the same constants.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Map, Value, json};

use super::command::PumpAction;
use super::read::{self, BATCH_LEN_MAX, Bad, HISTORY_LEN_MAX, PAUSE_S_MAX, PAUSE_S_MIN, SHADOW_FRAMES_MAX};
use super::refusal::{Code, Refusal};
use super::spec::Capability;
use crate::config::{InstanceId, StreamUri, Tracker, limits};
use crate::consensus::limits::NAME_BYTES_MAX as CAMERA_BYTES_MAX;
use crate::event::Utc;

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SourceId,
    SourceIds,
    Leaving,
    Fps,
    Share,
    PauseTime,
    Flag,
    ShadowFrames,
    HistoryLimit,
    Model,
    Instance,
    Uri,
    UriOrNull,
    Tracker,
    Time,
    CommandName,
    NewStreams,
    Commands,
    Camera,
    PumpAction,
    UpdateAction,
    Bundle,
}

/// One parameter of one command.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
    /// What holds when it is left out; `None` if it can't be.
    pub default: Option<&'static str>,
    pub meaning: &'static str,
}

/// A parameter with its reader.
#[derive(Debug)]
pub(super) struct Arg<T> {
    name: &'static str,
    kind: Kind,
    read: fn(&Value) -> Result<T, Bad>,
    meaning: &'static str,
}

impl<T> Arg<T> {
    const fn new(
        name: &'static str,
        kind: Kind,
        read: fn(&Value) -> Result<T, Bad>,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, read, meaning }
    }

    pub const fn required(&self) -> Param {
        Param { name: self.name, kind: self.kind, default: None, meaning: self.meaning }
    }

    pub const fn or(&self, default: &'static str) -> Param {
        Param { name: self.name, kind: self.kind, default: Some(default), meaning: self.meaning }
    }

    fn get(&self, value: &Value) -> Result<T, Refusal> {
        (self.read)(value).map_err(|why| Refusal::invalid(self.name, why))
    }
}

pub(super) const SOURCE_ID: Arg<u32> =
    Arg::new("source_id", Kind::SourceId, read::source_id, "number of the room or camera");
pub(super) const SOURCE_IDS: Arg<Vec<u32>> =
    Arg::new("source_ids", Kind::SourceIds, read::source_ids, "several rooms or cameras at once");
pub(super) const TIMEOUT_S: Arg<Duration> =
    Arg::new("timeout_s", Kind::PauseTime, read::pause_time, "seconds after which it resumes by itself");
pub(super) const FLUSH: Arg<bool> =
    Arg::new("flush", Kind::Flag, read::flag, "drop what waits for the broker instead of sending it first");
pub(super) const MODEL_ID: Arg<String> =
    Arg::new("model_id", Kind::Model, read::model, "name of a model on this box");
pub(super) const SHADOW_FRAMES: Arg<u32> = Arg::new(
    "shadow_frames",
    Kind::ShadowFrames,
    read::shadow_frames,
    "frames that both models look at before the switch; the agreement is reported",
);
pub(super) const MAX_FPS: Arg<f64> =
    Arg::new("max_fps", Kind::Fps, read::fps, "most processed frames per second; 0.2 is one in 5 s");
pub(super) const STREAM_URI: Arg<StreamUri> =
    Arg::new("stream_uri", Kind::Uri, read::uri, "address of the stream");
pub(super) const URI_OR_NULL: Arg<Option<StreamUri>> = Arg::new(
    "stream_uri",
    Kind::UriOrNull,
    read::uri_or_null,
    "new address; null returns to the configured one, or else the stream server's",
);
pub(super) const CONFIDENCE: Arg<f32> =
    Arg::new("confidence", Kind::Share, read::share, "least confidence that is reported");
pub(super) const CONFIDENCE_THRESHOLD: Arg<f32> =
    Arg::new("confidence_threshold", Kind::Share, read::share, "least confidence that is reported");
pub(super) const ENABLED: Arg<bool> =
    Arg::new("enabled", Kind::Flag, read::flag, "whether objects are followed; false gives null ids");
pub(super) const MODE: Arg<Tracker> = Arg::new("mode", Kind::Tracker, read::tracker, "how they are followed");
pub(super) const ADD_STREAMS: Arg<Vec<Value>> = Arg::new(
    "add_streams",
    Kind::NewStreams,
    |value| read::list(value, limits::STREAMS_LEN_MAX).map(<[Value]>::to_vec),
    "streams to add: numbers, or objects with `source_id` and `stream_uri`",
);
pub(super) const REMOVE_STREAMS: Arg<Vec<u32>> =
    Arg::new("remove_streams", Kind::Leaving, read::leaving, "numbers of streams to remove");
pub(super) const COMMANDS: Arg<Vec<Value>> =
    Arg::new("commands", Kind::Commands, read::commands, "objects with `command` and `params`");
pub(super) const ATOMIC: Arg<bool> =
    Arg::new("atomic", Kind::Flag, read::flag, "all or nothing; else each item by itself");
pub(super) const NEW_INSTANCE_ID: Arg<InstanceId> =
    Arg::new("new_instance_id", Kind::Instance, read::instance, "the new name; topics change with it");
pub(super) const LIMIT: Arg<u32> =
    Arg::new("limit", Kind::HistoryLimit, read::history_limit, "most entries, newest first");
pub(super) const SINCE: Arg<Utc> = Arg::new("since", Kind::Time, read::time, "none older than this");
pub(super) const COMMAND: Arg<String> =
    Arg::new("command", Kind::CommandName, |value| read::string(value).map(name_of), "this command only");

pub(super) const CAMERA: Arg<String> =
    Arg::new("camera", Kind::Camera, read::camera, "name of a camera, or its stream's number");
pub(super) const AT: Arg<Utc> =
    Arg::new("at", Kind::Time, read::time, "what was half a minute before and after this moment");
pub(super) const ACTION: Arg<PumpAction> =
    Arg::new("action", Kind::PumpAction, read::pump_action, "what is wanted of the pump");
pub(super) const UPDATE_ACTION: Arg<&'static str> =
    Arg::new("action", Kind::UpdateAction, read::update_action, "what is wanted of the box's versions");
pub(super) const CONFIRM: Arg<InstanceId> =
    Arg::new("confirm", Kind::Instance, read::instance, "the name of the box that is meant, and no other");
pub(super) const BUNDLE: Arg<String> = Arg::new(
    "bundle",
    Kind::Bundle,
    |value| read::printable(value, read::BUNDLE_BYTES_MAX),
    "the signed update; `check` and `install` need it",
);

/// As commands are named: trimmed, small letters.
pub(super) fn name_of(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

/// What came with one command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Params<'p> {
    pub given: &'p Map<String, Value>,
    pub active: &'p [Capability],
    /// Inside a batch.
    pub nested: bool,
}

impl Params<'_> {
    pub fn required<T>(&self, arg: &Arg<T>) -> Result<T, Refusal> {
        arg.get(self.given.get(arg.name).ok_or_else(|| Refusal::missing(arg.name))?)
    }

    /// Null is as good as left out.
    pub fn optional<T>(&self, arg: &Arg<T>) -> Result<Option<T>, Refusal> {
        match self.given.get(arg.name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => arg.get(value).map(Some),
        }
    }

    /// Refuses names that the command does not know: a slip in `source_id` must not pause
    /// every stream. Commands without parameters take anything, and ignore it.
    pub fn only(&self, known: &[Param]) -> Result<(), Refusal> {
        let is_known = |name: &&String| known.iter().any(|param| param.name == name.as_str());
        match self.given.keys().find(|name| !is_known(name)) {
            Some(name) if !known.is_empty() => {
                let names: Vec<&str> = known.iter().map(|param| param.name).collect();
                let name = read::shown(&Value::String(name.clone()));
                let message = format!("Unknown parameter: {name}. Known: {}", names.join(", "));
                Err(Refusal::new(Code::UnknownParam, message))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Kind {
    /// The JSON type, for people.
    #[must_use]
    pub fn type_text(self) -> &'static str {
        match self {
            Self::SourceId | Self::ShadowFrames | Self::HistoryLimit => "integer",
            Self::SourceIds | Self::Leaving => "list of integers",
            Self::Fps | Self::Share | Self::PauseTime => "number",
            Self::Flag => "boolean",
            Self::Model
            | Self::Instance
            | Self::Uri
            | Self::Tracker
            | Self::CommandName
            | Self::PumpAction
            | Self::UpdateAction
            | Self::Bundle => "string",
            Self::Camera => "string or integer",
            Self::UriOrNull => "string or null",
            Self::Time => "string or number",
            Self::NewStreams => "list of integers or objects",
            Self::Commands => "list of objects",
        }
    }

    /// The allowed values, for people.
    #[must_use]
    pub fn range(self) -> String {
        match self {
            Self::SourceId => format!("0 to {}", limits::SOURCE_ID_MAX),
            Self::SourceIds => format!("1 to {} items", limits::STREAMS_LEN_MAX),
            Self::Leaving | Self::NewStreams => format!("at most {} items", limits::STREAMS_LEN_MAX),
            Self::Fps => format!("above 0, at most {}", limits::FPS_MAX),
            Self::Share => "0 to 1".into(),
            Self::PauseTime => format!("{PAUSE_S_MIN} to {PAUSE_S_MAX}"),
            Self::Flag => "true or false".into(),
            Self::ShadowFrames => format!("1 to {SHADOW_FRAMES_MAX}"),
            Self::HistoryLimit => format!("1 to {HISTORY_LEN_MAX}"),
            Self::Model => format!("1 to {} of A-Z a-z 0-9 . _ -", limits::MODEL_NAME_LEN_MAX),
            Self::Instance => {
                format!("1 to {} of A-Z a-z 0-9 . _ -, not `metrics` or `ack`", limits::INSTANCE_ID_LEN_MAX)
            }
            Self::Uri | Self::UriOrNull => {
                "rtsp://, rtsps://, file:///, v4l2:///dev/..., test://pattern".into()
            }
            Self::Tracker => "bytetrack".into(),
            Self::Time => "RFC 3339 with an offset, or seconds since 1970".into(),
            Self::CommandName => "a command's name".into(),
            Self::Camera => format!("1 to {CAMERA_BYTES_MAX} bytes"),
            Self::PumpAction => read::PUMP_ACTIONS.join(", "),
            Self::UpdateAction => read::UPDATE_ACTIONS.join(", "),
            Self::Bundle => "an absolute path on the box, or an https address without a password".into(),
            Self::Commands => format!("1 to {BATCH_LEN_MAX} items, no batch inside a batch"),
        }
    }

    /// What senders should send. Readers are milder: numbers may stand in strings.
    #[must_use]
    pub fn schema(self) -> Value {
        let source_id = || json!({ "type": "integer", "minimum": 0, "maximum": limits::SOURCE_ID_MAX });
        let name = |max: usize| json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": max });
        match self {
            Self::SourceId => source_id(),
            Self::SourceIds => {
                json!({ "type": "array", "items": source_id(), "minItems": 1,
                    "maxItems": limits::STREAMS_LEN_MAX })
            }
            Self::Leaving => {
                json!({ "type": "array", "items": source_id(), "maxItems": limits::STREAMS_LEN_MAX })
            }
            Self::Fps => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": limits::FPS_MAX }),
            Self::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Self::PauseTime => json!({ "type": "number", "minimum": PAUSE_S_MIN, "maximum": PAUSE_S_MAX }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::ShadowFrames => json!({ "type": "integer", "minimum": 1, "maximum": SHADOW_FRAMES_MAX }),
            Self::HistoryLimit => json!({ "type": "integer", "minimum": 1, "maximum": HISTORY_LEN_MAX }),
            Self::Model => name(limits::MODEL_NAME_LEN_MAX),
            Self::Instance => name(limits::INSTANCE_ID_LEN_MAX),
            Self::Uri => json!({ "type": "string", "maxLength": limits::TEXT_BYTES_MAX }),
            Self::UriOrNull => json!({ "type": ["string", "null"], "maxLength": limits::TEXT_BYTES_MAX }),
            Self::Tracker => json!({ "enum": ["bytetrack"] }),
            Self::Time => json!({ "type": ["string", "number"] }),
            Self::CommandName => json!({ "type": "string" }),
            Self::Camera => json!({ "type": ["string", "integer"], "maxLength": CAMERA_BYTES_MAX }),
            Self::PumpAction => json!({ "enum": read::PUMP_ACTIONS }),
            Self::UpdateAction => json!({ "enum": read::UPDATE_ACTIONS }),
            Self::Bundle => json!({ "type": "string", "maxLength": read::BUNDLE_BYTES_MAX }),
            Self::NewStreams => {
                let object = json!({
                    "type": "object",
                    "properties": { "source_id": source_id(), "stream_uri": Self::Uri.schema() },
                    "required": ["source_id"],
                    "additionalProperties": false,
                });
                json!({ "type": "array", "items": { "anyOf": [source_id(), object] },
                    "maxItems": limits::STREAMS_LEN_MAX })
            }
            Self::Commands => {
                let object = json!({
                    "type": "object",
                    "properties": { "command": { "type": "string" }, "params": { "type": "object" } },
                    "required": ["command"],
                });
                json!({ "type": "array", "items": object, "minItems": 1, "maxItems": BATCH_LEN_MAX })
            }
        }
    }
}
