//! The tables by themselves; `examples/trt_slots.rs` compares them with headers.

use super::super::flags::{Flag, Typing};
use super::super::slots::{Era, Tables};

/// Methods that tell the eras apart.
#[rustfmt::skip]
const APART: [(&str, &str, [Option<usize>; 4]); 8] = [
    ("ICudaEngine",       "getNbIOTensors",           [Some(30), Some(28), Some(26), Some(26)]),
    ("IExecutionContext", "enqueueV3",                [Some(37), Some(37), Some(36), Some(36)]),
    ("IBuilder",          "buildSerializedNetwork",   [Some(14), Some(14), Some(11), Some(11)]),
    ("IBuilderConfig",    "setProgressMonitor",       [Some(56), Some(45), Some(45), Some(45)]),
    ("IBuilderConfig",    "setInt8Calibrator",        [Some(6), None, None, None]),
    ("IBuilderConfig",    "setNbComputeCapabilities", [None, Some(55), Some(55), None]),
    ("ITensor",           "getType",                  [Some(7), Some(7), Some(6), Some(6)]),
    ("IParser",           "getNbErrors",              [Some(5), Some(5), Some(3), Some(3)]),
];

#[test]
fn eras_differ_where_they_should() {
    for (class, method, expected) in APART {
        for (era, index) in Era::ALL.into_iter().zip(expected) {
            let slots = Tables::of(era).slots();
            let found = slots.iter().find(|s| (s.class, s.method) == (class, method));
            assert_eq!(found.and_then(|s| s.index), index, "{class}::{method} in {era:?}");
        }
    }
}

#[test]
fn no_slot_is_taken_twice() {
    for era in Era::ALL {
        let mut seen = std::collections::HashMap::new();
        for slot in Tables::of(era).slots() {
            let other = seen.insert((slot.class, slot.index), slot.method);
            assert_eq!(other, None, "{}::{} in {era:?}", slot.class, slot.method);
            let destructors = if slot.class.starts_with("IParser") { 0 } else { 2 };
            assert!(slot.index >= Some(destructors), "{slot:?} is a destructor's in {era:?}");
        }
    }
}

#[test]
fn flags_of_precision_end_with_10() {
    for era in Era::ALL {
        let weak = era == Era::Ten;
        assert_eq!(Flag::Fp16.number(era).is_some(), weak, "{era:?}");
        assert_eq!(Flag::Int8.number(era).is_some(), weak, "{era:?}");
        assert_eq!(Flag::Tf32.number(era), Some(6), "{era:?}");
    }
    let moved = [Era::Ten, Era::RtxEarly, Era::Rtx, Era::Eleven].map(|e| Flag::StripPlan.number(e));
    assert_eq!(moved, [Some(19), Some(19), Some(18), Some(18)]);
    assert_eq!(Era::ALL.map(|e| Typing::Strong.bits(e)), [2, 2, 1, 1]);
}
