//! A hundred swaps under load: no frame is lost, no result is of two models. On the processor, and on the doubles of TensorRT
//! and CUDA.

#[path = "../crates/accel/tests/support/double.rs"]
mod double;
#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/shared.rs"]
mod shared;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst_video::{VideoFormat, VideoInfo};
use vigia::camera::latest::Latest;
use vigia::clock;
use vigia::detect::engine::{self, EngineOptions, Mode};
use vigia::detect::manifest::{self, Located};
use vigia::detect::network::Network;
use vigia::detect::orders::Order;
use vigia::detect::{Detected, Detector, Suppression};
use vigia::engines::build::{self, Order as Wish};
use vigia::engines::facts::Device;
use vigia::engines::open;
use vigia::engines::recipe::{Precision, Recipe};
use vigia::frame::{Frame, Surface};
use vigia_accel::cuda::{HeadFamily, Wait};
use vigia_accel::tensorrt;
use vigia_accel::trt::{Driver, Library};
use vigia_core::config::{Engine as Choice, Pace, Stream, StreamUri, Tracker, Transport};

const SWAPS: u64 = 100;
const CAMERAS: u32 = 4;
const MODELS: [(&str, f32); 2] = [("even", 0.9), ("odd", 0.8)];
const SUPPRESSION: Suppression = Suppression { iou: 0.45, detections_max: 300 };

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

fn frame(source_id: u32, number: u64) -> Frame {
    let info = VideoInfo::builder(VideoFormat::I420, 64, 48).build().expect("the size is sound");
    Frame {
        source_id,
        picture: number,
        captured: clock::utc(),
        captured_at: clock::now(),
        pts_ms: 0.0,
        surface: Surface::System { buffer: gst::Buffer::from_slice(vec![128; info.size()]), info },
    }
}

fn models(dir: &Path) -> [Located; 2] {
    MODELS.map(|(id, confidence)| {
        gpu::take_in(dir, id, [96, 64], confidence);
        manifest::locate(dir, id).expect("it was stored")
    })
}

/// What the frames came to.
#[derive(Default)]
struct Books {
    put: u64,
    superseded: u64,
    processed: u64,
}

