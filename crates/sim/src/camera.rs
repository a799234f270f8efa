//! What a camera shows, in which codec, and who may watch.
//!
//! A [`Camera`] is a description; it becomes a stream when a server adds it at a mount.

use std::path::{Path, PathBuf};

use crate::SimError;
use crate::stage::Stage;

const SIDE_MIN: u32 = 16;
const SIDE_MAX: u32 = 7680;
const FPS_MAX: u32 = 120;
/// RTP carries a JPEG's sides in blocks of eight, one byte each; the payloader refuses 2048.
const JPEG_SIDE_MAX: u32 = 2040;

/// One camera: its picture and, if it asks for one, its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    pub(crate) source: Source,
    pub(crate) login: Option<Login>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Pattern(Pattern),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// A live picture and how it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: Codec,
    /// Frames from one key frame to the next; every JPEG is a key frame whatever this says.
    pub gop: u32,
    pub picture: Picture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
    Mjpeg,
}

/// What a live picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// A ball that moves on black: changes in every frame, costs few bits.
    Ball,
    /// Colour bars with a patch of noise.
    Bars,
    /// Noise everywhere: the most bits a frame can cost.
    Snow,
    /// A rendered scene. Its time counts from when its camera was added to the server, whoever
    /// watches, so that cameras of one scene agree; after [`crate::scene::Scene::LENGTH_S`] it
    /// begins again.
    Scene(Stage),
}

impl Camera {
    /// A clip (MP4 with H.264 or H.265) that plays for ever, as it was encoded.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self { source: Source::File(path.as_ref().to_owned()), login: None }
    }

    /// A moving ball in H.264, with a key frame each second.
    pub fn pattern(width: u32, height: u32, fps: u32) -> Self {
        Pattern { width, height, fps, codec: Codec::H264, gop: fps, picture: Picture::Ball }.into()
    }

    /// A rendered scene in H.264, with a key frame each second.
    pub fn scene(stage: Stage, width: u32, height: u32, fps: u32) -> Self {
        Pattern { width, height, fps, codec: Codec::H264, gop: fps, picture: Picture::Scene(stage) }.into()
    }

    /// The same camera, for this user only (basic or digest); all others get 401.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: &str) -> Self {
        self.login = Some(Login { user: user.to_owned(), password: password.to_owned() });
        self
    }

    /// The same camera with another codec. A clip keeps the codec it has.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        if let Source::Pattern(pattern) = &mut self.source {
            pattern.codec = codec;
        }
        self
    }
}

impl From<Pattern> for Camera {
    fn from(pattern: Pattern) -> Self {
        Self { source: Source::Pattern(pattern), login: None }
    }
}

impl Pattern {
    /// Says why nobody could encode this, or hands it back.
    pub(crate) fn checked(self) -> Result<Self, SimError> {
        let Self { width, height, fps, codec, gop, picture } = self;
        let refuse = |what| Err(SimError::Pattern { width, height, fps, what });
        for side in [width, height] {
            if !(SIDE_MIN..=SIDE_MAX).contains(&side) {
                return refuse("a side must be from 16 to 7680 pixels");
            }
            if side % 2 != 0 {
                return refuse("a side must be even");
            }
            if codec == Codec::Mjpeg && (side > JPEG_SIDE_MAX || side % 8 != 0) {
                return refuse("JPEG over RTP needs sides that are multiples of 8 and at most 2040");
            }
        }
        if matches!(picture, Picture::Scene(_)) && width % 8 != 0 {
            return refuse("the width of a rendered scene must be a multiple of 8");
        }
        if fps == 0 || fps > FPS_MAX {
            return refuse("the rate must be from 1 to 120");
        }
        if gop == 0 || i32::try_from(gop).is_err() {
            return refuse("the distance of key frames must be at least 1");
        }
        if let Some(element) = codec.elements().into_iter().find(|e| gst::ElementFactory::find(e).is_none()) {
            return Err(SimError::NoElement { element });
        }
        Ok(self)
    }
}

impl Codec {
    fn elements(self) -> Vec<&'static str> {
        match self {
            Self::H264 => vec!["x264enc", "h264parse", "rtph264pay"],
            Self::H265 => vec!["x265enc", "h265parse", "rtph265pay"],
            Self::Mjpeg => vec!["jpegenc", "rtpjpegpay"],
        }
    }

    /// The payloader, as part of a launch line. Parameter sets go out with each key frame: a
    /// client that joins late has no other chance.
    pub(crate) fn payloader(self) -> &'static str {
        match self {
            Self::H264 => "rtph264pay name=pay0 pt=96 config-interval=-1",
            Self::H265 => "rtph265pay name=pay0 pt=96 config-interval=-1",
            Self::Mjpeg => "rtpjpegpay name=pay0 pt=26",
        }
    }

    /// The form in which access units wait for the payloader. Parameter sets are in the caps, so
    /// that a stream can be described whichever access unit comes first.
    pub(crate) fn caps(self) -> &'static str {
        match self {
            Self::H264 => "video/x-h264,stream-format=avc,alignment=au",
            Self::H265 => "video/x-h265,stream-format=hvc1,alignment=au",
            Self::Mjpeg => "image/jpeg",
        }
    }
}
