//! What of ours goes into the guest: the agent, the layout of the board, and the product's own files.
//!
//! All of it is an image of its own at `/opt/vigia`, made when a test starts: a changed program never makes
//! the root file system anew. Whatever lies in its folder `root` is laid over the guest's root at each boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::Layout;
use super::machine::{MachineError, file, run};

const AGENT: &str = "vigia-lines";
const LAYOUT: &str = "lines";

/// What goes into an image.
#[derive(Debug, Clone)]
pub struct Product<'a> {
    /// The product's files, if there are any yet; `root` in it is laid over the guest's root.
    pub folder: Option<&'a Path>,
    /// The program `vigia-lines`.
    pub agent: &'a Path,
    pub layout: &'a Layout,
}

/// Makes the image `image`, and the files it needs beside it.
///
/// # Errors
/// The agent is not built, or the image cannot be made.
pub fn pack(product: &Product<'_>, image: &Path) -> Result<(), MachineError> {
    let beside = image.with_extension("parts");
    fs::create_dir_all(&beside).map_err(file("can't make", &beside))?;
    let (agent, layout) = (beside.join(AGENT), beside.join(LAYOUT));
    fs::write(&layout, product.layout.to_string()).map_err(file("can't write", &layout))?;
    // Without the names of its functions: megabytes that the guest would read.
    run("strip", Command::new("strip").arg("-o").arg(&agent).arg(product.agent))?;
    let mut parts = vec![agent, layout];
    if let Some(folder) = product.folder {
        parts.extend(entries(folder)?);
    }
    let mut make = Command::new("mksquashfs");
    make.args(parts).arg(image).args(["-noappend", "-comp", "lz4", "-all-root", "-quiet", "-no-progress"]);
    run("mksquashfs", &mut make)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, MachineError> {
    let read = fs::read_dir(folder).and_then(|all| all.map(|e| e.map(|e| e.path())).collect());
    let mut all: Vec<PathBuf> = read.map_err(file("can't read", folder))?;
    all.sort();
    Ok(all)
}
