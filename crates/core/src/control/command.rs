//! What can be asked of an instance. Transports only parse into [`Command`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Map, Value};

use super::params::{self, Params};
use super::read::{shown, type_of};
use super::refusal::{Code, Refusal};
use super::spec::{Capability, Class, Spec};
use super::table;
use crate::config::{InstanceId, Role, StreamUri, Tracker};
use crate::event::Utc;
use crate::pump::{self, Order};

/// A command with parameters that can't be wrong. Whether it fits the present state is
/// asked of [`super::Machine::admit`] and [`super::Desired::apply`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Detections stop, connections stay. No sources: all.
    Pause {
        sources: Vec<u32>,
        timeout: Option<Duration>,
        flush: bool,
    },
    /// No sources: all.
    Resume {
        sources: Vec<u32>,
    },
    /// Ends the process.
    Stop,
    /// Builds all streams and the engine anew. A pause stays.
    Restart,
    /// `model_id` has passed [`crate::config::rules::model_name`].
    ChangeModel {
        model_id: String,
        shadow_frames: Option<u32>,
    },
    /// `max_fps` above 0. No source: all, and those added later.
    SetFps {
        max_fps: f64,
        source_id: Option<u32>,
    },
    /// Ends the build of a plan, and the command that waits for it.
    CancelBuild,
    AddStream(NewStream),
    RemoveStream {
        source_id: u32,
    },
    /// No address: the configured one, or else the stream server's.
    ChangeStreamUri {
        source_id: u32,
        uri: Option<StreamUri>,
    },
    /// 0..=1. No source: all, and those added later.
    SetConfidence {
        confidence: f32,
        source_id: Option<u32>,
    },
    EnableTracking {
        tracker: Tracker,
    },
    Reconfigure(Reconfigure),
    Batch(Batch),
    Status,
    Ping,
    Metrics,
    Health,
    RenameInstance {
        new_instance_id: InstanceId,
    },
    ReloadConfig,
    /// Newest first; `command` is a name of the table.
    History {
        limit: u32,
        since: Option<Utc>,
        command: Option<&'static str>,
    },
    /// Decisions and near misses about fires: of one camera, by its name or its stream's number, or of
    /// all; around a moment, or the newest.
    Why {
        camera: Option<String>,
        at: Option<Utc>,
        limit: u32,
    },
    Pump(PumpAction),
    Update(UpdateAction),
    /// Whatever the site brought goes. `confirm`: the name of the box that is meant.
    FactoryReset {
        confirm: InstanceId,
    },
    SupportBundle,
}

/// What is wanted of the pump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PumpAction {
    Status,
    Order(Order),
}

impl PumpAction {
    /// The least role that may ask for it.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Status => Role::Viewer,
            Self::Order(order) => match order.needs() {
                pump::Role::View => Role::Viewer,
                pump::Role::Operate => Role::Operator,
                pump::Role::Arm => Role::Technician,
                pump::Role::Maintain | pump::Role::Local => Role::Admin,
            },
        }
    }
}

/// What is wanted of the box's versions. Bundles are judged by who carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateAction {
    Status,
    Check { bundle: String },
    Install { bundle: String },
    Rollback,
}

impl UpdateAction {
    /// The least role that may ask for it.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Status => Role::Viewer,
            Self::Check { .. } | Self::Install { .. } | Self::Rollback => Role::Admin,
        }
    }
}

/// A stream to add. No address: the configured one, or else the stream server's.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStream {
    pub source_id: u32,
    pub uri: Option<StreamUri>,
}

/// Several changes at once, all or nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reconfigure {
    pub model_id: Option<String>,
    pub max_fps: Option<f64>,
    pub confidence: Option<f32>,
    pub add_streams: Vec<NewStream>,
    pub remove_streams: Vec<u32>,
}

/// Commands one after the other; never a batch among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub commands: Vec<Command>,
    pub atomic: bool,
}

impl Command {
    /// `name` in any case. `active`: what this instance can do beyond the basics.
    pub fn parse(name: &str, params: &Map<String, Value>, active: &[Capability]) -> Result<Self, Refusal> {
        parse(name, Params { given: params, active, nested: false })
    }

