//! Stream capture: operations go into a graph instead of the queue.
//!
//! Refused in a capture, as on a GPU: waiting, allocating, freeing, copies that wait, events of other streams. What
//! is refused also spoils the capture, and its end says so (901).

use std::cell::RefCell;
use std::sync::{Arc, PoisonError};

use crate::driver::Driver;
use crate::op::Op;
use crate::stream::Stream;
use crate::{Answer, code};

#[derive(Debug, Default)]
pub struct Capture {
    pub ops: Vec<Op>,
    pub spoiled: bool,
}

thread_local! {
    /// The streams that this thread captures, unless it asked to be left alone (the relaxed mode).
    static MINE: RefCell<Vec<Arc<Stream>>> = const { RefCell::new(Vec::new()) };
}

const RELAXED: u32 = 2;

impl Stream {
    pub(crate) fn with_capture<T>(&self, f: impl FnOnce(&mut Option<Capture>) -> T) -> T {
        f(&mut self.capture.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_capturing(&self) -> bool {
        self.with_capture(|c| c.is_some())
    }

    pub(crate) fn spoil(&self) {
        self.with_capture(|c| c.iter_mut().for_each(|c| c.spoiled = true));
    }

    pub(crate) fn begin_capture(self: &Arc<Self>, mode: u32) -> Answer {
        if self.is_default {
            return Err(code::CAPTURE_UNSUPPORTED);
        }
        self.with_capture(|c| match c {
            Some(_) => Err(code::ILLEGAL_STATE),
            None => {
                *c = Some(Capture::default());
                Ok(())
            }
        })?;
        if mode != RELAXED {
            MINE.with_borrow_mut(|mine| mine.push(self.clone()));
        }
        Ok(())
    }

    pub(crate) fn end_capture(self: &Arc<Self>, driver: &Driver) -> Answer<Vec<Op>> {
        MINE.with_borrow_mut(|mine| mine.retain(|s| !Arc::ptr_eq(s, self)));
        let capture = self.with_capture(Option::take).ok_or(code::ILLEGAL_STATE)?;
        if capture.spoiled || driver.options.no_capture {
            return Err(code::CAPTURE_INVALIDATED);
        }
        Ok(capture.ops)
    }

    /// Enqueues, or captures.
    pub(crate) fn take(self: &Arc<Self>, op: Op) -> Answer {
        let legacy_meanwhile = self.is_default && MINE.with_borrow(|mine| !mine.is_empty());
        if legacy_meanwhile {
            spoil_mine();
            return Err(code::CAPTURE_IMPLICIT);
        }
        let left = self.with_capture(|c| match c {
            Some(capture) if capture.spoiled => Err(code::CAPTURE_INVALIDATED),
            Some(capture) => {
                match &op {
                    Op::Record(event) => event.captured(),
                    Op::Wait(event) if !event.is_captured() => {
                        capture.spoiled = true;
                        return Err(code::CAPTURE_ISOLATION);
                    }
                    _ => {}
                }
                capture.ops.push(op);
                Ok(None)
            }
            None => Ok(Some(op)),
        })?;
        let Some(op) = left else { return Ok(()) };
        let event = if let Op::Record(event) = &op { Some(event.clone()) } else { None };
        let ticket = self.push(op);
        if let Some(event) = event {
            event.placed(self.clone(), ticket);
        }
        Ok(())
    }
}

fn spoil_mine() {
    MINE.with_borrow(|mine| mine.iter().for_each(|s| s.spoil()));
}

/// Before what no capture of this thread survives.
pub(crate) fn refuse() -> Answer {
    if MINE.with_borrow(Vec::is_empty) {
        return Ok(());
    }
    spoil_mine();
    Err(code::CAPTURE_UNSUPPORTED)
}
