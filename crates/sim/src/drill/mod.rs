//! The drill: from the light of a fire to water, live and measured.
//!
//! ```text
//! scene ─► two RTSP cameras ─► vigia: detector ─► consensus ─► vigia-pump ─► simulated plant
//!   │            │ departures      │ detections      │ fire/trigger   │ gpio/status
//!   └─ labels ───┴──► glass        └────────────► subscriber ◄────────┘
//! ```
//!
//! Glass is when the first packet of a frame left the server whose scene has, by its own labels, a fire
//! of [`SHARE_LEAST`] of the picture. All else is when a subscriber of the broker heard of it: what
//! is measured contains the network that an operator has, too.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use crate::departure::{Departure, now};
use crate::live::{self, Broker, Children, Ears, Folder, Pump, Site};
use crate::stage::Stage;
use crate::{Mount, RtspServer};

mod glass;
mod replay;
mod story;
mod table;

#[cfg(test)]
mod tests;

pub use glass::SHARE_LEAST;
pub use story::Story;
pub use table::{Stage as Step, Times, table};

use story::Vote;

/// Cameras that must agree.
const CAMERAS: usize = 2;
/// Until all programs run.
const READY_MAX: Duration = Duration::from_secs(90);
/// How long water is watched when it has come.
const AFTERWARDS: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
/// What a subscriber needs to see all of the story.
const FILTERS: [&str; 5] =
    ["nvr/detections/+", "nvr/control/status/+", "fire/trigger", "system/trigger_telemetry", "gpio/status"];
const INSTANCE: &str = "drill";

/// How a drill is run.
#[derive(Debug, Clone)]
pub struct Options {
    pub model: String,
    pub models_dir: PathBuf,
    pub folder: PathBuf,
    /// From the scene's beginning to water, at most.
    pub limit: Duration,
    /// Ends the round, and all its programs.
    pub stop: Arc<AtomicBool>,
}

/// One round, seen from its end.
#[derive(Debug, Clone)]
pub struct Round {
    pub times: Times,
    pub story: Story,
    /// Why it was no good, if it was not.
    pub failed: Option<String>,
}

/// Runs one round with programs that were never started before.
///
/// # Errors
/// One sentence, if it can't be run at all. A fire that brings no water is a [`Round`].
pub fn run(options: &Options) -> Result<Round, String> {
    live::model_is_there(&options.models_dir, &options.model)?;
    let folder = Folder::new(&options.folder)?;
    let server = RtspServer::start().map_err(|e| e.to_string())?;
    let mut children = Children::default();
    let broker = Broker::start(&mut children, &folder)?;
    let ears = Ears::open(broker.port, &FILTERS)?;
    let cameras = cameras(&server)?;
    let urls: Vec<String> = cameras.iter().map(|camera| camera.mount.url().to_owned()).collect();
    let site = Site {
        instance: INSTANCE,
        model: &options.model,
        models_dir: &options.models_dir,
        urls: &urls,
        fire: json!({ "cameras_needed": CAMERAS, "confidence": live::CONFIDENCE }),
    };
    let site = folder.site(&site, &broker)?;
    Pump::start(&mut children, &folder, &site)?;
    folder.vigia(&mut children, &site, &broker)?;
    let mut story = Story::default();
    get_ready(&mut story, &ears, &mut children, &options.stop)?;
    let begun = now();
    cameras.iter().for_each(|camera| camera.mount.begin_scene());
    let failed = watch(&mut story, &ears, &mut children, begun.after(options.limit), &options.stop)?;
    story.votes = votes(&broker, &folder)?;
    drop(children);
    Ok(judge(begun, story, &cameras, failed))
}

/// Waits until vigia looks at all cameras and the pump is at rest.
fn get_ready(
    story: &mut Story,
    ears: &Ears,
    children: &mut Children,
    stop: &AtomicBool,
) -> Result<(), String> {
    let until = now().after(READY_MAX);
    while !story.is_ready(CAMERAS) {
        alive(children, stop)?;
        if now() > until {
            return Err(format!(
                "vigia and vigia-pump are not ready after {} s; see the logs in the drill's folder",
                READY_MAX.as_secs()
            ));
        }
        if let Some(heard) = ears.next(LOOK)? {
            story.hear(&heard);
        }
    }
    Ok(())
}

