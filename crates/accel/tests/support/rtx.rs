//! What NVIDIA's own libraries do with our layer: the same tests for each release, which has a process of its own,
//! because a parser binds to the first library of its name.
//!
//! TensorRT-RTX parses and builds without a GPU. Loading a plan and running it need one.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vigia_accel::trt::flags::{DataType, Flag, Pool, Severity, Typing, Verbosity};
use vigia_accel::trt::{
    Builder, Config, Driver, Flavour, Go, Library, Network, Place, Plan, Profile, Progress, Runtime,
    RuntimeOptions, Shapes, TrtError, Version,
};

use super::nets::{self, Kind};
use super::{CONVOLVES_INT8, MINOR, RELEASE};

type Said = Arc<Mutex<Vec<(Severity, String)>>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The library, for one test at a time: two builds of release 1.4 at once were seen to fail now and then.
struct Alone {
    library: Library,
    _alone: MutexGuard<'static, ()>,
}

impl Deref for Alone {
    type Target = Library;

    fn deref(&self) -> &Library {
        &self.library
    }
}

/// The library, and all that it says.
fn library() -> Option<(Alone, Said)> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed leaves it poisoned, and as good as before.
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let default = || root().join(".cache/trt");
    let dir = std::env::var_os("VIGIA_TRT_RTX").map_or_else(default, PathBuf::from);
    let dir = dir.join(format!("{RELEASE}-{}", std::env::consts::ARCH));
    if !dir.join("libtensorrt_rtx.so.1").exists() {
        skipped(&format!("no TensorRT-RTX in {}; tests/trt/fetch.sh fetches it", dir.display()));
        return None;
    }
    let said = Said::default();
    let hears = said.clone();
    let listener =
        move |severity, text: &str| hears.lock().expect("no panic").push((severity, text.to_owned()));
    let library = Library::load(&Place::Folder(dir), Arc::new(listener)).expect("NVIDIA's library loads");
    Some((Alone { library, _alone: alone }, said))
}

fn profile(input: &str, [least, usual, most]: [i64; 3], rest: &[i64]) -> Profile {
    let shape = |n| [&[n], rest].concat();
    let shapes = Shapes { input: input.into(), least: shape(least), usual: shape(usual), most: shape(most) };
    Profile(vec![shapes])
}

const SMALL: [i64; 3] = [3, nets::SIDE, nets::SIDE];

/// A network of the tests, read, and a configuration with batches of 1, 4 and 8.
fn small(library: &Library, kind: Kind) -> (Network, Config) {
    let builder = Builder::new(library, None).expect("a builder needs no GPU");
    let mut network = builder.network(Typing::Strong).expect("a network");
    network.read_onnx(&nets::bytes(kind), None).expect("the network is read");
    let mut config = builder.config().expect("a configuration");
    config.limit_memory(Pool::Workspace, 256 << 20).expect("a limit");
    assert_eq!(config.add(&profile("images", [1, 4, 8], &SMALL)).expect("a profile"), 0);
    (network, config)
}

/// Reads and builds a model; where its batch is open, for 1, 4 and 8 images.
fn build(library: &Library, model: &[u8]) -> Result<(u32, Plan), TrtError> {
    let builder = Builder::new(library, None)?;
    let mut network = builder.network(Typing::Strong)?;
    network.read_onnx(model, None)?;
    let mut config = builder.config()?;
    for (name, _, shape) in network.inputs()?.iter().filter(|(_, _, shape)| shape[0] < 0) {
        config.add(&profile(name, [1, 4, 8], &shape[1..]))?;
    }
    let plan = network.build(&mut config)?;
    Ok((network.layers()?, plan))
}

#[test]
fn says_its_version() {
    let Some((library, said)) = library() else { return };
    let Version { flavour, major, minor, .. } = library.version();
    assert_eq!((flavour, major, minor), (Flavour::Rtx, 1, MINOR));
    assert!(library.version().to_string().starts_with(&format!("RTX 1.{MINOR}.")));
    let parser = library.parser_version().expect("the parser is beside it");
    assert!(parser > 0, "parser {parser}");
    assert!(said.lock().expect("no panic").iter().all(|(s, _)| *s > Severity::Warning), "{said:?}");
}

