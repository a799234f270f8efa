//! The control plane without its sockets: what may be asked, whether it may be done now,
//! what it would change, and what is answered.
//!
//! One message goes [`envelope::open`] → [`Command::parse`] → [`Command::permit`] →
//! [`Machine::admit`] → [`Desired::apply`] → [`diff`]; the body carries the differences out
//! and tells the [`Machine`] how that went. [`Ledger`] sees that a request is answered once.
//! Nothing here knows MQTT, a file or the time.

pub mod ack;
pub mod asyncapi;
pub mod command;
pub mod desired;
pub mod docs;
pub mod envelope;
mod json;
pub mod ledger;
pub mod overlay;
mod params;
pub mod pauses;
mod read;
pub mod refusal;
pub mod reload;
pub mod saved;
pub mod signed;
pub mod spec;
pub mod state;
pub mod status;
pub mod table;

pub use ack::{Ack, AckStatus, Effect, FileRef, FrameRef, ItemResult, Shadow, Ticket, trace_id};
pub use command::{Batch, Command, NewStream, PumpAction, Reconfigure, UpdateAction};
pub use desired::{Change, Desired, batch_failed, diff};
pub use envelope::{Echo, Envelope, Limits, Opened, RequestId, open};
pub use json::{DEPTH_MAX, Unreadable};
pub use ledger::{Begun, Entry, Ledger};
pub use overlay::{Overlay, Restored};
pub use params::{Kind, Param};
pub use pauses::Pauses;
pub use read::{BATCH_LEN_MAX, HISTORY_LEN_MAX, PAUSE_S_MAX, SHADOW_FRAMES_MAX};
pub use refusal::{Code, Refusal};
pub use reload::{reload, restart_needed};
pub use saved::{Saved, SavedPause};
pub use signed::Signature;
pub use spec::{Capability, Class, Spec};
pub use state::{Admission, Input, Machine, Work};
pub use status::Status;
pub use table::{COMMANDS, available};

#[cfg(test)]
mod tests;
