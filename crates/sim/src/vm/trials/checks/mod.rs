//! The checks of the specification that need lines (P2 to P48), each by what is seen on them from outside.

pub(super) mod boards;
pub(super) mod faults;
pub(super) mod ledger;
pub(super) mod start;
mod states;
pub(super) mod stop;
pub(super) mod water;

use vigia_core::pump::plan::RawInput;
use vigia_core::pump::{RawPlan, Reading, Sensor};

/// A contact that the usual site does not have.
pub(super) fn fit(site: &mut RawPlan, sensor: Sensor, broken_reads: Reading) {
    site.inputs.insert(sensor, RawInput { broken_reads, debounce_ms: None });
}
