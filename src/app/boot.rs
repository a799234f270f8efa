//! From the configuration and the journal to an instance that listens; then its streams.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use crossbeam_channel::unbounded;
use serde_json::Value;
use vigia_core::config::{Config, Engine, StreamUri};
use vigia_core::control::{COMMANDS, Desired, Entry, Input, Ledger, Machine, Refusal, Saved, available};
use vigia_core::control::{Capability, Code};
use vigia_core::stream::StreamState;

use super::desk::{Desk, Job, Tools};
use super::governor::Governor;
use super::sink::Sink;
use super::updates::Updates;
use super::voice::Voice;
use super::watchdog::Watchdog;
use super::{App, AppError, Reload, evidence};
use crate::camera::latest::Latest;
use crate::clock;
use crate::control::keys::Keys;
use crate::control::scribe::{Kept, Scribe};
use crate::detect::manifest;
use crate::fire::Fire;
use crate::liveness::{Part, Pulse, Roster};
use crate::model::ModelError;
use crate::mqtt::Worker;
use crate::telemetry::Telemetry;
use crate::throttle::Throttle;
use crate::update::rest::Beacon;
use crate::update::work::Diary;
use crate::wire::Identity;

/// What this instance can do beyond the basics.
fn active(config: &Config) -> Vec<Capability> {
    let fire = config.fire.as_ref().map(|_| Capability::Fire);
    let pump = config.pump.as_ref().map(|_| Capability::Pump);
    let update = Updates::is_there().then_some(Capability::Update);
    [Some(Capability::Journal), fire, pump, update].into_iter().flatten().collect()
}

/// Only a GPU's work can be held back.
fn throttle(config: &Config) -> std::io::Result<Option<Throttle>> {
    let may_be_gpu = matches!(config.detector.engine, Engine::Auto | Engine::TensorRt);
    may_be_gpu.then(Throttle::start).transpose()
}

impl App {
    pub(super) fn new(config: Config, reload: Reload) -> Result<Self, AppError> {
        let identity = Identity::new(&config);
        tracing::info!(
            component = "processor",
            event = "processor_start",
            instance_id = identity.instance_id,
            version = env!("CARGO_PKG_VERSION"),
            "starting",
        );
        let (roster, pulse) = (Roster::default(), Pulse::default());
        roster.watch(Part::App, None, &pulse);
        let watchdog = Watchdog::start(roster.clone())?;
        let keys = Keys::of(&config.control).map_err(AppError::Keys)?;
        let (scribe, kept) = Scribe::open(config.control.journal.as_deref())?;
        let mut machine = Machine::default();
        let desired = wanted(&config, &kept, &mut machine);
        // A model that isn't there is said at once; loading it takes longer.
        let models = Path::new(&config.detector.models_dir);
        let gone = manifest::locate(models, &desired.model).map_err(ModelError::from);
        // The operator falls back to the configured one.
        gone.or_else(|e| {
            let other = desired.model != config.detector.model;
            manifest::locate(models, &config.detector.model).ok().filter(|_| other).ok_or(e)
        })?;
        let fire = Fire::start(&config, &identity, &desired.streams, &roster)?;
        let feed = fire.as_ref().and_then(Fire::feed);
        let worker = Worker::start(crate::link::settings(&config, &identity))?;
        roster.watch(Part::Mqtt, None, worker.pulse());
        let outbox = worker.outbox().clone();
        let voices = Arc::new(ArcSwap::from_pointee(Voice { identity, outbox }));
        let (latest, telemetry) = (Arc::<Latest>::default(), Telemetry::default());
        roster.watch(Part::Frames, None, &latest.pulse());
        let (witness, inquiry) = evidence::pair();
        let (told, reports) = unbounded();
        let (done, ended) = unbounded();
        let parts = (config.clone(), voices.clone(), telemetry.clone());
        let sink =
            move || Sink::new(&parts.0, parts.1.clone(), parts.2.clone(), witness.clone(), feed.clone());
        let tools = Tools {
            config: config.clone(),
            latest: Arc::clone(&latest),
            inquiry,
            sink: Box::new(sink),
            reports: told,
            ended: done,
            roster: roster.clone(),
        };
        let desk = Desk::open(tools, desired.clone())?;
        let streams = desired.source_ids().into_iter().map(|id| (id, StreamState::Connecting)).collect();
        let app = Self {
            watchdog,
            roster,
            pulse,
            reload,
            worker,
            voices,
            latest,
            telemetry,
            machine,
            ledger: remembered(&kept),
            scribe,
            keys,
            active: active(&config),
            fire,
            asked: BTreeMap::new(),
            asks: 0,
            versions: Updates::new(),
            beacon: Beacon::from_environment(),
            diary: Diary::from_environment(),
            desk,
            reports,
            ended,
            streams,
            decoders: BTreeMap::new(),
            updates: VecDeque::new(),
            engine: Value::Null,
            throttle: throttle(&config)?,
            held: None,
            build: None,
            cancelling: Vec::new(),
            governor: Governor::new(clock::now()),
            renamed_from: None,
            peers: BTreeMap::new(),
            in_hand: None,
            waiting: BTreeMap::new(),
            stopping: None,
            launched: false,
            started: clock::now(),
            stale: false,
            desired,
            config,
        };
        app.set_gates(true);
        Ok(app)
    }

