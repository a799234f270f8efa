//! Each codec through the camera's own pipeline: `videotestsrc pattern=ball`, 16 pictures, in Matroska.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::unbounded;
use serde_json::json;
use vigia_core::config::{Config, Pace, Stream, StreamUri, Tracker, Transport};
use vigia_core::stream::StreamState;

use super::{Check, Scratch};
use crate::camera::latest::Latest;
use crate::camera::{Camera, Options, Report};
use crate::clock;
use crate::detect::Detector;
use crate::frame::Surface;

/// Pictures of each clip.
pub const PICTURES: usize = 16;
/// Without a picture, on the slowest box.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether the clip has ended.
const LOOK: Duration = Duration::from_millis(50);

pub const H264: (&str, &[u8]) = ("h264", include_bytes!("clips/h264.mkv"));
const OTHERS: [(&str, &[u8]); 2] =
    [("h265", include_bytes!("clips/h265.mkv")), ("jpeg", include_bytes!("clips/jpeg.mkv"))];

pub fn check(config: &Config, scratch: &Scratch, note: &mut impl FnMut(Check)) {
    for clip in [H264].into_iter().chain(OTHERS) {
        let name = format!("decode {}", clip.0);
        note(match play(config, scratch, clip, None) {
            Ok(Played { pictures: PICTURES, decoder, .. }) => Check::passed(
                &name,
                format!("{PICTURES} pictures by {decoder}"),
                json!({ "decoder": decoder }),
            ),
            Ok(Played { pictures, decoder, .. }) => {
                Check::failed(&name, format!("{pictures} of {PICTURES} pictures by {decoder}"))
            }
            Err(e) => Check::failed(&name, e),
        });
    }
}

/// What came of a clip.
#[derive(Debug, Default)]
pub struct Played {
    /// Taken by the detector and answered, or just taken.
    pub pictures: usize,
    /// Some were looked at: whether one was in host memory.
    pub in_host: bool,
    /// `nvh264dec (cuda memory)`
    pub decoder: String,
}

/// A stream of one file that waits for its reader.
pub fn stream(path: &Path) -> Result<Stream, String> {
    Ok(Stream {
        source_id: 0,
        uri: StreamUri::parse(&path.display().to_string()).map_err(|e| e.to_string())?,
        name: None,
        max_fps: vigia_core::config::limits::FPS_MAX,
        transport: Transport::Tcp,
        credentials: None,
        tls_ca_file: None,
        confidence: 0.5,
        classes: Vec::new(),
        tracker: Tracker::None,
        pace: Pace::Max,
        looped: false,
        enabled: true,
    })
}

/// Plays a clip to its end, through `detector` if there is one.
pub fn play(
    config: &Config,
    scratch: &Scratch,
    (codec, bytes): (&str, &[u8]),
    mut detector: Option<&mut Detector>,
) -> Result<Played, String> {
    let path = scratch.put(&format!("{codec}.mkv"), bytes).map_err(|e| e.to_string())?;
    let stream = stream(&path)?;
    let latest = Arc::new(Latest::default());
    if let Some(detector) = &mut detector {
        detector.announce(&latest);
    }
    let tapped = latest.tap(u32::try_from(PICTURES).unwrap_or(u32::MAX));
    let (tell, reports) = unbounded();
    let options = Options { camera: config.camera.clone(), every: 1, once: true };
    let camera = Camera::start(stream, options, latest.clone(), tell).map_err(|e| e.to_string())?;
    let (mut played, mut over) = (Played::default(), None);
    let mut last = clock::now();
    loop {
        let busy = match &mut detector {
            Some(detector) => {
                detector.step(&latest, LOOK, &mut |_| played.pictures += 1).map_err(|e| e.to_string())?
            }
            None => {
                let taken = latest.take(LOOK).is_some();
                played.pictures += usize::from(taken);
                taken
            }
        };
        played.in_host |= tapped.try_iter().any(|f| matches!(f.surface, Surface::System { .. }));
        // What it gave last may have come between our last look and its end.
        if over.is_some() && !busy {
            break;
        }
        let ended = |s: &StreamState| matches!(s, StreamState::Ended | StreamState::Reconnecting { .. });
        for Report { state, decoding, .. } in reports.try_iter() {
            if let Some(d) = decoding {
                played.decoder = format!("{} ({} memory)", d.name, d.memory.name());
            }
            over = over.or_else(|| Some(state).filter(ended));
        }
        if busy {
            last = clock::now();
        } else if clock::now().since(last) > PATIENCE {
            return Err(format!("no picture and no end for {} s", PATIENCE.as_secs()));
        }
    }
    drop(camera);
    match over {
        Some(StreamState::Reconnecting { cause }) => Err(cause.detail),
        _ => Ok(played),
    }
}
