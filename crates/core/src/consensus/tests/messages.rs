//! K14, K18, K23: what outside cameras say, well-formed or not.

use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;

use super::super::outside::{self, Message, PAYLOAD_BYTES_MAX, read};
use super::*;

fn config() -> Config {
    let cameras = Vec::from([outside_camera("barn"), own_camera(0)]);
    check(&raw::Consensus { cameras, ..settings() }, &streams(1)).expect("sound")
}

fn direct(payload: &str) -> Result<Message, Refusal> {
    read(&config(), Instant(5), Form::Detection { camera: Some("barn") }, payload.as_bytes(), false)
}

fn named(name: &str) -> Option<ObjectId> {
    Some(ObjectId::Named(ObjectName::new(name).expect("short")))
}

#[test]
fn topics_say_the_form() {
    for (topic, form) in [
        ("fire/detection", Some(Form::Detection { camera: None })),
        ("fire/detection/barn", Some(Form::Detection { camera: Some("barn") })),
        ("fire/detection/", Some(Form::Detection { camera: Some("") })),
        ("fire/detection/a/b", None),
        ("frigate/events", Some(Form::Frigate)),
        ("system/camera_telemetry", Some(Form::Telemetry)),
        ("fire/trigger", None),
    ] {
        assert_eq!(Form::of_topic(topic), form, "{topic}");
    }
}

