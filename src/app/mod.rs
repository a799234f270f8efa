//! Starts every thread from the configuration, top to bottom, and joins them in reverse.
//!
//! One loop owns the state of the instance: signals, the link, reports of cameras and the end of
//! the detector all come to it over channels, and it alone speaks for the instance on MQTT.

mod running;
mod sink;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use crossbeam_channel::{Receiver, never, select, tick};
use serde_json::{Value, json};
use thiserror::Error;
use vigia_core::config::Config;
use vigia_core::stream::{Gate, StreamState};
use vigia_core::time::Instant;

use crate::camera::Report;
use crate::clock;
use crate::detect::DetectError;
use crate::model::{self, ModelError};
use crate::mqtt::{Class, Link, Outbox, Qos, Worker};
use crate::telemetry::Telemetry;
use crate::wire::{self, Identity, Status};
use running::Running;
use sink::Sink;

/// How long the start waits for the broker before it goes on without.
const BROKER_PATIENCE: Duration = Duration::from_secs(10);
/// How long the end waits for what the broker has not taken yet.
const FLUSH_FOR: Duration = Duration::from_secs(2);
/// How long the last detections have to leave before `stopped` is said.
const DETECTIONS_FLUSH_FOR: Duration = Duration::from_millis(300);
/// Stream states that change together are told together.
const STATUS_EVERY: Duration = Duration::from_millis(500);

