//! What the box knows of its own work: rates and latencies per source, over the last 64 frames
//! (spec nvr 1.5). It reports, it never judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use vigia_core::event::Utc;
use vigia_core::time::Instant;
use vigia_core::window::{Rate, Window};

use crate::detect::Detected;

/// Shared between the inference thread, which writes, and the reporter, which reads.
#[derive(Debug, Clone, Default)]
pub struct Telemetry(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    all: Rate,
    last: Option<Instant>,
    sources: BTreeMap<u32, Source>,
}

#[derive(Debug, Default)]
struct Source {
    rate: Rate,
    latency_ms: Window<f32>,
    inference_ms: Window<f32>,
    /// Of the last frame, in pixels.
    size: (u32, u32),
}

/// What an event says of its source.
#[derive(Debug, Clone, Copy)]
pub struct Pulse {
    pub fps: Option<f32>,
    pub latency_ms: f32,
}

impl Telemetry {
    /// Notes a processed frame at `now`.
    pub fn note(&self, detected: &Detected, now: Instant) -> Pulse {
        let latency_ms = now.since(detected.captured_at).as_secs_f32() * 1e3;
        let mut inner = self.0.lock();
        inner.all.tick(now);
        inner.last = Some(now);
        let source = inner.sources.entry(detected.source_id).or_default();
        source.rate.tick(now);
        source.latency_ms.push(latency_ms);
        source.inference_ms.push(detected.inference.as_secs_f32() * 1e3);
        source.size = (detected.width, detected.height);
        Pulse { fps: source.rate.per_second(now).map(two_places), latency_ms: two_places(latency_ms) }
    }

    /// Forgets streams that are gone.
    pub fn keep(&self, ids: &[u32]) {
        self.0.lock().sources.retain(|id, _| ids.contains(id));
    }

    /// Since a frame of any source was last processed.
    #[must_use]
    pub fn last_frame_age(&self, now: Instant) -> Option<std::time::Duration> {
        self.0.lock().last.map(|last| now.since(last))
    }

    /// Whether any frame was processed.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        self.0.lock().last.is_some()
    }

    /// Frames per second, all sources.
    #[must_use]
    pub fn throughput(&self, now: Instant) -> f32 {
        self.0.lock().all.per_second(now).map_or(0.0, two_places)
    }

    /// The report on demand, without the cameras' own words; `None` before anything was processed.
    #[must_use]
    pub fn full(&self, instance_id: &str, timestamp: Utc, now: Instant) -> Option<Value> {
        let inner = self.0.lock();
        inner.last?;
        let latencies = inner.sources.iter().map(|(id, s)| {
            let (all, engine) = (s.latency_ms.mean(), s.inference_ms.mean());
            let before = all.zip(engine).map(|(all, engine)| two_places((all - engine).max(0.0)));
            json!({
                "source_id": id,
                "frame_decoding_latency_ms": before,
                "inference_latency_ms": engine.map(two_places),
                "e2e_latency_ms": all.map(two_places),
            })
        });
        let sources = inner.sources.iter().map(|(id, s)| {
            let (width, height) = s.size;
            json!({
                "source_id": id,
                "fps": s.rate.per_second(now).map(two_places),
                "resolution": (width > 0).then(|| format!("{width}x{height}")),
            })
        });
        Some(json!({
            "timestamp": timestamp,
            "instance_id": instance_id,
            "inference_throughput": inner.all.per_second(now).map_or(0.0, two_places),
            "latency_reports": latencies.collect::<Vec<_>>(),
            "sources_metadata": sources.collect::<Vec<_>>(),
        }))
    }

    /// The periodic report; `None` before anything was processed or when nothing is any more.
    #[must_use]
    pub fn report<'a>(&self, instance_id: &'a str, timestamp: Utc, now: Instant) -> Option<Metrics<'a>> {
        let inner = self.0.lock();
        let throughput = inner.all.per_second(now).map(two_places).filter(|t| *t > 0.0)?;
        let sources: Vec<_> = inner
            .sources
            .iter()
            .filter(|(_, s)| s.rate.per_second(now) != Some(0.0))
            .map(|(&source_id, s)| SourceMetrics {
                source_id,
                latency_ms: s.latency_ms.mean().map(two_places),
            })
            .collect();
        drop(inner);
        let (sum, count) =
            sources.iter().filter_map(|s| s.latency_ms).fold((0.0, 0.0), |(s, n), l| (s + l, n + 1.0));
        Some(Metrics {
            timestamp,
            instance_id,
            inference_throughput: throughput,
            avg_latency_ms: (count > 0.0).then(|| two_places(sum / count)),
            sources,
        })
    }
}

/// The periodic metrics message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics<'a> {
    pub timestamp: Utc,
    pub instance_id: &'a str,
    /// Frames per second, all sources.
    pub inference_throughput: f32,
    pub avg_latency_ms: Option<f32>,
    pub sources: Vec<SourceMetrics>,
}

/// One source in the metrics message, by its room id.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceMetrics {
    pub source_id: u32,
    pub latency_ms: Option<f32>,
}

fn two_places(v: f32) -> f32 {
    (v * 100.0).round() / 100.0
}
