//! The pump and alarm controller: a machine that is told the time and what happened, and says
//! which relays are to be energised.
//!
//! - [`plan`] what a site has and how long things take; nothing contradictory can be held.
//! - [`Machine::step`] takes one input, runs until nothing changes any more, returns events.
//! - [`Machine::relays`] is a function of the state: the caller writes the whole image each
//!   cycle, reads it back and says so with [`Input::ReadBack`].
//! - [`Machine::deadline`] says when something happens by itself.
//! - [`Machine::ledger_record`] is what must outlive the power, whenever
//!   [`Events::must_persist`] says so.
//!
//! It promises the invariants of reliability.md 4.3, and knows nothing of lines, brokers,
//! clocks or threads. `step` does not allocate.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alarm;
mod events;
mod ledger;
mod machine;
mod order;
mod outputs;
pub mod plan;
mod sensors;
mod state;
#[cfg(test)]
mod tests;

pub use alarm::{Condition, Kind, Panel};
pub use events::{EVENTS_LEN_MAX, Event, Events};
pub use ledger::{LEDGER_BYTES, Ledger, LedgerError};
pub use machine::{Demand, Input, Machine, Restored, Status, Stir};
pub use order::{Command, DISARM_S_MAX, ORDER_AGE_S_MAX, Order, Refusal, Role};
pub use outputs::{Output, RelayImage};
pub use plan::{Plan, RawPlan};
pub use sensors::{Gauge, Reading, SENSORS_LEN, Seen, Sensor, SensorImage};
pub use state::{Fault, Purpose, Source, StateName, StopReason};
