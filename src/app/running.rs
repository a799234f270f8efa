//! Cameras and the detector at work: started together, changed one by one, stopped together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;
use thiserror::Error;
use vigia_accel::preprocess::PreprocessError;
use vigia_core::config::{self, Stream, Tracker};

use super::sink::Sink;
use crate::camera::latest::Latest;
use crate::camera::{Camera, Options, Report};
use crate::detect::network::Network;
use crate::detect::orders::{Carried, Order, Orders};
use crate::detect::{DetectError, Detector};
use crate::liveness::{Part, Roster};

/// How the detector ended: as it was told to, or beyond use.
pub type Ended = Result<(), DetectError>;

/// Cameras and the detector, at work.
pub struct Running {
    cameras: BTreeMap<u32, Camera>,
    latest: Arc<Latest>,
    stop: Arc<AtomicBool>,
    detector: std::thread::JoinHandle<()>,
    orders: Orders,
    options: Options,
    reports: Sender<Report>,
    roster: Roster,
}

/// Why a change could not be made.
#[derive(Debug, Error)]
pub enum ChangeError {
    #[error("a thread can't be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("the model's input can't be prepared: {0}")]
    Preprocess(#[from] PreprocessError),
    #[error("the detector has ended")]
    Ended,
}

impl Running {
    /// Starts the detector on `latest`, then a camera for each stream. Cameras tell `reports` what
    /// they do; the detector's end goes to `ended`; all of them owe `roster` signs of life.
    ///
    /// # Errors
    /// If the operating system gives no thread; then nothing runs.
    pub fn start(
        camera: &config::Camera,
        streams: &[Stream],
        mut detector: Detector,
        latest: Arc<Latest>,
        sink: Sink,
        (reports, ended, roster): (Sender<Report>, Sender<Ended>, Roster),
    ) -> Result<Self, ChangeError> {
        latest.open();
        detector.announce(&latest);
        let stop = Arc::new(AtomicBool::new(false));
        let orders = detector.orders();
        roster.watch(Part::Engine, None, detector.pulse());
        let detector = spawn_detector(detector, latest.clone(), stop.clone(), sink, ended)?;
        let options = Options { camera: camera.clone(), every: 1, once: false };
        let cameras = BTreeMap::new();
        let mut running = Self { cameras, latest, stop, detector, orders, options, reports, roster };
        for stream in streams {
            if let Err(error) = running.watch(stream.clone()) {
                running.stop();
                return Err(error);
            }
        }
        Ok(running)
    }

    /// Starts the camera of a stream that the detector knows.
    ///
    /// # Errors
    /// [`ChangeError::Thread`]; then the stream has no camera.
    pub fn watch(&mut self, stream: Stream) -> Result<(), ChangeError> {
        let id = stream.source_id;
        let (options, latest) = (self.options.clone(), self.latest.clone());
        let camera = Camera::start(stream, options, latest, self.reports.clone())?;
        self.roster.watch(Part::Cameras, Some(id), camera.pulse());
        self.cameras.insert(id, camera);
        Ok(())
    }

    /// A new stream; the others don't notice.
    ///
    /// # Errors
    /// [`ChangeError`]; then the stream is not there.
    pub fn add(&mut self, stream: Stream) -> Result<(), ChangeError> {
        let id = stream.source_id;
        self.order(Order::Add(Box::new(stream.clone())))?;
        self.watch(stream).inspect_err(|_| drop(self.order(Order::Remove(id))))
    }

    /// Takes a stream away. Afterwards no result of it comes any more; returns the number of its
    /// last processed frame.
    ///
    /// # Errors
    /// [`ChangeError::Ended`].
    pub fn remove(&mut self, source_id: u32) -> Result<Option<u64>, ChangeError> {
        // Dropping a camera waits for its thread: no frame of it comes afterwards.
        drop(self.cameras.remove(&source_id));
        self.latest.forget(source_id);
        let carried = self.order(Order::Remove(source_id))?;
        Ok(carried.last_frames.first().map(|(_, frame_id)| *frame_id))
    }

    /// Ends the camera of a stream that the detector goes on to know. Afterwards no result of that
    /// camera comes any more.
    ///
    /// # Errors
    /// [`ChangeError::Ended`].
    pub fn unwatch(&mut self, source_id: u32) -> Result<(), ChangeError> {
        drop(self.cameras.remove(&source_id));
        self.latest.forget(source_id);
        self.order(Order::Pass).map(drop)
    }

    pub fn set_rate(&self, source_id: u32, max_fps: f64) {
        if let Some(camera) = self.cameras.get(&source_id) {
            camera.set_max_fps(max_fps);
        }
    }

    /// # Errors
    /// [`ChangeError::Ended`].
    pub fn set_confidence(&self, source_id: u32, confidence: f32) -> Result<(), ChangeError> {
        self.order(Order::Confidence(source_id, confidence)).map(drop)
    }

    /// # Errors
    /// [`ChangeError::Ended`].
    pub fn follow(&self, source_id: u32, tracker: Tracker) -> Result<(), ChangeError> {
        self.order(Order::Follow(source_id, tracker)).map(drop)
    }

    /// Another model for all streams, between two batches. The old one is kept until
    /// [`Self::settle`].
    ///
    /// # Errors
    /// [`ChangeError`]; then the old model works on.
    pub fn swap(&self, network: Box<Network>) -> Result<Carried, ChangeError> {
        self.order(Order::Swap(network))
    }

    /// Ends the new model's probation; the generation that is at work tells how it went.
    ///
    /// # Errors
    /// [`ChangeError::Ended`].
    pub fn settle(&self) -> Result<u64, ChangeError> {
        self.order(Order::Settle).map(|carried| carried.generation)
    }

    /// Of the model at work.
    ///
    /// # Errors
    /// [`ChangeError::Ended`].
    pub fn generation(&self) -> Result<u64, ChangeError> {
        self.order(Order::Pass).map(|carried| carried.generation)
    }

    fn order(&self, order: Order) -> Result<Carried, ChangeError> {
        Ok(self.orders.give(order).ok_or(ChangeError::Ended)??)
    }

    #[must_use]
    pub fn camera(&self, source_id: u32) -> Option<&Camera> {
        self.cameras.get(&source_id)
    }

    /// Cameras first, side by side, then the detector.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Release);
        self.cameras.values_mut().for_each(Camera::stop);
        self.latest.close();
        drop(self.cameras);
        if self.detector.join().is_err() {
            tracing::error!(component = "processor", event = "detector_panicked", "the detector ended badly");
        }
    }
}

fn spawn_detector(
    mut detector: Detector,
    latest: Arc<Latest>,
    stop: Arc<AtomicBool>,
    mut sink: Sink,
    ended: Sender<Ended>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("detect".into()).spawn(move || {
        let outcome = detector.run(&latest, &stop, |detected| sink.publish(detected));
        // Who started it may be gone.
        let _ = ended.send(outcome);
    })
}
