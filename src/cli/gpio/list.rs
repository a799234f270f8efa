//! `vigia gpio list`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde_json::json;
use vigia_core::board::{Line, Lines};
use vigia_pump::bank::{SeenChip, SeenLine, look};
use vigia_pump::settings;

use super::super::{Failure, print};

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The board's file: shows what each of its lines is for
    #[arg(long, value_name = "FILE")]
    hardware: Option<PathBuf>,
    /// One JSON object for each line
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let jobs = args.hardware.as_deref().map(jobs).transpose()?.unwrap_or_default();
    let seen = look().map_err(|e| Failure::failed(super::with_causes(&e)))?;
    if seen.is_empty() {
        return Err(Failure::Failed("this machine has no GPIO chip: /dev/gpiochip* is missing".to_owned()));
    }
    for chip in &seen {
        for line in &chip.lines {
            let job = jobs.iter().find(|(wanted, _)| is_it(wanted, chip, line)).map(|(_, job)| job.as_str());
            print(&if args.json { as_json(chip, line, job) } else { as_text(chip, line, job) })?;
        }
    }
    Ok(())
}

fn is_it(wanted: &Line, chip: &SeenChip, line: &SeenLine) -> bool {
    wanted.name == line.name && wanted.chip.as_ref().is_none_or(|label| *label == chip.label)
}

/// Each line of the board's file, and what it is for.
fn jobs(hardware: &Path) -> Result<BTreeMap<Line, String>, Failure> {
    let Lines { relays, contacts, watchdog, .. } =
        settings::load_board(hardware).map_err(|e| Failure::usage(super::with_causes(&e)))?;
    let mut jobs = BTreeMap::new();
    for relay in relays {
        let name = relay.output.name();
        jobs.extend(relay.feedback.map(|feedback| (feedback.line, format!("contact of relay {name}"))));
        jobs.insert(relay.line, format!("relay {name}"));
    }
    for contact in contacts {
        let name = contact.sensor.name();
        jobs.extend(contact.complement.map(|line| (line, format!("second contact of {name}"))));
        jobs.insert(contact.line, format!("contact {name}"));
    }
    if let Some(watchdog) = watchdog {
        jobs.insert(watchdog.heartbeat, "heartbeat of the watchdog relay K0".to_owned());
        jobs.insert(watchdog.feedback, "contact of the watchdog relay K0".to_owned());
    }
    Ok(jobs)
}

fn as_text(chip: &SeenChip, line: &SeenLine, job: Option<&str>) -> String {
    let name = if line.name.is_empty() { "-" } else { &line.name };
    let direction = if line.is_output { "output" } else { "input" };
    let holder = line.holder.as_ref().map(|holder| format!("held by {holder}")).unwrap_or_default();
    let (label, offset, job) = (&chip.label, line.offset, job.unwrap_or_default());
    format!("{label:<22} {offset:>4}  {name:<26} {direction:<6}  {holder:<24} {job}").trim_end().to_owned()
}

fn as_json(chip: &SeenChip, line: &SeenLine, job: Option<&str>) -> String {
    json!({
        "chip": chip.label,
        "offset": line.offset,
        "line": line.name,
        "direction": if line.is_output { "output" } else { "input" },
        "holder": line.holder,
        "is": job,
    })
    .to_string()
}
