//! Lines of the kernel, by its character device. Nothing is driven before every line that the
//! board's file names has been found, is free, is the right one, and its pad drives.

mod find;
mod heartbeat;
mod inputs;
mod pads;
mod pulses;
mod relays;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Errno;
use vigia_core::board::{Contact, Lines};
use vigia_core::pump::{Output, Reading, RelayImage, Sensor, SensorImage};
use vigia_core::time::Instant;

use super::BankError;
use heartbeat::Heartbeat;
use inputs::{Inputs, Kind, Slot};
use relays::Relays;

pub use find::{LineError, Place, SeenChip, SeenLine, find, look};
pub use pads::PadError;

/// By this name other programs see who holds a line.
pub const CONSUMER: &str = "vigia-pump";

/// A contact, and where its level is.
#[derive(Debug)]
struct Wired {
    sensor: Sensor,
    slot: Slot,
    complement: Option<Slot>,
    is_meter: bool,
}

/// Relays, contacts and watchdog relay of a real board.
#[derive(Debug)]
pub struct Gpio {
    inputs: Inputs,
    contacts: Vec<Wired>,
    relays: Relays,
    master: Option<Heartbeat>,
    /// Why contacts or the heartbeat could not be read or written last.
    error: Option<Errno>,
}

/// Where every line is that the board's file names.
#[derive(Debug)]
struct Places {
    relays: Vec<Place>,
    feedback: Vec<Option<Place>>,
    contacts: Vec<(Place, Option<Place>)>,
    master: Option<(Place, Place)>,
}

impl Gpio {
    /// Finds, checks and requests all lines; outputs at rest.
    ///
    /// # Errors
    /// Everything that is wrong with them, before any is driven.
    pub fn open(lines: &Lines, now: Instant) -> Result<Self, BankError> {
        let places = places(lines)?;
        check_pads(lines)?;
        let (wanted, order) = inputs_of(lines, &places);
        let (inputs, slots) = Inputs::open(&wanted)?;
        let slot = |at: usize| slots.get(at).copied().unwrap_or(Slot::none());
        let contacts = lines.contacts.iter().zip(&order.contacts).map(|(contact, (at, complement))| Wired {
            sensor: contact.sensor,
            slot: slot(*at),
            complement: complement.map(slot),
            is_meter: contact.pulses_per_s_min.is_some(),
        });
        let contacts = contacts.collect();
        let behind = lines.watchdog.as_ref().map(|w| w.behind.as_slice()).unwrap_or_default();
        let wanted: Vec<_> = lines
            .relays
            .iter()
            .zip(&places.relays)
            .zip(&order.feedback)
            .map(|((relay, place), feedback)| relays::Wanted {
                relay,
                place: place.clone(),
                feedback: feedback.map(slot),
                is_behind_master: behind.contains(&relay.output),
            })
            .collect();
        let relays = Relays::open(&wanted, now)?;
        let master = match (&places.master, order.master) {
            (Some((heartbeat, _)), Some(at)) => Some(Heartbeat::open(heartbeat, slot(at))?),
            _ => None,
        };
        Ok(Self { inputs, contacts, relays, master, error: None })
    }

