//! What is found in real pictures: against a reference of other software, against a slow and
//! plain reading of the same pixels, and the two engines against each other.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels and confidences are small"
)]

#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/shared.rs"]
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gpu::{Decoders, Gpu};
use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoColorMatrix, VideoColorRange, VideoFrameRef, VideoInfo};
use rten_onnx::onnx::{DataType, ModelProto};
use rten_tensor::NdTensorView;
use serde_json::Value;
use shared::{Run, folder, openvino, shared, skipped};
use vigia::camera::latest::Latest;
use vigia::clock;
use vigia::detect::engine::{self, EngineOptions, Mode};
use vigia::detect::manifest::{self, Located};
use vigia::detect::network::Network;
use vigia::detect::{Detector, Suppression};
use vigia::engines::half;
use vigia::frame::{Frame, Surface};
use vigia_core::config::{Engine as Choice, Pace, Stream, StreamUri, Tracker, Transport};
use vigia_core::detection::BBox;

const CLIPS: [&str; 2] = ["car-detection", "one-by-one-person-detection"];
/// Detections at least this confident must agree.
const SURE: f32 = 0.35;
/// Everything is asked for from here on, so that what is nearly sure can be a counterpart.
const FLOOR: f32 = 0.3;

/// A detection without its name.
#[derive(Debug, Clone, Copy)]
struct Found {
    class: u64,
    confidence: f32,
    bbox: BBox,
}

impl Found {
    fn read(value: &Value) -> Self {
        let number = |v: &Value| v.as_f64().expect("it is a number") as f32;
        let [x1, y1, x2, y2] = [0, 1, 2, 3].map(|i| number(&value["box_xyxy"][i]));
        let class = value["class_id"].as_u64().expect("it is an id");
        Self { class, confidence: number(&value["confidence"]), bbox: BBox { x1, y1, x2, y2 } }
    }
}

/// How much two detections of one object may differ.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    iou: f32,
    confidence: f32,
}

/// What of `wanted` is sure and has no counterpart of its own in `found`.
fn missing(wanted: &[Found], found: &[Found], tolerance: Tolerance) -> Vec<Found> {
    let mut free = found.to_vec();
    let mut missing = Vec::new();
    for w in wanted.iter().filter(|w| w.confidence >= SURE) {
        let near = |f: &Found| {
            f.class == w.class
                && f.bbox.iou(&w.bbox) >= tolerance.iou
                && (f.confidence - w.confidence).abs() <= tolerance.confidence
        };
        match free.iter().position(near) {
            Some(at) => drop(free.swap_remove(at)),
            None => missing.push(*w),
        }
    }
    missing
}

fn sure(found: &[Found]) -> usize {
    found.iter().filter(|f| f.confidence >= SURE).count()
}

/// YOLOX-nano, taken in as a user does it.
fn import(models: &Path) -> Option<()> {
    taken_in(&shared("models/yolox_nano.onnx")?, models)
}

fn taken_in(onnx: &Path, models: &Path) -> Option<()> {
    let run = Run::vigia(&[&"model", &"import", &onnx, &"--models-dir", &models]);
    assert_eq!(run.code, 0, "{run:#?}");
    Some(())
}

fn detect(source: &Path, models: &Path, flags: &[&str]) -> Run {
    detect_in("", source, models, flags)
}

/// With settings of the shell before it.
fn detect_in(settings: &str, source: &Path, models: &Path, flags: &[&str]) -> Run {
    let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"detect", &source, &"--model", &"yolox_nano"];
    args.extend([&"--models-dir" as &dyn AsRef<_>, &models]);
    args.extend(flags.iter().map(|f| f as &dyn AsRef<_>));
    Run::limited(settings, &args)
}

fn by_frame(frames: &[Value]) -> BTreeMap<u64, Vec<Found>> {
    let list =
        |f: &Value| f["detections"].as_array().expect("it is a list").iter().map(Found::read).collect();
    frames.iter().map(|f| (f["frame"].as_u64().expect("it is a number"), list(f))).collect()
}

