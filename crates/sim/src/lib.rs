//! The world vigia is tested in: RTSP cameras, the faults they have, and the network between.
//!
//! [`RtspServer`] serves cameras on loopback: a clip in an endless loop ([`Camera::file`]), a test
//! picture ([`Camera::pattern`]) or a rendered [`scene`] ([`Camera::scene`]), with logins and TLS. Each [`Mount`] can stall, send garbage
//! or change its resolution while clients watch. [`TcpProxy`] stands between a client and a server
//! and breaks the network: stalls, refusals, resets, silence, garbage, delay.
//!
//! Nothing here ships, and nothing here knows vigia: what vigia makes of a fault is for the tests
//! to say. No model of fire, pump or plant either; those are pure and live in the core's tests.
#![forbid(unsafe_code)]

use std::{io, net::SocketAddr, path::PathBuf};

mod camera;
mod clip;
pub mod crew;
pub mod dataset;
mod encoder;
mod feed;
mod mount;
mod painter;
mod proxy;
mod pump;
mod rtsp;
pub mod scene;
pub mod sheet;
mod spec;
pub mod stage;
pub mod video;
pub mod yuv;

pub use camera::{Camera, Codec, Pattern, Picture};
pub use mount::Mount;
pub use proxy::{Counters, Mode, TcpProxy};
pub use rtsp::RtspServer;

/// What keeps a camera, a server or a proxy from existing.
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
