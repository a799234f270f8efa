//! Every bound, named, with its unit last. Ranges of spec wildfire 2.6 where it gives one.

use core::time::Duration;

pub const CAMERAS_LEN_MAX: usize = 256;
pub const SECTORS_LEN_MAX: usize = 64;
pub const ZONES_LEN_MAX: usize = 64;
pub const NAME_BYTES_MAX: usize = 64;
pub const NEEDED_MIN: i64 = 1;
pub const NEEDED_MAX: i64 = 10;
/// One camera alone is never believed sooner.
pub const SINGLE_S_MIN: f64 = 3.0;
pub const SINGLE_S_MAX: f64 = 300.0;
pub const WINDOW_S_MIN: f64 = 10.0;
pub const WINDOW_S_MAX: f64 = 300.0;
pub const COOLDOWN_S_MAX: f64 = 3600.0;
pub const GROWTH_MIN: f64 = 1.0;
pub const GROWTH_MAX: f64 = 5.0;
pub const SAMPLES_MIN: i64 = 1;
pub const SAMPLES_MAX: i64 = 10;
/// A burst of messages is no growth (K26).
pub const SPAN_S_MIN: f64 = 1.0;
pub const SPAN_S_MAX: f64 = 60.0;
pub const KEEP_S_MAX: f64 = 3600.0;
pub const LAPSE_S_MIN: f64 = 1.0;
pub const LAPSE_S_MAX: f64 = 300.0;
pub const LARGE_S_MIN: f64 = 3.0;
pub const LARGE_S_MAX: f64 = 120.0;
pub const TIMEOUT_S_MIN: f64 = 10.0;
pub const TIMEOUT_S_MAX: f64 = 600.0;
pub const BLIND_S_MAX: f64 = 600.0;
pub const HEARTBEAT_S_MIN: f64 = 1.0;
pub const HEARTBEAT_S_MAX: f64 = 60.0;
pub const FRAME_PX_MIN: i64 = 16;
pub const FRAME_PX_MAX: i64 = 65_535;

/// Oldest detection that counts, from its capture on.
pub const AGE_MAX: Duration = Duration::from_secs(2);
/// Objects followed per camera. Beyond it the one with the least behind it makes room, and never
/// one that votes for one that does not.
pub const OBJECTS_LEN_MAX: usize = 32;
/// How long a decided vote may stand without being looked at anew.
pub const RECHECK: Duration = Duration::from_millis(200);
/// An unacknowledged fire is announced again this often (C1).
pub const REPEAT: Duration = Duration::from_secs(1);
/// The most time that may pass between two calls of `step`.
pub const STEP_MAX: Duration = Duration::from_secs(1);
