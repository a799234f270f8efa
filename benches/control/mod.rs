//! BENCH=control: a box under command, against a real broker and under load.
//!
//! SHARE=0.1 does a tenth of everything. STEPS=pauses,swaps,streams,enqueue,flood,storm chooses
//! steps.
//! Cameras are small test pictures at 30 frames a second, so that the engine is what is busy; what
//! load that made is told beside the figures. The bench itself shares the machine: what it adds
//! to times is in them.

mod enqueue;
mod flood;
mod packets;
mod pauses;
mod record;
mod site;
pub mod spread;
mod storm;
mod streams;
mod swaps;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{VIGIA, part, share, variable};

/// Moments and choices are drawn from it, so that a run can be had again.
const SEED: u64 = 11;
/// How long a box is watched in peace before it is disturbed.
const STEADY: Duration = Duration::from_secs(20);
/// Shorter than this, nothing settles.
const LEAST: Duration = Duration::from_secs(2);

const PAIRS: usize = 2_000;
const SWAPS: usize = 200;
const CHANGES: usize = 1_000;
const PUBLISHES: usize = 100_000;
const COMMANDS: usize = 100_000;
const FLOOD: Duration = Duration::from_secs(5);

const STEPS: &str = "pauses,swaps,streams,enqueue,flood,storm";

pub fn control(shared: &Path) -> Value {
    let share = share();
    let models = models(shared);
    let steady = STEADY.mul_f64(share).max(LEAST);
    let mut all = Map::from_iter([("share".to_owned(), json!(share)), ("seed".to_owned(), json!(SEED))]);
    for step in variable("STEPS", STEPS).split(',') {
        eprintln!("bench: control: {step}");
        let value = match step {
            "pauses" => pauses::pauses(models.path(), part(PAIRS, share), steady),
            "swaps" => swaps::swaps(models.path(), part(SWAPS, share), steady),
            "streams" => streams::streams(models.path(), part(CHANGES, share), steady),
            "enqueue" => enqueue::enqueue(part(PUBLISHES, share)),
            "flood" => flood::flood(models.path(), FLOOD.mul_f64(share).max(LEAST)),
            "storm" => storm::storm(models.path(), part(COMMANDS, share), SEED),
            other => panic!("STEPS={other}: expected are some of {STEPS}"),
        };
        eprintln!("{value:#}");
        all.insert(step.into(), value);
    }
    Value::Object(all)
}

/// The project's models, and one of another shape with other classes where it is at hand.
fn models(shared: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for file in
        ["lookout-n", "lookout-n-int8"].iter().flat_map(|m| [format!("{m}.onnx"), format!("{m}.yaml")])
    {
        std::fs::copy(ours.join(&file), folder.path().join(&file)).expect("the project's models");
    }
    let other = shared.join("models/yolox_nano.onnx");
    if other.exists() {
        let mut import = Command::new(VIGIA);
        import.args(["model", "import"]).arg(other).arg("--models-dir").arg(folder.path());
        assert!(import.stdout(Stdio::null()).status().expect("vigia").success());
    } else {
        eprintln!("SKIPPED: {} is not there; models are swapped among our own", other.display());
    }
    folder
}
