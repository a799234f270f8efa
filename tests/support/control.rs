//! A box under command: broker, instance, what it said in the order it said it, and a way to ask.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::broker::{Broker, Seen, Witness, connect, publish, wait_for};
use super::instance::{Instance, await_status};

pub const COMMANDS: &str = "nvr/control/commands";
static REQUESTS: AtomicU32 = AtomicU32::new(0);

pub struct Site {
    pub broker: Broker,
    pub witness: Witness,
    sender: Mutex<TcpStream>,
    /// Of its instances: folder of models, what the environment holds, engine.
    pub models: PathBuf,
    pub environment: Vec<(String, String)>,
    pub engine: &'static str,
}

/// A test picture of 160x120 as a stream.
pub fn picture(source_id: u32, fps: u32) -> String {
    format!("  - {{ source_id: {source_id}, uri: \"test://pattern?width=160&height=120&fps={fps}\" }}\n")
}

/// The shipped models, the smaller one under the name that the documents use.
pub fn two_models(folder: &Path) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for name in ["lookout-n.onnx", "lookout-n.yaml"] {
        std::fs::copy(shipped.join(name), folder.join(name)).expect("it ships");
    }
    std::fs::copy(shipped.join("lookout-n-int8.onnx"), folder.join("yolox_nano.onnx")).expect("it ships");
    let manifest = std::fs::read_to_string(shipped.join("lookout-n-int8.yaml")).expect("it ships");
    std::fs::write(folder.join("yolox_nano.yaml"), manifest.replace("lookout-n-int8", "yolox_nano"))
        .expect("ours");
}

impl Site {
    /// `None`, said aloud, without mosquitto.
    pub fn start() -> Option<Self> {
        let broker = Broker::start("")?;
        let witness = Witness::start(broker.port, "witness", "nvr/#").expect("broker");
        let sender = Mutex::new(connect(broker.port, "technician").expect("broker"));
        Some(Self {
            broker,
            witness,
            sender,
            models: "models".into(),
            environment: Vec::new(),
            engine: "auto",
        })
    }

    /// After the broker was away: the witness and the technician connect anew.
    pub fn reconnect(&mut self) {
        self.witness = Witness::start(self.broker.port, "witness", "nvr/#").expect("broker");
        self.sender = Mutex::new(connect(self.broker.port, "technician").expect("broker"));
    }

    /// An instance that obeys commands.
    pub fn instance(&self, id: &str, streams: &str, more: &str) -> Instance {
        let text = format!(
            "instance_id: {id}\nmqtt: {{ host: 127.0.0.1, port: {}, keepalive_s: 5 }}\nmetrics: {{ interval_s: 0 }}\n\
             stream_defaults: {{ max_fps: 30 }}\ndetector: {{ engine: {} }}\nstreams:\n{streams}{more}",
            self.broker.port, self.engine
        );
        let more = if more.contains("control:") { vec![] } else { vec!["--enable-control"] };
        let environment: Vec<_> = self.environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Instance::with_site(&self.models, &text, &more, &environment)
    }

    /// The same, once it runs.
    pub fn running(&self, id: &str, streams: &str, more: &str) -> Instance {
        let instance = self.instance(id, streams, more);
        await_status(&self.witness, &format!("nvr/control/status/{id}"), "running");
        instance
    }

    pub fn send(&self, payload: &[u8], retain: bool) {
        publish(&mut self.sender.lock(), COMMANDS, payload, retain);
    }

    /// Sends a command under a new name; the name.
    pub fn tell(&self, mut command: Value) -> String {
        let id = format!("r-{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
        if command.get("request_id").is_none() {
            command["request_id"] = json!(id);
        }
        self.send(command.to_string().as_bytes(), false);
        command["request_id"].as_str().expect("text").to_owned()
    }

    /// The final answer to a command.
    pub fn ask(&self, command: Value) -> Value {
        let what = command.to_string();
        let id = self.tell(command);
        self.answer(&id, &what)
    }

    /// Short for a command with parameters.
    pub fn order(&self, name: &str, params: Value) -> Value {
        self.ask(json!({ "command": name, "params": params }))
    }

    pub fn answer(&self, id: &str, what: &str) -> Value {
        wait_for(what, Duration::from_secs(60), || !self.finals(id).is_empty());
        self.finals(id).remove(0)
    }

    /// All final answers to a request, in their order.
    pub fn finals(&self, id: &str) -> Vec<Value> {
        let all = self.acks().into_iter();
        all.filter(|a| a["request_id"] == id && a["ack_status"] != "received").collect()
    }

    pub fn acks(&self) -> Vec<Value> {
        let acks = self.witness.seen().into_iter().filter(|s| s.topic.ends_with("/ack"));
        acks.map(|s| serde_json::from_slice(&s.payload).expect("JSON")).collect()
    }

    /// Detections after the final answer of this request, of all streams, in their order.
    pub fn detections_after(&self, id: &str) -> Vec<Value> {
        let seen = self.witness.seen();
        let at = seen.iter().position(|s| is_final(s, id)).expect("it was answered");
        seen[at..].iter().filter(|s| s.topic.starts_with("nvr/detections/")).map(json_of).collect()
    }

    pub fn count(&self, source_id: u32) -> usize {
        self.witness.count(&format!("nvr/detections/{source_id}"))
    }

    /// Waits for `more` detections of a stream.
    pub fn await_detections(&self, source_id: u32, more: usize) {
        let had = self.count(source_id);
        wait_for(&format!("detections of {source_id}"), Duration::from_secs(30), || {
            self.count(source_id) >= had + more
        });
    }

    /// States of an instance in their order, repetitions left out.
    pub fn states(&self, id: &str) -> Vec<String> {
        let topic = format!("nvr/control/status/{id}");
        let of = self.witness.seen().into_iter().filter(|s| s.topic == topic && !s.payload.is_empty());
        let mut states: Vec<String> =
            of.map(|s| json_of(&s)["status"].as_str().expect("text").to_owned()).collect();
        states.dedup();
        states
    }

    /// The last state an instance told.
    pub fn status(&self, id: &str) -> Value {
        self.last_status(id, |_| true)
    }

    /// The last status that shows an engine, of whatever instance.
    pub fn status_of_any(&self) -> Value {
        let told = self.witness.seen().into_iter().filter(|s| s.topic.starts_with("nvr/control/status/"));
        let mut told = told.filter(|s| !s.payload.is_empty()).map(|s| json_of(&s));
        told.rfind(|status| status["engine"].is_object()).expect("a status")
    }

    /// Its last answer to a ping; another state may have followed.
    pub fn pong(&self, id: &str) -> Value {
        self.last_status(id, |status| status["pong"] == true)
    }

    fn last_status(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let topic = format!("nvr/control/status/{id}");
        let told = self.witness.seen().into_iter().filter(|s| s.topic == topic && !s.payload.is_empty());
        told.map(|s| json_of(&s)).rfind(wanted).expect("a status")
    }
}

fn is_final(seen: &Seen, id: &str) -> bool {
    seen.topic.ends_with("/ack") && {
        let ack = json_of(seen);
        ack["request_id"] == id && ack["ack_status"] != "received"
    }
}

pub fn json_of(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.payload).expect("JSON")
}
