//! One slot per stream: the newest frame wins, losses are counted.
//!
//! The one lock between cameras and the detector, held for a few instructions only; frames are
//! freed outside of it.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::{Condvar, Mutex};
use vigia_core::stream::Gate;

use crate::clock;
use crate::frame::{Frame, Place};
use crate::liveness::Pulse;

/// Most copies that wait for who asked for them.
const TAP_WAITING_MAX: usize = 2;

/// Where cameras put frames and the detector takes them.
#[derive(Debug, Default)]
pub struct Latest {
    slots: Mutex<Slots>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Slots {
    full: Vec<Slot>,
    /// Slots filled so far.
    turns: u64,
    closed: bool,
    gate: Gate,
    /// Rests while nothing waits; else beats when a frame is taken, and when the first one comes.
    taken: Pulse,
    /// Who wants copies of frames, and how many more.
    tap: Option<(Sender<Frame>, u32)>,
    /// Where frames are wanted.
    place: Place,
}

#[derive(Debug)]
struct Slot {
    /// When it became full. A newer frame takes over its turn, or a fast camera, always young,
    /// would never be served.
    turn: u64,
    frame: Frame,
}

impl Slots {
    fn of(&mut self, source_id: u32) -> Option<&mut Frame> {
        self.full.iter_mut().map(|s| &mut s.frame).find(|f| f.source_id == source_id)
    }

    /// Whether a frame of this stream is wanted.
    fn wants(&self, source_id: u32) -> bool {
        !self.closed && !self.gate.is_closed(source_id)
    }

    /// A copy for who asked for one, to be sent without the lock.
    fn copy(&mut self, frame: &Frame) -> Option<(Sender<Frame>, Frame)> {
        let (tap, left) = self.tap.as_mut()?;
        // A decoder has few buffers: who is slow gets fewer frames, not all of them.
        if tap.len() >= TAP_WAITING_MAX {
            return None;
        }
        let tap = tap.clone();
        *left -= 1;
        if *left == 0 {
            self.tap = None;
        }
        Some((tap, frame.clone()))
    }

    fn fill(&mut self, frame: Frame) {
        if self.full.is_empty() {
            self.taken.beat(clock::now());
        }
        self.turns += 1;
        self.full.push(Slot { turn: self.turns, frame });
    }

    /// Something left other than by being taken.
    fn left(&self) {
        if self.full.is_empty() {
            self.taken.rest();
        }
    }
}

impl Latest {
    /// Puts a frame in its stream's slot. An unread older one is replaced; the answer is
    /// whether that happened.
    pub fn put(&self, frame: Frame) -> bool {
        let mut slots = self.slots.lock();
        if !slots.wants(frame.source_id) {
            return false;
        }
        let copy = slots.copy(&frame);
        let old = match slots.of(frame.source_id) {
            Some(slot) => Some(std::mem::replace(slot, frame)),
            None => {
                slots.fill(frame);
                None
            }
        };
        drop(slots);
        self.filled.notify_one();
        send(copy);
        old.is_some()
    }

    /// Puts a frame in its stream's slot once that is empty: for sources that can wait. Gives
    /// up when `stop` says so (asked every 100 ms) or the detector is gone.
    pub fn put_wait(&self, frame: Frame, stop: impl Fn() -> bool) {
        let mut slots = self.slots.lock();
        while slots.of(frame.source_id).is_some() || slots.gate.is_closed(frame.source_id) {
            if slots.closed || stop() {
                return;
            }
            self.emptied.wait_for(&mut slots, Duration::from_millis(100));
        }
        if !slots.closed {
            let copy = slots.copy(&frame);
            slots.fill(frame);
            drop(slots);
            self.filled.notify_one();
            send(copy);
        }
    }

    /// Takes frames only of the streams that `gate` lets through from now on; what waits of the
    /// others is dropped.
    pub fn set_gate(&self, gate: Gate) {
        let mut slots = self.slots.lock();
        let (dropped, kept) =
            std::mem::take(&mut slots.full).into_iter().partition(|s| gate.is_closed(s.frame.source_id));
        slots.full = kept;
        slots.gate = gate;
        slots.left();
        drop(slots);
        self.emptied.notify_all();
        drop::<Vec<Slot>>(dropped);
    }

    /// Whether frames of this stream are taken now.
    pub fn wants(&self, source_id: u32) -> bool {
        self.slots.lock().wants(source_id)
    }

    /// Where cameras shall leave their frames from now on.
    pub fn set_place(&self, place: Place) {
        self.slots.lock().place = place;
    }

    /// Where frames are wanted.
    pub fn place(&self) -> Place {
        self.slots.lock().place.clone()
    }

    /// Copies of `count` frames that come, of any stream; while [`TAP_WAITING_MAX`] wait none is added. A new tap ends
    /// the old one.
    #[must_use]
    pub fn tap(&self, count: u32) -> Receiver<Frame> {
        let (tap, copies) = bounded(count as usize);
        self.slots.lock().tap = (count > 0).then_some((tap, count));
        copies
    }

