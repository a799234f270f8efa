//! A build in a process of its own: a builder that crashes or wants too much takes nobody with it, and its memory
//! comes back.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use thiserror::Error;
use vigia_core::config::Detector;

use super::progress::Line;
use crate::detect::manifest::Located;

/// Of what a process says of its failure the end is kept: libraries may have filled pages before.
const SAID_BYTES_MAX: usize = 64 << 10;

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
    /// Read beside the lines: a process whose pipe is full waits for its reader.
    said: Option<JoinHandle<Vec<u8>>>,
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
        Self::run(&mut command)
    }

    fn run(command: &mut Command) -> Result<Self, JobError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(JobError::Start)?;
        let lines = child.stdout.take().map(BufReader::new);
        let errors = child.stderr.take();
        let read = move || errors.map(end_of).unwrap_or_default();
        let said = std::thread::Builder::new().name("build-stderr".into()).spawn(read).map_err(|e| {
            // Nobody would hear what it says.
            let _ = child.kill().and_then(|()| child.wait());
            JobError::Start(e)
        })?;
        Ok(Self { child, lines, said: Some(said) })
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
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&said);
        let sentence = text.lines().rev().find_map(|line| line.strip_prefix("vigia: "));
        sentence.or(text.lines().last()).unwrap_or("it said nothing").to_owned()
    }
}

/// Reads to the end, and keeps the last of it.
fn end_of(mut errors: ChildStderr) -> Vec<u8> {
    let (mut said, mut bytes) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = errors.read(&mut bytes) {
        said.extend_from_slice(&bytes[..len]);
        if said.len() > 2 * SAID_BYTES_MAX {
            said.drain(..said.len() - SAID_BYTES_MAX);
        }
    }
    said
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

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(script: &str) -> (Vec<Line>, Result<(), String>) {
        let mut heard = Vec::new();
        let job = Job::run(Command::new("sh").args(["-c", script])).expect("a shell");
        let ended = job.follow(|_, line| heard.extend(line));
        (heard, ended.map_err(|e| e.to_string()))
    }

    /// Found in review: it waited for ever with its pipe full, and so did who read its lines.
    #[test]
    fn a_process_that_says_much_of_its_failure_is_heard_to_its_end() {
        let much = "yes 'a library says something' | head -c 1000000 >&2;";
        let line = r#"echo '{"event":"cancelled"}';"#;
        let (heard, ended) =
            follow(&format!("{much} {line} echo 'vigia: no room' >&2; echo bye >&2; exit 1"));
        assert_eq!((heard, ended), (vec![Line::Cancelled], Err("no room".to_owned())));
        let (heard, ended) = follow(&format!("{line} {much} exit 0"));
        assert_eq!((heard, ended), (vec![Line::Cancelled], Ok(())));
        let (_, ended) = follow("printf 'odd \\377 bytes' >&2; kill -9 $$");
        assert_eq!(ended, Err("the build died (signal: 9 (SIGKILL)); odd \u{fffd} bytes".to_owned()));
    }
}
