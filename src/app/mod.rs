//! Starts every thread from the configuration, top to bottom, and joins them in reverse.
//!
//! One loop owns the state of the instance: signals, the link, commands, reports of cameras, what
//! came of long work and the end of the detector all come to it over channels, and it alone speaks
//! for the instance on MQTT. What takes long is the operator's ([`operator`]), what needs
//! the disk the scribe's: the loop waits for neither, unless the disk is hundreds of entries behind.

mod answers;
mod boot;
mod changes;
mod commands;
mod desk;
mod evidence;
mod fires;
mod governor;
mod operator;
mod parts;
mod plans;
mod record;
mod rename;
mod running;
mod sink;
mod standing;
mod trial;
mod updates;
mod voice;
mod watchdog;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select, tick};
use serde_json::{Value, json};
use thiserror::Error;
use vigia_core::config::Config;
use vigia_core::control::{Capability, Desired, Input, Ledger, Machine, Refusal, Status};
use vigia_core::stream::{Gate, StreamState};
use vigia_core::time::Instant;

use crate::camera::Report;
use crate::camera::latest::Latest;
use crate::clock;
use crate::control::journal::JournalError;
use crate::control::keys::Keys;
use crate::control::scribe::Scribe;
use crate::detect::DetectError;
use crate::engines::lost;
use crate::fire::{Fire, FireError};
use crate::liveness::{Pulse, Roster};
use crate::model::ModelError;
use crate::mqtt::{Class, Link, Qos, Worker};
use crate::telemetry::Telemetry;
use crate::throttle::{Held, Throttle};
use crate::update::rest::Beacon;
use crate::update::work::Diary;
use commands::InHand;
use desk::Desk;
use governor::Governor;
use plans::News;
use running::Ended;
use updates::Updates;
use voice::Voices;
use watchdog::Watchdog;

/// How long the start waits for the broker before it goes on without.
const BROKER_PATIENCE: Duration = Duration::from_secs(10);
/// How long the end waits for what the broker has not taken yet.
const FLUSH_FOR: Duration = Duration::from_secs(2);
/// How long the last detections have to leave before `stopped` is said.
const DETECTIONS_FLUSH_FOR: Duration = Duration::from_millis(300);
/// How long cameras and detector have to end.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);
/// A process whose GPU is lost ends within so long, whatever hangs in it; how long cameras and detector have of it.
const LOST_END_WITHIN: Duration = Duration::from_millis(1_800);
const LOST_STOP_WITHIN: Duration = Duration::from_millis(300);
/// Stream states that change together are told together.
const STATUS_EVERY: Duration = Duration::from_millis(500);
/// What cameras reported, for the full metrics.
const UPDATES_LEN_MAX: usize = 512;

