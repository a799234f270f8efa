//! A running `vigia run`, as a user starts it, and what it says of itself.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::broker::{Witness, wait_for};
use super::shared;

/// A folder with the real model taken in; `None`, said aloud, without ../shared.
pub fn models() -> Option<TempDir> {
    let onnx = shared::shared("models/yolox_nano.onnx")?;
    let folder = shared::folder();
    let run = shared::Run::vigia(&[&"model", &"import", &onnx, &"--models-dir", &folder.path()]);
    assert_eq!(run.code, 0, "{run:#?}");
    Some(folder)
}

pub struct Instance {
    child: Child,
    folder: TempDir,
}

impl Instance {
    /// Runs vigia with these arguments beside `--models-dir`.
    pub fn start(models: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = shared::folder();
        let log = File::create(folder.path().join("log")).expect("ours");
        let taken_in = models.join("yolox_nano.yaml").exists() && !args.contains(&"--model");
        let model: &[&str] = if taken_in { &["--model", "yolox_nano"] } else { &[] };
        let child = Command::new(env!("CARGO_BIN_EXE_vigia"))
            .arg("run")
            .args(args)
            .args(model)
            .arg("--models-dir")
            .arg(models)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("vigia starts");
        Self { child, folder }
    }

    /// The same with a site file.
    pub fn with_site(models: &Path, site: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = shared::folder();
        let path: PathBuf = folder.path().join("site.yaml");
        std::fs::write(&path, site).expect("ours");
        let path = path.display().to_string();
        let mut all = vec!["--config", &path];
        all.extend(args);
        let mut instance = Self::start(models, &all, env);
        // The file must live as long as the program may read it.
        instance.keep(folder);
        instance
    }

    fn keep(&mut self, site: TempDir) {
        let _kept = site.keep();
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("ours")
    }

    pub fn wait_log(&self, text: &str) {
        wait_for(text, Duration::from_secs(30), || self.log().contains(text));
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill exists").success());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("ours").is_none()
    }

    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait_for("vigia to end", limit, || !self.is_running());
        self.child.wait().expect("ours")
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of vigia ---\n{}", self.log());
        }
    }
}

/// Payloads below a topic, as JSON.
pub fn payloads(witness: &Witness, topic: &str) -> Vec<Value> {
    let seen = witness.seen().into_iter().filter(|s| s.topic == topic && !s.payload.is_empty());
    seen.map(|s| serde_json::from_slice(&s.payload).expect("JSON")).collect()
}

/// Waits until `topic` has at least `count` payloads, and gives them.
pub fn await_payloads(witness: &Witness, topic: &str, count: usize) -> Vec<Value> {
    wait_for(topic, Duration::from_secs(60), || payloads(witness, topic).len() >= count);
    payloads(witness, topic)
}

/// Waits for a status of an instance.
pub fn await_status(witness: &Witness, topic: &str, status: &str) -> Value {
    let find = || payloads(witness, topic).into_iter().rfind(|v| v["status"] == status);
    wait_for(&format!("{topic}: {status}"), Duration::from_secs(60), || find().is_some());
    find().expect("just seen")
}
