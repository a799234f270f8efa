//! Whether a plan finds what its model finds: measured when it is built, looked at again when it is loaded, and the gate
//! that 8-bit plans must pass. On the doubles, which compute what the network says.

#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/shared.rs"]
mod shared;

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use gpu::{Decoders, Gpu};
use rten_onnx::onnx::ModelProto;
use serde_json::Value;
use shared::{Run, files, folder};
use vigia::engines::store::{self, Store};

const INT8: &[&str] = &["--precision", "int8", "--json-progress"];

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

/// A folder with the shipped models.
fn own_models() -> tempfile::TempDir {
    let dir = folder();
    for name in ["lookout-n.yaml", "lookout-n.onnx", "lookout-n-int8.yaml", "lookout-n-int8.onnx"] {
        fs::copy(models().join(name), dir.path().join(name)).expect("it ships");
    }
    dir
}

/// Eight of the golden frames, with 43 objects, as the model's own: the doubles are slow.
fn few_frames(dir: &Path, id: &str) {
    let own = dir.join(id).join("golden");
    fs::create_dir_all(&own).expect("the disk has room");
    for n in [0, 1, 2, 25, 26, 33, 34, 35] {
        let name = format!("{n:06}.jpg");
        fs::copy(models().join("golden").join(&name), own.join(name)).expect("it ships");
    }
}

/// The file that a build made.
fn plan(run: &Run) -> PathBuf {
    let lines = run.json_lines();
    let done = lines.last().expect("it says something");
    assert_eq!(done["event"], "done", "{run:#?}");
    PathBuf::from(done["path"].as_str().expect("a path"))
}

fn passport(file: &Path) -> Value {
    let run = Run::vigia(&[&"engine", &"inspect", &file]);
    assert_eq!(run.code, 0, "{run:#?}");
    serde_json::from_str(&run.stdout).expect("JSON")
}

/// `vigia engine build` on the box, with more flags.
fn build(gpu: &Gpu, models: &Path, model: &str, flags: &[&str]) -> Run {
    let (dir, plans) = (gpu.path().to_owned(), gpu.plans());
    let mut args: Vec<&dyn AsRef<OsStr>> = vec![&"engine", &"build", &model, &"--plans-dir", &plans];
    args.extend([&"--models-dir" as &dyn AsRef<_>, &models, &"--tensorrt-dir", &dir]);
    args.extend(flags.iter().map(|f| f as &dyn AsRef<_>));
    Run::limited(&gpu.settings(), &args)
}

fn new_gpu(recipe: &str) -> Gpu {
    Gpu::new(recipe, Decoders::None)
}

/// One frame of a test picture through the plan.
fn load(gpu: &Gpu, settings: &str, models: &Path, model: &str) -> Run {
    let args: [&dyn AsRef<OsStr>; 10] = [
        &"detect",
        &"test://pattern?width=64&height=48",
        &"--frames",
        &"1",
        &"--model",
        &model,
        &"--models-dir",
        &models,
        &"--engine",
        &"tensorrt",
    ];
    Run::limited(&format!("{} {settings}", gpu.settings()), &args)
}

