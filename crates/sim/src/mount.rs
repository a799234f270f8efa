//! One camera of a server: what tests turn, and how a stream of it is put together.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering, mpsc};

use gst::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMediaFactory, prelude::*};

use crate::{
    Camera, Pattern, SimError,
    camera::{Codec, Login, Source},
    clip::Clip,
    departure::{self, Departure},
    feed::{Feeder, Knobs, Reel},
};

/// Offset and stride of the bytes that garbage flips in an RTP packet: its header, and the NAL
/// unit header after it, survive, so that the damage reaches the decoder.
const GARBAGE_FROM: usize = 14;
const GARBAGE_STEP: usize = 11;
/// What one stream may queue before it drops its oldest unit (a client that doesn't read).
const QUEUED_UNITS_MAX: u32 = 240;

/// One camera of a running server. Clones turn the same knobs.
#[derive(Clone, Debug)]
pub struct Mount {
    path: String,
    url: String,
    login: Option<Login>,
    reel: Arc<Reel>,
    knobs: Arc<Knobs>,
}

impl Mount {
    pub(crate) fn new(path: &str, url: String, camera: Camera) -> Result<Self, SimError> {
        let (reel, resolution) = match camera.source {
            Source::File(file) => (Reel::Clip(Clip::load(&file)?), None),
            Source::Pattern(pattern) => {
                let pattern = pattern.checked()?;
                (Reel::Pattern(pattern), Some((pattern.width, pattern.height)))
            }
        };
        Ok(Self {
            path: path.to_owned(),
            url,
            login: camera.login,
            reel: Arc::new(reel),
            knobs: Arc::new(Knobs::new(resolution)),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL with user and password in it, if the camera asks for them.
    pub fn url_with_login(&self) -> String {
        match &self.login {
            Some(Login { user, password }) => self.url.replacen("://", &format!("://{user}:{password}@"), 1),
            None => self.url.clone(),
        }
    }

    /// Stops the media but not the session, or goes on with it.
    pub fn set_stall(&self, on: bool) {
        self.knobs.set_stall(on);
    }

    /// Damages the payload of every RTP packet while on.
    pub fn set_garbage(&self, on: bool) {
        self.knobs.garbage.store(on, Ordering::SeqCst);
    }

    /// Changes the resolution of a pattern in the middle of its stream, or before it.
    pub fn set_resolution(&self, width: u32, height: u32) -> Result<(), SimError> {
        let Reel::Pattern(pattern) = &*self.reel else {
            return Err(SimError::FixedResolution { mount: self.path.clone() });
        };
        Pattern { width, height, ..*pattern }.checked()?;
        self.knobs.set_resolution(width, height);
        Ok(())
    }

    /// Access units that this camera has sent into streams so far.
    pub fn units_fed(&self) -> u64 {
        self.knobs.units_fed.load(Ordering::Relaxed)
    }

    /// Shows the first second of a rendered scene again and again, until [`Mount::begin_scene`].
    pub fn hold_scene(&self) {
        self.knobs.begin(true);
    }

    /// A rendered scene begins now.
    pub fn begin_scene(&self) {
        self.knobs.begin(false);
    }

    /// From now on each frame of a rendered scene, when its first packet leaves. Whoever asked before
    /// hears nothing more.
    pub fn departures(&self) -> mpsc::Receiver<Departure> {
        self.knobs.departures.watch()
    }

    pub(crate) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// What makes a stream of this camera. Who may have one is the server's to say.
    pub(crate) fn factory(&self) -> RTSPMediaFactory {
        let codec = match &*self.reel {
            Reel::Clip(clip) => clip.codec,
            Reel::Pattern(pattern) => pattern.codec,
        };
        let factory = RTSPMediaFactory::new();
        factory.set_shared(true);
        factory.set_clock(Some(&gst::SystemClock::obtain()));
        factory.set_launch(&line(codec));
        let (reel, knobs) = (Arc::clone(&self.reel), Arc::clone(&self.knobs));
        factory.connect_media_configure(move |_, media| configure(media, &reel, &knobs));
        factory
    }
}

fn line(codec: Codec) -> String {
    format!(
        "( appsrc name=src is-live=true format=time max-bytes=0 max-buffers={QUEUED_UNITS_MAX} \
         leaky-type=downstream ! {} )",
        codec.payloader()
    )
}

/// Gives a new stream its feeder and its faults.
fn configure(media: &RTSPMedia, reel: &Arc<Reel>, knobs: &Arc<Knobs>) {
    let bin = media.element().downcast::<gst::Bin>().expect("a launch line in parentheses makes a bin");
    let appsrc = bin.by_name("src").and_then(|e| e.downcast::<gst_app::AppSrc>().ok());
    let appsrc = appsrc.expect("the launch line has an appsrc");
    let exit = bin.by_name("pay0").and_then(|e| e.static_pad("src"));
    let exit = exit.expect("the launch line has a payloader");
    spoil(&exit, Arc::clone(knobs));
    departure::note(&exit, Arc::clone(knobs));
    match Feeder::start(appsrc.clone(), Arc::clone(reel), Arc::clone(knobs)) {
        Ok(feeder) => {
            let feeder = Mutex::new(Some(feeder));
            media.connect_unprepared(move |_| {
                drop(feeder.lock().unwrap_or_else(PoisonError::into_inner).take());
            });
        }
        Err(error) => gst::element_error!(appsrc, gst::ResourceError::Failed, ["{}", error]),
    }
}

/// Whether a stream has begun while its camera is stalled. Such a stream gets its first packet and
/// no other: without one the server could not describe it, with more the client would see a frame.
enum Opening {
    Shut,
    Ajar,
    Open,
}

/// Makes the packets that leave this pad suffer what the knobs say.
fn spoil(pad: &gst::Pad, knobs: Arc<Knobs>) {
    let opening = Mutex::new(Opening::Shut);
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(kinds, move |_, info| {
        let mut opening = opening.lock().unwrap_or_else(PoisonError::into_inner);
        match *opening {
            _ if !knobs.is_stalled() => *opening = Opening::Open,
            Opening::Shut => {
                *opening = Opening::Ajar;
                if let Some(packets) = info.buffer_list_mut() {
                    packets.make_mut().remove(1..);
                }
            }
            Opening::Ajar => return gst::PadProbeReturn::Drop,
            // A stall in mid-stream is the feeder's: it keeps whole units back, without a gap.
            Opening::Open => (),
        }
        if knobs.garbage.load(Ordering::SeqCst) {
            if let Some(packet) = info.buffer_mut() {
                damage(packet.make_mut());
            } else if let Some(packets) = info.buffer_list_mut() {
                let packets = packets.make_mut();
                (0..packets.len()).for_each(|i| packets.get_mut(i).into_iter().for_each(damage));
            }
        }
        gst::PadProbeReturn::Ok
    });
}

fn damage(packet: &mut gst::BufferRef) {
    // A packet that can't be mapped stays whole; the next one will do.
    if let Ok(mut map) = packet.map_writable() {
        for byte in map.iter_mut().skip(GARBAGE_FROM).step_by(GARBAGE_STEP) {
            *byte ^= 0x5a;
        }
    }
}
