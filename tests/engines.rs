//! Every head on every engine: what is planted in a network comes out in frame pixels, with its
//! stream's name, filter, threshold and identities.

#![expect(clippy::cast_possible_truncation, reason = "pixels and confidences are small")]

#[path = "support/shared.rs"]
mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst_video::{VideoFormat, VideoInfo};
use shared::{folder, openvino};
use vigia::camera::latest::Latest;
use vigia::clock;
use vigia::detect::engine::{self, Engine, EngineOptions, Mode};
use vigia::detect::import::{self, Wishes};
use vigia::detect::manifest::{self, Located, Placement};
use vigia::detect::network::Network;
use vigia::detect::orders::Order;
use vigia::detect::{Detected, Detector, Suppression};
use vigia::frame::{Frame, Surface};
use vigia_core::config::{Engine as Choice, Pace, Stream, StreamUri, Tracker, Transport};
use vigia_core::detection::head::Head;
use vigia_core::time::Instant;
use vigia_sim::onnx::{self, Planted};

const CLASSES: [&str; 3] = ["fire", "smoke", "person"];
const NAMES: &str = "{0: 'fire', 1: 'smoke', 2: 'person'}";
const FRAME: (u32, u32) = (1280, 720);

/// Something to find: class, confidence, corners in pixels of a 1280x720 frame.
type Thing = (usize, f32, [f64; 4]);

/// The second is the first once more; the third, of another class, hides nothing.
const THINGS: [Thing; 6] = [
    (0, 0.9, [100.0, 100.0, 300.0, 260.0]),
    (0, 0.8, [104.0, 102.0, 304.0, 262.0]),
    (1, 0.7, [102.0, 100.0, 302.0, 260.0]),
    (2, 0.65, [900.0, 400.0, 1100.0, 700.0]),
    (2, 0.62, [1200.0, -40.0, 1400.0, 100.0]),
    (1, 0.3, [500.0, 500.0, 600.0, 600.0]),
];
const DUPLICATE: usize = 1;

/// Where a frame lies in the network's input, worked out anew.
#[derive(Debug, Clone, Copy)]
struct Place {
    scale: [f64; 2],
    shift: [f64; 2],
}

impl Place {
    fn new(frame: (u32, u32), input: [u32; 2], align: Placement) -> Self {
        let frame = [f64::from(frame.0), f64::from(frame.1)];
        let input = input.map(f64::from);
        let ratio = (input[0] / frame[0]).min(input[1] / frame[1]);
        match align {
            Placement::Stretch => Self { scale: [input[0] / frame[0], input[1] / frame[1]], shift: [0.0; 2] },
            Placement::TopLeft => Self { scale: [ratio; 2], shift: [0.0; 2] },
            Placement::Centre => Self {
                scale: [ratio; 2],
                shift: [0, 1].map(|i| ((input[i] - frame[i] * ratio) / 2.0).floor()),
            },
        }
    }

    fn to_input(self, corners: [f64; 4]) -> [f64; 4] {
        [0, 1, 2, 3].map(|i| corners[i] * self.scale[i % 2] + self.shift[i % 2])
    }
}

/// One way to write detections.
#[derive(Debug, Clone, Copy)]
struct Kind {
    head: Head,
    align: Placement,
    /// RT-DETR's logits and boxes apart.
    apart: bool,
}

const KINDS: [Kind; 6] = [
    Kind { head: Head::Yolov5, align: Placement::Centre, apart: false },
    Kind { head: Head::Yolov8, align: Placement::Centre, apart: false },
    Kind { head: Head::End2end, align: Placement::Centre, apart: false },
    Kind { head: Head::Yolox, align: Placement::TopLeft, apart: false },
    Kind { head: Head::Rtdetr, align: Placement::Stretch, apart: false },
    Kind { head: Head::Rtdetr, align: Placement::Stretch, apart: true },
];