fn agrees_with_the_reference(flags: &[&str]) {
    let dir = folder();
    let Some(()) = import(dir.path()) else { return };
    it_agrees_with_the_reference("", dir.path(), flags);
}

/// At least 97 % of the reference found, at most 3 % that it does not know.
fn it_agrees_with_the_reference(settings: &str, models: &Path, flags: &[&str]) {
    const TOLERANCE: Tolerance = Tolerance { iou: 0.85, confidence: 0.08 };
    let (mut wanted, mut missed, mut ours, mut extra) = (0, 0, 0, 0);
    for clip in CLIPS {
        let Some(golden) = shared(&format!("golden/yolox_nano-{clip}.json")) else { return };
        let Some(media) = shared(&format!("media/{clip}.mp4")) else { return };
        let golden: Value = serde_json::from_slice(&fs::read(golden).expect("it can be read")).expect("JSON");
        let golden = by_frame(golden["frames"].as_array().expect("it has frames"));
        let lines =
            detect_in(settings, &media, models, &[&["--every", "5", "--conf", "0.3"], flags].concat())
                .json_lines();
        lines.iter().for_each(has_the_documented_fields);
        let found = by_frame(&lines);
        assert!(golden.keys().eq(found.keys()), "{clip}: the same pictures are looked at");
        for (frame, want) in &golden {
            let have = &found[frame];
            let (lost, new) = (missing(want, have, TOLERANCE), missing(have, want, TOLERANCE));
            for (what, list) in [("missed", &lost), ("extra", &new)] {
                list.iter().for_each(|f| eprintln!("{clip} {frame}: {what} {f:?}"));
            }
            (wanted, missed) = (wanted + sure(want), missed + lost.len());
            (ours, extra) = (ours + sure(have), extra + new.len());
        }
    }
    eprintln!("{flags:?}: {} of {wanted} found, {extra} of {ours} extra", wanted - missed);
    assert!(wanted > 200, "the reference is there");
    assert!(missed * 100 <= wanted * 3, "{missed} of {wanted} missed");
    assert!(extra * 100 <= ours * 3, "{extra} of {ours} extra");
}

fn has_the_documented_fields(line: &Value) {
    let keys =
        |v: &Value| v.as_object().map(|o| o.keys().cloned().collect::<BTreeSet<_>>()).unwrap_or_default();
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(keys(line), set(&["frame", "pts_ms", "detections"]));
    assert!(line["frame"].is_u64() && line["pts_ms"].is_f64(), "{line}");
    for d in line["detections"].as_array().expect("it is a list") {
        assert_eq!(keys(d), set(&["class_id", "class_name", "confidence", "box_xyxy", "tracker_id"]));
        let confidence = d["confidence"].as_f64().expect("it is a number");
        assert!((0.3..=1.0).contains(&confidence) && d["class_name"].is_string(), "{line}");
        assert!(d["class_id"].as_u64().is_some_and(|id| id < 80) && d["tracker_id"].is_null(), "{line}");
        let bbox = Found::read(d).bbox;
        let inside = 0.0 <= bbox.x1 && bbox.x1 < bbox.x2 && bbox.x2 <= 768.0;
        assert!(inside && 0.0 <= bbox.y1 && bbox.y1 < bbox.y2 && bbox.y2 <= 432.0, "{line}");
        assert_eq!(d["box_xyxy"].as_array().map(Vec::len), Some(4));
    }
}

#[test]
fn rten_finds_what_the_reference_finds() {
    agrees_with_the_reference(&["--engine", "rten"]);
}

#[test]
fn openvino_finds_what_the_reference_finds() {
    let Some(dir) = openvino() else { return };
    let dir = dir.to_str().expect("the path is UTF-8");
    agrees_with_the_reference(&["--engine", "openvino", "--openvino-dir", dir]);
}

