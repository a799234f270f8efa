//! `vigia engine`: on NVIDIA's own builder (TensorRT-RTX builds without a GPU), and on the double for what goes wrong.

#[path = "support/shared.rs"]
mod shared;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use shared::{Run, files, folder, skipped};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of a release, as tests/trt/fetch.sh left it.
fn rtx(release: &str) -> Option<PathBuf> {
    let default = || root().join(".cache/trt");
    let dir = std::env::var_os("VIGIA_TRT_RTX").map_or_else(default, PathBuf::from);
    let dir = dir.join(format!("{release}-{}", std::env::consts::ARCH));
    if dir.join("libtensorrt_rtx.so.1").exists() {
        return Some(dir);
    }
    skipped(&format!("no TensorRT-RTX in {}; tests/trt/fetch.sh fetches it", dir.display()));
    None
}

/// The double as TensorRT-RTX, which needs no driver to build.
fn double(dir: &Path) -> PathBuf {
    let tests = std::env::current_exe().expect("a program has a file");
    let from = tests.with_file_name("libvigia_double_nvinfer.so");
    fs::copy(from, dir.join("libtensorrt_rtx.so.1")).expect("cargo builds the double for this test");
    symlink("libtensorrt_rtx.so.1", dir.join("libtensorrt_onnxparser_rtx.so.1")).expect("a link");
    dir.to_owned()
}

/// Builds for 8.6 into `plans` with more flags.
fn build(model: &str, library: &Path, plans: &Path, flags: &[&str]) -> Run {
    let models = root().join("models");
    let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"engine", &"build", &model, &"--for", &"8.6"];
    args.extend([
        &"--models-dir" as &dyn AsRef<_>,
        &models,
        &"--tensorrt-dir",
        &library,
        &"--plans-dir",
        &plans,
    ]);
    args.extend(flags.iter().map(|f| f as &dyn AsRef<_>));
    Run::vigia(&args)
}

/// The last line's plan, after progress that never went back within a phase.
fn done(run: &Run) -> Value {
    let lines = run.json_lines();
    let (last, before) = lines.split_last().expect("it says something");
    let (mut phase, mut percent) = (Value::Null, 0);
    for line in before {
        assert_eq!(line["event"], "progress", "{line}");
        let now = line["percent"].as_u64().expect("a number");
        assert!(line["phase"] != phase || now > percent, "{before:#?}");
        (phase, percent) = (line["phase"].clone(), now);
    }
    assert_eq!(last["event"], "done", "{last}");
    last.clone()
}

fn inspected(file: &Path) -> Value {
    let run = Run::vigia(&[&"engine", &"inspect", &file]);
    assert_eq!(run.code, 0, "{run:#?}");
    serde_json::from_str(&run.stdout).expect("JSON")
}

#[test]
fn nvidias_builder_makes_a_plan_of_the_shipped_model_once() {
    for (release, version) in [("1.7.1.116", "RTX 1.7.1"), ("1.4.0.76", "RTX 1.4.0")] {
        let Some(library) = rtx(release) else { continue };
        let plans = folder();
        let build = |model, flags: &[&str]| {
            build(model, &library, plans.path(), &[&["--json-progress"], flags].concat())
        };
        let run = build("lookout-n", &[]);
        let first = done(&run);
        assert!(run.json_lines().len() > 4, "{run:#?}");
        let file = PathBuf::from(first["path"].as_str().expect("a path"));
        let passport = inspected(&file);
        let facts = &passport["facts"];
        assert_eq!((&facts["model_id"], &facts["tensorrt"]), (&"lookout-n".into(), &version.into()));
        assert_eq!(
            (&facts["device"]["capability"], &facts["recipe"]["precision"]),
            (&86.into(), &"fp16".into())
        );
        assert!(passport["layers"].as_u64() > Some(100) && passport["rounding"]["cut"] == 0, "{passport:#}");
        assert_eq!(passport["plan_bytes"], first["bytes"]);
        // Once more: it is there.
        let again = build("lookout-n", &[]);
        assert_eq!(again.json_lines(), std::slice::from_ref(&first));
        // Another recipe is another product; twice the weights.
        let wide = done(&build("lookout-n", &["--precision", "fp32", "--batch", "8"]));
        assert_ne!(wide["path"], first["path"]);
        assert!(wide["bytes"].as_u64() > first["bytes"].as_u64(), "{wide} {first}");
        // A torn plan is built again.
        let mut bytes = fs::read(&file).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).expect("the disk has room");
        let torn = Run::vigia(&[&"engine", &"inspect", &file]);
        assert!(torn.code == 2 && torn.sentence().ends_with("its checksum is wrong"), "{torn:#?}");
        assert!(build("lookout-n", &[]).json_lines().len() > 4);
        inspected(&file);
        let list = Run::vigia(&[&"engine", &"list", &"--plans-dir", &plans.path()]);
        assert!(list.code == 0 && list.stdout.lines().count() == 2, "{list:#?}");
        assert!(
            list.stdout
                .contains(&format!("fp32, batch 8, TensorRT {version}, any of compute capability 8.6"))
        );
    }
}

#[test]
fn nvidias_builder_takes_the_quantised_model() {
    let (Some(library), plans) = (rtx("1.7.1.116"), folder()) else { return };
    let small = build("lookout-n-int8", &library, plans.path(), &["--precision", "int8"]);
    assert_eq!(small.code, 0, "{small:#?}");
    assert!(small.stdout.contains(".plan: ") && small.stdout.contains(" MiB in "), "{small:#?}");
    // Of its convolutions release 1.4 can do none in eight bits: what the library says is said.
    let Some(library) = rtx("1.4.0.76") else { return };
    let run = build("lookout-n-int8", &library, plans.path(), &["--precision", "int8"]);
    assert!(run.code == 2 && run.stderr.contains("TensorRT: building the engine failed: "), "{run:#?}");
    assert_eq!(files(plans.path()).len(), 1);
}

