use alloc::vec;

use proptest::prelude::*;

use super::*;

const SURE: f32 = 0.9;
const UNSURE: f32 = 0.3;

/// A 40x100 px object with its centre at `x`, 200.
fn seen(x: f32, confidence: f32) -> Detection {
    Detection { class_id: 0, confidence, bbox: BBox::from_centre(x, 200.0, 40.0, 100.0), tracker_id: None }
}

fn tracker() -> Tracker {
    Tracker::new(TrackerConfig::default())
}

fn at_ms(ms: u64) -> Instant {
    Instant(ms * 1_000_000)
}

/// The identities given to `frame`, in its order.
fn labels<const N: usize>(tracker: &mut Tracker, ms: u64, mut frame: [Detection; N]) -> [Option<u32>; N] {
    tracker.update(at_ms(ms), &mut frame);
    frame.map(|d| d.tracker_id)
}

/// Whole milliseconds as seconds.
fn seconds(ms: u64) -> f32 {
    Duration::from_millis(ms).as_secs_f32()
}

#[test]
fn the_first_frame_counts_at_once_and_later_objects_on_second_sight() {
    let mut t = tracker();
    assert_eq!(labels(&mut t, 0, [seen(300.0, SURE), seen(100.0, SURE)]), [Some(2), Some(1)]);
    assert_eq!(labels(&mut t, 33, [seen(100.0, SURE), seen(600.0, SURE)]), [Some(1), None]);
    assert_eq!(t.active(), 1);
    assert_eq!(labels(&mut t, 66, [seen(100.0, SURE), seen(601.0, SURE)]), [Some(1), Some(3)]);
    assert_eq!(t.active(), 2);
    // Seen once, missed once: forgotten, and its second coming is a first sight again.
    assert_eq!(labels(&mut t, 99, [seen(900.0, SURE)]), [None]);
    assert_eq!(labels(&mut t, 132, []), []);
    assert_eq!(labels(&mut t, 165, [seen(900.0, SURE)]), [None]);
    assert_eq!(labels(&mut t, 198, [seen(900.0, SURE)]), [Some(4)]);
}

#[test]
fn each_confidence_has_its_rights() {
    // (confidence, label on a followed object, may begin a track)
    for (confidence, follows, begins) in [
        (0.9, true, true),
        (0.6, true, true),
        (0.55, true, false),
        (0.3, true, false),
        (0.1, true, false),
        (0.05, false, false),
        (f32::NAN, false, false),
    ] {
        let mut t = tracker();
        labels(&mut t, 0, [seen(100.0, SURE)]);
        let label = labels(&mut t, 33, [seen(101.0, confidence)]);
        assert_eq!(label == [Some(1)], follows, "{confidence}");
        let label = labels(&mut tracker(), 0, [seen(100.0, confidence)]);
        assert_eq!(label == [Some(1)], begins, "{confidence}");
    }
}

#[test]
fn unsure_detections_keep_an_object_but_do_not_bring_it_back() {
    let mut t = tracker();
    for i in 0..60u16 {
        // Half hidden in the middle third.
        let confidence = if (20..40).contains(&i) { UNSURE } else { SURE };
        let x = 100.0 + 2.0 * f32::from(i);
        assert_eq!(labels(&mut t, u64::from(i) * 33, [seen(x, confidence)]), [Some(1)], "frame {i}");
    }
    assert_eq!(labels(&mut t, 2000, []), []);
    assert_eq!(labels(&mut t, 2033, [seen(222.0, UNSURE)]), [None]);
    assert_eq!(labels(&mut t, 2066, [seen(224.0, SURE)]), [Some(1)]);
}

