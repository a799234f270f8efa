//! Commands while cameras, brokers and the process itself come and go. Rows are those of section 6 of the
//! specification.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::path::Path;
use std::time::Duration;

use broker::{Witness, rest, wait_for};
use control::{Site, picture};
use instance::{Instance, await_payloads, await_status, payloads};
use serde_json::{Value, json};
use vigia::clock;
use vigia_core::control::{COMMANDS, Capability};
use vigia_sim::{Camera, Mode, Mount, RtspServer, TcpProxy};

#[track_caller]
fn completed(ack: &Value) -> &Value {
    assert_eq!(ack["ack_status"], "completed", "{ack:#}");
    ack
}

#[track_caller]
fn refused(ack: &Value, code: &str) {
    assert!(ack["ack_status"] == "error" && ack["code"] == code, "{ack:#}");
}

/// A camera behind a network that breaks on demand.
struct Far {
    proxy: TcpProxy,
    mount: Mount,
    _server: RtspServer,
}

impl Far {
    fn start(mode: Mode) -> Self {
        let server = RtspServer::start().expect("server");
        let mount = server.add("/live/far", Camera::pattern(160, 120, 15)).expect("mount");
        let proxy = TcpProxy::start(server.address()).expect("proxy");
        proxy.set_mode(mode).expect("mode");
        Self { proxy, mount, _server: server }
    }

    fn uri(&self) -> String {
        self.proxy.url_via(self.mount.url())
    }

    /// Waits until one more than `had` knocked.
    fn await_knock(&self, had: u64) {
        wait_for("the box to knock", Duration::from_secs(10), || self.proxy.counters().accepted > had);
    }
}

/// A box with one picture and with models of its own in `folder`, where its journal is, too.
fn with_own_models(site: &Site, id: &str, folder: &Path) -> Instance {
    let text = format!(
        "instance_id: {id}\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\n\
         control: {{ enabled: true, journal: {} }}\nstreams:\n{}",
        site.broker.port,
        folder.join("journal.db").display(),
        picture(1, 10)
    );
    Instance::with_site(folder, &text, &["--model", "lookout-n"], &[])
}

/// Row 16: a camera that answers late finds the room silenced.
#[test]
fn a_pause_during_the_connect_holds_when_the_camera_comes() {
    let Some(site) = Site::start() else { return };
    let server = RtspServer::start().expect("server");
    let mount = server.add("/live/4", Camera::pattern(160, 120, 15)).expect("mount");
    let proxy = TcpProxy::start(server.address()).expect("proxy");
    proxy.set_mode(Mode::Silent).expect("mode");
    let stream = format!("  - {{ source_id: 4, uri: \"{}\" }}\n", proxy.url_via(mount.url()));
    let _vigia = site.running("slow", &stream, "");
    completed(&site.order("pause", json!({})));
    assert_eq!(site.status("slow")["status"], "paused");
    proxy.set_mode(Mode::Forward).expect("mode");
    let state = |site: &Site| site.status("slow")["streams"][0]["state"] == "running";
    wait_for("the camera", Duration::from_secs(60), || state(&site));
    rest(Duration::from_millis(500));
    assert_eq!(site.count(4), 0, "nothing was said");
    completed(&site.order("resume", json!({})));
    site.await_detections(4, 2);
}

/// Row 39.
#[test]
fn only_those_addressed_obey() {
    let Some(site) = Site::start() else { return };
    let _all = ["proc-a", "proc-b", "proc-c"].map(|id| site.running(id, &picture(1, 5), ""));
    let id = site.tell(json!({
        "command": "set_fps", "params": { "max_fps": 0.05 }, "target_instances": ["proc-a", "proc-c"]
    }));
    wait_for("two answers", Duration::from_secs(30), || site.finals(&id).len() == 2);
    site.tell(json!({ "command": "ping", "request_id": "all" }));
    wait_for("three answers", Duration::from_secs(10), || site.finals("all").len() == 3);
    for (name, fps) in [("proc-a", 0.05), ("proc-b", 30.0), ("proc-c", 0.05)] {
        assert_eq!(site.pong(name)["config"]["max_fps"], fps, "{name}");
    }
    assert!(site.finals(&id).iter().all(|a| a["instance_id"] != "proc-b"));
}

/// Row 44.
#[test]
fn a_broker_that_restarts_hears_the_truth() {
    let Some(mut site) = Site::start() else { return };
    let _vigia = site.running("kept", &picture(1, 10), "");
    completed(&site.order("pause", json!({})));
    site.broker.kill();
    site.broker.launch();
    site.reconnect();
    await_status(&site.witness, "nvr/control/status/kept", "paused");
    completed(&site.order("resume", json!({})));
    site.await_detections(1, 3);
}

