//! The agent in the guest of `make test-gpio`: simulated lines, what happens to them, commands. Started by
//! systemd; all it says goes to the host over a serial port. As `vigia-lines status SOCKET` it asks `vigia-pump` how it is.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use vigia_sim::vm::guest::{self, status};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let done = match (arguments.next(), arguments.next()) {
        (Some(word), Some(socket)) if word == "status" => {
            status::ask(&PathBuf::from(socket)).map(|text| println!("{text}")).map_err(|e| e.to_string())
        }
        (Some(layout), None) => guest::run(&PathBuf::from(layout)).map_err(|e| e.to_string()),
        _ => {
            eprintln!("usage: vigia-lines LAYOUT (inside the virtual machine; vigia-vm is for people)");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("vigia-lines: {e}");
            ExitCode::FAILURE
        }
    }
}