/// The outputs of a network for `input` that has found `things`.
fn planted(kind: Kind, input: [u32; 2], place: Place, things: &[Thing]) -> Vec<Planted> {
    let side = |s: u32| input.map(|i| (i / s) as usize);
    let cells: usize = [8, 16, 32].map(|s| side(s)[0] * side(s)[1]).iter().sum();
    let count = CLASSES.len();
    let shapes: Vec<Vec<usize>> = match (kind.head, kind.apart) {
        (Head::Yolov5, _) => vec![vec![1, 3 * cells, 5 + count]],
        (Head::Yolov8, _) => vec![vec![1, 4 + count, cells]],
        (Head::End2end, _) => vec![vec![1, 300, 6]],
        (Head::Yolox, _) => vec![vec![1, cells, 5 + count]],
        (Head::Rtdetr, false) => vec![vec![1, 300, 4 + count]],
        (Head::Rtdetr, true) => vec![vec![1, 300, count], vec![1, 300, 4]],
    };
    let mut outputs: Vec<_> = shapes.iter().map(|s| Planted::nothing(s)).collect();
    if kind.apart {
        outputs[0].values.fill(-20.0);
    }
    for (i, &(class, confidence, corners)) in things.iter().enumerate() {
        let [x1, y1, x2, y2] = place.to_input(corners);
        let (cx, cy, w, h) = ((x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1);
        let (wide, high) = (f64::from(input[0]), f64::from(input[1]));
        let unit = [cx / wide, cy / high, w / wide, h / high];
        // Not the first rows: those are as good as any.
        let row = 40 + 7 * i;
        let mut put = |output: usize, at: usize, value: f64| outputs[output].values[at] = value as f32;
        let confidence = f64::from(confidence);
        match kind.head {
            Head::Yolov5 => {
                let at = row * (5 + count);
                [cx, cy, w, h, 0.95].iter().enumerate().for_each(|(k, v)| put(0, at + k, *v));
                put(0, at + 5 + class, confidence / 0.95);
            }
            Head::Yolov8 => {
                [cx, cy, w, h].iter().enumerate().for_each(|(k, v)| put(0, k * cells + row, *v));
                put(0, (4 + class) * cells + row, confidence);
            }
            Head::End2end => {
                let values = [x1, y1, x2, y2, confidence, class as f64];
                values.iter().enumerate().for_each(|(k, v)| put(0, row * 6 + k, *v));
            }
            Head::Yolox => {
                // A cell of the coarsest grid, as objects of this size have it.
                let (grid, fine) = (side(32)[0], cells - side(32)[0] * side(32)[1]);
                let cell = 11 + i;
                let (gx, gy) = ((cell % grid) as f64, (cell / grid) as f64);
                let at = (fine + cell) * (5 + count);
                let values = [cx / 32.0 - gx, cy / 32.0 - gy, (w / 32.0).ln(), (h / 32.0).ln(), 0.95];
                values.iter().enumerate().for_each(|(k, v)| put(0, at + k, *v));
                put(0, at + 5 + class, confidence / 0.95);
            }
            Head::Rtdetr if kind.apart => {
                put(0, row * count + class, (confidence / (1.0 - confidence)).ln());
                unit.iter().enumerate().for_each(|(k, v)| put(1, row * 4 + k, *v));
            }
            Head::Rtdetr => {
                let at = row * (4 + count);
                unit.iter().enumerate().for_each(|(k, v)| put(0, at + k, *v));
                put(0, at + 4 + class, confidence);
            }
        }
    }
    outputs
}

/// An imported model in its folder.
struct Model {
    _dir: tempfile::TempDir,
    located: Located,
}

fn taken_in(outputs: &[Planted], size: [Option<i64>; 2], wishes: &Wishes) -> Model {
    let dir = folder();
    let file = dir.path().join("planted.onnx");
    let bytes = onnx::model(size, Some(NAMES), outputs).write_buf().expect("a graph can be written");
    fs::write(&file, bytes).expect("the disk has room");
    let manifest = import::examine(&file, wishes, |_| {}).expect("it is a detector");
    let models = dir.path().join("models");
    import::store(&file, &manifest, &models).expect("it can be stored");
    Model { located: manifest::locate(&models, "planted").expect("it was stored"), _dir: dir }
}

/// The engines of this machine.
fn engines() -> Vec<(Choice, Option<PathBuf>)> {
    let mut all = vec![(Choice::Rten, None)];
    all.extend(openvino().map(|dir| (Choice::OpenVino, Some(dir))));
    all
}

fn open(model: &Model, engine: &(Choice, Option<PathBuf>), mode: Mode) -> Engine {
    let input = model.located.manifest.input;
    let options = EngineOptions {
        choice: engine.0,
        mode,
        threads: None,
        openvino_dir: engine.1.clone(),
        width: input.width,
        height: input.height,
    };
    engine::open(&model.located.onnx, &options).expect("the engine takes the model").engine
}

fn stream(source_id: u32) -> Stream {
    Stream {
        source_id,
        uri: StreamUri::parse("/clip.mp4").expect("a path is an address"),
        name: None,
        max_fps: 30.0,
        transport: Transport::Tcp,
        credentials: None,
        tls_ca_file: None,
        confidence: 0.5,
        classes: Vec::new(),
        tracker: Tracker::None,
        pace: Pace::Max,
        looped: false,
        enabled: true,
    }
}

fn detector(model: &Model, engine: Engine, streams: &[Stream]) -> Detector {
    let suppression = Suppression { iou: 0.45, detections_max: 300 };
    Detector::new(Network::new(engine, Arc::new(model.located.manifest.clone()), suppression), streams)
        .expect("the model is sound")
}

/// A grey frame of the given brightness. Its number is its time in milliseconds, too.
fn frame(source_id: u32, number: u64, size: (u32, u32), luma: u8) -> Frame {
    let info = VideoInfo::builder(VideoFormat::I420, size.0, size.1).build().expect("the size is sound");
    let mut bytes = vec![128; info.size()];
    bytes[..info.offset()[1]].fill(luma);
    Frame {
        source_id,
        picture: number,
        captured: clock::utc(),
        captured_at: Instant(number * 1_000_000 + u64::from(source_id)),
        pts_ms: number as f64,
        surface: Surface::System { buffer: gst::Buffer::from_slice(bytes), info },
    }
}

/// A result, kept.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    source_id: u32,
    frame_id: u64,
    picture: u64,
    size: (u32, u32),
    found: Vec<One>,
}

