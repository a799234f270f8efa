//! What must hold whatever comes.

use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;

use super::super::samples::{LEN_MAX, Samples};
use super::*;

const CAMERAS: usize = 4;

/// What one camera goes through in 40 s.
#[derive(Debug, Clone)]
struct Story {
    class: Class,
    /// Seconds.
    from: u32,
    /// Growth per second.
    factor: f32,
    share: f32,
    confidence: f32,
    /// Blind from, for how long.
    blind: (u32, u32),
    health: Health,
}

fn story() -> impl Strategy<Value = Story> {
    let class = prop_oneof![4 => Just(Class::Fire), 1 => Just(Class::Smoke)];
    let factor = prop_oneof![Just(1.0f32), Just(1.1), Just(1.3), Just(0.9)];
    let faults = prop_oneof![
        Just(Health { frozen: true, ..Health::GOOD }),
        Just(Health { black: true, ..Health::GOOD }),
        Just(Health { obscured: true, ..Health::GOOD }),
        Just(Health::default()),
    ];
    let confidence = prop_oneof![4 => Just(0.9f32), 1 => Just(0.5), 1 => Just(f32::NAN)];
    (class, 0..20u32, factor, 0.002..0.4f32, confidence, (0..40u32, 0..40u32), faults).prop_map(
        |(class, from, factor, share, confidence, blind, health)| Story {
            class,
            from,
            factor,
            share,
            confidence,
            blind,
            health,
        },
    )
}

fn site(needed: i64, smoke: raw::Smoke, order: &[usize]) -> Site {
    let cameras = order.iter().map(|id| own_camera(*id as i64)).collect();
    let raw = raw::Consensus {
        cameras,
        smoke,
        cameras_needed: needed,
        camera_timeout_s: 10.0,
        single_camera_s: 3.0,
        ..settings()
    };
    Site::new(&raw, CAMERAS)
}

