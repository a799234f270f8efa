//! What others say on MQTT: `fire/detection/+`, `frigate/events` and `system/camera_telemetry`
//! (spec wildfire 2.1, 2.2), read into the same observations as our own.
//!
//! Anybody may write there, so: the size is checked before anything is read, nothing is kept of a
//! message but numbers and one short name, only cameras of the configuration exist, and nobody
//! can speak for a camera of this box (C9). To be subscribed with QoS 1 (C2): a message that comes
//! twice counts as one. The sender's clock is not believed: a message is as old as its arrival, and
//! a retained one is of unknown age, so it is refused.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;

use serde::Deserialize;

use super::config::{Boxes, Camera, Config, FrameSize, Origin};
use super::ids::{CameraId, Class, OBJECT_NAME_BYTES_MAX, ObjectId, ObjectName};
use super::observation::Observation;
use super::record::Miss;
use crate::detection::BBox;
use crate::time::Instant;

mod field;
use field::Field;

/// Larger payloads are not read. A Frigate event has a few thousand bytes.
pub const PAYLOAD_BYTES_MAX: usize = 65_536;
/// Longest text of theirs that a refusal repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// What a payload has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'t> {
    /// `fire/detection` or `fire/detection/{camera}`.
    Detection { camera: Option<&'t str> },
    /// `frigate/events`.
    Frigate,
    /// `system/camera_telemetry`: a camera is alive.
    Telemetry,
}

impl<'t> Form<'t> {
    /// By the topic, without the site's prefix.
    #[must_use]
    pub fn of_topic(topic: &'t str) -> Option<Self> {
        match topic {
            "fire/detection" => Some(Self::Detection { camera: None }),
            "frigate/events" => Some(Self::Frigate),
            "system/camera_telemetry" => Some(Self::Telemetry),
            _ => {
                let camera = topic.strip_prefix("fire/detection/")?;
                (!camera.contains('/')).then_some(Self::Detection { camera: Some(camera) })
            }
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Message {
    Seen(Observation),
    /// The object is followed no more.
    Ended {
        camera: CameraId,
        object: ObjectId,
    },
    /// Nothing but that the camera works.
    Alive(CameraId),
}

/// Why a message is not taken. `Display` is a sentence for the log.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("retained: nobody knows how old it is")]
    Retained,
    #[error("has {got} bytes; at most {PAYLOAD_BYTES_MAX} are read")]
    TooLarge { got: usize },
    #[error("is no JSON object: line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
    #[error("names no camera")]
    NoCamera,
    #[error("speaks of camera `{got}`, which is not in fire.cameras")]
    UnknownCamera { got: String },
    #[error("speaks for camera `{got}`, which is a stream of this box: nobody else can")]
    OwnCamera { got: String },
    #[error("is about `{got}`; only fire and smoke count")]
    OtherLabel { got: String },
    #[error("{field} is missing")]
    Missing { field: &'static str },
    #[error("{field} must be {want}, got {got}")]
    NotA { field: &'static str, want: &'static str, got: &'static str },
    #[error("box must be four numbers")]
    BadBox,
    #[error(
        "box looks like left, top, width, height; this camera is set to corners: set its `boxes` to size"
    )]
    LooksLikeSize,
    #[error("box is in pixels, of a picture of unknown size: set width and height of the camera")]
    NoFrameSize,
    #[error("object id must be 1 to {OBJECT_NAME_BYTES_MAX} bytes without control characters")]
    BadObject,
    /// Well said, but it does not count.
    #[error("{0}")]
    Missed(Miss),
}

/// A message of `fire/detection`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detection<'a> {
    #[serde(borrow)]
    camera_id: Field<'a>,
    #[serde(borrow)]
    confidence: Field<'a>,
    #[serde(borrow)]
    bbox: Field<'a>,
    #[serde(borrow)]
    bounding_box: Field<'a>,
    #[serde(borrow)]
    object_id: Field<'a>,
    #[serde(borrow)]
    label: Field<'a>,
    #[serde(borrow)]
    class: Field<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frigate<'a> {
    #[serde(borrow, rename = "type")]
    kind: Field<'a>,
    #[serde(borrow)]
    after: Option<After<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct After<'a> {
    #[serde(borrow)]
    label: Field<'a>,
    #[serde(borrow)]
    camera: Field<'a>,
    #[serde(borrow)]
    top_score: Field<'a>,
    #[serde(borrow)]
    score: Field<'a>,
    #[serde(borrow, rename = "box")]
    bbox: Field<'a>,
    #[serde(borrow)]
    id: Field<'a>,
}

impl Refusal {
    /// The reason without the sender's words, for the trace.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Retained => "retained, so nobody knows how old it is",
            Self::TooLarge { .. } => "too large",
            Self::Unreadable { .. } => "no JSON object",
            Self::NoCamera | Self::UnknownCamera { .. } => "no camera of the configuration",
            Self::OwnCamera { .. } => "this camera is a stream of this box, nobody else can speak for it",
            Self::OtherLabel { .. } => "neither fire nor smoke",
            Self::Missing { field } | Self::NotA { field, .. } => field_reason(field),
            Self::BadBox => "its box is not four numbers",
            Self::LooksLikeSize => "its box looks like left, top, width, height; `boxes` is set to corners",
            Self::NoFrameSize => "its box is in pixels, but width and height of the camera are not set",
            Self::BadObject => "its object id is too long or unprintable",
            Self::Missed(miss) => miss.predicate.name(),
        }
    }
}

fn field_reason(field: &str) -> &'static str {
    match field {
        "box" => "its box is missing",
        "confidence" | "top_score" => "its confidence is missing or no number",
        _ => "a field is missing or of a wrong type",
    }
}

