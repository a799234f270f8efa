//! `make gpu-check` on the double: the program itself works, and says what it did not measure.

#[path = "support/double.rs"]
mod double;
#[path = "../examples/gpu_check.rs"]
mod program;

use double::on_double;

fn run(args: &[&str]) -> Result<program::Report, String> {
    program::run(args.iter().map(|a| (*a).to_owned())).map_err(|e| e.to_string())
}

#[test]
fn all_is_checked_but_the_figures() {
    on_double(&[], || {
        let report = run(&["--frames", "500"]).expect("it runs");
        let said = &report.said;
        assert!(said.contains("no figures: this is the double of the tests"), "{said}");
        assert_eq!((said.matches("\nok    ").count(), report.failures), (17, 0), "{said}");
        assert!(said.contains("\"no leak\": true"), "{said}");
    });
}

/// A kernel that fails is not taken for one that is right.
#[test]
fn a_gpu_that_fails_is_no_success() {
    on_double(&[("VIGIA_CUDA_STICKY_AFTER", "30")], || {
        let error = run(&[]).map(|r| r.said).expect_err("the thirty-first kernel");
        assert!(error.contains("illegal memory access"), "{error}");
    });
}

#[test]
fn without_a_gpu_it_says_so() {
    on_double(&[("VIGIA_CUDA_DEVICE", "none")], || {
        let report = run(&[]).expect("no GPU is no failure");
        assert_eq!((report.said.as_str(), report.failures), ("skipped: the NVIDIA driver finds no GPU\n", 0));
        assert_eq!(run(&["--insist"]).err().as_deref(), Some("the NVIDIA driver finds no GPU"));
        assert!(run(&["--figures"]).is_err_and(|e| e.contains("expected --insist")));
    });
}
