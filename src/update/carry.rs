//! Carrying a request out, as root. Who asked is not trusted: everything is judged here anew.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::bundle::{self, Bundle};
use super::request::{Request, Wish};
use super::slots::Slots;
use super::state::{Phase, State};
use super::{Places, Release, UpdateError, Version, pause, read, reset, rest, tool, write};
use crate::clock;

/// A bundle may come over a slow line.
const INSTALL_MAX: Duration = Duration::from_secs(3_600);
const MARK_MAX: Duration = Duration::from_secs(60);
const REBOOT_MAX: Duration = Duration::from_secs(60);
/// Lines of the history that are kept.
const HISTORY_LEN_MAX: usize = 200;

/// How the end of water, alarms and fires is waited for before the restart.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub look_every: Duration,
    pub wait_max: Duration,
    /// Before the restart: whoever asked has the answer, and the broker too.
    pub grace: Duration,
}

/// Carries it out up to the restart. `told` hears of each state, as the file does.
///
/// # Errors
/// It was refused or failed. Then the other slot may be half written, and this one goes on.
pub fn carry_out(
    request: &Request,
    places: &Places,
    patience: Patience,
    mut told: impl FnMut(&State),
) -> Result<State, UpdateError> {
    let _alone = lock(places)?;
    let mut state = State::new(&request.id, request.wish.action());
    let mut tell = |state: &mut State| {
        let written = state.write(places);
        told(state);
        written
    };
    tell(&mut state)?;
    let prepared = match &request.wish {
        Wish::Install { bundle } => install(bundle, places, &mut state, &mut tell),
        Wish::Rollback => roll_back(places, &mut state),
        Wish::Reset => reset(places, &mut state),
    };
    if let Err(error) = prepared {
        (state.phase, state.text) = (Phase::Failed, error.to_string());
        note(places, &format!("{} refused: {error}", request.wish.action()));
        tell(&mut state)?;
        return Err(error);
    }
    note(places, &state.text);
    restart(places, patience, &mut state, &mut tell)?;
    Ok(state)
}

type Tell<'t> = dyn FnMut(&mut State) -> Result<(), UpdateError> + 't;

fn install(
    bundle: &Bundle,
    places: &Places,
    state: &mut State,
    tell: &mut Tell<'_>,
) -> Result<(), UpdateError> {
    let release = Release::read(places)?;
    rest::demand(places)?;
    let slots = Slots::read(places)?;
    let on_trial =
        slots.booted().filter(|slot| places.at(&format!("data/update/trial.{}", slot.name)).exists());
    if let Some(slot) = on_trial {
        // The other slot is what the box comes back to.
        let (name, own) = (&slot.name, &release.version);
        return Err(UpdateError::Refused(format!(
            "{own} in slot {name} is on trial itself: wait for its verdict"
        )));
    }
    // What lies elsewhere RAUC reads once, and its handler (`update-gate`) asks for the floor before it writes.
    if !bundle.is_remote() {
        let manifest = bundle::inspect(bundle, places)?;
        bundle::judge(&manifest, &release)?;
        state.version = Some(manifest.version.to_string());
    }
    let what = state.version.clone().unwrap_or_else(|| bundle.to_string());
    (state.phase, state.text) = (Phase::Installing, format!("writing {what} into the other slot"));
    tell(state)?;
    let mut command = tool::rauc(places);
    command.args(["install", bundle.expose()]);
    let mut why = String::new();
    let (ok, err) = tool::watch(command, INSTALL_MAX, |line| {
        if let Some(said) = line.strip_prefix("LastError: ") {
            why = said.to_owned();
        }
        if let Some(percent) = percent(line).filter(|percent| *percent > state.percent) {
            state.percent = percent;
            // The end is told anyway.
            let _ = tell(state);
        }
    })?;
    if !ok {
        let why = if why.is_empty() { tool::cause(&err) } else { tool::cause(&why) };
        return Err(UpdateError::Refused(format!("{what} was not installed: {why}")));
    }
    state.percent = 100;
    state.text = format!("{what} is written; it runs on trial after the restart");
    Ok(())
}

/// `" 40% Verifying signature done."`
fn percent(line: &str) -> Option<u8> {
    let (number, _) = line.trim_start().split_once('%')?;
    number.parse().ok().filter(|percent| *percent <= 100)
}

