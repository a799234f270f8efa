//! The floors against what the headers say and against the double.

#[path = "../../../tests/support/nets.rs"]
mod nets;

mod build;
mod double;
mod load;
mod models;
mod run;
mod slots;
mod stream;
