//! A slot at work: what comes out, what it costs, and that no wait is missing.

#[path = "support/count.rs"]
mod count;
#[path = "support/double.rs"]
mod double;
#[path = "support/picture.rs"]
mod picture;

use std::error::Error;
use std::sync::Arc;

use count::{count, reset};
use double::on_double;
use picture::{Picture, Prepared, plain, spec};
use vigia_accel::cuda::{
    CANDIDATES_MAX, Candidate, CudaError, DeviceBuffer, DeviceFormat, Enqueue, Frame, Gpu, HeadFamily,
    HeadSpec, LOOK_SAMPLES, Priority, Slot, Source, Stage, Stream, Warm,
};
use vigia_accel::preprocess::{Align, Matrix, Range};

const TENSOR: (u32, u32) = (64, 48);
const HEAD: HeadSpec = HeadSpec { family: HeadFamily::Corners, classes: 4, anchors: 3, half: false };

/// The output of an end-to-end network: rows of corners, score and class.
fn rows(gpu: &Arc<Gpu>, rows: &[[f32; 6]]) -> DeviceBuffer<u8> {
    let bytes: Vec<u8> = rows.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    let mut buffer = DeviceBuffer::new(gpu, bytes.len(), "an output").expect("it fits");
    buffer.write(&bytes).expect("it has the size");
    buffer
}

/// For image `i` of a batch of four: a box of class `i` and a weak one.
fn four_outputs(gpu: &Arc<Gpu>) -> DeviceBuffer<u8> {
    let images = [0.0, 1.0, 2.0, 3.0].map(|class| {
        [[1.0, 2.0, 11.0, 22.0 + class, 0.9, class], [0.0, 0.0, 5.0, 5.0, 0.2, class], [0.0; 6]]
    });
    rows(gpu, images.as_flattened())
}

fn slot(gpu: &Arc<Gpu>) -> Slot<Prepared> {
    let network = Prepared(vec![four_outputs(gpu)]);
    Slot::new(gpu, spec(plain(TENSOR.0, TENSOR.1, Align::Centre), false, 4, HEAD), network).expect("it fits")
}

fn picture(seed: u32) -> Picture {
    Picture::noise(DeviceFormat::Nv12, (96, 54), Matrix::Bt709, Range::Limited, seed)
}

/// Sorted by class: kernels append in any order.
fn found(candidates: &[Candidate]) -> Vec<(u32, f32, f32)> {
    let mut found: Vec<_> = candidates.iter().map(|c| (c.class_id, c.confidence, c.y2)).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found
}

/// All of a batch, on both kinds of GPU, in a hurry and delayed until somebody waits.
fn batches_come_out_right(variables: &[(&str, &str)], way: &Warm) {
    on_double(variables, || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut slot = slot(&gpu);
        for batch in 1..=4 {
            assert_eq!(slot.warm(batch).expect("it warms"), *way);
        }
        for seed in 0..6 {
            let pictures = [1, 2, 3, 4].map(|i| picture(100 * seed + i));
            let images = pictures.each_ref().map(|p| p.upload(&gpu));
            let batch = usize::try_from(seed).expect("small") % 4 + 1;
            let floors = [0.5, 0.1, 0.95, 0.5];
            let frames: Vec<_> = (images.iter().zip(floors))
                .map(|(i, floor)| Frame { source: Source::Device(i), floor })
                .take(batch)
                .collect();
            slot.begin(&frames).expect("it starts");
            drop(images);
            let done = slot.wait().expect("it runs");
            let expected =
                [vec![(0, 0.9, 22.0)], vec![(1, 0.9, 23.0), (1, 0.2, 5.0)], vec![], vec![(3, 0.9, 25.0)]];
            for (i, expected) in expected.iter().enumerate().take(batch) {
                assert_eq!(found(done.candidates(i)), *expected, "image {i} of {batch}");
                assert_eq!((done.overflow(i), done.letterbox(i).width), (0, 64));
            }
            let mut bytes = vec![0; 12 * 64 * 48 * 4];
            slot.read_input(&mut bytes).expect("it has the size");
            let values: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            for (picture, given) in pictures.iter().zip(values.chunks(3 * 64 * 48)).take(batch) {
                let expected = picture::tensors(&gpu, slot.spec().tensor, &[picture.upload(&gpu)]);
                assert!(given == expected.expect("it runs"), "the tensor of another frame");
            }
        }
    });
}

