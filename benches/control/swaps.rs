//! Models of different shapes swapped under load: gaps, and whose detections they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use vigia::detect::manifest;
use vigia_core::time::Instant;

use super::SEED;
use super::record::{Arrival, gaps, ms};
use super::site::Site;
use super::spread::{Progress, Spread};

const ROOMS: [u32; 4] = [0, 1, 2, 3];
/// Low, so that detections come whose class names tell which model they are of.
const CONFIDENCE: &str = "confidence: 0.05";
/// The longest rest between two swaps, in ms.
const APART_MS_MAX: u64 = 500;

/// Class names of each model in the folder.
type Models = BTreeMap<String, Vec<String>>;

/// What was seen, and what there may not be among it.
#[derive(Default)]
struct Tally {
    events: usize,
    boxes: usize,
    /// Newest detection of each stream.
    last: BTreeMap<u32, Instant>,
    /// From the last detection of the old model to the first of the new one, of each stream.
    switch_ms: Vec<f64>,
    /// Of the old model, after the answer.
    after_answer: usize,
    /// Of the old model, after one of the new on the same stream.
    after_new: usize,
    /// Of a model that is neither the old nor the new.
    of_neither: usize,
    /// With a class that the named model does not have.
    of_other_classes: usize,
}

impl Tally {
    fn wrong(&self) -> usize {
        self.after_answer + self.after_new + self.of_neither + self.of_other_classes
    }
}

/// Swaps `count` times to a random other model and looks at every detection of that time.
pub fn swaps(folder: &Path, count: usize, steady: Duration) -> Value {
    let models = classes(folder);
    let Some(mut site) = Site::start(folder, &ROOMS, CONFIDENCE) else { return Value::Null };
    let (loads, quiet) = each_in_peace(&mut site, &models, steady);
    let mut random = Rng::with_seed(SEED);
    let (mut tally, mut took) = (Tally::default(), Vec::new());
    let mut progress = Progress::start("swaps", count);
    let (first, before) = (site.record.arrivals.len(), site.vigia.rss_mib());
    let mut looked = first;
    // The last one watched in peace.
    let mut old = models.keys().next_back().expect("models").clone();
    for swap in 1..=count {
        let others: Vec<_> = models.keys().filter(|model| **model != old).collect();
        let new = random.choice(others).expect("two models").clone();
        let answer = site.ask("change_model", &json!({ "model_id": new })).completed();
        site.record.rest(Duration::from_millis(random.u64(..APART_MS_MAX)));
        took.push(answer.took_ms);
        tally.look(&site.record.arrivals[looked..], answer.place - looked, (&old, &new), &models);
        (old, looked) = (new, site.record.arrivals.len());
        progress.is_at(swap);
    }
    let gaps = gaps(&site.record.arrivals[first..]);
    let largest: BTreeMap<_, _> =
        gaps.iter().map(|(room, gaps)| (room.to_string(), Spread::of(gaps.iter().copied()).max)).collect();
    let gaps = Spread::of(gaps.into_values().flatten());
    let switch = Spread::of(tally.switch_ms.iter().copied());
    json!({
        "swaps": count, "models": models.keys().collect::<Vec<_>>(), "command_to_ack_ms": Spread::of(took),
        "steady": loads, "steady_gap_ms": quiet, "gap_ms": gaps, "largest_gap_ms": largest,
        "gap_at_the_switch_ms": switch,
        "largest_gap_over_steady_p99": gaps.max / quiet.p99,
        "detections": tally.events, "boxes": tally.boxes,
        "old_after_answer": tally.after_answer, "old_after_new": tally.after_new,
        "of_neither_model": tally.of_neither, "of_other_classes": tally.of_other_classes,
        "is_met": tally.wrong() == 0 && switch.p99 <= quiet.p99, "rss_mib": [before, site.vigia.rss_mib()],
    })
}

fn classes(folder: &Path) -> Models {
    let all = ["lookout-n", "lookout-n-int8", "yolox_nano"].into_iter();
    all.filter_map(|id| Some((id.to_owned(), manifest::locate(folder, id).ok()?.manifest.classes))).collect()
}

/// Every model for a while, one after the other; the gaps of the slowest are what a swap to or from
/// it is compared with.
fn each_in_peace(site: &mut Site, models: &Models, steady: Duration) -> (BTreeMap<String, Value>, Spread) {
    let mut loads = BTreeMap::new();
    let mut slowest = Spread::default();
    for model in models.keys() {
        site.ask("change_model", &json!({ "model_id": model })).completed();
        site.record.rest(Duration::from_secs(1));
        let steady = site.steady(steady);
        let gaps = Spread::of(steady.gaps);
        if gaps.p99 > slowest.p99 {
            slowest = gaps;
        }
        loads.insert(model.clone(), steady.load);
    }
    (loads, slowest)
}

impl Tally {
    /// Looks at what came around a swap, whose answer lies at `answered`. The new model may speak
    /// before the answer, which follows the proof.
    fn look(&mut self, arrivals: &[Arrival], answered: usize, (old, new): (&str, &str), models: &Models) {
        let mut changed = BTreeSet::new();
        for (place, event) in arrivals.iter().enumerate().filter_map(|(i, a)| Some((i, a.detection()?))) {
            let room = event.source_id;
            if event.model_id == new {
                if changed.insert(room) {
                    let before = self.last.get(&room);
                    self.switch_ms.extend(before.map(|before| ms(arrivals[place].at.since(*before))));
                }
            } else if event.model_id == old {
                self.after_answer += usize::from(place > answered);
                self.after_new += usize::from(changed.contains(&room));
            } else {
                self.of_neither += 1;
            }
            let known = models.get(&event.model_id);
            let has = |name: &String| known.is_some_and(|names| names.contains(name));
            self.of_other_classes += usize::from(!event.detections.iter().all(|d| has(&d.class_name)));
            self.last.insert(room, arrivals[place].at);
            self.events += 1;
            self.boxes += event.detections.len();
        }
    }
}
