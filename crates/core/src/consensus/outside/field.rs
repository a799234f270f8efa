//! One value of a stranger's JSON, whatever it is: nothing is kept of lists but four numbers, and
//! nothing of objects at all.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Refusal;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Field<'a> {
    /// Not there, or null.
    #[default]
    Absent,
    Number(f64),
    Whole(i64),
    Text(Cow<'a, str>),
    Four([f64; 4]),
    Other(&'static str),
}

impl Field<'_> {
    /// A name: text, or a whole number as text.
    pub fn name(&self) -> Result<Option<Cow<'_, str>>, Refusal> {
        match self {
            Self::Whole(number) => Ok(Some(Cow::Owned(number.to_string()))),
            other => other.text("id"),
        }
    }

    pub fn text(&self, field: &'static str) -> Result<Option<Cow<'_, str>>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) => Ok(Some(Cow::Borrowed(text))),
            other => Err(Refusal::NotA { field, want: "text", got: other.kind() }),
        }
    }

    /// As f32: what does not fit becomes infinite and is refused where it is used.
    #[expect(clippy::cast_possible_truncation, reason = "a confidence needs no more digits")]
    #[expect(clippy::cast_precision_loss, reason = "whole numbers other than 0 and 1 are refused later")]
    pub fn number(&self, field: &'static str) -> Result<f32, Refusal> {
        match self {
            Self::Absent => Err(Refusal::Missing { field }),
            Self::Number(number) => Ok(*number as f32),
            Self::Whole(number) => Ok(*number as f32),
            other => Err(Refusal::NotA { field, want: "a number", got: other.kind() }),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "pixels need no more digits")]
    pub fn four(&self) -> Result<[f32; 4], Refusal> {
        match self {
            Self::Absent => Err(Refusal::Missing { field: "box" }),
            Self::Four(four) => Ok(four.map(|v| v as f32)),
            Self::Number(_) | Self::Whole(_) | Self::Text(_) | Self::Other(_) => Err(Refusal::BadBox),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Number(_) | Self::Whole(_) => "a number",
            Self::Text(_) => "text",
            Self::Four(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(AnyField)
    }
}

struct AnyField;

impl<'de> Visitor<'de> for AnyField {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other("a yes or no"))
    }

    fn visit_i64<E>(self, got: i64) -> Result<Self::Value, E> {
        Ok(Field::Whole(got))
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond 63 bits it is no coordinate and no name")]
    fn visit_u64<E>(self, got: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(got).map_or(Field::Number(got as f64), Field::Whole))
    }

    fn visit_f64<E>(self, got: f64) -> Result<Self::Value, E> {
        Ok(Field::Number(got))
    }

    fn visit_borrowed_str<E>(self, got: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(got)))
    }

    fn visit_str<E>(self, got: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(String::from(got))))
    }

    #[expect(clippy::cast_precision_loss, reason = "pixels")]
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut four, mut count, mut fine) = ([0.0; 4], 0usize, true);
        while count < four.len() {
            let number = match items.next_element::<Field>()? {
                Some(Field::Number(number)) => number,
                Some(Field::Whole(number)) => number as f64,
                Some(_) => {
                    fine = false;
                    0.0
                }
                None => return Ok(Field::Other("a list")),
            };
            four[count] = number;
            count += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            fine = false;
        }
        Ok(if fine { Field::Four(four) } else { Field::Other("a list") })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        while pairs.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other("an object"))
    }
}