#[test]
fn detections_are_read() {
    let Ok(Message::Seen(seen)) =
        direct(r#"{"confidence":0.9,"bbox":[100,100,300,400],"object_id":7,"timestamp":1e12,"x":[[{}]]}"#)
    else {
        panic!("refused")
    };
    assert_eq!((seen.object, seen.class, seen.confidence), (named("7"), Class::Fire, 0.9));
    assert_eq!((seen.frame, seen.captured), (HD, Instant(5)), "the sender's clock is not believed");
    assert_eq!(seen.bbox, BBox { x1: 100.0, y1: 100.0, x2: 300.0, y2: 400.0 });
    let other =
        direct(r#"{"confidence":1,"bounding_box":[0,0.1,0.2,1],"label":"Smoke","object_id":"a\u0062"}"#);
    let Ok(Message::Seen(seen)) = other else { panic!("{other:?}") };
    assert_eq!((seen.object, seen.class), (named("ab"), Class::Smoke));
    assert_eq!(seen.frame, config::FrameSize::UNIT);
    let beyond = direct(r#"{"confidence":-1,"bbox":[-5,100,300,18446744073709551615]}"#);
    let Ok(Message::Seen(seen)) = beyond else { panic!("{beyond:?}") };
    assert_eq!((seen.confidence, seen.bbox.x1, seen.bbox.y2), (-1.0, -5.0, 18_446_744_073_709_551_615.0));
    let body = r#"{"camera_id":"barn","confidence":0.9,"bbox":[0,0,0.2,0.2]}"#;
    let read = read(&config(), Instant(5), Form::Detection { camera: None }, body.as_bytes(), false);
    assert!(matches!(read, Ok(Message::Seen(_))), "{read:?}");
}

/// No id, an empty one and the 0 of the predecessor are no name (C3).
#[test]
fn objects_have_names_or_none() {
    for (id, object) in [
        ("null", None),
        (r#""""#, None),
        (r#""0""#, None),
        ("0", None),
        ("7", named("7")),
        ("-7", named("-7")),
        (r#""00""#, named("00")),
    ] {
        let said = direct(&format!(r#"{{"confidence":0.9,"bbox":[0,0,1,1],"object_id":{id}}}"#));
        let Ok(Message::Seen(seen)) = said else { panic!("{id}: {said:?}") };
        assert_eq!(seen.object, object, "{id}");
    }
}

/// C10: numbers that are no corners and would be a box inside the picture as left, top, width and
/// height were meant so. Others are corners, or nothing at all.
#[test]
fn boxes_that_look_like_sizes_are_told() {
    for (four, size) in [
        ([0.1, 0.1, 0.05, 0.05], true),
        ([0.1, 0.1, 0.05, 0.3], true),
        ([0.1, 0.1, 0.3, 0.05], true),
        ([0.1, 0.1, 0.1, 0.3], true),
        ([0.1, 0.1, 0.3, 0.1], true),
        ([0.5, 0.1, 0.5, 0.05], true),
        ([0.1, 0.5, 0.05, 0.5], true),
        ([0.1, 0.1, 0.2, 0.2], false),
        ([0.8, 0.1, 0.3, 0.05], false),
        ([0.1, 0.8, 0.05, 0.3], false),
        ([200.0, 100.0, 50.0, 50.0], false),
    ] {
        let refusal = direct(&format!(r#"{{"confidence":0.9,"bbox":{four:?}}}"#)).err();
        assert_eq!(refusal, size.then_some(Refusal::LooksLikeSize), "{four:?}");
    }
}

/// K18: the event's label decides, and its id becomes the object's.
#[test]
fn k18_frigate_events_are_read() {
    let event = |label: &str, extra: &str| {
        let text = format!(
            r#"{{"type":"update","after":{{"id":"171.2-x","camera":"barn","label":"{label}","box":[10,20,410,320]{extra}}}}}"#
        );
        read(&config(), Instant(5), Form::Frigate, text.as_bytes(), false)
    };
    let Ok(Message::Seen(seen)) = event("fire", r#","top_score":0.8,"score":0.3"#) else { panic!("refused") };
    assert_eq!((seen.object, seen.confidence), (named("171.2-x"), 0.8));
    let Ok(Message::Seen(seen)) = event("Fire", r#","top_score":null,"score":0.3"#) else {
        panic!("refused")
    };
    assert_eq!(seen.confidence, 0.3);
    let other = event("person", r#","top_score":0.8"#);
    assert_eq!(other, Err(Refusal::OtherLabel { got: "person".into() }));
    assert_eq!(event("fire", ""), Err(Refusal::Missing { field: "top_score" }));
}

/// K14, K23, and everything else that may come: a sentence each, and nothing is remembered.
#[test]
fn refusals_say_what_was_wrong() {
    let long = format!(r#"{{"confidence":0.9,"bbox":[0,0,1,1],"object_id":"{}"}}"#, "x".repeat(41));
    for (payload, sentence) in [
        (r#"{"confidence":0.9}"#, "box is missing"),
        (r#"{"confidence":0.9,"bbox":null}"#, "box is missing"),
        (r#"{"confidence":0.9,"bbox":[]}"#, "box must be four numbers"),
        (r#"{"confidence":0.9,"bbox":[1,2]}"#, "box must be four numbers"),
        (r#"{"confidence":0.9,"bbox":[1,2,3,4,5]}"#, "box must be four numbers"),
        (r#"{"confidence":0.9,"bbox":[1,2,3,"4"]}"#, "box must be four numbers"),
        (r#"{"confidence":0.9,"bbox":{"x":1}}"#, "box must be four numbers"),
        (r#"{"bbox":[0,0,0.5,0.5]}"#, "confidence is missing"),
        (r#"{"confidence":"high","bbox":[0,0,0.5,0.5]}"#, "confidence must be a number, got text"),
        (r#"{"confidence":true,"bbox":[0,0,0.5,0.5]}"#, "confidence must be a number, got a yes or no"),
        (r#"{"confidence":NaN,"bbox":[0,0,0.5,0.5]}"#, "is no JSON object: line 1, column 15"),
        (r#"{"confidence":0.9,"bbox":[0,0,1e999,1]}"#, "is no JSON object"),
        (r#"{"confidence":0.9,"confidence":0.1}"#, "is no JSON object"),
        (r#"{"confidence":0.9,"bbox":[0,0,1,1],"label":"cat"}"#, "is about `cat`; only fire and smoke count"),
        (r#"{"confidence":0.9,"bbox":[0,0,1,1],"label":3}"#, "label must be text, got a number"),
        (r#"{"confidence":0.9,"bbox":[0,0,1,1],"object_id":"a\nb"}"#, "object id must be 1 to 40 bytes"),
        (&long, "object id must be 1 to 40 bytes"),
        ("[0.9]", "is no JSON object"),
        ("{not json", "is no JSON object"),
        ("", "is no JSON object"),
        ("offline", "is no JSON object"),
        ("null", "is no JSON object"),
    ] {
        let refusal = direct(payload).expect_err(payload);
        assert!(format!("{refusal}").contains(sentence), "{payload}: {refusal}");
    }
    let of = |form, payload: &[u8], retained| read(&config(), Instant(5), form, payload, retained);
    let good = br#"{"camera_id":"barn","confidence":0.9,"bbox":[0,0,0.5,0.5]}"#;
    let whole = Form::Detection { camera: None };
    assert_eq!(of(whole, good, true), Err(Refusal::Retained));
    assert_eq!(of(whole, br#"{"camera_id":"unknown"}"#, false), Err(Refusal::NoCamera));
    assert_eq!(of(whole, br#"{"confidence":0.9}"#, false), Err(Refusal::NoCamera));
    assert_eq!(of(Form::Detection { camera: Some("") }, good, false), Err(Refusal::NoCamera));
    assert_eq!(
        of(Form::Telemetry, good, false),
        Ok(Message::Alive(config().camera_named("barn").expect("barn")))
    );
    let own = of(Form::Telemetry, br#"{"camera_id":"cam0"}"#, false);
    assert_eq!(own, Err(Refusal::OwnCamera { got: "cam0".into() }));
    assert_eq!(of(Form::Frigate, b"{}", false), Err(Refusal::Missing { field: "after" }));
    let large = Vec::from([b' '; PAYLOAD_BYTES_MAX + 1]);
    assert_eq!(of(whole, &large, false), Err(Refusal::TooLarge { got: PAYLOAD_BYTES_MAX + 1 }));
    let mut largest = good.to_vec();
    largest.resize(PAYLOAD_BYTES_MAX, b' ');
    assert!(of(whole, &largest, false).is_ok());
    let mut odd = good.to_vec();
    odd[5] = 0xff;
    assert!(matches!(of(whole, &odd, false), Err(Refusal::Unreadable { .. })));
    let deep = [b"{\"a\":".repeat(5_000), Vec::from(*b"1")].concat();
    assert!(matches!(of(whole, &deep, false), Err(Refusal::Unreadable { .. })));
    let name = format!("fire/detection/{}\u{7}", "n".repeat(500));
    let form = Form::of_topic(&name).expect("a detection");
    let Err(Refusal::UnknownCamera { got }) = of(form, good, false) else { panic!("taken") };
    assert_eq!(got.len(), 64, "no more is repeated than fits a line");
}

/// What is well said but does not count is refused with the predicate that failed.
#[test]
fn what_does_not_count_is_a_refusal_too() {
    let raw =
        raw::Consensus { cameras: Vec::from([outside_camera("barn")]), cameras_needed: 1, ..settings() };
    let mut site = Site::new(&raw, 0);
    let refusal = site.hear("fire/detection/barn", r#"{"confidence":0.5,"bbox":[0,0,0.5,0.5]}"#);
    let sentence = format!("{}", refusal.expect_err("too unsure"));
    assert_eq!(sentence, "confidence 0.500; at least 0.700 counts");
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(String::from("null")),
        any::<bool>().prop_map(|b| format!("{b}")),
        any::<i64>().prop_map(|n| format!("{n}")),
        any::<f64>().prop_map(|n| if n.is_finite() { format!("{n}") } else { "1e400".into() }),
        "[a-z0-9./]{0,12}".prop_map(|s| format!("{s:?}")),
        (0.0..1.0f64, 0.0..1.0f64, 0.0..2000.0f64, 0.0..2000.0f64)
            .prop_map(|(a, b, c, d)| format!("[{a},{b},{c},{d}]")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(",")))
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived(payload in prop::collection::vec(any::<u8>(), 0..300), form in 0..3) {
        let form = [Form::Detection { camera: Some("barn") }, Form::Frigate, Form::Telemetry][form as usize];
        let _ = read(&config(), Instant(5), form, &payload, false);
    }

    /// Well-formed JSON with any values where ours are expected.
    #[test]
    fn any_values_are_survived(
        keys in prop::collection::vec(0..8usize, 0..6), values in prop::collection::vec(value(), 6), wrap in any::<bool>()
    ) {
        let names = ["confidence", "bbox", "object_id", "label", "camera_id", "box", "top_score", "camera"];
        let fields: Vec<String> = keys.iter().zip(&values).map(|(k, v)| format!("\"{}\":{v}", names[*k])).collect();
        let body = format!("{{{}}}", fields.join(","));
        let raw = raw::Consensus { cameras: Vec::from([outside_camera("barn")]), cameras_needed: 1, ..settings() };
        let mut site = Site::new(&raw, 0);
        let taken = if wrap {
            site.hear("frigate/events", &format!("{{\"type\":\"new\",\"after\":{body}}}"))
        } else {
            site.hear("fire/detection/barn", &body)
        };
        site.step();
        let kept = site.core.objects(site.camera(0));
        let over = matches!(taken, Err(outside::Refusal::Missed(Miss { predicate: Predicate::AreaMax, .. })));
        prop_assert_eq!(kept, usize::from(taken.is_ok() || over));
    }
}
