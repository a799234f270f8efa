//! When the frames of a rendered scene leave the server.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use gst::{ClockTime, prelude::*};
use vigia_core::time::Instant;

use crate::feed::Knobs;
use crate::painter;

/// A frame that left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Departure {
    /// The moment of the scene that it shows, in seconds.
    pub scene_s: f32,
    /// By the system's monotonic clock, as [`now`] tells it.
    pub at: Instant,
}

/// The system's monotonic clock, by which frames leave and arrive.
#[must_use]
pub fn now() -> Instant {
    Instant(gst::SystemClock::obtain().time().nseconds())
}

/// Whoever wants to hear of departures.
#[derive(Debug, Default)]
pub(crate) struct Departures(Mutex<Option<Watcher>>);

#[derive(Debug)]
struct Watcher {
    to: Sender<Departure>,
    /// All packets of a frame have its time.
    last: Option<ClockTime>,
}

impl Departures {
    pub(crate) fn watch(&self) -> Receiver<Departure> {
        // As many as there are frames until the watcher goes.
        let (to, departures) = mpsc::channel();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Watcher { to, last: None });
        departures
    }

    fn departed(&self, shown: ClockTime, scene_s: impl FnOnce() -> f32) {
        let mut watcher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Watcher { to, last }) = watcher.as_mut()
            && *last != Some(shown)
        {
            *last = Some(shown);
            if to.send(Departure { scene_s: scene_s(), at: now() }).is_err() {
                *watcher = None;
            }
        }
    }
}

/// Notes what leaves through this pad, which is the payloader's.
pub(crate) fn note(pad: &gst::Pad, knobs: Arc<Knobs>) {
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(kinds, move |pad, info| {
        let listed = || info.buffer_list().and_then(|list| list.get(0)).and_then(gst::BufferRef::pts);
        let pts = info.buffer().map_or_else(listed, |buffer| buffer.pts());
        let base = pad.parent_element().and_then(|e| e.base_time());
        if let (Some(pts), Some(base)) = (pts, base) {
            let shown = base + pts;
            knobs.departures.departed(shown, || painter::scene_time(knobs.age(shown)));
        }
        gst::PadProbeReturn::Ok
    });
}