fn roll_back(places: &Places, state: &mut State) -> Result<(), UpdateError> {
    let refused = |text: String| Err(UpdateError::Refused(text));
    let release = Release::read(places)?;
    rest::demand(places)?;
    let slots = Slots::read(places)?;
    let Some(other) = slots.other() else {
        return refused("this box has one slot only: there is nothing to go back to".into());
    };
    let name = &other.name;
    if !other.is_good {
        return refused(format!("slot {name} is marked as bad: what it holds did not start or did not pass"));
    }
    let floor = &release.floor;
    match other.version.as_deref().map(|text| (text, Version::parse(text))) {
        Some((_, Some(version))) if version >= *floor => {}
        Some((text, _)) => {
            return refused(format!(
                "slot {name} holds {text}, older than {floor}, the oldest that this box still takes"
            ));
        }
        // From the factory: as old as the image that came with it.
        None if *floor == Version(vec![0]) => {}
        None => {
            return refused(format!(
                "what slot {name} holds is not known, and nothing older than {floor} is taken"
            ));
        }
    }
    let mut command = tool::rauc(places);
    command.args(["status", "mark-active", "other"]);
    let said = tool::run(command, MARK_MAX)?;
    if !said.ok {
        return refused(format!("slot {name} was not chosen: {}", tool::cause(&said.err)));
    }
    state.version.clone_from(&other.version);
    state.percent = 100;
    state.text = format!("slot {name} is chosen; it runs after the restart");
    Ok(())
}

fn reset(places: &Places, state: &mut State) -> Result<(), UpdateError> {
    reset::demand(places)?;
    reset::settle(places)?;
    state.percent = 100;
    state.text = "the box is emptied at the restart".into();
    Ok(())
}

/// At rest again, or after the longest wait not at all.
fn restart(
    places: &Places,
    patience: Patience,
    state: &mut State,
    tell: &mut Tell<'_>,
) -> Result<(), UpdateError> {
    let (done, until) = (state.text.clone(), clock::now().after(patience.wait_max));
    state.phase = Phase::Waiting;
    tell(state)?;
    pause(patience.grace);
    loop {
        let why = match rest::demand(places) {
            Ok(_) => break,
            Err(error) => error.to_string(),
        };
        if clock::now() >= until {
            state.phase = Phase::Installed;
            state.text = format!("{done}, whoever asks for that: the box was not at rest, {why}");
            note(places, &state.text);
            return tell(state);
        }
        let text = format!("{done}, which waits: {why}");
        if state.text != text {
            state.text = text;
            tell(state)?;
        }
        pause(patience.look_every);
    }
    (state.phase, state.text) = (Phase::Restarting, format!("{done}, now"));
    tell(state)?;
    let mut command = Command::new("systemctl");
    command.arg("reboot");
    let said = tool::run(command, REBOOT_MAX)?;
    if said.ok {
        return Ok(());
    }
    let why = tool::cause(&said.err);
    (state.phase, state.text) = (Phase::Installed, format!("{done}, but the restart was refused: {why}"));
    tell(state)?;
    Err(UpdateError::Refused(state.text.clone()))
}

/// One at a time, whoever started it.
fn lock(places: &Places) -> Result<std::fs::File, UpdateError> {
    let path = places.lock();
    let lock = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(UpdateError::file(&path))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| UpdateError::Refused("an update is under way: wait for its end".into()))?;
    Ok(lock)
}

/// A line of the history, as the verdict writes them: when, slot, version, what.
fn note(places: &Places, what: &str) {
    let slot = Slots::read(places).ok().and_then(|slots| Some(slots.booted()?.name.clone()));
    let version = Release::read(places).map(|release| release.version.to_string());
    let line = format!(
        "{} {} {} {}",
        seconds(clock::utc()),
        slot.as_deref().unwrap_or("-"),
        version.as_deref().unwrap_or("-"),
        what.replace('\n', " ")
    );
    if let Err(e) = append(&places.history(), &line) {
        // The journal has it, too.
        tracing::warn!(component = "update", event = "history_not_written", error = %e, "{line}");
    }
}

/// As `date -u +%Y-%m-%dT%H:%M:%SZ`.
fn seconds(at: vigia_core::event::Utc) -> String {
    let ns = at.as_unix_ns();
    vigia_core::event::Utc::from_unix_ns(ns - ns.rem_euclid(1_000_000_000)).to_string()
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let before = match read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e),
    };
    let lines: Vec<&str> = before.lines().chain([line]).collect();
    let kept = lines.len().saturating_sub(HISTORY_LEN_MAX);
    write(path, &(lines[kept..].join("\n") + "\n"), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_as_rauc_writes_it() {
        for (line, want) in [
            ("  0% Installing", Some(0)),
            (" 40% Verifying signature done.", Some(40)),
            ("100% Installing done.", Some(100)),
            ("101% Installing", None),
            ("idle", None),
            ("input bundle: /tmp/100%.raucb", None),
        ] {
            assert_eq!(percent(line), want, "{line}");
        }
    }
}
