//! K20 and R-24: cameras count while they are proven to see, and a sector that is blind says so.

use alloc::vec::Vec;

use super::*;

fn bad(fault: Sight) -> Health {
    let mut health = Health { frame_advanced: true, ..Health::default() };
    match fault {
        Sight::Frozen => health.frozen = true,
        Sight::Black => health.black = true,
        Sight::WashedOut => health.washed_out = true,
        Sight::Obscured => health.obscured = true,
        Sight::Silent => health.frame_advanced = false,
        Sight::Sees | Sight::Unproven => {}
    }
    health
}

#[test]
fn k20_a_silent_camera_is_offline_in_time() {
    let mut site = Site::of(2, 2);
    site.quiet(5);
    // Camera 1 falls silent; the program calls at the deadlines only.
    let silent_since = site.now;
    loop {
        site.now = site.core.deadline();
        site.core.seen(site.now, site.camera(0), Health::GOOD);
        let events = site.step();
        let lost = Event::Sight { camera: site.camera(1), sight: Sight::Silent };
        if events.contains(&lost) {
            assert!(events.iter().any(|e| matches!(e, Event::Quorum { possible: false, seeing: 1, .. })));
            break;
        }
        assert!(site.now.since(silent_since).as_secs() <= 61, "not noticed");
    }
    let took = site.now.since(silent_since);
    assert!(took.as_millis() > 60_000 && took.as_millis() <= 61_000, "{took:?}");
    assert!(!site.core.quorum_possible(site.sector()));
}

#[test]
fn a_camera_that_does_not_see_does_not_vote() {
    for fault in [Sight::Frozen, Sight::Black, Sight::WashedOut, Sight::Obscured] {
        let mut site = Site::of(2, 2);
        site.quiet(3);
        for second in 0..20 {
            site.pass(1_000);
            site.core.seen(site.now, site.camera(0), Health::GOOD);
            site.core.seen(site.now, site.camera(1), bad(fault));
            site.fire(0, 7, growing(second)).expect("taken");
            let miss = site.fire(1, 7, growing(second)).expect_err("what it shows is no evidence");
            assert_eq!(miss.predicate, Predicate::Seeing);
            site.step();
        }
        assert_eq!(site.core.sight(site.camera(1)), fault);
        assert_eq!(site.fires(), [], "{fault:?}");
        let told = Event::Sight { camera: site.camera(1), sight: fault };
        assert_eq!(site.count(|e| *e == told), 1, "{fault:?} is told once");
        assert!(site.sentences().iter().any(|s| s.contains(fault.words())), "{fault:?}");
        // Good again: what it saw blind does not help it.
        let on = |from: u32| move |s: u32| Vec::from([(0, 7, growing(from + s)), (1, 7, growing(from + s))]);
        site.film(5, 1_000, on(10));
        assert_eq!(site.fires(), [], "{fault:?}");
        site.film(1, 1_000, on(15));
        assert_eq!(site.fires().len(), 1, "{fault:?}");
    }
}

/// A vote of a camera that does not see is told, and how long ago it saw; a vote that counts, or a
/// silence without a vote, is nothing to tell.
#[test]
fn a_vote_that_nobody_counts_is_told() {
    let mut site = Site::of(2, 2);
    let told = |site: &Site| -> Vec<_> {
        site.sentences().into_iter().filter(|s| s.contains("no good picture")).collect()
    };
    site.burn(8, &[0]);
    for second in 0..70 {
        site.pass(1_000);
        site.core.seen(site.now, site.camera(0), Health::GOOD);
        site.fire(0, 7, growing(8 + second)).expect("taken");
        site.step();
    }
    assert_eq!(site.core.sight(site.camera(1)), Sight::Silent);
    assert!(told(&site).is_empty(), "{:?}", told(&site));
    for _ in 0..65 {
        site.pass(1_000);
        site.fire(0, 7, growing(30)).expect("taken");
        site.step();
    }
    let want = "camera cam0: no good picture for 61.0 s, so what it votes does not count";
    assert!(told(&site).len() == 1 && told(&site)[0].contains(want), "{:?}", told(&site));
}

