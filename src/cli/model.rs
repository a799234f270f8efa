//! `vigia model`: import, list, inspect.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitStatus};
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use serde_json::{Value, json};
use vigia_core::detection::head::Head;

use super::{Failure, print};
use crate::detect::import::{self, Wishes};
use crate::detect::manifest::{self, Manifest};

/// What the examination of a foreign file may take, in memory and in processor time.
const EXAMINE_BYTES_MAX: u64 = 4 << 30;
const READ_CPU_S_MAX: u64 = 10;
const RUN_CPU_S_MAX: u64 = 120;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check an ONNX file, run it once, and take it into the models folder
    Import {
        file: PathBuf,
        #[arg(long, value_name = "DIR", default_value = "models")]
        models_dir: PathBuf,
        /// Name of the model [default: the file's]
        #[arg(long)]
        id: Option<String>,
        /// yolov5, yolov8, end2end, yolox or rtdetr [default: from the output's shape]
        #[arg(long)]
        head: Option<String>,
        /// WIDTHxHEIGHT, for a graph with a dynamic input
        #[arg(long, value_name = "WxH")]
        input_size: Option<String>,
        /// Class names, comma separated [default: from the file's metadata]
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        classes: Option<Vec<String>>,
        /// SPDX name of its licence
        #[arg(long)]
        licence: Option<String>,
        /// Where it comes from
        #[arg(long)]
        source: Option<String>,
        /// The model that it is with 8-bit numbers, which its plans are compared with
        #[arg(long, value_name = "ID")]
        quantised_from: Option<String>,
        /// Folder of libopenvino_c.so
        #[arg(long, value_name = "DIR")]
        openvino_dir: Option<PathBuf>,
    },
    /// The models of a folder, and whether their files are whole
    List {
        #[arg(long, value_name = "DIR", default_value = "models")]
        models_dir: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// What an ONNX file or a manifest says of itself
    Inspect { file: PathBuf },
    /// What `import` and `inspect` do in a process of its own; prints JSON
    #[command(hide = true)]
    Examine {
        file: PathBuf,
        /// What the technician said, as JSON; without it the graph is only read
        #[arg(long)]
        wishes: Option<String>,
    },
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Import {
            file,
            models_dir,
            id,
            head,
            input_size,
            classes,
            licence,
            source,
            quantised_from,
            openvino_dir,
        } => {
            let head = head.map(|h| parse_head(&h)).transpose()?;
            let size = input_size.map(|s| parse_size(&s)).transpose()?;
            let wishes = Wishes { id, head, size, classes, licence, source, quantised_from, openvino_dir };
            take_in(&file, &wishes, &models_dir)
        }
        Command::List { models_dir, json } => list(&models_dir, json),
        Command::Inspect { file } => inspect(&file),
        Command::Examine { file, wishes } => examine(&file, wishes.as_deref()),
    }
}

fn parse_head(text: &str) -> Result<Head, Failure> {
    serde_json::from_value(json!(text)).map_err(|_| {
        Failure::Usage(format!("--head {text}: yolov5, yolov8, end2end, yolox or rtdetr is expected"))
    })
}

fn parse_size(text: &str) -> Result<(u32, u32), Failure> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| {
        Failure::Usage(format!("--input-size {text}: WIDTHxHEIGHT is expected, as in 640x640"))
    })
}

fn take_in(file: &Path, wishes: &Wishes, dir: &Path) -> Result<(), Failure> {
    let bar = ProgressBar::new(2);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar.set_message("reading the graph and running it once");
    let wishes = serde_json::to_string(wishes).map_err(Failure::usage)?;
    let manifest = serde_json::from_value(examined(file, Some(&wishes))?).map_err(Failure::failed)?;
    bar.inc(1);
    bar.set_message("storing it");
    let yaml = import::store(file, &manifest, dir).map_err(Failure::failed)?;
    bar.finish_and_clear();
    let Manifest { id, head, input, classes, .. } = &manifest;
    let (size, count) = (format!("{}x{}", input.width, input.height), classes.len());
    print(&format!("{id}: {head:?}, {size}, {count} classes -> {}", yaml.display()))
}

