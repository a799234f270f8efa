//! What deciding costs, with each camera full of fires that grow. Time is virtual, so that a busy machine
//! delays nothing; what counts is the processor time of this thread.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use vigia::clock;
use vigia::fire::feed::{self, Feed, Food, Report};
use vigia::fire::why::{self, Query};
use vigia_core::consensus::config::{Camera, FrameSize, Origin};
use vigia_core::consensus::{
    CameraId, Consensus, Event, Health, ObjectId, Observation, Own, Sight, TriggerId, check, limits, raw,
};
use vigia_core::time::Instant;

use super::scene::{CAMERAS, FPS, Frame, Scene, classes};
use super::us;
use crate::control::spread::Spread;

const OBJECTS: usize = 20;
const WARM_UP_S: u32 = 10;
const SPAN_S: u32 = 60;
const WANT_SHARE: f64 = 0.05;

/// As the deciding thread has it.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// Somebody asks for the newest hundred records this often.
const WHY_EVERY: Duration = Duration::from_secs(1);
const WHY_LIMIT: u32 = 100;

pub fn consensus(seed: u64) -> Value {
    let (share, desk) = watch(seed, false);
    // The clock costs about as much as what it measures, so single times are of a run of their own.
    let (_, timed) = watch(seed, true);
    let per_s = |count: usize| count as f64 / f64::from(SPAN_S);
    let ids = desk.consensus.config().camera_ids();
    let voting = ids.map(|id| desk.consensus.voting(id).len()).sum::<usize>();
    assert!(desk.fires > 0 && voting > 0, "nothing burns, so nothing is measured");
    json!({
        "cameras": CAMERAS, "objects_each": OBJECTS, "fps": FPS, "simulated_s": SPAN_S,
        "frames_per_s": CAMERAS * FPS, "observations_per_s": per_s(desk.tally.observations),
        "not_counted_per_s": per_s(desk.tally.not_counted), "fires": desk.fires, "voting": voting,
        "cpu_share_of_a_core": share,
        "observation_us": Spread::of(timed.tally.observation_us), "frame_us": Spread::of(timed.tally.frame_us),
        "want": { "cpu_share_of_a_core_below": WANT_SHARE }, "is_met": share < WANT_SHARE,
    })
}

/// All cameras for a while; which share of a core that took after the warm-up.
fn watch(seed: u64, is_timed: bool) -> (f64, Desk) {
    let (mut scene, classes) = (Scene::new(seed, OBJECTS), classes());
    let mut desk = Desk::new(Tally { is_timed, ..Tally::default() });
    let mut spent = Duration::ZERO;
    for second in 0..WARM_UP_S + SPAN_S {
        if second == WARM_UP_S {
            (spent, desk.tally) = (Duration::ZERO, Tally { is_timed, ..Tally::default() });
        }
        let frames = scene.second(second);
        let before = thread_cpu();
        for frame in &frames {
            desk.look(frame, &classes);
        }
        spent += thread_cpu() - before;
    }
    (spent.as_secs_f64() / f64::from(SPAN_S), desk)
}

fn thread_cpu() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(t).expect("since the start of the thread")
}

#[derive(Default)]
struct Tally {
    is_timed: bool,
    observations: usize,
    not_counted: usize,
    observation_us: Vec<f64>,
    frame_us: Vec<f64>,
}

/// What the detector's and the deciding thread do for each frame, in one thread: `Feed::note`,
/// `Table::take` and `Deciding::step` without panel, disk and broker.
struct Desk {
    consensus: Consensus,
    by_source: BTreeMap<u32, CameraId>,
    feed: Feed,
    food: Food,
    events: Vec<Event>,
    fires: usize,
    alive_due: Instant,
    why_due: Instant,
    tally: Tally,
}

impl Desk {
    fn new(tally: Tally) -> Self {
        let own = |source_id| Own { source_id, name: None, max_fps: FPS.into() };
        let own: Vec<_> = (0..CAMERAS).map(own).collect();
        let config = check(&raw::Consensus::default(), &own).expect("the defaults hold");
        let source = |(id, camera): (CameraId, &Camera)| match camera.origin {
            Origin::Own { source_id } => Some((source_id, id)),
            Origin::Outside { .. } => None,
        };
        let by_source = config.camera_ids().zip(&config.cameras).filter_map(source).collect();
        let consensus = Consensus::new(config, Instant(0), TriggerId(1));
        let ((feed, food), events, due) = (feed::pair(), Vec::new(), Instant(0));
        Self { consensus, by_source, feed, food, events, fires: 0, alive_due: due, why_due: due, tally }
    }

    /// One frame at a time: nothing is saved by taking several reports before a step.
    fn look(&mut self, frame: &Frame, classes: &[String]) {
        let begun = self.tally.is_timed.then(clock::now);
        self.feed.note(&frame.detected(classes));
        while let Ok(report) = self.food.reports.try_recv() {
            self.take(frame.now, &report);
        }
        self.step(frame.now);
        self.tally.frame_us.extend(begun.map(|begun| us(clock::now().since(begun))));
    }

    fn take(&mut self, now: Instant, report: &Report) {
        let Some(camera) = self.by_source.get(&report.source_id).copied() else { return };
        let frame_advanced = now.since(report.captured) <= limits::AGE_MAX && report.knows_fire;
        self.consensus.seen(now, camera, Health { frame_advanced, ..report.health });
        for one in &report.found {
            let seen = Observation {
                camera,
                object: one.tracker_id.map(ObjectId::Tracked),
                class: one.class,
                confidence: one.confidence,
                bbox: one.bbox,
                frame: FrameSize { width: report.width, height: report.height },
                captured: report.captured,
            };
            let begun = self.tally.is_timed.then(clock::now);
            let taken = self.consensus.observe(now, &seen);
            self.tally.observation_us.extend(begun.map(|begun| us(clock::now().since(begun))));
            self.tally.observations += 1;
            self.tally.not_counted += usize::from(taken.is_err());
        }
    }

    fn step(&mut self, now: Instant) {
        let mut events = std::mem::take(&mut self.events);
        self.consensus.step(now, &mut events);
        for event in events.drain(..) {
            if let Event::Fire(trigger) = event {
                self.fires += 1;
                // The pump answers at once.
                self.consensus.acknowledge(now, trigger.id);
            }
        }
        self.events = events;
        std::hint::black_box((self.consensus.is_calm(), self.consensus.deadline()));
        if now >= self.alive_due {
            self.alive_due = now.after(ALIVE_EVERY);
            let config = self.consensus.config();
            let seeing = config.camera_ids().filter(|id| self.consensus.sight(*id) == Sight::Sees).count();
            let whole = config.sector_ids().all(|id| self.consensus.quorum_possible(id));
            std::hint::black_box((seeing, whole));
        }
        if now >= self.why_due {
            self.why_due = now.after(WHY_EVERY);
            let newest = Query { camera: None, at: None, limit: WHY_LIMIT };
            std::hint::black_box(why::answer(&self.consensus, &newest).expect("of all cameras"));
        }
    }
}
