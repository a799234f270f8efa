//! Frames that stay on the device, from the decoder to the boxes: on doubles of the driver, of TensorRT and of NVIDIA's
//! decoders. What is found must be what is found in frames of the host; what differs is who copies what.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::{Broker, Witness, wait_for};
use crossbeam_channel::unbounded;
use gpu::{Counts, Decoders, Gpu};
use instance::{Instance, await_status, models};
use serde_json::{Value, json};
use shared::{Run, shared};
use vigia::camera::decoder::Memory;
use vigia::camera::latest::Latest;
use vigia::camera::{Camera, Options, Report};
use vigia::config::{self, Config, Flag};
use vigia::detect::Detector;
use vigia::detect::network::Network;
use vigia::detect::orders::Order;
use vigia::engines::open;
use vigia::frame::{Frame, Place, Surface};
use vigia::model::{self, Loader};
use vigia_core::detection::Detection;
use vigia_sim::{Codec, RtspServer};

const CLIP: &str = "media/one-by-one-person-detection.mp4";
/// Two thirds of a second.
const SHORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/selftest/clips/h264.mkv");
const RECIPE: &str = "{precision: fp32, batch: 2}";
const EVERY: u64 = 40;
/// Bytes of a picture of the clip.
const PICTURE: u64 = 768 * 432 * 3 / 2;

/// What is found in some pictures of the clip, what was asked of the driver, and what was said.
struct Looked {
    lines: Vec<Value>,
    counts: Counts,
    said: String,
}

fn look(gpu: &Gpu, settings: &str, models: &Path, clip: &Path) -> Looked {
    let settings = format!("{} {settings}", gpu.settings());
    let every = EVERY.to_string();
    let args: [&dyn AsRef<OsStr>; 11] = [
        &"detect",
        &clip,
        &"--model",
        &"yolox_nano",
        &"--models-dir",
        &models,
        &"--engine",
        &"tensorrt",
        &"--every",
        &every,
        &"--conf=0.3",
    ];
    let run = Run::limited(&settings, &args);
    let lines = run.json_lines();
    assert!(lines.iter().any(|l| l["detections"].as_array().is_some_and(|d| !d.is_empty())), "{run:#?}");
    Looked { lines, counts: gpu.counts(), said: run.stderr }
}

impl Looked {
    /// The same as in frames of the host, with as many uploads less as there are frames.
    fn is_without_copies(&self, host: &Looked) {
        assert_eq!(self.lines, host.lines);
        let frames = u64::try_from(host.lines.len()).expect("a few");
        assert!(frames > 5);
        let fewer = |name: &str| host.counts.of(name) - self.counts.of(name);
        assert_eq!(fewer("run:h2d"), frames, "each upload is one copy");
        assert!(fewer("run:h2d_bytes") >= frames * PICTURE);
        for name in ["run:rows", "run:pageable", "cuMemcpy2D_v2", "cuMemcpy2DAsync_v2"] {
            assert_eq!(self.counts.of(name), host.counts.of(name), "{name}");
        }
        assert_eq!(self.counts.of("run:d2h_bytes"), host.counts.of("run:d2h_bytes"));
    }
}

/// As it is without decoders that leave pictures on the device.
fn on_host(models: &Path, clip: &Path, device: &str) -> Looked {
    let gpu = Gpu::new(RECIPE, Decoders::None);
    let looked = look(&gpu, &format!("export VIGIA_CUDA_DEVICE={device};"), models, clip);
    assert!(looked.said.contains("decoder: avdec_h264 (host memory)"), "{}", looked.said);
    looked
}

#[test]
fn what_nvdec_decodes_is_found_without_a_copy() {
    let (Some(models), Some(clip)) = (models(), shared(CLIP)) else { return };
    let host = on_host(models.path(), &clip, "h200");
    let gpu = Gpu::new(RECIPE, Decoders::Nvdec);
    let device = look(&gpu, "", models.path(), &clip);
    assert!(device.said.contains("decoder: nvh264dec (cuda memory)"), "{}", device.said);
    device.is_without_copies(&host);
    assert_eq!(device.counts.of("cuCtxCreate_v2"), 0, "the context is shared");
    // With nothing done before somebody waits for it, a missing wait shows.
    let late = look(&gpu, "export VIGIA_CUDA_DELAY=1;", models.path(), &clip);
    assert_eq!(late.lines, host.lines);
}