/// The scene waits: nothing burns in its first second, and what moves in it proves that the cameras see.
fn cameras(server: &RtspServer) -> Result<Vec<Camera>, String> {
    (0..CAMERAS)
        .map(|camera| {
            let stage = Stage { camera, ..live::FIRE };
            let mount = server.add(&live::path(camera), live::camera(stage)).map_err(|e| e.to_string())?;
            mount.hold_scene();
            Ok(Camera { stage, departures: mount.departures(), mount })
        })
        .collect()
}

struct Camera {
    stage: Stage,
    departures: std::sync::mpsc::Receiver<Departure>,
    mount: Mount,
}

/// Listens until water has come, or can't. Says why it did not.
fn watch(
    story: &mut Story,
    ears: &Ears,
    children: &mut Children,
    until: Instant,
    stop: &AtomicBool,
) -> Result<Option<String>, String> {
    loop {
        let now = now();
        if story.water.is_some_and(|at| now > at.after(AFTERWARDS)) {
            return Ok(None);
        }
        if story.water.is_none() && now > until {
            return Ok(Some(format!("no water came: {}", story.farthest())));
        }
        alive(children, stop)?;
        if let Some(heard) = ears.next(LOOK)? {
            story.hear(&heard);
        }
    }
}

fn alive(children: &mut Children, stop: &AtomicBool) -> Result<(), String> {
    if stop.load(Ordering::Relaxed) {
        return Err("interrupted".to_owned());
    }
    match children.ended()? {
        Some((name, status)) => {
            Err(format!("{name} ended with {status}; see the logs in the drill's folder"))
        }
        None => Ok(()),
    }
}

/// Asks vigia when which camera voted; the whole answer is kept for whoever wants to know why not.
fn votes(broker: &Broker, folder: &Folder) -> Result<Vec<Vote>, String> {
    let mut command = Command::new(live::program("vigia")?);
    command.args(["why", "--json", "--limit", "400", "--instance", INSTANCE, "--mqtt-host", "127.0.0.1"]);
    command.args(["--mqtt-port", &broker.port.to_string()]).stderr(Stdio::null());
    broker.log_in(&mut command);
    let (asked, utc) = (now(), wall());
    let output = command.output().map_err(|e| format!("vigia why can't be asked: {e}"))?;
    folder.write("why.json", &String::from_utf8_lossy(&output.stdout))?;
    let answer = output.stdout.split(|b| *b == b'\n').find_map(|line| {
        let answer: Value = serde_json::from_slice(line).ok()?;
        answer.get("records")?.as_array().cloned()
    });
    Ok(story::votes(&answer.unwrap_or_default(), asked, utc))
}

#[expect(clippy::disallowed_methods, reason = "vigia tells its reasons by the wall clock")]
fn wall() -> Utc {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Utc::from_unix_ns(i128::try_from(since.as_nanos()).unwrap_or_default())
}

/// Looks for the glass, now that nobody needs the processor.
fn judge(begun: Instant, mut story: Story, cameras: &[Camera], failed: Option<String>) -> Round {
    let departures = cameras.iter().map(|camera| (camera.stage, camera.departures.try_iter().collect()));
    let departures: Vec<(Stage, Vec<Departure>)> = departures.collect();
    story.begun = begun;
    story.glass = departures.iter().filter_map(|(stage, frames)| glass::first(*stage, frames)).collect();
    story.glass.sort_unstable();
    let late = departures.iter().find_map(|(stage, frames)| glass::late(*stage, frames));
    let times = Times::of(&story);
    let failed = failed.or(late).or_else(|| times.is_none().then(|| "no frame shows a fire".to_owned()));
    Round { times: times.unwrap_or_default(), story, failed }
}

/// The round as a picture.
///
/// # Errors
/// One sentence.
pub fn svg(round: &Round) -> Result<String, String> {
    Ok(crate::plot::svg(&round.times.sentence(), &replay::samples(&round.story)?))
}

/// Writes the picture of a round.
///
/// # Errors
/// One sentence.
pub fn draw(round: &Round, path: &Path) -> Result<(), String> {
    std::fs::write(path, svg(round)?).map_err(|e| format!("{} can't be written: {e}", path.display()))
}
