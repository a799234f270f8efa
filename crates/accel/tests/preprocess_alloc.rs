//! A steady stream allocates nothing: only the first frame of a geometry may.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use vigia_accel::preprocess::{
    Align, ChannelOrder, Image, Matrix, PixelFormat, Preprocessor, Range, TensorSpec,
};

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

// SAFETY: each method passes its arguments on to `System`, which keeps the contract; counting
// touches only a `Cell` without destructor and allocates nothing.
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

#[test]
fn a_steady_stream_allocates_nothing() {
    let spec = TensorSpec {
        width: 416,
        height: 416,
        align: Align::TopLeft,
        order: ChannelOrder::Bgr,
        pad: 114,
        scale: [1.0; 3],
        offset: [0.0; 3],
    };
    let bytes = vec![100; 768 * 432];
    let planes = [&bytes[..], &bytes[..], &bytes[..]];
    for format in [PixelFormat::Nv12, PixelFormat::I420, PixelFormat::Gray8] {
        let strides = [768, if format == PixelFormat::Nv12 { 768 } else { 384 }, 384];
        let image = Image::new(format, 768, 432, Matrix::Bt709, Range::Limited, planes, strides).unwrap();
        let mut preprocessor = Preprocessor::new(spec).unwrap();
        let mut out = vec![0.0; preprocessor.out_len()];
        let mut counted = |frames: usize| {
            let before = ALLOCATIONS.get();
            for _ in 0..frames {
                preprocessor.run(&image, &mut out).unwrap();
            }
            ALLOCATIONS.get() - before
        };
        assert!(counted(1) > 0, "the counter must see the tables being built");
        assert_eq!(counted(10), 0, "{format:?}");
    }
}
