//! From [`raw::Consensus`] to [`Config`]: every violation at once, each in one sentence that names
//! the setting, its value and what is right.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::config::{Camera, Config, FrameSize, Origin, Pace, Rules, Sector};
use super::fault::{Fault, Faults, Wrong};
use super::ids::{CameraId, ZoneId};
use super::limits as l;
use super::raw::{self, Updates};

/// A stream of this box, as the consensus needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    pub source_id: u32,
    pub name: Option<String>,
    /// Frames per second that the detector looks at, above 0.
    pub max_fps: f64,
}

/// The settings, if nothing at all is wrong with them. `own`: the streams of this box.
pub fn check(raw: &raw::Consensus, own: &[Own]) -> Result<Config, Vec<Fault>> {
    let mut faults = Faults::default();
    let (rules, pace) = rules(raw, &mut faults);
    let mut zones = Vec::new();
    let cameras = cameras(raw, own, pace, rules.window, &mut zones, &mut faults);
    let sectors = sectors(raw, &cameras, &mut faults);
    faults.or(Config { cameras, sectors, zones, rules })
}

fn rules(raw: &raw::Consensus, faults: &mut Faults) -> (Rules, Pace) {
    let pace = Pace {
        samples: faults.whole("growth_samples", raw.growth_samples, l::SAMPLES_MIN, l::SAMPLES_MAX),
        span: faults.seconds("growth_span_s", raw.growth_span_s, l::SPAN_S_MIN, l::SPAN_S_MAX),
        lapse: faults.seconds("lapse_s", raw.lapse_s, l::LAPSE_S_MIN, l::LAPSE_S_MAX),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a ratio up to 5 needs no more digits")]
    let rules = Rules {
        window: faults.seconds("window_s", raw.window_s, l::WINDOW_S_MIN, l::WINDOW_S_MAX),
        cooldown: faults.seconds("cooldown_s", raw.cooldown_s, 0.0, l::COOLDOWN_S_MAX),
        confidence: faults.share("confidence", raw.confidence),
        area_min: faults.share("area_min", raw.area_min),
        area_max: faults.share("area_max", raw.area_max),
        large_area: faults.share("large_area", raw.large_area),
        large_for: faults.seconds("large_s", raw.large_s, l::LARGE_S_MIN, l::LARGE_S_MAX),
        growth_ratio: faults.number("growth_ratio", raw.growth_ratio, l::GROWTH_MIN, l::GROWTH_MAX) as f32,
        growth_steady: faults.share("growth_steady", raw.growth_steady),
        keep: faults.seconds("keep_s", raw.keep_s, 0.0, l::KEEP_S_MAX),
        camera_timeout: faults.seconds(
            "camera_timeout_s",
            raw.camera_timeout_s,
            l::TIMEOUT_S_MIN,
            l::TIMEOUT_S_MAX,
        ),
        blind_hold: faults.seconds("blind_hold_s", raw.blind_hold_s, 0.0, l::BLIND_S_MAX),
        heartbeat: faults.seconds("heartbeat_s", raw.heartbeat_s, l::HEARTBEAT_S_MIN, l::HEARTBEAT_S_MAX),
        smoke: raw.smoke,
        zone_activation: raw.zone_activation,
    };
    faults.below("area_min", raw.area_min, "area_max", raw.area_max);
    faults.below("area_min", raw.area_min, "large_area", raw.large_area);
    faults.not_above("large_area", raw.large_area, "area_max", raw.area_max);
    faults.below("growth_span_s", raw.growth_span_s, "window_s", raw.window_s);
    faults.not_above("lapse_s", raw.lapse_s, "window_s", raw.window_s);
    (rules, pace)
}

fn cameras(
    raw: &raw::Consensus,
    own: &[Own],
    pace: Pace,
    window: Duration,
    zones: &mut Vec<String>,
    faults: &mut Faults,
) -> Vec<Camera> {
    let every: Vec<raw::Camera>;
    let wanted = if raw.cameras.is_empty() {
        every = own.iter().map(camera_of_stream).collect();
        &every
    } else {
        &raw.cameras
    };
    if wanted.is_empty() {
        faults.add("cameras", Wrong::NoCamera);
    }
    if wanted.len() > l::CAMERAS_LEN_MAX {
        faults.add("cameras", Wrong::TooMany { max: l::CAMERAS_LEN_MAX, got: wanted.len() });
        return Vec::new();
    }
    let mut found: Vec<Camera> = Vec::with_capacity(wanted.len());
    for (at, camera) in wanted.iter().enumerate() {
        let path = format!("cameras[{at}]");
        faults.name(format!("{path}.name"), &camera.name);
        let origin = origin(camera, &path, own, faults);
        let is_twin = |c: &&Camera| c.name == camera.name || (c.origin == origin && is_own(&origin));
        if found.iter().find(is_twin).is_some() {
            faults.add(format!("{path}.name"), Wrong::Twice { got: camera.name.clone() });
        }
        let pace = match camera.updates {
            Some(Updates::Sparse) => Pace { samples: 1, lapse: window, ..pace },
            Some(Updates::Frames) | None => pace,
        };
        if let Some(stream) = own.iter().find(|o| origin == Origin::Own { source_id: o.source_id }) {
            enough_pictures(stream, pace, window, faults);
        }
        if raw.zone_activation && camera.zones.is_empty() {
            faults.add(format!("{path}.zones"), Wrong::NoZones { got: camera.name.clone() });
        }
        let zones = zones_of(camera, &path, zones, faults);
        found.push(Camera { name: camera.name.clone(), origin, zones, pace });
    }
    found
}

fn is_own(origin: &Origin) -> bool {
    matches!(origin, Origin::Own { .. })
}

fn camera_of_stream(own: &Own) -> raw::Camera {
    let name = own.name.clone().unwrap_or_else(|| own.source_id.to_string());
    raw::Camera { name, source_id: Some(own.source_id.into()), ..raw::Camera::default() }
}

fn origin(camera: &raw::Camera, path: &str, own: &[Own], faults: &mut Faults) -> Origin {
    let Some(source_id) = camera.source_id else {
        return Origin::Outside {
            frame: frame_size(camera, path, faults),
            boxes: camera.boxes.unwrap_or_default(),
        };
    };
    let given = [
        ("width", camera.width.is_some()),
        ("height", camera.height.is_some()),
        ("boxes", camera.boxes.is_some()),
        ("updates", camera.updates.is_some()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| *given) {
        faults.add(format!("{path}.{field}"), Wrong::OutsideOnly);
    }
    let known = own.iter().find(|o| i64::from(o.source_id) == source_id);
    if known.is_none() {
        let known = listed(own.iter().map(|o| o.source_id.to_string()));
        faults.add(format!("{path}.source_id"), Wrong::UnknownSource { got: source_id, known });
    }
    Origin::Own { source_id: known.map_or(0, |o| o.source_id) }
}

fn frame_size(camera: &raw::Camera, path: &str, faults: &mut Faults) -> Option<FrameSize> {
    let (min, max) = (l::FRAME_PX_MIN, l::FRAME_PX_MAX);
    match (camera.width, camera.height) {
        (Some(width), Some(height)) => Some(FrameSize {
            width: faults.whole(format!("{path}.width"), width, min, max),
            height: faults.whole(format!("{path}.height"), height, min, max),
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            faults.add(format!("{path}.width"), Wrong::HalfASize);
            None
        }
    }
}

/// A stream that is too slow for the rules would never vote, and nobody would know.
fn enough_pictures(stream: &Own, pace: Pace, window: Duration, faults: &mut Faults) {
    let (source_id, fps) = (stream.source_id, stream.max_fps);
    let got = libm::floor(fps * window.as_secs_f64());
    let want = pace.samples * 2;
    #[expect(clippy::cast_precision_loss, reason = "at most 20")]
    if got < want as f64 {
        faults.add("window_s", Wrong::TooSlow { source_id, fps, got, want });
    }
    let interval_s = 1.0 / fps;
    if interval_s > pace.lapse.as_secs_f64() {
        faults.add("lapse_s", Wrong::Rests { source_id, interval_s, got: pace.lapse.as_secs_f64() });
    }
}

fn zones_of(camera: &raw::Camera, path: &str, zones: &mut Vec<String>, faults: &mut Faults) -> Vec<ZoneId> {
    let mut found = Vec::new();
    for (at, name) in camera.zones.iter().enumerate() {
        faults.name(format!("{path}.zones[{at}]"), name);
        let index = zones.iter().position(|z| z == name).unwrap_or_else(|| {
            zones.push(name.clone());
            zones.len() - 1
        });
        if zones.len() > l::ZONES_LEN_MAX {
            faults.add(path, Wrong::TooMany { max: l::ZONES_LEN_MAX, got: zones.len() });
        }
        found.extend(u16::try_from(index).ok().map(ZoneId));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn sectors(raw: &raw::Consensus, cameras: &[Camera], faults: &mut Faults) -> Vec<Sector> {
    let names = || cameras.iter().map(|c| c.name.clone());
    let whole: Vec<raw::Sector>;
    let (wanted, implied) = if raw.sectors.is_empty() {
        whole =
            [raw::Sector { name: "site".into(), cameras: names().collect(), ..Default::default() }].into();
        (&whole, true)
    } else {
        (&raw.sectors, false)
    };
    if wanted.len() > l::SECTORS_LEN_MAX {
        faults.add("sectors", Wrong::TooMany { max: l::SECTORS_LEN_MAX, got: wanted.len() });
        return Vec::new();
    }
    let mut found: Vec<Sector> = Vec::with_capacity(wanted.len());
    for (at, sector) in wanted.iter().enumerate() {
        let path = if implied { String::new() } else { format!("sectors[{at}].") };
        faults.name(format!("{path}name"), &sector.name);
        if found.iter().any(|s| s.name == sector.name) {
            faults.add(format!("{path}name"), Wrong::Twice { got: sector.name.clone() });
        }
        let members = members(sector, &path, cameras, faults);
        let needed = sector.cameras_needed.unwrap_or(raw.cameras_needed);
        let needed: usize =
            faults.whole(format!("{path}cameras_needed"), needed, l::NEEDED_MIN, l::NEEDED_MAX);
        if needed > members.len() {
            let has = members.len();
            faults.add(format!("{path}cameras_needed"), Wrong::TooFewCameras { needed, has });
        }
        let single = sector.single_camera_s.unwrap_or(raw.single_camera_s);
        let single =
            faults.seconds(format!("{path}single_camera_s"), single, l::SINGLE_S_MIN, l::SINGLE_S_MAX);
        found.push(Sector { name: sector.name.clone(), cameras: members, needed, single });
    }
    for (at, camera) in cameras.iter().enumerate() {
        if !found.iter().any(|s| s.cameras.iter().any(|id| id.index() == at)) {
            faults.add("sectors", Wrong::InNoSector { got: camera.name.clone() });
        }
    }
    found
}

fn members(sector: &raw::Sector, path: &str, cameras: &[Camera], faults: &mut Faults) -> Vec<CameraId> {
    let mut members: Vec<CameraId> = Vec::new();
    for (at, name) in sector.cameras.iter().enumerate() {
        let id = cameras.iter().position(|c| c.name == *name).and_then(|at| u16::try_from(at).ok());
        let path = format!("{path}cameras[{at}]");
        match id.map(CameraId) {
            Some(id) if members.contains(&id) => faults.add(path, Wrong::Twice { got: name.clone() }),
            Some(id) => members.push(id),
            None => {
                let known = listed(cameras.iter().map(|c| c.name.clone()));
                faults.add(path, Wrong::UnknownCamera { got: name.clone(), known });
            }
        }
    }
    members.sort_unstable();
    members
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
