//! What the journal keeps of a command.

use serde_json::{Value, json};
use vigia_core::config::Role;
use vigia_core::control::{Ack, Entry};

use super::commands::InHand;
use crate::clock;

impl InHand {
    /// The request and what the ledger is to know of it after a restart.
    pub(super) fn answer(&self, ack: Option<String>) -> Option<(String, String)> {
        let id = self.ticket.echo.request_id.as_ref().filter(|_| self.booked)?.as_str().to_owned();
        let entry = Entry { request_id: id.clone(), digest: self.digest, at: clock::utc(), ack };
        Some((id, serde_json::to_string(&entry).unwrap_or_default()))
    }

    /// Who asked for what, and what came of it.
    pub(super) fn audit(&self, ack: &Ack) -> Value {
        json!({
            "at": ack.timestamp,
            "instance_id": ack.instance_id,
            "command": ack.command,
            "params": self.params,
            "request_id": ack.request_id,
            "trace_id": ack.trace_id,
            "key_id": self.key_id,
            "role": self.role.map(Role::name),
            "result": ack.ack_status,
            "code": ack.code,
            "message": ack.message,
            "duration_ms": ack.duration_ms,
        })
    }
}
