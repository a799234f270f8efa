//! The PTX that ships is what NVRTC makes of the source.

use std::process::Command;

const UNREACHABLE: i32 = 3;

#[test]
fn the_ptx_is_that_of_the_source() {
    let kernels = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");
    let made = Command::new("python3").arg(format!("{kernels}/make_ptx.py")).output();
    let made = made.expect("python3 is among what setup.sh installs");
    if made.status.code() == Some(UNREACHABLE) {
        eprintln!(
            "SKIPPED: NVRTC is not here and PyPI can't be reached: the PTX was not compared with its source"
        );
        return;
    }
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let ours = std::fs::read(format!("{kernels}/vigia.ptx")).expect("the PTX is committed");
    assert!(made.stdout == ours, "kernels/vigia.ptx is old: kernels/make_ptx.py > kernels/vigia.ptx");
    assert_eq!(ours.iter().filter(|b| **b == 0).count(), 0, "a NUL would end it early");
}

/// What JetPack 6 (CUDA 12.6) can read, for every GPU from Turing on.
#[test]
fn the_ptx_is_old_enough() {
    let text = include_str!("../kernels/vigia.ptx");
    assert!(text.contains("\n.version 8.5\n") && text.contains("\n.target sm_75\n"));
    for kernel in ["letterbox", "look", "head_f32", "head_f16"] {
        assert!(text.contains(&format!(".visible .entry {kernel}(")), "{kernel}");
    }
}