    /// The command's row in the table.
    #[must_use]
    pub fn spec(&self) -> &'static Spec {
        match self {
            Self::Pause { .. } => &table::PAUSE,
            Self::Resume { .. } => &table::RESUME,
            Self::Stop => &table::STOP,
            Self::Restart => &table::RESTART,
            Self::ChangeModel { .. } => &table::CHANGE_MODEL,
            Self::SetFps { .. } => &table::SET_FPS,
            Self::CancelBuild => &table::CANCEL_BUILD,
            Self::AddStream(_) => &table::ADD_STREAM,
            Self::RemoveStream { .. } => &table::REMOVE_STREAM,
            Self::ChangeStreamUri { .. } => &table::CHANGE_STREAM_URI,
            Self::SetConfidence { .. } => &table::SET_CONFIDENCE,
            Self::EnableTracking { .. } => &table::ENABLE_TRACKING,
            Self::Reconfigure(_) => &table::RECONFIGURE,
            Self::Batch(_) => &table::BATCH_COMMANDS,
            Self::Status => &table::STATUS,
            Self::Ping => &table::PING,
            Self::Metrics => &table::METRICS,
            Self::Health => &table::HEALTH,
            Self::RenameInstance { .. } => &table::RENAME_INSTANCE,
            Self::ReloadConfig => &table::RELOAD_CONFIG,
            Self::History { .. } => &table::HISTORY,
            Self::Why { .. } => &table::WHY,
            Self::Pump(_) => &table::PUMP,
            Self::Update(_) => &table::UPDATE,
            Self::FactoryReset { .. } => &table::FACTORY_RESET,
            Self::SupportBundle => &table::SUPPORT_BUNDLE,
        }
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        self.spec().name
    }

    #[must_use]
    pub fn class(&self) -> Class {
        self.spec().class
    }

    /// The least role that may ask for it: of a batch, the highest of its items'; of the pump and of versions, by
    /// what is wanted of them.
    #[must_use]
    pub fn role(&self) -> Role {
        let inside: &[Self] = if let Self::Batch(batch) = self { &batch.commands } else { &[] };
        match self {
            Self::Pump(action) => return action.role(),
            Self::Update(action) => return action.role(),
            _ => {}
        }
        inside.iter().map(Self::role).fold(self.spec().role, Role::max)
    }

    /// Whether a sender of this role may.
    pub fn permit(&self, role: Role) -> Result<(), Refusal> {
        let needed = self.role();
        if role >= needed {
            return Ok(());
        }
        let message =
            format!("{} needs the role {}, the sender is {}", self.name(), needed.name(), role.name());
        Err(Refusal::new(Code::Forbidden, message))
    }
}

fn parse(name: &str, params: Params<'_>) -> Result<Command, Refusal> {
    let wanted = params::name_of(name);
    let spec = table::available(params.active).find(|spec| spec.name == wanted);
    let Some(spec) = spec else { return Err(unknown(&wanted, params.active)) };
    if params.nested && !spec.in_batch {
        return Err(Refusal::new(Code::InvalidParam, format!("{wanted} can't be part of a batch")));
    }
    params.only(spec.params)?;
    (spec.parse)(&params)
}

fn unknown(name: &str, active: &[Capability]) -> Refusal {
    let mut names: Vec<&str> = table::available(active).map(|spec| spec.name).collect();
    names.sort_unstable();
    let shown = shown(&Value::String(name.into()));
    let message =
        format!("Command '{}' not available. Available: {}", shown.trim_matches('"'), names.join(", "));
    Refusal::new(Code::UnknownCommand, message)
}

/// `source_id` and `source_ids` together name the streams; neither: all.
pub(super) fn sources(params: &Params<'_>) -> Result<Vec<u32>, Refusal> {
    let mut sources = params.optional(&params::SOURCE_IDS)?.unwrap_or_default();
    sources.extend(params.optional(&params::SOURCE_ID)?);
    sources.sort_unstable();
    sources.dedup();
    Ok(sources)
}

