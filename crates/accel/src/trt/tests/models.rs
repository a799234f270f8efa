//! The models of the project on the double: batches give what single images give.

use std::path::Path;

use super::super::flags::{Direction, Scratch, Typing};
use super::super::{Context, DevicePtr, Engine, Profile, Shapes, Stream};
use super::double::Double;

/// Values that differ from image to image, without a generator.
fn images(count: usize, size: usize) -> Vec<f32> {
    let value =
        |i: usize| f32::from(u8::try_from(i.wrapping_mul(2_654_435_761) >> 7 & 255).expect("a byte")) / 255.0;
    (0..count * size).map(value).collect()
}

fn build(double: &Double, model: &[u8]) -> Engine {
    let builder = double.builder();
    let mut network = builder.network(Typing::Strong).expect("a network");
    network.read_onnx(model, None).expect("the model is read");
    let mut config = builder.config().expect("a configuration");
    let [(input, _, shape)] = &network.inputs().expect("inputs")[..] else { panic!("one image is expected") };
    assert_eq!(shape[0], -1, "the batch is open");
    let of = |n| [&[n], &shape[1..]].concat();
    let shapes = Shapes { input: input.clone(), least: of(1), usual: of(2), most: of(2) };
    config.add(&Profile(vec![shapes])).expect("a profile");
    let plan = network.build(&mut config).expect("a plan");
    double.runtime().load(&plan).expect("the plan loads")
}

/// The outputs for some images, one after the other.
fn run(context: &mut Context, images: &[f32], count: usize) -> Vec<Vec<f32>> {
    let tensors = context.engine().tensors().to_vec();
    let mut outputs = Vec::new();
    for tensor in &tensors {
        if tensor.direction == Direction::Input {
            let shape = [&[i64::try_from(count).expect("small")], &tensor.shape[1..]].concat();
            context.set_shape(&tensor.name, &shape).expect("within the profile");
            context.set_address(&tensor.name, address(images)).expect("an address");
        } else {
            let shape = context.shape(&tensor.name).expect("a shape");
            let size = shape.iter().map(|n| usize::try_from(*n).expect("decided")).product();
            outputs.push(vec![0.0_f32; size]);
            let output = outputs.last().expect("pushed");
            context.set_address(&tensor.name, address(output)).expect("an address");
        }
    }
    // SAFETY: the null stream is there always.
    context.enqueue(unsafe { Stream::from_raw(0) }).expect("it runs");
    outputs
}

fn address(memory: &[f32]) -> DevicePtr {
    // SAFETY: the vectors outlive the inference, which is done when `enqueue` returns.
    unsafe { DevicePtr::from_raw(memory.as_ptr().expose_provenance() as u64) }
}

#[test]
fn batches_give_what_single_images_give() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    for model in ["lookout-n.onnx", "lookout-n-int8.onnx"] {
        let bytes = std::fs::read(models.join(model)).expect("the project ships it");
        let double = Double::new(0);
        let mut context = build(&double, &bytes).context(Scratch::Own).expect("a context");
        let size = 3 * 384 * 640;
        let images = images(2, size);
        let both = run(&mut context, &images, 2);
        let single: Vec<_> = images.chunks(size).map(|image| run(&mut context, image, 1)).collect();
        for (output, both) in both.iter().enumerate() {
            let (first, second) = both.split_at(both.len() / 2);
            assert!(first.iter().all(|v| v.is_finite()) && first != second, "{model}");
            for (one, two) in [first, second].into_iter().zip(&single) {
                let worst = one.iter().zip(&two[output]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 0.05, "{model}: {worst}");
            }
        }
    }
}
