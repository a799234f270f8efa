//! `vigia self-test`: what this box can do, shown by doing it, as a report that a user can send in.
//!
//! What is not there is skipped; what is there must work, and the engine that the site asks for must be there. The report
//! names hardware and releases. Of the site it holds nothing: no address, no name, no stream, no path.

mod broker;
mod clips;
mod gpu;
pub mod live;
mod machine;
mod model;
mod tiny;

use serde::Serialize;
use serde_json::Value;
use vigia_core::config::{Config, Engine as Choice};
use vigia_core::event::Utc;

use crate::clock;
use machine::Machine;
pub use model::{Latency, Reading, reading};

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// What it is about is not on this box.
    Skipped,
}

/// One check: what it is, what came of it, in a sentence and in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    pub name: String,
    pub outcome: Outcome,
    pub said: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub figures: Value,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Report {
    pub vigia: &'static str,
    pub taken: Utc,
    pub passed: bool,
    pub machine: Machine,
    pub checks: Vec<Check>,
    pub latency: Vec<Latency>,
}

impl Check {
    fn new(name: &str, outcome: Outcome, said: impl ToString, figures: Value) -> Self {
        Self { name: name.to_owned(), outcome, said: said.to_string(), figures }
    }

    fn passed(name: &str, said: impl ToString, figures: Value) -> Self {
        Self::new(name, Outcome::Passed, said, figures)
    }

    fn failed(name: &str, said: impl ToString) -> Self {
        Self::new(name, Outcome::Failed, said, Value::Null)
    }

    /// What is missing has failed only if the site needs it.
    fn missing(name: &str, said: impl ToString, is_needed: bool) -> Self {
        let outcome = if is_needed { Outcome::Failed } else { Outcome::Skipped };
        Self::new(name, outcome, said, Value::Null)
    }
}

/// Checks everything; `hears` is told of each check when it is done, so that a crash shows where it was.
///
/// # Errors
/// Only if GStreamer or the folder for temporary files is not there: everything else is in the report.
pub fn run(config: &Config, mut hears: impl FnMut(&Check)) -> Result<Report, String> {
    gst::init().map_err(|e| format!("GStreamer does not start: {e}"))?;
    let scratch = Scratch::new().map_err(|e| format!("no folder for temporary files: {e}"))?;
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        hears(&check);
        checks.push(check);
    };
    let needs_gpu = config.detector.engine == Choice::TensorRt;
    gpu::check(config, needs_gpu, &scratch, &mut note);
    clips::check(config, &scratch, &mut note);
    let latency = model::check(config, &scratch, &mut note);
    Ok(Report {
        vigia: env!("CARGO_PKG_VERSION"),
        taken: clock::utc(),
        passed: checks.iter().all(|c| c.outcome != Outcome::Failed),
        machine: Machine::look(),
        checks,
        latency,
    })
}

/// A folder that goes away with its owner.
#[derive(Debug)]
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let name = format!("vigia-self-test-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir)?;
        Ok(Self(dir))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> std::io::Result<std::path::PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost if it stays.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
