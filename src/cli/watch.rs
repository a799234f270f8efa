//! `vigia watch`: what all instances on a broker detect, live.

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use vigia_core::config::{self as settings, Config, LogLevel};

use super::Failure;
use super::run::signals;
use crate::config::{self, Flag};
use crate::mqtt::{Limits, Qos, Settings, Subscription, Timing, Worker};
use crate::watch::live::{End, Watch};
use crate::watch::{Broker, Model, Topics};
use crate::{clock, link, logging};

/// Messages that may wait to be shown.
const INCOMING_LEN_MAX: usize = 2_048;
/// A viewer has nothing to flush, only a goodbye to say.
const GOODBYE: Duration = Duration::from_millis(300);

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Name or address of the broker [default: localhost]
    #[arg(long, value_name = "HOST")]
    mqtt_host: Option<String>,
    /// TCP port of the broker [default: 1883]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true)]
    mqtt_port: Option<i64>,
    /// A site's configuration file: broker, credentials, topics. Without it, MQTT_USERNAME and
    /// MQTT_PASSWORD are read from the environment
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Topic of detections, without the camera [default: nvr/detections]
    #[arg(long, value_name = "TOPIC")]
    detections_topic: Option<String>,
    /// Topic of statuses, without the instance [default: nvr/control/status]
    #[arg(long, value_name = "TOPIC")]
    status_topic: Option<String>,
    /// Topic of metrics, without the instance [default: nvr/status/metrics]
    #[arg(long, value_name = "TOPIC")]
    metrics_topic: Option<String>,
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Lines of text, even on a terminal
    #[arg(long)]
    plain: bool,
}

impl Args {
    fn load(&self) -> Result<Config, Failure> {
        let mut flags = Vec::new();
        if let Some(host) = &self.mqtt_host {
            flags.push(Flag::new("mqtt.host", host.as_str(), "--mqtt-host"));
        }
        if let Some(port) = self.mqtt_port {
            flags.push(Flag::new("mqtt.port", port, "--mqtt-port"));
        }
        config::load(None, self.config.as_deref(), config::process_environment(), flags)
            .map_err(Failure::usage)
    }

    /// A topic given here is meant as it stands, without the site's prefix.
    fn topics(&self, config: &Config) -> Topics {
        let of = |flag: &Option<String>, configured: &String| {
            flag.as_ref().map_or_else(|| configured.clone(), |t| t.trim_end_matches('/').to_owned())
        };
        Topics {
            detections: of(&self.detections_topic, &config.mqtt.detections_topic),
            status: of(&self.status_topic, &config.control.status_topic),
            metrics: of(&self.metrics_topic, &config.mqtt.metrics_topic),
            site: config.topic(""),
        }
    }
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let config = args.load()?;
    let topics = args.topics(&config);
    let plain = args.plain || !stdout().is_terminal();
    if plain {
        // A screen must not be written over. Changes of the link are told by the view itself.
        let log = settings::Log { level: LogLevel::Error, json: false, file: None };
        logging::start(&log).map_err(Failure::failed)?;
    }
    let stop = signals().map_err(Failure::failed)?;
    let broker = broker(&config.mqtt, &topics);
    let address = broker.address.clone();
    let worker = Worker::start(worker_settings(&config.mqtt, &topics)).map_err(Failure::usage)?;
    let now = clock::now();
    let until = args.seconds.map(|s| now.after(Duration::from_secs(s)));
    let mut watch = Watch { model: Model::new(broker, topics, now, clock::utc()), worker, stop, until };
    let end = if plain {
        watch.lines(&mut stdout()).map_err(Failure::failed)
    } else {
        watch.screen().map_err(|e| Failure::Failed(format!("the screen failed: {e}; --plain needs none")))
    };
    let Watch { model, worker, .. } = watch;
    // Nothing was published, so nothing can be owed.
    let _ = worker.shutdown(GOODBYE);
    match end? {
        End::TimeUp if !model.reached() => {
            let seconds = args.seconds.unwrap_or_default();
            let why = model.why_down().map_or_else(|| "no answer yet".to_owned(), ToString::to_string);
            Err(Failure::Failed(format!("broker {address} was not reached within {seconds} s: {why}")))
        }
        End::TimeUp | End::Asked => Ok(()),
    }
}

fn worker_settings(mqtt: &settings::Mqtt, topics: &Topics) -> Settings {
    let subscription = |filter| Subscription { filter, qos: Qos::AtMostOnce };
    Settings {
        component: "watch",
        broker: link::broker(mqtt, format!("vigia-watch-{:08x}", fastrand::u32(..)), None),
        subscriptions: topics.filters().map(subscription).to_vec(),
        limits: Limits { incoming_len_max: INCOMING_LEN_MAX, ..Limits::default() },
        timing: Timing::default(),
        clock: clock::now,
    }
}

fn broker(mqtt: &settings::Mqtt, topics: &Topics) -> Broker {
    let (host, port) = (&mqtt.host, mqtt.port);
    let user = mqtt.username.as_ref().map(|u| format!(" -u '{u}' -P \"$MQTT_PASSWORD\"")).unwrap_or_default();
    let tls = mqtt.tls.as_ref().and_then(|t| t.ca_file.as_ref()).map(|f| format!(" --cafile '{f}'"));
    let tls = tls.unwrap_or_default();
    let raw_command = format!("mosquitto_sub -h {host} -p {port}{user}{tls} -t '{}/#' -v", topics.detections);
    Broker { address: format!("{host}:{port}"), raw_command }
}
