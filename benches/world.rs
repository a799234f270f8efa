//! `make bench`: this machine against a world of cameras, with a real broker. JSON at the end.
//!
//! BENCH=path,cameras,latency,drops,model,control,fire chooses parts; BENCH_SECONDS is how long the
//! cameras run (60), BENCH_DROPS how many connections are broken (10000), SHARE how much of what there is
//! `model`, `control` and `fire` do (1). Only these three work without the clips and models in ../shared.

#[path = "../tests/support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
mod control;
mod fire;
mod model;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broker::{Broker, Witness, rest, wait_for};
use serde_json::{Map, Value, json};
use vigia::bench::{engine_paced, median};
use vigia::clock;
use vigia::detect::engine::{self, EngineOptions, Mode};
use vigia::detect::manifest;
use vigia_core::config::Engine as Choice;
use vigia_core::event::DetectionEvent;
use vigia_sim::{Camera, Mode as Network, RtspServer, TcpProxy};

const CLIP: &str = "media/car-detection.mp4";
const VIGIA: &str = env!("CARGO_BIN_EXE_vigia");

fn main() {
    let shared = std::env::var_os("VIGIA_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join(shared);
    gst::init().expect("GStreamer");
    let parts = std::env::var("BENCH").unwrap_or_else(|_| "path,cameras,latency,drops".into());
    let models = tempfile::tempdir().expect("a folder");
    let has_models = shared.join(CLIP).exists();
    if has_models && parts.split(',').any(is_foreign) {
        import(&shared, models.path());
    }
    let mut all = Map::new();
    for part in parts.split(',') {
        if is_foreign(part) && !has_models {
            eprintln!("SKIPPED: {part}: there are no clips and models in {}", shared.display());
            continue;
        }
        eprintln!("bench: {part}");
        let value = match part {
            "path" => path(&shared, models.path()),
            "cameras" => cameras(&shared, models.path()),
            "latency" => latency(&shared, models.path()),
            "drops" => drops(models.path()),
            "model" => model::model(&shared),
            "control" => control::control(&shared),
            "fire" => fire::fire(),
            other => {
                panic!("BENCH={other}: path, cameras, latency, drops, model, control or fire is expected")
            }
        };
        eprintln!("{value:#}");
        all.insert(part.into(), value);
    }
    println!("{:#}", Value::Object(all));
}

/// Whether a part needs clips and models of others.
fn is_foreign(part: &str) -> bool {
    !matches!(part, "model" | "control" | "fire")
}

/// Takes in the models of others that the parts run.
fn import(shared: &Path, models: &Path) {
    for model in ["yolox_nano", "yolo11n-untrained"] {
        let onnx = shared.join("models").join(format!("{model}.onnx"));
        let mut import = Command::new(VIGIA);
        import.args(["model", "import"]).arg(onnx).arg("--models-dir").arg(models);
        assert!(import.status().expect("vigia").success());
    }
}

/// What is set for the bench, or else `otherwise`.
fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// How much of what there is is done.
fn share() -> f64 {
    variable("SHARE", "1").parse().expect("SHARE is a number")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some thousands")]
fn part(of: usize, share: f64) -> usize {
    ((of as f64 * share).round() as usize).max(1)
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// The parts alone and the whole path, for each model and engine.
fn path(shared: &Path, models: &Path) -> Value {
    let mut runs = Vec::new();
    for (model, engine) in
        [("yolox_nano", "openvino"), ("yolo11n-untrained", "openvino"), ("yolox_nano", "rten")]
    {
        let mut bench = Command::new(VIGIA);
        bench.arg("bench").arg(shared.join(CLIP)).args(["--model", model, "--engine", engine]);
        bench.arg("--models-dir").arg(models);
        let output = bench.stderr(Stdio::inherit()).output().expect("vigia");
        runs.push(
            serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| json!({ "model": model, "engine": engine, "failed": true })),
        );
    }
    Value::from(runs)
}

/// A `vigia run` that ends with its owner.
struct Instance(Child, tempfile::TempDir);

impl Instance {
    fn start(models: &Path, site: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("site.yaml");
        std::fs::write(&file, site).expect("ours");
        let log = std::fs::File::create(folder.path().join("log")).expect("ours");
        let mut run = Command::new(VIGIA);
        run.arg("run").arg("--config").arg(file).arg("--models-dir").arg(models);
        Self(run.stdout(Stdio::null()).stderr(log).spawn().expect("vigia"), folder)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.1.path().join("log")).unwrap_or_default()
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).unwrap_or_default()
    }

    /// Processor seconds so far (proc(5), fields 14 and 15, in ticks of 10 ms).
    fn cpu_s(&self) -> f64 {
        let stat = self.proc("stat");
        let after = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    }

    fn rss_mib(&self) -> f64 {
        resident_mib(&self.0.id().to_string())
    }

    fn count(&self, folder: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{folder}", self.0.id())).map_or(0, Iterator::count)
    }

    fn footprint(&self) -> Value {
        json!({ "rss_mib": self.rss_mib(), "threads": self.count("task"), "descriptors": self.count("fd") })
    }
}

