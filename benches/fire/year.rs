//! A year of the whole box under virtual time.

use serde_json::{Value, json};
use vigia::clock;
use vigia_sim::trial::{Options, year as trial};

const YEAR_DAYS: f64 = 365.0;
const WANT_S: f64 = 60.0;

pub fn year(seed: u64, days: usize) -> Value {
    let days = u32::try_from(days).expect("a year or less");
    let begun = clock::now();
    let report = trial::run(seed, days, &Options::default());
    let seconds = clock::now().since(begun).as_secs_f64();
    if !report.is_sound() {
        eprintln!("{report}");
    }
    let whole = seconds * YEAR_DAYS / f64::from(days);
    let counts = report.counts;
    json!({
        "days": days, "simulated_s": report.simulated.as_secs_f64(), "seconds": seconds, "seconds_of_a_year": whole,
        "is_sound": report.is_sound(), "steps": counts.steps, "pump_steps": counts.pump_steps, "fires": counts.fires,
        "confirmed": counts.confirmed, "engine_starts": counts.runs, "faults": counts.faults, "deaths": counts.deaths,
        "want": { "seconds_of_a_year_below": WANT_S }, "is_met": report.is_sound() && whole < WANT_S,
    })
}