#[test]
fn builds_every_precision_with_an_open_batch() {
    let Some((library, _)) = library() else { return };
    for (kind, data_type, layers) in
        [(Kind::Float, DataType::Float, 3), (Kind::Half, DataType::Half, 3), (Kind::Int8, DataType::Float, 6)]
    {
        let (mut network, mut config) = small(&library, kind);
        let shape = |channels| vec![-1, channels, nets::SIDE, nets::SIDE];
        assert_eq!(network.inputs().expect("inputs"), [("images".into(), data_type, shape(3))]);
        let outputs = network.outputs().expect("outputs");
        assert_eq!(outputs, [("output0".into(), data_type, shape(nets::CHANNELS))]);
        // The parser adds constants and casts of its own.
        let count = network.layers().expect("layers");
        assert!((layers..=2 * layers + 4).contains(&count), "{kind:?} has {count} layers");
        match network.build(&mut config) {
            Ok(plan) => assert!(plan.len() > 1_000, "{kind:?}: {} bytes", plan.len()),
            Err(error) => refuses_int8(kind == Kind::Int8, &error),
        }
    }
}

/// RTX 1.4 has no convolution in eight bits, and says so without a crash.
fn refuses_int8(int8: bool, error: &TrtError) {
    assert!(int8 && !CONVOLVES_INT8, "{error}");
    assert!(error.to_string().starts_with("TensorRT: building the engine failed: "), "{error}");
}

/// The models of the project and those beside it, with their layers as NVIDIA's parser counts them.
#[test]
fn builds_every_model() {
    let Some((library, _)) = library() else { return };
    let shared = std::env::var_os("VIGIA_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let mut models = Vec::new();
    for dir in [root().join("models"), shared.join("models")] {
        let Ok(entries) = dir.read_dir() else {
            skipped(&format!("{} is not there; VIGIA_SHARED names the folder", dir.display()));
            continue;
        };
        models.extend(entries.filter_map(|e| Some(e.ok()?.path())));
    }
    models.retain(|m| m.extension().is_some_and(|e| e == "onnx"));
    models.sort();
    assert!(models.len() >= 2, "the project ships models");
    for model in models {
        let bytes = fs::read(&model).expect("a model can be read");
        match build(&library, &bytes) {
            Ok((layers, plan)) => {
                println!("{}: {layers} layers, a plan of {} bytes", model.display(), plan.len());
                assert!(layers > 50 && plan.len() > 100_000, "{}", model.display());
            }
            Err(error) => refuses_int8(model.ends_with("lookout-n-int8.onnx"), &error),
        }
    }
}

/// What a watcher heard, in words.
fn heard(event: Progress<'_>) -> (String, Option<u32>, Option<u32>) {
    match event {
        Progress::Start { phase, steps, .. } => (phase.to_owned(), Some(steps), None),
        Progress::Step { phase, step } => (phase.to_owned(), None, Some(step)),
        Progress::Finish { phase } => (phase.to_owned(), None, None),
    }
}

#[test]
fn progress_rises_phase_by_phase() {
    let Some((library, _)) = library() else { return };
    let (mut network, mut config) = small(&library, Kind::Float);
    let events = Arc::new(Mutex::new(Vec::new()));
    let hears = events.clone();
    let watcher = move |event: Progress<'_>| {
        hears.lock().expect("no panic").push(heard(event));
        Go::On
    };
    config.watch(Arc::new(watcher)).expect("it can be watched");
    network.build(&mut config).expect("a plan");
    let events = events.lock().expect("no panic");
    let mut open: Vec<(&str, u32, Option<u32>)> = Vec::new();
    let (mut phases, mut steps) = (0, 0);
    for (phase, start, step) in events.iter() {
        assert!(!phase.is_empty());
        match (start, step) {
            (Some(total), _) => {
                open.push((phase, *total, None));
                phases += 1;
            }
            (None, Some(step)) => {
                let at =
                    open.iter_mut().rev().find(|(p, ..)| p == phase).expect("a step is of an open phase");
                assert!(*step < at.1 && at.2 < Some(*step), "{phase}: step {step} after {at:?}");
                at.2 = Some(*step);
                steps += 1;
            }
            (None, None) => {
                let at = open.iter().rposition(|(p, ..)| p == phase).expect("only open phases end");
                open.remove(at);
            }
        }
    }
    assert!(open.is_empty() && phases >= 3 && steps >= 10, "{phases} phases, {steps} steps, open {open:?}");
}

