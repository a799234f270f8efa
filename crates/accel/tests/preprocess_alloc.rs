//! A steady stream allocates nothing: only the first frame of a geometry may.

#[path = "support/alloc.rs"]
mod alloc;

use alloc::allocations;
use vigia_accel::preprocess::{
    Align, ChannelOrder, Image, Matrix, PixelFormat, Preprocessor, Range, TensorSpec,
};

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
            let before = allocations();
            for _ in 0..frames {
                preprocessor.run(&image, &mut out).unwrap();
            }
            allocations() - before
        };
        assert!(counted(1) > 0, "the counter must see the tables being built");
        assert_eq!(counted(10), 0, "{format:?}");
    }
}
