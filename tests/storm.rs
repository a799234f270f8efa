//! Four hundred commands out of a seed, right and wrong, in disorder and twice, from several clients, while
//! the broker is restarted and the process is killed. Each gets one final answer, and the state is that
//! of a reference throughout. STORM_SEED=17 is another storm, STORM_TRAIL=1000 shows more of one that went
//! wrong; `BENCH=control STEPS=storm` is the long one.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/storm.rs"]
mod storm;

use std::path::Path;

const SEED: u64 = 1;
const TRAIL: usize = 30;

#[test]
fn a_storm_leaves_nothing_unanswered_and_nothing_wrong() {
    let seed = number("STORM_SEED").unwrap_or(SEED);
    let trail = number("STORM_TRAIL").and_then(|len| usize::try_from(len).ok()).unwrap_or(TRAIL);
    let plan = storm::Plan {
        models: Path::new("models"),
        seed,
        commands: 400,
        broker_restarts: 2,
        kills: 3,
        window: 12,
        patient: 3,
        calm_every: 100,
        log: "info",
        trail,
    };
    let Some(report) = storm::rage(&plan) else { return };
    println!("{:#}", report.figures);
    if let Some(mismatch) = report.mismatch {
        panic!("STORM_SEED={seed}: {mismatch}");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}
