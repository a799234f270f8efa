//! A whole box on this machine: broker, cameras, pump program, vigia. What `make run` shows and
//! `make drill` measures.
//!
//! Everything listens on loopback, on ports that were free; all files lie in one folder; all programs
//! end with [`Children`]. Only the subfolder `state` is emptied at a start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::Camera;
use crate::stage::{Stage, Where};

mod broker;
mod children;
mod ears;
mod pump;

pub use broker::Broker;
pub use children::Children;
pub use ears::{Ears, Heard};
pub use pump::{NOTICE, Pump, plan};

/// A fire at a farm that nobody trained with, seen from two sides.
pub const FIRE: Stage = Stage {
    seed: 9_000_000_105,
    plot: crate::scene::Plot::Fire,
    place: Where::At(crate::scene::place::Place::Farm),
    camera: 0,
};
/// Pictures small and few enough for two cores that also run vigia.
pub const SIZE: (u32, u32) = (640, 360);
pub const FPS: u32 = 5;
/// Where the shipped detector is exported to decide; its 0.7 leaves out most of what it is right about.
pub const CONFIDENCE: f64 = 0.5;

/// The camera that sees the stage.
#[must_use]
pub fn camera(stage: Stage) -> Camera {
    Camera::scene(stage, SIZE.0, SIZE.1, FPS)
}

/// Where room `room` is mounted.
#[must_use]
pub fn path(room: usize) -> String {
    format!("/live/{room}")
}

/// What the site file is made of.
#[derive(Debug)]
pub struct Site<'a> {
    pub instance: &'a str,
    pub model: &'a str,
    pub models_dir: &'a Path,
    pub urls: &'a [String],
    /// The section `fire`.
    pub fire: Value,
}

/// The folder in which everything happens.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it, with an empty `state` in it.
    ///
    /// # Errors
    /// One sentence.
    pub fn new(path: &Path) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("{} can't be prepared: {e}", path.display());
        let state = path.join("state");
        if state.exists() {
            fs::remove_dir_all(&state).map_err(failed)?;
        }
        fs::create_dir_all(&state).map_err(failed)?;
        fs::canonicalize(path).map(Self).map_err(failed)
    }

    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What is forgotten at the next start.
    #[must_use]
    pub fn state(&self, name: &str) -> PathBuf {
        self.0.join("state").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.file(name);
        fs::write(&path, text).map_err(|e| format!("{} can't be written: {e}", path.display()))?;
        Ok(path)
    }

    fn log(&self, name: &str) -> Result<fs::File, String> {
        let path = self.file(name);
        fs::File::create(&path).map_err(|e| format!("{} can't be written: {e}", path.display()))
    }

    /// Writes the site file, which vigia and the pump program read. It is JSON, and so YAML.
    ///
    /// # Errors
    /// One sentence.
    pub fn site(&self, site: &Site<'_>, broker: &Broker) -> Result<PathBuf, String> {
        let streams: Vec<Value> =
            site.urls.iter().enumerate().map(|(n, url)| json!({ "source_id": n, "uri": url })).collect();
        let text = json!({
            "instance_id": site.instance,
            "mqtt": { "host": "127.0.0.1", "port": broker.port },
            "metrics": { "interval_s": 2 },
            "detector": { "model": site.model, "models_dir": site.models_dir },
            "stream_defaults": { "max_fps": FPS, "tracker": "bytetrack" },
            "streams": streams,
            "control": { "enabled": true, "journal": self.state("journal.db") },
            "fire": site.fire,
            "pump": pump::section(self)?,
        });
        self.write("site.yaml", &format!("{text:#}\n"))
    }

    /// Starts vigia with this site file.
    ///
    /// # Errors
    /// One sentence.
    pub fn vigia(&self, children: &mut Children, site: &Path, broker: &Broker) -> Result<(), String> {
        let mut command = Command::new(program("vigia")?);
        command.args(["run", "--config"]).arg(site);
        broker.log_in(&mut command);
        children.spawn("vigia", command.stderr(self.log("vigia.log")?).stdout(Stdio::null()))
    }
}

/// A program that was built beside this one.
///
/// # Errors
/// One sentence, if it was not.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let beside = std::env::current_exe().ok().and_then(|p| Some(p.parent()?.join(name)));
    beside.filter(|p| p.exists()).ok_or_else(|| format!("the program {name} is not built"))
}

/// Whether the model is where it should be.
///
/// # Errors
/// One sentence, if it is not.
pub fn model_is_there(models_dir: &Path, model: &str) -> Result<(), String> {
    let manifest = models_dir.join(format!("{model}.yaml"));
    if manifest.exists() {
        return Ok(());
    }
    Err(format!("there is no model at {}; run this in the repository's folder", manifest.display()))
}
