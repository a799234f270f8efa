//! What docs/mqtt.md shows is what the code writes.

use serde_json::{Value, json};
use vigia::camera::decoder::{Codec, Decoding, Memory};
use vigia::liveness::{Judge, Part, Sign};
use vigia::telemetry::Telemetry;
use vigia::wire::{Identity, stream};
use vigia_core::control::Status;
use vigia_core::detection::{BBox, Detection};
use vigia_core::event::{DetectionEvent, EventView, Found, Utc};
use vigia_core::stream::{Cause, CauseCode, StreamState};
use vigia_core::time::Instant;

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mqtt.md")).expect("docs/mqtt.md")
}

/// The JSON examples, in order.
fn examples() -> Vec<Value> {
    let text = document();
    let blocks = text.split("```json").skip(1).map(|b| b.split("```").next().unwrap_or_default().to_owned());
    blocks.map(|b| serde_json::from_str(&b).unwrap_or_else(|e| panic!("{e} in {b}"))).collect()
}

fn keys(v: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = v.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_detection_event_is_as_documented() {
    let shown = &examples()[0];
    let event: DetectionEvent = serde_json::from_value(shown.clone()).expect("the example is an event");
    assert_eq!(event.source_id, 2);
    let bbox = BBox::from_centre(100.0, 200.0, 50.0, 80.0);
    let detections = [Detection { class_id: 0, confidence: 0.92, bbox, tracker_id: Some(7) }];
    let written = EventView {
        instance_id: "processor-hab-0-3",
        source_id: 2,
        frame_id: 188,
        timestamp: event.timestamp,
        model_id: "yolox_nano",
        inference_time_ms: 45.0,
        detections: Found { detections: &detections, classes: &["person".to_owned()] },
        fps: Some(5.0),
        latency_ms: Some(61.5),
    };
    let written = serde_json::to_string(&written).expect("JSON");
    // Through text, as a subscriber reads it.
    let shown =
        serde_json::to_string(&serde_json::from_value::<DetectionEvent>(shown.clone()).expect("event"))
            .expect("JSON");
    assert_eq!(written, shown);
}

#[test]
fn the_status_is_as_documented() {
    let shown = &examples()[1];
    let config = vigia::config::parse_site(b"instance_id: processor-hab-0-3").expect("good");
    let cause = Cause::new(CauseCode::NotFound, "no such stream (404)");
    let decoder = Decoding {
        codec: Codec::H264,
        name: "avdec_h264",
        memory: Memory::Host,
        reason: "nvh264dec: not installed; nvv4l2decoder: not installed; avdec_h264: opened".to_owned(),
        is_detour: false,
    };
    let streams = [
        stream(0, &StreamState::Running, Some(&decoder.describe())),
        stream(4, &StreamState::Reconnecting { cause }, None),
    ];
    assert_eq!(shown["streams"], json!(streams));
    let identity = Identity::new(&config);
    let written = identity.status(
        Status::Running,
        Utc::from_unix_ns(0),
        json!({ "uptime_seconds": 0, "engine": {}, "streams": [], "liveness": Judge::default().rows() }),
    );
    assert_eq!(keys(&written), keys(shown));
    assert_eq!(written["client_id"], shown["client_id"]);
    for status in [
        Status::Connected,
        Status::Starting,
        Status::Running,
        Status::Error,
        Status::Stopped,
        Status::Disconnected,
    ] {
        let name = json!(status);
        assert!(
            document().contains(&format!("`{}`", name.as_str().expect("text"))),
            "{name} is not documented"
        );
    }
}

/// The example of a part, and each part with its limit.
#[test]
fn signs_of_life_are_as_documented() {
    let (text, now) = (document(), Instant(40_000_000_000));
    let mut judge = Judge::default();
    let last = |ms: u64| Some(Instant(now.0 - ms * 1_000_000));
    let sign = |part, last| Sign { part, source_id: None, last, worked: true };
    judge.look(now, &[sign(Part::App, last(12)), sign(Part::Engine, last(30_250))]);
    assert_eq!(json!(judge.rows()), examples()[1]["liveness"]);
    for part in Part::ALL {
        let name = format!("`{}`", part.name());
        let row = text.lines().find(|l| l.split('|').nth(1).is_some_and(|cell| cell.contains(&name)));
        let limit = format!("| {} s |", part.limit().as_secs());
        assert!(row.is_some_and(|row| row.ends_with(&limit)), "{name} {limit}: {row:?}");
    }
}

#[test]
fn every_state_and_cause_is_documented() {
    let text = document();
    for state in
        [StreamState::Connecting, StreamState::WaitingKeyframe, StreamState::Running, StreamState::Ended]
    {
        assert!(text.contains(&format!("`{}`", state.name())), "{}", state.name());
    }
    for code in [
        CauseCode::Unreachable,
        CauseCode::Unauthorized,
        CauseCode::NotFound,
        CauseCode::Timeout,
        CauseCode::Silent,
        CauseCode::Undecodable,
        CauseCode::EndOfStream,
        CauseCode::Unsupported,
        CauseCode::Failed,
    ] {
        let name = json!(code);
        assert!(text.contains(&format!("`{}`", name.as_str().expect("text"))), "{name}");
    }
}

#[test]
fn topics_are_the_defaults() {
    let config = vigia::config::parse_site(b"instance_id: x").expect("good");
    let identity = Identity::new(&config);
    for topic in [
        format!("{}/{{source_id}}", config.mqtt.detections_topic),
        identity.status_topic.replace("/x", "/{instance_id}"),
        identity.metrics_topic.replace("/x", "/{instance_id}"),
        config.control.command_topic.clone(),
    ] {
        assert!(document().contains(&format!("`{topic}`")), "{topic}");
    }
}

#[test]
fn metrics_need_frames_and_have_the_documented_fields() {
    let telemetry = Telemetry::default();
    let now = vigia::clock::now();
    assert!(telemetry.report("x", Utc::from_unix_ns(0), now).is_none(), "nothing was processed yet");
    let classes = [];
    let found = |frame_id| vigia::detect::Detected {
        source_id: 3,
        frame_id,
        picture: frame_id,
        captured: Utc::from_unix_ns(0),
        captured_at: now,
        pts_ms: 0.0,
        width: 1,
        height: 1,
        health: vigia_core::consensus::Health::GOOD,
        inference: std::time::Duration::from_millis(45),
        generation: 1,
        model_id: "m",
        classes: &classes,
        detections: &[],
    };
    let ms = |n: u64| now.after(std::time::Duration::from_millis(n));
    let first = telemetry.note(&found(1), ms(30));
    assert_eq!((first.fps, first.latency_ms), (None, 30.0));
    assert_eq!(telemetry.note(&found(2), ms(130)).fps, Some(10.0));
    let report = telemetry.report("x", Utc::from_unix_ns(0), ms(150)).expect("a report");
    assert_eq!((report.inference_throughput, report.avg_latency_ms), (10.0, Some(80.0)));
    assert_eq!(report.sources[0].source_id, 3, "room ids, not positions (B-18)");
    assert_eq!(keys(&json!(report)), keys(&examples()[2]));
}

/// Between the markers of docs/mqtt.md, and docs/asyncapi.json, stands what the table of commands says.
#[test]
fn the_commands_are_as_documented() {
    let (command, status) = ("nvr/control/commands", "nvr/control/status");
    let table = vigia_core::control::docs::markdown(command, status);
    let api = vigia_core::control::asyncapi::document(env!("CARGO_PKG_VERSION"), command, status);
    let api = format!("{api:#}\n");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let text = document();
    let (before, rest) = text.split_once("<!-- commands: generated").expect("the first marker");
    let (how, rest) = rest.split_once("-->\n").expect("its end");
    let (shown, after) = rest.split_once("<!-- commands: end -->").expect("the second marker");
    if std::env::var_os("VIGIA_BLESS").is_some() {
        let text =
            format!("{before}<!-- commands: generated{how}-->\n{table}\n<!-- commands: end -->{after}");
        std::fs::write(root.join("mqtt.md"), text).expect("docs/ is ours");
        std::fs::write(root.join("asyncapi.json"), api).expect("docs/ is ours");
        return;
    }
    assert_eq!(shown.trim(), table.trim(), "VIGIA_BLESS=1 cargo test --test docs writes it anew");
    let written = std::fs::read_to_string(root.join("asyncapi.json")).expect("docs/asyncapi.json");
    assert_eq!(written, api, "VIGIA_BLESS=1 cargo test --test docs writes it anew");
}

/// Topics and payloads of fires and the pump.
#[test]
fn fires_are_as_documented() {
    use vigia_core::link::{BankKind, BootId, Moment, Numbered};
    use vigia_core::pump::Kind;
    let config = vigia::config::parse_site(b"instance_id: x").expect("good");
    let topics = vigia::fire::topics::Topics::new(&config, "{host}");
    let text = document();
    let panel = [Kind::Alarm, Kind::Supervisory, Kind::Trouble].map(|kind| topics.of(kind).clone());
    let named = [&topics.trigger, &topics.emergency, &topics.telemetry, &topics.presence];
    let health = [&topics.consensus_health, &topics.pump_health, &topics.pump_status];
    for topic in named.into_iter().chain(health).chain(&panel) {
        assert!(text.contains(&format!("`{topic}`")), "{topic}");
    }
    let shown = examples().into_iter().find(|v| v["action"] == "engine_running").expect("an event");
    let after = Moment {
        state: vigia_core::pump::StateName::Running,
        epoch: 12,
        fault: None,
        relays: vigia_core::pump::RelayImage::NONE,
        seen: vigia_core::link::SeenImage::default(),
        refill_owed: std::time::Duration::ZERO,
        current_runtime: std::time::Duration::ZERO,
        total_runtime: std::time::Duration::from_millis(1_203_500),
        armed: true,
    };
    let event = vigia_core::pump::Event::EngineRunning { proven: true };
    let told = Numbered { number: 41, at: vigia_core::time::Instant(0), event, after };
    let at = Utc::from_unix_ns(0);
    let written = vigia::fire::telemetry::event(&told, BootId([0; 16]), BankKind::Gpio, "x", at);
    assert_eq!(keys(&written), keys(&shown));
    assert_eq!(keys(&written["system_state"]), keys(&shown["system_state"]));
    assert_eq!(written["system_state"]["total_runtime"], 1203.5);
    let ran = vigia_core::pump::Event::EngineStalled { ran: std::time::Duration::from_millis(2_500) };
    let told = Numbered { event: ran, ..told };
    let written = vigia::fire::telemetry::event(&told, BootId([0; 16]), BankKind::Simulated, "x", at);
    assert_eq!(
        (&written["ran"], &written["gpio_available"]),
        (&json!(2.5), &json!(false)),
        "times are seconds"
    );
}
