//! Commands that are right in form, as a sender thinks of them.

use serde_json::{Map, Value, json};

/// A command. No rooms: all.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    Pause {
        rooms: Vec<u32>,
        seconds: Option<f64>,
    },
    Resume {
        rooms: Vec<u32>,
    },
    Fps {
        fps: f64,
        room: Option<u32>,
    },
    Confidence {
        share: f64,
        room: Option<u32>,
    },
    Tracking(bool),
    Add(Place),
    Remove(u32),
    /// No address: home.
    Move(Place),
    Model(&'static str),
    Reconfigure(Reconfigure),
    Batch {
        items: Vec<Order>,
        atomic: bool,
    },
    Reload,
    Restart,
    /// By name.
    Query(&'static str, Value),
}

/// A room and its address; none: the configured one, or else the stream server's.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub room: u32,
    pub uri: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reconfigure {
    pub model: Option<&'static str>,
    pub fps: Option<f64>,
    pub share: Option<f64>,
    pub add: Vec<Place>,
    pub remove: Vec<u32>,
}

impl Order {
    /// `command` and `params`.
    pub fn json(&self) -> Value {
        let (name, params) = self.words();
        if params == json!({}) {
            json!({ "command": name })
        } else {
            json!({ "command": name, "params": params })
        }
    }

    fn words(&self) -> (&'static str, Value) {
        match self {
            Self::Pause { rooms, seconds } => ("pause", with(sources(rooms), "timeout_s", *seconds)),
            Self::Resume { rooms } => ("resume", Value::Object(sources(rooms))),
            Self::Fps { fps, room } => ("set_fps", with(one("max_fps", json!(fps)), "source_id", *room)),
            Self::Confidence { share, room } => {
                ("set_confidence", with(one("confidence", json!(share)), "source_id", *room))
            }
            Self::Tracking(enabled) => ("enable_tracking", json!({ "enabled": enabled })),
            Self::Add(place) => ("add_stream", place.json()),
            Self::Remove(room) => ("remove_stream", json!({ "source_id": room })),
            Self::Move(Place { room, uri }) => {
                ("change_stream_uri", json!({ "source_id": room, "stream_uri": uri }))
            }
            Self::Model(model) => ("change_model", json!({ "model_id": model })),
            Self::Reconfigure(changes) => ("reconfigure", changes.json()),
            Self::Batch { items, atomic } => {
                let items: Vec<_> = items.iter().map(Self::json).collect();
                ("batch_commands", json!({ "commands": items, "atomic": atomic }))
            }
            Self::Reload => ("reload_config", json!({})),
            Self::Restart => ("restart", json!({})),
            Self::Query(name, params) => (name, params.clone()),
        }
    }

    /// One at a time: refused while another is in hand.
    pub fn is_long(&self) -> bool {
        !matches!(self, Self::Pause { .. } | Self::Resume { .. } | Self::Query(..))
    }

    pub fn is_query(&self) -> bool {
        matches!(self, Self::Query(..))
    }

    /// Whether detections of a room that was silent may come while it is carried out.
    pub fn may_open(&self, room: u32) -> bool {
        match self {
            Self::Resume { rooms } => rooms.is_empty() || rooms.contains(&room),
            Self::Add(place) => place.room == room,
            Self::Reconfigure(changes) => changes.add.iter().any(|place| place.room == room),
            Self::Batch { items, .. } => items.iter().any(|item| item.may_open(room)),
            Self::Pause { .. }
            | Self::Fps { .. }
            | Self::Confidence { .. }
            | Self::Tracking(_)
            | Self::Remove(_)
            | Self::Move(_)
            | Self::Model(_)
            | Self::Reload
            | Self::Restart
            | Self::Query(..) => false,
        }
    }

    /// Whether detections of another model may come while it is carried out.
    pub fn may_swap(&self) -> bool {
        match self {
            Self::Model(_) => true,
            Self::Reconfigure(changes) => changes.model.is_some(),
            Self::Batch { items, .. } => items.iter().any(Self::may_swap),
            Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Fps { .. }
            | Self::Confidence { .. }
            | Self::Tracking(_)
            | Self::Add(_)
            | Self::Remove(_)
            | Self::Move(_)
            | Self::Reload
            | Self::Restart
            | Self::Query(..) => false,
        }
    }
}

impl Place {
    fn json(&self) -> Value {
        with(one("source_id", json!(self.room)), "stream_uri", self.uri)
    }
}

impl Reconfigure {
    fn json(&self) -> Value {
        let mut params = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            params.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("model_id", self.model.map(Value::from));
        put("max_fps", self.fps.map(Value::from));
        put("confidence_threshold", self.share.map(Value::from));
        // Both ways to write a room are served.
        let place = |place: &Place| if place.uri.is_some() { place.json() } else { json!(place.room) };
        put("add_streams", (!self.add.is_empty()).then(|| self.add.iter().map(place).collect()));
        put("remove_streams", (!self.remove.is_empty()).then(|| json!(self.remove)));
        Value::Object(params)
    }
}

fn sources(rooms: &[u32]) -> Map<String, Value> {
    match rooms {
        [] => Map::new(),
        [room] => one("source_id", json!(room)),
        rooms => one("source_ids", json!(rooms)),
    }
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

fn with(mut params: Map<String, Value>, name: &str, value: Option<impl Into<Value>>) -> Value {
    params.extend(value.map(|value| (name.to_owned(), value.into())));
    Value::Object(params)
}
