//! What goes wrong with drivers and GPUs, and what is said then.

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use count::{count, reset};
use double::on_double;
use picture::{ONE_BOX, Picture, Prepared, plain, spec};
use vigia_accel::cuda::{
    Class, CudaError, DeviceBuffer, DeviceFormat, Event, Frame, Gpu, Pinned, Priority, Slot, Source, Stream,
    Wait,
};
use vigia_accel::preprocess::{Align, Matrix, Range};

#[test]
fn properties_are_those_of_the_gpu() {
    for (device, name, capability, integrated) in
        [("h200", "double of an H200", (9, 0), false), ("orin", "double of an Orin", (8, 7), true)]
    {
        // Each device in a process of its own: the first turn of the child is the one that counts.
        if std::env::var("VIGIA_CUDA_DEVICE").is_ok_and(|d| d != device) {
            continue;
        }
        on_double(&[("VIGIA_CUDA_DEVICE", device)], || {
            let gpu = Gpu::open(0).expect("the double is there");
            let p = gpu.properties();
            assert_eq!((p.name.as_str(), p.capability, p.integrated), (name, capability, integrated));
            assert_eq!((p.driver, p.memory_bytes), (12_060, gpu.memory().expect("it answers").total));
        });
    }
}

#[test]
fn no_gpu_is_one_sentence() {
    on_double(&[("VIGIA_CUDA_DEVICE", "none")], || {
        let error = Gpu::open(0).expect_err("there is none");
        assert_eq!(error.to_string(), "the NVIDIA driver finds no GPU");
        assert_eq!(error.class(), Class::Unusable);
    });
}

#[test]
fn another_gpu_than_there_is() {
    on_double(&[], || {
        let error = Gpu::open(3).expect_err("there is one");
        assert_eq!(error.to_string(), "there is no GPU 3; the driver finds 1");
    });
}

/// A driver older than the PTX would say so only when it is too late.
#[test]
fn a_driver_that_can_not_read_the_kernels() {
    on_double(&[("VIGIA_CUDA_PTX", "82")], || {
        let error = Gpu::open(0).expect_err("8.5 is newer");
        let expected = "CUDA: compiling the kernels for this GPU: \
            the provided PTX was compiled with an unsupported toolchain (222)";
        assert_eq!((error.to_string().as_str(), error.class()), (expected, Class::Unusable));
    });
}

#[test]
fn no_memory_is_said_with_the_sizes() {
    on_double(&[("VIGIA_CUDA_MEMORY", "1000000")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let first = DeviceBuffer::<u8>::new(&gpu, 600_000, "the first").expect("it fits");
        let error = DeviceBuffer::<f32>::new(&gpu, 150_000, "the second").expect_err("it does not fit");
        assert_eq!(
            error.to_string(),
            "no device memory for the second: 600000 bytes wanted, 400000 of 1000000 free"
        );
        assert_eq!(error.class(), Class::OutOfMemory);
        drop(first);
        // The janitor frees it; nothing tells when, but it is the only one who has something to do.
        while count("live:allocation") > 0 {
            std::thread::yield_now();
        }
        DeviceBuffer::<f32>::new(&gpu, 150_000, "the second").expect("now it fits");
    });
}

/// Letting go of memory costs the one who lets go nothing.
#[test]
fn the_janitor_frees() {
    on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let buffers: Vec<_> =
            (1..=50).map(|n| DeviceBuffer::<u32>::new(&gpu, n, "a buffer").expect("it fits")).collect();
        let (peak, live) = (count("peak:bytes"), count("live:bytes"));
        assert_eq!((peak, live, count("live:allocation")), (4 * 25 * 51, 4 * 25 * 51, 50));
        drop(buffers);
        while count("live:allocation") > 0 {
            std::thread::yield_now();
        }
        assert_eq!(count("cuMemFree_v2"), 50);
    });
}

fn slot(gpu: &std::sync::Arc<Gpu>) -> Slot<Prepared> {
    let tensor = plain(32, 32, Align::Centre);
    Slot::new(gpu, spec(tensor, false, 1, ONE_BOX), Prepared(vec![])).expect("it fits")
}

fn picture() -> Picture {
    Picture::noise(DeviceFormat::Nv12, (32, 32), Matrix::Bt709, Range::Limited, 1)
}

