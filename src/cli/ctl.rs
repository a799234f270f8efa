//! `vigia ctl`: one command over MQTT, and its final answer.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::{Map, Value, json};
use vigia_core::config::{Config, LogLevel};
use vigia_core::control::{Ack, AckStatus, Capability, Command};

use super::parts::Parts;
use super::{Failure, print};
use crate::clock;
use crate::config::{self, Flag};
use crate::logging;
use crate::mqtt::{Class, Incoming, Limits, Link, Outbox, Qos, Settings, Subscription, Timing, Worker};
use crate::{link, mqtt};

/// How long instances have to answer a ping that addresses nobody in particular.
const DISCOVERY: Duration = Duration::from_secs(2);
const GOODBYE: Duration = Duration::from_millis(300);
/// What an instance may be able to do; it says itself what it can't.
const ALL: &[Capability] = &[Capability::Journal, Capability::Fire, Capability::Pump, Capability::Update];
const INCOMING_LEN_MAX: usize = 4_096;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Exit codes: 0 completed, 1 refused, failed or no answer, 2 wrong usage.\n\
    Examples:\n  vigia ctl ping\n  vigia ctl pause source_id=2 timeout_s=60 --instance hall\n  \
    vigia ctl change_model model_id=lookout-n --instance hall\n  vigia ctl pump status --instance hall\n  vigia ctl batch_commands '{\"commands\":[…]}'")]
pub struct Args {
    /// Name of the command; `vigia ctl ping` finds the instances
    command: String,
    /// Its parameters: NAME=VALUE, or one JSON object
    params: Vec<String>,
    /// Whom it is for; several times for several [default: all]
    #[arg(long = "instance", value_name = "ID")]
    instances: Vec<String>,
    /// Seconds to wait for the final answer
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    timeout: f64,
    /// The answers as JSON lines
    #[arg(long)]
    json: bool,
    /// Where to write what `support_bundle` brings; it must not be there yet
    #[arg(long, value_name = "FILE.tar.gz")]
    out: Option<PathBuf>,
    /// A request that was sent before gets its stored answer [default: a new name]
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// The site's configuration file, for the broker and the topics
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long)]
    mqtt_host: Option<String>,
    #[arg(long)]
    mqtt_port: Option<u16>,
    /// What was asked for, and no word on how that went
    #[arg(skip)]
    answer_only: bool,
}

impl Args {
    /// A question whose answer alone is shown.
    pub fn question(command: &str, params: Vec<String>, to: Asked) -> Self {
        Self {
            command: command.to_owned(),
            params,
            instances: to.instances,
            timeout: to.timeout,
            json: to.json,
            out: None,
            request_id: None,
            config: to.config,
            mqtt_host: to.mqtt_host,
            mqtt_port: to.mqtt_port,
            answer_only: true,
        }
    }
}

/// Whom a question is for, and how its answer is shown.
#[derive(Debug, ClapArgs)]
pub struct Asked {
    /// Whom it is for; several times for several [default: all]
    #[arg(long = "instance", value_name = "ID")]
    instances: Vec<String>,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    timeout: f64,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
    /// The site's configuration file, for the broker and the topics
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long)]
    mqtt_host: Option<String>,
    #[arg(long)]
    mqtt_port: Option<u16>,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let params = match args.command.to_ascii_lowercase().as_str() {
        "pump" => action_params(&args.params, None)?,
        "update" => action_params(&args.params, Some("bundle"))?,
        _ => params(&args.params)?,
    };
    let parts = Parts::wanted(&args.command, args.out.as_deref(), &args.instances)?;
    // The instance has the last word, but a typing error needs no round trip.
    Command::parse(&args.command, &params, ALL).map_err(|e| Failure::usage(e.message))?;
    let timeout = Duration::try_from_secs_f64(args.timeout).map_err(|_| {
        Failure::Usage(format!("--timeout must be a number of seconds, got {}", args.timeout))
    })?;
    let config = load(args)?;
    let log = vigia_core::config::Log { level: LogLevel::Error, json: false, file: None };
    let _log = logging::start(&log).map_err(Failure::failed)?;
    let worker = Worker::start(settings(&config, parts.is_some())).map_err(Failure::usage)?;
    let (answered, working) = (Vec::new(), BTreeSet::new());
    let mut call = Call { args, config: &config, worker: &worker, answered, working, parts };
    let outcome = call.make(params, timeout);
    let _ = worker.shutdown(GOODBYE);
    outcome
}

/// `vigia ctl pump stop` is short for `action=stop`, `vigia ctl update install X` for `action=install bundle=X`.
fn action_params(given: &[String], of: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let is_word = |word: &str| !word.contains('=') && !word.trim_start().starts_with('{');
    let action = |word: &str| ("action".to_owned(), Value::from(word));
    match (given, of) {
        ([word], _) if is_word(word) => Ok(Map::from_iter([action(word)])),
        ([word, what], Some(name)) if is_word(word) && !what.starts_with(&format!("{name}=")) => {
            Ok(Map::from_iter([action(word), (name.to_owned(), Value::from(what.as_str()))]))
        }
        _ => params(given),
    }
}

