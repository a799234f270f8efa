//! From a source of access units into one RTSP stream, at the pace of the real time.
//!
//! A [`Feeder`] is a thread that lives as long as the stream it feeds: from the first client that
//! asks for the mount until the last one has gone. All times it handles are times of the clock,
//! and [`Feed::push`] alone turns them into the stream's own. [`Knobs`] are what a test turns
//! meanwhile.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use gst::{ClockTime, prelude::*};

use crate::{camera::Pattern, clip::Clip, departure::Departures, encoder::Encoder};

/// What a camera does wrong, and how large its picture is; shared by all its streams.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) stall: AtomicBool,
    pub(crate) garbage: AtomicBool,
    pub(crate) units_fed: AtomicU64,
    pub(crate) departures: Departures,
    state: Mutex<KnobsState>,
}

#[derive(Debug)]
struct KnobsState {
    /// None for a clip.
    resolution: Option<(u32, u32)>,
    feeders: Vec<Sender<Order>>,
    /// When the scene began, by the system's clock: when the camera was added, if nobody says otherwise.
    born: ClockTime,
    /// Its first second comes again and again.
    is_held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The stream runs and wants data.
    Go,
    /// A knob was turned: look again.
    Look,
    Stop,
}

/// What a camera's feeders play.
#[derive(Debug)]
pub(crate) enum Reel {
    Clip(Clip),
    Pattern(Pattern),
}

impl Knobs {
    pub(crate) fn new(resolution: Option<(u32, u32)>) -> Self {
        Self {
            stall: AtomicBool::new(false),
            garbage: AtomicBool::new(false),
            units_fed: AtomicU64::new(0),
            departures: Departures::default(),
            state: Mutex::new(KnobsState {
                resolution,
                feeders: Vec::new(),
                born: gst::SystemClock::obtain().time(),
                is_held: false,
            }),
        }
    }

    pub(crate) fn set_stall(&self, on: bool) {
        self.stall.store(on, Ordering::SeqCst);
        self.wake(|_| ());
    }

    pub(crate) fn set_resolution(&self, width: u32, height: u32) {
        self.wake(|state| state.resolution = Some((width, height)));
    }

    /// How old the camera is at the time `at` of the clock.
    pub(crate) fn age(&self, at: ClockTime) -> ClockTime {
        let (born, is_held) = self.with_state(|state| (state.born, state.is_held));
        let age = at.saturating_sub(born);
        if is_held { age % ClockTime::SECOND } else { age }
    }

    /// The scene begins now: all of it, or its first second again and again.
    pub(crate) fn begin(&self, is_held: bool) {
        let born = gst::SystemClock::obtain().time();
        self.with_state(|state| (state.born, state.is_held) = (born, is_held));
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.stall.load(Ordering::SeqCst)
    }

    fn resolution(&self) -> Option<(u32, u32)> {
        self.with_state(|state| state.resolution)
    }

    fn wake(&self, change: impl FnOnce(&mut KnobsState)) {
        self.with_state(|state| {
            change(state);
            state.feeders.retain(|feeder| feeder.send(Order::Look).is_ok());
        });
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut KnobsState) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The way into one stream.
#[derive(Debug)]
pub(crate) struct Feed {
    appsrc: gst_app::AppSrc,
    clock: gst::Clock,
    knobs: Arc<Knobs>,
    fed: AtomicBool,
}

impl Feed {
    pub(crate) fn clock(&self) -> &gst::Clock {
        &self.clock
    }

    /// Whether a stall keeps the next unit back. The first unit is let through: without one the
    /// server could not describe the stream, and a camera that hangs still answers RTSP. (Of
    /// that unit only one packet gets out, see `rtsp.rs`.)
    pub(crate) fn holds_back(&self) -> bool {
        self.knobs.is_stalled() && self.fed.load(Ordering::SeqCst)
    }

