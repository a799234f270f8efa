//! Running against the double, on the host's memory: plans, contexts, inferences and their faults.

use super::super::flags::{DataType, Direction, Scratch};
use super::super::{Context, DevicePtr, Engine, Stream, TrtError};
use super::double::Double;
use super::nets::{self, Kind};

const PLANE: usize = 16 * 16;

// SAFETY: the null stream is there always.
const STREAM: Stream = unsafe { Stream::from_raw(0) };

fn shape(n: i64) -> [i64; 4] {
    [n, 3, nets::SIDE, nets::SIDE]
}

/// An input and an output for `n` images of 32-bit floats.
struct Memory {
    images: Vec<f32>,
    output: Vec<f32>,
}

impl Memory {
    fn new(n: usize) -> Self {
        let value = |i: usize| f32::from(u8::try_from(i % 251).expect("small")) / 251.0;
        Self { images: (0..n * 3 * PLANE).map(value).collect(), output: vec![0.0; n * 8 * PLANE] }
    }

    fn bind(&mut self, context: &mut Context) {
        let [images, output] =
            [self.images.as_ptr().expose_provenance(), self.output.as_mut_ptr().expose_provenance()]
                // SAFETY: the vectors outlive the inference, which is done when `enqueue` returns.
                .map(|at| unsafe { DevicePtr::from_raw(at as u64) });
        context.set_address("images", images).expect("an address");
        context.set_address("output0", output).expect("an address");
    }
}

fn engine(double: &Double, kind: Kind) -> Engine {
    double.runtime().load(&double.plan(kind)).expect("the plan loads")
}

fn ready(double: &Double, memory: &mut Memory) -> Context {
    let mut context = engine(double, Kind::Float).context(Scratch::Own).expect("a context");
    context.set_shape("images", &shape(1)).expect("within the profile");
    memory.bind(&mut context);
    context
}

/// The convolution of `nets`, computed here: kernels of halves, zeros around, then `x * sigmoid(x)`.
fn expected(images: &[f32]) -> Vec<f32> {
    let side = usize::try_from(nets::SIDE).expect("small");
    let weight = |i: usize| if i.is_multiple_of(5) || i % 7 == 3 { -0.5 } else { 0.5 };
    let mut out = Vec::new();
    for channel in 0..8 {
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
            let mut sum = 0.0_f32;
            for i in 0..27 {
                let (c, dy, dx) = (i / 9, i / 3 % 3, i % 3);
                if (1..=side).contains(&(y + dy)) && (1..=side).contains(&(x + dx)) {
                    sum += weight(channel * 27 + i) * images[(c * side + y + dy - 1) * side + x + dx - 1];
                }
            }
            out.push(sum / (1.0 + (-sum).exp()));
        }
    }
    out
}

#[test]
fn an_engine_says_what_it_takes_and_gives() {
    Double::each(|double| {
        for (kind, data_type) in [(Kind::Float, DataType::Float), (Kind::Half, DataType::Half)] {
            let engine = engine(double, kind);
            let [input, output] = engine.tensors() else { panic!("{:?}", engine.tensors()) };
            assert_eq!((input.name.as_str(), input.direction), ("images", Direction::Input));
            assert_eq!((output.name.as_str(), output.direction), ("output0", Direction::Output));
            assert_eq!((input.data_type, output.data_type), (data_type, data_type));
            assert_eq!(input.profiles, [[shape(1).to_vec(), shape(4).to_vec(), shape(8).to_vec()]]);
            assert!(input.linear && output.profiles.is_empty());
            engine.expect("output0", Direction::Output, &[-1, 8, 16, 16]).expect("as the model says");
            assert_eq!((engine.layers().expect("a number"), engine.profiles().expect("a number")), (3, 1));
            assert!(engine.device_memory().expect("bytes") > 1 << 20);
            assert!(engine.describe().expect("JSON").contains("make convolved (Conv)"));
            assert!(!engine.refittable().expect("an answer") && !engine.portable().expect("an answer"));
        }
    });
}

#[test]
fn outputs_are_those_of_the_network() {
    Double::each(|double| {
        let mut context = engine(double, Kind::Float).context(Scratch::Own).expect("a context");
        assert!(!context.ready().expect("an answer"));
        for n in [1, 8, 4, 1] {
            let mut memory = Memory::new(n);
            memory.bind(&mut context);
            context
                .set_shape("images", &shape(i64::try_from(n).expect("small")))
                .expect("within the profile");
            assert!(context.ready().expect("an answer"));
            assert_eq!(
                context.shape("output0").expect("a shape")[..2],
                [i64::try_from(n).expect("small"), 8]
            );
            context.enqueue(STREAM).expect("it runs");
            for (image, output) in memory.images.chunks(3 * PLANE).zip(memory.output.chunks(8 * PLANE)) {
                let worst =
                    expected(image).iter().zip(output).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-4, "{n} images: {worst}");
            }
        }
    });
}

#[test]
fn a_plan_that_is_none_is_refused() {
    Double::each(|double| {
        let plan = double.plan(Kind::Float);
        let mut other_version = plan.clone();
        other_version[8] ^= 1;
        let mut damaged = plan.clone();
        *damaged.last_mut().expect("not empty") ^= 1;
        for (name, bytes, phrase) in [
            ("empty", &[][..], "ends early"),
            ("a model", &nets::bytes(Kind::Float), "magicTag"),
            ("half", &plan[..plan.len() / 2], "checksum"),
            ("another version", &other_version, "not compatible with this version"),
            ("damaged", &damaged, "checksum"),
        ] {
            let error = double.runtime().load(bytes).expect_err(name).to_string();
            assert!(
                error.starts_with("TensorRT: loading the plan failed: ") && error.contains(phrase),
                "{name}: {error}"
            );
        }
    });
}

