use serde_json::{Value, json};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use super::story::{Story, votes};
use super::table::{Stage, Times, rank, table};
use super::{glass, replay};
use crate::live::{self, Heard};

fn at(seconds: f64) -> Instant {
    Instant(0).after(std::time::Duration::from_secs_f64(seconds))
}

fn hear(story: &mut Story, seconds: f64, topic: &str, payload: &Value) {
    let payload = payload.to_string().into_bytes();
    story.hear(&Heard { at: at(seconds), topic: topic.to_owned(), payload, retained: false });
}

fn told() -> Story {
    let mut story = Story::default();
    let status = |state: &str, relays: Value, flow: &str| json!({ "state": state, "relays": relays, "sensors": { "flow": flow } });
    hear(&mut story, 0.0, "gpio/status", &status("IDLE", json!([]), "no"));
    assert!(!story.is_ready(1), "vigia is not");
    hear(&mut story, 0.5, "nvr/control/status/drill", &json!({ "status": "running" }));
    assert!(!story.is_ready(1), "it looks at nothing");
    hear(&mut story, 0.6, "nvr/detections/0", &json!({ "detections": [] }));
    assert!(story.is_ready(1));
    story.begun = at(1.0);
    story.glass = vec![at(2.0), at(2.5)];
    let fire = json!({ "detections": [{ "class_name": "person" }, { "class_name": "fire" }] });
    hear(&mut story, 1.9, "nvr/detections/0", &json!({ "detections": [{ "class_name": "person" }] }));
    hear(&mut story, 2.3, "nvr/detections/1", &fire);
    hear(&mut story, 6.0, "fire/trigger", &json!({ "action": "trigger" }));
    hear(&mut story, 6.1, "gpio/status", &status("PRIMING", json!(["main_valve", "siren"]), "no"));
    hear(&mut story, 26.0, "gpio/status", &status("RUNNING", json!(["main_valve", "run"]), "yes"));
    story
}

#[test]
fn times_count_from_the_first_glass() {
    let times = Times::of(&told()).expect("a glass");
    let wanted = [(Stage::SecondGlass, 0.5), (Stage::Detection, 0.3), (Stage::Confirmation, 4.0)];
    for (stage, seconds) in wanted.into_iter().chain([(Stage::Relay, 4.1), (Stage::Water, 24.0)]) {
        assert!((times.get(stage).expect("it came") - seconds).abs() < 1e-6, "{stage:?}: {times:?}");
    }
    let early = Story { glass: vec![at(3.0)], ..told() };
    assert_eq!(Times::of(&early).and_then(|t| t.get(Stage::Detection)).map(f64::round), Some(-1.0));
    assert!(Times::of(&Story::default()).is_none());
    let text = table(&[times, Times::default()]);
    assert!(text.contains("missing in 1") && text.contains("24.00"), "{text}");
}

#[test]
fn ranks_are_the_nearest() {
    assert_eq!(rank(&[], 99), None);
    assert_eq!(rank(&[1.0], 50), Some(1.0));
    assert_eq!((rank(&[1.0, 2.0, 3.0, 4.0], 50), rank(&[1.0, 2.0, 3.0, 4.0], 99)), (Some(2.0), Some(4.0)));
}

#[test]
fn what_can_t_be_understood_is_not_heard() {
    let mut story = Story::default();
    for payload in [json!(null), json!([]), json!({ "relays": 3, "detections": {} })] {
        for topic in ["gpio/status", "nvr/detections/0", "nvr/detections/x", "system/trigger_telemetry"] {
            hear(&mut story, 1.0, topic, &payload);
        }
    }
    assert!(story.stands.is_empty() && story.fires.is_empty() && story.farthest().contains("no fire"));
}

#[test]
fn votes_are_brought_to_the_monotonic_clock() {
    let records = [
        json!({ "decision": "vote_ended", "at": "2026-07-01T00:00:07Z" }),
        json!({ "decision": "vote_given", "at": "2026-07-01T00:00:05Z" }),
        json!({ "decision": "confirmed", "at": "2026-07-01T00:00:06Z" }),
        json!({ "failed": "growth" }),
    ];
    let utc: Utc = serde_json::from_value(json!("2026-07-01T00:00:10Z")).expect("a time");
    let story = Story { votes: votes(&records, at(100.0), utc), ..Story::default() };
    assert_eq!([94.0, 95.0, 96.9, 97.1].map(|s| story.voting(at(s))), [0, 1, 1, 0]);
}

#[test]
fn the_plant_is_told_again_from_its_relays() {
    let samples = replay::samples(&told()).expect("the plan is good");
    assert!(samples.first().is_some_and(|s| s.at >= at(1.0)));
    let last = samples.last().expect("samples");
    assert!(last.valve > 0.9, "open for 20 s: {last:?}");
    assert!(samples.iter().any(|s| s.seeing == 1));
}

#[test]
fn the_farm_s_fire_begins_small_and_is_seen_from_both_sides() {
    for camera in 0..2 {
        let mut shot = crate::stage::Stage { camera, ..live::FIRE }.shot(live::SIZE);
        assert!((0..10).all(|t| !glass::burns(shot.frame(t as f32 * 0.1))), "camera {camera} has to wait");
        assert!((0..20).any(|s| glass::burns(shot.frame(s as f32))), "camera {camera}");
    }
}