    /// Sends one access unit; `pts` and `dts` are times of the clock.
    pub(crate) fn push(&self, caps: &gst::CapsRef, unit: &gst::BufferRef, pts: ClockTime, dts: ClockTime) {
        let base = self.appsrc.base_time().unwrap_or_default();
        let mut buffer = unit.to_owned();
        let fields = buffer.make_mut();
        fields.set_pts(pts.saturating_sub(base));
        fields.set_dts(dts.saturating_sub(base));
        fields.unset_flags(gst::BufferFlags::DISCONT | gst::BufferFlags::RESYNC);
        if self.appsrc.caps().is_none_or(|c| *c != *caps) {
            self.appsrc.set_caps(Some(&caps.to_owned()));
        }
        // Refused only while the stream is being taken down; the feeder hears of that by `Stop`.
        if self.appsrc.push_buffer(buffer).is_ok() {
            self.fed.store(true, Ordering::SeqCst);
            self.knobs.units_fed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How old the camera is at the time `at` of the clock.
    pub(crate) fn age(&self, at: ClockTime) -> ClockTime {
        self.knobs.age(at)
    }

    /// Breaks the stream; its clients are told by the server.
    pub(crate) fn fail(&self, what: &str) {
        gst::element_error!(self.appsrc, gst::StreamError::Encode, ["{}", what]);
    }

    pub(crate) fn now(&self) -> ClockTime {
        self.clock.time()
    }
}

/// The thread that feeds one stream; gone when dropped.
#[derive(Debug)]
pub(crate) struct Feeder {
    orders: Sender<Order>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Feeder {
    pub(crate) fn start(
        appsrc: gst_app::AppSrc,
        reel: Arc<Reel>,
        knobs: Arc<Knobs>,
    ) -> std::io::Result<Self> {
        // Unbounded, but each sender is a person's or a test's action, or the stream's wish for
        // data, which `AppSrcCallbacks` below passes on once.
        let (orders, inbox) = mpsc::channel();
        let (go, mut went) = (orders.clone(), false);
        let need_data = move |_: &gst_app::AppSrc, _| {
            if !went {
                // A feeder that has gone needs no start.
                went = true;
                go.send(Order::Go).ok();
            }
        };
        appsrc.set_callbacks(gst_app::AppSrcCallbacks::builder().need_data(need_data).build());
        knobs.wake(|state| state.feeders.push(orders.clone()));
        let clock = gst::SystemClock::obtain();
        let feed = Feed { appsrc, clock, knobs, fed: AtomicBool::new(false) };
        let work = move || run(&Arc::new(feed), &reel, &inbox);
        let thread = thread::Builder::new().name("sim-feeder".to_owned()).spawn(work)?;
        Ok(Self { orders, thread: Some(thread) })
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        // Either end being gone already is what is wanted here.
        self.orders.send(Order::Stop).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn run(feed: &Arc<Feed>, reel: &Reel, inbox: &Receiver<Order>) {
    loop {
        match inbox.recv() {
            Ok(Order::Go) => break,
            Ok(Order::Look) => (),
            Ok(Order::Stop) | Err(_) => return,
        }
    }
    match reel {
        Reel::Clip(clip) => play_clip(feed, clip, inbox),
        Reel::Pattern(pattern) => play_pattern(feed, *pattern, inbox),
    }
}

/// Plays a clip lap after lap until told to stop.
fn play_clip(feed: &Feed, clip: &Clip, inbox: &Receiver<Order>) {
    let mut lap_start = feed.now();
    loop {
        for unit in &clip.units {
            match wait_until(feed, lap_start + unit.dts, inbox) {
                // A camera that hung goes on with the frame it hung at.
                Waited::Done { lag } => lap_start += lag,
                Waited::Stop => return,
            }
            feed.push(&clip.caps, &unit.data, lap_start + unit.pts, lap_start + unit.dts);
        }
        lap_start += clip.period;
    }
}

enum Waited {
    /// The time has come; `lag` is by how much a stall overslept it.
    Done {
        lag: ClockTime,
    },
    Stop,
}

/// Waits for the time `due`, and for the end of a stall if there is one.
fn wait_until(feed: &Feed, due: ClockTime, inbox: &Receiver<Order>) -> Waited {
    let mut held = false;
    loop {
        let left = due.saturating_sub(feed.now());
        let order = if feed.holds_back() {
            held = true;
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            // Asked even when nothing is left: a feeder late for every frame must hear a stop.
            inbox.recv_timeout(Duration::from_nanos(left.nseconds()))
        };
        match order {
            Ok(Order::Go | Order::Look) => (),
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return Waited::Stop,
            Err(RecvTimeoutError::Timeout) if held => {
                return Waited::Done { lag: feed.now().saturating_sub(due) };
            }
            Err(RecvTimeoutError::Timeout) => return Waited::Done { lag: ClockTime::ZERO },
        }
    }
}

/// Runs encoders, one after the other if the resolution changes, until told to stop.
fn play_pattern(feed: &Arc<Feed>, mut pattern: Pattern, inbox: &Receiver<Order>) {
    loop {
        let resolution = feed.knobs.resolution();
        if let Some((width, height)) = resolution {
            (pattern.width, pattern.height) = (width, height);
        }
        let encoder = match Encoder::start(&pattern, feed) {
            Ok(encoder) => encoder,
            Err(error) => return feed.fail(&error.to_string()),
        };
        let mut was_stalled = feed.knobs.is_stalled();
        loop {
            match inbox.recv() {
                Ok(Order::Go | Order::Look) => (),
                Ok(Order::Stop) | Err(_) => return,
            }
            if feed.knobs.resolution() != resolution {
                break;
            }
            let is_stalled = feed.knobs.is_stalled();
            if was_stalled && !is_stalled {
                encoder.force_key_frame();
            }
            was_stalled = is_stalled;
        }
    }
}
