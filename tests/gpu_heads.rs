//! The GPU's head decoding against that of `vigia-core`, on the double of libcuda.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers of a test")]

#[path = "../crates/accel/tests/support/double.rs"]
mod double;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use double::on_double;
use vigia::detect::engine::{self, EngineOptions, Mode};
use vigia::detect::manifest;
use vigia_accel::cuda::{
    Candidate, DeviceBuffer, DeviceFormat, DeviceImage, DeviceLayout, Enqueue, Frame, Gpu, HeadFamily,
    HeadSpec, OutputSpec, Slot, SlotSpec, Source, Stage, Wait,
};
use vigia_accel::preprocess::{Align, ChannelOrder, Matrix, Range, TensorSpec};
use vigia_core::config::Engine as Choice;
use vigia_core::detection::head::{Decoder, Head, Output};
use vigia_core::detection::{BBox, Detection};

/// A network that always finds the same.
#[derive(Debug)]
struct Prepared(Vec<DeviceBuffer<u8>>);

impl Enqueue for Prepared {
    fn prepare(&mut self, _stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    fn enqueue(&mut self, stage: &Stage<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        for (at, from) in self.0.iter().enumerate() {
            stage.copy_to_output(at, from.bytes(), from)?;
        }
        Ok(())
    }
}

/// A head and one image's outputs.
struct Case {
    head: Head,
    family: HeadFamily,
    classes: usize,
    anchors: usize,
    /// Of the tensor.
    side: (usize, usize),
    outputs: Vec<(Vec<usize>, Vec<f32>)>,
}

impl Case {
    fn core(&self, floor: f32) -> Vec<Detection> {
        let views: Vec<_> = self.outputs.iter().map(|(shape, data)| Output { shape, data }).collect();
        let mut found = Vec::new();
        let mut decoder = Decoder::new(self.head, self.classes, self.side.0, self.side.1);
        decoder.decode(&views, floor, &mut found).expect("it fits");
        found
    }

