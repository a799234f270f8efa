//! The desired state: checks 26, 27, 30, 32, 39, 82, 83; what is saved of it; reloads.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::{Change, Code, Desired, Overlay, Pauses, Saved, diff, reload, restart_needed};
use super::{at, command, site, uri};
use crate::config::{Config, Credentials, LogLevel, Pace, Secret, Tracker};
use crate::event::Utc;

/// The commands of `name params` lines, each applied to what the one before made.
fn after(config: &Config, lines: &[&str]) -> Desired {
    lines.iter().fold(Desired::of(config), |desired, line| {
        let (name, params) = line.split_once(' ').unwrap_or((line, ""));
        desired.apply(&command(name, params), config).unwrap_or_else(|e| panic!("{line}: {e}"))
    })
}

fn refusal(config: &Config, before: &[&str], line: &str) -> (Code, String) {
    let (name, params) = line.split_once(' ').unwrap();
    let refusal = after(config, before).apply(&command(name, params), config).unwrap_err();
    (refusal.code, refusal.message)
}

fn addresses(desired: &Desired) -> Vec<(u32, &str)> {
    desired.streams.iter().map(|s| (s.source_id, s.uri.expose())).collect()
}

/// Carries changes out on a copy, as the body would.
pub(super) fn carried_out(old: &Desired, changes: &[Change]) -> Desired {
    let mut new = old.clone();
    for change in changes {
        let mut set = |id: u32, f: &dyn Fn(&mut crate::config::Stream)| {
            f(new.streams.iter_mut().find(|s| s.source_id == id).unwrap());
        };
        match change {
            Change::SwapModel { model } => new.model.clone_from(model),
            Change::AddStream(stream) => {
                assert!(new.stream(stream.source_id).is_none());
                new.streams.push((**stream).clone());
            }
            Change::Repoint(stream) => set(stream.source_id, &|s| *s = (**stream).clone()),
            Change::SetRate { source_id, max_fps } => set(*source_id, &|s| s.max_fps = *max_fps),
            Change::SetConfidence { source_id, confidence } => {
                set(*source_id, &|s| s.confidence = *confidence)
            }
            Change::SetTracker { source_id, tracker } => set(*source_id, &|s| s.tracker = *tracker),
            Change::RemoveStream { source_id } => new.streams.retain(|s| s.source_id != *source_id),
        }
    }
    new
}

