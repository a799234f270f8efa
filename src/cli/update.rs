//! `vigia update`: bundles, slots, and whether the box is at rest.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::update::bundle::{self, Bundle};
use crate::update::carry::{Patience, carry_out};
use crate::update::report::Report;
use crate::update::request::{Request, Wish};
use crate::update::state::State;
use crate::update::{Places, Release, UpdateError, rest};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look at a bundle: who signed it, its version, whether this box takes it
    Check {
        /// A path, or an https address
        bundle: String,
    },
    /// Write a bundle into the other slot and restart, once nothing would be disturbed
    Install {
        /// A path, or an https address
        bundle: String,
        /// One JSON line per step
        #[arg(long)]
        json: bool,
    },
    /// Which version runs in which slot, and what became of the updates
    Status {
        #[arg(long)]
        json: bool,
    },
    /// Go back to the other slot, and restart
    Rollback {
        /// One JSON line per step
        #[arg(long)]
        json: bool,
    },
    /// Whether a restart would disturb anything: 0 no, 1 yes, 2 it cannot be told
    Idle {
        #[arg(long)]
        json: bool,
    },
    /// Carry out what was left for the unit vigia-update.service
    #[command(hide = true)]
    CarryOut {
        /// Seconds between two looks whether the box is at rest
        #[arg(long, value_name = "S", default_value_t = 10.0)]
        look_every_s: f64,
        /// Seconds after which the restart is left to somebody else
        #[arg(long, value_name = "S", default_value_t = 10_800.0)]
        wait_max_s: f64,
        /// Seconds that answers have before the restart
        #[arg(long, value_name = "S", default_value_t = 5.0)]
        grace_s: f64,
    },
}

pub fn run(command: Command) -> Result<(), Failure> {
    let places = Places::from_environment();
    match command {
        Command::Check { bundle } => check(&bundle, &places),
        Command::Install { bundle, json } => {
            let bundle = parse(&bundle)?;
            wish(Wish::Install { bundle }, json, &places)
        }
        Command::Rollback { json } => wish(Wish::Rollback, json, &places),
        Command::Status { json } => {
            let report = Report::read(&places).map_err(failure)?;
            let text = if json { to_json(&report) } else { report.to_string().trim_end().to_owned() };
            super::print(&text)
        }
        Command::Idle { json } => idle(json, &places),
        Command::CarryOut { look_every_s, wait_max_s, grace_s } => {
            let span = |s: f64| Duration::try_from_secs_f64(s).map_err(Failure::usage);
            let patience = Patience {
                look_every: span(look_every_s)?,
                wait_max: span(wait_max_s)?,
                grace: span(grace_s)?,
            };
            let request = Request::take(&places).map_err(failure)?;
            let mut said = String::new();
            // For the journal: each sentence once.
            let told = |state: &State| {
                if std::mem::replace(&mut said, state.text.clone()) != state.text {
                    let _ = super::print(&format!("{}: {}", state.action, state.text));
                }
            };
            carry_out(&request, &places, patience, told).map(drop).map_err(failure)
        }
    }
}

fn parse(bundle: &str) -> Result<Bundle, Failure> {
    if bundle.contains("://") {
        return Bundle::parse(bundle).map_err(Failure::usage);
    }
    // People stand in a folder.
    let path = std::path::absolute(PathBuf::from(bundle)).map_err(Failure::usage)?;
    Bundle::parse(&path.to_string_lossy()).map_err(Failure::usage)
}

fn check(bundle: &str, places: &Places) -> Result<(), Failure> {
    let bundle = parse(bundle)?;
    let release = Release::read(places).map_err(failure)?;
    let manifest = bundle::inspect(&bundle, places).map_err(failure)?;
    bundle::judge(&manifest, &release).map_err(failure)?;
    let (version, own) = (&manifest.version, &release.version);
    let how = match version.cmp(own) {
        std::cmp::Ordering::Less => format!("older than {own}, which runs"),
        std::cmp::Ordering::Equal => "the version that runs".to_owned(),
        std::cmp::Ordering::Greater => format!("newer than {own}, which runs"),
    };
    let description = manifest.description.map(|text| format!("; «{text}»")).unwrap_or_default();
    super::print(&format!("{bundle}: {version}, {how}; signed, and for this kind of box{description}"))
}

fn idle(json: bool, places: &Places) -> Result<(), Failure> {
    // 2: who asks must not take "it cannot be told" for either answer.
    let rest = rest::ask(places).map_err(Failure::usage)?;
    if json {
        super::print(&to_json(&rest))?;
    } else {
        rest.notes.iter().try_for_each(|note| super::print(note))?;
    }
    match &rest.reasons[..] {
        [] if json => Ok(()),
        [] => super::print("at rest"),
        reasons => Err(Failure::Failed(reasons.join("\nvigia: "))),
    }
}

fn wish(wish: Wish, json: bool, places: &Places) -> Result<(), Failure> {
    Release::read(places).map_err(failure)?;
    rest::demand(places).map_err(failure)?;
    let request = Request::new(wish);
    request.leave(places).map_err(failure)?;
    let bar = ProgressBar::new(100);
    if json {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos:>3} % {msg}") {
        bar.set_style(style);
    }
    let told = |state: &State| {
        if json {
            let _ = super::print(&to_json(state));
        }
        bar.set_position(state.percent.into());
        bar.set_message(state.text.clone());
    };
    let ended = request.follow(places, told);
    bar.finish_and_clear();
    let state = ended.map_err(failure)?;
    if json { Ok(()) } else { super::print(&state.text) }
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn failure(error: UpdateError) -> Failure {
    match error {
        UpdateError::NotAtRest(reasons) => Failure::Failed(format!("not now: {}", reasons.join("; "))),
        UpdateError::Refused(_) | UpdateError::File { .. } | UpdateError::Tool(_) => Failure::failed(error),
    }
}
