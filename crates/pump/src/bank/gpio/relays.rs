//! The relays' lines, all in one request: one write sets them all.

use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{Value, Values};
use rustix::io::Errno;
use vigia_core::board::{Drive, Level, Relay};
use vigia_core::pump::{Output, RelayImage};
use vigia_core::time::Instant;

use super::super::BankError;
use super::find::Place;
use super::inputs::{Inputs, Slot};
use super::{CONSUMER, errno};

/// One relay: where its line is, and where its contact.
#[derive(Debug)]
struct One {
    output: Output,
    offset: u32,
    feedback: Option<(Slot, Duration)>,
    /// What it was last told, and since when.
    is_on: bool,
    since: Instant,
    is_behind_master: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Relays {
    /// `None`: a board without a relay.
    request: Option<Request>,
    values: Values,
    list: Vec<One>,
}

/// A relay, its place, its contact's place, and whether K0 feeds its coil.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub relay: &'a Relay,
    pub place: Place,
    pub feedback: Option<Slot>,
    pub is_behind_master: bool,
}

impl Relays {
    /// Requests all lines as outputs, each at the level that leaves its relay at rest.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open(wanted: &[Wanted<'_>], now: Instant) -> Result<Self, BankError> {
        let mut values = Values::default();
        let request = match wanted.first() {
            None => None,
            Some(first) => {
                wanted.iter().for_each(|one| {
                    values.set(one.place.offset, Value::Inactive);
                });
                let request = request(wanted, first);
                let chip = first.place.chip.display().to_string();
                Some(request.map_err(|source| BankError::Request { chip, source })?)
            }
        };
        let one = |wanted: &Wanted<'_>| One {
            output: wanted.relay.output,
            offset: wanted.place.offset,
            feedback: wanted.feedback.zip(wanted.relay.feedback.as_ref().map(|f| f.delay)),
            is_on: false,
            since: now,
            is_behind_master: wanted.is_behind_master,
        };
        Ok(Self { request, values, list: wanted.iter().map(one).collect() })
    }

    /// # Errors
    /// The kernel does not take it.
    pub fn write(&mut self, now: Instant, image: RelayImage) -> Result<(), Errno> {
        let Some(request) = &self.request else { return Ok(()) };
        for one in &mut self.list {
            let is_on = image.is_on(one.output);
            if is_on != one.is_on {
                (one.is_on, one.since) = (is_on, now);
            }
            self.values.set(one.offset, if is_on { Value::Active } else { Value::Inactive });
        }
        request.set_values(&self.values).map_err(|e| errno(&e))
    }

    /// What each relay does: its contact says it, once it had time to move; without a contact
    /// its line. Behind a watchdog relay that has fallen none is on. A relay of `asked` without
    /// a line reads as it was asked for.
    ///
    /// # Errors
    /// The lines cannot be read.
    pub fn read_back(
        &mut self,
        now: Instant,
        inputs: &Inputs,
        has_master_fallen: bool,
    ) -> Result<RelayImage, Errno> {
        let Some(request) = &self.request else { return Ok(RelayImage::NONE) };
        request.values(&mut self.values).map_err(|e| errno(&e))?;
        let (list, values) = (&self.list, &self.values);
        Ok(RelayImage::read_back(|output| {
            let Some(one) = list.iter().find(|one| one.output == output) else { return false };
            let latch = values.get(one.offset) == Some(Value::Active);
            one.says(now, latch, one.feedback.map(|(slot, _)| inputs.is_active(slot)), has_master_fallen)
        }))
    }
}

impl Relays {
    /// What a relay's own contact says at this moment; `None` where none is fitted.
    pub fn contact(&self, output: Output, inputs: &Inputs) -> Option<bool> {
        let one = self.list.iter().find(|one| one.output == output)?;
        one.feedback.map(|(slot, _)| inputs.is_active(slot))
    }
}

impl One {
    /// `latch`: what the chip puts on the line; `contact`: what the relay's contact says.
    fn says(&self, now: Instant, latch: bool, contact: Option<bool>, has_master_fallen: bool) -> bool {
        let moves = self.feedback.is_some_and(|(_, delay)| now.since(self.since) < delay);
        match contact {
            // A line that is not as it was written is told at once.
            Some(contact) if !moves && latch == self.is_on => contact,
            // Its contact proves that a relay at rest is at rest, so only one that is on needs K0.
            Some(_) | None => latch && !(self.is_behind_master && has_master_fallen),
        }
    }
}

fn request(wanted: &[Wanted<'_>], first: &Wanted<'_>) -> Result<Request, gpiocdev::Error> {
    let mut lines = Request::builder();
    lines.on_chip(&first.place.chip).with_consumer(CONSUMER);
    for one in wanted {
        lines.with_line(one.place.offset).as_output(Value::Inactive);
        match one.relay.active {
            Level::High => lines.as_active_high(),
            Level::Low => lines.as_active_low(),
        };
        lines.with_drive(match one.relay.drive {
            Drive::PushPull => gpiocdev::line::Drive::PushPull,
            Drive::OpenDrain => gpiocdev::line::Drive::OpenDrain,
            Drive::OpenSource => gpiocdev::line::Drive::OpenSource,
        });
    }
    lines.request()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_where_its_contact_says() {
        let at = |ms: u64| Instant(ms * 1_000_000);
        let slot = Slot::none();
        let one = |feedback, is_on, is_behind_master| One {
            output: Output::Run,
            offset: 0,
            feedback,
            is_on,
            since: at(1000),
            is_behind_master,
        };
        let fitted = Some((slot, Duration::from_millis(50)));
        // relay, ms, line, contact, K0 has fallen: what it says
        let rows = [
            (one(fitted, true, false), 1049, true, Some(false), false, true, "it moves still"),
            (one(fitted, true, false), 1050, true, Some(false), false, false, "it did not come"),
            (one(fitted, true, false), 1050, true, Some(true), false, true, "it came"),
            (one(fitted, false, false), 1049, false, Some(true), false, false, "it moves still"),
            (one(fitted, false, false), 1050, false, Some(true), false, true, "it is welded"),
            (one(fitted, true, false), 1050, false, Some(true), false, false, "the line is not as written"),
            (one(fitted, false, false), 1050, true, Some(false), false, true, "the line is not as written"),
            (one(None, true, true), 1050, true, None, false, true, "K0 holds"),
            (one(None, true, true), 1050, true, None, true, false, "K0 has fallen"),
            (one(None, true, false), 1050, true, None, true, true, "it hangs elsewhere"),
            (one(fitted, true, true), 1050, true, Some(true), true, true, "welded, whatever K0 does"),
            (one(None, false, true), 1050, false, None, true, false, "at rest"),
        ];
        for (one, ms, latch, contact, fallen, on, why) in rows {
            assert_eq!(one.says(at(ms), latch, contact, fallen), on, "{why}");
        }
    }
}
