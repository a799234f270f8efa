//! A rendered scene at the pace of the clock, as long as someone watches.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use std::{io, thread};

use gst::{ClockTime, prelude::*};

use crate::camera::Pattern;
use crate::feed::Feed;
use crate::scene::Scene;
use crate::stage::Stage;
use crate::video;

/// The thread that paints one stream's frames; gone when dropped.
#[derive(Debug)]
pub(crate) struct Painter {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Painter {
    /// Paints into `source`, which is part of a running pipeline.
    pub(crate) fn start(
        source: gst_app::AppSrc,
        stage: Stage,
        pattern: &Pattern,
        feed: Arc<Feed>,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let Pattern { width, height, fps, .. } = *pattern;
        let work = move || paint(&source, &stage, (width, height), fps, &feed, &stopped);
        let thread = thread::Builder::new().name("sim-painter".to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        // It hears that nobody holds the other end, after the frame it paints.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn paint(
    source: &gst_app::AppSrc,
    stage: &Stage,
    size: (u32, u32),
    fps: u32,
    feed: &Feed,
    stopped: &Receiver<()>,
) {
    let mut shot = stage.shot(size);
    let (start, mut n) = (feed.now(), 0);
    loop {
        let due = start + video::time_of(n, fps);
        let left = Duration::from_nanos(due.saturating_sub(feed.now()).nseconds());
        if stopped.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        // What a stalled camera sees is lost.
        if !feed.holds_back() {
            let pts = due.saturating_sub(source.base_time().unwrap_or_default());
            let buffer = video::paint(&mut shot, scene_time(feed.age(due)), pts);
            if source.push_buffer(buffer).is_err() {
                return;
            }
        }
        // A machine that is too slow leaves frames out: the scene keeps its pace.
        let late = feed.now().saturating_sub(start).nseconds() * u64::from(fps);
        n = (n + 1).max(late / ClockTime::SECOND.nseconds());
    }
}

/// The moment of a scene that is this old: it begins again and again.
#[expect(clippy::cast_possible_truncation, reason = "a minute at most")]
pub(crate) fn scene_time(age: ClockTime) -> f32 {
    let seconds = Duration::from_nanos(age.nseconds()).as_secs_f64();
    (seconds % f64::from(Scene::LENGTH_S)) as f32
}
