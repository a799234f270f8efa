//! The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod bench;
mod ctl;
mod detect;
mod engine;
mod gpio;
mod model;
mod parts;
mod provision;
mod run;
mod self_test;
mod sim;
mod support;
mod update;
mod watch;
mod why;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Cameras in, detections on MQTT.
#[derive(Debug, Parser)]
#[command(name = "vigia", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch cameras and publish what is detected, until told to stop
    Run(run::Args),
    /// Check a configuration file and show what it comes to
    CheckConfig {
        /// The site file
        file: PathBuf,
        /// The board's file, from hardware/
        #[arg(long)]
        board: Option<PathBuf>,
    },
    /// Detect in a file or stream, offline: one JSON line per processed frame
    Detect(detect::Args),
    /// Send a command to instances and wait for their answers
    Ctl(ctl::Args),
    /// Ask why a fire was or was not confirmed
    Why(why::Args),
    /// Show live what instances on a broker detect
    Watch(watch::Args),
    /// Replay a simulated box from its seed: cameras, consensus, pump, plant, faults and people
    Sim(sim::Args),
    /// Measure this machine: engine alone, pre-processing, whole path (JSON at the end)
    Bench(bench::Args),
    /// Lines, relays and contacts of a board, for commissioning
    #[command(subcommand)]
    Gpio(gpio::Command),
    /// Build, list and inspect plans for TensorRT
    #[command(subcommand)]
    Engine(engine::Command),
    /// Signed updates, the two slots, and whether the box is at rest
    #[command(subcommand)]
    Update(update::Command),
    /// Take a site in from a folder or a USB stick: all of it, or nothing
    Provision(provision::Args),
    /// Empty the box: nothing of the site is left after the next start
    FactoryReset(provision::ResetArgs),
    /// Status, configuration and journals in one file, without secrets
    SupportBundle(support::Args),
    /// Import, list and inspect models
    #[command(subcommand)]
    Model(model::Command),
    /// Show what this box can do by doing it: engines, plans, decoders, speed
    SelfTest(self_test::Args),
}

/// What went wrong, and whose fault it is.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1.
    Failed(String),
    /// Exit code 2.
    Usage(String),
}

impl Failure {
    pub fn failed(e: impl std::fmt::Display) -> Self {
        Self::Failed(e.to_string())
    }

    pub fn usage(e: impl std::fmt::Display) -> Self {
        Self::Usage(e.to_string())
    }
}

/// Writes to standard output. Nobody reading any more is fine; a full disk is not.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

fn written(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// Runs the program's command line.
#[must_use]
pub fn main() -> ExitCode {
    vigia_accel::memory::few_heaps();
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::CheckConfig { file, board } => run::check(&file, board.as_deref()),
        Command::Detect(args) => detect::run(&args),
        Command::Ctl(args) => ctl::run(&args),
        Command::Why(args) => why::run(args),
        Command::Watch(args) => watch::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Gpio(command) => gpio::run(command),
        Command::Engine(command) => engine::run(command),
        Command::Model(command) => model::run(command),
        Command::SelfTest(args) => self_test::run(&args),
        Command::Update(command) => update::run(command),
        Command::Provision(args) => provision::run(&args),
        Command::FactoryReset(args) => provision::reset(&args),
        Command::SupportBundle(args) => support::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => {
            let _ = writeln!(std::io::stderr(), "vigia: {text}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            let _ = writeln!(std::io::stderr(), "vigia: {text}");
            ExitCode::from(2)
        }
    }
}