    /// Whether all lines are there, without taking any: they may be in use by this very program.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn check(lines: &Lines) -> Result<(), BankError> {
        match places(lines) {
            Err(BankError::Lines(wrong)) => {
                let is_ours =
                    |e: &LineError| matches!(e, LineError::Busy { holder, .. } if holder == CONSUMER);
                let wrong: Vec<_> = wrong.into_iter().filter(|e| !is_ours(e)).collect();
                if wrong.is_empty() { Ok(()) } else { Err(BankError::Lines(wrong)) }
            }
            other => other.map(drop),
        }?;
        check_pads(lines)
    }

    /// All contacts. What cannot be read is broken.
    pub fn sensors(&mut self, now: Instant) -> SensorImage {
        if let Err(e) = self.inputs.read(now) {
            self.error = Some(errno(&e));
            let broken = |image: SensorImage, wired: &Wired| image.with(wired.sensor, Reading::Fault);
            return self.contacts.iter().fold(SensorImage::QUIET, broken);
        }
        let mut image = SensorImage::QUIET;
        for Wired { sensor, slot, complement, is_meter } in &self.contacts {
            let is_active =
                if *is_meter { self.inputs.flows(*slot, now) } else { self.inputs.is_active(*slot) };
            let reading = read(is_active, complement.map(|slot| self.inputs.is_active(slot)));
            image = image.with(*sensor, reading);
        }
        image
    }

    /// # Errors
    /// The relays cannot be written, or contacts could not be read before.
    pub fn write(&mut self, now: Instant, image: RelayImage) -> Result<(), Errno> {
        self.relays.write(now, image)?;
        self.error.take().map_or(Ok(()), Err)
    }

    /// # Errors
    /// The relays' lines cannot be read.
    pub fn read_back(&mut self, now: Instant) -> Result<RelayImage, Errno> {
        let has_fallen = self.is_pulled() == Some(false);
        self.relays.read_back(now, &self.inputs, has_fallen)
    }

    /// What a relay's own contact says, whatever its line does; `None` where none is fitted.
    pub fn contact(&self, output: Output) -> Option<bool> {
        self.relays.contact(output, &self.inputs)
    }

    /// Whether K0 is pulled, by its own contact; `None` without a K0.
    pub fn is_pulled(&self) -> Option<bool> {
        self.master.as_ref().map(|master| self.inputs.is_active(master.feedback))
    }

    pub fn is_beat_high(&self) -> Option<bool> {
        self.master.as_ref().map(|master| master.is_high)
    }

    pub fn heartbeat(&mut self, now: Instant, beats: bool) {
        if let Some(master) = self.master.as_mut().filter(|_| beats)
            && let Err(e) = master.beat(now)
        {
            self.error = Some(e);
        }
    }

    pub fn wakes_by(&self) -> BorrowedFd<'_> {
        self.inputs.wakes_by()
    }
}

/// Two contacts of one switch that say the same: a wire is cut or shorted.
const fn read(is_active: bool, complement: Option<bool>) -> Reading {
    match (is_active, complement) {
        (true, None | Some(false)) => Reading::Active,
        (false, None | Some(true)) => Reading::Inactive,
        (true, Some(true)) | (false, Some(false)) => Reading::Fault,
    }
}

fn places(lines: &Lines) -> Result<Places, BankError> {
    let seen = look().map_err(BankError::Look)?;
    let mut wrong = Vec::new();
    let mut place = |at: String, line| match find(&seen, &at, line) {
        Ok(place) => Some(place),
        Err(e) => {
            wrong.push(e);
            None
        }
    };
    let mut places = Places { relays: Vec::new(), feedback: Vec::new(), contacts: Vec::new(), master: None };
    for relay in &lines.relays {
        let at = format!("lines.outputs.{}", relay.output.name());
        places.relays.extend(place(format!("{at}.line"), &relay.line));
        let feedback = relay.feedback.as_ref();
        places.feedback.push(feedback.and_then(|f| place(format!("{at}.feedback.line"), &f.line)));
    }
    for Contact { sensor, line, complement, .. } in &lines.contacts {
        let at = format!("lines.inputs.{}", sensor.name());
        let second = complement.as_ref().and_then(|line| place(format!("{at}.complement.line"), line));
        places.contacts.extend(place(format!("{at}.line"), line).map(|first| (first, second)));
    }
    if let Some(watchdog) = &lines.watchdog {
        let heartbeat = place("lines.watchdog.heartbeat.line".to_owned(), &watchdog.heartbeat);
        let feedback = place("lines.watchdog.feedback.line".to_owned(), &watchdog.feedback);
        places.master = heartbeat.zip(feedback);
    }
    one_chip(lines, &places, &mut wrong);
    if wrong.is_empty() { Ok(places) } else { Err(BankError::Lines(wrong)) }
}

