//! What the media threads of one stream share with its watch: which frames to decode, which to
//! hand on, and when data and pictures last came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use vigia_core::cadence::{Cadence, KeyframeGate, Verdict};
use vigia_core::config::Pace;
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use super::decoder::Decoding;
use super::latest::Latest;
use crate::clock;
use crate::frame::{Frame, Place, Surface};

/// Length of a frame that doesn't say.
const FRAME_LENGTH: Duration = Duration::from_millis(40);
/// Shortest lap of a file that loops.
const LAP_LEAST: Duration = Duration::from_millis(100);

/// Counters of one stream, for telemetry and tests.
#[derive(Debug, Default)]
pub struct Counters {
    /// Encoded frames that arrived.
    pub received: AtomicU64,
    /// Of these, given to the decoder.
    pub decoded: AtomicU64,
    /// Pictures handed to the detector.
    pub delivered: AtomicU64,
    /// Pictures replaced before the detector looked.
    pub superseded: AtomicU64,
    /// Connections made again after a failure.
    pub reconnections: AtomicU64,
}

/// When a picture is shown, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    pub pts: Option<gst::ClockTime>,
    pub duration: Option<gst::ClockTime>,
}

/// Shared between one stream's media threads and its watch.
#[derive(Debug)]
pub struct Feed {
    source_id: u32,
    pace: Pace,
    /// Hand on every n-th picture only (offline work), counted from the first.
    every: u64,
    latest: Arc<Latest>,
    pub counters: Arc<Counters>,
    pub stopped: AtomicBool,
    last_data: AtomicU64,
    last_picture: AtomicU64,
    interval_ns: AtomicU64,
    schedule: Mutex<Schedule>,
    decoding: Mutex<Option<Arc<Decoding>>>,
}

#[derive(Debug)]
struct Schedule {
    cadence: Cadence,
    gate: KeyframeGate,
    /// The decoder was given something since, and no picture has come out.
    owed_since: Option<Instant>,
    /// Pictures older than the keyframe the gate opened at are leftovers of the decoder.
    opened_pts: Option<gst::ClockTime>,
    pictures: u64,
    last_pts: Option<gst::ClockTime>,
    /// Added to media time, so that a looping file's time goes on.
    media_offset: Duration,
    media_end: Duration,
}

impl Feed {
    #[must_use]
    pub fn new(source_id: u32, pace: Pace, every: u64, max_fps: f64, latest: Arc<Latest>) -> Self {
        Self {
            source_id,
            pace,
            every: every.max(1),
            latest,
            counters: Arc::default(),
            stopped: AtomicBool::new(false),
            last_data: AtomicU64::new(0),
            last_picture: AtomicU64::new(0),
            interval_ns: AtomicU64::new(0),
            schedule: Mutex::new(Schedule {
                cadence: Cadence::new(max_fps),
                gate: KeyframeGate::default(),
                owed_since: None,
                opened_pts: None,
                pictures: 0,
                last_pts: None,
                media_offset: Duration::ZERO,
                media_end: Duration::ZERO,
            }),
            decoding: Mutex::default(),
        }
    }

    /// Another rate from now on; the connection doesn't notice.
    pub fn set_max_fps(&self, max_fps: f64) {
        self.schedule.lock().cadence.set_max_fps(max_fps);
    }

    #[must_use]
    pub fn source_id(&self) -> u32 {
        self.source_id
    }

    /// Where the detector wants frames.
    #[must_use]
    pub fn place(&self) -> Place {
        self.latest.place()
    }

    /// The picture that nobody has taken yet is not wanted any more.
    pub fn withdraw(&self) {
        self.latest.forget(self.source_id);
    }

    /// What decodes the stream from now on.
    pub fn set_decoding(&self, decoding: Decoding) {
        *self.decoding.lock() = Some(Arc::new(decoding));
    }

    /// What decodes the stream; nothing before the first picture's format is known, and for raw pictures.
    #[must_use]
    pub fn decoding(&self) -> Option<Arc<Decoding>> {
        self.decoding.lock().clone()
    }

    /// A new connection: the decoder starts from nothing.
    pub fn begin(&self) {
        self.last_data.store(0, Ordering::Relaxed);
        self.last_picture.store(0, Ordering::Relaxed);
        self.interval_ns.store(0, Ordering::Relaxed);
        let mut s = self.schedule.lock();
        s.gate = KeyframeGate::default();
        s.owed_since = None;
        s.opened_pts = None;
        s.last_pts = None;
    }

    /// How long the file is, as far as it was read since it last began.
    #[must_use]
    pub fn lap(&self) -> Duration {
        let s = self.schedule.lock();
        s.media_end.saturating_sub(s.media_offset).max(LAP_LEAST)
    }

    /// A file starts again from its beginning; its time goes on.
    pub fn rewind(&self) {
        let lap = self.lap();
        let mut s = self.schedule.lock();
        s.media_offset += lap;
        s.media_end = s.media_offset;
        s.last_pts = None;
        s.opened_pts = None;
    }

