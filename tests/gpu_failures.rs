//! What a box does when its GPU fails, on the doubles of TensorRT and CUDA: said on MQTT, and detections go on where they can.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/rig.rs"]
mod rig;
#[path = "support/shared.rs"]
mod shared;

use std::fs;
use std::time::Duration;

use broker::wait_for;
use instance::{Instance, await_status};
use rig::{Rig, STATUS};
use serde_json::{Value, json};
use vigia::detect::FrameError;
use vigia::detect::failure::Failure;
use vigia::detect::gpu::GpuError;
use vigia::detect::surface::SurfaceError;
use vigia_accel::cuda::CudaError;
use vigia_accel::tensorrt::TensorRtError;

/// Two small models and a large one, with their plans.
fn rig() -> Option<Rig> {
    let rig = Rig::new(&[("small", [96, 64], 0.9), ("other", [96, 64], 0.8), ("large", [512, 512], 0.7)])?;
    rig.gpu.build(rig.models.path(), &["small", "other", "large"]);
    Some(rig)
}

/// What is asked of it here.
trait Failures {
    fn running(&self, faults: &[(&str, &str)], engine: &str) -> Instance;
    fn await_processor(&self) -> String;
    fn health(&self) -> Value;
}

impl Failures for Rig {
    /// Starts vigia and waits until it detects.
    fn running(&self, faults: &[(&str, &str)], engine: &str) -> Instance {
        let had = self.site.count(1);
        let vigia = self.start(faults, engine);
        self.await_status(|status| status["status"] == "running");
        wait_for("a detection", Duration::from_secs(60), || self.site.count(1) > had);
        vigia
    }

    /// Waits until the processor has taken over, and shows that it detects.
    fn await_processor(&self) -> String {
        let status = self.await_status(|status| status["engine"]["degraded"].is_string());
        assert!(status["engine"]["name"] != "tensorrt" && status["status"] == "running", "{status:#}");
        self.site.await_detections(1, 5);
        let last = instance::payloads(&self.site.witness, "nvr/detections/1").pop().expect("a detection");
        assert_eq!(last["detections"].as_array().map(Vec::len), Some(1), "{last:#}");
        status["engine"]["degraded"].as_str().expect("text").to_owned()
    }

    fn health(&self) -> Value {
        let ack = self.site.order("health", json!({}));
        assert_eq!(ack["ack_status"], "completed", "{ack:#}");
        let topic = format!("{STATUS}/health");
        wait_for("its health", Duration::from_secs(10), || self.site.witness.count(&topic) > 0);
        instance::payloads(&self.site.witness, &topic).pop().expect("just seen")
    }
}

/// Loading starts nine inferences: two slots, one batch size of this model, two to warm up and one for the graph; and a look
/// at each of three golden frames.
const LOADED: u32 = 9;

#[test]
fn a_context_that_fails_is_made_anew() {
    let Some(rig) = rig() else { return };
    let fault = format!("enqueue-false={}+1", LOADED + 4);
    // Without graphs each batch is started by TensorRT itself.
    let vigia = rig.running(&[("VIGIA_CUDA_NO_CAPTURE", "1"), ("VIGIA_NVINFER_FAULTS", &fault)], "tensorrt");
    vigia.wait_log("engine_renewed");
    rig.site.await_detections(1, 5);
    let status = rig.site.status("box");
    assert!(status["engine"]["name"] == "tensorrt" && status["engine"]["degraded"].is_null(), "{status:#}");
    assert_eq!(vigia.log().matches("| frame_failed").count(), 1, "one batch is lost");
    assert_eq!(rig.health()["status"], "healthy");
}

#[test]
fn a_graph_that_does_not_start_is_made_anew() {
    let Some(rig) = rig() else { return };
    // Kernels: two slots, three runs of three at the load, and three looks; then three with each batch.
    let vigia = rig.running(&[("VIGIA_CUDA_FAIL_LAUNCH", "40")], "tensorrt");
    vigia.wait_log("engine_renewed");
    rig.site.await_detections(1, 5);
    assert_eq!(rig.site.status("box")["engine"]["name"], "tensorrt");
}

