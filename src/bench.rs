//! Measuring this machine: each part alone, then the whole path, in one run.
//!
//! Figures are medians over rounds in which the parts take turns, so that a noisy machine
//! disturbs all of them alike; compare ratios, not single figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::unbounded;
use gst::prelude::*;
use serde::Serialize;
use thiserror::Error;
use vigia_accel::preprocess::{
    Align, ChannelOrder, Image, Matrix, PixelFormat, Preprocessor, Range, TensorSpec,
};
use vigia_core::config::Config;
use vigia_core::detection::{BBox, Detection};
use vigia_core::event::{EventView, Found};
use vigia_core::time::Instant;
use vigia_core::tracking::{Tracker, TrackerConfig};

use crate::camera::latest::Latest;
use crate::camera::{Camera, Options};
use crate::clock;
use crate::detect::engine::{Engine, EngineError};
use crate::detect::{DetectError, Detected, Detector};
use crate::model::{self, ModelError};

/// Why something could not be measured.
#[derive(Debug, Error)]
pub enum BenchError {
    #[error("{0}")]
    Model(#[from] ModelError),
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Detect(#[from] DetectError),
    #[error("the pipeline {0} does not run")]
    Pipeline(String),
    #[error("a thread can't be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("nothing came of the source within the time given")]
    Nothing,
}

/// Frames per second and processor seconds per frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speed {
    pub frames_per_s: f64,
    pub cpu_s_per_frame: f64,
}

/// Counts frames between two readings of both clocks.
struct Meter {
    start: Instant,
    cpu: u64,
}

impl Meter {
    fn start() -> Self {
        Self { start: clock::now(), cpu: clock::cpu_ns() }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of frames and nanoseconds of a short run")]
    fn read(&self, frames: u64) -> Speed {
        let seconds = clock::now().since(self.start).as_secs_f64();
        let cpu = (clock::cpu_ns() - self.cpu) as f64 / 1e9;
        Speed { frames_per_s: frames as f64 / seconds, cpu_s_per_frame: cpu / frames.max(1) as f64 }
    }

    fn is_over(&self, span: Duration) -> bool {
        clock::now().since(self.start) >= span
    }
}

/// The engine with all of its slots busy, nothing else.
///
/// # Errors
/// [`BenchError::Engine`].
pub fn engine_alone(engine: &mut Engine, span: Duration) -> Result<Speed, BenchError> {
    let slots = engine.slots();
    for slot in 0..slots {
        engine.input(slot)?.fill(0.4);
        engine.start(slot)?;
    }
    let meter = Meter::start();
    let mut frames = 0;
    while !meter.is_over(span) {
        for slot in 0..slots {
            engine.wait(slot, |_| ())?;
            engine.start(slot)?;
            frames += 1;
        }
    }
    let speed = meter.read(frames);
    for slot in 0..slots {
        engine.wait(slot, |_| ())?;
    }
    Ok(speed)
}

/// The engine at `fps` requests per second, as slow cameras use it: processor seconds per frame.
///
/// # Errors
/// [`BenchError::Engine`].
pub fn engine_paced(engine: &mut Engine, fps: f64, span: Duration) -> Result<f64, BenchError> {
    let ticks = crossbeam_channel::tick(Duration::from_secs_f64(1.0 / fps));
    let meter = Meter::start();
    let mut frames = 0;
    while !meter.is_over(span) {
        let _ = ticks.recv();
        engine.start(0)?;
        engine.wait(0, |_| ())?;
        frames += 1;
    }
    Ok(meter.read(frames).cpu_s_per_frame)
}

/// The file through the decoder into nothing, as fast as it goes: GStreamer without us.
///
/// # Errors
/// [`BenchError::Pipeline`].
pub fn decode_alone(file: &str, span: Duration) -> Result<Speed, BenchError> {
    let line = format!(
        "filesrc location=\"{file}\" ! parsebin ! avdec_h264 max-threads=1 ! fakesink name=end sync=false"
    );
    let failed = || BenchError::Pipeline(line.clone());
    let pipeline = gst::parse::launch(&line).map_err(|_| failed())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| failed())?;
    let frames = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let pad = pipeline.by_name("end").and_then(|e| e.static_pad("sink")).ok_or_else(failed)?;
    let count = frames.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).map_err(|_| failed())?;
    let bus = pipeline.bus().ok_or_else(failed)?;
    let meter = Meter::start();
    while !meter.is_over(span) {
        let message = bus.timed_pop_filtered(
            gst::ClockTime::from_mseconds(20),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        match message.as_ref().map(|m| m.type_()) {
            Some(gst::MessageType::Eos) => {
                pipeline.seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::ZERO).map_err(|_| failed())?;
            }
            Some(_) => return Err(failed()),
            None => {}
        }
    }
    let speed = meter.read(frames.load(Ordering::Relaxed));
    let _ = pipeline.set_state(gst::State::Null);
    Ok(speed)
}