/// Memory of a process, by its number or as `self`.
fn resident_mib(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|v| v.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = &self.1;
    }
}

fn head(port: u16, model: &str, rest: &str) -> String {
    format!(
        "instance_id: bench\nmqtt: {{ host: 127.0.0.1, port: {port} }}\nmetrics: {{ interval_s: 0 }}\n\
         detector: {{ model: {model}, engine: auto }}\n{rest}streams:\n"
    )
}

/// Eight cameras at two frames a second: work outside the engine, and memory over time.
fn cameras(shared: &Path, models: &Path) -> Value {
    let Some(broker) = Broker::start("") else { return Value::Null };
    let server = RtspServer::start().expect("server");
    let mut site = head(broker.port, "yolox_nano", "stream_defaults: { max_fps: 2 }\n");
    for room in 0..8 {
        let mount = server.add(&format!("/live/{room}"), Camera::file(shared.join(CLIP))).expect("mount");
        site.push_str(&format!("  - {{ source_id: {room}, uri: \"{}\" }}\n", mount.url()));
    }
    let witness = Witness::start(broker.port, "w", "nvr/detections/#").expect("broker");
    let vigia = Instance::start(models, &site);
    wait_for("all cameras", Duration::from_secs(60), || {
        (0..8).all(|r| witness.count(&format!("nvr/detections/{r}")) > 3)
    });
    rest(Duration::from_secs(5));
    let seconds = number("BENCH_SECONDS", 60);
    let (frames, cpu, start, first) = (witness.count("nvr/"), vigia.cpu_s(), clock::now(), vigia.rss_mib());
    let mut memory = vec![first];
    for _ in 0..10 {
        rest(Duration::from_secs(seconds) / 10);
        memory.push(vigia.rss_mib());
    }
    let span = clock::now().since(start).as_secs_f64();
    let frames = (witness.count("nvr/") - frames) as f64;
    let cpu = vigia.cpu_s() - cpu;
    let footprint = vigia.footprint();
    drop(vigia);
    drop(server);
    let each = paced(models, frames / span);
    json!({
        "seconds": span, "frames_per_s": frames / span,
        "cpu_share": cpu / span, "engine_cpu_s_per_frame": each,
        "cpu_share_outside_engine": (cpu - frames * each) / span,
        "rss_mib": memory, "end": footprint,
    })
}

/// Processor time of one inference at this rate, nothing else running.
fn paced(models: &Path, fps: f64) -> f64 {
    let located = manifest::locate(models, "yolox_nano").expect("imported");
    let options = EngineOptions {
        choice: Choice::Auto,
        mode: Mode::Latency,
        threads: None,
        openvino_dir: std::env::var_os("VIGIA_OPENVINO_DIR").map(Into::into),
        width: located.manifest.input.width,
        height: located.manifest.input.height,
    };
    let mut engine = engine::open(&located.onnx, &options).expect("an engine").engine;
    engine_paced(&mut engine, fps, Duration::from_secs(10)).expect("it runs")
}

