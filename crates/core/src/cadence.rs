//! How often: which frames of a stream are due, and which need not even be decoded.

use core::time::Duration;

use crate::time::Instant;

/// Most that a frame may be early and still be taken.
pub const EARLY_MAX: Duration = Duration::from_millis(50);

/// Picks the frames of one stream so that no more than `max_fps` are processed on average.
///
/// The schedule is absolute: a frame that comes a little early or late does not shift the
/// next one, so a 10 fps camera with jitter still gives 10 fps at `max_fps` 10.
#[derive(Debug, Clone)]
pub struct Cadence {
    interval: Duration,
    due: Option<Instant>,
}

impl Cadence {
    /// `max_fps`: frames per second, above 0; fractions are fine (0.05 is one in 20 s).
    #[must_use]
    pub fn new(max_fps: f64) -> Self {
        Self { interval: interval_of(max_fps), due: None }
    }

    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Another rate from now on, counted from the last frame taken: a stream that gets faster does
    /// not wait out its old interval.
    pub fn set_max_fps(&mut self, max_fps: f64) {
        let interval = interval_of(max_fps);
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        self.due = self.due.map(|due| Instant(due.0.saturating_sub(nanos(self.interval))).after(interval));
        self.interval = interval;
    }

    /// Whether a frame captured at `now` is due. A little early (an eighth of the interval, at
    /// most [`EARLY_MAX`]) is in time.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| now.after((self.interval / 8).min(EARLY_MAX)) >= due)
    }

    /// Takes the frame captured at `now` if it is due.
    pub fn take(&mut self, now: Instant) -> bool {
        if !self.is_due(now) {
            return false;
        }
        let planned = self.due.unwrap_or(now).after(self.interval);
        // More than an interval late: start a new schedule instead of catching up in a burst.
        self.due = Some(if planned <= now { now.after(self.interval) } else { planned });
        true
    }
}

fn interval_of(max_fps: f64) -> Duration {
    Duration::try_from_secs_f64(1.0 / max_fps).unwrap_or(Duration::MAX)
}

/// What to do with an encoded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Decode,
    Drop,
}

/// Keeps frames nobody will look at away from the decoder.
///
/// A slow stream (interval at least as long as the distance between keyframes) needs only the
/// first keyframe after each due time, and the few frames behind it that make the decoder hand
/// it out. The gate opens at that keyframe and closes when a picture has come out. A stream
/// that is faster than its keyframes needs everything.
#[derive(Debug, Clone, Default)]
pub struct KeyframeGate {
    last_key: Option<Instant>,
    distance: Option<Duration>,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// No keyframe yet: nothing can be decoded.
    #[default]
    Waiting,
    Everything,
    Open,
    Closed,
}

impl KeyframeGate {
    /// An encoded frame arrived at `now`.
    pub fn encoded(&mut self, now: Instant, key: bool, cadence: &Cadence) -> Verdict {
        if key {
            if let Some(last) = self.last_key {
                self.distance = Some(now.since(last));
            }
            self.last_key = Some(now);
            let slow = self.distance.is_some_and(|d| cadence.interval() >= d);
            self.mode = match (slow, cadence.is_due(now)) {
                (false, _) => Mode::Everything,
                (true, true) => Mode::Open,
                (true, false) if self.mode == Mode::Open => Mode::Open,
                (true, false) => Mode::Closed,
            };
        }
        match self.mode {
            Mode::Waiting | Mode::Closed => Verdict::Drop,
            Mode::Everything | Mode::Open => Verdict::Decode,
        }
    }

    /// A picture came out of the decoder and was taken.
    pub fn taken(&mut self) {
        if self.mode == Mode::Open {
            self.mode = Mode::Closed;
        }
    }

    /// Whether encoded frames pass at present.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self.mode, Mode::Everything | Mode::Open)
    }

    /// Whether frames are being kept from the decoder, so that old ones may be left in it.
    #[must_use]
    pub fn skips(&self) -> bool {
        matches!(self.mode, Mode::Open | Mode::Closed)
    }

    /// Whether no keyframe has come yet.
    #[must_use]
    pub fn waits_for_keyframe(&self) -> bool {
        self.mode == Mode::Waiting
    }
}