/// "Quorum impossible" is supervisory, not silence, and not noise during the start.
#[test]
fn a_blind_sector_says_so() {
    let mut site = Site::of(3, 2);
    let quorum = |site: &Site| site.count(|e| matches!(e, Event::Quorum { .. }));
    // Nothing is known for as long as a camera has time to show itself.
    for _ in 0..60 {
        site.pass(1_000);
        site.step();
    }
    assert_eq!(quorum(&site), 0);
    site.pass(1_001);
    let events = site.step();
    let sector = site.sector();
    assert_eq!(events, [Event::Quorum { sector, possible: false, seeing: 0, needed: 2 }]);
    for camera in 0..2 {
        site.core.seen(site.now, site.camera(camera), Health::GOOD);
        site.step();
    }
    let back = Event::Quorum { sector, possible: true, seeing: 2, needed: 2 };
    assert_eq!(site.events.last(), Some(&back));
    assert_eq!(quorum(&site), 2);
    assert!(site.core.quorum_possible(sector));
    let sentences = site.sentences();
    let said = |text: &str| sentences.iter().any(|s| s.contains(text));
    assert!(said("sector site: can't confirm a fire: 0 cameras see, 2 must agree"), "{sentences:?}");
    assert!(said("sector site: can confirm fires again: 2 cameras see"), "{sentences:?}");
}

/// Outside cameras prove it with telemetry or detections, and only for the timeout.
#[test]
fn outside_cameras_prove_themselves_with_messages() {
    let cameras = Vec::from([outside_camera("barn"), outside_camera("gate")]);
    let mut site = Site::new(&raw::Consensus { cameras, ..settings() }, 0);
    let sight = |site: &Site| (site.core.sight(site.camera(0)), site.core.sight(site.camera(1)));
    site.step();
    assert_eq!(sight(&site), (Sight::Unproven, Sight::Unproven));
    site.hear("system/camera_telemetry", r#"{"camera_id":"barn","fps":12}"#).expect("taken");
    let unsure = site.hear("fire/detection/gate", r#"{"confidence":0.2,"bbox":[0.1,0.1,0.2,0.2]}"#);
    assert!(unsure.is_err(), "it does not count, but it proves life");
    site.step();
    assert_eq!(sight(&site), (Sight::Sees, Sight::Sees));
    site.pass(60_001);
    site.step();
    assert_eq!(sight(&site), (Sight::Silent, Sight::Silent));
}

/// A fire that blinds the camera or burns its cable is no fire that went out; but that is not
/// believed for ever.
#[test]
fn a_fire_that_blinds_its_cameras_burns_on_for_a_while() {
    for fault in [Sight::WashedOut, Sight::Obscured, Sight::Silent] {
        let mut site = Site::of(2, 2);
        site.burn(8, &[0, 1]);
        site.core.acknowledge(site.now, TriggerId(1));
        let mut ended = None;
        for second in 1..200 {
            site.pass(1_000);
            for camera in 0..2 {
                site.core.seen(site.now, site.camera(camera), bad(fault));
            }
            if site.step().contains(&Event::Ended(TriggerId(1))) {
                ended = Some(second);
                break;
            }
        }
        assert_eq!(ended, Some(71), "{fault:?}: 60 s, and then a window without evidence");
    }
    // Cameras that go on seeing and see nothing end it sooner.
    let mut site = Site::of(2, 2);
    site.burn(8, &[0, 1]);
    site.core.acknowledge(site.now, TriggerId(1));
    site.quiet(18);
    assert_eq!(site.count(|e| matches!(e, Event::Ended(_))), 1);
}

/// A frozen picture of a fire is not evidence for ever.
#[test]
fn a_frozen_fire_ends() {
    let mut site = Site::of(2, 2);
    site.burn(8, &[0, 1]);
    site.core.acknowledge(site.now, TriggerId(1));
    for _ in 0..120 {
        site.pass(1_000);
        for camera in 0..2 {
            site.core.seen(site.now, site.camera(camera), bad(Sight::Frozen));
            let _ = site.fire(camera, 7, growing(8));
        }
        site.step();
    }
    assert_eq!(site.count(|e| matches!(e, Event::Ended(_))), 1);
}
