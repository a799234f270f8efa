//! Values to bytes of a fixed order, little end first, and back.

use core::time::Duration;

use super::{FrameError, PAYLOAD_BYTES};

/// Fills a payload. What would not fit is left out, and a test shows that all kinds fit.
#[derive(Debug)]
pub struct Writer {
    bytes: [u8; PAYLOAD_BYTES],
    at: usize,
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; PAYLOAD_BYTES], at: 0 }
    }

    pub(super) const fn bytes(&self) -> &[u8; PAYLOAD_BYTES] {
        &self.bytes
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.at
    }

    pub(super) fn put(&mut self, part: &[u8]) {
        if let Some(slot) = self.bytes.get_mut(self.at..self.at.saturating_add(part.len())) {
            slot.copy_from_slice(part);
        }
        self.at = self.at.saturating_add(part.len());
    }
}

/// Takes bytes apart from the front.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (part, rest) = self.rest.split_first_chunk::<N>().ok_or(FrameError::Word("length"))?;
        self.rest = rest;
        Ok(*part)
    }

    pub(super) fn is_rest_zero(&self) -> bool {
        self.rest.iter().all(|byte| *byte == 0)
    }
}

/// What can be part of a payload.
pub trait Wire: Sized {
    fn put(&self, to: &mut Writer);
    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError>;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn put(&self, to: &mut Writer) {
                to.put(&self.to_le_bytes());
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
                Ok(Self::from_le_bytes(from.bytes()?))
            }
        }
    )*};
}
number!(u8, u16, u32, u64);

impl Wire for bool {
    fn put(&self, to: &mut Writer) {
        to.put(&[u8::from(*self)]);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Word("yes or no")),
        }
    }
}

/// In nanoseconds; what is longer than 584 years is as good as that.
impl Wire for Duration {
    fn put(&self, to: &mut Writer) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        u64::take(from).map(Self::from_nanos)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, to: &mut Writer) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        if bool::take(from)? { T::take(from).map(Some) } else { Ok(None) }
    }
}

/// Names and codes of an enum without fields. The match leaves no variant out; codes are
/// never given twice, and never to something else later.
macro_rules! words {
    ($type:ident, $what:literal: $($variant:ident = $code:literal),* $(,)?) => {
        impl $crate::link::wire::Wire for $type {
            fn put(&self, to: &mut $crate::link::wire::Writer) {
                let code: u8 = match self { $(Self::$variant => $code),* };
                $crate::link::wire::Wire::put(&code, to);
            }

            fn take(
                from: &mut $crate::link::wire::Reader<'_>,
            ) -> Result<Self, $crate::link::FrameError> {
                match <u8 as $crate::link::wire::Wire>::take(from)? {
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::link::FrameError::Word($what)),
                }
            }
        }
    };
}

/// The same for an enum whose variants have named fields, each of them on the wire.
macro_rules! tagged {
    ($type:ident, $what:literal: $($variant:ident $({ $($field:ident),* })? = $code:literal),* $(,)?) => {
        impl $crate::link::wire::Wire for $type {
            fn put(&self, to: &mut $crate::link::wire::Writer) {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        $crate::link::wire::Wire::put(&($code as u8), to);
                        $($($crate::link::wire::Wire::put($field, to);)*)?
                    })*
                }
            }

            fn take(
                from: &mut $crate::link::wire::Reader<'_>,
            ) -> Result<Self, $crate::link::FrameError> {
                Ok(match <u8 as $crate::link::wire::Wire>::take(from)? {
                    $($code => Self::$variant $({
                        $($field: $crate::link::wire::Wire::take(from)?),*
                    })?,)*
                    _ => return Err($crate::link::FrameError::Word($what)),
                })
            }
        }
    };
}

/// And for a struct: its fields in this order.
macro_rules! fields {
    ($type:ident: $($field:ident),* $(,)?) => {
        impl $crate::link::wire::Wire for $type {
            fn put(&self, to: &mut $crate::link::wire::Writer) {
                let Self { $($field),* } = self;
                $($crate::link::wire::Wire::put($field, to);)*
            }

            fn take(
                from: &mut $crate::link::wire::Reader<'_>,
            ) -> Result<Self, $crate::link::FrameError> {
                $(let $field = $crate::link::wire::Wire::take(from)?;)*
                Ok(Self { $($field),* })
            }
        }
    };
}

pub(super) use {fields, tagged, words};
