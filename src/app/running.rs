//! Cameras and the detector: started together, stopped together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use vigia_core::config::Config;

use super::AppError;
use super::sink::Sink;
use crate::camera::latest::Latest;
use crate::camera::{Camera, Options, Report};
use crate::detect::{DetectError, Detector};

/// Cameras and the detector, at work.
pub struct Running {
    cameras: Vec<Camera>,
    latest: Arc<Latest>,
    stop: Arc<AtomicBool>,
    detector: std::thread::JoinHandle<()>,
    pub reports: Receiver<Report>,
    /// Keeps the channel open when every camera has ended.
    _reports_in: Sender<Report>,
    pub ended: Receiver<Result<(), DetectError>>,
}

impl Running {
    pub fn start(config: &Config, detector: Detector, sink: Sink) -> Result<Self, AppError> {
        let latest = Arc::new(Latest::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (done, ended) = bounded(1);
        let detector = spawn_detector(detector, latest.clone(), stop.clone(), sink, done)?;
        // The app drains reports until the cameras are gone; a camera sends a few per connection.
        let (reports_in, reports) = unbounded();
        let options = Options { camera: config.camera.clone(), every: 1, once: false };
        let mut cameras = Vec::new();
        for stream in config.streams.iter().filter(|s| s.enabled) {
            cameras.push(Camera::start(stream.clone(), options.clone(), latest.clone(), reports_in.clone())?);
        }
        Ok(Self { cameras, latest, stop, detector, reports, _reports_in: reports_in, ended })
    }

    /// Cameras first, side by side, then the detector.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Release);
        self.cameras.iter_mut().for_each(Camera::stop);
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
    done: Sender<Result<(), DetectError>>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("detect".into()).spawn(move || {
        let outcome = detector.run(&latest, &stop, |detected| sink.publish(detected));
        let _ = done.send(outcome);
    })
}
