//! The site's model on each engine of this box: whether it finds what the reference finds, how long it takes, and where the
//! frames of a stream lie when it reads them.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vigia_core::config::{Config, Engine as Choice};
use vigia_core::detection::Detection;

use super::clips::{self, PICTURES, Played};
use super::{Check, Scratch};
use crate::bench::median;
use crate::clock;
use crate::detect::Detector;
use crate::detect::manifest::{self, Located};
use crate::detect::network::Network;
use crate::engines::accuracy::{self, Seen};
use crate::engines::recipe::Precision;
use crate::frame::Frame;
use crate::golden::Golden;
use crate::golden::agreement::{Agreement, FLOOR};
use crate::model::Loader;

/// What rten found on an x86-64 processor with the model that ships.
static READING: &str = include_str!("../../models/golden/lookout-n.json");
/// Batches that are timed, and for how long at most.
const RUNS: usize = 20;
const RUNS_S_MAX: f64 = 2.0;

/// Milliseconds from frames in host memory to boxes.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub engine: &'static str,
    pub batch: usize,
    pub runs: usize,
    pub median_ms: f64,
    pub worst_ms: f64,
    pub frames_per_s: f64,
}

/// What a model finds in the golden frames.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reading {
    pub model_sha256: String,
    pub frames_sha256: String,
    pub seen: Vec<Vec<Seen>>,
}

pub fn check(config: &Config, scratch: &Scratch, note: &mut impl FnMut(Check)) -> Vec<Latency> {
    let d = &config.detector;
    let located = match manifest::locate(Path::new(&d.models_dir), &d.model) {
        Ok(located) => located,
        Err(e) => {
            // The sentence names a folder of the site.
            tracing::error!(component = "selftest", event = "no_model", %e);
            note(Check::failed("model", "the model that is configured is not there, or not whole"));
            return Vec::new();
        }
    };
    let reading = match reading(&located) {
        Ok(reading) => reading,
        Err(e) => {
            note(Check::failed("reference", masked(&e, config)));
            return Vec::new();
        }
    };
    note(reference(&reading));
    let mut table = Vec::new();
    for (choice, name) in
        [(Choice::TensorRt, "tensorrt"), (Choice::OpenVino, "openvino"), (Choice::Rten, "rten")]
    {
        let mut config = config.clone();
        let is_needed = config.detector.engine == choice || choice == Choice::Rten;
        config.detector.engine = choice;
        let check = format!("model on {name}");
        match Loader::default().load(&config, &config.detector.model, &[]) {
            Ok(loaded) => {
                let mut network = loaded.network;
                if choice != Choice::Rten || located.manifest.quantised_from.is_some() {
                    note(golden(&check, &mut network, &located, &reading));
                }
                table.extend(latencies(name, &mut network).unwrap_or_default());
                note(stream(&format!("stream on {name}"), network, &config, scratch));
            }
            Err(e) => note(Check::missing(&check, masked(&e.to_string(), &config), is_needed)),
        }
    }
    table
}

/// Whether the engine that others are compared with computes on this processor as it did on ours.
fn reference(now: &Reading) -> Check {
    const NAME: &str = "reference";
    let Ok(shipped) = serde_json::from_str::<Reading>(READING) else {
        return Check::failed(NAME, "what it found is not in the program");
    };
    if (&shipped.model_sha256, &shipped.frames_sha256) != (&now.model_sha256, &now.frames_sha256) {
        let said = "it runs; what it finds is known of the model and the golden frames that ship only";
        return Check::passed(NAME, said, Value::Null);
    }
    agrees(NAME, Agreement::of(&shipped.detections(), &now.detections()), accuracy::gate(Precision::Fp32))
}

impl Reading {
    fn detections(&self) -> Vec<Vec<Detection>> {
        self.seen.iter().map(|seen| seen.iter().map(Seen::detection).collect()).collect()
    }
}

/// What rten finds in the golden frames of a model, or of the one that it was quantised from.
///
/// # Errors
/// One sentence.
pub fn reading(located: &Located) -> Result<Reading, String> {
    let golden = Golden::of(located.folder(), &located.manifest.id).map_err(|e| e.to_string())?;
    let (_, mut network) = accuracy::reference(located).map_err(|e| e.to_string())?;
    let model_sha256 = network.manifest.sha256.clone();
    let mut look = |number| {
        let frame = golden.frame(number).map_err(|e| e.to_string())?;
        let seen = network.look(&frame, FLOOR).map_err(|e| e.to_string())?;
        Ok::<_, String>(seen.iter().map(Seen::of).collect())
    };
    let seen = (0..golden.len()).map(&mut look).collect::<Result<_, _>>()?;
    Ok(Reading { model_sha256, frames_sha256: golden.sha256().to_owned(), seen })
}

