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