/// Row 52.
#[test]
fn a_hundred_pauses_leave_nothing_behind() {
    let Some(site) = Site::start() else { return };
    let vigia = site.running("calm", &picture(1, 30), "");
    site.await_detections(1, 5);
    let cycle = || {
        for command in ["pause", "resume"] {
            let ack = site.order(command, json!({}));
            let took = completed(&ack)["duration_ms"].as_f64().expect("a number");
            assert!(took < 3_000.0, "{command} took {took} ms");
        }
    };
    (0..20).for_each(|_| cycle());
    let (threads, memory) = usage(&vigia);
    (0..100).for_each(|_| cycle());
    site.await_detections(1, 5);
    let (threads_after, memory_after) = usage(&vigia);
    assert!(threads_after <= threads, "{threads} threads before, {threads_after} after");
    assert!(memory_after <= memory + 8 * 1024, "{memory} KiB before, {memory_after} after");
}

/// Threads, and resident memory in KiB.
fn usage(vigia: &Instance) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", vigia.pid())).expect("it runs");
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).expect("Linux writes it");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
    };
    (field("Threads:"), field("VmRSS:"))
}

/// An address with a password comes back after a kill, and nobody sees it meanwhile.
#[test]
fn an_address_with_a_password_outlives_a_kill() {
    let Some(site) = Site::start() else { return };
    let server = RtspServer::start().expect("server");
    let camera = Camera::pattern(160, 120, 15).with_login("eye", "s3cr3t");
    let mount = server.add("/live/5", camera).expect("mount");
    let uri = mount.url().replace("rtsp://", "rtsp://eye:s3cr3t@");
    let folder = shared::folder();
    let journal = folder.path().join("journal.db");
    let more = format!("control: {{ enabled: true, journal: {} }}\n", journal.display());
    let vigia = site.running("keeper", &picture(1, 10), &more);
    completed(&site.order("add_stream", json!({ "source_id": 5, "stream_uri": uri })));
    vigia.signal("-KILL");
    let before = vigia.log();
    drop(vigia);
    await_status(&site.witness, "nvr/control/status/keeper", "disconnected");
    let again = site.instance("keeper", &picture(1, 10), &more);
    site.await_detections(5, 3);
    completed(&site.order("history", json!({ "limit": 20 })));
    let said = site.witness.seen().into_iter().filter(|s| s.topic.starts_with("nvr/control/status"));
    assert!(said.into_iter().all(|s| !String::from_utf8_lossy(&s.payload).contains("s3cr3t")));
    assert!(!before.contains("s3cr3t") && !again.log().contains("s3cr3t"));
}

/// What a command chose must not keep the box from starting after somebody removed it.
#[test]
fn a_model_that_is_gone_gives_way_to_the_configured_one() {
    let Some(site) = Site::start() else { return };
    let folder = shared::folder();
    control::two_models(folder.path());
    let start = || with_own_models(&site, "swapped", folder.path());
    let vigia = start();
    await_status(&site.witness, "nvr/control/status/swapped", "running");
    completed(&site.order("change_model", json!({ "model_id": "yolox_nano" })));
    vigia.signal("-KILL");
    drop(vigia);
    await_status(&site.witness, "nvr/control/status/swapped", "disconnected");
    std::fs::write(folder.path().join("yolox_nano.onnx"), "not the model").expect("ours");
    let again = start();
    site.await_detections(1, 3);
    completed(&site.order("ping", json!({})));
    let status = site.pong("swapped");
    assert_eq!(
        (&status["engine"]["model_id"], &status["config"]["model_id"]),
        (&json!("lookout-n"), &json!("lookout-n")),
        "{status:#}"
    );
    again.wait_log("model_fallback");
}

