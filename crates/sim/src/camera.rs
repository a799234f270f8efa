//! What a camera shows, in which codec, and who may watch.
//!
//! A [`Camera`] is a description; it becomes a stream when a server adds it at a mount.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::SimError;

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

/// A live test picture and how it is encoded.
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

/// What the test picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// A ball that moves on black: changes in every frame, costs few bits.
    Ball,
    /// Colour bars with a patch of noise.
    Bars,
    /// Noise everywhere: the most bits a frame can cost.
    Snow,
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
        let Self { width, height, fps, codec, gop, picture: _ } = self;
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

impl Picture {
    pub(crate) fn nick(self) -> &'static str {
        match self {
            Self::Ball => "ball",
            Self::Bars => "smpte",
            Self::Snow => "snow",
        }
    }
}

impl FromStr for Camera {
    type Err = SimError;

    /// Reads `pattern:1280x720@15:h265:gop=30` (codec and gop optional), or else a file's path.
    fn from_str(spec: &str) -> Result<Self, SimError> {
        let bad = || SimError::BadSpec { spec: spec.to_owned() };
        let Some(pattern) = spec.strip_prefix("pattern:") else {
            return if spec.is_empty() { Err(bad()) } else { Ok(Self::file(spec)) };
        };
        let mut parts = pattern.split(':');
        let (sides, fps) = parts.next().and_then(|p| p.split_once('@')).ok_or_else(bad)?;
        let (width, height) = sides.split_once('x').ok_or_else(bad)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| bad());
        let fps = number(fps)?;
        let mut pattern = Pattern {
            width: number(width)?,
            height: number(height)?,
            fps,
            codec: Codec::H264,
            gop: fps,
            picture: Picture::Ball,
        };
        for part in parts {
            match part {
                "h264" => pattern.codec = Codec::H264,
                "h265" => pattern.codec = Codec::H265,
                "mjpeg" => pattern.codec = Codec::Mjpeg,
                "ball" => pattern.picture = Picture::Ball,
                "bars" => pattern.picture = Picture::Bars,
                "snow" => pattern.picture = Picture::Snow,
                other => pattern.gop = number(other.strip_prefix("gop=").ok_or_else(bad)?)?,
            }
        }
        Ok(pattern.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        let pattern =
            Pattern { width: 1280, height: 720, fps: 15, codec: Codec::H264, gop: 15, picture: Picture::Ball };
        let rows = [
            ("pattern:1280x720@15", Some(pattern.into())),
            ("pattern:1280x720@15:h264", Some(pattern.into())),
            (
                "pattern:1280x720@15:h265:gop=30:snow",
                Some(Pattern { codec: Codec::H265, gop: 30, picture: Picture::Snow, ..pattern }.into()),
            ),
            ("clips/a.mp4", Some(Camera::file("clips/a.mp4"))),
            ("", None),
            ("pattern:", None),
            ("pattern:1280x720", None),
            ("pattern:1280@15", None),
            ("pattern:-1x720@15", None),
            ("pattern:1280x720@15:vp9", None),
            ("pattern:1280x720@15:gop=x", None),
        ];
        for (spec, wanted) in rows {
            assert_eq!(spec.parse::<Camera>().ok(), wanted, "{spec}");
        }
    }

    #[test]
    fn impossible_pictures_are_refused() {
        gst::init().unwrap();
        for spec in [
            "pattern:15x720@15",
            "pattern:1280x721@15",
            "pattern:8000x720@15",
            "pattern:1280x720@0",
            "pattern:1280x720@200",
            "pattern:1280x720@15:gop=0",
            "pattern:2048x720@15:mjpeg",
            "pattern:100x720@15:mjpeg",
        ] {
            let Source::Pattern(pattern) = spec.parse::<Camera>().unwrap().source else { panic!("{spec}") };
            assert!(pattern.checked().is_err(), "{spec}");
        }
    }
}
