//! A virtual machine in which vigia's real programs drive real lines of a real kernel.
//!
//! ```text
//! host                                              guest (qemu, plain emulation)
//! World: plant, K0, contacts ◄─ Lines ═ serial port ═ vigia-lines ─► gpio-sim ◄─► vigia-pump
//! Machine: starts, cuts the power, starts again      systemd, i6300esb, /data
//! ```
//!
//! - [`wire`] and [`layout`] are what both ends speak of: edges, pulls, commands; chips and lines.
//! - [`guest`] is the agent inside, the program `vigia-lines`.
//!
//! With the feature `world`:
//!
//! - `board` reads the board's file; `product` packs what goes into the guest.
//! - `machine` starts qemu, pulls its plug, and starts it again with the same disk; `qemu` is that process.
//! - `blind` is a network that takes no time.
//! - `lines` is the other end of the agent: pulls, commands, every edge with its time.
//! - `k0` and `wiring` are what stands between the lines and the plant, outside of any software.
//! - `world` is the loop that closes it: the plant gets what the wires bring, and its contacts pull lines.
//! - `rig` puts board, machine and lines together; `smoke` proves the floor: what every other test of the lines stands on.
//! - `trials`: the real programs on these lines, stopped, killed and cut off.
//!
//! `tests/vm/build.sh` builds kernel, module and root file system from Debian's packages.

pub mod guest;
pub mod layout;
pub mod wire;

#[cfg(feature = "world")]
pub mod blind;
#[cfg(feature = "world")]
pub mod board;
#[cfg(feature = "world")]
pub mod clock;
#[cfg(feature = "world")]
pub mod k0;
#[cfg(feature = "world")]
pub mod lines;
#[cfg(feature = "world")]
pub mod machine;
#[cfg(feature = "world")]
pub mod product;
#[cfg(feature = "world")]
pub mod qemu;
#[cfg(feature = "world")]
pub mod rig;
#[cfg(feature = "world")]
pub mod smoke;
#[cfg(feature = "world")]
pub mod trials;
#[cfg(feature = "world")]
pub mod wiring;
#[cfg(feature = "world")]
pub mod world;
