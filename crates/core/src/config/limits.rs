//! Every bound a setting has, named, with its unit last.
//!
//! The schema and the checks read the same constants, so an editor and the firmware
//! agree on what is too large.

pub const STREAMS_LEN_MAX: usize = 256;
pub const FPS_MAX: f64 = 1000.0;
pub const SECONDS_MIN: f64 = 0.01;
pub const SECONDS_MAX: f64 = 3600.0;
pub const METRICS_INTERVAL_S_MAX: f64 = 86_400.0;
pub const PORT_MIN: i64 = 1;
pub const PORT_MAX: i64 = 65_535;
pub const KEEPALIVE_S_MIN: i64 = 5;
pub const KEEPALIVE_S_MAX: i64 = 600;
pub const QUEUE_LEN_MAX_MIN: i64 = 1;
pub const QUEUE_LEN_MAX_MAX: i64 = 100_000;
pub const DETECTIONS_MAX_MIN: i64 = 1;
pub const DETECTIONS_MAX_MAX: i64 = 10_000;
pub const THREADS_MIN: i64 = 1;
pub const THREADS_MAX: i64 = 256;
pub const QOS_MIN: i64 = 0;
pub const QOS_MAX: i64 = 1;
pub const SOURCE_ID_MIN: i64 = 0;
pub const SOURCE_ID_MAX: i64 = 4_294_967_295;
pub const TOPIC_BYTES_MAX: usize = 200;
pub const TEXT_BYTES_MAX: usize = 4096;
pub const INSTANCE_ID_LEN_MAX: usize = 64;
pub const MODEL_NAME_LEN_MAX: usize = 128;
pub const CLASSES_LEN_MAX: usize = 10_000;
pub const KEYS_LEN_MAX: usize = 64;
