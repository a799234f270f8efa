//! Programs of the system that do the work: rauc, systemctl, journalctl. Each has a limit of time.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use thiserror::Error;

use super::Places;
use crate::clock;

/// Of what a program says, at most.
const SAID_BYTES_MAX: u64 = 4 * 1024 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Error)]
pub enum ToolError {
    #[error("{program} can't be run: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("{program} did not answer within {} s", .limit.as_secs())]
    Slow { program: String, limit: Duration },
    #[error("{program}: {said}")]
    Failed { program: String, said: String },
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// `rauc` with its own configuration, or that of a moved root.
#[must_use]
pub fn rauc(places: &Places) -> Command {
    let mut command = Command::new("rauc");
    if places.is_moved() {
        command.arg("--conf").arg(places.at("etc/rauc/system.conf"));
    }
    command
}

/// Runs it to its end.
///
/// # Errors
/// It can't be run, or takes longer than `limit`; then it was killed.
pub fn run(command: Command, limit: Duration) -> Result<Said, ToolError> {
    let mut out = String::new();
    let (ok, err) = watch(command, limit, |line| {
        out.push_str(line);
        out.push('\n');
    })?;
    Ok(Said { ok, out, err })
}

/// Runs it to its end, and hands on each line of its standard output as it comes. Whether it ended well, and what it
/// said on standard error.
///
/// # Errors
/// As [`run`].
pub fn watch(
    mut command: Command,
    limit: Duration,
    mut line: impl FnMut(&str),
) -> Result<(bool, String), ToolError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |source| ToolError::Start { program: program.clone(), source };
    // Numbers and words for programs, whatever the machine's language is.
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(start)?;
    let (tell, lines) = channel();
    let out = child.stdout.take();
    std::thread::spawn(move || {
        let Some(out) = out else { return };
        for line in BufReader::new(out.take(SAID_BYTES_MAX)).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    let err = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(err) = err {
            // What can't be read is left out.
            let _ = err.take(SAID_BYTES_MAX).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let until = clock::now().after(limit);
    let slow = |child: &mut Child| {
        let _ = child.kill();
        let _ = child.wait();
        ToolError::Slow { program: program.clone(), limit }
    };
    loop {
        match lines.recv_timeout(until.since(clock::now())) {
            Ok(text) => line(&text),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Err(slow(&mut child)),
        }
    }
    let status: ExitStatus = loop {
        match child.try_wait().map_err(start)? {
            Some(status) => break status,
            None if clock::now() >= until => return Err(slow(&mut child)),
            None => super::pause(LOOK_EVERY),
        }
    };
    Ok((status.success(), errors.join().unwrap_or_default()))
}

/// The last line that says what went wrong; RAUC tells of each step before it.
#[must_use]
pub fn cause(said: &str) -> String {
    let is_step = |line: &&str| line.starts_with("rauc-Message") || line.trim().is_empty();
    let line = said.lines().rev().find(|line| !is_step(line)).unwrap_or("it does not say why");
    let line = line.trim().trim_start_matches("LastError: ");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}