// Checks 26, 27, 30.
#[test]
fn the_set_of_streams_has_rules() {
    let config = site(&[0]);
    let two = after(&config, &[r#"add_stream {"source_id":8}"#]);
    assert_eq!(addresses(&two), [(0, "rtsp://go2rtc:8554/live/0"), (8, "rtsp://go2rtc:8554/live/8")], "B-07");
    let table = [
        (r#"add_stream {"source_id":0}"#, Code::AlreadyExists, "Stream with source_id 0 already exists"),
        (r#"remove_stream {"source_id":5}"#, Code::NotFound, "Stream with source_id 5 not found"),
        (
            r#"remove_stream {"source_id":0}"#,
            Code::LastStream,
            "Cannot remove last stream (at least one stream required)",
        ),
        (r#"set_fps {"max_fps":1,"source_id":5}"#, Code::NotFound, "Stream with source_id 5 not found"),
        (r#"pause {"source_ids":[0,5]}"#, Code::NotFound, "Stream with source_id 5 not found"),
        (r#"resume {"source_id":5}"#, Code::NotFound, "Stream with source_id 5 not found"),
        (
            r#"change_stream_uri {"source_id":5,"stream_uri":null}"#,
            Code::NotFound,
            "Stream with source_id 5 not found",
        ),
        (
            r#"reconfigure {"remove_streams":[0]}"#,
            Code::LastStream,
            "Cannot remove last stream (at least one stream required)",
        ),
        (
            r#"reconfigure {"add_streams":[8,8]}"#,
            Code::AlreadyExists,
            "Stream with source_id 8 already exists",
        ),
    ];
    for (line, code, message) in table {
        assert_eq!(refusal(&config, &[], line), (code, message.to_string()), "{line}");
    }
    let full = site(&(0..256).collect::<Vec<_>>());
    assert_eq!(refusal(&full, &[], r#"add_stream {"source_id":999}"#).0, Code::TooManyStreams);
}

// Check 32, B-14: a refused command leaves nothing behind.
#[test]
fn refusals_leave_no_trace() {
    let config = site(&[0, 2]);
    let before = Desired::of(&config);
    assert!(before.apply(&command("add_stream", r#"{"source_id":2}"#), &config).is_err());
    let now = after(&config, &[r#"add_stream {"source_id":7}"#, r#"remove_stream {"source_id":2}"#]);
    assert_eq!(now.source_ids(), [0, 7]);
}

// Check 82.
#[test]
fn reconfigure_is_all_or_nothing() {
    let config = site(&[0, 1]);
    let bad = r#"reconfigure {"model_id":"m","max_fps":5,"add_streams":[8],"remove_streams":[4]}"#;
    assert_eq!(refusal(&config, &[], bad).0, Code::NotFound);
    let good = r#"reconfigure {"model_id":"m","max_fps":5,"confidence_threshold":0.7,
        "add_streams":[8],"remove_streams":[0,1]}"#;
    let now = after(&config, &[good]);
    assert_eq!((now.model.as_str(), now.source_ids()), ("m", vec![8]));
    assert_eq!((now.streams[0].max_fps, now.streams[0].confidence), (5.0, 0.7));
    let changes = diff(&Desired::of(&config), &now);
    assert!(matches!(
        changes.as_slice(),
        [
            Change::SwapModel { .. },
            Change::AddStream(_),
            Change::RemoveStream { source_id: 0 },
            Change::RemoveStream { source_id: 1 }
        ]
    ));
    // A room that leaves and comes in one command is connected anew.
    let anew = after(
        &config,
        &[r#"reconfigure {"remove_streams":[0],"add_streams":[{"source_id":0,"stream_uri":"/a.mp4"}]}"#],
    );
    assert!(
        matches!(diff(&Desired::of(&config), &anew).as_slice(), [Change::Repoint(s)] if s.source_id == 0)
    );
}

// Check 83.
#[test]
fn batches_are_atomic_if_asked() {
    let config = site(&[0, 1]);
    let items = r#"[{"command":"set_fps","params":{"max_fps":2}},
        {"command":"add_stream","params":{"source_id":8}},
        {"command":"remove_stream","params":{"source_id":5}},
        {"command":"set_confidence","params":{"confidence":0.9}}]"#;
    let (code, message) =
        refusal(&config, &[], &format!(r#"batch_commands {{"atomic":true,"commands":{items}}}"#));
    assert_eq!(code, Code::BatchFailed);
    assert_eq!(
        message,
        "commands[2] (remove_stream): Stream with source_id 5 not found; nothing was changed"
    );
    let each = after(&config, &[&format!(r#"batch_commands {{"commands":{items}}}"#)]);
    assert_eq!(each.source_ids(), [0, 1, 8]);
    assert!(each.streams.iter().all(|s| s.max_fps == 2.0 && s.confidence == 0.9));
}

// Check 39; spec 2.8 step 6: the same value as now changes nothing.
#[test]
fn settings_are_set_for_one_or_all() {
    let config = site(&[0, 1]);
    let before = Desired::of(&config);
    let table: [(&str, &[Change]); 8] = [
        (r#"set_fps {"max_fps":1}"#, &[]),
        (
            r#"set_fps {"max_fps":0.05}"#,
            &[
                Change::SetRate { source_id: 0, max_fps: 0.05 },
                Change::SetRate { source_id: 1, max_fps: 0.05 },
            ],
        ),
        (r#"set_fps {"max_fps":9,"source_id":1}"#, &[Change::SetRate { source_id: 1, max_fps: 9.0 }]),
        (
            r#"set_confidence {"confidence":0.9,"source_id":0}"#,
            &[Change::SetConfidence { source_id: 0, confidence: 0.9 }],
        ),
        (
            r#"enable_tracking {"enabled":true}"#,
            &[
                Change::SetTracker { source_id: 0, tracker: Tracker::ByteTrack },
                Change::SetTracker { source_id: 1, tracker: Tracker::ByteTrack },
            ],
        ),
        (r#"enable_tracking {"enabled":false}"#, &[]),
        (r#"change_model {"model_id":"yolov8x-640"}"#, &[]),
        (r#"change_stream_uri {"source_id":0,"stream_uri":null}"#, &[]),
    ];
    for (line, want) in table {
        assert_eq!(diff(&before, &after(&config, &[line])), want, "{line}");
    }
    let later = after(&config, &[r#"set_fps {"max_fps":0.05}"#, r#"add_stream {"source_id":8}"#]);
    assert_eq!(later.stream(8).unwrap().max_fps, 0.05, "streams to come get it, too");
    for line in ["stop", "restart", "ping", "reload_config", "pause", "resume"] {
        assert_eq!(after(&config, &[line]), before, "{line}");
    }
}

/// Room 2 is a camera of its own, with a password; room 3 is switched off.
fn camera_site() -> Config {
    let mut config = site(&[0, 2, 3]);
    let camera = &mut config.streams[1];
    camera.uri = uri("rtsp://10.0.0.9/live");
    camera.credentials =
        Some(Credentials { username: "admin".into(), password: Secret::new("hunter2".into()) });
    camera.name = Some("door".into());
    config.streams[2].enabled = false;
    config.streams[2].uri = uri("file:///a.mp4");
    config.streams[2].pace = Pace::Max;
    config
}

#[test]
fn configured_streams_come_back_as_configured() {
    let config = camera_site();
    let gone_and_back =
        after(&config, &[r#"remove_stream {"source_id":2}"#, r#"add_stream {"source_id":2}"#]);
    assert_eq!(gone_and_back.stream(2), Desired::of(&config).stream(2));
    let third = after(&config, &[r#"add_stream {"source_id":3}"#]);
    let third = third.stream(3).unwrap();
    assert_eq!((third.uri.expose(), third.pace, third.enabled), ("file:///a.mp4", Pace::Max, true));
}

#[test]
fn passwords_go_to_no_other_address() {
    let config = camera_site();
    let moved = [r#"change_stream_uri {"source_id":2,"stream_uri":"rtsp://evil/live"}"#];
    let elsewhere = after(&config, &moved);
    let stream = elsewhere.stream(2).unwrap();
    assert_eq!((stream.credentials.as_ref(), stream.name.as_deref()), (None, Some("door")));
    let home = after(&config, &[moved[0], r#"change_stream_uri {"source_id":2,"stream_uri":null}"#]);
    assert_eq!(home, Desired::of(&config));
    let added =
        [r#"remove_stream {"source_id":2}"#, r#"add_stream {"source_id":2,"stream_uri":"rtsp://evil/x"}"#];
    assert_eq!(after(&config, &added).stream(2).unwrap().credentials, None);
}

const CHANGED: [&str; 9] = [
    r#"set_fps {"max_fps":0.30000000000000004}"#,
    r#"set_fps {"max_fps":5,"source_id":0}"#,
    r#"set_confidence {"confidence":0.7,"source_id":0}"#,
    r#"enable_tracking {"enabled":true}"#,
    r#"change_model {"model_id":"other"}"#,
    r#"change_stream_uri {"source_id":0,"stream_uri":"rtsp://a:hunter2@10.0.0.1/x?token=hunter2"}"#,
    r#"add_stream {"source_id":3}"#,
    r#"add_stream {"source_id":8,"stream_uri":"test://pattern"}"#,
    r#"remove_stream {"source_id":2}"#,
];

fn through_json(overlay: Overlay) -> Overlay {
    let saved = Saved { overlay, pauses: Vec::new(), saved_at: Utc::from_unix_ns(0) };
    let text = serde_json::to_string(&saved).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    serde_json::from_str::<Saved>(&text).unwrap().overlay
}

#[test]
fn what_is_saved_comes_back() {
    let config = camera_site();
    let desired = after(&config, &CHANGED);
    let overlay = Overlay::of(&desired, &config);
    assert_eq!(overlay.secret_sources(), [0]);
    let secrets = BTreeMap::from([(0, desired.stream(0).unwrap().uri.clone())]);
    let restored = through_json(overlay.clone()).onto(&config, &secrets);
    assert_eq!(diff(&desired, &restored.desired), []);
    assert_eq!((restored.lost, restored.outdated), (vec![], vec![]));
    // Without the secret the room is missing, not another camera's.
    let lost = through_json(overlay).onto(&config, &BTreeMap::new());
    assert_eq!((lost.desired.source_ids(), lost.lost), (vec![3, 8], vec![0]));
    let same = Desired::of(&config);
    assert_eq!(through_json(Overlay::of(&same, &config)).onto(&config, &BTreeMap::new()).desired, same);
}

#[test]
fn a_site_that_was_edited_wins() {
    let old = camera_site();
    let desired = after(&old, &CHANGED);
    let mut new = camera_site();
    new.detector.model = "third".into();
    new.streams[0].max_fps = 2.0;
    new.streams[0].confidence = 0.6;
    new.streams.push(new.stream_of_room(8));
    new.streams.push(new.stream_of_room(9));
    let restored = reload(&desired, &old, &new);
    let now = &restored.desired;
    assert_eq!(now.model, "third");
    let first = now.stream(0).unwrap();
    assert_eq!((first.max_fps, first.confidence, first.tracker), (2.0, 0.6, Tracker::ByteTrack));
    assert_eq!(first.uri, desired.stream(0).unwrap().uri, "nobody edited that");
    assert_eq!(now.stream(8).unwrap().uri.expose(), "rtsp://go2rtc:8554/live/8");
    assert_eq!(now.source_ids(), [0, 8, 9, 3]);
    assert_eq!(
        restored.outdated,
        [
            "detector.model",
            "streams[source_id=0].max_fps",
            "streams[source_id=0].confidence",
            "streams[source_id=8]"
        ]
    );
    // Nothing edited: nothing changes.
    assert_eq!(diff(&desired, &reload(&desired, &old, &old).desired), []);
    // A password that was changed at home is a new connection.
    let mut rotated = camera_site();
    rotated.streams[1].credentials = None;
    let changes = diff(&Desired::of(&old), &reload(&Desired::of(&old), &old, &rotated).desired);
    assert!(matches!(changes.as_slice(), [Change::Repoint(s)] if s.source_id == 2));
}

#[test]
fn one_stream_remains_whatever_was_saved() {
    let config = site(&[0, 1]);
    let desired = after(&config, &[r#"add_stream {"source_id":8}"#, r#"remove_stream {"source_id":0}"#]);
    let overlay = Overlay::of(&after(&site(&[0, 1]), &[r#"remove_stream {"source_id":0}"#]), &config);
    assert_eq!(overlay.onto(&site(&[0]), &BTreeMap::new()).desired.source_ids(), [0]);
    assert_eq!(Overlay::of(&desired, &config).onto(&config, &BTreeMap::new()).desired.source_ids(), [1, 8]);
    let damaged = r#"{"model":{"was":"yolov8x-640","now":"../x"},"max_fps":{"was":1.0,"now":-3},
        "confidence":null,"tracker":null,"streams":[{"what":"added","source_id":9,"address":{"plain":"nonsense"},"max_fps":-1,
        "confidence":7,"tracker":"none"}]}"#;
    let restored = serde_json::from_str::<Overlay>(damaged).unwrap().onto(&config, &BTreeMap::new());
    assert_eq!((restored.desired, restored.lost), (Desired::of(&config), vec![9]));
}

#[test]
fn what_waits_for_a_restart_is_named() {
    let (old, mut new) = (site(&[0]), site(&[0, 1]));
    assert_eq!(restart_needed(&old, &new), Vec::<&str>::new());
    new.detector.threads = Some(2);
    new.mqtt.port = 8883;
    new.log.level = LogLevel::Debug;
    assert_eq!(restart_needed(&old, &new), ["detector.threads", "mqtt", "log"]);
}

#[test]
fn pauses_survive_the_process() {
    let overlay = || Overlay::of(&Desired::of(&site(&[0])), &site(&[0]));
    let wall = |s: i128| Utc::from_unix_ns(s * 1_000_000_000);
    let mut pauses = Pauses::default();
    pauses.pause(at(100), &[], None);
    pauses.pause(at(100), &[1], Some(Duration::from_secs(60)));
    let text = serde_json::to_string(&Saved::new(overlay(), &pauses, at(100), wall(1_000))).unwrap();
    let saved: Saved = serde_json::from_str(&text).unwrap();
    let entries = |now: i128| saved.pauses(at(5), wall(now)).entries().collect::<Vec<_>>();
    assert_eq!(entries(1_020), [(None, None), (Some(1), Some(at(45)))]);
    assert_eq!(entries(1_060), [(None, None)], "over meanwhile");
    assert_eq!(entries(0), [(None, None), (Some(1), Some(at(65)))], "a clock set back makes none longer");
}
