//! A slot that is warm allocates nothing on the host either. The double's own memory is not counted: it has an allocator
//! of its own.

#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use double::on_double;
use picture::{ONE_BOX, Picture, Prepared, plain, spec};
use vigia_accel::cuda::{DeviceFormat, Frame, Gpu, Slot, Source};
use vigia_accel::preprocess::{Align, Matrix, Range};

thread_local! {
    /// Allocations of this thread, so that the test harness does not count.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    fn count() {
        // A thread that is ending has no counter any more, and no test either.
        ALLOCATIONS.try_with(|count| count.set(count.get() + 1)).unwrap_or(());
    }
}

// SAFETY: each method passes its arguments on to `System`, which keeps the contract; counting touches only a `Cell`
// without destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: our caller keeps the promises that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: our caller keeps the promises that `System` asks for; `pointer` came from it.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: our caller keeps the promises that `System` asks for; `pointer` came from it.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

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
            let before = ALLOCATIONS.get();
            for _ in 0..times {
                slot.begin(frames).expect("it starts");
                let batch = slot.wait().expect("it runs");
                assert_eq!(batch.candidates(0).len() + batch.overflow(0), 0);
            }
            ALLOCATIONS.get() - before
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
