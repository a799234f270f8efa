//! Cameras as text: `pattern:1280x720@15:h265:gop=30`, `scene:7:fire:cam=1`, or a file's path.

use std::str::FromStr;

use crate::SimError;
use crate::camera::{Camera, Codec, Pattern, Picture};
use crate::scene::Scene;
use crate::stage::{self, Stage, Where};

/// A rendered scene's picture if nothing else is asked for.
const SCENE_SIZE: (u32, u32) = (640, 360);
const SCENE_FPS: u32 = 8;

impl FromStr for Camera {
    type Err = SimError;

    /// Reads `pattern:WIDTHxHEIGHT@FPS` and more parts, `scene:SEED:PLOT` and more parts, or else a
    /// file's path.
    fn from_str(spec: &str) -> Result<Self, SimError> {
        let read = match spec.split_once(':') {
            Some(("pattern", rest)) => pattern(rest).map(Self::from),
            Some(("scene", rest)) => scene(rest).map(Self::from),
            _ if spec.is_empty() => None,
            _ => Some(Self::file(spec)),
        };
        read.ok_or_else(|| SimError::BadSpec { spec: spec.to_owned() })
    }
}

/// `1280x720@15:h265:gop=30:snow`; all but the size is optional.
fn pattern(text: &str) -> Option<Pattern> {
    let mut parts = text.split(':');
    let (width, height, fps) = size(parts.next()?)?;
    let pattern = Pattern { width, height, fps, codec: Codec::H264, gop: fps, picture: Picture::Ball };
    parts.try_fold(pattern, |pattern, part| {
        let picture = match part {
            "ball" => Picture::Ball,
            "bars" => Picture::Bars,
            "snow" => Picture::Snow,
            _ => return encoding(pattern, part),
        };
        Some(Pattern { picture, ..pattern })
    })
}

/// `7:fire:cam=1:place=yard:960x540@5:h265:gop=30`; seed and plot are needed.
fn scene(text: &str) -> Option<Pattern> {
    let mut parts = text.split(':');
    let seed = parts.next()?.parse().ok()?;
    let mut stage = Stage::new(seed, stage::plot_named(parts.next()?)?);
    let ((width, height), fps) = (SCENE_SIZE, SCENE_FPS);
    let picture = Picture::Scene(stage);
    let mut pattern = Pattern { width, height, fps, codec: Codec::H264, gop: fps, picture };
    for part in parts {
        if let Some(camera) = part.strip_prefix("cam=") {
            stage.camera = camera.parse().ok().filter(|c| *c < Scene::CAMERAS)?;
        } else if let Some(place) = part.strip_prefix("place=") {
            stage.place = Where::At(stage::place_named(place)?);
        } else if part.contains('@') {
            (pattern.width, pattern.height, pattern.fps) = size(part)?;
            pattern.gop = pattern.fps;
        } else {
            pattern = encoding(pattern, part)?;
        }
    }
    Some(Pattern { picture: Picture::Scene(stage), ..pattern })
}

/// `1280x720@15`.
fn size(text: &str) -> Option<(u32, u32, u32)> {
    let (sides, fps) = text.split_once('@')?;
    let (width, height) = stage::sides(sides)?;
    Some((width, height, fps.parse().ok()?))
}

/// A codec or the distance of key frames.
fn encoding(pattern: Pattern, part: &str) -> Option<Pattern> {
    let codec = match part {
        "h264" => Codec::H264,
        "h265" => Codec::H265,
        "mjpeg" => Codec::Mjpeg,
        _ => {
            let gop = part.strip_prefix("gop=")?.parse().ok()?;
            return Some(Pattern { gop, ..pattern });
        }
    };
    Some(Pattern { codec, ..pattern })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Source;
    use crate::scene::Plot;

    #[test]
    fn specs() {
        let pattern = Pattern {
            width: 1280,
            height: 720,
            fps: 15,
            codec: Codec::H264,
            gop: 15,
            picture: Picture::Ball,
        };
        let stage = Stage::new(7, Plot::Fire);
        let rows = [
            ("pattern:1280x720@15", Some(pattern.into())),
            ("pattern:1280x720@15:h264", Some(pattern.into())),
            (
                "pattern:1280x720@15:h265:gop=30:snow",
                Some(Pattern { codec: Codec::H265, gop: 30, picture: Picture::Snow, ..pattern }.into()),
            ),
            ("scene:7:fire", Some(Camera::scene(stage, 640, 360, 8))),
            ("scene:7:fire:cam=1:960x540@5:h265:gop=9", {
                let picture = Picture::Scene(Stage { camera: 1, ..stage });
                let codec = Codec::H265;
                Some(Pattern { width: 960, height: 540, fps: 5, codec, gop: 9, picture }.into())
            }),
            ("scene:7:fire:place=yard", {
                let yard = stage::place_named("yard").unwrap();
                Some(Camera::scene(Stage { place: Where::At(yard), ..stage }, 640, 360, 8))
            }),
            ("clips/a.mp4", Some(Camera::file("clips/a.mp4"))),
            ("", None),
            ("pattern:", None),
            ("pattern:1280x720", None),
            ("pattern:1280@15", None),
            ("pattern:-1x720@15", None),
            ("pattern:1280x720@15:vp9", None),
            ("pattern:1280x720@15:gop=x", None),
            ("pattern:1280x720@15:cam=1", None),
            ("scene:", None),
            ("scene:7", None),
            ("scene:x:fire", None),
            ("scene:7:flood", None),
            ("scene:7:fire:cam=2", None),
            ("scene:7:fire:place=moon", None),
            ("scene:7:fire:ball", None),
            ("scene:7:fire:640x360", None),
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
            "scene:1:quiet:644x360@5",
        ] {
            let Source::Pattern(pattern) = spec.parse::<Camera>().unwrap().source else { panic!("{spec}") };
            assert!(pattern.checked().is_err(), "{spec}");
        }
    }
}
