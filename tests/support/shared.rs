//! What lies outside of the repository, and the program as a user calls it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Says why a test does nothing. Such a test passes.
pub fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// A file or folder of ../shared, or of the folder that `VIGIA_SHARED` names.
pub fn shared(name: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let path = std::env::var_os("VIGIA_SHARED").map_or_else(default, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("{} is not there; VIGIA_SHARED names the folder", path.display()));
    None
}

/// The folder of OpenVINO's library.
pub fn openvino() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/openvino/openvino/libs");
    let dir = std::env::var_os("VIGIA_OPENVINO_DIR").map_or_else(default, PathBuf::from);
    let name =
        |e: std::fs::DirEntry| e.file_name().to_str().is_some_and(|n| n.starts_with("libopenvino_c.so"));
    if dir.read_dir().is_ok_and(|mut entries| entries.any(|e| e.is_ok_and(name))) {
        return Some(dir);
    }
    skipped(&format!("no OpenVINO in {}; VIGIA_OPENVINO_DIR names the folder", dir.display()));
    None
}

/// How the program ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs vigia, for ten minutes at most. Neither a signal nor a hang is an ending.
    pub fn vigia(args: &[&dyn AsRef<OsStr>]) -> Self {
        Self::limited("", args)
    }

    /// With limits of the shell's `ulimit`, as in `ulimit -v 2097152;`.
    pub fn limited(limits: &str, args: &[&dyn AsRef<OsStr>]) -> Self {
        let output = Command::new("timeout")
            .args(["600", "sh", "-c", &format!("{limits} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_vigia")])
            .args(args.iter().map(|a| a.as_ref()))
            // A developer's settings are not the test's.
            .env_remove("RUST_BACKTRACE")
            .output()
            .expect("timeout and sh are there");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("vigia writes UTF-8");
        let run = Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!((0..=2).contains(&run.code), "{:?}: {run:#?}", command_line(args));
        run
    }

    /// The one sentence of a program that refuses.
    pub fn sentence(&self) -> &str {
        assert_ne!(self.code, 0, "{self:#?}");
        let lines: Vec<_> = self.stderr.lines().filter_map(|l| l.strip_prefix("vigia: ")).collect();
        let [sentence] = lines[..] else { panic!("one sentence is expected: {self:#?}") };
        assert!(self.stderr.trim_end().ends_with(sentence), "the sentence comes last: {self:#?}");
        assert!((10..400).contains(&sentence.chars().count()), "{self:#?}");
        sentence
    }

    /// One JSON value per line.
    pub fn json_lines(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:#?}");
        self.stdout.lines().map(|l| serde_json::from_str(l).expect("a line is JSON")).collect()
    }
}

fn command_line(args: &[&dyn AsRef<OsStr>]) -> Vec<PathBuf> {
    args.iter().map(|a| PathBuf::from(a.as_ref())).collect()
}

/// A folder that goes away with its owner.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for temporary files")
}

/// Names of the files in a folder, hidden ones too, in order; none if it is not there.
pub fn files(dir: &Path) -> Vec<String> {
    let entries = dir.read_dir().into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
