//! Frames of the device brought to the host, on the double of libcuda.

#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use std::sync::Arc;

use double::on_double;
use picture::Picture;
use vigia_accel::cuda::{CudaError, DeviceFormat, DeviceLayout, Download, Gpu, TextureImage};
use vigia_accel::preprocess::{Image, Matrix, Range};

/// The bytes of a plane's row as the host shall have them.
fn expected(picture: &Picture, plane: usize, row: usize) -> Vec<u8> {
    let l = &picture.layout;
    let (bytes, _) = l.format.plane_size(plane, l.width, l.height);
    let all = &picture.bytes[l.offsets[plane] + row * l.pitches[plane]..][..bytes];
    match l.format {
        DeviceFormat::P010 => all.chunks(2).map(|sample| sample[1]).collect(),
        _ => all.to_vec(),
    }
}

fn is(image: &Image<'_>, picture: &Picture) {
    let l = &picture.layout;
    assert_eq!(
        (image.width(), image.height(), image.matrix(), image.range()),
        (l.width, l.height, l.matrix, l.range)
    );
    for plane in 0..l.format.planes() {
        for row in 0..l.format.plane_size(plane, l.width, l.height).1 {
            assert_eq!(image.row(plane, row), expected(picture, plane, row), "{:?} {plane} {row}", l.format);
        }
    }
}

#[test]
fn frames_come_as_they_are() {
    on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        use DeviceFormat::{Nv12, P010};
        let gpu = Gpu::open(0).expect("the double is there");
        let mut download = Download::new(&gpu).expect("it opens");
        // Growing and shrinking; odd sides; rows with a gap between them.
        for (seed, size) in [(1, (64, 36)), (2, (131, 75)), (3, (18, 10))] {
            for format in [Nv12, P010] {
                let picture =
                    Picture::noise(format, size, Matrix::Bt709, Range::Full, seed).padded(64, 62, seed);
                is(&download.get(&picture.upload(&gpu)).expect("it comes"), &picture);
            }
            for format in [Nv12, P010] {
                let picture = Picture::noise(format, size, Matrix::Bt601, Range::Limited, seed);
                let arrays = TextureImage::new(&gpu, picture.layout, &picture.bytes).expect("it fits");
                is(&download.get(&Arc::new(arrays).image()).expect("it comes"), &picture);
            }
        }
    });
}

#[test]
fn what_no_decoder_leaves_on_the_device_is_refused() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut download = Download::new(&gpu).expect("it opens");
        for format in [DeviceFormat::I420, DeviceFormat::Gray8, DeviceFormat::Rgbx] {
            let layout = DeviceLayout::packed(format, (8, 8), Matrix::Bt709, Range::Full, 1);
            let picture = Picture { layout, bytes: vec![0; layout.bytes()] };
            let refused = download.get(&picture.upload(&gpu)).expect_err("none gives it");
            assert!(matches!(refused, CudaError::Format(of) if of == format), "{refused}");
        }
    });
}
