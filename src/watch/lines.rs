//! The model's changes, one line each: for pipes, files and logs.

use std::collections::BTreeMap;
use std::time::Duration;

use vigia_core::event::DetectionEvent;
use vigia_core::time::Instant;

use super::instance::Instance;
use super::model::{Change, Model};
use super::words::{clock_time, counted, number};
use crate::mqtt::Link;

/// A camera's detections are told at most this often.
const CAMERA_EVERY: Duration = Duration::from_secs(1);
const SUMMARY_EVERY: Duration = Duration::from_secs(10);
/// Detections named in one line.
const NAMED_LEN_MAX: usize = 20;

/// What was told already.
#[derive(Debug)]
pub struct Lines {
    cameras: BTreeMap<(String, u32), Instant>,
    summary_due: Instant,
    link: Option<String>,
}

impl Lines {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { cameras: BTreeMap::new(), summary_due: now.after(SUMMARY_EVERY), link: None }
    }

    /// The first line.
    #[must_use]
    pub fn opening(model: &Model) -> String {
        format!(
            "watching {}, times in UTC; the raw messages: {}",
            model.broker.address, model.broker.raw_command
        )
    }

    /// Lines for what [`Model::apply`] changed.
    #[must_use]
    pub fn changes(&mut self, now: Instant, model: &Model, changes: &[Change]) -> Vec<String> {
        changes.iter().filter_map(|change| self.change(now, model, change)).collect()
    }

    /// A line if the link is not what it was.
    #[must_use]
    pub fn link(&mut self, now: Instant, model: &Model) -> Option<String> {
        let text = link(model);
        // While attempts fail for one reason, it is told once.
        let repeated = matches!(model.link, Link::Connecting) && self.link.is_some();
        if repeated || self.link.as_ref() == Some(&text) {
            return None;
        }
        let line = format!("{} broker {text}", clock_time(model.wall(now)));
        self.link = Some(text);
        Some(line)
    }

    /// When [`Lines::summary`] is due.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.summary_due
    }

    /// The summary, if it is due.
    #[must_use]
    pub fn summary(&mut self, now: Instant, model: &Model) -> Option<String> {
        if now < self.summary_due {
            return None;
        }
        self.summary_due = now.after(SUMMARY_EVERY);
        // Also the bound of what is remembered: rates are of the last second.
        self.cameras.retain(|_, told| now.since(*told) < CAMERA_EVERY);
        let [running, cameras] = cameras(now, model);
        let c = &model.counts;
        let mut parts = vec![
            format!("broker {}", link(model)),
            instances(model),
            format!("{running} of {} running", counted(cameras, "camera")),
            format!("{}, {} with detections", counted(c.events, "event"), c.with_detections),
        ];
        parts.extend(troubles(model));
        Some(format!("{} summary: {}", clock_time(model.wall(now)), parts.join("; ")))
    }

    fn change(&mut self, now: Instant, model: &Model, change: &Change) -> Option<String> {
        let time = clock_time(model.wall(now));
        match change {
            Change::Status { instance } => {
                Some(format!("{time} {instance}: {}", status(model.instances.get(instance)?)?))
            }
            Change::Forgotten { instance } => Some(format!("{time} {instance}: removed from the broker")),
            Change::Camera { instance, source_id } => {
                let state = model.instances.get(instance)?.cameras.get(source_id)?.state.as_ref()?;
                let detail =
                    if state.detail.is_empty() { String::new() } else { format!(", {}", state.detail) };
                Some(format!("{time} room {source_id} {instance}: {}{detail}", state.name))
            }
            Change::Detections { instance, source_id } => self.detections(now, model, instance, *source_id),
            // The first, then ever more rarely: the summary counts them.
            Change::NotUnderstood if model.counts.not_understood.is_power_of_two() => {
                Some(format!("{time} not understood: {}", model.last_unclear.as_ref()?))
            }
            Change::NotUnderstood => None,
            Change::Board { line } => Some(format!("{time} {line}")),
        }
    }

    fn detections(&mut self, now: Instant, model: &Model, instance: &str, source_id: u32) -> Option<String> {
        let key = (instance.to_owned(), source_id);
        if self.cameras.get(&key).is_some_and(|told| now.since(*told) < CAMERA_EVERY) {
            return None;
        }
        let of = model.instances.get(instance)?;
        let camera = of.cameras.get(&source_id)?;
        let line = of.newest(now, source_id, |e| {
            let fps = camera.fps(e, now).map(|v| format!(" {} fps", number(v.into(), 1)));
            let latency = e.latency_ms.map(|v| format!(" {} ms", number(v.into(), 0)));
            let (fps, latency) = (fps.unwrap_or_default(), latency.unwrap_or_default());
            format!("{} room {source_id} {instance}{fps}{latency}: {}", clock_time(e.timestamp), named(e))
        })?;
        self.cameras.insert(key, now);
        Some(line)
    }
}

