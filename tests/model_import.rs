//! `vigia model`: what it takes in, what it refuses, and that no file can hurt it.

#[path = "support/shared.rs"]
mod shared;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataLocation, DataType, GraphProto, ModelProto, StringStringEntryProto,
};
use shared::{Run, files, folder, openvino, shared};
use vigia::detect::import::{self, Wishes};
use vigia::detect::manifest::{self, Manifest};
use vigia_sim::onnx::{self, Planted, integers, node, value};

/// Enough for the models of the tests, far too little for what hostile files ask for.
const MEMORY: &str = "ulimit -v 2097152;";
/// As little time as proves that there is a limit.
const TIGHT: &str = "ulimit -v 2097152; ulimit -t 3;";
/// COCO's v8 head at 96x96.
const SHAPE: [usize; 3] = [1, 84, 189];

/// A file that is imported into a folder of its own; with OpenVINO where there is one.
struct Trial {
    dir: tempfile::TempDir,
    file: PathBuf,
    models: PathBuf,
}

impl Trial {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let dir = folder();
        let (file, models) = (dir.path().join(name), dir.path().join("models"));
        fs::write(&file, bytes).expect("the disk has room");
        Self { dir, file, models }
    }

    fn import(&self, limits: &str, flags: &[&str]) -> Run {
        import(limits, &self.file, &self.models, flags)
    }

    /// Checks that it is refused with a sentence that contains `phrase`, and leaves nothing.
    fn refused(&self, limits: &str, flags: &[&str], phrase: &str) {
        let run = self.import(limits, flags);
        assert_eq!(run.code, 2, "{}: {run:#?}", self.file.display());
        let sentence = run.sentence();
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{sentence}");
        assert!(sentence.contains(phrase), "`{phrase}` is expected in: {sentence}");
        assert_eq!(run.stdout, "");
        assert_eq!(files(&self.models), [""; 0], "{sentence}");
        assert_eq!(files(self.dir.path()).len(), 1, "{sentence}");
    }
}

fn import(limits: &str, file: &Path, models: &Path, flags: &[&str]) -> Run {
    let dir = openvino().unwrap_or_else(|| "/nonexistent".into());
    let mut args: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"model", &"import", &file];
    args.extend([&"--models-dir" as &dyn AsRef<_>, &models, &"--openvino-dir", &dir]);
    args.extend(flags.iter().map(|f| f as &dyn AsRef<_>));
    Run::limited(limits, &args)
}

fn list(models: &Path) -> String {
    let run = Run::vigia(&[&"model", &"list", &"--models-dir", &models]);
    assert_eq!(run.code, 0, "{run:#?}");
    run.stdout
}

fn bytes(model: &ModelProto) -> Vec<u8> {
    model.write_buf().expect("a graph can be written")
}

/// A good v8 model at 96x96, for tests to spoil.
fn good() -> ModelProto {
    onnx::model([Some(96), Some(96)], None, &[Planted::nothing(&SHAPE)])
}

/// The good model with a spoilt graph.
fn spoilt(spoil: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = good();
    spoil(model.graph.as_mut().expect("it has a graph"));
    bytes(&model)
}

#[test]
fn files_that_are_no_models_are_refused() {
    let dir = folder();
    let models = dir.path().join("models");
    let run = import("", &dir.path().join("missing.onnx"), &models, &[]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.sentence().contains("No such file"), "{run:#?}");
    let run = import("", dir.path(), &models, &[]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.sentence().contains("not a file"), "{run:#?}");
    assert_eq!(files(dir.path()), [""; 0]);

    let text = "Dear technician,\n\nthe model is attached.\n".repeat(20);
    for (bytes, phrase) in [
        (Vec::new(), "not an ONNX file: it has no graph"),
        (text.into_bytes(), "not an ONNX file"),
        (vec![0; 4096], "not an ONNX file"),
        // A number without end, which the parser waits for.
        (vec![0xff; 4096], "can't be used"),
    ] {
        Trial::new("m.onnx", &bytes).refused(TIGHT, &[], phrase);
    }
}

