//! `make gpu-check` on the double: the program itself works, and says what it did not measure.

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;
#[path = "../examples/gpu_check.rs"]
mod program;

use std::sync::Arc;

use count::count;
use double::on_double;
use vigia_accel::cuda::measure::{copy_bandwidth, letterbox_ms};
use vigia_accel::cuda::{DeviceBuffer, DeviceFormat, DeviceImage, DeviceLayout, Gpu};
use vigia_accel::preprocess::{Align, ChannelOrder, Matrix, Range, TensorSpec};

fn run(args: &[&str]) -> Result<program::Report, String> {
    program::run(args.iter().map(|a| (*a).to_owned())).map_err(|e| e.to_string())
}

#[test]
fn all_is_checked_but_the_figures() {
    on_double(&[], || {
        let report = run(&["--frames", "500"]).expect("it runs");
        let said = &report.said;
        assert!(said.contains("no figures: this is the double of the tests"), "{said}");
        assert_eq!((said.matches("\nok    ").count(), report.failures), (26, 0), "{said}");
        assert!(said.contains("\"no leak\": true"), "{said}");
    });
}

/// What they measure is no speed of a GPU here; that they do what they are to measure can be seen.
#[test]
fn measures_do_their_work() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let layout = DeviceLayout::packed(DeviceFormat::Nv12, (64, 36), Matrix::Bt709, Range::Limited, 64);
        let buffer = Arc::new(DeviceBuffer::new(&gpu, layout.bytes(), "a picture").expect("it fits"));
        let images = [(); 8].map(|()| DeviceImage::new(layout, buffer.clone()).expect("it is whole"));
        let spec = TensorSpec {
            width: 32,
            height: 32,
            align: Align::Centre,
            order: ChannelOrder::Rgb,
            pad: 114,
            scale: [1.0; 3],
            offset: [0.0; 3],
        };
        let ms = letterbox_ms(&gpu, &spec, true, &images, 4).expect("it runs");
        assert!(ms.is_finite() && ms > 0.0, "{ms}");
        // Twenty times two batches.
        assert_eq!(count("run:kernel"), 40);
        assert!(letterbox_ms(&gpu, &spec, true, &images, 3).is_err(), "no whole number of batches");
        let rate = copy_bandwidth(&gpu, 1 << 16).expect("it runs");
        assert!(rate.is_finite() && rate > 0.0, "{rate}");
        assert_eq!((count("run:d2d"), count("run:d2d_bytes")), (80, 80 << 16));
    });
}

/// A kernel that fails is not taken for one that is right.
#[test]
fn a_gpu_that_fails_is_no_success() {
    on_double(&[("VIGIA_CUDA_STICKY_AFTER", "30")], || {
        let error = run(&[]).map(|r| r.said).expect_err("the thirty-first kernel");
        assert!(error.contains("illegal memory access"), "{error}");
    });
}

#[test]
fn without_a_gpu_it_says_so() {
    on_double(&[("VIGIA_CUDA_DEVICE", "none")], || {
        let report = run(&[]).expect("no GPU is no failure");
        assert_eq!((report.said.as_str(), report.failures), ("skipped: the NVIDIA driver finds no GPU\n", 0));
        assert_eq!(run(&["--insist"]).err().as_deref(), Some("the NVIDIA driver finds no GPU"));
        assert!(run(&["--figures"]).is_err_and(|e| e.contains("expected --insist")));
    });
}