#[test]
fn objects_that_cross_keep_their_identities() {
    for (fps, offset_y) in [(30, 0.0), (30, 25.0), (15, 25.0), (5, 25.0)] {
        let mut t = tracker();
        let mut first = [None; 2];
        for frame in 0..=4 * fps {
            let ms = frame * 1000 / fps;
            let way = 100.0 * seconds(ms);
            let (a, mut b) = (seen(100.0 + way, SURE), seen(510.0 - way, SURE));
            b.bbox.y1 += offset_y;
            b.bbox.y2 += offset_y;
            // The detector lists them from left to right, so they swap places on the way.
            let mut ids = if way < 205.0 { labels(&mut t, ms, [a, b]) } else { labels(&mut t, ms, [b, a]) };
            if way >= 205.0 {
                ids.swap(0, 1);
            }
            if frame == 0 {
                first = ids;
            }
            assert_eq!(ids, first, "{fps} fps, {offset_y} px apart, at {ms} ms");
        }
    }
}

#[test]
fn an_object_hidden_no_longer_than_lost_for_keeps_its_identity() {
    // (frame interval, hidden for, speed in px/s, found again)
    for (step, hidden, speed, found) in [
        (33, 500, 60.0, true),
        (33, 960, 60.0, true),
        (33, 1100, 60.0, false),
        (33, 1100, 0.0, false),
        (200, 800, 60.0, true),
        (200, 1200, 60.0, false),
        (500, 1000, 10.0, true),
        (500, 1500, 0.0, false),
        (20_000, 40_000, 0.0, false),
    ] {
        let mut t = tracker();
        let mut ms = 0;
        let place = |ms: u64| 100.0 + speed * seconds(ms);
        for _ in 0..30 {
            ms += step;
            assert_eq!(labels(&mut t, ms, [seen(place(ms), SURE)]), [Some(1)], "{step} {hidden}");
        }
        let back = ms + hidden;
        while ms + step < back {
            ms += step;
            assert_eq!(labels(&mut t, ms, []), []);
            assert_eq!(t.active(), 0);
        }
        let label = labels(&mut t, back, [seen(place(back), SURE)]);
        assert_eq!(label == [Some(1)], found, "every {step} ms, hidden {hidden} ms, {speed} px/s: {label:?}");
        let again = labels(&mut t, back + 33, [seen(place(back + 33), SURE)]);
        assert_eq!(again, [Some(if found { 1 } else { 2 })]);
    }
}

#[test]
fn an_object_hidden_while_it_shrinks_does_not_vanish() {
    let mut t = tracker();
    let sized =
        |side: f32| Detection { bbox: BBox::from_centre(200.0, 200.0, side, side), ..seen(0.0, SURE) };
    let mut ms = 0;
    for side in (40u8..=100).rev().step_by(3) {
        ms += 33;
        assert_eq!(labels(&mut t, ms, [sized(side.into())]), [Some(1)]);
    }
    for hidden in (33..900).step_by(33) {
        assert_eq!(labels(&mut t, ms + hidden, []), []);
    }
    assert_eq!(labels(&mut t, ms + 900, [sized(40.0)]), [Some(1)]);
}

#[test]
fn a_walker_is_followed_at_any_rate() {
    // Intervals in ms, repeated; speed in px/s.
    for (intervals, speed) in [
        (&[16][..], 200.0),
        (&[33], 200.0),
        (&[66], 200.0),
        (&[133], 120.0),
        (&[33, 33, 200, 10, 90], 120.0),
        (&[33, 33, 33, 33, 250], 150.0),
        (&[500], 50.0),
        (&[1000, 0, 300], 25.0),
        (&[20_000], 1.0),
    ] {
        let mut t = tracker();
        let mut ms = 0;
        for interval in intervals.iter().cycle().take(200) {
            ms += interval;
            let x = 100.0 + speed * seconds(ms);
            assert_eq!(labels(&mut t, ms, [seen(x, SURE)]), [Some(1)], "{intervals:?} at {ms} ms");
        }
    }
}

