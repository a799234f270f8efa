//! `vigia gpio watch`

use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::{Map, Value};
use vigia_core::pump::{Reading, Sensor, SensorImage};

use super::super::{Failure, print};
use super::Board;
use crate::clock;

/// A change wakes it; this is for what does not.
const EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    board: Board,
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// One JSON object for each change
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let (mut lines, stop) = super::open(&args.board)?;
    let fitted: Vec<Sensor> = lines.lines().contacts.iter().map(|contact| contact.sensor).collect();
    let until = args.seconds.map(|s| clock::now().after(Duration::from_secs(s)));
    let mut before: Option<SensorImage> = None;
    while !stop.load(Ordering::Relaxed) && until.is_none_or(|until| clock::now() < until) {
        let image = lines.contacts();
        let is_new = |sensor: &Sensor| before.is_none_or(|before| before.get(*sensor) != image.get(*sensor));
        let changed: Vec<Sensor> = fitted.iter().copied().filter(is_new).collect();
        if !changed.is_empty() {
            print(&if args.json { as_json(&image, &changed) } else { as_text(&image, &changed) })?;
        }
        before = Some(image);
        lines.wait(EVERY);
    }
    Ok(())
}

const fn word(reading: Reading) -> &'static str {
    match reading {
        Reading::Active => "active",
        Reading::Inactive => "inactive",
        Reading::Fault => "FAULT: a wire is cut or shorted",
    }
}

fn as_text(image: &SensorImage, changed: &[Sensor]) -> String {
    let line = |sensor: &Sensor| format!("{:<18} {}", sensor.name(), word(image.get(*sensor)));
    changed.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn as_json(image: &SensorImage, changed: &[Sensor]) -> String {
    let entry = |sensor: &Sensor| (sensor.name().to_owned(), serde_json::json!(image.get(*sensor)));
    Value::Object(changed.iter().map(entry).collect::<Map<_, _>>()).to_string()
}