fn swapping(make: impl Fn(u64) -> Box<Network>) {
    let streams: Vec<_> = (0..CAMERAS).map(stream).collect();
    let mut detector = Detector::new(*make(0), &streams).expect("the model is sound");
    let (orders, dropped) = (detector.orders(), detector.dropped());
    let (latest, stop, last) =
        (Arc::new(Latest::default()), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (told, results) = crossbeam_channel::unbounded();
    let worker = {
        let (latest, stop) = (latest.clone(), stop.clone());
        std::thread::spawn(move || {
            let emit = |d: &Detected| {
                let confidence = d.detections.first().map_or(0.0, |found| found.confidence);
                told.send((d.source_id, d.picture, d.generation, d.model_id.to_owned(), confidence))
                    .expect("heard");
            };
            detector.run(&latest, &stop, emit).expect("it works");
        })
    };
    let cameras: Vec<_> = (0..CAMERAS)
        .map(|id| {
            let (latest, last) = (latest.clone(), last.clone());
            std::thread::spawn(move || {
                let mut books = Books::default();
                while !last.load(Ordering::Acquire) {
                    books.put += 1;
                    // Camera 0 waits for its turn, as a file does; the others replace what nobody took.
                    if id == 0 {
                        latest.put_wait(frame(id, books.put), || false);
                    } else {
                        books.superseded += u64::from(latest.put(frame(id, books.put)));
                        std::thread::yield_now();
                    }
                }
                books
            })
        })
        .collect();
    let (mut pictures, mut generation, mut processed) = (BTreeMap::new(), 0, 0);
    let mut hear = |until: u64| {
        loop {
            let (id, picture, of, model, confidence): (u32, u64, u64, String, f32) =
                results.recv_timeout(Duration::from_secs(30)).expect("a result");
            processed += 1;
            assert!(of == generation || of == generation + 1, "{of} after {generation}");
            generation = of;
            let before = pictures.insert(id, picture).unwrap_or(0);
            assert!(picture > before, "camera {id}: {picture} after {before}");
            let (name, expected) = MODELS[usize::try_from((of + 1) % 2).expect("0 or 1")];
            assert!(model == name && (confidence - expected).abs() < 0.01, "{of}: {model} {confidence}");
            if generation >= until && pictures.len() == CAMERAS as usize {
                return;
            }
        }
    };
    hear(1);
    for swap in 1..=SWAPS {
        let carried = orders.give(Order::Swap(make(swap))).expect("it works").expect("it can be done");
        assert_eq!(carried.generation, swap + 1);
        hear(swap + 1);
        let settled = orders.give(Order::Settle).expect("it works").expect("it can be done");
        assert!(settled.generation == swap + 1 && settled.retired.is_some(), "{swap}: the old one is let go");
    }
    last.store(true, Ordering::Release);
    let mut books = Books::default();
    for camera in cameras {
        let of = camera.join().expect("no panic");
        (books.put, books.superseded) = (books.put + of.put, books.superseded + of.superseded);
    }
    // What waits is taken, what is in flight is finished.
    while latest.take(Duration::ZERO).is_some_and(|left| !latest.put(left)) {
        std::thread::yield_now();
    }
    orders.give(Order::Pass).expect("it works").expect("it can be done");
    stop.store(true, Ordering::Release);
    worker.join().expect("no panic");
    books.processed = processed + u64::try_from(results.try_iter().count()).expect("it fits");
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    assert_eq!(books.put, books.processed + books.superseded, "no frame is lost, none is seen twice");
}

#[test]
fn a_hundred_swaps_on_the_processor_lose_no_frame() {
    gst::init().expect("GStreamer is installed");
    let dir = shared::folder();
    let models = models(dir.path());
    swapping(|at| {
        let model = &models[usize::try_from(at % 2).expect("0 or 1")];
        let options = EngineOptions {
            choice: Choice::Rten,
            mode: Mode::Latency,
            threads: Some(1),
            openvino_dir: None,
            width: model.manifest.input.width,
            height: model.manifest.input.height,
        };
        let engine = engine::open(&model.onnx, &options).expect("rten takes it").engine;
        Box::new(Network::new(engine, Arc::new(model.manifest.clone()), SUPPRESSION))
    });
}

#[test]
fn a_hundred_swaps_on_a_gpu_lose_no_frame() {
    double::on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        gst::init().expect("GStreamer is installed");
        let (dir, home) = (shared::folder(), gpu::Gpu::new("{}", gpu::Decoders::None));
        let models = models(dir.path());
        let device = open::gpu().expect("the double is there");
        let library = build::library(Some(home.file("").as_path())).expect("the double is there");
        let plans = models.each_ref().map(|model| plan(&library, &open::device(&device), model));
        swapping(|at| {
            let at = usize::try_from(at % 2).expect("0 or 1");
            let manifest = &models[at].manifest;
            let options = tensorrt::Options {
                tensor: manifest.tensor_spec(),
                head: HeadFamily::Queries,
                classes: 3,
                batch_max: 4,
                slots: 2,
                wait: Wait::Blocking,
                dla: None,
            };
            let mut engine =
                tensorrt::Engine::new(&device, &library, &plans[at], &options).expect("it has room");
            engine.warm().expect("it runs");
            Box::new(Network::on_gpu(engine, Arc::new(manifest.clone()), SUPPRESSION))
        });
    });
}

fn plan(library: &Library, device: &Device, model: &Located) -> Vec<u8> {
    let recipe = Recipe { precision: Precision::Fp32, batch: 4, ..Recipe::default() };
    let driver = Driver::checked(|| Ok::<_, String>(())).expect("it was asked");
    let wish = Wish { model, recipe: &recipe, device };
    let built = build::build(library, Some(driver), &wish, Arc::new(|_| {}), Arc::default());
    built.expect("the double builds").plan.to_vec()
}
