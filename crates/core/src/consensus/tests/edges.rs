//! Thresholds just below, on and just beyond: a changed comparison is seen here.

use alloc::vec::Vec;

use super::*;

const MS: u64 = 1_000_000;

/// R-23, and the filters of spec 2.2.
#[test]
fn a_detection_counts_up_to_its_limits() {
    let mut site = Site::of(1, 1);
    site.good();
    let base = site.observation(0, None, 0.05);
    for (ms, age) in [(1_999, true), (2_000, true), (2_001, false)] {
        let mut site = Site::of(1, 1);
        site.good();
        let seen = base;
        site.pass(ms);
        assert_eq!(site.core.observe(site.now, &seen).is_ok(), age, "{ms} ms old");
    }
    for (confidence, fine) in [(0.7, true), (0.699_99, false), (1.0, true), (1.000_1, false)] {
        let seen = Observation { confidence, ..base };
        assert_eq!(site.core.observe(site.now, &seen).is_ok(), fine, "{confidence}");
    }
    let whole = |min, max| {
        let raw = raw::Consensus { area_min: min, area_max: max, large_area: max, ..settings() };
        let mut site = Site::new(&raw::Consensus { cameras_needed: 1, ..raw }, 1);
        let bbox = BBox { x1: 0.0, y1: 0.0, x2: 960.0, y2: 540.0 };
        let seen = Observation { bbox, ..site.observation(0, None, 0.25) };
        site.core.observe(site.now, &seen).map_err(|miss| miss.predicate)
    };
    assert_eq!(whole(0.25, 0.8), Ok(()), "exactly the least");
    assert_eq!(whole(0.2501, 0.8), Err(Predicate::AreaMin));
    assert_eq!(whole(0.001, 0.25), Ok(()), "exactly the largest");
    assert_eq!(whole(0.001, 0.2499), Err(Predicate::AreaMax));
}

#[test]
fn a_camera_sees_up_to_its_timeout() {
    let mut site = Site::of(1, 1);
    site.good();
    for (ms, sight) in [(60_000, Sight::Sees), (1, Sight::Silent)] {
        site.pass(ms);
        site.step();
        assert_eq!(site.core.sight(site.camera(0)), sight);
    }
}

#[test]
fn a_vote_rests_after_its_lapse_and_is_kept_for_its_time() {
    let voting = |site: &Site| !site.core.voting(site.camera(0)).is_empty();
    let mut site = Site::of(1, 1);
    site.burn(8, &[0]);
    assert!(voting(&site));
    for (ms, votes) in [(5_000, true), (201, false)] {
        site.pass(ms);
        site.good();
        site.step();
        assert_eq!(voting(&site), votes, "after {ms} ms more");
    }
    // In view, and not growing: from the last step that saw growth, `keep_s` and not longer.
    let raw = raw::Consensus { keep_s: 20.0, cameras_needed: 1, ..settings() };
    let mut site = Site::new(&raw, 1);
    site.burn(8, &[0]);
    let mut lasted = 0;
    while voting(&site) {
        site.film(1, 1_000, |_| Vec::from([(0, 7, growing(7))]));
        lasted += 1;
        assert!(lasted < 60, "for ever");
    }
    // The window shows growth for seven seconds more; then twenty, inclusive.
    assert_eq!(lasted, 28);
}

#[test]
fn a_large_fire_votes_exactly_after_its_time() {
    for (ms, votes) in [(9_999, false), (10_000, true)] {
        let mut site = Site::of(1, 1);
        let large = |site: &mut Site| {
            site.good();
            site.fire(0, 1, 0.5).expect("taken");
            site.step();
        };
        large(&mut site);
        for step in [2_000, 2_000, 2_000, 2_000, ms - 8_000] {
            site.pass(step);
            large(&mut site);
        }
        assert_eq!(!site.core.voting(site.camera(0)).is_empty(), votes, "{ms} ms, six pictures");
    }
}

/// Five pictures are one too few, and a large fire that was out of view begins anew.
#[test]
fn a_large_fire_is_seen_often_and_without_a_gap() {
    for (row, times_ms, votes) in [
        ("five pictures", &[0, 2_500, 5_000, 7_500, 10_000][..], false),
        ("six pictures", &[0, 2_500, 5_000, 7_500, 9_000, 10_000], true),
        ("a gap of 5 s", &[0, 5_000, 7_000, 8_000, 9_000, 10_000], true),
        ("a gap of 5.001 s", &[0, 5_001, 7_000, 8_000, 9_000, 12_000], false),
        ("10 s after the gap", &[0, 5_001, 7_000, 9_000, 11_000, 13_000, 15_001], true),
    ] {
        let mut site = Site::of(1, 1);
        let start = site.now;
        for ms in times_ms {
            site.now = Instant(start.0 + ms * MS);
            site.good();
            site.fire(0, 1, 0.5).expect("taken");
            site.step();
        }
        assert_eq!(!site.core.voting(site.camera(0)).is_empty(), votes, "{row}");
    }
}

/// K26: growth is believed from its least span on.
#[test]
fn growth_counts_from_its_least_span_on() {
    for (ms, votes) in [(599, false), (600, true)] {
        let mut site = Site::of(1, 1);
        site.film(6, ms, |i| Vec::from([(0, 1, 0.01 * (1.0 + i as f32))]));
        assert_eq!(!site.core.voting(site.camera(0)).is_empty(), votes, "five steps of {ms} ms");
    }
}

