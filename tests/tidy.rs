//! Habits that a compiler does not hold: who may import whom, how long a file is, words that
//! must not land.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 420;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `dir` with one of these endings.
fn files(dir: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|w| e == *w)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    ["src", "crates", "tests", "benches", "fuzz/fuzz_targets"]
        .iter()
        .flat_map(|d| files(d, &["rs"]))
        .collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("text")
}

/// The module a file of src/ belongs to: its folder or its name.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).expect("below src");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Module → what it may import of this crate. `app`, `cli` and the like may import everything.
const LAYERS: [(&str, &[&str]); 19] = [
    ("clock", &[]),
    ("frame", &[]),
    ("logging", &["clock"]),
    ("liveness", &[]),
    ("notify", &[]),
    ("camera", &["clock", "frame", "liveness::Pulse"]),
    ("detect", &["clock", "frame", "camera::latest", "liveness::Pulse"]),
    ("golden", &["frame"]),
    ("engines", &["detect", "golden"]),
    ("mqtt", &["liveness::Pulse"]),
    ("config", &[]),
    ("control", &[]),
    ("fire", &["clock", "detect::Detected", "link", "liveness", "mqtt", "wire::Identity", "{clock, link}"]),
    ("provision", &["config", "detect::manifest", "update"]),
    ("support", &["clock", "config", "update"]),
    ("telemetry", &["detect::Detected"]),
    ("throttle", &[]),
    ("update", &["clock"]),
    ("wire", &["clock"]),
];

#[test]
fn modules_import_only_what_lies_below() {
    for path in files("src", &["rs"]) {
        let module = module(&path);
        let Some((_, allowed)) = LAYERS.iter().find(|(m, _)| *m == module) else { continue };
        let text = text(&path);
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in product.lines().filter_map(|l| l.trim().strip_prefix("use crate::")) {
            let fine = allowed.iter().any(|a| line.starts_with(a)) || line.starts_with(&module);
            assert!(fine, "{}: `use crate::{line}` is not in its layer", path.display());
        }
    }
}

#[test]
fn core_and_accel_know_nobody() {
    let bans = [
        ("crates/core", "vigia_accel"),
        ("crates/accel", "vigia_core"),
        ("crates/sim", "vigia_accel"),
        ("crates/pump", "vigia_accel"),
        // The hand has no MQTT, no GStreamer and no database.
        ("crates/pump", "paho"),
        ("crates/pump", "gstreamer"),
        ("crates/pump", "rusqlite"),
    ];
    for (dir, banned) in bans {
        for path in files(dir, &["rs", "toml"]) {
            assert!(!text(&path).contains(banned), "{} knows {banned}", path.display());
        }
    }
    let core = text(&root().join("crates/core/src/lib.rs"));
    assert!(core.contains("#![no_std]") && core.contains("#![forbid(unsafe_code)]"));
    for lib in ["src/lib.rs", "crates/sim/src/lib.rs", "crates/pump/src/lib.rs"] {
        assert!(text(&root().join(lib)).contains("#![forbid(unsafe_code)]"), "{lib}");
    }
}

#[test]
fn files_stay_readable() {
    for path in sources() {
        let lines = text(&path).lines().count();
        // Tables make tests long, not hard.
        let tests = path.components().any(|c| c.as_os_str() == "tests");
        assert!(
            lines <= LINES_MAX || (tests && lines <= 600),
            "{} has {lines} lines; split it",
            path.display()
        );
    }
}

#[test]
fn banned_words_stay_out() {
    // Written in two parts, so that this file does not contain them.
    let banned = [
        ("FIX", "ME", "finish it, or write it into the issue"),
        ("TO", "DO", "finish it, or write it into the issue"),
        ("dbg", "!(", "log it with fields"),
        ("todo", "!(", "not merged"),
        ("unimplemented", "!(", "not merged"),
        ("#[ign", "ore]", "a test runs or does not exist"),
    ];
    for path in sources() {
        let text = text(&path);
        for (a, b, instead) in banned {
            let word = format!("{a}{b}");
            let found = text.lines().position(|l| l.contains(&word));
            assert!(found.is_none(), "{}:{}: {word}: {instead}", path.display(), found.unwrap_or(0) + 1);
        }
    }
}

#[test]
fn unsafe_is_fenced() {
    for path in sources().iter().filter(|p| !p.starts_with(root().join("crates/accel"))) {
        let offence = text(path)
            .lines()
            .any(|l| !l.trim_start().starts_with("//") && l.contains(concat!("unsafe", " {")));
        assert!(!offence, "{}: unsafe code belongs into crates/accel", path.display());
    }
}

#[test]
fn every_file_that_people_edit_loads() {
    for path in files("configs", &["yaml"]).iter().filter(|p| p.ends_with("site.example.yaml")) {
        vigia::config::load(None, Some(path), std::iter::empty(), Vec::new())
            .unwrap_or_else(|e| panic!("{e}"));
    }
    for path in files("hardware", &["yaml"]) {
        vigia::config::load(Some(&path), None, std::iter::empty(), Vec::new())
            .unwrap_or_else(|e| panic!("{e}"));
    }
    for path in files("models", &["yaml"]) {
        vigia::detect::manifest::Manifest::read(&path).unwrap_or_else(|e| panic!("{e}"));
    }
    for path in files("engines", &["yaml"]) {
        vigia::engines::recipe::Recipe::load(&path).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// How many hazards and invariants there are of each kind: spec 2.7 and 3.10, reliability 3.3
/// and 4.3. Of those of cameras, broker and commands (S) there may be more.
const IDS: [(&str, usize); 4] = [("C", 12), ("P-H", 30), ("R-H", 32), ("I", 23)];

/// The kind and number of a row of SAFETY.md that stands for a hazard or an invariant.
fn id(row: &str) -> Option<(&str, usize)> {
    let id = row.strip_prefix("| ")?.split(" |").next()?;
    let (kind, number) = id.split_at(id.find(|c: char| c.is_ascii_digit())?);
    Some((kind, number.parse().ok()?))
}

/// Each hazard stands in one row of SAFETY.md, which names tests that exist or says what is open.
#[test]
fn every_hazard_has_its_test() {
    let tests: String = sources().iter().map(|p| text(p)).collect();
    let safety = text(&root().join("SAFETY.md"));
    let rows: Vec<_> = safety.lines().filter_map(|row| Some((id(row)?, row))).collect();
    for (_, row) in &rows {
        let last = row.rsplit('|').nth(1).unwrap_or_default();
        let names: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() || last.contains("open: "), "{row} names no test");
        for name in names {
            assert!(tests.contains(&format!("fn {name}(")), "SAFETY.md names {name}, which does not exist");
        }
    }
    for (kind, count) in IDS {
        let numbers = rows.iter().filter(|((k, _), _)| *k == kind).map(|((_, number), _)| *number);
        assert!(numbers.eq(1..=count), "SAFETY.md: {kind}1 to {kind}{count}, each once and in order");
    }
    let strange = rows.iter().find(|((k, _), _)| *k != "S-" && IDS.iter().all(|(kind, _)| k != kind));
    assert!(strange.is_none(), "{strange:?} is of no kind");
    let of_cameras = rows.iter().filter(|((k, _), _)| *k == "S-");
    let numbers: Vec<_> = of_cameras.map(|((_, number), _)| *number).collect();
    assert!(numbers.len() >= 17 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}