#[test]
fn a_plan_says_how_well_it_finds() {
    let gpu = new_gpu("{}");
    let run = build(&gpu, &models(), "lookout-n", &["--json-progress"]);
    let comparing = |l: &Value| l["phase"] == "Comparing with the reference";
    assert!(run.json_lines().iter().any(comparing), "{run:#?}");
    let sixteen = passport(&plan(&run));
    let accuracy = &sixteen["accuracy"];
    assert_eq!((&accuracy["reference"], &accuracy["frames"]), (&"lookout-n".into(), &36.into()));
    let count = |accuracy: &Value, what: &str| accuracy[what].as_u64().expect("a count");
    let objects = count(accuracy, "objects");
    assert!(objects >= 40, "{objects} objects tell little");
    assert_eq!((count(accuracy, "found"), count(accuracy, "invented")), (objects, 0), "{accuracy:#}");
    assert!(accuracy["iou"].as_f64() > Some(0.97) && accuracy["confidence"].as_f64() < Some(0.01));
    let witnesses = accuracy["witnesses"].as_array().expect("a list");
    assert!(
        witnesses.len() == 3 && witnesses.iter().all(|w| w["seen"].as_array().is_some_and(|s| s.len() > 1))
    );

    // Of the quantised model, against the one it was made from.
    let eight = passport(&plan(&build(&gpu, &models(), "lookout-n-int8", INT8)));
    let quantised = &eight["accuracy"];
    assert_eq!((&quantised["reference"], count(quantised, "objects")), (&"lookout-n".into(), objects));
    assert!(quantised["confidence"].as_f64() > accuracy["confidence"].as_f64(), "{quantised:#}");
    let plans = gpu.plans();
    let list = Run::vigia(&[&"engine", &"list", &"--plans-dir", &plans]);
    assert!(list.stdout.contains(&format!(" of {objects} objects, built ")), "{list:#?}");
}

/// A quantised model whose activations are cut at a part of their range: a mistake that quantisers make.
fn spoiled(onnx: &Path, share: f32) -> Vec<u8> {
    let mut model = ModelProto::parse_buf(&fs::read(onnx).expect("it ships")).expect("ONNX");
    let graph = model.graph.as_mut().expect("it has one");
    let quantise = graph.node.iter().filter(|n| n.op_type.as_deref() == Some("QuantizeLinear"));
    let scales: HashSet<_> = quantise.filter_map(|n| n.input.get(1).cloned()).collect();
    let mut changed = 0;
    for tensor in &mut graph.initializer {
        if !tensor.name.as_ref().is_some_and(|n| scales.contains(n)) {
            continue;
        }
        changed += 1;
        tensor.float_data.iter_mut().for_each(|v| *v *= share);
        if let Some(raw) = &tensor.raw_data {
            let values = raw
                .borrow()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b) * share)
                .collect::<Vec<_>>();
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensor.raw_data = Some(RefCell::new(bytes));
        }
    }
    assert!(changed > 20, "{changed} scales");
    model.write_buf().expect("it can be written")
}

#[test]
fn an_8_bit_plan_that_finds_too_little_is_refused_and_others_stay() {
    let (gpu, models, made) = (new_gpu("precision: int8"), own_models(), folder());
    let sixteen = plan(&build(&gpu, models.path(), "lookout-n", &["--json-progress"]));
    let onnx = made.path().join("spoiled.onnx");
    fs::write(&onnx, spoiled(&models.path().join("lookout-n-int8.onnx"), 0.05)).expect("the disk has room");
    let models_dir = models.path();
    let import = Run::vigia(&[
        &"model",
        &"import",
        &onnx,
        &"--models-dir",
        &models_dir,
        &"--quantised-from",
        &"lookout-n",
    ]);
    assert_eq!(import.code, 0, "{import:#?}");
    few_frames(models.path(), "spoiled");
    let run = build(&gpu, models.path(), "spoiled", INT8);
    assert_eq!(run.code, 2, "{run:#?}");
    let said = run.sentence();
    assert!(
        said.contains("the int8 plan of spoiled is not taken: of ") && said.contains("95% are asked for"),
        "{said}"
    );
    assert_eq!(files(&gpu.plans()), [sixteen.file_name().expect("a name").to_string_lossy()]);
    // Nor is it by a detector that would use it.
    let run = load(&gpu, "", models.path(), "spoiled");
    assert!(run.code == 2 && run.sentence().contains("is not taken"), "{run:#?}");
    assert_eq!(files(&gpu.plans()).len(), 1);
}