#[test]
fn a_sticky_error_stays() {
    on_double(&[("VIGIA_CUDA_STICKY_AFTER", "12")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let image = picture().upload(&gpu);
        let frame = [Frame { source: Source::Device(&image), floor: 0.5 }];
        let mut slot = slot(&gpu);
        // Warming up takes six, a batch three.
        for _ in 0..2 {
            slot.begin(&frame).expect("it starts");
            slot.wait().expect("it runs");
        }
        slot.begin(&frame).expect("it starts");
        let error = slot.wait().expect_err("the thirteenth kernel");
        assert_eq!(
            error.to_string(),
            "CUDA: waiting for an event: an illegal memory access was encountered (700)"
        );
        assert_eq!(error.class(), Class::Sticky);
        for _ in 0..3 {
            assert_eq!(slot.begin(&frame).expect_err("all is over").class(), Class::Sticky);
        }
        assert_eq!(gpu.memory().expect_err("all is over").class(), Class::Sticky);
    });
}

#[test]
fn a_failed_launch_costs_one_batch() {
    // Six warm up; the graph's are the seventh to the ninth.
    on_double(&[("VIGIA_CUDA_FAIL_LAUNCH", "7")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let image = picture().upload(&gpu);
        let frame = [Frame { source: Source::Device(&image), floor: 0.5 }];
        let mut slot = slot(&gpu);
        slot.warm(1).expect("it warms");
        let error = slot.begin(&frame).expect_err("the seventh launch");
        assert_eq!(
            error.to_string(),
            "CUDA: launching a graph: too many resources requested for launch (701)"
        );
        assert_eq!(error.class(), Class::Transient);
        assert!(matches!(slot.wait(), Err(CudaError::Idle)));
        slot.begin(&frame).expect("the next one starts");
        slot.wait().expect("and runs");
    });
}

#[test]
fn events_tell_time_and_order() {
    on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let stream = Stream::new(&gpu, Priority::Low).expect("it opens");
        let [start, end] = [Wait::Timed, Wait::Timed].map(|w| Event::new(&gpu, w).expect("it opens"));
        start.record(&stream).expect("it is recorded");
        end.record(&stream).expect("it is recorded");
        assert!(start.ms_until(&end).is_err(), "nobody has waited");
        end.wait().expect("it comes by");
        assert!(start.ms_until(&end).expect("both are done") >= 0.0);
        let untimed = Event::new(&gpu, Wait::Blocking).expect("it opens");
        untimed.record(&stream).expect("it is recorded");
        untimed.wait().expect("it comes by");
        assert!(start.ms_until(&untimed).is_err(), "it knows no time");
    });
}

#[test]
fn copies_need_the_right_size() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut buffer = DeviceBuffer::<f32>::new(&gpu, 4, "four").expect("it fits");
        buffer.write(&[1.0, 2.0, 3.0, 4.0]).expect("it has the size");
        let mut back = [0.0; 4];
        buffer.read(&mut back).expect("it has the size");
        assert_eq!(back, [1.0, 2.0, 3.0, 4.0]);
        let error = buffer.write(&[1.0]).expect_err("too short");
        assert_eq!(error.to_string(), "values to copy: expected 4, given 1");
        assert!(buffer.read(&mut [0.0; 5]).is_err());
        assert!(DeviceBuffer::<f32>::new(&gpu, 0, "nothing").is_err());
        assert!(Pinned::<u8>::new(&gpu, 0).is_err());
        assert_eq!(Pinned::<u32>::new(&gpu, 9).expect("it fits").values(), [0; 9]);
    });
}

/// All that was opened is closed, and memory is given back.
#[test]
fn nothing_stays_behind() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let names =
            ["allocation", "pinned", "stream", "event", "executable", "graph"].map(|n| format!("live:{n}"));
        for _ in 0..5 {
            let image = picture().upload(&gpu);
            let mut slot = slot(&gpu);
            slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }]).expect("it starts");
        }
        while count("live:allocation") > 0 {
            std::thread::yield_now();
        }
        assert_eq!(names.each_ref().map(|n| count(n)), [0; 6]);
        drop(gpu);
        // The janitor is the last to hold the context.
        while count("live:context") > 0 {
            std::thread::yield_now();
        }
        assert_eq!(count("live:module"), 0);
        reset();
    });
}
