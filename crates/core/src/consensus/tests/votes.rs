//! K8 to K13, K15, K19, K22, K24: who votes, and what comes of it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

#[test]
fn k8_one_camera_of_two_is_not_enough() {
    let mut site = Site::of(2, 2);
    site.burn(20, &[0]);
    assert_eq!(site.fires(), []);
    let Verdict::Doubtful(miss) = site.core.verdict(site.sector()) else { panic!("no doubt") };
    assert_eq!(miss, Miss::new(Predicate::Agreement, 1.0, 2.0));
}

#[test]
fn k9_two_cameras_trigger_once() {
    let mut site = Site::of(3, 2);
    let side = |i: u32| 100.0 * libm::powf(1.3, i as f32);
    site.film(10, 1_000, |i| {
        let share = side(i) * side(i) / 2_073_600.0;
        Vec::from([(0, 4, share), (1, 9, share)])
    });
    let fires = site.fires();
    assert_eq!(fires.len(), 1);
    assert_eq!(fires[0].cameras, [site.camera(0), site.camera(1)]);
    let objects = [(site.camera(0), ObjectId::Tracked(4)), (site.camera(1), ObjectId::Tracked(9))];
    assert_eq!(fires[0].objects, objects);
    assert_eq!(fires[0].zones, []);
}

/// one camera is enough only if it goes on.
#[test]
fn k10_one_camera_alone_must_go_on() {
    let raw = raw::Consensus { cameras_needed: 1, single_camera_s: 8.0, ..settings() };
    let mut site = Site::new(&raw, 1);
    site.burn(12, &[0]);
    assert_eq!(site.fires(), [], "it grows since 5 s, which is not 8 s yet");
    let Verdict::Doubtful(miss) = site.core.verdict(site.sector()) else { panic!("no doubt") };
    assert_eq!((miss.predicate, miss.wanted), (Predicate::Alone, 8.0));
    site.burn(8, &[0]);
    assert_eq!(site.fires()[0].cameras, [site.camera(0)]);
    // Two cameras need not wait for that.
    let mut site = Site::new(&raw, 2);
    site.burn(7, &[0, 1]);
    assert_eq!(site.fires()[0].cameras.len(), 2);
}

/// A vote that pauses begins anew.
#[test]
fn a_camera_alone_is_not_believed_in_pieces() {
    let mut site = Site::of(1, 1);
    for _ in 0..4 {
        site.burn(11, &[0]);
        site.quiet(25);
    }
    assert_eq!(site.fires(), []);
}

#[test]
fn k11_no_second_trigger_in_the_cooldown() {
    for (cooldown_s, wait, fires) in [(60.0, 20, 1), (60.0, 70, 2), (0.0, 20, 2), (300.0, 240, 1)] {
        let mut site = Site::new(&raw::Consensus { cooldown_s, ..settings() }, 2);
        site.burn(8, &[0, 1]);
        assert!(site.core.acknowledge(site.now, TriggerId(1)));
        site.quiet(wait);
        assert_eq!(site.core.verdict(site.sector()), Verdict::Clear, "{cooldown_s}");
        site.burn(8, &[0, 1]);
        assert_eq!(site.fires().len(), fires, "{cooldown_s} s of cooldown, {wait} s apart");
        // Within the cooldown it is the same fire, and nobody is left in doubt that it burns.
        let confirmed = matches!(site.core.verdict(site.sector()), Verdict::Confirmed { .. });
        assert!(confirmed, "{cooldown_s}");
        let persists = site.count(|e| matches!(e, Event::Persists(TriggerId(1))));
        assert_eq!(persists > 0, fires == 1, "{cooldown_s}");
    }
}