#[test]
fn jetson_surfaces_are_registered_once_and_let_go_in_time() {
    let (Some(models), Some(clip)) = (models(), shared(CLIP)) else { return };
    let host = on_host(models.path(), &clip, "orin");
    let gpu = Gpu::new(RECIPE, Decoders::Jetson);
    let device = look(&gpu, "", models.path(), &clip);
    assert!(device.said.contains("decoder: nvv4l2decoder (nvmm memory)"), "{}", device.said);
    device.is_without_copies(&host);
    let registered = device.counts.of("cuGraphicsEGLRegisterImage");
    // The double's pool has eight.
    assert!((1..=8).contains(&registered), "{registered}");
    for left in ["live:registered", "live:egl", "live:texture", "egl:destroyed_while_mapped"] {
        assert_eq!(device.counts.of(left), 0, "{left}");
    }
}

/// A release whose surfaces are not what we know: the pictures come another way, and it is said.
#[test]
fn surfaces_that_cannot_be_read_are_left_for_host_memory() {
    let (Some(models), Some(clip)) = (models(), shared(CLIP)) else { return };
    let host = on_host(models.path(), &clip, "orin");
    let gpu = Gpu::new(RECIPE, Decoders::Jetson);
    let device = look(&gpu, "export VIGIA_DECODERS_FORMAT=19;", models.path(), &clip);
    assert_eq!(device.lines, host.lines);
    assert!(
        device.said.contains(
            "decoder: avdec_h264 (host memory): on the device: an NvBufSurface of colour format 19"
        ),
        "{}",
        device.said
    );
}

/// H.265 as H.264; pictures of Motion JPEG come through host memory wherever the engine is, and that is no detour.
#[test]
fn each_codec_has_its_memory() {
    let Some(models) = models() else { return };
    let gpu = Gpu::new(RECIPE, Decoders::Nvdec);
    let server = RtspServer::start().expect("a server");
    for (codec, decoder) in [
        (Codec::H264, "decoder: nvh264dec (cuda memory)"),
        (Codec::H265, "decoder: nvh265dec (cuda memory)"),
        (Codec::Mjpeg, "(host memory)"),
    ] {
        let camera = vigia_sim::Camera::pattern(320, 240, 10).with_codec(codec);
        let mount = server.add(&format!("/{codec:?}"), camera).expect("a mount");
        let models = models.path();
        let args: [&dyn AsRef<OsStr>; 10] = [
            &"detect",
            &mount.url(),
            &"--model",
            &"yolox_nano",
            &"--models-dir",
            &models,
            &"--engine",
            &"tensorrt",
            &"--frames",
            &"3",
        ];
        let run = Run::limited(&gpu.settings(), &args);
        assert_eq!(run.json_lines().len(), 3, "{run:#?}");
        assert!(run.stderr.contains(decoder), "{codec:?}: {run:#?}");
        assert_eq!(gpu.counts().of("run:rows"), 0, "{codec:?}");
    }
}

/// Status names the decoder and where its pictures lie; a detour by the host is a warning.
#[test]
fn status_tells_where_frames_lie() {
    let (Some(models), Some(clip), Some(broker)) = (models(), shared(CLIP), Broker::start("")) else {
        return;
    };
    let server = RtspServer::start().expect("a server");
    let mount = server.add("/clip", vigia_sim::Camera::file(&clip)).expect("a mount");
    let witness = Witness::start(broker.port, "witness", "nvr/#").expect("the broker answers");
    for (name, decoders, memory) in [("here", Decoders::Nvdec, "cuda"), ("there", Decoders::None, "host")] {
        let gpu = Gpu::new(RECIPE, decoders);
        let site = format!(
            "instance_id: {name}\nmqtt: {{host: 127.0.0.1, port: {}}}\ndetector: {{engine: tensorrt}}\n\
             streams:\n  - {{source_id: 1, uri: \"{}\", max_fps: 2}}\n",
            broker.port,
            mount.url()
        );
        let variables = gpu.variables();
        let env: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // So that it starts on the GPU, not on the processor until the plan is there.
        gpu.build(models.path(), &["yolox_nano"]);
        let had = instance::payloads(&witness, "nvr/detections/1").len();
        let vigia = Instance::with_site(models.path(), &site, &[], &env);
        let topic = format!("nvr/control/status/{name}");
        let decoder = || await_status(&witness, &topic, "running")["streams"][0]["decoder"].clone();
        wait_for("a status with the decoder", Duration::from_secs(30), || decoder().is_object());
        assert_eq!(decoder()["memory"], memory, "{}", decoder());
        instance::await_payloads(&witness, "nvr/detections/1", had + 2);
        if memory == "host" {
            vigia.wait_log("host_frames");
        } else {
            assert!(!vigia.log().contains("host_frames"), "{}", vigia.log());
        }
    }
}

