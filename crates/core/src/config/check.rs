//! From [`raw::Config`] to [`Config`]: every violation at once, or none.
//!
//! Each section looks at all of its fields before it gives up on one, so that one run
//! over a file shows all that is wrong with it.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

mod broker;
mod control;
mod fire;

use super::raw;
use super::rules::{self, InstanceId, Wrong};
use super::secret::{Credentials, Secrets};
use super::uri::{SourceKind, StreamUri};
use super::{Camera, Config, Detector, Log, Metrics, Pace, Stream, StreamDefaults, limits};

/// One setting that is refused, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// As in `streams[0].max_fps`.
    pub path: String,
    /// The other setting that was looked at, where two don't go together.
    pub with: Option<String>,
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.wrong)
    }
}

/// The settings, if nothing at all is wrong with them.
pub fn check(raw: &raw::Config, secrets: &Secrets) -> Result<Config, Vec<Fault>> {
    let mut faults = Faults(Vec::new());
    let checked = sections(raw, secrets, &mut faults);
    match checked {
        Some(config) if faults.0.is_empty() => Ok(config),
        Some(_) | None => Err(faults.0),
    }
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: &str, wrong: Wrong) {
        self.0.push(Fault { path: path.to_owned(), with: None, wrong });
    }

    fn clash(&mut self, path: &str, with: &str, wrong: Wrong) {
        self.0.push(Fault { path: path.to_owned(), with: Some(with.to_owned()), wrong });
    }

    fn keep<T>(&mut self, path: &str, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.add(path, wrong)).ok()
    }

    /// Like [`Faults::keep`], for settings that may be null.
    fn keep_some<R: ?Sized, T>(
        &mut self,
        path: &str,
        raw: Option<&R>,
        rule: impl FnOnce(&R) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        match raw {
            None => Some(None),
            Some(raw) => self.keep(path, rule(raw)).map(Some),
        }
    }

    fn text(&mut self, path: &str, raw: Option<&String>) -> Option<Option<String>> {
        self.keep_some(path, raw.map(String::as_str), rules::text)
    }
}

fn sections(raw: &raw::Config, secrets: &Secrets, faults: &mut Faults) -> Option<Config> {
    let instance_id = faults.keep_some("instance_id", raw.instance_id.as_deref(), InstanceId::parse);
    let stream_server = faults.keep("stream_server", rules::stream_server(&raw.stream_server));
    let _ = faults.text("secrets_file", raw.secrets_file.as_ref());
    let detector = detector(&raw.detector, faults);
    let stream_defaults = stream_defaults(raw, faults);
    let streams = streams(raw, secrets, faults);
    let camera = camera(&raw.camera, faults);
    let (mqtt, topics) = broker::mqtt_and_topics(raw, secrets, faults);
    let control = control::control(raw, topics, secrets, faults);
    let pump = fire::pump(raw, faults);
    fire::consensus(raw, streams.as_deref(), faults);
    let interval = faults.keep("metrics.interval_s", rules::metrics_interval(raw.metrics.interval_s));
    let log_file = faults.text("log.file", raw.log.file.as_ref());
    Some(Config {
        instance_id: instance_id?,
        stream_server: stream_server?,
        streams: streams?,
        stream_defaults: stream_defaults?,
        detector: detector?,
        camera: camera?,
        mqtt: mqtt?,
        control: control?,
        fire: raw.fire.clone(),
        pump: pump?,
        metrics: Metrics { interval: interval? },
        log: Log { level: raw.log.level, json: raw.log.json, file: log_file? },
    })
}

