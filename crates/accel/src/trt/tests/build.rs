//! Building against the double: parsing, progress, cancelling, precision, and what is left behind.

use std::sync::{Arc, Mutex};

use super::super::flags::{Flag, Hardware, Pool, Typing, Verbosity};
use super::super::slots::Era;
use super::super::{Batches, DevicePtr, Go, Progress, TrtError};
use super::double::{Double, profile};
use super::nets::{self, Kind};

#[test]
fn a_plan_is_built_with_everything_set() {
    Double::each(|double| {
        let mut builder = double.builder();
        builder.limit_threads(2).expect("a limit");
        let (mut network, mut config) = double.small(Kind::Half);
        config.limit_memory(Pool::Workspace, 1 << 30).expect("a limit");
        config.optimise(2).expect("a level");
        config.describe(Verbosity::Detailed).expect("words");
        config.hardware(Hardware::AmpereAndLater).expect("a range");
        config.limit_streams(1).expect("a limit");
        for flag in Flag::ALL.into_iter().filter(|f| ![Flag::Fp16, Flag::Int8].contains(f)) {
            config.set(flag).expect("there");
        }
        let plan = network.build(&mut config).expect("a plan").to_vec();
        let engine = double.runtime().load(&plan).expect("it loads");
        assert!(engine.refittable().expect("an answer") && engine.portable().expect("an answer"));
    });
}

#[test]
fn a_refused_node_is_named() {
    Double::each(|double| {
        double.faults("parse-error=1");
        let builder = double.builder();
        let mut network = builder.network(Typing::Strong).expect("a network");
        let refused = network.read_onnx(&nets::bytes(Kind::Float), None).expect_err("a fault");
        assert_eq!(
            refused.to_string(),
            "the model was refused: node 3 `model.2/conv` (Conv): Assertion failed: kernel weights must be constant"
        );
        let mut network = builder.network(Typing::Strong).expect("a network");
        network.read_onnx(&nets::bytes(Kind::Float), None).expect("the fault is over");
        for (bytes, phrase) in [
            (nets::unknown_operator(), "Conjure"),
            (nets::duplicate_name(), "topologically"),
            (Vec::new(), "no output"),
            (b"garbage".to_vec(), "parse"),
        ] {
            let mut network = builder.network(Typing::Strong).expect("a network");
            let error = network.read_onnx(&bytes, None).expect_err(phrase).to_string();
            assert!(error.contains(phrase), "`{phrase}` is expected in: {error}");
        }
    });
}

#[test]
fn progress_is_heard_and_any_step_may_cancel() {
    Double::each(|double| {
        double.faults("slow=1");
        let events = Arc::new(Mutex::new(Vec::new()));
        let hears = events.clone();
        let (mut network, mut config) = double.small(Kind::Float);
        let watcher = move |event: Progress<'_>| {
            hears.lock().expect("no panic").push(format!("{event:?}"));
            Go::On
        };
        config.watch(Arc::new(watcher)).expect("it can be watched");
        network.build(&mut config).expect("a plan");
        let events = events.lock().expect("no panic").clone();
        assert_eq!(events.len(), 2 + 8 + 1 + 3 + 1, "{events:#?}");
        assert_eq!(
            events[1],
            "Start { phase: \"Tactic Selection\", parent: Some(\"Building Engine\"), steps: 8 }"
        );

        let (mut network, mut config) = double.small(Kind::Float);
        let cancel =
            |e: Progress<'_>| if matches!(e, Progress::Step { step: 5, .. }) { Go::Cancel } else { Go::On };
        config.watch(Arc::new(cancel)).expect("it can be watched");
        assert!(matches!(network.build(&mut config), Err(TrtError::Cancelled)));
    });
}

#[test]
fn a_build_that_cannot_be_says_why() {
    Double::each(|double| {
        let builder = double.builder();
        let mut network = builder.network(Typing::Strong).expect("a network");
        network.read_onnx(&nets::bytes(Kind::Float), None).expect("it is read");
        let mut config = builder.config().expect("a configuration");
        let error = network.build(&mut config).expect_err("an open batch and no profile").to_string();
        assert!(error.contains("no optimization profile has been defined"), "{error}");
        // The same with a configuration of another builder, and with shapes that fall.
        let (_, mut other) = double.small(Kind::Float);
        assert!(network.build(&mut other).expect_err("another's").to_string().contains("another builder's"));
        let mut falling = profile();
        falling.0[0].most = vec![1, 3, 16, 16];
        let error = config.add(&falling).expect_err("least 1, usual 4, most 1").to_string();
        assert!(error.contains("do not rise"), "{error}");
    });
}