/// A swap between engines moves the place where frames are left; until cameras have followed, frames are copied.
#[test]
fn frames_follow_the_engine() {
    let (Some(models), Some(clip)) = (models(), shared(CLIP)) else { return };
    let gpu = Gpu::new(RECIPE, Decoders::Nvdec);
    if std::env::var_os(CHILD).is_none() {
        // The plan is made by the program: this one can't build.
        look(&gpu, "", models.path(), &clip);
    }
    in_a_child(&gpu, &[], || {
        let server = RtspServer::start().expect("a server");
        let mount = server.add("/clip", vigia_sim::Camera::file(&clip)).expect("a mount");
        let on_gpu = network(models.path(), mount.url(), "tensorrt");
        let mut judge = network(models.path(), mount.url(), "tensorrt").1;
        let mut rig = Rig::start(on_gpu);
        let frame = rig.frame_in(Memory::Cuda);
        // A model of the other engine is tried on a frame as it lies there.
        let mut rten = network(models.path(), mount.url(), "rten").1;
        let (theirs, ours) = (judge.look(&frame, 0.3), rten.look(&frame, 0.3));
        agree(&theirs.expect("it runs"), &ours.expect("it runs"));
        drop(frame);
        rig.swap(rten, 2);
        let frame = rig.frame_in(Memory::Host);
        agree(&judge.look(&frame, 0.3).expect("it runs"), &rig.other(models.path(), mount.url(), &frame));
        drop(frame);
        rig.swap(judge, 3);
        rig.frame_in(Memory::Cuda);
    });
}

/// Found in review: files loop for ever, and their pictures were copied for ever.
#[test]
fn a_file_that_loops_follows_at_its_next_lap() {
    let (Some(models), Some(clip)) = (models(), shared(CLIP)) else { return };
    let gpu = Gpu::new(RECIPE, Decoders::Nvdec);
    if std::env::var_os(CHILD).is_none() {
        look(&gpu, "", models.path(), &clip);
    }
    in_a_child(&gpu, &[], || {
        let mut rig = Rig::start(network(models.path(), SHORT, "tensorrt"));
        rig.frame_in(Memory::Cuda);
        rig.swap(network(models.path(), SHORT, "rten").1, 2);
        rig.frame_in(Memory::Host);
    });
}

/// A camera whose frames shall stay on the GPU, and what it reports. Nobody takes its frames.
fn alone(uri: &str) -> (Camera, Arc<Latest>, crossbeam_channel::Receiver<Report>) {
    let latest = Arc::<Latest>::default();
    latest.set_place(Place::Device(open::gpu().expect("the double is there")));
    let config = settings(Path::new("models"), uri, "tensorrt");
    let (options, (tell, reports)) =
        (Options { camera: config.camera.clone(), every: 1, once: false }, unbounded());
    let camera = Camera::start(config.streams[0].clone(), options, latest.clone(), tell).expect("a thread");
    (camera, latest, reports)
}

/// Found in review: surfaces of frames that waited or were in work were unmapped after their decoder had freed them.
#[test]
fn a_decoder_goes_when_its_frames_are_back_or_given_up() {
    let gpu = Gpu::new(RECIPE, Decoders::Jetson);
    in_a_child(&gpu, &[], || {
        // Over several laps, each of which ends with a flush.
        let (camera, latest, _reports) = alone(SHORT);
        let delivered = || camera.counters().delivered.load(Ordering::Relaxed);
        wait_for("frames", Duration::from_secs(30), || delivered() > 20);
        drop(camera);
        assert!(latest.take(Duration::ZERO).is_none(), "what nobody took is taken back");
        // Somebody holds on to one.
        let (camera, latest, _reports) = alone(SHORT);
        let held = latest.take(Duration::from_secs(30)).expect("a frame");
        assert!(matches!(held.surface, Surface::Device { .. }));
        drop(camera);
        drop(held);
    });
    if std::env::var_os(CHILD).is_none() {
        let counts = gpu.counts();
        assert_eq!(counts.of("egl:unmapped_when_gone"), 0);
        assert_eq!((counts.of("egl:destroyed_while_mapped"), counts.of("live:registered")), (1, 1));
    }
}

/// Found in review: one surface that could not be read kept a camera's frames in host memory for good.
#[test]
fn frames_that_were_refused_are_tried_on_the_gpu_again() {
    let gpu = Gpu::new(RECIPE, Decoders::Jetson);
    in_a_child(&gpu, &[("VIGIA_DECODERS_FORMAT", "19+2")], || {
        let server = RtspServer::start().expect("a server");
        let mount = server.add("/live", vigia_sim::Camera::pattern(320, 240, 10)).expect("a mount");
        // A file at its next lap, a camera at once.
        for (camera, latest, reports) in [alone(SHORT), alone(mount.url())] {
            for memory in [Memory::Host, Memory::Nvmm] {
                let wanted = |report: Report| report.decoding.is_some_and(|d| d.memory == memory);
                let mut told = std::iter::from_fn(|| reports.recv_timeout(Duration::from_secs(30)).ok());
                assert!(told.any(wanted), "{memory:?}: {:?}", camera.state());
            }
            let mut frames = std::iter::from_fn(|| latest.take(Duration::from_secs(30)));
            assert!(frames.any(|frame| matches!(frame.surface, Surface::Device { .. })));
        }
    });
}

