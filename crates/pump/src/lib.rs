//! The hand of vigia: a small program that owns the relays of pump and alarm.
//!
//! ```text
//!            desk (socket) ─ demands, orders ─┐
//!  bank ── contacts ──► cycle: machine.step ──┤──► book (events, in memory and /run)
//!   ▲                         │               ├──► ledger keeper (/run at once, disk by a thread)
//!   └── whole relay image ◄───┘               └──► voice (lines on stderr, by a thread)
//! ```
//! - [`cycle`] one thread owns all of it: every 50 ms, at a deadline of the machine, or when
//!   something is said to it, it reads all contacts, steps, writes the whole relay image and
//!   reads it back. It waits for nothing else, and allocates nothing after its start.
//! - [`bank`] the relays and contacts: lines of the kernel, or a simulated plant.
//! - [`desk`] the socket to `vigia`; frames are those of [`vigia_core::link`].
//! - [`book`] events, numbered, kept until `vigia` has acknowledged them.
//! - [`ledger`] what must outlive the power.
//! - [`settings`] the board's and the site's file, checked as a whole before anything starts.
//! - [`commission`] one relay at a time, by hand, before anything is armed: for `vigia gpio`.
//! - [`lateness`], [`privileges`], [`voice`], [`notify`], [`clock`] one small job each.
//!
//! No MQTT, no pictures, no C, no unsafe code. When `vigia` dies, the run in hand is finished
//! as planned; when this program dies, the watchdog relay and the wiring do the rest.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod bank;
pub mod book;
pub mod clock;
pub mod commission;
pub mod cycle;
pub mod desk;
pub mod lateness;
pub mod ledger;
pub mod notify;
pub mod privileges;
pub mod run;
pub mod settings;
pub mod voice;