/// Why the instance could not start or had to end.
#[derive(Debug, Error)]
pub enum AppError {
    #[error("{0}")]
    Model(#[from] ModelError),
    /// The model or a stream could not be started.
    #[error("{0}")]
    Start(Refusal),
    #[error("{0}")]
    Detect(#[from] DetectError),
    #[error("the MQTT link can't be set up: {0}")]
    Mqtt(#[from] crate::mqtt::ConfigError),
    #[error("{0}")]
    Journal(#[from] JournalError),
    #[error("{0}")]
    Fire(#[from] FireError),
    #[error("{0}")]
    Keys(String),
    #[error("a thread can't be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("GStreamer can't be started: {0}")]
    Gst(#[from] gst::glib::Error),
}

impl AppError {
    /// Whether nothing in this process can be trusted to end by itself.
    fn is_lost(&self) -> bool {
        matches!(self, Self::Detect(DetectError::Dead(_)))
    }
}

/// Reads the configuration again; the text of what is wrong with it otherwise.
pub type Reload = Box<dyn Fn() -> Result<Config, String>>;

/// What the process is asked from outside of MQTT.
#[derive(Debug)]
pub struct Signals {
    pub stop: Receiver<()>,
    /// Read the configuration again (SIGHUP).
    pub reload: Receiver<()>,
}

/// Runs the instance until it is stopped by a signal or a command.
///
/// # Errors
/// [`AppError`] if it could not start, or if the detector ended.
pub fn run(config: Config, reload: Reload, signals: &Signals) -> Result<(), AppError> {
    gst::init()?;
    let mut app = App::new(config, reload)?;
    app.banner();
    let ended = app.serve(signals);
    if let Err(error) = &ended {
        tracing::error!(component = "processor", event = "pipeline_start_failed", %error, "ending");
        if error.is_lost() {
            let noted = lost::note(Path::new(&app.config.detector.plans_dir), clock::utc());
            tracing::error!(
                component = "processor",
                event = "gpu_lost",
                ?noted,
                "only a new process can use the GPU"
            );
            watchdog::end_within(LOST_END_WITHIN)?;
        }
    }
    app.farewell(ended.as_ref().err());
    ended
}

struct App {
    watchdog: Watchdog,
    roster: Roster,
    /// Of the loop.
    pulse: Pulse,
    config: Config,
    reload: Reload,
    worker: Worker,
    voices: Voices,
    latest: Arc<Latest>,
    telemetry: Telemetry,
    machine: Machine,
    desired: Desired,
    ledger: Ledger,
    scribe: Scribe,
    keys: Keys,
    /// What this instance can do beyond the basics.
    active: Vec<Capability>,
    fire: Option<Fire>,
    /// Questions to it without an answer.
    asked: BTreeMap<u64, fires::Asked>,
    asks: u64,
    versions: Updates,
    /// For whoever wants to restart the box.
    beacon: Beacon,
    diary: Diary,
    desk: Desk,
    reports: Receiver<Report>,
    ended: Receiver<Ended>,
    streams: BTreeMap<u32, StreamState>,
    /// What decodes each of them, as status shows it.
    decoders: BTreeMap<u32, Value>,
    updates: VecDeque<Value>,
    engine: Value,
    throttle: Option<Throttle>,
    /// How the GPU is held back.
    held: Option<Held>,
    /// The build that runs.
    build: Option<News>,
    /// Commands to end it.
    cancelling: Vec<InHand>,
    governor: Governor,
    /// The name before the last rename.
    renamed_from: Option<String>,
    /// Other instances and whether they live.
    peers: BTreeMap<String, bool>,
    /// The long command being carried out.
    in_hand: Option<InHand>,
    /// Answers that wait for the journal.
    waiting: BTreeMap<u64, commands::Waiting>,
    /// The stop command that ends the process.
    stopping: Option<InHand>,
    /// The operator was told to start.
    launched: bool,
    started: Instant,
    /// The retained status is older than the truth.
    stale: bool,
}

/// Why the loop ends.
enum End {
    Asked,
    Broken(AppError),
}

impl App {
    fn serve(&mut self, signals: &Signals) -> Result<(), AppError> {
        let metrics = self.config.metrics.interval.map_or_else(never, tick);
        let heartbeat = self.config.control.heartbeat.map_or_else(never, tick);
        let soon = tick(STATUS_EVERY);
        let patience = after(BROKER_PATIENCE);
        loop {
            self.pulse.beat(clock::now());
            self.pulse.worked();
            let pause_over = self.machine.deadline().map_or_else(never, |at| after(at.since(clock::now())));
            // A rename replaces the worker, and with it these.
            let (links, incoming) = (self.worker.events().clone(), self.worker.incoming().clone());
            let (orders, told) =
                self.fire.as_ref().map_or_else(|| (never(), never()), |f| (f.asked.clone(), f.told.clone()));
            let held = self.throttle.as_ref().map_or_else(never, |throttle| throttle.told.clone());
            let (progress, written) = (self.desk.progress.clone(), self.scribe.done.clone());
            let end = select! {
                recv(signals.stop) -> _ => {
                    tracing::info!(component = "processor", event = "signal_received", "asked to stop");
                    Some(End::Asked)
                }
                recv(signals.reload) -> _ => { self.reload_by_signal(); None }
                recv(incoming) -> message => message.ok().and_then(|m| self.take(&m)),
                recv(orders) -> order => { order.iter().for_each(|order| self.hear_order(order)); None }
                recv(told) -> told => { told.into_iter().for_each(|told| self.told(told)); None }
                recv(held) -> held => { self.held_back(held); None }
                recv(self.versions.told) -> told => { told.into_iter().for_each(|told| self.update_told(told)); None }
                recv(links) -> link => { self.link(link.ok()); None }
                recv(self.reports) -> report => { self.reported(report.ok()); None }
                recv(progress) -> told => told.ok().and_then(|p| self.progressed(p)),
                recv(written) -> done => {
                    if let Ok((number, outcome)) = done {
                        self.written(number, outcome);
                    }
                    None
                }
                recv(patience) -> _ => { self.launch("no broker yet; going on without"); None }
                recv(soon) -> _ => { self.refresh(); None }
                recv(metrics) -> _ => { self.publish_metrics(); None }
                recv(heartbeat) -> _ => { self.heartbeat(); None }
                recv(pause_over) -> _ => { self.step(Input::Time); None }
                recv(self.ended) -> ended => match ended {
                    Ok(Err(error)) => Some(End::Broken(error.into())),
                    Ok(Ok(())) | Err(_) => None,
                },
            };
            match end {
                None => {}
                Some(End::Asked) => return Ok(()),
                Some(End::Broken(error)) => return Err(error),
            }
        }
    }

    /// The broker may have forgotten us, or kept our will: the truth is told again.
    fn link(&mut self, link: Option<Link>) {
        match link {
            Some(Link::Connected { .. }) => {
                self.step(Input::LinkUp);
                self.say_update();
                self.launch("the broker answered");
            }
            Some(Link::Down { .. }) => self.step(Input::LinkLost),
            Some(Link::Connecting) | None => {}
        }
    }

    fn reported(&mut self, report: Option<Report>) {
        let Some(Report { source_id, state, decoding }) = report else { return };
        let severity = if matches!(state, StreamState::Reconnecting { .. }) { "WARNING" } else { "INFO" };
        let message = match &state {
            StreamState::Reconnecting { cause } => cause.to_string(),
            other => other.name().to_owned(),
        };
        if self.updates.len() >= UPDATES_LEN_MAX {
            self.updates.pop_front();
        }
        self.updates.push_back(json!({ "source_id": source_id, "severity": severity, "message": message }));
        if self.desired.stream(source_id).is_some() {
            self.streams.insert(source_id, state);
            self.decoders.extend(decoding.map(|d| (source_id, d.describe())));
        }
        self.stale = true;
    }

    /// Tells the state machine what happened, sets the gates as it says, and publishes what it says.
    fn step(&mut self, input: Input) {
        let closes = matches!(input, Input::Pause { .. } | Input::Stop | Input::SetPauses(_));
        let statuses = self.machine.step(clock::now(), input);
        self.set_gates(closes);
        for status in statuses {
            self.publish_status(status, json!({}));
        }
    }

    /// Closing, what is on its way to the wire is stopped first; opening, frames come first (spec
    /// nvr 2.6).
    fn set_gates(&self, closes: bool) {
        let gate = self.gate();
        let outbox = self.voices.load().outbox.clone();
        if closes {
            outbox.set_gate(gate.clone());
            self.latest.set_gate(gate);
        } else {
            self.latest.set_gate(gate.clone());
            outbox.set_gate(gate);
        }
    }

    fn gate(&self) -> Gate {
        let stopped = matches!(self.machine.status(), Status::Stopped | Status::Disconnected);
        Gate {
            all_closed: stopped || self.machine.pauses().is_all_paused(),
            closed: self.desired.source_ids().into_iter().filter(|id| self.machine.is_paused(*id)).collect(),
        }
    }

    /// While the link is down states only change; the truth is told when it is up again.
    fn is_connected(&self) -> bool {
        matches!(self.worker.link(), Link::Connected { .. })
    }

    /// The last words: `stopped` (or `error`), the answer to who asked, then `disconnected`.
    fn farewell(mut self, failed: Option<&AppError>) {
        tracing::info!(component = "processor", event = "shutdown_cleanup_start", "stopping streams");
        self.watchdog.stopping();
        self.pulse.beat(clock::now());
        self.latest.set_gate(Gate { all_closed: true, ..Gate::default() });
        self.desk.close(if failed.is_some_and(AppError::is_lost) { LOST_STOP_WITHIN } else { STOP_WITHIN });
        // Status overtakes detections in the queue; after `stopped` none may follow.
        let outbox = self.voices.load().outbox.clone();
        let until = clock::now().after(DETECTIONS_FLUSH_FOR);
        while outbox.counters().detection.queued > 0 && self.is_connected() && clock::now() < until {
            let _ = never::<()>().recv_timeout(Duration::from_millis(5));
        }
        if let Some(fire) = &self.fire {
            fire.close();
        }
        self.clear_metrics();
        if let Some(error) = failed {
            self.step(Input::Failed);
            outbox.set_gate(Gate { all_closed: true, ..Gate::default() });
            self.publish_status(Status::Error, json!({ "reason": error.to_string() }));
        } else {
            self.step(Input::Stop);
        }
        self.answer_update();
        self.answer_last();
        let last = self.machine.status();
        self.step(Input::Leave);
        self.publish_status(Status::Disconnected, json!({ "reason": "shutdown", "last_status": last }));
        // Waits for the disk, which may be slow, and has a limit of its own.
        self.pulse.beat(clock::now());
        self.scribe.close();
        let farewell = self.worker.shutdown(FLUSH_FOR);
        if farewell.undelivered > 0 {
            let undelivered = farewell.undelivered;
            tracing::warn!(
                component = "processor",
                event = "messages_undelivered",
                undelivered,
                "the broker did not take everything"
            );
        }
        tracing::info!(component = "processor", event = "processor_stopped", "stopped");
    }

    /// Rates of an instance that is gone would look like those of one that works.
    fn clear_metrics(&self) {
        let voice = self.voices.load();
        let topic = &voice.identity.metrics_topic;
        let _ = voice.outbox.publish(Class::Latest, topic, Qos::AtMostOnce, true, |_| {});
    }
}

fn write_json(buffer: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Writing JSON of our own types into memory can't fail.
    let _ = serde_json::to_writer(buffer, value);
}
