//! What `vigia watch` shows for given messages, on a screen and as lines.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use serde_json::{Value, json};
use vigia::mqtt::{Cause, Link};
use vigia::watch::lines::Lines;
use vigia::watch::screen::draw;
use vigia::watch::{Broker, Change, Model, PAYLOAD_BYTES_MAX, Topics};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

/// 2025-10-25T10:30:00.123Z
const WALL_NS: i128 = 1_761_388_200_123_000_000;
const RAW: &str = "mosquitto_sub -h box -p 1883 -t 'nvr/detections/#' -v";

fn ms(n: u64) -> Instant {
    Instant(1_000_000_000_000).after(Duration::from_millis(n))
}

fn model() -> Model {
    let topics = Topics {
        detections: "nvr/detections".into(),
        status: "nvr/control/status".into(),
        metrics: "nvr/status/metrics".into(),
        site: String::new(),
    };
    let broker = Broker { address: "box:1883".into(), raw_command: RAW.into() };
    Model::new(broker, topics, ms(0), Utc::from_unix_ns(WALL_NS))
}

/// One row of a story: when, on which topic, what, and whether the broker had kept it.
type Said = (u64, &'static str, Value, bool);

fn event(instance: &str, source_id: u32, found: &[(&str, f32)]) -> Value {
    let bbox = json!({ "x": 100.0, "y": 200.4, "width": 50.0, "height": 80.0 });
    let one = |(class, confidence): &(&str, f32)| json!({ "class_name": class, "confidence": confidence, "bbox": bbox, "tracker_id": 42, "type": "bbox" });
    json!({
        "instance_id": instance, "source_id": source_id, "frame_id": 7, "timestamp": "2025-10-25T10:30:00.123Z",
        "model_id": "yolo11n-640", "inference_time_ms": 31.2, "fps": 12.5, "latency_ms": 45.3,
        "detections": found.iter().map(one).collect::<Vec<_>>(),
    })
}

fn running(streams: &Value) -> Value {
    json!({
        "instance_id": "hall", "status": "running", "timestamp": "2025-10-25T10:30:00.123Z", "client_id": "c",
        "boot_id": "b", "uptime_seconds": 3720, "streams": streams,
        "engine": { "name": "openvino", "reason": "fastest", "mode": "latency", "model_id": "yolo11n-640" },
    })
}

fn four_streams() -> Value {
    json!([
        { "source_id": 2, "state": "running" },
        { "source_id": 3, "state": "reconnecting",
          "cause": { "code": "of the future", "detail": "10.0.0.5:554 does not answer" } },
        { "source_id": 4, "state": "waiting_keyframe" },
    ])
}

fn lwt(instance: &str) -> Value {
    json!({ "instance_id": instance, "status": "disconnected", "reason": "lwt", "timestamp": "2025-10-25T10:00:00Z" })
}

fn metrics(throughput: f32) -> Value {
    json!({ "timestamp": "2025-10-25T10:30:00Z", "instance_id": "hall", "inference_throughput": throughput,
            "avg_latency_ms": 45.1, "sources": [] })
}

fn story() -> Vec<Said> {
    vec![
        (0, "nvr/control/status/lab", lwt("lab"), true),
        (10, "nvr/control/status/hall", running(&four_streams()), false),
        (20, "nvr/status/metrics/hall", metrics(24.91), false),
        (
            30,
            "nvr/detections/2",
            event("hall", 2, &[("person", 0.92), ("car", 0.61), ("person", 0.5)]),
            false,
        ),
        (40, "nvr/detections/2", json!("not an event"), false),
        (50, "nvr/detections/3", event("hall", 2, &[]), false),
        (60, "nvr/control/status/hall", json!({ "status": 1 }), false),
    ]
}

fn tell(model: &mut Model, story: &[Said]) {
    model.set_link(Link::Connected { session: 1 });
    for (at, topic, payload, retained) in story {
        model.apply(ms(*at), topic, payload.to_string().as_bytes(), *retained);
    }
}

fn screen(model: &Model, now: Instant, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal.draw(|frame| draw(frame, model, now)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn wrote(model: &mut Model, story: &[Said]) -> Vec<String> {
    let mut lines = Lines::new(ms(0));
    let mut out = Vec::new();
    for (at, topic, payload, retained) in story {
        let changes = model.apply(ms(*at), topic, payload.to_string().as_bytes(), *retained);
        out.extend(lines.changes(ms(*at), model, &changes));
    }
    out
}

#[test]
fn the_screen_shows_everything_at_once() {
    let mut model = model();
    tell(&mut model, &story());
    let shown = screen(&model, ms(530), (100, 30));
    let rule = |title: &str| format!(" {title} {}", "─".repeat(98 - title.chars().count()));
    let instances = [
        rule("hall"),
        " running   openvino, latency   yolo11n-640   up 1 h 02 min   24.91 fps, 45 ms".into(),
        rule("lab"),
        " disconnected (vanished without a goodbye)   30 min ago".into(),
    ];
    assert_eq!(shown[0], format!("{:<87}10:30:00 UTC", " vigia watch  broker box:1883: connected"));
    assert!(
        shown[1]
            .starts_with(" 2 instances (1 disconnected), 0.0 events/s, 1 event, 3 messages not understood (last: nvr/control"),
        "{}",
        shown[1]
    );
    assert_eq!(shown[2..6], instances);
    assert_eq!(shown[6], rule("cameras: 1 of 3 running"));
    let table = [
        " room instance       state          fps latency  infer     age in the newest frame",
        "    2 hall           running       12.5   45 ms  31 ms   0.5 s 2 person, 1 car",
        "    3 hall           reconnecting     -       -      -       - 10.0.0.5:554 does not answer",
        "    4 hall           waiting          -       -      -       - no keyframe yet",
    ];
    assert_eq!(shown[7..11], table);
    assert_eq!(shown[11], rule("last detections"));
    assert_eq!(
        shown[12],
        " 10:30:00.123  room 2    person         0.92  centre 100,200    size 50x80     #42    hall"
    );
    assert!(shown[13].contains("car            0.61") && shown[14].contains("person         0.50"));
    assert_eq!(shown[29], format!(" {RAW:<91}q quits"));
}

/// Where a story leads: a piece of text that is there, or is not.
#[test]
fn each_message_shows_what_it_says() {
    let kept = |v: Value| ("nvr/control/status/hall", v, true);
    let live = |v: Value| ("nvr/control/status/hall", v, false);
    for (name, messages, later_ms, there, gone) in [
        ("nothing yet", vec![], 0, "none heard of yet", "person"),
        ("kept only", vec![kept(running(&four_streams()))], 0, "running   not heard itself yet", "silent"),
        ("alive", vec![live(running(&four_streams()))], 0, "running   openvino", "not heard"),
        ("silent", vec![live(running(&four_streams()))], 15_000, "silent for 15 s", "not heard"),
        ("time passes", vec![live(running(&json!([])))], 60_000, "up 1 h 03 min", "up 1 h 02"),
        (
            "will",
            vec![live(running(&four_streams())), live(lwt("hall"))],
            0,
            "its instance is disconnected",
            "up 1 h",
        ),
        (
            "one left",
            vec![live(running(&four_streams())), live(running(&json!([])))],
            0,
            "0 of 0 running",
            "waiting",
        ),
        ("error", vec![live(json!({ "status": "error" }))], 0, " error", "disconnected"),
        (
            "stalled",
            vec![live(json!({ "status": "running", "liveness": {
                "app": { "ok": true, "age_ms": 3, "limit_ms": 10000, "stalls": 0 },
                "engine": { "ok": false, "age_ms": 31000, "limit_ms": 30000, "stalls": 1 },
                "\u{1b}[2J": { "ok": false },
            } }))],
            0,
            " running, stalled: \u{fffd}[2J, engine",
            "app",
        ),
        ("not ours", vec![("other/topic", json!({}), false)], 0, "1 message not understood", "lost"),
        ("no id", vec![("nvr/detections/x", event("hall", 9, &[]), false)], 0, "    9 -", "not understood"),
        (
            "newest",
            vec![("nvr/detections/2", event("hall", 2, &[("cat", 0.5)]), false)],
            4_900,
            "1 cat",
            "  -  ",
        ),
        (
            "old",
            vec![("nvr/detections/2", event("hall", 2, &[("cat", 0.5)]), false)],
            5_100,
            " 5.1 s -",
            "1 cat",
        ),
        (
            "gone",
            vec![("nvr/detections/2", event("hall", 2, &[]), false)],
            61_000,
            "0 of 0 running",
            "    2 ",
        ),
        ("empty frame", vec![("nvr/detections/2", event("hall", 2, &[]), false)], 0, "0.0 s nothing", "#42"),
        (
            "escape",
            vec![("nvr/detections/2", event("hall", 2, &[("\u{1b}[2J", 0.5)]), false)],
            0,
            "\u{fffd}[2J",
            "\u{1b}",
        ),
    ] {
        let mut model = model();
        for (topic, payload, retained) in messages {
            model.apply(ms(0), topic, payload.to_string().as_bytes(), retained);
        }
        let shown = screen(&model, ms(later_ms), (100, 30)).join("\n");
        assert!(shown.contains(there), "{name}: no {there:?} in\n{shown}");
        assert!(!shown.contains(gone), "{name}: {gone:?} in\n{shown}");
    }
}

#[test]
fn an_instance_is_forgotten_with_its_retained_status() {
    let mut model = model();
    tell(&mut model, &story());
    let changes = model.apply(ms(100), "nvr/control/status/lab", b"", false);
    assert_eq!(changes, [Change::Forgotten { instance: "lab".into() }]);
    assert!(model.apply(ms(100), "nvr/control/status/lab", b"", false).is_empty());
    assert!(!screen(&model, ms(100), (100, 30)).join("\n").contains(" lab "));
}

#[test]
fn the_link_is_shown_with_its_cause() {
    let mut model = model();
    let mut lines = Lines::new(ms(0));
    let down =
        || Link::Down { cause: Cause::Unreachable { address: "box:1883".into(), why: "refused".into() } };
    let refused = "box:1883 cannot be reached: refused";
    let told = format!("10:30:00.123 broker not connected, {refused}");
    let lost = "10:30:00.123 broker not connected, connection lost";
    for (link, state, cause, line) in [
        (Link::Connecting, "connecting", "", Some("10:30:00.123 broker connecting")),
        (down(), "not connected", refused, Some(told.as_str())),
        (Link::Connecting, "not connected", refused, None),
        (down(), "not connected", refused, None),
        (Link::Connected { session: 1 }, "connected", "", Some("10:30:00.123 broker connected")),
        (Link::Down { cause: Cause::Lost }, "not connected", "connection lost", Some(lost)),
    ] {
        model.set_link(link);
        assert_eq!(lines.link(ms(0), &model).as_deref(), line);
        let shown = screen(&model, ms(0), (100, 30));
        assert!(shown[0].contains(&format!("broker box:1883: {state}  ")), "{}", shown[0]);
        let cause = if cause.is_empty() { String::new() } else { format!(" {cause};") };
        assert!(shown[1].starts_with(&format!("{cause} 0 instances, ")), "{}", shown[1]);
    }
    assert!(model.reached());
}

#[test]
fn trouble_is_red_and_nothing_else_is() {
    let mut model = model();
    tell(&mut model, &story());
    let mut terminal = Terminal::new(TestBackend::new(100, 30)).expect("a terminal in memory");
    terminal.draw(|frame| draw(frame, &model, ms(530))).expect("drawn");
    let buffer = terminal.backend().buffer();
    let red: Vec<u16> = (0..30).filter(|y| (0..100).any(|x| buffer[(x, *y)].fg == Color::Red)).collect();
    assert_eq!(red, [5, 9], "the instance that vanished and the camera that reconnects");
}

#[test]
fn lines_tell_each_change_once() {
    let mut told = story();
    told.insert(2, (15, "nvr/control/status/hall", running(&four_streams()), false));
    told.push((1_020, "nvr/detections/2", event("hall", 2, &[("dog", 0.7)]), false));
    told.push((1_030, "nvr/detections/2", event("hall", 2, &[("cat", 0.8)]), false));
    told.push((1_040, "nvr/detections/2", event("hall", 2, &[("cow", 0.9)]), false));
    told.push((1_040, "nvr/detections/5", event("lab", 5, &[("cow", 0.9)]), false));
    told.push((1_050, "nvr/control/status/hall", lwt("hall"), false));
    let mut model = model();
    let mut lines = wrote(&mut model, &told);
    let last_unclear = lines.remove(6);
    assert!(
        last_unclear.starts_with("10:30:00.163 not understood: nvr/detections/2: invalid type"),
        "{last_unclear}"
    );
    let third = lines.remove(6);
    assert!(
        third.starts_with("10:30:00.173 not understood: nvr/detections/3: it speaks of source 2"),
        "{third}"
    );
    let expected = [
        "10:30:00.123 lab: disconnected (vanished without a goodbye) [kept by the broker]",
        "10:30:00.133 hall: running, openvino (latency), yolo11n-640",
        "10:30:00.133 room 2 hall: running",
        "10:30:00.133 room 3 hall: reconnecting, 10.0.0.5:554 does not answer",
        "10:30:00.133 room 4 hall: waiting_keyframe",
        "10:30:00.123 room 2 hall 12.5 fps 45 ms: person 0.92, car 0.61, person 0.50",
        "10:30:00.123 room 2 hall 12.5 fps 45 ms: cat 0.80",
        "10:30:00.123 room 5 lab 12.5 fps 45 ms: cow 0.90",
        "10:30:01.173 hall: disconnected (vanished without a goodbye)",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_summary_comes_every_ten_seconds() {
    let mut model = model();
    tell(&mut model, &story());
    model.set_lost(1);
    let mut lines = Lines::new(ms(0));
    assert_eq!(lines.summary(ms(9_999), &model), None);
    let expected = "10:30:10.123 summary: broker connected; 2 instances (1 disconnected); 1 of 3 cameras running; \
                    1 event, 1 with detections; 3 messages not understood; 1 message lost, too many to take";
    assert_eq!(lines.summary(ms(10_000), &model).as_deref(), Some(expected));
    assert_eq!(lines.summary(ms(19_999), &model), None);
    assert!(lines.summary(ms(20_000), &model).is_some());
    assert_eq!(Lines::opening(&model), format!("watching box:1883, times in UTC; the raw messages: {RAW}"));
}

#[test]
fn every_size_is_drawn() {
    let mut model = model();
    for width in [0, 1, 2, 9, 20, 79, 200] {
        for height in [0, 1, 2, 3, 4, 5, 7, 12, 24, 100] {
            screen(&model, ms(60), (width, height));
        }
    }
    tell(&mut model, &story());
    for size in [(1, 1), (1, 30), (100, 1), (3, 3), (12, 5), (40, 9), (80, 24), (300, 100)] {
        screen(&model, ms(60), size);
    }
    let shown = screen(&model, ms(60), (80, 24));
    assert!(
        shown.iter().any(|l| l.contains("    2 hall") && l.contains("running       12.5   45 ms")),
        "{shown:#?}"
    );
}

#[test]
fn crowds_are_bounded_and_the_cut_is_told() {
    let mut model = model();
    for n in 0..50 {
        let id = format!("box-{n:02}");
        model.apply(ms(n), &format!("nvr/control/status/{id}"), br#"{"status":"running"}"#, false);
    }
    for room in 0..300 {
        let e = event("box-49", room, &[("person", 0.5); 400]);
        model.apply(ms(100), &format!("nvr/detections/{room}"), e.to_string().as_bytes(), false);
    }
    let shown = screen(&model, ms(100), (100, 30)).join("\n");
    assert!(shown.contains(" 32 instances, ") && shown.contains("(and 28 more)"), "{shown}");
    assert!(shown.contains("cameras: 0 of 100 running; 91 not shown"), "{shown}");
}

#[test]
fn long_payloads_are_not_looked_at() {
    let mut model = model();
    let mut payload = event("hall", 2, &[("person", 0.5)]).to_string().into_bytes();
    payload.resize(PAYLOAD_BYTES_MAX, b' ');
    assert_eq!(model.apply(ms(0), "nvr/detections/2", &payload, false).len(), 1);
    payload.push(b' ');
    assert_eq!(model.apply(ms(0), "nvr/detections/2", &payload, false), [Change::NotUnderstood]);
    let shown = screen(&model, ms(0), (120, 30)).join("\n");
    assert!(shown.contains("nvr/detections/2: 262145 bytes is too long"), "{shown}");
}

fn topic() -> impl Strategy<Value = String> {
    prop_oneof![
        "nvr/detections/[0-9]{1,11}",
        "nvr/control/status/[a-c]",
        "nvr/status/metrics/[a-c]",
        "\\PC{0,40}",
    ]
}

/// Well-formed messages with extreme numbers, next to plain noise.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![any::<f64>().prop_map(|v| json!(v)), any::<i64>().prop_map(|v| json!(v))];
    let strange = (number, ".*", any::<u32>()).prop_map(|(n, text, id)| {
        json!({
            "instance_id": text, "source_id": id, "frame_id": id, "model_id": text, "inference_time_ms": n,
            "timestamp": "9999-12-30T22:00:00.9Z", "fps": n, "latency_ms": n, "status": text, "reason": text,
            "uptime_seconds": n, "inference_throughput": n, "avg_latency_ms": n, "engine": { "name": text },
            "streams": [{ "source_id": id, "state": text, "cause": { "detail": text } }],
            "detections": [{ "class_name": text, "confidence": 0.5, "tracker_id": id,
                             "bbox": { "x": n, "y": n, "width": n, "height": n } }],
        })
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        strange.prop_map(|v| v.to_string().into_bytes()),
        prop::sample::select(story()).prop_map(|(_, _, v, _)| v.to_string().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_a_broker_sends_stops_the_view(
        messages in prop::collection::vec((any::<u64>(), topic(), payload(), any::<bool>()), 1..20),
        wall in any::<i128>(),
        (width, height) in (0u16..130, 0u16..40),
    ) {
        let mut model = model();
        let mut lines = Lines::new(ms(0));
        model.tell_wall(ms(0), Utc::from_unix_ns(wall));
        for (at, topic, payload, retained) in messages {
            let now = Instant(at);
            let changes = model.apply(now, &topic, &payload, retained);
            for line in lines.changes(now, &model, &changes).into_iter().chain(lines.summary(now, &model)) {
                prop_assert!(!line.contains(char::is_control), "{line:?}");
            }
            screen(&model, now, (width, height));
        }
    }
}
