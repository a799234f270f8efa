//! The newest event of each source and instance, for those who watch (spec nvr 3).

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::time::Duration;

use crate::event::DetectionEvent;
use crate::time::Instant;

/// Latest events, forgotten after a time to live; bounded, the longest untouched goes first.
#[derive(Debug)]
pub struct DetectionCache {
    ttl: Duration,
    entries_max: usize,
    entries: BTreeMap<(u32, String), (Instant, DetectionEvent)>,
}

impl DetectionCache {
    #[must_use]
    pub fn new(ttl: Duration, entries_max: usize) -> Self {
        Self { ttl, entries_max: entries_max.max(1), entries: BTreeMap::new() }
    }

    /// Keeps `event`, which arrived at `now`, in place of an earlier one of the same source and
    /// instance.
    pub fn put(&mut self, now: Instant, event: DetectionEvent) {
        let key = (event.source_id, event.instance_id.clone());
        if !self.entries.contains_key(&key) && self.entries.len() >= self.entries_max {
            let oldest = self.entries.iter().min_by_key(|(_, (at, _))| *at).map(|(k, _)| k.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key, (now, event));
    }

    /// The newest living event of `source_id`, from whichever instance. Dead ones are removed.
    pub fn get(&mut self, now: Instant, source_id: u32) -> Option<&DetectionEvent> {
        let ttl = self.ttl;
        self.entries.retain(|(id, _), (at, _)| *id != source_id || now.since(*at) <= ttl);
        let of_source = self.entries.iter().filter(|((id, _), _)| *id == source_id);
        of_source.max_by_key(|(_, (at, _))| *at).map(|(_, (_, event))| event)
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Utc;

    fn event(source_id: u32, instance: &str, frame_id: u64) -> DetectionEvent {
        DetectionEvent {
            instance_id: instance.into(),
            source_id,
            frame_id,
            timestamp: Utc::from_unix_ns(0),
            model_id: "m".into(),
            inference_time_ms: 0.0,
            detections: alloc::vec![],
            fps: None,
            latency_ms: None,
        }
    }

    fn ms(n: u64) -> Instant {
        Instant(n * 1_000_000)
    }

    // Spec nvr, section 6, check 53 (its five writers are in tests/, with real threads).
    #[test]
    fn hit_then_miss_then_empty() {
        let mut cache = DetectionCache::new(Duration::from_millis(100), 100);
        cache.put(ms(0), event(1, "a", 1));
        assert!(cache.get(ms(100), 1).is_some());
        assert!(cache.get(ms(200), 1).is_none());
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn overwrites_and_draws_the_newest_instance() {
        let mut cache = DetectionCache::new(Duration::from_secs(1), 100);
        cache.put(ms(0), event(1, "a", 100));
        cache.put(ms(1), event(1, "a", 200));
        assert_eq!((cache.get(ms(2), 1).map(|e| e.frame_id), cache.len()), (Some(200), 1));
        cache.put(ms(3), event(1, "b", 7));
        assert_eq!((cache.get(ms(4), 1).map(|e| e.frame_id), cache.len()), (Some(7), 2));
    }

    #[test]
    fn the_longest_untouched_goes_first() {
        let mut cache = DetectionCache::new(Duration::from_secs(9), 2);
        cache.put(ms(0), event(1, "a", 1));
        cache.put(ms(1), event(2, "a", 1));
        cache.put(ms(2), event(1, "a", 2));
        cache.put(ms(3), event(3, "a", 1));
        assert!(cache.get(ms(4), 2).is_none());
        assert!(cache.get(ms(4), 1).is_some() && cache.get(ms(4), 3).is_some());
    }
}