    /// The same outputs for each image of a batch, each with its own floor.
    fn gpu(&self, gpu: &Arc<Gpu>, floors: &[f32], half: bool) -> Vec<Vec<Detection>> {
        let number = |n: usize| u32::try_from(n).expect("small");
        let head = HeadSpec {
            family: self.family,
            classes: number(self.classes),
            anchors: number(self.anchors),
            half,
        };
        let tensor = TensorSpec {
            width: number(self.side.0),
            height: number(self.side.1),
            align: Align::Stretch,
            order: ChannelOrder::Rgb,
            pad: 114,
            scale: [1.0; 3],
            offset: [0.0; 3],
        };
        let prepared = self.outputs.iter().map(|(_, data)| {
            let one: Vec<u8> = data.iter().flat_map(|v| bytes(*v, half)).collect();
            let mut buffer = DeviceBuffer::new(gpu, one.len() * floors.len(), "an output").expect("it fits");
            buffer.write(&one.repeat(floors.len())).expect("it has the size");
            buffer
        });
        let outputs = head.values().iter().map(|v| OutputSpec { bytes: v * head.value_bytes() }).collect();
        let spec =
            SlotSpec { tensor, half: false, batch_max: floors.len(), outputs, head, wait: Wait::Blocking };
        let mut slot = Slot::new(gpu, spec, Prepared(prepared.collect())).expect("it fits");
        let layout = DeviceLayout::packed(DeviceFormat::Gray8, (8, 8), Matrix::Bt601, Range::Full, 1);
        let buffer = Arc::new(DeviceBuffer::new(gpu, 64, "a picture").expect("it fits"));
        let image = DeviceImage::new(layout, buffer).expect("it is whole");
        let frames: Vec<_> =
            floors.iter().map(|floor| Frame { source: Source::Device(&image), floor: *floor }).collect();
        slot.begin(&frames).expect("it starts");
        let done = slot.wait().expect("it runs");
        (0..floors.len())
            .map(|i| {
                assert_eq!(done.overflow(i), 0);
                done.candidates(i).iter().map(detection).collect()
            })
            .collect()
    }
}

fn detection(c: &Candidate) -> Detection {
    let bbox = BBox { x1: c.x1, y1: c.y1, x2: c.x2, y2: c.y2 };
    Detection { class_id: c.class_id as u16, confidence: c.confidence, bbox, tracker_id: None }
}

/// Little-endian, as the device has it.
fn bytes(value: f32, half: bool) -> Vec<u8> {
    if half { half_of(value).to_le_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
}

/// For values that a half float holds exactly.
fn half_of(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    match bits >> 23 & 255 {
        0 => sign,
        255 => sign | 0x7c00 | (bits >> 13 & 1023) as u16,
        exponent => sign | ((exponent - 112) << 10) as u16 | (bits >> 13 & 1023) as u16,
    }
}

/// Cut to what a half float holds, with nothing too small for it.
fn fit_half(value: f32) -> f32 {
    let cut = f32::from_bits(value.to_bits() & 0xffff_e000);
    if cut.abs() < 1e-4 { 0.0 } else { cut }
}

/// Both must have found the same; near the floor a last bit may decide.
fn compare(what: &str, floor: f32, given: &[Detection], expected: &[Detection]) {
    let sorted = |found: &[Detection]| {
        let mut sure: Vec<_> = found.iter().filter(|d| d.confidence > floor + 1e-5).copied().collect();
        sure.sort_by(|a, b| {
            let key = |d: &Detection| (d.class_id, (d.bbox.x1 * 16.0).round() as i64);
            key(a).cmp(&key(b)).then(a.confidence.total_cmp(&b.confidence))
        });
        sure
    };
    let (given, expected) = (sorted(given), sorted(expected));
    assert_eq!(given.len(), expected.len(), "{what} at {floor}");
    for e in &expected {
        let near = |g: &&Detection| {
            let corners = |d: &Detection| [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2];
            let close = |a: f32, b: f32| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
            g.class_id == e.class_id
                && close(g.confidence, e.confidence)
                && corners(g).iter().zip(corners(e)).all(|(a, b)| close(*a, b))
        };
        assert!(given.iter().any(|g| near(&g)), "{what} at {floor}: {e:?} is missing");
    }
}

/// Values of a network in a bad mood: mostly weak scores, boxes of all kinds, and a few that are no numbers.
struct Noise(u32);

impl Noise {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 16_777_216.0
    }

    fn score(&mut self) -> f32 {
        match (self.unit() * 200.0) as u32 {
            0 => f32::NAN,
            1 => 1.25,
            2 => f32::INFINITY,
            _ => self.unit().powi(4),
        }
    }

    fn coordinate(&mut self, most: f32) -> f32 {
        match (self.unit() * 300.0) as u32 {
            0 => f32::NAN,
            1 => f32::NEG_INFINITY,
            _ => self.unit() * most,
        }
    }
}

fn case(head: Head, family: HeadFamily, classes: usize, seed: u32, half: bool) -> Case {
    let side = (160, 96);
    let cells: usize = [8, 16, 32].iter().map(|s| (side.0 / s) * (side.1 / s)).sum();
    let anchors = match head {
        Head::Yolov8 | Head::Yolox => cells,
        Head::Yolov5 => 3 * cells,
        Head::End2end | Head::Rtdetr => 300,
    };
    let mut noise = Noise(seed);
    let pixels = |n: &mut Noise| n.coordinate(100.0);
    let mut rows = |width: usize, value: &mut dyn FnMut(&mut Noise, usize) -> f32| -> Vec<f32> {
        (0..anchors * width).map(|i| value(&mut noise, i % width)).collect()
    };
    let outputs = match family {
        HeadFamily::Columns => {
            let by_row = rows(4 + classes, &mut |n, at| if at < 4 { pixels(n) } else { n.score() });
            let turned =
                (0..(4 + classes) * anchors).map(|i| by_row[i % anchors * (4 + classes) + i / anchors]);
            vec![(vec![1, 4 + classes, anchors], turned.collect())]
        }
        HeadFamily::Rows => {
            let data = rows(5 + classes, &mut |n, at| match at {
                0..4 => pixels(n),
                4 => n.score().sqrt(),
                _ => n.score().sqrt(),
            });
            vec![(vec![1, anchors, 5 + classes], data)]
        }
        HeadFamily::Grid => {
            let data = rows(5 + classes, &mut |n, at| match at {
                0..2 => n.coordinate(1.0),
                2..4 => n.coordinate(4.0) - 2.0,
                _ => n.score().sqrt(),
            });
            vec![(vec![1, anchors, 5 + classes], data)]
        }
        HeadFamily::Corners => {
            let data = rows(6, &mut |n, at| match at {
                4 => n.score(),
                5 => (n.unit() * (classes as f32 + 2.0)).floor() - 1.0,
                _ => pixels(n),
            });
            vec![(vec![1, anchors, 6], data)]
        }
        HeadFamily::Queries => {
            let data = rows(4 + classes, &mut |n, at| if at < 4 { n.coordinate(1.0) } else { n.score() });
            vec![(vec![1, anchors, 4 + classes], data)]
        }
        HeadFamily::Logits => {
            let logits = rows(classes, &mut |n, _| n.coordinate(12.0) - 9.0);
            let boxes = rows(4, &mut |n, _| n.coordinate(1.0));
            vec![(vec![1, anchors, classes], logits), (vec![1, anchors, 4], boxes)]
        }
    };
    let fit = |v: f32| if half { fit_half(v) } else { v };
    let outputs =
        outputs.into_iter().map(|(shape, data)| (shape, data.into_iter().map(fit).collect())).collect();
    Case { head, family, classes, anchors, side, outputs }
}

const FAMILIES: [(Head, HeadFamily); 6] = [
    (Head::Yolov8, HeadFamily::Columns),
    (Head::Yolov5, HeadFamily::Rows),
    (Head::Yolox, HeadFamily::Grid),
    (Head::End2end, HeadFamily::Corners),
    (Head::Rtdetr, HeadFamily::Queries),
    (Head::Rtdetr, HeadFamily::Logits),
];

#[test]
fn heads_find_what_the_core_finds() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        for (head, family) in FAMILIES {
            let mut any = 0;
            for (seed, classes) in (1..).zip([1, 2, 4, 20, 80]) {
                for half in [false, true] {
                    let case = case(head, family, classes, seed, half);
                    let floors = [0.1, 0.35, 0.8];
                    for (floor, given) in floors.iter().zip(case.gpu(&gpu, &floors, half)) {
                        let expected = case.core(*floor);
                        any += expected.len();
                        compare(&format!("{family:?} {classes} {half}"), *floor, &given, &expected);
                    }
                }
            }
            assert!(any > 100, "{family:?}: {any} detections prove little");
        }
    });
}

