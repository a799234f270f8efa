//! A network that sees nothing and takes no time: the one that ships takes a quarter or half of a minute for a picture under
//! emulation.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::machine::{file, run};
use super::rig::RigError;
use crate::onnx::{self, Planted};

/// What it is called, as a model and as a file of a models folder, with its manifest.
pub const NAME: &str = "blind";
pub const FILES: [&str; 2] = ["blind.onnx", "blind.yaml"];

/// Has `vigia` take it in as any other; `folder` becomes a models folder.
///
/// # Errors
/// The folder cannot be written, or `vigia` refuses it.
pub fn import(vigia: &Path, folder: &Path) -> Result<(), RigError> {
    const NAMES: &str = "{0: 'fire'}";
    const CELLS: usize = 84;
    let output = Planted::nothing(&[1, 5, CELLS]);
    let bytes = onnx::model([Some(64), Some(64)], Some(NAMES), &[output]).write_buf();
    let bytes = bytes.map_err(|e| RigError::Not(format!("the network can't be written: {e}")))?;
    let incoming = folder.join("incoming");
    fs::create_dir_all(&incoming).map_err(file("can't make", &incoming))?;
    let onnx = incoming.join(FILES[0]);
    fs::write(&onnx, bytes).map_err(file("can't write", &onnx))?;
    let mut import = Command::new(vigia);
    run("vigia model import", import.args(["model", "import"]).arg(&onnx).arg("--models-dir").arg(folder))?;
    Ok(fs::remove_dir_all(&incoming).map_err(file("can't remove", &incoming))?)
}
