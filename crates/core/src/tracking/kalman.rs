//! Where a box will be next: four independent filters of position and speed, one each for
//! centre x, centre y, width and height.
//!
//! ByteTrack's 8x8 covariance stays block-diagonal, since neither its motion nor its noise
//! mixes coordinates, so four 2x2 blocks give the same answer for a fraction of the work. Its
//! noise is per frame, at 30 frames/s; here it is per second, so predicting twice for half the
//! time is predicting once. Speed fades over seconds: what an object did 20 s ago says little
//! about what it does now. At 30 frames/s that is a constant speed, at 0.05 it is standing still.

use core::time::Duration;

use crate::detection::BBox;

/// Error of a measured coordinate, as a share of the object's size (ByteTrack: 1/20).
const MEASURE_STD: f32 = 1.0 / 20.0;
/// Error of the first position, as a share of the size (ByteTrack: twice a measurement's).
const FIRST_PLACE_STD: f32 = 2.0 * MEASURE_STD;
/// Likely first speed in sizes per second (ByteTrack: 10/160 sizes per frame).
const FIRST_SPEED_STD: f32 = 30.0 * 10.0 / 160.0;
/// How uncertain a place grows, in sizes squared per second (ByteTrack: 1/20 per frame).
const PLACE_NOISE: f64 = 30.0 * (1.0 / 20.0) * (1.0 / 20.0);
/// How uncertain a speed grows, in (sizes/s) squared per second (ByteTrack: 1/160 per frame).
const SPEED_NOISE: f64 = 30.0 * (30.0 / 160.0) * (30.0 / 160.0);
/// Time in which a centre's speed fades to 37 %, in seconds.
const MOVING_MEMORY_S: f64 = 4.0;
/// Time in which a growth rate fades to 37 %, in seconds. Short: limbs swing, people stay.
const GROWING_MEMORY_S: f64 = 0.5;
/// Least share of its size that a box keeps in one prediction; keeps sizes above zero.
const SHRINK_MIN: f32 = 0.5;

/// What a span of time does to any filter. The same for all objects of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elapsed {
    moving: Motion,
    growing: Motion,
}

impl Elapsed {
    pub(super) fn new(time: Duration) -> Self {
        let time_s = time.as_secs_f64();
        Self { moving: Motion::new(time_s, MOVING_MEMORY_S), growing: Motion::new(time_s, GROWING_MEMORY_S) }
    }
}

/// The transition of place and speed, and the noise it adds to an object of size 1.
#[derive(Debug, Clone, Copy)]
struct Motion {
    /// Seconds of travel at the present speed.
    travel_s: f32,
    /// Share of the speed that remains, 0..=1.
    kept: f32,
    place_noise: f32,
    shared_noise: f32,
    speed_noise: f32,
}

