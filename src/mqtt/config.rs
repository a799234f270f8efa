//! What a worker is told at its start, checked before anything is opened.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::Clock;
use super::topic::{self, STRING_LEN_MAX, TopicError};

/// Everything a [`super::Worker`] needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Value of the `component` field in logs: `control_plane` or `mqtt_sink`.
    pub component: &'static str,
    pub broker: BrokerConfig,
    /// Made again on every connection.
    pub subscriptions: Vec<Subscription>,
    pub limits: Limits,
    pub timing: Timing,
    pub clock: Clock,
}

/// The broker and who we are to it.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    pub host: String,
    pub port: u16,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub protocol: Protocol,
    pub keepalive: Duration,
    /// Must be unique at the broker: two clients with one id evict each other for ever.
    pub client_id: String,
    pub tls: Option<Tls>,
    /// Refuse to start without `tls`.
    pub tls_required: bool,
    pub will: Option<Will>,
}

/// A password. `Debug` shows that there is one, not which.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    V5,
    V311,
}

/// PEM files. The broker's certificate is always verified, including its name.
#[derive(Debug, Clone)]
pub struct Tls {
    pub ca_file: PathBuf,
    /// Our own certificate, for brokers that ask for one. With `key_file` or not at all.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// What the broker says for us when we vanish without a goodbye.
#[derive(Debug, Clone)]
pub struct Will {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: Qos,
    pub retain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    AtMostOnce,
    AtLeastOnce,
}

impl Qos {
    pub(super) fn level(self) -> i32 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Subscription {
    pub filter: String,
    pub qos: Qos,
}

/// Bounds of everything that could grow.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Detections waiting, all sources together; the oldest gives way.
    pub queue_len_max: usize,
    /// `Ack` and `Status` waiting or unacknowledged; a full queue refuses.
    pub urgent_len_max: usize,
    /// Topics with a `Latest` slot.
    pub latest_topics_max: usize,
    /// Received messages the app has not yet taken.
    pub incoming_len_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue_len_max: 1_000, urgent_len_max: 1_024, latest_topics_max: 64, incoming_len_max: 256 }
    }
}

/// Patience. The defaults are the product's; tests shorten them.
#[derive(Debug, Clone)]
pub struct Timing {
    /// From opening the socket to the broker's answer.
    pub connect_timeout: Duration,
    pub reconnect_min: Duration,
    pub reconnect_max: Duration,
    /// A link that lasted this long starts the back-off anew.
    pub stable_after: Duration,
    /// Age of the oldest message without proof of delivery at which the link is given up.
    pub stall_limit: Duration,
    /// An idle link is asked for a sign of life this often.
    pub idle_probe_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            reconnect_min: Duration::from_secs(1),
            reconnect_max: Duration::from_secs(30),
            stable_after: Duration::from_secs(60),
            stall_limit: Duration::from_secs(6),
            idle_probe_every: Duration::from_secs(10),
        }
    }
}

/// Why a worker refuses to start.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("broker host {0:?} is not a host name or address")]
    Host(String),
    #[error("broker port is 0")]
    Port,
    #[error("client id is empty, too long or contains a NUL character")]
    ClientId,
    #[error("user name is too long or contains a NUL character")]
    Username,
    #[error("password is longer than 65535 bytes")]
    Password,
    #[error("a password needs a user name in MQTT 3.1.1")]
    PasswordAlone,
    #[error("keepalive of {0:?} is outside 5 s to 10 min")]
    Keepalive(Duration),
    #[error("TLS is required but no certificates are configured")]
    TlsRequired,
    #[error("TLS certificate and key must be given together")]
    TlsPair,
    #[error("TLS path {0:?} is not valid text")]
    TlsPath(PathBuf),
    #[error("will: {0}")]
    WillTopic(#[source] TopicError),
    #[error("will payload is longer than 65535 bytes")]
    WillPayload,
    #[error("subscription {filter:?}: {why}")]
    Subscription { filter: String, why: TopicError },
    #[error("a limit or time span is zero")]
    Zero,
    #[error("worker thread could not be started: {0}")]
    Thread(String),
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.broker.check()?;
        for s in &self.subscriptions {
            topic::check_filter(&s.filter)
                .map_err(|why| ConfigError::Subscription { filter: s.filter.clone(), why })?;
        }
        let (l, t) = (&self.limits, &self.timing);
        let counts = [l.queue_len_max, l.urgent_len_max, l.latest_topics_max, l.incoming_len_max];
        let spans = [t.connect_timeout, t.reconnect_min, t.stall_limit, t.idle_probe_every];
        if counts.contains(&0) || spans.contains(&Duration::ZERO) { Err(ConfigError::Zero) } else { Ok(()) }
    }
}

impl BrokerConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let host_ok = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
        if self.host.is_empty() || !self.host.chars().all(host_ok) {
            return Err(ConfigError::Host(self.host.clone()));
        }
        if self.port == 0 {
            return Err(ConfigError::Port);
        }
        let bad = |s: &str| s.len() > STRING_LEN_MAX || s.contains('\0');
        if self.client_id.is_empty() || bad(&self.client_id) {
            return Err(ConfigError::ClientId);
        }
        if self.username.as_deref().is_some_and(bad) {
            return Err(ConfigError::Username);
        }
        if self.password.as_ref().is_some_and(|p| p.reveal().len() > STRING_LEN_MAX) {
            return Err(ConfigError::Password);
        }
        if self.password.is_some() && self.username.is_none() && self.protocol == Protocol::V311 {
            return Err(ConfigError::PasswordAlone);
        }
        if !(5..=600).contains(&self.keepalive.as_secs()) {
            return Err(ConfigError::Keepalive(self.keepalive));
        }
        self.check_tls()?;
        if let Some(will) = &self.will {
            topic::check_name(&will.topic).map_err(ConfigError::WillTopic)?;
            if will.payload.len() > STRING_LEN_MAX {
                return Err(ConfigError::WillPayload);
            }
        }
        Ok(())
    }

    fn check_tls(&self) -> Result<(), ConfigError> {
        let Some(tls) = &self.tls else {
            return if self.tls_required { Err(ConfigError::TlsRequired) } else { Ok(()) };
        };
        if tls.cert_file.is_some() != tls.key_file.is_some() {
            return Err(ConfigError::TlsPair);
        }
        let paths = [Some(&tls.ca_file), tls.cert_file.as_ref(), tls.key_file.as_ref()];
        match paths
            .into_iter()
            .flatten()
            .find(|p| p.to_str().is_none_or(|s| s.is_empty() || s.contains('\0')))
        {
            Some(path) => Err(ConfigError::TlsPath(path.clone())),
            None => Ok(()),
        }
    }
}