/// One object, or pairs whose values are JSON where they can be.
fn params(given: &[String]) -> Result<Map<String, Value>, Failure> {
    if let [one] = given
        && one.trim_start().starts_with('{')
    {
        let parsed = serde_json::from_str(one);
        return parsed.map_err(|e| Failure::Usage(format!("the parameters are no JSON object: {e}")));
    }
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::Usage(format!("`{text}` must be NAME=VALUE, or one JSON object for all"))
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok((name.to_owned(), value))
    };
    given.iter().map(pair).collect()
}

fn load(args: &Args) -> Result<Config, Failure> {
    let mut flags = Vec::new();
    if let Some(host) = &args.mqtt_host {
        flags.push(Flag::new("mqtt.host", Value::from(host.as_str()), "--mqtt-host"));
    }
    if let Some(port) = args.mqtt_port {
        flags.push(Flag::new("mqtt.port", Value::from(port), "--mqtt-port"));
    }
    config::load(None, args.config.as_deref(), config::process_environment(), flags).map_err(Failure::usage)
}

fn settings(config: &Config, wants_parts: bool) -> Settings {
    let status = &config.control.status_topic;
    let to = |filter: String| Subscription { filter, qos: Qos::AtLeastOnce };
    let topics = ["+", "+/ack", "+/health", "+/history", "+/why", "+/pump", "+/update", "metrics/+"];
    let topics = topics.into_iter().chain(wants_parts.then_some("+/support"));
    Settings {
        component: "ctl",
        broker: link::broker(&config.mqtt, format!("vigia-ctl-{:08x}", fastrand::u32(..)), None),
        subscriptions: topics.map(|rest| to(format!("{status}/{rest}"))).collect(),
        limits: Limits { incoming_len_max: INCOMING_LEN_MAX, ..Limits::default() },
        timing: Timing::default(),
        clock: clock::now,
    }
}

struct Call<'c> {
    args: &'c Args,
    config: &'c Config,
    worker: &'c Worker,
    /// Instances with a final answer, and whether it was `completed`.
    answered: Vec<(String, bool)>,
    /// Those that are at it.
    working: BTreeSet<String>,
    /// Of a support bundle.
    parts: Option<Parts>,
}

