//! Is the GPU held back by heat or by too much current, and what does that cost?
//!
//! A Jetson tells in sysfs ([`jetson`]), any other NVIDIA GPU through NVML ([`nvml`]). A thread of its own asks, because a
//! driver in trouble may take its time. It reports; the hardware has acted already.

mod jetson;
mod nvml;

use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use serde::Serialize;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a GPU runs slower than it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Heat,
    /// The supply, or what the board may draw, was overcharged.
    OverCurrent,
    /// The power limit that was set for it.
    PowerLimit,
}

impl Cause {
    fn words(self) -> &'static str {
        match self {
            Self::Heat => "heat",
            Self::OverCurrent => "too much current",
            Self::PowerLimit => "its power limit",
        }
    }
}

/// A GPU that is held back, and the effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Sorted, at least one.
    pub causes: Vec<Cause>,
    pub temperature_c: Option<u32>,
    pub clock_mhz: Option<u32>,
    /// What it could run at.
    pub clock_max_mhz: Option<u32>,
}

impl Held {
    /// For people.
    #[must_use]
    pub fn sentence(&self) -> String {
        let causes: Vec<_> = self.causes.iter().map(|cause| cause.words()).collect();
        let mut text = format!("the GPU is held back by {}", causes.join(" and "));
        if let Some(degrees) = self.temperature_c {
            text.push_str(&format!(" at {degrees} °C"));
        }
        if let (Some(now), Some(most)) = (self.clock_mhz, self.clock_max_mhz) {
            text.push_str(&format!(": it runs at {now} of {most} MHz"));
        }
        text
    }
}

/// Where it is read.
enum Gauge {
    Jetson(jetson::Gauge),
    Nvml(nvml::Gauge),
}

impl Gauge {
    fn find() -> Option<Self> {
        // A Jetson's NVML knows little.
        jetson::Gauge::find(Path::new("/sys"))
            .map(Self::Jetson)
            .or_else(|| nvml::Gauge::find().map(Self::Nvml))
    }

    fn read(&mut self) -> Option<Held> {
        match self {
            Self::Jetson(gauge) => gauge.read(),
            Self::Nvml(gauge) => gauge.read(),
        }
    }
}

/// The thread that looks. Dropping it ends the thread.
#[derive(Debug)]
pub struct Throttle {
    /// Said when the causes change; nothing when there are none any more.
    pub told: Receiver<Option<Held>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Throttle {
    /// Where there is no GPU to ask, nothing is ever told.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        // A change each two seconds at most.
        let (tell, told) = unbounded();
        let (stop, stopped) = bounded(0);
        let look = move || {
            if let Some(gauge) = Gauge::find() {
                work(gauge, &tell, &stopped);
            }
            // Whoever listens must not find the channel closed.
            let _ = stopped.recv();
        };
        let thread = std::thread::Builder::new().name("throttle".into()).spawn(look)?;
        Ok(Self { told, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A driver in trouble is not waited for.
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

fn work(mut gauge: Gauge, tell: &Sender<Option<Held>>, stopped: &Receiver<()>) {
    let mut before = Vec::new();
    loop {
        let held = gauge.read();
        let causes = held.as_ref().map_or_else(Vec::new, |held| held.causes.clone());
        if causes != before && tell.send(held).is_err() {
            return;
        }
        before = causes;
        if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_cause_and_effect() {
        let held = Held {
            causes: vec![Cause::Heat, Cause::OverCurrent],
            temperature_c: Some(97),
            clock_mhz: Some(612),
            clock_max_mhz: Some(1300),
        };
        let said = "the GPU is held back by heat and too much current at 97 °C: it runs at 612 of 1300 MHz";
        assert_eq!(held.sentence(), said);
        let json = serde_json::to_value(&held).expect("JSON");
        assert_eq!(json["causes"], serde_json::json!(["heat", "over_current"]));
    }
}
