//! JSON as strangers send it: keys given twice are noticed, deep nesting is skipped
//! without recursion, and Python's `NaN` reaches the check that refuses it by name.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Levels of objects and lists that are read; a batch of reconfigurations has seven.
pub const DEPTH_MAX: usize = 16;

/// Why a payload is no JSON. Nobody can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("empty payload")]
    Empty,
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("not JSON: line {line}, column {column}")]
    NotJson { line: usize, column: usize },
}

/// A JSON text and what was odd about it.
#[derive(Debug)]
pub(super) struct Read {
    pub value: Value,
    /// The first key given twice in one object; its first value is kept.
    pub duplicate: Option<String>,
    /// Something lay below [`DEPTH_MAX`] and is null now.
    pub too_deep: bool,
}

pub(super) fn read(payload: &[u8]) -> Result<Read, Unreadable> {
    let text = core::str::from_utf8(payload).map_err(|e| Unreadable::NotUtf8 { at: e.valid_up_to() })?;
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    // Second attempt: Python writes NaN and Infinity, which are no JSON.
    strict(text).or_else(|e| {
        let why = Unreadable::NotJson { line: e.line(), column: e.column() };
        strict(&quoted_non_finite(text)).map_err(|_| why)
    })
}

fn strict(text: &str) -> Result<Read, serde_json::Error> {
    let mut notes = Notes { duplicate: None, too_deep: false };
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Node { notes: &mut notes, depth: 0 }.deserialize(&mut source)?;
    source.end()?;
    Ok(Read { value, duplicate: notes.duplicate, too_deep: notes.too_deep })
}

/// Puts quotation marks around bare numbers that are not finite.
fn quoted_non_finite(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => string_at(rest),
            c if in_word(c) => rest.split(|c| !in_word(c)).next().unwrap_or(rest),
            c => rest.get(..c.len_utf8()).unwrap_or(rest),
        };
        let is_odd = in_word(first) && token.parse::<f64>().is_ok_and(|n| !n.is_finite());
        let mark = if is_odd { "\"" } else { "" };
        out.extend([mark, token, mark]);
        rest = rest.get(token.len()..).unwrap_or("");
    }
    out
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

/// The JSON string that `text` starts with, or all of it where the string has no end.
fn string_at(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return text.get(..=at).unwrap_or(text),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text
}

struct Notes {
    duplicate: Option<String>,
    too_deep: bool,
}

struct Node<'n> {
    notes: &'n mut Notes,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, got: bool) -> Result<Value, E> {
        Ok(Value::Bool(got))
    }

    fn visit_i64<E>(self, got: i64) -> Result<Value, E> {
        Ok(got.into())
    }

    fn visit_u64<E>(self, got: u64) -> Result<Value, E> {
        Ok(got.into())
    }

    fn visit_f64<E: serde::de::Error>(self, got: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(got).ok_or_else(|| E::custom("not finite"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, got: &str) -> Result<Value, E> {
        Ok(Value::String(got.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if self.depth >= DEPTH_MAX {
            self.notes.too_deep = true;
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Node { notes: self.notes, depth: self.depth + 1 })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        if self.depth >= DEPTH_MAX {
            self.notes.too_deep = true;
            while pairs.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut object = Map::new();
        while let Some(key) = pairs.next_key::<String>()? {
            let value = pairs.next_value_seed(Node { notes: self.notes, depth: self.depth + 1 })?;
            if object.contains_key(&key) {
                self.notes.duplicate.get_or_insert(key);
            } else {
                object.insert(key, value);
            }
        }
        Ok(Value::Object(object))
    }
}