#[test]
fn batches_as_graphs() {
    batches_come_out_right(&[], &Warm::Graph);
}

#[test]
fn batches_as_graphs_with_late_copies() {
    batches_come_out_right(&[("VIGIA_CUDA_DELAY", "1")], &Warm::Graph);
}

#[test]
fn batches_on_a_gpu_that_shares_memory() {
    batches_come_out_right(&[("VIGIA_CUDA_DEVICE", "orin"), ("VIGIA_CUDA_DELAY", "1")], &Warm::Graph);
}

#[test]
fn batches_without_graphs() {
    let why = "CUDA: ending a capture: an error of the double (901)".to_owned();
    batches_come_out_right(
        &[("VIGIA_CUDA_NO_CAPTURE", "1"), ("VIGIA_CUDA_DELAY", "1")],
        &Warm::Stream { why },
    );
}

/// With late copies a result that is read too early is that of the last batch: the test above could fail.
#[test]
fn the_double_would_show_a_missing_wait() {
    on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut slot = slot(&gpu);
        let image = picture(1).upload(&gpu);
        let before = count("run:kernel");
        slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }]).expect("it starts");
        let warmed = count("run:kernel");
        assert!(!slot.is_done().expect("it answers"), "nothing runs before somebody waits");
        slot.wait().expect("it runs");
        // Warming up: letterbox, look and head, twice.
        assert_eq!((warmed - before, count("run:kernel") - warmed), (6, 3));
    });
}

fn cost_of_frames(variables: &[(&str, &str)], copies: (u64, u64)) {
    on_double(variables, || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut slots = [slot(&gpu), slot(&gpu)];
        let images = [1, 2].map(|seed| picture(seed).upload(&gpu));
        let frames = images.each_ref().map(|i| Frame { source: Source::Device(i), floor: 0.5 });
        for slot in &mut slots {
            slot.warm(2).expect("it warms");
        }
        let live = ["live:bytes", "live:allocation", "live:pinned", "live:event", "live:executable"];
        let alive = live.map(count);
        reset();
        slots[0].begin(&frames).expect("it starts");
        for turn in 1..=1000 {
            slots[turn % 2].begin(&frames).expect("it starts");
            assert_eq!(slots[(turn + 1) % 2].wait().expect("it runs").len(), 2);
        }
        slots[0].wait().expect("it runs");
        let batches = 1001;
        assert_eq!(live.map(count), alive, "nothing more is alive");
        for name in [
            "cuMemAlloc_v2",
            "cuMemAllocAsync",
            "cuMemHostAlloc",
            "cuMemFree_v2",
            "cuMemFreeHost",
            "cuStreamSynchronize",
            "cuCtxSynchronize",
            "cuEventCreate",
            "cuLaunchKernel",
            "cuTexObjectCreate",
            "run:pageable",
        ] {
            assert_eq!(count(name), 0, "{name}");
        }
        assert_eq!((count("cuGraphLaunch"), count("run:kernel")), (batches, 3 * batches));
        assert_eq!((count("cuEventRecord"), count("cuEventSynchronize")), (batches, batches));
        let (descriptors, back) = copies;
        assert_eq!(
            (count("run:h2d"), count("run:h2d_bytes")),
            (batches.min(batches * descriptors), batches * descriptors)
        );
        assert_eq!(count("run:d2h_bytes"), batches * back);
    });
}

/// No pixel crosses the bus: descriptors of 128 bytes go, at most 25 KiB per image come.
#[test]
fn a_frame_allocates_nothing_and_waits_once() {
    let back = 4 * 64 + 2 * (LOOK_SAMPLES + 24 * CANDIDATES_MAX) as u64;
    assert!(back <= 2 * 25 * 1024);
    cost_of_frames(&[], (2 * 128, back));
}

#[test]
fn a_frame_copies_nothing_where_memory_is_shared() {
    cost_of_frames(&[("VIGIA_CUDA_DEVICE", "orin")], (0, 0));
}