/// With 16-bit weights, constants and tensors, as TensorRT runs it; here on a processor, which computes in 32 bits
/// between them.
#[test]
fn a_halved_model_finds_what_the_reference_finds() {
    let (Some(dir), Some(onnx)) = (openvino(), shared("models/yolox_nano.onnx")) else { return };
    let mut model = ModelProto::parse_buf(&fs::read(onnx).expect("it can be read")).expect("ONNX");
    let rounding = half::halve(&mut model).expect("it has no odd operators");
    assert!(rounding.values > 900_000 && rounding.cut == 0, "{rounding:?}");
    takes_wide_pictures(&mut model);
    let (models, made) = (folder(), folder());
    let halved = made.path().join("yolox_nano.onnx");
    fs::write(&halved, model.write_buf().expect("it can be written")).expect("the disk has room");
    let Some(()) = taken_in(&halved, models.path()) else { return };
    let dir = dir.to_str().expect("the path is UTF-8");
    it_agrees_with_the_reference("", models.path(), &["--engine", "openvino", "--openvino-dir", dir]);
}

/// In GPU mode: a plan is built, frames go to the device or are decoded there, candidates come back. The network's own work is
/// rten's there, so what would be missed is the path's; with delayed copies, its missing waits.
#[test]
fn on_a_gpu_it_finds_what_the_reference_finds() {
    let models = folder();
    let Some(()) = import(models.path()) else { return };
    for (recipe, decoders, delay) in [
        ("{precision: fp32, batch: 4}", Decoders::None, "0"),
        ("{precision: fp32, batch: 4}", Decoders::Nvdec, "1"),
        ("{precision: fp16, batch: 1}", Decoders::Jetson, "1"),
    ] {
        let gpu = Gpu::new(recipe, decoders);
        let settings = format!("{} export VIGIA_CUDA_DELAY={delay};", gpu.settings());
        it_agrees_with_the_reference(&settings, models.path(), &["--engine", "tensorrt"]);
        assert_eq!(shared::files(&gpu.plans()).len(), 1);
    }
}

/// The engines of processors write 32-bit pictures: one cast goes before everything else.
fn takes_wide_pictures(model: &mut ModelProto) {
    let graph = model.graph.as_mut().expect("it has one");
    let input = &mut graph.input[0];
    let tensor = input.r#type.as_mut().and_then(|t| t.tensor_type.as_mut()).expect("a tensor");
    assert_eq!(tensor.elem_type.replace(DataType::FLOAT), Some(DataType::FLOAT16));
    let name = input.name.clone().expect("it has a name");
    let narrow = format!("{name} narrow");
    for taken in graph.node.iter_mut().flat_map(|n| &mut n.input).filter(|n| **n == name) {
        taken.clone_from(&narrow);
    }
    graph.node.insert(0, half::cast(&name, &narrow, DataType::FLOAT16));
}

/// Makes a file; `ending` is a GStreamer pipeline without its file.
fn media(path: &Path, pipeline: &str) {
    gst::init().expect("GStreamer is installed");
    let text = format!("{pipeline} ! filesink location=\"{}\"", path.display());
    let pipeline = gst::parse::launch(&text).expect("the elements are installed");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let message = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(30),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(
        matches!(message.as_ref().map(|m| m.view()), Some(gst::MessageView::Eos(_))),
        "{text}: {message:?}"
    );
}