#[test]
fn cancelling_ends_a_build_and_nothing_else() {
    let Some((library, _)) = library() else { return };
    let (mut network, mut config) = small(&library, Kind::Float);
    let cancel =
        |event: Progress<'_>| if matches!(event, Progress::Step { .. }) { Go::Cancel } else { Go::On };
    config.watch(Arc::new(cancel)).expect("it can be watched");
    assert!(matches!(network.build(&mut config), Err(TrtError::Cancelled)));
    // One who panics ends the build, too, and not the process.
    let (mut network, mut config) = small(&library, Kind::Float);
    config.watch(Arc::new(|_| panic!("a watcher that panics"))).expect("it can be watched");
    assert!(matches!(network.build(&mut config), Err(TrtError::Cancelled)));
    let (mut network, mut config) = small(&library, Kind::Float);
    network.build(&mut config).expect("the process goes on");
}

#[test]
fn a_model_that_is_none_is_refused_in_words() {
    let Some((library, _)) = library() else { return };
    let good = nets::bytes(Kind::Float);
    // Never written to, so that it takes no memory.
    let huge = vec![0; 1 << 31];
    let noise = (1..8_u32 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("duplicate", nets::duplicate_name(), "sort the model topologically"),
        ("unknown operator", nets::unknown_operator(), "Conjure"),
        ("empty", Vec::new(), "no output"),
        ("zeros", vec![0; 1 << 20], "no output"),
        ("truncated", good[..good.len() / 2].to_vec(), "parse"),
        ("noise", noise, "parse"),
        ("huge", huge, "2147483648 bytes"),
    ];
    for (name, bytes, phrase) in cases {
        let error = build(&library, &bytes).expect_err(name).to_string();
        println!("{name}: {error}");
        assert!(error.len() > 20 && error.contains(phrase), "{name}: {error}");
    }
    let refused = build(&library, &nets::unknown_operator());
    let Err(TrtError::Parse(errors)) = refused else { panic!("{refused:?}") };
    let (_, node, operator) = errors[0].node.clone().expect("the error is a node's");
    assert_eq!((node.as_str(), operator.as_str()), ("make convolved", "Conjure"));
    assert!(errors[0].origin.contains(':'), "{errors:?}");
    build(&library, &good).expect("the process goes on");
}

#[test]
fn shapes_that_contradict_are_refused() {
    let Some((library, _)) = library() else { return };
    let builder = Builder::new(&library, None).expect("a builder");
    let mut config = builder.config().expect("a configuration");
    let error = config.add(&profile("images", [8, 4, 1], &SMALL)).expect_err("falling").to_string();
    assert!(error.contains("profile"), "{error}");
    let nine = profile("images", [1, 1, 1], &[1; 9]);
    assert!(matches!(config.add(&nine), Err(TrtError::Dimensions(10))));
    let zero = profile("ima\0ges", [1, 1, 1], &SMALL);
    assert!(matches!(config.add(&zero), Err(TrtError::Name(_))));
    // A model with an open batch and no profile.
    let mut network = builder.network(Typing::Strong).expect("a network");
    network.read_onnx(&nets::bytes(Kind::Float), None).expect("the network is read");
    let mut config = builder.config().expect("a configuration");
    let error = network.build(&mut config).expect_err("no profile").to_string();
    assert!(error.contains("profile"), "{error}");
}

