//! Pause and resume, at random moments, while four cameras feed a busy engine.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use super::SEED;
use super::record::Arrival;
use super::site::{Answer, Site};
use super::spread::{Progress, Spread};

const ROOMS: [u32; 4] = [0, 1, 2, 3];
/// The longest time between two commands, in ms: a few frames.
const APART_MS_MAX: u64 = 100;
const LIMIT_MS: f64 = 50.0;

/// What happened over all pairs.
#[derive(Default)]
struct Tally {
    pause_ms: Vec<f64>,
    resume_ms: Vec<f64>,
    /// Detections of a paused stream: there may be none.
    leaked: usize,
    /// Detections of the others meanwhile: a pause of one room is no silence.
    others: usize,
    of_all: usize,
    /// Last frames that a pause's answer names, and those of them that are not the last on the wire.
    named: usize,
    misnamed: usize,
}

/// `pairs` times: pause all rooms or one, count what comes until the resume passes the broker.
pub fn pauses(models: &Path, pairs: usize, steady: Duration) -> Value {
    let Some(mut site) = Site::start(models, &ROOMS, "") else { return Value::Null };
    let load = site.steady(steady).load;
    let mut random = Rng::with_seed(SEED);
    let (mut tally, mut progress) = (Tally::default(), Progress::start("pauses", pairs));
    let first = site.record.arrivals.len();
    for pair in 1..=pairs {
        site.record.rest(moment(&mut random));
        let room = random.bool().then(|| random.choice(ROOMS).expect("rooms"));
        let params = room.map_or(json!({}), |room| json!({ "source_id": room }));
        let pause = site.ask("pause", &params).completed();
        site.record.rest(moment(&mut random));
        let resume = site.ask("resume", &params).completed();
        tally.note(&site, room, &pause, &resume);
        progress.is_at(pair);
    }
    let detections = site.record.arrivals[first..].iter().filter(|a| a.room().is_some()).count();
    let both = Spread::of(tally.pause_ms.iter().chain(&tally.resume_ms).copied());
    json!({
        "pairs": pairs, "of_all_rooms": tally.of_all, "load": load,
        "detections": detections, "detections_after_pause": tally.leaked,
        "detections_of_others_meanwhile": tally.others,
        "last_frames_named": tally.named, "last_frames_misnamed": tally.misnamed,
        "pause_to_ack_ms": Spread::of(tally.pause_ms), "resume_to_ack_ms": Spread::of(tally.resume_ms),
        "command_to_ack_ms": both, "limit_p99_ms": LIMIT_MS, "is_met": tally.leaked + tally.misnamed == 0 && both.p99 <= LIMIT_MS,
    })
}

fn moment(random: &mut Rng) -> Duration {
    Duration::from_micros(random.u64(..APART_MS_MAX * 1_000))
}

impl Tally {
    fn note(&mut self, site: &Site, room: Option<u32>, pause: &Answer, resume: &Answer) {
        self.pause_ms.push(pause.took_ms);
        self.resume_ms.push(resume.took_ms);
        self.of_all += usize::from(room.is_none());
        for frame in pause.ack["effect"]["last_frame"].as_array().into_iter().flatten() {
            let before = site.record.arrivals[..pause.place].iter().rev();
            let last = before.filter_map(Arrival::detection).find(|d| frame["source_id"] == d.source_id);
            self.named += 1;
            self.misnamed += usize::from(last.is_none_or(|d| frame["frame_id"] != d.frame_id));
        }
        let silence = &site.record.arrivals[pause.place..site.place_of_command(resume)];
        for spoke in silence.iter().filter_map(Arrival::room) {
            if room.is_none_or(|paused| paused == spoke) {
                self.leaked += 1;
            } else {
                self.others += 1;
            }
        }
    }
}
