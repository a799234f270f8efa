//! From the configuration to the MQTT worker's settings.

use serde_json::json;
use vigia_core::config::{self, Config};
use vigia_core::control::Status;

use crate::clock;
use crate::mqtt::{BrokerConfig, Limits, Protocol, Qos, Secret, Settings, Subscription, Timing, Tls, Will};
use crate::wire::Identity;

/// The authorities the machine trusts, for a `tls` section that names none.
const SYSTEM_CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The worker's settings, with a will that tells when we vanish.
#[must_use]
pub fn settings(config: &Config, identity: &Identity) -> Settings {
    let will = identity.status(Status::Disconnected, clock::utc(), json!({ "reason": "lwt" }));
    let will = Will {
        topic: identity.status_topic.to_string(),
        payload: will.to_string().into_bytes(),
        qos: Qos::AtLeastOnce,
        retain: true,
    };
    Settings {
        component: "control_plane",
        broker: broker(&config.mqtt, identity.client_id.clone(), Some(will)),
        subscriptions: subscriptions(&config.control),
        limits: Limits { queue_len_max: config.mqtt.queue_len_max, ..Limits::default() },
        timing: Timing::default(),
        clock: clock::now,
    }
}

/// Commands, and the states of other instances, whose names must not be taken.
fn subscriptions(control: &config::Control) -> Vec<Subscription> {
    if !control.enabled {
        return Vec::new();
    }
    let to = |filter: String| Subscription { filter, qos: Qos::AtLeastOnce };
    vec![to(control.command_topic.clone()), to(format!("{}/+", control.status_topic))]
}

/// The broker as the configuration names it.
#[must_use]
pub fn broker(mqtt: &config::Mqtt, client_id: String, will: Option<Will>) -> BrokerConfig {
    BrokerConfig {
        host: mqtt.host.clone(),
        port: mqtt.port,
        username: mqtt.username.clone(),
        password: mqtt.password.as_ref().map(|p| Secret::new(p.expose())),
        protocol: match mqtt.protocol {
            config::Protocol::V5 => Protocol::V5,
            config::Protocol::V311 => Protocol::V311,
        },
        keepalive: mqtt.keepalive,
        client_id,
        tls: mqtt.tls.as_ref().map(tls),
        tls_required: mqtt.tls.as_ref().is_some_and(|t| t.required),
        will,
    }
}

fn tls(tls: &config::Tls) -> Tls {
    Tls {
        ca_file: tls.ca_file.as_deref().unwrap_or(SYSTEM_CA_FILE).into(),
        cert_file: tls.client.as_ref().map(|c| c.cert_file.clone().into()),
        key_file: tls.client.as_ref().map(|c| c.key_file.clone().into()),
    }
}

/// Our levels in the worker's words.
#[must_use]
pub fn qos(qos: config::Qos) -> Qos {
    match qos {
        config::Qos::AtMostOnce => Qos::AtMostOnce,
        config::Qos::AtLeastOnce => Qos::AtLeastOnce,
    }
}
