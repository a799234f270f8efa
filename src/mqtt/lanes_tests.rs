use super::*;

fn limits(n: usize) -> Limits {
    Limits { queue_len_max: n, urgent_len_max: n, latest_topics_max: 4, incoming_len_max: 1 }
}

fn entry(class: Class, topic: &str, tag: u8) -> Entry {
    Entry {
        class,
        place: 0,
        topic: Arc::from(topic),
        payload: vec![tag],
        qos: Qos::AtLeastOnce,
        retain: false,
    }
}

fn tags(lanes: &mut Lanes) -> Vec<u8> {
    std::iter::from_fn(|| lanes.take(false)).map(|e| e.payload[0]).collect()
}

#[test]
fn oldest_detection_gives_way_and_is_counted_by_source() {
    let mut lanes = Lanes::new(limits(3));
    for tag in 0..5 {
        let source_id = u32::from(tag) % 2;
        assert_eq!(lanes.offer(entry(Class::Detection { source_id, frame_id: 0 }, "d", tag)).0, Ok(()));
    }
    assert_eq!(lanes.counters().dropped_by_source, [(0, 1), (1, 1)]);
    assert_eq!(tags(&mut lanes), [2, 3, 4]);
}

#[test]
fn urgent_is_refused_when_full_counting_what_is_in_flight() {
    let mut lanes = Lanes::new(limits(2));
    assert!(lanes.offer(entry(Class::Ack, "a", 0)).0.is_ok());
    let flying = lanes.take(false).expect("one waits");
    assert!(lanes.offer(entry(Class::Status, "s", 1)).0.is_ok());
    assert_eq!(lanes.offer(entry(Class::Ack, "a", 2)).0, Err(Refused::Full(2)));
    assert!(lanes.put_back(flying, true).is_none());
    assert_eq!(tags(&mut lanes), [0, 1], "what came back is first again");
    assert_eq!(lanes.counters().ack.dropped, 1);
}

#[test]
fn latest_keeps_the_newest_per_topic_and_takes_turns() {
    let mut lanes = Lanes::new(limits(8));
    for (topic, tag) in [("a", 0), ("b", 1), ("a", 2), ("a", 3)] {
        assert!(lanes.offer(entry(Class::Latest, topic, tag)).0.is_ok());
    }
    assert_eq!(tags(&mut lanes), [3, 1]);
    for topic in ["c", "d", "e"] {
        let full = lanes.offer(entry(Class::Latest, topic, 9)).0.is_err();
        assert_eq!(full, topic == "e");
    }
}

#[test]
fn priority_is_strict_but_nothing_starves() {
    let mut lanes = Lanes::new(limits(200));
    for tag in 0..100 {
        assert!(lanes.offer(entry(Class::Ack, "a", tag)).0.is_ok());
        assert!(lanes.offer(entry(Class::Detection { source_id: 0, frame_id: 0 }, "d", 100)).0.is_ok());
    }
    assert!(lanes.offer(entry(Class::Latest, "l", 200)).0.is_ok());
    let order = tags(&mut lanes);
    assert!(order[..16].iter().all(|&t| t < 100), "the higher class goes first: {order:?}");
    let first = |tag| order.iter().position(|&t| t == tag).expect("sent");
    assert!(first(100) <= 17 && first(200) <= 17, "{order:?}");
    let acks: Vec<u8> = order.iter().copied().filter(|&t| t < 100).collect();
    assert!(acks.is_sorted());
}

#[test]
fn returned_message_yields_to_newer_ones() {
    let mut lanes = Lanes::new(limits(1));
    let class = Class::Detection { source_id: 7, frame_id: 0 };
    assert!(lanes.offer(entry(class, "d", 0)).0.is_ok());
    let old = lanes.take(false).expect("one waits");
    assert!(lanes.offer(entry(class, "d", 1)).0.is_ok());
    assert_eq!(lanes.put_back(old, false), Some(vec![0]));
    assert_eq!(tags(&mut lanes), [1]);
    assert!(lanes.counters().classes().iter().all(|c| c.balanced()));
}

