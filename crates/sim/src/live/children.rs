//! Programs that end with this one.

use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// What an orderly end may take. A simulated pump has no water to drain.
const TURNS: u32 = 50;
const TURN: Duration = Duration::from_millis(100);

/// Children end with this, last started first.
#[derive(Debug, Default)]
pub struct Children(Vec<(&'static str, Child)>);

impl Children {
    /// # Errors
    /// One sentence.
    pub fn spawn(&mut self, name: &'static str, command: &mut Command) -> Result<(), String> {
        let child = command.spawn().map_err(|e| format!("{name} can't be started: {e}"))?;
        self.0.push((name, child));
        Ok(())
    }

    /// The first one that has ended, and how.
    ///
    /// # Errors
    /// One sentence, if the kernel does not say.
    pub fn ended(&mut self) -> Result<Option<(&'static str, std::process::ExitStatus)>, String> {
        for (name, child) in &mut self.0 {
            if let Some(status) = child.try_wait().map_err(|e| format!("{name} can't be watched: {e}"))? {
                return Ok(Some((name, status)));
            }
        }
        Ok(None)
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for (name, mut child) in self.0.drain(..).rev() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
            match end(&mut child) {
                Some(status) if !status.success() && name == "vigia" => {
                    eprintln!("{name} ended with {status}");
                }
                _ => {}
            }
        }
    }
}

/// Waits for its end, and brings it about.
fn end(child: &mut Child) -> Option<std::process::ExitStatus> {
    for _ in 0..TURNS {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        rest(TURN);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Lets time pass.
pub(super) fn rest(span: Duration) {
    let (_open, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(span);
}
