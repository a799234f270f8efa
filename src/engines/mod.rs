//! Engines of TensorRT as products: what a plan is built from and for, where plans are kept, and the build itself in a
//! process of its own.
//!
//! Bottom up: [`recipe`] is what is asked for, [`facts`] all that a plan depends on, [`store`] the folder of plans,
//! [`half`] the model with 16-bit tensors, [`build`] the way from a model to a plan, [`progress`] how far it is,
//! [`job`] the same in a process of its own, [`building`] beside the detector; [`accuracy`] whether it
//! finds what its model finds; [`open`] puts a plan to work.

pub mod accuracy;
pub mod build;
pub mod building;
pub mod facts;
pub mod half;
pub mod job;
pub mod lost;
pub mod open;
pub mod progress;
pub mod recipe;
pub mod store;