#[derive(Debug, Clone, PartialEq)]
struct One {
    class: String,
    confidence: f32,
    corners: [f64; 4],
    tracker_id: Option<u32>,
}

fn kept(d: &Detected) -> Kept {
    let one = |x: &vigia_core::detection::Detection| One {
        class: d.classes[usize::from(x.class_id)].clone(),
        confidence: x.confidence,
        corners: [x.bbox.x1, x.bbox.y1, x.bbox.x2, x.bbox.y2].map(f64::from),
        tracker_id: x.tracker_id,
    };
    assert_eq!(d.model_id, "planted");
    Kept {
        source_id: d.source_id,
        frame_id: d.frame_id,
        picture: d.picture,
        size: (d.width, d.height),
        found: d.detections.iter().map(one).collect(),
    }
}

/// Puts frames in and takes out all results.
fn through(detector: &mut Detector, frames: Vec<Frame>) -> Vec<Kept> {
    let latest = Latest::default();
    for frame in frames {
        latest.put(frame);
    }
    let mut all = Vec::new();
    while detector.step(&latest, Duration::ZERO, &mut |d| all.push(kept(d))).expect("the engine works") {}
    all
}

/// Checks that exactly `things` were found, in the order of their confidence.
fn check(what: &str, kept: &Kept, things: &[Thing]) {
    assert_eq!(kept.found.len(), things.len(), "{what}: {kept:#?}");
    for (found, &(class, confidence, corners)) in kept.found.iter().zip(things) {
        let most = [kept.size.0, kept.size.1].map(f64::from);
        let want = [0, 1, 2, 3].map(|i| corners[i].clamp(0.0, most[i % 2]));
        let off = found.corners.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off <= 0.5, "{what}: {found:?} is {off} px from {want:?}");
        assert_eq!(found.class, CLASSES[class], "{what}");
        assert!((found.confidence - confidence).abs() < 1e-3, "{what}: {found:?}");
    }
}

/// What of `THINGS` a stream gets to see, as far as `keep` lets it through.
fn seen(kind: Kind, least: f32, keep: impl Fn(&Thing) -> bool) -> Vec<Thing> {
    let all = THINGS.iter().enumerate();
    let hidden = |i: usize| kind.head.needs_nms() && i == DUPLICATE;
    all.filter(|(i, t)| !hidden(*i) && t.1 >= least && keep(t)).map(|(_, t)| *t).collect()
}

