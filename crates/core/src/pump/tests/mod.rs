//! The pump against a virtual clock. Rows P1 to P50 are spec 5.1, hazards H1 to H30 spec 3.10,
//! invariants I1 to I18 reliability.md 4.3.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alarms;
mod boots;
mod boundaries;
mod checker;
mod controls;
mod edges;
mod explorer;
mod found;
mod hazards;
mod ledgers;
mod matrix;
mod mutants;
mod orders;
mod plans;
mod random;
mod rig;
mod rows_run;
mod rows_stop;
mod rows_water;
mod sensing;
mod tiny;
