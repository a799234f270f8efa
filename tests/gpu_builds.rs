//! Plans that are built while a box detects, on the doubles of TensorRT and CUDA.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/manager.rs"]
mod manager;
#[path = "support/rig.rs"]
mod rig;
#[path = "support/shared.rs"]
mod shared;

use std::fs;
use std::process::Command;
use std::time::Duration;

use broker::{Witness, wait_for};
use instance::Instance;
use manager::Manager;
use rig::Rig;
use serde_json::{Value, json};
use vigia::engines::store::{self, Store};

const BUILDS: &str = "nvr/control/status/box/build";

/// Two small models, no plan of either.
fn rig() -> Option<Rig> {
    Rig::new(&[("small", [96, 64], 0.9), ("other", [96, 64], 0.8)])
}

/// What is asked of it here.
trait Builds {
    fn await_engine(&self, name: &str) -> Value;
    fn await_degraded(&self, why: &str);
    fn builds(&self, from: usize) -> Vec<Value>;
    fn await_build(&self, from: usize, state: &str) -> Value;
    fn plans(&self) -> usize;
    fn stop(&self, vigia: Instance);
}

impl Builds for Rig {
    fn await_engine(&self, name: &str) -> Value {
        self.await_status(|status| status["status"] == "running" && status["engine"]["name"] == name)
    }

    /// Waits until the processor stays, for this reason.
    fn await_degraded(&self, why: &str) {
        let says =
            |status: &Value| status["engine"]["degraded"].as_str().is_some_and(|said| said.starts_with(why));
        let status = self.await_status(says);
        assert!(status["build"].is_null() && status["engine"]["name"] != "tensorrt", "{status:#}");
    }

    /// What was said of builds, from this one on.
    fn builds(&self, from: usize) -> Vec<Value> {
        instance::payloads(&self.site.witness, BUILDS).split_off(from)
    }

    fn await_build(&self, from: usize, state: &str) -> Value {
        let find = || self.builds(from).into_iter().find(|news| news["state"] == state);
        wait_for(state, Duration::from_secs(60), || find().is_some());
        find().expect("just seen")
    }

    fn plans(&self) -> usize {
        shared::files(&self.gpu.file("plans")).len()
    }

    fn stop(&self, mut vigia: Instance) {
        vigia.signal("-TERM");
        assert_eq!(vigia.wait(Duration::from_secs(10)).code(), Some(0));
        self.await_status(|status| status["status"] == "disconnected");
    }
}

#[test]
fn a_box_without_a_plan_detects_until_it_is_built_and_then_on_the_gpu() {
    let Some(mut rig) = rig() else { return };
    rig.more = "fire: { cameras: [{ name: north }, { name: south }] }\n";
    let panel = Witness::start(rig.site.broker.port, "panel", "system/trouble/#").expect("broker");
    let await_panel = |wanted: Option<&str>| {
        let text = || {
            let last = instance::payloads(&panel, "system/trouble/box").pop()?;
            let active = last["active"].as_array()?.iter().find(|c| c["condition"] == "engine_degraded")?;
            active["text"].as_str().map(str::to_owned)
        };
        wait_for("the panel", Duration::from_secs(60), || text().as_deref() == wanted);
    };
    let vigia = rig.start(&[("VIGIA_NVINFER_FAULTS", "slow=100")], "tensorrt");
    let status = rig.await_status(|status| status["status"] == "running" && status["build"].is_object());
    let because = "no plan of small was built yet";
    assert_eq!(status["build"], json!({ "model_id": "small", "because": because }));
    let engine = &status["engine"];
    assert_eq!(engine["degraded"], format!("{because}; it is being built"));
    assert!(engine["name"] != "tensorrt", "{status:#}");
    let degraded = engine["degraded"].as_str().expect("just seen");
    await_panel(Some(&format!("the processor detects where the GPU should: {degraded}")));
    rig.site.await_detections(1, 3);
    let status = rig.await_engine("tensorrt");
    await_panel(None);
    assert!(status["engine"]["degraded"].is_null() && status["build"].is_null(), "{status:#}");
    rig.sees_with("small");
    // Progress first, then the end, of the same model.
    let builds = rig.builds(0);
    assert!(
        builds.iter().all(|news| news["model_id"] == "small" && news["because"] == because),
        "{builds:#?}"
    );
    let (last, before) = builds.split_last().expect("it was told");
    assert!(last["state"] == "done" && before.iter().all(|news| news["state"] == "building"), "{builds:#?}");
    assert!(before.iter().any(|news| news["phase"] == "Building Engine" && news["percent"].is_u64()));
    // Nobody noticed: frames go on in their order.
    let frames: Vec<_> = instance::payloads(&rig.site.witness, "nvr/detections/1")
        .iter()
        .map(|d| d["frame_id"].as_u64().expect("a number"))
        .collect();
    assert!(frames.windows(2).all(|w| w[1] == w[0] + 1), "{frames:?}");
    rig.stop(vigia);
    // The next start finds it.
    let told = rig.builds(0).len();
    let vigia = rig.start(&[], "tensorrt");
    rig.await_engine("tensorrt");
    rig.sees_with("small");
    assert_eq!(rig.builds(told), Vec::<Value>::new());
    rig.stop(vigia);
    // Another release of TensorRT: one sentence says why, and it is built again.
    let vigia = rig.start(&[("VIGIA_NVINFER_VERSION", "10.4.0")], "tensorrt");
    let first = rig.await_build(told, "building");
    let because = "the plan of small does not fit: it was built for TensorRT 10.3.0, and here is 10.4.0";
    assert_eq!(first["because"], because);
    rig.await_engine("tensorrt");
    assert!(vigia.log().contains(because));
    assert_eq!(rig.plans(), 2);
}

