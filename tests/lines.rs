//! The programs on lines of a real kernel, in a virtual machine: the short form of `make test-gpio`.

#[path = "support/shared.rs"]
mod shared;

use std::path::Path;
use std::process::Command;

/// A boot, a run, a stop, deaths of vigia-pump and of the power. The rows are told as they come.
#[test]
fn the_programs_hold_on_lines_of_a_real_kernel() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let floor = project.join(".cache/vm");
    if !floor.join("key").exists() {
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let can_build = cfg!(target_arch = "x86_64") && release.lines().any(|line| line == "ID=debian");
        assert!(!can_build, "tests/vm/build.sh has not built the machine; `make test` calls it");
        return shared::skipped("the machine is built from Debian's packages, on x86_64");
    }
    let program = Path::new(env!("CARGO_BIN_EXE_vigia")).with_file_name("vigia-vm");
    let work = shared::folder();
    let mut trials = Command::new(program);
    trials.args(["trials", "--short", "--project"]).arg(project);
    trials.arg("--floor").arg(floor).arg("--work").arg(work.path());
    trials.arg("--board").arg(project.join("hardware/virtual.yaml"));
    assert!(trials.status().expect("it was built with this test").success(), "see the rows above");
}
