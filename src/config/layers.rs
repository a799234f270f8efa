//! The layers that are not files: the environment and the command line.

use vigia_core::config::Secret;

use super::marks::{Node, Value, steps};
use super::report::{Origin, Report};
use super::shape::{Kind, Schema};

/// The variables we read, and the setting each one is.
const VARIABLES: [(&str, &str); 13] = [
    ("STREAM_SERVER", "stream_server"),
    ("JSON_LOGS", "log.json"),
    ("LOG_LEVEL", "log.level"),
    ("LOG_FILE", "log.file"),
    ("MQTT_USERNAME", "mqtt.username"),
    ("VIGIA_MQTT_HOST", "mqtt.host"),
    ("VIGIA_MQTT_PORT", "mqtt.port"),
    ("VIGIA_MODEL", "detector.model"),
    ("VIGIA_ENGINE", "detector.engine"),
    ("VIGIA_OPENVINO_DIR", "detector.openvino_dir"),
    ("VIGIA_TENSORRT_DIR", "detector.tensorrt_dir"),
    ("VIGIA_PLANS_DIR", "detector.plans_dir"),
    ("VIGIA_RECIPE", "detector.recipe"),
];
const PASSWORD_VARIABLE: &str = "MQTT_PASSWORD";

/// A setting from the command line, typed already.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As in `mqtt.port`; `streams[*].max_fps` sets it in every stream.
    pub path: String,
    pub value: serde_json::Value,
    /// As the user writes it, e.g. `--mqtt-port`.
    pub name: String,
}

impl Flag {
    pub fn new(path: &str, value: impl Into<serde_json::Value>, name: &str) -> Self {
        Self { path: path.to_owned(), value: value.into(), name: name.to_owned() }
    }

    /// Watch these rooms, and nothing that the files list.
    #[must_use]
    pub fn rooms(ids: &[u32], name: &str) -> Self {
        let streams: Vec<_> = ids.iter().map(|id| serde_json::json!({ "source_id": id })).collect();
        Self::new("streams", streams, name)
    }
}

/// One value for one place in the tree.
pub(super) struct Setting {
    path: String,
    node: Node,
}

pub(super) struct Environment {
    pub settings: Vec<Setting>,
    pub mqtt_password: Option<Secret>,
}

/// Ours among the variables. An empty one counts as not set, as in `LOG_FILE= vigia`.
pub(super) fn environment(variables: impl Iterator<Item = (String, String)>) -> Environment {
    let mut env = Environment { settings: Vec::new(), mqtt_password: None };
    for (name, value) in variables.filter(|(_, value)| !value.trim().is_empty()) {
        if name == PASSWORD_VARIABLE {
            env.mqtt_password = Some(Secret::new(value));
        } else if let Some((_, path)) = VARIABLES.iter().find(|(variable, _)| *variable == name) {
            let origin = Origin::Environment { name: name.into() };
            let node = Node { origin, value: Value::Text(value.trim().to_owned()) };
            env.settings.push(Setting { path: (*path).to_owned(), node });
        }
    }
    env
}

pub(super) fn flags(flags: Vec<Flag>) -> Vec<Setting> {
    let setting = |flag: Flag| {
        let origin = Origin::Flag { name: flag.name.into() };
        Setting { path: flag.path, node: Node::from_json(flag.value, &origin) }
    };
    flags.into_iter().map(setting).collect()
}

pub(super) fn apply(setting: Setting, schema: &Schema, tree: &mut Node, report: &mut Report) {
    let Setting { path, node } = setting;
    let origin = node.origin.clone();
    let steps = steps(&path);
    let Some(shape) = schema.shape_at(&steps) else {
        report.refuse(origin, &path, "is not a setting".to_owned());
        return;
    };
    let node = match &node.origin {
        Origin::Environment { .. } => Node { value: worded(node.value, &shape.kind), ..node },
        Origin::Flag { .. } | Origin::File { .. } | Origin::Defaults { .. } => node,
    };
    let Some(node) = schema.clean_at(node, &shape, &path, report) else { return };
    if !tree.set(&steps, &node) {
        report.refuse(origin, &path, "does not exist: the list has fewer items".to_owned());
    }
}

/// A variable is text; what it stands for depends on the setting.
fn worded(value: Value, kind: &Kind<'_>) -> Value {
    let Value::Text(text) = value else { return value };
    let lower = text.to_ascii_lowercase();
    match (kind, lower.as_str()) {
        (Kind::Bool, "true" | "1") => Value::Bool(true),
        (Kind::Bool, "false" | "0") => Value::Bool(false),
        (Kind::Int, _) => text.parse().map_or(Value::Text(text), Value::Int),
        (Kind::Float, _) => text.parse().map_or(Value::Text(text), Value::Float),
        // Python's names for levels, which scripts around us still use.
        (Kind::Choice(_), "warning") => Value::Text("warn".to_owned()),
        (Kind::Choice(_), "critical") => Value::Text("error".to_owned()),
        (Kind::Choice(_), _) => Value::Text(lower),
        (Kind::Bool | Kind::Text | Kind::List(_) | Kind::Map(_) | Kind::Table(_), _) => Value::Text(text),
    }
}
