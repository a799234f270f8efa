//! `vigia-vm`: the virtual machine in which vigia drives lines of a real kernel, by hand and for `make test-gpio`.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vigia_sim::vm::rig::Options;
use vigia_sim::vm::smoke::{self, Row};
use vigia_sim::vm::trials::{self, Choice, Counts, Sources};

#[derive(Debug, Parser)]
#[command(
    about = "A virtual machine with simulated lines, watched from outside",
    after_help = "Exit codes: 0 all is well, 1 something is not. tests/vm/build.sh builds what it needs."
)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// What tests/vm/build.sh has built
    #[arg(long, global = true, value_name = "DIR", default_value = ".cache/vm")]
    floor: PathBuf,
    /// Disk and logs of this machine
    #[arg(long, global = true, value_name = "DIR", default_value = ".cache/vm/run")]
    work: PathBuf,
    /// Whose lines it has
    #[arg(long, global = true, value_name = "FILE", default_value = "hardware/virtual.yaml")]
    board: PathBuf,
    /// Files for /opt/vigia in the guest; those in its folder `root` are laid over the guest's own
    #[arg(long, global = true, value_name = "DIR")]
    product: Option<PathBuf>,
    /// Processors of the machine
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    cpus: u32,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Boot once, and say how long it took and how late the guest's timers are
    Boot {
        /// Sleeps of 1 ms to measure
        #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        samples: u32,
    },
    /// Prove lines, watchdog relay, disk and watchdog with gpiod's own tools
    Smoke,
    /// Run the real programs on the lines: runs, stops, kills, power cuts
    Trials {
        /// So often vigia-pump dies in a run
        #[arg(long, default_value_t = 5)]
        kills: u32,
        /// So often the power goes in one
        #[arg(long, default_value_t = 2)]
        cuts: u32,
        /// So often vigia dies in one
        #[arg(long, default_value_t = 5)]
        vigia_kills: u32,
        /// So many fires are measured from the decision to the line
        #[arg(long, default_value_t = 5)]
        fires: u32,
        /// So often the stop button is pressed under load
        #[arg(long, default_value_t = 20)]
        stops: u32,
        /// What make test has time for
        #[arg(long, conflicts_with = "only")]
        short: bool,
        /// Those rows whose names hold this
        #[arg(long, value_name = "WORDS")]
        only: Option<String>,
        /// The project's own folder, for board and units
        #[arg(long, value_name = "DIR", default_value = ".")]
        project: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("vigia-vm: {text}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn run(args: Args) -> Result<bool, String> {
    let Args { verb, floor, work, board, product, cpus } = args;
    let options = Options { floor, work, board, product, cpus };
    // A terminal that is gone does not change the verdict.
    let tell = |row: &Row| say(&row.to_string()).unwrap_or_default();
    match verb {
        Verb::Trials { kills, cuts, stops, vigia_kills, fires, short, only, project } => {
            let counts = Counts { kills, power_cuts: cuts, stops, vigia_kills, fires, seed: 1 };
            let all = if short { Choice::Short } else { Choice::All };
            let choice = only.map_or(all, Choice::Only);
            let sources = Sources { floor: options.floor, work: options.work, project };
            Ok(trials::run(&sources, counts, &choice, tell).map_err(|e| e.to_string())?.is_good())
        }
        Verb::Boot { samples } => {
            let text = smoke::boot_only(&options, samples).map_err(|e| e.to_string())?;
            say(&text)?;
            Ok(true)
        }
        Verb::Smoke => Ok(smoke::run(&options, tell).map_err(|e| e.to_string())?.is_good()),
    }
}

fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| format!("standard output: {e}"))
}
