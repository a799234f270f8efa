//! The state of the link as the app sees it, and why it is down, in words for an operator.

use std::time::Duration;

use thiserror::Error;

/// State of the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    Connecting,
    /// The broker answered and all subscriptions are made. `session` counts connections
    /// from 1; on each of them the app publishes its true state again.
    Connected {
        session: u64,
    },
    Down {
        cause: Cause,
    },
}

/// Changes of the link arrive as the new state.
pub type LinkEvent = Link;

/// Why there is no link. Never contains a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    #[error("not started yet")]
    NotStarted,
    #[error("shut down")]
    Shutdown,
    #[error("name {host:?} cannot be resolved: {why}")]
    NameNotResolved { host: String, why: String },
    #[error("{address} cannot be reached: {why}")]
    Unreachable { address: String, why: String },
    #[error("{address} accepts connections but did not answer within {waited_s} s")]
    NoAnswer { address: String, waited_s: u64 },
    #[error("{address} refuses the user name or password (user {user})")]
    CredentialsRefused { address: String, user: String },
    #[error("TLS with {address} failed: certificate, host name or protocol not accepted")]
    TlsRefused { address: String },
    #[error("TLS file {path} cannot be read: {why}")]
    TlsFile { path: String, why: String },
    #[error("{address} closed the connection before answering; is it an MQTT broker, or does it want TLS?")]
    HungUp { address: String },
    #[error("{address} refuses the connection: {why}")]
    Refused { address: String, why: String },
    #[error("MQTT library refused to connect: {why}")]
    Library { why: String },
    #[error("another client uses the id {client_id:?}{}", if *.proven { "" } else { " (three links in a row were dropped within 10 s)" })]
    AnotherClient {
        client_id: String,
        /// The broker said so (MQTT 5); otherwise concluded from the pattern.
        proven: bool,
    },
    #[error("the broker ended the session: {why}")]
    EndedByBroker { why: String },
    #[error("the broker stalled: nothing acknowledged for {waited_ms} ms")]
    Stalled { waited_ms: u64 },
    #[error("connection lost")]
    Lost,
}

/// How a live link ended, as paho's callbacks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Lost,
    /// MQTT 5 DISCONNECT, with its reason code.
    ByBroker(u8),
}

/// MQTT 5: another connection took the session over.
const SESSION_TAKEN_OVER: u8 = 0x8E;
/// In MQTT 3.1.1 the broker only hangs up, and so does mosquitto 2.0.11 in MQTT 5: a
/// pattern has to do.
const EARLY_DROP: Duration = Duration::from_secs(10);
const EARLY_DROPS_MAX: u32 = 3;

/// Recognises that another client uses our id, and remembers whether it was said.
#[derive(Debug, Default)]
pub(super) struct Rivalry {
    early_drops: u32,
    told: bool,
}

impl Rivalry {
    /// Judges the end of a link that lasted `lasted`.
    pub(super) fn judge(&mut self, ending: Ending, lasted: Duration, client_id: &str) -> Cause {
        let another = |proven| Cause::AnotherClient { client_id: client_id.to_owned(), proven };
        match ending {
            Ending::ByBroker(SESSION_TAKEN_OVER) => another(true),
            Ending::ByBroker(code) => Cause::EndedByBroker { why: disconnect_reason(code) },
            Ending::Lost => {
                self.early_drops = if lasted < EARLY_DROP { self.early_drops + 1 } else { 0 };
                if self.early_drops >= EARLY_DROPS_MAX { another(false) } else { Cause::Lost }
            }
        }
    }

    /// True the first time in one quarrel.
    pub(super) fn first_time(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// The link proved stable, or ended for another reason.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn disconnect_reason(code: u8) -> String {
    let text = match code {
        0x00 => "normal disconnection",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x87 => "not authorised",
        0x89 => "server busy",
        0x8B => "server shutting down",
        0x8D => "keep-alive timeout",
        0x93 => "receive maximum exceeded",
        0x95 => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        _ => return format!("reason 0x{code:02X}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(2);

    #[test]
    fn another_client_is_named_once() {
        let mut r = Rivalry::default();
        let cause = r.judge(Ending::ByBroker(0x8E), SHORT, "box-1");
        assert_eq!(cause.to_string(), "another client uses the id \"box-1\"");
        assert!(r.first_time());
        assert!(!r.first_time());
    }

    #[test]
    fn without_a_reason_the_third_early_drop_in_a_row_tells() {
        let mut r = Rivalry::default();
        assert_eq!(r.judge(Ending::Lost, SHORT, "b"), Cause::Lost);
        assert_eq!(r.judge(Ending::Lost, Duration::from_secs(11), "b"), Cause::Lost);
        for n in 0..3 {
            let cause = r.judge(Ending::Lost, SHORT, "b");
            assert_eq!(matches!(cause, Cause::AnotherClient { proven: false, .. }), n == 2);
        }
    }
}