/// What one has found well the other has found, too.
fn agree(one: &[Detection], other: &[Detection]) {
    for d in one.iter().filter(|d| d.confidence > 0.4) {
        assert!(
            other.iter().any(|o| o.class_id == d.class_id && o.bbox.iou(&d.bbox) > 0.9),
            "{one:?} {other:?}"
        );
    }
}

fn settings(models: &Path, uri: &str, engine: &str) -> Config {
    let stream = json!([{ "source_id": 1, "uri": uri, "max_fps": 10, "confidence": 0.3 }]);
    let flags = vec![
        Flag::new("streams", stream, "test"),
        Flag::new("detector.model", "yolox_nano", "test"),
        Flag::new("detector.models_dir", models.display().to_string(), "test"),
        Flag::new("detector.engine", engine, "test"),
    ];
    config::load(None, None, config::process_environment(), flags).expect("a good configuration")
}

fn network(models: &Path, uri: &str, engine: &str) -> (Config, Network) {
    let config = settings(models, uri, engine);
    let loaded = Loader::default().load(&config, "yolox_nano", &model::streams(&config)).expect("it loads");
    (config, loaded.network)
}

/// A camera and a detector at work.
struct Rig {
    camera: Camera,
    latest: Arc<Latest>,
    orders: vigia::detect::orders::Orders,
    generations: crossbeam_channel::Receiver<u64>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Rig {
    fn start((config, network): (Config, Network)) -> Self {
        let streams = model::streams(&config);
        let mut detector = Detector::new(network, &streams).expect("the model is sound");
        let (latest, stop) = (Arc::<Latest>::default(), Arc::<AtomicBool>::default());
        detector.announce(&latest);
        let (orders, (tell, generations), (reports, _)) = (detector.orders(), unbounded(), unbounded());
        let options = Options { camera: config.camera.clone(), every: 1, once: false };
        let camera = Camera::start(streams[0].clone(), options, latest.clone(), reports).expect("a thread");
        let (frames, over) = (latest.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let said = detector.run(&frames, &over, |d| {
                let _ = tell.send(d.generation);
            });
            said.expect("the engines work");
        });
        Self { camera, latest, orders, generations, stop, thread: Some(thread) }
    }

    /// A frame, once they lie there.
    fn frame_in(&self, memory: Memory) -> Frame {
        let is_there = || self.camera.decoder().is_some_and(|d| d.memory == memory);
        wait_for("the decoder to follow", Duration::from_secs(30), is_there);
        loop {
            let frame = self.latest.tap(1).recv_timeout(Duration::from_secs(30)).expect("the camera lives");
            let is_device = matches!(frame.surface, Surface::Device { .. });
            // One of the old decoder may still have come.
            if is_device == (memory != Memory::Host) {
                return frame;
            }
        }
    }

    /// Results come of the new model, and of it alone.
    fn swap(&mut self, network: Network, generation: u64) {
        let carried = self.orders.give(Order::Swap(Box::new(network))).expect("it works").expect("it fits");
        assert_eq!(carried.generation, generation);
        wait_for("a result of the new model", Duration::from_secs(30), || {
            self.generations.try_iter().any(|g| g == generation)
        });
        drop(self.orders.give(Order::Settle));
    }

    fn other(&self, models: &Path, uri: &str, frame: &Frame) -> Vec<Detection> {
        network(models, uri, "rten").1.look(frame, 0.3).expect("it runs")
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.camera.stop();
        self.latest.close();
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

const CHILD: &str = "VIGIA_GPU_CHILD";

/// Runs `body`, which is all of the calling test, in a process that finds `gpu`.
fn in_a_child(gpu: &Gpu, more: &[(&str, &str)], body: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        gst::init().expect("GStreamer");
        return body();
    }
    let thread = std::thread::current();
    let test = thread.name().expect("the harness names threads by their test");
    let mut child = Command::new(std::env::current_exe().expect("a test knows itself"));
    child
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .envs(gpu.environment(more));
    let done = child.output().expect("it can be started again");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success() && out.contains("1 passed"), "{out}\n{errors}");
}