#[test]
fn weak_types_and_precision_flags_are_those_of_10() {
    Double::each(|double| {
        let (builder, ten) = (double.builder(), double.library.era() == Era::Ten);
        let weak = builder.network(Typing::Weak);
        let mut config = builder.config().expect("a configuration");
        if ten {
            weak.expect("10 has them");
            config.set(Flag::Fp16).expect("10 has it");
            let (mut network, mut config) = double.typed(Kind::Float, Typing::Weak);
            config.set(Flag::Fp16).expect("10 has it");
            network.build(&mut config).expect("a plan");
            let (mut network, mut config) = double.small(Kind::Float);
            config.set(Flag::Fp16).expect("10 has it");
            let error = network.build(&mut config).expect_err("one or the other").to_string();
            assert!(error.contains("a strongly typed network has the model's precisions"), "{error}");
            return;
        }
        let version = double.library.version();
        assert_eq!(
            weak.expect_err("gone").to_string(),
            format!(
                "TensorRT {version} has weakly typed networks no more; let the model say its types, FP16 in its tensors"
            )
        );
        let error = config.set(Flag::Fp16).expect_err("gone").to_string();
        assert_eq!(error, format!("TensorRT {version} has kFP16 no more; make an FP16 model"));
    });
}

#[derive(Default)]
struct Taken {
    batches: u32,
    found: Vec<u8>,
}

/// Three batches, from nowhere: the double reads none.
struct Source(Arc<Mutex<Taken>>, Option<Vec<u8>>);

impl Batches for Source {
    fn size(&self) -> u32 {
        4
    }

    fn next(&mut self, name: &str) -> Option<DevicePtr> {
        assert_eq!(name, "images");
        let mut taken = self.0.lock().expect("no panic");
        taken.batches += 1;
        // SAFETY: the double only looks whether it is null.
        (taken.batches <= 3).then_some(unsafe { DevicePtr::from_raw(0x10_0000) })
    }

    fn cached(&mut self) -> Option<Vec<u8>> {
        self.1.clone()
    }

    fn found(&mut self, ranges: &[u8]) {
        self.0.lock().expect("no panic").found = ranges.to_vec();
    }
}

#[test]
fn calibration_takes_batches_or_what_was_found() {
    Double::each(|double| {
        let taken = Arc::new(Mutex::new(Taken::default()));
        let source = Box::new(Source(taken.clone(), None));
        if double.library.era() != Era::Ten {
            let (_, mut config) = double.small(Kind::Float);
            let set = config.calibrate(source, &profile());
            assert!(matches!(set, Err(TrtError::Gone { what: "kINT8", .. })), "{set:?}");
            return;
        }
        let (mut network, mut config) = double.typed(Kind::Float, Typing::Weak);
        config.calibrate(source, &profile()).expect("10 calibrates");
        network.build(&mut config).expect("a plan");
        let found = std::mem::take(&mut *taken.lock().expect("no panic"));
        assert_eq!((found.batches, found.found.as_slice()), (4, &b"3 batches of 4"[..]));
        let (mut network, mut config) = double.typed(Kind::Float, Typing::Weak);
        config
            .calibrate(Box::new(Source(taken.clone(), Some(found.found))), &profile())
            .expect("10 calibrates");
        network.build(&mut config).expect("a plan");
        assert_eq!(taken.lock().expect("no panic").batches, 0, "what was found is enough");
    });
}

#[test]
fn timings_are_kept_and_foreign_ones_refused() {
    Double::each(|double| {
        let (mut network, mut config) = double.small(Kind::Float);
        assert!(config.join_cache(b"").expect_err("none yet").to_string().contains("none is used yet"));
        config.use_cache(&[]).expect("a first one");
        network.build(&mut config).expect("a plan");
        let kept = config.cache().expect("bytes");
        assert!(!kept.is_empty());
        let (_, mut config) = double.small(Kind::Float);
        config.use_cache(&kept).expect("its own");
        config.join_cache(&kept).expect("its own");
        let error = config.use_cache(b"of another device").expect_err("foreign").to_string();
        assert_eq!(error, "TensorRT: reading the timing cache failed");
    });
}

#[test]
fn dla_is_what_the_device_has() {
    Double::each(|double| {
        let (network, mut config) = double.small(Kind::Float);
        let error = config.dla(0, true).expect_err("no DLA").to_string();
        assert_eq!(error, "TensorRT: choosing a DLA core failed: there are 0 cores, and 0 is asked for");
        double.faults("dla=2");
        config.dla(1, true).expect("two cores");
        assert_eq!(network.beyond_dla(&config).expect("names"), ["make gate", "make output0"]);
        assert_eq!(double.runtime().dla_cores().expect("a number"), 2);
    });
}