    /// Who we are and where we listen, for the person at the terminal.
    pub(super) fn banner(&self) {
        let control = &self.config.control;
        if !control.enabled {
            return;
        }
        let voice = self.voices.load();
        let (id, topic) = (&voice.identity, &control.command_topic);
        let mut text = format!("instance  {}\ncommands  {topic}\n", id.instance_id);
        text.push_str(&format!("status    {}\n", id.status_topic));
        if let Some(interval) = self.config.metrics.interval {
            text.push_str(&format!("metrics   {} every {} s\n", id.metrics_topic, interval.as_secs_f64()));
        }
        for spec in available(&self.active) {
            let params = if spec.example.is_empty() { "{}" } else { spec.example };
            text.push_str(&format!(
                "  {{\"command\":\"{}\",\"params\":{params}}}  {}\n",
                spec.name, spec.summary
            ));
        }
        text.push_str("  \"target_instances\":[\"NAME\",…] addresses some; without it all obey\n");
        tracing::info!(
            component = "processor",
            event = "commands_registered",
            count = available(&self.active).count(),
            known = COMMANDS.len(),
            "commands registered"
        );
        // A service has nobody at its standard output.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// Lets the operator start the streams, once.
    pub(super) fn launch(&mut self, why: &str) {
        if std::mem::replace(&mut self.launched, true) {
            return;
        }
        if !self.is_connected() {
            tracing::warn!(component = "processor", event = "control_plane_connection_failed", "{why}");
        }
        self.answer_interrupted();
        self.tell_version();
        tracing::info!(component = "processor", event = "pipeline_start_attempt", "starting streams");
        self.desk.give(Job::Start(self.desired.clone()));
    }
}

/// The configuration with what commands changed before the last end.
fn wanted(config: &Config, kept: &Kept, machine: &mut Machine) -> Desired {
    if let Some(seq) = kept.broken_at {
        tracing::error!(
            component = "journal",
            event = "audit_tampered",
            seq,
            "the audit was changed from outside"
        );
    }
    let Some(text) = &kept.desired else { return Desired::of(config) };
    let saved: Saved = match serde_json::from_str(text) {
        Ok(saved) => saved,
        Err(error) => {
            tracing::error!(component = "journal", event = "desired_unreadable", %error, "starting as configured");
            return Desired::of(config);
        }
    };
    let address = |(id, text): (&u32, &String)| Some((*id, StreamUri::parse(text).ok()?));
    let restored = saved.overlay.onto(config, &kept.secrets.iter().filter_map(address).collect());
    tracing::info!(
        component = "journal",
        event = "desired_restored",
        outdated = restored.outdated.join(", "),
        lost = ?restored.lost,
        "going on with what commands changed",
    );
    let pauses = saved.pauses(clock::now(), clock::utc());
    let _silent_yet = machine.step(clock::now(), Input::SetPauses(pauses));
    restored.desired
}

/// Requests answered before; what the process died over is answered now.
fn remembered(kept: &Kept) -> Ledger {
    let entries = kept.answers.iter().filter_map(|(_, text)| serde_json::from_str::<Entry>(text).ok());
    Ledger::restore(entries, clock::utc())
}

/// What a request in the middle of which the process ended gets as its answer.
pub(super) fn interrupted() -> Refusal {
    Refusal::new(Code::Interrupted, "the process ended while it was carried out; ask for the status")
}
