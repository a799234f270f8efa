//! `vigia run` as its user sees it: real cameras, a real model, a real broker.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::collections::BTreeSet;
use std::time::Duration;

use broker::{Broker, Witness, rest, wait_for};
use instance::{Instance, await_payloads, await_status, models, payloads};
use serde_json::Value;
use vigia::clock;
use vigia_core::event::DetectionEvent;
use vigia_sim::{Camera, RtspServer};

const CLIP: &str = "media/one-by-one-person-detection.mp4";

fn site(port: u16, id: &str, streams: &str) -> String {
    format!(
        "instance_id: {id}\nmqtt: {{ host: 127.0.0.1, port: {port} }}\nmetrics: {{ interval_s: 1 }}\n\
         stream_defaults: {{ max_fps: 5 }}\nstreams:\n{streams}"
    )
}

const BALL: &str = "  - { source_id: 3, uri: \"test://pattern?width=320&height=240&fps=10\" }\n";

/// Spec nvr 1.4 and section 6, checks 10 and 11.
#[test]
fn every_processed_frame_becomes_one_event_of_its_room() {
    let (Some(models), Some(broker), Some(clip)) = (models(), Broker::start(""), shared::shared(CLIP)) else {
        return;
    };
    let server = RtspServer::start().expect("server");
    let person = server.add("/live/person", Camera::file(clip)).expect("mount");
    let ball = server.add("/live/ball", Camera::pattern(640, 360, 10)).expect("mount");
    let witness = Witness::start(broker.port, "w", "nvr/detections/#").expect("broker");
    let streams = format!(
        "  - {{ source_id: 8, uri: \"{}\", tracker: bytetrack }}\n  - {{ source_id: 6, uri: \"{}\" }}\n",
        person.url(),
        ball.url()
    );
    let _vigia = Instance::with_site(models.path(), &site(broker.port, "rooms", &streams), &[], &[]);
    let of_person = || payloads(&witness, "nvr/detections/8");
    let has_person =
        |v: &Value| v["detections"].as_array().is_some_and(|d| d.iter().any(|d| d["class_name"] == "person"));
    wait_for("people", Duration::from_secs(90), || of_person().iter().filter(|v| has_person(v)).count() >= 5);
    await_payloads(&witness, "nvr/detections/6", 10);
    let topics: BTreeSet<_> = witness.seen().into_iter().map(|s| (s.topic, s.retained)).collect();
    let want = ["nvr/detections/6", "nvr/detections/8"].map(|t| (t.to_owned(), false));
    assert_eq!(topics, want.into());
    for (room, topic) in [(8, "nvr/detections/8"), (6, "nvr/detections/6")] {
        let events: Vec<DetectionEvent> = payloads(&witness, topic)
            .into_iter()
            .map(|v| serde_json::from_value(v).expect("an event"))
            .collect();
        for (i, e) in events.iter().enumerate() {
            assert_eq!((e.source_id, e.frame_id), (room, i as u64 + 1), "one event a frame, none lost");
            assert_eq!((e.instance_id.as_str(), e.model_id.as_str()), ("rooms", "yolox_nano"));
            assert!(e.inference_time_ms > 0.0 && e.latency_ms.is_some());
        }
        assert!(events.last().and_then(|e| e.fps).is_some_and(|f| f > 0.0), "{:?}", events.last());
        let last = events.last().expect("events").timestamp.as_unix_ns();
        let age = clock::utc().as_unix_ns() - last;
        assert!((0..30_000_000_000).contains(&age), "capture time in UTC, {age} ns ago");
    }
    // ByteTrack names an object at its second sight, if the two overlap.
    let has_name = |v: &Value| {
        v["detections"]
            .as_array()
            .is_some_and(|all| all.iter().any(|d| d["class_name"] == "person" && d["tracker_id"].is_u64()))
    };
    wait_for("a person with a name", Duration::from_secs(90), || of_person().iter().any(has_name));
    let found = of_person().into_iter().find(|v| has_person(v)).expect("seen");
    let person = found["detections"]
        .as_array()
        .expect("list")
        .iter()
        .find(|d| d["class_name"] == "person")
        .expect("person");
    // Centre and size, in pixels of the 768x432 frame: a person stands in the middle of the clip.
    let number = |k: &str| person["bbox"][k].as_f64().expect("number");
    assert!(number("x") - number("width") / 2.0 >= -0.5 && number("x") + number("width") / 2.0 <= 768.5);
    assert!(number("y") - number("height") / 2.0 >= -0.5 && number("y") + number("height") / 2.0 <= 432.5);
    // A black room with a ball: events without detections are events, too.
    assert!(payloads(&witness, "nvr/detections/6").iter().any(|v| v["detections"] == serde_json::json!([])));
}