/// How long a source may send nothing before it counts as silent: three frame intervals or
/// `least`, whichever is longer.
#[must_use]
pub fn silence_limit(frame_interval: Option<Duration>, least: Duration) -> Duration {
    frame_interval.map_or(least, |i| (i * 3).max(least))
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive times")]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant(n * 1_000_000)
    }

    fn taken(camera_fps: f64, jitter_ms: u64, max_fps: f64, seconds: f64) -> u64 {
        let mut cadence = Cadence::new(max_fps);
        let mut count = 0;
        let frames = (camera_fps * seconds) as u32;
        for i in 0..frames {
            let t = (f64::from(i) * 1000.0 / camera_fps) as u64 + u64::from(i * 7 % 5) * jitter_ms / 4;
            count += u64::from(cadence.take(ms(t)));
        }
        count
    }

    #[test]
    fn the_rate_is_kept_whatever_the_camera_does() {
        // camera fps, jitter ms, max_fps, seconds, frames expected (+-1)
        for (camera, jitter, max, seconds, want) in [
            (25.0, 0, 1.0, 60.0, 60),
            (10.0, 8, 10.0, 60.0, 600),
            (25.0, 10, 5.0, 60.0, 300),
            (30.0, 10, 0.05, 200.0, 10),
            (15.0, 0, 100.0, 10.0, 150),
            (12.0, 20, 2.0, 60.0, 120),
        ] {
            let got = taken(camera, jitter, max, seconds);
            assert!(got.abs_diff(want) <= 1, "{camera} fps, max {max}: {got}, want {want}");
        }
    }

    /// Spec nvr 2.6: `set_fps` is live.
    #[test]
    fn a_new_rate_counts_from_the_last_frame_taken() {
        // from, to, at once; when the next frame is due after the one taken at 0
        for (from, to, due_ms) in [(0.05, 10.0, 100), (10.0, 0.5, 2_000), (1.0, 1.0, 1_000)] {
            let mut cadence = Cadence::new(from);
            assert!(cadence.take(ms(0)));
            cadence.set_max_fps(to);
            let first = (1..30_000).find(|t| cadence.is_due(ms(*t)));
            let early = (due_ms / 8).min(50);
            assert_eq!(first, Some(due_ms - early), "{from} -> {to}");
        }
    }

    #[test]
    fn a_late_frame_makes_no_burst() {
        let mut c = Cadence::new(1.0);
        let times = [0, 5_000, 5_100, 5_500, 6_000];
        let got = times.map(|t| c.take(ms(t)));
        assert_eq!(got, [true, true, false, false, true]);
    }

    /// Frames decoded and taken in `seconds` of a camera with a keyframe every `gop` frames and
    /// a decoder that hands a picture out `delay` frames later.
    fn decoded(fps: u64, gop: u64, max_fps: f64, delay: u64, seconds: u64) -> (u64, u64) {
        let (mut gate, mut cadence) = (KeyframeGate::default(), Cadence::new(max_fps));
        let (mut decoded, mut taken, mut inside) = (0, 0, 0);
        for i in 0..fps * seconds {
            let now = ms(i * 1000 / fps);
            if gate.encoded(now, i % gop == 0, &cadence) == Verdict::Decode {
                decoded += 1;
                inside += 1;
                if inside > delay && cadence.take(now) {
                    gate.taken();
                    taken += 1;
                    inside = 0;
                }
            }
        }
        (decoded, taken)
    }

    #[test]
    fn a_slow_stream_decodes_little() {
        // 25 fps, keyframe each 2 s, one frame per 20 s for 200 s.
        let (decoded, taken) = decoded(25, 50, 0.05, 2, 200);
        assert_eq!(taken, 10);
        // The first two seconds teach the distance between keyframes, after that 3 frames each.
        assert!(decoded <= 50 + 10 * 3, "{decoded}");
    }

    #[test]
    fn a_fast_stream_decodes_everything_from_the_first_keyframe() {
        assert_eq!(self::decoded(25, 50, 5.0, 0, 10), (250, 50));
        let mut gate = KeyframeGate::default();
        let cadence = Cadence::new(25.0);
        assert_eq!(gate.encoded(ms(0), false, &cadence), Verdict::Drop);
        assert!(gate.waits_for_keyframe());
        assert_eq!(gate.encoded(ms(40), true, &cadence), Verdict::Decode);
        assert_eq!(gate.encoded(ms(80), false, &cadence), Verdict::Decode);
    }

    #[test]
    fn keyframes_that_drift_apart_bring_full_decoding_back() {
        let mut gate = KeyframeGate::default();
        let mut cadence = Cadence::new(0.5);
        for t in [0, 1000, 2000] {
            let _ = gate.encoded(ms(t), true, &cadence);
            if cadence.take(ms(t)) {
                gate.taken();
            }
        }
        assert_eq!(gate.encoded(ms(2040), false, &cadence), Verdict::Drop);
        assert_eq!(gate.encoded(ms(9000), true, &cadence), Verdict::Decode);
        assert_eq!(gate.encoded(ms(9040), false, &cadence), Verdict::Decode);
    }

    #[test]
    fn silence() {
        let least = Duration::from_secs(1);
        for (interval_ms, want_ms) in [(Some(40), 1000), (Some(1000), 3000), (None, 1000), (Some(334), 1002)]
        {
            let got = silence_limit(interval_ms.map(Duration::from_millis), least);
            assert_eq!(got, Duration::from_millis(want_ms));
        }
    }
}