fn detector(raw: &raw::Detector, faults: &mut Faults) -> Option<Detector> {
    let model = faults.keep("detector.model", rules::model_name(&raw.model));
    let models_dir = faults.keep("detector.models_dir", rules::text(&raw.models_dir));
    let confidence = faults.keep("detector.confidence", rules::share(raw.confidence));
    let nms_iou = faults.keep("detector.nms_iou", rules::share(raw.nms_iou));
    let detections_max = faults.keep(
        "detector.detections_max",
        rules::int(raw.detections_max, limits::DETECTIONS_MAX_MIN, limits::DETECTIONS_MAX_MAX),
    );
    let threads = faults.keep_some("detector.threads", raw.threads.as_ref(), |threads| {
        rules::int(*threads, limits::THREADS_MIN, limits::THREADS_MAX)
    });
    let openvino_dir = faults.text("detector.openvino_dir", raw.openvino_dir.as_ref());
    let tensorrt_dir = faults.text("detector.tensorrt_dir", raw.tensorrt_dir.as_ref());
    let plans_dir = faults.keep("detector.plans_dir", rules::text(&raw.plans_dir));
    let recipe = faults.text("detector.recipe", raw.recipe.as_ref());
    Some(Detector {
        model: model?,
        models_dir: models_dir?,
        engine: raw.engine,
        fallback: raw.fallback,
        mode: raw.mode,
        confidence: confidence?,
        nms_iou: nms_iou?,
        detections_max: detections_max?,
        threads: threads?,
        openvino_dir: openvino_dir?,
        tensorrt_dir: tensorrt_dir?,
        plans_dir: plans_dir?,
        recipe: recipe?,
    })
}

fn stream_defaults(raw: &raw::Config, faults: &mut Faults) -> Option<StreamDefaults> {
    let defaults = &raw.stream_defaults;
    let max_fps = faults.keep("stream_defaults.max_fps", rules::fps(defaults.max_fps));
    let classes = faults.keep("stream_defaults.classes", rules::classes(&defaults.classes));
    let confidence =
        faults.keep_some("stream_defaults.confidence", defaults.confidence.as_ref(), |c| rules::share(*c));
    Some(StreamDefaults {
        max_fps: max_fps?,
        transport: defaults.transport,
        tracker: defaults.tracker,
        classes: classes?,
        confidence: confidence?.unwrap_or(raw.detector.confidence),
    })
}

fn streams(raw: &raw::Config, secrets: &Secrets, faults: &mut Faults) -> Option<Vec<Stream>> {
    let got = raw.streams.len();
    if got == 0 {
        faults.add("streams", Wrong::Empty);
        return None;
    }
    if got > limits::STREAMS_LEN_MAX {
        faults.add("streams", Wrong::TooMany { max: limits::STREAMS_LEN_MAX, got });
        return None;
    }
    if raw.streams.iter().all(|stream| stream.enabled == Some(false)) {
        faults.add("streams", Wrong::Conflict("at least one must be enabled"));
    }
    let mut first_of = BTreeMap::new();
    for (at, stream) in raw.streams.iter().enumerate() {
        let Some(id) = stream.source_id else { continue };
        if let Some(first) = first_of.insert(id, at) {
            let wrong = Wrong::Duplicate { got: id.to_string(), first: format!("streams[{first}]") };
            faults.add(&format!("streams[{at}].source_id"), wrong);
        }
    }
    // Collected first: stopping at the first refused stream would hide the others.
    let checked: Vec<_> =
        (0..).zip(&raw.streams).map(|(at, s)| stream(at, s, raw, secrets, faults)).collect();
    checked.into_iter().collect()
}

fn stream(
    at: usize,
    raw: &raw::Stream,
    all: &raw::Config,
    secrets: &Secrets,
    faults: &mut Faults,
) -> Option<Stream> {
    let path = |key: &str| format!("streams[{at}].{key}");
    let defaults = &all.stream_defaults;
    let source_id = raw
        .source_id
        .ok_or(Wrong::Missing)
        .and_then(|id| rules::int::<u32>(id, limits::SOURCE_ID_MIN, limits::SOURCE_ID_MAX));
    let source_id = faults.keep(&path("source_id"), source_id);
    let uri = match &raw.uri {
        Some(uri) => faults.keep(&path("uri"), rules::uri(uri)),
        // A wrong server has been reported once already, not once per stream.
        None => rules::stream_server(&all.stream_server).ok().zip(source_id).map(|(s, id)| s.of_room(id)),
    };
    let name = faults.text(&path("name"), raw.name.as_ref());
    let max_fps = faults.keep_some(&path("max_fps"), raw.max_fps.as_ref(), |fps| rules::fps(*fps));
    let credentials = credentials(&path("credentials"), raw.credentials.as_deref(), all, secrets, faults);
    let tls_ca_file = faults.text(&path("tls_ca_file"), raw.tls_ca_file.as_ref());
    let confidence = faults.keep_some(&path("confidence"), raw.confidence.as_ref(), |c| rules::share(*c));
    let classes = faults.keep_some(&path("classes"), raw.classes.as_deref(), rules::classes);
    if let Some(uri) = &uri {
        fits_source(at, raw, uri, faults);
    }
    Some(Stream {
        source_id: source_id?,
        uri: uri?,
        name: name?,
        max_fps: max_fps?.unwrap_or(defaults.max_fps),
        transport: raw.transport.unwrap_or(defaults.transport),
        credentials: credentials?,
        tls_ca_file: tls_ca_file?,
        confidence: confidence?.or(defaults.confidence).unwrap_or(all.detector.confidence),
        classes: classes?.unwrap_or_else(|| defaults.classes.clone()),
        tracker: raw.tracker.unwrap_or(defaults.tracker),
        pace: raw.pace.unwrap_or(Pace::Realtime),
        looped: raw.r#loop.unwrap_or(true),
        enabled: raw.enabled.unwrap_or(true),
    })
}

