//! The trace: a technician asks why, and reads it.

use alloc::string::String;
use alloc::vec::Vec;

use super::*;

#[test]
fn a_near_miss_tells_the_predicate_the_value_and_the_limit() {
    let mut site = Site::of(2, 2);
    // Grows by 1.12 in the window, which is not 1.2; the other camera is too small.
    site.film(12, 1_000, |s| Vec::from([(0, 7, 0.05 * (1.0 + 0.015 * s as f32)), (1, 3, 0.0004)]));
    let sentences = site.sentences();
    let said = |text: &str| sentences.iter().any(|s| s.contains(text));
    assert!(said("camera cam0, object 7: became 1.1"), "{sentences:?}");
    assert!(said("times as large; 1.20 is needed"), "{sentences:?}");
    assert!(
        said("camera cam1, object 3: covers 0.00040 of the picture; at least 0.00100 counts"),
        "{sentences:?}"
    );
    let growth = |r: &&Record| matches!(r.what, What::Missed(m) if m.predicate == Predicate::Growth);
    let records: Vec<&Record> = site.core.why(None, Instant(0), site.now).filter(growth).collect();
    assert_eq!(records.len(), 1, "what goes on is one record");
    assert!(records[0].times > 5 && records[0].until > records[0].at, "{records:?}");
}

#[test]
fn a_fire_can_be_read_from_its_beginning_to_its_end() {
    let mut site = Site::of(3, 2);
    site.burn(9, &[0, 1]);
    site.core.acknowledge(site.now, TriggerId(1));
    site.quiet(25);
    let told = site.sentences();
    let mut place = 0;
    for part in [
        "camera cam0: sees",
        "camera cam0, object 7: 5 samples; 6 are needed to measure growth",
        "camera cam0, object 7: votes: it grows",
        "camera cam1, object 7: votes: it grows",
        "sector site: FIRE 1: 2 votes, 2 needed",
        "sector site: fire 1 was taken over by the pump controller",
        "sector site: fire 1: no camera sees it any more",
    ] {
        let found = told[place..].iter().position(|s| s.contains(part));
        place += found.unwrap_or_else(|| panic!("{part} is not in {told:#?} after {place}"));
    }
}

/// Only the camera asked for, and its sectors; only the time asked for; in the order of time.
#[test]
fn why_can_be_asked_of_one_camera_and_time() {
    let sector = |name: &str, cameras: &[&str]| raw::Sector {
        name: name.into(),
        cameras: cameras.iter().map(|c| String::from(*c)).collect(),
        cameras_needed: None,
        single_camera_s: None,
    };
    let sectors = Vec::from([sector("east", &["cam0", "cam1"]), sector("west", &["cam2", "cam3"])]);
    let mut site = Site::new(&raw::Consensus { sectors, ..settings() }, 4);
    site.burn(10, &[0, 1, 2, 3]);
    let middle = site.now;
    site.quiet(30);
    let of = |camera: Option<usize>, from, to| {
        let camera = camera.map(|c| site.camera(c));
        let records: Vec<Record> = site.core.why(camera, from, to).copied().collect();
        assert!(records.is_sorted_by_key(|r| r.at));
        records
    };
    let all = of(None, Instant(0), site.now);
    let first = of(Some(0), Instant(0), site.now);
    assert!(!first.is_empty() && first.len() < all.len());
    assert!(first.iter().all(|r| r.camera.is_none_or(|c| c == site.camera(0))));
    let names = |records: &[Record]| {
        let mut names: Vec<String> =
            records.iter().filter_map(|r| Some(site.core.config().sector_name(r.sector?).into())).collect();
        names.dedup();
        names
    };
    assert_eq!(names(&first), ["east"]);
    let late = of(None, middle.after(core::time::Duration::from_millis(1)), site.now);
    assert!(late.iter().all(|r| r.until > middle));
    assert!(late.len() < all.len() && !late.is_empty());
    assert_eq!(of(None, site.now.after(core::time::Duration::from_secs(1)), Instant(u64::MAX)), []);
}

/// What goes on is one record; what takes its place, or another reason, is a new one.
#[test]
fn another_reason_is_another_record() {
    let mut site = Site::of(2, 2);
    site.film(12, 1_000, |_| Vec::from([(0, 7, 0.05)]));
    let told = site.sentences();
    for part in [
        "2.0 s to 6.0 s, 5 times: camera cam0, object 7: 5 samples; 6 are needed to measure growth",
        "7.0 s to 13.0 s, 7 times: camera cam0, object 7: became 1.00 times as large; 1.20 is needed",
    ] {
        assert!(told.iter().any(|s| s == part), "{part}: {told:#?}");
    }
    let cameras = Vec::from([outside_camera("barn")]);
    let mut site = Site::new(&raw::Consensus { cameras, cameras_needed: 1, ..settings() }, 0);
    for payload in [r#"{"bbox":[0,0,1,1]}"#, "offline", "offline"] {
        let _ = site.hear("fire/detection/barn", payload);
    }
    let told = site.sentences();
    let want = [
        "1.0 s: camera barn: a message of it was refused: its confidence is missing or no number",
        "1.0 s to 1.0 s, 2 times: camera barn: a message of it was refused: no JSON object",
    ];
    assert_eq!(told, want);
}