/// Checks 42, 43, 47, 48: what the status topic says from start to end.
#[test]
fn the_status_tells_the_life_of_an_instance() {
    let (Some(models), Some(broker)) = (models(), Broker::start("")) else { return };
    let topic = "nvr/control/status/life";
    let all = Witness::start(broker.port, "w", "nvr/#").expect("broker");
    let mut vigia = Instance::with_site(models.path(), &site(broker.port, "life", BALL), &[], &[]);
    await_status(&all, topic, "running");
    await_payloads(&all, "nvr/detections/3", 3);
    wait_for("the stream to be told", Duration::from_secs(10), || {
        payloads(&all, topic).last().is_some_and(|s| s["streams"][0]["state"] == "running")
    });
    let states: Vec<_> =
        payloads(&all, topic).iter().map(|s| s["status"].as_str().expect("text").to_owned()).collect();
    assert_eq!(states[..3], ["connected", "starting", "running"]);
    let announced = await_status(&all, topic, "starting");
    assert_eq!(announced["uptime_seconds"], 0);
    assert_eq!(announced["config"]["source_id_mapping"], serde_json::json!([3]));
    assert_eq!(announced["client_id"], "nvr_processor_control-life");
    let late = Witness::start(broker.port, "late", "nvr/control/status/+").expect("broker");
    wait_for("the retained state", Duration::from_secs(30), || late.count("nvr/control") > 0);
    assert!(late.seen()[0].retained && await_status(&late, topic, "running")["boot_id"].is_string());
    vigia.signal("-TERM");
    // systemd kills after 20 s (vigia.service).
    assert!(vigia.wait(Duration::from_secs(20)).success());
    let end = await_status(&all, topic, "disconnected");
    assert_eq!((&end["reason"], &end["last_status"]), (&"shutdown".into(), &"stopped".into()));
    let metrics = || all.seen().into_iter().rfind(|s| s.topic == "nvr/status/metrics/life");
    wait_for("the retained metrics to be cleared", Duration::from_secs(30), || {
        metrics().is_some_and(|m| m.payload.is_empty())
    });
    let seen = all.seen();
    let stopped = seen
        .iter()
        .position(|s| s.topic == topic && String::from_utf8_lossy(&s.payload).contains("\"stopped\""));
    let after = &seen[stopped.expect("stopped was said")..];
    assert!(after.iter().all(|s| !s.topic.starts_with("nvr/detections")), "a detection after `stopped`");
}

#[test]
fn a_killed_instance_is_declared_gone() {
    let (Some(models), Some(broker)) = (models(), Broker::start("")) else { return };
    let witness = Witness::start(broker.port, "w", "nvr/control/status/+").expect("broker");
    let mut vigia = Instance::with_site(models.path(), &site(broker.port, "gone", BALL), &[], &[]);
    await_status(&witness, "nvr/control/status/gone", "running");
    vigia.signal("-KILL");
    vigia.wait(Duration::from_secs(30));
    let end = await_status(&witness, "nvr/control/status/gone", "disconnected");
    assert_eq!(end["reason"], "lwt");
}

/// Spec nvr 1.7, 1.8 and check 13: frames never wait for a broker.
#[test]
fn the_broker_may_be_absent_come_go_and_stall() {
    let (Some(models), Some(mut broker)) = (models(), Broker::prepare("")) else { return };
    let mut vigia = Instance::with_site(models.path(), &site(broker.port, "calm", BALL), &[], &[]);
    vigia.wait_log("broker_connection_failed");
    broker.launch();
    let topic = "nvr/detections/3";
    let first = Witness::start(broker.port, "w1", "nvr/#").expect("broker");
    await_payloads(&first, topic, 3);
    broker.kill();
    rest(Duration::from_millis(300));
    broker.launch();
    let second = Witness::start(broker.port, "w2", "nvr/#").expect("broker");
    let again = await_payloads(&second, topic, 3);
    // The retained truth is told again after each connection.
    await_status(&second, "nvr/control/status/calm", "running");
    let before = again.last().expect("events")["frame_id"].as_u64().expect("number");
    broker.freeze();
    rest(Duration::from_secs(3));
    broker.thaw();
    let after = await_payloads(&second, topic, again.len() + 15);
    let last = after.last().expect("events")["frame_id"].as_u64().expect("number");
    assert!(last > before + 12, "frames were processed while the broker stood still: {before} -> {last}");
    assert!(vigia.is_running());
}

