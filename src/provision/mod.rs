//! A site in one folder, from a USB stick or anywhere else, becomes the box's: all of it or nothing.
//!
//! [`folder`] reads what is there, [`check`] judges it as a whole, together with what the box keeps, and [`stage`] puts it
//! in place so that a power cut leaves the old site or the new one. What is there already is not touched, so the same stick
//! changes nothing a second time.

mod check;
mod folder;
mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thiserror::Error;

use crate::update::{Places, UpdateError, rest, tool};

pub use folder::Piece;

const RESTART_MAX: Duration = Duration::from_secs(240);

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// Everything that is wrong, a sentence each.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("not now: {0}")]
    Rest(#[from] UpdateError),
}

impl ProvisionError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// What became of each file, a sentence each.
#[derive(Debug)]
pub struct Done {
    pub lines: Vec<String>,
    pub is_changed: bool,
}

/// Reads, judges and puts in place; then starts anew what reads these files.
///
/// # Errors
/// Something is wrong, or the box is not at rest; then nothing has changed.
pub fn provision(from: &Path, places: &Places) -> Result<Done, ProvisionError> {
    // What an earlier one had decided before the power went.
    stage::resume(places)?;
    let found = folder::read(from, places)?;
    let wrong = check::all(&found, places);
    if !wrong.is_empty() {
        return Err(ProvisionError::Wrong(wrong));
    }
    let mut lines: Vec<String> =
        found.left_out.iter().map(|name| format!("{name}: left out, it is nothing of a site")).collect();
    let (new, same): (Vec<Piece>, Vec<Piece>) = found.pieces.into_iter().partition(Piece::is_new);
    lines.extend(same.iter().map(|piece| format!("{}: there already", piece.name)));
    if new.is_empty() {
        return Ok(Done { lines, is_changed: false });
    }
    // Programs start anew with it, the pump's among them.
    rest::demand(places)?;
    stage::put(&new, places)?;
    lines.extend(new.iter().map(|piece| format!("{}: taken", piece.name)));
    lines.extend(start_anew(&new));
    Ok(Done { lines, is_changed: true })
}

/// What reads these files begins again, in its order.
fn start_anew(new: &[Piece]) -> Option<String> {
    let mut units = vec!["vigia-setup.service"];
    if new.iter().any(|piece| piece.name.starts_with("network/")) {
        units.push("systemd-networkd.service");
    }
    units.extend(["vigia-broker.service", "vigia-pump.service", "vigia.service"]);
    let mut command = Command::new("systemctl");
    command.arg("restart").args(units);
    match tool::run(command, RESTART_MAX) {
        Ok(said) if said.ok => None,
        Ok(said) => {
            Some(format!("not everything started anew ({}): restart the box", tool::cause(&said.err)))
        }
        Err(e) => Some(format!("nothing started anew ({e}): restart the box")),
    }
}