#[test]
fn an_engine_that_goes_on_failing_makes_room_for_the_processor() {
    let Some(rig) = rig() else { return };
    let fault = format!("enqueue-false={}+", LOADED + 4);
    let faults = [("VIGIA_CUDA_NO_CAPTURE", "1"), ("VIGIA_NVINFER_FAULTS", fault.as_str())];
    let mut vigia = rig.running(&faults, "tensorrt");
    let why = rig.await_processor();
    assert!(why.contains("starting the inference failed"), "{why}");
    let log = vigia.log();
    assert!(log.contains("engine_fell_back") && !log.contains("engine_renewed"), "{log}");
    let health = rig.health();
    assert!(
        health["status"] == "degraded" && health["checks"]["engine_as_configured"] == false,
        "{health:#}"
    );
    // Commands find a box that works, on the processor.
    let ack = rig.site.order("change_model", json!({ "model_id": "other" }));
    assert_eq!(ack["effect"]["model_id"], "other", "{ack:#}");
    assert_eq!(rig.await_processor(), why);
    // A restart tries the GPU again, which fails at its start now.
    let ack = rig.site.order("restart", json!({}));
    assert_eq!(ack["ack_status"], "completed", "{ack:#}");
    assert!(rig.await_processor().contains("starting the inference failed"));
    vigia.signal("-TERM");
    assert_eq!(vigia.wait(Duration::from_secs(10)).code(), Some(0));
    // Where the site forbids it, nothing stands in: the process ends, and whoever supervises starts it anew.
    let mut vigia = rig.start(&faults, "tensorrt, fallback: none");
    assert_eq!(vigia.wait(Duration::from_secs(60)).code(), Some(1));
    let log = vigia.log();
    assert!(log.contains("vigia: the engine was given up: ") && !log.contains("engine_fell_back"), "{log}");
    let status = await_status(&rig.site.witness, STATUS, "error");
    assert!(status["reason"].as_str().is_some_and(|why| why.contains("given up")), "{status:#}");
}

/// Found in review: met on a frame's way to the processor, it passed for a matter of ten frames.
#[test]
fn cuda_is_lost_whoever_meets_it_first() {
    let call = |code| CudaError::Call { doing: "testing", code, text: String::new() };
    for (code, download, engine) in
        [(700, Failure::Sticky, Failure::Sticky), (701, Failure::Frame, Failure::Context)]
    {
        assert_eq!(FrameError::from(SurfaceError::from(call(code))).failure(), download, "{code}");
        let of_engine = GpuError::from(TensorRtError::from(call(code)));
        assert_eq!(FrameError::from(of_engine).failure(), engine, "{code}");
    }
}

/// Each loss ends the process; a new one goes on where it was, until it is too often.
#[test]
fn a_lost_gpu_ends_the_process_for_a_new_one() {
    let Some(rig) = rig() else { return };
    let lose = rig.gpu.file("lose-it");
    for round in 1..=3 {
        let had = instance::payloads(&rig.site.witness, STATUS).len();
        let mut vigia = rig.running(&[], "tensorrt");
        assert_eq!(rig.site.status("box")["engine"]["name"], "tensorrt");
        if round == 1 {
            let ack = rig.site.order("change_model", json!({ "model_id": "other" }));
            assert_eq!(ack["effect"]["model_id"], "other", "{ack:#}");
        }
        // What was commanded is kept.
        rig.sees_with("other");
        fs::write(&lose, "").expect("the disk has room");
        assert_eq!(vigia.wait(Duration::from_secs(30)).code(), Some(1));
        fs::remove_file(&lose).expect("it is ours");
        let log = vigia.log();
        assert!(log.contains("gpu_lost") && log.contains("an illegal memory access was encountered (700)"));
        assert!(!log.contains("engine_renewed") && !log.contains("engine_fell_back"), "{log}");
        let is_told = |status: &Value| {
            let why = status["reason"].as_str().unwrap_or_default();
            status["status"] == "error" && why.contains("only a new process")
        };
        wait_for("the reason", Duration::from_secs(60), || {
            instance::payloads(&rig.site.witness, STATUS).split_off(had).iter().any(is_told)
        });
        rig.await_status(|status| status["status"] == "disconnected");
    }
    let _vigia = rig.running(&[], "tensorrt");
    assert_eq!(rig.await_processor(), "CUDA was lost 3 times within 10 minutes");
}

