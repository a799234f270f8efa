//! Firmware of an edge box. One frame's journey, top to bottom:
//!
//! 1. [`camera::pipeline`]: source → parse → decoder → appsink, one buffer at most.
//! 2. [`camera::feed`]: is the frame due? It becomes a [`frame::Frame`] with its capture time.
//! 3. [`camera::latest`]: one slot per stream; a newer frame replaces an unread one, counted.
//! 4. [`detect`]: the inference thread takes the oldest waiting frame of all streams.
//! 5. `vigia_accel::preprocess`: decoded YUV straight into the engine's input tensor.
//! 6. [`detect::engine`]: OpenVINO or rten, as many requests in flight as it has slots.
//! 7. `vigia_core::detection`: head, suppression, camera pixels, tracker.
#![forbid(unsafe_code)]

pub mod app;
pub mod bench;
pub mod camera;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod detect;
pub mod engines;
pub mod fire;
pub mod frame;
pub mod golden;
pub mod link;
pub mod liveness;
pub mod logging;
pub mod model;
pub mod mqtt;
pub mod notify;
pub mod provision;
pub mod selftest;
pub mod support;
pub mod telemetry;
pub mod throttle;
pub mod update;
pub mod watch;
pub mod wire;
