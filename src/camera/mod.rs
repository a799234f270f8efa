//! One camera, one thread: connect, watch, report, connect again, for ever.
//!
//! [`Camera::start`] makes the thread; its loop never fails ([`Watch::run`]) and each
//! connection is a straight line ([`Watch::run_once`]). A camera knows nothing of the others.

pub mod bus;
pub mod decoder;
pub mod detour;
pub mod device;
pub mod feed;
pub mod latest;
pub mod pipeline;
pub mod sink;
pub mod source;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use gst::prelude::*;
use parking_lot::Mutex;
use vigia_core::backoff::Backoff;
use vigia_core::cadence::silence_limit;
use vigia_core::config::{self, Stream};
use vigia_core::stream::{Cause, CauseCode, StreamState};
use vigia_core::time::Instant;

use crate::clock;
use crate::frame::Place;
use crate::liveness::Pulse;
use decoder::Decoding;
use detour::Detour;
use feed::{Counters, Feed};
use latest::Latest;
use pipeline::{Pipeline, Wanted};

/// How often the watch looks at its clock; the bus wakes it earlier.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Data without a picture for this long is beyond decoding.
const UNDECODABLE_AFTER: Duration = Duration::from_secs(3);
/// A disk may be slow, and the first file brings the decoders in.
const FILE_OPENS_WITHIN: Duration = Duration::from_secs(30);
/// A keyframe is asked for this often while none comes.
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);
/// A camera that refuses our password is asked slowly: it may lock the account.
const UNAUTHORIZED_DELAY: Duration = Duration::from_secs(4);

/// What a camera tells the app.
#[derive(Debug, Clone)]
pub struct Report {
    pub source_id: u32,
    pub state: StreamState,
    /// What decodes the stream, as far as that is known.
    pub decoding: Option<Arc<Decoding>>,
}

/// Options that are not the stream's own.
#[derive(Debug, Clone)]
pub struct Options {
    pub camera: config::Camera,
    /// Hand on every n-th picture only.
    pub every: u64,
    /// Stop at the first failure instead of trying again: for offline work.
    pub once: bool,
}