/// A tracker lost a fire and names it anew: within a second both names may be in one picture.
#[test]
fn a_name_is_lost_after_a_second() {
    for (ms, objects) in [(999, 2), (1_000, 2), (1_001, 1)] {
        let mut site = Site::of(1, 1);
        site.film(1, 1_000, |_| Vec::from([(0, 7, 0.05)]));
        site.pass(ms);
        site.fire(0, 8, 0.05).expect("taken");
        assert_eq!(site.core.objects(site.camera(0)), objects, "{ms} ms later");
    }
}

/// One camera alone, `single_camera_s` after its vote began and not a second earlier.
#[test]
fn one_camera_alone_is_believed_exactly_after_its_time() {
    let mut site = Site::new(&raw::Consensus { cameras_needed: 1, single_camera_s: 4.0, ..settings() }, 1);
    let mut voted = None;
    for second in 0..20 {
        site.film(1, 1_000, |_| Vec::from([(0, 7, growing(second))]));
        if voted.is_none() && !site.core.voting(site.camera(0)).is_empty() {
            voted = Some(second);
        }
        let since = voted.map_or(0, |at| second - at);
        assert_eq!(!site.fires().is_empty(), voted.is_some() && since >= 4, "second {second}");
    }
}

/// The cooldown ends exactly at its end, seen from the acknowledgement.
#[test]
fn a_cooldown_ends_at_its_end() {
    for (extra, fires) in [(0_u64, 1), (1, 2)] {
        let mut site = Site::new(&raw::Consensus { cooldown_s: 60.0, ..settings() }, 2);
        site.burn(8, &[0, 1]);
        site.core.acknowledge(site.now, TriggerId(1));
        let acknowledged = site.now;
        site.quiet(40);
        // Six samples; the last comes at the end of the cooldown, or a millisecond before.
        site.now = Instant(acknowledged.0 + (60_000 - 1 + extra - 6_000) * MS);
        site.film(6, 1_000, |s| Vec::from([(0, 9, growing(s)), (1, 9, growing(s))]));
        assert_eq!(site.now.since(acknowledged).as_millis(), u128::from(59_999 + extra));
        assert_eq!(site.fires().len(), fires, "{extra}");
    }
}

/// C9: whoever has voted is not pushed out, not even by those that are larger and newer.
#[test]
fn a_full_camera_keeps_what_has_voted() {
    let mut site = Site::of(1, 1);
    let all = u32::try_from(limits::OBJECTS_LEN_MAX).expect("few");
    site.film(8, 1_000, |s| (0..all).map(|id| (0, id, growing(s))).collect());
    assert_eq!(site.core.voting(site.camera(0)).len(), limits::OBJECTS_LEN_MAX);
    let miss = site.fire(0, 900, 0.05).expect_err("no room");
    assert_eq!(miss.predicate, Predicate::Room);
    assert_eq!(site.core.voting(site.camera(0)).len(), limits::OBJECTS_LEN_MAX);
}

/// A still flood was there before the fire: what has been seen least makes room for it.
#[test]
fn a_full_camera_makes_room_for_a_new_fire() {
    let mut site = Site::of(1, 1);
    let all = u32::try_from(limits::OBJECTS_LEN_MAX).expect("few");
    site.film(1, 1_000, |_| (0..all).map(|id| (0, id, 0.002)).collect());
    site.film(1, 1_000, |_| (0..all).filter(|id| *id != 5).map(|id| (0, id, 0.002)).collect());
    site.film(8, 1_000, |s| Vec::from([(0, 99, growing(s))]));
    assert_eq!(site.core.voting(site.camera(0)), [ObjectId::Tracked(99)]);
    let told = site.sentences();
    let room = "4.0 s: camera cam0, object 5: 33 objects at a time; at most 32 are followed";
    assert_eq!(told.iter().filter(|s| *s == room).count(), 1, "{told:#?}");
}

/// Whoever comes back exactly when it was asked to sees what has aged until then.
#[test]
fn a_vote_rests_at_the_first_look_after_its_lapse() {
    let raw = raw::Consensus { cameras_needed: 1, lapse_s: 4.9, ..settings() };
    let mut site = Site::new(&raw, 1);
    site.burn(8, &[0]);
    let last = site.now;
    while !site.core.voting(site.camera(0)).is_empty() {
        site.now = site.core.deadline();
        site.good();
        site.step();
        assert!(site.now.since(last).as_secs() < 10, "for ever");
    }
    assert_eq!(site.now.since(last).as_millis(), 5_000);
}

/// While something is in view it is looked at five times a second, otherwise once.
#[test]
fn the_next_look_is_soon_while_something_is_seen() {
    let mut site = Site::of(1, 1);
    site.quiet(1);
    assert_eq!(site.core.deadline(), site.now.after(limits::STEP_MAX));
    site.burn(1, &[0]);
    assert_eq!(site.core.deadline(), site.now.after(limits::RECHECK));
    let mut site = Site::of(2, 2);
    site.burn(8, &[0, 1]);
    site.quiet(30);
    assert_eq!(site.core.objects(site.camera(0)), 0);
    assert_eq!(site.core.deadline(), site.now.after(limits::RECHECK), "a fire waits for its answer");
}