/// Found in review: where nothing may stand in, the manager killed vigia and its builder when its own limit was over.
#[test]
fn the_service_manager_waits_for_what_goes_on_before_the_start() {
    let Some(rig) = rig() else { return };
    let folder = shared::folder();
    let manager = Manager::at(&folder.path().join("notify"));
    let asked =
        |before: &[String]| before.iter().filter(|word| *word == "EXTEND_TIMEOUT_USEC=600000000").count();
    let start = || rig.start(&manager.environment(), "tensorrt, fallback: none");
    let vigia = start();
    let (before, _) = manager.until("READY=1");
    rig.await_engine("tensorrt");
    let steps = rig.builds(0).len();
    // A word that finds the manager's queue full is lost; the next one says the same.
    assert!(steps > 2 && asked(&before) > steps / 2, "{before:?}");
    manager.hears_in_time(2);
    rig.stop(vigia);
    // As a plan from elsewhere, it has not been measured here.
    let file = rig.gpu.plans().join(shared::files(&rig.gpu.plans()).remove(0));
    let (mut passport, plan) = store::read(&file).expect("a plan");
    let frames = passport.accuracy.take().expect("it was measured").frames;
    Store::new(rig.gpu.plans()).put(&passport, &plan).expect("the disk has room");
    while manager.within(Duration::from_millis(1)).is_some() {}
    let vigia = start();
    let (before, _) = manager.until("READY=1");
    rig.await_engine("tensorrt");
    assert!(asked(&before) > frames / 2 && asked(&before) <= frames, "{before:?}");
    assert_eq!(rig.builds(0).len(), steps, "it was measured, not built");
    rig.stop(vigia);
    // What needs neither asks for nothing.
    while manager.within(Duration::from_millis(1)).is_some() {}
    let _vigia = start();
    let (before, _) = manager.until("READY=1");
    assert_eq!(asked(&before), 0, "{before:?}");
}

#[test]
fn a_swap_waits_for_its_plan_and_can_be_cancelled() {
    let Some(rig) = rig() else { return };
    rig.gpu.build(rig.models.path(), &["small"]);
    // Eleven steps: long enough to be cancelled, and over within the patience of whoever waits.
    let _vigia = rig.start(&[("VIGIA_NVINFER_FAULTS", "slow=1000")], "tensorrt");
    rig.await_engine("tensorrt");
    let refused = rig.site.order("cancel_build", json!({}));
    assert!(
        refused["code"] == "unavailable" && refused["message"] == "no plan is being built",
        "{refused:#}"
    );
    let told = rig.builds(0).len();
    let change = json!({ "command": "change_model", "params": { "model_id": "other" } });
    let id = rig.site.tell(change.clone());
    rig.await_build(told, "building");
    // Meanwhile it detects, can be paused and resumed, and takes no other change.
    rig.sees_with("small");
    for gate in ["pause", "resume"] {
        assert_eq!(rig.site.order(gate, json!({}))["ack_status"], "completed");
    }
    assert_eq!(rig.site.order("set_fps", json!({ "max_fps": 10 }))["code"], "busy");
    let cancelled = rig.site.order("cancel_build", json!({}));
    assert_eq!(cancelled["ack_status"], "completed", "{cancelled:#}");
    let answer = rig.site.answer(&id, "the change");
    assert!(answer["code"] == "cancelled" && answer["ack_status"] == "error", "{answer:#}");
    assert_eq!(rig.builds(told).last().map(|news| news["state"].clone()), Some(json!("cancelled")));
    rig.sees_with("small");
    assert_eq!(rig.plans(), 1, "nothing is left behind");
    // Once more, to its end.
    let answer = rig.site.ask(change);
    assert_eq!(answer["effect"]["model_id"], "other", "{answer:#}");
    rig.sees_with("other");
    let status = rig.await_status(|status| status["build"].is_null());
    assert_eq!(status["engine"]["name"], "tensorrt");
    assert_eq!(rig.plans(), 2);
}