#[test]
fn classes_never_mix() {
    let mut t = tracker();
    let of_class = |class_id| Detection { class_id, ..seen(100.0, SURE) };
    assert_eq!(labels(&mut t, 0, [of_class(1), of_class(0)]), [Some(2), Some(1)]);
    assert_eq!(labels(&mut t, 33, [of_class(0), of_class(1)]), [Some(1), Some(2)]);
    assert_eq!(labels(&mut t, 66, [of_class(2), of_class(1)]), [None, Some(2)]);
    assert_eq!(labels(&mut t, 99, [of_class(2), of_class(0)]), [Some(3), Some(1)]);
}

#[test]
fn broken_boxes_get_nothing_and_disturb_nobody() {
    let mut t = tracker();
    let corners = [
        [f32::NAN, 150.0, 120.0, 250.0],
        [80.0, 150.0, f32::NAN, 250.0],
        [80.0, f32::NEG_INFINITY, 120.0, f32::INFINITY],
        [f32::MIN, f32::MIN, f32::MAX, f32::MAX],
        [100.0, 150.0, 100.0, 250.0],
        [80.0, 200.0, 120.0, 200.0],
        [120.0, 150.0, 80.0, 250.0],
        [120.0, 250.0, 80.0, 150.0],
        [0.0, 0.0, f32::MIN_POSITIVE, f32::MIN_POSITIVE],
    ];
    for i in 0..50 {
        let mut frame: Vec<_> = (corners.iter())
            .map(|&[x1, y1, x2, y2]| Detection { bbox: BBox { x1, y1, x2, y2 }, ..seen(0.0, SURE) })
            .collect();
        frame.push(seen(100.0, SURE));
        t.update(at_ms(i * 33), &mut frame);
        let (good, bad) = frame.split_last().expect("not empty");
        assert_eq!(good.tracker_id, Some(1));
        assert!(bad.iter().all(|d| d.tracker_id.is_none()));
    }
    // The smallest and the largest that count, and jumps between them.
    for (i, side) in [1e-18, 2e6, 1e-18, 1.0, 2e6, 1e-3].iter().cycle().take(60).enumerate() {
        let bbox = BBox::from_centre(0.0, 0.0, *side, *side);
        t.update(Instant(i as u64 * (u64::MAX / 64)), &mut [Detection { bbox, ..seen(0.0, SURE) }]);
    }
}

#[test]
fn identities_are_never_given_twice() {
    let mut t = tracker();
    assert_eq!(labels(&mut t, 0, [seen(100.0, SURE)]), [Some(1)]);
    t.reset();
    assert_eq!(t.active(), 0);
    assert_eq!(labels(&mut t, 33, [seen(100.0, SURE)]), [Some(2)]);
    t.reset();
    t.next_id = Some(u32::MAX);
    assert_eq!(labels(&mut t, 66, [seen(100.0, SURE), seen(300.0, SURE)]), [Some(u32::MAX), None]);
    assert_eq!(labels(&mut t, 99, [seen(100.0, SURE), seen(300.0, SURE)]), [Some(u32::MAX), None]);
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let mut t = tracker();
    for ms in [5000, 4000, 5033, 0, 5066] {
        assert_eq!(labels(&mut t, ms, [seen(100.0, SURE)]), [Some(1)]);
    }
}

#[test]
fn tracks_have_a_limit() {
    let mut t = tracker();
    let mut frame: Vec<_> = (0..5000u16).map(|i| seen(f32::from(i) * 50.0, SURE)).collect();
    t.update(at_ms(0), &mut frame);
    assert_eq!(t.active(), TRACKS_MAX);
    assert_eq!(frame.iter().filter(|d| d.tracker_id.is_some()).count(), TRACKS_MAX);
}

