//! The brain of vigia: pure functions and small state machines.
//!
//! `no_std` on purpose: nothing here can read a clock, open a file, start a thread or
//! iterate a randomly seeded map. Time is told ([`time::Instant`]), bytes are handed in.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod backoff;
pub mod board;
pub mod cache;
pub mod cadence;
pub mod config;
pub mod consensus;
pub mod control;
pub mod detection;
pub mod event;
pub mod link;
pub mod pump;
pub mod stream;
pub mod time;
pub mod tracking;
pub mod window;