/// No credentials also where the secrets file was not read: its reader has said so.
fn credentials(
    path: &str,
    name: Option<&str>,
    all: &raw::Config,
    secrets: &Secrets,
    faults: &mut Faults,
) -> Option<Option<Credentials>> {
    let Some(name) = name else { return Some(None) };
    if all.secrets_file.is_none() {
        let wrong = Wrong::Conflict("names an entry of secrets_file, which is not set");
        faults.clash(path, "secrets_file", wrong);
        return None;
    }
    let Some(cameras) = &secrets.cameras else { return Some(None) };
    let found = cameras.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = cameras.keys().map(String::as_str).take(8).collect();
        let known = if known.is_empty() { "no entries".to_owned() } else { known.join(", ") };
        Wrong::UnknownCredentials { name: name.to_owned(), known }
    });
    faults.keep(path, found).map(Some)
}

/// Settings that mean something for some kinds of source only.
fn fits_source(at: usize, raw: &raw::Stream, uri: &StreamUri, faults: &mut Faults) {
    let is_rtsp = matches!(uri.kind(), SourceKind::Rtsp | SourceKind::Rtsps);
    let mut refuse = |key: &str, why| {
        faults.clash(&format!("streams[{at}].{key}"), &format!("streams[{at}].uri"), Wrong::Conflict(why));
    };
    if raw.pace == Some(Pace::Max) && (is_rtsp || uri.kind() == SourceKind::V4l2) {
        refuse("pace", "max is for files: a camera has its own pace");
    }
    if raw.tls_ca_file.is_some() && uri.kind() != SourceKind::Rtsps {
        refuse("tls_ca_file", "is for rtsps:// cameras only");
    }
    if raw.credentials.is_some() && !is_rtsp {
        refuse("credentials", "are for rtsp:// and rtsps:// cameras only");
    }
    if raw.credentials.is_some() && uri.has_user() {
        refuse("credentials", "and a user name in the uri exclude each other: keep one");
    }
}

fn camera(raw: &raw::Camera, faults: &mut Faults) -> Option<Camera> {
    let connect_timeout = faults.keep("camera.connect_timeout_s", rules::seconds(raw.connect_timeout_s));
    let silence_min = faults.keep("camera.silence_min_s", rules::seconds(raw.silence_min_s));
    let reconnect_min = faults.keep("camera.reconnect_min_s", rules::seconds(raw.reconnect_min_s));
    let reconnect_max = faults.keep("camera.reconnect_max_s", rules::seconds(raw.reconnect_max_s));
    if reconnect_min.zip(reconnect_max).is_some_and(|(min, max)| min > max) {
        let (got, limit) = (raw.reconnect_min_s, raw.reconnect_max_s);
        let wrong = Wrong::AboveOther { got, other: "camera.reconnect_max_s", limit };
        faults.clash("camera.reconnect_min_s", "camera.reconnect_max_s", wrong);
    }
    Some(Camera {
        decoder: raw.decoder,
        connect_timeout: connect_timeout?,
        silence_min: silence_min?,
        reconnect_min: reconnect_min?,
        reconnect_max: reconnect_max?,
    })
}
