//! Rendered scenes: the same for everybody who asks, and as their labels say.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use common::Client;
use vigia_sim::dataset::{self, Dataset};
use vigia_sim::scene::{Class, Frame, Plot, Scene, Split};
use vigia_sim::stage::Stage;
use vigia_sim::{Camera, Codec, RtspServer};

const SIZE: (u32, u32) = (320, 176);
/// Not in this order.
const MOMENTS: [f32; 4] = [9.0, 0.0, 31.5, 8.9];

/// Everything of a frame that can differ.
fn same(a: &Frame, b: &Frame) -> bool {
    a.rgb == b.rgb
        && a.labels == b.labels
        && a.ignored == b.ignored
        && (a.width, a.height) == (b.width, b.height)
}

fn frames(stage: Stage, moments: &[f32]) -> Vec<Frame> {
    let mut shot = stage.shot(SIZE);
    moments.iter().map(|t| shot.frame(*t).clone()).collect()
}

#[test]
fn the_same_seed_gives_the_same_frames_on_any_thread_and_in_any_order() {
    for plot in Plot::ALL {
        for camera in 0..Scene::CAMERAS {
            let stage = Stage { camera, ..Stage::new(77, plot) };
            let ours = frames(stage, &MOMENTS);
            let theirs = thread::spawn(move || frames(stage, &MOMENTS)).join().unwrap();
            let mut backwards = MOMENTS;
            backwards.reverse();
            let backwards = frames(stage, &backwards);
            for (n, frame) in ours.iter().enumerate() {
                assert!(same(frame, &theirs[n]), "{plot:?} at {}: another thread", MOMENTS[n]);
                let again = &backwards[MOMENTS.len() - 1 - n];
                assert!(same(frame, again), "{plot:?} at {}: another order", MOMENTS[n]);
                assert_eq!(frame.rgb.len(), (SIZE.0 * SIZE.1 * 3) as usize);
            }
        }
    }
}

#[test]
fn shots_of_one_scene_do_not_touch_each_other() {
    let scene = Arc::new(Scene::new(5, Split::Training, Plot::Fire));
    let (mut one, mut other) = (scene.shot(0, SIZE), scene.shot(0, SIZE));
    one.frame(3.0);
    other.frame(50.0);
    let (a, b) = (one.frame(20.0).clone(), other.frame(20.0).clone());
    assert!(same(&a, &b));
}

