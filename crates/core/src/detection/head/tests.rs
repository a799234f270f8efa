use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// One object in a `[1, N, 5+C]`-like or `[1, 4+C, N]`-like output, everything else zero.
fn decode(head: Head, classes: usize, outputs: &[(Vec<usize>, Vec<f32>)], floor: f32) -> Vec<Detection> {
    let views: Vec<_> = outputs.iter().map(|(shape, data)| Output { shape, data }).collect();
    let mut found = Vec::new();
    Decoder::new(head, classes, 64, 64).decode(&views, floor, &mut found).expect("fits");
    found
}

fn only(found: &[Detection], class_id: u16, confidence: f32, corners: [f32; 4]) {
    let [d] = found else { panic!("one detection expected: {found:?}") };
    assert_eq!(d.class_id, class_id);
    assert!((d.confidence - confidence).abs() < 1e-5, "{d:?}");
    for (got, want) in [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2].iter().zip(corners) {
        assert!((got - want).abs() < 1e-3, "{d:?} want {corners:?}");
    }
}

// A 64x64 input has 8*8 + 4*4 + 2*2 = 84 cells at strides 8, 16, 32.
const CELLS: usize = 84;

#[test]
fn yolov8_rows_are_classes() {
    let mut data = vec![0.0; 7 * CELLS];
    for (row, v) in [30.0, 20.0, 10.0, 8.0, 0.1, 0.8, 0.3].iter().enumerate() {
        data[row * CELLS + 5] = *v;
    }
    only(&decode(Head::Yolov8, 3, &[(vec![1, 7, CELLS], data)], 0.5), 1, 0.8, [25.0, 16.0, 35.0, 24.0]);
}

#[test]
fn yolov5_multiplies_objectness() {
    let mut data = vec![0.0; 3 * CELLS * 7];
    data[7 * 9..7 * 10].copy_from_slice(&[30.0, 20.0, 10.0, 8.0, 0.9, 0.2, 0.8]);
    let out = [(vec![1, 3 * CELLS, 7], data)];
    only(&decode(Head::Yolov5, 2, &out, 0.5), 1, 0.72, [25.0, 16.0, 35.0, 24.0]);
    assert!(decode(Head::Yolov5, 2, &out, 0.73).is_empty());
}

#[test]
fn yolox_applies_grid_and_stride() {
    // (anchor, stride, cell x, cell y) across the three levels.
    for (i, stride, gx, gy) in
        [(0, 8.0, 0.0, 0.0), (19, 8.0, 3.0, 2.0), (64 + 7, 16.0, 3.0, 1.0), (83, 32.0, 1.0, 1.0)]
    {
        let mut data = vec![0.0; CELLS * 7];
        let ln2 = core::f32::consts::LN_2;
        data[7 * i..7 * (i + 1)].copy_from_slice(&[0.5, 0.25, ln2, 0.0, 1.0, 0.0, 0.6]);
        let (cx, cy): (f32, f32) = ((0.5 + gx) * stride, (0.25 + gy) * stride);
        let want = [cx - stride, cy - stride / 2.0, cx + stride, cy + stride / 2.0];
        only(&decode(Head::Yolox, 2, &[(vec![1, CELLS, 7], data)], 0.5), 1, 0.6, want);
    }
}

#[test]
fn end_to_end_is_read_as_it_stands() {
    let mut data = vec![0.0; 300 * 6];
    data[6..12].copy_from_slice(&[1.0, 2.0, 11.0, 22.0, 0.7, 2.0]);
    data[12..18].copy_from_slice(&[1.0, 2.0, 11.0, 22.0, 0.7, 99.0]);
    only(&decode(Head::End2end, 3, &[(vec![1, 300, 6], data)], 0.5), 2, 0.7, [1.0, 2.0, 11.0, 22.0]);
}

#[test]
fn rtdetr_in_one_output_or_two() {
    let mut one = vec![0.0; 300 * 6];
    one[..6].copy_from_slice(&[0.5, 0.25, 0.25, 0.125, 0.1, 0.9]);
    let corners = [24.0, 12.0, 40.0, 20.0];
    only(&decode(Head::Rtdetr, 2, &[(vec![1, 300, 6], one)], 0.5), 1, 0.9, corners);
    let mut logits = vec![-9.0; 300 * 2];
    logits[1] = 2.0;
    let mut boxes = vec![0.0; 300 * 4];
    boxes[..4].copy_from_slice(&[0.5, 0.25, 0.25, 0.125]);
    let (a, b) = ((vec![1, 300, 2], logits), (vec![1, 300, 4], boxes));
    only(&decode(Head::Rtdetr, 2, &[a.clone(), b.clone()], 0.5), 1, 0.880_797, corners);
    only(&decode(Head::Rtdetr, 2, &[b, a], 0.5), 1, 0.880_797, corners);
}