#[test]
fn every_head_on_every_engine_finds_what_is_planted() {
    gst::init().expect("GStreamer is installed");
    for kind in KINDS {
        for (size, input) in [([Some(320), Some(320)], [320, 320]), ([None, None], [320, 256])] {
            let place = Place::new(FRAME, input, kind.align);
            let dynamic = size[0].is_none();
            let wishes = Wishes {
                size: dynamic.then_some((input[0], input[1])),
                openvino_dir: engines().last().and_then(|e| e.1.clone()),
                ..Wishes::default()
            };
            let model = taken_in(&planted(kind, input, place, &THINGS), size, &wishes);
            let m = &model.located.manifest;
            assert_eq!((m.head, m.preprocess.align), (kind.head, kind.align));
            assert_eq!((m.input.width, m.input.height, m.input.dynamic), (input[0], input[1], dynamic));
            assert_eq!(m.classes, CLASSES);
            for engine in engines() {
                let what = format!("{kind:?} {input:?} {:?}", engine.0);
                reaches_the_streams(&what, kind, &model, &engine);
            }
        }
    }
}

/// Four streams with wishes of their own over one model.
fn reaches_the_streams(what: &str, kind: Kind, model: &Model, engine: &(Choice, Option<PathBuf>)) {
    let streams = [
        stream(1),
        Stream { confidence: 0.2, ..stream(2) },
        Stream { classes: vec!["person".into()], ..stream(3) },
        Stream { tracker: Tracker::ByteTrack, ..stream(4) },
    ];
    let mut detector = detector(model, open(model, engine, Mode::Latency), &streams);
    let mut ids: Vec<Vec<Option<u32>>> = Vec::new();
    for number in 1..=3 {
        let frames = streams.iter().map(|s| frame(s.source_id, number * 40, FRAME, 90)).collect();
        let results = through(&mut detector, frames);
        assert_eq!(results.iter().map(|r| r.source_id).collect::<Vec<_>>(), [1, 2, 3, 4], "{what}");
        assert!(results.iter().all(|r| r.frame_id == number && r.size == FRAME), "{what}");
        check(what, &results[0], &seen(kind, 0.5, |_| true));
        check(what, &results[1], &seen(kind, 0.2, |_| true));
        check(what, &results[2], &seen(kind, 0.5, |t| t.0 == 2));
        check(what, &results[3], &seen(kind, 0.5, |_| true));
        assert!(results[..3].iter().flat_map(|r| &r.found).all(|f| f.tracker_id.is_none()), "{what}");
        ids.push(results[3].found.iter().map(|f| f.tracker_id).collect());
    }
    let distinct: BTreeSet<_> = ids[0].iter().flatten().collect();
    assert_eq!(distinct.len(), ids[0].len(), "{what}: each has an identity of its own: {ids:?}");
    assert!(ids.iter().all(|i| *i == ids[0]), "{what}: identities stay: {ids:?}");
    assert_eq!(detector.dropped().load(Ordering::Relaxed), 0, "{what}");
}

/// A network that tells how bright the picture is: one box, its confidence 0.3 + 0.6 x mean.
fn brightness() -> Planted {
    let mut output = Planted::nothing(&[1, 300, 4 + CLASSES.len()]);
    output.values[..5].copy_from_slice(&[0.5, 0.5, 0.5, 0.25, 0.3]);
    output.slope[4] = 0.6;
    output
}

/// The confidence that a frame of this brightness gets; video black is 16, white 235.
fn confidence_of(luma: u8) -> f32 {
    0.3 + 0.6 * (f32::from(luma) - 16.0) / 219.0
}

#[test]
fn every_result_belongs_to_its_frame() {
    gst::init().expect("GStreamer is installed");
    let model = taken_in(&[brightness()], [Some(64), Some(96)], &Wishes::default());
    let sizes = BTreeMap::from([(7, (1280, 720)), (3, (640, 480)), (1000, (333, 777))]);
    let streams: Vec<_> = sizes.keys().map(|id| Stream { confidence: 0.25, ..stream(*id) }).collect();
    for engine in engines() {
        for mode in [Mode::Latency, Mode::Throughput] {
            let mut detector = detector(&model, open(&model, &engine, mode), &streams);
            let mut luma = BTreeMap::new();
            let mut seen = BTreeMap::<u32, u64>::new();
            for round in 0..20u8 {
                let mut frames = Vec::new();
                for (i, (id, size)) in (0..).zip(&sizes) {
                    // Not every stream has a frame each time.
                    if (round + i) % 3 != 0 || round % 2 == 0 {
                        let number = u64::from(round) * 10 + u64::from(i);
                        luma.insert((*id, number), 20 + 10 * round + 3 * i);
                        frames.push(frame(*id, number, *size, 20 + 10 * round + 3 * i));
                    }
                }
                let expected: Vec<_> = frames.iter().map(|f| (f.source_id, f.picture)).collect();
                let results = through(&mut detector, frames);
                let order: Vec<_> = results.iter().map(|r| (r.source_id, r.picture)).collect();
                assert_eq!(order, expected, "oldest first, none lost");
                for r in &results {
                    let count = seen.entry(r.source_id).or_default();
                    *count += 1;
                    assert_eq!((r.frame_id, r.size), (*count, sizes[&r.source_id]), "{engine:?}");
                    let [w, h] = [r.size.0, r.size.1].map(f64::from);
                    let [one] = &r.found[..] else { panic!("{engine:?} {mode:?}: {r:?}") };
                    let want = [0.25 * w, 0.375 * h, 0.75 * w, 0.625 * h];
                    assert!(one.corners.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.5), "{r:?}");
                    let want = confidence_of(luma[&(r.source_id, r.picture)]);
                    assert!((one.confidence - want).abs() < 0.005, "{engine:?} {mode:?}: {want} {r:?}");
                }
            }
            assert_eq!(detector.dropped().load(Ordering::Relaxed), 0);
        }
    }
}

