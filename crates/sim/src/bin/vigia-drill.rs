//! `make drill`: a rendered fire before two RTSP cameras, the shipped detector, the consensus, the pump
//! program and its simulated plant; measures how long it takes from light to water, and draws it.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use vigia_sim::drill::{self, Options, Round, Times};
use vigia_sim::live;

#[derive(Debug, Parser)]
#[command(
    about = "Measures the time from a fire's light to water",
    after_help = "Exit codes: 0 water came in each round, 1 it did not"
)]
struct Args {
    /// So many fires, each with programs that were started anew
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Water must come within so many seconds after the scene began
    #[arg(long, value_name = "SECONDS", default_value_t = 55, value_parser = clap::value_parser!(u64).range(1..=3600))]
    limit: u64,
    /// Where the last round is drawn
    #[arg(long, value_name = "FILE", default_value = "docs/drill.svg")]
    svg: PathBuf,
    /// The model to watch with
    #[arg(long, default_value = "lookout-n")]
    model: String,
    /// Folder of the model's manifest
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: PathBuf,
    /// Where the drill keeps its files
    #[arg(long, default_value = ".cache/drill")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("drill: {text}");
            ExitCode::FAILURE
        }
    }
}

/// Whether water came in each round.
fn run(args: &Args) -> Result<bool, String> {
    say(&format!("no water is moved: the plant is simulated; {}", live::NOTICE))?;
    let options = Options {
        model: args.model.clone(),
        models_dir: args.models_dir.clone(),
        folder: args.folder.clone(),
        limit: Duration::from_secs(args.limit),
        stop: Arc::default(),
    };
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&options.stop)).map_err(|e| e.to_string())?;
    }
    let (mut times, mut good): (Vec<Times>, bool) = (Vec::new(), true);
    for number in 1..=args.rounds {
        let round = drill::run(&options)?;
        tell(number, &round)?;
        good &= round.failed.is_none();
        times.push(round.times);
        if number == args.rounds || round.failed.is_some() {
            drill::draw(&round, &args.svg)?;
        }
        if round.failed.is_some() {
            break;
        }
    }
    say(drill::table(&times).trim_end())?;
    say(&format!("drawn: {}", args.svg.display()))?;
    Ok(good)
}

fn tell(number: u32, round: &Round) -> Result<(), String> {
    let first = round.times.sentence();
    match &round.failed {
        None => say(&format!("round {number}: {first}")),
        Some(why) => say(&format!("round {number}: FAILED, {why} ({first})")),
    }
}

fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| format!("standard output: {e}"))
}