/// `person 0.92, car 0.61`
fn named(event: &DetectionEvent) -> String {
    let all = &event.detections;
    let shown: Vec<_> = all
        .iter()
        .take(NAMED_LEN_MAX)
        .map(|d| format!("{} {}", d.class_name, number(d.confidence.into(), 2)))
        .collect();
    let more = all.len().saturating_sub(NAMED_LEN_MAX);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn status(instance: &Instance) -> Option<String> {
    let told = instance.status.as_ref()?;
    let mut text = status_words(instance);
    if !instance.is_gone() {
        let engine = &instance.engine;
        if let Some(name) = &engine.name {
            text.push_str(&format!(", {name}"));
        }
        if let Some(mode) = &engine.mode {
            text.push_str(&format!(" ({mode})"));
        }
        if let Some(model) = &engine.model_id {
            text.push_str(&format!(", {model}"));
        }
    }
    if told.retained {
        text.push_str(" [kept by the broker]");
    }
    Some(text)
}

/// The status with its reason, as both views name it.
pub(super) fn status_words(instance: &Instance) -> String {
    match &instance.status {
        None => "no status".to_owned(),
        // Rare, and worse than whatever it says to do.
        Some(told) if !told.what.stalled.is_empty() => {
            format!("{}, stalled: {}", told.what.status, told.what.stalled.join(", "))
        }
        Some(told) => match told.what.reason.as_deref() {
            Some("lwt") => format!("{} (vanished without a goodbye)", told.what.status),
            Some(reason) => format!("{} ({reason})", told.what.status),
            None => told.what.status.clone(),
        },
    }
}

/// The link with its cause.
fn link(model: &Model) -> String {
    match (&model.link, model.why_down()) {
        (Link::Connected { .. }, _) => "connected".to_owned(),
        (Link::Connecting, None) => "connecting".to_owned(),
        (Link::Down { cause }, _) | (Link::Connecting, Some(cause)) => format!("not connected, {cause}"),
    }
}

/// What went wrong on the way here, if anything.
pub(super) fn troubles(model: &Model) -> Vec<String> {
    let c = &model.counts;
    let unclear =
        (c.not_understood > 0).then(|| format!("{} not understood", counted(c.not_understood, "message")));
    let lost = (c.lost > 0).then(|| format!("{} lost, too many to take", counted(c.lost, "message")));
    unclear.into_iter().chain(lost).collect()
}

/// How many instances there are, and how many of them are gone.
pub(super) fn instances(model: &Model) -> String {
    let gone = model.instances.values().filter(|i| i.is_gone()).count();
    let gone = if gone > 0 { format!(" ({gone} disconnected)") } else { String::new() };
    format!("{}{gone}", counted(model.instances.len() as u64, "instance"))
}

/// How many cameras run, of how many.
pub(super) fn cameras(now: Instant, model: &Model) -> [u64; 2] {
    let mut counts = [0, 0];
    for instance in model.instances.values() {
        for (_, camera) in instance.shown_cameras(now) {
            let runs = camera.state.as_ref().is_some_and(|s| s.name == "running") && !instance.is_gone();
            counts[0] += u64::from(runs);
            counts[1] += 1;
        }
    }
    counts
}