#[test]
fn a_tensor_that_does_not_fit_is_described() {
    Double::each(|double| {
        double.faults("wrong-shape");
        let engine = engine(double, Kind::Float);
        let error =
            engine.expect("output0", Direction::Output, &[-1, 8, 16, 16]).expect_err("17").to_string();
        assert_eq!(error, "tensor `output0` is output [-1, 8, 16, 17], output [-1, 8, 16, 16] is expected");
        let error = engine.expect("images", Direction::Output, &shape(-1)).expect_err("an input").to_string();
        assert_eq!(error, "tensor `images` is input [-1, 3, 16, 16], output [-1, 3, 16, 16] is expected");
        let error = engine.tensor("boxes").expect_err("none").to_string();
        assert_eq!(error, "the engine has no tensor `boxes`; it has images, output0");
    });
}

#[test]
fn an_inference_that_is_not_set_up_is_refused() {
    Double::each(|double| {
        let mut context = engine(double, Kind::Float).context(Scratch::Own).expect("a context");
        let error = context.set_shape("images", &shape(9)).expect_err("at most 8").to_string();
        assert!(error.contains("outside of the profile"), "{error}");
        assert!(matches!(context.set_shape("images", &[1; 9]), Err(TrtError::Dimensions(9))));
        assert!(matches!(context.set_shape("boxes", &shape(1)), Err(TrtError::NoTensor { .. })));
        assert!(
            context.choose_profile(1, STREAM).expect_err("one only").to_string().contains("no profile 1")
        );
        context.choose_profile(0, STREAM).expect("there");
        let error = context.enqueue(STREAM).expect_err("no addresses").to_string();
        assert!(error.contains("Address is not set for tensor images"), "{error}");
        Memory::new(1).bind(&mut context);
        let error = context.enqueue(STREAM).expect_err("no shape").to_string();
        assert!(error.contains("the shape of images is not set"), "{error}");
    });
}

#[test]
fn an_inference_may_fail_once_or_always() {
    Double::each(|double| {
        let mut memory = Memory::new(1);
        let mut context = ready(double, &mut memory);
        double.faults("enqueue-false=1");
        let error = context.enqueue(STREAM).expect_err("once").to_string();
        assert!(
            error.starts_with("TensorRT: starting the inference failed: IExecutionContext::enqueueV3: "),
            "{error}"
        );
        context.enqueue(STREAM).expect("once only");
        double.faults("enqueue-false");
        for _ in 0..3 {
            context.enqueue(STREAM).expect_err("always");
            // As a caller would try: with a new context.
            context = ready(double, &mut memory);
        }
        double.faults("nan=1");
        context.enqueue(STREAM).expect("it runs");
        assert!(memory.output.iter().all(|v| v.is_nan()));
        context.enqueue(STREAM).expect("it runs");
        assert!(memory.output.iter().all(|v| v.is_finite()));
    });
}

#[test]
fn memory_is_the_librarys_or_lent() {
    Double::each(|double| {
        let engine = engine(double, Kind::Float);
        double.faults("null-context=1");
        let error = engine.context(Scratch::Own).expect_err("no memory").to_string();
        assert!(
            error
                .contains("making an execution context failed: IExecutionContext: Error Code 2: OutOfMemory"),
            "{error}"
        );
        let mut memory = Memory::new(1);
        let mut context = engine.context(Scratch::Lent).expect("a context");
        memory.bind(&mut context);
        context.set_shape("images", &shape(1)).expect("within the profile");
        let bytes = engine.device_memory().expect("bytes");
        let error = context.enqueue(STREAM).expect_err("nothing lent").to_string();
        assert!(
            error.ends_with(&format!("failed: {bytes} bytes of scratch memory were to be lent before")),
            "{error}"
        );
        let scratch = vec![0_u8; usize::try_from(bytes).expect("small")];
        // SAFETY: the vector outlives the inference.
        let at = unsafe { DevicePtr::from_raw(scratch.as_ptr().expose_provenance() as u64) };
        let error = context.lend(at, bytes - 1).expect_err("too little").to_string();
        assert!(error.ends_with(&format!("{bytes} bytes are needed, {} are offered", bytes - 1)), "{error}");
        context.lend(at, bytes).expect("lent");
        context.limit_persistent_cache(0).expect("a limit");
        context.use_streams(&[]).expect("none");
        context.enqueue(STREAM).expect("it runs");
    });
}

/// Owners may go in any order: what they stand on stays.
#[test]
fn whatever_is_dropped_first_nothing_is_used_after_it() {
    Double::each(|double| {
        let mut memory = Memory::new(1);
        let mut context = ready(double, &mut memory);
        let engine = context.engine().clone();
        context.enqueue(STREAM).expect("engine and runtime are kept");
        drop(context);
        assert_eq!(engine.tensors().len(), 2);
        let mut second = engine.context(Scratch::Own).expect("another");
        drop(engine);
        second.set_shape("images", &shape(1)).expect("within the profile");
        memory.bind(&mut second);
        std::thread::spawn(move || second.enqueue(STREAM).expect("on any thread")).join().expect("no panic");
    });
}
