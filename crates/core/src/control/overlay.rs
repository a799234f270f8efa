//! What commands changed, written as differences from the configuration: for the journal,
//! and for a reload.
//!
//! Each difference remembers what the configuration said. Where the files were edited
//! since, the files win; everything else that commands changed stays. No password is
//! written: an address that holds one stands here as [`Address::Secret`], and whoever
//! keeps the journal keeps it apart, by its stream.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::desired::{Desired, configured, point};
use crate::config::limits::STREAMS_LEN_MAX;
use crate::config::rules;
use crate::config::{Config, Stream, StreamUri, Tracker};

/// A setting that a command changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Over<T> {
    /// As configured when it was changed.
    pub was: T,
    pub now: T,
}

/// Desired state minus configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overlay {
    pub model: Option<Over<String>>,
    pub max_fps: Option<Over<f64>>,
    pub confidence: Option<Over<f32>>,
    pub tracker: Option<Over<Tracker>>,
    pub streams: Vec<StreamOverlay>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum StreamOverlay {
    Added { source_id: u32, address: Address, max_fps: f64, confidence: f32, tracker: Tracker },
    Removed { source_id: u32 },
    Changed(Changed),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub source_id: u32,
    /// `was` is masked.
    pub address: Option<Moved>,
    pub max_fps: Option<Over<f64>>,
    pub confidence: Option<Over<f32>>,
    pub tracker: Option<Over<Tracker>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// As shown, without passwords.
    pub was: String,
    pub now: Address,
}

/// Where a stream comes from, without its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// As configured, or else at the stream server.
    Configured,
    /// Nothing secret in it.
    Plain(String),
    /// Kept elsewhere under the stream's number.
    Secret,
}

/// A desired state made of a configuration and an overlay.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    pub desired: Desired,
    /// Streams whose address is secret and was not at hand; they are left out.
    pub lost: Vec<u32>,
    /// Settings changed by commands, where the files have been edited since and won.
    pub outdated: Vec<String>,
}

impl Overlay {
    #[must_use]
    pub fn of(desired: &Desired, config: &Config) -> Self {
        let base = Desired::of(config);
        let differ = |was: &Desired, now: &Desired| Self {
            model: over(&was.model, &now.model),
            max_fps: over(&was.max_fps, &now.max_fps),
            confidence: over(&was.confidence, &now.confidence),
            tracker: over(&was.tracker, &now.tracker),
            streams: Vec::new(),
        };
        let mut overlay = differ(&base, desired);
        for now in &desired.streams {
            overlay.streams.extend(match base.stream(now.source_id) {
                Some(was) => changed(was, now).map(StreamOverlay::Changed),
                None => Some(added(now, config)),
            });
        }
        let gone = base.source_ids().into_iter().filter(|id| desired.stream(*id).is_none());
        overlay.streams.extend(gone.map(|source_id| StreamOverlay::Removed { source_id }));
        overlay
    }

    /// Streams whose addresses must be kept apart for [`Overlay::onto`].
    #[must_use]
    pub fn secret_sources(&self) -> Vec<u32> {
        let secret = |stream: &StreamOverlay| match stream {
            StreamOverlay::Added { source_id, address: Address::Secret, .. } => Some(*source_id),
            StreamOverlay::Changed(Changed { source_id, address: Some(moved), .. }) => {
                (moved.now == Address::Secret).then_some(*source_id)
            }
            StreamOverlay::Added { .. } | StreamOverlay::Removed { .. } | StreamOverlay::Changed(_) => None,
        };
        self.streams.iter().filter_map(secret).collect()
    }

    /// `secrets`: addresses by stream. Values that no rule allows are left out.
    #[must_use]
    pub fn onto(&self, config: &Config, secrets: &BTreeMap<u32, StreamUri>) -> Restored {
        let restored = Restored { desired: Desired::of(config), lost: Vec::new(), outdated: Vec::new() };
        let mut making = Making { restored, config, secrets };
        making.defaults(self);
        // Those that leave go last: one stream must remain at any time.
        let (gone, others): (Vec<_>, Vec<_>) =
            self.streams.iter().partition(|s| matches!(s, StreamOverlay::Removed { .. }));
        others.into_iter().chain(gone).for_each(|stream| making.stream(stream));
        making.restored
    }
}

fn over<T: Clone + PartialEq>(was: &T, now: &T) -> Option<Over<T>> {
    (was != now).then(|| Over { was: was.clone(), now: now.clone() })
}

fn changed(was: &Stream, now: &Stream) -> Option<Changed> {
    let moved = || Moved { was: was.uri.to_string(), now: address(&now.uri) };
    let changed = Changed {
        source_id: now.source_id,
        address: (was.uri != now.uri).then(moved),
        max_fps: over(&was.max_fps, &now.max_fps),
        confidence: over(&was.confidence, &now.confidence),
        tracker: over(&was.tracker, &now.tracker),
    };
    let is_other = changed.address.is_some()
        || changed.max_fps.is_some()
        || changed.confidence.is_some()
        || changed.tracker.is_some();
    is_other.then_some(changed)
}

fn added(now: &Stream, config: &Config) -> StreamOverlay {
    let is_configured = configured(now.source_id, config).uri == now.uri;
    StreamOverlay::Added {
        source_id: now.source_id,
        address: if is_configured { Address::Configured } else { address(&now.uri) },
        max_fps: now.max_fps,
        confidence: now.confidence,
        tracker: now.tracker,
    }
}

