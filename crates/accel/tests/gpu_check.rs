//! `make gpu-check` on the double: the script itself works, and says what it did not measure.

#[path = "support/double.rs"]
mod double;

use std::path::PathBuf;
use std::process::{Command, Output};

use double::on_double;

fn gpu_check(args: &[&str]) -> Output {
    let exe = std::env::current_exe().expect("a test knows itself");
    let examples: PathBuf = exe.parent().and_then(|deps| deps.parent()).expect("target").join("examples");
    // Cargo builds examples with the tests.
    Command::new(examples.join("gpu_check")).args(args).output().expect("the example was built")
}

#[test]
fn all_is_checked_but_the_figures() {
    on_double(&[], || {
        let done = gpu_check(&["--frames", "500"]);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{text}{}", String::from_utf8_lossy(&done.stderr));
        assert!(text.contains("no figures: this is the double of the tests"), "{text}");
        assert_eq!(text.matches("\nok    ").count(), 17, "{text}");
        assert!(text.contains("\"no leak\": true"), "{text}");
    });
}

#[test]
fn without_a_gpu_it_says_so() {
    on_double(&[("VIGIA_CUDA_DEVICE", "none")], || {
        let done = gpu_check(&[]);
        assert!(done.status.success());
        assert_eq!(String::from_utf8_lossy(&done.stdout), "skipped: the NVIDIA driver finds no GPU\n");
        assert!(!gpu_check(&["--insist"]).status.success());
    });
}
