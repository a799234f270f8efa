//! How late the guest wakes: what the emulator, or the kernel under it, adds to anything measured in here.

use std::sync::Arc;

use rustix::thread::{ClockId, Timespec, clock_nanosleep_absolute};

use super::port::Port;
use super::{Answer, now, thread};
use crate::vm::wire::Spread;

const SLEEP_NS: u64 = 1_000_000;
/// Two minutes.
const SAMPLES_LEN_MAX: u32 = 120_000;

/// Measures, and answers at the end. Same priority as the agent's.
pub fn start(port: &Arc<Port>, number: u32, samples: u32) {
    let thread_port = Arc::clone(port);
    let started = thread("jitter", move || {
        let answer = Answer::Jitter(measure(samples.clamp(1, SAMPLES_LEN_MAX)));
        thread_port.answer(number, now(), answer);
    });
    if let Err(e) = started {
        port.answer(number, now(), Answer::Refused(e.to_string()));
    }
}

fn measure(samples: u32) -> Spread {
    let mut late: Vec<u64> = (0..samples).map(|_| late_by()).collect();
    late.sort_unstable();
    let rank = |per_mille: usize| {
        let place = (late.len() * per_mille).div_ceil(1000).max(1);
        late.get(place - 1).copied().unwrap_or_default()
    };
    Spread { samples, p50: rank(500), p99: rank(990), p999: rank(999), max: rank(1000) }
}

fn late_by() -> u64 {
    let until = now().0 + SLEEP_NS;
    let (s, ns) = (until / 1_000_000_000, until % 1_000_000_000);
    let at = Timespec { tv_sec: i64::try_from(s).unwrap_or(0), tv_nsec: i64::try_from(ns).unwrap_or(0) };
    while clock_nanosleep_absolute(ClockId::Monotonic, &at).is_err() {}
    now().0.saturating_sub(until)
}