/// From capture to the event at a subscriber, one camera of 10 frames a second.
fn latency(shared: &Path, models: &Path) -> Value {
    let Some(broker) = Broker::start("") else { return Value::Null };
    let server = RtspServer::start().expect("server");
    let clip = Camera::file(shared.join("media/one-by-one-person-detection.mp4"));
    let mount = server.add("/live/0", clip).expect("mount");
    let mut site = head(broker.port, "yolox_nano", "stream_defaults: { max_fps: 100 }\n");
    site.push_str(&format!("  - {{ source_id: 0, uri: \"{}\" }}\n", mount.url()));
    let witness = Witness::start(broker.port, "w", "nvr/detections/#").expect("broker");
    let _vigia = Instance::start(models, &site);
    wait_for("events", Duration::from_secs(60), || witness.count("nvr/") > 10);
    let (mut seen, mut ages, mut inference) = (witness.count("nvr/"), Vec::new(), Vec::new());
    while ages.len() < 300 {
        rest(Duration::from_micros(300));
        let all = witness.count("nvr/");
        if all > seen {
            let now = clock::utc().as_unix_ns();
            seen = all;
            let last = witness.seen().pop().expect("counted");
            let event: DetectionEvent = serde_json::from_slice(&last.payload).expect("an event");
            ages.push((now - event.timestamp.as_unix_ns()) as f64 / 1e6);
            inference.push(event.inference_time_ms);
        }
    }
    ages.sort_unstable_by(f64::total_cmp);
    let at = |per_cent: usize| ages[(ages.len() - 1) * per_cent / 100];
    let engine = median(inference.into_iter());
    json!({
        "events": ages.len(), "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100),
        "engine_ms": engine, "limit_ms": engine + 100.0,
    })
}

/// The RTSP server in a process of its own, started again should it die: GStreamer's server does
/// not survive thousands of connections that are reset, and cameras do restart.
struct Cameras(Child, std::net::SocketAddr, u32);

impl Cameras {
    fn start() -> Self {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], broker::free_port()));
        Self(Self::spawn(address), address, 0)
    }

    fn spawn(address: std::net::SocketAddr) -> Child {
        let program = Path::new(VIGIA).with_file_name("vigia-sim");
        let camera = "/live/0=pattern:160x120@10";
        let mut sim = Command::new(program);
        sim.args(["rtsp", "--listen", &address.to_string(), "--camera", camera]);
        sim.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("cargo build --release -p vigia-sim")
    }

    fn revive(&mut self) {
        if self.0.try_wait().expect("ours").is_some() {
            self.0 = Self::spawn(self.1);
            self.2 += 1;
        }
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Twenty cameras whose connections are broken again and again.
fn drops(models: &Path) -> Value {
    const CAMERAS: usize = 20;
    let Some(broker) = Broker::start("") else { return Value::Null };
    let mut server = Cameras::start();
    let proxy = TcpProxy::start(server.1).expect("proxy");
    let quick =
        "stream_defaults: { max_fps: 0.1 }\ncamera: { reconnect_min_s: 0.01, reconnect_max_s: 0.05 }\n";
    let mut site = head(broker.port, "yolox_nano", quick);
    for room in 0..CAMERAS {
        let url = format!("rtsp://{}/live/0", proxy.address());
        site.push_str(&format!("  - {{ source_id: {room}, uri: \"{url}\" }}\n"));
    }
    let vigia = Instance::start(models, &site);
    let wanted = number("BENCH_DROPS", 10_000);
    let mut marks = Vec::new();
    let mut next = wanted / 10;
    loop {
        // Most are connected again; the rest are broken in the middle of it, which happens, too.
        let until = clock::now().after(Duration::from_secs(1));
        while proxy.counters().open < CAMERAS * 3 / 4 && clock::now() < until {
            rest(Duration::from_millis(10));
        }
        rest(Duration::from_millis(100));
        server.revive();
        proxy.set_mode(Network::Reset).expect("mode");
        proxy.set_mode(Network::Forward).expect("mode");
        let dropped = proxy.counters().accepted;
        if dropped >= next {
            rest(Duration::from_secs(2));
            let mut mark = vigia.footprint();
            mark["drops"] = json!(dropped);
            eprintln!("  {mark}");
            marks.push(mark);
            next += wanted / 10;
        }
        if dropped >= wanted {
            break;
        }
    }
    let rss = |v: &Value| v["rss_mib"].as_f64().unwrap_or(f64::NAN);
    // The first tenth fills caches and pools.
    let growth = marks.last().map(rss).unwrap_or_default() - marks.get(1).map(rss).unwrap_or_default();
    json!({ "marks": marks, "growth_mib_after_two_tenths": growth, "server_restarts": server.2 })
}