/// K12, K13, K15: what does not count, and the reason that is given.
#[test]
fn detections_that_do_not_count_say_why() {
    let mut site = Site::of(1, 1);
    site.good();
    let base = site.observation(0, Some(ObjectId::Tracked(1)), 0.05);
    let with = |confidence: f32| Observation { confidence, ..base };
    let sized = |share: f32| Observation { bbox: site.observation(0, None, share).bbox, ..base };
    let boxed = |x1: f32, y1: f32, x2: f32, y2: f32| Observation { bbox: BBox { x1, y1, x2, y2 }, ..base };
    let late = Observation { captured: Instant(site.now.0 - 900_000_000), ..base };
    let rows = [
        ("K12", with(0.5), Predicate::Confidence),
        ("just below", with(0.6999), Predicate::Confidence),
        ("K15", with(f32::NAN), Predicate::Confidence),
        ("negative", with(-0.9), Predicate::Confidence),
        ("more than sure", with(1.1), Predicate::Confidence),
        ("infinite", with(f32::INFINITY), Predicate::Confidence),
        ("K13 small", sized(1e-6), Predicate::AreaMin),
        ("K15 NaN", boxed(0.0, 0.0, f32::NAN, 10.0), Predicate::Box),
        ("K15 infinite", boxed(0.0, 0.0, f32::INFINITY, 10.0), Predicate::Box),
        ("K15 negative", boxed(-5.0, 0.0, 500.0, 500.0), Predicate::Box),
        ("inside out", boxed(500.0, 0.0, 100.0, 500.0), Predicate::Box),
    ];
    for (row, seen, why) in rows {
        assert_eq!(site.core.observe(site.now, &seen).map_err(|m| m.predicate), Err(why), "{row}");
        assert_eq!(site.core.objects(site.camera(0)), 0, "{row}: nothing is kept");
    }
    assert_eq!(site.core.observe(site.now, &late), Ok(()), "0.9 s");
    let stale = Observation { captured: Instant(site.now.0), ..base };
    site.pass(2_001);
    let age = site.core.observe(site.now, &stale).map_err(|m| m.predicate);
    assert_eq!(age, Err(Predicate::Age), "R-23");
    assert_eq!(site.fire(0, 1, 0.05), Ok(()));
    let behind = Observation { captured: Instant(site.now.0 - 1), ..base };
    let order = site.core.observe(site.now, &behind).map_err(|m| m.predicate);
    assert_eq!(order, Err(Predicate::Order));
}

/// K13: growth is not measured beyond `area_max`; that it is large counts by another rule (C5).
#[test]
fn k13_a_box_above_the_largest_area_is_no_sample() {
    let mut site = Site::of(1, 1);
    site.good();
    let miss = site.fire(0, 1, 0.81).expect_err("refused");
    assert_eq!(miss.predicate, Predicate::AreaMax);
    site.film(7, 1_000, |i| Vec::from([(0, 1, 0.81 + 0.02 * i as f32)]));
    assert!(site.core.voting(site.camera(0)).is_empty());
    assert_eq!(site.fire(0, 1, 0.79), Ok(()));
}

#[test]
fn k19_three_objects_of_which_two_grow() {
    let mut site = Site::of(1, 1);
    site.film(10, 1_000, |s| Vec::from([(0, 1, growing(s)), (0, 2, growing(s)), (0, 3, growing(12 - s))]));
    assert_eq!(site.core.voting(site.camera(0)), [ObjectId::Tracked(1), ObjectId::Tracked(2)]);
}

#[test]
fn k22_zones_are_those_of_the_cameras_that_agreed() {
    for zone_activation in [true, false] {
        let camera = |id, zones: &[&str]| raw::Camera {
            zones: zones.iter().map(|z| String::from(*z)).collect(),
            ..own_camera(id)
        };
        let cameras =
            Vec::from([camera(0, &["zone_a"]), camera(1, &["zone_b", "zone_a"]), camera(2, &["zone_c"])]);
        let mut site = Site::new(&raw::Consensus { cameras, zone_activation, ..settings() }, 3);
        site.burn(8, &[0, 1]);
        let fires = site.fires();
        let zones: Vec<&str> = fires[0].zones.iter().map(|z| site.core.config().zone_name(*z)).collect();
        assert_eq!(zones, if zone_activation { Vec::from(["zone_a", "zone_b"]) } else { Vec::new() });
    }
}