impl Motion {
    /// An Ornstein-Uhlenbeck speed, integrated exactly. f64: small steps cancel to a cube.
    fn new(time_s: f64, memory_s: f64) -> Self {
        let steps = time_s / memory_s;
        let faded = -libm::expm1(-steps);
        let drift = memory_s * memory_s * memory_s * (steps - faded - faded * faded / 2.0).max(0.0);
        Self {
            travel_s: narrow(memory_s * faded),
            kept: narrow(1.0 - faded),
            place_noise: narrow(PLACE_NOISE * time_s + SPEED_NOISE * drift),
            shared_noise: narrow(SPEED_NOISE * memory_s * memory_s * faded * faded / 2.0),
            speed_noise: narrow(SPEED_NOISE * memory_s * faded * (2.0 - faded) / 2.0),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds; all values are far inside f32's range")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// One coordinate: an estimate and its 2x2 covariance.
#[derive(Debug, Clone, Copy)]
struct Axis {
    /// Pixels.
    place: f32,
    /// Pixels per second.
    speed: f32,
    place_var: f32,
    shared_var: f32,
    speed_var: f32,
}

impl Axis {
    /// `size`: of the object along this axis, in pixels, above 0. All noise is relative to it.
    fn new(place: f32, size: f32) -> Self {
        let place_std = FIRST_PLACE_STD * size;
        let speed_std = FIRST_SPEED_STD * size;
        Self {
            place,
            speed: 0.0,
            place_var: place_std * place_std,
            shared_var: 0.0,
            speed_var: speed_std * speed_std,
        }
    }

    fn predict(&mut self, motion: &Motion, size: f32) {
        let Motion { travel_s, kept, place_noise, shared_noise, speed_noise } = *motion;
        let scale = size * size;
        self.place += travel_s * self.speed;
        self.speed *= kept;
        self.place_var +=
            travel_s * (2.0 * self.shared_var + travel_s * self.speed_var) + place_noise * scale;
        self.shared_var = kept * (self.shared_var + travel_s * self.speed_var) + shared_noise * scale;
        self.speed_var = kept * kept * self.speed_var + speed_noise * scale;
    }

    fn correct(&mut self, measured: f32, size: f32) {
        let noise = (MEASURE_STD * size) * (MEASURE_STD * size);
        // Above zero but for sizes whose square underflows; then the measurement is the truth.
        let total = (self.place_var + noise).max(f32::MIN_POSITIVE);
        let surprise = measured - self.place;
        let speed_gain = self.shared_var / total;
        let left = noise / total;
        self.place = measured - left * surprise;
        self.speed += speed_gain * surprise;
        self.speed_var = (self.speed_var - speed_gain * self.shared_var).max(0.0);
        self.place_var *= left;
        self.shared_var *= left;
    }
}

/// Estimate of one object's box and of how it moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    x: Axis,
    y: Axis,
    width: Axis,
    height: Axis,
}

impl Filter {
    /// A box first seen, not known to move. Its width and height are above 0.
    pub(super) fn new(bbox: &BBox) -> Self {
        let (x, y) = bbox.centre();
        let (width, height) = (bbox.width(), bbox.height());
        Self {
            x: Axis::new(x, width),
            y: Axis::new(y, height),
            width: Axis::new(width, width),
            height: Axis::new(height, height),
        }
    }

    pub(super) fn predict(&mut self, elapsed: &Elapsed) {
        let (width, height) = (self.width.place, self.height.place);
        self.x.predict(&elapsed.moving, width);
        self.y.predict(&elapsed.moving, height);
        self.width.predict(&elapsed.growing, width);
        self.height.predict(&elapsed.growing, height);
        self.width.place = self.width.place.max(width * SHRINK_MIN);
        self.height.place = self.height.place.max(height * SHRINK_MIN);
    }

    pub(super) fn correct(&mut self, bbox: &BBox) {
        let (x, y) = bbox.centre();
        let (width, height) = (self.width.place, self.height.place);
        self.x.correct(x, width);
        self.y.correct(y, height);
        self.width.correct(bbox.width(), width);
        self.height.correct(bbox.height(), height);
    }

    /// From here on the size is as it is; an unseen object that shrinks on would vanish.
    pub(super) fn stop_growing(&mut self) {
        self.width.speed = 0.0;
        self.height.speed = 0.0;
    }

    pub(super) fn bbox(&self) -> BBox {
        BBox::from_centre(self.x.place, self.y.place, self.width.place, self.height.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moving(x: f32) -> BBox {
        BBox::from_centre(x, 200.0, 40.0, 100.0)
    }

    #[test]
    fn learns_the_speed_at_any_rate() {
        for (fps, frames) in [(30u16, 60u16), (10, 30), (2, 10)] {
            let elapsed = Elapsed::new(Duration::from_secs(1) / u32::from(fps));
            let mut filter = Filter::new(&moving(0.0));
            for i in 1..=frames {
                filter.predict(&elapsed);
                filter.correct(&moving(60.0 * f32::from(i) / f32::from(fps)));
            }
            assert!((filter.x.speed - 60.0).abs() < 8.0, "{fps} fps: {} px/s", filter.x.speed);
            assert!(filter.y.speed.abs() < 0.1);
        }
    }

    #[test]
    fn many_short_steps_are_one_long_step() {
        let mut once = Filter::new(&moving(0.0));
        once.predict(&Elapsed::new(Duration::from_millis(100)));
        once.correct(&moving(10.0));
        let mut often = once;
        once.predict(&Elapsed::new(Duration::from_secs(1)));
        for _ in 0..50 {
            often.predict(&Elapsed::new(Duration::from_millis(20)));
        }
        for (a, b) in [
            (once.x.place, often.x.place),
            (once.x.speed, often.x.speed),
            (once.x.place_var, often.x.place_var),
            (once.x.shared_var, often.x.shared_var),
            (once.x.speed_var, often.x.speed_var),
        ] {
            assert!((a - b).abs() <= 1e-3 * a.abs(), "{a} {b}");
        }
    }

    #[test]
    fn after_long_silence_the_measurement_wins_and_speed_is_forgotten() {
        let mut filter = Filter::new(&moving(0.0));
        for i in 1..=30u8 {
            filter.predict(&Elapsed::new(Duration::from_millis(33)));
            filter.correct(&moving(f32::from(i)));
        }
        filter.predict(&Elapsed::new(Duration::from_secs(20)));
        assert!(filter.x.speed.abs() < 0.3);
        filter.correct(&moving(35.0));
        assert!((filter.x.place - 35.0).abs() < 1.0);
    }

    #[test]
    fn sizes_stay_above_zero() {
        let mut filter = Filter::new(&moving(0.0));
        for width in [30.0, 20.0, 10.0, 1.0, 0.1] {
            filter.predict(&Elapsed::new(Duration::from_millis(33)));
            filter.correct(&BBox::from_centre(0.0, 0.0, width, width));
        }
        for seconds in [0, 1, 1000, u64::MAX] {
            filter.predict(&Elapsed::new(Duration::from_secs(seconds)));
            assert!(filter.bbox().width() > 0.0 && filter.bbox().height() > 0.0);
            assert!(filter.bbox().area().is_finite());
        }
    }
}
