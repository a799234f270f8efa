//! Any output of any shape gives candidates that are finite and bounded, or an error.
#![no_main]

use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};
use vigia_core::detection::head::{CANDIDATES_MAX, Decoder, Head, Output, infer};
use vigia_core::detection::nms;

#[derive(Debug)]
struct Case {
    head: Head,
    classes: usize,
    side: usize,
    shapes: Vec<Vec<usize>>,
    values: Vec<f32>,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> libfuzzer_sys::arbitrary::Result<Self> {
        let heads = [Head::Yolov5, Head::Yolov8, Head::End2end, Head::Yolox, Head::Rtdetr];
        let head = heads[u.int_in_range(0..=4)?];
        let side = 32 * u.int_in_range(1..=4)?;
        let mut shapes = Vec::new();
        for _ in 0..u.int_in_range(1..=2)? {
            let mut shape = Vec::new();
            for _ in 0..u.int_in_range(0..=4)? {
                shape.push(u.int_in_range(0..=90)?);
            }
            shapes.push(shape);
        }
        let classes = u.int_in_range(0..=9)?;
        let values = Vec::<u32>::arbitrary(u)?.into_iter().map(f32::from_bits).collect();
        Ok(Self { head, classes, side, shapes, values })
    }
}

libfuzzer_sys::fuzz_target!(|case: Case| {
    let _ = infer(&case.shapes, case.side, case.side);
    let data: Vec<Vec<f32>> = case
        .shapes
        .iter()
        .map(|s| (0..s.iter().product::<usize>().min(20_000)).map(|i| case.values.get(i % case.values.len().max(1)).copied().unwrap_or(0.5)).collect())
        .collect();
    let outputs: Vec<_> = case.shapes.iter().zip(&data).map(|(shape, data)| Output { shape, data }).collect();
    let mut found = Vec::new();
    if Decoder::new(case.head, case.classes, case.side, case.side).decode(&outputs, 0.01, &mut found).is_ok() {
        assert!(found.len() <= CANDIDATES_MAX);
        nms::suppress(&mut found, 0.45, 300);
        assert!(found.len() <= 300 && found.iter().all(|d| d.bbox.x1.is_finite() && d.confidence <= 1.0));
    }
});
