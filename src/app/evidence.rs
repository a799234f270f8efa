//! What went onto the wire lately, for commands that must prove their effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use vigia_core::control::FrameRef;
use vigia_core::detection::Detection;
use vigia_core::time::Instant;

use crate::clock;
use crate::detect::Detected;

/// Events that may wait to be looked at; who looks is waiting for them.
const SEEN_LEN_MAX: usize = 1_024;

/// A detection event that was handed to the outbox.
#[derive(Debug, Clone)]
pub struct Seen {
    pub frame: FrameRef,
    pub generation: u64,
    pub picture: u64,
    pub classes: Vec<String>,
    pub found: Vec<Detection>,
}

/// Where the sink leaves evidence, while somebody wants it.
#[derive(Debug, Clone)]
pub struct Witness {
    wanted: Arc<AtomicBool>,
    seen: Sender<Seen>,
}

/// Who wants it.
#[derive(Debug)]
pub struct Inquiry {
    wanted: Arc<AtomicBool>,
    seen: Receiver<Seen>,
}

/// Somebody is asking. Dropping it ends that, whichever way the asker leaves.
#[derive(Debug)]
pub struct Asking(Arc<AtomicBool>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[must_use]
pub fn pair() -> (Witness, Inquiry) {
    let wanted = Arc::new(AtomicBool::new(false));
    let (sender, seen) = bounded(SEEN_LEN_MAX);
    (Witness { wanted: wanted.clone(), seen: sender }, Inquiry { wanted, seen })
}

impl Witness {
    /// Notes an event. Costs one atomic read while nobody asks.
    pub fn note(&self, d: &Detected) {
        if !self.wanted.load(Ordering::Acquire) {
            return;
        }
        let frame = FrameRef { source_id: d.source_id, frame_id: d.frame_id, timestamp: Some(d.captured) };
        let (classes, found) = (d.classes.to_vec(), d.detections.to_vec());
        let seen = Seen { frame, generation: d.generation, picture: d.picture, classes, found };
        // Full: who asked has enough to look at.
        let _ = self.seen.try_send(seen);
    }
}

impl Inquiry {
    /// From here on events are noted, until the answer is dropped.
    #[must_use]
    pub fn begin(&self) -> Asking {
        while self.seen.try_recv().is_ok() {}
        self.wanted.store(true, Ordering::Release);
        Asking(self.wanted.clone())
    }

    /// The next event noted, if one comes within `limit`.
    #[must_use]
    pub fn next(&self, limit: Duration) -> Option<Seen> {
        self.seen.recv_timeout(limit).ok()
    }

    /// The first event of each stream of `sources` for which `shows` holds, as far as they come
    /// until `until`.
    #[must_use]
    pub fn first_of_each(
        &self,
        mut sources: Vec<u32>,
        until: Instant,
        shows: impl Fn(&Seen) -> bool,
    ) -> Vec<FrameRef> {
        let mut first = Vec::new();
        while !sources.is_empty() {
            let left = until.since(clock::now());
            let Some(seen) = self.next(left) else { break };
            let Some(at) = sources.iter().position(|id| *id == seen.frame.source_id) else { continue };
            if shows(&seen) {
                sources.swap_remove(at);
                first.push(seen.frame);
            }
        }
        first.sort_unstable_by_key(|frame| frame.source_id);
        first
    }
}
