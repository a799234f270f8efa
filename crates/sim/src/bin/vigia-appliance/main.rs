//! `vigia-appliance`: the virtual appliance, to play with and to be tested. `appliance/build` builds it.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vigia_sim::vm::clock::now;

use bench::Bench;
use machine::{Arch, Sources};
use scenarios::{ALL, Counts, FIRST, Scenario};
use table::{Row, table};

mod bench;
mod cuts;
mod machine;
mod play;
mod power;
mod scenarios;
mod table;
mod updates;
mod writes;

#[derive(Debug, Parser)]
#[command(about = "The virtual appliance", after_help = "Exit codes: 0 all is well, 1 something is not.")]
struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[arg(long, global = true, value_enum, default_value = "x86_64")]
    arch: Arch,
    /// What appliance/build has built
    #[arg(long, global = true, value_name = "DIR", default_value = ".cache/appliance")]
    built: PathBuf,
    /// Disk and logs of this machine
    #[arg(long, global = true, value_name = "DIR")]
    work: Option<PathBuf>,
    /// The box's clock goes by what it gets to compute, for a machine that is busy with other things; pump runs need the real one
    #[arg(long, global = true)]
    patient: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A box to play with; Ctrl-C switches it off
    Run {
        /// Files of a site, on a USB stick that is plugged in; without it the box is set up with cameras and a pump
        #[arg(long, value_name = "DIR")]
        stick: Option<PathBuf>,
        /// As it was left the last time
        #[arg(long)]
        again: bool,
    },
    /// Every scenario on a disk of its own; a table at the end
    Test {
        /// Power cuts in updates
        #[arg(long, default_value_t = 3)]
        cuts: u32,
        /// Power cuts in pump runs
        #[arg(long, default_value_t = 2)]
        pump_cuts: u32,
        /// Those scenarios whose names hold one of these words
        #[arg(long, value_name = "WORDS", num_args = 1..)]
        only: Vec<String>,
        /// With the box that an earlier run has set up
        #[arg(long)]
        set_up: bool,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("vigia-appliance: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<bool, String> {
    let built = args.built.join(args.arch.name());
    let folder = |name: &str| args.work.clone().unwrap_or_else(|| built.join(name));
    match args.verb {
        Verb::Run { stick, again } => {
            let sources =
                Sources { arch: args.arch, work: folder("run"), built, stick, is_patient: args.patient };
            play::play(sources, again).map(|()| true).map_err(|e| e.to_string())
        }
        Verb::Test { cuts, pump_cuts, only, set_up, seed } => {
            let sources = Sources {
                arch: args.arch,
                work: folder("test"),
                built,
                stick: None,
                is_patient: args.patient,
            };
            let bench = Bench::new(sources, seed, set_up).map_err(|e| e.to_string())?;
            test(bench, Counts { cuts, pump_cuts }, &only, set_up)
        }
    }
}

fn test(mut bench: Bench, counts: Counts, only: &[String], is_set_up: bool) -> Result<bool, String> {
    let mut rows = Vec::new();
    if !is_set_up {
        rows.push(see(&mut bench, &FIRST, counts)?);
    }
    if rows.iter().all(|row| row.is_good) {
        for scenario in
            ALL.iter().filter(|s| only.is_empty() || only.iter().any(|words| s.name.contains(words)))
        {
            rows.push(see(&mut bench, scenario, counts)?);
        }
    }
    say(&table(&rows))?;
    Ok(rows.iter().all(|row| row.is_good))
}

fn see(bench: &mut Bench, scenario: &Scenario, counts: Counts) -> Result<Row, String> {
    let since = now();
    let seen = (scenario.see)(bench, counts);
    let took = now().since(since);
    let (is_good, seen) = match seen {
        Ok(seen) => (true, seen),
        Err(e) => (false, format!("{e}\n{}", bench.appliance.last_words())),
    };
    let row = Row { name: scenario.name, is_good, took, seen };
    // The table at the end has it again, without what a failed box said last.
    say(&row.to_string())?;
    Ok(Row { seen: row.seen.lines().next().unwrap_or_default().to_owned(), ..row })
}

fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| format!("standard output: {e}"))
}
