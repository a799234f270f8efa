//! `vigia bench`: what this machine can do, as JSON.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::{Value, json};
use vigia_core::config::Config;

use super::Failure;
use super::detect::split_model;
use crate::bench::{self, Speed, median};
use crate::config::Flag;
use crate::detect::engine::{self, EngineOptions, Mode};
use crate::detect::manifest;

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// An H.264 file to run through the whole path
    source: PathBuf,
    /// Model id, or path of its manifest
    #[arg(long)]
    model: String,
    #[arg(long, value_name = "DIR", default_value = "models")]
    models_dir: String,
    /// openvino or rten
    #[arg(long, default_value = "openvino")]
    engine: String,
    /// Folder of libopenvino_c.so
    #[arg(long, value_name = "DIR")]
    openvino_dir: Option<String>,
    /// Seconds for each part of a round
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    gst::init().map_err(Failure::failed)?;
    super::print(&format!("{:#}", measure(args)?))
}

fn measure(args: &Args) -> Result<Value, Failure> {
    let config = configured(args)?;
    let d = &config.detector;
    let located = manifest::locate(d.models_dir.as_ref(), &d.model).map_err(Failure::usage)?;
    let options = |mode| EngineOptions {
        choice: d.engine,
        mode,
        threads: None,
        openvino_dir: d.openvino_dir.as_ref().map(Into::into),
        width: located.manifest.input.width,
        height: located.manifest.input.height,
    };
    let span = Duration::from_secs(args.seconds);
    let mut latency = engine::open(&located.onnx, &options(Mode::Latency)).map_err(Failure::usage)?.engine;
    let mut fastest = engine::open(&located.onnx, &options(Mode::Throughput)).map_err(Failure::usage)?.engine;
    let file = args.source.display().to_string();
    let (mut one, mut many, mut decode, mut path) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut mode = String::new();
    for _ in 0..args.rounds {
        one.push(bench::engine_alone(&mut latency, span).map_err(Failure::failed)?);
        many.push(bench::engine_alone(&mut fastest, span).map_err(Failure::failed)?);
        decode.push(bench::decode_alone(&file, span).map_err(Failure::failed)?);
        let (speed, how) = bench::whole_path(&config, span).map_err(Failure::failed)?;
        path.push(speed);
        mode = how;
    }
    let (one, many, decode, path) = (middle(&one), middle(&many), middle(&decode), middle(&path));
    let best = if many.frames_per_s >= one.frames_per_s { many } else { one };
    let parts = decode.cpu_s_per_frame + best.cpu_s_per_frame;
    let ours = bench::preprocess_ms(200);
    let theirs = bench::preprocess_gst_ms(50).map_err(Failure::failed)?;
    Ok(json!({
        "model": d.model, "engine": fastest.name(), "path_mode": mode,
        "engine_latency_mode": one, "engine_throughput_mode": many,
        "decode_alone": decode, "whole_path": path,
        "path_to_engine_speed": path.frames_per_s / best.frames_per_s,
        "path_to_parts_cpu": path.cpu_s_per_frame / parts,
        "preprocess_1080p_640_ms": ours,
        "preprocess_gstreamer_cpu_ms": theirs,
        "preprocess_speedup": theirs / ours,
        "tracker_100_objects_frames_per_s": bench::tracker_fps(100, 5000),
    }))
}

fn middle(all: &[Speed]) -> Speed {
    Speed {
        frames_per_s: median(all.iter().map(|s| s.frames_per_s)),
        cpu_s_per_frame: median(all.iter().map(|s| s.cpu_s_per_frame)),
    }
}

fn configured(args: &Args) -> Result<Config, Failure> {
    let source = std::fs::canonicalize(&args.source)
        .map_err(|e| Failure::Usage(format!("{}: {e}", args.source.display())))?;
    let (model, models_dir) = split_model(&args.model, &args.models_dir);
    let stream = json!({ "source_id": 0, "uri": source, "pace": "max", "max_fps": 1000 });
    let mut flags = vec![
        Flag::new("streams", Value::from(vec![stream]), "SOURCE"),
        Flag::new("detector.model", model, "--model"),
        Flag::new("detector.models_dir", models_dir, "--models-dir"),
        Flag::new("detector.engine", args.engine.clone(), "--engine"),
    ];
    if let Some(dir) = &args.openvino_dir {
        flags.push(Flag::new("detector.openvino_dir", dir.clone(), "--openvino-dir"));
    }
    crate::config::load(None, None, crate::config::process_environment(), flags).map_err(Failure::usage)
}
