//! Streams that come and go at random beside others that nobody touches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::SEED;
use super::record::gaps;
use super::site::{Answer, Site, picture};
use super::spread::{Progress, Spread};

/// Those that stay.
const STAY: [u32; 2] = [0, 1];
/// Those that come and go, at most [`GUESTS_MAX`] of them at a time, which are there in peace.
const GUESTS: Range<u32> = 10..18;
const GUESTS_MAX: usize = 2;
/// The longest rest between two changes, in ms.
const APART_MS_MAX: u64 = 100;

/// What is there, and what was said of what is not.
#[derive(Default)]
struct Ledger {
    present: BTreeSet<u32>,
    /// Up to where the record was looked at.
    looked: usize,
    detections: usize,
    of_absent: usize,
    /// The topic says one stream, the payload another.
    mislabelled: usize,
    /// Frames are numbered from 1 in each life of a stream, and none is missing.
    misnumbered: usize,
    /// The answer to a removal names another last frame than the wire.
    last_frames_wrong: usize,
    refused: BTreeMap<String, usize>,
    add_ms: Vec<f64>,
    remove_ms: Vec<f64>,
    /// Newest frame of each stream.
    frames: BTreeMap<u32, u64>,
}

/// Adds or removes a guest `count` times.
pub fn streams(models: &Path, count: usize, steady: Duration) -> Value {
    let Some(mut site) = Site::start(models, &STAY, "") else { return Value::Null };
    let mut random = Rng::with_seed(SEED);
    let mut ledger = Ledger { present: STAY.into(), ..Ledger::default() };
    for _ in 0..GUESTS_MAX {
        change(&mut site, &mut ledger, true, &mut random);
    }
    let (quiet_from, before) = (site.record.arrivals.len(), site.vigia.rss_mib());
    let load = site.steady(steady).load;
    let from = site.record.arrivals.len();
    let mut progress = Progress::start("streams", count);
    for done in 1..=count {
        let guests = ledger.present.len() - STAY.len();
        let comes = guests == 0 || (guests < GUESTS_MAX && random.bool());
        change(&mut site, &mut ledger, comes, &mut random);
        progress.is_at(done);
    }
    let arrivals = &site.record.arrivals;
    let quiet = of_those_that_stay(gaps(&arrivals[quiet_from..from]));
    let during = of_those_that_stay(gaps(&arrivals[from..]));
    let wrong = ledger.of_absent + ledger.mislabelled + ledger.misnumbered + ledger.last_frames_wrong;
    json!({
        "changes": count, "refused": ledger.refused, "load": load,
        "add_to_ack_ms": Spread::of(ledger.add_ms), "remove_to_ack_ms": Spread::of(ledger.remove_ms),
        "detections": ledger.detections, "of_absent_streams": ledger.of_absent,
        "topic_and_payload_differ": ledger.mislabelled, "misnumbered": ledger.misnumbered,
        "last_frame_not_as_answered": ledger.last_frames_wrong,
        "others_steady_gap_ms": quiet, "others_gap_ms": during, "is_met": wrong == 0 && during.p99 <= quiet.p99 * STIRRED_MAX,
        "rss_mib": [before, site.vigia.rss_mib()],
    })
}

/// How much the 99th percentile may differ between two halves of a run.
const STIRRED_MAX: f64 = 1.1;

fn of_those_that_stay(gaps: BTreeMap<u32, Vec<f64>>) -> Spread {
    Spread::of(gaps.into_iter().filter(|(room, _)| STAY.contains(room)).flat_map(|(_, gaps)| gaps))
}

/// One guest comes or goes, and what was said meanwhile is looked at.
fn change(site: &mut Site, ledger: &mut Ledger, comes: bool, random: &mut Rng) {
    let candidates: Vec<_> = GUESTS.filter(|room| ledger.present.contains(room) != comes).collect();
    let room = random.choice(candidates).expect("more guests than places");
    if comes {
        let answer = site.ask("add_stream", &json!({ "source_id": room, "stream_uri": picture() }));
        ledger.came(site, room, &answer);
    } else {
        let answer = site.ask("remove_stream", &json!({ "source_id": room }));
        ledger.went(site, room, &answer);
    }
    site.record.rest(Duration::from_millis(random.u64(..APART_MS_MAX)));
}

impl Ledger {
    /// It may be heard from the moment its command passed the broker; if it was refused, no longer
    /// than until the answer.
    fn came(&mut self, site: &Site, room: u32, answer: &Answer) {
        self.look(site, site.place_of_command(answer));
        self.present.insert(room);
        self.frames.remove(&room);
        self.look(site, answer.place);
        self.add_ms.push(answer.took_ms);
        if !self.accepted(answer) {
            self.present.remove(&room);
        }
    }

    /// It may be heard until the answer, which names its last frame.
    fn went(&mut self, site: &Site, room: u32, answer: &Answer) {
        self.look(site, answer.place);
        self.remove_ms.push(answer.took_ms);
        if self.accepted(answer) {
            self.present.remove(&room);
            let last = &answer.ack["effect"]["last_frame"][0]["frame_id"];
            self.last_frames_wrong += usize::from(*last != json!(self.frames.get(&room)));
        }
    }

    fn accepted(&mut self, answer: &Answer) -> bool {
        if !answer.is_completed() {
            *self.refused.entry(answer.ack["code"].to_string()).or_default() += 1;
        }
        answer.is_completed()
    }

    /// Looks at the record up to a place.
    fn look(&mut self, site: &Site, to: usize) {
        let arrivals = &site.record.arrivals[self.looked..to];
        self.looked = to;
        for (room, event) in arrivals.iter().filter_map(|a| Some((a.room()?, a.detection()?))) {
            self.detections += 1;
            self.of_absent += usize::from(!self.present.contains(&room));
            self.mislabelled += usize::from(event.source_id != room);
            let before = self.frames.insert(room, event.frame_id);
            self.misnumbered += usize::from(event.frame_id != before.unwrap_or(0) + 1);
        }
    }
}