/// What goes on for longer than a minute is told anew, so that its course can be read.
#[test]
fn each_minute_has_a_record_of_its_own() {
    let mut site = Site::of(1, 1);
    site.film(90, 1_000, |_| Vec::from([(0, 7, 0.0005)]));
    let told: Vec<String> = site.sentences().into_iter().filter(|s| s.contains("covers")).collect();
    let times = ["2.0 s to 61.0 s, 60 times: camera cam0", "62.0 s to 91.0 s, 30 times: camera cam0"];
    assert!(told.len() == 2 && told.iter().zip(times).all(|(s, time)| s.starts_with(time)), "{told:#?}");
}

/// Of several near misses the closest is told, and of equals the first.
#[test]
fn the_closest_miss_is_told() {
    for (confidences, told) in [
        ([0.5, 0.6, 0.4], "3 times: camera cam0, object 1: confidence 0.600;"),
        ([0.5, 0.5, 0.4], "3 times: camera cam0, object 0: confidence 0.500;"),
        ([0.4, 0.5, 0.6], "3 times: camera cam0, object 2: confidence 0.600;"),
        ([f32::NAN, 0.5, f32::NAN], "3 times: camera cam0, object 1: confidence 0.500;"),
    ] {
        let mut site = Site::of(1, 1);
        for (object, confidence) in (0u32..).zip(confidences) {
            let seen = site.observation(0, Some(ObjectId::Tracked(object)), 0.05);
            let _ = site.core.observe(site.now, &Observation { confidence, ..seen });
        }
        let sentences = site.sentences();
        assert!(sentences.len() == 1 && sentences[0].contains(told), "{told}: {sentences:#?}");
    }
}

/// Whoever votes on and on has said so once.
#[test]
fn a_vote_is_told_when_it_begins_and_when_it_ends() {
    let mut site = Site::of(1, 1);
    site.burn(20, &[0]);
    site.quiet(8);
    let told = site.sentences();
    for part in ["object 7: votes: it grows", "object 7: votes no more"] {
        assert_eq!(told.iter().filter(|s| s.contains(part)).count(), 1, "{part}: {told:#?}");
    }
}

/// Eight new misses of a camera in a second are written, the others are counted.
#[test]
fn what_is_too_much_for_a_second_is_counted() {
    let mut site = Site::of(1, 1);
    site.good();
    for object in 0..12 {
        site.fire(0, object, 0.01).expect("taken");
    }
    assert_eq!(site.core.suppressed(), 0);
    site.step();
    let missed = |site: &Site| site.sentences().iter().filter(|s| s.contains("1 samples; 6 are")).count();
    assert_eq!((missed(&site), site.core.suppressed()), (8, 4));
    // In the next second there is room for the rest.
    site.pass(1_000);
    site.step();
    assert_eq!((missed(&site), site.core.suppressed()), (12, 4));
}

/// The last records are kept, and what a camera floods does not cost the others theirs.
#[test]
fn rings_keep_the_newest_and_their_neighbours() {
    let mut site = Site::of(2, 2);
    site.good();
    let _ = site.fire(1, 1, 0.0005);
    for i in 0..5_000u32 {
        site.pass(500);
        let _ = site.fire(0, i, if i % 2 == 0 { 0.0001 } else { f32::NAN });
        let _ = site.fire(0, i, 0.01);
        site.step();
    }
    let of = |camera: usize| site.core.why(Some(site.camera(camera)), Instant(0), site.now);
    let mine = |r: &&Record| r.camera.is_some();
    assert_eq!(of(0).filter(mine).count(), CAMERA_RECORDS_MAX);
    assert!(of(0).any(|r| site.now.since(r.until).as_secs() < 5), "the newest are there");
    assert!(of(1).any(|r| r.at == Instant(1_000_000_000)), "the neighbour's first is there");
}