/// C1: the way to the pump is down, then up again.
#[test]
fn k24_a_fire_is_repeated_until_it_is_acknowledged() {
    let mut site = Site::of(2, 2);
    site.burn(8, &[0, 1]);
    let fire = site.fires()[0].clone();
    site.quiet(400);
    let repeats = site.count(|e| matches!(e, Event::Fire(_)));
    assert!((400..=405).contains(&repeats), "each second: {repeats}");
    let verdict = site.core.verdict(site.sector());
    assert!(matches!(verdict, Verdict::Confirmed { acknowledged: false, .. }), "{verdict:?}");
    // Whoever gets it late can see how late.
    let Some(Event::Fire(late)) = site.events.last() else { panic!("no fire") };
    assert_eq!((late.id, late.confirmed), (fire.id, fire.confirmed));
    assert!(late.evidence.since(late.confirmed).as_secs() < 15);
    assert!(!site.core.acknowledge(site.now, TriggerId(99)), "nobody asked");
    assert!(site.core.acknowledge(site.now, fire.id));
    assert!(site.core.acknowledge(site.now, fire.id), "told twice is fine");
    assert!(!site.core.acknowledge(site.now, TriggerId(99)), "nobody asked");
    site.quiet(1);
    assert_eq!(site.events.last(), Some(&Event::Ended(fire.id)));
    assert!(site.core.acknowledge(site.now, fire.id), "it was taken over, if late");
    assert!(!site.core.acknowledge(site.now, TriggerId(99)), "nobody asked");
    // The cooldown begins at the acknowledgement, 400 s after the fire.
    site.quiet(280);
    site.burn(8, &[0, 1]);
    assert_eq!(site.fires().len(), 1, "288 s after the acknowledgement");
    site.quiet(60);
    site.burn(8, &[0, 1]);
    assert_eq!(site.fires().len(), 2, "one more after the cooldown");
    assert!(site.fires()[1].id > fire.id);
}

#[test]
fn smoke_alone_never_confirms() {
    use raw::Smoke;
    for (smoke, fires_seen, smokes_seen, fire, alarm) in [
        (Smoke::Ignore, 0, 3, false, false),
        (Smoke::Alarm, 0, 3, false, true),
        (Smoke::Half, 0, 3, false, true),
        (Smoke::Half, 0, 4, false, true),
        (Smoke::Half, 1, 1, false, true),
        (Smoke::Half, 1, 2, true, true),
        (Smoke::Alarm, 1, 3, false, true),
        (Smoke::Alarm, 2, 0, true, false),
    ] {
        let mut site = Site::new(&raw::Consensus { smoke, ..settings() }, 4);
        for second in 0..15 {
            site.pass(1_000);
            site.good();
            for camera in 0..fires_seen + smokes_seen {
                let class = if camera < fires_seen { Class::Fire } else { Class::Smoke };
                let seen = site.observation(camera, Some(ObjectId::Tracked(1)), growing(second));
                let _ = site.core.observe(site.now, &Observation { class, ..seen });
            }
            site.step();
        }
        let row = format!("{smoke:?}: {fires_seen} see fire, {smokes_seen} smoke");
        assert_eq!(!site.fires().is_empty(), fire, "{row}");
        let seen = site.count(|e| matches!(e, Event::Smoke { seen: true, .. }));
        assert_eq!(seen, usize::from(alarm), "{row}");
        site.quiet(25);
        let gone = site.count(|e| matches!(e, Event::Smoke { seen: false, .. }));
        assert_eq!(gone, usize::from(alarm), "{row}");
    }
}

/// Smoke beside a camera alone shortens its time only where smoke counts for something.
#[test]
fn smoke_beside_a_single_camera() {
    use raw::Smoke;
    for (smoke, at_once) in [(Smoke::Ignore, false), (Smoke::Alarm, false), (Smoke::Half, true)] {
        let mut site = Site::new(&raw::Consensus { smoke, cameras_needed: 1, ..settings() }, 2);
        for second in 0..8 {
            site.pass(1_000);
            site.good();
            let seen = site.observation(1, Some(ObjectId::Tracked(1)), growing(second));
            site.core.observe(site.now, &Observation { class: Class::Smoke, ..seen }).expect("taken");
            site.fire(0, 1, growing(second)).expect("taken");
            site.step();
        }
        assert_eq!(!site.fires().is_empty(), at_once, "{smoke:?}");
    }
}

#[test]
fn sectors_decide_for_themselves() {
    let sector = |name: &str, cameras: &[&str], needed| raw::Sector {
        name: name.into(),
        cameras: cameras.iter().map(ToString::to_string).collect(),
        cameras_needed: Some(needed),
        single_camera_s: None,
    };
    let sectors = Vec::from([sector("east", &["cam0", "cam1"], 2), sector("west", &["cam1", "cam2"], 2)]);
    let mut site = Site::new(&raw::Consensus { sectors, ..settings() }, 3);
    site.burn(9, &[0, 2]);
    assert_eq!(site.fires(), [], "they watch different ground");
    site.burn(9, &[1, 2]);
    let fires = site.fires();
    assert_eq!(fires.len(), 1);
    assert_eq!(site.core.config().sector_name(fires[0].sector), "west");
    assert!(!site.core.is_calm());
}
