//! One camera of vigia under test: its frames, its states, its counters.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::{Value, json};
use vigia::camera::feed::Counters;
use vigia::camera::latest::Latest;
use vigia::camera::{Camera, Options, Report};
use vigia::clock;
use vigia::config::{self, Config, Flag};
use vigia::frame::Frame;
use vigia_core::stream::StreamState;
use vigia_core::time::Instant;

/// Back within this long of being good again: the promise.
pub const BACK_WITHIN: Duration = Duration::from_secs(5);

pub struct Rig {
    /// Stops when the rig goes.
    _camera: Camera,
    pub latest: Arc<Latest>,
    pub reports: Receiver<Report>,
    pub counters: Arc<Counters>,
}

/// The defaults with these streams.
pub fn config(streams: &[Value]) -> Config {
    let flags = vec![Flag::new("streams", Value::from(streams.to_vec()), "test")];
    config::load(None, None, std::iter::empty(), flags).expect("a good configuration")
}

impl Rig {
    /// Starts a stream from its settings, as they stand in a site file.
    pub fn with(stream: Value) -> Self {
        gst::init().expect("GStreamer");
        let config = config(&[stream]);
        let latest = Arc::new(Latest::default());
        let (tell, reports) = unbounded();
        let options = Options { camera: config.camera.clone(), every: 1, once: false };
        let camera =
            Camera::start(config.streams[0].clone(), options, latest.clone(), tell).expect("a thread");
        Self { counters: camera.counters(), _camera: camera, latest, reports }
    }

    pub fn new(uri: &str) -> Self {
        Self::with(json!({ "source_id": 7, "uri": uri, "max_fps": 100 }))
    }

    /// The next frame, or nothing within `limit`.
    pub fn frame(&self, limit: Duration) -> Option<Frame> {
        self.latest.take(limit)
    }

    /// Waits for a frame captured after now; how long that took.
    pub fn back(&self) -> Duration {
        self.back_after(clock::now())
    }

    /// Waits for a frame captured after `good`; how long after `good` it came.
    pub fn back_after(&self, good: Instant) -> Duration {
        let until = good.after(BACK_WITHIN * 4);
        while clock::now() < until {
            if self.frame(Duration::from_millis(50)).is_some_and(|f| f.captured_at > good) {
                return clock::now().since(good);
            }
        }
        panic!("no frame within {:?}; states: {:?}", BACK_WITHIN * 4, self.states());
    }

    /// All states reported so far and not yet read.
    pub fn states(&self) -> Vec<StreamState> {
        self.reports.try_iter().map(|r| r.state).collect()
    }

    /// Waits for a state; how long that took.
    pub fn state(&self, limit: Duration, mut want: impl FnMut(&StreamState) -> bool) -> Duration {
        let start = clock::now();
        let mut seen = Vec::new();
        while let Some(left) = limit.checked_sub(clock::now().since(start)) {
            match self.reports.recv_timeout(left) {
                Ok(report) if want(&report.state) => return clock::now().since(start),
                Ok(report) => seen.push(report.state),
                Err(_) => break,
            }
        }
        panic!("not within {limit:?}; seen: {seen:?}");
    }

    pub fn reconnections(&self) -> u64 {
        self.counters.reconnections.load(Ordering::Relaxed)
    }
}

/// Threads of this process.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Open file descriptors of this process.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
