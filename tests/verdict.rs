//! What the verdict after an update asks (`vigia self-test --live`), of a box that runs: real broker, real pump program. What
//! the script makes of the answers is in `tests/system.sh`.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/fire.rs"]
mod fire;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use broker::wait_for;
use control::{Site, picture};
use fire::{Ears, Pump};
use instance::Instance;
use serde_json::{Value, json};
use shared::folder;

struct Hut {
    folder: tempfile::TempDir,
}

impl Hut {
    fn new(site: &str) -> Self {
        let it = Self { folder: folder() };
        for dir in ["run/vigia-box", "data/update"] {
            std::fs::create_dir_all(it.at(dir)).expect("ours");
        }
        std::fs::write(it.at("site.yaml"), site).expect("ours");
        it
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn environment(&self) -> [(&str, String); 2] {
        let shown = |path: PathBuf| path.display().to_string();
        [("VIGIA_ROOT", shown(self.at(""))), ("RUNTIME_DIRECTORY", shown(self.at("run/vigia-box")))]
    }

    fn run(&self) -> Instance {
        let environment = self.environment();
        let environment: Vec<(&str, &str)> = environment.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let site = std::fs::read_to_string(self.at("site.yaml")).expect("ours");
        Instance::with_site(Path::new("models"), &site, &[], &environment)
    }

    fn work(&self) -> Value {
        let text = std::fs::read_to_string(self.at("run/vigia-box/work.json")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).map(|told| told["told"].clone()).unwrap_or_default()
    }

    /// As `update-gate` keeps it, with a change.
    fn keep_past(&self, change: &Value) {
        let mut work = self.work();
        for (path, value) in change.as_object().expect("paths") {
            *work.pointer_mut(path).expect("it is there") = value.clone();
        }
        let told = json!({ "boot_id": "an earlier one", "at": 1, "told": work });
        std::fs::write(self.at("data/update/before.json"), told.to_string()).expect("ours");
    }

    /// Exit code, and what came of each check.
    fn live(&self) -> (i32, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigia"));
        command.args(["self-test", "--live", "--json", "--config"]).arg(self.at("site.yaml"));
        let output = command.envs(self.environment()).output().expect("it runs");
        let shown = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {shown}"));
        for check in report["checks"].as_array().expect("a list") {
            let is_told = shown.contains(check["said"].as_str().expect("a sentence"));
            assert!(is_told, "each is a line on standard error: {shown}");
        }
        (output.status.code().unwrap_or(-1), report)
    }

    /// Waits until its first camera is looked at and everybody knows.
    fn await_work(&self) {
        wait_for("a picture that was looked at", Duration::from_secs(60), || is_whole(&self.work()));
    }

    /// Waits until a check comes out like that.
    fn await_check(&self, name: &str, outcome: &str, phrase: &str) -> (i32, Value) {
        let mut last = (-1, Value::Null);
        let is_so = |report: &Value| {
            let checks = report["checks"].as_array().into_iter().flatten();
            let mut of = checks.filter(|check| check["name"] == name);
            of.any(|c| c["outcome"] == outcome && c["said"].as_str().is_some_and(|s| s.contains(phrase)))
        };
        for _ in 0..12 {
            last = self.live();
            if is_so(&last.1) {
                return last;
            }
            broker::rest(Duration::from_secs(1));
        }
        panic!("{name} did not come out as {outcome} ({phrase}): {:#}", last.1);
    }
}

/// The camera's own thread tells that it runs; a look at its picture may be known before.
fn is_whole(work: &Value) -> bool {
    work["has_looked"] == true
        && work["has_broker"] == true
        && work["status"] == "running"
        && work["cameras"]["1"]["gave"] == true
}

fn site_text(site: &Site, more: &str) -> String {
    format!(
        "instance_id: hut\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\n\
         detector: {{ engine: rten }}\nstreams:\n{}{more}",
        site.broker.port,
        picture(1, 5)
    )
}

#[test]
fn a_box_that_works_says_so_and_what_does_not_has_its_sentence() {
    let Some(mut site) = Site::start() else { return };
    let mut pump = Pump::start();
    let gone = "  - { source_id: 2, uri: \"rtsp://127.0.0.1:9/none\" }\n";
    let more = format!(
        "{gone}control: {{ enabled: true, journal: {} }}\n{}",
        pump.socket().with_file_name("journal.db").display(),
        pump.section("unsigned")
    );
    let it = Hut::new(&site_text(&site, &more));
    let ears = Ears::open(&site);
    let mut vigia = it.run();
    ears.wait("gpio/status", "its lines passed their test", |v| v["self_tested"] == true);
    it.await_work();
    let (code, report) = it.await_check("pump", "passed", "at rest; its lines passed their test");
    assert_eq!(
        (code, &report["passed"], &report["building"]),
        (0, &json!(true), &json!(false)),
        "{report:#}"
    );
    let outcomes: Vec<&Value> =
        report["checks"].as_array().expect("a list").iter().map(|c| &c["name"]).collect();
    assert_eq!(outcomes, ["vigia", "cameras", "engine", "broker", "pump"]);
    assert!(report.to_string().contains("1 of 2 have given pictures"), "{report:#}");
    // Nobody asks for what did not work before.
    it.keep_past(&json!({}));
    assert_eq!(it.await_check("cameras", "passed", "the one that gave pictures before").0, 0);
    it.keep_past(&json!({ "/cameras/2/gives": true }));
    let (code, report) = it.await_check("cameras", "failed", "camera 2 has given no picture: ");
    assert_eq!((code, &report["passed"]), (1, &json!(false)), "{report:#}");
    it.keep_past(&json!({ "/engine": "tensorrt" }));
    it.await_check("engine", "failed", "tensorrt detected before the update, and now it is rten");
    it.keep_past(&json!({}));
    pump.kill();
    it.await_check("pump", "failed", "vigia does not reach it: ");
    pump.again();
    it.await_check("pump", "passed", "its lines passed their test");
    site.broker.kill();
    wait_for("the broker to be missed", Duration::from_secs(60), || it.work()["has_broker"] == false);
    it.await_check("broker", "failed", "it was not reached: ");
    it.keep_past(&json!({ "/has_broker": false }));
    assert_eq!(it.await_check("broker", "skipped", "it was away before the update").0, 0);
    std::fs::write(it.at("data/update/before.json"), "{").expect("ours");
    assert_eq!(it.await_check("before", "failed", "does not say how the box worked").0, 1);
    std::fs::remove_file(it.at("data/update/before.json")).expect("ours");
    vigia.signal("-TERM");
    vigia.wait(Duration::from_secs(20));
    std::fs::remove_file(it.at("run/vigia-box/work.json")).expect("ours");
    assert_eq!(it.await_check("vigia", "failed", "does its service run?").0, 1);
}

#[test]
fn a_site_without_a_pump_passes_by_saying_so() {
    let Some(site) = Site::start() else { return };
    let it = Hut::new(&site_text(&site, ""));
    let _vigia = it.run();
    it.await_work();
    let (code, report) = it.await_check("pump", "passed", "the site has none");
    assert_eq!(code, 0, "{report:#}");
    // A broker that somebody else listens to: what was said does not come back.
    let other = Hut::new(&site_text(&site, "").replace("hut", "attic"));
    std::fs::copy(it.at("run/vigia-box/work.json"), other.at("run/vigia-box/work.json")).expect("ours");
    let text = std::fs::read_to_string(other.at("run/vigia-box/work.json")).expect("ours");
    std::fs::write(other.at("run/vigia-box/work.json"), text.replace("\"hut\"", "\"attic\"")).expect("ours");
    other.await_check("broker", "failed", "it has no status of attic since the boot");
}
