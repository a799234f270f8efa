//! From an address to an answered CONNECT, or to a cause in words.
//!
//! Every connection gets a paho client of its own, and dropping the client is the only way
//! a link is ended here. Three traps of paho-mqtt 0.14 and its C library forbid the
//! alternatives:
//! - `disconnect()` waits behind queued publishes, so on a stalled link it never runs; and
//!   if it runs while connecting, MQTT 5 clients read an uninitialised struct.
//! - While CONNECT is under way the token and the client own each other. Dropping our
//!   client as soon as the token completes can leave paho's thread with the last
//!   reference, and it would free the client it is working on. See [`Dialling::answer`].
//! - When the last client goes, paho stops its threads, and creating one meanwhile may
//!   hang. So one client that never connects is kept: [`ANCHOR`].

use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use paho_mqtt::{
    AsyncClient, ConnectOptions, ConnectOptionsBuilder, ConnectReturnCode, CreateOptionsBuilder, Error,
    Message, MqttVersion, PropertyCode, ReasonCode, SslOptionsBuilder, Token,
};

use super::config::{BrokerConfig, Protocol, Tls};
use super::link::Cause;
use super::relay::Relay;

static ANCHOR: OnceLock<Option<AsyncClient>> = OnceLock::new();

/// More than our window, so that the probe always fits. The broker may lower it.
const PAHO_INFLIGHT_MAX: i32 = 128;
const PAHO_BUFFERED_MAX: i32 = 1_024;

/// Asks for a future's result without waiting; `waker` is told when it is worth asking again.
pub(super) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A CONNECT that was sent and is not yet answered.
pub(super) struct Dialling {
    client: AsyncClient,
    token: Token,
    /// Taken by whoever takes the client.
    relay: Option<Relay>,
    answered: bool,
}

/// A connection that the broker has accepted.
pub(super) struct Accepted {
    pub(super) client: AsyncClient,
    pub(super) relay: Option<Relay>,
    /// Unacknowledged QoS 1 messages the broker allows.
    pub(super) receive_max: usize,
}

impl Dialling {
    pub(super) fn start(client: AsyncClient, options: ConnectOptions, relay: Relay) -> Self {
        let token = client.connect(options);
        Self { client, token, relay: Some(relay), answered: false }
    }

    /// The broker's answer, if there is one. To be asked again only after `None`.
    pub(super) fn answer(&mut self, waker: &Waker) -> Option<Result<Accepted, Error>> {
        let answer = poll(&mut self.token, waker)?;
        // paho completes the token under its global lock and lets go of its reference to
        // the client before unlocking. This call takes that lock: after it, ours is the
        // last reference, and this thread will be the one to free the client.
        let _barrier = self.client.is_connected();
        self.answered = true;
        Some(answer.map(|response| {
            let max = response.properties().get_int(PropertyCode::ReceiveMaximum);
            let receive_max = max.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::from(u16::MAX));
            Accepted { client: self.client.clone(), relay: self.relay.take(), receive_max }
        }))
    }

    /// Makes paho notice that nobody will answer.
    pub(super) fn hang_up(&self) {
        if let Some(relay) = &self.relay {
            relay.hang_up();
        }
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        if !self.answered {
            // paho still works on it: better to keep it for ever than to free it under paho.
            std::mem::forget(self.client.clone());
        }
    }
}

/// A client for one connection through `relay`.
pub(super) fn new_client(broker: &BrokerConfig, relay: SocketAddr) -> Result<AsyncClient, Cause> {
    ANCHOR.get_or_init(|| AsyncClient::new("mqtt://127.0.0.1:1").ok());
    // With TLS paho must see the name, to check it against the certificate.
    let uri = match broker.tls {
        Some(_) if broker.host.contains(':') => format!("mqtts://[{}]:{}", broker.host, broker.port),
        Some(_) => format!("mqtts://{}:{}", broker.host, broker.port),
        None => format!("mqtt://{relay}"),
    };
    CreateOptionsBuilder::new()
        .server_uri(uri)
        .client_id(&broker.client_id)
        .mqtt_version(version(broker.protocol))
        .max_buffered_messages(PAHO_BUFFERED_MAX)
        .create_client()
        .map_err(library)
}

