//! Whole images in few bytes: relays, contacts, the panel.

use core::fmt;

use super::FrameError;
use super::wire::{Reader, Wire, Writer, fields};
use crate::pump::{Condition, Kind, Panel, Reading, RelayImage, Seen, Sensor, SensorImage};

impl Wire for RelayImage {
    fn put(&self, to: &mut Writer) {
        self.bits().put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        let bits = u16::take(from)?;
        let image = Self::read_back(|output| bits & (1 << output as u16) != 0);
        if image.bits() == bits { Ok(image) } else { Err(FrameError::Word("relay image")) }
    }
}

/// Two bits for each contact.
fn pack(code: impl Fn(Sensor) -> u64) -> u64 {
    Sensor::ALL.into_iter().fold(0, |bits, sensor| bits | code(sensor) << (2 * sensor as u32))
}

fn unpack(bits: u64, mut found: impl FnMut(Sensor, u64)) -> Result<(), FrameError> {
    Sensor::ALL.into_iter().for_each(|sensor| found(sensor, (bits >> (2 * sensor as u32)) & 3));
    if bits >> (2 * Sensor::ALL.len()) == 0 { Ok(()) } else { Err(FrameError::Word("contact image")) }
}

impl Wire for SensorImage {
    fn put(&self, to: &mut Writer) {
        let code = |sensor| match self.get(sensor) {
            Reading::Inactive => 0,
            Reading::Active => 1,
            Reading::Fault => 2,
        };
        pack(code).put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        let (mut image, mut is_good) = (Self::QUIET, true);
        unpack(u64::take(from)?, |sensor, code| match code {
            0 => {}
            1 => image = image.with(sensor, Reading::Active),
            2 => image = image.with(sensor, Reading::Fault),
            _ => is_good = false,
        })?;
        if is_good { Ok(image) } else { Err(FrameError::Word("contact image")) }
    }
}

/// What the machine takes each contact for, filtered and supervised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeenImage(u64);

impl SeenImage {
    #[must_use]
    pub fn of(see: impl Fn(Sensor) -> Seen) -> Self {
        Self(pack(|sensor| match see(sensor) {
            Seen::Absent => 0,
            Seen::No => 1,
            Seen::Yes => 2,
            Seen::Unknown => 3,
        }))
    }

    #[must_use]
    pub const fn get(self, sensor: Sensor) -> Seen {
        match (self.0 >> (2 * sensor as u32)) & 3 {
            0 => Seen::Absent,
            1 => Seen::No,
            2 => Seen::Yes,
            _ => Seen::Unknown,
        }
    }
}

impl fmt::Debug for SeenImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitted = Sensor::ALL.into_iter().filter(|s| self.get(*s) != Seen::Absent);
        f.debug_map().entries(fitted.map(|s| (s.name(), self.get(s)))).finish()
    }
}

impl Wire for SeenImage {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        let bits = u64::take(from)?;
        unpack(bits, |_, _| {})?;
        Ok(Self(bits))
    }
}

/// Some of the panel's conditions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Conditions(u32);

impl Conditions {
    #[must_use]
    pub fn of(mut has: impl FnMut(Condition) -> bool) -> Self {
        let held = Condition::ALL.into_iter().filter(|c| has(*c));
        Self(held.fold(0, |bits, c| bits | 1 << c as u32))
    }

    #[must_use]
    pub const fn has(self, condition: Condition) -> bool {
        self.0 & (1 << condition as u32) != 0
    }

    #[must_use]
    pub const fn with(self, condition: Condition) -> Self {
        Self(self.0 | 1 << condition as u32)
    }

    pub fn iter(self) -> impl Iterator<Item = Condition> {
        Condition::ALL.into_iter().filter(move |c| self.has(*c))
    }
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Wire for Conditions {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        let bits = u32::take(from)?;
        if bits >> Condition::ALL.len() == 0 { Ok(Self(bits)) } else { Err(FrameError::Word("panel")) }
    }
}

/// The panel as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PanelImage {
    pub active: Conditions,
    pub latched: Conditions,
    pub acknowledged: Conditions,
    pub silenced: bool,
}

fields!(PanelImage: active, latched, acknowledged, silenced);

impl PanelImage {
    /// What is shown under one kind.
    pub fn shown(self, kind: Kind) -> impl Iterator<Item = Condition> {
        self.latched.iter().filter(move |c| c.kind() == kind)
    }

    /// A condition that only the program around the machine can know of.
    #[must_use]
    pub const fn raising(self, condition: Condition) -> Self {
        Self { active: self.active.with(condition), latched: self.latched.with(condition), ..self }
    }
}

impl From<&Panel> for PanelImage {
    fn from(panel: &Panel) -> Self {
        Self {
            active: Conditions::of(|c| panel.is_active(c)),
            latched: Conditions::of(|c| panel.is_latched(c)),
            acknowledged: Conditions::of(|c| panel.is_acknowledged(c)),
            silenced: panel.is_silenced(),
        }
    }
}
