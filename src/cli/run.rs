//! `vigia run` and `vigia check-config`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use crossbeam_channel::{Receiver, bounded};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use vigia_core::config::{Config, select};
use vigia_core::control::Code;

use super::Failure;
use crate::app::{self, AppError, Signals};
use crate::clock;
use crate::config::{self, Flag};
use crate::logging;

/// Signals closer together than this are one.
const SAME_WISH: Duration = Duration::from_millis(500);

/// Flags of the processor (spec nvr 1.1) beside the configuration file.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The site's configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The board's file, from hardware/
    #[arg(long, value_name = "FILE")]
    board: Option<PathBuf>,
    /// Number of rooms when none are selected otherwise [default: 6]
    #[arg(long)]
    n: Option<u32>,
    /// First room
    #[arg(long)]
    start: Option<u32>,
    /// Last room, with --start
    #[arg(long)]
    end: Option<u32>,
    /// Rooms by number: "1, 3,6"
    #[arg(long, value_name = "LIST")]
    streams: Option<String>,
    /// Model id
    #[arg(long)]
    model: Option<String>,
    /// Folder of model manifests
    #[arg(long, value_name = "DIR")]
    models_dir: Option<String>,
    /// auto, openvino or rten
    #[arg(long)]
    engine: Option<String>,
    /// Folder of libopenvino_c.so
    #[arg(long, value_name = "DIR")]
    openvino_dir: Option<String>,
    #[arg(long)]
    mqtt_host: Option<String>,
    #[arg(long, allow_negative_numbers = true)]
    mqtt_port: Option<i64>,
    /// Most frames per second and stream; fractions are fine
    #[arg(long, allow_negative_numbers = true)]
    max_fps: Option<f64>,
    /// RTSP base address of the rooms
    #[arg(long, value_name = "URL")]
    stream_server: Option<String>,
    /// Take commands over MQTT
    #[arg(long)]
    enable_control: bool,
    #[arg(long, value_name = "TOPIC")]
    control_topic: Option<String>,
    /// Prefix of the status topics
    #[arg(long, value_name = "TOPIC")]
    status_topic: Option<String>,
    /// Log lines as JSON
    #[arg(long)]
    json_logs: bool,
    /// Seconds between metrics, 0 for none
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    metrics_interval: Option<f64>,
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
}

impl Args {
    fn flags(&self) -> Result<Vec<Flag>, Failure> {
        let mut flags = Vec::new();
        let mut add = |path: &str, value: Option<Value>, name: &str| {
            if let Some(value) = value {
                flags.push(Flag::new(path, value, name));
            }
        };
        let text = |v: &Option<String>| v.clone().map(Value::from);
        add("detector.model", text(&self.model), "--model");
        add("detector.models_dir", text(&self.models_dir), "--models-dir");
        add("detector.engine", text(&self.engine), "--engine");
        add("detector.openvino_dir", text(&self.openvino_dir), "--openvino-dir");
        add("mqtt.host", text(&self.mqtt_host), "--mqtt-host");
        add("mqtt.port", self.mqtt_port.map(Value::from), "--mqtt-port");
        add("stream_server", text(&self.stream_server), "--stream-server");
        add("control.enabled", self.enable_control.then_some(Value::Bool(true)), "--enable-control");
        add("control.command_topic", text(&self.control_topic), "--control-topic");
        add("control.status_topic", text(&self.status_topic), "--status-topic");
        add("log.json", self.json_logs.then_some(Value::Bool(true)), "--json-logs");
        add("metrics.interval_s", self.metrics_interval.map(Value::from), "--metrics-interval");
        add("instance_id", text(&self.instance_id), "--instance-id");
        add("stream_defaults.max_fps", self.max_fps.map(Value::from), "--max-fps");
        let chosen = self.n.is_some() || self.start.is_some() || self.end.is_some() || self.streams.is_some();
        if chosen {
            let rooms = select(self.n.unwrap_or(6), self.start, self.end, self.streams.as_deref())
                .map_err(Failure::usage)?;
            flags.push(Flag::rooms(&rooms, "--streams"));
        } else if self.config.is_some() && self.max_fps.is_some() {
            flags.push(Flag::new("streams[*].max_fps", Value::from(self.max_fps), "--max-fps"));
        }
        Ok(flags)
    }
}

pub fn run(args: Args) -> Result<(), Failure> {
    let flags = args.flags()?;
    let load = move || {
        let env = config::process_environment();
        config::load(args.board.as_deref(), args.config.as_deref(), env, flags.clone())
    };
    let config = load().map_err(Failure::usage)?;
    let _log = logging::start(&config.log).map_err(|e| Failure::Usage(format!("log.file: {e}")))?;
    let stop = signals().map_err(Failure::failed)?;
    let signals = Signals { stop, reload: hangups().map_err(Failure::failed)? };
    let reload = Box::new(move || load().map_err(|e| e.to_string()));
    app::run(config, reload, &signals).map_err(|e| match e {
        AppError::Model(_)
        | AppError::Mqtt(_)
        | AppError::Journal(_)
        | AppError::Fire(_)
        | AppError::Keys(_) => Failure::usage(e),
        AppError::Start(refusal) if refusal.code == Code::BadModel => Failure::usage(refusal),
        e => Failure::failed(e),
    })
}

/// SIGINT and SIGTERM ask to stop; a second one ends the process at once.
pub fn signals() -> std::io::Result<Receiver<()>> {
    let (tell, stop) = bounded(1);
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked = None;
        for _ in signals.forever() {
            let now = clock::now();
            // A supervisor may signal the process and its group: that is one wish.
            if now.since(*asked.get_or_insert(now)) > SAME_WISH {
                std::process::exit(130);
            }
            let _ = tell.try_send(());
        }
    })?;
    Ok(stop)
}

/// SIGHUP asks to read the configuration again.
fn hangups() -> std::io::Result<Receiver<()>> {
    // Several at once are one wish.
    let (tell, reload) = bounded(1);
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP])?;
    std::thread::Builder::new().name("hangups".into()).spawn(move || {
        for _ in signals.forever() {
            let _ = tell.try_send(());
        }
    })?;
    Ok(reload)
}

pub fn check(file: &Path, board: Option<&Path>) -> Result<(), Failure> {
    let config: Config =
        config::load(board, Some(file), config::process_environment(), Vec::new()).map_err(Failure::usage)?;
    super::print(&format!("{:#}", serde_json::to_value(&config).map_err(Failure::failed)?))
}