/// Plays the stories, cameras in `order`, and tells what was announced, when and by whom. Each
/// announcement is compared with what is known of the cameras here.
fn play(stories: &[Story], needed: i64, smoke: raw::Smoke, order: &[usize]) -> Vec<(Instant, Vec<String>)> {
    let mut site = site(needed, smoke, order);
    let mut last_good: Vec<Option<Instant>> = Vec::from([None; CAMERAS]);
    let mut told = Vec::new();
    for half in 0..80u32 {
        site.pass(500);
        let second = half / 2;
        for camera in order {
            let story = &stories[*camera];
            let id = site.core.config().camera_of_source(*camera as u32).expect("a camera");
            let blind = (story.blind.0..story.blind.0 + story.blind.1).contains(&second);
            let health = if blind { story.health } else { Health::GOOD };
            site.core.seen(site.now, id, health);
            if !blind {
                last_good[*camera] = Some(site.now);
            }
            if second >= story.from {
                let share = story.share * libm::powf(story.factor, (half - story.from * 2) as f32 / 2.0);
                let seen = site.observation(0, Some(ObjectId::Tracked(1)), share.min(1.0));
                let (class, confidence) = (story.class, story.confidence);
                let _ = site.core.observe(site.now, &Observation { camera: id, class, confidence, ..seen });
            }
        }
        for event in site.step() {
            let Event::Fire(trigger) = event else { continue };
            if trigger.confirmed != site.now {
                continue;
            }
            let mut names: Vec<String> =
                trigger.cameras.iter().map(|c| site.core.config().camera_name(*c).into()).collect();
            names.sort();
            let seeing = last_good.iter().flatten().filter(|at| site.now.since(**at).as_secs() <= 10).count();
            assert!(seeing >= needed as usize, "{seeing} see, {needed} must agree");
            let smokes = stories.iter().filter(|s| s.class == Class::Smoke).count();
            let help = if smoke == raw::Smoke::Half { smokes / 2 } else { 0 };
            assert!(names.len() + help >= needed as usize && !names.is_empty(), "{names:?}");
            for name in &names {
                let story = &stories[name[3..].parse::<usize>().expect("camN")];
                assert!(story.class == Class::Fire && story.confidence >= 0.7, "{story:?}");
                assert!(
                    story.factor > 1.0 || story.share >= 0.25,
                    "it neither grew nor was large: {story:?}"
                );
            }
            told.push((site.now, names));
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Never by fewer than k cameras that see; in whatever order the cameras are listed and come.
    #[test]
    fn agreement_needs_enough_seeing_cameras_in_any_order(
        stories in prop::collection::vec(story(), CAMERAS),
        needed in 1..=3i64,
        half in any::<bool>(),
        order in Just([0, 1, 2, 3]).prop_shuffle(),
    ) {
        let smoke = if half { raw::Smoke::Half } else { raw::Smoke::Alarm };
        let straight = play(&stories, needed, smoke, &[0, 1, 2, 3]);
        prop_assert_eq!(straight, play(&stories, needed, smoke, &order));
    }

    /// Any times, any numbers: fires are numbered upwards, time stands or goes on, memory is bounded.
    #[test]
    fn floods_are_survived(
        ops in prop::collection::vec((0..6u8, any::<u32>(), 0..100_000u64, any::<f32>(), 0.0..1.0f32), 1..300)
    ) {
        let mut site = site(1, raw::Smoke::Half, &[0, 1, 2, 3]);
        let (mut last_fire, mut latest) = (TriggerId(0), site.now);
        for (op, number, ms, odd, share) in ops {
            let camera = number as usize % CAMERAS;
            match op {
                0 => site.now = Instant(u64::from(number) * 1_000_000),
                1 => site.good(),
                2 => site.pass(ms),
                3 => {
                    let object = (number % 3 > 0).then_some(ObjectId::Tracked(number));
                    let seen = site.observation(camera, object, share);
                    let _ = site.core.observe(site.now, &seen);
                }
                4 => {
                    let bbox = BBox { x1: 0.0, y1: odd, x2: share * 1e4, y2: odd.abs() };
                    let seen = Observation { bbox, confidence: odd, ..site.observation(camera, None, share) };
                    let _ = site.core.observe(site.now, &seen);
                }
                _ => {
                    site.core.acknowledge(site.now, TriggerId(u64::from(number % 8)));
                }
            }
            for event in site.step() {
                if let Event::Fire(trigger) = event {
                    prop_assert!(trigger.id >= last_fire);
                    last_fire = trigger.id;
                }
            }
            latest = latest.max(site.now);
            prop_assert!(site.core.deadline() > latest);
            prop_assert!((0..CAMERAS).all(|c| site.core.objects(site.camera(c)) <= limits::OBJECTS_LEN_MAX));
        }
        let records = site.core.why(None, Instant(0), Instant(u64::MAX)).count();
        prop_assert!(records <= CAMERAS * CAMERA_RECORDS_MAX + SECTOR_RECORDS_MAX);
    }

    /// The ring's medians and span are those of a plain list, while it holds all samples.
    #[test]
    fn samples_are_like_a_list(areas in prop::collection::vec(0.001..1.0f32, 1..LEN_MAX), w in 1..=10usize) {
        let mut samples = Samples::default();
        for (i, area) in areas.iter().enumerate() {
            samples.push(Instant(i as u64 * 200_000_000), *area);
        }
        prop_assert_eq!(samples.len(), areas.len());
        let median = |part: &[f32]| {
            let mut part = Vec::from(part);
            part.sort_by(f32::total_cmp);
            f64::from((part[(w - 1) / 2] + part[w / 2]) / 2.0)
        };
        match samples.growth(w) {
            None => prop_assert!(areas.len() < w * 2),
            Some(growth) => {
                let want = median(&areas[areas.len() - w..]) / median(&areas[..w]);
                prop_assert!((growth.ratio - want).abs() < 1e-4 * want, "{} {}", growth.ratio, want);
                prop_assert_eq!(growth.span.as_millis() as usize, (areas.len() - 1) * 200);
            }
        }
    }
}
