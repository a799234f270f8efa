//! Commands of the host.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::port::{Port, rest_ms};
use super::{Answer, GuestTime, now, thread};
use crate::vm::wire::{End, Ran, TAIL_LEN_MAX};

const JOBS_LEN_MAX: u32 = 16;
const LOOK_MS: u32 = 5;
/// What a command's own children may still say after it has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Those that run now.
#[derive(Debug, Default)]
pub struct Jobs {
    running: Arc<AtomicU32>,
}

impl Jobs {
    /// Runs it in a thread of its own, and answers when it has ended.
    pub fn run(&self, port: &Arc<Port>, number: u32, command: String, limit: Duration) {
        let refuse = |why: &str| port.answer(number, now(), Answer::Refused(why.to_owned()));
        if self.running.fetch_add(1, Ordering::SeqCst) >= JOBS_LEN_MAX {
            self.running.fetch_sub(1, Ordering::SeqCst);
            return refuse("too many commands run already");
        }
        let (thread_port, running) = (Arc::clone(port), Arc::clone(&self.running));
        let started = thread("job", move || {
            let answer = run(&command, limit).map_or_else(|e| Answer::Refused(e.to_string()), Answer::Ran);
            running.fetch_sub(1, Ordering::SeqCst);
            thread_port.answer(number, now(), answer);
        });
        if let Err(e) = started {
            self.running.fetch_sub(1, Ordering::SeqCst);
            refuse(&e.to_string());
        }
    }
}

/// Starts what goes on by itself.
pub fn leave(command: &str) -> Answer {
    let started = shell(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) => return Answer::Refused(e.to_string()),
    };
    let pid = child.id();
    // Somebody must take note of its end; without a thread it stays a zombie, and harms nobody.
    let _ = thread("reaper", move || drop(child.wait()));
    Answer::Left { pid }
}

fn run(command: &str, limit: Duration) -> std::io::Result<Ran> {
    let mut child = shell(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (listen(child.stdout.take()), listen(child.stderr.take()));
    let ended = wait(&mut child, limit)?;
    let end = ended.map_or(End::Limit, |status| match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    });
    let heard = |tail: Receiver<String>| tail.recv_timeout(LAST_WORDS).unwrap_or_default();
    Ok(Ran { end, out: heard(out), err: heard(err) })
}

/// `None`: it was killed, being over its limit.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let since = now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if is_over(since, limit) {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // It may have ended just now.
                let _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        rest_ms(LOOK_MS);
    }
}

fn is_over(since: GuestTime, limit: Duration) -> bool {
    now().since(since) >= limit
}

/// The agent's own priority and its safety from a lack of memory are not for its children.
fn shell(command: &str) -> Command {
    let script =
        format!("echo 0 > /proc/self/oom_score_adj; chrt --other --pid 0 $$ > /dev/null 2>&1\n{command}");
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(script).stdin(Stdio::null()).process_group(0);
    shell.env(
        "PATH",
        "/opt/vigia:/opt/vigia/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    shell
}

/// The last of what is said on a pipe, once it has ended.
fn listen(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (done, tail) = mpsc::sync_channel(1);
    let Some(mut pipe) = pipe else { return tail };
    let read = move || {
        let (mut all, mut bytes) = (Vec::new(), [0; 4096]);
        while let Ok(len @ 1..) = pipe.read(&mut bytes) {
            all.extend_from_slice(&bytes[..len]);
            let over = all.len().saturating_sub(TAIL_LEN_MAX);
            all.drain(..over);
        }
        // Nobody waits any more: it came too late.
        let _ = done.try_send(String::from_utf8_lossy(&all).into_owned());
    };
    // Without a thread nothing was heard.
    let _ = thread("listener", read);
    tail
}