fn golden(name: &str, network: &mut Network, located: &Located, reading: &Reading) -> Check {
    let is_quantised = located.manifest.quantised_from.is_some();
    let precision = if is_quantised { Precision::Int8 } else { Precision::Fp16 };
    network.suppress(accuracy::SUPPRESSION);
    let seen =
        Golden::of(located.folder(), &located.manifest.id).map_err(|e| e.to_string()).and_then(|golden| {
            let mut look = |number| {
                let frame = golden.frame(number).map_err(|e| e.to_string())?;
                network.look(&frame, FLOOR).map_err(|e| e.to_string())
            };
            (0..golden.len()).map(&mut look).collect::<Result<Vec<_>, _>>()
        });
    match seen {
        Ok(seen) => agrees(name, Agreement::of(&reading.detections(), &seen), accuracy::gate(precision)),
        Err(e) => Check::failed(name, e),
    }
}

fn agrees(name: &str, agreement: Agreement, gate: (usize, usize)) -> Check {
    let Agreement { objects, found, reported, invented, .. } = agreement;
    let said = format!("finds {found} of {objects} objects; {invented} of {reported} reports are wrong");
    let figures = serde_json::to_value(agreement).unwrap_or_default();
    if agreement.reaches(gate.0, gate.1) {
        return Check::passed(name, said, figures);
    }
    Check { figures, ..Check::failed(name, said) }
}

/// Of batches of 1, 2, 4 ... as far as the engine takes them.
fn latencies(engine: &'static str, network: &mut Network) -> Result<Vec<Latency>, String> {
    let golden = Golden::shipped().map_err(|e| e.to_string())?;
    let sizes = std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n <= network.batch_max());
    let sizes: Vec<_> = sizes.collect();
    let mut table = Vec::new();
    for batch in sizes {
        let frames = (0..batch).map(|n| golden.frame(n % golden.len())).collect::<Result<Vec<_>, _>>();
        table.push(timed(engine, network, &frames.map_err(|e| e.to_string())?)?);
    }
    Ok(table)
}

fn timed(engine: &'static str, network: &mut Network, frames: &[Frame]) -> Result<Latency, String> {
    let mut look = || network.look_at(frames, FLOOR).map_err(|e| e.to_string());
    look()?;
    let (mut all, begun) = (Vec::new(), clock::now());
    while all.len() < RUNS && clock::now().since(begun).as_secs_f64() < RUNS_S_MAX {
        let start = clock::now();
        look()?;
        all.push(clock::now().since(start).as_secs_f64() * 1e3);
    }
    let median_ms = median(all.iter().copied());
    let tenth = |v: f64| (v * 100.0).round() / 100.0;
    let batch = frames.len();
    let count = u32::try_from(batch).map_or(0.0, f64::from);
    Ok(Latency {
        engine,
        batch,
        runs: all.len(),
        median_ms: tenth(median_ms),
        worst_ms: tenth(all.iter().copied().fold(0.0, f64::max)),
        frames_per_s: tenth(count * 1e3 / median_ms),
    })
}

/// The H.264 clip through the engine.
fn stream(name: &str, network: Network, config: &Config, scratch: &Scratch) -> Check {
    let is_gpu = config.detector.engine == Choice::TensorRt;
    let stream = clips::stream(Path::new("/clip.mkv"));
    let detector = stream.and_then(|s| Detector::new(network, &[s]).map_err(|e| e.to_string()));
    let played = detector.and_then(|mut d| clips::play(config, scratch, clips::H264, Some(&mut d)));
    let Played { pictures, in_host, decoder } = match played {
        Ok(played) => played,
        Err(e) => return Check::failed(name, e),
    };
    let copied = if is_gpu && in_host { pictures } else { 0 };
    let memory = if in_host { "host" } else { "device" };
    let figures = json!({ "pictures": pictures, "memory": memory, "copied": copied, "decoder": decoder });
    if pictures != PICTURES {
        let said = format!("{pictures} of {PICTURES} pictures answered");
        return Check { figures, ..Check::failed(name, said) };
    }
    let said = match copied {
        0 if is_gpu => {
            format!("{pictures} pictures answered, none copied: they lie where the GPU reads them")
        }
        0 => format!("{pictures} pictures answered"),
        n => format!(
            "{pictures} pictures answered, {n} copied to the GPU: {decoder} does not leave them there"
        ),
    };
    Check::passed(name, said, figures)
}

/// Folders of the site are its own business.
fn masked(text: &str, config: &Config) -> String {
    let d = &config.detector;
    let dirs = [Some(&d.models_dir), Some(&d.plans_dir), d.openvino_dir.as_ref(), d.tensorrt_dir.as_ref()];
    let mut dirs: Vec<_> = dirs.into_iter().flatten().chain(&d.recipe).filter(|d| d.contains('/')).collect();
    dirs.sort_by_key(|d| std::cmp::Reverse(d.len()));
    dirs.into_iter().fold(text.to_owned(), |text, dir| text.replace(dir.as_str(), "…"))
}