/// Reads a message that arrived at `now`.
pub fn read(
    config: &Config,
    now: Instant,
    form: Form,
    payload: &[u8],
    retained: bool,
) -> Result<Message, Refusal> {
    read_of(config, now, form, payload, retained, &mut None)
}

/// Like [`read`]; `of` becomes the camera that the message speaks of, refused or not.
pub(super) fn read_of(
    config: &Config,
    now: Instant,
    form: Form,
    payload: &[u8],
    retained: bool,
    of: &mut Option<CameraId>,
) -> Result<Message, Refusal> {
    if let Form::Detection { camera: Some(name) } = form {
        *of = config.camera_named(name);
    }
    if retained {
        return Err(Refusal::Retained);
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(Refusal::TooLarge { got: payload.len() });
    }
    match form {
        Form::Detection { camera } => detection(config, now, camera, parsed(payload)?, of),
        Form::Frigate => frigate(config, now, parsed(payload)?, of),
        Form::Telemetry => {
            let telemetry: Detection = parsed(payload)?;
            let (id, _) = camera(config, &telemetry.camera_id.name()?.unwrap_or_default(), of)?;
            Ok(Message::Alive(id))
        }
    }
}

/// A list would be taken for an object's fields in their order, so it is refused first.
fn parsed<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Refusal> {
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Unreadable { line: 1, column: 1 });
    }
    serde_json::from_slice(payload).map_err(|e| Refusal::Unreadable { line: e.line(), column: e.column() })
}

fn detection(
    config: &Config,
    now: Instant,
    topic: Option<&str>,
    said: Detection,
    of: &mut Option<CameraId>,
) -> Result<Message, Refusal> {
    let name = match topic {
        Some(camera) => Cow::Borrowed(camera),
        None => said.camera_id.name()?.unwrap_or_default(),
    };
    let (id, camera) = camera(config, &name, of)?;
    // The topic says fire already; a label may say otherwise.
    let class = match said.label.text("label")?.or(said.class.text("class")?) {
        Some(label) => class(&label)?,
        None => Class::Fire,
    };
    let bbox = if matches!(said.bbox, Field::Absent) { said.bounding_box } else { said.bbox };
    let (bbox, frame) = placed(&bbox, camera)?;
    let confidence = said.confidence.number("confidence")?;
    let object = object(&said.object_id)?;
    Ok(Message::Seen(Observation { camera: id, object, class, confidence, bbox, frame, captured: now }))
}

fn frigate(
    config: &Config,
    now: Instant,
    event: Frigate,
    of: &mut Option<CameraId>,
) -> Result<Message, Refusal> {
    let after = event.after.ok_or(Refusal::Missing { field: "after" })?;
    let class = class(&after.label.text("label")?.ok_or(Refusal::Missing { field: "label" })?)?;
    let (id, camera) = camera(config, &after.camera.name()?.unwrap_or_default(), of)?;
    let object = object(&after.id)?;
    if let (Some(object), Some("end")) = (object, event.kind.text("type")?.as_deref()) {
        return Ok(Message::Ended { camera: id, object });
    }
    let (bbox, frame) = placed(&after.bbox, camera)?;
    let score = if matches!(after.top_score, Field::Absent) { after.score } else { after.top_score };
    let confidence = score.number("top_score")?;
    Ok(Message::Seen(Observation { camera: id, object, class, confidence, bbox, frame, captured: now }))
}

/// Only cameras of the configuration exist, and only outside ones may be spoken for.
fn camera<'c>(
    config: &'c Config,
    name: &str,
    of: &mut Option<CameraId>,
) -> Result<(CameraId, &'c Camera), Refusal> {
    if name.is_empty() || name == "unknown" {
        return Err(Refusal::NoCamera);
    }
    let id = config.camera_named(name).ok_or_else(|| Refusal::UnknownCamera { got: shown(name) })?;
    *of = Some(id);
    match config.cameras.get(id.index()) {
        Some(camera) if matches!(camera.origin, Origin::Outside { .. }) => Ok((id, camera)),
        Some(_) | None => Err(Refusal::OwnCamera { got: shown(name) }),
    }
}

fn class(label: &str) -> Result<Class, Refusal> {
    Class::of_label(label).ok_or_else(|| Refusal::OtherLabel { got: shown(label) })
}

/// No id, an empty one, and `0`, which the predecessor put where there was none: all unnamed (C3).
fn object(id: &Field) -> Result<Option<ObjectId>, Refusal> {
    let Some(name) = id.name()? else { return Ok(None) };
    if name.is_empty() || name == "0" {
        return Ok(None);
    }
    ObjectName::new(&name).map(|name| Some(ObjectId::Named(name))).ok_or(Refusal::BadObject)
}

/// The box by its corners, and the picture it refers to.
fn placed(field: &Field, camera: &Camera) -> Result<(BBox, FrameSize), Refusal> {
    let Origin::Outside { frame, boxes } = camera.origin else { return Err(Refusal::NoFrameSize) };
    let four = field.four()?;
    let [a, b, c, d] = four;
    let is_share = four.iter().all(|v| (0.0..=1.0).contains(v));
    let bbox = match boxes {
        Boxes::Corners => BBox { x1: a, y1: b, x2: c, y2: d },
        Boxes::Size => BBox { x1: a, y1: b, x2: a + c, y2: b + d },
    };
    // Guessing per message would let a growing box change its meaning on the way (C10).
    if boxes == Boxes::Corners && is_share && (c <= a || d <= b) && a + c <= 1.0 && b + d <= 1.0 {
        return Err(Refusal::LooksLikeSize);
    }
    let frame = if is_share { Some(FrameSize::UNIT) } else { frame };
    Ok((bbox, frame.ok_or(Refusal::NoFrameSize)?))
}

fn shown(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
    shown.as_str().to_owned()
}
