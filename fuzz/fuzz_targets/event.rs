//! What is accepted as a detection event survives a round trip and stays within its ranges.
#![no_main]

use vigia_core::event::DetectionEvent;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = serde_json::from_slice::<DetectionEvent>(bytes) else { return };
    assert!(event.detections.iter().all(|d| (0.0..=1.0).contains(&d.confidence)));
    let text = serde_json::to_string(&event).expect("what was read can be written");
    let again: DetectionEvent = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(again.detections.len(), event.detections.len());
});