/// Why the instance could not start or had to end.
#[derive(Debug, Error)]
pub enum AppError {
    #[error("{0}")]
    Model(#[from] ModelError),
    #[error("{0}")]
    Detect(#[from] DetectError),
    #[error("the MQTT link can't be set up: {0}")]
    Mqtt(#[from] crate::mqtt::ConfigError),
    #[error("a thread can't be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("GStreamer can't be started: {0}")]
    Gst(#[from] gst::glib::Error),
}

/// Runs the instance until `stop` is closed or speaks.
///
/// # Errors
/// [`AppError`] if it could not start, or if the detector ended.
pub fn run(config: Config, stop: &Receiver<()>) -> Result<(), AppError> {
    gst::init()?;
    let identity = Identity::new(&config);
    tracing::info!(
        component = "processor",
        event = "processor_start",
        instance_id = identity.instance_id,
        version = env!("CARGO_PKG_VERSION"),
        "starting",
    );
    let worker = Worker::start(crate::link::settings(&config, &identity))?;
    tracing::info!(
        component = "processor",
        event = "mqtt_sink_created",
        topic = config.mqtt.detections_topic,
        "sink created"
    );
    let mut app = App::new(config, identity, worker);
    app.banner();
    let ended = app.live(stop);
    if let Err(error) = &ended {
        tracing::error!(component = "processor", event = "pipeline_start_failed", %error, "ending");
    }
    app.farewell(ended.is_err());
    ended
}

struct App {
    config: Config,
    identity: Identity,
    worker: Option<Worker>,
    outbox: Outbox,
    telemetry: Telemetry,
    status: Status,
    streams: BTreeMap<u32, StreamState>,
    engine: Value,
    started: Instant,
    /// The retained status is older than the truth.
    stale: bool,
}

impl App {
    fn new(config: Config, identity: Identity, worker: Worker) -> Self {
        let streams =
            config.streams.iter().filter(|s| s.enabled).map(|s| (s.source_id, StreamState::Connecting));
        Self {
            outbox: worker.outbox().clone(),
            worker: Some(worker),
            telemetry: Telemetry::default(),
            status: Status::Connected,
            streams: streams.collect(),
            engine: Value::Null,
            started: clock::now(),
            stale: false,
            config,
            identity,
        }
    }

    /// Who we are and where we listen, for the person at the terminal.
    fn banner(&self) {
        let (id, control) = (&self.identity, &self.config.control);
        if !control.enabled {
            return;
        }
        let mut text = format!("instance  {}\ncommands  {}\n", id.instance_id, control.command_topic);
        text.push_str(&format!("status    {}\n", id.status_topic));
        if let Some(interval) = self.config.metrics.interval {
            text.push_str(&format!("metrics   {} every {} s\n", id.metrics_topic, interval.as_secs_f64()));
        }
        // A service has nobody at its standard output.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// From the announcement to the last frame.
    fn live(&mut self, stop: &Receiver<()>) -> Result<(), AppError> {
        let loaded = model::load(&self.config)?;
        self.engine = loaded.describe();
        tracing::info!(component = "processor", event = "pipeline_created", engine = %self.engine, "model loaded");
        if !self.await_broker(stop) {
            return Ok(());
        }
        self.enter(Status::Starting, json!({ "uptime_seconds": 0, "config": wire::announced(&self.config) }));
        tracing::info!(component = "processor", event = "pipeline_start_attempt", "starting streams");
        let sink = Sink::new(&self.config, &self.identity, self.outbox.clone(), self.telemetry.clone());
        let running = Running::start(&self.config, loaded.detector, sink)?;
        self.enter(Status::Running, json!({}));
        tracing::info!(
            component = "processor",
            event = "processor_running",
            streams = self.streams.len(),
            "running"
        );
        let outcome = self.serve(stop, &running);
        tracing::info!(component = "processor", event = "shutdown_cleanup_start", "stopping streams");
        running.stop();
        outcome
    }

    /// Waits for the first connection, so that the announcement comes before the streams.
    /// Returns whether to go on.
    fn await_broker(&mut self, stop: &Receiver<()>) -> bool {
        let Some(worker) = &self.worker else { return true };
        let limit = crossbeam_channel::after(BROKER_PATIENCE);
        loop {
            select! {
                recv(worker.events()) -> event => match event {
                    Ok(Link::Connected { .. }) => break,
                    Ok(_) => {}
                    Err(_) => return true,
                },
                recv(limit) -> _ => {
                    tracing::warn!(
                        component = "processor", event = "control_plane_connection_failed",
                        "no broker yet; going on without, trying again in the background",
                    );
                    return true;
                }
                recv(stop) -> _ => return false,
            }
        }
        self.enter(Status::Connected, json!({}));
        true
    }

    fn serve(&mut self, stop: &Receiver<()>, running: &Running) -> Result<(), AppError> {
        let mut events = self.worker.as_ref().map_or_else(never, |w| w.events().clone());
        let metrics = self.config.metrics.interval.map_or_else(never, tick);
        let soon = tick(STATUS_EVERY);
        loop {
            select! {
                recv(stop) -> _ => {
                    tracing::info!(component = "processor", event = "signal_received", "asked to stop");
                    return Ok(());
                }
                recv(running.reports) -> report => if let Ok(Report { source_id, state }) = report {
                    self.streams.insert(source_id, state);
                    self.stale = true;
                },
                recv(events) -> event => match event {
                    // The broker may have forgotten us, or kept our will.
                    Ok(Link::Connected { .. }) => self.stale = true,
                    Ok(_) => {}
                    Err(_) => events = never(),
                },
                recv(soon) -> _ => if self.stale && self.is_connected() {
                    self.stale = !self.publish_status(json!({}));
                },
                recv(metrics) -> _ => self.publish_metrics(),
                recv(running.ended) -> outcome => {
                    return match outcome {
                        Ok(Err(e)) => Err(e.into()),
                        _ => Ok(()),
                    };
                }
            }
        }
    }

    /// While the link is down states only change; the truth is told when it is up again.
    fn is_connected(&self) -> bool {
        self.worker.as_ref().is_some_and(|w| matches!(w.link(), Link::Connected { .. }))
    }

    fn enter(&mut self, status: Status, extra: Value) {
        self.status = status;
        self.publish_status(extra);
    }

    /// Returns whether the message was taken.
    fn publish_status(&self, extra: Value) -> bool {
        let now = clock::now();
        let mut all = json!({
            "uptime_seconds": now.since(self.started).as_secs(),
            "engine": self.engine,
            "streams": self.streams.iter().map(|(id, s)| wire::stream(*id, s)).collect::<Vec<_>>(),
        });
        if let (Value::Object(all), Value::Object(extra)) = (&mut all, extra) {
            all.extend(extra);
        }
        let payload = self.identity.status(self.status, clock::utc(), all).to_string();
        let topic = &self.identity.status_topic;
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(payload.as_bytes());
        let outcome = self.outbox.publish(Class::Status, topic, Qos::AtLeastOnce, true, write);
        if let Err(refused) = &outcome {
            tracing::error!(component = "processor", event = "status_not_published", %refused, "status lost");
        }
        outcome.is_ok()
    }

    fn publish_metrics(&self) {
        let Some(report) = self.telemetry.report(&self.identity.instance_id, clock::utc(), clock::now())
        else {
            return;
        };
        let write = |buffer: &mut Vec<u8>| write_json(buffer, &report);
        let topic = &self.identity.metrics_topic;
        if let Err(refused) = self.outbox.publish(Class::Latest, topic, Qos::AtMostOnce, true, write) {
            tracing::warn!(component = "metrics_reporter", event = "metrics_error", %refused, "metrics lost");
        }
    }

    /// The last words: `stopped` (or `error`), then `disconnected` with the reason.
    fn farewell(&mut self, failed: bool) {
        // Status overtakes detections in the queue; after `stopped` none may follow.
        let until = clock::now().after(DETECTIONS_FLUSH_FOR);
        while self.outbox.counters().detection.queued > 0 && self.is_connected() && clock::now() < until {
            let _ = never::<()>().recv_timeout(Duration::from_millis(5));
        }
        self.outbox.set_gate(Gate { all_closed: true, ..Gate::default() });
        let last = if failed { Status::Error } else { Status::Stopped };
        // Rates of an instance that is gone would look like those of one that works.
        let _ =
            self.outbox.publish(Class::Latest, &self.identity.metrics_topic, Qos::AtMostOnce, true, |_| {});
        self.enter(last, json!({}));
        self.status = Status::Disconnected;
        self.publish_status(json!({ "reason": "shutdown", "last_status": last }));
        if let Some(worker) = self.worker.take() {
            let farewell = worker.shutdown(FLUSH_FOR);
            if farewell.undelivered > 0 {
                let undelivered = farewell.undelivered;
                tracing::warn!(
                    component = "processor",
                    event = "messages_undelivered",
                    undelivered,
                    "the broker did not take everything"
                );
            }
        }
        tracing::info!(component = "processor", event = "processor_stopped", "stopped");
    }
}

fn write_json(buffer: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Writing JSON of our own types into memory can't fail.
    let _ = serde_json::to_writer(buffer, value);
}
