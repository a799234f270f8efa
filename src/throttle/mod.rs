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
/// Readings after which other figures of the same causes are told: half a minute.
const FIGURES_EVERY: u32 = 15;

/// Why a GPU runs slower than it could. The limit of its power is none of them: graphics cards work at theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Heat,
    /// The supply, or what the board may draw, was overcharged.
    OverCurrent,
}

impl Cause {
    fn words(self) -> &'static str {
        match self {
            Self::Heat => "heat",
            Self::OverCurrent => "too much current",
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
    Nvml(Box<nvml::Gauge>),
}

impl Gauge {
    fn find() -> Option<Self> {
        // A Jetson's NVML knows little.
        jetson::Gauge::find(Path::new("/sys"))
            .map(Self::Jetson)
            .or_else(|| nvml::Gauge::find().map(|gauge| Self::Nvml(Box::new(gauge))))
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
    /// Said when the causes change, and now and then while their figures do; nothing when there are none any more.
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
        Self::watch(|| Gauge::find().map(|mut gauge| move || gauge.read()))
    }

    fn watch<R>(find: impl FnOnce() -> Option<R> + Send + 'static) -> std::io::Result<Self>
    where
        R: FnMut() -> Option<Held>,
    {
        // A change each two seconds at most.
        let (tell, told) = unbounded();
        let (stop, stopped) = bounded(0);
        let look = move || {
            if let Some(read) = find() {
                work(read, &tell, &stopped);
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

fn work(mut read: impl FnMut() -> Option<Held>, tell: &Sender<Option<Held>>, stopped: &Receiver<()>) {
    let mut news = News::default();
    loop {
        let held = read();
        if news.is_in(&held) && tell.send(held).is_err() {
            return;
        }
        if stopped.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// What was told last, and how many readings ago.
#[derive(Debug, Default)]
struct News {
    told: Option<Held>,
    readings: u32,
}

impl News {
    /// Whether this reading is to be told.
    fn is_in(&mut self, held: &Option<Held>) -> bool {
        self.readings = self.readings.saturating_add(1);
        let causes = |held: &Option<Held>| held.as_ref().map(|held| held.causes.clone());
        let is_old = causes(held) == causes(&self.told);
        if *held == self.told || (is_old && self.readings < FIGURES_EVERY) {
            return false;
        }
        *self = Self { told: held.clone(), readings: 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(causes: &[Cause], temperature_c: u32) -> Option<Held> {
        let causes = causes.to_vec();
        Some(Held { causes, temperature_c: Some(temperature_c), clock_mhz: None, clock_max_mhz: None })
    }

    /// Found in review: the status showed the figures of the first moment until the end.
    #[test]
    fn causes_are_told_at_once_and_figures_now_and_then() {
        let mut news = News::default();
        assert!(!news.is_in(&None) && news.is_in(&held(&[Cause::Heat], 90)));
        let told: Vec<_> =
            (1..=2 * FIGURES_EVERY).filter(|n| news.is_in(&held(&[Cause::Heat], 90 + n))).collect();
        assert_eq!(told, [FIGURES_EVERY, 2 * FIGURES_EVERY]);
        let same = held(&[Cause::Heat], 90 + 2 * FIGURES_EVERY);
        assert!((0..2 * FIGURES_EVERY).all(|_| !news.is_in(&same)), "nothing is said twice");
        assert!(news.is_in(&held(&[Cause::Heat, Cause::OverCurrent], 90)));
        assert!(news.is_in(&None) && !news.is_in(&None));
    }

    /// Found in review: the app's loop span for ever on the closed channel.
    #[test]
    fn a_gauge_that_dies_closes_its_channel() {
        let dies = || -> Option<Held> { panic!("a driver in trouble") };
        let throttle = Throttle::watch(move || Some(dies)).expect("a thread");
        throttle.told.recv().expect_err("nobody is there to tell");
        let silent = Throttle::watch(|| None::<fn() -> Option<Held>>).expect("a thread");
        assert_eq!(silent.told.try_recv(), Err(crossbeam_channel::TryRecvError::Empty));
    }

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