/// Examines a file in a process of its own: neither the parser nor the engines survive every
/// hostile file, nor does a machine's memory. The answer is what [`examine`] prints.
fn examined(file: &Path, wishes: Option<&str>) -> Result<Value, Failure> {
    let vigia = std::env::current_exe().map_err(Failure::failed)?;
    let mut process = Process::new(vigia);
    process.args(["model", "examine"]).args(wishes.map(|w| format!("--wishes={w}"))).arg("--").arg(file);
    let output = process.output().map_err(Failure::failed)?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout).map_err(Failure::failed);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // An engine may have said something of its own before.
    let sentence = said.lines().rev().find_map(|line| line.strip_prefix("vigia: "));
    match (output.status.code(), sentence) {
        (Some(1), Some(sentence)) => Err(Failure::Failed(sentence.to_owned())),
        (Some(2), Some(sentence)) => Err(Failure::Usage(sentence.to_owned())),
        _ => Err(Failure::Usage(format!("{} can't be used: {}", file.display(), fate(output.status)))),
    }
}

/// How an examination died.
fn fate(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() => {
            format!("reading it takes more than {READ_CPU_S_MAX} s, or running it once {RUN_CPU_S_MAX} s")
        }
        _ => format!(
            "it makes the engine crash or want more than {} GiB of memory ({status})",
            EXAMINE_BYTES_MAX >> 30
        ),
    }
}

/// The inner half of [`examined`].
fn examine(file: &Path, wishes: Option<&str>) -> Result<(), Failure> {
    // Nobody waits for the answer once the importer is gone.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(Failure::failed)?;
    confine(Resource::Data, EXAMINE_BYTES_MAX)?;
    confine(Resource::Core, 0)?;
    // The parser never ends with some files; rten has the same one.
    confine(Resource::Cpu, READ_CPU_S_MAX)?;
    let graph = import::inspect(file).map_err(Failure::usage)?;
    let value = match wishes {
        Some(wishes) => {
            confine(Resource::Cpu, RUN_CPU_S_MAX)?;
            let wishes = serde_json::from_str(wishes).map_err(Failure::usage)?;
            serde_json::to_value(import::examine(file, &wishes, |_| {}).map_err(Failure::usage)?)
        }
        None => serde_json::to_value(graph),
    };
    print(&value.map_err(Failure::failed)?.to_string())
}

fn confine(resource: Resource, most: u64) -> Result<(), Failure> {
    let maximum = getrlimit(resource).maximum;
    let limit = Rlimit { current: Some(maximum.map_or(most, |hard| hard.min(most))), maximum };
    setrlimit(resource, limit).map_err(Failure::failed)
}

fn list(dir: &Path, as_json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (id, path) in manifest::list(dir) {
        let state = match manifest::locate(dir, &id) {
            Ok(found) => {
                let m = found.manifest;
                let input = format!("{}x{}", m.input.width, m.input.height);
                json!({ "id": id, "head": m.head, "input": input, "classes": m.classes.len(), "licence": m.licence })
            }
            Err(e) => json!({ "id": id, "error": e.to_string(), "manifest": path }),
        };
        rows.push(state);
    }
    if as_json {
        return print(&format!("{:#}", json!(rows)));
    }
    if rows.is_empty() {
        let hint = "take one in with `vigia model import FILE.onnx`";
        return print(&format!("no models in {}; {hint}", dir.display()));
    }
    rows.iter().try_for_each(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        print(&match row["error"].as_str() {
            Some(error) => format!("{:24} BROKEN: {error}", text("id")),
            None => format!(
                "{:24} {:9} {:10} {:>4} classes  {}",
                text("id"),
                text("head"),
                text("input"),
                row["classes"],
                text("licence")
            ),
        })
    })
}

fn inspect(file: &Path) -> Result<(), Failure> {
    let value = if file.extension().is_some_and(|e| e == "yaml") {
        serde_json::to_value(Manifest::read(file).map_err(Failure::usage)?)
    } else {
        Ok(examined(file, None)?)
    };
    print(&format!("{:#}", value.map_err(Failure::failed)?))
}