#[test]
fn mistakes_have_their_sentence_and_leave_nothing() {
    let (library, plans) = (folder(), folder());
    let library = double(library.path());
    let empty = folder();
    let profile = empty.path().join("nano.yaml");
    fs::write(&profile, "batches: 4\n").expect("the disk has room");
    let profile = profile.to_str().expect("UTF-8");
    let rows: [(&str, &Path, &[&str], &str); 9] = [
        ("lookout-x", &library, &[], "lookout-x"),
        ("lookout-n", &library, &["--batch", "0"], "batch is 0: 1 to 32 is expected"),
        ("lookout-n", &library, &["--level", "6"], "level is 6: 0 to 5 is expected"),
        ("lookout-n", &library, &["--profile", profile], "nano.yaml"),
        ("lookout-n", &library, &["--precision", "int8"], "lookout-n is not quantised"),
        ("lookout-n-int8", &library, &[], "lookout-n-int8 is quantised: build it with int8, not with fp16"),
        ("lookout-n", &library, &["--dla", "0"], "there are 0 cores, and 0 is asked for"),
        ("lookout-n", empty.path(), &[], "libnvinfer.so.10, libnvinfer.so.11 or libtensorrt_rtx.so.1"),
        ("lookout-n", Path::new("/nowhere"), &[], "/nowhere"),
    ];
    for (model, library, flags, expected) in rows {
        let run = build(model, library, plans.path(), flags);
        assert!(run.code == 2 && run.sentence().contains(expected), "{flags:?}: {run:#?}");
        assert_eq!(files(plans.path()), [""; 0], "{flags:?}");
    }
    for (flags, expected) in [
        (&["--for", "8"][..], "a compute capability is expected, as in 8.6"),
        (&["--for", "8.66"], "as in 8.6"),
        (&[], "--for CAPABILITY"),
    ] {
        let run = Run::vigia(
            &[&["engine", "build", "lookout-n"], flags].concat().iter().map(|a| a as _).collect::<Vec<_>>(),
        );
        assert!(run.code == 2 && run.sentence().contains(expected), "{flags:?}: {run:#?}");
    }
    let run = Run::vigia(&[&"engine", &"inspect", &profile]);
    assert!(run.code == 2 && run.sentence().contains("is not a plan of vigia's"), "{run:#?}");
    let run = Run::vigia(&[&"engine", &"inspect", &"/nowhere.plan"]);
    assert!(run.code == 1 && run.sentence().contains("/nowhere.plan"), "{run:#?}");
}

/// A build of the double with a fault, up to its first progress.
fn begun(library: &Path, plans: &Path, fault: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vigia"))
        .args(["engine", "build", "lookout-n", "--for", "8.6", "--json-progress", "--models-dir"])
        .arg(root().join("models"))
        .arg("--tensorrt-dir")
        .arg(library)
        .arg("--plans-dir")
        .arg(plans)
        .env("VIGIA_NVINFER_FAULTS", fault)
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vigia starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("a line");
    assert!(first.is_empty() || first.contains("progress"), "{first}");
    (child, lines)
}

/// Exit code, what else it printed, and what it said.
fn ended(mut child: Child, mut lines: impl std::io::Read) -> (Option<i32>, String, String) {
    let (mut printed, mut said) = (String::new(), String::new());
    lines.read_to_string(&mut printed).expect("UTF-8");
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    (child.wait().expect("it ran").code(), printed, said)
}

fn pid(raw: u32) -> Pid {
    Pid::from_raw(i32::try_from(raw).expect("small")).expect("not nought")
}

#[test]
fn a_build_is_cancelled_by_a_signal_and_leaves_nothing() {
    let (library, plans) = (folder(), folder());
    let library = double(library.path());
    let (child, lines) = begun(&library, plans.path(), "slow=500");
    kill_process(pid(child.id()), Signal::TERM).expect("it lives");
    let (code, printed, said) = ended(child, lines);
    assert_eq!(code, Some(1), "{said}");
    assert!(printed.trim_end().ends_with(r#"{"event":"cancelled"}"#), "{printed}");
    assert_eq!(said.trim_end(), "vigia: the build was cancelled; nothing was written");
    assert_eq!(files(plans.path()), [""; 0]);
}

#[test]
fn a_builder_that_dies_takes_nobody_with_it() {
    let (library, plans) = (folder(), folder());
    let library = double(library.path());
    let (child, lines) = begun(&library, plans.path(), "slow=500");
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).expect("it lives");
    let builder = children.split_whitespace().next().expect("it has a child").parse().expect("a number");
    kill_process(pid(builder), Signal::KILL).expect("it lives");
    let (code, _, said) = ended(child, lines);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("vigia: the build died (signal: 9"), "{said}");
    assert_eq!(files(plans.path()), [""; 0]);
    // What the parser says of a model is said, with the node.
    let (child, lines) = begun(&library, plans.path(), "parse-error");
    let (code, _, said) = ended(child, lines);
    assert!(code == Some(2) && said.contains("the model was refused: node "), "{said}");
    let (child, lines) = begun(&library, plans.path(), "null-builder");
    let (code, _, said) = ended(child, lines);
    assert!(code == Some(2) && said.contains("starting TensorRT's builder failed"), "{said}");
}
