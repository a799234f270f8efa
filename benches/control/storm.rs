//! A hundred thousand commands, right and wrong, in disorder and twice, from several clients, while the
//! broker is restarted and the process is killed; a reference says throughout what must be so.

#[path = "../../tests/support/storm.rs"]
mod weather;

use std::path::Path;

use serde_json::Value;

/// Of a hundred thousand commands.
const BROKER_RESTARTS: usize = 20;
const KILLS: usize = 40;
const EACH: usize = 100_000;
const WINDOW: usize = 48;
const PATIENT: u32 = 10;
const CALM_EVERY: usize = 2_000;
const TRAIL: usize = 100;

/// As fast as the box takes them. STORM_SEED goes before the bench's own seed.
pub fn storm(models: &Path, commands: usize, seed: u64) -> Value {
    let seed = std::env::var("STORM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
    let plan = weather::Plan {
        models,
        seed,
        commands,
        broker_restarts: (BROKER_RESTARTS * commands / EACH).max(1),
        kills: (KILLS * commands / EACH).max(1),
        window: WINDOW,
        patient: PATIENT,
        calm_every: CALM_EVERY,
        log: "error",
        trail: TRAIL,
    };
    let Some(report) = weather::rage(&plan) else { return Value::Null };
    if let Some(mismatch) = report.mismatch {
        eprintln!("{mismatch}");
    }
    report.figures
}