#[test]
fn a_model_without_room_is_refused_with_the_sizes() {
    let Some(rig) = rig() else { return };
    // Beside the 64 MiB that stay free there is room for the small models, not for the large one.
    let bytes = (64_usize << 20) + (6 << 20);
    // The third context is that of the second model; large or not, TensorRT may need more than it said.
    let faults =
        [("VIGIA_CUDA_MEMORY", bytes.to_string()), ("VIGIA_NVINFER_FAULTS", "null-context=2+1".to_owned())];
    let faults = faults.each_ref().map(|(name, value)| (*name, value.as_str()));
    let _vigia = rig.running(&faults, "tensorrt");
    for (model, said) in
        [("other", "Requested size was"), ("large", "no device memory for the batches in flight: ")]
    {
        let ack = rig.site.order("change_model", json!({ "model_id": model }));
        assert_eq!(ack["code"], "bad_model", "{ack:#}");
        let message = ack["message"].as_str().expect("text");
        assert!(message.contains(said), "{message}");
        // The old one goes on.
        rig.sees_with("small");
    }
    let message = rig.site.acks().last().and_then(|ack| ack["message"].as_str()).map(str::to_owned);
    let message = message.expect("text");
    assert!(message.contains(&format!(" of {bytes} free")), "{message}");
    let status = rig.site.status("box");
    assert!(status["engine"]["name"] == "tensorrt" && status["engine"]["degraded"].is_null(), "{status:#}");
    let ack = rig.site.order("change_model", json!({ "model_id": "other" }));
    assert_eq!(ack["effect"]["model_id"], "other", "there is room again: {ack:#}");
}

/// Found in review: the processor took such a model over, and only the engine's reason said so.
#[test]
fn auto_refuses_a_model_without_room_as_well() {
    let Some(rig) = rig() else { return };
    let bytes = ((64_usize << 20) + (8 << 20)).to_string();
    let _vigia = rig.running(&[("VIGIA_CUDA_MEMORY", &bytes)], "auto");
    let ack = rig.site.order("change_model", json!({ "model_id": "large" }));
    assert_eq!(ack["code"], "bad_model", "{ack:#}");
    let message = ack["message"].as_str().expect("text");
    assert!(message.contains("no device memory for the batches in flight: "), "{message}");
    assert_eq!(rig.site.status("box")["engine"]["name"], "tensorrt");
}

#[test]
fn a_box_without_a_gpu_starts_on_the_processor_if_it_may() {
    let Some(rig) = rig() else { return };
    let faults = [("VIGIA_CUDA_DEVICE", "none")];
    let mut vigia = rig.running(&faults, "tensorrt");
    assert_eq!(rig.await_processor(), "the NVIDIA driver finds no GPU");
    vigia.signal("-TERM");
    vigia.wait(Duration::from_secs(10));
    let mut vigia = rig.start(&faults, "tensorrt, fallback: none");
    assert_eq!(vigia.wait(Duration::from_secs(30)).code(), Some(2));
    let said =
        "vigia: the model small does not run on a GPU: the NVIDIA driver finds no GPU; detector.engine auto";
    assert!(vigia.log().contains(said), "{}", vigia.log());
}

#[test]
fn a_gpu_that_is_held_back_is_reported_with_the_effect() {
    let Some(rig) = rig() else { return };
    let tell = |state: &str| {
        // Whole at once: somebody reads it all the time.
        let part = rig.gpu.file("nvml.part");
        fs::write(&part, state).expect("the disk has room");
        fs::rename(&part, rig.gpu.file("nvml")).expect("ours");
    };
    // At the limit of its power, as a card under load is.
    tell("4 61 1200 1300");
    let vigia = rig.running(&[], "tensorrt");
    assert!(rig.site.status("box")["throttled"].is_null());
    tell("64 97 612 1300");
    let status = rig.await_status(|status| status["throttled"].is_object());
    let expected =
        json!({ "causes": ["heat"], "temperature_c": 97, "clock_mhz": 612, "clock_max_mhz": 1300 });
    assert_eq!(status["throttled"], expected);
    vigia.wait_log("the GPU is held back by heat at 97 °C: it runs at 612 of 1300 MHz");
    tell("0 80 1300 1300");
    rig.await_status(|status| status["throttled"].is_null());
    vigia.wait_log("gpu_free");
}