/// Spec nvr 1.5, check 50.
#[test]
fn metrics_come_at_their_interval_with_room_ids() {
    let (Some(models), Some(broker)) = (models(), Broker::start("")) else { return };
    let witness = Witness::start(broker.port, "w", "nvr/status/metrics/#").expect("broker");
    let m1 = site(broker.port, "m1", BALL);
    let _vigia = Instance::with_site(models.path(), &m1, &["--enable-control"], &[]);
    let quiet = site(broker.port, "m0", BALL);
    let states = Witness::start(broker.port, "s", "nvr/control/status/+").expect("broker");
    let _quiet = Instance::with_site(models.path(), &quiet, &["--metrics-interval", "0"], &[]);
    await_status(&states, "nvr/control/status/m0", "running");
    let all = await_payloads(&witness, "nvr/status/metrics/m1", 4);
    let last = all.last().expect("metrics");
    assert_eq!(last["sources"][0]["source_id"], 3);
    assert!(last["inference_throughput"].as_f64().is_some_and(|t| t > 0.0));
    assert!(last["avg_latency_ms"].as_f64().is_some_and(|t| t > 0.0));
    assert!(payloads(&witness, "nvr/status/metrics/m0").is_empty());
    let late = Witness::start(broker.port, "late", "nvr/status/metrics/m1").expect("broker");
    wait_for("a retained report", Duration::from_secs(30), || {
        late.seen().first().is_some_and(|s| s.retained)
    });
    // Row 50: they go on after a restart.
    let mut sender = broker::connect(broker.port, "t").expect("broker");
    let restart = br#"{"command":"restart","target_instances":["m1"]}"#;
    broker::publish(&mut sender, "nvr/control/commands", restart, false);
    await_status(&states, "nvr/control/status/m1", "restarting");
    let had = payloads(&witness, "nvr/status/metrics/m1").len();
    let after = await_payloads(&witness, "nvr/status/metrics/m1", had + 6);
    assert!(after.last().is_some_and(|m| m["inference_throughput"].as_f64().is_some_and(|t| t > 0.0)));
}

/// B-21, and the sentence when it is broken.
#[test]
fn two_instances_share_a_broker_but_not_a_name() {
    let (Some(models), Some(broker)) = (models(), Broker::start("")) else { return };
    let witness = Witness::start(broker.port, "w", "nvr/detections/#").expect("broker");
    let start = |id| Instance::with_site(models.path(), &site(broker.port, id, BALL), &[], &[]);
    let (a, b) = (start("a"), start("b"));
    let both = || {
        let ids: BTreeSet<_> =
            payloads(&witness, "nvr/detections/3").iter().map(|v| v["instance_id"].to_string()).collect();
        ids.len() == 2
    };
    wait_for("events of both", Duration::from_secs(60), both);
    // Two that evict each other would be back every second.
    await_payloads(&witness, "nvr/detections/3", 60);
    for log in [a.log(), b.log()] {
        assert_eq!(log.matches("| broker_connected |").count(), 1, "{log}");
    }
    let c = start("b");
    wait_for("the sentence", Duration::from_secs(60), || {
        [b.log(), c.log()].iter().any(|l| l.contains("another client uses the id"))
    });
}