#[test]
fn a_frame_that_cannot_be_read_costs_only_itself() {
    gst::init().expect("GStreamer is installed");
    let model = taken_in(&[brightness()], [Some(64), Some(96)], &Wishes::default());
    let streams = [1, 2, 3].map(|id| Stream { confidence: 0.25, ..stream(id) });
    let torn = |id, number| {
        let mut frame = frame(id, number, FRAME, 100);
        let Surface::System { buffer, .. } = &mut frame.surface else { panic!("it is of the host") };
        *buffer = gst::Buffer::from_slice(vec![0; 1000]);
        frame
    };
    let foreign = |id, number| {
        let mut frame = frame(id, number, (64, 64), 100);
        let info = VideoInfo::builder(VideoFormat::Rgb, 64, 64).build().expect("the size is sound");
        frame.surface = Surface::System { buffer: gst::Buffer::from_slice(vec![0; info.size()]), info };
        frame
    };
    for engine in engines() {
        for mode in [Mode::Latency, Mode::Throughput] {
            let mut detector = detector(&model, open(&model, &engine, mode), &streams);
            for (round, bad) in (0..).zip([torn(2, 2), foreign(2, 12), torn(2, 22)]) {
                let at = 10 * round;
                let frames = vec![frame(1, at + 1, FRAME, 60), bad, frame(3, at + 3, (320, 200), 200)];
                let results = through(&mut detector, frames);
                let got: Vec<_> = results.iter().map(|r| (r.source_id, r.picture, r.frame_id)).collect();
                assert_eq!(got, [(1, at + 1, round + 1), (3, at + 3, round + 1)], "{engine:?} {mode:?}");
                for (r, luma) in results.iter().zip([60, 200]) {
                    assert!((r.found[0].confidence - confidence_of(luma)).abs() < 0.005, "{r:?}");
                }
                assert_eq!(detector.dropped().load(Ordering::Relaxed), round + 1, "{engine:?} {mode:?}");
            }
            // A stream that nobody knows any more is no failure.
            assert_eq!(through(&mut detector, vec![frame(9, 99, FRAME, 60)]), []);
            assert_eq!(detector.dropped().load(Ordering::Relaxed), 3);
        }
    }
}

#[test]
fn an_engine_that_always_fails_is_given_up() {
    gst::init().expect("GStreamer is installed");
    let model = taken_in(&[brightness()], [Some(64), Some(96)], &Wishes::default());
    let engine = open(&model, &(Choice::Rten, None), Mode::Latency);
    let mut detector = detector(&model, engine, &[stream(1)]);
    let latest = Latest::default();
    for number in 1..=10 {
        let mut bad = frame(1, number, FRAME, 100);
        let Surface::System { buffer, .. } = &mut bad.surface else { panic!("it is of the host") };
        *buffer = gst::Buffer::new();
        latest.put(bad);
        let outcome = detector.step(&latest, Duration::ZERO, &mut |_| panic!("there is nothing to see"));
        assert_eq!(outcome.is_err(), number == 10, "{number}: {outcome:?}");
    }
}