/// What an address shows is all of it, unless something in it was masked.
fn address(uri: &StreamUri) -> Address {
    let shown = uri.to_string();
    if shown.contains("***") { Address::Secret } else { Address::Plain(shown) }
}

/// A desired state in the making.
struct Making<'m> {
    restored: Restored,
    config: &'m Config,
    secrets: &'m BTreeMap<u32, StreamUri>,
}

impl Making<'_> {
    fn defaults(&mut self, overlay: &Overlay) {
        let base = Desired::of(self.config);
        if let Some(model) = self.keep(overlay.model.as_ref(), |was| *was == base.model, "detector.model") {
            self.restored.desired.model = rules::model_name(&model).unwrap_or(base.model);
        }
        let path = "stream_defaults.max_fps";
        if let Some(fps) = self.keep(overlay.max_fps.as_ref(), |was| nearly(*was, base.max_fps), path) {
            self.restored.desired.max_fps = rules::fps(fps).unwrap_or(base.max_fps);
        }
        let path = "stream_defaults.confidence";
        if let Some(share) = self.keep(overlay.confidence.as_ref(), |was| *was == base.confidence, path) {
            self.restored.desired.confidence = rules::share(share).unwrap_or(base.confidence);
        }
        let path = "stream_defaults.tracker";
        if let Some(tracker) = self.keep(overlay.tracker.as_ref(), |was| *was == base.tracker, path) {
            self.restored.desired.tracker = tracker;
        }
    }

    fn stream(&mut self, overlay: &StreamOverlay) {
        match overlay {
            StreamOverlay::Added { source_id, address, max_fps, confidence, tracker } => {
                if let Some(mut stream) = self.fresh(*source_id, address) {
                    stream.max_fps = rules::fps(*max_fps).unwrap_or(stream.max_fps);
                    stream.confidence = rules::share(*confidence).unwrap_or(stream.confidence);
                    stream.tracker = *tracker;
                    self.restored.desired.streams.push(stream);
                }
            }
            StreamOverlay::Removed { source_id } => self.remove(*source_id),
            StreamOverlay::Changed(changed) => self.change(changed),
        }
    }

    /// Nothing where the stream can't or needn't come.
    fn fresh(&mut self, source_id: u32, address: &Address) -> Option<Stream> {
        let desired = &self.restored.desired;
        if desired.stream(source_id).is_some() || desired.streams.len() >= STREAMS_LEN_MAX {
            self.restored.outdated.push(format!("streams[source_id={source_id}]"));
            return None;
        }
        let uri = match address {
            Address::Configured => None,
            Address::Plain(_) | Address::Secret => Some(self.resolve(source_id, address)?),
        };
        Some(self.restored.desired.fresh(source_id, uri.as_ref(), self.config))
    }

    fn resolve(&mut self, source_id: u32, address: &Address) -> Option<StreamUri> {
        let uri = match address {
            Address::Configured => Some(configured(source_id, self.config).uri),
            Address::Plain(text) => StreamUri::parse(text).ok(),
            Address::Secret => self.secrets.get(&source_id).cloned(),
        };
        if uri.is_none() {
            self.restored.lost.push(source_id);
        }
        uri
    }

    fn remove(&mut self, source_id: u32) {
        let streams = &mut self.restored.desired.streams;
        if streams.len() > 1 {
            streams.retain(|stream| stream.source_id != source_id);
        } else {
            self.restored.outdated.push(format!("streams[source_id={source_id}]"));
        }
    }

    fn change(&mut self, changed: &Changed) {
        let id = changed.source_id;
        let path = |key: &str| format!("streams[source_id={id}].{key}");
        let Some(was) = self.restored.desired.stream(id).cloned() else {
            self.restored.outdated.push(format!("streams[source_id={id}]"));
            return;
        };
        let mut stream = was.clone();
        if let Some(moved) = &changed.address {
            if moved.was != was.uri.to_string() {
                self.restored.outdated.push(path("uri"));
            } else if let Some(uri) = self.resolve(id, &moved.now) {
                point(&mut stream, &uri, self.config);
            } else {
                // Not the configured camera in its place: the room would show another one's picture.
                self.remove(id);
                return;
            }
        }
        if let Some(fps) = self.keep(changed.max_fps.as_ref(), |v| nearly(*v, was.max_fps), &path("max_fps"))
        {
            stream.max_fps = rules::fps(fps).unwrap_or(was.max_fps);
        }
        if let Some(share) =
            self.keep(changed.confidence.as_ref(), |v| *v == was.confidence, &path("confidence"))
        {
            stream.confidence = rules::share(share).unwrap_or(was.confidence);
        }
        if let Some(tracker) = self.keep(changed.tracker.as_ref(), |v| *v == was.tracker, &path("tracker")) {
            stream.tracker = tracker;
        }
        if let Some(place) = self.restored.desired.streams.iter_mut().find(|s| s.source_id == id) {
            *place = stream;
        }
    }

    /// The changed value, if the configuration still says what it said then.
    fn keep<T: Clone>(
        &mut self,
        over: Option<&Over<T>>,
        is_configured: impl Fn(&T) -> bool,
        path: &str,
    ) -> Option<T> {
        let over = over?;
        if is_configured(&over.was) {
            return Some(over.now.clone());
        }
        self.restored.outdated.push(path.into());
        None
    }
}

/// JSON may cost the last digit.
fn nearly(a: f64, b: f64) -> bool {
    libm::fabs(a - b) <= 1e-9 * libm::fabs(b)
}