    /// Drops what waits of a stream that is gone.
    pub fn forget(&self, source_id: u32) {
        let mut slots = self.slots.lock();
        let at = slots.full.iter().position(|s| s.frame.source_id == source_id);
        let dropped = at.map(|at| slots.full.swap_remove(at));
        slots.left();
        drop(slots);
        self.emptied.notify_all();
        drop(dropped);
    }

    /// The frame of the stream that has waited longest. Waits up to `limit` for one.
    pub fn take(&self, limit: Duration) -> Option<Frame> {
        let mut slots = self.slots.lock();
        if slots.full.is_empty() && !limit.is_zero() {
            self.filled.wait_while_for(&mut slots, |s| s.full.is_empty() && !s.closed, limit);
        }
        let next = slots.full.iter().enumerate().min_by_key(|(_, s)| s.turn).map(|(i, _)| i)?;
        let frame = slots.full.swap_remove(next).frame;
        slots.taken.worked();
        slots.taken.beat(clock::now());
        slots.left();
        drop(slots);
        self.emptied.notify_all();
        Some(frame)
    }

    /// Of whoever takes frames: it owes nothing while none waits.
    pub fn pulse(&self) -> Pulse {
        self.slots.lock().taken.clone()
    }

    /// Frames are wanted again, after [`Self::close`].
    pub fn open(&self) {
        self.slots.lock().closed = false;
    }

    /// Nobody takes frames any more.
    pub fn close(&self) {
        let mut slots = self.slots.lock();
        slots.closed = true;
        let frames = std::mem::take(&mut slots.full);
        slots.left();
        drop(slots);
        self.filled.notify_all();
        self.emptied.notify_all();
        drop(frames);
    }
}

/// A tap that is full or was left gets nothing.
fn send(copy: Option<(Sender<Frame>, Frame)>) {
    if let Some((tap, frame)) = copy {
        let _ = tap.try_send(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Surface;
    use vigia_core::event::Utc;
    use vigia_core::time::Instant;

    fn frame(source_id: u32, at: u64) -> Frame {
        gst::init().expect("GStreamer");
        let info =
            gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray8, 4, 4).build().expect("a format");
        Frame {
            source_id,
            picture: at,
            captured: Utc::from_unix_ns(0),
            captured_at: Instant(at),
            pts_ms: 0.0,
            surface: Surface::System { buffer: gst::Buffer::new(), info },
        }
    }

    /// Found in review: ordered by capture time, a camera that is always young was never served.
    #[test]
    fn a_fast_camera_waits_its_turn_and_no_longer() {
        let latest = Latest::default();
        assert!(!latest.put(frame(1, 0)) && !latest.put(frame(2, 1)) && !latest.put(frame(3, 2)));
        assert!(latest.put(frame(1, 3)), "the newer frame takes the place of the older");
        let order: Vec<_> =
            std::iter::from_fn(|| latest.take(Duration::ZERO)).map(|f| (f.source_id, f.picture)).collect();
        assert_eq!(order, [(1, 3), (2, 1), (3, 2)]);
    }

    #[test]
    fn a_gate_keeps_frames_out_and_a_tap_copies_what_gets_in() {
        let latest = Latest::default();
        let copies = latest.tap(2);
        latest.put(frame(1, 0));
        latest.put(frame(2, 0));
        latest.set_gate(Gate { all_closed: false, closed: [1].into() });
        latest.put(frame(1, 1));
        latest.put(frame(2, 1));
        let taken = |latest: &Latest| latest.take(Duration::ZERO).map(|f| (f.source_id, f.picture));
        assert_eq!((taken(&latest), taken(&latest)), (Some((2, 1)), None));
        let copied: Vec<_> = copies.try_iter().map(|f| (f.source_id, f.picture)).collect();
        assert_eq!(copied, [(1, 0), (2, 0)]);
        latest.set_gate(Gate::default());
        // Who takes copies slowly holds few buffers of the decoder, and still gets as many as asked for.
        let copies = latest.tap(3);
        for at in 2..6 {
            latest.put(frame(2, at));
        }
        assert_eq!(copies.try_iter().map(|f| f.picture).collect::<Vec<_>>(), [2, 3]);
        latest.put(frame(2, 6));
        latest.put(frame(2, 7));
        assert_eq!(copies.try_iter().map(|f| f.picture).collect::<Vec<_>>(), [6]);
        latest.forget(2);
        latest.put(frame(1, 2));
        latest.forget(1);
        assert_eq!(taken(&latest), None);
    }

    #[test]
    fn under_overload_everybody_is_served_alike() {
        let latest = Latest::default();
        let mut served = [0u32; 9];
        for tick in 0..3000 {
            // Camera 0 gives a frame each tick, the others each sixth; one in two ticks is served.
            for camera in (0..9).filter(|c| *c == 0 || tick % 6 == u64::from(c % 6)) {
                latest.put(frame(camera, tick));
            }
            if tick % 2 == 0
                && let Some(f) = latest.take(Duration::ZERO)
            {
                served[f.source_id as usize] += 1;
            }
        }
        let (least, most) = (served.iter().min().expect("nine"), served.iter().max().expect("nine"));
        assert!(most - least <= 3, "{served:?}");
    }
}
