//! Whether a restart of the box would disturb anything, and `vigia`'s part of the answer.
//!
//! `vigia-pump` tells the service manager how it stands (`STATUS=`); `vigia` leaves a file in memory with its alarms and
//! the last fire, by the clock of the boot. Of a `vigia` that is dead nothing is known, and nothing is to be disturbed but
//! the pump, which goes on without it; a restart is what brings it back.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vigia_core::time::Instant;
use vigia_pump::notify::{AT_REST, NOT_AT_REST};

use super::told::{self, Teller, Told};
use super::{Places, UpdateError, tool};
use crate::clock;

/// A fire is a reason for this long after it was last seen.
pub const FIRE_HOLDS: Duration = Duration::from_secs(3_600);
const SYSTEMCTL_MAX: Duration = Duration::from_secs(10);

/// How the box stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rest {
    /// A sentence each; empty: at rest.
    pub reasons: Vec<String>,
    /// What could not be asked, and does not count.
    pub notes: Vec<String>,
}

/// What `vigia` leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Alarms {
    alarms: usize,
    /// When a fire was last seen, in nanoseconds since the boot.
    fire_at: Option<u64>,
}

/// Asks the pump and `vigia`.
///
/// # Errors
/// The service manager does not answer: nothing can be told.
pub fn ask(places: &Places) -> Result<Rest, UpdateError> {
    let mut command = Command::new("systemctl");
    let asked = "LoadState,ActiveState,Result,InactiveExitTimestampMonotonic,StatusText";
    command.args(["show", "vigia-pump.service", "--property", asked]);
    let said = tool::run(command, SYSTEMCTL_MAX)?;
    if !said.ok || !said.out.contains("LoadState=") {
        let said = tool::cause(&said.err);
        return Err(tool::ToolError::Failed { program: "systemctl".into(), said }.into());
    }
    let mut rest = Rest { reasons: pump(&said.out).into_iter().collect(), notes: Vec::new() };
    match Told::now(&places.rest()) {
        Some(said) => rest.reasons.extend(of_vigia(&said.told, clock::now())),
        None => {
            rest.notes.push(
                "vigia does not run, so only the pump was asked: alarms and fires are not known".into(),
            );
        }
    }
    Ok(rest)
}

/// Ok while the box is at rest.
///
/// # Errors
/// [`UpdateError::NotAtRest`], or nothing can be told.
pub fn demand(places: &Places) -> Result<Rest, UpdateError> {
    let rest = ask(places)?;
    if rest.reasons.is_empty() { Ok(rest) } else { Err(UpdateError::NotAtRest(rest.reasons)) }
}

/// Why the pump must not be disturbed, from what the service manager says of its unit.
fn pump(shown: &str) -> Option<String> {
    let of = |key: &str| {
        let value = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default()
    };
    let status = of("StatusText");
    let never_started = matches!(of("InactiveExitTimestampMonotonic"), "" | "0");
    match (of("LoadState"), of("ActiveState")) {
        ("not-found", _) => None,
        // Its unit looks whether the site has a pump.
        (_, "inactive") if of("Result") == "exec-condition" || never_started => None,
        (_, "inactive") => {
            Some("vigia-pump was stopped by hand: start it, or take `pump` out of the site file".into())
        }
        (_, "active") if status.starts_with(AT_REST) => None,
        (_, "active") => Some(match status.strip_prefix(NOT_AT_REST) {
            Some(how) => format!("the pump is not at rest: {how}"),
            None => format!("vigia-pump does not say whether it is at rest: «{status}»"),
        }),
        (_, other) => Some(format!("vigia-pump should run and does not ({other})")),
    }
}

fn of_vigia(told: &Alarms, now: Instant) -> Vec<String> {
    let mut reasons = Vec::new();
    match told.alarms {
        0 => {}
        1 => reasons.push("an alarm stands: acknowledge and reset it first".into()),
        n => reasons.push(format!("{n} alarms stand: acknowledge and reset them first")),
    }
    let ago = told.fire_at.map(|at| now.since(Instant(at)));
    if let Some(ago) = ago.filter(|ago| *ago < FIRE_HOLDS) {
        let minutes = ago.as_secs() / 60;
        reasons.push(format!("a fire was seen {minutes} minutes ago; an hour must have passed"));
    }
    reasons
}