/// A running camera. Dropping it stops it and waits for its thread.
#[derive(Debug)]
pub struct Camera {
    feed: Arc<Feed>,
    state: Arc<Mutex<StreamState>>,
    pulse: Pulse,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Camera {
    /// Starts the stream's thread. Frames go to `latest`, state changes to `reports`.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        stream: Stream,
        options: Options,
        latest: Arc<Latest>,
        reports: Sender<Report>,
    ) -> std::io::Result<Self> {
        let feed = Arc::new(Feed::new(stream.source_id, stream.pace, options.every, stream.max_fps, latest));
        let (stop, stopped) = bounded(0);
        let name = format!("camera-{}", stream.source_id);
        let shown = Arc::new(Mutex::new(StreamState::Connecting));
        let (state, pulse) = (shown.clone(), Pulse::default());
        let detour = Detour::new(stream.source_id);
        let mut watch = Watch {
            stream,
            options,
            feed: feed.clone(),
            stopped,
            reports,
            pulse: pulse.clone(),
            said: None,
            detour,
            shown,
        };
        let work = move || {
            watch.run();
            watch.pulse.rest();
        };
        let thread = std::thread::Builder::new().name(name).spawn(work)?;
        Ok(Self { feed, state, pulse, stop: Some(stop), thread: Some(thread) })
    }

    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.feed.counters.clone()
    }

    /// What the stream is doing now.
    #[must_use]
    pub fn state(&self) -> StreamState {
        self.state.lock().clone()
    }

    /// What decodes its stream; nothing before that is known, and for sources that need no decoder.
    #[must_use]
    pub fn decoder(&self) -> Option<Arc<Decoding>> {
        self.feed.decoding()
    }

    /// Of its thread, which comes by each 100 ms. A camera that is away takes nothing from it.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Another rate from now on; the connection doesn't notice.
    pub fn set_max_fps(&self, max_fps: f64) {
        self.feed.set_max_fps(max_fps);
    }

    /// Tells the camera to stop without waiting: several then stop side by side.
    pub fn stop(&mut self) {
        self.feed.stopped.store(true, Ordering::Release);
        drop(self.stop.take());
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watch {
    stream: Stream,
    options: Options,
    feed: Arc<Feed>,
    stopped: Receiver<()>,
    reports: Sender<Report>,
    pulse: Pulse,
    /// What was reported last.
    said: Option<(StreamState, Option<Arc<Decoding>>)>,
    /// While this stream's pictures are not left on the device.
    detour: Detour,
    /// The state, for [`Camera::state`].
    shown: Arc<Mutex<StreamState>>,
}

/// Why a connection ended without trouble.
enum End {
    Stopped,
    OfFile,
    /// A file that loops but can't be rewound, or pictures that are wanted elsewhere: open it again.
    Again,
}

impl Watch {
    fn run(&mut self) {
        let c = &self.options.camera;
        let mut backoff = Backoff::new(c.reconnect_min, c.reconnect_max);
        self.enter(StreamState::Connecting);
        loop {
            self.pulse.beat(clock::now());
            self.feed.begin();
            let before = self.feed.pictures();
            let cause = match self.run_once() {
                Ok(End::Stopped) => return self.account(),
                Ok(End::Again) => continue,
                Ok(End::OfFile) => return self.enter(StreamState::Ended),
                Err(cause) => cause,
            };
            if self.feed.pictures() > before {
                backoff.reset();
            }
            let delay = match cause.code {
                CauseCode::Unauthorized => UNAUTHORIZED_DELAY,
                _ => backoff.delay(fastrand::f64()),
            };
            self.enter(StreamState::Reconnecting { cause });
            if self.options.once {
                return;
            }
            if self.wait(delay) {
                return;
            }
            self.feed.counters.reconnections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, and owes no sign of life meanwhile. True: it is to stop.
    fn wait(&self, limit: Duration) -> bool {
        self.pulse.rest();
        let stops = self.stopped.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
        self.pulse.beat(clock::now());
        stops
    }

    /// What the stream came to, when it is stopped.
    fn account(&self) {
        let c = &self.feed.counters;
        let [received, decoded, delivered, superseded, reconnections] =
            [&c.received, &c.decoded, &c.delivered, &c.superseded, &c.reconnections]
                .map(|n| n.load(Ordering::Relaxed));
        tracing::info!(
            component = "camera",
            event = "stream_stopped",
            source_id = self.stream.source_id,
            received,
            decoded,
            delivered,
            superseded,
            reconnections,
            "stopped",
        );
    }

    /// One connection, from start to its end or trouble.
    fn run_once(&mut self) -> Result<End, Cause> {
        let timeout = self.options.camera.connect_timeout;
        let wanted = Wanted { place: self.feed.place(), instead: self.detour.instead(clock::now()) };
        let choice = self.options.camera.decoder;
        let pipeline = Pipeline::start(&self.stream, &self.feed, choice, &wanted, timeout)?;
        let bus = pipeline.pipeline.bus().ok_or_else(|| Cause::new(CauseCode::Failed, "no bus"))?;
        let mut progress = Progress { at: clock::now(), lap: clock::now(), keyframe_asked: None };
        loop {
            let message = bus.timed_pop(gst::ClockTime::try_from(LOOK_EVERY).ok());
            self.pulse.beat(clock::now());
            if self.feed.stopped.load(Ordering::Acquire) {
                return Ok(End::Stopped);
            }
            if self.is_misplaced(&pipeline, &wanted) {
                return Ok(End::Again);
            }
            match message.as_ref().map(|m| m.view()) {
                Some(gst::MessageView::Error(e)) => return Err(bus::cause(e)),
                Some(gst::MessageView::Eos(_)) => match self.at_end(&pipeline, &wanted, progress.lap)? {
                    Some(end) => return Ok(end),
                    None => (progress.at, progress.lap) = (clock::now(), clock::now()),
                },
                // Each step the server answers gives the connection new time.
                Some(gst::MessageView::Progress(_)) => progress.at = clock::now(),
                _ => {}
            }
            self.look(&pipeline, &mut progress)?;
        }
    }

    /// Whether pictures must be left elsewhere than this pipeline does: they can't be read there, or a swap moved the
    /// engine. A file goes on as it is until its end or its next lap; its pictures are copied meanwhile.
    fn is_misplaced(&mut self, pipeline: &Pipeline, wanted: &Wanted) -> bool {
        let source_id = self.stream.source_id;
        if let Some(why) = pipeline.refused() {
            self.detour.take(clock::now(), &why);
            return true;
        }
        if pipeline.live && self.is_straight_again(wanted) {
            return true;
        }
        let moved = pipeline.live && !self.feed.place().is(&wanted.place);
        if moved {
            tracing::info!(
                component = "camera",
                event = "frames_move",
                source_id,
                "the engine moved: opened again"
            );
        }
        moved
    }

    /// Whether pictures may be left on the device again.
    fn is_straight_again(&self, wanted: &Wanted) -> bool {
        matches!(wanted.place, Place::Device(_)) && self.detour.is_over(clock::now())
    }

    /// A camera that ends its stream is down; a file may start again.
    fn at_end(&self, pipeline: &Pipeline, wanted: &Wanted, lap: Instant) -> Result<Option<End>, Cause> {
        if pipeline.live {
            return Err(Cause::new(CauseCode::EndOfStream, "the sender ended the stream"));
        }
        if self.feed.pictures() == 0 {
            return Err(Cause::new(CauseCode::Undecodable, "the file has no pictures"));
        }
        if !self.stream.looped || self.options.once {
            return Ok(Some(End::OfFile));
        }
        // A gate that keeps frames from the decoder brings the end early: a lap takes its time.
        let waits = self.stream.pace == config::Pace::Max;
        let left = self.feed.lap().saturating_sub(clock::now().since(lap));
        if !waits && self.wait(left) {
            return Ok(Some(End::Stopped));
        }
        // Before the seek: frames of the new lap may come while it returns.
        self.feed.rewind();
        let moves = !self.feed.place().is(&wanted.place) || self.is_straight_again(wanted);
        let stays = !moves && pipeline.rewind();
        Ok(if stays { None } else { Some(End::Again) })
    }

    /// Looks at the clock: is data coming, do pictures come of it?
    fn look(&mut self, pipeline: &Pipeline, progress: &mut Progress) -> Result<(), Cause> {
        let now = clock::now();
        let Some(data) = self.feed.last_data() else {
            let connect = self.options.camera.connect_timeout;
            return check_connecting(now, progress, if pipeline.live { connect } else { FILE_OPENS_WITHIN });
        };
        if pipeline.live {
            let limit = silence_limit(self.feed.frame_interval(), self.options.camera.silence_min);
            let silent = now.since(data);
            if silent > limit {
                let text = format!("no data for {:.1} s with the session open", silent.as_secs_f64());
                return Err(Cause::new(CauseCode::Silent, text));
            }
        }
        match self.feed.last_picture() {
            Some(_) => {
                self.pulse.worked();
                self.enter(StreamState::Running);
            }
            None if self.feed.waits_for_keyframe() => {
                self.enter(StreamState::WaitingKeyframe);
                let asked = progress.keyframe_asked;
                if asked.is_none_or(|at| now.since(at) >= KEYFRAME_EVERY) {
                    progress.keyframe_asked = Some(now);
                    pipeline.request_keyframe();
                }
                // Waiting is no trouble: a long group of pictures ends some day.
            }
            None => {}
        }
        // A file's pictures come when it is their time, or when the detector asks for them.
        let owed = self.feed.owed_since().map_or(Duration::ZERO, |since| now.since(since));
        if pipeline.live && owed > self.undecodable_after() {
            let text = format!("data comes, but no picture for {:.1} s", owed.as_secs_f64());
            return Err(Cause::new(CauseCode::Undecodable, text));
        }
        Ok(())
    }

    fn undecodable_after(&self) -> Duration {
        let slow = self.feed.frame_interval().unwrap_or_default() * 5;
        UNDECODABLE_AFTER.max(slow)
    }

    fn enter(&mut self, state: StreamState) {
        let decoding = self.feed.decoding();
        let same_state = self.said.as_ref().is_some_and(|(said, _)| *said == state);
        if same_state && self.said.as_ref().is_some_and(|(_, said)| *said == decoding) {
            return;
        }
        self.said = Some((state.clone(), decoding.clone()));
        self.report(state, decoding, same_state);
    }

    fn report(&self, state: StreamState, decoding: Option<Arc<Decoding>>, is_known: bool) {
        let source_id = self.stream.source_id;
        let uri = &self.stream.uri;
        if is_known {
            // Only the decoder is another.
        } else if let StreamState::Reconnecting { cause } = &state {
            let code = cause.code;
            tracing::warn!(component = "camera", event = "stream_down", source_id, %uri, ?code, "{cause}");
        } else {
            let name = state.name();
            tracing::info!(component = "camera", event = "stream_state", source_id, %uri, state = name, "{name}");
        }
        self.shown.lock().clone_from(&state);
        // The app drains reports as long as it lives; after that nobody wants to know.
        let _ = self.reports.send(Report { source_id, state, decoding });
    }
}

/// How far a connection has come.
struct Progress {
    at: Instant,
    /// When a file last began.
    lap: Instant,
    keyframe_asked: Option<Instant>,
}

fn check_connecting(now: Instant, progress: &Progress, limit: Duration) -> Result<(), Cause> {
    let waited = now.since(progress.at);
    if waited > limit {
        let text = format!("no answer for {:.1} s", waited.as_secs_f64());
        return Err(Cause::new(CauseCode::Timeout, text));
    }
    Ok(())
}