/// Row 77; B-22: two cameras hang, one in the middle of its pictures, one while a command connects it.
#[test]
fn stop_ends_the_process_while_a_camera_hangs() {
    let Some(site) = Site::start() else { return };
    let far = Far::start(Mode::Forward);
    let streams = format!("{}  - {{ source_id: 2, uri: \"{}\" }}\n", picture(1, 15), far.uri());
    let more = "camera: { connect_timeout_s: 20 }\n";
    let mut vigia = site.running("hung", &streams, more);
    site.await_detections(1, 3);
    site.await_detections(2, 3);
    far.proxy.set_mode(Mode::Silent).expect("mode");
    let had = far.proxy.counters().accepted;
    let cut_off = site.tell(json!({
        "command": "add_stream", "params": { "source_id": 3, "stream_uri": far.uri() }
    }));
    far.await_knock(had);
    assert_eq!(site.finals(&cut_off), Vec::<Value>::new(), "it hangs");
    let asked = clock::now();
    let stop = site.tell(json!({ "command": "stop" }));
    let ended = vigia.wait(Duration::from_secs(10));
    let took = clock::now().since(asked);
    assert_eq!(ended.code(), Some(0), "it ended as it was told to");
    assert!(took <= Duration::from_secs(5), "the end took {took:?}");
    let last = await_status(&site.witness, "nvr/control/status/hung", "disconnected");
    assert_eq!((&last["reason"], &last["last_status"]), (&json!("shutdown"), &json!("stopped")), "{last:#}");
    completed(&site.answer(&stop, "stop"));
    assert_eq!(site.detections_after(&stop), Vec::<Value>::new());
    let answers = site.finals(&cut_off);
    assert_eq!(answers.len(), 1, "exactly one answer to the command that was cut off: {answers:#?}");
    refused(&answers[0], "interrupted");
}

/// Rows 34, 23; B-13, B-23.
#[test]
fn a_slow_change_deafens_nobody_and_is_taken_back() {
    let Some(site) = Site::start() else { return };
    let far = Far::start(Mode::Silent);
    let more = "camera: { connect_timeout_s: 20 }\n";
    let _vigia = site.running("ears", &(picture(1, 5) + &picture(2, 5)), more);
    site.await_detections(1, 3);
    site.await_detections(2, 3);
    let slow = site.tell(json!({
        "command": "change_stream_uri", "params": { "source_id": 1, "stream_uri": far.uri() }
    }));
    await_status(&site.witness, "nvr/control/status/ears", "reconfiguring");
    far.await_knock(0);
    let ping = site.tell(json!({ "command": "ping" }));
    wait_for("the pong", Duration::from_secs(5), || !site.finals(&ping).is_empty());
    completed(&site.finals(&ping)[0]);
    assert_eq!(site.pong("ears")["status"], "reconfiguring");
    let other = site.order("set_fps", json!({ "source_id": 2, "max_fps": 5 }));
    refused(&other, "busy");
    let silent = site.count(1);
    site.await_detections(2, 4);
    assert_eq!(site.finals(&slow), Vec::<Value>::new(), "all that happened while it was under way");
    assert_eq!(site.count(1), silent, "the old camera of room 1 is gone meanwhile");
    let answer = site.answer(&slow, "change_stream_uri");
    refused(&answer, "unreachable");
    site.await_detections(1, 3);
    site.await_detections(2, 3);
    completed(&site.order("ping", json!({})));
    let pong = site.pong("ears");
    let uris = pong["config"]["stream_uris"].to_string();
    assert!(uris.contains("test://") && !uris.contains("rtsp://"), "the old address is back: {pong:#}");
    let states = site.states("ears");
    assert!(states.ends_with(&["reconfiguring".into(), "running".into()]), "{states:?}");
    assert_eq!(site.finals(&slow).len(), 1, "one answer");
}

/// Row 76; B-11, B-13.
#[test]
fn a_restart_that_fails_can_be_healed() {
    let Some(site) = Site::start() else { return };
    let folder = shared::folder();
    control::two_models(folder.path());
    let _vigia = with_own_models(&site, "ill", folder.path());
    await_status(&site.witness, "nvr/control/status/ill", "running");
    site.await_detections(1, 3);
    let (model, aside) = (folder.path().join("lookout-n.onnx"), folder.path().join("aside"));
    std::fs::copy(&model, &aside).expect("ours");
    // In place, as `cp` does it, under the box that works with it.
    std::fs::write(&model, "not the model").expect("ours");
    let id = site.tell(json!({ "command": "restart" }));
    refused(&site.answer(&id, "restart"), "bad_model");
    completed(&site.order("ping", json!({})));
    let pong = site.pong("ill");
    assert_eq!(
        (&pong["status"], &pong["health"]["pipeline_running"], &pong["health"]["mqtt_connected"]),
        (&json!("error"), &json!(false), &json!(true)),
        "{pong:#}"
    );
    completed(&site.order("health", json!({})));
    let health = await_payloads(&site.witness, "nvr/control/status/ill/health", 1).remove(0);
    assert_eq!(
        (&health["status"], &health["checks"]["pipeline_running"]),
        (&json!("degraded"), &json!(false)),
        "{health:#}"
    );
    refused(&site.order("set_fps", json!({ "max_fps": 5 })), "failed");
    assert_eq!(site.status("ill")["status"], "error", "a refused change heals nothing");
    assert_eq!(site.detections_after(&id), Vec::<Value>::new());
    std::fs::copy(&aside, &model).expect("ours");
    completed(&site.order("restart", json!({})));
    site.await_detections(1, 3);
    assert_eq!(site.status("ill")["status"], "running");
}

