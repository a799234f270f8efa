//! The broker's settings, and the topics that must not meet on it.

use alloc::string::String;
use core::time::Duration;

use super::super::raw;
use super::super::rules::{self, Wrong};
use super::super::secret::Secrets;
use super::super::{Mqtt, Tls, TlsClient, limits};
use super::Faults;

/// The broker, and the topics of commands and of answers.
pub(super) fn mqtt_and_topics(
    all: &raw::Config,
    secrets: &Secrets,
    faults: &mut Faults,
) -> (Option<Mqtt>, Option<(String, String)>) {
    let raw = &all.mqtt;
    let prefix = faults
        .keep_some("mqtt.topic_prefix", raw.topic_prefix.as_deref(), |prefix| rules::topic(None, prefix));
    // A wrong prefix is reported once; the topics are then checked without it.
    let prefix = prefix.flatten();
    let mut topic = |path, topic: &str| faults.keep(path, rules::topic(prefix.as_deref(), topic));
    let detections = topic("mqtt.detections_topic", &raw.detections_topic);
    let metrics = topic("mqtt.metrics_topic", &raw.metrics_topic);
    let command = topic("control.command_topic", &all.control.command_topic);
    let status = topic("control.status_topic", &all.control.status_topic);
    for (other, name) in [
        (&detections, "mqtt.detections_topic"),
        (&metrics, "mqtt.metrics_topic"),
        (&status, "control.status_topic"),
    ] {
        if command.as_ref().zip(other.as_ref()).is_some_and(|(command, other)| is_below(command, other)) {
            faults.clash("control.command_topic", name, Wrong::BelowOther { other: name });
        }
    }
    (mqtt(raw, prefix, detections, metrics, secrets, faults), command.zip(status))
}

fn is_below(topic: &str, parent: &str) -> bool {
    topic.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn mqtt(
    raw: &raw::Mqtt,
    topic_prefix: Option<String>,
    detections_topic: Option<String>,
    metrics_topic: Option<String>,
    secrets: &Secrets,
    faults: &mut Faults,
) -> Option<Mqtt> {
    let host = faults.keep("mqtt.host", rules::host(&raw.host));
    let port = faults.keep("mqtt.port", rules::int(raw.port, limits::PORT_MIN, limits::PORT_MAX));
    let username = faults.text("mqtt.username", raw.username.as_ref());
    let password_file = faults.text("mqtt.password_file", raw.password_file.as_ref());
    if password_file.flatten().is_some() && raw.username.is_none() {
        faults.clash("mqtt.password_file", "mqtt.username", Wrong::Conflict("needs mqtt.username"));
    }
    let keepalive_s = rules::int(raw.keepalive_s, limits::KEEPALIVE_S_MIN, limits::KEEPALIVE_S_MAX)
        .map(Duration::from_secs);
    let keepalive = faults.keep("mqtt.keepalive_s", keepalive_s);
    let detections_qos = faults.keep("mqtt.detections_qos", rules::qos(raw.detections_qos));
    let queue_len_max = faults.keep(
        "mqtt.queue_len_max",
        rules::int(raw.queue_len_max, limits::QUEUE_LEN_MAX_MIN, limits::QUEUE_LEN_MAX_MAX),
    );
    let tls = raw.tls.as_ref().map(|raw| tls(raw, faults));
    let username = username?;
    Some(Mqtt {
        host: host?,
        port: port?,
        // Without a name there is nobody to log in as.
        password: secrets.mqtt_password.clone().filter(|_| username.is_some()),
        username,
        protocol: raw.protocol,
        keepalive: keepalive?,
        detections_topic: detections_topic?,
        detections_qos: detections_qos?,
        metrics_topic: metrics_topic?,
        queue_len_max: queue_len_max?,
        topic_prefix,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
    })
}

fn tls(raw: &raw::Tls, faults: &mut Faults) -> Option<Tls> {
    let ca_file = faults.text("mqtt.tls.ca_file", raw.ca_file.as_ref());
    let cert_file = faults.text("mqtt.tls.cert_file", raw.cert_file.as_ref());
    let key_file = faults.text("mqtt.tls.key_file", raw.key_file.as_ref());
    match (&raw.cert_file, &raw.key_file) {
        (Some(_), None) => faults.clash(
            "mqtt.tls.cert_file",
            "mqtt.tls.key_file",
            Wrong::Conflict("needs mqtt.tls.key_file"),
        ),
        (None, Some(_)) => faults.clash(
            "mqtt.tls.key_file",
            "mqtt.tls.cert_file",
            Wrong::Conflict("needs mqtt.tls.cert_file"),
        ),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let client = cert_file?.zip(key_file?).map(|(cert_file, key_file)| TlsClient { cert_file, key_file });
    Some(Tls { ca_file: ca_file?, client, required: raw.required.unwrap_or(true) })
}
