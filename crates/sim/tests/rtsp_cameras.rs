//! What each kind of camera sends, and what its faults look like to a client.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]

mod common;

use std::{collections::HashSet, path::Path};

use common::{Client, PATIENCE, TinyClip};
use gst::ClockTime;
use vigia_sim::{Camera, Codec, Pattern, Picture, RtspServer, SimError};

/// Longer than any pause between frames of the cameras here.
const SILENCE: ClockTime = ClockTime::from_mseconds(600);

#[test]
fn every_codec_plays() {
    let server = RtspServer::start().unwrap();
    for codec in [Codec::H264, Codec::H265, Codec::Mjpeg] {
        let path = format!("/{codec:?}");
        let camera = server.add(&path, Camera::pattern(320, 240, 20).with_codec(codec)).unwrap();
        let client = Client::watch(camera.url(), codec);
        let frames = client.must_see_frames(10);
        assert!(frames.iter().all(|f| (f.width, f.height) == (320, 240)), "{codec:?} {frames:?}");
        assert!(frames.is_sorted_by(|a, b| a.pts < b.pts), "{codec:?} {frames:?}");
        // Counted after it is handed over, so perhaps after it was seen.
        wait_for(|| camera.units_fed() >= 10);
    }
}

#[test]
fn a_clip_goes_on_past_its_end() {
    let clip = TinyClip::make("loop");
    let server = RtspServer::start().unwrap();
    let camera = server.add("/live/0", Camera::file(clip.path())).unwrap();
    let client = Client::watch_unsmoothed(camera.url());
    let frames = client.must_see_frames(TinyClip::FRAMES * 5 / 2);
    for pair in frames.windows(2) {
        let step = pair[1].pts.checked_sub(pair[0].pts).expect("time doesn't go back");
        // RTP counts in 90 kHz and the server rounds.
        let is_one_frame = step.absdiff(TinyClip::FRAME) < ClockTime::MSECOND;
        assert!(is_one_frame, "{step} between {pair:?}");
    }
    assert_eq!(client.complaint(ClockTime::ZERO), None);
}

#[test]
fn a_client_joins_while_another_watches() {
    let clip = TinyClip::make("join");
    let server = RtspServer::start().unwrap();
    let camera = server.add("/live/0", Camera::file(clip.path())).unwrap();
    let first = Client::record(camera.url());
    (0..10).for_each(|_| assert!(first.sample(PATIENCE).is_some()));
    let second = Client::watch(camera.url(), Codec::H264);
    second.must_see();
    assert!(first.sample(PATIENCE).is_some());
    assert_eq!(server.client_count(), 2);
    drop(first);
    let fed = camera.units_fed();
    while camera.units_fed() < fed + TinyClip::FRAMES {
        second.must_see();
    }
}

#[test]
fn a_long_clip_plays() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media/car-detection.mp4");
    if !path.exists() {
        println!("SKIPPED: {} is not there", path.display());
        return;
    }
    let server = RtspServer::start().unwrap();
    let camera = server.add("/live/0", Camera::file(path)).unwrap();
    let client = Client::watch(camera.url(), Codec::H264);
    let frames = client.must_see_frames(25);
    assert!(frames.iter().all(|f| (f.width, f.height) == (768, 432)), "{frames:?}");
}

#[test]
fn a_stall_ends_the_frames_and_not_the_session() {
    let clip = TinyClip::make("stall");
    let server = RtspServer::start().unwrap();
    let cameras = [
        server.add("/clip", Camera::file(clip.path())).unwrap(),
        // The next regular key frame is 100 s away.
        server.add("/pattern", Pattern { gop: 1000, ..pattern() }.into()).unwrap(),
    ];
    for camera in cameras {
        let client = Client::watch(camera.url(), Codec::H264);
        client.must_see_frames(5);
        camera.set_stall(true);
        client.must_fall_silent(SILENCE);
        assert_eq!(client.complaint(ClockTime::ZERO), None);
        assert_eq!(server.client_count(), 1, "{}", camera.path());
        camera.set_stall(false);
        client.must_see_frames(10);
        drop(client);
        wait_for(|| server.client_count() == 0);
    }
}

#[test]
fn a_stalled_camera_still_answers() {
    let server = RtspServer::start().unwrap();
    let camera = server.add("/live/0", Camera::pattern(320, 240, 10)).unwrap();
    camera.set_stall(true);
    let client = Client::watch(camera.url(), Codec::H264);
    wait_for(|| camera.units_fed() > 0);
    assert_eq!(client.frame(SILENCE), None);
    assert_eq!(client.complaint(ClockTime::ZERO), None);
    assert_eq!(server.client_count(), 1);
    camera.set_stall(false);
    client.must_see();
}

#[test]
fn garbage_damages_and_then_heals() {
    let clip = TinyClip::make("garbage");
    let server = RtspServer::start().unwrap();
    let camera = server.add("/live/0", Camera::file(clip.path())).unwrap();
    let client = Client::record(camera.url());
    let unit = || {
        let sample = client.sample(PATIENCE).expect("the stream goes on");
        sample.buffer().unwrap().map_readable().unwrap().to_vec()
    };
    // A lap and a bit: the very first unit has its parameter sets twice.
    let whole: HashSet<_> = (0..TinyClip::FRAMES + 5).map(|_| unit()).collect();
    assert!(whole.contains(&unit()), "the second lap is like the first");
    camera.set_garbage(true);
    assert!((0..200).any(|_| !whole.contains(&unit())));
    camera.set_garbage(false);
    let mut good = 0;
    for _ in 0..200 {
        good = if whole.contains(&unit()) { good + 1 } else { 0 };
        if good == 10 {
            return;
        }
    }
    panic!("the stream stays damaged");
}

#[test]
fn the_resolution_changes_in_mid_stream() {
    let server = RtspServer::start().unwrap();
    for codec in [Codec::H264, Codec::H265, Codec::Mjpeg] {
        let path = format!("/{codec:?}");
        let camera = server.add(&path, Camera::from(pattern()).with_codec(codec)).unwrap();
        let client = Client::watch(camera.url(), codec);
        let before = client.must_see();
        assert_eq!((before.width, before.height), (320, 240));
        camera.set_resolution(640, 480).unwrap();
        let after = client.must_see_until("of the new size", |f| (f.width, f.height) == (640, 480));
        assert!(after.pts > before.pts);
        assert!(client.must_see().pts > after.pts);
        assert_eq!(client.complaint(ClockTime::ZERO), None);
        assert!(camera.set_resolution(641, 480).is_err());
    }
    let clip = TinyClip::make("fixed");
    let camera = server.add("/clip", Camera::file(clip.path())).unwrap();
    assert!(matches!(camera.set_resolution(640, 480), Err(SimError::FixedResolution { .. })));
}

fn pattern() -> Pattern {
    Pattern { width: 320, height: 240, fps: 10, codec: Codec::H264, gop: 10, picture: Picture::Ball }
}

/// Waits for what has no event of its own.
fn wait_for(condition: impl Fn() -> bool) {
    let (_never, ticks) = std::sync::mpsc::channel::<()>();
    for _ in 0..1500 {
        if condition() {
            return;
        }
        ticks.recv_timeout(std::time::Duration::from_millis(10)).unwrap_err();
    }
    panic!("it did not happen in time");
}