#[test]
fn seeds_cameras_and_moments_differ() {
    let of = |seed, camera| frames(Stage { camera, ..Stage::new(seed, Plot::Fire) }, &[12.0, 12.5]);
    let all: Vec<_> = (0..4).map(|seed| of(seed, 0)).chain([of(0, 1)]).flatten().collect();
    let different: BTreeSet<_> = all.iter().map(|f| &f.rgb).collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn what_is_labelled_lies_in_the_picture() {
    let mut counts = [0; Class::ALL.len()];
    for seed in 0..30 {
        let (scene, takes) = dataset::takes(seed, Split::Training);
        for take in takes {
            assert!((25..=95).contains(&take.quality) && (0.0..80.0).contains(&take.t), "{take:?}");
            let mut shot = scene.shot(take.camera, SIZE);
            let frame = shot.frame(take.t);
            frame.labels.iter().for_each(|l| counts[l.class.id()] += 1);
            for bbox in frame.labels.iter().map(|l| &l.bbox).chain(&frame.ignored) {
                let [x1, y1, x2, y2] = *bbox;
                let inside = 0.0 <= x1
                    && x1 < x2
                    && x2 <= SIZE.0 as f32
                    && 0.0 <= y1
                    && y1 < y2
                    && y2 <= SIZE.1 as f32;
                assert!(inside, "seed {seed}, {take:?}: {bbox:?}");
            }
        }
    }
    assert!(counts.iter().all(|n| *n >= 10), "each class is seen: {counts:?}");
}

#[test]
fn fire_is_labelled_once_it_burns_and_nowhere_else() {
    let fires = |frame: &Frame| frame.labels.iter().filter(|l| l.class == Class::Fire).count();
    let (mut burning, mut seen) = (0, 0);
    for seed in 0..25 {
        let scene = Arc::new(Scene::new(seed, Split::HeldOut, Plot::Fire));
        let mut shot = scene.shot(0, SIZE);
        let Some(starts) = scene.ignition() else { continue };
        assert_eq!(fires(shot.frame((starts - 0.5).max(-1.0))), 0, "seed {seed}: before it burns");
        burning += 1;
        seen += usize::from(fires(shot.frame(starts + 20.0)) > 0);
        for plot in [Plot::Friends, Plot::Quiet] {
            let frame = &frames(Stage::new(seed, plot), &[30.0])[0];
            let burns = |l: &vigia_sim::scene::Label| matches!(l.class, Class::Fire | Class::Smoke);
            assert!(!frame.labels.iter().any(burns), "seed {seed}, {plot:?}");
        }
    }
    assert!(burning >= 15, "{burning} of 25 burn");
    assert!(seen * 10 >= burning * 7, "{seen} of {burning} fires are seen");
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vigia-sim-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Names and contents of all files.
    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap());
        let name = |e: &fs::DirEntry| e.file_name().into_string().unwrap();
        let mut all: Vec<_> = entries.map(|e| (name(&e), fs::read(e.path()).unwrap())).collect();
        all.sort();
        all
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_data_set_is_the_same_whatever_the_threads() {
    let set = Dataset { images: 20, split: Split::HeldOut, first_seed: 40, size: SIZE };
    let (one, many) = (Folder::new("one"), Folder::new("many"));
    set.write(&one.0, 1).unwrap();
    set.write(&many.0, 3).unwrap();
    let contents = one.contents();
    assert!(contents == many.contents());
    assert_eq!(contents.len(), 20 + 2);
    assert!(contents[..20].iter().all(|(_, bytes)| bytes.starts_with(&[0xff, 0xd8])));
    let lines = String::from_utf8(contents[21].1.clone()).unwrap();
    for (n, line) in lines.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["file"], format!("{n:06}.jpg"));
        assert_eq!((line["scene"].as_u64(), line["width"].as_u64()), (Some(40 + n as u64 / 6), Some(320)));
        assert!(line["objects"].is_array() && line["ignore"].is_array() && line["place"].is_string());
    }
    assert_eq!(lines.lines().count(), 20);
    // It is there: nothing is written again. Another one would not fit in.
    fs::write(one.0.join("000000.jpg"), "").unwrap();
    set.write(&one.0, 1).unwrap();
    assert!(fs::read(one.0.join("000000.jpg")).unwrap().is_empty());
    assert!(Dataset { images: 21, ..set }.write(&one.0, 1).is_err());
}

#[test]
fn a_scene_is_served_as_a_camera() {
    let server = RtspServer::start().unwrap();
    for (codec, path) in [(Codec::H264, "/a"), (Codec::H265, "/b"), (Codec::Mjpeg, "/c")] {
        let stage = Stage::new(3, Plot::Fire);
        let camera = server.add(path, Camera::scene(stage, 320, 176, 10).with_codec(codec)).unwrap();
        let client = Client::watch(camera.url(), codec);
        let frames = client.must_see_frames(8);
        assert!(frames.iter().all(|f| (f.width, f.height) == (320, 176)), "{frames:?}");
        assert!(frames.is_sorted_by(|a, b| a.pts < b.pts), "{frames:?}");
        camera.set_resolution(640, 360).unwrap();
        client.must_see_until("of the new size", |f| f.width == 640);
        assert!(camera.set_resolution(644, 360).is_err());
        // Nobody watches: nothing is painted.
        drop(client);
    }
}

#[test]
fn a_video_can_be_played() {
    let folder = Folder::new("video");
    let path = folder.0.join("a.mp4");
    vigia_sim::video::write(&path, &Stage::new(1, Plot::Quiet), SIZE, 10, 15).unwrap();
    let server = RtspServer::start().unwrap();
    let camera = server.add("/a", Camera::file(&path)).unwrap();
    let frames = Client::watch(camera.url(), Codec::H264).must_see_frames(20);
    assert!(frames.iter().all(|f| (f.width, f.height) == (320, 176)), "{frames:?}");
    let nowhere = folder.0.join("no/such/folder.mp4");
    assert!(vigia_sim::video::write(&nowhere, &Stage::new(1, Plot::Quiet), SIZE, 10, 15).is_err());
}
