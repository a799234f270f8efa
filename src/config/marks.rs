//! A tree of settings in which every value knows where it was written.

use std::collections::BTreeMap;

use super::report::Origin;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub origin: Origin,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Entry>),
}

/// A value under its key, which may stand on an earlier line.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: Origin,
    pub node: Node,
}

/// One step into the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
    /// `[*]`: all items of a list.
    Every,
}

/// The steps of `streams[0].max_fps`. Our own paths only, so keys hold no dots.
pub(super) fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        steps.extend(pieces.next().filter(|key| !key.is_empty()).map(Step::Key));
        steps.extend(pieces.map(|piece| match piece.trim_end_matches(']') {
            "*" => Step::Every,
            index => Step::Index(index.parse().unwrap_or(usize::MAX)),
        }));
    }
    steps
}

impl Node {
    pub(super) fn empty_map(origin: Origin) -> Self {
        Self { origin, value: Value::Map(BTreeMap::new()) }
    }

    /// `over` goes on top: maps key by key, all else as a whole.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Map(base), Value::Map(over_entries)) => {
                for (key, entry) in over_entries {
                    match base.get_mut(&key) {
                        Some(below) => {
                            below.key = entry.key;
                            below.node.merge(entry.node);
                        }
                        None => {
                            base.insert(key, entry);
                        }
                    }
                }
            }
            (value, over_value) => *value = over_value,
        }
        self.origin = over.origin;
    }

    /// Writes `node` at the end of `steps`; `false` if a list on the way is too short.
    pub(super) fn set(&mut self, steps: &[Step<'_>], node: &Self) -> bool {
        let Some((step, rest)) = steps.split_first() else {
            *self = node.clone();
            return true;
        };
        match (step, &mut self.value) {
            (Step::Key(key), value) => {
                if !matches!(value, Value::Map(_)) {
                    *value = Value::Map(BTreeMap::new());
                }
                let Value::Map(entries) = value else { return false };
                let entry = entries.entry((*key).to_owned()).or_insert_with(|| Entry {
                    key: node.origin.clone(),
                    node: Self { origin: node.origin.clone(), value: Value::Null },
                });
                entry.key = node.origin.clone();
                entry.node.set(rest, node)
            }
            (Step::Index(at), Value::List(items)) => {
                items.get_mut(*at).is_some_and(|item| item.set(rest, node))
            }
            (Step::Every, Value::List(items)) => items.iter_mut().all(|item| item.set(rest, node)),
            (Step::Index(_) | Step::Every, _) => false,
        }
    }

    /// Where `path` was written, or the nearest thing around it.
    pub(super) fn origin_of(&self, path: &str) -> Origin {
        let mut at = self;
        for step in steps(path) {
            let next = match (&step, &at.value) {
                (Step::Key(key), Value::Map(entries)) => entries.get(*key).map(|entry| &entry.node),
                (Step::Index(index), Value::List(items)) => items.get(*index),
                (Step::Key(_) | Step::Index(_) | Step::Every, _) => None,
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        at.origin.clone()
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Int(i) => (*i).into(),
            Value::Float(f) => (*f).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect()
            }
        }
    }

    pub(super) fn from_json(json: serde_json::Value, origin: &Origin) -> Self {
        let value = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(int) => Value::Int(int),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Value::Text(text),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(|item| Self::from_json(item, origin)).collect())
            }
            serde_json::Value::Object(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, json)| {
                        (key, Entry { key: origin.clone(), node: Self::from_json(json, origin) })
                    })
                    .collect(),
            ),
        };
        Self { origin: origin.clone(), value }
    }
}
