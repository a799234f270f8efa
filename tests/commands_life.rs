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

use std::time::Duration;

use broker::{rest, wait_for};
use control::{Site, picture};
use instance::{Instance, await_status};
use serde_json::{Value, json};
use vigia_sim::{Camera, Mode, RtspServer, TcpProxy};

#[track_caller]
fn completed(ack: &Value) -> &Value {
    assert_eq!(ack["ack_status"], "completed", "{ack:#}");
    ack
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
    let text = format!(
        "instance_id: swapped\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\n\
         control: {{ enabled: true, journal: {} }}\nstreams:\n{}",
        site.broker.port,
        folder.path().join("journal.db").display(),
        picture(1, 10)
    );
    let start = || Instance::with_site(folder.path(), &text, &["--model", "lookout-n"], &[]);
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
    assert!(again.log().contains("model_fallback"));
}
