//! The world vigia is tested in: RTSP cameras, the faults they have, and the network between; and
//! a pump with its tank, engine and wiring, under virtual time.
//!
//! - [`plant`]: a simulated plant, pure and seeded, with every fault in the book.
//! - [`trial`]: a whole simulated box from a seed: cameras, consensus, link, pump, plant, people,
//!   crashes; and the checker of the invariants. Any run can be replayed.
//! - [`plot`]: what happened, over time, as SVG.
//!
//! These three need neither clock nor thread nor GStreamer: they are all that remains without the
//! feature `world`, and vigia-pump's tests use them that way. With `world`:
//!
//! `RtspServer` serves cameras on loopback: a clip in an endless loop (`Camera::file`), a test
//! picture (`Camera::pattern`) or a rendered `scene` (`Camera::scene`), with logins and TLS. Each
//! `Mount` can stall, send garbage or change its resolution while clients watch. `TcpProxy` stands
//! between a client and a server and breaks the network: stalls, refusals, resets, silence,
//! garbage, delay.
//!
//! `live` starts all that a whole box needs (broker, cameras, pump program, vigia), for the demo and
//! the [drill](drill): from the light of a fire to water, measured.
//!
//! Nothing of the world ships, and nothing in the cameras knows vigia: what vigia makes of a fault is for
//! the tests to say.
#![forbid(unsafe_code)]

pub mod plant;
pub mod plot;
pub mod trial;
#[cfg(feature = "lines")]
pub mod vm;

#[cfg(feature = "world")]
mod world {
    pub use crate::camera::{Camera, Codec, Pattern, Picture};
    pub use crate::departure::Departure;
    pub use crate::mount::Mount;
    pub use crate::proxy::{Counters, Mode, TcpProxy};
    pub use crate::rtsp::RtspServer;
}
#[cfg(feature = "world")]
use std::{io, net::SocketAddr, path::PathBuf};

#[cfg(feature = "world")]
mod camera;
#[cfg(feature = "world")]
mod clip;
#[cfg(feature = "world")]
pub mod crew;
#[cfg(feature = "world")]
pub mod dataset;
#[cfg(feature = "world")]
mod departure;
#[cfg(feature = "world")]
pub mod drill;
#[cfg(feature = "world")]
mod encoder;
#[cfg(feature = "world")]
mod feed;
#[cfg(feature = "world")]
pub mod live;
#[cfg(feature = "world")]
mod mount;
#[cfg(feature = "world")]
pub mod onnx;
#[cfg(feature = "world")]
mod painter;
#[cfg(feature = "world")]
mod proxy;
#[cfg(feature = "world")]
mod pump;
#[cfg(feature = "world")]
mod rtsp;
#[cfg(feature = "world")]
pub mod scene;
#[cfg(feature = "world")]
pub mod sheet;
#[cfg(feature = "world")]
mod spec;
#[cfg(feature = "world")]
pub mod stage;
#[cfg(feature = "world")]
pub mod video;
#[cfg(feature = "world")]
pub mod yuv;
#[cfg(feature = "world")]
pub use world::*;

/// What keeps a camera, a server or a proxy from existing.
#[cfg(feature = "world")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    #[error("cannot start GStreamer: {0}")]
    Init(#[source] gst::glib::Error),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot serve RTSP on {address}: {what}")]
    Serve { address: SocketAddr, what: String },
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    #[error("cannot make a TLS certificate: {what}")]
    Tls { what: String },
    #[error("mount {mount:?} must start with '/' and have no blank in it and no '/' at its end")]
    BadMount { mount: String },
    #[error("mount {mount} is already taken")]
    MountTaken { mount: String },
    #[error("there is no mount {mount}")]
    NoMount { mount: String },
    #[error("user {user} already has another password on this server")]
    LoginTaken { user: String },
    #[error("cannot read clip {}: {source}", path.display())]
    ClipRead { path: PathBuf, source: io::Error },
    #[error("cannot play clip {}: {what}", path.display())]
    Clip { path: PathBuf, what: String },
    #[error("cannot make a {width}x{height} picture at {fps} frames per second: {what}")]
    Pattern { width: u32, height: u32, fps: u32, what: &'static str },
    #[error(
        "camera {spec:?} is neither a file nor pattern:WIDTHxHEIGHT@FPS[:h264|h265|mjpeg][:gop=N] \
         nor scene:SEED:fire|friends|quiet[:cam=0|1][:place=NAME][:WIDTHxHEIGHT@FPS]"
    )]
    BadSpec { spec: String },
    #[error("cannot write the video {}: {what}", path.display())]
    Video { path: PathBuf, what: String },
    #[error("the GStreamer element {element} is not installed")]
    NoElement { element: &'static str },
    #[error("mount {mount} plays a clip, whose resolution is what it is")]
    FixedResolution { mount: String },
}
