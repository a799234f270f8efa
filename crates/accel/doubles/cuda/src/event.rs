//! Events: a place in a stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::stream::Stream;
use crate::{Answer, code};

#[derive(Debug)]
pub struct Event {
    timed: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    place: Option<(Arc<Stream>, u64)>,
    at: Option<Instant>,
    /// Recorded last inside a capture.
    captured: bool,
}

impl Event {
    pub fn new(timed: bool) -> Self {
        Event { timed, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Was enqueued in `stream` as operation `ticket`.
    pub fn placed(&self, stream: Arc<Stream>, ticket: u64) {
        let mut state = self.lock();
        state.place = Some((stream, ticket));
        state.captured = false;
    }

    pub fn captured(&self) {
        self.lock().captured = true;
    }

    pub fn is_captured(&self) -> bool {
        self.lock().captured
    }

    pub fn happened(&self) {
        #[expect(clippy::disallowed_methods, reason = "cuEventElapsedTime is about the time that passed")]
        let now = Instant::now();
        self.lock().at = Some(now);
    }

    /// Where it was recorded last; nothing before the first time.
    pub fn place(&self) -> Answer<Option<(Arc<Stream>, u64)>> {
        let state = self.lock();
        if state.captured { Err(code::CAPTURED_EVENT) } else { Ok(state.place.clone()) }
    }

    pub fn elapsed_ms(&self, end: &Event) -> Answer<f32> {
        if !self.timed || !end.timed {
            return Err(code::INVALID_HANDLE);
        }
        for event in [self, end] {
            let (stream, ticket) = event.place()?.ok_or(code::INVALID_HANDLE)?;
            if !stream.is_done(ticket) {
                return Err(code::NOT_READY);
            }
        }
        let (start, end) = (self.lock().at, end.lock().at);
        let (start, end) = start.zip(end).ok_or(code::NOT_READY)?;
        Ok(end.saturating_duration_since(start).as_secs_f32() * 1e3)
    }
}
