//! `vigia self-test` on a box without a GPU and in GPU mode on the doubles: what it says, and what it keeps to itself.

#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/shared.rs"]
mod shared;

use std::fs;
use std::path::{Path, PathBuf};

use gpu::{Decoders, Gpu, take_in};
use serde_json::{Value, json};
use shared::{Run, folder};
use vigia::detect::manifest;
use vigia::selftest;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shipped model with a few of the golden frames as its own: machines that test are slow, and doubles slower.
fn few_frames() -> tempfile::TempDir {
    let dir = folder();
    for name in ["lookout-n.yaml", "lookout-n.onnx"] {
        fs::copy(root().join("models").join(name), dir.path().join(name)).expect("it ships");
    }
    let own = dir.path().join("lookout-n/golden");
    fs::create_dir_all(&own).expect("the disk has room");
    for name in ["000000.jpg", "000007.jpg", "000016.jpg", "000025.jpg"] {
        fs::copy(root().join("models/golden").join(name), own.join(name)).expect("it ships");
    }
    dir
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"))
}

/// What came of a check.
fn outcome<'r>(report: &'r Value, name: &str) -> (&'r str, &'r str) {
    let checks = report["checks"].as_array().expect("a list");
    let found = checks.iter().find(|c| c["name"] == name);
    let check = found.unwrap_or_else(|| panic!("{name} was not checked: {report:#}"));
    (check["outcome"].as_str().expect("a word"), check["said"].as_str().expect("a sentence"))
}

#[test]
fn a_box_without_a_gpu_passes_and_says_nothing_of_its_site() {
    let dir = folder();
    let site = dir.path().join("site.yaml");
    let few = few_frames();
    let models = few.path();
    let text = json!({
        "instance_id": "north-tower",
        "mqtt": { "host": "broker.example" },
        "detector": { "engine": "rten", "model": "lookout-n", "models_dir": models },
        "streams": [{ "source_id": 1, "uri": "rtsp://admin:s3cret-two@10.1.2.3/live", "name": "barn" }],
    });
    fs::write(&site, text.to_string()).expect("the disk has room");
    let settings = "export MQTT_USERNAME=keeper MQTT_PASSWORD=s3cret-one;";
    let run = Run::limited(settings, &[&"self-test", &"--json", &"--config", &site]);
    assert_eq!(run.code, 0, "{run:#?}");
    let report = report(&run);
    assert_eq!((&report["passed"], &report["vigia"]), (&true.into(), &env!("CARGO_PKG_VERSION").into()));
    for name in ["gpu", "tensorrt", "dla", "model on tensorrt"] {
        assert_eq!(outcome(&report, name).0, "skipped", "{name}: {report:#}");
    }
    for name in ["decode h264", "decode h265", "decode jpeg", "reference", "stream on rten"] {
        assert_eq!(outcome(&report, name).0, "passed", "{name}: {report:#}");
    }
    let timed = report["latency"].as_array().expect("a list");
    assert!(timed.iter().any(|t| t["engine"] == "rten" && t["median_ms"].as_f64() > Some(0.0)), "{report:#}");
    let machine = &report["machine"];
    assert!(machine["kernel"].is_string() && machine["cores"].as_u64() >= Some(1), "{machine}");
    let all = format!("{}{}", run.stdout, run.stderr);
    let private = [
        "s3cret",
        "admin",
        "10.1.2.3",
        "broker.example",
        "north-tower",
        "keeper",
        "barn",
        "site.yaml",
        "rtsp:",
    ];
    for word in private.into_iter().chain([models.to_str().expect("UTF-8")]) {
        assert!(!all.contains(word), "{word}: {all}");
    }
}