#[test]
fn models_that_are_no_detectors_are_refused() {
    let head = |shape: &[usize]| bytes(&onnx::model([Some(96), Some(96)], None, &[Planted::nothing(shape)]));
    let fixed = bytes(&good());
    let open = bytes(&onnx::model([None, None], None, &[Planted::nothing(&SHAPE)]));
    let ends = head(&[1, 300, 6]);
    let input = |kind: DataType, shape: [i64; 4]| {
        spoilt(|g| {
            let mut image = value("images", &shape.map(Some));
            let tensor = image.r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
            tensor.expect("it is a tensor").elem_type = Some(kind);
            g.input = vec![image];
        })
    };
    let outside = spoilt(|g| {
        let weights = &mut g.initializer[0];
        weights.raw_data = None;
        weights.data_location = Some(DataLocation::EXTERNAL);
        weights.external_data = vec![StringStringEntryProto {
            key: Some("location".into()),
            value: Some("../../../../etc/passwd".into()),
        }];
    });
    let two = spoilt(|g| g.input.push(value("more", &[Some(1), Some(3), Some(96), Some(96)])));
    for (bytes, flags, phrase) in [
        (head(&[1, 1000]), &[][..], "look like no head"),
        (head(&[1, 85, 83]), &[], "look like no head"),
        (head(&[1, 0, 189]), &[], "m.onnx"),
        (two, &[], "it has 2 inputs; one image is expected"),
        (spoilt(|g| g.input.clear()), &[], "it has 0 inputs; one image is expected"),
        (input(DataType::UINT8, [1, 3, 96, 96]), &[], "its input is not 32-bit float"),
        (input(DataType::FLOAT16, [1, 3, 96, 96]), &[], "its input is not 32-bit float"),
        (input(DataType::FLOAT, [1, 1, 96, 96]), &[], "is not an image [batch, 3, height, width]"),
        (input(DataType::FLOAT, [1, 96, 96, 3]), &[], "is not an image [batch, 3, height, width]"),
        (input(DataType::FLOAT, [1, 3, 8, 8]), &[], "each side must be 32 to 4096"),
        (input(DataType::FLOAT, [1, 3, 64, 100_000]), &[], "each side must be 32 to 4096"),
        (outside, &[], "its weights lie in another file"),
        (spoilt(|g| g.node.clear()), &[], "its graph is empty"),
        (spoilt(|g| g.output.clear()), &[], "look like no head"),
        (spoilt(|g| g.node[1].op_type = Some("Wobble".into())), &[], "Wobble"),
        (spoilt(|g| g.node[1].input[0] = "nowhere".into()), &[], "does not run"),
        (fixed.clone(), &["--head", "yolox"], "doesn't fit the head Yolox"),
        (fixed.clone(), &["--head", "rtdetr"], "doesn't fit the head Rtdetr"),
        (
            fixed.clone(),
            &["--head", "yolo"],
            "--head yolo: yolov5, yolov8, end2end, yolox or rtdetr is expected",
        ),
        (fixed.clone(), &["--classes", "fire,smoke"], "doesn't fit the head Yolov8 with 2 classes"),
        (fixed.clone(), &["--input-size", "13x13"], "its input is fixed to 96x96; 13x13 was asked for"),
        (fixed.clone(), &["--input-size", "64"], "--input-size 64: WIDTHxHEIGHT is expected"),
        (fixed.clone(), &["--input-size", "64x-64"], "WIDTHxHEIGHT is expected"),
        (open, &["--input-size", "13x13"], "each side must be 32 to 4096"),
        (fixed.clone(), &["--id", "../x"], "`../x` can't name a model"),
        (fixed.clone(), &["--id", ".x"], "`.x` can't name a model"),
        (fixed, &["--id", ""], "`` can't name a model"),
        (ends.clone(), &[], "say them with --classes"),
    ] {
        Trial::new("m.onnx", &bytes).refused(MEMORY, flags, phrase);
    }
    let empty_names =
        bytes(&onnx::model([Some(96), Some(96)], Some("[]"), &[Planted::nothing(&[1, 300, 6])]));
    Trial::new("m.onnx", &empty_names).refused(MEMORY, &[], "0 classes: 1 to 4096 are expected");
    let unnamable = Trial::new("Modell für Küche.onnx", &ends);
    unnamable.refused(MEMORY, &["--classes", "a,b"], "can't name a model");
    let run = unnamable.import(MEMORY, &["--classes", "a,b", "--id", "kitchen"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(files(&unnamable.models), ["kitchen.onnx", "kitchen.yaml"]);
}

/// Each of these killed, or would have killed, the process that looked at it.
#[test]
fn hostile_files_can_do_no_harm() {
    let attribute = |name: &str, kind, g| AttributeProto {
        name: Some(name.into()),
        g,
        r#type: Some(kind),
        ..AttributeProto::default()
    };
    // A first node that makes what the rest of the graph waits for.
    let first = |op: &str, shape: &[i64]| {
        let length = i64::try_from(shape.len()).expect("it is short");
        let weights = integers("shape", vec![length], shape);
        spoilt(|g| {
            g.initializer.push(weights);
            let input = if op == "ConstantOfShape" { vec!["shape"] } else { vec!["images", "shape"] };
            g.node.insert(0, node(op, &input, "big", Vec::new()));
            g.node.insert(1, node("ReduceMean", &["big"], "big mean", Vec::new()));
            g.node.insert(2, node("Add", &["images", "big mean"], "image", Vec::new()));
            g.node[3].input[0] = "image".into();
        })
    };
    let forever = spoilt(|g| {
        let body = GraphProto {
            node: vec![node("Identity", &["go"], "go on", vec![]), node("Identity", &["x"], "y", vec![])],
            input: ["i", "go", "x"].map(|n| value(n, &[])).to_vec(),
            output: ["go on", "y"].map(|n| value(n, &[])).to_vec(),
            ..GraphProto::default()
        };
        g.initializer.push(integers("turns", vec![], &[i64::MAX]));
        g.initializer.push(onnx::tensor("go", vec![], DataType::BOOL, vec![1]));
        let body = attribute("body", AttributeType::GRAPH, Some(body));
        g.node.insert(0, node("Loop", &["turns", "go", "images"], "looped", vec![body]));
        g.node[1].input[0] = "looped".into();
    });
    // A graph in a graph in a graph: deeper than a stack.
    let mut nested = Vec::new();
    for _ in 0..20_000 {
        nested = field(1, &field(5, &field(6, &nested)));
    }
    let length = |n: u64| [varint((7 << 3) | 2), varint(n), varint((1 << 3) | 2), varint(n / 2)].concat();
    let beyond = |n: u64| [varint((2 << 3) | 2), varint(n), b"x".to_vec()].concat();
    let crash = "it makes the engine crash or want more than 4 GiB";
    for (name, bytes, phrase) in [
        ("nested", field(7, &nested), crash),
        ("a string longer than memory", beyond(1 << 40), crash),
        ("a string longer than addresses", beyond(u64::MAX), crash),
        ("a graph longer than memory", length(1 << 62), "m.onnx"),
        ("huge weights", spoilt(|g| g.initializer[0].dims = vec![1 << 31; 4]), "m.onnx"),
        ("weights below zero", spoilt(|g| g.initializer[0].dims = vec![-1, -84, 84]), "m.onnx"),
        ("short weights", spoilt(|g| g.initializer[0].dims = vec![1, 84, 85]), "m.onnx"),
        ("a tensor of terabytes", first("ConstantOfShape", &[1 << 22, 1 << 20]), crash),
        ("a picture of terabytes", first("Expand", &[1 << 20, 1, 3, 96, 96]), crash),
        ("a tile of more", first("Tile", &[1 << 30; 4]), "m.onnx"),
        ("forever", forever, "m.onnx"),
    ] {
        eprintln!("{name}");
        Trial::new("m.onnx", &bytes).refused(TIGHT, &[], phrase);
    }
}

fn varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Field `number` of a protocol buffer, with bytes in it.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint((number << 3) | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

#[test]
fn a_damaged_model_imports_or_is_refused() {
    const FLIPS: u64 = 40;
    let Some(path) = shared("models/yolox_nano.onnx") else { return };
    let whole = fs::read(path).expect("it can be read");
    let cut = |n: usize| ("cut", n, whole[..whole.len() / 16 * n].to_vec());
    let flipped = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = whole.clone();
        // The graph lies in the first and last kilobytes, the weights between.
        let span = if seed.is_multiple_of(2) { whole.len() } else { 4096 };
        for _ in 0..random.usize(1..=8) {
            let at = random.usize(..span);
            let at = if random.bool() { at } else { whole.len() - 1 - at };
            bytes[at] ^= random.u8(1..);
        }
        ("flipped with seed", usize::try_from(seed).expect("it is small"), bytes)
    };
    let cases: Vec<_> = (0..16).map(cut).chain((0..FLIPS).map(flipped)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((how, n, bytes)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let trial = Trial::new("m.onnx", bytes);
            let run = trial.import(MEMORY, &[]);
            eprintln!("{how} {n}: {} {}", run.code, run.stderr.trim());
            if run.code == 0 {
                assert_eq!(*how, "flipped with seed", "a part of a model is no model");
                assert_eq!(files(&trial.models), ["m.onnx", "m.yaml"]);
            } else {
                trial_is_clean(&run, &trial);
            }
        }
    };
    std::thread::scope(|s| {
        s.spawn(work);
        work();
    });
}

fn trial_is_clean(run: &Run, trial: &Trial) {
    assert_eq!(run.code, 2, "{run:#?}");
    run.sentence();
    assert_eq!(files(&trial.models), [""; 0], "{run:#?}");
}

#[test]
fn real_models_are_taken_in_and_guarded() {
    let models = [
        ("yolox_nano", "Yolox", "yolox", "416x416"),
        ("yolo11n-untrained", "Yolov8", "yolov8", "640x640"),
        ("yolov8n-untrained", "Yolov8", "yolov8", "640x640"),
    ];
    let dir = folder();
    assert!(list(dir.path()).starts_with("no models in"));
    for (id, said, head, size) in models {
        let Some(file) = shared(&format!("models/{id}.onnx")) else { return };
        let run = import(MEMORY, &file, dir.path(), &["--licence", "Apache-2.0"]);
        assert_eq!(run.code, 0, "{run:#?}");
        assert!(run.stdout.starts_with(&format!("{id}: {said}, {size}, 80 classes -> ")), "{run:#?}");
        assert_eq!(run.stderr, "");
        let found = manifest::locate(dir.path(), id).expect("it was stored");
        assert_eq!(found.manifest.classes.len(), 80);
        assert_eq!(found.manifest.licence.as_deref(), Some("Apache-2.0"));
        let row = list(dir.path()).lines().find(|l| l.starts_with(id)).map(str::to_owned).unwrap_or_default();
        let words: Vec<_> = row.split_whitespace().collect();
        assert_eq!(words, [id, head, size, "80", "classes", "Apache-2.0"]);
        let run = Run::vigia(&[&"model", &"inspect", &file]);
        assert_eq!(run.code, 0, "{run:#?}");
        assert!(run.stdout.contains("\"opset\""), "{run:#?}");
        let run = Run::vigia(&[&"model", &"inspect", &dir.path().join(format!("{id}.yaml"))]);
        assert!(run.stdout.contains(&found.manifest.sha256), "{run:#?}");
    }
    assert_eq!(files(dir.path()).len(), 2 * models.len());

    let stored = dir.path().join("yolox_nano.onnx");
    let mut bytes = fs::read(&stored).expect("it was stored");
    bytes[1_000_000] ^= 1;
    fs::write(&stored, bytes).expect("the disk has room");
    let listed = list(dir.path());
    assert_eq!(listed.lines().filter(|l| l.contains("BROKEN")).count(), 1, "{listed}");
    assert!(listed.lines().any(|l| l.starts_with("yolox_nano") && l.contains("sha256")), "{listed}");
    let run = Run::vigia(&[
        &"detect",
        &"test://pattern?width=640&height=480&fps=25",
        &"--model",
        &"yolox_nano",
        &"--models-dir",
        &dir.path(),
    ]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.sentence().contains("has changed: its sha256 is"), "{run:#?}");

    // What is broken can be mended.
    let Some(file) = shared("models/yolox_nano.onnx") else { return };
    assert_eq!(import(MEMORY, &file, dir.path(), &[]).code, 0);
    assert!(!list(dir.path()).contains("BROKEN"));
    assert_eq!(files(dir.path()).len(), 2 * models.len());
}

#[test]
fn a_model_is_replaced_whole_or_not_at_all() {
    let named = |names: &str| {
        bytes(&onnx::model([Some(96), Some(96)], Some(names), &[Planted::nothing(&[1, 6, 189])]))
    };
    let dir = folder();
    let models = dir.path().join("models");
    let [one, two] = [("one", r#"["x", "y"]"#), ("two", "{0: 'fire', 1: 'smoke'}")].map(|(name, names)| {
        let file = dir.path().join(name).with_extension("onnx");
        fs::write(&file, named(names)).expect("the disk has room");
        let wishes = Wishes { id: Some("m".into()), ..Wishes::default() };
        (import::examine(&file, &wishes, |_| {}).expect("it is a detector"), file)
    });
    import::store(&one.1, &one.0, &models).expect("it can be stored");

    // A refused file changes nothing.
    let bad = dir.path().join("bad.onnx");
    fs::write(&bad, "no model").expect("the disk has room");
    let before = (files(&models), fs::read(models.join("m.yaml")).ok());
    assert_eq!(import("", &bad, &models, &["--id", "m"]).code, 2);
    assert_eq!((files(&models), fs::read(models.join("m.yaml")).ok()), before);
    // Nor does one that changes after it was examined.
    let changed = import::store(&bad, &two.0, &models).expect_err("it is another file");
    assert!(changed.to_string().contains("changed while it was taken in"), "{changed}");
    assert_eq!((files(&models), fs::read(models.join("m.yaml")).ok()), before);

    // Whoever looks while it is replaced finds the old or the new model.
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        let watch = s.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !over.load(Ordering::Acquire) {
                let found = manifest::locate(&models, "m").expect("there is a whole model at all times");
                seen.insert(found.manifest.classes.concat());
            }
            seen
        });
        for round in 0..40 {
            for (manifest, file) in [&two, &one] {
                let manifest = Manifest { source: Some(format!("round {round}")), ..manifest.clone() };
                import::store(file, &manifest, &models).expect("it can be stored");
            }
        }
        over.store(true, Ordering::Release);
        let seen = watch.join().expect("the model was whole at all times");
        assert!(seen.iter().all(|c| c == "xy" || c == "firesmoke"), "{seen:?}");
    });
    assert_eq!(files(&models).len(), 2, "{:?}", files(&models));
}

#[test]
fn a_full_disk_leaves_the_old_model() {
    let trial = Trial::new("m.onnx", &bytes(&good()));
    assert_eq!(trial.import("", &[]).code, 0);
    let before = files(&trial.models);
    let other = onnx::model([Some(96), Some(96)], None, &[Planted::nothing(&[1, 85, 189])]);
    fs::write(&trial.file, bytes(&other)).expect("the disk has room");
    // The file-size limit strikes like a full disk, but for its signal.
    let run = trial.import("trap '' XFSZ; ulimit -f 8;", &[]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(run.sentence().contains("File too large"), "{run:#?}");
    assert_eq!(files(&trial.models), before);
    assert!(!list(&trial.models).contains("BROKEN"));
}