#[test]
fn a_build_that_fails_or_is_cancelled_leaves_the_processor_at_work() {
    let Some(rig) = rig() else { return };
    let vigia = rig.start(&[("VIGIA_NVINFER_FAULTS", "null-builder")], "tensorrt");
    let failed = rig.await_build(0, "failed");
    assert!(failed["why"].as_str().is_some_and(|why| why.contains("starting TensorRT's builder failed")));
    rig.await_degraded("its plan can't be built: ");
    rig.sees_with("small");
    rig.stop(vigia);
    let told = rig.builds(0).len();
    let vigia = rig.start(&[("VIGIA_NVINFER_FAULTS", "slow=1000")], "tensorrt");
    rig.await_build(told, "building");
    assert_eq!(rig.site.order("cancel_build", json!({}))["ack_status"], "completed");
    rig.await_degraded("the build of its plan was cancelled");
    rig.sees_with("small");
    rig.stop(vigia);
    assert_eq!(rig.plans(), 0);
    // Who ends does not wait for a builder, and takes it along.
    let told = rig.builds(0).len();
    let vigia = rig.start(&[("VIGIA_NVINFER_FAULTS", "slow=60000")], "tensorrt");
    rig.await_build(told, "building");
    let children = fs::read_dir(format!("/proc/{}/task", vigia.pid())).expect("it lives").flatten();
    let children = children.flat_map(|task| fs::read_to_string(task.path().join("children")));
    let builder =
        children.flat_map(|all| all.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).next();
    let builder = builder.expect("it builds");
    rig.stop(vigia);
    wait_for("the builder to go", Duration::from_secs(10), || {
        !fs::read_to_string(format!("/proc/{builder}/cmdline")).is_ok_and(|line| line.contains("engine"))
    });
}

/// Found in review: a model that came and went took the plan of the one that waits with it, and its end was taken for that of
/// the model at work.
#[test]
fn a_build_belongs_to_the_model_that_waits_for_it() {
    let Some(rig) = rig() else { return };
    let _vigia = rig.start(&[("VIGIA_NVINFER_FAULTS", "slow=1000")], "tensorrt");
    let building = |status: &Value| {
        status["status"] == "running"
            && status["build"]["model_id"] == "small"
            && status["engine"]["degraded"].is_string()
    };
    rig.await_status(building);
    // Another one's build takes its place, and is cancelled.
    let told = rig.builds(0).len();
    let id = rig.site.tell(json!({ "command": "change_model", "params": { "model_id": "other" } }));
    wait_for("the other build", Duration::from_secs(60), || {
        rig.builds(told).iter().any(|news| news["model_id"] == "other")
    });
    assert_eq!(rig.site.order("cancel_build", json!({}))["ack_status"], "completed");
    assert_eq!(rig.site.answer(&id, "the change")["code"], "cancelled");
    rig.await_status(building);
    // One that has its plan comes, and goes with the batch that it belongs to.
    rig.gpu.build(rig.models.path(), &["other"]);
    let undone = json!({ "atomic": true, "commands": [
        { "command": "change_model", "params": { "model_id": "other" } },
        { "command": "add_stream", "params": { "source_id": 2, "stream_uri": "rtsp://127.0.0.1:1/x" } },
    ] });
    let answer = rig.site.order("batch_commands", undone);
    assert_eq!(answer["code"], "rolled_back", "{answer:#}");
    rig.await_status(building);
    rig.sees_with("small");
    // It comes to stay: nothing is built any more, and nothing stands in.
    let answer = rig.site.order("change_model", json!({ "model_id": "other" }));
    assert_eq!(answer["effect"]["model_id"], "other", "{answer:#}");
    let status = rig.await_engine("tensorrt");
    assert!(status["engine"]["degraded"].is_null() && status["build"].is_null(), "{status:#}");
    assert_eq!(rig.builds(0).last().map(|news| news["state"].clone()), Some(json!("cancelled")));
    assert_eq!(rig.site.order("cancel_build", json!({}))["code"], "unavailable");
    rig.sees_with("other");
}