#[test]
fn odd_files_are_read_or_refused() {
    let dir = folder();
    let Some(()) = import(dir.path()) else { return };
    let Some(clip) = shared("media/car-detection.mp4") else { return };
    let whole = fs::read(clip).expect("it can be read");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("the disk has room");
        path
    };
    let refused = [
        (dir.path().join("missing.mp4"), "can't be opened"),
        (dir.path().to_owned(), "is not a file"),
        (file("empty.mp4", b""), "is empty"),
        (file("text.mp4", "Not a film, but a letter.\n".repeat(99).as_bytes()), "can't be decoded"),
        (file("header.mp4", &whole[..32]), ""),
        (file("half header.mp4", &whole[..7]), ""),
        (
            file(
                "noise.mp4",
                &(0..99_999u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect::<Vec<_>>(),
            ),
            "",
        ),
        (made(dir.path(), "none.mkv", "videotestsrc num-buffers=0 ! jpegenc ! matroskamux"), ""),
        (made(dir.path(), "sound.mkv", "audiotestsrc num-buffers=9 ! matroskamux"), ""),
    ];
    for (path, phrase) in refused {
        let run = detect(&path, dir.path(), &["--engine", "rten"]);
        let sentence = run.sentence();
        eprintln!("{}: {} {sentence}", path.display(), run.code);
        assert!(sentence.contains(phrase) && run.stdout.is_empty(), "{run:#?}");
    }
    for (name, pipeline, pictures) in [
        (
            "dot.mkv",
            "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=1,height=1 ! jpegenc ! matroskamux",
            3,
        ),
        (
            "raw dot.mkv",
            "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=1,height=1 ! matroskamux",
            3,
        ),
        (
            "odd.mkv",
            "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=33,height=7 ! jpegenc ! matroskamux",
            3,
        ),
        (
            "8k.mkv",
            "videotestsrc num-buffers=1 ! video/x-raw,width=7680,height=4320 ! jpegenc ! matroskamux",
            1,
        ),
    ] {
        let run =
            detect(&made(dir.path(), name, pipeline), dir.path(), &["--engine", "rten", "--conf", "0.3"]);
        eprintln!("{name}: {} {}", run.code, run.stderr.trim());
        assert_eq!(run.json_lines().len(), pictures, "{run:#?}");
    }
    // A film that breaks off gives what it has, whatever the end of the run says.
    let headed = [&whole[..whole.len() / 2], &[0; 64]].concat();
    let run = detect(&file("cut.mp4", &headed), dir.path(), &["--engine", "rten", "--every", "20"]);
    assert!(run.code != 0 || !run.stdout.is_empty(), "{run:#?}");
    let text = detect(&file("here.mp4", &whole), dir.path(), &["--engine", "rten", "--frames", "2"]);
    assert_eq!(text.json_lines().len(), 2);
}

fn made(dir: &Path, name: &str, pipeline: &str) -> PathBuf {
    let path = dir.join(name);
    media(&path, pipeline);
    path
}

/// A decoded picture, and where it comes from.
struct Picture {
    name: String,
    buffer: gst::Buffer,
    info: VideoInfo,
}

