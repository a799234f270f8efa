//! How many frames per second one core tracks: `cargo run --release -p vigia-core --example
//! tracker_speed`.
//!
//! Objects of 20..100 px walk a 1920x1080 frame at up to 120 px/s and turn at its borders;
//! boxes jitter by up to 1.5 px, one in 16 is unsure, one in 64 is missed.

use core::time::Duration;

use vigia_core::detection::{BBox, Detection};
use vigia_core::time::Instant;
use vigia_core::tracking::{Tracker, TrackerConfig};

const FRAMES: u32 = 3000;
const FRAME_S: f32 = 1.0 / 30.0;

struct Lcg(u64);

impl Lcg {
    fn bits(&mut self) -> u16 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u16::try_from(self.0 >> 48).unwrap_or(u16::MAX)
    }

    /// Evenly from `low` to `high`.
    fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * f32::from(self.bits()) / 65536.0
    }
}

struct Walker {
    place: [f32; 2],
    speed: [f32; 2],
    width: f32,
}

fn main() {
    println!("{:>8} {:>12} {:>10} {:>8}", "objects", "frames/s", "us/frame", "ids");
    for objects in [10, 100, 500] {
        let mut random = Lcg(1);
        let frames = record(&mut random, objects);
        let (seconds, ids) = time(frames);
        println!(
            "{objects:>8} {:>12.0} {:>10.1} {ids:>8}",
            f64::from(FRAMES) / seconds,
            seconds / f64::from(FRAMES) * 1e6
        );
    }
}

/// All frames beforehand, so that only the tracker is timed.
fn record(random: &mut Lcg, objects: usize) -> Vec<Vec<Detection>> {
    let mut walkers: Vec<_> = (0..objects)
        .map(|_| Walker {
            place: [random.within(0.0, 1920.0), random.within(0.0, 1080.0)],
            speed: [random.within(-120.0, 120.0), random.within(-120.0, 120.0)],
            width: random.within(20.0, 60.0),
        })
        .collect();
    (0..FRAMES).map(|_| walkers.iter_mut().filter_map(|w| walk(w, random)).collect()).collect()
}

fn walk(walker: &mut Walker, random: &mut Lcg) -> Option<Detection> {
    for (axis, end) in [(0, 1920.0), (1, 1080.0)] {
        walker.place[axis] += walker.speed[axis] * FRAME_S;
        if walker.place[axis] < 0.0 || walker.place[axis] > end {
            walker.speed[axis] = -walker.speed[axis];
        }
    }
    let mut jitter = || random.within(-1.5, 1.5);
    let bbox = BBox::from_centre(
        walker.place[0] + jitter(),
        walker.place[1] + jitter(),
        walker.width + jitter(),
        walker.width * 1.7 + jitter(),
    );
    let confidence = if random.bits() < 4096 { 0.3 } else { 0.9 };
    let seen = random.bits() >= 1024;
    seen.then_some(Detection { class_id: 0, confidence, bbox, tracker_id: None })
}

/// Seconds for all frames, and the highest identity given.
#[expect(clippy::disallowed_methods, reason = "a benchmark times")]
fn time(mut frames: Vec<Vec<Detection>>) -> (f64, u32) {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut now = Instant(0);
    let start = std::time::Instant::now();
    for frame in &mut frames {
        now = now.after(Duration::from_secs_f32(FRAME_S));
        tracker.update(now, frame);
    }
    let seconds = start.elapsed().as_secs_f64();
    let ids = frames.iter().flatten().filter_map(|d| d.tracker_id).max().unwrap_or(0);
    (seconds, ids)
}
