//! `vigia-pump`: see the library.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vigia_core::board::BankName;
use vigia_core::pump::RelayImage;
use vigia_pump::bank::Drill;
use vigia_pump::run::{Options, RunError, check, off, run};
use vigia_pump::{ledger, settings::Settings};

/// Owns the relays of pump and alarm.
#[derive(Parser)]
#[command(name = "vigia-pump", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs until SIGTERM, then switches everything off in order
    Run {
        #[command(flatten)]
        files: Files,
        /// Folder of the ledger, on a disk
        #[arg(long, value_name = "DIR", default_value = "/var/lib/vigia/pump")]
        state: PathBuf,
        /// Folder of socket and events, in memory
        #[arg(long, value_name = "DIR", default_value = "/run/vigia")]
        run: PathBuf,
        /// Trouble of the simulated plant, e.g. stall@20; may be given several times
        #[arg(long, value_name = "NAME@SECONDS")]
        fault: Vec<Drill>,
    },
    /// Drives every relay to rest and ends: for after the program's death
    Off {
        /// The board's file, from hardware/
        #[arg(long, value_name = "FILE")]
        hardware: PathBuf,
        /// Folder of socket and events, in memory
        #[arg(long, value_name = "DIR", default_value = "/run/vigia")]
        run: PathBuf,
    },
    /// Checks both files and says what is wrong
    Check {
        #[command(flatten)]
        files: Files,
    },
    /// Marks the folder of the ledger as that of a box that has never run
    Commission {
        #[arg(long, value_name = "DIR", default_value = "/var/lib/vigia/pump")]
        state: PathBuf,
    },
}

#[derive(Args)]
struct Files {
    /// The board's file, from hardware/
    #[arg(long, value_name = "FILE")]
    hardware: PathBuf,
    /// The site's file; its key `pump` is the plan
    #[arg(long, value_name = "FILE")]
    site: PathBuf,
    /// Instead of the bank that the board's file names
    #[arg(long, value_enum)]
    bank: Option<BankChoice>,
}

#[derive(Clone, Copy, ValueEnum)]
enum BankChoice {
    /// A plant inside of this program: no relay moves
    Simulated,
    /// Lines of the kernel
    Gpio,
}

impl From<BankChoice> for BankName {
    fn from(choice: BankChoice) -> Self {
        match choice {
            BankChoice::Simulated => Self::Simulated,
            BankChoice::Gpio => Self::Gpio,
        }
    }
}

/// What the files say is wrong is a misuse, not a failure.
const MISUSE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { files: Files { hardware, site, bank }, state, run: folder, fault } => {
            let bank = bank.map(BankName::from);
            match run(&Options { hardware, site, state, run: folder, bank, drills: fault }) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(e) => refuse(&e),
            }
        }
        Command::Check { files: Files { hardware, site, bank } } => {
            match check(&hardware, &site, bank.map(BankName::from)) {
                Ok(settings) => {
                    show(&settings);
                    ExitCode::SUCCESS
                }
                Err(e) => refuse(&e),
            }
        }
        Command::Off { hardware, run } => match off(&hardware, &run) {
            Ok(RelayImage::NONE) => ExitCode::SUCCESS,
            Ok(on) => {
                eprintln!("still on: {on:?}");
                ExitCode::FAILURE
            }
            Err(e) => refuse(&e),
        },
        Command::Commission { state } => match ledger::commission(&state) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                tell(&e);
                ExitCode::FAILURE
            }
        },
    }
}

fn show(settings: &Settings) {
    println!("good: plan {:016x}", settings.fingerprint);
    settings.odd.iter().for_each(|odd| println!("unusual: {odd}"));
}

fn refuse(error: &RunError) -> ExitCode {
    tell(error);
    match error {
        RunError::Settings(_) | RunError::Bank { .. } => ExitCode::from(MISUSE),
        RunError::Running(_) | RunError::Folder { .. } | RunError::Desk(_) | RunError::Start(_) => {
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, on one line each.
fn tell(error: &dyn Error) {
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(e) = cause {
        causes += &format!(": {e}");
        cause = e.source();
    }
    eprintln!("{error}{causes}");
}
