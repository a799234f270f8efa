//! C1 to C12 of spec wildfire 2.7: what went wrong in the system this replaces, and can't here.

use alloc::vec::Vec;

use super::super::outside;
use super::*;

fn barn() -> raw::Consensus {
    let cameras = Vec::from([outside_camera("barn"), own_camera(0)]);
    raw::Consensus { cameras, cameras_needed: 1, ..settings() }
}

fn said(object: &str, share: f32) -> alloc::string::String {
    let side = libm::sqrtf(share);
    format!(r#"{{"confidence":0.9,"bbox":[0,0,{side},{side}],{object}"x":0}}"#)
}

/// Trigger lost while the way to the pump is down, yet the cooldown starts.
#[test]
fn c1_a_trigger_is_not_lost_and_its_cooldown_waits() {
    let mut site = Site::of(2, 2);
    site.burn(8, &[0, 1]);
    // Nobody acknowledges for longer than the cooldown: still the same fire, still said.
    for _ in 0..10 {
        let said = site.count(|e| matches!(e, Event::Fire(_)));
        site.quiet(60);
        assert_eq!(site.count(|e| matches!(e, Event::Fire(_))), said + 60);
    }
    assert_eq!(site.fires().len(), 1);
    site.core.acknowledge(site.now, TriggerId(1));
    site.burn(1, &[]);
    let after = site.count(|e| matches!(e, Event::Fire(_)));
    site.quiet(60);
    assert_eq!(site.count(|e| matches!(e, Event::Fire(_))), after, "said no more");
    // Acknowledged again, as by a message that came twice: the cooldown does not begin anew.
    assert!(site.core.acknowledge(site.now, TriggerId(1)));
    site.quiet(245);
    site.burn(8, &[0, 1]);
    assert_eq!(site.fires().len(), 2, "306 s after the acknowledgement");
}

/// QoS 0 on the way in. Subscribed with QoS 1, messages may come twice: that changes nothing.
#[test]
fn c2_a_message_that_comes_twice_counts_once() {
    let run = |copies: usize, seconds: u32| {
        let mut site = Site::new(&barn(), 1);
        for second in 0..seconds {
            site.pass(1_000);
            site.good();
            for _ in 0..copies {
                site.hear("fire/detection/barn", &said(r#""object_id":"a","#, growing(second)))
                    .expect("taken");
            }
            site.step();
        }
        site.core.voting(site.camera(0)).len()
    };
    for seconds in 1..10 {
        assert_eq!(run(1, seconds), run(2, seconds), "{seconds} messages");
        assert_eq!(run(1, seconds), usize::from(seconds >= 6), "{seconds} messages");
    }
}

/// K25, too: two boxes that stand still, without names, are no growing one.
#[test]
fn c3_boxes_without_names_are_kept_apart() {
    let small = r#"{"confidence":0.9,"bbox":[0.1,0.1,0.2,0.2]}"#;
    for (row, large) in [
        ("apart", r#"{"confidence":0.9,"bbox":[0.5,0.5,0.9,0.9]}"#),
        ("one in the other", r#"{"confidence":0.9,"bbox":[0.05,0.05,0.3,0.3]}"#),
        ("nearly the same", r#"{"confidence":0.9,"bbox":[0.1,0.1,0.23,0.23]}"#),
        ("named 0", r#"{"confidence":0.9,"object_id":"0","bbox":[0.5,0.5,0.9,0.9]}"#),
        ("named null", r#"{"confidence":0.9,"object_id":null,"bbox":[0.5,0.5,0.9,0.9]}"#),
    ] {
        let mut site = Site::new(&barn(), 1);
        for second in 0..40 {
            site.pass(700);
            site.good();
            let which = if second < 4 || second % 2 == 0 { small } else { large };
            site.hear("fire/detection/barn", which).expect("taken");
            site.step();
            assert!(site.core.voting(site.camera(0)).is_empty(), "{row}, message {second}");
        }
    }
    // A fire without a name that grows is seen to grow.
    let mut site = Site::new(&barn(), 1);
    for second in 0..10 {
        site.pass(1_000);
        site.hear("fire/detection/barn", &said("", growing(second))).expect("taken");
        site.step();
    }
    assert_eq!(site.core.voting(site.camera(0)).len(), 1);
}

/// Without names, what lies at the same place in the next picture is the same; what lies there in
/// the same picture, or has a name, is another.
#[test]
fn c3_a_box_without_a_name_is_known_by_its_place_in_the_next_picture() {
    let unnamed = r#"{"confidence":0.9,"bbox":[0.1,0.1,0.2,0.2]}"#;
    let other = r#"{"confidence":0.9,"bbox":[0.1,0.1,0.2,0.21]}"#;
    let named = r#"{"confidence":0.9,"bbox":[0.1,0.1,0.2,0.2],"object_id":"a"}"#;
    for (row, first, ms, second, objects) in [
        ("the next picture", unnamed, 1_000, other, 1),
        ("the same picture", unnamed, 0, other, 2),
        ("the first has a name", named, 1_000, unnamed, 2),
    ] {
        let mut site = Site::new(&barn(), 1);
        site.hear("fire/detection/barn", first).expect("taken");
        site.step();
        site.pass(ms);
        site.hear("fire/detection/barn", second).expect("taken");
        assert_eq!(site.core.objects(site.camera(0)), objects, "{row}");
    }
}

/// Everything was measured as if it had 1080 lines.
#[test]
fn c4_areas_are_measured_in_the_cameras_own_picture() {
    for (width, height) in [(640, 640), (1280, 720), (1920, 1080), (3840, 2160)] {
        let mut raw = barn();
        (raw.cameras[0].width, raw.cameras[0].height) = (Some(width), Some(height));
        let mut site = Site::new(&raw, 1);
        // A 40th of each side is 0.0006 of the picture, too small; a 25th is 0.0016.
        for (part, fine) in [(40, false), (25, true)] {
            let payload = format!(
                r#"{{"confidence":0.9,"object_id":"a","bbox":[4,4,{},{}]}}"#,
                4 + width / part,
                4 + height / part
            );
            let taken = site.hear("fire/detection/barn", &payload);
            assert_eq!(taken.is_ok(), fine, "{width} x {height}: {taken:?}");
        }
    }
    let mut raw = barn();
    (raw.cameras[0].width, raw.cameras[0].height) = (None, None);
    let mut site = Site::new(&raw, 1);
    let pixels = r#"{"confidence":0.9,"bbox":[100,100,300,400]}"#;
    assert_eq!(
        site.hear("fire/detection/barn", pixels),
        Err(outside::Refusal::NoFrameSize),
        "nothing is assumed"
    );
}

/// A very large fire was thrown away, and one that stopped growing was forgotten.
#[test]
fn c5_large_and_steady_fires_vote() {
    // Large from the start, and never growing: above what growth is measured up to, and below.
    for share in [0.95, 0.5] {
        let mut site = Site::of(2, 2);
        site.film(9, 1_000, |_| Vec::from([(0, 1, share), (1, 1, share)]));
        assert_eq!(site.fires(), [], "{share}: 8 s");
        site.film(3, 1_000, |_| Vec::from([(0, 1, share), (1, 1, share)]));
        assert_eq!(site.fires().len(), 1, "{share}");
    }
    // Two pictures of it are not enough, however far apart.
    let mut site = Site::new(&raw::Consensus { lapse_s: 10.0, ..settings() }, 2);
    site.film(2, 10_000, |_| Vec::from([(0, 1, 0.9), (1, 1, 0.9)]));
    assert_eq!(site.fires(), []);
    // It grew out of the range in which growth is measured, and keeps its vote.
    let mut site = Site::of(2, 2);
    site.film(8, 1_000, |s| Vec::from([(0, 1, 0.08 * libm::powf(1.4, s as f32))]));
    site.film(30, 1_000, |_| Vec::from([(0, 1, 0.99)]));
    assert_eq!(site.core.voting(site.camera(0)).len(), 1);
    // It stopped growing before the second camera saw it.
    let mut site = Site::of(2, 2);
    site.burn(10, &[0]);
    site.film(60, 1_000, |_| Vec::from([(0, 7, growing(9))]));
    assert_eq!(site.fires(), []);
    site.film(8, 1_000, |s| Vec::from([(0, 7, growing(9)), (1, 3, growing(s))]));
    assert_eq!(site.fires().len(), 1);
    // But growth of hours ago is no witness to what another camera sees today.
    let mut site = Site::of(2, 2);
    site.burn(10, &[0]);
    site.film(330, 1_000, |_| Vec::from([(0, 7, growing(9))]));
    site.film(8, 1_000, |s| Vec::from([(0, 7, growing(9)), (1, 3, growing(s))]));
    assert_eq!(site.fires(), []);
}

/// Frigate speaks of an object only when its picture gets better: two or three times, not six.
#[test]
fn c6_a_camera_that_speaks_seldom_can_vote() {
    let event = |kind: &str, side: u32| {
        format!(
            r#"{{"type":"{kind}","before":{{}},"after":{{"id":"1718.5-abc","camera":"barn","label":"fire",
            "top_score":0.83,"box":[100,100,{},{}],"path_data":[[[0.1,0.2],1.5]]}}}}"#,
            100 + side,
            100 + side
        )
    };
    for (updates, votes) in [(raw::Updates::Frames, false), (raw::Updates::Sparse, true)] {
        let mut raw = barn();
        raw.cameras[0].updates = Some(updates);
        let mut site = Site::new(&raw, 1);
        for (side, kind) in [(200, "new"), (260, "update")] {
            site.pass(4_000);
            site.hear("frigate/events", &event(kind, side)).expect("taken");
            site.step();
        }
        site.pass(6_000);
        site.step();
        assert_eq!(!site.core.voting(site.camera(0)).is_empty(), votes, "{updates:?}, silent for 6 s");
        // Its end is said, and is believed at once.
        site.hear("frigate/events", &event("end", 260)).expect("taken");
        site.step();
        assert!(site.core.voting(site.camera(0)).is_empty());
    }
}

/// The wall clock jumped and triggers came twice or never. Here only told time exists; one that
/// goes back stands still, one that jumps ahead makes old what is old.
#[test]
fn c7_time_never_goes_back() {
    let mut site = Site::of(2, 2);
    site.burn(5, &[0, 1]);
    let now = site.now;
    for back in [Instant(0), Instant(now.0 - 3_000_000_000)] {
        site.now = back;
        let _ = site.fire(0, 7, growing(5));
        assert_eq!(site.step(), [], "{back:?}");
    }
    assert!(site.core.deadline() > now);
    site.now = now;
    site.film(3, 1_000, |s| Vec::from([(0, 7, growing(5 + s)), (1, 7, growing(5 + s))]));
    assert_eq!(site.fires().len(), 1, "and goes on");
    assert!(site.core.acknowledge(Instant(5), TriggerId(1)), "the cooldown begins at the latest time told");
    site.pass(3_600_000);
    site.good();
    site.step();
    assert_eq!(site.events.last(), Some(&Event::Ended(TriggerId(1))));
    assert_eq!(site.core.objects(site.camera(0)), 0);
}

/// The message that was being judged set its own camera online.
#[test]
fn c8_a_detection_does_not_prove_that_its_camera_sees() {
    let mut site = Site::of(2, 2);
    for second in 0..10 {
        site.pass(1_000);
        site.core.seen(site.now, site.camera(0), Health::GOOD);
        let _ = site.fire(0, 7, growing(second));
        let _ = site.fire(1, 7, growing(second));
        site.step();
    }
    assert_eq!(site.core.voting(site.camera(1)).len(), 1, "it votes, but nobody listens");
    assert_eq!(site.fires(), []);
    assert_eq!(site.core.sight(site.camera(1)), Sight::Unproven);
    assert!(site.sentences().iter().any(|s| s.contains("cam1") && s.contains("no good picture")));
    site.burn(2, &[0, 1]);
    assert_eq!(site.fires().len(), 1);
}

/// Anybody could fill the memory or forge a trigger with twelve messages.
#[test]
fn c9_strangers_reach_nothing_but_their_own_camera() {
    let mut site = Site::new(&barn(), 1);
    for i in 0..5_000u32 {
        if i % 50 == 0 {
            site.pass(100);
        }
        let ghost = site.hear(&format!("fire/detection/ghost{i}"), &said("", 0.05));
        assert!(matches!(ghost, Err(outside::Refusal::UnknownCamera { .. })), "{ghost:?}");
        let own = site.hear("fire/detection/cam0", &said("", 0.05));
        assert!(matches!(own, Err(outside::Refusal::OwnCamera { .. })), "{own:?}");
        let _ = site
            .hear("fire/detection/barn", &said(&format!(r#""object_id":"o{i}","#), 0.01 + i as f32 * 1e-5));
        site.step();
        assert!(site.core.objects(site.camera(0)) <= limits::OBJECTS_LEN_MAX);
    }
    assert_eq!(site.fires(), []);
    assert_eq!(site.core.objects(site.camera(1)), 0);
    let records = site.core.why(None, Instant(0), site.now).count();
    assert!(records <= 2 * CAMERA_RECORDS_MAX + SECTOR_RECORDS_MAX, "{records}");
    assert!(site.core.suppressed() > 0);
}

/// A flood on its own camera does not push out the fire that was followed there.
#[test]
fn c9_a_flood_does_not_hide_a_fire() {
    let mut site = Site::of(1, 1);
    let mut id = 100;
    for second in 0..8 {
        site.pass(1_000);
        site.good();
        site.fire(0, 7, growing(second)).expect("taken");
        for _ in 0..100 {
            id += 1;
            let _ = site.fire(0, id, 0.002);
        }
        site.fire(0, 7, growing(second)).expect("taken");
        site.step();
    }
    assert_eq!(site.core.voting(site.camera(0)), [ObjectId::Tracked(7)]);
    let before = site.core.objects(site.camera(0));
    assert_eq!(before, limits::OBJECTS_LEN_MAX);
}

/// The documentation's own example was refused, because it meant another kind of box.
#[test]
fn c10_both_kinds_of_boxes_are_understood_where_they_are_announced() {
    let sample = r#"{"camera_id":"barn","confidence":0.9,"bbox":[0.1,0.1,0.05,0.05]}"#;
    let mut site = Site::new(&barn(), 1);
    let refusal = site.hear("fire/detection", sample).expect_err("corners");
    assert!(format!("{refusal}").contains("set its `boxes` to size"), "{refusal}");
    let mut raw = barn();
    raw.cameras[0].boxes = Some(raw::Boxes::Size);
    let config = check(&raw, &streams(1)).expect("sound");
    let read = outside::read(&config, Instant(0), Form::Detection { camera: None }, sample.as_bytes(), false);
    let Ok(outside::Message::Seen(seen)) = read else { panic!("{read:?}") };
    assert!((seen.bbox.area() - 0.0025).abs() < 1e-6, "{seen:?}");
    let mut site = Site::new(&raw, 1);
    assert_eq!(site.hear("fire/detection", sample), Ok(()));
}

/// The shipped labels were spelled `Fire`, and nothing passed.
#[test]
fn c11_labels_count_however_they_are_spelled() {
    for (label, class) in [
        ("fire", Some(Class::Fire)),
        ("Fire", Some(Class::Fire)),
        (" FIRE ", Some(Class::Fire)),
        ("Flame", Some(Class::Fire)),
        ("Smoke", Some(Class::Smoke)),
        ("person", None),
        ("fire truck", None),
        ("", None),
    ] {
        assert_eq!(Class::of_label(label), class, "{label:?}");
    }
    assert_eq!((Class::Fire.name(), Class::Smoke.name()), ("fire", "smoke"));
}

/// No heartbeat said that the fire persists; the pump ran on only if it grew anew.
#[test]
fn c12_a_fire_that_stands_is_reported_until_it_ends() {
    let mut site = Site::of(2, 2);
    site.burn(8, &[0, 1]);
    site.core.acknowledge(site.now, TriggerId(1));
    // An hour at the same size, much longer than a vote is kept; one camera is enough for that.
    site.film(3_600, 1_000, |_| Vec::from([(1, 7, growing(8))]));
    let persists = site.count(|e| matches!(e, Event::Persists(TriggerId(1))));
    assert!((350..=361).contains(&persists), "each 10 s: {persists}");
    assert_eq!(site.fires().len(), 1);
    // Hidden for a while, and back under another name: the same fire.
    site.quiet(8);
    site.film(5, 1_000, |_| Vec::from([(1, 8, growing(8))]));
    assert_eq!(site.count(|e| matches!(e, Event::Ended(_))), 0);
    assert!(site.count(|e| matches!(e, Event::Persists(_))) > persists);
    // Out.
    site.quiet(20);
    assert_eq!(site.count(|e| matches!(e, Event::Ended(TriggerId(1)))), 1);
    assert_eq!(site.core.verdict(site.sector()), Verdict::Clear);
    let last = site.count(|e| matches!(e, Event::Persists(_)));
    site.quiet(60);
    assert_eq!(site.count(|e| matches!(e, Event::Persists(_))), last);
}