pub(super) fn reconfigure(params: &Params<'_>) -> Result<Reconfigure, Refusal> {
    let add = params.optional(&params::ADD_STREAMS)?.unwrap_or_default();
    Ok(Reconfigure {
        model_id: params.optional(&params::MODEL_ID)?,
        max_fps: params.optional(&params::MAX_FPS)?,
        confidence: params.optional(&params::CONFIDENCE_THRESHOLD)?,
        add_streams: items("add_streams", &add, |item| new_stream(item, params))?,
        remove_streams: params.optional(&params::REMOVE_STREAMS)?.unwrap_or_default(),
    })
}

/// A number alone, or what `add_stream` takes.
fn new_stream(item: &Value, params: &Params<'_>) -> Result<NewStream, Refusal> {
    let alone;
    let given = match item {
        Value::Object(given) => given,
        _ => {
            alone = Map::from_iter([("source_id".into(), item.clone())]);
            &alone
        }
    };
    let inner = Params { given, ..*params };
    inner.only(table::ADD_STREAM.params)?;
    add_stream(&inner)
}

pub(super) fn add_stream(params: &Params<'_>) -> Result<NewStream, Refusal> {
    Ok(NewStream {
        source_id: params.required(&params::SOURCE_ID)?,
        uri: params.optional(&params::STREAM_URI)?,
    })
}

/// A bundle goes with what needs one, and with nothing else.
pub(super) fn update(params: &Params<'_>) -> Result<UpdateAction, Refusal> {
    let word = params.required(&params::UPDATE_ACTION)?;
    let bundle = params.optional(&params::BUNDLE)?;
    match (word, bundle) {
        ("check", Some(bundle)) => Ok(UpdateAction::Check { bundle }),
        ("install", Some(bundle)) => Ok(UpdateAction::Install { bundle }),
        ("check" | "install", None) => Err(Refusal::missing("bundle")),
        (_, Some(_)) => Err(Refusal::invalid("bundle", format!("{word} takes none"))),
        ("rollback", None) => Ok(UpdateAction::Rollback),
        (_, None) => Ok(UpdateAction::Status),
    }
}

pub(super) fn enable_tracking(params: &Params<'_>) -> Result<Command, Refusal> {
    let mode = params.optional(&params::MODE)?.unwrap_or(Tracker::ByteTrack);
    let tracker = if params.required(&params::ENABLED)? { mode } else { Tracker::None };
    Ok(Command::EnableTracking { tracker })
}

pub(super) fn batch(params: &Params<'_>) -> Result<Batch, Refusal> {
    let commands = params.required(&params::COMMANDS)?;
    Ok(Batch {
        commands: items("commands", &commands, |item| one_of_batch(item, params))?,
        atomic: params.optional(&params::ATOMIC)?.unwrap_or(false),
    })
}

fn one_of_batch(item: &Value, params: &Params<'_>) -> Result<Command, Refusal> {
    let Value::Object(item) = item else {
        return Err(Refusal::new(Code::InvalidParam, format!("must be object, got {}", type_of(item))));
    };
    let none = Map::new();
    let given = match item.get("params") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(given)) => given,
        Some(other) => {
            return Err(Refusal::invalid("params", format!("must be object, got {}", type_of(other))));
        }
    };
    match item.get("command") {
        None => Err(Refusal::missing("command")),
        Some(Value::String(name)) => parse(name, Params { given, nested: true, ..*params }),
        Some(other) => Err(Refusal::invalid("command", format!("must be string, got {}", type_of(other)))),
    }
}

fn items<T>(
    name: &str,
    items: &[Value],
    read: impl Fn(&Value) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let at = |at: usize, e: Refusal| Refusal::new(e.code, format!("Invalid {name}[{at}]: {}", e.message));
    items.iter().enumerate().map(|(i, item)| read(item).map_err(|e| at(i, e))).collect()
}

/// The name as the table writes it.
pub(super) fn name_in_table(name: &str) -> Result<&'static str, Refusal> {
    let found = table::COMMANDS.iter().find(|spec| spec.name == name);
    found.map(|spec| spec.name).ok_or_else(|| {
        let shown = shown(&Value::String(name.into()));
        Refusal::invalid("command", format!("{shown} is no command"))
    })
}
