//! What all instances on a broker detect, shown live (spec nvr 3, without the pictures).
//!
//! [`Model`] is the state drawn from messages: it is told the time and does no I/O. [`screen`]
//! draws it on a terminal, [`lines`] tells its changes one line each; [`live`] feeds it from
//! the broker.
//!
//! Nothing a message holds can stop the view: what is not understood is counted and shown.

mod board;
mod instance;
pub mod lines;
pub mod live;
mod message;
mod model;
pub mod screen;
mod words;

pub use message::{PAYLOAD_BYTES_MAX, Topics};
pub use model::{Broker, Change, Model};