#[test]
fn precisions_by_flag_are_gone() {
    let Some((library, _)) = library() else { return };
    let mut builder = Builder::new(&library, None).expect("a builder");
    builder.limit_threads(1).expect("a limit");
    let weak = builder.network(Typing::Weak).expect_err("RTX types strongly").to_string();
    assert!(weak.contains(&format!("RTX 1.{MINOR}.")) && weak.contains("weakly typed"), "{weak}");
    let mut config = builder.config().expect("a configuration");
    for flag in [Flag::Fp16, Flag::Int8] {
        let error = config.set(flag).expect_err("gone").to_string();
        assert!(error.contains(flag.name()) && error.contains("model"), "{error}");
    }
    for flag in [Flag::Tf32, Flag::Refit, Flag::StripPlan] {
        config.set(flag).expect("there");
    }
    assert_eq!(builder.dla_cores().expect("a number"), 0);
    assert!(config.dla(0, true).expect_err("no DLA").to_string().contains("0 cores"));
}

#[test]
fn plans_for_named_gpus() {
    let Some((library, _)) = library() else { return };
    let mut sizes = Vec::new();
    for capabilities in [&[86][..], &[75, 86, 89]] {
        let (mut network, mut config) = small(&library, Kind::Half);
        config.capabilities(capabilities).expect("GPUs that it knows");
        config.describe(Verbosity::Detailed).expect("words");
        config.optimise(2).expect("a level");
        sizes.push(network.build(&mut config).expect("a plan").len());
    }
    println!("plans for one and three GPUs: {sizes:?} bytes");
    let (_, mut config) = small(&library, Kind::Half);
    assert!(config.capabilities(&[1234]).is_err(), "there is no such GPU");
}

#[test]
fn a_timing_cache_comes_back() {
    let Some((library, _)) = library() else { return };
    let (mut network, mut config) = small(&library, Kind::Float);
    assert_eq!(config.cache().expect("none is used yet"), Vec::<u8>::new());
    config.use_cache(&[]).expect("a first cache");
    network.build(&mut config).expect("a plan");
    let kept = config.cache().expect("bytes");
    let (mut network, mut config) = small(&library, Kind::Float);
    config.use_cache(&kept).expect("it takes its own");
    config.join_cache(&kept).expect("twice");
    network.build(&mut config).expect("a plan");
    println!("a cache of {} bytes, then {}", kept.len(), config.cache().expect("bytes").len());
    let (_, mut config) = small(&library, Kind::Float);
    match config.use_cache(b"no cache at all, but long enough to be read as the head of one") {
        Ok(()) => println!("a foreign cache is taken for an empty one"),
        Err(error) => println!("a foreign cache: {error}"),
    }
}

/// There is no driver here: that the caller's check passed is a lie of this test.
#[test]
fn what_is_no_plan_is_refused_without_a_crash() {
    let Some((library, _)) = library() else { return };
    let error = Driver::checked(|| Err("no driver")).expect_err("a failed check").to_string();
    assert!(error.contains("driver"), "{error}");
    let driver = Driver::checked(|| Ok::<_, String>(())).expect("it said so");
    let runtime = match Runtime::new(&library, driver, &RuntimeOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => return println!("without a driver: {error}"),
    };
    let (mut network, mut config) = small(&library, Kind::Float);
    let plan = network.build(&mut config).expect("a plan");
    let huge = vec![0x5a; 8 << 20];
    let cases = [
        ("nothing", &[][..]),
        ("garbage", &huge),
        ("a model", &nets::bytes(Kind::Float)),
        ("half a plan", &plan[..plan.len() / 2]),
    ];
    for (name, bytes) in cases {
        let error = runtime.load(bytes).expect_err(name).to_string();
        println!("{name}: {error}");
        assert!(error.starts_with("TensorRT: loading the plan failed: "), "{name}: {error}");
    }
}
