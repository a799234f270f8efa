//! Pictures that can't be read on the device go by host memory, and after a while the device is tried again: it may have been
//! one bad buffer. Each time that fails the while is longer, because a camera is opened anew for it.

use std::time::Duration;

use vigia_core::backoff::Backoff;
use vigia_core::time::Instant;

const PAUSE_LEAST: Duration = Duration::from_secs(5);
const PAUSE_MOST: Duration = Duration::from_secs(3600);

/// One stream's way around the device.
#[derive(Debug)]
pub struct Detour {
    source_id: u32,
    pauses: Backoff,
    /// Why, and until when; nothing while pictures stay on the device.
    taken: Option<(String, Instant)>,
    /// When the device was last tried again.
    tried: Option<Instant>,
}

impl Detour {
    #[must_use]
    pub fn new(source_id: u32) -> Self {
        Self { source_id, pauses: Backoff::new(PAUSE_LEAST, PAUSE_MOST), taken: None, tried: None }
    }

    /// The device's pictures can't be read.
    pub fn take(&mut self, now: Instant, why: &str) {
        if self.tried.is_some_and(|at| now.since(at) >= PAUSE_MOST) {
            // They could for long.
            self.pauses.reset();
        }
        let (source_id, pause) = (self.source_id, self.pauses.delay(1.0));
        let again_s = pause.as_secs();
        tracing::warn!(
            component = "camera",
            event = "device_frames_refused",
            source_id,
            why,
            again_s,
            "the decoder's frames can't be read on the GPU; they go through host memory",
        );
        self.taken = Some((format!("on the device: {why}"), now.after(pause)));
    }

    /// Whether the device is to be tried again.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.taken.as_ref().is_some_and(|(_, until)| now >= *until)
    }

    /// Why the connection that is made now leaves its pictures in host memory; nothing if it shall leave them on the device.
    pub fn instead(&mut self, now: Instant) -> Option<String> {
        if self.is_over(now) {
            let source_id = self.source_id;
            (self.taken, self.tried) = (None, Some(now));
            tracing::info!(
                component = "camera",
                event = "device_frames_again",
                source_id,
                "frames are left on the GPU again, to see whether they can be read",
            );
        }
        self.taken.as_ref().map(|(why, _)| why.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_that_fails_makes_the_next_one_later() {
        let mut detour = Detour::new(1);
        let mut now = Instant::default();
        let mut round = || {
            assert_eq!(detour.instead(now), None);
            detour.take(now, "it is torn");
            assert_eq!(detour.instead(now).as_deref(), Some("on the device: it is torn"));
            let begun = now;
            while !detour.is_over(now) {
                now = now.after(Duration::from_secs(1));
            }
            now.since(begun).as_secs()
        };
        let pauses: Vec<_> = (0..12).map(|_| round()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        // After an hour on the device it is a matter of seconds again.
        let mut detour = Detour::new(1);
        for (tried_s, refused_s, pause_s) in
            [(0, 0, 5), (100, 100, 10), (200, 200, 20), (220, 3819, 40), (3859, 7459, 5)]
        {
            let at = |s| Instant::default().after(Duration::from_secs(s));
            assert_eq!(detour.instead(at(tried_s)), None, "{tried_s}");
            detour.take(at(refused_s), "it is torn");
            assert!(!detour.is_over(at(refused_s + pause_s - 1)), "{refused_s}");
            assert!(detour.is_over(at(refused_s + pause_s)), "{refused_s}");
        }
    }
}
