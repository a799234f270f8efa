//! One walk over a tree beside its schema: keeps what fits, reports the rest.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::marks::{Entry, Node, Value};
use super::report::{Origin, Report, shown};
use super::shape::{Kind, Schema, Shape};

pub(super) struct Walk<'a> {
    pub schema: &'a Schema,
    pub report: &'a mut Report,
    /// Off for the secrets file.
    pub shows_values: bool,
}

impl Walk<'_> {
    /// What is left of a value once refused parts are taken out; `None` if nothing is.
    pub(super) fn node(&mut self, node: Node, shape: &Shape<'_>, path: &str) -> Option<Node> {
        let Node { origin, value } = node;
        let value = match (&shape.kind, value) {
            (_, Value::Null) if shape.is_nullable => Value::Null,
            (Kind::Map(keys), Value::Map(entries)) => {
                let mut kept = BTreeMap::new();
                for (key, entry) in entries {
                    let path = below(path, &key);
                    let Some(shape) = keys.get(&key).and_then(|inner| self.schema.shape_of(inner)) else {
                        self.unknown(entry.key, &path, &key, keys);
                        continue;
                    };
                    if let Some(node) = self.node(entry.node, &shape, &path) {
                        kept.insert(key, Entry { key: entry.key, node });
                    }
                }
                Value::Map(kept)
            }
            (Kind::Table(inner), Value::Map(mut entries)) => {
                let shape = self.schema.shape_of(inner)?;
                let names: Vec<String> = entries.keys().cloned().collect();
                for name in names {
                    let Some(entry) = entries.remove(&name) else { continue };
                    if let Some(node) = self.node(entry.node, &shape, &below(path, &name)) {
                        entries.insert(name, Entry { key: entry.key, node });
                    }
                }
                Value::Map(entries)
            }
            (Kind::List(inner), Value::List(items)) => Value::List(self.items(items, inner, path)?),
            (Kind::Choice(words), Value::Text(text)) if words.contains(&text.as_str()) => Value::Text(text),
            (Kind::Text, Value::Text(text)) => Value::Text(text),
            (Kind::Int, Value::Int(int)) => Value::Int(int),
            (Kind::Float, Value::Int(int)) => Value::Int(int),
            (Kind::Float, Value::Float(float)) if float.is_finite() => Value::Float(float),
            (Kind::Bool, Value::Bool(b)) => Value::Bool(b),
            (_, value) => {
                let message = self.refusal(shape, &value);
                self.report.refuse(origin, path, message);
                return None;
            }
        };
        Some(Node { origin, value })
    }

    fn unknown(&mut self, origin: Origin, path: &str, key: &str, keys: &serde_json::Map<String, Json>) {
        if !self.shows_values {
            // Where passwords are, a misplaced one may be read as a key.
            let known: Vec<&str> = keys.keys().map(String::as_str).collect();
            let path = path.rsplit_once('.').map_or("", |(parent, _)| parent);
            let message = format!("has an unknown key: want {}", known.join(", "));
            return self.report.add(origin, path, message);
        }
        let advice = match key {
            "password" if keys.contains_key("password_file") => {
                ": passwords are kept in password_file, never here".to_owned()
            }
            "password" => ": passwords are kept in secrets_file, never here".to_owned(),
            _ => did_you_mean(key, keys.keys().map(String::as_str)),
        };
        self.report.add(origin, path, format!("unknown key{advice}"));
    }

    /// The items with their numbers unchanged, as later checks name them: in a list of
    /// maps a refused one leaves an empty map behind; other lists are refused whole.
    fn items(&mut self, items: Vec<Node>, inner: &Json, path: &str) -> Option<Vec<Node>> {
        let shape = self.schema.shape_of(inner)?;
        let is_of_maps = matches!(shape.kind, Kind::Map(_));
        let mut kept = Vec::with_capacity(items.len());
        let mut is_whole = true;
        for (at, item) in items.into_iter().enumerate() {
            let origin = item.origin.clone();
            match self.node(item, &shape, &format!("{path}[{at}]")) {
                Some(node) => kept.push(node),
                None if is_of_maps => kept.push(Node::empty_map(origin)),
                None => is_whole = false,
            }
        }
        is_whole.then_some(kept)
    }

    fn refusal(&self, shape: &Shape<'_>, value: &Value) -> String {
        let want = match &shape.kind {
            Kind::Map(_) | Kind::Table(_) => "a map of settings".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Text => "text".to_owned(),
            Kind::Int => "a whole number".to_owned(),
            Kind::Float => "a number".to_owned(),
            Kind::Bool => "true or false".to_owned(),
        };
        let got = self.got(value);
        let advice = advice(&shape.kind, value);
        let hint = shape.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("must be {want}, got {got}{advice}{hint}")
    }

    fn got(&self, value: &Value) -> String {
        match value {
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Text(_) | Value::Bool(_) | Value::Int(_) | Value::Float(_) if !self.shows_values => {
                "something else".to_owned()
            }
            Value::Bool(b) => b.to_string(),
            Value::Int(int) => int.to_string(),
            Value::Float(float) if float.is_nan() => ".nan".to_owned(),
            Value::Float(float) if float.is_infinite() => {
                if *float > 0.0 { ".inf" } else { "-.inf" }.to_owned()
            }
            Value::Float(float) => format!("{float:?}"),
            Value::Text(text) => format!("the text `{}`", shown(text)),
        }
    }
}

/// What to change, where that can be guessed.
fn advice(kind: &Kind<'_>, value: &Value) -> String {
    match (kind, value) {
        (Kind::Int | Kind::Float, Value::Text(text)) if text.trim().parse::<f64>().is_ok() => {
            ": write it without quotes".to_owned()
        }
        (Kind::Bool, Value::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "false" => ": write it without quotes".to_owned(),
            "yes" | "on" => ": write true".to_owned(),
            "no" | "off" => ": write false".to_owned(),
            _ => String::new(),
        },
        (Kind::Text | Kind::Choice(_), Value::Bool(_) | Value::Int(_) | Value::Float(_)) => {
            ": put it in quotes".to_owned()
        }
        (Kind::Choice(words), Value::Text(text)) => did_you_mean(text, words.iter().copied()),
        _ => String::new(),
    }
}

fn below(path: &str, key: &str) -> String {
    let key = shown(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    // A word that long is no slip of a finger, and comparing it takes time.
    if word.len() > 64 {
        return String::new();
    }
    let word = word.to_ascii_lowercase();
    let likeness = |known: &str| match strsim::osa_distance(&word, known) {
        0 | 1 if word.len() > 1 => 1.0,
        _ => strsim::jaro_winkler(&word, known),
    };
    let scored = known.map(|candidate| (likeness(candidate), candidate));
    match scored.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, candidate)) if score > 0.8 => format!(": did you mean `{candidate}`?"),
        Some(_) | None => String::new(),
    }
}