/// Every `every`-th picture of a clip, as the decoder gives it (I420), or as NV12.
fn pictures(clip: &str, format: &str, every: usize) -> Option<Vec<Picture>> {
    let path = shared(&format!("media/{clip}.mp4"))?;
    gst::init().expect("GStreamer is installed");
    let text = format!(
        "filesrc location={} ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format={format} \
         ! appsink name=sink sync=false",
        path.display()
    );
    let pipeline = gst::parse::launch(&text).expect("the elements are installed");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("it is a pipeline");
    let sink = pipeline.by_name("sink").expect("it has a sink");
    let sink = sink.downcast::<gst_app::AppSink>().expect("it is an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let mut found = Vec::new();
    let mut count = 0;
    while let Ok(sample) = sink.pull_sample() {
        if count % every == 0 {
            let info = VideoInfo::from_caps(sample.caps().expect("it has caps")).expect("they are of video");
            let buffer = sample.buffer().expect("it has a buffer").copy_deep().expect("it can be copied");
            found.push(Picture { name: format!("{clip} {count} {format}"), buffer, info });
        }
        count += 1;
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    Some(found)
}

/// The picture as rows of red, green and blue, each chroma sample repeated over its pixels.
/// Colours that no screen shows are cut to those that it can, as in every 8-bit picture.
fn rgb(picture: &Picture) -> Vec<[f64; 3]> {
    let frame =
        VideoFrameRef::from_buffer_ref_readable(&picture.buffer, &picture.info).expect("it can be mapped");
    let colour = picture.info.colorimetry();
    let (kr, kb) = match colour.matrix() {
        VideoColorMatrix::Bt709 => (0.2126, 0.0722),
        VideoColorMatrix::Bt601 => (0.299, 0.114),
        other => panic!("the clips are of another kind: {other:?}"),
    };
    let full = colour.range() == VideoColorRange::Range0_255;
    let (black, luma, chroma) = if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    let semi = picture.info.format() == gst_video::VideoFormat::Nv12;
    let at = |plane: u32, x: usize, y: usize| {
        let stride = usize::try_from(frame.plane_stride()[plane as usize]).expect("rows go down");
        f64::from(frame.plane_data(plane).expect("the plane is there")[y * stride + x])
    };
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let pixel = |i: usize| {
        let (x, y) = (i % width, i / width);
        let light = (at(0, x, y) - black) / luma;
        let (u, v) = match semi {
            true => (at(1, x / 2 * 2, y / 2), at(1, x / 2 * 2 + 1, y / 2)),
            false => (at(1, x / 2, y / 2), at(2, x / 2, y / 2)),
        };
        let (u, v) = ((u - 128.0) / chroma, (v - 128.0) / chroma);
        let (red, blue) = (light + 2.0 * (1.0 - kr) * v, light + 2.0 * (1.0 - kb) * u);
        let green = (light - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue].map(|c| (c * 255.0).clamp(0.0, 255.0))
    };
    (0..width * height).map(pixel).collect()
}

const SIDE: usize = 416;

/// YOLOX's input: top left, grey 114 around, blue first, 0 to 255.
fn tensor(picture: &Picture) -> (Vec<f32>, f64) {
    let pixels = rgb(picture);
    let (width, height) = (picture.info.width() as usize, picture.info.height() as usize);
    let long = width.max(height);
    let (wide, high) = (width * SIDE / long, height * SIDE / long);
    let mut tensor = vec![114.0; 3 * SIDE * SIDE];
    // Centres of pixels lie at halves; beyond the border the border goes on.
    let tap = |i: usize, from: usize, to: usize| {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        (at as usize, (at as usize + 1).min(from - 1), at.fract())
    };
    for y in 0..high {
        let (top, bottom, down) = tap(y, height, high);
        for x in 0..wide {
            let (left, right, along) = tap(x, width, wide);
            for channel in 0..3 {
                let row = |y: usize| {
                    let [a, b] = [left, right].map(|x| pixels[y * width + x][2 - channel]);
                    a + (b - a) * along
                };
                let value = row(top) + (row(bottom) - row(top)) * down;
                tensor[(channel * SIDE + y) * SIDE + x] = value as f32;
            }
        }
    }
    (tensor, long as f64 / SIDE as f64)
}

/// Detections of YOLOX's raw output, read as its paper says.
fn decoded(output: &[f32], scale: f64, frame: (f64, f64)) -> Vec<Found> {
    let mut cells = Vec::new();
    for stride in [8, 16, 32] {
        let side = SIDE / stride;
        cells.extend((0..side * side).map(|i| ((i % side) as f64, (i / side) as f64, stride as f64)));
    }
    assert_eq!(output.len(), cells.len() * 85);
    let mut all = Vec::new();
    for (row, (x, y, stride)) in output.chunks(85).zip(cells) {
        for (class, score) in row[5..].iter().enumerate() {
            let best = row[5..].iter().all(|other| other <= score);
            let confidence = row[4] * score;
            if best && confidence >= FLOOR {
                let [dx, dy, w, h] = [row[0], row[1], row[2], row[3]].map(f64::from);
                let (cx, cy, w, h) =
                    ((x + dx) * stride, (y + dy) * stride, w.exp() * stride, h.exp() * stride);
                let put = |v: f64, most: f64| (v * scale).clamp(0.0, most) as f32;
                let bbox = BBox {
                    x1: put(cx - w / 2.0, frame.0),
                    y1: put(cy - h / 2.0, frame.1),
                    x2: put(cx + w / 2.0, frame.0),
                    y2: put(cy + h / 2.0, frame.1),
                };
                all.push(Found { class: class as u64, confidence, bbox });
            }
        }
    }
    all.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut kept: Vec<Found> = Vec::new();
    for one in all {
        if kept.iter().all(|k| k.class != one.class || k.bbox.iou(&one.bbox) <= 0.45) {
            kept.push(one);
        }
    }
    kept
}

/// vigia's own way with a picture.
fn detector(model: &Located, choice: Choice, openvino_dir: Option<PathBuf>) -> Detector {
    let options = EngineOptions {
        choice,
        mode: Mode::Latency,
        threads: None,
        openvino_dir,
        width: model.manifest.input.width,
        height: model.manifest.input.height,
    };
    let engine = engine::open(&model.onnx, &options).expect("the engine takes the model").engine;
    let stream = Stream {
        source_id: 5,
        uri: StreamUri::parse("/clip.mp4").expect("a path is an address"),
        name: None,
        max_fps: 30.0,
        transport: Transport::Tcp,
        credentials: None,
        tls_ca_file: None,
        confidence: FLOOR,
        classes: Vec::new(),
        tracker: Tracker::None,
        pace: Pace::Max,
        looped: false,
        enabled: true,
    };
    let suppression = Suppression { iou: 0.45, detections_max: 300 };
    Detector::new(Network::new(engine, Arc::new(model.manifest.clone()), suppression), &[stream])
        .expect("the model is sound")
}

fn seen(detector: &mut Detector, picture: &Picture) -> Vec<Found> {
    let latest = Latest::default();
    latest.put(Frame {
        source_id: 5,
        picture: 0,
        captured: clock::utc(),
        captured_at: clock::now(),
        pts_ms: 0.0,
        surface: Surface::System { buffer: picture.buffer.clone(), info: picture.info.clone() },
    });
    let mut found = Vec::new();
    let mut emit = |d: &vigia::detect::Detected| {
        found.extend(d.detections.iter().map(|d| Found {
            class: d.class_id.into(),
            confidence: d.confidence,
            bbox: d.bbox,
        }));
    };
    assert!(detector.step(&latest, Duration::ZERO, &mut emit).expect("the engine works"), "{}", picture.name);
    found
}

/// What the plain reading finds in a picture.
fn plainly(network: &rten::Model, picture: &Picture) -> Vec<Found> {
    let (input, scale) = tensor(picture);
    let view = NdTensorView::from_data([1, 3, SIDE, SIDE], input.as_slice());
    let output = network.run_one(rten::ValueView::from(view).into(), None).expect("the network runs");
    let output: rten_tensor::TensorView<f32> = output.as_tensor_view().expect("floats come out");
    let frame = (f64::from(picture.info.width()), f64::from(picture.info.height()));
    decoded(output.data().expect("they lie in a row"), scale, frame)
}

#[test]
fn the_same_pixels_give_the_same_detections() {
    const SAME: Tolerance = Tolerance { iou: 0.99, confidence: 0.01 };
    let dir = folder();
    let Some(()) = import(dir.path()) else { return };
    let Some(cars) = pictures(CLIPS[0], "I420", 12) else { return };
    let Some(people) = pictures(CLIPS[1], "NV12", 40) else { return };
    let model = manifest::locate(dir.path(), "yolox_nano").expect("it was imported");
    let plain = rten::Model::load_file(&model.onnx).expect("rten takes it");
    let mut ours = detector(&model, Choice::Rten, None);
    let mut theirs = openvino().map(|dir| detector(&model, Choice::OpenVino, Some(dir)));
    if theirs.is_none() {
        skipped("the engines can't be compared");
    }
    let (mut looked, mut total) = (0, 0);
    let mut wrong = Vec::new();
    for picture in cars.iter().chain(&people) {
        let found = seen(&mut ours, picture);
        (looked, total) = (looked + 1, total + sure(&found));
        let mut compare = |what: &str, a: &[Found], b: &[Found]| {
            for (way, list) in [("misses", missing(a, b, SAME)), ("invents", missing(b, a, SAME))] {
                wrong.extend(list.iter().map(|f| format!("{}: {what} {way} {f:?}", picture.name)));
            }
        };
        compare("vigia", &plainly(&plain, picture), &found);
        if let Some(theirs) = &mut theirs {
            compare("openvino", &found, &seen(theirs, picture));
        }
    }
    eprintln!("{looked} pictures, {total} sure detections, {} differ", wrong.len());
    assert!(looked >= 60 && total >= 40, "{looked} pictures, {total} detections");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
