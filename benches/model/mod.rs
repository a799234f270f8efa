//! BENCH=model: how good the shipped model is, on scenes and clips that it was not trained with.
//!
//! SHARE=0.1 looks at a tenth. STEPS=frames,fires,friends,clips chooses some. MODEL and MODELS_DIR choose another model. Everything runs in two
//! threads with an engine of one thread each.

#[path = "../../tests/support/lookout.rs"]
mod lookout;
#[path = "../../tests/support/score.rs"]
#[allow(dead_code, reason = "its own tests run in tests/lookout.rs")]
mod score;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lookout::{
    FIRES as FIRST_FIRE, FRIENDS as FIRST_FRIEND, FalseAlarms, FireFound, LOOK_EVERY, Model, SURE, Tallies,
};
use serde_json::{Value, json};
use vigia::bench::median;
use vigia::clock;
use vigia_sim::crew;
use vigia_sim::scene::Class;

use super::{VIGIA, part, share, variable};

/// Six frames each: 2,004 frames.
const SCENES: usize = 334;
const FIRES: usize = 300;
/// Two cameras, a minute each: 24 camera-hours.
const FRIENDS: usize = 720;
const FRIENDS_SECONDS: u8 = 60;
const STEPS: &str = "frames,fires,friends,clips";
const THREADS: usize = 2;
/// So many of the confidences next to the threshold are told.
const NEAR: usize = 60;
/// Every so manieth frame of a clip.
const CLIP_EVERY: &str = "5";
const CLIPS: [&str; 2] = ["car-detection", "one-by-one-person-detection"];

pub fn model(shared: &Path) -> Value {
    let folder = PathBuf::from(variable("MODELS_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/models")));
    let id = variable("MODEL", "lookout-n");
    let share = share();
    let model = Model { folder: &folder, id: &id };
    let mut report = json!({ "model": id, "share": share });
    for step in variable("STEPS", STEPS).split(',') {
        report[step] = match step {
            "frames" => frames(model, part(SCENES, share)),
            "fires" => fires(model, part(FIRES, share)),
            "friends" => friends(model, part(FRIENDS, share)),
            "clips" => json!(CLIPS.map(|clip| self::clip(model, shared, clip))),
            other => panic!("STEPS={other}: expected are some of {STEPS}"),
        };
    }
    report
}

/// Runs a worker's jobs and says every ten seconds how far it is; the seconds it took.
fn all<W: FnMut(usize) -> T, T: Send>(
    what: &str,
    jobs: usize,
    hire: impl Fn() -> W + Sync,
    mut done: impl FnMut(usize, T),
) -> f64 {
    let start = clock::now();
    let (mut count, mut next) = (0, Duration::ZERO);
    let Ok(()) = crew::each(jobs, THREADS, hire, |job, result| {
        done(job, result);
        count += 1;
        let spent = clock::now().since(start);
        if spent >= next || count == jobs {
            let left = spent.as_secs_f64() / count as f64 * (jobs - count) as f64;
            eprintln!("  {what}: {count} of {jobs} scenes, {left:.0} s left");
            next = spent + Duration::from_secs(10);
        }
        Ok::<_, Infallible>(())
    });
    clock::now().since(start).as_secs_f64()
}

fn frames(model: Model, scenes: usize) -> Value {
    let mut tallies = Tallies::default();
    let join = |_, more: Tallies| tallies.iter_mut().zip(more).for_each(|(sum, more)| sum.join(more));
    let seconds = all("frames", scenes, || model.frames(), join);
    let averages: Vec<_> = tallies.iter().filter_map(score::Tally::average_precision).collect();
    let classes = Class::ALL.into_iter().zip(&tallies).map(|(class, tally)| {
        let (precision, recall) = tally.at(SURE);
        let figures = json!({
            "labels": tally.wanted(), "ap50": tally.average_precision(),
            "precision_at_0.5": precision, "recall_at_0.5": recall,
        });
        (class.name(), figures)
    });
    json!({
        "frames": scenes * vigia_sim::dataset::PER_SCENE, "seconds": seconds,
        "map50": averages.iter().sum::<f64>() / averages.len().max(1) as f64,
        "classes": classes.collect::<BTreeMap<_, _>>(),
    })
}

fn fires(model: Model, scenes: usize) -> Value {
    let (mut found, mut missed, mut best) = (Vec::new(), Vec::new(), Vec::new());
    let done = |job, fire: Option<FireFound>| {
        let Some(fire) = fire else { return };
        best.push(fire.best);
        if fire.late.is_finite() {
            found.push(fire.late);
        } else {
            missed.push(FIRST_FIRE + job as u64);
        }
    };
    let seconds = all("fires", scenes, || model.fire(), done);
    best.sort_by(f32::total_cmp);
    json!({
        "scenes": scenes, "large_enough": best.len(), "found_in_3_s": found.len(),
        "share": found.len() as f64 / best.len() as f64, "seeds_missed": missed,
        "least_sure": best.get(..NEAR).unwrap_or(&best),
        "median_delay_s": median(found.into_iter().map(f64::from)), "seconds": seconds,
    })
}

fn friends(model: Model, scenes: usize) -> Value {
    let (mut alarms, mut misled) = (FalseAlarms::default(), BTreeMap::new());
    let done = |job, more: FalseAlarms| {
        if more.fire > 0 {
            misled.insert((FIRST_FRIEND + job as u64).to_string(), more.fire);
        }
        alarms.join(more);
    };
    let seconds = all("friends", scenes, || model.friends(FRIENDS_SECONDS), done);
    let FalseAlarms { frames, fire, smoke, mut nearly_fire, scenes_agreed_fire, scenes_agreed_smoke } =
        alarms;
    nearly_fire.sort_by(|a, b| b.total_cmp(a));
    let share = |of: usize| of as f64 / frames as f64;
    json!({
        "scenes": scenes, "frames": frames, "camera_hours": (frames * LOOK_EVERY) as f64 / 3600.0,
        "seconds": seconds, "fire_frames": fire, "fire_share": share(fire),
        "seeds_with_fire_frames": misled, "surest": nearly_fire.get(..NEAR).unwrap_or(&nearly_fire),
        "scenes_both_cameras_fire": scenes_agreed_fire, "smoke_frames": smoke,
        "smoke_share": share(smoke), "scenes_both_cameras_smoke": scenes_agreed_smoke,
    })
}

/// What a real clip without fire makes the model say, through the program as a user runs it.
fn clip(model: Model, shared: &Path, clip: &str) -> Value {
    let path = shared.join("media").join(format!("{clip}.mp4"));
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return json!({ "clip": clip, "skipped": true });
    }
    let mut detect = Command::new(VIGIA);
    detect.arg("detect").arg(path).args(["--model", model.id, "--every", CLIP_EVERY, "--conf", "0.5"]);
    let output = detect.arg("--models-dir").arg(model.folder).output().expect("vigia");
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut frames, mut with, mut all) = (0, BTreeMap::new(), BTreeMap::new());
    for line in text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()) {
        frames += 1;
        let found = line["detections"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = found.iter().filter_map(|d| d["class_name"].as_str()).collect();
        for class in Class::ALL.map(Class::name) {
            let count = names.iter().filter(|n| **n == class).count();
            *with.entry(class).or_insert(0) += usize::from(count > 0);
            *all.entry(class).or_insert(0) += count;
        }
    }
    json!({ "clip": clip, "frames": frames, "frames_with": with, "detections": all, "ok": output.status.success() })
}
