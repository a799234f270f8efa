//! Every `mosquitto_pub` line of docs/mqtt.md, as a technician pastes it: each is acknowledged as completed.

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

use std::process::Command;
use std::time::Duration;

use broker::wait_for;
use control::Site;
use fire::{Ears, OUTSIDE, Pump};
use instance::{Instance, await_status};
use serde_json::{Value, json};
use vigia_sim::{Camera, RtspServer};

/// The lines with their commands, in the order of the document; what ends the process comes last.
fn lines() -> Vec<(String, String)> {
    let document = include_str!("../docs/mqtt.md");
    let mut lines: Vec<_> = document
        .lines()
        .filter(|line| line.starts_with("mosquitto_pub "))
        .map(|line| {
            let payload = line.split('\'').nth(1).expect("a payload in quotes");
            let command: Value = serde_json::from_str(payload).expect("JSON");
            (command["command"].as_str().expect("a name").to_owned(), line.to_owned())
        })
        .collect();
    lines.sort_by_key(|(name, _)| name == "stop");
    lines
}

#[test]
fn every_line_of_the_document_does_what_it_says() {
    let lines = lines();
    let known: Vec<_> = vigia_core::control::COMMANDS.iter().map(|c| c.name).collect();
    for name in &known {
        assert!(lines.iter().any(|(n, _)| n == name), "docs/mqtt.md shows no line for {name}");
    }
    let Some(site) = Site::start() else { return };
    let (pump, ears) = (Pump::start(), Ears::open(&site));
    let server = RtspServer::start().expect("server");
    for room in ["/live/0", "/live/2", "/live/2b", "/live/8"] {
        server.add(room, Camera::pattern(160, 120, 15)).expect("mount");
    }
    let folder = shared::folder();
    control::two_models(folder.path());
    let text = format!(
        "instance_id: pasted\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\nstream_server: \"{}\"\n\
         camera: {{ silence_min_s: 10, connect_timeout_s: 8 }}\n\
         control: {{ journal: {} }}\nstreams:\n  - {{ source_id: 0 }}\n  - {{ source_id: 2 }}\n{OUTSIDE}{}",
        site.broker.port,
        server.url("/live"),
        folder.path().join("journal.db").display(),
        pump.section("unsigned")
    );
    let options = ["--enable-control", "--model", "lookout-n"];
    let mut vigia = Instance::with_site(folder.path(), &text, &options, &[]);
    await_status(&site.witness, "nvr/control/status/pasted", "running");
    ears.wait("gpio/status", "at rest", |v| v["state"] == "IDLE");
    site.await_detections(0, 2);
    site.await_detections(2, 2);
    for (name, line) in lines {
        let finals = || -> Vec<Value> {
            let all = site.acks().into_iter();
            all.filter(|a| a["command"] == name.as_str() && a["ack_status"] != "received").collect()
        };
        let here = format!("-h 127.0.0.1 -p {}", site.broker.port);
        let line =
            line.replace("-h localhost", &here).replace("rtsp://localhost:8554/live", &server.url("/live"));
        let sent = Command::new("sh").args(["-c", &line]).status().expect("a shell");
        assert!(sent.success(), "{line}");
        wait_for(&line, Duration::from_secs(60), || !finals().is_empty());
        let last = &finals()[0];
        let expected = match name.as_str() {
            // No plan is being built here, and this is no box that was made from an image (tests/update.rs).
            "cancel_build" => json!("unavailable"),
            "update" | "factory_reset" | "support_bundle" => json!("unknown_command"),
            _ => Value::Null,
        };
        assert_eq!(last["code"], expected, "{line}: {last:#}");
        assert_eq!(last["ack_status"] == "completed", expected.is_null(), "{line}: {last:#}");
    }
    assert_eq!(vigia.wait(Duration::from_secs(15)).code(), Some(0), "the last one was stop");
}