impl Call<'_> {
    fn make(&mut self, params: Map<String, Value>, timeout: Duration) -> Result<(), Failure> {
        let until = clock::now().after(timeout);
        self.connect(timeout)?;
        let request_id =
            self.args.request_id.clone().unwrap_or_else(|| format!("ctl-{:016x}", fastrand::u64(..)));
        self.send(params, &request_id)?;
        // Nobody knows how many there are: all who answer in time.
        let discovers = self.args.instances.is_empty();
        let quiet = clock::now().after(DISCOVERY.min(timeout));
        loop {
            let enough =
                !discovers && self.answered.len() >= self.args.instances.len() && !self.wants_parts();
            // Those found so far are done; who has not spoken by now is not there.
            let idle = discovers && !self.answered.is_empty() && self.working.is_empty();
            if enough || (idle && clock::now() >= quiet) {
                break;
            }
            let left = if idle { quiet } else { until }.since(clock::now());
            match self.worker.incoming().recv_timeout(left) {
                Ok(message) => self.heard(&message, &request_id)?,
                Err(_) if idle => break,
                Err(_) => return Err(self.no_answer(timeout)),
            }
        }
        match self.answered.iter().any(|(_, completed)| !completed) {
            false if self.parts.is_some() => self.keep_parts(),
            true => Err(Failure::Failed(format!("{} was not completed everywhere", self.args.command))),
            false => Ok(()),
        }
    }

    /// Its answer may overtake them.
    fn wants_parts(&self) -> bool {
        let completed = self.answered.iter().any(|(_, completed)| *completed);
        completed && self.parts.as_ref().is_some_and(|parts| !parts.are_all())
    }

    fn keep_parts(&mut self) -> Result<(), Failure> {
        let Some(parts) = self.parts.take() else { return Ok(()) };
        let path = parts.keep()?;
        if self.args.json { Ok(()) } else { print(&format!("{path}: look into it before you send it")) }
    }

    fn connect(&self, timeout: Duration) -> Result<(), Failure> {
        let until = clock::now().after(timeout);
        loop {
            match self.worker.events().recv_timeout(until.since(clock::now())) {
                Ok(Link::Connected { .. }) => return Ok(()),
                Ok(_) => {}
                Err(_) => {
                    let why = match self.worker.link() {
                        Link::Down { cause } => cause.to_string(),
                        Link::Connecting | Link::Connected { .. } => "no answer".to_owned(),
                    };
                    return Err(Failure::Failed(format!("the broker was not reached: {why}")));
                }
            }
        }
    }

    fn send(&self, params: Map<String, Value>, request_id: &str) -> Result<(), Failure> {
        let mut command = json!({
            "command": self.args.command,
            "params": params,
            "request_id": request_id,
            "issued_at": clock::utc(),
        });
        if !self.args.instances.is_empty() {
            command["target_instances"] = json!(self.args.instances);
        }
        let text = command.to_string();
        let topic = self.config.control.command_topic.as_str().into();
        let outbox: &Outbox = self.worker.outbox();
        let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(text.as_bytes());
        outbox.publish(Class::Ack, &topic, mqtt::Qos::AtLeastOnce, false, write).map_err(Failure::failed)
    }

    fn heard(&mut self, message: &Incoming, request_id: &str) -> Result<(), Failure> {
        if message.retained {
            return Ok(());
        }
        let rest = message.topic.strip_prefix(self.config.control.status_topic.as_str()).unwrap_or_default();
        match serde_json::from_slice::<Ack>(&message.payload) {
            Ok(ack) if rest.ends_with("/ack") && ack.request_id.as_deref() == Some(request_id) => {
                self.acknowledged(&ack)
            }
            _ if rest.ends_with("/support") => {
                self.parts.as_mut().map_or(Ok(()), |parts| parts.take(&message.payload, request_id))
            }
            _ => self.told(rest, &message.payload),
        }
    }

    fn acknowledged(&mut self, ack: &Ack) -> Result<(), Failure> {
        if self.args.json && !self.args.answer_only {
            print(&serde_json::to_string(ack).map_err(Failure::failed)?)?;
        }
        if ack.ack_status == AckStatus::Received {
            self.progress(&ack.instance_id, "received, working on it");
            self.working.insert(ack.instance_id.clone());
            return Ok(());
        }
        self.working.remove(&ack.instance_id);
        let completed = ack.ack_status == AckStatus::Completed;
        self.answered.push((ack.instance_id.clone(), completed));
        if self.args.json || (self.args.answer_only && completed) {
            return Ok(());
        }
        let took = ack.duration_ms.unwrap_or_default();
        let mut line =
            format!("{}: {} in {took:.0} ms", ack.instance_id, if completed { "completed" } else { "error" });
        if !ack.message.is_empty() {
            line.push_str(&format!(": {}", ack.message));
        }
        if let Some(effect) = &ack.effect {
            line.push_str(&format!("\n  {}", serde_json::to_string(effect).map_err(Failure::failed)?));
        }
        print(&line)
    }

    /// For who waits at a terminal.
    fn progress(&self, instance: &str, what: &str) {
        if !self.args.json && stderr().is_terminal() {
            let _ = writeln!(stderr(), "{instance}: {what}");
        }
    }

    /// What a query made an instance say: shown as it is.
    fn told(&self, rest: &str, payload: &[u8]) -> Result<(), Failure> {
        let wanted = match self.args.command.to_ascii_lowercase().as_str() {
            "health" => rest.ends_with("/health"),
            "history" => rest.ends_with("/history"),
            "why" => rest.ends_with("/why"),
            "pump" => rest.ends_with("/pump"),
            "update" => rest.ends_with("/update"),
            "metrics" => rest.starts_with("/metrics/"),
            "ping" | "status" => !rest.trim_start_matches('/').contains('/'),
            _ => false,
        };
        let Ok(value) = serde_json::from_slice::<Value>(payload) else { return Ok(()) };
        let who = rest.trim_start_matches('/');
        if self.working.contains(who)
            && let Some(state) = value["status"].as_str()
        {
            self.progress(who, state);
        }
        if let Some(who) = who.strip_suffix("/update")
            && self.working.contains(who)
            && let Some(text) = value["update"]["text"].as_str().filter(|_| value["history"].is_null())
        {
            self.progress(who, &format!("{} %, {text}", value["update"]["percent"]));
            return Ok(());
        }
        let pongs = self.args.command.eq_ignore_ascii_case("ping");
        if !wanted || (pongs && value["pong"] != true) {
            return Ok(());
        }
        if self.args.json {
            return print(&value.to_string());
        }
        if let Some(lines) = super::why::lines(&value) {
            return print(&lines);
        }
        print(&format!("{value:#}"))
    }

    fn no_answer(&self, timeout: Duration) -> Failure {
        let missing: Vec<&str> = self
            .args
            .instances
            .iter()
            .map(String::as_str)
            .chain(self.working.iter().map(String::as_str))
            .filter(|id| self.answered.iter().all(|(known, _)| known != id))
            .collect();
        let who = if missing.is_empty() { "any instance".to_owned() } else { missing.join(", ") };
        Failure::Failed(format!("no final answer of {who} within {} s", timeout.as_secs_f64()))
    }
}