#[test]
fn shapes_name_their_head() {
    type Row = (&'static [&'static [usize]], usize, usize, Option<(Head, usize)>);
    let table: &[Row] = &[
        (&[&[1, 84, 8400]], 640, 640, Some((Head::Yolov8, 80))),
        (&[&[1, 8, 3549]], 416, 416, Some((Head::Yolov8, 4))),
        (&[&[1, 25200, 85]], 640, 640, Some((Head::Yolov5, 80))),
        (&[&[1, 3549, 85]], 416, 416, Some((Head::Yolox, 80))),
        (&[&[1, 8400, 6]], 640, 640, Some((Head::Yolox, 1))),
        (&[&[1, 300, 6]], 640, 640, Some((Head::End2end, 0))),
        (&[&[1, 300, 84]], 640, 640, Some((Head::Rtdetr, 80))),
        (&[&[1, 300, 80], &[1, 300, 4]], 640, 640, Some((Head::Rtdetr, 80))),
        (&[&[1, 300, 4], &[1, 300, 80]], 640, 640, Some((Head::Rtdetr, 80))),
        (&[&[1, 1000]], 224, 224, None),
        (&[&[1, 3, 224, 224]], 224, 224, None),
        (&[&[2, 84, 8400]], 640, 640, None),
        (&[&[1, 4, 8400]], 640, 640, None),
        (&[], 640, 640, None),
    ];
    for (shapes, w, h, want) in table {
        let shapes: Vec<Vec<usize>> = shapes.iter().map(|s| s.to_vec()).collect();
        assert_eq!(infer(&shapes, *w, *h).ok(), *want, "{shapes:?}");
    }
}

#[test]
fn values_that_are_not_numbers_are_no_detections() {
    let bad = f32::NAN;
    let mut data = vec![bad; CELLS * 7];
    assert!(decode(Head::Yolox, 2, &[(vec![1, CELLS, 7], data.clone())], 0.1).is_empty());
    data[..7].copy_from_slice(&[0.5, 0.5, f32::INFINITY, 0.0, 1.0, 0.0, 1.0]);
    assert!(decode(Head::Yolox, 2, &[(vec![1, CELLS, 7], data)], 0.1).is_empty());
}

#[test]
fn a_flood_is_cut_to_the_best() {
    let mut data = vec![0.0; 5 * 8400];
    for i in 0..8400u16 {
        let i = usize::from(i);
        data[2 * 8400 + i] = 4.0;
        data[3 * 8400 + i] = 4.0;
        data[4 * 8400 + i] = 0.5 + i as f32 / 20_000.0;
    }
    let mut found = Vec::new();
    let out = Output { shape: &[1, 5, 8400], data: &data };
    Decoder::new(Head::Yolov8, 1, 640, 640).decode(&[out], 0.1, &mut found).expect("fits");
    assert_eq!(found.len(), CANDIDATES_MAX);
    let least = found.iter().map(|d| d.confidence).fold(1.0, f32::min);
    assert!(least >= 0.5 + (8400 - 1024) as f32 / 20_000.0 - 1e-4, "{least}");
}

proptest! {
    #[test]
    fn no_output_makes_a_decoder_panic(
        head in prop::sample::select(vec![Head::Yolov5, Head::Yolov8, Head::End2end, Head::Yolox, Head::Rtdetr]),
        shape in prop::collection::vec(0usize..100, 0..4),
        seed in any::<u32>(),
        classes in 0usize..8,
    ) {
        let n: usize = shape.iter().product();
        let data: Vec<f32> = (0..n as u32).map(|i| f32::from_bits(i.wrapping_mul(2_654_435_761) ^ seed)).collect();
        let mut found = Vec::new();
        let out = Output { shape: &shape, data: &data };
        let _ = Decoder::new(head, classes, 64, 64).decode(&[out], 0.1, &mut found);
        prop_assert!(found.iter().all(|d| d.bbox.x1.is_finite() && d.confidence <= 1.0));
    }
}

/// Found by fuzzing: a model without classes made the decoder panic.
#[test]
fn no_classes_is_a_misfit() {
    let (logits, boxes) = ([], [0.0; 8]);
    let outputs = [Output { shape: &[1, 2, 0], data: &logits }, Output { shape: &[1, 2, 4], data: &boxes }];
    let refused = Decoder::new(Head::Rtdetr, 0, 64, 64).decode(&outputs, 0.1, &mut Vec::new());
    assert!(matches!(refused, Err(HeadError::Shape { .. })), "{refused:?}");
}
