//! `vigia engine`: build plans for TensorRT, list and inspect them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use vigia_accel::trt::{Driver, Go, TrtError};
use vigia_core::event::Utc;

use super::{Failure, print};
use crate::clock;
use crate::detect::manifest::{self, Located};
use crate::engines::accuracy::{Accuracy, AccuracyError};
use crate::engines::build::{self, BuildError, Order};
use crate::engines::facts::Device;
use crate::engines::job::{Job, JobError};
use crate::engines::open::{self, OpenError};
use crate::engines::progress::{Line, left};
use crate::engines::recipe::{Precision, Recipe};
use crate::engines::store::{self, Passport, Store, StoreError};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a model's plan for this device, or for a kind of device
    Build(Args),
    /// The plans of a folder
    List {
        #[arg(long, value_name = "DIR", default_value = "plans")]
        plans_dir: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// A plan's passport; the file is read whole and its checksum compared
    Inspect { file: PathBuf },
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of a model in the models folder, or the path of its manifest
    model: String,
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: PathBuf,
    #[arg(long, value_name = "DIR", default_value = "plans")]
    plans_dir: PathBuf,
    /// What suits a device, from engines/; the other options go before it
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    #[arg(long)]
    precision: Option<Precision>,
    /// Most images per batch, 1 to 32
    #[arg(long)]
    batch: Option<u32>,
    /// How hard to search, 0 to 5
    #[arg(long)]
    level: Option<u32>,
    /// Most memory for one layer, in MiB
    #[arg(long)]
    workspace_mib: Option<u32>,
    /// Run on this DLA core what it can run
    #[arg(long, value_name = "CORE")]
    dla: Option<u32>,
    /// For devices of this compute capability, as in 8.6, without one at hand (TensorRT-RTX)
    #[arg(long = "for", value_name = "CAPABILITY")]
    capability: Option<String>,
    /// Folder of TensorRT's libraries [default: where the system looks]
    #[arg(long, value_name = "DIR")]
    tensorrt_dir: Option<PathBuf>,
    /// Build though the same plan is there
    #[arg(long)]
    force: bool,
    /// Progress as JSON lines on standard output; a signal to end cancels
    #[arg(long)]
    json_progress: bool,
    /// In this process
    #[arg(long, hide = true)]
    inside: bool,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Build(args) if args.inside => inside(&args),
        Command::Build(args) => outside(&args),
        Command::List { plans_dir, json } => list(&Store::new(plans_dir), json),
        Command::Inspect { file } => {
            let (passport, plan) = store::read(&file).map_err(refused)?;
            let mut told = serde_json::to_value(&passport).map_err(Failure::failed)?;
            told["plan_bytes"] = json!(plan.len());
            told["key"] = json!(passport.facts.key());
            print(&format!("{told:#}"))
        }
    }
}

fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::Io { .. } => Failure::failed(error),
        StoreError::Broken { .. } | StoreError::Passport { .. } => Failure::usage(error),
    }
}

impl Args {
    fn recipe(&self) -> Result<Recipe, Failure> {
        let base = self
            .profile
            .as_deref()
            .map(Recipe::load)
            .transpose()
            .map_err(Failure::usage)?
            .unwrap_or_default();
        let recipe = Recipe {
            precision: self.precision.unwrap_or(base.precision),
            batch: self.batch.unwrap_or(base.batch),
            level: self.level.unwrap_or(base.level),
            workspace_mib: self.workspace_mib.unwrap_or(base.workspace_mib),
            dla: self.dla.or(base.dla),
        };
        recipe.checked().map_err(Failure::usage)
    }

    /// The GPU at hand, or one that is described.
    fn device(&self) -> Result<(Device, Option<Driver>), Failure> {
        let Some(text) = &self.capability else {
            let gpu = open::gpu()
                .map_err(|why| Failure::Usage(format!("{why}; --for CAPABILITY builds without one")))?;
            let driver = Driver::checked(|| Ok::<_, String>(())).map_err(Failure::failed)?;
            return Ok((open::device(&gpu), Some(driver)));
        };
        let parts =
            text.split_once('.').and_then(|(a, b)| Some((a.parse::<u32>().ok()?, b.parse::<u32>().ok()?)));
        let Some((major, minor)) = parts.filter(|(major, minor)| *major < 100 && *minor < 10) else {
            return Err(Failure::Usage(format!("--for {text}: a compute capability is expected, as in 8.6")));
        };
        Ok((Device::of(major * 10 + minor), None))
    }

    fn model(&self) -> Result<Located, Failure> {
        manifest::locate(&self.models_dir, &self.model).map_err(Failure::usage)
    }
}

/// The half that the user sees: the build runs in a child that is last in line for the processor.
fn outside(args: &Args) -> Result<(), Failure> {
    // What can be said at once is said by this process.
    args.recipe()?;
    args.device()?;
    args.model()?;
    let job = Job::start(std::env::args_os().skip(1)).map_err(Failure::failed)?;
    cancels(job.id())?;
    let bar = bar(args.json_progress);
    let mut phase = (String::new(), clock::now());
    let (mut done, mut lost) = (None, Ok(()));
    let ended = job.follow(|text, line| {
        if args.json_progress && lost.is_ok() {
            lost = print(text);
        }
        if let Some(Line::Progress { percent, phase: of }) = line {
            if phase.0 != of {
                phase = (of, clock::now());
            }
            let left = left(percent, clock::now().since(phase.1));
            bar.set_position(u64::from(percent));
            bar.set_message(
                left.map_or(phase.0.clone(), |s| format!("{}, {:.0} s left", phase.0, s.as_secs_f64())),
            );
        } else {
            done = line;
        }
    });
    bar.finish_and_clear();
    match (ended, done) {
        (Ok(()), Some(Line::Done { key, path, bytes, seconds })) if !args.json_progress => {
            #[expect(clippy::cast_precision_loss, reason = "plans are far below 2^53 bytes")]
            let mib = bytes as f64 / f64::from(1 << 20);
            print(&format!("{path}: {mib:.1} MiB in {seconds:.1} s, {}", key.get(..16).unwrap_or(&key)))
        }
        (Ok(()), _) => lost,
        (Err(JobError::Refused { said, is_usage: true }), _) => Err(Failure::Usage(said)),
        (Err(other), _) => Err(Failure::failed(other)),
    }
}

