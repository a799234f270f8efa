//! The commissioning report: what was clicked, measured and seen, to be signed and kept.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use vigia_pump::commission::{Click, Contact, Master};

use super::super::Failure;
use crate::clock;

/// K0 must have fallen by then (reliability 2.4).
pub const FALLS_MAX: Duration = Duration::from_millis(300);

/// What became of one relay.
#[derive(Debug)]
pub enum Outcome {
    Skipped,
    /// `heard`: the technician says that it clicked, and the right one.
    Clicked {
        click: Click,
        heard: bool,
    },
    Failed(String),
}

impl Outcome {
    pub const fn is_good(&self) -> bool {
        match self {
            Self::Clicked { click: Click { line_follows: true, contact }, heard: true } => {
                matches!(contact, None | Some(Contact { comes: Some(_), leaves: Some(_) }))
            }
            Self::Skipped | Self::Clicked { .. } | Self::Failed(_) => false,
        }
    }
}

/// Whether K0 comes, and falls in time from both levels.
pub fn is_master_good(master: &Master) -> bool {
    let in_time = |falls: Option<Duration>| falls.is_some_and(|falls| falls <= FALLS_MAX);
    master.comes.is_some() && in_time(master.falls_low) && in_time(master.falls_high)
}

/// Everything, in the order in which it was done.
#[derive(Debug)]
pub struct Report {
    pub board: String,
    pub relays: Vec<(&'static str, Outcome)>,
    pub master: Option<Master>,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.relays.iter().all(|(_, outcome)| outcome.is_good())
            && self.master.as_ref().is_none_or(is_master_good)
    }

    /// As text for people: a table for the relays, one for K0, and a place to sign.
    pub fn text(&self, file: &[u8]) -> String {
        let mut text = String::from("# Commissioning\n\n");
        let digest = HEXLOWER.encode(&Sha256::digest(file));
        let at = clock::utc();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "| | |\n|---|---|\n| at | {at} |\n| board file | {} |\n| sha256 | {digest} |\n",
            self.board
        );
        text += "\n| relay | line | contact comes, ms | leaves, ms | clicked | good |\n|---|---|---|---|---|---|\n";
        for (name, outcome) in &self.relays {
            let (line, comes, leaves, heard) = columns(outcome);
            let good = yes(outcome.is_good());
            let _ = writeln!(text, "| {name} | {line} | {comes} | {leaves} | {heard} | {good} |");
        }
        if let Some(master) = &self.master {
            text += "\n| watchdog relay K0 | ms | wanted |\n|---|---|---|\n";
            let rows = [
                ("comes after the first edge", master.comes, "≤ 1000"),
                ("falls after the last edge, line low", master.falls_low, "≤ 300"),
                ("falls after the last edge, line high", master.falls_high, "≤ 300"),
            ];
            for (what, took, wanted) in rows {
                let _ = writeln!(text, "| {what} | {} | {wanted} |", ms(took));
            }
        }
        text += "\nNot covered by this: what hangs on the contacts. Stop button, floats, valves, starter current and \
                 100 power cycles: hardware/wiring.md.\n\nDone by: ____________________  Seen by: ____________________\n";
        text
    }

    pub fn write(&self, to: &Path, hardware: &Path) -> Result<(), Failure> {
        let cannot = |what: &Path| {
            let what = what.display().to_string();
            move |e: std::io::Error| Failure::Failed(format!("{what}: {e}"))
        };
        let file = std::fs::read(hardware).map_err(cannot(hardware))?;
        std::fs::write(to, self.text(&file)).map_err(cannot(to))
    }
}

fn columns(outcome: &Outcome) -> (&str, String, String, &'static str) {
    match outcome {
        Outcome::Skipped => ("skipped", String::new(), String::new(), ""),
        Outcome::Failed(why) => (why, String::new(), String::new(), ""),
        Outcome::Clicked { click, heard } => {
            let line = if click.line_follows { "follows" } else { "DOES NOT FOLLOW" };
            let (comes, leaves) = match click.contact {
                None => ("not fitted".to_owned(), String::new()),
                Some(Contact { comes, leaves }) => (ms(comes), ms(leaves)),
            };
            (line, comes, leaves, yes(*heard))
        }
    }
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "NO" }
}

pub fn ms(took: Option<Duration>) -> String {
    took.map_or("NEVER".to_owned(), |took| took.as_millis().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Option<Duration> = |ms| Some(Duration::from_millis(ms));

    #[test]
    fn only_what_was_seen_to_work_is_good() {
        let fitted = |comes, leaves| Some(Contact { comes, leaves });
        let rows = [
            (true, None, true, true),
            (true, fitted(MS(11), MS(9)), true, true),
            (true, fitted(None, MS(9)), true, false),
            (true, fitted(MS(11), None), true, false),
            (false, None, true, false),
            (true, None, false, false),
        ];
        for (line_follows, contact, heard, good) in rows {
            let outcome = Outcome::Clicked { click: Click { line_follows, contact }, heard };
            assert_eq!(outcome.is_good(), good, "{outcome:?}");
        }
        assert!(!Outcome::Skipped.is_good() && !Outcome::Failed("x".to_owned()).is_good());
        let master = |comes, falls_low, falls_high| is_master_good(&Master { comes, falls_low, falls_high });
        assert!(master(MS(120), MS(180), MS(300)));
        assert!(!master(None, MS(180), MS(180)));
        assert!(!master(MS(120), MS(301), MS(180)) && !master(MS(120), MS(180), None));
    }

    #[test]
    fn the_report_says_what_failed() {
        let clicked = Click { line_follows: true, contact: Some(Contact { comes: MS(11), leaves: None }) };
        let report = Report {
            board: "hardware/virtual.yaml".to_owned(),
            relays: vec![
                ("siren", Outcome::Clicked { click: clicked, heard: true }),
                ("kill", Outcome::Skipped),
            ],
            master: Some(Master { comes: MS(120), falls_low: MS(181), falls_high: None }),
        };
        assert!(!report.is_good());
        let text = report.text(b"lines: {}\n");
        for row in [
            "| siren | follows | 11 | NEVER | yes | NO |",
            "| kill | skipped |  |  |  | NO |",
            "| falls after the last edge, line low | 181 | ≤ 300 |",
            "| falls after the last edge, line high | NEVER | ≤ 300 |",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
    }
}
