//! The agent in the guest of `make test-gpio`: simulated lines, what happens to them, commands. Started by
//! systemd; all it says goes to the host over a serial port.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(layout) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: vigia-lines LAYOUT (inside the virtual machine; vigia-vm is for people)");
        return ExitCode::from(2);
    };
    match vigia_sim::vm::guest::run(&layout) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("vigia-lines: {e}");
            ExitCode::FAILURE
        }
    }
}
