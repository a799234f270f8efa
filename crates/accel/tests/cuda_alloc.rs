//! A slot that is warm allocates nothing on the host either. The double's own memory is not counted: it has an allocator
//! of its own.

#[path = "support/alloc.rs"]
mod alloc;
#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use alloc::allocations;
use double::on_double;
use picture::{ONE_BOX, Picture, Prepared, plain, spec};
use vigia_accel::cuda::{DeviceFormat, Frame, Gpu, Slot, Source};
use vigia_accel::preprocess::{Align, Matrix, Range};

fn a_warm_slot_allocates_nothing(variables: &[(&str, &str)]) {
    on_double(variables, || {
        let gpu = Gpu::open(0).expect("the double is there");
        let pictures = [DeviceFormat::Nv12, DeviceFormat::I420]
            .map(|format| Picture::noise(format, (96, 54), Matrix::Bt709, Range::Limited, 2));
        let device = pictures[0].upload(&gpu);
        let host = pictures[1].image();
        let frames =
            [Source::Device(&device), Source::Host(&host)].map(|source| Frame { source, floor: 0.5 });
        let spec = spec(plain(64, 64, Align::Centre), true, 2, ONE_BOX);
        let mut slot = Slot::new(&gpu, spec, Prepared(vec![])).expect("it fits");
        let mut counted = |frames: &[Frame<'_>], times: usize| {
            let before = allocations();
            for _ in 0..times {
                slot.begin(frames).expect("it starts");
                let batch = slot.wait().expect("it runs");
                assert_eq!(batch.candidates(0).len() + batch.overflow(0), 0);
            }
            allocations() - before
        };
        assert!(counted(&frames, 1) > 0, "the counter must see the rooms for uploads being made");
        assert_eq!(counted(&frames, 20), 0);
    });
}

#[test]
fn as_graphs() {
    a_warm_slot_allocates_nothing(&[]);
}

#[test]
fn call_by_call() {
    a_warm_slot_allocates_nothing(&[("VIGIA_CUDA_NO_CAPTURE", "1")]);
}