/// Only the new system can build for its TensorRT: while it does the processor detects, and the verdict waits
/// (`tests/system.sh`). The old plans stay, for the way back.
#[test]
fn after_an_update_the_verdict_hears_that_plans_are_built() {
    let Some(rig) = rig() else { return };
    rig.gpu.build(rig.models.path(), &["small"]);
    let folder = shared::folder();
    let at = |path: &str| folder.path().join(path);
    for dir in ["run/vigia-box", "data/update"] {
        fs::create_dir_all(at(dir)).expect("ours");
    }
    let site = format!(
        "mqtt: {{ host: 127.0.0.1, port: {} }}\nstreams: [{{ source_id: 1 }}]\n",
        rig.site.broker.port
    );
    fs::write(at("site.yaml"), site).expect("ours");
    let (root, run) = (folder.path().display().to_string(), at("run/vigia-box").display().to_string());
    // Exit code, whether it is to be asked again, and what is said of the engine.
    let live = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigia"));
        command
            .args(["self-test", "--live", "--json", "--config"])
            .arg(at("site.yaml"))
            .env("VIGIA_ROOT", &root);
        let output = command.output().expect("it runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        let checks = report["checks"].as_array().expect("a list").clone();
        let engine = checks.into_iter().find(|check| check["name"] == "engine").unwrap_or_default();
        let said = engine["said"].as_str().unwrap_or_default().to_owned();
        (output.status.code(), report["building"] == true, said)
    };
    let await_live = |wanted: (i32, bool, &str)| {
        wait_for(wanted.2, Duration::from_secs(60), || {
            let (code, building, said) = live();
            (code, building) == (Some(wanted.0), wanted.1) && said.contains(wanted.2)
        });
    };
    let vigia = rig.start(&[("RUNTIME_DIRECTORY", &run)], "tensorrt");
    rig.await_engine("tensorrt");
    await_live((0, false, "tensorrt detects"));
    fs::copy(at("run/vigia-box/work.json"), at("data/update/before.json")).expect("as update-gate does");
    rig.stop(vigia);
    let new = [
        ("RUNTIME_DIRECTORY", &*run),
        ("VIGIA_NVINFER_VERSION", "10.4.0"),
        ("VIGIA_NVINFER_FAULTS", "slow=1000"),
    ];
    let vigia = rig.start(&new, "tensorrt");
    rig.await_status(|status| status["status"] == "running" && status["build"].is_object());
    await_live((
        1,
        true,
        "stands in for the GPU: the plan of small does not fit: it was built for TensorRT 10.3.0",
    ));
    rig.sees_with("small");
    rig.await_engine("tensorrt");
    await_live((0, false, "tensorrt detects"));
    assert_eq!(rig.plans(), 2, "the way back has its plan");
    rig.stop(vigia);
    // A version whose plans cannot be built is not waited for.
    let bad = [
        ("RUNTIME_DIRECTORY", &*run),
        ("VIGIA_NVINFER_VERSION", "10.5.0"),
        ("VIGIA_NVINFER_FAULTS", "null-builder"),
    ];
    let _vigia = rig.start(&bad, "tensorrt");
    rig.await_degraded("its plan can't be built: ");
    await_live((1, false, "stands in for the GPU: its plan can't be built"));
}

#[test]
fn auto_takes_tensorrt_where_a_driver_and_its_library_are() {
    let Some(rig) = rig() else { return };
    let vigia = rig.start(&[], "auto");
    let status = rig.await_engine("tensorrt");
    assert_eq!(status["engine"]["reason"], "tensorrt: 10.3.0 on double of an H200");
    rig.sees_with("small");
    rig.stop(vigia);
    // No GPU: nobody misses anything. No library, or a driver of long ago: it says so.
    let nowhere = rig.gpu.file("nowhere").display().to_string();
    for (environment, missed) in [
        (("VIGIA_CUDA_DEVICE", "none"), None),
        (("VIGIA_TENSORRT_DIR", nowhere.as_str()), Some("no TensorRT")),
        (
            ("VIGIA_CUDA_DRIVER", "12020"),
            Some("(tensorrt: the NVIDIA driver is for CUDA 12.2; at least 12.6"),
        ),
    ] {
        let vigia = rig.start(&[environment], "auto");
        let status = rig.await_status(|status| status["status"] == "running" && status["engine"].is_object());
        let engine = &status["engine"];
        assert!(engine["name"] != "tensorrt" && engine["degraded"].is_null(), "{status:#}");
        let reason = engine["reason"].as_str().expect("text");
        assert_eq!(reason.contains("tensorrt"), missed.is_some(), "{reason}");
        assert!(missed.is_none_or(|missed| reason.contains(missed)), "{reason}");
        if missed.is_some() {
            vigia.wait_log("| gpu_passed_by |");
        } else {
            assert!(!vigia.log().contains("| gpu_passed_by |"), "{}", vigia.log());
        }
        rig.sees_with("small");
        rig.stop(vigia);
    }
}
