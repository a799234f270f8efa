//! Spec nvr, section 6, check 53: five writers of a hundred events each leave five entries.

use std::time::Duration;

use parking_lot::Mutex;
use vigia::clock;
use vigia_core::cache::DetectionCache;
use vigia_core::event::DetectionEvent;

fn event(source_id: u32, frame_id: u64) -> DetectionEvent {
    DetectionEvent {
        instance_id: "writer".into(),
        source_id,
        frame_id,
        timestamp: clock::utc(),
        model_id: "m".into(),
        inference_time_ms: 0.0,
        detections: Vec::new(),
        fps: None,
        latency_ms: None,
    }
}

#[test]
fn five_writers_leave_five_entries() {
    let cache = Mutex::new(DetectionCache::new(Duration::from_secs(60), 100));
    std::thread::scope(|threads| {
        for source_id in 0..5 {
            let cache = &cache;
            threads.spawn(move || {
                for frame_id in 0..100 {
                    cache.lock().put(clock::now(), event(source_id, frame_id));
                }
            });
        }
    });
    let mut cache = cache.lock();
    assert_eq!(cache.len(), 5);
    for source_id in 0..5 {
        assert_eq!(cache.get(clock::now(), source_id).map(|e| e.frame_id), Some(99));
    }
}