#[test]
fn in_gpu_mode_it_builds_runs_and_counts_copies() {
    let (gpu, models) = (Gpu::new("{}", Decoders::Nvdec), folder());
    // One that is quick: it sees a fire in every picture.
    take_in(models.path(), "fire", [96, 64], 0.9);
    let models = models.path().to_owned();
    let args: [&dyn AsRef<std::ffi::OsStr>; 8] =
        [&"self-test", &"--json", &"--engine", &"tensorrt", &"--model", &"fire", &"--models-dir", &models];
    let vigia = |settings: &str| {
        Run::limited(&format!("{} export VIGIA_OPENVINO_DIR=/nowhere; {settings}", gpu.settings()), &args)
    };
    let run = vigia("export VIGIA_NVINFER_FAULTS=dla=2;");
    let good = report(&run);
    assert_eq!(run.code, 0, "{run:#?}");
    for name in ["gpu", "tensorrt", "small network, fp32", "small network, fp16", "model on tensorrt"] {
        assert_eq!(outcome(&good, name).0, "passed", "{name}: {good:#}");
    }
    assert_eq!(outcome(&good, "dla"), ("passed", "the small network ran on one of 2"));
    assert!(outcome(&good, "tensorrt").1.starts_with("TensorRT 10.3.0, parser "), "{good:#}");
    let checks = good["checks"].as_array().expect("a list");
    let stream = checks.iter().find(|c| c["name"] == "stream on tensorrt").expect("it was checked");
    let figures = &stream["figures"];
    assert_eq!((&figures["pictures"], &figures["copied"]), (&16.into(), &0.into()), "{stream}");
    assert!(outcome(&good, "decode h264").1.ends_with("nvh264dec (host memory)"), "{good:#}");
    let batches: Vec<_> = good["latency"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|t| t["engine"] == "tensorrt")
        .map(|t| &t["batch"])
        .collect();
    assert_eq!(batches, [&json!(1)]);

    // An engine whose answers are none, and a GPU that is not there.
    let run = vigia("export VIGIA_NVINFER_FAULTS=nan;");
    let bad = report(&run);
    assert!(
        run.code == 1 && run.sentence().starts_with("the self-test failed: small network, fp32, "),
        "{run:#?}"
    );
    assert!(outcome(&bad, "small network, fp16").1.starts_with("of a white picture it says []"), "{bad:#}");
    assert_eq!((outcome(&bad, "model on tensorrt").0, &bad["passed"]), ("failed", &false.into()));
    let run = vigia("export VIGIA_CUDA_DEVICE=none;");
    let none = report(&run);
    assert_eq!((run.code, outcome(&none, "gpu").0, outcome(&none, "tensorrt").0), (1, "failed", "passed"));
}

#[test]
fn mistakes_have_their_sentence() {
    let run = Run::vigia(&[&"self-test", &"--config", &"/nowhere.yaml"]);
    assert!(run.code == 2 && run.sentence().contains("/nowhere.yaml"), "{run:#?}");
    let run = Run::vigia(&[&"self-test", &"--engine", &"abacus"]);
    assert!(run.code == 2 && run.sentence().contains("abacus"), "{run:#?}");
    let models = folder();
    let models = models.path();
    let run = Run::vigia(&[&"self-test", &"--json", &"--model", &"lookout-n", &"--models-dir", &models]);
    assert_eq!((run.code, outcome(&report(&run), "model").0), (1, "failed"));
}

/// What the reference finds is in the program, for processors that nobody could try. `VIGIA_BLESS=1` writes it.
#[test]
fn the_reference_finds_what_it_found() {
    let path: PathBuf = root().join("models/golden/lookout-n.json");
    let located = manifest::locate(&root().join("models"), "lookout-n").expect("it ships");
    let now = selftest::reading(&located).expect("rten runs it");
    if std::env::var_os("VIGIA_BLESS").is_some() {
        let text = serde_json::to_string(&now).expect("JSON").replace("[{", "\n[{");
        fs::write(&path, text + "\n").expect("it can be written");
    }
    let then: selftest::Reading = serde_json::from_slice(&fs::read(path).expect("it ships")).expect("JSON");
    let what = "render or train anew, then VIGIA_BLESS=1 cargo test --test self_test";
    assert_eq!((&now.model_sha256, &now.frames_sha256), (&then.model_sha256, &then.frames_sha256), "{what}");
    let sure = |r: &selftest::Reading| r.seen.iter().flatten().filter(|s| s.confidence >= 0.5).count();
    assert!(sure(&now) >= 60 && sure(&now).abs_diff(sure(&then)) <= 2, "{} and {}", sure(&now), sure(&then));
}
