//! Ten thousand messages a second on the command topic, most of them nonsense.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use vigia::clock;

use super::SEED;
use super::packets;
use super::record::{COMMANDS, DETECTIONS, Record};
use super::site::{FPS, Site};
use super::spread::Spread;
use crate::broker::wait_for;

const ROOMS: [u32; 4] = [0, 1, 2, 3];
const PER_SECOND: usize = 10_000;
/// Messages are sent in bursts.
const BURST: usize = 100;
/// Larger than any command may be.
const OVERSIZED: usize = 100 * 1024;
/// Nested deeper than any command may be.
const DEPTH: usize = 2_000;

/// Floods a busy box for `span`; detections are to come as before.
pub fn flood(models: &Path, span: Duration) -> Value {
    let Some(mut site) = Site::start(models, &ROOMS, "") else { return Value::Null };
    // Only detections are recorded: to read the flood back would be a second one.
    site.record = Record::start(site.broker.port, "flooded", &format!("{DETECTIONS}+"));
    let before = site.steady(span);
    let (quiet, memory) = (Spread::of(before.gaps.iter().copied()), site.vigia.rss_mib());
    let bursts = bursts();
    let (sent, flooded) = pour(&mut site, &bursts, span);
    let mut memory = vec![memory, site.vigia.rss_mib()];
    let answers_again = until_answered(&mut site);
    memory.push(site.vigia.rss_mib());
    // Of the frames that are looked at: cameras bring more than a busy engine takes.
    let interval = quiet.p50.max(1e3 / f64::from(FPS));
    let later = (flooded.p99 - quiet.p99, flooded.max - quiet.max);
    json!({
        "seconds": span.as_secs_f64(), "sent_per_s": sent, "load": before.load,
        "before_gap_ms": quiet, "gap_ms": flooded, "later_ms": { "p99": later.0, "max": later.1 },
        "limit_later_ms": interval, "is_met": later.0 <= interval && later.1 <= interval,
        "answers_again_after_s": answers_again, "rss_mib": memory,
    })
}

/// Sends the bursts in turn, at their pace; messages per second, and the gaps meanwhile.
fn pour(site: &mut Site, bursts: &[Vec<u8>], span: Duration) -> (f64, Spread) {
    let from = site.record.arrivals.len();
    let (start, every) =
        (clock::now(), Duration::from_secs(1) / u32::try_from(PER_SECOND / BURST).expect("small"));
    let (mut due, mut sent) = (start, 0);
    while clock::now().since(start) < span {
        site.push(&bursts[sent / BURST % bursts.len()]);
        sent += BURST;
        due = due.after(every);
        site.record.rest(due.since(clock::now()));
    }
    let seconds = clock::now().since(start).as_secs_f64();
    let steady = super::record::gaps(&site.record.arrivals[from..]);
    (sent as f64 / seconds, Spread::of(steady.into_values().flatten()))
}

/// Seconds until a question is answered. Those asked while the rest of the flood is still being read
/// may be lost with it.
fn until_answered(site: &mut Site) -> f64 {
    site.record = Record::start(site.broker.port, "after", "nvr/control/status/bench/ack");
    let since = clock::now();
    wait_for("an answer after the flood", Duration::from_secs(120), || {
        site.try_ask("ping", &json!({}), Duration::from_millis(500)).is_some()
    });
    clock::now().since(since).as_secs_f64()
}

/// A second's worth of packets, made before the clock runs.
fn bursts() -> Vec<Vec<u8>> {
    let mut random = Rng::with_seed(SEED);
    let mut burst = || (0..BURST).flat_map(|_| packets::publish(COMMANDS, &message(&mut random))).collect();
    (0..PER_SECOND / BURST).map(|_| burst()).collect()
}

/// What a broken or hostile sender may say. Of a hundred messages forty are proper questions.
fn message(random: &mut Rng) -> Vec<u8> {
    match random.u8(..100) {
        0..40 => json!({ "command": "ping" }).to_string().into_bytes(),
        40..60 => b"{\"command\":\"pau".to_vec(),
        60..70 => json!({ "command": "no_such_command", "params": { "a": 1 } }).to_string().into_bytes(),
        70..80 => vec![0xC3, 0x28, 0xFF, 0xFE, 0x00],
        80..90 => (0..200).map(|_| random.u8(..)).collect(),
        90..99 => deep(),
        _ => vec![b' '; OVERSIZED],
    }
}

fn deep() -> Vec<u8> {
    format!("{{\"command\":\"ping\",\"params\":{}{}}}", "[".repeat(DEPTH), "]".repeat(DEPTH)).into_bytes()
}