/// The file may have left the chips out.
fn one_chip(lines: &Lines, places: &Places, wrong: &mut Vec<LineError>) {
    // Where a line is missing the two lists do not go together, and there is something to say already.
    let Some(first) = places.relays.first().filter(|_| wrong.is_empty()) else { return };
    let elsewhere = lines.relays.iter().zip(&places.relays).filter(|(_, place)| place.chip != first.chip);
    wrong.extend(elsewhere.map(|(relay, place)| LineError::Elsewhere {
        at: format!("lines.outputs.{}.line", relay.output.name()),
        name: relay.line.name.clone(),
        chip: place.label.clone(),
        others: first.label.clone(),
    }));
}

fn check_pads(lines: &Lines) -> Result<(), BankError> {
    let Some(controller) = &lines.pads else { return Ok(()) };
    let relays = lines
        .relays
        .iter()
        .filter_map(|relay| Some((format!("lines.outputs.{}.pad", relay.output.name()), relay.pad.clone()?)));
    let heartbeat = lines
        .watchdog
        .iter()
        .filter_map(|watchdog| Some(("lines.watchdog.heartbeat.pad".to_owned(), watchdog.pad.clone()?)));
    let wrong = pads::check(controller, &relays.chain(heartbeat).collect::<Vec<_>>());
    if wrong.is_empty() { Ok(()) } else { Err(BankError::Pads(wrong)) }
}

/// At which place of the inputs each line is.
#[derive(Debug, Default)]
struct Order {
    contacts: Vec<(usize, Option<usize>)>,
    feedback: Vec<Option<usize>>,
    master: Option<usize>,
}

fn inputs_of(lines: &Lines, places: &Places) -> (Vec<inputs::Wanted>, Order) {
    let (mut all, mut order) = (Vec::new(), Order::default());
    for (contact, (place, complement)) in lines.contacts.iter().zip(&places.contacts) {
        let wanted = |place: &Place, active, kind| inputs::Wanted {
            place: place.clone(),
            active,
            bias: Some(contact.bias),
            debounce: contact.debounce,
            kind,
        };
        let kind = match contact.pulses_per_s_min {
            Some(per_s_min) => Kind::Pulses { per_s_min },
            None => Kind::Contact,
        };
        all.push(wanted(place, contact.active, kind));
        let first = all.len() - 1;
        let second = complement.as_ref().map(|place| {
            // Active means the same for both: the opposite level is the opposite answer.
            all.push(wanted(place, contact.active, Kind::Level));
            all.len() - 1
        });
        order.contacts.push((first, second));
    }
    let contact = |place: &Place, active| inputs::Wanted {
        place: place.clone(),
        active,
        bias: None,
        debounce: Duration::ZERO,
        kind: Kind::Level,
    };
    for (relay, place) in lines.relays.iter().zip(&places.feedback) {
        order.feedback.push(relay.feedback.as_ref().zip(place.as_ref()).map(|(feedback, place)| {
            all.push(contact(place, feedback.active));
            all.len() - 1
        }));
    }
    if let (Some(watchdog), Some((_, place))) = (&lines.watchdog, &places.master) {
        all.push(contact(place, watchdog.active));
        order.master = Some(all.len() - 1);
    }
    (all, order)
}

/// The kernel's own answer, or that the device did not behave.
fn errno(error: &gpiocdev::Error) -> Errno {
    match error {
        gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) | gpiocdev::Error::Os(errno) => {
            Errno::from_raw_os_error(errno.0)
        }
        _ => Errno::IO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_contacts_that_say_the_same_are_broken() {
        let rows = [
            (true, None, Reading::Active),
            (false, None, Reading::Inactive),
            (true, Some(false), Reading::Active),
            (false, Some(true), Reading::Inactive),
            (true, Some(true), Reading::Fault),
            (false, Some(false), Reading::Fault),
        ];
        for (first, second, reading) in rows {
            assert_eq!(read(first, second), reading, "{first} {second:?}");
        }
    }
}
