//! Outside cameras that speak, a pump program beside vigia, and what both say on MQTT.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::broker::{Seen, Witness, connect, publish, rest, wait_for};
use super::control::Site;
use super::shared;

/// Two cameras that others speak for, and rules that are quick about it.
pub const OUTSIDE: &str = "\
fire:
  cameras: [{ name: north }, { name: south }]
  growth_span_s: 1
  window_s: 10
  camera_timeout_s: 10
  heartbeat_s: 1
";

/// A plan that is over soon.
const PLAN: &str = "
  preset: wildfire_engine
  inputs:
    engine_run: {broken_reads: inactive}
    engine_turning: {broken_reads: inactive}
    float_high: {broken_reads: inactive}
    emergency_stop: {broken_reads: active}
    valve_open: {broken_reads: inactive}
  timings:
    pre_open_s: 0
    valve_travel_s_max: 1
    prime_s: 0.1
    crank_s: 1
    run_s_max: 60
    fire_off_s: 3
    throttle_lead_s: 1
    throttle_down_s: 0.1
    kill_s: 1
    valve_close_s: 11
    cooldown_s: 0
    test_s: 30
  policies:
    on_crash: fail_stop
";

/// Everything about fires, alarms and the pump that is said on a broker.
pub struct Ears {
    all: Vec<Witness>,
}

impl Ears {
    pub fn open(site: &Site) -> Self {
        let mut ears = Self { all: Vec::new() };
        ears.again(site);
        ears
    }

    /// After the broker was away. What was heard before is remembered.
    pub fn again(&mut self, site: &Site) {
        for (name, filter) in [("fires", "fire/trigger"), ("systems", "system/#"), ("pumps", "gpio/#")] {
            let id = format!("{name}-{}", self.all.len());
            self.all.push(Witness::start(site.broker.port, &id, filter).expect("broker"));
        }
    }

    pub fn heard(&self, topic: &str) -> Vec<Value> {
        let all = self.all.iter().flat_map(Witness::seen);
        let of = all.filter(|s: &Seen| s.topic == topic && !s.payload.is_empty());
        of.map(|s| serde_json::from_slice(&s.payload).expect("JSON")).collect()
    }

    pub fn last(&self, topic: &str) -> Value {
        self.heard(topic).pop().unwrap_or_default()
    }

    /// Waits for a message that `wanted` likes.
    pub fn wait(&self, topic: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = || self.heard(topic).into_iter().find(|v| wanted(v));
        wait_for(&format!("{topic}: {what}"), Duration::from_secs(60), || find().is_some());
        find().expect("just seen")
    }

    /// Waits until a condition stands on the panel's topic of its kind.
    pub fn condition(&self, kind: &str, host: &str, name: &str) -> Value {
        self.condition_after(0, kind, host, name)
    }

    /// The same, after so many messages on that topic.
    pub fn condition_after(&self, heard: usize, kind: &str, host: &str, name: &str) -> Value {
        let holds = |v: &Value| {
            v["active"].as_array().and_then(|a| a.iter().find(|c| c["condition"] == name).cloned())
        };
        let topic = format!("system/{kind}/{host}");
        let find = || self.heard(&topic).iter().skip(heard).find_map(holds);
        wait_for(&format!("{topic}: {name}"), Duration::from_secs(60), || find().is_some());
        find().expect("it holds")
    }

    /// Numbers of the pump's events, sorted, each once; all of one book.
    pub fn numbers(&self) -> Vec<u64> {
        let told = self.heard("system/trigger_telemetry");
        let mut numbers: Vec<u64> = told.iter().filter_map(|v| v["number"].as_u64()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// A camera outside of this box.
pub struct Outside(Mutex<TcpStream>);

impl Outside {
    pub fn new(site: &Site, id: &str) -> Self {
        Self(Mutex::new(connect(site.broker.port, id).expect("broker")))
    }

    pub fn say(&self, topic: &str, payload: &[u8], retain: bool) {
        publish(&mut self.0.lock(), topic, payload, retain);
    }

    /// One detection; `side` as a share of the picture.
    pub fn see(&self, camera: &str, object: &str, side: f64) {
        let bbox = json!([0.3, 0.3, 0.3 + side, 0.3 + side]);
        let payload = json!({ "confidence": 0.9, "bbox": bbox, "object_id": object });
        self.say(&format!("fire/detection/{camera}"), payload.to_string().as_bytes(), false);
    }

    /// A fire that grows before all of these cameras for two seconds.
    pub fn burn(&self, cameras: &[&str]) {
        for step in 0..11 {
            let side = 0.05 * 1.15_f64.powi(step);
            cameras.iter().for_each(|camera| self.see(camera, "f", side));
            rest(Duration::from_millis(200));
        }
    }
}

/// The pump program with a plant inside of it.
pub struct Pump {
    by: &'static [&'static str],
    child: Child,
    folder: tempfile::TempDir,
}

impl Pump {
    pub fn start() -> Self {
        Self::start_as(&[])
    }

    /// By another program, which gives it what it cannot give itself.
    pub fn start_as(by: &'static [&'static str]) -> Self {
        let program = program();
        let folder = shared::folder();
        let pump = |folder: &Path| folder.join("pump.yaml");
        std::fs::write(pump(folder.path()), format!("pump:{PLAN}")).expect("ours");
        let state = folder.path().join("state");
        let made = Command::new(&program).args(["commission", "--state"]).arg(&state).status();
        assert!(made.expect("it runs").success());
        let child = run(by, &program, folder.path());
        Self { by, child, folder }
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("ours");
    }

    pub fn again(&mut self) {
        self.child = run(self.by, &program(), self.folder.path());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("ours").is_none()
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/pump.sock")
    }

    /// The sections of the site file that make vigia speak to it.
    pub fn section(&self, orders_from: &str) -> String {
        format!("pump:\n  socket: {}\n  orders_from: [{orders_from}]{PLAN}", self.socket().display())
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Built by `make test`, and by nothing that builds this package alone.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_vigia")).with_file_name("vigia-pump");
    assert!(program.exists(), "{} is missing: cargo build -p vigia-pump", program.display());
    program
}

fn run(by: &[&str], program: &Path, folder: &Path) -> Child {
    let hardware = Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware/simulated.yaml");
    let log = std::fs::File::create(folder.join("pump.log")).expect("ours");
    let mut command = match by {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command
        .args(["run", "--hardware"])
        .arg(hardware)
        .arg("--site")
        .arg(folder.join("pump.yaml"))
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--run")
        .arg(folder.join("run"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("vigia-pump starts")
}