#[test]
fn memory_stays_as_the_busiest_time_left_it() {
    let held = |t: &Tracker| {
        let lists = [&t.known, &t.unconfirmed, &t.strong, &t.weak];
        let slots: usize = lists.iter().map(|list| list.capacity()).sum();
        (slots, t.tracks.capacity(), t.assignment.capacity())
    };
    let mut t = tracker();
    let mut frame = vec![];
    let mut before = (0, 0, 0);
    for i in 0..100_000u64 {
        frame.clear();
        // Crowds of overlapping objects that last from 2 to 40 frames and move on.
        for lane in 0..10u16 {
            let life = 2 + u64::from(lane) * 4;
            let generation = u16::try_from(i / life % 50).expect("below 50");
            let x = f32::from(generation) * 97.0 % 400.0 + f32::from(lane) * 15.0;
            frame.push(seen(x, if (i + u64::from(lane)) % 9 == 0 { UNSURE } else { SURE }));
        }
        t.update(at_ms(i * 33), &mut frame);
        // By then every combination of lives and places has come round.
        if i == 60_000 {
            before = held(&t);
        }
    }
    assert_eq!(held(&t), before);
}

/// Frames of small boxes in a small place: much overlap, many ties, exact duplicates.
fn frames() -> impl Strategy<Value = Vec<(u64, Vec<Detection>)>> {
    let detection =
        (0u16..2, 0u8..12, 0u8..4, 2u8..5, prop::sample::select(vec![0.2f32, 0.4, 0.55, 0.7, 0.9])).prop_map(
            |(class_id, x, y, side, confidence)| {
                let bbox =
                    BBox::from_centre(f32::from(x) * 3.0, f32::from(y) * 3.0, f32::from(side) * 4.0, 12.0);
                Detection { class_id, confidence, bbox, tracker_id: None }
            },
        );
    prop::collection::vec((0u64..400, prop::collection::vec(detection, 0..14)), 1..12)
}

type Content = (u16, [u32; 5], Option<u32>);

/// What was found and its label, whatever the order.
fn content(frame: &[Detection]) -> Vec<Content> {
    let bits = |d: &Detection| [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2, d.confidence].map(f32::to_bits);
    let mut all: Vec<_> = frame.iter().map(|d| (d.class_id, bits(d), d.tracker_id)).collect();
    all.sort_unstable();
    all
}

/// A model swap: the same thing may have another class id afterwards.
#[test]
fn identities_outlive_new_class_ids() {
    let mut t = tracker();
    let other = |x: f32| Detection { class_id: 1, ..seen(x, SURE) };
    assert_eq!(labels(&mut t, 0, [seen(100.0, SURE), other(600.0)]), [Some(1), Some(2)]);
    t.rename_classes(|class_id| (class_id == 0).then_some(7));
    let renamed = |x: f32| Detection { class_id: 7, ..seen(x, SURE) };
    assert_eq!(labels(&mut t, 33, [renamed(100.0), other(600.0)]), [Some(1), None]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn order_does_not_matter_and_identities_are_unique(frames in frames(), seed in any::<u64>()) {
        let (mut plain, mut shuffled) = (tracker(), tracker());
        let (mut ms, mut random) = (0, seed | 1);
        let mut classes = vec![];
        for (interval, mut frame) in frames {
            ms += interval;
            let mut other = frame.clone();
            for i in (1..other.len()).rev() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                other.swap(i, usize::try_from(random >> 33).expect("31 bits") % (i + 1));
            }
            plain.update(at_ms(ms), &mut frame);
            shuffled.update(at_ms(ms), &mut other);
            prop_assert_eq!(content(&frame), content(&other));
            prop_assert_eq!(plain.active(), frame.iter().filter(|d| d.tracker_id.is_some()).count());
            let mut ids: Vec<_> = frame.iter().filter_map(|d| d.tracker_id).collect();
            let labelled = ids.len();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), labelled, "one identity for two objects");
            classes.extend(frame.iter().filter_map(|d| Some((d.tracker_id?, d.class_id))));
        }
        classes.sort_unstable();
        classes.dedup();
        prop_assert!(classes.windows(2).all(|w| w[0].0 != w[1].0), "an identity changed its class");
    }
}
