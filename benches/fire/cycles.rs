//! How late the pump program's cycles begin, with the priority that its unit gives it: beside idle cores, and beside
//! cores that others keep busy. By its own histogram, as it is published.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use vigia_core::link::Status;

use super::link::Client;
use super::plant::Pump;
use crate::control::spread::Progress;

/// R-H29, I23.
const WANT_P999_US: u32 = 20_000;
/// Of its unit.
const PRIORITY: &str = "50";

pub fn cycles(count: usize) -> Value {
    let idle = lateness("idle", count, 0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let busy = lateness("busy", count, cores);
    let is_met = [&idle, &busy].iter().all(|s| s.realtime && s.late_us_p999 <= WANT_P999_US);
    json!({
        "idle": told(&idle), "busy": told(&busy),
        "want": { "late_us_p999_at_most": WANT_P999_US },
        "is_met": is_met,
    })
}

fn told(status: &Status) -> Value {
    json!({
        "cycles": status.cycles, "realtime": status.realtime, "memory_locked": status.memory_locked,
        "late_us_p999": status.late_us_p999, "late_us_max": status.late_us_max, "late_cycles": status.late_cycles,
    })
}

/// The status of a program that has had so many cycles, beside so many others that never rest.
fn lateness(what: &'static str, count: usize, others: usize) -> Status {
    let _others: Vec<Busy> = (0..others).map(|_| Busy::start()).collect();
    let pump = Pump::start_as(&["chrt", "-f", PRIORITY]);
    let (mut client, _) = Client::greet(&pump.socket());
    let mut progress = Progress::start(what, count);
    loop {
        // Who is silent is hung up on.
        client.say_alive();
        let status = client.status(|_| true);
        let done = usize::try_from(status.cycles).unwrap_or(count).min(count);
        progress.is_at(done);
        if done == count {
            return status;
        }
    }
}

/// Keeps a core busy for as long as it lives.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        let spin = Command::new("sh").args(["-c", "while :; do :; done"]).stdout(Stdio::null()).spawn();
        Self(spin.expect("a shell"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
