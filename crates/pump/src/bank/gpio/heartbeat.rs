//! The line that keeps the watchdog relay K0 pulled for as long as it is toggled.

use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::Value;
use rustix::io::Errno;
use vigia_core::time::Instant;

use super::super::BankError;
use super::find::Place;
use super::inputs::Slot;
use super::{CONSUMER, errno};

/// A cycle that an edge called for must not make the beat faster.
const EDGE_EVERY_MIN: Duration = Duration::from_millis(40);

/// K0, as its line and its contact.
#[derive(Debug)]
pub struct Heartbeat {
    request: Request,
    pub is_high: bool,
    /// The last edge.
    edge: Option<Instant>,
    pub feedback: Slot,
}

impl Heartbeat {
    /// The line stands still and low.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open(place: &Place, feedback: Slot) -> Result<Self, BankError> {
        let request = Request::builder()
            .on_chip(&place.chip)
            .with_consumer(CONSUMER)
            .with_line(place.offset)
            .as_output(Value::Inactive)
            .request()
            .map_err(|source| BankError::Request { chip: place.chip.display().to_string(), source })?;
        Ok(Self { request, is_high: false, edge: None, feedback })
    }

    /// An edge, if one is due.
    ///
    /// # Errors
    /// The line cannot be written: K0 will fall.
    pub fn beat(&mut self, now: Instant) -> Result<(), Errno> {
        if self.edge.is_some_and(|edge| now.since(edge) < EDGE_EVERY_MIN) {
            return Ok(());
        }
        let next = if self.is_high { Value::Inactive } else { Value::Active };
        self.request.set_lone_value(next).map_err(|e| errno(&e))?;
        self.is_high = !self.is_high;
        self.edge = Some(now);
        Ok(())
    }
}
