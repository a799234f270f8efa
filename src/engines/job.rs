//! A build in a process of its own: a builder that crashes or wants too much takes nobody with it, and its memory
//! comes back.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use thiserror::Error;
use vigia_core::config::Detector;

use super::progress::Line;
use crate::detect::manifest::Located;

/// Why a build gave no plan.
#[derive(Debug, Error)]
pub enum JobError {
    #[error("the build can't be started: {0}")]
    Start(#[source] std::io::Error),
    /// In the words of the process, and whether its user can mend it.
    #[error("{said}")]
    Refused { said: String, is_usage: bool },
    #[error("the build died ({status}); {said}")]
    Died { status: ExitStatus, said: String },
}

/// A build that runs.
#[derive(Debug)]
pub struct Job {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
}

impl Job {
    /// This program again, with `arguments` of `vigia engine build`.
    ///
    /// # Errors
    /// [`JobError::Start`].
    pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, JobError> {
        let vigia = std::env::current_exe().map_err(JobError::Start)?;
        let mut command = Command::new(vigia);
        command.args(arguments).arg("--inside");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(JobError::Start)?;
        let lines = child.stdout.take().map(BufReader::new);
        Ok(Self { child, lines })
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end, and hands on each line with what it says, if we know that.
    ///
    /// # Errors
    /// [`JobError::Refused`] and [`JobError::Died`].
    pub fn follow(mut self, mut hears: impl FnMut(&str, Option<Line>)) -> Result<(), JobError> {
        let lines = self.lines.take();
        for line in lines.into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
            hears(&line, serde_json::from_str(&line).ok());
        }
        let said = self.said();
        let status = self.child.wait().map_err(JobError::Start)?;
        match status.code() {
            Some(0) => Ok(()),
            Some(code) => Err(JobError::Refused { said, is_usage: code == 2 }),
            None => Err(JobError::Died { status, said }),
        }
    }

    fn said(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            // What is no text says nothing.
            let _ = stderr.read_to_string(&mut text);
        }
        let sentence = text.lines().rev().find_map(|line| line.strip_prefix("vigia: "));
        sentence.or(text.lines().last()).unwrap_or("it said nothing").to_owned()
    }
}

/// Of `vigia engine build`, for the plan of a model as the configuration has it, for the GPU of this box. `afresh` builds it
/// though it is there.
#[must_use]
pub fn arguments(located: &Located, config: &Detector, afresh: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["engine".into(), "build".into()];
    arguments.push(located.manifest.id.clone().into());
    let mut option = |name: &str, value: &Path| arguments.extend([name.into(), value.into()]);
    option("--models-dir", Path::new(&config.models_dir));
    option("--plans-dir", Path::new(&config.plans_dir));
    if let Some(recipe) = &config.recipe {
        option("--profile", Path::new(recipe));
    }
    if let Some(dir) = &config.tensorrt_dir {
        option("--tensorrt-dir", Path::new(dir));
    }
    if afresh {
        arguments.push("--force".into());
    }
    arguments
}

/// Builds that plan; progress goes to the log.
///
/// # Errors
/// [`JobError`].
pub fn build(located: &Located, config: &Detector, afresh: bool) -> Result<(), JobError> {
    let model_id = &located.manifest.id;
    Job::start(arguments(located, config, afresh))?.follow(|_, line| {
        line.iter().for_each(|line| log(model_id, line));
    })
}

/// How far it is, for the log.
pub fn log(model_id: &str, line: &Line) {
    match line {
        Line::Progress { percent, phase } => {
            tracing::info!(component = "engine", event = "plan_progress", model_id, percent, phase);
        }
        Line::Done { path, seconds, .. } => {
            tracing::info!(component = "engine", event = "plan_built", model_id, path, seconds);
        }
        Line::Cancelled => tracing::info!(component = "engine", event = "plan_cancelled", model_id),
    }
}