    /// An encoded frame came: shall the decoder see it? Streaming thread.
    pub fn encoded(&self, buffer: &gst::BufferRef, live: bool) -> Verdict {
        let now = clock::now();
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let mut s = self.schedule.lock();
        self.note_data(&mut s, now, buffer.pts());
        let at = if live { now } else { s.media_time(buffer.pts(), buffer.duration()) };
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let Schedule { gate, cadence, .. } = &mut *s;
        let passed = gate.passes();
        let verdict = gate.encoded(at, key, cadence);
        if verdict == Verdict::Decode {
            s.owed_since.get_or_insert(now);
            // Later keyframes of an open gate don't count: a decoder may be a whole group behind.
            if !passed {
                s.opened_pts = buffer.pts();
            }
            self.counters.decoded.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    /// A raw frame came from a source that needs no decoder. Streaming thread.
    pub fn raw(&self, buffer: &gst::BufferRef) {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let mut s = self.schedule.lock();
        self.note_data(&mut s, clock::now(), buffer.pts());
    }

    fn note_data(&self, s: &mut Schedule, now: Instant, pts: Option<gst::ClockTime>) {
        self.last_data.store(now.0, Ordering::Release);
        if let (Some(pts), Some(last)) = (pts, s.last_pts)
            && pts > last
        {
            let delta = (pts - last).nseconds();
            let known = self.interval_ns.load(Ordering::Relaxed);
            // A slow average: one late frame doesn't make a slow camera.
            let mean = if known == 0 { delta } else { known - known / 8 + delta / 8 };
            self.interval_ns.store(mean, Ordering::Relaxed);
        }
        s.last_pts = pts.or(s.last_pts);
    }

    /// A picture came out. Hands it on if it is due. Streaming thread.
    pub fn picture(&self, at: Stamp, surface: Surface, age: Option<Duration>) {
        let now = clock::now();
        self.last_picture.store(now.0, Ordering::Release);
        let Stamp { pts, duration } = at;
        let mut s = self.schedule.lock();
        s.owed_since = None;
        let live = age.is_some();
        let at = if live { now } else { s.media_time(pts, duration) };
        let leftover = pts.zip(s.opened_pts).is_some_and(|(pts, opened)| pts < opened);
        if leftover && s.gate.skips() {
            return;
        }
        let picture = s.pictures;
        s.pictures += 1;
        if !picture.is_multiple_of(self.every) || !s.cadence.take(at) {
            return;
        }
        s.gate.taken();
        drop(s);
        let age = age.unwrap_or_default();
        let captured =
            Utc::from_unix_ns(clock::utc().as_unix_ns() - i128::try_from(age.as_nanos()).unwrap_or(0));
        let frame = Frame {
            source_id: self.source_id,
            picture,
            captured,
            captured_at: Instant(now.0.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(0))),
            pts_ms: pts.map_or(0.0, |t| t.seconds_f64() * 1e3),
            surface,
        };
        self.deliver(frame);
    }

    fn deliver(&self, frame: Frame) {
        self.counters.delivered.fetch_add(1, Ordering::Relaxed);
        match self.pace {
            Pace::Max => self.latest.put_wait(frame, || self.stopped.load(Ordering::Acquire)),
            Pace::Realtime => {
                if self.latest.put(frame) {
                    self.counters.superseded.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// When data last came on this connection.
    #[must_use]
    pub fn last_data(&self) -> Option<Instant> {
        some_instant(&self.last_data)
    }

    /// When a picture last came on this connection.
    #[must_use]
    pub fn last_picture(&self) -> Option<Instant> {
        some_instant(&self.last_picture)
    }

    /// Usual time between two frames of the source.
    #[must_use]
    pub fn frame_interval(&self) -> Option<Duration> {
        let ns = self.interval_ns.load(Ordering::Relaxed);
        (ns > 0).then(|| Duration::from_nanos(ns))
    }

    /// Since when the decoder owes a picture for what it was given.
    #[must_use]
    pub fn owed_since(&self) -> Option<Instant> {
        self.schedule.lock().owed_since
    }

    /// Whether data comes but no keyframe has yet.
    #[must_use]
    pub fn waits_for_keyframe(&self) -> bool {
        self.schedule.lock().gate.waits_for_keyframe()
    }

    /// Pictures since the stream was made.
    #[must_use]
    pub fn pictures(&self) -> u64 {
        self.schedule.lock().pictures
    }
}

impl Schedule {
    /// Media time that never goes back, also when a file loops.
    fn media_time(&mut self, pts: Option<gst::ClockTime>, duration: Option<gst::ClockTime>) -> Instant {
        let t = self.media_offset + pts.map_or(Duration::ZERO, Duration::from);
        let length = duration.map_or(FRAME_LENGTH, Duration::from);
        self.media_end = self.media_end.max(t + length);
        Instant::default().after(t)
    }
}

fn some_instant(at: &AtomicU64) -> Option<Instant> {
    let ns = at.load(Ordering::Acquire);
    (ns > 0).then_some(Instant(ns))
}