/// The whole path of the first stream of `config`: decode, pre-process, infer, head, event.
/// Returns the speed and what the engine is.
///
/// # Errors
/// [`BenchError`].
pub fn whole_path(config: &Config, span: Duration) -> Result<(Speed, String), BenchError> {
    let streams = model::streams(config);
    let loaded = model::Loader::default().load(config, &config.detector.model, &streams)?;
    let mode = format!("{}, {}", loaded.engine, loaded.mode);
    let mut detector = Detector::new(loaded.network, &streams)?;
    let latest = Arc::new(Latest::default());
    detector.announce(&latest);
    let (tell, _reports) = unbounded();
    let options = Options { camera: config.camera.clone(), every: 1, once: false };
    let camera = Camera::start(config.streams[0].clone(), options, latest.clone(), tell)?;
    let stop = AtomicBool::new(false);
    let mut event = Vec::new();
    let (mut frames, mut meter) = (0, None::<Meter>);
    let mut speed = None;
    let begun = clock::now();
    let mut emit = |d: &Detected| {
        write_event(&mut event, d);
        frames += 1;
        // The first frames pay for opening the file.
        if frames == 20 {
            meter = Some(Meter::start());
        }
        if let Some(m) = &meter
            && m.is_over(span)
        {
            speed = Some(m.read(frames - 20));
            stop.store(true, Ordering::Release);
        }
        if clock::now().since(begun) > span * 3 + Duration::from_secs(10) {
            stop.store(true, Ordering::Release);
        }
    };
    while !stop.load(Ordering::Acquire) {
        let busy = detector.step(&latest, Duration::from_millis(200), &mut emit)?;
        if !busy && clock::now().since(begun) > span * 3 + Duration::from_secs(10) {
            break;
        }
    }
    latest.close();
    drop(camera);
    speed.map(|s| (s, mode)).ok_or(BenchError::Nothing)
}

fn write_event(buffer: &mut Vec<u8>, d: &Detected) {
    buffer.clear();
    let event = EventView {
        instance_id: "bench",
        source_id: d.source_id,
        frame_id: d.frame_id,
        timestamp: d.captured,
        model_id: d.model_id,
        inference_time_ms: d.inference.as_secs_f64() * 1e3,
        detections: Found { detections: d.detections, classes: d.classes },
        fps: None,
        latency_ms: None,
    };
    // Writing JSON of our own types into memory can't fail.
    let _ = serde_json::to_writer(buffer, &event);
}

