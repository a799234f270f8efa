//! A year in virtual time: fires, false alarms and outages by a seed, each second looked at.

use alloc::vec::Vec;

use super::*;

/// A small generator of its own, so that a seed means the same for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll().is_multiple_of(n)
    }
}

/// Seconds left of what a camera goes through, and who sees it.
#[derive(Default)]
struct Going {
    since: u32,
    left: u32,
    cameras: Vec<usize>,
}

#[test]
fn a_year_goes_by() {
    const YEAR_S: u32 = 365 * 86_400;
    let mut dice = Dice(0x5eed);
    let mut site = Site::of(3, 2);
    let (mut fires, mut false_alarms, mut outages) = (0u64, 0u64, 0u64);
    let mut fire = Going::default();
    let mut outage = Going::default();
    let mut events = Vec::new();
    let mut announced: Option<TriggerId> = None;
    let (mut confirmed, mut ended, mut lost, mut back) = (0u64, 0u64, 0u64, 0u64);
    let mut id = 0u32;
    // Things happen one after the other, with a pause that is longer than cooldown and window.
    let mut rest = 0u32;
    for _ in 0..YEAR_S {
        site.pass(1_000);
        if fire.left == 0 && outage.left == 0 {
            rest = rest.saturating_add(1);
        }
        if rest > 400 && dice.one_in(10_000) {
            rest = 0;
            id = id.wrapping_add(1);
            let first = (dice.roll() % 3) as usize;
            let second = (first + 1 + (dice.roll() % 2) as usize) % 3;
            match dice.roll() % 3 {
                0 => {
                    fires += 1;
                    fire = Going {
                        since: 0,
                        left: 12 + (dice.roll() % 60) as u32,
                        cameras: Vec::from([first, second]),
                    };
                }
                1 => {
                    false_alarms += 1;
                    fire =
                        Going { since: 0, left: 5 + (dice.roll() % 60) as u32, cameras: Vec::from([first]) };
                }
                _ => {
                    outages += 1;
                    outage = Going { since: 0, left: 90, cameras: Vec::from([first, second]) };
                }
            }
        }
        for at in 0..3 {
            if outage.left == 0 || !outage.cameras.contains(&at) {
                site.core.seen(site.now, site.camera(at), Health::GOOD);
            }
        }
        outage.left = outage.left.saturating_sub(1);
        if fire.left > 0 {
            for at in fire.cameras.clone() {
                site.fire(at, id, growing(fire.since)).expect("taken");
            }
            fire.since += 1;
            fire.left -= 1;
        }
        site.core.step(site.now, &mut events);
        for event in events.drain(..) {
            match event {
                Event::Fire(trigger) => {
                    assert_eq!(trigger.cameras.len(), 2);
                    assert!(fire.left > 0, "at {:?} nothing burned", site.now);
                    assert_eq!(announced.replace(trigger.id), None, "acknowledged at once");
                    confirmed += 1;
                    assert_eq!(trigger.id, TriggerId(confirmed));
                    assert!(site.core.acknowledge(site.now, trigger.id));
                }
                Event::Persists(id) => assert_eq!(announced, Some(id)),
                Event::Ended(id) => {
                    assert_eq!(announced.take(), Some(id));
                    ended += 1;
                }
                Event::Quorum { possible: false, .. } => lost += 1,
                Event::Quorum { possible: true, .. } => back += 1,
                Event::Smoke { .. } => panic!("nobody saw smoke"),
                Event::Sight { .. } => {}
            }
        }
    }
    assert!(fires > 300 && false_alarms > 300 && outages > 300, "{fires} {false_alarms} {outages}");
    assert_eq!((confirmed, ended), (fires, fires), "every fire, and nothing else");
    assert_eq!((lost, back), (outages, outages), "every outage was told, and its end");
    assert!((0..3).all(|at| site.core.objects(site.camera(at)) <= 2));
}