#[test]
fn an_8_bit_plan_that_nothing_can_be_said_of_is_refused() {
    let (gpu, models) = (new_gpu("{}"), own_models());
    let own = models.path().join("lookout-n-int8/golden");
    fs::create_dir_all(&own).expect("the disk has room");
    // Nothing burns here, and nobody walks by.
    let grey = vigia_sim::dataset::jpeg(&[90; 640 * 360 * 3], (640, 360), 80).expect("a picture");
    fs::write(own.join("grey.jpg"), grey).expect("the disk has room");
    let run = build(&gpu, models.path(), "lookout-n-int8", INT8);
    assert!(run.code == 2 && run.sentence().contains("the golden frames show 0 objects"), "{run:#?}");
    assert_eq!(files(&gpu.plans()), [""; 0]);
    // Of the model itself it says little, but nothing against it.
    let own = models.path().join("lookout-n/golden");
    fs::create_dir_all(&own).expect("the disk has room");
    fs::copy(models.path().join("lookout-n-int8/golden/grey.jpg"), own.join("grey.jpg"))
        .expect("it is there");
    let file = plan(&build(&gpu, models.path(), "lookout-n", &["--json-progress"]));
    assert_eq!(passport(&file)["accuracy"]["objects"], 0);
    // A picture that is none is named.
    fs::write(own.join("torn.jpg"), b"no picture").expect("the disk has room");
    let run = build(&gpu, models.path(), "lookout-n", &["--force"]);
    assert!(run.code == 2 && run.sentence().contains("torn.jpg"), "{run:#?}");
    assert_eq!(files(&gpu.plans()).len(), 1);
}

#[test]
fn a_plan_that_sees_something_else_than_when_it_was_measured_is_refused() {
    let (gpu, models) = (new_gpu("batch: 1"), own_models());
    let models = models.path();
    few_frames(models, "lookout-n");
    let file = plan(&build(&gpu, models, "lookout-n", &["--json-progress", "--batch", "1"]));
    let whole = fs::read(&file).expect("it is there");
    let run = load(&gpu, "", models, "lookout-n");
    assert_eq!(run.json_lines().len(), 1);
    let run = load(&gpu, "export VIGIA_NVINFER_FAULTS=nan;", models, "lookout-n");
    // It is built anew, which does not help against a GPU that computes nonsense.
    assert!(run.code == 2 && run.sentence().contains("it finds 0, 97% are asked for"), "{run:#?}");
    assert_eq!(fs::read(&file).expect("it is there"), whole);
}

#[test]
fn a_plan_from_elsewhere_is_measured_where_it_is_loaded() {
    let (gpu, models) = (new_gpu("batch: 1"), own_models());
    few_frames(models.path(), "lookout-n");
    let file = plan(&build(&gpu, models.path(), "lookout-n", &["--json-progress", "--batch", "1"]));
    // As `--for` leaves it: for all of a kind, and without figures.
    let (mut passport_of, plan) = store::read(&file).expect("a plan");
    fs::remove_file(file).expect("ours");
    passport_of.facts.device = passport_of.facts.device.kind();
    passport_of.accuracy = None;
    let plans = gpu.plans();
    let file = Store::new(&plans).put(&passport_of, &plan).expect("the disk has room");
    let list = Run::vigia(&[&"engine", &"list", &"--plans-dir", &plans]);
    assert!(list.stdout.contains("not measured yet"), "{list:#?}");
    assert_eq!(load(&gpu, "", models.path(), "lookout-n").json_lines().len(), 1);
    let measured = passport(&file);
    assert_eq!((&measured["accuracy"]["found"], &measured["accuracy"]["frames"]), (&43.into(), &8.into()));
    // On other frames it is measured again.
    fs::remove_file(models.path().join("lookout-n/golden/000026.jpg")).expect("it is there");
    assert_eq!(load(&gpu, "", models.path(), "lookout-n").json_lines().len(), 1);
    assert_eq!(passport(&file)["accuracy"]["frames"], 7);
    assert_eq!(files(&plans).len(), 1);
}
