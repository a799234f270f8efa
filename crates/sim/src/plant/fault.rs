//! Everything that can be wrong with a plant.

use vigia_core::pump::{Output, Reading, SENSORS_LEN, Sensor};
use vigia_core::time::Instant;

/// What became of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    StuckActive,
    StuckInactive,
    /// The wire is cut, and its supervision says so.
    Cut,
    /// It opens and closes several times a second.
    Flaps,
}

/// One fault. It lasts until it is mended, save for those that happen once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Contact(Sensor, Contact),
    /// The coil is energised and the contact stays open.
    RelayDead(Output),
    /// The contact stays closed.
    RelayWelded(Output),
    /// It cranks and never catches.
    NoCatch,
    /// The starter spins and its pinion does not engage.
    NoPinion,
    /// Happens once: it runs and dies.
    Stall,
    /// It runs on without ignition (glowing soot), and the kill relay does nothing.
    RunsOn,
    Overspeeds,
    NoOil,
    Overheats,
    ValveJammed,
    /// Six times as slow as it should be.
    ValveSlow,
    TankLeaks,
    /// Happens once: somebody else used the water.
    TankEmptied,
    /// The refill valve opens, and no water comes.
    NoRefill,
    /// The refill valve does not close.
    RefillStuckOpen,
    SuctionBlocked,
    /// Happens once; running charges it.
    BatteryFlat,
}

/// Faults that are there or not.
const LASTING: [Fault; 13] = [
    Fault::NoCatch,
    Fault::NoPinion,
    Fault::RunsOn,
    Fault::Overspeeds,
    Fault::NoOil,
    Fault::Overheats,
    Fault::ValveJammed,
    Fault::ValveSlow,
    Fault::TankLeaks,
    Fault::NoRefill,
    Fault::RefillStuckOpen,
    Fault::SuctionBlocked,
    Fault::BatteryFlat,
];

impl Fault {
    /// One of all there are.
    #[must_use]
    pub fn any(rng: &mut fastrand::Rng) -> Self {
        const CONTACTS: [Contact; 4] =
            [Contact::StuckActive, Contact::StuckInactive, Contact::Cut, Contact::Flaps];
        let output = |rng: &mut fastrand::Rng| Output::ALL[rng.usize(..Output::ALL.len())];
        match rng.u8(..24) {
            0..8 => Self::Contact(Sensor::ALL[rng.usize(..SENSORS_LEN)], CONTACTS[rng.usize(..4)]),
            8..10 => Self::RelayDead(output(rng)),
            10..12 => Self::RelayWelded(output(rng)),
            12..14 => Self::Stall,
            14 => Self::TankEmptied,
            _ => LASTING[rng.usize(..LASTING.len())],
        }
    }
}

/// The faults that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Faults {
    lasting: u16,
    contacts: [Option<Contact>; SENSORS_LEN],
    dead: u16,
    welded: u16,
}

impl Faults {
    pub const NONE: Self = Self { lasting: 0, contacts: [None; SENSORS_LEN], dead: 0, welded: 0 };

    pub fn set(&mut self, fault: Fault, is: bool) {
        let put = |bits: &mut u16, bit: u16| if is { *bits |= bit } else { *bits &= !bit };
        match fault {
            Fault::Contact(sensor, contact) => {
                if let Some(slot) = self.contacts.get_mut(sensor as usize) {
                    *slot = is.then_some(contact);
                }
            }
            Fault::RelayDead(output) => put(&mut self.dead, 1 << output as u16),
            Fault::RelayWelded(output) => put(&mut self.welded, 1 << output as u16),
            Fault::Stall | Fault::TankEmptied => {}
            lasting => {
                let at = LASTING.iter().position(|f| *f == lasting);
                put(&mut self.lasting, at.map_or(0, |at| 1 << at));
            }
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        match fault {
            Fault::Contact(sensor, contact) => self.contact(sensor) == Some(contact),
            Fault::RelayDead(output) => self.dead & (1 << output as u16) != 0,
            Fault::RelayWelded(output) => self.welded & (1 << output as u16) != 0,
            Fault::Stall | Fault::TankEmptied => false,
            lasting => {
                self.lasting != 0
                    && LASTING
                        .iter()
                        .position(|f| *f == lasting)
                        .is_some_and(|at| self.lasting & (1 << at) != 0)
            }
        }
    }

    pub fn contact(&self, sensor: Sensor) -> Option<Contact> {
        self.contacts.get(sensor as usize).copied().flatten()
    }

    pub fn flap(&self) -> bool {
        self.contacts.contains(&Some(Contact::Flaps))
    }

    pub fn read(&self, now: Instant, sensor: Sensor, is: bool) -> Reading {
        /// Shorter than any filter but the shortest.
        const FLAP_NS: u64 = 230_000_000;
        let reading = |is| if is { Reading::Active } else { Reading::Inactive };
        match self.contact(sensor) {
            None => reading(is),
            Some(Contact::StuckActive) => Reading::Active,
            Some(Contact::StuckInactive) => Reading::Inactive,
            Some(Contact::Cut) => Reading::Fault,
            Some(Contact::Flaps) => reading((now.0 / FLAP_NS).is_multiple_of(2)),
        }
    }
}