/// Row 43: the broker says it, to those who listen and to those who come later; the box takes it back.
#[test]
fn a_box_that_hangs_is_declared_gone() {
    let Some(site) = Site::start() else { return };
    let vigia = site.running("stiff", &picture(1, 10), "");
    site.await_detections(1, 3);
    vigia.signal("-STOP");
    let gone = |status: &Value| status["status"] == "disconnected" && status["reason"] == "lwt";
    let topic = "nvr/control/status/stiff";
    // Half as long again as the keepalive of 5 s, and what the broker needs to look.
    wait_for("the will", Duration::from_secs(30), || payloads(&site.witness, topic).iter().any(gone));
    let late = Witness::start(site.broker.port, "late", topic).expect("broker");
    let kept = await_payloads(&late, topic, 1).remove(0);
    assert!(gone(&kept) && late.seen()[0].retained, "{kept:#}");
    vigia.signal("-CONT");
    wait_for("the truth", Duration::from_secs(30), || site.status("stiff")["status"] == "running");
    site.await_detections(1, 3);
}

/// Rows 51, 33; B-25.
#[test]
fn the_log_tells_each_step_of_a_command() {
    let Some(site) = Site::start() else { return };
    let vigia = site.running("scribe", &picture(1, 10), "log: { json: true }\n");
    completed(&site.order("pause", json!({})));
    let first = site.tell(json!({ "command": "restart" }));
    let second = site.tell(json!({ "command": "restart" }));
    refused(&site.answer(&second, "second restart"), "busy");
    completed(&site.answer(&first, "restart"));
    wait_for("the log", Duration::from_secs(5), || lines(&vigia, "command_completed").len() == 2);
    let pauses: Vec<Value> = ["command_received", "command_executing", "command_completed"]
        .iter()
        .flat_map(|event| lines(&vigia, event))
        .filter(|line| line["command"] == "pause")
        .collect();
    let steps: Vec<&Value> = pauses.iter().map(|line| &line["event"]).collect();
    assert_eq!(steps, ["command_received", "command_executing", "command_completed"]);
    let acks = site.acks().into_iter().filter(|ack| ack["command"] == "pause");
    let traces: Vec<Value> = acks.map(|mut ack| ack["trace_id"].take()).collect();
    assert!(!traces[0].as_str().expect("text").is_empty());
    assert!(
        pauses.iter().all(|line| traces.iter().all(|t| line["trace_id"] == *t)),
        "{traces:?} {pauses:#?}"
    );
    let rejected = lines(&vigia, "restart_rejected");
    assert_eq!(rejected.len(), 1, "{rejected:#?}");
    assert_eq!(
        (&rejected[0]["reason"], &rejected[0]["level"]),
        (&json!("restart_in_progress"), &json!("WARN"))
    );
    // Neither fire nor pump is configured here.
    let usable = |needs: Option<Capability>| needs.is_none_or(|needed| needed == Capability::Journal);
    let count = COMMANDS.iter().filter(|spec| usable(spec.needs)).count();
    let registered = lines(&vigia, "commands_registered");
    assert_eq!(registered.len(), 1, "{registered:#?}");
    assert_eq!(registered[0]["count"], count, "{:#}", registered[0]);
}

/// Lines of the log with this event; each line of the whole log is JSON and says where it comes from.
fn lines(vigia: &Instance, event: &str) -> Vec<Value> {
    let log = vigia.log();
    // The last line may be half written.
    let whole = &log[..log.rfind('\n').map_or(0, |at| at + 1)];
    let all = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    all.inspect(|line| {
        let fields = ["timestamp", "level", "logger", "component", "event", "message"];
        assert!(fields.iter().all(|field| filled(line, field)), "{line:#}");
    })
    .filter(|line| line["event"] == event)
    .collect()
}

fn filled(line: &Value, field: &str) -> bool {
    line[field].as_str().is_some_and(|text| !text.is_empty())
}
