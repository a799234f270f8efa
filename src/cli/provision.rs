//! `vigia provision` and `vigia factory-reset`: a site comes, and goes.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::Failure;
use crate::provision::{ProvisionError, provision};
use crate::update::{Places, UpdateError, reset, tool};

const REBOOT_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// A folder (a USB stick) with site.yaml and what belongs to it, or a site file alone
    #[arg(long, value_name = "FOLDER|FILE")]
    from: PathBuf,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let done = provision(&args.from, &Places::from_environment()).map_err(|e| match e {
        ProvisionError::Wrong(_) => Failure::usage(e),
        ProvisionError::File { .. } | ProvisionError::Rest(_) => Failure::failed(e),
    })?;
    done.lines.iter().try_for_each(|line| super::print(line))?;
    let said = if done.is_changed { "the site is as the folder says" } else { "nothing to change" };
    super::print(said)
}

#[derive(Debug, ClapArgs)]
pub struct ResetArgs {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// The next start empties the data partition.
pub fn reset(args: &ResetArgs) -> Result<(), Failure> {
    let places = Places::from_environment();
    reset::demand(&places).map_err(|e| match e {
        UpdateError::NotAtRest(_) => Failure::Failed(format!("not now: {e}")),
        e => Failure::failed(e),
    })?;
    if !args.yes && !agreed()? {
        return Err(Failure::Failed("nothing was reset".into()));
    }
    reset::settle(&places).map_err(Failure::failed)?;
    let mut command = Command::new("systemctl");
    command.arg("reboot");
    match tool::run(command, REBOOT_MAX) {
        Ok(said) if said.ok => super::print("the box restarts, and is as new afterwards"),
        Ok(said) => Err(later(&tool::cause(&said.err))),
        Err(e) => Err(later(&e.to_string())),
    }
}

fn later(why: &str) -> Failure {
    Failure::Failed(format!("the restart was refused ({why}): the next one empties the box"))
}

fn agreed() -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::Usage("nobody is there to be asked: --yes says it beforehand".into()));
    }
    let text = "Site, passwords, certificates, models, plans, journals and the pump's ledger are deleted.\n\
                Type «reset» to go on: ";
    write!(stderr(), "{text}").and_then(|()| stderr().flush()).map_err(Failure::failed)?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(Failure::failed)?;
    Ok(answer.trim() == "reset")
}