/// The outputs of the detector of the project on a picture of noise and one of a bright spot.
#[test]
fn real_outputs_are_read_alike() {
    on_double(&[], || {
        let gpu = Gpu::open(0).expect("the double is there");
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let located = manifest::locate(&models, "lookout-n").expect("it is part of the project");
        let input = located.manifest.input;
        let options = EngineOptions {
            choice: Choice::Rten,
            mode: Mode::Latency,
            threads: Some(1),
            openvino_dir: None,
            width: input.width,
            height: input.height,
        };
        let mut engine = engine::open(&located.onnx, &options).expect("rten takes it").engine;
        let (width, height) = (input.width as usize, input.height as usize);
        for picture in 0..2 {
            let values = engine.input(0).expect("it has one");
            let mut noise = Noise(picture);
            for (at, value) in values.iter_mut().enumerate() {
                let (x, y) = (
                    (at % width) as f32 / width as f32 - 0.5,
                    (at / width % height) as f32 / height as f32 - 0.6,
                );
                let spot = (-40.0 * (x * x + y * y)).exp() * (1.0 - 0.4 * (at / (width * height)) as f32);
                *value = if picture == 0 { noise.unit() } else { 0.1 + 0.9 * spot };
            }
            engine.start(0).expect("it starts");
            let outputs = engine.wait(0, |outputs| {
                outputs.iter().map(|o| (o.shape.to_vec(), o.data.to_vec())).collect::<Vec<_>>()
            });
            let outputs = outputs.expect("it runs");
            let (classes, anchors) = (located.manifest.classes.len(), outputs[0].0[2]);
            let case = Case {
                head: located.manifest.head,
                family: HeadFamily::Columns,
                classes,
                anchors,
                side: (width, height),
                outputs,
            };
            // Low enough that the anchors nearest to something count.
            let mut scores = case.outputs[0].1[4 * anchors..].to_vec();
            scores.sort_by(f32::total_cmp);
            let floor = scores[scores.len() - 200];
            let expected = case.core(floor);
            assert!(expected.len() > 50, "{} detections prove little", expected.len());
            compare("lookout-n", floor, &case.gpu(&gpu, &[floor], false)[0], &expected);
        }
    });
}