fn version(protocol: Protocol) -> MqttVersion {
    match protocol {
        Protocol::V5 => MqttVersion::V5,
        Protocol::V311 => MqttVersion::V3_1_1,
    }
}

/// Clean start always: outbound durability is ours, and no old command may wait for us.
pub(super) fn connect_options(
    broker: &BrokerConfig,
    relay: SocketAddr,
    timeout: Duration,
) -> Result<ConnectOptions, Cause> {
    let mut options = ConnectOptionsBuilder::with_mqtt_version(version(broker.protocol));
    match broker.protocol {
        Protocol::V5 => options.clean_start(true),
        Protocol::V311 => options.clean_session(true),
    };
    options.keep_alive_interval(broker.keepalive).connect_timeout(timeout).max_inflight(PAHO_INFLIGHT_MAX);
    if let Some(username) = &broker.username {
        options.user_name(username.as_str());
    }
    if let Some(password) = &broker.password {
        options.password(password.reveal());
    }
    if let Some(will) = &broker.will {
        let (topic, payload) = (will.topic.as_str(), will.payload.as_slice());
        options.will_message(Message::from((topic, payload, will.qos.level(), will.retain)));
    }
    if let Some(tls) = &broker.tls {
        let mut ssl = SslOptionsBuilder::new();
        tls_options(&mut ssl, tls)?;
        options.ssl_options(ssl.finalize()).https_proxy(format!("http://{relay}"));
    }
    Ok(options.finalize())
}

fn tls_options(ssl: &mut SslOptionsBuilder, tls: &Tls) -> Result<(), Cause> {
    readable(&tls.ca_file)?;
    ssl.trust_store(&tls.ca_file).map_err(library)?;
    if let Some(cert) = &tls.cert_file {
        readable(cert)?;
        ssl.key_store(cert).map_err(library)?;
    }
    if let Some(key) = &tls.key_file {
        readable(key)?;
        ssl.private_key(key).map_err(library)?;
    }
    ssl.enable_server_cert_auth(true).verify(true).disable_default_trust_store(true);
    Ok(())
}

fn readable(path: &Path) -> Result<(), Cause> {
    let shown = path.display().to_string();
    File::open(path).map(drop).map_err(|e| Cause::TlsFile { path: shown, why: e.to_string() })
}

fn library(error: Error) -> Cause {
    Cause::Library { why: error.to_string() }
}

/// What a failed CONNECT means.
pub(super) fn refusal(error: &Error, broker: &BrokerConfig, shown: &str, waited: Duration) -> Cause {
    let address = shown.to_owned();
    match error {
        Error::ConnectReturn(ConnectReturnCode::BadUserNameOrPassword | ConnectReturnCode::NotAuthorized)
        | Error::ReasonCode(ReasonCode::BadUserNameOrPassword | ReasonCode::NotAuthorized, _) => {
            let user = broker.username.as_ref().map_or_else(|| "none".to_owned(), |u| format!("{u:?}"));
            Cause::CredentialsRefused { address, user }
        }
        Error::ConnectReturn(code) => Cause::Refused { address, why: code.to_string() },
        Error::ReasonCode(code, _) => Cause::Refused { address, why: code.to_string() },
        Error::TcpConnectTimeout | Error::Timeout => no_answer(shown, waited),
        _ if broker.tls.is_some() => Cause::TlsRefused { address },
        _ => Cause::HungUp { address },
    }
}

pub(super) fn no_answer(shown: &str, waited: Duration) -> Cause {
    Cause::NoAnswer { address: shown.to_owned(), waited_s: waited.as_secs() }
}
