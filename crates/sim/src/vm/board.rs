//! A board's file, for the wiring of the simulated one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use vigia_core::board::{self, RawLines};

/// Why a file is no board.
#[derive(Debug, Error)]
pub enum BoardError {
    #[error("can't read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is no board: {says}", path.display())]
    Wrong { path: PathBuf, says: String },
}

/// The rest is for other programs.
#[derive(Deserialize)]
struct BoardFile {
    lines: RawLines,
}

/// The lines of a board's file, e.g. `hardware/virtual.yaml`.
///
/// # Errors
/// It cannot be read, or says nothing sensible about lines.
pub fn load(path: &Path) -> Result<board::Lines, BoardError> {
    let wrong = |says: String| BoardError::Wrong { path: path.to_owned(), says };
    let text =
        fs::read_to_string(path).map_err(|source| BoardError::Read { path: path.to_owned(), source })?;
    let file: BoardFile = serde_saphyr::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    board::read(&file.lines, None).map_err(|all| {
        wrong(
            all.iter()
                .map(|w| format!("{} {}: {}", w.path, w.value, w.should))
                .collect::<Vec<_>>()
                .join("; "),
        )
    })
}