/// The frame may still be being written when its batch is launched.
#[test]
fn a_frame_waits_for_its_writer() {
    on_double(&[("VIGIA_CUDA_DELAY", "1")], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut slot = slot(&gpu);
        slot.warm(1).expect("it warms");
        let writer = Arc::new(Stream::new(&gpu, Priority::Low).expect("it opens"));
        let image = picture(1).upload(&gpu).after(&writer);
        reset();
        for _ in 0..10 {
            slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }]).expect("it starts");
            assert_eq!(slot.wait().expect("it runs").candidates(0).len(), 1);
        }
        // The writer's place and the batch's.
        assert_eq!(
            (count("cuStreamWaitEvent"), count("cuEventRecord"), count("cuEventSynchronize")),
            (10, 20, 10)
        );
        assert_eq!(count("cuEventCreate"), 0);
    });
}

#[test]
fn frames_of_the_host_are_uploaded_once() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut slot = slot(&gpu);
        let picture = picture(8);
        let image = picture.image();
        let frame = [Frame { source: Source::Host(&image), floor: 0.5 }];
        slot.begin(&frame).expect("it starts");
        slot.wait().expect("it runs");
        let alive = count("live:bytes");
        reset();
        for _ in 0..100 {
            slot.begin(&frame).expect("it starts");
            assert_eq!(slot.wait().expect("it runs").candidates(0).len(), 1);
        }
        // The frame and its descriptor.
        assert_eq!((count("run:h2d"), count("run:pageable")), (200, 0));
        assert_eq!((count("live:bytes"), count("cuMemAlloc_v2")), (alive, 0));
    });
}

#[test]
fn a_flood_is_counted() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let head = HeadSpec { anchors: 1500, ..HEAD };
        let network = Prepared(vec![rows(&gpu, &[[0.0, 0.0, 9.0, 9.0, 0.7, 2.0]; 1500])]);
        let tensor = plain(TENSOR.0, TENSOR.1, Align::Centre);
        let mut slot = Slot::new(&gpu, spec(tensor, false, 1, head), network).expect("it fits");
        let image = picture(1).upload(&gpu);
        slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }]).expect("it starts");
        let done = slot.wait().expect("it runs");
        assert_eq!((done.candidates(0).len(), done.overflow(0)), (CANDIDATES_MAX, 1500 - CANDIDATES_MAX));
    });
}

/// Does what may not be done in a capture.
#[derive(Debug)]
struct Waits;

impl Enqueue for Waits {
    fn prepare(&mut self, _stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    fn enqueue(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(stage.stream().wait()?)
    }
}

#[test]
fn a_network_that_waits_is_launched_call_by_call() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let tensor = plain(TENSOR.0, TENSOR.1, Align::Centre);
        let mut slot = Slot::new(&gpu, spec(tensor, false, 1, HEAD), Waits).expect("it fits");
        let Warm::Stream { why } = slot.warm(1).expect("it warms") else { panic!("a wait was captured") };
        assert!(why.contains("waiting for a stream") && why.ends_with("(900)"), "{why}");
        let image = picture(1).upload(&gpu);
        slot.begin(&[Frame { source: Source::Device(&image), floor: 0.5 }]).expect("it starts");
        slot.wait().expect("it runs");
    });
}

#[test]
fn a_slot_says_what_it_can_not_do() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let mut slot = slot(&gpu);
        let image = picture(1).upload(&gpu);
        let frame = Frame { source: Source::Device(&image), floor: 0.5 };
        assert!(matches!(slot.wait(), Err(CudaError::Idle)));
        assert!(matches!(slot.begin(&[]), Err(CudaError::BatchSize { given: 0, max: 4 })));
        assert!(matches!(slot.begin(&[frame; 5]), Err(CudaError::BatchSize { given: 5, max: 4 })));
        slot.begin(&[frame]).expect("it starts");
        assert!(matches!(slot.begin(&[frame]), Err(CudaError::InFlight)));
        slot.wait().expect("it runs");
        let tensor = plain(TENSOR.0, TENSOR.1, Align::Centre);
        let mut short = spec(tensor, false, 4, HEAD);
        short.outputs[0].bytes -= 1;
        let error = Slot::new(&gpu, short, Prepared(vec![])).expect_err("too short");
        assert_eq!(error.to_string(), "bytes of an output for the head: expected 72, given 71");
        let error = Slot::new(&gpu, spec(tensor, false, 65, HEAD), Prepared(vec![])).expect_err("too many");
        assert!(matches!(error, CudaError::BatchSize { given: 65, max: 64 }));
    });
}