/// `vigia`'s file, where its unit gave it a folder.
#[derive(Debug)]
pub struct Beacon {
    teller: Teller<Alarms>,
    /// Of this or an earlier life in the same boot.
    fire_at: Option<u64>,
}

impl Beacon {
    /// In the folder `RUNTIME_DIRECTORY`; without one nothing is left.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::at(told::place("rest.json"))
    }

    fn at(path: Option<PathBuf>) -> Self {
        let fire_at =
            path.as_deref().and_then(Told::<Alarms>::of_this_boot).and_then(|said| said.told.fire_at);
        Self { teller: Teller::new(path, "an update would not know of alarms"), fire_at }
    }

    /// Alarms that stand, and when a fire was last seen.
    pub fn tell(&mut self, alarms: usize, fire: Option<Instant>) {
        self.fire_at = self.fire_at.max(fire.map(|at| at.0));
        self.teller.tell(Alarms { alarms, fire_at: self.fire_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(load: &str, active: &str, result: &str, started: &str, text: &str) -> String {
        format!(
            "LoadState={load}\nActiveState={active}\nResult={result}\nInactiveExitTimestampMonotonic={started}\nStatusText={text}\n"
        )
    }

    #[test]
    fn a_pump_is_disturbed_by_default() {
        for (shown, reason) in [
            (unit("loaded", "active", "success", "9", "at rest: Idle"), None),
            (unit("loaded", "active", "success", "9", "not at rest: Running"), Some("not at rest: Running")),
            (unit("loaded", "active", "success", "9", ""), Some("does not say")),
            (unit("loaded", "active", "success", "9", "at restaurant"), Some("does not say")),
            (unit("loaded", "activating", "success", "9", "at rest: Idle"), Some("(activating)")),
            (unit("loaded", "failed", "signal", "9", "at rest: Idle"), Some("(failed)")),
            (unit("loaded", "deactivating", "success", "9", "at rest: Idle"), Some("(deactivating)")),
            (unit("loaded", "inactive", "success", "9", ""), Some("stopped by hand")),
            (unit("loaded", "inactive", "exec-condition", "9", ""), None),
            (unit("loaded", "inactive", "success", "0", ""), None),
            (unit("not-found", "inactive", "success", "0", ""), None),
            (String::new(), Some("should run")),
        ] {
            let said = pump(&shown);
            assert_eq!(said.is_some(), reason.is_some(), "{shown}: {said:?}");
            let phrase = reason.unwrap_or_default();
            assert!(said.unwrap_or_default().contains(phrase), "{shown}");
        }
    }

    #[test]
    fn a_fire_holds_for_an_hour() {
        let told = |alarms, fire_at| Alarms { alarms, fire_at };
        let s = |s: u64| Instant(s * 1_000_000_000);
        let count = |told: &Alarms, now| of_vigia(told, now).len();
        assert_eq!(count(&told(0, None), s(10)), 0);
        assert_eq!(count(&told(1, None), s(10)), 1);
        assert_eq!(count(&told(2, Some(0)), s(3_599)), 2);
        assert_eq!(count(&told(0, Some(0)), s(3_599)), 1);
        assert_eq!(count(&told(0, Some(0)), s(3_600)), 0);
    }

    /// It says so at once when something changes, and an earlier life's fire is not forgotten.
    #[test]
    fn a_fire_survives_a_restart_of_vigia() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("rest.json");
        let open = || Beacon::at(Some(path.clone()));
        let told = || Told::<Alarms>::now(&path).map(|said| (said.told.alarms, said.told.fire_at));
        let mut first = open();
        first.tell(0, None);
        assert_eq!(told(), Some((0, None)));
        let seen = clock::now();
        first.tell(1, Some(seen));
        assert_eq!(told(), Some((1, Some(seen.0))));
        let mut second = open();
        second.tell(0, None);
        assert_eq!(told(), Some((0, Some(seen.0))));
        let text = std::fs::read_to_string(&path).expect("it is there").replace(&clock::boot_id(), "another");
        std::fs::write(&path, text).expect("written");
        assert_eq!(open().fire_at, None, "of another boot");
    }
}
