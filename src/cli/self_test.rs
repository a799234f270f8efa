//! `vigia self-test`: what this box can do, as a table or as JSON to send in.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::{Failure, print};
use crate::config::{self, Flag};
use crate::selftest::{self, Check, Latency, Outcome, live};
use crate::update::Places;

/// Where an image has them (appliance/README.md).
const BOARD: &str = "/etc/vigia/board.yaml";
const SITE: &str = "/etc/vigia/site.yaml";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The site's configuration file: its engine and model must work [default: that of an image, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The board's file, from hardware/ [default: as above]
    #[arg(long, value_name = "FILE")]
    board: Option<PathBuf>,
    /// Model id
    #[arg(long)]
    model: Option<String>,
    #[arg(long, value_name = "DIR")]
    models_dir: Option<String>,
    /// auto, tensorrt, openvino or rten
    #[arg(long)]
    engine: Option<String>,
    /// Not what the box could do but what it does: cameras, engine, broker, pump, held against what they did before an
    /// update; names streams by their numbers
    #[arg(long)]
    live: bool,
    /// The report as JSON; it names hardware and releases, nothing of the site
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Board and site. A box that tries an update on itself says neither.
    fn files(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        let usual = |path: &str| Some(PathBuf::from(path)).filter(|p| p.is_file());
        match (&self.board, &self.config) {
            (None, None) => (usual(BOARD), usual(SITE)),
            (board, config) => (board.clone(), config.clone()),
        }
    }
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let flags = [
        ("detector.model", &args.model, "--model"),
        ("detector.models_dir", &args.models_dir, "--models-dir"),
        ("detector.engine", &args.engine, "--engine"),
    ];
    let flags = flags.into_iter().filter_map(|(path, v, name)| Some(Flag::new(path, v.clone()?, name)));
    let (board, site) = args.files();
    let config =
        config::load(board.as_deref(), site.as_deref(), config::process_environment(), flags.collect());
    let config = config.map_err(Failure::usage)?;
    // Who sees where a crash was has no terminal of ours to write to, maybe.
    let hears = |check: &Check| drop(writeln!(std::io::stderr(), "{}", line(check)));
    if args.live {
        let report = live::run(&config, &Places::from_environment(), hears);
        if args.json {
            print(&format!("{:#}", json!(report)))?;
        }
        return ended(report.passed, &report.checks);
    }
    let report = selftest::run(&config, hears);
    let report = report.map_err(Failure::Failed)?;
    if args.json {
        print(&format!("{:#}", json!(report)))?;
    } else {
        print(&format!("vigia {} on {}", report.vigia, json!(report.machine)))?;
        report.latency.iter().try_for_each(|row| print(&timing(row)))?;
    }
    ended(report.passed, &report.checks)
}

fn ended(passed: bool, checks: &[Check]) -> Result<(), Failure> {
    if passed {
        return Ok(());
    }
    let failed: Vec<_> = checks.iter().filter(|c| c.outcome == Outcome::Failed).map(|c| &*c.name).collect();
    Err(Failure::Failed(format!("the self-test failed: {}", failed.join(", "))))
}

fn line(check: &Check) -> String {
    let outcome = match check.outcome {
        Outcome::Passed => "ok",
        Outcome::Failed => "FAILED",
        Outcome::Skipped => "skipped",
    };
    format!("{outcome:8} {:24} {}", check.name, check.said)
}

fn timing(row: &Latency) -> String {
    let Latency { engine, batch, runs, median_ms, worst_ms, frames_per_s } = row;
    format!(
        "{engine:9} batch {batch:2}  {median_ms:8.2} ms, {worst_ms:8.2} at worst of {runs}, {frames_per_s:8.1} frames/s"
    )
}