/// Every mixture of calls keeps the books balanced.
#[test]
fn books_balance_under_random_calls() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut lanes = Lanes::new(limits(rng.usize(1..6)));
        let mut flying = Vec::new();
        for step in 0..300 {
            match rng.u8(0..7) {
                0 => drop(lanes.offer(entry(Class::Ack, "a", 0))),
                1 => drop(lanes.offer(entry(Class::Status, "s", 0))),
                2 => drop(lanes.offer(entry(
                    Class::Detection { source_id: rng.u32(0..300), frame_id: 0 },
                    "d",
                    0,
                ))),
                3 => drop(lanes.offer(entry(Class::Latest, ["x", "y", "z", "v", "w"][rng.usize(0..5)], 0))),
                4 => flying.extend(lanes.take(rng.bool())),
                5 if !flying.is_empty() => {
                    drop(lanes.put_back(flying.swap_remove(rng.usize(0..flying.len())), rng.bool()));
                }
                6 if !flying.is_empty() => {
                    let gone = flying.swap_remove(rng.usize(0..flying.len()));
                    let outcome = if rng.bool() { Outcome::Published } else { Outcome::Failed };
                    lanes.settle(gone.class, outcome);
                }
                _ => lanes.refuse(Class::Latest),
            }
            let counters = lanes.counters();
            assert!(counters.classes().iter().all(|c| c.balanced()), "seed {seed} step {step}: {counters:?}");
            let queued: u64 = counters.classes().iter().map(|c| c.queued).sum();
            assert_eq!(usize::try_from(queued), Ok(lanes.depth()), "seed {seed} step {step}");
        }
    }
}

fn all_closed() -> Gate {
    Gate { all_closed: true, ..Gate::default() }
}

#[test]
fn a_closed_gate_lets_no_detection_out_whatever_its_way() {
    let mut lanes = Lanes::new(limits(8));
    let detection = || entry(Class::Detection { source_id: 7, frame_id: 0 }, "d", 1);
    assert!(lanes.offer(detection()).0.is_ok());
    let flying = lanes.take(false).expect("one waits");
    assert!(lanes.offer(detection()).0.is_ok());
    lanes.set_gate(all_closed());
    assert!(lanes.drop_gated().is_some() && lanes.drop_gated().is_none());
    assert_eq!(lanes.offer(detection()).0, Err(Refused::Gated(7)));
    assert!(lanes.put_back(flying, true).is_some(), "not even what comes back from a lost link");
    assert!(lanes.offer(entry(Class::Status, "s", 9)).0.is_ok());
    assert_eq!(tags(&mut lanes), [9]);
    let counters = lanes.counters();
    assert_eq!((counters.detection.dropped, counters.dropped_by_source), (3, vec![(7, 3)]));
    assert!(counters.detection.balanced());
    lanes.set_gate(Gate::default());
    assert!(lanes.offer(detection()).0.is_ok(), "open again");
}

#[test]
fn a_gate_for_one_stream_leaves_the_others_alone() {
    let mut lanes = Lanes::new(limits(8));
    for (source_id, tag) in [(1, 1), (2, 2), (1, 3), (2, 4)] {
        assert!(lanes.offer(entry(Class::Detection { source_id, frame_id: 0 }, "d", tag)).0.is_ok());
    }
    lanes.set_gate(Gate { all_closed: false, closed: [1].into() });
    assert_eq!(std::iter::from_fn(|| lanes.drop_gated()).count(), 2);
    assert_eq!(tags(&mut lanes), [2, 4]);
}

/// What an acknowledgement says of the detections before it must be true on the wire.
#[test]
fn a_message_behind_detections_goes_out_after_all_of_them() {
    let behind = |tag| Entry { place: 1, ..entry(Class::Ack, "a", tag) };
    let detection = |tag| entry(Class::Detection { source_id: 0, frame_id: 0 }, "d", tag);
    let mut lanes = Lanes::new(limits(8));
    for tag in [1, 2] {
        assert!(lanes.offer(detection(tag)).0.is_ok());
    }
    let flying = lanes.take(false).expect("two wait");
    for entry in [behind(10), detection(3), behind(11), entry(Class::Status, "s", 12)] {
        assert!(lanes.offer(entry).0.is_ok());
    }
    assert!(lanes.take(true).is_none(), "urgent, but not before what it speaks of");
    assert!(lanes.put_back(flying, true).is_none(), "a detection that the broker may not have");
    assert_eq!(tags(&mut lanes), [1, 2, 10, 3, 11, 12]);
    for tag in [1, 2] {
        assert!(lanes.offer(detection(tag)).0.is_ok());
    }
    assert!(lanes.offer(behind(10)).0.is_ok());
    lanes.set_gate(all_closed());
    assert_eq!(std::iter::from_fn(|| lanes.drop_gated()).count(), 2);
    assert_eq!(tags(&mut lanes), [10], "dropped detections hold nothing up");
}
