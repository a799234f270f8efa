//! The real program on a site of its own, whose journal outlives each of its lives.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::model::{CONFIGURED, FPS, HOME, SERVER, SHARE};

/// The end of a log that is shown when something is wrong.
const LOG_LINES: usize = 40;
/// What a healthy box never logs.
const ALARMS: [&str; 4] = ["panicked", "audit_tampered", "desired_unreadable", "journal_failed"];

pub struct Vigia {
    child: Option<Child>,
    folder: TempDir,
    models: PathBuf,
    lives: u32,
}

impl Vigia {
    /// A site that doesn't run yet.
    pub fn prepare(models: &Path, instance: &str, port: u16, log: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let journal = folder.path().join("journal.db");
        let mut site = format!(
            "instance_id: {instance}\nstream_server: {SERVER}\n\
             mqtt: {{ host: 127.0.0.1, port: {port}, keepalive_s: 5 }}\n\
             control: {{ enabled: true, journal: {} }}\nmetrics: {{ interval_s: 0 }}\nlog: {{ level: {log} }}\n\
             stream_defaults: {{ max_fps: {FPS}, confidence: {SHARE}, tracker: none }}\nstreams:\n",
            journal.display()
        );
        for room in CONFIGURED {
            site.push_str(&format!("  - {{ source_id: {room}, uri: \"{HOME}\" }}\n"));
        }
        fs::write(folder.path().join("site.yaml"), site).expect("the folder is ours");
        Self { child: None, folder, models: models.into(), lives: 0 }
    }

    /// Starts it, or starts it again on what its journal holds.
    pub fn start(&mut self) {
        self.lives += 1;
        let log = File::create(self.log_file(self.lives)).expect("the folder is ours");
        let mut run = Command::new(env!("CARGO_BIN_EXE_vigia"));
        run.arg("run").arg("--config").arg(self.folder.path().join("site.yaml"));
        run.arg("--models-dir").arg(&self.models).stdout(Stdio::null()).stderr(log);
        self.child = Some(run.spawn().expect("vigia starts"));
    }

    /// SIGKILL: no goodbye, and nothing is written any more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it was running");
            child.wait().expect("it was ours");
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn log_file(&self, life: u32) -> PathBuf {
        self.folder.path().join(format!("log-{life}"))
    }

    fn log(&self, life: u32) -> String {
        // A kill may have come in the middle of a letter.
        fs::read(self.log_file(life))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines of the present life.
    pub fn log_end(&self) -> String {
        let log = self.log(self.lives);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// A line of any life that must not be there.
    pub fn alarm(&self) -> Option<String> {
        let logs = (1..=self.lives).map(|life| self.log(life));
        let is_alarm = |line: &&str| ALARMS.iter().any(|alarm| line.contains(alarm));
        logs.into_iter().find_map(|log| log.lines().find(is_alarm).map(str::to_owned))
    }
}

impl Drop for Vigia {
    fn drop(&mut self) {
        self.kill();
    }
}