/// 1920x1080 NV12 to a 640x640 letterbox of 32-bit floats: milliseconds per frame of our pass.
#[must_use]
pub fn preprocess_ms(rounds: u32) -> f64 {
    let (width, height) = (1920, 1080);
    let luma = noise(width * height);
    let chroma = noise(width * height / 2);
    let spec = TensorSpec {
        width: 640,
        height: 640,
        align: Align::Centre,
        order: ChannelOrder::Rgb,
        pad: 114,
        scale: [1.0 / 255.0; 3],
        offset: [0.0; 3],
    };
    let planes: [&[u8]; 3] = [&luma, &chroma, &[]];
    let strides = [width, width, 0];
    let image = Image::new(PixelFormat::Nv12, 1920, 1080, Matrix::Bt709, Range::Limited, planes, strides);
    let (Ok(image), Ok(mut pre)) = (image, Preprocessor::new(spec)) else { return f64::NAN };
    let mut out = vec![0.0; 3 * 640 * 640];
    median((0..rounds).map(|_| {
        let start = clock::now();
        let done = pre.run(&image, &mut out);
        std::hint::black_box((&done, &out));
        clock::now().since(start).as_secs_f64() * 1e3
    }))
}

/// The same work with GStreamer's elements and a loop that normalises: milliseconds per frame.
///
/// # Errors
/// [`BenchError::Pipeline`].
pub fn preprocess_gst_ms(rounds: u32) -> Result<f64, BenchError> {
    let line = "videotestsrc pattern=smpte100 num-buffers=1 ! video/x-raw,format=NV12,width=1920,height=1080 ! \
                imagefreeze name=still ! videoconvert n-threads=1 ! videoscale n-threads=1 add-borders=true ! \
                video/x-raw,format=RGB,width=640,height=640,pixel-aspect-ratio=1/1 ! \
                appsink name=end sync=false max-buffers=1";
    let failed = || BenchError::Pipeline(line.to_owned());
    let pipeline = gst::parse::launch(line).map_err(|_| failed())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| failed())?;
    let sink =
        pipeline.by_name("end").and_then(|e| e.downcast::<gst_app::AppSink>().ok()).ok_or_else(failed)?;
    pipeline.set_state(gst::State::Playing).map_err(|_| failed())?;
    let mut out = vec![0.0f32; 3 * 640 * 640];
    let mut pull = || {
        let sample = sink.pull_sample().map_err(|_| failed())?;
        let map = sample.buffer().and_then(|b| b.map_readable().ok()).ok_or_else(failed)?;
        let (r, gb) = out.split_at_mut(640 * 640);
        let (g, b) = gb.split_at_mut(640 * 640);
        for (((pixel, r), g), b) in map.chunks_exact(3).zip(r).zip(g).zip(b) {
            *r = f32::from(pixel[0]) / 255.0;
            *g = f32::from(pixel[1]) / 255.0;
            *b = f32::from(pixel[2]) / 255.0;
        }
        std::hint::black_box(&out);
        Ok::<_, BenchError>(())
    };
    pull()?;
    let meter = Meter::start();
    for _ in 0..rounds {
        pull()?;
    }
    // Elements work on a thread of their own beside our loop: what counts is the work.
    let speed = meter.read(u64::from(rounds));
    let _ = pipeline.set_state(gst::State::Null);
    Ok(speed.cpu_s_per_frame * 1e3)
}

/// ByteTrack on moving objects with jitter: frames per second on one core.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub fn tracker_fps(objects: u16, frames: u32) -> f64 {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut found = Vec::new();
    let start = clock::now();
    for i in 0..frames {
        found.clear();
        found.extend((0..objects).map(|k| {
            let jitter = ((u32::from(k) * 31 + i * 17) % 7) as f32 - 3.0;
            let x = f32::from(k % 10) * 180.0 + (i % 400) as f32 * 0.4 + jitter;
            let y = f32::from(k / 10) * 100.0 + jitter;
            let bbox = BBox { x1: x, y1: y, x2: x + 60.0, y2: y + 80.0 };
            Detection { class_id: 0, confidence: 0.8, bbox, tracker_id: None }
        }));
        tracker.update(Instant(u64::from(i) * 40_000_000), &mut found);
        std::hint::black_box(&found);
    }
    f64::from(frames) / clock::now().since(start).as_secs_f64()
}

/// The middle value.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<_> = values.collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn noise(len: usize) -> Vec<u8> {
    let mut x = 1u32;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}
