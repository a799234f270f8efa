//! What things are called inside: small numbers that the configuration gave out, so that nothing
//! is looked up by text while cameras deliver.

use core::fmt;

/// A camera's place in [`super::Config::cameras`]. Only a configuration gives one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId(pub(super) u16);

/// A sector's place in [`super::Config::sectors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectorId(pub(super) u16);

/// A water zone's place in [`super::Config::zones`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub(super) u16);

impl CameraId {
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl SectorId {
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl ZoneId {
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A confirmed fire. Counts up; together with the boot it names a fire for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId(pub u64);

/// Longest name of an object from outside. Frigate's have 24, a UUID has 36.
pub const OBJECT_NAME_BYTES_MAX: usize = 40;

/// What one camera calls an object it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectId {
    /// By our own tracker.
    Tracked(u32),
    /// By an outside camera.
    Named(ObjectName),
    /// Nobody named it. It is followed by where it lies, and numbered here (C3).
    Unnamed(u32),
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracked(id) => write!(f, "{id}"),
            Self::Named(name) => f.write_str(name.as_str()),
            Self::Unnamed(id) => write!(f, "unnamed-{id}"),
        }
    }
}

/// A short text without memory of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    bytes: [u8; OBJECT_NAME_BYTES_MAX],
    len: u8,
}

impl ObjectName {
    /// `None`: empty, longer than [`OBJECT_NAME_BYTES_MAX`], or with control characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; OBJECT_NAME_BYTES_MAX];
        if text.is_empty() || text.chars().any(char::is_control) {
            return None;
        }
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, len: u8::try_from(text.len()).ok()? })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.len)).unwrap_or(&[]);
        core::str::from_utf8(text).unwrap_or("")
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// What the camera holds an object for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Fire,
    Smoke,
}

impl Class {
    /// However the label is spelled: `Fire`, `FIRE` and `flame` are fire (C11). `None`: anything
    /// else.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        let label = label.trim();
        let is = |names: &[&str]| names.iter().any(|name| label.eq_ignore_ascii_case(name));
        if is(&["fire", "flame", "flames"]) {
            Some(Self::Fire)
        } else if is(&["smoke"]) {
            Some(Self::Smoke)
        } else {
            None
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::Smoke => "smoke",
        }
    }
}