/// A signal to end is handed on; a build that doesn't come to a step by then is killed.
fn cancels(child: u32) -> Result<(), Failure> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(Failure::failed)?;
    let hand_on = move || {
        if let (Some(_), Some(pid)) = (signals.forever().next(), pid) {
            let _ = kill_process(pid, Signal::TERM);
            let _ = crossbeam_channel::after(PATIENCE).recv();
            let _ = kill_process(pid, Signal::KILL);
        }
    };
    std::thread::Builder::new().name("cancel".into()).spawn(hand_on).map(drop).map_err(Failure::failed)
}

fn bar(is_quiet: bool) -> ProgressBar {
    let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new(100) };
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos} % {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// The half that builds.
fn inside(args: &Args) -> Result<(), Failure> {
    // Nobody waits for the plan once who asked for it is gone.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(Failure::failed)?;
    // Live detection goes before.
    let _ = rustix::process::nice(10);
    let (recipe, (device, driver), model) = (args.recipe()?, args.device()?, args.model()?);
    let order = Order { model: &model, recipe: &recipe, device: &device };
    let library = build::library(args.tensorrt_dir.as_deref()).map_err(Failure::usage)?;
    let facts = build::facts(&library, &order).map_err(Failure::usage)?;
    let (store, key) = (Store::new(&args.plans_dir), facts.key());
    if !args.force {
        match store.get(&facts) {
            Ok((passport, plan)) => return told(&key, &store.path(&facts), plan.len(), passport.seconds),
            Err(e) => {
                tracing::info!(component = "engine", event = "plan_wanted", %e, why = store.why_not(&facts))
            }
        }
    }
    let cancel = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, cancel.clone()).map_err(Failure::failed)?;
    }
    let since = clock::now();
    let hears = |line: Line| {
        // Who no longer reads has no use for it.
        let _ = print(&json!(line).to_string());
    };
    let cancelled = || {
        print(&json!(Line::Cancelled).to_string())?;
        Err(Failure::failed("the build was cancelled; nothing was written"))
    };
    let built = match build::build(&library, driver, &order, Arc::new(hears), cancel.clone()) {
        Err(BuildError::TensorRt(TrtError::Cancelled)) => return cancelled(),
        built => built.map_err(Failure::usage)?,
    };
    let seconds = clock::now().since(since).as_secs_f64();
    // Without its GPU it is measured where it is first loaded.
    let compared = |percent| {
        hears(Line::Progress { percent, phase: "Comparing with the reference".to_owned() });
        if cancel.load(Ordering::Acquire) { Go::Cancel } else { Go::On }
    };
    let accuracy = match driver.map(|_| open::prove(&library, &built.plan, &order, compared)).transpose() {
        Err(OpenError::Accuracy(AccuracyError::Cancelled)) => return cancelled(),
        accuracy => accuracy.map_err(Failure::usage)?,
    };
    let passport = Passport {
        facts,
        built: clock::utc(),
        seconds,
        layers: built.layers,
        rounding: built.rounding,
        accuracy,
    };
    let path = store.put(&passport, &built.plan).map_err(Failure::failed)?;
    told(&key, &path, built.plan.len(), seconds)
}

fn told(key: &str, path: &Path, bytes: usize, seconds: f64) -> Result<(), Failure> {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let done = Line::Done { key: key.to_owned(), path: path.display().to_string(), bytes, seconds };
    print(&json!(done).to_string())
}

fn list(store: &Store, as_json: bool) -> Result<(), Failure> {
    let rows: Vec<Value> = store
        .list()
        .into_iter()
        .map(|(path, passport)| match passport {
            Ok(passport) => json!({ "file": path, "passport": passport }),
            Err(e) => json!({ "file": path, "error": e.to_string() }),
        })
        .collect();
    if as_json {
        return print(&format!("{:#}", json!(rows)));
    }
    for (path, passport) in store.list() {
        let line = match passport {
            Ok(Passport { facts: f, built, seconds, layers, accuracy, .. }) => {
                let found = accuracy
                    .map_or("not measured yet".to_owned(), |Accuracy { agreement: a, .. }| {
                        format!("finds {} of {} objects", a.found, a.objects)
                    });
                let (precision, batch) = (f.recipe.precision, f.recipe.batch);
                let built: Utc = built;
                format!(
                    "{}  {precision}, batch {batch}, TensorRT {}, {}; {layers} layers, {found}, built {built} in {seconds:.0} s",
                    f.model_id, f.tensorrt, f.device.name
                )
            }
            Err(e) => e.to_string(),
        };
        print(&format!(
            "{}  {line}",
            path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
        ))?;
    }
    Ok(())
}
