//! `vigia detect`: a file or stream through a model, offline; one JSON line per frame.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use crossbeam_channel::unbounded;
use serde_json::{Value, json};
use vigia_core::config::{self, Config, Pace, SourceKind, StreamUri};
use vigia_core::event::class_name;
use vigia_core::stream::StreamState;

use super::Failure;
use crate::camera::decoder::Decoding;
use crate::camera::latest::Latest;
use crate::camera::{Camera, Options};
use crate::config::Flag;
use crate::detect::{Detected, Detector};
use crate::model;

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// A file, rtsp:// address, v4l2:///dev/… or test://pattern
    source: String,
    /// Model id, or path of its manifest
    #[arg(long)]
    model: String,
    /// Process every n-th frame
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Least confidence
    #[arg(long, default_value_t = 0.5)]
    conf: f64,
    /// Overlap above which the weaker of two boxes of a class goes
    #[arg(long, default_value_t = 0.45)]
    iou: f64,
    /// auto, tensorrt, openvino or rten
    #[arg(long, default_value = "auto")]
    engine: String,
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: String,
    /// Folder of libopenvino_c.so
    #[arg(long, value_name = "DIR")]
    openvino_dir: Option<String>,
    /// none or bytetrack
    #[arg(long, default_value = "none")]
    tracker: String,
    /// Stop after this many processed frames
    #[arg(long)]
    frames: Option<u64>,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    gst::init().map_err(Failure::failed)?;
    let config = configured(args)?;
    let streams = model::streams(&config);
    let loaded =
        model::Loader::default().load(&config, &config.detector.model, &streams).map_err(Failure::usage)?;
    let _ = writeln!(std::io::stderr(), "{}: {} ({})", loaded.model_id, loaded.reason, loaded.mode);
    let mut detector = Detector::new(loaded.network, &streams).map_err(Failure::failed)?;
    let latest = Arc::new(Latest::default());
    detector.announce(&latest);
    let (reports_in, reports) = unbounded();
    let options = Options { camera: config.camera.clone(), every: args.every, once: true };
    let stream = config.streams[0].clone();
    let camera = Camera::start(stream, options, latest.clone(), reports_in).map_err(Failure::failed)?;
    let stdout = std::io::stdout();
    let mut out = std::io::BufWriter::new(stdout.lock());
    let (mut written, mut broken) = (0, None);
    let limit = args.frames.unwrap_or(u64::MAX);
    let mut over = None;
    while written < limit && broken.is_none() {
        let mut emit = |d: &Detected| {
            if written < limit {
                written += 1;
                broken = writeln!(out, "{}", line(d)).err();
            }
        };
        let busy = detector.step(&latest, Duration::from_millis(50), &mut emit).map_err(Failure::failed)?;
        // The camera may still have delivered a frame between our last look and its end.
        if over.is_some() && !busy {
            break;
        }
        over = over.or_else(|| reports.try_iter().map(|r| r.state).find(is_over));
    }
    if let Some(Decoding { name, memory, reason, .. }) = camera.decoder().as_deref() {
        let _ = writeln!(std::io::stderr(), "decoder: {name} ({} memory): {reason}", memory.name());
    }
    drop(camera);
    super::written(broken.map_or_else(|| out.flush(), Err))?;
    match over {
        Some(StreamState::Reconnecting { cause }) if written == 0 => {
            Err(Failure::Failed(format!("{}: {}", config.streams[0].uri, cause.detail)))
        }
        Some(StreamState::Reconnecting { cause }) if written < limit => Err(Failure::Failed(format!(
            "{}: after {written} frames: {}",
            config.streams[0].uri, cause.detail
        ))),
        _ => Ok(()),
    }
}

fn is_over(state: &StreamState) -> bool {
    matches!(state, StreamState::Ended | StreamState::Reconnecting { .. })
}

/// The defaults with this one stream. A file waits for the detector; a camera can't.
fn configured(args: &Args) -> Result<Config, Failure> {
    let plain = Path::new(&args.source).is_file() && !args.source.contains('/');
    let source = if plain { format!("./{}", args.source) } else { args.source.clone() };
    let uri =
        StreamUri::parse(&source).map_err(|e| Failure::Usage(format!("{}: {e}", config::masked(&source))))?;
    let waits = uri.kind() == SourceKind::File;
    let mut stream = json!({
        "source_id": 0, "uri": source, "confidence": args.conf, "tracker": args.tracker, "loop": false,
        "max_fps": config::limits::FPS_MAX,
    });
    if waits {
        stream["pace"] = json!(Pace::Max);
    }
    let (model, models_dir) = split_model(&args.model, &args.models_dir);
    let mut flags = vec![
        Flag::new("streams", Value::from(vec![stream]), "SOURCE"),
        Flag::new("detector.model", model, "--model"),
        Flag::new("detector.models_dir", models_dir, "--models-dir"),
        Flag::new("detector.engine", args.engine.clone(), "--engine"),
        Flag::new("detector.nms_iou", args.iou, "--iou"),
    ];
    if let Some(dir) = &args.openvino_dir {
        flags.push(Flag::new("detector.openvino_dir", dir.clone(), "--openvino-dir"));
    }
    crate::config::load(None, None, crate::config::process_environment(), flags).map_err(Failure::usage)
}

/// `--model path/to/x.yaml` is the model `x` of that folder.
pub fn split_model(model: &str, dir: &str) -> (String, String) {
    let path = PathBuf::from(model);
    match (path.parent(), path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".yaml"))) {
        (Some(parent), Some(id)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            (id.to_owned(), parent.display().to_string())
        }
        _ => (model.to_owned(), dir.to_owned()),
    }
}

fn line(d: &Detected) -> Value {
    let places = |v: f32, n: i32| {
        let scale = 10f64.powi(n);
        (f64::from(v) * scale).round() / scale
    };
    let detections: Vec<_> = d
        .detections
        .iter()
        .map(|f| {
            let b = f.bbox;
            let corners = [b.x1, b.y1, b.x2, b.y2].map(|v| places(v, 2));
            json!({
                "class_id": f.class_id,
                "class_name": class_name(d.classes, f.class_id),
                "confidence": places(f.confidence, 4),
                "box_xyxy": corners,
                "tracker_id": f.tracker_id,
            })
        })
        .collect();
    json!({ "frame": d.picture, "pts_ms": (d.pts_ms * 1e3).round() / 1e3, "detections": detections })
}