/// Checks 1 to 4: which rooms, and who.
#[test]
fn rooms_and_names_come_from_the_command_line() {
    let (Some(models), Some(broker)) = (models(), Broker::start("")) else { return };
    let port = broker.port.to_string();
    let witness = Witness::start(broker.port, "w", "nvr/control/status/+").expect("broker");
    let base = "rtsp://127.0.0.1:1/live";
    let start = |args: &[&str]| {
        let mut all = vec![
            "--mqtt-host",
            "127.0.0.1",
            "--mqtt-port",
            &port,
            "--stream-server",
            "rtsp://127.0.0.1:1/live/",
        ];
        all.extend(args);
        Instance::start(models.path(), &all, &[])
    };
    let table: [(&[&str], &[u32]); 4] = [
        (&["--streams", "1, 3,6"], &[1, 3, 6]),
        (&["--start", "1", "--end", "4"], &[1, 2, 3, 4]),
        (&["--start", "4"], &[4, 5, 6, 7, 8, 9]),
        (&[], &[0, 1, 2, 3, 4, 5]),
    ];
    let _running: Vec<_> = table.iter().map(|(args, _)| start(args)).collect();
    let announced = || -> Vec<Value> {
        let seen =
            witness.seen().into_iter().map(|s| serde_json::from_slice::<Value>(&s.payload).expect("JSON"));
        seen.filter(|v| v["status"] == "starting").collect()
    };
    wait_for("all announcements", Duration::from_secs(60), || announced().len() == table.len());
    let names: BTreeSet<_> =
        announced().iter().map(|v| v["instance_id"].as_str().expect("text").to_owned()).collect();
    assert_eq!(names.len(), table.len());
    for name in names {
        let hex = name.strip_prefix("processor-").expect("prefix");
        assert!(hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    }
    for (args, rooms) in table {
        let uris: Vec<_> = rooms.iter().map(|r| format!("{base}/{r}")).collect();
        let found = announced().iter().any(|v| {
            v["config"]["source_id_mapping"] == serde_json::json!(rooms)
                && v["config"]["stream_uris"] == serde_json::json!(uris)
        });
        assert!(found, "{args:?}: {:?}", announced());
    }
}

/// Check 5 and the section on bad input: one sentence that names field and value, exit code 2.
#[test]
fn wrong_settings_are_refused() {
    let Some(models) = models() else { return };
    let dir = models.path().display().to_string();
    let table: [(&[&str], &[&str]); 8] = [
        (&["--mqtt-port", "70000"], &["mqtt.port", "70000", "65535"]),
        (&["--max-fps", "0"], &["max_fps", "> 0", "got 0"]),
        (&["--metrics-interval", "-1"], &["metrics.interval_s", "cannot be negative", "-1"]),
        (&["--end", "4"], &["--end"]),
        (&["--start", "4", "--end", "2"], &["4", "2"]),
        (&["--streams", "1,x"], &["x"]),
        (&["--streams", "1,1"], &["1"]),
        (&["--model", "nonesuch"], &["nonesuch", "yolox_nano"]),
    ];
    for (args, phrases) in table {
        let mut all: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"run", &"--models-dir", &dir, &"--mqtt-host", &"127.0.0.1"];
        all.extend(args.iter().map(|a| a as &dyn AsRef<std::ffi::OsStr>));
        let run = shared::Run::vigia(&all);
        assert_eq!(run.code, 2, "{args:?}: {run:#?}");
        for phrase in phrases {
            assert!(run.stderr.contains(phrase), "{args:?} lacks {phrase}: {run:#?}");
        }
    }
}

/// Check 51, B-24, and no secret anywhere.
#[test]
fn logs_are_json_and_keep_secrets() {
    let extra = "allow_anonymous true";
    let (Some(models), Some(broker)) = (models(), Broker::start(extra)) else { return };
    let witness = Witness::start(broker.port, "w", "nvr/#").expect("broker");
    let streams = format!(
        "{BALL}  - {{ source_id: 4, uri: \"rtsp://eye:c4n4ry@127.0.0.1:1/live?password=c4n4ry\" }}\n"
    );
    let site = site(broker.port, "quiet", &streams);
    let env = [
        ("MQTT_USERNAME", "box"),
        ("MQTT_PASSWORD", "c4n4ry"),
        ("JSON_LOGS", "true"),
        ("LOG_LEVEL", "trace"),
    ];
    let mut vigia = Instance::with_site(models.path(), &site, &[], &env);
    await_payloads(&witness, "nvr/detections/3", 3);
    vigia.wait_log("stream_down");
    vigia.signal("-TERM");
    vigia.wait(Duration::from_secs(30));
    let log = vigia.log();
    assert!(!log.contains("c4n4ry"), "{log}");
    for line in log.lines() {
        let v: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for key in ["timestamp", "level", "logger", "message", "component", "event"] {
            assert!(v[key].is_string(), "{key}: {line}");
        }
    }
    for event in [
        "processor_start",
        "broker_connected",
        "processor_running",
        "stream_down",
        "signal_received",
        "processor_stopped",
    ] {
        assert!(log.contains(&format!("\"event\":\"{event}\"")), "{event}: {log}");
    }
    let said: String =
        witness.seen().iter().map(|s| String::from_utf8_lossy(&s.payload).into_owned()).collect();
    assert!(said.contains("rtsp://***@127.0.0.1:1") && !said.contains("c4n4ry"), "{said}");
}
