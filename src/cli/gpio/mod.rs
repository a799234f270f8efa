//! `vigia gpio`: lines, relays and contacts of a board, before anything is armed.

mod list;
mod report;
mod test;
mod watch;

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use clap::{Args as ClapArgs, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};
use vigia_pump::bank::BankError;
use vigia_pump::commission::{CommissionError, Commissioning};

use super::Failure;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All lines of this machine, who holds them, and what the board's file makes of them
    List(list::Args),
    /// Click one relay at a time, each after a yes; measure the watchdog relay; write a report
    Test(test::Args),
    /// Show the contacts live
    Watch(watch::Args),
}

/// The board, and where `vigia-pump` would run.
#[derive(Debug, ClapArgs)]
pub struct Board {
    /// The board's file, from hardware/
    #[arg(long, value_name = "FILE")]
    hardware: PathBuf,
    /// Folder of vigia-pump's lock
    #[arg(long, value_name = "DIR", default_value = "/run/vigia")]
    run: PathBuf,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(args) => list::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Watch(args) => watch::run(&args),
    }
}

/// A question is being asked: everything is at rest, and Ctrl-C may end the program at once.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The lines, and what Ctrl-C sets: between two looks at the lines it is looked at, so that
/// nothing stays energised.
fn open(board: &Board) -> Result<(Commissioning, Arc<AtomicBool>), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&ASKED))
            .map_err(Failure::failed)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Failure::failed)?;
    }
    let lines = Commissioning::open(&board.hardware, &board.run, Arc::clone(&stop));
    lines.map(|lines| (lines, stop)).map_err(|e| refused(&e))
}

/// What is wrong with the board or its file is a misuse; the rest failed.
fn refused(error: &CommissionError) -> Failure {
    use CommissionError as E;
    let text = with_causes(error);
    match error {
        E::Settings(_) | E::Simulated { .. } | E::NoRelay(_) => Failure::Usage(text),
        E::Bank { source: BankError::Lines(_) | BankError::Pads(_), .. } => Failure::Usage(text),
        E::Armed | E::Folder(_) | E::Bank { .. } | E::Lines(_) | E::NoMaster | E::Stopped => {
            Failure::Failed(text)
        }
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text += &format!(": {e}");
        cause = e.source();
    }
    text
}