/// Every sentence there is, once: none is empty, and each names its numbers.
#[test]
fn every_record_has_a_sentence() {
    use Predicate as P;
    let predicates = [
        (P::Age, "age"),
        (P::Order, "order"),
        (P::Confidence, "confidence"),
        (P::Box, "box"),
        (P::AreaMin, "area_min"),
        (P::AreaMax, "area_max"),
        (P::Room, "room"),
        (P::Samples, "samples"),
        (P::Span, "span"),
        (P::Growth, "growth"),
        (P::Steady, "steady"),
        (P::InView, "in_view"),
        (P::Kept, "kept"),
        (P::Seeing, "seeing"),
        (P::Agreement, "agreement"),
        (P::Alone, "alone"),
        (P::FireSeen, "fire_seen"),
    ];
    assert_eq!(predicates.len(), super::super::record::PREDICATES);
    let mut sentences: Vec<String> = Vec::new();
    for (predicate, name) in predicates {
        sentences.push(format!("{}", Miss::new(predicate, 1.5, 2.5)));
        assert_eq!(predicate.name(), name);
    }
    let (trigger, seeing, needed) = (TriggerId(7), 1, 2);
    for decision in [
        Decision::VoteGiven(Because::Growing),
        Decision::VoteGiven(Because::Large),
        Decision::VoteGiven(Because::Kept),
        Decision::VoteEnded,
        Decision::QuorumLost { seeing, needed },
        Decision::QuorumBack { seeing, needed },
        Decision::Confirmed { trigger, half_votes: 4, needed },
        Decision::Confirmed { trigger, half_votes: 5, needed },
        Decision::Acknowledged(trigger),
        Decision::Rekindled(trigger),
        Decision::Ended(trigger),
        Decision::SmokeSeen,
        Decision::SmokeGone,
    ] {
        sentences.push(format!("{decision}"));
    }
    for (sight, name) in [
        (Sight::Sees, "sees"),
        (Sight::Unproven, "unproven"),
        (Sight::Silent, "silent"),
        (Sight::Frozen, "frozen"),
        (Sight::Black, "black"),
        (Sight::WashedOut, "washed_out"),
        (Sight::Obscured, "obscured"),
    ] {
        sentences.push(format!("{}", Decision::Sight(sight)));
        assert_eq!(sight.name(), name);
    }
    assert!(sentences.iter().all(|s| s.len() > 3), "{sentences:#?}");
    assert!(sentences.iter().any(|s| s == "FIRE 7: 2 and a half votes, 2 needed"), "{sentences:#?}");
    let count = sentences.len();
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), count, "each says something of its own");
}

/// What an outside camera said and was not understood is told where one asks for that camera.
#[test]
fn refused_messages_are_in_the_trace() {
    let plain = |name: &str| raw::Camera { name: name.into(), ..raw::Camera::default() };
    let cameras = Vec::from([plain("barn"), plain("gate"), own_camera(0)]);
    let mut site = Site::new(&raw::Consensus { cameras, ..settings() }, 1);
    let event = r#"{"type":"new","after":{"camera":"gate","label":"fire","id":"a","top_score":0.9}}"#;
    for _ in 0..50 {
        site.pass(100);
        let _ = site.hear("fire/detection/barn", r#"{"confidence":0.9,"bbox":[100,100,300,400]}"#);
        let _ = site.hear("fire/detection/cam0", r#"{"confidence":0.9,"bbox":[0,0,1,1]}"#);
        let _ = site.hear("frigate/events", event);
    }
    let told = site.sentences();
    for (camera, part) in [
        (
            "barn",
            "50 times: camera barn: a message of it was refused: its box is in pixels, but width and height",
        ),
        ("gate", "50 times: camera gate: a message of it was refused: its box is missing"),
        ("cam0", "50 times: camera cam0: a message of it was refused: this camera is a stream of this box"),
    ] {
        assert_eq!(told.iter().filter(|s| s.contains(part)).count(), 1, "{camera}: {told:#?}");
    }
}

/// A technician finds an object of an outside camera by the name that the camera gave it.
#[test]
fn an_object_is_told_by_its_name() {
    let raw =
        raw::Consensus { cameras: Vec::from([outside_camera("barn")]), cameras_needed: 1, ..settings() };
    let mut site = Site::new(&raw, 0);
    for object in [r#""171.2-x""#, "null"] {
        let payload = format!(r#"{{"confidence":0.5,"bbox":[0,0,0.5,0.5],"object_id":{object}}}"#);
        let _ = site.hear("fire/detection/barn", &payload);
        let payload = payload.replace("0.5,\"bbox", "0.9,\"bbox");
        site.hear("fire/detection/barn", &payload).expect("taken");
        site.step();
    }
    let told = site.sentences();
    for part in [
        "camera barn, object 171.2-x: confidence 0.500",
        "camera barn, object 171.2-x: 1 samples",
        "camera barn, object unnamed-1: 1 samples",
    ] {
        assert!(told.iter().any(|s| s.contains(part)), "{part}: {told:#?}");
    }
    assert_eq!(format!("{:?}", ObjectName::new("171.2-x")), r#"Some("171.2-x")"#);
}