/// A model that failed after it was switched to would otherwise blind the box until the next restart.
#[test]
fn a_new_model_that_fails_on_every_frame_goes_back_by_itself() {
    gst::init().expect("GStreamer is installed");
    let [old, new] =
        [[64, 96], [96, 64]].map(|[w, h]| taken_in(&[brightness()], [Some(w), Some(h)], &Wishes::default()));
    let network = |model: &Model| {
        let engine = open(model, &(Choice::Rten, None), Mode::Latency);
        let suppression = Suppression { iou: 0.45, detections_max: 300 };
        Box::new(Network::new(engine, Arc::new(model.located.manifest.clone()), suppression))
    };
    let mut detector = Detector::new(*network(&old), &[stream(1)]).expect("the model is sound");
    let (orders, dropped) = (detector.orders(), detector.dropped());
    let (latest, stop) = (Arc::new(Latest::default()), AtomicBool::new(false));
    let (told, results) = std::sync::mpsc::channel();
    let frames = latest.clone();
    let worker =
        std::thread::spawn(move || detector.run(&frames, &stop, |d| told.send(d.generation).expect("heard")));
    let look = |number| {
        latest.put(frame(1, number, FRAME, 200));
        results.recv_timeout(Duration::from_secs(10)).expect("a result")
    };
    let fail_ten_times = || {
        for _ in 0..10 {
            let before = dropped.load(Ordering::Relaxed);
            let mut bad = frame(1, 1, FRAME, 100);
            let Surface::System { buffer, .. } = &mut bad.surface else { panic!("it is of the host") };
            *buffer = gst::Buffer::new();
            latest.put(bad);
            while dropped.load(Ordering::Relaxed) == before && !worker.is_finished() {
                std::thread::yield_now();
            }
        }
    };
    let give = |order| orders.give(order).expect("it works").expect("it can be done").generation;
    assert_eq!(look(1), 1);
    assert_eq!(give(Order::Swap(network(&new))), 2);
    assert_eq!(look(2), 2);
    fail_ten_times();
    assert_eq!(look(3), 3, "the old model is back, and counts as another change");
    assert_eq!(give(Order::Settle), 3);
    // Once it has proven itself there is no way back: failing is the end of the detector.
    assert_eq!(give(Order::Swap(network(&new))), 4);
    assert_eq!(give(Order::Settle), 4);
    fail_ten_times();
    assert!(worker.join().expect("no panic").is_err());
}

/// Row 29, B-15: a stream that leaves while its frames are on their way leaves none of its results
/// to another.
#[test]
fn a_stream_that_leaves_in_flight_takes_its_results_along() {
    gst::init().expect("GStreamer is installed");
    let model = taken_in(&[brightness()], [Some(64), Some(96)], &Wishes::default());
    let luma = |id| if id == 3 { 40 } else { 200 };
    let streams = [3, 7].map(|id| Stream { confidence: 0.1, ..stream(id) });
    for engine in engines() {
        for mode in [Mode::Latency, Mode::Throughput] {
            let mut detector = detector(&model, open(&model, &engine, mode), &streams);
            let orders = detector.orders();
            let (latest, stop) = (Arc::new(Latest::default()), Arc::new(AtomicBool::new(false)));
            let (told, results) = std::sync::mpsc::channel();
            let (frames, ends) = (latest.clone(), stop.clone());
            let worker = std::thread::spawn(move || {
                detector.run(&frames, &ends, |d| told.send(kept(d)).expect("heard")).expect("it works");
            });
            let mut heard: Vec<Kept> = Vec::new();
            for number in 1..=20 {
                // Both are in flight when one of them goes.
                for id in [3, 7] {
                    latest.put(frame(id, number, FRAME, luma(id)));
                }
                if number == 10 {
                    orders.give(Order::Remove(3)).expect("it works").expect("it can be done");
                }
                while heard.last().is_none_or(|last| (last.source_id, last.picture) != (7, number)) {
                    heard.push(results.recv_timeout(Duration::from_secs(10)).expect("a result"));
                }
            }
            stop.store(true, Ordering::Release);
            worker.join().expect("no panic");
            for one in &heard {
                let want = confidence_of(luma(one.source_id));
                let is_its_own = one.found.len() == 1 && (one.found[0].confidence - want).abs() < 0.005;
                assert!(is_its_own, "{engine:?} {mode:?}: {want} {one:?}");
            }
            let count = |id| heard.iter().filter(|one| one.source_id == id).count();
            assert!(count(7) == 20 && (1..=10).contains(&count(3)), "{} and {}", count(7), count(3));
        }
    }
}
